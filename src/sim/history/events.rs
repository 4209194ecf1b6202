//! Risk events and system events of the last hours.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::sim::demo::DEMO;
use crate::sim::events::{EVENTS, RiskEvent, SystemEvent};
use crate::sim::rng::Rng;
use crate::sim::signals::key;
use crate::sim::tables::{EventRow, SystemEventRow};

/// Random stream of keys.
const STREAM: u64 = 2_001;

pub(super) fn risk(seed: u64, now: DateTime<Utc>) -> Vec<EventRow> {
    let mut rng = Rng::new(seed, STREAM);
    EVENTS.risk.iter().map(|event| row(&mut rng, now, event)).collect()
}

fn row(rng: &mut Rng, now: DateTime<Utc>, event: &'static RiskEvent) -> EventRow {
    let occurred_at =
        now - TimeDelta::minutes(event.minutes_ago) - TimeDelta::seconds(rng.between(0, 40));
    let after = |minutes| occurred_at + TimeDelta::minutes(minutes);
    let account = event.account.as_deref().and_then(|name| DEMO.find(name));
    let acknowledged = event.acknowledged.as_ref();
    EventRow {
        event_id: key(rng, occurred_at),
        account_id: account.and_then(|at| DEMO.accounts.get(at)).map(|plan| plan.id),
        event_type: &event.event_type,
        severity: event.severity,
        event_source: &event.source,
        risk_measure: &event.event_type,
        current_value: event.value,
        limit_value: event.limit,
        event_data: json!({"message": event.message, "unit": event.unit, "simulated": true}),
        auto_resolved: event.over_after.is_some(),
        resolution_time: event.over_after.map(after),
        acknowledged_by: acknowledged.map(|by| by.by.as_str()),
        acknowledged_at: acknowledged.map(|by| after(by.after)),
        dedup_key: None,
        occurrence_count: event.count,
        occurred_at,
        note: acknowledged.and_then(|by| by.note.as_deref()),
    }
}

pub(super) fn system(seed: u64, now: DateTime<Utc>) -> Vec<SystemEventRow> {
    let mut rng = Rng::new(seed, STREAM + 1);
    let row = |event: &'static SystemEvent| {
        let occurred_at = now - TimeDelta::minutes(event.minutes_ago);
        SystemEventRow {
            event_id: key(&mut rng, occurred_at),
            event_type: &event.event_type,
            event_category: &event.category,
            severity: event.severity.clone(),
            source_agent: &event.agent,
            event_message: event.message.clone(),
            occurred_at,
        }
    };
    EVENTS.system.iter().map(row).collect()
}
