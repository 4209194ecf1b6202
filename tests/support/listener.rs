//! Somebody who listens to the bus as a console does, and remembers everything.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that fails fails its test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tmt::feed::board::{Board, Counters};
use tmt::feed::supervise::{self, FeedReport};
use tmt::feed::wire::BusEvent;
use tmt::local::{self, Redis};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a condition may take to come true, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// A Redis of one test.
pub(crate) async fn redis() -> Redis {
    Redis::start(local::Options::in_memory()).await.unwrap()
}

/// Where it is.
pub(crate) fn feed(redis: &Redis) -> tmt::feed::Options {
    tmt::feed::Options::new(redis.socket_url())
}

/// A subscription, with all that arrived.
pub(crate) struct Listener {
    pub(crate) board: Arc<Board>,
    reports: Arc<Mutex<Vec<FeedReport>>>,
    _stop: DropGuard,
}

impl Listener {
    /// Subscribes, and returns when the subscription is up.
    pub(crate) async fn to(options: tmt::feed::Options) -> Self {
        let (board, reports) = (Arc::new(Board::new()), Arc::new(Mutex::new(Vec::new())));
        let stop = CancellationToken::new();
        let (sender, mut receiver) = mpsc::channel(256);
        tokio::spawn(supervise::run(options, Arc::clone(&board), sender, stop.clone()));
        let kept = Arc::clone(&reports);
        tokio::spawn(async move {
            while let Some(report) = receiver.recv().await {
                kept.lock().unwrap().push(report);
            }
        });
        let listener = Self { board, reports, _stop: stop.drop_guard() };
        until("the subscription is up", async || listener.ups() > 0).await;
        listener
    }

    /// How often the subscription came up.
    pub(crate) fn ups(&self) -> usize {
        let reports = self.reports.lock().unwrap();
        reports.iter().filter(|report| matches!(report, FeedReport::Up { .. })).count()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.board.counters()
    }

    /// The events of a type.
    pub(crate) fn events(&self, event_type: &str) -> Vec<BusEvent> {
        let reports = self.reports.lock().unwrap();
        let events = reports.iter().filter_map(|report| {
            let FeedReport::Event(event) = report else { return None };
            (event.event_type == event_type).then(|| (**event).clone())
        });
        events.collect()
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
