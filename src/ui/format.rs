//! Formatting: the only place that turns numbers into text for the screen.
//!
//! Every number is rounded first, half away from zero as PostgreSQL does it, never by the width of
//! its column. What does not fit becomes shorter without becoming another number, or is not shown.

mod fit;

use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
pub(super) use fit::fit;
pub use fit::pad;
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use crate::app::cell::{Align, Cell};
use crate::domain::money::{exact, round};
use crate::domain::unit::Plain;
use crate::domain::unit::Unit;

/// Placeholder for an unknown value. Never a zero.
pub(super) const ABSENT: &str = "—";

/// Share of a limit from which its gauge carries a `!`.
const WARN_AT: Decimal = crate::domain::limit::DEFAULT_WARNING;

/// Returns a number with that many decimals and commas between thousands.
pub(super) fn number(value: Decimal, places: u32) -> String {
    let text = round(value, places).to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.split_once('.').map_or((digits, None), |(w, r)| (w, Some(r)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && whole.len().saturating_sub(at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// Returns an amount of money.
pub(super) fn money(value: Decimal) -> String {
    number(value, 2)
}

/// Returns an amount of money, or the sign for none.
pub(super) fn maybe_money(value: Option<Decimal>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), money)
}

/// Returns a figure with its sign, also where it is positive; zero has none.
pub(super) fn signed(value: Decimal, places: u32) -> String {
    let rounded = round(value, places);
    let plus = if rounded > Decimal::ZERO { "+" } else { "" };
    format!("{plus}{}", number(rounded, places))
}

/// Returns a price: decimals as the instrument has them, no commas.
pub(super) fn price(value: Decimal, places: u32) -> String {
    round(value, places).to_string()
}

/// Returns an amount that gained or lost: arrow and sign, so that no colour is needed.
pub(super) fn gain(value: Decimal) -> String {
    let arrow = match round(value, 2).cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => "▲ ",
        std::cmp::Ordering::Less => "▼ ",
        std::cmp::Ordering::Equal => "",
    };
    format!("{arrow}{}", signed(value, 2))
}

/// Returns a share as percent: 0.05 is `5.0%`.
pub(super) fn percent(share: Decimal, places: u32) -> String {
    share
        .checked_mul(Decimal::ONE_HUNDRED)
        .map_or_else(|| ABSENT.to_owned(), |points| format!("{}%", number(points, places)))
}

/// Returns an age: `0.8s`, `14s`, `3m`, `5h`, `2d`.
pub(super) fn age(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = age.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{}s", age.subsec_millis() / 100),
        10..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

/// Returns the time that is left: `10:49` minutes and seconds, `2h05m`, `3d`.
pub(super) fn left(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    if hours >= 48 {
        format!("{}d", hours / 24)
    } else if hours > 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{minutes:02}:{:02}", seconds % 60)
    }
}

/// Returns a time of day (UTC), or the date where it was another day than `now`.
pub(super) fn time(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let layout = if time.date_naive() == now.date_naive() {
        "%H:%M:%S"
    } else if time.year() == now.year() {
        "%d %b"
    } else {
        "%b %Y"
    };
    time.format(layout).to_string()
}

/// Returns a date and time (UTC) in full.
pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a length of time of the clock's error: `+0.3s`, `-12s`.
pub(super) fn skew(offset: chrono::TimeDelta) -> String {
    let millis = offset.num_milliseconds();
    let sign = if millis < -49 {
        "-"
    } else if millis > 49 {
        "+"
    } else {
        ""
    };
    let length = Duration::from_millis(millis.unsigned_abs().saturating_add(50));
    format!("{sign}{}", age(length))
}

/// Returns a figure in a unit, as it stands in a column.
pub(super) fn measured(value: Decimal, unit: Option<&Unit>) -> String {
    match unit {
        Some(Unit::Percentage) => format!("{}%", number(value, 2)),
        Some(Unit::Fraction) => percent(value, 1),
        Some(Unit::Money(_)) => money(value),
        Some(Unit::Other(Plain::Count)) => number(value, 0),
        Some(Unit::Other(Plain::Seconds)) => format!("{} s", number(value, 1)),
        Some(Unit::Other(Plain::Pips)) => number(value, 1),
        Some(Unit::Other(Plain::Ratio)) => number(value, 2),
        Some(Unit::Other(_)) | None => exact(value),
    }
}

/// Returns a figure in a unit that is at most `width` columns wide: without its decimals where it
/// must be, or not at all. It never loses digits that count.
pub(super) fn measured_in(value: Decimal, unit: Option<&Unit>, width: usize) -> String {
    let text = measured(value, unit);
    if text.width() <= width {
        return text;
    }
    let shorter = number(value, 0);
    let is_share = matches!(unit, Some(Unit::Percentage | Unit::Fraction));
    if !is_share && shorter.width() <= width { shorter } else { "#".repeat(width) }
}

/// Formats a figure with its unit, for a sentence.
pub(super) fn measured_of(value: Decimal, unit: Option<&Unit>) -> String {
    format!("{} {}", measured(value, unit), suffix(unit)).trim_end().to_owned()
}

/// Returns the unit after a figure in a sentence; empty where the figure carries it.
pub(super) fn suffix(unit: Option<&Unit>) -> &str {
    unit.map_or("", Unit::suffix)
}

/// Formats a cell without a width limit.
pub fn cell(cell: &Cell, now: DateTime<Utc>) -> String {
    match cell {
        Cell::Absent => ABSENT.to_owned(),
        Cell::Awaited(word) => (*word).to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Money(value) => money(*value),
        Cell::Gain(value) => gain(*value),
        Cell::Signed(value, places) => signed(*value, *places),
        Cell::Price(value, places) => price(*value, *places),
        // Written some time ago, not the market's: it must not look like a current price.
        Cell::Booked(value, places) => format!("~{}", price(*value, *places)),
        Cell::Size(value) => exact(*value),
        Cell::Number(value, places) => number(*value, *places),
        Cell::Percent(share) => percent(*share, 1),
        Cell::Used(share) => percent_used(*share),
        Cell::Time(at) => time(*at, now),
        Cell::Age(length) => age(*length),
        Cell::Left(seconds) => left(*seconds),
    }
}

/// Returns the text of a cell in exactly `width` columns.
///
/// Words are cut with `…`. A number is never cut, as it would read as another one: it loses its
/// arrow, then its decimals, and where even that is too wide, `#` stands for it.
pub(super) fn cell_in(value: &Cell, width: usize, align: Align, now: DateTime<Utc>) -> String {
    let text = cell(value, now);
    if text.width() <= width || matches!(value, Cell::Text(_) | Cell::Awaited(_)) {
        return pad(&text, width, align);
    }
    let shorter = if let Cell::Gain(amount) = value {
        vec![signed(*amount, 2), signed(*amount, 0)]
    } else if let Cell::Money(amount) | Cell::Number(amount, _) = value {
        vec![number(*amount, 0)]
    } else {
        vec![]
    };
    let fitting = shorter.into_iter().find(|text| text.width() <= width);
    pad(&fitting.unwrap_or_else(|| "#".repeat(width)), width, align)
}

/// Returns a share of a limit in six columns or a little more: `81.6%`, `100.3%`, `1235%`.
pub(super) fn percent_used(share: Decimal) -> String {
    /// Beyond a hundred times the limit the exact figure is of no use.
    const MOST: Decimal = Decimal::ONE_HUNDRED;
    if share > MOST {
        ">9999%".to_owned()
    } else if share >= Decimal::TEN {
        percent(share, 0).replace(',', "")
    } else {
        percent(share, 1)
    }
}

/// The parts of a gauge, so that each can be drawn in its own class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gauge {
    /// `#` for what is used.
    pub(super) used: String,
    /// `.` for what is left.
    pub(super) free: String,
    /// The figure, right-aligned, and `!` from the warning on.
    pub(super) figure: String,
}

/// Returns a share of a limit as a bar of `width` columns with its figure behind.
pub(super) fn gauge(share: Decimal, width: usize) -> Gauge {
    /// Brackets, the figure with its blank, and the `!`.
    const BESIDE: usize = 2 + 6 + 1;
    let bar = width.saturating_sub(BESIDE);
    let clamped = share.clamp(Decimal::ZERO, Decimal::ONE);
    let cells = clamped.checked_mul(Decimal::from(bar)).unwrap_or_default();
    let used = usize::try_from(round(cells, 0).mantissa()).unwrap_or(0).min(bar);
    // A little is not nothing, and nearly all is not all.
    let used = if share > Decimal::ZERO { used.max(1).min(bar) } else { used };
    let used = if share < Decimal::ONE { used.min(bar.saturating_sub(1)) } else { used };
    let mark = if share >= WARN_AT { "!" } else { " " };
    Gauge {
        used: "#".repeat(used),
        free: ".".repeat(bar.saturating_sub(used)),
        figure: format!("{:>6}{mark}", percent_used(share.max(Decimal::ZERO))),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use rust_decimal::dec;

    use super::*;

    #[rstest]
    #[case(dec!(1234567.005), 2, "1,234,567.01")]
    #[case(dec!(-1234.5), 2, "-1,234.50")]
    #[case(dec!(-0.001), 2, "0.00")]
    #[case(dec!(999), 0, "999")]
    #[case(dec!(1000), 0, "1,000")]
    #[case(dec!(2.665), 2, "2.67")]
    fn numbers_are_rounded_half_away_from_zero(
        #[case] value: Decimal,
        #[case] places: u32,
        #[case] text: &str,
    ) {
        assert_eq!(number(value, places), text);
    }

    #[rstest]
    #[case(dec!(145), "▲ +145.00")]
    #[case(dec!(-52.5), "▼ -52.50")]
    #[case(dec!(0.004), "0.00")]
    #[case(dec!(-0.004), "0.00")]
    fn a_gain_has_arrow_and_sign_as_it_is_shown(#[case] value: Decimal, #[case] text: &str) {
        assert_eq!(gain(value), text);
    }

    #[rstest]
    #[case(0, "0.0s")]
    #[case(870, "0.8s")]
    #[case(9_990, "9.9s")]
    #[case(14_000, "14s")]
    #[case(200_000, "3m")]
    #[case(7_300_000, "2h")]
    #[case(200_000_000, "2d")]
    fn ages_are_short(#[case] millis: u64, #[case] text: &str) {
        assert_eq!(age(Duration::from_millis(millis)), text);
    }

    #[rstest]
    #[case(dec!(0), "[......]  0.0% ")]
    #[case(dec!(0.001), "[#.....]  0.1% ")]
    #[case(dec!(0.816), "[#####.] 81.6%!")]
    #[case(dec!(0.999), "[#####.] 99.9%!")]
    #[case(dec!(1.003), "[######]100.3%!")]
    #[case(dec!(12.345), "[######] 1235%!")]
    #[case(dec!(-3), "[......]  0.0% ")]
    #[case(Decimal::MAX, "[######]>9999%!")]
    fn a_gauge_is_clamped_and_keeps_its_width(#[case] share: Decimal, #[case] text: &str) {
        let Gauge { used, free, figure } = gauge(share, 15);
        assert_eq!(format!("[{used}{free}]{figure}"), text);
    }

    #[test]
    fn a_number_that_does_not_fit_never_reads_as_another_one() {
        let now = DateTime::UNIX_EPOCH;
        let shown = |width| cell_in(&Cell::Gain(dec!(-12345.67)), width, Align::Right, now);
        assert_eq!(shown(12), "▼ -12,345.67");
        assert_eq!(shown(10), "-12,345.67");
        assert_eq!(shown(8), " -12,346");
        assert_eq!(shown(5), "#####");
        let price = cell_in(&Cell::Price(dec!(1.08655), 5), 4, Align::Right, now);
        assert_eq!(price, "####");
    }

    #[test]
    fn another_day_shows_its_date() {
        let now: DateTime<Utc> = "2026-03-02T14:04:31Z".parse().unwrap();
        assert_eq!(time(now, now), "14:04:31");
        assert_eq!(time("2026-03-01T23:59:59Z".parse().unwrap(), now), "01 Mar");
        assert_eq!(time("2025-03-02T14:04:31Z".parse().unwrap(), now), "Mar 2025");
    }
}
