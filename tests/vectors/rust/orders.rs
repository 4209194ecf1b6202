//! An order before it is sent.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tmt::domain::code::Code;
use tmt::domain::instrument::Instrument;
use tmt::domain::levels::{self, LevelFault};
use tmt::domain::money::{Price, Size, SizeRefused};
use tmt::domain::sizing::{self, Cap, SizingError, SizingInput, SizingResult};
use tmt::domain::trade::Side;

use super::{instrument, some};
use crate::reading::{Fields, Judged, Vector, rounded};
use crate::reference::figures;
use crate::reference::rounding::Column;

/// SIZ-01 to SIZ-07.
pub(super) fn sizing(vector: &Vector) -> Judged {
    let input = &vector.input;
    let terms = Instrument {
        size_step: input.number("size_step")?,
        min_size: input.number("min_size")?,
        max_size: input.number_if_any("max_size")?,
        ..instrument(input.number_or("contract_size", Decimal::ONE)?)
    };
    let wish = SizingInput {
        equity: input.number("equity")?,
        fraction: input.number("risk_fraction")?,
        entry: input.number("entry_price")?,
        stop: input.number("stop_loss")?,
        fx: input.number_or("fx_quote_to_account", Decimal::ONE)?,
        commission: input.number_or("commission_per_unit_per_side", Decimal::ZERO)?,
        legs: input.count_or("legs", 1)?,
    };
    let found = |sized: &SizingResult, reject: Option<Code>| {
        json!({
            "size_raw": rounded(Some(sized.raw), 6),
            "size": rounded(Some(sized.size), 2),
            "accepted": reject.is_none(),
            "capped_by_max": sized.cap == Cap::MaximumSize,
            "reject": reject,
            "risk_budget": rounded(wish.budget(), 2),
        })
    };
    let sized = match sizing::size_for_risk(&wish, &terms, &[]) {
        Ok(sized) => sized,
        Err(why @ SizingError::BelowMinimum { .. }) => {
            let code = code_of_sizing(&why);
            let SizingError::BelowMinimum { sized, .. } = why else { unreachable!() };
            return Ok(found(&sized, Some(code)));
        }
        Err(why) => {
            return Ok(json!({"accepted": false, "reject": code_of_sizing(&why), "size": "0",
                "size_raw": null, "capped_by_max": false, "risk_budget": rounded(wish.budget(), 2)}));
        }
    };
    let risk = some(wish.risk_per_unit(&terms))? * sized.size;
    let share = figures::risk_share(risk, wish.equity);
    let mut found = found(&sized, None);
    found["risk_amount"] = rounded(Some(risk), 2);
    found["risk_percentage_exact"] = rounded(share, 10);
    found["risk_percentage_stored"] = stored(Column::RISK_SHARE, share);
    Ok(found)
}

/// The code with which the database refuses the same.
fn code_of_sizing(why: &SizingError) -> Code {
    match why {
        SizingError::StopDistanceZero => Code::StopDistanceZero,
        SizingError::BelowMinimum { .. } => Code::SizeBelowMinimum,
        SizingError::NotComputable => Code::SizeOutOfRange,
    }
}

fn code_of_size(why: &SizeRefused) -> Code {
    match why {
        SizeRefused::OffStep { .. } => Code::SizeNotAStep,
        SizeRefused::BelowMinimum { .. } => Code::SizeBelowMinimum,
        SizeRefused::AboveMaximum { .. } => Code::SizeAboveMaximum,
    }
}

fn code_of_level(why: LevelFault) -> Code {
    match why {
        LevelFault::StopDistanceZero => Code::StopDistanceZero,
        LevelFault::StopWrongSide(_) => Code::StopWrongSide,
        LevelFault::TargetWrongSide(_) => Code::TargetWrongSide,
    }
}

/// A number as its column keeps it.
fn stored(column: Column, amount: Option<Decimal>) -> Value {
    rounded(amount.and_then(|amount| column.keep(amount)), column.scale)
}

/// VAL-01 to VAL-05: the first fault, in the order of the pipeline.
pub(super) fn validation(vector: &Vector) -> Judged {
    let input = &vector.input;
    let side = match input.get("trade_type") {
        Some(_) => input.side("trade_type")?,
        None => Side::Buy,
    };
    let price = input.number_if_any("entry_price")?;
    let (stop, target) = (input.number_if_any("stop_loss")?, input.number_if_any("take_profit")?);
    let size = input.number_if_any("position_size")?;
    let mut faults = Vec::new();
    for level in [price, stop, target].into_iter().flatten() {
        if Column::PRICE.keep(level).is_none() {
            faults.push(Code::PriceOutOfRange);
        } else if let Err(why) = Price::typed(level, &instrument(Decimal::ONE)) {
            faults.push(why.code());
        }
    }
    if let Some(size) = size {
        if let Err(why) = Size::typed(size, &instrument(Decimal::ONE)) {
            faults.push(code_of_size(&why));
        } else if Column::SIZE.keep(size).is_none() {
            faults.push(Code::SizeOutOfRange);
        }
    }
    if let Some(price) = price {
        if let Err(why) = levels::check(side, price, stop, target) {
            faults.push(code_of_level(why));
        } else if let (Some(stop), Some(target)) = (stop, target) {
            let (reward, risk) = ((target - price).abs(), (price - stop).abs());
            let ratio = some(levels::reward_to_risk(reward, risk, Decimal::ZERO))?;
            if Column::REWARD_TO_RISK.keep(ratio).is_none() {
                faults.push(Code::RrOutOfRange);
            }
        }
    }
    Ok(json!({ "error": faults.first() }))
}

/// RSK-01 to RSK-04.
pub(super) fn trade_risk(vector: &Vector) -> Judged {
    let input = &vector.input;
    let contract = input.number_if_any("contract_size")?.unwrap_or(Decimal::ONE);
    let risk = some(sizing::risk_amount(
        input.side("side")?,
        input.number("entry_price")?,
        input.number("stop_loss")?,
        input.number("position_size")?,
        &instrument(contract),
        input.number_or("fx_quote_to_account", Decimal::ONE)?,
    ))?;
    let share = figures::risk_share(risk, input.number("risk_base")?);
    Ok(json!({
        "risk_amount": rounded(Some(risk), 2),
        "risk_percentage_exact": rounded(share, 10),
        "risk_percentage_stored": stored(Column::RISK_SHARE, share),
        "breach": some(share)? > input.number("max_risk_per_trade_fraction")?,
    }))
}

/// RR-01 to RR-04.
pub(super) fn reward_to_risk(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (side, size) = (input.side("side")?, input.number_or("size", Decimal::ONE)?);
    let (entry, stop) = (input.number("entry_price")?, input.number("stop_loss")?);
    let target = input.number("take_profit")?;
    if let Err(why) = levels::check(side, entry, Some(stop), Some(target)) {
        return Ok(
            json!({"rr_exact": null, "rr_stored": null, "meets_1_0": false, "error": code_of_level(why)}),
        );
    }
    let (reward, risk) = ((target - entry).abs() * size, (entry - stop).abs() * size);
    let ratio =
        levels::reward_to_risk(reward, risk, input.number_or("round_trip_cost", Decimal::ZERO)?);
    let kept = ratio.and_then(|ratio| Column::REWARD_TO_RISK.keep(ratio));
    Ok(json!({
        "rr_exact": rounded(ratio, 6),
        "rr_stored": rounded(kept, 2),
        "meets_1_0": some(ratio)? >= Decimal::ONE,
        "error": if kept.is_none() { Some("RR_OUT_OF_RANGE") } else { None },
    }))
}

/// LIM-06.
pub(super) fn collar(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (reference, collar) = (input.number("reference")?, input.number("collar")?);
    let mut results = Vec::new();
    for price in input.numbers("prices")? {
        let holds = some(figures::is_within_collar(price, reference, collar))?;
        results.push(if holds { "ok" } else { "PRICE_COLLAR" });
    }
    Ok(json!({ "results": results }))
}
