//! Tasks that write rates, bars and marks to the database.

use std::time::Duration;

use tokio::sync::mpsc;

use super::context::{Context, ticker};
use super::failures::FailureLog;
use super::rates;
use super::tally::add;
use crate::sim::tables::BarRow;

/// Bound of the queue of bars: a recorded week of one instrument. When it is full a replay waits,
/// and the random market drops bars.
pub(super) const BARS_WAITING: usize = 8_192;

/// Most bars written in one statement.
const BARS_AT_ONCE: usize = 500;

/// Writes the last quotes as rates once a second: the rulebook refuses new risk on a price older
/// than ten.
pub(super) async fn write_rates(context: Context) {
    let mut ticker = ticker(Duration::from_secs(1));
    let mut failures = FailureLog::of("writing rates");
    while context.next(&mut ticker).await.is_some() {
        let rates = rates::rows(&context.prices.all());
        failures.check(context.store.write_rates(&rates).await);
    }
}

/// Revalues positions and accounts every two seconds.
pub(super) async fn write_marks(context: Context) {
    let mut ticker = ticker(Duration::from_secs(2));
    let mut failures = FailureLog::of("marking to market");
    while context.next(&mut ticker).await.is_some() {
        failures.check(context.store.mark_to_market().await);
    }
}

/// Writes bars until the queue is closed. A failed write is retried: a gap in a chart would stay.
pub(super) async fn write_bars(context: Context, mut waiting: mpsc::Receiver<BarRow>) {
    let mut retry = ticker(Duration::from_millis(500));
    let mut failures = FailureLog::of("writing bars");
    let mut bars = Vec::new();
    while waiting.recv_many(&mut bars, BARS_AT_ONCE).await > 0 {
        while failures.check(context.store.write_bars(&bars).await).is_none() {
            if context.next(&mut retry).await.is_none() {
                tracing::warn!(
                    bars = bars.len(),
                    "simulation: stopped before these bars were written"
                );
                return;
            }
        }
        add(&context.counters.bars, bars.len());
        bars.clear();
    }
}
