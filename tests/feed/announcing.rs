//! What is said about committed writes, and who is at work.

use std::collections::HashMap;

use redis::Value;
use redis::streams::StreamRangeReply;
use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::event::Severity;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::ids::{AccountId, ClientKey, InstrumentId};
use tmt::domain::outcome::Accepted;
use tmt::domain::request::{NewTrade, Request, Verb};
use tmt::domain::trade::Side;
use tmt::feed::down::Cause;
use tmt::feed::publish::{Announcement, Announcer, Presence, Written, announcement};
use tmt::feed::supervise::FeedReport;
use uuid::Uuid;

use crate::fixture::{Feed, at, command, hasty, options, server};

fn accepted(subject: u128) -> Accepted {
    Accepted {
        subject: Some(Uuid::from_u128(subject)),
        code: None,
        message: "booked".to_owned(),
        done: Vec::new(),
        taken: Vec::new(),
        items: vec![],
    }
}

fn announced(verb: Verb, accepted: &Accepted) -> Announcement {
    let request = Request { key: ClientKey(Uuid::from_u128(7)), verb };
    announcement(&Written {
        request: &request,
        accepted,
        operator: "ada",
        at: at(0),
        account: None,
        instrument: None,
    })
}

fn a_buy() -> Verb {
    Verb::Place(NewTrade {
        account: AccountId(Uuid::from_u128(1)),
        instrument: InstrumentId::new("EUR_USD"),
        side: Side::Buy,
        size: dec!(10000),
        price: dec!(1.08430),
        stop: Some(dec!(1.08)),
        target: None,
        signal: None,
        reason: None,
    })
}

#[tokio::test]
async fn a_trade_is_announced_on_the_bus_and_in_the_stream_of_commands() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let announcer = Announcer::new(options(&server));

    announcer.announce(&announced(a_buy(), &accepted(9))).await.unwrap();

    let FeedReport::Event(event) = feed.next().await else { panic!("the event arrives") };
    assert_eq!(
        (event.event_type.as_str(), event.source.as_str()),
        ("trade_executed", "console:ada")
    );
    assert_eq!(event.kinds, [Kind::Trades, Kind::Positions, Kind::Accounts]);
    let rows = [(Kind::Accounts, Uuid::from_u128(1)), (Kind::Trades, Uuid::from_u128(9))];
    assert_eq!(event.rows, rows);
    feed.received(2).await;
    assert_eq!((feed.board.counters().events, feed.board.counters().echoes), (1, 1));

    let entries: StreamRangeReply = command(&server, &["XRANGE", "tmt:commands", "-", "+"]).await;
    assert_eq!(entries.ids.len(), 1);
    let entry: HashMap<String, String> = entries.ids[0]
        .map
        .iter()
        .map(|(name, value)| (name.clone(), redis::from_redis_value(value.clone()).unwrap()))
        .collect();
    let expected = [
        ("key", Uuid::from_u128(7).to_string()),
        ("verb", "buy".to_owned()),
        ("actor", "ada".to_owned()),
        ("at", "2026-11-22T07:00:00+00:00".to_owned()),
        ("trade_id", Uuid::from_u128(9).to_string()),
        ("account_id", Uuid::from_u128(1).to_string()),
        ("instrument", "EUR_USD".to_owned()),
        ("side", "BUY".to_owned()),
        ("size", "10000".to_owned()),
        ("price", "1.08430".to_owned()),
        ("stop_loss", "1.08".to_owned()),
    ];
    assert_eq!(entry, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn a_halt_is_an_alarm_on_every_console() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let halt = Verb::Halt {
        scope: Scope::Instrument,
        identifier: Some("EUR_USD".to_owned()),
        mode: HaltMode::ReduceOnly,
        reason: "news".to_owned(),
    };

    Announcer::new(options(&server)).announce(&announced(halt, &accepted(9))).await.unwrap();

    let FeedReport::Event(event) = feed.next().await else { panic!("the event arrives") };
    assert!(event.alarm);
    let sentence = "trading disabled: scope instrument, scope identifier EUR_USD, \
                    mode reduce_only, reason news, by ada";
    assert_eq!(event.notice, Some((Severity::Emergency, sentence.to_owned())));
}

#[tokio::test]
async fn the_stream_of_commands_is_trimmed() {
    let server = server().await;
    let mut options = options(&server);
    options.commands_kept = 100;
    let announcer = Announcer::new(options);
    let entry = announced(a_buy(), &accepted(9));

    for _ in 0..500 {
        announcer.announce(&entry).await.unwrap();
    }

    let length: u64 = command(&server, &["XLEN", "tmt:commands"]).await;
    // Redis trims whole nodes of 100 entries.
    assert!((100..=300).contains(&length), "{length}");
}

#[tokio::test]
async fn a_failed_announcement_does_not_affect_the_next() {
    let mut server = server().await;
    let announcer = Announcer::new(hasty(&server));
    let entry = announced(a_buy(), &accepted(9));
    announcer.announce(&entry).await.unwrap();

    server.pause();
    let refused = announcer.announce(&entry).await.unwrap_err();
    assert_eq!(refused.0.cause, Cause::NoAnswer);
    assert!(refused.to_string().starts_with("not announced: no answer from Redis"), "{refused}");
    server.resume();
    announcer.announce(&entry).await.unwrap();

    server.kill().await.unwrap();
    assert_eq!(announcer.announce(&entry).await.unwrap_err().0.cause, Cause::Unreachable);
    server.start_again().await.unwrap();
    announcer.announce(&entry).await.unwrap();
}

#[tokio::test]
async fn a_presence_expires_unless_it_is_renewed() {
    let server = server().await;
    let announcer = Announcer::new(options(&server));
    let presence = Presence {
        operator: "ada".to_owned(),
        console: "c1".to_owned(),
        fields: vec![("host", "desk-4".to_owned()), ("pane", "limits".to_owned())],
    };

    announcer.present(&presence).await.unwrap();
    announcer.looking("risk_events", "e1", "c1").await.unwrap();

    for key in ["tmt:session:ada:c1", "tmt:looking:risk_events:e1"] {
        let left: i64 = command(&server, &["PTTL", key]).await;
        assert!((10_000..=15_000).contains(&left), "{key} lives {left} ms");
    }
    let host: String = command(&server, &["HGET", "tmt:session:ada:c1", "host"]).await;
    assert_eq!(host, "desk-4");
    announcer.left(&presence).await.unwrap();
    let gone: Value = command(&server, &["EXISTS", "tmt:session:ada:c1"]).await;
    assert_eq!(gone, Value::Int(0));
}
