//! What a size is worth at a price: P&L, notional, pips.
//!
//! `contract` is the number of base units in a size of 1.00, `fx` what one unit of the quote
//! currency is in the account's. Results are in the account's currency and not rounded, except
//! where said otherwise; `None` is an overflow or a division by nothing.

use rust_decimal::Decimal;

use super::position::Direction;
use super::rounding::product;

/// Returns the P&L of closing `size`, which cost `cost` (Σ price · size), at `price`:
/// `(price · size − cost) · side · C · fx` (domain rules, section 4).
///
/// From the cost, not the average price: five decimals of an average lose money (vector NET-03).
pub fn pnl(
    direction: Direction,
    size: Decimal,
    cost: Decimal,
    price: Decimal,
    contract: Decimal,
    fx: Decimal,
) -> Option<Decimal> {
    let gain = price.checked_mul(size)?.checked_sub(cost)?;
    product([gain, direction.sign(), contract, fx])
}

/// Returns `size · C · price · fx`, with the sign of the size.
pub fn notional(size: Decimal, contract: Decimal, price: Decimal, fx: Decimal) -> Option<Decimal> {
    product([size, contract, price, fx])
}

/// Returns how many pips `exit` is from `entry`, positive where `direction` gains.
pub fn pips(direction: Direction, entry: Decimal, exit: Decimal, pip: Decimal) -> Option<Decimal> {
    exit.checked_sub(entry)?.checked_div(pip)?.checked_mul(direction.sign())
}
