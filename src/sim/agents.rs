//! Simulated agents: they read the market and the desk and act as TMT's own agents do.
//!
//! Each has its own random stream and pace, and none waits for another. A failure of the database
//! or Redis is logged once and retried at the next tick.

mod analyst;
mod execution;
mod lifecycle;
mod monitor;
mod pace;

use tokio::task::JoinSet;

use super::context::Context;

/// Starts every agent; each ends when the simulation stops.
pub(super) fn spawn(context: &Context, parts: &mut JoinSet<()>) {
    parts.spawn(analyst::work(context.clone()));
    parts.spawn(execution::work(context.clone()));
    parts.spawn(monitor::work(context.clone()));
    parts.spawn(lifecycle::work(context.clone()));
}
