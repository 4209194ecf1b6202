//! Counters of the simulation.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the simulation did, as counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Random quotes that Redis confirmed.
    pub quotes: u64,
    /// Random quotes that were dropped because Redis was unreachable or too slow.
    pub quotes_lost: u64,
    pub signals: u64,
    pub opened: u64,
    pub closed: u64,
    /// Orders that the rulebook refused.
    pub refused: u64,
    pub raised: u64,
    pub bars: u64,
}

/// The counters behind a [`Tally`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) quotes: AtomicU64,
    pub(super) quotes_lost: AtomicU64,
    pub(super) signals: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) raised: AtomicU64,
    pub(super) bars: AtomicU64,
}

impl Counters {
    pub(super) fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            quotes: read(&self.quotes),
            quotes_lost: read(&self.quotes_lost),
            signals: read(&self.signals),
            opened: read(&self.opened),
            closed: read(&self.closed),
            refused: read(&self.refused),
            raised: read(&self.raised),
            bars: read(&self.bars),
        }
    }
}

pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
}
