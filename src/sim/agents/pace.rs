//! What agents share: random numbers, pauses, rows of `system_events`.

use std::time::Duration;

use crate::domain::agent::SystemSeverity;
use crate::sim::context::Context;
use crate::sim::rng::Rng;
use crate::sim::signals::key;
use crate::sim::tables::SystemEventRow;

/// Random streams of the agents.
pub(super) const ANALYST: u64 = 3_000;
pub(super) const EXECUTION: u64 = 3_001;
pub(super) const MONITOR: u64 = 3_002;
pub(super) const LIFECYCLE: u64 = 3_003;

/// Random numbers of an agent. Seeded with the start time too: the market of a seed is always the
/// same, but keys of rows must not repeat those of an earlier run.
pub(super) fn rng(context: &Context, stream: u64) -> Rng {
    let started = u64::try_from(context.now().timestamp_millis()).unwrap_or(0);
    Rng::new(context.seed ^ started.rotate_left(20), stream)
}

/// Draws the time until an agent acts again, `from` to `to` seconds at normal speed.
pub(super) fn pause(context: &Context, rng: &mut Rng, from: i64, to: i64) -> Duration {
    let millis = rng.between(from.saturating_mul(1_000), to.saturating_mul(1_000));
    context.agent_period(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// Waits; `None` when the simulation stops. Cancel safe.
pub(super) async fn wait(context: &Context, pause: Duration) -> Option<()> {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => None,
        () = tokio::time::sleep(pause) => Some(()),
    }
}

pub(super) fn system_event(
    context: &Context,
    rng: &mut Rng,
    (event_type, category): (&'static str, &'static str),
    severity: SystemSeverity,
    agent: &'static str,
    message: String,
) -> SystemEventRow {
    let occurred_at = context.now();
    SystemEventRow {
        event_id: key(rng, occurred_at),
        event_type,
        event_category: category,
        severity,
        source_agent: agent,
        event_message: message,
        occurred_at,
    }
}
