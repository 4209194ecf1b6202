//! The limit monitor: once a second it revalues what is held, closes the days that are over, and
//! judges every live limit. All judging is the database's; this is the clock that asks for it.
//!
//! What it raises it also says on the bus, so that consoles look at once. The bus is a doorbell: what
//! it does not take is in the database all the same.
//!
//! Any number of sentinels may run: one leads, by a lock that its connection holds; the others wait,
//! and one of them takes over as soon as that connection ends. A server that goes away is waited
//! for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::limit::Standing;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::domain::standing::LimitStanding;
use crate::feed::publish::Publisher;
use crate::store::watch::{Round, Watch};
use crate::store::{Store, StoreError};

/// How long a round may go on after it was asked to stop.
const PARTING: Duration = Duration::from_secs(2);

/// How the sentinel works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// From one round to the next.
    pub every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { every: Duration::from_secs(1) }
    }
}

/// Something to be told, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentinelEvent {
    /// This one leads from now on.
    Leads,
    /// Another one leads; this one waits.
    Waits {
        /// Who, where the database says it.
        leader: Option<String>,
    },
    /// The database does not answer; it is tried again.
    Lost(String),
    /// A limit changed its standing.
    Changed(LimitStanding),
    /// Days, weeks or months were closed or begun.
    Rolled { rows: i64 },
    /// What changed was not said on the bus.
    NotAnnounced(String),
}

/// Where it tells what happened: to whoever started it, and on the bus.
#[derive(Debug)]
pub struct Notifier {
    said: mpsc::Sender<SentinelEvent>,
    bus: Option<Publisher>,
    /// The bus did not take the last announcement, and that was said.
    is_deaf: bool,
}

impl Notifier {
    /// Tells `said` of everything, and `bus` of what was raised. A reader of `said` that is gone
    /// does not stop the work, and no more does a bus that is away.
    pub fn new(said: mpsc::Sender<SentinelEvent>, bus: Option<Publisher>) -> Self {
        Self { said, bus, is_deaf: false }
    }

    async fn tell(&self, what: SentinelEvent) {
        // Nobody reads any more: the work goes on.
        self.said.send(what).await.ok();
    }

    /// Says on the bus what was raised.
    async fn announce(&mut self, news: &[LimitStanding]) {
        let Some(bus) = &mut self.bus else { return };
        match bus.standings(news).await {
            Ok(()) => self.is_deaf = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_deaf, true) {
                    self.tell(SentinelEvent::NotAnnounced(error.to_string())).await;
                }
            }
        }
    }
}

/// What a sentinel remembers from one connection to the next.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// It was told that the database is lost.
    is_lost: bool,
    /// It led or waited once: the login and the schema are right.
    has_worked: bool,
}

/// What was told of the limits.
#[derive(Debug)]
struct Known {
    until: DateTime<Utc>,
    /// Those that are not well, by what and whom they limit.
    unwell: BTreeMap<String, LimitStanding>,
}

impl Known {
    async fn new(watch: &mut Watch, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let unwell = watch.changed_since(None).await?;
        let unwell = unwell.into_iter().map(|standing| (key(&standing), standing)).collect();
        Ok(Self { until: now, unwell })
    }

    /// Takes a standing; tells whether it is news. A limit that is judged for the first time and is
    /// well is none.
    fn is_news(&mut self, standing: &LimitStanding) -> bool {
        if standing.state == Standing::Ok {
            return self.unwell.remove(&key(standing)).is_some();
        }
        self.unwell.insert(key(standing), standing.clone());
        true
    }
}

fn key(standing: &LimitStanding) -> String {
    let unit = standing.unit.as_deref().unwrap_or_default();
    format!("{} {} {unit}", standing.limit_type, standing.subject)
}

/// Works until `stop`. A round that is under way is ended first.
///
/// # Errors
///
/// [`StoreError`] where waiting does not help: the login has no right to it, or the schema is not
/// there. Not cancel safe: use `stop`.
pub async fn run(
    options: Options,
    store: Store,
    mut ears: Notifier,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let mut rhythm = interval(options.every.max(Duration::from_millis(1)));
    // After a standstill one round is enough.
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State::default();
    while next(&mut rhythm, &stop).await {
        let ended = match store.watch().await {
            Ok(watch) => serve(watch, &mut rhythm, &mut ears, &stop, &mut state).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => return Ok(()),
            // What worked before can work again: a standby that takes over, a right that was given
            // back.
            Err(error) if error.needs_a_person() && !state.has_worked => return Err(error),
            Err(error) => {
                if !std::mem::replace(&mut state.is_lost, true) {
                    ears.tell(SentinelEvent::Lost(error.to_string())).await;
                }
            }
        }
    }
    Ok(())
}

/// Does one round, if no other sentinel leads. Returns what it did.
///
/// # Errors
///
/// [`StoreError`]
pub async fn once(store: &Store, ears: &mut Notifier) -> Result<Option<Round>, StoreError> {
    let mut watch = store.watch().await?;
    let Some(now) = watch.lead().await? else {
        let leader = watch.leader().await?;
        ears.tell(SentinelEvent::Waits { leader }).await;
        return Ok(None);
    };
    let mut known = Known::new(&mut watch, now).await?;
    round(&mut watch, ears, &mut known).await.map(Some)
}

/// Waits for the lead, then leads, over one connection, until `stop`.
async fn serve(
    mut watch: Watch,
    rhythm: &mut Interval,
    ears: &mut Notifier,
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
            ears.tell(SentinelEvent::Waits { leader }).await;
        }
        if !next(rhythm, stop).await {
            return Ok(());
        }
    };
    ears.tell(SentinelEvent::Leads).await;
    let mut known = Known::new(&mut watch, now).await?;
    for standing in known.unwell.values() {
        ears.tell(SentinelEvent::Changed(standing.clone())).await;
    }
    loop {
        tokio::select! {
            done = round(&mut watch, ears, &mut known) => {
                done?;
            }
            // The server ends by itself what was begun.
            () = long_stopped(stop) => return Ok(()),
        }
        *state = State { is_lost: false, has_worked: true };
        if !next(rhythm, stop).await {
            return Ok(());
        }
    }
}

/// Waits until `stop` was asked for, and a round under way has had the time to end.
async fn long_stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(PARTING).await;
}

/// Does one round, and tells what changed in it.
async fn round(
    watch: &mut Watch,
    ears: &mut Notifier,
    known: &mut Known,
) -> Result<Round, StoreError> {
    let done = watch.round().await?;
    if done.rolled > 0 {
        ears.tell(SentinelEvent::Rolled { rows: done.rolled }).await;
    }
    if done.changed > 0 {
        let mut news = Vec::new();
        for standing in watch.changed_since(Some(known.until)).await? {
            known.until = standing.since.max(known.until);
            if known.is_news(&standing) {
                news.push(standing);
            }
        }
        ears.announce(&news).await;
        for standing in news {
            ears.tell(SentinelEvent::Changed(standing)).await;
        }
    }
    Ok(done)
}

/// Waits for the next beat; false when it is time to stop.
async fn next(rhythm: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        _ = rhythm.tick() => true,
    }
}
