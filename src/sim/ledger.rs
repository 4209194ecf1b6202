//! What the simulation keeps in the database: rates, bars, marks.

use std::time::Duration;

use tokio::sync::mpsc;

use super::context::{Context, rhythm};
use super::rates;
use super::tally::add;
use super::trouble::Trouble;
use crate::sim::tables::BarRow;

/// How many bars may wait for the database. A recorded week in one instrument; when it is full, a
/// replay waits, and the random market leaves bars out.
pub(super) const BARS_WAITING: usize = 8_192;

/// How many bars go in one statement.
const BARS_AT_ONCE: usize = 500;

/// Keeps the last quotes as rates, once a second: the desk refuses new risk on a price that is
/// older than ten.
pub(super) async fn keep_rates(context: Context) {
    let mut rhythm = rhythm(Duration::from_secs(1));
    let mut trouble = Trouble::of("keeping rates");
    while context.next(&mut rhythm).await.is_some() {
        let rates = rates::rows(&context.prices.all());
        trouble.take(context.store.keep_rates(&rates).await);
    }
}

/// Revalues positions and accounts every two seconds.
pub(super) async fn keep_marks(context: Context) {
    let mut rhythm = rhythm(Duration::from_secs(2));
    let mut trouble = Trouble::of("marking to market");
    while context.next(&mut rhythm).await.is_some() {
        trouble.take(context.store.mark_to_market().await);
    }
}

/// Writes bars until nobody makes any more. A bar that could not be written is tried again: what
/// is missing in a chart is missing for ever.
pub(super) async fn keep_bars(context: Context, mut waiting: mpsc::Receiver<BarRow>) {
    let mut retry = rhythm(Duration::from_millis(500));
    let mut trouble = Trouble::of("keeping bars");
    let mut bars = Vec::new();
    while waiting.recv_many(&mut bars, BARS_AT_ONCE).await > 0 {
        while trouble.take(context.store.keep_bars(&bars).await).is_none() {
            if context.next(&mut retry).await.is_none() {
                tracing::warn!(bars = bars.len(), "simulation: stopped before they were written");
                return;
            }
        }
        add(&context.counters.bars, bars.len());
        bars.clear();
    }
}
