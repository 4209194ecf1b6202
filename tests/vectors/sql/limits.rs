//! Limits: amounts, times in force, standings and changes.

use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use uuid::Uuid;

use super::scene::{Scene, bare};
use crate::desk::ALPHA;
use crate::reading::{Fields, Judged, Vector, rounded};
use crate::verbs::{approve, change, limit};

/// The standing of a figure after the standing `before`.
pub(super) async fn state_after(
    scene: &Scene,
    before: &str,
    value: Decimal,
    limit: Decimal,
    warning: Option<Decimal>,
    inclusive: bool,
) -> Result<Value, String> {
    let sql = "SELECT desk.next_standing($1, $2, $3, desk.warning_level($3, $4, false), $5, false)";
    scene.value(sql, &[&before, &value, &limit, &warning, &inclusive]).await
}

/// EXP-05 to EXP-07.
pub(super) async fn exposure_limit(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    scene.account(ALPHA, "USD", input.number("equity")?).await?;
    let (value, unit) = (input.number("limit_value")?, input.word("limit_unit")?);
    let warning = input.number_if_any("warning_threshold")?;
    let amount = async |value: Decimal| {
        let sql = "SELECT desk.allowed_amount($1, $2, ARRAY[$3::uuid], 'USD')";
        scene.number(sql, &[&value, &unit, &ALPHA.0]).await
    };
    let (limit, warned) =
        (amount(value).await?, amount(warning.unwrap_or(value * dec!(0.8))).await?);
    let level = warning.map(|_| warned);
    Ok(json!({
        "limit_amount": rounded(Some(limit), 2),
        "warning_amount": rounded(Some(warned), 2),
        "state": state_after(scene, "ok", input.number("exposure_after")?, limit, level, false).await?,
    }))
}

/// LIM-01.
pub(super) async fn states(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (limit, warning) = (input.number("limit")?, input.number_if_any("warning")?);
    let (mut state, mut states) = (json!("ok"), Vec::new());
    for value in input.numbers("values")? {
        let before = state.as_str().unwrap_or_default().to_owned();
        state = state_after(scene, &before, value, limit, warning, false).await?;
        states.push(state.clone());
    }
    Ok(json!({ "states": states }))
}

/// LIM-02.
pub(super) async fn in_force(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let time = |row: &Value, name: &str, without: &str| {
        row.get(name).and_then(Value::as_str).unwrap_or(without).to_owned()
    };
    for row in input.list("limits")? {
        let scope = row.word("scope")?;
        let mut one = limit("max_exposure", row.number("value")?, "USD").scope(scope);
        if scope == "account" {
            one = one.only(ALPHA);
        }
        if let Some(name) = row.get("identifier").and_then(Value::as_str) {
            one = one.named(name);
        }
        let is_active = row.get("is_active").and_then(Value::as_bool).unwrap_or(true);
        let one = one
            .until(&time(row, "effective_until", "infinity"))
            .also("effective_from", "timestamptz", &time(row, "effective_from", "-infinity"))
            .also("is_active", "boolean", &is_active.to_string())
            .also("description", "text", row.word("id")?);
        scene.limit(one).await?;
    }
    let sql = "SELECT jsonb_agg(jsonb_build_object('id', l.description, 'scope', l.limit_scope, 'value', l.limit_value::text))
           FROM desk.limits_in_force($1, NULL, $2, $3::text::timestamptz) l";
    let (instrument, now) = (input.word("instrument")?, input.word("now")?);
    let rows = scene.json(sql, &[&ALPHA.0, &instrument, &now]).await?;
    let (mut applied, mut breached) = (Vec::new(), Vec::new());
    // All apply at once; the vector lists them in the order of its limits.
    let given = input.list("limits")?;
    let mut rows: Vec<&Value> = rows.as_array().into_iter().flatten().collect();
    rows.sort_by_key(|row| given.iter().position(|limit| limit["id"] == row["id"]));
    for row in rows {
        applied.push(row["id"].clone());
        let measured = input.number(&format!("{}_exposure_after", row.word("scope")?))?;
        let state = state_after(scene, "ok", measured, row.number("value")?, None, false).await?;
        if state == "breach" {
            breached.push(row["id"].clone());
        }
    }
    Ok(json!({ "applied": applied, "breached": breached }))
}

/// LIM-07.
pub(super) async fn unit_readings(scene: &Scene, vector: &Vector) -> Judged {
    scene.account(ALPHA, "USD", vector.input.number("equity")?).await?;
    let (mut amounts, mut warnings) = (Vec::new(), Vec::new());
    for case in vector.input.list("cases")? {
        let part = |at: usize| case.get(at).and_then(Value::as_str).ok_or("a case of two texts");
        let (value, unit) = (part(0)?, part(1)?);
        let sql =
            "SELECT round(desk.allowed_amount($1::text::numeric, $2, ARRAY[$3::uuid], 'USD'), 2)";
        amounts.push(scene.value(sql, &[&value, &unit, &ALPHA.0]).await?);
        scene.run("SAVEPOINT one").await?;
        scene.limit(limit("max_exposure", value, unit).of(ALPHA)).await?;
        let lines = scene.lines(&bare("EUR_USD", "BUY", dec!(1), dec!(1.1)), None).await?;
        scene.run("ROLLBACK TO one").await?;
        let code = json!("PERCENTAGE_LOOKS_LIKE_FRACTION");
        warnings.push(lines.iter().any(|line| line["code"] == code).then_some(code));
    }
    Ok(json!({ "amounts": amounts, "warnings": warnings }))
}

/// LIM-08: each person has a login.
pub(super) async fn four_eyes(scene: &Scene, vector: &Vector) -> Judged {
    let current = vector.input.number("current")?;
    let mut results = Vec::new();
    for change in vector.input.list("changes")? {
        scene.run("SAVEPOINT one").await?;
        results.push(changed(scene, current, change).await?);
        scene.run("ROLLBACK TO one").await?;
    }
    Ok(json!({ "results": results }))
}

/// The state of a change after the first person, and the second where there is one.
async fn changed(scene: &Scene, current: Decimal, proposal: &Value) -> Judged {
    let officer = "tmt_risk_officer";
    let row = limit("max_order_value", current, "USD").of(ALPHA);
    scene.limit(row.also("approved_by", "text", "sower")).await?;
    let found = "SELECT to_jsonb(l) FROM risk_limits l WHERE l.created_by = 'seed'";
    let found = scene.json(found, &[]).await?;
    let id: Uuid = found.word("limit_id")?.parse().map_err(|why| format!("{why}"))?;
    let new = proposal.number("new")?;

    scene.become_one(proposal.word("by")?, officer).await?;
    let change = change(id, found.word("updated_at")?).value(new).because("the desk grew");
    let proposed = scene.reply(&change).await?;
    let mut last = proposed.clone();
    if let (Some(second), "PENDING_APPROVAL") = (
        proposal.get("approved_by").and_then(Value::as_str),
        proposed["code"].as_str().unwrap_or_default(),
    ) {
        scene.become_one(second, officer).await?;
        let approve = approve(proposed["subject"].as_str().unwrap_or_default()).note("agreed");
        last = scene.reply(&approve).await?;
    }
    scene.run("SET LOCAL SESSION AUTHORIZATION DEFAULT").await?;
    let subject = proposed["subject"].as_str().unwrap_or_default();
    let in_force =
        "SELECT l.is_active AND l.limit_value = $1 FROM risk_limits l WHERE l.limit_id::text = $2";
    let in_force = scene.is(in_force, &[&new, &subject]).await?;
    Ok(match (last["outcome"].as_str(), in_force) {
        (Some("accepted"), true) => json!("active"),
        (Some("accepted"), false) => json!("pending"),
        _ => last["code"].clone(),
    })
}
