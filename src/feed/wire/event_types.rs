//! The table of event types.

use crate::domain::change::Kind;
use crate::domain::event::Severity;

/// What the console does with some event types.
#[derive(Debug)]
pub struct EventType {
    /// Their names. A point and an underscore are equal: both spellings are in use.
    pub names: &'static [&'static str],
    pub kinds: &'static [Kind],
    /// Level of the notice, if there is one.
    pub notice: Option<Severity>,
    /// Fields of the body that the notice quotes, in order.
    pub quotes: &'static [&'static str],
    pub alarm: bool,
    /// Whether it ends an alarm.
    pub ends_alarm: bool,
    /// Whether the system-event pane lists it.
    pub listed: bool,
}

/// A type without a notice. Every row of the table starts from it.
const SILENT: EventType = EventType {
    names: &[],
    kinds: &[],
    notice: None,
    quotes: &[],
    alarm: false,
    ends_alarm: false,
    listed: false,
};

/// All known event types (`spec/wire.md`, "Events").
pub const EVENTS: [EventType; 10] = [
    EventType {
        names: &["signal_generated", "signal.received", "signal.processed", "signal.error"],
        kinds: &[Kind::Signals],
        ..SILENT
    },
    EventType {
        names: &["trade_executed", "trade.trade_opened", "trade.trade_closed", "position.amended"],
        kinds: &[Kind::Trades, Kind::Positions, Kind::Accounts],
        ..SILENT
    },
    EventType { names: &["agent_status_changed"], kinds: &[Kind::Agents], ..SILENT },
    EventType {
        names: &["circuit_breaker_triggered", "circuit_breaker.reset"],
        kinds: &[Kind::Events, Kind::Halts],
        notice: Some(Severity::Critical),
        quotes: &["breaker_type", "account_id", "reason"],
        ..SILENT
    },
    EventType {
        names: &["performance_alert"],
        kinds: &[Kind::Events],
        notice: Some(Severity::Warning),
        quotes: &["metric", "value", "threshold", "account_id"],
        ..SILENT
    },
    EventType {
        names: &[
            "emergency.stop",
            "emergency_rollback",
            "trading.stop_requested",
            "trading.stopped",
            "trading.disabled",
        ],
        kinds: &Kind::ALL,
        notice: Some(Severity::Emergency),
        quotes: &["scope", "scope_identifier", "mode", "reason", "by"],
        alarm: true,
        ..SILENT
    },
    EventType {
        names: &["trading.started", "trading.enabled"],
        kinds: &[Kind::Accounts, Kind::Halts],
        ends_alarm: true,
        ..SILENT
    },
    EventType {
        names: &[
            "account.enabled",
            "account.disabled",
            "system.started",
            "system.stopped",
            "system_status_changed",
        ],
        kinds: &[Kind::Accounts, Kind::Halts],
        ..SILENT
    },
    EventType {
        names: &[
            "risk_event.acknowledged",
            "risk_event.unacknowledged",
            "risk_event.resolved",
            "risk_event.raised",
        ],
        kinds: &[Kind::Events],
        ..SILENT
    },
    EventType {
        names: &[
            "risk_limit.proposed",
            "risk_limit.approved",
            "risk_limit.rejected",
            "risk_limit.tightened",
        ],
        kinds: &[Kind::Limits],
        ..SILENT
    },
];

/// All other types: listed with type and source; the pane is read again.
const LISTED: EventType = EventType { kinds: &[Kind::SystemEvents], listed: true, ..SILENT };

/// Finds the row of a type, in either spelling.
pub(super) fn of(event_type: &str) -> &'static EventType {
    static TABLE: [EventType; EVENTS.len()] = EVENTS;
    static OTHER: EventType = LISTED;
    let is_same = |name: &&&str| {
        name.len() == event_type.len()
            && name.bytes().zip(event_type.bytes()).all(|(ours, theirs)| {
                ours == theirs || (b"._".contains(&ours) && b"._".contains(&theirs))
            })
    };
    TABLE.iter().find(|row| row.names.iter().any(|name| is_same(&name))).unwrap_or(&OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_are_unique() {
        let mut names: Vec<String> = EVENTS
            .iter()
            .flat_map(|row| row.names.iter().map(|name| name.replace('.', "_")))
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
