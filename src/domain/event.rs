//! Risk events and what is done about them.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::{AccountId, EventId, LimitId};

words! {
    /// `risk_events.severity`, the worst last.
    pub enum Severity {
        Info = "info",
        /// A threshold before the limit.
        Warning = "warning",
        Critical = "critical",
        /// A floor is breached or the kill switch was used.
        Emergency = "emergency",
    }
}

impl Severity {
    /// Tells whether acknowledging it asks for a note.
    pub fn needs_note(self) -> bool {
        match self {
            Self::Info | Self::Warning => false,
            Self::Critical | Self::Emergency => true,
        }
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventState {
    New,
    /// A person owns it; the condition may persist.
    Acknowledged,
    /// The condition is over, and nobody had owned it.
    Cleared,
    /// Over, and somebody owned it.
    Resolved,
}

/// A row of `risk_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskEvent {
    pub id: EventId,
    /// Whose account; `None` for a portfolio or the whole system.
    pub account: Option<AccountId>,
    /// What happened: `max_exposure`, `daily_loss` …
    pub event_type: String,
    pub severity: Severity,
    pub source: String,
    /// What was measured, as a name.
    pub measure: Option<String>,
    pub current_value: Option<Decimal>,
    /// The limit it is held against.
    pub limit_value: Option<Decimal>,
    pub limit: Option<LimitId>,
    /// A sentence, where the source gave one (`event_data->>'message'`, else `action_taken`).
    pub message: Option<String>,
    /// How often it was seen since it was raised.
    pub occurrences: i32,
    pub occurred_at: DateTime<Utc>,
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who owns it, since when.
    pub acknowledged: Option<Acknowledged>,
}

/// Who acknowledged an event, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    pub by: String,
    pub at: Option<DateTime<Utc>>,
}

impl RiskEvent {
    /// Returns where it stands.
    pub fn state(&self) -> EventState {
        match (self.resolved_at.is_some(), self.acknowledged.is_some()) {
            (false, false) => EventState::New,
            (false, true) => EventState::Acknowledged,
            (true, false) => EventState::Cleared,
            (true, true) => EventState::Resolved,
        }
    }

    /// Tells whether somebody still has to own it. A cleared warning needs nobody; what was
    /// critical stays until a person has seen it (ISA-18.2, "return to normal, unacknowledged").
    pub fn wants_acknowledgement(&self) -> bool {
        match self.state() {
            EventState::New => true,
            EventState::Cleared => self.severity.needs_note(),
            EventState::Acknowledged | EventState::Resolved => false,
        }
    }
}
