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

use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{
    AccountId, ClientKey, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
};
use crate::domain::request::{Closing, NewLimit, NewTrade, Request, Verb};
use crate::domain::trade::Side;

/// A write that is about to be sent, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub request: Request,
    pub summary: String,
    /// When it was about to be sent.
    pub at: DateTime<Utc>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// The first one: which database and login.
    Place(String),
    /// Something is about to be sent.
    Intent(Intent),
    End {
        key: ClientKey,
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
        position: Option<Uuid>,
        /// Instead of a position: one trade of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trade: Option<Uuid>,
        size: Option<String>,
        price: String,
        reason: Option<String>,
    },
    Amend {
        position: Uuid,
        stop: Option<String>,
        target: Option<String>,
        trailing: Option<String>,
        reason: Option<String>,
    },
    Flatten {
        account: Uuid,
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
        #[serde(default)]
        until: Option<DateTime<Utc>>,
        reason: Option<String>,
    },
    CreateLimit {
        account: Option<Uuid>,
        limit_type: String,
        scope: String,
        identifier: Option<String>,
        value: String,
        unit: String,
        warning: Option<String>,
        until: Option<DateTime<Utc>>,
        parameters: Option<String>,
        reason: Option<String>,
    },
    RetireLimit {
        limit: Uuid,
        base_version: Option<DateTime<Utc>>,
        reason: String,
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

#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
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
        Verb::Amend { position, stop, target, trailing, reason } => Words::Amend {
            position: position.0,
            stop: text(&stop),
            target: text(&target),
            trailing: text(&trailing),
            reason,
        },
        Verb::Flatten { account, reason } => Words::Flatten { account: account.0, reason },
        Verb::CreateLimit(limit) => Words::CreateLimit {
            account: limit.account.map(|account| account.0),
            limit_type: limit.limit_type.to_string(),
            scope: limit.scope.as_str().to_owned(),
            identifier: limit.identifier,
            value: limit.value.to_string(),
            unit: limit.unit,
            warning: text(&limit.warning),
            until: limit.until,
            parameters: limit.parameters,
            reason: limit.reason,
        },
        Verb::RetireLimit { limit, base_version, reason } => {
            Words::RetireLimit { limit: limit.0, base_version, reason }
        }
        Verb::Close { what, size, price, reason } => Words::Close {
            position: if let Closing::Position(id) = what { Some(id.0) } else { None },
            trade: if let Closing::Trade(id) = what { Some(id.0) } else { None },
            size: text(&size),
            price: price.to_string(),
            reason,
        },
        Verb::Acknowledge { events, note } => {
            Words::Acknowledge { events: events.iter().map(|event| event.0).collect(), note }
        }
        Verb::Unacknowledge { event, note } => Words::Unacknowledge { event: event.0, note },
        Verb::ProposeLimit { limit, base_version, value, warning, until, reason } => {
            Words::ProposeLimit {
                limit: limit.0,
                base_version,
                value: value.to_string(),
                warning: text(&warning),
                until,
                reason,
            }
        }
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

#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
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
        Words::Amend { position, stop, target, trailing, reason } => Verb::Amend {
            position: PositionId(position),
            stop: maybe(stop).ok()?,
            target: maybe(target).ok()?,
            trailing: maybe(trailing).ok()?,
            reason,
        },
        Words::Flatten { account, reason } => Verb::Flatten { account: AccountId(account), reason },
        Words::CreateLimit {
            account,
            limit_type,
            scope,
            identifier,
            value,
            unit,
            warning,
            until,
            parameters,
            reason,
        } => Verb::CreateLimit(Box::new(NewLimit {
            account: account.map(AccountId),
            limit_type: limit_type.into(),
            scope: Scope::from_word(&scope)?,
            identifier,
            value: number(&value)?,
            unit,
            warning: maybe(warning).ok()?,
            until,
            parameters,
            reason,
        })),
        Words::RetireLimit { limit, base_version, reason } => {
            Verb::RetireLimit { limit: LimitId(limit), base_version, reason }
        }
        Words::Close { position, trade, size, price, reason } => Verb::Close {
            what: match (position, trade) {
                (Some(position), None) => Closing::Position(PositionId(position)),
                (None, Some(trade)) => Closing::Trade(TradeId(trade)),
                (Some(_), Some(_)) | (None, None) => return None,
            },
            size: maybe(size).ok()?,
            price: number(&price)?,
            reason,
        },
        Words::Acknowledge { events, note } => {
            Verb::Acknowledge { events: events.into_iter().map(EventId).collect(), note }
        }
        Words::Unacknowledge { event, note } => Verb::Unacknowledge { event: EventId(event), note },
        Words::ProposeLimit { limit, base_version, value, warning, until, reason } => {
            Verb::ProposeLimit {
                limit: LimitId(limit),
                base_version,
                value: number(&value)?,
                warning: maybe(warning).ok()?,
                until,
                reason,
            }
        }
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

    #[expect(clippy::too_many_lines, reason = "one of each verb")]
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
                what: Closing::Position(PositionId(id)),
                size: None,
                price: dec!(155.210),
                reason: None,
            },
            Verb::Close {
                what: Closing::Trade(TradeId(id)),
                size: Some(dec!(1.50)),
                price: dec!(155.210),
                reason: reason.clone(),
            },
            Verb::Amend {
                position: PositionId(id),
                stop: Some(dec!(1.0800)),
                target: None,
                trailing: Some(dec!(0.0020)),
                reason: reason.clone(),
            },
            Verb::Flatten { account: AccountId(id), reason: None },
            Verb::CreateLimit(Box::new(NewLimit {
                account: Some(AccountId(id)),
                limit_type: "max_exposure".to_owned().into(),
                scope: Scope::Instrument,
                identifier: Some("EUR_USD".to_owned()),
                value: dec!(1000.00),
                unit: "USD".to_owned(),
                warning: None,
                until: Some(time),
                parameters: Some("{\"from\": \"08:00\"}".to_owned()),
                reason: None,
            })),
            Verb::RetireLimit {
                limit: LimitId(id),
                base_version: Some(time),
                reason: "not needed".to_owned(),
            },
            Verb::Acknowledge { events: vec![EventId(id), EventId(Uuid::nil())], note: None },
            Verb::Unacknowledge { event: EventId(id), note: "why".to_owned() },
            Verb::ProposeLimit {
                limit: LimitId(id),
                base_version: Some(time),
                value: dec!(1500.50),
                warning: Some(dec!(1200)),
                until: Some(time),
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
    fn a_close_that_an_older_version_wrote_down_is_read() {
        let json = r#"{"intent":{"key":"00000000-0000-0000-0000-000000000009","at":"2026-01-02T03:04:05Z","summary":"CLOSE","verb":{"verb":"close","position":"00000000-0000-0000-0000-000000000007","size":null,"price":"1.0850","reason":null}}}"#;
        let read = records(&format!("{} {json}\n", checksum(json)));
        let [Record::Intent(intent)] = read.as_slice() else { panic!("{read:?}") };
        let what = Closing::Position(PositionId(Uuid::from_u128(7)));
        let (size, price, reason) = (None, dec!(1.0850), None);
        assert_eq!(intent.request.verb, Verb::Close { what, size, price, reason });
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
