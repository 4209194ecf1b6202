//! The feed on a real Redis: reconnecting, gaps, rubbish, slow callers, announcements.
//!
//! Every server here is private to its test, on a Unix socket in a temporary folder.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures fail the test that uses them"
)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Value;
use rust_decimal::dec;
use tempfile::TempDir;
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::Options;
use tmt::feed::board::Board;
use tmt::feed::publish::Publisher;
use tmt::feed::supervise::{FeedReport, run};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that must happen. Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A private server. Killed when it goes out of scope.
struct Redis {
    folder: TempDir,
    options: Vec<String>,
    child: Child,
}

impl Redis {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let child = Self::spawn(&folder, &options);
        let server = Self { folder, options, child };
        server.answers().await;
        server
    }

    fn spawn(folder: &TempDir, options: &[String]) -> Child {
        Command::new("redis-server")
            .current_dir(folder.path())
            .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn options(&self) -> Options {
        Options::new(self.url())
    }

    async fn answers(&self) {
        until("the server answers", async || self.try_command(&["PING"]).await.is_ok()).await;
    }

    async fn try_command(&self, words: &[&str]) -> redis::RedisResult<Value> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (name, rest) = words.split_first().unwrap();
        redis::cmd(name).arg(rest).query_async(&mut connection).await
    }

    async fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).await.expect("the command is accepted")
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.child = Self::spawn(&self.folder, &self.options);
        self.answers().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail only for a server that a test has killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A running feed.
struct Feed {
    board: Arc<Board>,
    reports: mpsc::Receiver<FeedReport>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Feed {
    fn start(options: Options) -> Self {
        Self::start_with_queue(options, 256)
    }

    fn start_with_queue(options: Options, length: usize) -> Self {
        let board = Arc::new(Board::new());
        let (sender, reports) = mpsc::channel(length);
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(options, Arc::clone(&board), sender, stop.clone()));
        Self { board, reports, stop, task }
    }

    async fn up(server: &Redis) -> Self {
        let mut feed = Self::start(server.options());
        assert_eq!(feed.next().await, FeedReport::Up { gap: None });
        feed
    }

    async fn next(&mut self) -> FeedReport {
        let report = timeout(PATIENCE, self.reports.recv()).await;
        report.expect("a report arrives in time").expect("the feed runs")
    }

    async fn until(&self, what: &str, condition: impl Fn(&Board) -> bool) {
        until(what, async || condition(&self.board)).await;
    }
}

/// Waits until a condition holds.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

fn at(second: u32) -> DateTime<Utc> {
    "2026-11-22T07:00:00Z".parse::<DateTime<Utc>>().unwrap()
        + chrono::Duration::seconds(i64::from(second))
}

fn quote(name: &str, seq: u32) -> Quote {
    let bid = dec!(1.08431) + rust_decimal::Decimal::new(i64::from(seq % 1000), 5);
    let instrument = InstrumentId::new(name);
    Quote::new(instrument, bid, bid + dec!(0.00002), at(seq), Some(u64::from(seq))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_quotes_are_counted_exactly_and_the_newest_stand() {
    let server = Redis::start().await;
    let feed = Feed::up(&server).await;
    let names: Vec<String> = (0..10).map(|number| format!("PAIR_{number}")).collect();
    let quotes: Vec<Quote> =
        (1..=10_000).flat_map(|seq| names.iter().map(move |name| quote(name, seq))).collect();
    let mut publisher = Publisher::new(server.options());
    publisher.quotes(&quotes).await.unwrap();

    feed.until("all quotes arrive", |board| board.counters().received >= 100_000).await;

    let counters = feed.board.counters();
    assert_eq!((counters.received, counters.quotes, counters.taken), (100_000, 100_000, 100_000));
    assert_eq!((counters.gaps, counters.duplicates, counters.old, counters.dropped), (0, 0, 0, 0));
    assert_eq!(counters.replaced, 100_000 - 10);
    let newest: Vec<Quote> = names.iter().map(|name| quote(name, 10_000)).collect();
    assert_eq!(feed.board.drain(), newest);
    assert!(feed.board.drain().is_empty());
    feed.stop.cancel();
    timeout(PATIENCE, feed.task).await.expect("it stops").unwrap();
}
