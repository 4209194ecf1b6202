//! TMT's agents and what the system says of itself.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// A row of `agents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Key: `market-analysis`.
    pub id: String,
    pub name: String,
    pub agent_type: String,
    /// `running`, `stopped`, `error`, `maintenance`.
    pub status: String,
    /// When it last said that it lives.
    pub last_heartbeat: Option<DateTime<Utc>>,
    pub total_requests: Option<i64>,
    pub error_count: Option<i64>,
    /// Milliseconds.
    pub average_response_time: Option<Decimal>,
    pub version: String,
}

/// A row of `system_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemEvent {
    /// Key, together with the time.
    pub id: Uuid,
    pub event_type: String,
    /// `debug`, `info`, `warning`, `error`, `critical`.
    pub severity: String,
    pub source: String,
    pub message: String,
    pub occurred_at: DateTime<Utc>,
}
