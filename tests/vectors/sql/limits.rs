//! What a limit allows, when it counts, how one stands to it, and who may change it.

use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use super::scene::{Scene, bare};
use crate::book::ALPHA;
use crate::reading::{Fields, Judged, Vector, rounded};

/// Asks how a value stands to a limit after it stood at `before`.
pub(super) async fn state_after(
    scene: &Scene,
    before: &str,
    value: Decimal,
    limit: Decimal,
    warning: Option<Decimal>,
    inclusive: bool,
) -> Result<Value, String> {
    let warning = warning.map_or_else(|| "NULL".to_owned(), |warning| warning.to_string());
    scene
        .value(&format!(
            "SELECT desk.next_standing('{before}', {value}, {limit}, desk.warning_level({limit}, {warning}, false),
                                            {inclusive}, false)"
        ))
        .await
}

/// EXP-05 to EXP-07.
pub(super) async fn exposure_limit(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    scene.account(ALPHA, "USD", input.number("equity")?).await?;
    let (value, unit) = (input.number("limit_value")?, input.word("limit_unit")?);
    let warning = input.number_if_any("warning_threshold")?;
    let amount = |value: Decimal| {
        format!("SELECT desk.allowed_amount({value}, '{unit}', ARRAY['{ALPHA}'::uuid], 'USD')")
    };
    let (limit, warned) = (
        scene.number(&amount(value)).await?,
        scene.number(&amount(warning.unwrap_or(value * dec!(0.8)))).await?,
    );
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
        let owner = if scope == "account" { format!("'{ALPHA}'") } else { "NULL".to_owned() };
        let named = row.get("identifier").and_then(Value::as_str);
        scene
            .run(&format!(
                "INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit,
                                          is_active, effective_from, effective_until, description, created_by)
                 VALUES ({owner}, 'max_exposure', '{scope}', {}, {}, 'USD', {}, '{}', '{}', '{}', 'seed')",
                named.map_or_else(|| "NULL".to_owned(), |name| format!("'{name}'")),
                row.number("value")?,
                row.get("is_active").and_then(Value::as_bool).unwrap_or(true),
                time(row, "effective_from", "-infinity"),
                time(row, "effective_until", "infinity"),
                row.word("id")?,
            ))
            .await?;
    }
    let sql = format!(
        "SELECT jsonb_agg(jsonb_build_object('id', l.description, 'scope', l.limit_scope, 'value', l.limit_value::text))
           FROM desk.limits_in_force('{ALPHA}', NULL, '{}', '{}') l",
        input.word("instrument")?,
        input.word("now")?
    );
    let rows = scene.json(&sql).await?;
    let (mut applied, mut breached) = (Vec::new(), Vec::new());
    // All apply at once: they are told in the order in which they were given.
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
        amounts.push(
            scene
                .value(&format!(
                    "SELECT round(desk.allowed_amount({value}, '{unit}', ARRAY['{ALPHA}'::uuid], 'USD'), 2)"
                ))
                .await?,
        );
        scene
            .run(&format!(
                "SAVEPOINT one; INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by)
                 VALUES ('{ALPHA}', 'max_exposure', 'account', {value}, '{unit}', 'seed')"
            ))
            .await?;
        let code = "PERCENTAGE_LOOKS_LIKE_FRACTION";
        let lines = scene.lines(&bare("EUR_USD", "BUY", dec!(1), dec!(1.1)), None, code).await?;
        scene.run("ROLLBACK TO one").await?;
        warnings.push(lines.first().map(|line| line["code"].clone()));
    }
    Ok(json!({ "amounts": amounts, "warnings": warnings }))
}

/// LIM-08: each person has a login, and the database knows them by it.
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

/// Where a change of a limit stands after the first person, and the second where there is one.
async fn changed(scene: &Scene, current: Decimal, change: &Value) -> Result<Value, String> {
    let officer = "tmt_risk_officer";
    let call = |verb: &str, arguments: &str| {
        format!(
            "SELECT jsonb_build_object('outcome', v.outcome, 'code', v.code, 'subject', v.subject)
               FROM desk.{verb}(gen_random_uuid(), '\\x01', now() + interval '1 minute', {arguments}) v"
        )
    };
    scene
        .run(&format!(
            "INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by, approved_by)
             VALUES ('{ALPHA}', 'max_order_value', 'account', {current}, 'USD', 'seed', 'sower')"
        ))
        .await?;
    let limit = "(SELECT l.limit_id FROM risk_limits l WHERE l.created_by = 'seed')";
    let version = "(SELECT l.updated_at FROM risk_limits l WHERE l.created_by = 'seed')";
    scene.become_one(change.word("by")?, officer).await?;
    let new = change.number("new")?;
    let proposed = scene
        .json(&call(
            "propose_limit",
            &format!("{limit}, {version}, {new}, NULL, NULL, 'the desk grew'"),
        ))
        .await?;
    let mut last = proposed.clone();
    if let (Some(second), "PENDING_APPROVAL") = (
        change.get("approved_by").and_then(Value::as_str),
        proposed["code"].as_str().unwrap_or_default(),
    ) {
        scene.become_one(second, officer).await?;
        let subject = proposed["subject"].as_str().unwrap_or_default();
        last = scene.json(&call("approve_limit", &format!("'{subject}', 'agreed'"))).await?;
    }
    scene.run("SET LOCAL SESSION AUTHORIZATION DEFAULT").await?;
    let subject = proposed["subject"].as_str().unwrap_or_default();
    let counts = scene
        .is(&format!("SELECT l.is_active AND l.limit_value = {new} FROM risk_limits l WHERE l.limit_id = '{subject}'"))
        .await?;
    Ok(match (last["outcome"].as_str(), counts) {
        (Some("accepted"), true) => json!("active"),
        (Some("accepted"), false) => json!("pending"),
        _ => last["code"].clone(),
    })
}
