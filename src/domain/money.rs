//! Amounts: how they are typed, rounded and bounded.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use thiserror::Error;

use super::code::Code;
use super::instrument::Instrument;
use super::rounding::floor_step;
// Who has an amount looks for it here.
pub use super::rounding::round;

/// Writes a number exactly, without needless zeros, with a comma between thousands. Nothing is
/// rounded: this is for sentences that say what will be booked.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::money::exact;
/// assert_eq!(exact(dec!(10000.00)), "10,000");
/// assert_eq!(exact(dec!(-1234567.5)), "-1,234,567.5");
/// assert_eq!(exact(dec!(1.08450)), "1.0845");
/// ```
pub fn exact(amount: Decimal) -> String {
    at_least(amount, 0)
}

/// Writes a number exactly, as [`exact`] does, with at least `places` decimals: money and prices are
/// read digit by digit. Where a number has more, none is lost.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::money::at_least;
/// assert_eq!(at_least(dec!(-3.6), 2), "-3.60");
/// assert_eq!(at_least(dec!(1.156805), 5), "1.156805");
/// ```
pub fn at_least(amount: Decimal, places: u32) -> String {
    let mut shown = amount.normalize().abs();
    if shown.scale() < places {
        shown.rescale(places);
    }
    let text = shown.to_string();
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(w, r)| (w, Some(r)));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && whole.len().saturating_sub(at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount.is_sign_negative() && !amount.is_zero() { "-" } else { "" };
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// Writes a price exactly, with at least `places` decimals and without commas, as the market writes it.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::money::price_text;
/// assert_eq!(price_text(dec!(0.573), 5), "0.57300");
/// assert_eq!(price_text(dec!(6624.7), 1), "6624.7");
/// ```
pub fn price_text(price: Decimal, places: u32) -> String {
    let mut shown = price.normalize();
    if shown.scale() < places {
        shown.rescale(places);
    }
    shown.to_string()
}

/// Reads a number as a person types it: digits with at most one point, a sign in front, and `k` or
/// `m` behind for thousands or millions. No exponent, no underscore, no group commas: `Decimal`'s
/// own reader takes `1e3` and `1_000`, and a finger that slips must not become an amount.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::money::typed;
/// assert_eq!(typed("10k"), Ok(dec!(10000)));
/// assert_eq!(typed("1.5m"), Ok(dec!(1500000)));
/// assert!(typed("1e3").is_err());
/// ```
///
/// # Errors
///
/// [`NotANumber`] quotes the text and says what is allowed.
pub fn typed(text: &str) -> Result<Decimal, NotANumber> {
    let refused = || NotANumber(text.chars().take(40).collect());
    let trimmed = text.trim();
    let (digits, factor) = match trimmed.char_indices().last() {
        Some((at, 'k' | 'K')) => (trimmed.get(..at), Decimal::ONE_THOUSAND),
        Some((at, 'm' | 'M')) => (trimmed.get(..at), Decimal::from(1_000_000)),
        _ => (Some(trimmed), Decimal::ONE),
    };
    let digits = digits.ok_or_else(refused)?;
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let plain = unsigned.chars().all(|c| c.is_ascii_digit() || c == '.')
        && unsigned.chars().any(|c| c.is_ascii_digit())
        && unsigned.chars().filter(|c| *c == '.').count() <= 1;
    if !plain {
        return Err(refused());
    }
    let number = Decimal::from_str_exact(digits).map_err(|_| refused())?;
    number.checked_mul(factor).ok_or_else(refused)
}

/// A text that is not a number by the grammar of [`typed`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a number: type digits with at most one point, like 25000, 1.0845, 10k or 1.5m"
)]
pub struct NotANumber(pub String);

/// How much of an instrument a trade is for, in contracts of `instruments.contract_size` base
/// units. One standard FX lot is 100,000 where a contract is one unit, and 1 where it is 100,000.
///
/// Always at least the minimum, at most the maximum and a whole number of steps. The column is
/// `NUMERIC(12,2)`, and PostgreSQL rounds ties away from zero: a typed 0.005 would be stored as
/// 0.01, twice the risk asked for. So it is refused here; a size is never rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(Decimal);

/// Why a size was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeRefused {
    /// Not a whole number of steps, or finer than the column stores.
    #[error("size {} is not a multiple of the size step {}", exact(*.wanted), exact(*.step))]
    OffStep { wanted: Decimal, step: Decimal },
    /// Smaller than the instrument can be traded.
    #[error("size {} is below the minimum {}", exact(*.wanted), exact(*.min))]
    BelowMinimum { wanted: Decimal, min: Decimal },
    /// Larger than the instrument can be traded.
    #[error("size {} is above the maximum {}", exact(*.wanted), exact(*.max))]
    AboveMaximum { wanted: Decimal, max: Decimal },
}

impl Size {
    /// Accepts a size as a person typed it.
    ///
    /// # Errors
    ///
    /// [`SizeRefused`] names the rule that was broken and carries its numbers.
    pub fn typed(wanted: Decimal, instrument: &Instrument) -> Result<Self, SizeRefused> {
        let (min, step) = (instrument.min_size, instrument.size_step);
        if wanted.checked_rem(step).is_none_or(|rest| !rest.is_zero()) {
            return Err(SizeRefused::OffStep { wanted, step });
        }
        if wanted < min || wanted <= Decimal::ZERO {
            return Err(SizeRefused::BelowMinimum { wanted, min });
        }
        if let Some(max) = instrument.max_size
            && wanted > max
        {
            return Err(SizeRefused::AboveMaximum { wanted, max });
        }
        Ok(Self(wanted))
    }

    /// Rounds a computed size down to a whole step, or returns `None` if less than the minimum is
    /// left: no trade rather than a larger one.
    pub fn computed(raw: Decimal, instrument: &Instrument) -> Option<Self> {
        let capped = instrument.max_size.map_or(raw, |max| raw.min(max));
        Self::typed(floor_step(capped, instrument.size_step)?, instrument).ok()
    }

    /// Returns the number of contracts.
    pub fn get(self) -> Decimal {
        self.0
    }
}

/// A price that is a whole number of the instrument's ticks, above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(Decimal);

/// A price that cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PriceRefused {
    #[error("price {0} is not above zero")]
    NotPositive(Decimal),
    #[error("price {wanted} is not a multiple of the tick {}", .tick.normalize())]
    OffTick { wanted: Decimal, tick: Decimal },
}

impl PriceRefused {
    /// Returns the stable code, the same that `desk.assess_trade` gives.
    pub fn code(&self) -> Code {
        match self {
            Self::NotPositive(_) => Code::PriceOutOfRange,
            Self::OffTick { .. } => Code::PriceNotATick,
        }
    }
}

impl Price {
    /// Accepts a price as a person typed it.
    ///
    /// # Errors
    ///
    /// [`PriceRefused`] with the price and the tick.
    pub fn typed(wanted: Decimal, instrument: &Instrument) -> Result<Self, PriceRefused> {
        if wanted.cmp(&Decimal::ZERO) != Ordering::Greater {
            return Err(PriceRefused::NotPositive(wanted));
        }
        match wanted.checked_rem(instrument.tick_size) {
            Some(rest) if rest.is_zero() => Ok(Self(wanted)),
            _ => Err(PriceRefused::OffTick { wanted, tick: instrument.tick_size }),
        }
    }

    /// Returns the price.
    pub fn get(self) -> Decimal {
        self.0
    }
}
