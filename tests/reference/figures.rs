//! Figures that the screen does not show.

use rust_decimal::Decimal;

use super::rounding::product;

/// Tells whether a price is at most `collar`, a share, away from a reference, the edge included
/// (vector LIM-06).
pub(crate) fn is_within_collar(
    price: Decimal,
    reference: Decimal,
    collar: Decimal,
) -> Option<bool> {
    let away = price.checked_sub(reference)?.abs();
    Some(away <= reference.checked_mul(collar)?.abs())
}

/// Returns the margin of a notional at a leverage of `leverage` to one.
pub(crate) fn by_leverage(notional: Decimal, leverage: Decimal) -> Option<Decimal> {
    if leverage <= Decimal::ZERO { None } else { notional.abs().checked_div(leverage) }
}

/// Returns equity less the margin that is used.
pub(crate) fn free(equity: Decimal, used: Decimal) -> Option<Decimal> {
    equity.checked_sub(used)
}

/// Returns a risk as a share of what it is borne by: equity, unless the desk says balance. `None`
/// without anything to bear it. Judged as it is, never as the four decimals of its column.
pub(crate) fn risk_share(risk: Decimal, base: Decimal) -> Option<Decimal> {
    if base <= Decimal::ZERO { None } else { risk.checked_div(base) }
}

/// Returns what a move of one pip is worth: `pip · size · C · fx` (domain rules, section 2).
pub(crate) fn pip_value(
    pip: Decimal,
    size: Decimal,
    contract: Decimal,
    fx: Decimal,
) -> Option<Decimal> {
    product([pip, size, contract, fx])
}
