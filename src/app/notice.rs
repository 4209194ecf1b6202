//! Notices and alarms, as data.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Tone;
use crate::domain::ids::HaltId;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    Reply,
    /// The outcome of a write.
    Outcome,
    /// From servers or other people.
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
    pub kind: NoticeKind,
    pub text: String,
}

/// Shown across the screen until acknowledged or over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    pub text: String,
    /// The halt that it is about, where it is about one.
    pub halt: Option<HaltId>,
    /// That halt was seen in force; once it is gone, the alarm is over.
    pub is_seen: bool,
    /// It names no halt, and a later poll found none in force.
    pub is_unfounded: bool,
}
