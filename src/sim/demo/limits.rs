//! The limits that the demo is seeded with (`config/demo/limits.toml`).

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use uuid::{Uuid, uuid};

use super::DEMO;
use crate::sim::data::embedded;
use crate::sim::tables::LimitRow;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    limit: Vec<Limit>,
    proposal: Proposal,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    number: u128,
    #[serde(rename = "type")]
    kind: String,
    scope: String,
    account: Option<String>,
    identifier: Option<String>,
    value: Decimal,
    unit: String,
    warning: Option<Decimal>,
}

/// A limit that is to replace another once it is approved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    number: u128,
    instead_of: u128,
    value: Decimal,
    warning: Option<Decimal>,
    minutes_ago: i64,
    reason: String,
}

static LIMITS: LazyLock<Limits> = LazyLock::new(|| {
    embedded("limits.toml", toml::from_str(include_str!("../../../config/demo/limits.toml")))
});

/// Returns the rows of `risk_limits`: active limits, and a proposal that waits for approval.
pub(in crate::sim) fn limits(now: DateTime<Utc>) -> Vec<LimitRow> {
    let Limits { limit, proposal } = &*LIMITS;
    let mut rows: Vec<LimitRow> = limit.iter().map(|limit| row(limit, now)).collect();
    let earlier = now - TimeDelta::minutes(proposal.minutes_ago);
    let old = limit.iter().find(|limit| limit.number == proposal.instead_of);
    rows.extend(old.map(|old| LimitRow {
        limit_id: limit_id(proposal.number),
        limit_value: proposal.value,
        warning_threshold: proposal.warning,
        is_active: false,
        approved_by: None,
        approved_at: None,
        effective_from: earlier,
        created_at: earlier,
        supersedes_limit_id: Some(limit_id(old.number)),
        change_reason: Some(&proposal.reason),
        ..row(old, now)
    }));
    rows
}

fn row(limit: &'static Limit, now: DateTime<Utc>) -> LimitRow {
    let week_ago = now - TimeDelta::days(7);
    let account = limit.account.as_deref().and_then(|name| DEMO.find(name));
    LimitRow {
        limit_id: limit_id(limit.number),
        account_id: account.and_then(|at| DEMO.accounts.get(at)).map(|plan| plan.id),
        limit_type: &limit.kind,
        limit_scope: &limit.scope,
        scope_identifier: limit.identifier.as_deref(),
        limit_value: limit.value,
        limit_unit: &limit.unit,
        warning_threshold: limit.warning,
        time_window: limit.kind.contains("daily").then_some("daily"),
        is_active: true,
        description: "",
        created_by: "risk1",
        approved_by: Some("risk2"),
        approved_at: Some(week_ago),
        effective_from: week_ago,
        created_at: week_ago,
        supersedes_limit_id: None,
        change_reason: None,
    }
}

/// The same keys on every desk, so that documents can refer to them.
fn limit_id(number: u128) -> Uuid {
    let base = uuid!("a1000000-0000-4000-8000-0011a1700000").as_u128();
    Uuid::from_u128(base.wrapping_add(number))
}
