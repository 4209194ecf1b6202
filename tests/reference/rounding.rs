//! What a column can hold, and how one amount becomes several.

use rust_decimal::Decimal;
use tmt::domain::rounding::round;

/// A `NUMERIC(precision, scale)` of the data model. A database may have widened its own: what the
/// console refuses by these is what the data model as written refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) precision: u32,
    pub(crate) scale: u32,
}

impl Column {
    /// Prices: `DECIMAL(10,5)`.
    pub(crate) const PRICE: Self = Self { precision: 10, scale: 5 };
    /// Sizes: `DECIMAL(12,2)`.
    pub(crate) const SIZE: Self = Self { precision: 12, scale: 2 };
    /// Risk as a share of equity: `DECIMAL(5,4)`.
    pub(crate) const RISK_SHARE: Self = Self { precision: 5, scale: 4 };
    /// Reward over risk: `DECIMAL(4,2)`.
    pub(crate) const REWARD_TO_RISK: Self = Self { precision: 4, scale: 2 };

    /// Returns `amount` as the column would keep it, or `None` where PostgreSQL raises 22003: the
    /// rounded number must be below 10^(precision − scale)
    /// (<https://www.postgresql.org/docs/15/datatype-numeric.html>).
    pub(crate) fn keep(self, amount: Decimal) -> Option<Decimal> {
        let rounded = round(amount, self.scale);
        let whole = self.precision.checked_sub(self.scale)?;
        let bound = (0..whole).try_fold(Decimal::ONE, |bound, _| bound.checked_mul(Decimal::TEN));
        // A bound beyond what a decimal can be holds every decimal.
        bound.is_none_or(|bound| rounded.abs() < bound).then_some(rounded)
    }
}

/// Splits one amount by weights, each part rounded to `places` decimals but the last, which takes
/// what is left: the parts add up to the amount (domain rules, section 1; vector RND-05). `None`
/// without a weight above zero.
pub(crate) fn split(amount: Decimal, weights: &[Decimal], places: u32) -> Option<Vec<Decimal>> {
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
pub(crate) fn share(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
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
pub(crate) fn whole(amount: Decimal) -> Decimal {
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
pub(crate) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add)
}

/// Returns Π, or `None` on overflow.
pub(crate) fn product<const N: usize>(factors: [Decimal; N]) -> Option<Decimal> {
    factors.into_iter().try_fold(Decimal::ONE, Decimal::checked_mul)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;
    use crate::reference::any_decimal;

    #[test]
    fn a_column_rounds_half_away_from_zero_and_refuses_what_is_too_wide() {
        assert_eq!(Column::PRICE.keep(dec!(1.000005)), Some(dec!(1.00001)));
        assert_eq!(Column::PRICE.keep(dec!(99999.999995)), None);
    }

    #[test]
    fn the_last_part_takes_what_is_left() {
        let parts = split(dec!(1.00), &[dec!(1), dec!(1), dec!(1)], 2);
        assert_eq!(parts, Some(vec![dec!(0.33), dec!(0.33), dec!(0.34)]));
    }

    proptest! {
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
