//! What the parts of the simulation share.

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

/// The last quote of every instrument, shared by all parts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices(Arc<Mutex<BTreeMap<InstrumentId, Quote>>>);

impl Prices {
    /// Keeps the last of each instrument.
    pub(super) fn keep(&self, quotes: &[Quote]) {
        // Never held across an await; nothing in here can panic half-way.
        let mut prices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for quote in quotes {
            match prices.get_mut(&quote.instrument) {
                Some(known) => known.clone_from(quote),
                None => drop(prices.insert(quote.instrument.clone(), quote.clone())),
            }
        }
    }

    /// Returns all of them.
    pub(super) fn all(&self) -> Vec<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Returns one of them.
    pub(super) fn get(&self, instrument: &InstrumentId) -> Option<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(instrument).cloned()
    }
}

/// What the parts share.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) seed: u64,
    /// How many times faster than usual the agents act.
    pub(super) hurry: u32,
    /// The time. A function, because the simulation has no clock of its own.
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

    /// Returns a period of an agent, shortened by its hurry.
    pub(super) fn agents(&self, period: Duration) -> Duration {
        period.checked_div(self.hurry.max(1)).unwrap_or(period)
    }

    /// Waits for the next beat of a rhythm; `None` when it is time to stop. Cancel safe.
    pub(super) async fn next(&self, rhythm: &mut Interval) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            _ = rhythm.tick() => Some(()),
        }
    }
}

/// A rhythm that does not catch up: after a standstill, one beat is enough.
pub(super) fn rhythm(period: Duration) -> Interval {
    let mut rhythm = interval(period.max(Duration::from_millis(1)));
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rhythm
}
