//! The fingerprint of a request: what makes "the same request" the same.

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::request::{NewLimit, NewTrade, Request, Verb};

/// Rises if the encoding below ever changes, so that an old journal is not taken for a new one.
const VERSION: &str = "tmt request 1";

/// Returns the SHA-256 of every field that was frozen at review.
///
/// The key is not part of it: the database holds the two side by side, and refuses a key that
/// comes back with other fields. Amounts count by value, so `1.50` and `1.5` are the same.
#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
pub fn fingerprint(request: &Request) -> [u8; 32] {
    let mut fields = Fields(Sha256::new());
    fields.text(VERSION);
    match &request.verb {
        Verb::Place(trade) => fields.trade(trade),
        Verb::Close { what, size, price, reason } => {
            fields.text("close");
            fields.id(what.key());
            fields.maybe(*size, Fields::number);
            fields.number(*price);
            fields.maybe(reason.as_deref(), Fields::text);
        }
        Verb::Amend { position, stop, target, trailing, reason } => {
            fields.text("amend");
            fields.id(position.0);
            for level in [stop, target, trailing] {
                fields.maybe(*level, Fields::number);
            }
            fields.maybe(reason.as_deref(), Fields::text);
        }
        Verb::Flatten { account, reason } => {
            fields.text("flatten");
            fields.id(account.0);
            fields.maybe(reason.as_deref(), Fields::text);
        }
        Verb::Acknowledge { events, note } => {
            fields.text("acknowledge");
            fields.count(events.len());
            for event in events {
                fields.id(event.0);
            }
            fields.maybe(note.as_deref(), Fields::text);
        }
        Verb::Unacknowledge { event, note } => {
            fields.text("unacknowledge");
            fields.id(event.0);
            fields.text(note);
        }
        Verb::ProposeLimit { limit, base_version, value, warning, until, reason } => {
            fields.text("propose_limit");
            fields.id(limit.0);
            fields.maybe(*base_version, Fields::time);
            fields.number(*value);
            fields.maybe(*warning, Fields::number);
            fields.maybe(reason.as_deref(), Fields::text);
            // Only where it is said: what an older version froze keeps its fingerprint.
            if until.is_some() {
                fields.maybe(*until, Fields::time);
            }
        }
        Verb::CreateLimit(limit) => fields.limit(limit),
        Verb::RetireLimit { limit, base_version, reason } => {
            fields.text("retire_limit");
            fields.id(limit.0);
            fields.maybe(*base_version, Fields::time);
            fields.text(reason);
        }
        Verb::ApproveLimit { limit, note } => {
            fields.text("approve_limit");
            fields.id(limit.0);
            fields.maybe(note.as_deref(), Fields::text);
        }
        Verb::RejectLimit { limit, note } => {
            fields.text("reject_limit");
            fields.id(limit.0);
            fields.maybe(note.as_deref(), Fields::text);
        }
        Verb::Halt { scope, identifier, mode, reason } => {
            fields.text("halt");
            fields.text(scope.as_str());
            fields.maybe(identifier.as_deref(), Fields::text);
            fields.text(mode.as_str());
            fields.text(reason);
        }
        Verb::Resume { halt, reason } => {
            fields.text("resume");
            fields.id(halt.0);
            fields.text(reason);
        }
    }
    fields.0.finalize().into()
}

/// Fields, each with its length before it, so that no two lists of fields read the same.
struct Fields(Sha256);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn count(&mut self, count: usize) {
        // A length beyond u64 does not exist; the digits keep this free of casts.
        self.0.update(format!("{count}:"));
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn id(&mut self, id: Uuid) {
        self.bytes(id.as_bytes());
    }

    fn number(&mut self, number: Decimal) {
        self.text(&number.normalize().to_string());
    }

    fn time(&mut self, time: DateTime<Utc>) {
        // Microseconds: what PostgreSQL keeps of a time.
        self.text(&time.to_rfc3339_opts(SecondsFormat::Micros, true));
    }

    fn maybe<T>(&mut self, value: Option<T>, put: fn(&mut Self, T)) {
        self.count(usize::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn limit(&mut self, limit: &NewLimit) {
        self.text("create_limit");
        self.maybe(limit.account.map(|account| account.0), Self::id);
        self.text(limit.limit_type.as_str());
        self.text(limit.scope.as_str());
        self.maybe(limit.identifier.as_deref(), Self::text);
        self.number(limit.value);
        self.text(&limit.unit);
        self.maybe(limit.warning, Self::number);
        self.maybe(limit.until, Self::time);
        self.maybe(limit.parameters.as_deref(), Self::text);
        self.maybe(limit.reason.as_deref(), Self::text);
    }

    fn trade(&mut self, trade: &NewTrade) {
        self.text("place");
        self.id(trade.account.0);
        self.text(trade.instrument.as_str());
        self.text(trade.side.as_str());
        self.number(trade.size);
        self.number(trade.price);
        self.maybe(trade.stop, Self::number);
        self.maybe(trade.target, Self::number);
        self.maybe(trade.signal.map(|signal| signal.0), Self::id);
        self.maybe(trade.reason.as_deref(), Self::text);
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::ids::{AccountId, ClientKey, EventId, InstrumentId, LimitId, PositionId};
    use crate::domain::request::Closing;
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
    fn each_field_changes_it() {
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
    fn the_same_amount_is_the_same_request() {
        let mut padded = trade();
        padded.size = dec!(1.500);
        assert_eq!(of(Verb::Place(trade())), of(Verb::Place(padded)));
    }

    #[test]
    fn it_does_not_change_from_one_version_of_the_program_to_the_next() {
        let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(of(Verb::Place(trade()))),
            "41c99ce50d98df9613db445d28a5ec5a85d15ebce5af8689f99b929006d299fb"
        );
        assert_eq!(
            hex(of(Verb::ProposeLimit {
                limit: LimitId(Uuid::from_u128(7)),
                base_version: DateTime::from_timestamp_micros(1_700_000_000_123_456),
                value: dec!(1000),
                warning: None,
                until: None,
                reason: Some("less risk".to_owned()),
            })),
            "6a9ea6834267c5f086581c682115f3af630e3ff68a9d1e280624e265bfdaaba9"
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
