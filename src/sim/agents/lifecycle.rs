//! Heartbeats of all agents; at intervals one fails and recovers.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::pace;
use crate::domain::agent::SystemSeverity;
use crate::domain::event::Severity;
use crate::sim::bus::event;
use crate::sim::context::Context;
use crate::sim::context::ticker;
use crate::sim::demo::{self, Agent, DEMO};
use crate::sim::failures::FailureLog;
use crate::sim::rng::Rng;
use crate::sim::tables::{Alarm, Beat};
use crate::store::StoreError;

/// How often agents write a heartbeat, as TMT's do.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(3);

struct Failed {
    agent: &'static str,
    until: DateTime<Utc>,
}

/// Writes heartbeats until the simulation stops, then marks the agents as stopped.
pub(super) async fn work(context: Context) {
    let mut rng = pace::rng(&context, pace::LIFECYCLE);
    let mut failures = FailureLog::of("writing heartbeats");
    let mut failed: Option<Failed> = None;
    let mut next_failure = context.now() + seconds(pace::pause(&context, &mut rng, 45, 90));
    let mut ticker = ticker(context.agent_period(HEARTBEAT_EVERY).max(Duration::from_millis(500)));
    // An adopted database may not have these agents.
    let mut are_there = false;
    while context.next(&mut ticker).await.is_some() {
        if !are_there {
            let added = context.store.add_agents(&demo::agents(context.now())).await;
            are_there = failures.check(added).is_some();
        }
        let now = context.now();
        if let Some(over) = failed.take_if(|failed| failed.until <= now) {
            failures.check(recover(&context, &mut rng, over.agent).await);
            next_failure = now + seconds(pace::pause(&context, &mut rng, 120, 300));
        } else if failed.is_none()
            && next_failure <= now
            && let Some(agent) = pick(&mut rng)
        {
            let until = now + seconds(pace::pause(&context, &mut rng, 12, 25));
            failed = Some(Failed { agent, until });
            failures.check(fail(&context, &mut rng, agent).await);
        }
        let beats = beats(&mut rng, now, failed.as_ref().map(|failed| failed.agent));
        failures.check(context.store.beat(&beats).await);
    }
    let now = context.now();
    let stopped = |agent: &'static Agent| Beat {
        agent_id: &agent.id,
        status: "stopped",
        last_heartbeat: Some(now),
        at: now,
        requests: 0,
        errors: 0,
        average_response_time_ms: agent.response,
    };
    let stopped: Vec<Beat> = DEMO.agents.iter().map(stopped).collect();
    failures.check(context.store.beat(&stopped).await);
}

fn seconds(pause: Duration) -> TimeDelta {
    TimeDelta::from_std(pause).unwrap_or_default()
}

fn pick(rng: &mut Rng) -> Option<&'static str> {
    let fallible: Vec<&Agent> = DEMO.agents.iter().filter(|agent| agent.fails).collect();
    rng.pick(&fallible).map(|agent| agent.id.as_str())
}

fn beats(rng: &mut Rng, now: DateTime<Utc>, failed: Option<&str>) -> Vec<Beat> {
    let beat = |agent: &'static Agent| {
        let is_down = failed == Some(agent.id.as_str());
        let requests = if is_down { 0 } else { rng.between(3, 60) };
        let errors = if is_down { rng.between(1, 4) } else { i64::from(rng.percent(3)) };
        let percent = Decimal::new(rng.between(80, 130), 2);
        Beat {
            agent_id: &agent.id,
            status: if is_down { "error" } else { "running" },
            last_heartbeat: (!is_down).then_some(now),
            at: now,
            requests,
            errors,
            average_response_time_ms: agent.response.saturating_mul(percent).trunc_with_scale(1),
        }
    };
    DEMO.agents.iter().map(beat).collect()
}

async fn fail(context: &Context, rng: &mut Rng, agent: &'static str) -> Result<(), StoreError> {
    changed(context, rng, agent, ("running", "error"), SystemSeverity::Error).await?;
    context.store.raise(&silent(agent)).await.map(drop)
}

async fn recover(context: &Context, rng: &mut Rng, agent: &'static str) -> Result<(), StoreError> {
    changed(context, rng, agent, ("error", "running"), SystemSeverity::Info).await?;
    context.store.clear(&silent(agent).dedup).await.map(drop)
}

fn silent(agent: &'static str) -> Alarm {
    Alarm {
        account: None,
        event_type: "agent_heartbeat",
        severity: Severity::Warning,
        source: "risk-monitor",
        current: None,
        limit: None,
        dedup: format!("agent_heartbeat:{agent}"),
        data: json!({"message": format!("{agent} is silent"), "simulated": true}),
    }
}

async fn changed(
    context: &Context,
    rng: &mut Rng,
    agent: &'static str,
    (old, new): (&str, &str),
    severity: SystemSeverity,
) -> Result<(), StoreError> {
    let now = context.now();
    let data = json!({"agent_id": agent, "old_status": old, "new_status": new});
    let id = format!("agent_status_{agent}_{}", now.timestamp_millis());
    context.bus.send(event(id, "agent_status_changed", agent, now, data));
    let kind = ("agent_status_changed", "lifecycle");
    let message = format!("{old} → {new}");
    let noted = pace::system_event(context, rng, kind, severity, agent, message);
    context.store.note(&[noted]).await
}
