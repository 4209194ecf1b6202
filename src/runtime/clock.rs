//! Time and keys: the one place that reads a clock.
//!
//! What the screen shows is the database's time, carried on by this machine's monotonic clock: a
//! step of the wall clock moves neither an age nor the time of day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::ids::ClientKey;

/// Returns the time of day by this machine's clock, for parts that have no clock of their own.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// The console's clock. Cheap to clone; the clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    // Held for two loads; nothing awaits under it.
    wall: Arc<Mutex<DateTime<Utc>>>,
}

impl Clock {
    /// Starts a clock that tells this machine's time until it learns the database's.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> Self {
        Self::starting_at(Utc::now())
    }

    /// Starts a clock that tells `wall` now.
    pub fn starting_at(wall: DateTime<Utc>) -> Self {
        Self { started: Instant::now(), wall: Arc::new(Mutex::new(wall)) }
    }

    /// Returns the monotonic time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the time of day.
    pub fn now(&self) -> DateTime<Utc> {
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        wall + TimeDelta::from_std(self.elapsed()).unwrap_or_default()
    }

    /// Learns the database's time, as it was `ago` before now; returns how far this clock was off.
    pub fn learn(&self, database: DateTime<Utc>, ago: Duration) -> TimeDelta {
        let elapsed = TimeDelta::from_std(self.elapsed()).unwrap_or_default();
        let ago = TimeDelta::from_std(ago).unwrap_or_default();
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let right = database + ago - elapsed;
        let off = right - *wall;
        *wall = right;
        off
    }

    /// Makes a key that no other write has.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn fresh_key() -> ClientKey {
        ClientKey(Uuid::now_v7())
    }
}
