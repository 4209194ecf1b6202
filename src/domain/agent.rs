//! TMT's agents and what the system says of itself.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// A row of `agents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Key: `market-analysis`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Kind of agent.
    pub agent_type: String,
    /// `running`, `stopped`, `error`, `maintenance`.
    pub status: String,
    /// When it last said that it lives.
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// Requests since it started.
    pub total_requests: Option<i64>,
    /// Of them failed.
    pub error_count: Option<i64>,
    /// Milliseconds.
    pub average_response_time: Option<Decimal>,
    /// Version of its program.
    pub version: String,
}

/// A row of `system_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemEvent {
    /// Key, together with the time.
    pub id: Uuid,
    /// What kind.
    pub event_type: String,
    /// `debug`, `info`, `warning`, `error`, `critical`.
    pub severity: String,
    /// Who says it.
    pub source: String,
    /// What it says.
    pub message: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}
