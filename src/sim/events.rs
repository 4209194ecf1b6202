//! Past and possible events of the simulated desk (`config/demo/events.toml`).

use std::sync::LazyLock;

use crate::domain::agent::SystemSeverity;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::data::embedded;
use crate::domain::event::Severity;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    pub(super) opening: Vec<Opening>,
    #[serde(rename = "risk_event")]
    pub(super) risk: Vec<RiskEvent>,
    #[serde(rename = "system_event")]
    pub(super) system: Vec<SystemEvent>,
    #[serde(rename = "incident")]
    pub(super) incidents: Vec<Incident>,
}

/// An event raised soon after the start. Seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opening {
    pub(super) after: i64,
    pub(super) severity: Severity,
}

/// A risk event of the last hours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RiskEvent {
    pub(super) minutes_ago: i64,
    pub(super) account: Option<String>,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) severity: Severity,
    pub(super) source: String,
    pub(super) value: Option<Decimal>,
    pub(super) limit: Option<Decimal>,
    pub(super) unit: String,
    pub(super) message: String,
    pub(super) count: i32,
    pub(super) acknowledged: Option<Acknowledged>,
    /// Cleared this many minutes after it was raised.
    pub(super) over_after: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledged {
    /// Minutes after it was raised.
    pub(super) after: i64,
    pub(super) by: String,
    pub(super) note: Option<String>,
}

/// A system event of the last hours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SystemEvent {
    pub(super) minutes_ago: i64,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) category: String,
    pub(super) severity: SystemSeverity,
    pub(super) agent: String,
    pub(super) message: String,
}

/// A risk event that may happen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Incident {
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) severity: Severity,
    pub(super) about: About,
    /// `{}` stands for the name of the account or instrument.
    pub(super) message: String,
    pub(super) unit: String,
    pub(super) limit: Decimal,
    /// Largest excess over the limit, in percent.
    pub(super) most_above: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum About {
    Account,
    Instrument,
}

pub(super) static EVENTS: LazyLock<Events> = LazyLock::new(|| {
    embedded("events.toml", toml::from_str(include_str!("../../config/demo/events.toml")))
});
