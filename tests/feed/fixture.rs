//! Servers, feeds and messages that the tests share.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult};
use rust_decimal::{Decimal, dec};
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::Options;
use tmt::feed::board::Board;
use tmt::feed::down::Down;
use tmt::feed::publish::Publisher;
use tmt::feed::supervise::{FeedReport, run};
use tmt::local::{self, Redis};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Longest wait for what must happen. Generous: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn server() -> Redis {
    Redis::start(local::Options::ephemeral()).await.unwrap()
}

/// Options whose deadlines a busy machine keeps.
pub(crate) fn options(server: &Redis) -> Options {
    patient(Options::new(server.socket_url()))
}

/// Sets the deadlines so that a busy machine keeps them.
pub(crate) fn patient(options: Options) -> Options {
    Options { connect_within: PATIENCE, answer_within: PATIENCE, ..options }
}

/// Options with the deadlines of the real program.
pub(crate) fn hasty(server: &Redis) -> Options {
    Options::new(server.socket_url())
}

pub(crate) fn publisher(server: &Redis) -> Publisher {
    Publisher::new(options(server))
}

/// Sends one command on a connection of its own.
pub(crate) async fn try_command<T: FromRedisValue>(
    server: &Redis,
    words: &[&str],
) -> RedisResult<T> {
    let mut connection = connection(server).await?;
    let (name, rest) = words.split_first().unwrap();
    redis::cmd(name).arg(rest).query_async(&mut connection).await
}

pub(crate) async fn command<T: FromRedisValue>(server: &Redis, words: &[&str]) -> T {
    try_command(server, words).await.expect("the server accepts the command")
}

/// Connects without the half second that the library allows for an answer.
async fn connection(server: &Redis) -> RedisResult<MultiplexedConnection> {
    let client = redis::Client::open(server.socket_url())?;
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Publishes bytes, whatever they are.
pub(crate) async fn publish(server: &Redis, channel: &str, payload: &[u8]) {
    let mut connection = connection(server).await.unwrap();
    let mut command = redis::cmd("PUBLISH");
    let () = command.arg(channel).arg(payload).query_async(&mut connection).await.unwrap();
}

/// A running feed.
pub(crate) struct Feed {
    pub(crate) board: Arc<Board>,
    pub(crate) reports: mpsc::Receiver<FeedReport>,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Feed {
    pub(crate) fn start(options: Options) -> Self {
        Self::with_queue(options, 256)
    }

    pub(crate) fn with_queue(options: Options, length: usize) -> Self {
        let board = Arc::new(Board::new());
        let (sender, reports) = mpsc::channel(length);
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(options, Arc::clone(&board), sender, stop.clone()));
        Self { board, reports, stop, task }
    }

    /// Starts a feed and waits until it is up.
    pub(crate) async fn up(server: &Redis) -> Self {
        Self::up_with(options(server)).await
    }

    pub(crate) async fn up_with(options: Options) -> Self {
        let mut feed = Self::start(options);
        assert_eq!(feed.next().await, FeedReport::Up { gap: None });
        feed
    }

    pub(crate) async fn next(&mut self) -> FeedReport {
        let report = timeout(PATIENCE, self.reports.recv()).await;
        report.expect("a report arrives in time").expect("the feed runs")
    }

    pub(crate) async fn next_down(&mut self) -> Down {
        let report = self.next().await;
        let FeedReport::Down(down) = report else { panic!("not down: {report:?}") };
        down
    }

    /// Waits for the next time it is up, through any number of failed attempts.
    pub(crate) async fn next_up(&mut self) -> Option<Duration> {
        loop {
            if let FeedReport::Up { gap } = self.next().await {
                return gap;
            }
        }
    }

    pub(crate) async fn received(&self, messages: u64) {
        until("the messages arrive", async || self.board.counters().received >= messages).await;
    }

    pub(crate) async fn ends(self) {
        timeout(PATIENCE, self.task).await.expect("the feed ends in time").unwrap();
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// A moment of the day that the messages of these tests are about.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-11-22T07:00:00Z".parse().unwrap();
    start + TimeDelta::seconds(second)
}

/// A quote whose prices follow from its number.
pub(crate) fn quote(name: &str, second: i64, seq: u64) -> Quote {
    let bid = dec!(1.08431) + Decimal::new(i64::try_from(seq % 1000).unwrap(), 5);
    Quote::new(InstrumentId::new(name), bid, bid + dec!(0.00002), at(second), Some(seq)).unwrap()
}
