//! What the console says to the person before it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Tone;
use crate::domain::ids::HaltId;

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voice {
    Reply,
    /// What became of a write.
    Outcome,
    /// Nobody asked: it comes from the servers, or from other people.
    News,
}

/// One line of the action log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    pub tone: Tone,
    pub voice: Voice,
    pub text: String,
}

/// What stays across the screen until somebody acknowledges it, or its cause is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    pub text: String,
    /// The halt that it is about, where it is about one.
    pub halt: Option<HaltId>,
    /// That halt has been seen in force: when it is not there any more, it is over.
    pub is_seen: bool,
    /// It names no halt, and the database, asked after it, holds none.
    pub is_unfounded: bool,
}
