//! How a journal is written: one line per record, a checksum and JSON.
//!
//! The checksum tells a line that was cut off by a full disk or a lost machine from a whole one.
//! Numbers are written with their digits, so that what is read again has the same fingerprint.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Intent;
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{
    AccountId, ClientKey, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId,
};
use crate::domain::request::{NewTrade, Request, Verb};
use crate::domain::trade::Side;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// The first one: which database and login.
    Place(String),
    /// Something is about to be sent.
    Intent(Intent),
    /// It ended.
    End {
        /// Of which write.
        key: ClientKey,
        /// How.
        end: String,
    },
}

/// A record as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Place(String),
    Intent { key: Uuid, at: DateTime<Utc>, summary: String, verb: Box<Words> },
    End { key: Uuid, end: String },
}

/// A verb as JSON has it. Decimals are text: their trailing zeros belong to the fingerprint.
#[derive(Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
enum Words {
    Place {
        account: Uuid,
        instrument: String,
        side: String,
        size: String,
        price: String,
        stop: Option<String>,
        target: Option<String>,
        signal: Option<Uuid>,
        reason: Option<String>,
    },
    Close {
        position: Uuid,
        size: Option<String>,
        price: String,
        reason: Option<String>,
    },
    Acknowledge {
        events: Vec<Uuid>,
        note: Option<String>,
    },
    Unacknowledge {
        event: Uuid,
        note: String,
    },
    ProposeLimit {
        limit: Uuid,
        base_version: Option<DateTime<Utc>>,
        value: String,
        warning: Option<String>,
        reason: Option<String>,
    },
    ApproveLimit {
        limit: Uuid,
        note: Option<String>,
    },
    RejectLimit {
        limit: Uuid,
        note: Option<String>,
    },
    Halt {
        scope: String,
        identifier: Option<String>,
        mode: String,
        reason: String,
    },
    Resume {
        halt: Uuid,
        reason: String,
    },
}

/// Bytes of a checksum: enough to tell a whole line from a cut one.
const SUM: usize = 4;

fn checksum(json: &str) -> String {
    let hash = Sha256::digest(json.as_bytes());
    hash.iter().take(SUM).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Returns a record as a line, its end included.
pub(super) fn line(record: &Record) -> String {
    let line = match record {
        Record::Place(place) => Line::Place(place.clone()),
        Record::Intent(Intent { request, summary, at }) => Line::Intent {
            key: request.key.0,
            at: *at,
            summary: summary.clone(),
            verb: Box::new(words(&request.verb)),
        },
        Record::End { key, end } => Line::End { key: key.0, end: end.clone() },
    };
    // Only maps with keys that are no text could not be written; there are none.
    let json = serde_json::to_string(&line).unwrap_or_default();
    format!("{} {json}\n", checksum(&json))
}

/// Reads the records of a file; lines that are not whole are passed over.
pub(super) fn records(text: &str) -> Vec<Record> {
    text.split_inclusive('\n').filter_map(|line| record(line.strip_suffix('\n')?)).collect()
}

fn record(line: &str) -> Option<Record> {
    let (sum, json) = line.split_once(' ')?;
    if sum != checksum(json) {
        return None;
    }
    Some(match serde_json::from_str(json).ok()? {
        Line::Place(place) => Record::Place(place),
        Line::Intent { key, at, summary, verb } => {
            let request = Request { key: ClientKey(key), verb: verb_of(*verb)? };
            Record::Intent(Intent { request, summary, at })
        }
        Line::End { key, end } => Record::End { key: ClientKey(key), end },
    })
}

fn words(verb: &Verb) -> Words {
    let text = |number: &Option<Decimal>| number.map(|number| number.to_string());
    match verb.clone() {
        Verb::Place(trade) => Words::Place {
            account: trade.account.0,
            instrument: trade.instrument.to_string(),
            side: trade.side.as_str().to_owned(),
            size: trade.size.to_string(),
            price: trade.price.to_string(),
            stop: text(&trade.stop),
            target: text(&trade.target),
            signal: trade.signal.map(|signal| signal.0),
            reason: trade.reason,
        },
        Verb::Close { position, size, price, reason } => Words::Close {
            position: position.0,
            size: text(&size),
            price: price.to_string(),
            reason,
        },
        Verb::Acknowledge { events, note } => {
            Words::Acknowledge { events: events.iter().map(|event| event.0).collect(), note }
        }
        Verb::Unacknowledge { event, note } => Words::Unacknowledge { event: event.0, note },
        Verb::ProposeLimit { limit, base_version, value, warning, reason } => Words::ProposeLimit {
            limit: limit.0,
            base_version,
            value: value.to_string(),
            warning: text(&warning),
            reason,
        },
        Verb::ApproveLimit { limit, note } => Words::ApproveLimit { limit: limit.0, note },
        Verb::RejectLimit { limit, note } => Words::RejectLimit { limit: limit.0, note },
        Verb::Halt { scope, identifier, mode, reason } => Words::Halt {
            scope: scope.as_str().to_owned(),
            identifier,
            mode: mode.as_str().to_owned(),
            reason,
        },
        Verb::Resume { halt, reason } => Words::Resume { halt: halt.0, reason },
    }
}

/// Reads a number with all its zeros.
fn number(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).ok()
}

/// Reads a number that may be absent.
fn maybe(text: Option<String>) -> Result<Option<Decimal>, rust_decimal::Error> {
    text.map(|text| Decimal::from_str(&text)).transpose()
}

fn verb_of(words: Words) -> Option<Verb> {
    Some(match words {
        Words::Place { account, instrument, side, size, price, stop, target, signal, reason } => {
            Verb::Place(NewTrade {
                account: AccountId(account),
                instrument: InstrumentId::new(&instrument),
                side: Side::from_word(&side)?,
                size: number(&size)?,
                price: number(&price)?,
                stop: maybe(stop).ok()?,
                target: maybe(target).ok()?,
                signal: signal.map(SignalId),
                reason,
            })
        }
        Words::Close { position, size, price, reason } => Verb::Close {
            position: PositionId(position),
            size: maybe(size).ok()?,
            price: number(&price)?,
            reason,
        },
        Words::Acknowledge { events, note } => {
            Verb::Acknowledge { events: events.into_iter().map(EventId).collect(), note }
        }
        Words::Unacknowledge { event, note } => Verb::Unacknowledge { event: EventId(event), note },
        Words::ProposeLimit { limit, base_version, value, warning, reason } => Verb::ProposeLimit {
            limit: LimitId(limit),
            base_version,
            value: number(&value)?,
            warning: maybe(warning).ok()?,
            reason,
        },
        Words::ApproveLimit { limit, note } => Verb::ApproveLimit { limit: LimitId(limit), note },
        Words::RejectLimit { limit, note } => Verb::RejectLimit { limit: LimitId(limit), note },
        Words::Halt { scope, identifier, mode, reason } => Verb::Halt {
            scope: Scope::from_word(&scope)?,
            identifier,
            mode: HaltMode::from_word(&mode)?,
            reason,
        },
        Words::Resume { halt, reason } => Verb::Resume { halt: HaltId(halt), reason },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::dec;

    fn verbs() -> Vec<Verb> {
        let (id, reason) = (Uuid::from_u128(7), Some("it \"is\"\nso".to_owned()));
        let time = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        vec![
            Verb::Place(NewTrade {
                account: AccountId(id),
                instrument: InstrumentId::new("EUR_USD"),
                side: Side::Sell,
                size: dec!(10000.00),
                price: dec!(1.08500),
                stop: Some(dec!(1.0900)),
                target: None,
                signal: Some(SignalId(id)),
                reason: reason.clone(),
            }),
            Verb::Close {
                position: PositionId(id),
                size: None,
                price: dec!(155.210),
                reason: None,
            },
            Verb::Acknowledge { events: vec![EventId(id), EventId(Uuid::nil())], note: None },
            Verb::Unacknowledge { event: EventId(id), note: "why".to_owned() },
            Verb::ProposeLimit {
                limit: LimitId(id),
                base_version: Some(time),
                value: dec!(1500.50),
                warning: Some(dec!(1200)),
                reason: reason.clone(),
            },
            Verb::ApproveLimit { limit: LimitId(id), note: None },
            Verb::RejectLimit { limit: LimitId(id), note: reason },
            Verb::Halt {
                scope: Scope::Portfolio,
                identifier: Some("majors".to_owned()),
                mode: HaltMode::ReduceOnly,
                reason: "bad night".to_owned(),
            },
            Verb::Resume { halt: HaltId(id), reason: "good morning".to_owned() },
        ]
    }

    #[test]
    fn every_verb_comes_back_with_the_same_fingerprint() {
        for verb in verbs() {
            let request = Request { key: ClientKey(Uuid::from_u128(9)), verb };
            let intent = Intent {
                request: request.clone(),
                summary: "in words".to_owned(),
                at: DateTime::UNIX_EPOCH,
            };
            let written = line(&Record::Intent(intent.clone()));
            assert_eq!(written.lines().count(), 1, "{written}");
            assert_eq!(records(&written), [Record::Intent(intent.clone())]);
            let records: [Record; 1] = records(&written).try_into().unwrap();
            let [Record::Intent(read)] = records else { panic!("{written}") };
            let fingerprint = crate::store::fingerprint;
            assert_eq!(fingerprint(&read.request), fingerprint(&request), "{written}");
        }
    }

    #[test]
    fn a_changed_line_is_no_record() {
        let whole = line(&Record::End { key: ClientKey(Uuid::nil()), end: "accepted".to_owned() });
        assert_eq!(records(&whole).len(), 1);
        for changed in [whole.replace("accepted", "refused!"), whole[..9].to_owned(), String::new()]
        {
            assert_eq!(records(&changed), []);
        }
    }
}
