//! The server goes away in every way it can, and comes back.

use std::time::Duration;

use redis::Value;
use tmt::feed::down::Cause;
use tmt::feed::publish::Publisher;
use tmt::feed::supervise::FeedReport;
use tmt::local::{self, Redis};
use tokio::time::Instant;

use crate::fixture::{Feed, at, command, hasty, options, publish, publisher, quote, server, until};

#[tokio::test]
async fn a_killed_server_and_its_return_are_noticed() {
    let mut server = server().await;
    let mut feed = Feed::up(&server).await;

    let killed = Instant::now();
    server.kill().await.unwrap();
    let down = feed.next_down().await;
    let noticed = killed.elapsed();
    assert_eq!(down.cause, Cause::Lost);
    assert_eq!(feed.next_down().await.cause, Cause::Unreachable);
    let restarted = Instant::now();
    server.start_again().await.unwrap();
    let gap = feed.next_up().await.expect("it was up before");
    let outage = killed.elapsed();

    assert!(noticed < Duration::from_secs(2), "took {noticed:?}");
    assert!(restarted.elapsed() < Duration::from_secs(5), "took {:?}", restarted.elapsed());
    assert!(gap <= outage + Duration::from_millis(1500), "{gap:?} for an outage of {outage:?}");
    publisher(&server).quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    feed.received(1).await;
}

#[tokio::test]
async fn a_silent_server_is_down_within_the_deadlines() {
    let mut server = server().await;
    let mut feed = Feed::up_with(hasty(&server)).await;

    let paused = Instant::now();
    server.pause();
    let down = feed.next_down().await;
    let noticed = paused.elapsed();
    // A stopped server still accepts connections: only a deadline ends the attempts.
    assert_eq!(feed.next_down().await.cause, Cause::NoAnswer);
    server.resume();
    let gap = feed.next_up().await.expect("it was up before");

    assert_eq!(down.cause, Cause::NoAnswer);
    assert!(noticed < Duration::from_secs(4), "took {noticed:?}");
    assert!(gap >= Duration::from_secs(1), "the silence before the verdict belongs to it");
}

#[tokio::test]
async fn repeated_cuts_do_not_cause_a_reconnect_storm() {
    let server = server().await;
    let mut feed = Feed::up(&server).await;
    let before = connections(&server).await;

    let begun = Instant::now();
    for _ in 0..5 {
        let _: Value = command(&server, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        assert_eq!(feed.next_down().await.cause, Cause::Lost);
        assert!(feed.next_up().await.is_some());
    }

    // Waits of 100, 200, 400, 800 and 1000 ms, each at least half as long.
    assert!(begun.elapsed() > Duration::from_millis(1200), "took {:?}", begun.elapsed());
    // Five of the feed, and one for each command here.
    let made = connections(&server).await - before;
    assert!(made <= 5 + 6, "{made} connections");
}

async fn connections(server: &Redis) -> u64 {
    let text: String = command(server, &["INFO", "stats"]).await;
    let line = text.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_feed_starts_without_a_server_and_waits_for_it() {
    let mut server = server().await;
    server.halt().await.unwrap();
    let mut feed = Feed::start(options(&server));

    assert_eq!(feed.next_down().await.cause, Cause::Unreachable);
    server.start_again().await.unwrap();

    assert_eq!(feed.next_up().await, None, "nothing was missed that had been heard");
}

#[tokio::test]
async fn a_loading_server_is_reported_until_it_is_ready() {
    let options = local::Options::ephemeral().redis_setting("enable-debug-command", "yes");
    let server = Redis::start(options).await.unwrap();
    let mut feed = Feed::up(&server).await;
    for setting in ["key-load-delay 100", "loading-process-events-interval-bytes 1024"] {
        let words = ["CONFIG", "SET"].into_iter().chain(setting.split(' '));
        let _: Value = command(&server, &words.collect::<Vec<_>>()).await;
    }
    let _: Value = command(&server, &["DEBUG", "POPULATE", "20000"]).await;
    let reload = async {
        // Answers when the two seconds of loading are over.
        let _: Value = command(&server, &["DEBUG", "RELOAD"]).await;
    };
    let watch = async {
        // The subscription stays; that it is worth nothing shows at the next ping.
        assert_eq!(feed.next_down().await.cause, Cause::Loading);
        assert!(feed.next_up().await.is_some());
    };

    tokio::join!(reload, watch);
}

#[tokio::test]
async fn a_replica_without_its_master_is_not_ready() {
    let server = server().await;
    let _: Value = command(&server, &["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    let _: Value = command(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let mut feed = Feed::start(options(&server));

    let down = feed.next_down().await;
    assert_eq!(down.cause, Cause::NotReady);
    assert!(down.to_string().contains("MASTERDOWN"), "{down}");
    let _: Value = command(&server, &["REPLICAOF", "NO", "ONE"]).await;

    assert_eq!(feed.next_up().await, None);
}

#[tokio::test]
async fn a_disconnected_subscriber_reports_a_gap_and_goes_on() {
    let limit = "pubsub 1mb 256kb 5";
    let options = local::Options::ephemeral().redis_setting("client-output-buffer-limit", limit);
    let server = Redis::start(options).await.unwrap();
    let mut feed = Feed::up(&server).await;

    publish(&server, "ticks:EUR_USD", &vec![b'7'; 8 << 20]).await;

    assert_eq!(feed.next_down().await.cause, Cause::Lost);
    assert!(feed.next_up().await.is_some());
    publisher(&server).quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    feed.received(1).await;
}

#[tokio::test]
async fn prices_are_stale_without_a_heartbeat() {
    let server = server().await;
    let mut options = options(&server);
    options.heartbeat_every = Duration::from_millis(50);
    let mut feed = Feed::up_with(options).await;
    let mut publisher = publisher(&server);

    publisher.heartbeat(at(0)).await.unwrap();
    let FeedReport::Stale { silent } = feed.next().await else { panic!("the prices are stale") };
    assert!(silent >= Duration::from_millis(150), "{silent:?}");
    publisher.heartbeat(at(1)).await.unwrap();

    assert!(matches!(feed.next().await, FeedReport::Fresh { .. }));
    assert!(matches!(feed.next().await, FeedReport::Stale { .. }));
    publisher.quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    assert!(matches!(feed.next().await, FeedReport::Fresh { .. }), "a price is a sign of life");
}

#[tokio::test]
async fn a_stopped_feed_ends_at_once() {
    let mut server = server().await;
    let reading = Feed::up(&server).await;
    reading.stop.cancel();
    reading.ends().await;

    server.pause();
    let connecting = Feed::start(options(&server));
    connecting.stop.cancel();
    connecting.ends().await;
    server.resume();

    let mut waiting = Feed::start(options(&server));
    server.halt().await.unwrap();
    loop {
        if let FeedReport::Down(down) = waiting.next().await
            && down.cause == Cause::Unreachable
        {
            break;
        }
    }
    waiting.stop.cancel();
    waiting.ends().await;
}

#[tokio::test]
async fn a_feed_without_a_reader_ends() {
    let server = server().await;
    let Feed { reports, board, .. } = Feed::up(&server).await;
    drop(reports);
    until("the feed lets go of the board", async || std::sync::Arc::strong_count(&board) == 1)
        .await;
}

#[tokio::test]
async fn a_publisher_survives_a_restart_of_the_server() {
    let mut server = server().await;
    let mut publisher = Publisher::new(options(&server));
    publisher.heartbeat(at(0)).await.unwrap();

    server.kill().await.unwrap();
    let refused = publisher.heartbeat(at(1)).await.unwrap_err();
    assert_eq!(refused.0.cause, Cause::Unreachable);
    server.start_again().await.unwrap();
    publisher.heartbeat(at(2)).await.unwrap();

    server.halt().await.unwrap();
    server.start_again().await.unwrap();
    publisher.heartbeat(at(3)).await.expect("a dead connection is found out without a failure");
}
