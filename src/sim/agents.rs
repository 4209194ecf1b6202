//! TMT's agents: they look at the market and the desk, and act as TMT's own do.
//!
//! Each has its own stream of chance and its own rhythm, and none waits for another. What the
//! database or Redis refuses is told once and tried again at the next beat.

mod analyst;
mod execution;
mod lifecycle;
mod monitor;

use std::time::Duration;

use tokio::task::JoinSet;

use super::dice::Dice;
use super::run::Context;
use super::signals::key;
use crate::store::simulate::SystemEventRow;

/// Streams of chance of the agents.
const ANALYST: u64 = 3_000;
const EXECUTION: u64 = 3_001;
const MONITOR: u64 = 3_002;
const LIFECYCLE: u64 = 3_003;

/// Starts every agent; each ends when the simulation stops.
pub(super) fn spawn(context: &Context, parts: &mut JoinSet<()>) {
    parts.spawn(analyst::work(context.clone()));
    parts.spawn(execution::work(context.clone()));
    parts.spawn(monitor::work(context.clone()));
    parts.spawn(lifecycle::work(context.clone()));
}

/// Dice of an agent. Mixed with the moment of the start: the market of a seed is always the same,
/// but keys of rows must not be those of an earlier run.
fn dice(context: &Context, stream: u64) -> Dice {
    let started = u64::try_from(context.now().timestamp_millis()).unwrap_or(0);
    Dice::new(context.options.seed ^ started.rotate_left(20), stream)
}

/// Draws the time until an agent acts again, in seconds, at its hurry.
fn pause(context: &Context, dice: &mut Dice, from: i64, to: i64) -> Duration {
    let millis = dice.between(from.saturating_mul(1_000), to.saturating_mul(1_000));
    context.agents(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// Waits; `None` when it is time to stop. Cancel safe.
async fn wait(context: &Context, pause: Duration) -> Option<()> {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => None,
        () = tokio::time::sleep(pause) => Some(()),
    }
}

/// Makes a system event of now.
fn system_event(
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
