//! When the next frame may be drawn.
//!
//! What moves by itself (quotes, rows, the clock) is drawn at an even pace. A key is answered at
//! once, ahead of that pace, as long as its allowance lasts: a trader who types sees each key within
//! a few milliseconds even while the market floods the screen, and a held key falls back to the
//! pace. Half of the frames of a second go to the pace, the other half to keys: at thirty a second,
//! fifteen, and ten more with four saved up.

use std::time::Duration;

use tokio::time::Instant;

/// A key earns a frame of its own each tenth of a second.
const EARNED_EVERY: Duration = Duration::from_millis(100);

/// So much may be saved up: the keys of a short flow, typed fast.
const SAVED: Duration = Duration::from_millis(300);

/// When the next frame may be drawn.
#[derive(Debug)]
pub(super) struct Cadence {
    every: Duration,
    next: Instant,
    /// Before this, the last frame must rest: drawing gets at most half of the time.
    rested: Instant,
    /// When the allowance of the keys is whole again.
    owed: Instant,
}

impl Cadence {
    /// Makes a cadence of at most one frame each `shortest` over a second; the first may be drawn
    /// now.
    pub(super) fn new(shortest: Duration) -> Self {
        let now = Instant::now();
        Self { every: shortest.saturating_mul(2), next: now, rested: now, owed: now }
    }

    /// Returns when the next frame may be drawn.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A key came: it is answered as soon as the last frame has rested, if the allowance lasts.
    pub(super) fn hurry(&mut self, now: Instant) {
        let soon = self.rested.max(now);
        if soon < self.next && self.owed <= now + SAVED {
            self.owed = self.owed.max(now) + EARNED_EVERY;
            self.next = soon;
        }
    }

    /// A frame was drawn.
    pub(super) fn drawn(&mut self, began: Instant, ended: Instant) {
        let spent = ended.duration_since(began);
        self.rested = ended + spent;
        self.next = ended + self.every.max(spent);
    }
}
