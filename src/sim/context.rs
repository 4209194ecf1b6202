//! What the tasks of the simulation share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::tally::Counters;
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::feed;
use crate::store::Store;

/// The last quote of every instrument. Cheap to clone; the clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices(Arc<Mutex<BTreeMap<InstrumentId, Quote>>>);

impl Prices {
    pub(super) fn update(&self, quotes: &[Quote]) {
        // A std mutex: never held across an await, and nothing in here can panic.
        let mut prices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for quote in quotes {
            match prices.get_mut(&quote.instrument) {
                Some(known) => known.clone_from(quote),
                None => drop(prices.insert(quote.instrument.clone(), quote.clone())),
            }
        }
    }

    pub(super) fn all(&self) -> Vec<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn get(&self, instrument: &InstrumentId) -> Option<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(instrument).cloned()
    }
}

/// Shared by every task of the simulation. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) seed: u64,
    /// How many times faster than normal the agents act.
    pub(super) agent_speed: u32,
    /// Reads the time: the simulation has no clock of its own.
    pub(super) clock: fn() -> DateTime<Utc>,
    pub(super) store: Store,
    pub(super) feed: feed::Options,
    pub(super) prices: Prices,
    pub(super) bus: Bus,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: CancellationToken,
}

impl Context {
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Shortens a period of an agent by `agent_speed`.
    pub(super) fn agent_period(&self, period: Duration) -> Duration {
        period.checked_div(self.agent_speed.max(1)).unwrap_or(period)
    }

    /// Waits for the next tick; `None` when it is time to stop. Cancel safe.
    pub(super) async fn next(&self, ticker: &mut Interval) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            _ = ticker.tick() => Some(()),
        }
    }
}

/// An interval that does not catch up: after a standstill, one tick is enough.
pub(super) fn ticker(period: Duration) -> Interval {
    let mut ticker = interval(period.max(Duration::from_millis(1)));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
