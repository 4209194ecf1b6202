//! Polls the database.
//!
//! Once a second, or at once on an event of the bus, a poll asks what changed since the cursor and
//! reads those rows. The cursor advances only when all were read, so a failed read is repeated and no
//! row is missed. At longer intervals everything is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use crate::app::Msg;
use crate::domain::change::Kind;
use crate::store::{Store, StoreError};

/// Shortest interval of polls on events: a flood of events costs one query each tenth of a second.
const RING_EVERY: Duration = Duration::from_millis(100);

/// Interval of reading the session: rights can be revoked, clocks drift.
const SESSION_EVERY: Duration = Duration::from_secs(10);

/// Requests a poll. Cheap to clone; requests between two polls count as one.
#[derive(Debug, Clone, Default)]
pub struct Doorbell {
    bell: Arc<Notify>,
    all: Arc<AtomicBool>,
}

impl Doorbell {
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Requests a full read.
    pub fn ring_for_all(&self) {
        self.all.store(true, Ordering::SeqCst);
        self.ring();
    }
}

#[derive(Debug)]
pub struct Poller {
    store: Store,
    clock: Clock,
    replies: mpsc::Sender<Msg>,
    doorbell: Doorbell,
    poll_every: Duration,
    reconcile_every: Duration,
    cursor: Option<String>,
    session_at: Option<Instant>,
    reconciled_at: Instant,
}

/// The console is gone.
struct Gone;

impl Poller {
    /// Returns a poller and its doorbell.
    pub fn new(
        store: Store,
        clock: Clock,
        replies: mpsc::Sender<Msg>,
        poll_every: Duration,
        reconcile_every: Duration,
    ) -> (Self, Doorbell) {
        let doorbell = Doorbell::default();
        let reconciled_at = Instant::now();
        let poller = Self {
            store,
            clock,
            replies,
            doorbell: doorbell.clone(),
            poll_every,
            reconcile_every,
            cursor: None,
            session_at: None,
            reconciled_at,
        };
        (poller, doorbell)
    }

    /// Polls until `stop` is cancelled or the console is gone.
    pub async fn run(mut self, stop: CancellationToken) {
        let polls = async {
            loop {
                let answered = self.round().await;
                if answered.is_err() {
                    return;
                }
                // A request during the round starts the next one after the shortest interval.
                tokio::time::sleep(RING_EVERY).await;
                let rest = self.poll_every.saturating_sub(RING_EVERY);
                let rung = timeout(rest, self.doorbell.bell.notified()).await;
                tracing::trace!(rung = rung.is_ok(), "next poll");
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = polls => {}
        }
    }

    async fn round(&mut self) -> Result<(), Gone> {
        match self.ask().await? {
            Ok(()) => Ok(()),
            Err(error) => {
                // The next answer may come from another server, with other rights.
                self.session_at = None;
                self.tell(Msg::DatabaseLost { reason: error.to_string() }).await
            }
        }
    }

    async fn ask(&mut self) -> Result<Result<(), StoreError>, Gone> {
        let is_known = self.session_at.is_some_and(|at| at.elapsed() < SESSION_EVERY);
        if !is_known && let Err(error) = self.introduce().await? {
            return Ok(Err(error));
        }
        let is_due = self.reconciled_at.elapsed() >= self.reconcile_every;
        if self.doorbell.all.swap(false, Ordering::SeqCst) || is_due {
            self.cursor = None;
        }
        let asked_at = self.clock.elapsed();
        let changes = match self.store.changes(self.cursor.as_deref()).await {
            Ok(changes) => changes,
            Err(error) => return Ok(Err(error)),
        };
        let mut confirmed: Vec<Kind> = Kind::ALL.to_vec();
        for (kind, ids) in changes.changed {
            if !self.read(kind, ids).await? {
                confirmed.retain(|other| *other != kind);
            }
        }
        let is_whole = confirmed.len() == Kind::ALL.len();
        if is_whole {
            if self.cursor.is_none() {
                self.reconciled_at = Instant::now();
            }
            self.cursor = Some(changes.cursor);
        }
        let round_trip = changes.round_trip;
        self.tell(Msg::Confirmed { kinds: confirmed, asked_at, round_trip }).await.map(Ok)
    }

    async fn introduce(&mut self) -> Result<Result<(), StoreError>, Gone> {
        let probe = match self.store.probe().await {
            Ok(probe) => probe,
            Err(error) => return Ok(Err(error)),
        };
        self.session_at = Some(Instant::now());
        let round_trip = probe.round_trip;
        let offset: TimeDelta = self.clock.learn(probe.session.server_time, round_trip / 2);
        let session = probe.session;
        self.tell(Msg::SessionOpened { session, round_trip, offset }).await.map(Ok)
    }

    /// Reads rows of one kind; returns whether it succeeded.
    async fn read(&self, kind: Kind, ids: Option<Vec<String>>) -> Result<bool, Gone> {
        match self.store.read(kind, ids.as_deref()).await {
            Ok(read) => {
                let (rows, unreadable) = (read.rows, read.unreadable);
                self.tell(Msg::RowsRead { rows, asked: ids, unreadable }).await?;
                Ok(true)
            }
            Err(error) => {
                self.tell(Msg::ReadFailed { kind, reason: error.to_string() }).await?;
                Ok(false)
            }
        }
    }

    async fn tell(&self, msg: Msg) -> Result<(), Gone> {
        self.replies.send(msg).await.map_err(|_| Gone)
    }
}
