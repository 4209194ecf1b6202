//! Decoding on good, bad and random messages.

use chrono::DateTime;
use rstest::rstest;
use rust_decimal::dec;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::change::Kind;
use crate::domain::event::Severity;

fn decode(channel: &str, payload: impl AsRef<[u8]>) -> Result<Arrival, Dropped> {
    Decoder::new(Channels::default()).decode(channel.as_bytes(), payload.as_ref())
}

fn event(payload: &Value) -> BusEvent {
    match decode("events:x", payload.to_string()) {
        Ok(Arrival::Event(event)) => *event,
        other => panic!("not an event: {other:?}"),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn the_price_message_of_tmt_is_decoded() {
    let payload = r#"{"instrument": "EUR_USD", "bid": "1.08431", "ask": "1.08433",
        "time": "2026-11-22T07:26:00.123456Z", "seq": 123456}"#;
    let quote = Quote {
        instrument: InstrumentId::new("EUR_USD"),
        bid: dec!(1.08431),
        ask: dec!(1.08433),
        time: at("2026-11-22T07:26:00.123456Z"),
        seq: Some(123_456),
    };
    assert_eq!(decode("ticks:EUR_USD", payload), Ok(Arrival::Quote(quote)));
}

#[test]
fn numbers_keep_digits_that_a_float_would_lose() {
    let payload = r#"{"instrument":"X","bid":0.10000000000000000001,"ask":1e-1,"time":"2026-11-22T07:26:00Z"}"#;
    // 0.1 + 1e-20 and 0.1 are the same double: as floats, this quote would not be crossed.
    assert_eq!(decode("ticks:X", payload), Err(Dropped::Crossed));
}

#[test]
fn a_heartbeat_is_decoded_on_any_price_channel() {
    let payload = r#"{"type":"HEARTBEAT","time":"2026-11-22T07:26:00"}"#;
    let beat = Ok(Arrival::Heartbeat { time: at("2026-11-22T07:26:00Z") });
    assert_eq!(decode("ticks:heartbeat", payload), beat);
    assert_eq!(decode("ticks:EUR_USD", payload), beat);
    let without = r#"{"type":"HEARTBEAT"}"#;
    assert_eq!(decode("ticks:heartbeat", without), Err(Dropped::Missing("time")));
}

/// A tick that is good but for what the case replaces.
fn tick(field: &str, value: &str) -> String {
    let good = [
        ("instrument", "\"X\""),
        ("bid", "\"1.1\""),
        ("ask", "\"1.2\""),
        ("time", "\"2026-11-22T07:26:00Z\""),
    ];
    let mut fields: Vec<String> = good
        .iter()
        .filter(|(name, _)| *name != field)
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    if !value.is_empty() {
        fields.push(format!("\"{field}\":{value}"));
    }
    format!("{{{}}}", fields.join(","))
}

#[rstest]
#[case("bid", "", Dropped::Missing("bid"))]
#[case("bid", "null", Dropped::Missing("bid"))]
#[case("ask", "", Dropped::Missing("ask"))]
#[case("time", "", Dropped::Missing("time"))]
#[case("instrument", "", Dropped::Missing("instrument"))]
#[case("instrument", "\"Y\"", Dropped::OtherInstrument)]
#[case("instrument", "7", Dropped::Unreadable("instrument"))]
#[case("bid", "{}", Dropped::Unreadable("bid"))]
#[case("bid", "true", Dropped::Unreadable("bid"))]
#[case("bid", "\"\"", Dropped::Unreadable("bid"))]
#[case("bid", "\"1.1\\u0030\"", Dropped::Unreadable("bid"))]
#[case("bid", "1e400", Dropped::Unreadable("bid"))]
#[case("bid", "\"Infinity\"", Dropped::Unreadable("bid"))]
#[case("bid", "NaN", Dropped::NotJson)]
#[case("bid", "-0", Dropped::NotPositive)]
#[case("bid", "0.0", Dropped::NotPositive)]
#[case("bid", "-1.1", Dropped::NotPositive)]
#[case("bid", "1.3", Dropped::Crossed)]
#[case("bid", "1,\"bid\":1", Dropped::DuplicateKey)]
#[case("seq", "-1", Dropped::Unreadable("seq"))]
#[case("seq", "1.5", Dropped::Unreadable("seq"))]
#[case("seq", "18446744073709551616", Dropped::Unreadable("seq"))]
#[case("time", "\"yesterday\"", Dropped::Unreadable("time"))]
#[case("time", "\"2026-02-30T00:00:00Z\"", Dropped::Unreadable("time"))]
#[case("time", "1763796360", Dropped::Unreadable("time"))]
#[case("type", "5", Dropped::Unreadable("type"))]
fn an_invalid_price_is_dropped_with_its_reason(
    #[case] field: &str,
    #[case] value: &str,
    #[case] why: Dropped,
) {
    assert!(decode("ticks:X", tick("seq", "1")).is_ok());
    assert_eq!(decode("ticks:X", tick(field, value)), Err(why));
}

#[rstest]
#[case(b"", Dropped::NotJson)]
#[case(b"{", Dropped::NotJson)]
#[case(b"{}{}", Dropped::NotJson)]
#[case(b"null", Dropped::NotJson)]
#[case(b"\"text\"", Dropped::NotJson)]
#[case(b"[\"PRICE\",\"X\",\"2026-11-22T07:26:00Z\",1,1,1]", Dropped::NotJson)]
#[case(b"\xff", Dropped::NotText)]
#[case(b"{\"bid\":\"\xc3\x28\"}", Dropped::NotText)]
#[case(b"{\"bid\":\"\\ud800\"}", Dropped::Missing("instrument"))]
fn a_payload_that_is_not_an_object_is_dropped(#[case] payload: &[u8], #[case] why: Dropped) {
    assert_eq!(decode("ticks:X", payload), Err(why));
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        tick("more", &format!("{open}{close}"))
    };
    assert!(decode("ticks:X", nested(DEEPEST)).is_ok());
    assert_eq!(decode("ticks:X", nested(DEEPEST + 1)), Err(Dropped::TooDeep));
    assert_eq!(decode("ticks:X", nested(10_000)), Err(Dropped::TooDeep));
    // Brackets inside a text, behind an escaped quote, or side by side are not depth.
    assert!(decode("ticks:X", tick("more", &format!("\"\\\"{}\"", "{[".repeat(99)))).is_ok());
    assert!(decode("ticks:X", tick("more", &format!("[[]{}]", ",[]".repeat(99)))).is_ok());

    let filled = |length: usize| {
        let text = tick("more", "\"\"");
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(length - text.len())))
    };
    assert!(decode("ticks:X", filled(LONGEST_PAYLOAD)).is_ok());
    assert_eq!(decode("ticks:X", filled(LONGEST_PAYLOAD + 1)), Err(Dropped::TooLong));
}

#[rstest]
#[case("ticks:", Dropped::NotAName)]
#[case("ticks:EUR USD", Dropped::NotAName)]
#[case("ticks:\u{1b}[2J", Dropped::NotAName)]
#[case("ticks:ABCDEFGHIJKLMNOPQRSTU", Dropped::NotAName)]
#[case("ticks:ÄÖÜ", Dropped::NotAName)]
#[case("ticks:heartbeat", Dropped::NotAName)]
#[case("elsewhere", Dropped::UnknownChannel)]
fn only_names_that_the_column_can_hold_are_instruments(
    #[case] channel: &str,
    #[case] why: Dropped,
) {
    assert_eq!(decode(channel, tick("seq", "1")), Err(why));
}

#[test]
fn random_names_do_not_fill_memory() {
    let mut decoder = Decoder::new(Channels::default());
    let mut send = |number: usize| {
        let name = format!("N{number}");
        let payload = tick("instrument", &format!("\"{name}\""));
        decoder.decode(format!("ticks:{name}").as_bytes(), payload.as_bytes())
    };
    assert!((0..MOST_INSTRUMENTS).all(|number| send(number).is_ok()));
    assert_eq!(send(MOST_INSTRUMENTS), Err(Dropped::TooManyInstruments));
    assert!(send(0).is_ok(), "known instruments go on");
}

#[test]
fn the_envelope_of_tmt_is_decoded() {
    let signal = Uuid::from_u128(5);
    let arrived = event(&json!({
        "event_id": "signal_8f0c", "event_type": "signal_generated",
        "timestamp": "2025-10-10T14:03:11.123456", "source": "market-analysis",
        "data": {"signal_id": signal.to_string(), "agent_id": "a", "signal_data": {"x": [1]}},
        "correlation_id": null, "more": 1
    }));
    assert_eq!(
        arrived,
        BusEvent {
            id: "signal_8f0c".to_owned(),
            event_type: "signal_generated".to_owned(),
            source: "market-analysis".to_owned(),
            time: Some(at("2025-10-10T14:03:11.123456Z")),
            copy: Ring::First,
            kinds: &[Kind::Signals],
            rows: vec![(Kind::Signals, signal)],
            notice: None,
            alarm: false,
            ends_alarm: false,
            listed: false,
        }
    );
}

#[rstest]
#[case("trade.trade_opened", &[Kind::Trades, Kind::Positions, Kind::Accounts])]
#[case("trade_trade_opened", &[Kind::Trades, Kind::Positions, Kind::Accounts])]
#[case("circuit_breaker.triggered", &[Kind::Events, Kind::Halts])]
#[case("emergency_stop", &Kind::ALL)]
#[case("risk_limit.approved", &[Kind::Limits])]
#[case("oanda.connected", &[Kind::SystemEvents])]
fn both_spellings_of_a_type_are_equal(#[case] event_type: &str, #[case] kinds: &[Kind]) {
    let arrived = event(&json!({ "event_id": "1", "event_type": event_type }));
    assert_eq!(arrived.kinds, kinds);
}

#[test]
fn an_unknown_type_is_listed_with_type_and_source() {
    let arrived = event(&json!({
        "event_id": "1", "event_type": "new\u{1b}thing", "source": "some\none", "data": 7
    }));
    assert!(arrived.listed && !arrived.alarm);
    assert_eq!((arrived.event_type.as_str(), arrived.source.as_str()), ("new␛thing", "some␤one"));
}

#[test]
fn a_circuit_breaker_notice_has_its_reason() {
    let arrived = event(&json!({
        "event_id": "1", "event_type": "circuit_breaker_triggered",
        "data": {"breaker_type": "daily_loss", "account_id": "101-001-21040028-001", "reason": "5 %"}
    }));
    let sentence = "circuit breaker triggered: breaker type daily_loss, \
                    account id 101-001-21040028-001, reason 5 %";
    assert_eq!(arrived.notice, Some((Severity::Critical, sentence.to_owned())));
    assert_eq!(arrived.rows, [], "a broker's own identifier names no row");
}

#[rstest]
#[case(json!(1_234_567.50), json!("5000"), "value 1,234,567.5, threshold 5,000")]
#[case(json!("1e9"), json!("much"), "value 1e9, threshold much")]
fn amounts_in_a_notice_have_thousands_separators(
    #[case] value: Value,
    #[case] threshold: Value,
    #[case] said: &str,
) {
    let arrived = event(&json!({
        "event_id": "1", "event_type": "performance_alert",
        "data": {"metric": "max_vega", "value": value, "threshold": threshold}
    }));
    let (_, sentence) = arrived.notice.unwrap();
    assert_eq!(sentence, format!("performance alert: metric max_vega, {said}"));
}

#[rstest]
#[case(json!({ "event_type": "x" }), Dropped::Missing("event_id"))]
#[case(json!({ "event_id": "x" }), Dropped::Missing("event_type"))]
#[case(json!({ "event_id": 5, "event_type": "x" }), Dropped::Unreadable("event_id"))]
#[case(json!({ "event_id": "x", "event_type": " " }), Dropped::Unreadable("event_type"))]
fn an_event_without_id_or_type_is_dropped(#[case] payload: Value, #[case] why: Dropped) {
    assert_eq!(decode("events:x", payload.to_string()), Err(why));
}

#[test]
fn an_event_with_invalid_fields_still_counts() {
    let arrived = event(&json!({
        "event_id": "1", "event_type": "emergency.stop", "timestamp": "now", "source": 3,
        "data": [1, 2]
    }));
    assert!(arrived.alarm);
    assert_eq!((arrived.time, arrived.source.as_str()), (None, "3"));
}

#[test]
fn wildcards_in_a_prefix_are_escaped() {
    let channels = Channels { events: "a*[b]:".to_owned(), ..Channels::default() };
    assert_eq!(channels.patterns(), ["a\\*\\[b\\]:*", "ticks:*"]);
}
