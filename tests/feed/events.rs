//! Events: counted once, never lost, whatever the caller does.

use serde_json::{Map, Value, json};
use tmt::domain::change::Kind;
use tmt::domain::event::Severity;
use tmt::feed::supervise::FeedReport;
use tmt::feed::wire::{BusEvent, Outgoing};

use crate::fixture::{Feed, at, options, publish, publisher, quote, server};

fn event(id: &str, event_type: &str, data: Value) -> Outgoing {
    let Value::Object(data) = data else { panic!("a body is an object") };
    Outgoing {
        event_id: id.to_owned(),
        event_type: event_type.to_owned(),
        timestamp: at(0),
        source: "test".to_owned(),
        data,
        correlation_id: None,
    }
}

fn silent(id: &str) -> Outgoing {
    event(id, "signal_generated", Value::Object(Map::new()))
}

async fn next_event(feed: &mut Feed) -> BusEvent {
    let report = feed.next().await;
    let FeedReport::Event(event) = report else { panic!("not an event: {report:?}") };
    *event
}

#[tokio::test]
async fn an_event_on_both_channels_counts_once() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let sent: Vec<Outgoing> = (0..100).map(|number| silent(&number.to_string())).collect();

    publisher(&server).events(&sent).await.unwrap();
    feed.received(200).await;

    for sent in &sent {
        let arrived = next_event(&mut feed).await;
        assert_eq!((&arrived.id, arrived.kinds), (&sent.event_id, &[Kind::Signals][..]));
    }
    let counters = feed.board.counters();
    assert_eq!((counters.events, counters.echoes, counters.repeats), (100, 100, 0));
    assert!(feed.reports.try_recv().is_err(), "nothing was told twice");
}

#[tokio::test]
async fn an_event_on_the_common_channel_only_counts_too() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let body = br#"{"event_id":"x","event_type":"agent_status_changed","data":{}}"#;

    publish(&server, "events:all", body).await;
    publish(&server, "events:all", body).await;
    feed.received(2).await;

    assert_eq!(next_event(&mut feed).await.kinds, [Kind::Agents]);
    let counters = feed.board.counters();
    assert_eq!((counters.events, counters.echoes, counters.repeats), (1, 0, 1));
}

#[tokio::test]
async fn an_emergency_stop_is_an_alarm_and_a_resync() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let stop = event("s", "emergency.stop", json!({ "reason": "fat\nfinger\u{202e}" }));

    publisher(&server).events(&[stop]).await.unwrap();

    let arrived = next_event(&mut feed).await;
    assert!(arrived.alarm);
    assert_eq!(arrived.kinds, Kind::ALL);
    let sentence = "emergency stop: reason fat␤finger\u{fffd}".to_owned();
    assert_eq!(arrived.notice, Some((Severity::Emergency, sentence)));
}

#[tokio::test]
async fn a_slow_reader_blocks_nothing_and_loses_no_event() {
    let server = server().await;
    let mut feed = Feed::with_queue(options(&server), 1);
    let mut publisher = publisher(&server);
    // The queue holds one report: that the feed is up. Nobody reads it.
    let ready = publisher_is_heard(&feed, &mut publisher);
    ready.await;
    let mut events: Vec<Outgoing> = (0..1000).map(|number| silent(&number.to_string())).collect();
    events.insert(500, event("stop", "emergency_rollback", json!({ "reason": "test" })));
    let quotes: Vec<_> = (2..=10_001).map(|seq| quote("EUR_USD", 1, seq)).collect();

    publisher.events(&events).await.unwrap();
    publisher.quotes(&quotes).await.unwrap();
    feed.received(1 + 2002 + 10_000).await;

    assert_eq!(feed.board.counters().events, 1001);
    assert_eq!(feed.board.newest(), [quote("EUR_USD", 1, 10_001)]);
    assert_eq!(feed.next().await, FeedReport::Up { gap: None });
    let FeedReport::Collapsed { events, notices } = feed.next().await else {
        panic!("the events were folded into one report");
    };
    assert_eq!(events, 1001);
    assert_eq!(notices.iter().map(|kept| kept.id.as_str()).collect::<Vec<_>>(), ["stop"]);
    // From here on events are told one by one again.
    publisher.events(&[silent("later")]).await.unwrap();
    assert_eq!(next_event(&mut feed).await.id, "later");
}

/// Publishes the first quote until it arrives.
async fn publisher_is_heard(feed: &Feed, publisher: &mut tmt::feed::publish::Publisher) {
    while feed.board.newest().is_empty() {
        publisher.quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    }
}
