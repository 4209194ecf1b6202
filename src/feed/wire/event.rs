//! Decodes events: rows to read again, and a notice.
//!
//! The body of an event is never taken as state: ids say what to read, and a few fields are quoted in
//! a notice.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::event_types::{EventType, of};
use super::{Dropped, json};
use crate::domain::change::Kind;
use crate::domain::event::Severity;
use crate::domain::money::exact;
use crate::domain::text::clean;

/// Most row ids kept of one event; the poll finds the rest.
const MOST_ROWS: usize = 256;

/// The channel on which an event arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ring {
    /// `events:<event_type>`
    First,
    /// `events:all`
    Second,
}

/// An event as far as the console uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusEvent {
    /// The publisher's id: not always a UUID, unique enough to drop repeats.
    pub id: String,
    /// Its type, in the publisher's spelling.
    pub event_type: String,
    /// The publisher as it names itself; may be empty. Not trusted.
    pub source: String,
    /// The publisher's time. Only shown.
    pub time: Option<DateTime<Utc>>,
    /// Which of its two channels it came on.
    pub copy: Ring,
    pub kinds: &'static [Kind],
    /// UUIDs of rows in the body. Others may have changed too.
    pub rows: Vec<(Kind, Uuid)>,
    /// The notice and its level.
    pub notice: Option<(Severity, String)>,
    /// Trading was stopped: shown across the screen until it is acknowledged.
    pub alarm: bool,
    pub ends_alarm: bool,
    /// Listed in the system-event pane, as is every unknown type.
    pub listed: bool,
}

/// The envelope. Id and type are required; without the rest an event still counts: dropping a stop
/// because its time is missing would be worse.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// The fields of a body that are read.
#[derive(Deserialize, Default)]
struct Body<'a> {
    #[serde(borrow, default)]
    account_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    trade_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    position_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    signal_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    halt_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_ids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    breaker_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metric: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    threshold: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope_identifier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    mode: Option<&'a RawValue>,
    #[serde(borrow, default)]
    by: Option<&'a RawValue>,
}

impl<'a> Body<'a> {
    /// Returns the field that a row of [`EVENTS`] names under `quotes`.
    fn field(&self, name: &str) -> Option<&'a RawValue> {
        match name {
            "account_id" => self.account_id,
            "breaker_type" => self.breaker_type,
            "reason" => self.reason,
            "metric" => self.metric,
            "value" => self.value,
            "threshold" => self.threshold,
            "scope" => self.scope,
            "scope_identifier" => self.scope_identifier,
            "mode" => self.mode,
            "by" => self.by,
            _ => None,
        }
    }

    /// Returns the UUIDs of rows; a broker's id is not one.
    fn rows(&self) -> Vec<(Kind, Uuid)> {
        let single = [
            (Kind::Accounts, self.account_id),
            (Kind::Trades, self.trade_id),
            (Kind::Positions, self.position_id),
            (Kind::Signals, self.signal_id),
            (Kind::Limits, self.limit_id),
            (Kind::Halts, self.halt_id),
        ];
        let mut rows: Vec<_> =
            single.into_iter().filter_map(|(kind, value)| Some((kind, uuid(value?)?))).collect();
        let listed =
            self.event_ids.and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
        let events = listed.unwrap_or_default().into_iter().filter_map(uuid);
        rows.extend(events.take(MOST_ROWS).map(|id| (Kind::Events, id)));
        rows
    }
}

fn uuid(value: &RawValue) -> Option<Uuid> {
    Uuid::parse_str(&json::text(value)?).ok()
}

pub(super) fn read(text: &str, copy: Ring) -> Result<BusEvent, Dropped> {
    let envelope: Envelope<'_> = json::object(text)?;
    let id = word(envelope.event_id, "event_id")?;
    let event_type = word(envelope.event_type, "event_type")?;
    let body = envelope.data.map(RawValue::get).filter(|data| data.starts_with('{'));
    let body: Body<'_> = body.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
    let does = of(&event_type);
    let time = envelope.timestamp.and_then(json::text).and_then(|text| super::time(&text));
    Ok(BusEvent {
        id: clean(&id),
        source: envelope.source.map(|source| clean(&json::shown(source))).unwrap_or_default(),
        time,
        copy,
        kinds: does.kinds,
        rows: body.rows(),
        notice: does.notice.map(|severity| (severity, sentence(&event_type, does, &body))),
        alarm: does.alarm,
        ends_alarm: does.ends_alarm,
        listed: does.listed,
        event_type: clean(&event_type),
    })
}

fn word<'a>(value: Option<&'a RawValue>, name: &'static str) -> Result<Cow<'a, str>, Dropped> {
    let text = json::text(value.ok_or(Dropped::Missing(name))?);
    text.filter(|text| !text.trim().is_empty()).ok_or(Dropped::Unreadable(name))
}

/// Returns the notice: `circuit breaker triggered: daily_loss, account …, reason …`.
fn sentence(event_type: &str, does: &EventType, body: &Body<'_>) -> String {
    let mut sentence = event_type.replace(['_', '.'], " ");
    let mut separator = ": ";
    for name in does.quotes {
        if let Some(value) = body.field(name) {
            sentence.push_str(separator);
            sentence.push_str(&name.replace('_', " "));
            sentence.push(' ');
            let shown = json::shown(value);
            // Amounts are formatted as elsewhere on the screen; other text is unchanged.
            let amount = ["value", "threshold"].contains(name).then(|| figure(&shown)).flatten();
            sentence.push_str(amount.as_deref().unwrap_or(&shown));
            separator = ", ";
        }
    }
    clean(&sentence)
}

/// Formats a number with thousands separators.
fn figure(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
    is_plain.then(|| Decimal::from_str_exact(text).ok().map(exact)).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::EVENTS;
    use super::*;

    #[test]
    fn every_quoted_field_exists_in_a_body() {
        let names = EVENTS.iter().flat_map(|row| row.quotes.iter());
        for name in names {
            let text = format!("{{\"{name}\": 1}}");
            let body: Body<'_> = serde_json::from_str(&text).unwrap();
            assert!(body.field(name).is_some(), "{name}");
        }
    }
}
