//! TMT's agents and what the system says of itself.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

open_words! {
    /// `agents.status`
    pub enum AgentStatus {
        Running = "running",
        Stopped = "stopped",
        Error = "error",
        Maintenance = "maintenance",
    }
}

open_words! {
    /// `system_events.severity`
    pub enum SystemSeverity {
        Debug = "debug",
        Info = "info",
        Warning = "warning",
        Error = "error",
        Critical = "critical",
    }
}

/// A row of `agents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Key: `market-analysis`.
    pub id: String,
    pub name: String,
    pub agent_type: String,
    pub status: AgentStatus,
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
    pub severity: SystemSeverity,
    pub source: String,
    pub message: String,
    pub occurred_at: DateTime<Utc>,
}
