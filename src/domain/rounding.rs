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
        fn no_decimal_makes_it_panic(amount in any_decimal(), step in any_decimal()) {
            floor_step(amount, step);
        }
    }
}
