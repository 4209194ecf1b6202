//! What the console says to the person before it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Tone;
use super::model::Model;

/// Most notices that are kept.
const KEPT: usize = 500;

/// How long the newest notice stands above the command line.
const SHOWN: Duration = Duration::from_secs(12);

/// One line of the action log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    /// How loudly.
    pub tone: Tone,
    /// What.
    pub text: String,
}

/// What stays across the screen until somebody acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// What.
    pub text: String,
}

impl Model {
    /// Says something.
    pub(super) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        if self.notices.len() >= KEPT {
            self.notices.pop_front();
        }
        let notice = Notice { at: self.now, elapsed: self.elapsed, tone, text: text.into() };
        self.notices.push_back(notice);
    }

    /// Returns the newest notice, while it is new.
    pub fn toast(&self) -> Option<&Notice> {
        let newest = self.notices.back()?;
        (self.elapsed.saturating_sub(newest.elapsed) < SHOWN).then_some(newest)
    }
}
