//! The sentinel: once a second it marks positions to market, rolls trading days that are over, and
//! measures every active limit. The database does the work; this is the clock that calls it.
//!
//! It also publishes on the bus what it raised, so that consoles read it at once. A publish that
//! fails loses nothing: the rows are in the database.
//!
//! Any number of sentinels may run. One is the leader, by a lock that its connection holds; the
//! others wait, and one takes over as soon as that connection ends. An unreachable server is retried.

use crate::domain::unit::Unit;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::limit::Standing;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::domain::standing::LimitStanding;
use crate::feed::publish::Publisher;
use crate::store::watch::{Round, SentinelConnection};
use crate::store::{Store, StoreError};

/// How long a round may run after the stop.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Interval between rounds.
    pub every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(1) }
    }
}

/// What a sentinel reports, once each time it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentinelEvent {
    /// This sentinel is the leader now.
    Leads,
    /// Another sentinel is the leader; this one waits.
    Waits {
        /// Its login, if the database shows it.
        leader: Option<String>,
    },
    /// The database is unreachable; retrying.
    Lost(String),
    Changed(LimitStanding),
    /// Days, weeks or months were closed or opened.
    Rolled {
        rows: i64,
    },
    /// A change could not be published on the bus.
    NotAnnounced(String),
}

/// Reports to the caller, and publishes changes on the bus.
#[derive(Debug)]
pub struct Notifier {
    events: mpsc::Sender<SentinelEvent>,
    bus: Option<Publisher>,
    /// The last publish failed, and that was reported.
    is_bus_failing: bool,
}

impl Notifier {
    /// Sends everything to `events`, and changes to `bus`. A dropped receiver or an unreachable bus
    /// does not stop the sentinel.
    pub fn new(events: mpsc::Sender<SentinelEvent>, bus: Option<Publisher>) -> Self {
        Self { events, bus, is_bus_failing: false }
    }

    async fn tell(&self, what: SentinelEvent) {
        // The receiver may be gone.
        self.events.send(what).await.ok();
    }

    /// Publishes changed standings.
    async fn announce(&mut self, news: &[LimitStanding]) {
        let Some(bus) = &mut self.bus else { return };
        match bus.standings(news).await {
            Ok(()) => self.is_bus_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_bus_failing, true) {
                    self.tell(SentinelEvent::NotAnnounced(error.to_string())).await;
                }
            }
        }
    }
}

/// What is kept from one connection to the next.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// The database is unreachable, and that was reported.
    is_lost: bool,
    /// It led or waited once, so login and schema are right.
    has_worked: bool,
}

/// What was reported of the limits.
#[derive(Debug)]
struct Known {
    until: DateTime<Utc>,
    /// Limits in warning or breach, by type and subject.
    not_ok: BTreeMap<String, LimitStanding>,
}

impl Known {
    async fn new(watch: &mut SentinelConnection, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let not_ok = watch.changed_since(None).await?;
        let not_ok = not_ok.into_iter().map(|standing| (key(&standing), standing)).collect();
        Ok(Self { until: now, not_ok })
    }

    /// Records a standing; returns whether it is news. A limit that is measured for the first time and
    /// is ok is not.
    fn is_news(&mut self, standing: &LimitStanding) -> bool {
        if standing.state == Standing::Ok {
            return self.not_ok.remove(&key(standing)).is_some();
        }
        self.not_ok.insert(key(standing), standing.clone());
        true
    }
}

fn key(standing: &LimitStanding) -> String {
    let unit = standing.unit.as_ref().map_or("", Unit::as_str);
    format!("{} {} {unit}", standing.limit_type, standing.subject)
}

/// Runs until `stop`, and finishes the round that is running.
///
/// # Errors
///
/// [`StoreError`] where a retry does not help: the login lacks the right, or the schema is missing.
/// Not cancel safe: use `stop`.
pub async fn run(
    options: Options,
    store: Store,
    mut notifier: Notifier,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let mut ticks = interval(options.every.max(Duration::from_millis(1)));
    // After a suspend one round is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State::default();
    while next(&mut ticks, &stop).await {
        let ended = match store.watch().await {
            Ok(watch) => serve(watch, &mut ticks, &mut notifier, &stop, &mut state).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => return Ok(()),
            // What worked before can work again: after a failover, or when a right is restored.
            Err(error) if error.needs_a_person() && !state.has_worked => return Err(error),
            Err(error) => {
                if !std::mem::replace(&mut state.is_lost, true) {
                    notifier.tell(SentinelEvent::Lost(error.to_string())).await;
                }
            }
        }
    }
    Ok(())
}

/// Runs one round unless another sentinel is the leader. Returns its result.
///
/// # Errors
///
/// [`StoreError`]
pub async fn once(store: &Store, notifier: &mut Notifier) -> Result<Option<Round>, StoreError> {
    let mut watch = store.watch().await?;
    let Some(now) = watch.lead().await? else {
        let leader = watch.leader().await?;
        notifier.tell(SentinelEvent::Waits { leader }).await;
        return Ok(None);
    };
    let mut known = Known::new(&mut watch, now).await?;
    round(&mut watch, notifier, &mut known).await.map(Some)
}

/// Waits to become the leader, then leads, on one connection, until `stop`.
async fn serve(
    mut watch: SentinelConnection,
    ticks: &mut Interval,
    notifier: &mut Notifier,
    stop: &CancellationToken,
    state: &mut State,
) -> Result<(), StoreError> {
    let mut has_waited = false;
    let now = loop {
        if let Some(now) = watch.lead().await? {
            break now;
        }
        *state = State { is_lost: false, has_worked: true };
        if !std::mem::replace(&mut has_waited, true) {
            let leader = watch.leader().await?;
            notifier.tell(SentinelEvent::Waits { leader }).await;
        }
        if !next(ticks, stop).await {
            return Ok(());
        }
    };
    notifier.tell(SentinelEvent::Leads).await;
    let mut known = Known::new(&mut watch, now).await?;
    for standing in known.not_ok.values() {
        notifier.tell(SentinelEvent::Changed(standing.clone())).await;
    }
    loop {
        tokio::select! {
            done = round(&mut watch, notifier, &mut known) => {
                done?;
            }
            // The server finishes what was started.
            () = stopped_for_grace(stop) => return Ok(()),
        }
        *state = State { is_lost: false, has_worked: true };
        if !next(ticks, stop).await {
            return Ok(());
        }
    }
}

/// Waits for `stop` and then for the grace period of a running round.
async fn stopped_for_grace(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(GRACE).await;
}

/// Runs one round and reports what changed.
async fn round(
    watch: &mut SentinelConnection,
    notifier: &mut Notifier,
    known: &mut Known,
) -> Result<Round, StoreError> {
    let done = watch.round().await?;
    if done.rolled > 0 {
        notifier.tell(SentinelEvent::Rolled { rows: done.rolled }).await;
    }
    if done.changed > 0 {
        let mut news = Vec::new();
        for standing in watch.changed_since(Some(known.until)).await? {
            known.until = standing.since.max(known.until);
            if known.is_news(&standing) {
                news.push(standing);
            }
        }
        notifier.announce(&news).await;
        for standing in news {
            notifier.tell(SentinelEvent::Changed(standing)).await;
        }
    }
    Ok(done)
}

/// Waits for the next tick; false at the stop.
async fn next(ticks: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        _ = ticks.tick() => true,
    }
}
