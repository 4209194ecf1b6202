//! What is held as margin, and what an account is worth beside it. Not rounded.

use rust_decimal::Decimal;

use super::rounding::sum;

/// Returns the margin of a notional at a rate: the share that is held.
pub fn by_rate(notional: Decimal, rate: Decimal) -> Option<Decimal> {
    notional.abs().checked_mul(rate)
}

/// Returns `balance + Σ open P&L`.
pub fn equity(balance: Decimal, open: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    balance.checked_add(sum(open)?)
}

/// Returns equity over margin used, as a ratio; `None` while no margin is used.
pub fn level(equity: Decimal, used: Decimal) -> Option<Decimal> {
    if used <= Decimal::ZERO { None } else { equity.checked_div(used) }
}
