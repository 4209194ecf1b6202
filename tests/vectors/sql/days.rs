//! Trading days, weeks and months in the zone of an account.

use serde_json::{Map, Value, json};

use super::scene::Scene;
use crate::reading::{Fields, Judged, Vector};

/// The rules of an account: its zone, and when its day begins.
fn rules(zone: &str, reset: &str) -> String {
    json!({ "tz": zone, "reset_time": reset }).to_string()
}

const UTC: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";

/// DD-10 and DD-11: the day that begins on a date, to its last second, regardless of the time zone of
/// the session.
pub(super) async fn boundaries(scene: &Scene, vector: &Vector) -> Judged {
    let (zone, reset) = (vector.input.word("timezone")?, vector.input.word("reset")?);
    scene.run("SET LOCAL timezone = 'Pacific/Kiritimati'").await?;
    let mut found = Map::new();
    for field in ["days", "roll_utc"] {
        let Some(dates) = vector.expected.get(field).and_then(Value::as_object) else { continue };
        let mut days = Map::new();
        for date in dates.keys() {
            let day = format!(
                "SELECT jsonb_build_object(
                        'starts', to_char(d.starts AT TIME ZONE 'UTC', {UTC}),
                        'last', to_char(e.starts AT TIME ZONE 'UTC', {UTC}),
                        'hours', trim_scale(extract(epoch FROM d.ends - d.starts) / 3600)::text)
                   FROM desk.trading_day($1::text::jsonb,
                            (($2::text::date + $3::text::time) + interval '12 hours') AT TIME ZONE $4) d,
                        desk.trading_day($1::text::jsonb, d.ends - interval '1 second') e"
            );
            let day = scene.json(&day, &[&rules(zone, reset), date, &reset, &zone]).await?;
            if day["last"] != day["starts"] {
                return Err(format!("the last second of {date} is of another day"));
            }
            let told = if field == "days" {
                json!({ "start_utc": day["starts"], "hours": day["hours"] })
            } else {
                day["starts"].clone()
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
    let sql = format!(
        "SELECT to_char(d.starts AT TIME ZONE 'UTC', {UTC})
           FROM desk.period($1::text::jsonb, $2, $3::text::timestamptz) d"
    );
    let start =
        async |period: &str| scene.value(&sql, &[&rules(zone, "00:00"), &period, &now]).await;
    Ok(json!({
        "day_start": start("daily").await?,
        "week_start": start("weekly").await?,
        "month_start": start("monthly").await?,
    }))
}
