//! Time and request keys: the only place that reads a clock.
//!
//! The screen shows the database's time, continued by this machine's monotonic clock: a step of the
//! wall clock changes neither ages nor the time of day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::ids::ClientKey;

/// Returns the time by this machine's clock, for code without a [`Clock`].
#[expect(clippy::disallowed_methods, reason = "the only place")]
pub fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// The console's clock. Cheap to clone; the clones share it.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    // A std mutex: held for two loads, never across an await.
    wall: Arc<Mutex<DateTime<Utc>>>,
}

impl Clock {
    /// Starts with this machine's time, until the database's is known.
    #[expect(clippy::disallowed_methods, reason = "the only place")]
    pub fn start() -> Self {
        Self::starting_at(Utc::now())
    }

    /// Starts at `wall`.
    pub fn starting_at(wall: DateTime<Utc>) -> Self {
        Self { started: Instant::now(), wall: Arc::new(Mutex::new(wall)) }
    }

    /// Monotonic time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time of day.
    pub fn now(&self) -> DateTime<Utc> {
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        wall + TimeDelta::from_std(self.elapsed()).unwrap_or_default()
    }

    /// Sets the database's time as of `ago` before now; returns how far this clock was off.
    pub fn learn(&self, database: DateTime<Utc>, ago: Duration) -> TimeDelta {
        let elapsed = TimeDelta::from_std(self.elapsed()).unwrap_or_default();
        let ago = TimeDelta::from_std(ago).unwrap_or_default();
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let right = database + ago - elapsed;
        let off = right - *wall;
        *wall = right;
        off
    }

    /// Returns a new request key.
    #[expect(clippy::disallowed_methods, reason = "the only place")]
    pub fn fresh_key() -> ClientKey {
        ClientKey(Uuid::now_v7())
    }
}
