//! Where stop, target and price may stand, and what they promise.

use rust_decimal::Decimal;
use thiserror::Error;

use super::trade::Side;

/// A stop or target on the wrong side of the price (domain rules, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LevelFault {
    /// The stop is the price: nothing would be at risk, and no size follows from it.
    #[error("the stop equals the entry price")]
    StopDistanceZero,
    /// The stop would not lose.
    #[error("the stop of a {} must be {} its price", word(*.0), losing(*.0))]
    StopWrongSide(Side),
    /// The target would not gain.
    #[error("the target of a {} must be {} its price", word(*.0), winning(*.0))]
    TargetWrongSide(Side),
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn losing(side: Side) -> &'static str {
    match side {
        Side::Buy => "below",
        Side::Sell => "above",
    }
}

fn winning(side: Side) -> &'static str {
    match side {
        Side::Buy => "above",
        Side::Sell => "below",
    }
}

/// Checks that a buy has its stop below and its target above the price, a sell the reverse.
///
/// # Errors
///
/// The first [`LevelFault`], the stop's before the target's.
pub fn check(
    side: Side,
    price: Decimal,
    stop: Option<Decimal>,
    target: Option<Decimal>,
) -> Result<(), LevelFault> {
    let gains = |level: Decimal| match side {
        Side::Buy => level > price,
        Side::Sell => level < price,
    };
    match stop {
        Some(stop) if stop == price => return Err(LevelFault::StopDistanceZero),
        Some(stop) if gains(stop) => return Err(LevelFault::StopWrongSide(side)),
        Some(_) | None => {}
    }
    if target.is_some_and(|target| !gains(target)) {
        return Err(LevelFault::TargetWrongSide(side));
    }
    Ok(())
}

/// Returns reward over risk after the cost of a round trip, `(reward − cost) / (risk + cost)`, not
/// rounded; `None` where nothing is at risk. All three in the same unit: money, or the price for a
/// cost of nothing. It is judged as it is, never as the two decimals of its column (vector RR-02).
pub fn reward_to_risk(reward: Decimal, risk: Decimal, cost: Decimal) -> Option<Decimal> {
    let at_risk = risk.checked_add(cost)?;
    if at_risk <= Decimal::ZERO {
        return None;
    }
    reward.checked_sub(cost)?.checked_div(at_risk)
}
