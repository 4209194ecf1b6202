//! When the next frame may be drawn.
//!
//! Quotes, rows and the clock are drawn at an even pace. A key is drawn at once, ahead of that pace, as
//! long as its allowance lasts: typing shows within milliseconds even in a flood of quotes, and a held
//! key falls back to the pace. Half of the frames of a second are for the pace, half for keys: at
//! thirty a second, fifteen, and ten more with four saved up.

use std::time::Duration;

use tokio::time::Instant;

/// Keys earn a frame each tenth of a second.
const EARNED_EVERY: Duration = Duration::from_millis(100);

/// Most that is saved up: the keys of a short form, typed fast.
const SAVED: Duration = Duration::from_millis(300);

/// When the next frame may be drawn.
#[derive(Debug)]
pub(super) struct Cadence {
    every: Duration,
    next: Instant,
    /// Not before this: drawing gets at most half of the time.
    rested: Instant,
    /// When the keys' allowance is full again.
    owed: Instant,
}

impl Cadence {
    /// Allows one frame per `shortest`, averaged over a second; the first now.
    pub(super) fn new(shortest: Duration) -> Self {
        let now = Instant::now();
        Self { every: shortest.saturating_mul(2), next: now, rested: now, owed: now }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A key was pressed: if the allowance lasts, the next frame may follow at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        let soon = self.rested.max(now);
        if soon < self.next && self.owed <= now + SAVED {
            self.owed = self.owed.max(now) + EARNED_EVERY;
            self.next = soon;
        }
    }

    pub(super) fn drawn(&mut self, began: Instant, ended: Instant) {
        let spent = ended.duration_since(began);
        self.rested = ended + spent;
        self.next = ended + self.every.max(spent);
    }
}
