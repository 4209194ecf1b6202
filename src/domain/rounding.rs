//! What a column can hold, what a step leaves of a size, and how one amount becomes several.
//!
//! Rounding to decimals itself is [`round`]: half away from zero, once, when booking.

use rust_decimal::{Decimal, RoundingStrategy};

/// Rounds to `places` decimals, half away from zero, as PostgreSQL's `numeric` does, and turns a
/// negative zero into zero. (`Decimal::round_dp` is bankers': 2.665 would become 2.66.)
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::rounding::round;
/// assert_eq!(round(dec!(2.665), 2), dec!(2.67));
/// assert_eq!(round(dec!(-0.001), 2).to_string(), "0.00");
/// ```
pub fn round(amount: Decimal, places: u32) -> Decimal {
    let mut rounded = amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    if rounded.is_zero() {
        rounded.set_sign_positive(true);
    }
    rounded.rescale(places);
    rounded
}

/// A `NUMERIC(precision, scale)` of the data model. A database may have widened its own: what the
/// console refuses by these is what the data model as written refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub precision: u32,
    pub scale: u32,
}

impl Column {
    /// Prices: `DECIMAL(10,5)`.
    pub const PRICE: Self = Self { precision: 10, scale: 5 };
    /// Sizes: `DECIMAL(12,2)`.
    pub const SIZE: Self = Self { precision: 12, scale: 2 };
    /// Risk as a share of equity: `DECIMAL(5,4)`.
    pub const RISK_SHARE: Self = Self { precision: 5, scale: 4 };
    /// Reward over risk: `DECIMAL(4,2)`.
    pub const REWARD_TO_RISK: Self = Self { precision: 4, scale: 2 };

    /// Returns `amount` as the column would keep it, or `None` where PostgreSQL raises 22003: the
    /// rounded number must be below 10^(precision − scale)
    /// (<https://www.postgresql.org/docs/15/datatype-numeric.html>).
    ///
    /// ```
    /// use rust_decimal::dec;
    /// use tmt::domain::rounding::Column;
    /// assert_eq!(Column::PRICE.keep(dec!(1.000005)), Some(dec!(1.00001)));
    /// assert_eq!(Column::PRICE.keep(dec!(99999.999995)), None);
    /// ```
    pub fn keep(self, amount: Decimal) -> Option<Decimal> {
        let rounded = round(amount, self.scale);
        let whole = self.precision.checked_sub(self.scale)?;
        let bound = (0..whole).try_fold(Decimal::ONE, |bound, _| bound.checked_mul(Decimal::TEN));
        // A bound beyond what a decimal can be holds every decimal.
        bound.is_none_or(|bound| rounded.abs() < bound).then_some(rounded)
    }
}

/// Returns the largest whole number of `step`s in `amount`, never more than `amount`: a size is
/// rounded down, or it risks more than was asked for. `None` without a positive step.
///
/// The remainder is exact; a quotient of 28 digits can round up into the next step.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::rounding::floor_step;
/// assert_eq!(floor_step(dec!(0.019), dec!(0.01)), Some(dec!(0.01)));
/// assert_eq!(floor_step(dec!(999.99), dec!(1000)), Some(dec!(0)));
/// ```
pub fn floor_step(amount: Decimal, step: Decimal) -> Option<Decimal> {
    if step <= Decimal::ZERO {
        return None;
    }
    let rest = amount.checked_rem(step)?;
    let below = if rest < Decimal::ZERO { rest.checked_add(step)? } else { rest };
    amount.checked_sub(below)
}

/// Splits one amount by weights, each part rounded to `places` decimals but the last, which takes
/// what is left: the parts add up to the amount (domain rules, section 1; vector RND-05). `None`
/// without a weight above zero.
///
/// ```
/// use rust_decimal::dec;
/// use tmt::domain::rounding::split;
/// let parts = split(dec!(1.00), &[dec!(1), dec!(1), dec!(1)], 2);
/// assert_eq!(parts, Some(vec![dec!(0.33), dec!(0.33), dec!(0.34)]));
/// ```
pub fn split(amount: Decimal, weights: &[Decimal], places: u32) -> Option<Vec<Decimal>> {
    let total = sum(weights.iter().copied())?;
    if total <= Decimal::ZERO || weights.iter().any(|weight| *weight < Decimal::ZERO) {
        return None;
    }
    let (_, all_but_last) = weights.split_last()?;
    let mut rest = amount;
    let mut parts = Vec::with_capacity(weights.len());
    for weight in all_but_last {
        let part = round(share(amount, *weight, total)?, places);
        rest = rest.checked_sub(part)?;
        parts.push(part);
    }
    parts.push(rest);
    Some(parts)
}

/// Returns `amount · part / whole`. The product first: it is exact wherever it fits, and the
/// quotient of two sizes seldom is.
pub(super) fn share(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
    if part == whole {
        return Some(amount);
    }
    match amount.checked_mul(part) {
        Some(product) => product.checked_div(whole),
        None => amount.checked_div(whole)?.checked_mul(part),
    }
}

/// Returns what a sum of prices times sizes, and of parts of it, would be had no digit been cut off on
/// the way: such a sum has a few decimals or, as a quotient, no end. One that comes within a few of
/// its last digits of a number that ends is that number.
///
/// The database keeps more digits and does the same (`desk.exact_cost`).
pub(super) fn whole(amount: Decimal) -> Decimal {
    let places = amount.scale();
    // With fewer decimals nothing was cut off, or there is no telling.
    if places < 16 {
        return amount;
    }
    let short = round(amount, places.saturating_sub(8));
    let is_near =
        amount.checked_sub(short).is_some_and(|rest| rest.abs() <= Decimal::new(500, places));
    if is_near { short.normalize() } else { amount }
}

/// Returns Σ, or `None` on overflow.
pub(super) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add)
}

/// Returns Π, or `None` on overflow.
pub(super) fn product<const N: usize>(factors: [Decimal; N]) -> Option<Decimal> {
    factors.into_iter().try_fold(Decimal::ONE, Decimal::checked_mul)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..=28_u32).prop_map(
            |(low, middle, high, is_negative, scale)| {
                Decimal::from_parts(low, middle, high, is_negative, scale)
            },
        )
    }

    proptest! {
        #[test]
        fn a_size_is_rounded_down_to_whole_steps_and_by_less_than_one(
            amount in 0..1_000_000_000_000_i64, step in 1..100_000_000_i64,
            places in 0..12_u32, of_step in 0..8_u32,
        ) {
            let (amount, step) = (Decimal::new(amount, places), Decimal::new(step, of_step));
            let size = floor_step(amount, step).unwrap();
            prop_assert!(size <= amount && amount - size < step);
            prop_assert!((size % step).is_zero());
        }

        #[test]
        fn parts_add_up_to_the_whole(
            amount in -1_000_000_000_i64..1_000_000_000, weights in prop::collection::vec(0..100_000_u32, 1..9),
            places in 0..6_u32,
        ) {
            let amount = Decimal::new(amount, places);
            let weights: Vec<Decimal> = weights.into_iter().map(Decimal::from).collect();
            if let Some(parts) = split(amount, &weights, 2) {
                prop_assert_eq!(parts.len(), weights.len());
                prop_assert_eq!(parts.iter().sum::<Decimal>(), amount);
            } else {
                prop_assert!(weights.iter().all(Decimal::is_zero));
            }
        }

        #[test]
        fn no_decimal_makes_it_panic(one in any_decimal(), two in any_decimal(), places in 0..=28_u32) {
            floor_step(one, two);
            split(one, &[two, one], places);
            share(one, two, one);
            prop_assert!((whole(one) - one).abs() <= Decimal::new(500, one.scale().max(16)));
            for column in [Column::PRICE, Column::SIZE, Column::RISK_SHARE, Column::REWARD_TO_RISK] {
                if let Some(kept) = column.keep(one) {
                    prop_assert!((kept - one).abs() <= Decimal::new(5, column.scale + 1));
                }
            }
        }
    }
}
