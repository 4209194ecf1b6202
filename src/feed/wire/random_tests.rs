//! Decoding on random messages.

use chrono::DateTime;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::*;
use crate::domain::change::Kind;

fn decode(channel: &str, payload: impl AsRef<[u8]>) -> Result<Arrival, Dropped> {
    Decoder::new(Channels::default()).decode(channel.as_bytes(), payload.as_ref())
}

/// Pieces that make random JSON look like the messages.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("instrument"),
        Just("bid"),
        Just("ask"),
        Just("time"),
        Just("seq"),
        Just("type"),
        Just("HEARTBEAT"),
        Just("PRICE"),
        Just("bids"),
        Just("asks"),
        Just("price"),
        Just("X"),
        Just("event_id"),
        Just("event_type"),
        Just("data"),
        Just("timestamp"),
        Just("event_ids"),
        Just("2026-11-22T07:26:00Z"),
        Just("emergency.stop"),
        Just("1.08431"),
        Just("\u{1b}[2J"),
    ]
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        token().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((token(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn channel() -> impl Strategy<Value = String> {
    prop_oneof![Just("ticks:X"), Just("ticks:heartbeat"), Just("events:all"), Just("events:x")]
        .prop_map(str::to_owned)
}

fn a_quote() -> impl Strategy<Value = Quote> {
    let price = (1..u64::MAX, 0..=28_u32)
        .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(i128::from(digits), scale));
    let time = (0..4_000_000_000_i64, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap());
    let name = "[A-Z0-9_./:#^-]{1,20}";
    (name, price.clone(), price, time, any::<Option<u64>>()).prop_map(
        |(name, one, two, time, seq)| {
            let instrument = InstrumentId::new(&name);
            Quote::new(instrument, one.min(two), one.max(two), time, seq).unwrap()
        },
    )
}

/// Whether a text is safe to show.
fn is_clean(text: &str) -> bool {
    crate::domain::text::clean(text) == text
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        channel in prop_oneof![channel().prop_map(String::into_bytes), any::<Vec<u8>>()],
        payload in any::<Vec<u8>>(),
    ) {
        let decoded = Decoder::new(Channels::default()).decode(&channel, &payload);
        prop_assert!(!matches!(decoded, Ok(Arrival::Quote(_))), "{payload:?}");
    }

    #[test]
    fn random_json_never_panics_and_its_texts_are_clean(
        channel in channel(),
        value in value(),
    ) {
        if let Ok(Arrival::Event(event)) = decode(&channel, value.to_string()) {
            prop_assert!(is_clean(&event.id) && is_clean(&event.event_type));
            prop_assert!(is_clean(&event.source));
            prop_assert!(event.notice.is_none_or(|(_, sentence)| is_clean(&sentence)));
        }
    }

    #[test]
    fn a_message_with_bytes_changed_never_panics(
        quote in a_quote(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut payload = encode_quote(&quote);
        for (place, byte) in changes {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if let Ok(Arrival::Quote(read)) = decode("ticks:X", &payload) {
            prop_assert!(read.bid > Decimal::ZERO && read.bid <= read.ask);
        }
    }

    #[test]
    fn a_quote_survives_encoding_and_decoding(quote in a_quote()) {
        let channel = Channels::default().tick(quote.instrument.as_str());
        prop_assume!(quote.instrument.as_str() != "heartbeat");
        let read = decode(&channel, encode_quote(&quote));
        let Ok(Arrival::Quote(read)) = read else { panic!("{read:?}") };
        // Compared as texts too: 1.0 and 1.00 are equal numbers and different digits.
        prop_assert_eq!(read.bid.to_string(), quote.bid.to_string());
        prop_assert_eq!(read, quote);
    }

    #[test]
    fn an_event_survives_encoding_and_decoding(id in "[a-z0-9_-]{1,40}", source in any::<String>()) {
        let sent = Outgoing {
            event_id: id.clone(),
            event_type: "trade_executed".to_owned(),
            timestamp: DateTime::from_timestamp(1_763_796_360, 500_000_000).unwrap(),
            source: source.clone(),
            data: Map::from_iter([("trade_id".to_owned(), Value::from(Uuid::from_u128(1).to_string()))]),
            correlation_id: None,
        };
        let read = decode("events:all", encode_event(&sent));
        let Ok(Arrival::Event(read)) = read else { panic!("{read:?}") };
        prop_assert_eq!(&read.id, &id);
        prop_assert_eq!(read.time, Some(sent.timestamp));
        prop_assert_eq!(read.source, crate::domain::text::clean(&source));
        prop_assert_eq!(read.copy, Ring::Second);
        prop_assert_eq!(read.rows, vec![(Kind::Trades, Uuid::from_u128(1))]);
    }
}
