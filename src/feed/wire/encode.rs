//! Encodes events, quotes and heartbeats.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::quote::Quote;

/// An event in TMT's own envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outgoing {
    /// Unique: readers drop repeats.
    pub event_id: String,
    /// `trade_executed`, `signal_generated` …; also the name of its channel.
    pub event_type: String,
    #[serde(serialize_with = "iso")]
    pub timestamp: DateTime<Utc>,
    /// The publisher: `console:<operator>`, `simulator` …
    pub source: String,
    /// The body. Prices and sizes are strings.
    pub data: Map<String, Value>,
    /// Ties the events of one transaction together.
    pub correlation_id: Option<String>,
}

fn iso<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*time))
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub fn encode_event(event: &Outgoing) -> Vec<u8> {
    // Strings, a map with string keys and a time always serialize.
    serde_json::to_vec(event).unwrap_or_default()
}

/// Encodes a quote: prices as strings with all digits.
pub fn encode_quote(quote: &Quote) -> Vec<u8> {
    let Quote { instrument, bid, ask, time, seq } = quote;
    // Not `Debug`: JSON escapes differ from Rust's.
    let name = Value::from(instrument.as_str());
    let mut out = Vec::with_capacity(128);
    // Writing to memory cannot fail.
    drop(write!(
        out,
        r#"{{"instrument":{name},"bid":"{bid}","ask":"{ask}","time":"{}""#,
        written(*time)
    ));
    if let Some(seq) = seq {
        drop(write!(out, r#","seq":{seq}"#));
    }
    out.push(b'}');
    out
}

/// Encodes a heartbeat of a price publisher.
pub fn encode_heartbeat(time: DateTime<Utc>) -> Vec<u8> {
    format!(r#"{{"type":"HEARTBEAT","time":"{}"}}"#, written(time)).into_bytes()
}
