//! The lines of a journal: one JSON object each, a record and a checksum over its text.
//!
//! A line can be cut off by a full disk or a lost machine, and any byte can rot. What is not intact
//! is told with its line; what stands before and behind it is read.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::ClientKey;
use crate::domain::outcome::OutcomeKind;
use crate::domain::request::Request;

/// A write that is about to be sent, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    pub request: Request,
    pub summary: String,
    /// When it was about to be sent.
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// A write that is about to be sent.
    Sending {
        /// Which database and login.
        place: String,
        intent: Box<Intent>,
    },
    Ended {
        key: ClientKey,
        outcome: OutcomeKind,
    },
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    checksum: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// What every line begins with, and nothing inside one: there each quote has a backslash.
const BEGIN: &[u8] = b"{\"checksum\":\"";

/// Why a line is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    CutOff,
    /// It is no JSON object with a checksum: rotten, or written by something else.
    NotALine,
    Checksum,
    /// It is intact, and this version does not know what it says.
    Unknown(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("is cut off"),
            Self::NotALine => f.write_str("is damaged or of another version"),
            Self::Checksum => f.write_str("fails its checksum"),
            Self::Unknown(why) => write!(f, "is not known to this version ({why})"),
        }
    }
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) records: Vec<Record>,
    /// What is not intact, by line, counted from 1.
    pub(super) faults: Vec<(usize, Fault)>,
}

impl Contents {
    /// Returns which database and login the file is of; `None` where no intent stands in it.
    pub(super) fn place(&self) -> Option<&str> {
        self.records.iter().find_map(|record| match record {
            Record::Sending { place, .. } => Some(place.as_str()),
            Record::Ended { .. } => None,
        })
    }
}

/// Returns a record as a line, with its end.
pub(super) fn line(record: &Record) -> serde_json::Result<String> {
    let record = to_raw_value(record)?;
    let line = Line { checksum: checksum(record.get()), record: &record };
    Ok(format!("{}\n", serde_json::to_string(&line)?))
}

/// Reads a file, whatever is in it.
pub(super) fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut number = 1;
    for piece in pieces(bytes) {
        contents.take(piece, number);
        number += piece.split(|byte| *byte == b'\n').skip(1).count();
    }
    contents
}

impl Contents {
    /// Takes what should be one line.
    fn take(&mut self, piece: &[u8], number: usize) {
        let mut values = serde_json::Deserializer::from_slice(piece).into_iter::<Line<'_>>();
        let fault = match values.next() {
            None => return,
            Some(Ok(line)) => {
                let rest = piece.get(values.byte_offset()..).unwrap_or_default();
                match record(&line) {
                    Ok(record) => {
                        self.records.push(record);
                        (!rest.iter().all(u8::is_ascii_whitespace)).then_some(Fault::NotALine)
                    }
                    Err(fault) => Some(fault),
                }
            }
            Some(Err(error)) if error.is_eof() => Some(Fault::CutOff),
            Some(Err(_)) => Some(Fault::NotALine),
        };
        self.faults.extend(fault.map(|fault| (number, fault)));
    }
}

fn record(line: &Line<'_>) -> Result<Record, Fault> {
    let text = line.record.get();
    if line.checksum != checksum(text) {
        return Err(Fault::Checksum);
    }
    serde_json::from_str(text).map_err(|error| Fault::Unknown(error.to_string()))
}

/// Splits a file where lines begin, not where they end: one that was cut off has no end, and the
/// next one stands right behind it.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = bytes.windows(BEGIN.len()).enumerate().filter(|(_, part)| *part == BEGIN);
    let begins: Vec<usize> = begins.map(|(at, _)| at).collect();
    let from = std::iter::once(0).chain(begins.clone());
    let to = begins.into_iter().chain(std::iter::once(bytes.len()));
    from.zip(to).filter_map(|(from, to)| bytes.get(from..to))
}

/// The first eight bytes of the SHA-256: enough to tell a whole line from a damaged one.
fn checksum(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.first_chunk()
        .map_or_else(String::new, |part| format!("{:016x}", u64::from_be_bytes(*part)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;
    use uuid::Uuid;

    use super::*;
    use crate::domain::halt::{HaltMode, Scope};
    use crate::domain::ids::{
        AccountId, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
    };
    use crate::domain::limit::{LimitKind, Unit};
    use crate::domain::request::{Closing, NewLimit, NewTrade, Verb};
    use crate::domain::trade::Side;
    use crate::store::fingerprint;

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
                limit_type: LimitKind::MaxExposure,
                scope: Scope::Instrument,
                identifier: Some("EUR_USD".to_owned()),
                value: dec!(1000.00),
                unit: Unit::read("USD"),
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

    fn intent(verb: Verb) -> Record {
        let request = Request { key: ClientKey(Uuid::from_u128(9)), verb };
        let (summary, at) = ("in words".to_owned(), DateTime::UNIX_EPOCH);
        let intent = Box::new(Intent { request, summary, at });
        Record::Sending { place: "joe@db1".to_owned(), intent }
    }

    fn end() -> Record {
        Record::Ended { key: ClientKey(Uuid::from_u128(9)), outcome: OutcomeKind::Accepted }
    }

    /// Three records, and where each ends in the file.
    fn file() -> (Vec<Record>, Vec<u8>, Vec<usize>) {
        let halt = verbs().into_iter().find(|verb| matches!(verb, Verb::Halt { .. })).unwrap();
        let records = vec![intent(halt.clone()), end(), intent(halt)];
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for record in &records {
            bytes.extend(line(record).unwrap().into_bytes());
            ends.push(bytes.len());
        }
        (records, bytes, ends)
    }

    #[test]
    fn every_verb_is_read_back_with_the_same_fingerprint() {
        for verb in verbs() {
            let record = intent(verb.clone());
            let written = line(&record).unwrap();
            assert_eq!(written.lines().count(), 1, "{written}");
            let read = read(written.as_bytes());
            assert_eq!(read, Contents { records: vec![record], faults: vec![] }, "{written}");
            let [Record::Sending { intent, .. }] = read.records.as_slice() else { panic!() };
            let sent = Request { key: intent.request.key, verb };
            assert_eq!(fingerprint(&intent.request), fingerprint(&sent), "{written}");
        }
    }

    #[test]
    fn a_line_is_json_with_money_as_text() {
        let close = Verb::Close {
            what: Closing::Position(PositionId(Uuid::from_u128(7))),
            size: Some(dec!(1.50)),
            price: dec!(0.1),
            reason: None,
        };
        let written = line(&intent(close)).unwrap();
        let line: serde_json::Value = serde_json::from_str(&written).unwrap();
        let close = &line["record"]["sending"]["intent"]["request"]["verb"]["close"];
        assert_eq!((close["size"].as_str(), close["price"].as_str()), (Some("1.5"), Some("0.1")));
    }

    #[test]
    fn one_rotten_bit_costs_one_record_at_most_and_is_told() {
        let (records, bytes, ends) = file();
        for at in 0..bytes.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut rotten = bytes.clone();
                rotten[at] ^= bit;
                let read = read(&rotten);
                let line = ends.iter().filter(|end| **end <= at).count();
                let others = records.iter().enumerate().filter(|(number, _)| *number != line);
                for (number, record) in others {
                    assert!(read.records.contains(record), "byte {at}, bit {bit:#x}: {number}");
                }
                assert!(read.records.iter().all(|record| records.contains(record)));
                let is_blank = rotten[at].is_ascii_whitespace() && bytes[at] == b'\n';
                assert!(!read.faults.is_empty() || is_blank, "byte {at}, bit {bit:#x}");
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_off_keeps_its_whole_lines() {
        let (records, bytes, ends) = file();
        for length in 0..bytes.len() {
            let read = read(&bytes[..length]);
            // A line that lacks only its end is whole.
            let whole = ends.iter().filter(|end| **end <= length + 1).count();
            assert_eq!(read.records, records[..whole], "{length} bytes");
            let is_between =
                length == 0 || ends.iter().any(|end| [*end, *end - 1].contains(&length));
            assert_eq!(read.faults.is_empty(), is_between, "{length} bytes: {:?}", read.faults);
        }
    }

    #[test]
    fn a_line_behind_one_that_was_cut_off_is_read() {
        let whole = line(&end()).unwrap();
        let torn = &line(&intent(verbs().remove(0))).unwrap()[..80];
        let read = read(format!("{whole}{torn}{whole}").as_bytes());
        assert_eq!(read.records, [end(), end()]);
        assert_eq!(read.faults, [(2, Fault::CutOff)]);
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing_behind_them() {
        let whole = line(&end()).unwrap();
        let mut bytes = b"\xff\xfe\n".to_vec();
        bytes.extend(whole.bytes());
        bytes.extend(line(&end()).unwrap().replace("accepted", "\u{e9}").bytes());
        let at = bytes.iter().position(|byte| *byte == 0xc3).unwrap();
        bytes[at] = 0xff;
        let read = read(&bytes);
        assert_eq!(read.records, [end()]);
        assert_eq!(read.faults, [(1, Fault::NotALine), (3, Fault::NotALine)]);
    }

    #[test]
    fn a_field_of_a_later_version_is_not_dropped_in_silence() {
        // Without it the fingerprint would be another, and the database would refuse the key.
        let record = to_raw_value(&intent(verbs().remove(0))).unwrap();
        let later = record.get().replace("\"side\"", "\"venue\":\"X\",\"side\"");
        let later = RawValue::from_string(later).unwrap();
        let line = Line { checksum: checksum(later.get()), record: &later };
        let read = read(serde_json::to_string(&line).unwrap().as_bytes());
        let [(1, Fault::Unknown(why))] = read.faults.as_slice() else { panic!("{read:?}") };
        assert!(why.contains("venue"), "{why}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_record_or_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(read(&bytes).records, []);
        }
    }
}
