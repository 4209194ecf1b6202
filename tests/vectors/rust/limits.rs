//! What a limit allows, when it counts, and how one stands to it.

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use tmt::domain::drawdown::Edge;
use tmt::domain::halt::Scope;
use tmt::domain::ids::{AccountId, LimitId};
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::{Limit, LimitState, Parameters, Standing, Unit};
use tmt::domain::threshold::{Bound, Threshold};
use uuid::Uuid;

use super::some;
use crate::reading::{Fields, Judged, Vector, rounded};
use crate::reference::monitor;

/// EXP-05 to EXP-07.
pub(super) fn exposure_limit(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (unit, equity) = (Unit::read(input.word("limit_unit")?), input.number("equity")?);
    let level = Threshold::new(
        Bound::AtMost,
        Edge::Exclusive,
        input.number("limit_value")?,
        input.number_if_any("warning_threshold")?,
    );
    let level = some(level)?;
    let amount = |value| unit.amount(value, equity);
    let measured = some(unit.of_amount(input.number("exposure_after")?, equity))?;
    Ok(json!({
        "limit_amount": rounded(amount(level.limit), 2),
        "warning_amount": rounded(amount(level.warning), 2),
        "state": level.standing(measured),
    }))
}

/// LIM-01.
pub(super) fn states(vector: &Vector) -> Judged {
    let input = &vector.input;
    let level = some(Threshold::new(
        Bound::AtMost,
        Edge::Exclusive,
        input.number("limit")?,
        input.number_if_any("warning")?,
    ))?;
    match input.number_if_any("clear_below")? {
        Some(clear) if Some(clear) != monitor::clear(&level) => {
            return Err(format!("it clears below {:?}, not {clear}", monitor::clear(&level)));
        }
        _ => {}
    }
    let (mut state, mut states) = (Standing::Ok, Vec::new());
    for value in input.numbers("values")? {
        state = some(monitor::after(&level, &state, value))?;
        states.push(state.clone());
    }
    Ok(json!({ "states": states }))
}

fn moment(row: &Value, name: &str) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = row.get(name).and_then(Value::as_str) else { return Ok(None) };
    text.parse().map(Some).map_err(|why| format!("{name}: {why}"))
}

fn limit(row: &Value, account: AccountId) -> Result<Limit, String> {
    let scope = row.word("scope")?;
    let scope = Scope::from_word(scope).ok_or_else(|| format!("the scope {scope}"))?;
    let is_active = row.get("is_active").and_then(Value::as_bool).unwrap_or(true);
    Ok(Limit {
        id: LimitId(Uuid::nil()),
        account: (scope == Scope::Account).then_some(account),
        limit_type: LimitKind::MaxExposure,
        scope,
        identifier: row.get("identifier").and_then(Value::as_str).map(str::to_owned),
        value: row.number("value")?,
        unit: Unit::read("USD"),
        warning: None,
        state: if is_active { LimitState::Active } else { LimitState::Ended },
        is_enforced: true,
        created_by: String::new(),
        approved_by: None,
        change_reason: None,
        supersedes: None,
        retires: false,
        parameters: Parameters::default(),
        effective_from: moment(row, "effective_from")?,
        effective_until: moment(row, "effective_until")?,
        updated_at: None,
    })
}

/// LIM-02.
pub(super) fn in_force(vector: &Vector) -> Judged {
    let input = &vector.input;
    let account = AccountId(Uuid::from_u128(1));
    let now = moment(input, "now")?.ok_or("there is no now")?;
    let (mut applied, mut breached) = (Vec::new(), Vec::new());
    for row in input.list("limits")? {
        let limit = limit(row, account)?;
        if !limit.is_in_force(now) || !limit.covers(account, None, input.word("instrument")?) {
            continue;
        }
        let id = row.word("id")?;
        applied.push(id);
        let measured = input.number(&format!("{}_exposure_after", limit.scope.as_str()))?;
        if limit.standing(measured) == Some(Standing::Breach) {
            breached.push(id);
        }
    }
    Ok(json!({ "applied": applied, "breached": breached }))
}

/// LIM-07.
pub(super) fn unit_readings(vector: &Vector) -> Judged {
    let equity = vector.input.number("equity")?;
    let (mut amounts, mut warnings) = (Vec::new(), Vec::new());
    for case in vector.input.list("cases")? {
        let part = |at: usize| case.get(at).and_then(Value::as_str).ok_or("a case of two texts");
        let value: Decimal = part(0)?.parse().map_err(|why| format!("{case}: {why}"))?;
        let unit = Unit::read(part(1)?);
        amounts.push(rounded(unit.amount(value, equity), 2));
        warnings.push(unit.looks_like_fraction(value).then_some("PERCENTAGE_LOOKS_LIKE_FRACTION"));
    }
    Ok(json!({ "amounts": amounts, "warnings": warnings }))
}

#[test]
fn a_limit_without_an_account_holds_for_each_account_by_itself() {
    let (one, other) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
    let mut row = limit(&json!({"scope": "account", "value": "1"}), one).unwrap();
    assert!(row.covers(one, None, "EUR_USD") && !row.covers(other, None, "EUR_USD"));
    row.account = None;
    assert!(row.covers(other, None, "EUR_USD"));
    row.scope = Scope::Portfolio;
    assert!(!row.covers(one, None, "EUR_USD") && row.value == dec!(1));
}
