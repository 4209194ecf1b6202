//! The fingerprint of a request: what makes "the same request" the same.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::request::Request;

/// Returns the SHA-256 of the verb as canonical JSON: keys in order, no blanks, numbers as text
/// without needless zeros, and nothing where a field is empty. A field that is added later changes
/// no fingerprint of a request that does not use it.
///
/// The key is not part of it: the database holds the two side by side, and refuses a key that
/// comes back with another fingerprint.
pub fn fingerprint(request: &Request) -> [u8; 32] {
    // Only maps with keys that are not text could not be written; there are none.
    let mut verb = serde_json::to_value(&request.verb).unwrap_or_default();
    canonical(&mut verb);
    Sha256::digest(verb.to_string()).into()
}

fn canonical(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.sort_keys();
            fields.values_mut().for_each(canonical);
        }
        Value::Array(values) => values.iter_mut().for_each(canonical),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rust_decimal::dec;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::{AccountId, ClientKey, EventId, InstrumentId, LimitId, PositionId};
    use crate::domain::request::{Closing, NewTrade, Verb};
    use crate::domain::trade::Side;

    fn trade() -> NewTrade {
        NewTrade {
            account: AccountId(Uuid::from_u128(1)),
            instrument: InstrumentId::new("EUR_USD"),
            side: Side::Buy,
            size: dec!(1.5),
            price: dec!(1.0845),
            stop: Some(dec!(1.08)),
            target: None,
            signal: None,
            reason: None,
        }
    }

    fn of(verb: Verb) -> [u8; 32] {
        fingerprint(&Request { key: ClientKey(Uuid::nil()), verb })
    }

    #[test]
    fn each_field_changes_the_fingerprint() {
        let changes: [fn(&mut NewTrade); 9] = [
            |t| t.account = AccountId(Uuid::from_u128(2)),
            |t| t.instrument = InstrumentId::new("GBP_USD"),
            |t| t.side = Side::Sell,
            |t| t.size = dec!(1.6),
            |t| t.price = dec!(1.0846),
            |t| t.stop = None,
            |t| (t.stop, t.target) = (None, t.stop),
            |t| t.signal = Some(crate::domain::ids::SignalId(Uuid::from_u128(3))),
            |t| t.reason = Some(String::new()),
        ];
        let mut seen = vec![of(Verb::Place(trade()))];
        for change in changes {
            let mut changed = trade();
            change(&mut changed);
            seen.push(of(Verb::Place(changed)));
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn trailing_zeros_do_not_change_it() {
        let mut padded = trade();
        (padded.size, padded.stop) = (dec!(1.500), Some(dec!(1.0800)));
        assert_eq!(of(Verb::Place(trade())), of(Verb::Place(padded)));
    }

    /// Also from one version of the program to the next.
    #[test]
    fn it_is_the_hash_of_this_text() {
        let hash = |json: &str| -> [u8; 32] { Sha256::digest(json).into() };
        assert_eq!(
            of(Verb::Place(trade())),
            hash(concat!(
                r#"{"place":{"account":"00000000-0000-0000-0000-000000000001","#,
                r#""instrument":"EUR_USD","price":"1.0845","side":"BUY","size":"1.5","stop":"1.08"}}"#
            ))
        );
        assert_eq!(
            of(Verb::ProposeLimit {
                limit: LimitId(Uuid::from_u128(7)),
                base_version: DateTime::from_timestamp_micros(1_700_000_000_123_456),
                value: dec!(1000),
                warning: None,
                until: None,
                reason: Some("less risk".to_owned()),
            }),
            hash(concat!(
                r#"{"propose_limit":{"base_version":"2023-11-14T22:13:20.123456Z","#,
                r#""limit":"00000000-0000-0000-0000-000000000007","#,
                r#""reason":"less risk","value":"1000"}}"#
            ))
        );
    }

    #[test]
    fn a_list_is_not_its_parts() {
        let id = |n| EventId(Uuid::from_u128(n));
        let ack = |events| of(Verb::Acknowledge { events, note: None });
        assert_ne!(ack(vec![id(1), id(2)]), ack(vec![id(1)]));
        let close = |size| {
            of(Verb::Close {
                what: Closing::Position(PositionId(Uuid::nil())),
                size,
                price: dec!(1),
                reason: None,
            })
        };
        assert_ne!(close(None), close(Some(dec!(1))));
    }
}
