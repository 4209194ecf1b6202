//! What every agent needs: its chance, its pauses, its line in `system_events`.

use std::time::Duration;

use crate::sim::context::Context;
use crate::sim::dice::Dice;
use crate::sim::signals::key;
use crate::sim::tables::SystemEventRow;

/// Streams of chance of the agents.
pub(super) const ANALYST: u64 = 3_000;
pub(super) const EXECUTION: u64 = 3_001;
pub(super) const MONITOR: u64 = 3_002;
pub(super) const LIFECYCLE: u64 = 3_003;

/// Dice of an agent. Mixed with the moment of the start: the market of a seed is always the same,
/// but keys of rows must not be those of an earlier run.
pub(super) fn dice(context: &Context, stream: u64) -> Dice {
    let started = u64::try_from(context.now().timestamp_millis()).unwrap_or(0);
    Dice::new(context.seed ^ started.rotate_left(20), stream)
}

/// Draws the time until an agent acts again, in seconds, at its hurry.
pub(super) fn pause(context: &Context, dice: &mut Dice, from: i64, to: i64) -> Duration {
    let millis = dice.between(from.saturating_mul(1_000), to.saturating_mul(1_000));
    context.agents(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// Waits; `None` when it is time to stop. Cancel safe.
pub(super) async fn wait(context: &Context, pause: Duration) -> Option<()> {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => None,
        () = tokio::time::sleep(pause) => Some(()),
    }
}

/// Makes a system event of now.
pub(super) fn system_event(
    context: &Context,
    dice: &mut Dice,
    (event_type, category): (&'static str, &'static str),
    severity: &'static str,
    agent: &'static str,
    message: String,
) -> SystemEventRow {
    let occurred_at = context.now();
    SystemEventRow {
        event_id: key(dice, occurred_at),
        event_type,
        event_category: category,
        severity,
        source_agent: agent,
        event_message: message,
        occurred_at,
    }
}
