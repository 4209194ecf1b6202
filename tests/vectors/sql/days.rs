//! Trading days, weeks and months in the zone of an account.

use serde_json::{Map, Value, json};

use super::scene::Scene;
use crate::reading::{Fields, Judged, Vector};

fn rule(zone: &str, reset: &str) -> String {
    format!("'{{\"tz\": \"{zone}\", \"reset_time\": \"{reset}\"}}'")
}

fn stamped(what: &str, from: &str) -> String {
    format!(
        "SELECT to_char({what} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM {from}"
    )
}

/// DD-10 and DD-11: the day that begins on a date. Whatever zone the session is in, it is that of
/// the account, to its last second.
pub(super) async fn boundaries(scene: &Scene, vector: &Vector) -> Judged {
    let (zone, reset) = (vector.input.word("timezone")?, vector.input.word("reset")?);
    scene.run("SET LOCAL timezone = 'Pacific/Kiritimati'").await?;
    let mut found = Map::new();
    for field in ["days", "roll_utc"] {
        let Some(dates) = vector.expected.get(field).and_then(Value::as_object) else { continue };
        let mut days = Map::new();
        for date in dates.keys() {
            let noon = format!(
                "((DATE '{date}' + TIME '{reset}') + interval '12 hours') AT TIME ZONE '{zone}'"
            );
            let day = format!("desk.trading_day({}, {noon})", rule(zone, reset));
            let last = format!(
                "{day} d, desk.trading_day({}, d.ends - interval '1 second') e",
                rule(zone, reset)
            );
            let start = scene.value(&stamped("d.starts", &format!("{day} d"))).await?;
            if scene.value(&stamped("e.starts", &last)).await? != start {
                return Err(format!("the last second of {date} is of another day"));
            }
            let hours = format!("SELECT extract(epoch FROM d.ends - d.starts) / 3600 FROM {day} d");
            let hours = scene.number(&hours).await?;
            let told = if field == "days" {
                json!({ "start_utc": start, "hours": hours.normalize().to_string() })
            } else {
                start
            };
            days.insert(date.clone(), told);
        }
        found.insert(field.to_owned(), Value::Object(days));
    }
    Ok(Value::Object(found))
}

/// LIM-09.
pub(super) async fn windows(scene: &Scene, vector: &Vector) -> Judged {
    let (zone, now) = (vector.input.word("timezone")?, vector.input.word("now")?);
    scene.run("SET LOCAL timezone = 'Pacific/Kiritimati'").await?;
    let start = |period: &str| {
        let from = format!("desk.period({}, '{period}', '{now}') d", rule(zone, "00:00"));
        stamped("d.starts", &from)
    };
    Ok(json!({
        "day_start": scene.value(&start("daily")).await?,
        "week_start": scene.value(&start("weekly")).await?,
        "month_start": scene.value(&start("monthly")).await?,
    }))
}
