//! TMT's agents: they look at the market and the desk, and act as TMT's own do.
//!
//! Each has its own stream of chance and its own rhythm, and none waits for another. What the
//! database or Redis refuses is told once and tried again at the next beat.

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
