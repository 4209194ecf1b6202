//! Floors under equity.

use serde_json::{Value, json};
use tmt::domain::drawdown::{DailyLossColumn, DayBase, Edge, Peaks};
use tmt::domain::margin;

use super::some;
use crate::reading::{Fields, Judged, Vector, rounded};
use crate::reference::drawdown::{self, DayLoss, Trail, standing};

/// DD-01 and DD-03.
pub(super) fn static_floor(vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "static" {
        return Err("it is not static".to_owned());
    }
    let initial = input.number("initial")?;
    let equity = match input.number_if_any("equity")? {
        Some(equity) => equity,
        None => some(margin::equity(input.number("balance")?, [input.number("floating")?]))?,
    };
    let most = initial * input.number("max_total_drawdown")?;
    let peaks = Peaks { balance: initial, equity: initial };
    let floor = some(drawdown::floor(Trail::Static, most, initial, peaks))?;
    let held = some(standing(equity, floor, Edge::Inclusive))?;
    Ok(json!({
        "equity": rounded(Some(equity), 2),
        "floor": rounded(Some(floor), 2),
        "drawdown_amount": rounded(Some(initial - equity), 2),
        "drawdown_fraction": rounded((initial - equity).checked_div(initial), 4),
        "room": rounded(Some(held.room), 2),
        "shortfall": rounded(Some(held.shortfall), 2),
        "breach": held.is_breach,
    }))
}

/// DD-02: the floor of the first day, and after the end of each.
pub(super) fn end_of_day(vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "trailing_eod_balance" {
        return Err("it does not trail the balance at the end of the day".to_owned());
    }
    let initial = input.number("initial")?;
    let most = initial * input.number("max_loss_fraction_of_initial")?;
    let (mut peak, mut floors) = (initial, Vec::new());
    let days = input.numbers("eod_balances")?;
    for balance in std::iter::once(initial).chain(days) {
        peak = peak.max(balance);
        let peaks = Peaks { balance: peak, equity: initial };
        floors.push(rounded(drawdown::floor(Trail::EndOfDayBalance, most, initial, peaks), 2));
    }
    Ok(json!({ "floors": floors }))
}

/// What a rule of the day is called in the vectors.
fn day_rule(input: &Value) -> Result<(DayBase, DayLoss), String> {
    let rule = input.word("rule")?;
    let text = rule.replace("_at_reset", "").replace(' ', "");
    let (base, loss) = if let Some(base) = text.strip_suffix("-pct*initial") {
        (base, DayLoss::OfInitial(input.number("pct")?))
    } else if let Some(base) = text.strip_suffix("*(1-pct)") {
        (base, DayLoss::OfDayStart(input.number("pct")?))
    } else if let Some(base) = text.strip_suffix("-amount") {
        (base, DayLoss::Amount(input.number("amount")?))
    } else {
        return Err(format!("the rule {rule}"));
    };
    let base = match base {
        "balance" => DayBase::Balance,
        "equity" => DayBase::Equity,
        "max(balance,equity)" => DayBase::Higher,
        _ => return Err(format!("the rule {rule}")),
    };
    Ok((base, loss))
}

/// DD-04 to DD-06.
pub(super) fn day(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (base, loss) = day_rule(input)?;
    let balance = input.number("balance_at_reset")?;
    let at_reset = input.number_if_any("equity_at_reset")?.unwrap_or(balance);
    // Only rules of the initial balance are given one.
    let initial = input.number_if_any("initial")?.unwrap_or_default();
    let floor = some(drawdown::day_floor(base, loss, initial, balance, at_reset))?;
    let closed = input.number_if_any("closed_today")?.unwrap_or_default();
    let floating = input.number_if_any("floating")?.unwrap_or(at_reset - balance);
    let now = balance + closed;
    let equity = some(margin::equity(now, [floating]))?;
    let held = some(standing(equity, floor, Edge::Inclusive))?;
    Ok(json!({
        "floor": rounded(Some(floor), 2),
        "equity": rounded(Some(equity), 2),
        "permitted_loss_from_balance": rounded(Some(now - floor), 2),
        "possible_loss_from_equity": rounded(Some(held.room), 2),
        "breach": held.is_breach,
        "shortfall": rounded(Some(held.shortfall), 2),
    }))
}

/// DD-07.
pub(super) fn on_the_floor(vector: &Vector) -> Judged {
    let (floor, equity) = (vector.input.number("floor")?, vector.input.number("equity")?);
    Ok(json!({
        "strict_below_rule_breach": some(standing(equity, floor, Edge::Exclusive))?.is_breach,
        "inclusive_rule_breach": some(standing(equity, floor, Edge::Inclusive))?.is_breach,
    }))
}

/// DD-08. The rule is broken by falling below.
pub(super) fn intraday(vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "trailing_intraday_equity" {
        return Err("it does not trail equity".to_owned());
    }
    let (initial, trail) = (input.number("initial")?, input.number("trail")?);
    let rule = Trail::IntradayEquity { lock: input.number_if_any("lock_at")? };
    let (mut peak, mut floors, mut breach) = (initial, Vec::new(), Value::Null);
    for (at, equity) in input.numbers("equity_path")?.into_iter().enumerate() {
        peak = peak.max(equity);
        let peaks = Peaks { balance: initial, equity: peak };
        let floor = some(drawdown::floor(rule, trail, initial, peaks))?;
        if breach.is_null() && some(standing(equity, floor, Edge::Exclusive))?.is_breach {
            breach = json!(at);
        }
        floors.push(rounded(Some(floor), 2));
    }
    Ok(json!({ "floors": floors, "breach_at_index": breach }))
}

/// DD-09.
pub(super) fn deepest_fall(vector: &Vector) -> Judged {
    let fall = some(drawdown::deepest_fall(vector.input.numbers("equity")?))?;
    Ok(json!({
        "max_drawdown_fraction": rounded(Some(fall.share), 4),
        "peak": fall.peak,
        "trough": fall.trough,
    }))
}

/// DD-12.
pub(super) fn daily_loss_column(vector: &Vector) -> Judged {
    let initial = vector.input.number("initial")?;
    let mut readings = Vec::new();
    for case in vector.input.numbers("cases")? {
        let column = DailyLossColumn::read(case, initial);
        readings.push(json!({
            "value": case,
            "kind": column.map(|column| match column {
                DailyLossColumn::Fraction { .. } => "fraction",
                DailyLossColumn::Amount(_) => "amount",
            }),
            "amount": rounded(column.map(DailyLossColumn::amount), 2),
        }));
    }
    Ok(json!({ "interpretation": readings }))
}
