//! The announcement of a committed write (`spec/wire.md`, "After a write has committed").

use crate::domain::code::Code;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::domain::ids::{AccountId, InstrumentId};
use crate::domain::outcome::{Accepted, Item, ItemEnd};
use crate::domain::request::{Closing, NewTrade, Request, Verb};
use crate::feed::wire::Outgoing;

/// A committed write, with what its request does not contain.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    pub request: &'a Request,
    pub accepted: &'a Accepted,
    pub operator: &'a str,
    pub at: DateTime<Utc>,
    /// Account of the closed or amended position, if known.
    pub account: Option<AccountId>,
    /// Instrument of that position, if known.
    pub instrument: Option<&'a InstrumentId>,
}

/// What is published and appended for one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Events, each for its own channel and the common one.
    pub events: Vec<Outgoing>,
    /// Fields of the entry in the stream of commands: `key`, `verb`, `actor`, `at`, and what the
    /// verb froze. Decimals with their digits.
    pub command: Vec<(&'static str, String)>,
}

/// Builds the announcement of a committed write.
pub fn announcement(written: &Written<'_>) -> Announcement {
    let (event_type, mut data) = body(written);
    data.retain(|_, value| !value.is_null());
    let mut command = vec![
        ("key", written.request.key.to_string()),
        ("verb", written.request.verb.name().to_owned()),
        ("actor", written.operator.to_owned()),
        ("at", written.at.to_rfc3339()),
    ];
    command.extend(fields(written));
    let event = Outgoing {
        // Derived from the key: readers drop a repeated announcement.
        event_id: format!("console_{}", written.request.key),
        event_type: event_type.to_owned(),
        timestamp: written.at,
        source: format!("console:{}", written.operator),
        data,
        correlation_id: Some(written.request.key.to_string()),
    };
    Announcement { events: vec![event], command }
}

/// Returns the event's type and body.
#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
fn body(written: &Written<'_>) -> (&'static str, Map<String, Value>) {
    let by = written.operator;
    let subject = written.accepted.subject.map(|id| id.to_string());
    let (event_type, data) = match &written.request.verb {
        Verb::Place(trade) => ("trade_executed", placed(trade, subject.as_deref())),
        Verb::Close { what, size, price, .. } => (
            "trade.trade_closed",
            json!({
                "position_id": position(*what, subject.as_deref()),
                "trade_id": ticket(*what),
                "account_id": written.account.map(|id| id.to_string()),
                "trade_data": {
                    "instrument": written.instrument.map(InstrumentId::as_str),
                    "size": size.map(|size| size.to_string()),
                    "price": price.to_string(),
                },
            }),
        ),
        Verb::Amend { position, stop, target, trailing, .. } => (
            "position.amended",
            json!({
                "position_id": position.to_string(),
                "account_id": written.account.map(|id| id.to_string()),
                "instrument": written.instrument.map(InstrumentId::as_str),
                "stop_loss": stop.map(|price| price.to_string()),
                "take_profit": target.map(|price| price.to_string()),
                "trailing_stop_distance": trailing.map(|distance| distance.to_string()),
            }),
        ),
        Verb::Flatten { account, .. } => (
            "trade.trade_closed",
            json!({
                "account_id": account.to_string(),
                "position_ids": closed(written),
                "by": by,
            }),
        ),
        Verb::Acknowledge { .. } => {
            ("risk_event.acknowledged", json!({ "event_ids": done(written), "by": by }))
        }
        Verb::Unacknowledge { event, .. } => {
            ("risk_event.unacknowledged", json!({ "event_ids": [event.to_string()], "by": by }))
        }
        Verb::ProposeLimit { .. } => {
            let is_tighter = written.accepted.code == Some(Code::Tightened);
            let word = if is_tighter { "risk_limit.tightened" } else { "risk_limit.proposed" };
            (word, json!({ "limit_id": subject, "by": by }))
        }
        // A new limit can only tighten.
        Verb::CreateLimit(_) => ("risk_limit.tightened", json!({ "limit_id": subject, "by": by })),
        Verb::RetireLimit { limit, .. } => {
            let waits = written.accepted.code == Some(Code::PendingApproval);
            let word = if waits { "risk_limit.proposed" } else { "risk_limit.approved" };
            (word, json!({ "limit_id": subject.unwrap_or_else(|| limit.to_string()), "by": by }))
        }
        Verb::ApproveLimit { limit, .. } => {
            ("risk_limit.approved", json!({ "limit_id": limit.to_string(), "by": by }))
        }
        Verb::RejectLimit { limit, .. } => {
            ("risk_limit.rejected", json!({ "limit_id": limit.to_string(), "by": by }))
        }
        Verb::Halt { scope, identifier, mode, reason } => (
            "trading.disabled",
            json!({
                "halt_id": subject,
                "scope": scope.as_str(),
                "scope_identifier": identifier,
                "mode": mode.as_str(),
                "reason": reason,
                "by": by,
            }),
        ),
        Verb::Resume { halt, reason } => {
            ("trading.enabled", json!({ "halt_id": halt.to_string(), "reason": reason, "by": by }))
        }
    };
    (event_type, if let Value::Object(data) = data { data } else { Map::new() })
}

fn placed(trade: &NewTrade, subject: Option<&str>) -> Value {
    json!({
        "trade_id": subject,
        "account_id": trade.account.to_string(),
        "trade_data": {
            "instrument": trade.instrument.as_str(),
            "side": trade.side.as_str(),
            "size": trade.size.to_string(),
            "price": trade.price.to_string(),
        },
    })
}

/// Returns the id of the closed position; for a single trade only the database knows it.
fn position(what: Closing, subject: Option<&str>) -> Option<String> {
    match what {
        Closing::Position(id) => Some(id.to_string()),
        Closing::Trade(_) => subject.map(str::to_owned),
    }
}

/// Returns the id of the closed trade, if it was a single one.
fn ticket(what: Closing) -> Option<String> {
    match what {
        Closing::Trade(id) => Some(id.to_string()),
        Closing::Position(_) => None,
    }
}

/// Returns the positions that a flatten closed.
fn closed(written: &Written<'_>) -> Vec<String> {
    let is_closed = |item: &&Item| matches!(item.end, ItemEnd::Closed { .. });
    let items = written.accepted.items.iter().filter(is_closed);
    items.map(|item| item.position.to_string()).collect()
}

fn done(written: &Written<'_>) -> Vec<String> {
    written.accepted.done.iter().map(ToString::to_string).collect()
}

/// Returns the fields of the stream entry beside key, verb, actor and time. Absent values have none.
#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
fn fields(written: &Written<'_>) -> Vec<(&'static str, String)> {
    let decimal = |value: &Option<Decimal>| value.map(|value| value.to_string());
    let subject = written.accepted.subject.map(|id| id.to_string());
    let fields = match &written.request.verb {
        Verb::Place(trade) => vec![
            ("trade_id", subject),
            ("account_id", Some(trade.account.to_string())),
            ("instrument", Some(trade.instrument.to_string())),
            ("side", Some(trade.side.to_string())),
            ("size", Some(trade.size.to_string())),
            ("price", Some(trade.price.to_string())),
            ("stop_loss", decimal(&trade.stop)),
            ("take_profit", decimal(&trade.target)),
            ("signal_id", trade.signal.map(|id| id.to_string())),
            ("reason", trade.reason.clone()),
        ],
        Verb::Close { what, size, price, reason } => vec![
            ("position_id", position(*what, subject.as_deref())),
            ("trade_id", ticket(*what)),
            ("account_id", written.account.map(|id| id.to_string())),
            ("instrument", written.instrument.map(ToString::to_string)),
            ("size", size.map(|size| size.to_string())),
            ("price", Some(price.to_string())),
            ("reason", reason.clone()),
        ],
        Verb::Amend { position, stop, target, trailing, reason } => vec![
            ("position_id", Some(position.to_string())),
            ("account_id", written.account.map(|id| id.to_string())),
            ("instrument", written.instrument.map(ToString::to_string)),
            ("stop_loss", decimal(stop)),
            ("take_profit", decimal(target)),
            ("trailing_stop_distance", decimal(trailing)),
            ("reason", reason.clone()),
        ],
        Verb::Flatten { account, reason } => vec![
            ("account_id", Some(account.to_string())),
            ("position_ids", Some(closed(written).join(","))),
            ("reason", reason.clone()),
        ],
        Verb::Acknowledge { note, .. } => {
            vec![("event_ids", Some(done(written).join(","))), ("note", note.clone())]
        }
        Verb::Unacknowledge { event, note } => {
            vec![("event_ids", Some(event.to_string())), ("note", Some(note.clone()))]
        }
        Verb::ProposeLimit { limit, value, warning, until, reason, .. } => vec![
            ("limit_id", subject),
            ("supersedes", Some(limit.to_string())),
            ("value", Some(value.to_string())),
            ("warning", decimal(warning)),
            ("until", until.map(|until| until.to_rfc3339())),
            ("code", written.accepted.code.clone().map(String::from)),
            ("reason", reason.clone()),
        ],
        Verb::CreateLimit(limit) => vec![
            ("limit_id", subject),
            ("account_id", limit.account.map(|id| id.to_string())),
            ("limit_type", Some(limit.limit_type.to_string())),
            ("scope", Some(limit.scope.as_str().to_owned())),
            ("scope_identifier", limit.identifier.clone()),
            ("value", Some(limit.value.to_string())),
            ("unit", Some(limit.unit.to_string())),
            ("warning", decimal(&limit.warning)),
            ("until", limit.until.map(|until| until.to_rfc3339())),
            ("parameters", limit.parameters.clone()),
            ("reason", limit.reason.clone()),
        ],
        Verb::RetireLimit { limit, reason, .. } => vec![
            ("limit_id", subject),
            ("supersedes", Some(limit.to_string())),
            ("code", written.accepted.code.clone().map(String::from)),
            ("reason", Some(reason.clone())),
        ],
        Verb::ApproveLimit { limit, note } | Verb::RejectLimit { limit, note } => {
            vec![("limit_id", Some(limit.to_string())), ("note", note.clone())]
        }
        Verb::Halt { scope, identifier, mode, reason } => vec![
            ("halt_id", subject),
            ("scope", Some(scope.as_str().to_owned())),
            ("scope_identifier", identifier.clone()),
            ("mode", Some(mode.as_str().to_owned())),
            ("reason", Some(reason.clone())),
        ],
        Verb::Resume { halt, reason } => {
            vec![("halt_id", Some(halt.to_string())), ("reason", Some(reason.clone()))]
        }
    };
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
