//! Financing of positions that stay open over night.

use chrono::Weekday;
use rust_decimal::Decimal;

use super::rounding::product;

/// Nights that the triple day counts: it settles over the weekend.
const TRIPLE: u32 = 3;

/// Returns how many nights are charged: each once, that of the triple day three times.
pub(crate) fn nights_charged(
    nights: impl IntoIterator<Item = Weekday>,
    triple: Weekday,
) -> Option<u32> {
    nights
        .into_iter()
        .try_fold(0_u32, |count, night| count.checked_add(if night == triple { TRIPLE } else { 1 }))
}

/// Returns the fee of `nights` nights: `−(rate · size / lot) · nights`, where `rate` is what a lot
/// earns in a night (below zero: what it costs). Above zero the fee is a charge, below a credit
/// (vector SWP-01). In the currency of the rate, not rounded.
pub(crate) fn fee(rate: Decimal, size: Decimal, lot: Decimal, nights: u32) -> Option<Decimal> {
    product([rate, size, Decimal::from(nights), Decimal::NEGATIVE_ONE])?.checked_div(lot)
}
