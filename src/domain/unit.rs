//! Units: what a limit counts, and the figure that is held against it.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::money::exact;

open_words! {
    /// What is neither money nor a share of it.
    pub enum Plain {
        /// Contracts.
        Units = "units",
        Lots = "lots",
        Count = "count",
        Ratio = "ratio",
        Pips = "pips",
        Seconds = "seconds",
        Price = "price",
        /// There is no figure: the limit's parameters say what counts.
        List = "list",
    }
}

/// `risk_limits.limit_unit`, and the unit of a figure in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Unit {
    /// Points of equity: 2.5 is 2.5 %.
    Percentage,
    /// A share of equity: 0.025 is 2.5 %.
    Fraction,
    /// An amount in this currency.
    Money(String),
    Other(Plain),
}

impl Unit {
    /// Reads the database's word, or a typed one. A currency is three to eight capital letters, as
    /// `desk.unit_currency` has it.
    pub fn read(word: &str) -> Self {
        let word = word.trim();
        match word {
            "percentage" => Self::Percentage,
            "fraction" => Self::Fraction,
            _ if (3..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase()) => {
                Self::Money(word.to_owned())
            }
            _ => Self::Other(Plain::read(word)),
        }
    }

    /// Returns the database's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Percentage => "percentage",
            Self::Fraction => "fraction",
            Self::Money(currency) => currency,
            Self::Other(plain) => plain.as_str(),
        }
    }

    /// Returns what stands behind a figure: a currency or a word; nothing where the figure carries
    /// its unit (`2.5%`, `5 s`) or has none.
    pub fn suffix(&self) -> &str {
        match self {
            Self::Percentage
            | Self::Fraction
            | Self::Other(Plain::Count | Plain::Ratio | Plain::Seconds) => "",
            Self::Money(_) | Self::Other(_) => self.as_str(),
        }
    }

    /// Returns `value` of this unit as an amount of money, given the equity it may be a share of in
    /// the currency of the answer; `None` where it is no money.
    pub fn amount(&self, value: Decimal, equity: Decimal) -> Option<Decimal> {
        match self {
            Self::Percentage => equity.checked_mul(value)?.checked_div(Decimal::ONE_HUNDRED),
            Self::Fraction => equity.checked_mul(value),
            Self::Money(_) => Some(value),
            Self::Other(_) => None,
        }
    }

    /// Returns an amount of money in this unit; the inverse of [`Self::amount`].
    pub fn of_amount(&self, amount: Decimal, equity: Decimal) -> Option<Decimal> {
        match self {
            Self::Percentage | Self::Fraction if equity <= Decimal::ZERO => None,
            Self::Percentage => amount.checked_div(equity)?.checked_mul(Decimal::ONE_HUNDRED),
            Self::Fraction => amount.checked_div(equity),
            Self::Money(_) => Some(amount),
            Self::Other(_) => None,
        }
    }

    /// Tells whether `value` per cent is so little that a fraction may have been meant. The tight
    /// reading is the safe one and is taken, but said so: `PERCENTAGE_LOOKS_LIKE_FRACTION`.
    pub fn looks_like_fraction(&self, value: Decimal) -> bool {
        *self == Self::Percentage && value <= Decimal::ONE
    }

    /// Writes a value of this unit exactly: `250,000 USD`, `2.5%`, `3 pips`, and a plain number of
    /// what is only counted.
    ///
    /// ```
    /// use rust_decimal::dec;
    /// use tmt::domain::unit::Unit;
    /// assert_eq!(Unit::read("USD").exact(dec!(250000)), "250,000 USD");
    /// assert_eq!(Unit::Fraction.exact(dec!(0.025)), "2.5%");
    /// assert_eq!(Unit::read("count").exact(dec!(5)), "5");
    /// ```
    pub fn exact(&self, value: Decimal) -> String {
        match (self, value.checked_mul(Decimal::ONE_HUNDRED)) {
            (Self::Percentage, _) => format!("{}%", exact(value)),
            (Self::Fraction, Some(points)) => format!("{}%", exact(points)),
            (Self::Other(Plain::Seconds), _) => format!("{} s", exact(value)),
            (unit, _) => format!("{} {}", exact(value), unit.suffix()).trim_end().to_owned(),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<String> for Unit {
    fn from(word: String) -> Self {
        Self::read(&word)
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.as_str().to_owned()
    }
}

/// A unit that a limit of some kind may be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitChoice {
    AnyCurrency,
    Only(Unit),
}

impl UnitChoice {
    /// Reads a word of `tmt.limit_types.units`.
    pub fn read(word: &str) -> Self {
        if word == "money" { Self::AnyCurrency } else { Self::Only(Unit::read(word)) }
    }
}

impl fmt::Display for UnitChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyCurrency => f.pad("money"),
            Self::Only(unit) => unit.fmt(f),
        }
    }
}
