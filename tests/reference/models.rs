//! Reference models: arithmetic of the rulebook that the program does not need, because the
//! database does it. They and the SQL are held to the same vectors.

pub(crate) mod drawdown;
pub(crate) mod figures;
pub(crate) mod monitor;
pub(crate) mod netting;
pub(crate) mod performance;
pub(crate) mod rounding;
pub(crate) mod swap;

use proptest::prelude::*;
use rust_decimal::Decimal;

/// Any decimal there is, also the largest and the smallest.
pub(crate) fn any_decimal() -> impl Strategy<Value = Decimal> {
    (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..=28_u32).prop_map(
        |(low, middle, high, is_negative, scale)| {
            Decimal::from_parts(low, middle, high, is_negative, scale)
        },
    )
}
