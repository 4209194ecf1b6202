//! Risk of a trade, and the size that a risk allows.

use rust_decimal::Decimal;

use super::instrument::Instrument;
use super::money::Size;
use super::trade::Side;

/// Returns what is lost if the stop is hit: `max(0, (entry − stop) · side) · size · C · fx`, in the
/// account's currency, not rounded. `rate` converts the quote currency to the account's.
pub fn risk_amount(
    side: Side,
    entry: Decimal,
    stop: Decimal,
    size: Decimal,
    instrument: &Instrument,
    rate: Decimal,
) -> Option<Decimal> {
    let distance = entry.checked_sub(stop)?.checked_mul(side.sign())?.max(Decimal::ZERO);
    distance.checked_mul(size)?.checked_mul(instrument.contract_size)?.checked_mul(rate)
}

/// Returns reward over risk, or `None` without a distance to the stop.
pub fn reward_to_risk(entry: Decimal, stop: Decimal, target: Decimal) -> Option<Decimal> {
    target.checked_sub(entry)?.abs().checked_div(entry.checked_sub(stop)?.abs())
}

/// Returns the largest size whose risk is at most `fraction` of `equity`, rounded down to a step:
/// `equity · r / (|entry − stop| · C · fx + 2 · commission)` (domain rules, section 7). `None` if
/// the smallest size is already too much, or if there is no distance to divide by.
pub fn size_for_risk(
    equity: Decimal,
    fraction: Decimal,
    entry: Decimal,
    stop: Decimal,
    commission_per_side: Decimal,
    instrument: &Instrument,
    rate: Decimal,
) -> Option<Size> {
    let per_unit = entry
        .checked_sub(stop)?
        .abs()
        .checked_mul(instrument.contract_size)?
        .checked_mul(rate)?
        .checked_add(commission_per_side.checked_mul(Decimal::TWO)?)?;
    let raw = equity.checked_mul(fraction)?.checked_div(per_unit)?;
    Size::computed(raw, instrument)
}
