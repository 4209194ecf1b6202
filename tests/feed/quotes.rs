//! Prices: counted, conflated, ordered by their numbers.

use rust_decimal::dec;
use std::collections::BTreeMap;
use tmt::domain::quote::Quote;
use tmt::feed::supervise::FeedReport;
use tmt::feed::wire::Dropped;
use tokio::time::timeout;

use crate::fixture::{Feed, PATIENCE, command, publish, publisher, quote, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_quotes_are_counted_and_the_newest_kept() {
    let server = server().await;
    let feed = Feed::up(&server).await;
    let names: Vec<String> = (0..10).map(|number| format!("PAIR_{number}")).collect();
    let each = |seq: u64| names.iter().map(move |name| quote(name, 1, seq));
    let quotes: Vec<Quote> = (1..=10_000).flat_map(each).collect();

    publisher(&server).quotes(&quotes).await.unwrap();
    feed.received(100_000).await;

    let counters = feed.board.counters();
    assert_eq!((counters.received, counters.quotes, counters.taken), (100_000, 100_000, 100_000));
    assert_eq!((counters.gaps, counters.duplicates, counters.old, counters.dropped), (0, 0, 0, 0));
    assert_eq!(counters.replaced, 100_000 - 10);
    assert_eq!(feed.board.drain(), each(10_000).collect::<Vec<_>>());
    assert_eq!(feed.board.drain(), []);
}

#[tokio::test]
async fn a_quote_wakes_its_waiter() {
    let server = server().await;
    let feed = Feed::up(&server).await;
    let mut publisher = publisher(&server);
    for seq in 1..=3 {
        publisher.quotes(&[quote("EUR_USD", 1, seq)]).await.unwrap();
        timeout(PATIENCE, feed.board.changed()).await.expect("the board says that it changed");
        assert_eq!(feed.board.drain(), [quote("EUR_USD", 1, seq)]);
    }
}

#[tokio::test]
async fn gaps_are_reported_and_old_or_duplicate_quotes_dropped() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let sent = [(1, 10), (2, 11), (2, 11), (1, 10), (3, 15)];
    let quotes = sent.map(|(second, seq)| quote("EUR_USD", second, seq));

    publisher(&server).quotes(&quotes).await.unwrap();

    assert_eq!(feed.next().await, FeedReport::Jumped { missed: 3, restarts: 0 });
    let counters = feed.board.counters();
    assert_eq!((counters.quotes, counters.taken), (5, 3));
    assert_eq!((counters.duplicates, counters.old), (1, 1));
    assert_eq!((counters.gaps, counters.missed, counters.restarts), (1, 3, 0));
    assert_eq!(feed.board.drain(), [quote("EUR_USD", 3, 15)]);
}

#[tokio::test]
async fn a_restarted_sequence_is_accepted() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let quotes = [quote("EUR_USD", 1, 900), quote("EUR_USD", 2, 1), quote("EUR_USD", 3, 2)];

    publisher(&server).quotes(&quotes).await.unwrap();

    assert_eq!(feed.next().await, FeedReport::Jumped { missed: 0, restarts: 1 });
    feed.received(3).await;
    assert_eq!(feed.board.newest(), [quote("EUR_USD", 3, 2)]);
}

#[tokio::test]
async fn a_quote_from_the_far_future_does_not_block_its_instrument() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let mut quotes = vec![quote("EUR_USD", 1_000_000, u64::MAX)];
    quotes.extend((1..=9).map(|seq| quote("EUR_USD", 1, seq)));

    publisher(&server).quotes(&quotes).await.unwrap();

    assert_eq!(feed.next().await, FeedReport::Jumped { missed: 0, restarts: 1 });
    feed.received(10).await;
    assert_eq!(feed.board.newest(), [quote("EUR_USD", 1, 9)]);
}

#[tokio::test]
async fn invalid_messages_are_counted_and_the_last_price_kept() {
    let server = server().await;
    let feed = Feed::up(&server).await;
    let good = quote("EUR_USD", 1, 1);
    publisher(&server).quotes(std::slice::from_ref(&good)).await.unwrap();
    let deep = [b"{\"a\":".repeat(10_000), b"1".to_vec(), b"}".repeat(10_000)].concat();
    let tick = |bid: &str, ask: &str| {
        format!(
            r#"{{"instrument":"EUR_USD","bid":{bid},"ask":{ask},"time":"2026-11-22T07:00:00Z"}}"#
        )
        .into_bytes()
    };
    let invalid: Vec<(&str, Vec<u8>, Dropped)> = vec![
        ("ticks:EUR_USD", b"\xff\xfe\x00".to_vec(), Dropped::NotText),
        ("ticks:EUR_USD", b"hello".to_vec(), Dropped::NotJson),
        ("ticks:EUR_USD", deep, Dropped::TooDeep),
        ("ticks:EUR_USD", vec![b' '; 2 << 20], Dropped::TooLong),
        ("ticks:EUR_USD", tick("1e400", "2"), Dropped::Unreadable("bid")),
        ("ticks:EUR_USD", tick("\"NaN\"", "2"), Dropped::Unreadable("bid")),
        ("ticks:EUR_USD", tick("-0", "2"), Dropped::NotPositive),
        ("ticks:EUR_USD", tick("2", "1"), Dropped::Crossed),
        ("ticks:EUR_USD", tick("1", "1,\"ask\":2"), Dropped::DuplicateKey),
        ("ticks:GBP_USD", tick("1", "2"), Dropped::OtherInstrument),
        ("events:\u{1b}[2J", b"[]".to_vec(), Dropped::NotJson),
    ];
    let mut expected: BTreeMap<(String, Dropped), u64> = BTreeMap::new();
    for (channel, payload, why) in &invalid {
        publish(&server, channel, payload).await;
        *expected.entry((channel.replace('\u{1b}', "␛"), *why)).or_default() += 1;
    }

    let sent = u64::try_from(invalid.len()).unwrap();
    feed.received(1 + sent).await;

    assert_eq!(feed.board.counters().reasons, expected);
    assert_eq!(feed.board.counters().dropped, sent);
    assert_eq!(feed.board.newest(), [good]);
    assert_eq!(subscribers(&server).await, 1, "the connection was never given up");
}

#[tokio::test]
async fn an_oversized_message_is_counted_and_skipped() {
    let server = server().await;
    let feed = Feed::up(&server).await;

    publish(&server, "ticks:EUR_USD", &vec![b'7'; 20 << 20]).await;
    publisher(&server).quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    feed.received(2).await;

    let too_long = ("ticks:EUR_USD".to_owned(), Dropped::TooLong);
    assert_eq!(feed.board.counters().reasons, BTreeMap::from([(too_long, 1)]));
    assert_eq!(feed.board.newest(), [quote("EUR_USD", 1, 1)]);
    assert_eq!(subscribers(&server).await, 1, "the connection was never given up");
}

#[tokio::test]
async fn the_price_message_of_oanda_is_understood() {
    let server = server().await;
    let feed = Feed::up(&server).await;
    let message = br#"{"type":"PRICE","time":"2026-11-22T07:00:01.000000000Z",
        "bids":[{"price":"1.08430","liquidity":10000000},{"price":1.08431,"liquidity":1}],
        "asks":[{"price":"1.08434"},{"price":"1.08433"}],"closeoutBid":"1.0",
        "status":"tradeable","tradeable":true,"instrument":"EUR_USD"}"#;

    publish(&server, "ticks:EUR_USD", message).await;
    feed.received(1).await;

    let mut expected = quote("EUR_USD", 1, 0);
    expected.seq = None;
    (expected.bid, expected.ask) = (dec!(1.08431), dec!(1.08433));
    assert_eq!(feed.board.drain(), [expected]);
}

/// Returns how many connections are subscribed to something.
async fn subscribers(server: &tmt::local::Redis) -> usize {
    let list: String = command(server, &["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    list.lines().filter(|line| !line.is_empty()).count()
}
