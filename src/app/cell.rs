//! What a table shows in one place: a value, not yet text. `ui/format.rs` writes it for a person,
//! the command line for another program.

use std::cmp::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// A value in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Not known, or there is none: `—`, never zero.
    Absent,
    /// None yet; the word says why: the result of an open trade is `open`.
    Awaited(&'static str),
    /// A word or a sentence.
    Text(String),
    /// An amount of money, two decimals.
    Money(Decimal),
    /// An amount that gained or lost: sign, arrow and colour.
    Gain(Decimal),
    /// A signed figure with that many decimals: pips, multiples of risk.
    Signed(Decimal, u32),
    /// A price with that many decimals.
    Price(Decimal, u32),
    /// A price that was written by the database, not marked now.
    Booked(Decimal, u32),
    /// A size, without needless decimals.
    Size(Decimal),
    /// A plain number with that many decimals.
    Number(Decimal, u32),
    /// A share as percent, one decimal; 0.05 is 5.0 %.
    Percent(Decimal),
    /// A share of a limit: bar and percent.
    Used(Decimal),
    /// A time of day, or a date where it was another day.
    Time(DateTime<Utc>),
    /// Time since something; tenths of a second show while it is short.
    Age(Duration),
    /// Seconds until something, never negative.
    Left(u64),
}

impl Cell {
    /// Wraps a text, where there is one.
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.to_owned()))
    }

    /// Wraps a value, where there is one.
    pub fn maybe(value: Option<Decimal>, wrap: impl FnOnce(Decimal) -> Self) -> Self {
        value.map_or(Self::Absent, wrap)
    }

    /// Returns its number, if it is one.
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Self::Absent | Self::Awaited(_) | Self::Text(_) | Self::Time(_) => None,
            Self::Money(value)
            | Self::Gain(value)
            | Self::Signed(value, _)
            | Self::Price(value, _)
            | Self::Booked(value, _)
            | Self::Size(value)
            | Self::Number(value, _)
            | Self::Percent(value)
            | Self::Used(value) => Some(*value),
            Self::Age(age) => Some(Decimal::new(i64::try_from(age.as_millis()).ok()?, 3)),
            Self::Left(seconds) => Some(Decimal::from(*seconds)),
        }
    }

    /// Tells whether there is no value.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent | Self::Awaited(_))
    }

    /// Orders two cells of one column; what is absent comes last.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (one, two) if one.is_absent() || two.is_absent() => {
                one.is_absent().cmp(&two.is_absent())
            }
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Time(one), Self::Time(two)) => one.cmp(two),
            (one, two) => one.number().cmp(&two.number()),
        }
    }
}

/// Emphasis of a row or notice. `ui/theme.rs` maps it to colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    Quiet,
    Plain,
    Warning,
    Critical,
}

/// Alignment of a cell in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Align {
    Left,
    Right,
}

/// Formats a cell for other programs: exact digits, no decoration, empty where absent.
pub fn plain(cell: &Cell) -> String {
    match (cell, cell.number()) {
        (Cell::Text(text), _) => text.clone(),
        (Cell::Time(time), _) => time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        (_, Some(number)) => number.normalize().to_string(),
        (_, None) => String::new(),
    }
}
