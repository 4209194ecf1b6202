//! Rounding, splitting, adding up.

use chrono::Weekday;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use tmt::domain::money::round;
use tmt::domain::rounding::floor_step;

use super::some;
use crate::reading::{Fields, Judged, Vector, decimal, rounded};
use crate::reference::performance::Performance;
use crate::reference::rounding::{Column, split};
use crate::reference::swap;

fn weekday(word: &str) -> Result<Weekday, String> {
    word.parse().map_err(|_| format!("the day {word}"))
}

/// SWP-01.
pub(super) fn swap_nights(vector: &Vector) -> Judged {
    let input = &vector.input;
    let mut nights = Vec::new();
    for night in input.list("nights")? {
        nights.push(weekday(night.as_str().ok_or("a night is a word")?)?);
    }
    let count = match input.get("triple_day") {
        None | Some(Value::Null) => u32::try_from(nights.len()).map_err(|why| why.to_string())?,
        Some(_) => some(swap::nights_charged(nights, weekday(input.word("triple_day")?)?))?,
    };
    let fee = swap::fee(
        input.number("swap_per_lot_per_night")?,
        input.number("size")?,
        input.number("lot")?,
        count,
    );
    Ok(json!({ "nights_charged": count, "swap_fee": rounded(fee, 2) }))
}

/// RND-01 and RND-02.
pub(super) fn rounding(vector: &Vector) -> Judged {
    let places = vector.input.count("dp")?;
    let values = vector.input.numbers("values")?;
    let columns = [Column::PRICE, Column::RISK_SHARE];
    let column = columns.into_iter().find(|column| column.scale == places).unwrap_or(Column::SIZE);
    let kept: Vec<Value> =
        values.iter().map(|value| rounded(Some(round(*value, places)), places)).collect();
    let bankers: Vec<Decimal> = values
        .iter()
        .map(|value| value.round_dp_with_strategy(places, RoundingStrategy::MidpointNearestEven))
        .collect();
    let mut found = json!({ "postgres": kept, "bankers_for_contrast": bankers });
    if vector.expected.get("overflow").is_some() {
        let over = vector.expected.list("overflow")?.iter();
        let over: Vec<&Value> = over
            .filter(|value| decimal(value).is_ok_and(|value| column.keep(value).is_none()))
            .collect();
        found["overflow"] = json!(over);
    }
    Ok(found)
}

/// RND-03.
pub(super) fn steps(vector: &Vector) -> Judged {
    let (values, steps) = (vector.input.numbers("values")?, vector.input.numbers("steps")?);
    let results: Vec<Value> = values
        .into_iter()
        .zip(steps)
        .map(|(value, step)| rounded(floor_step(value, step), 2))
        .collect();
    Ok(json!({ "results": results }))
}

/// RND-04.
#[expect(clippy::float_arithmetic, reason = "the vector is about what floats do")]
pub(super) fn floats(vector: &Vector) -> Judged {
    let (mut float, mut exact) = (0.0_f64, Decimal::ZERO);
    for part in vector.input.word("f64_sum")?.split('+') {
        float += part.parse::<f64>().map_err(|why| why.to_string())?;
    }
    for part in vector.input.word("decimal")?.split('+') {
        exact += tmt::domain::money::typed(part).map_err(|why| why.to_string())?;
    }
    Ok(json!({ "f64": float.to_string(), "decimal": exact }))
}

/// RND-05.
pub(super) fn splitting(vector: &Vector) -> Judged {
    let fills = vector.input.numbers("fills_exact")?;
    let booked: Vec<Decimal> = fills.iter().map(|fill| round(*fill, 2)).collect();
    let whole = vector.input.at("split")?;
    let parts = some(split(whole.number("amount")?, &whole.numbers("weights")?, 2))?;
    Ok(json!({
        "booked_fills": booked,
        "booked_total": booked.iter().sum::<Decimal>(),
        "rounding_of_the_exact_sum": rounded(Some(fills.iter().sum()), 2),
        "split_parts": parts,
    }))
}

/// ACC-03.
pub(super) fn performance(vector: &Vector) -> Judged {
    let found = some(Performance::of(&vector.input.numbers("net_pnls")?))?;
    Ok(json!({
        "win_rate": rounded(found.win_rate, 4),
        "profit_factor": rounded(found.profit_factor, 2),
        "average_win": rounded(found.average_win, 2),
        "average_loss": rounded(found.average_loss, 2),
        "expectancy": rounded(found.expectancy, 2),
    }))
}
