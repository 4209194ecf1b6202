//! The simulation as a whole: what it is told, what its parts share, how it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::bus::{self, Bus};
use super::{SimError, agents, ledger, replay, tape};
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::feed;
use crate::store::{Store, StoreError};

/// How many events may wait to be announced. More than an agent makes in a minute; when it is full
/// the newest is lost, and consoles find the row by their poll.
const EVENTS_WAITING: usize = 256;

/// How the simulation runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed gives the same market and the same character of the agents.
    pub seed: u64,
    /// Quotes per second over all instruments, 1 to 1,000,000. 30 is a lively desk.
    pub rate: u32,
    /// What time it is. A function, because the simulation has no clock of its own.
    pub clock: fn() -> DateTime<Utc>,
    /// How many times faster than usual the agents act: 1 is usual. Prices, rates and signs of
    /// life keep their own pace.
    pub hurry: u32,
    /// Revalue positions and accounts. Where a sentinel runs, it does that.
    pub keeps_marks: bool,
    /// Recorded quotes that take the place of the random ones, each in its instrument. When a
    /// recording ends, the random market goes on from its last price.
    pub replay: Option<replay::Options>,
}

impl Options {
    /// Returns the usual simulation of a seed.
    pub fn new(seed: u64, clock: fn() -> DateTime<Utc>) -> Self {
        Self { seed, rate: 30, clock, hurry: 1, keeps_marks: true, replay: None }
    }
}

/// What the simulation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Random quotes that Redis confirmed.
    pub quotes: u64,
    /// Random quotes that were left out because Redis was away or could not keep up.
    pub quotes_lost: u64,
    pub signals: u64,
    pub opened: u64,
    pub closed: u64,
    /// Orders that the desk refused.
    pub refused: u64,
    pub raised: u64,
    pub bars: u64,
}

/// Counters behind a [`Tally`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) quotes: AtomicU64,
    pub(super) quotes_lost: AtomicU64,
    pub(super) signals: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) raised: AtomicU64,
    pub(super) bars: AtomicU64,
}

impl Counters {
    fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            quotes: read(&self.quotes),
            quotes_lost: read(&self.quotes_lost),
            signals: read(&self.signals),
            opened: read(&self.opened),
            closed: read(&self.closed),
            refused: read(&self.refused),
            raised: read(&self.raised),
            bars: read(&self.bars),
        }
    }
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
}

/// The last quote of every instrument, shared by all parts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices(Arc<Mutex<BTreeMap<InstrumentId, Quote>>>);

impl Prices {
    /// Keeps the last of each instrument.
    pub(super) fn keep(&self, quotes: &[Quote]) {
        // Never held across an await; nothing in here can panic half-way.
        let mut prices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for quote in quotes {
            match prices.get_mut(&quote.instrument) {
                Some(known) => known.clone_from(quote),
                None => drop(prices.insert(quote.instrument.clone(), quote.clone())),
            }
        }
    }

    /// Returns all of them.
    pub(super) fn all(&self) -> Vec<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Returns one of them.
    pub(super) fn get(&self, instrument: &InstrumentId) -> Option<Quote> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(instrument).cloned()
    }
}

/// What the parts share.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) options: Arc<Options>,
    pub(super) store: Store,
    pub(super) feed: feed::Options,
    pub(super) prices: Prices,
    pub(super) bus: Bus,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: CancellationToken,
}

impl Context {
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.options.clock)()
    }

    /// Returns a period of an agent, shortened by its hurry.
    pub(super) fn agents(&self, period: Duration) -> Duration {
        period.checked_div(self.options.hurry.max(1)).unwrap_or(period)
    }

    /// Waits for the next beat of a rhythm; `None` when it is time to stop. Cancel safe.
    pub(super) async fn next(&self, rhythm: &mut Interval) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            _ = rhythm.tick() => Some(()),
        }
    }
}

/// A rhythm that does not catch up: after a standstill, one beat is enough.
pub(super) fn rhythm(period: Duration) -> Interval {
    let mut rhythm = interval(period.max(Duration::from_millis(1)));
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rhythm
}

/// Tells of a trouble once, and of its end; what is repeated meanwhile is for debugging.
#[derive(Debug)]
pub(super) struct Trouble {
    what: &'static str,
    is_on: bool,
}

impl Trouble {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, is_on: false }
    }

    /// Tells whether the last attempt failed.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes the result of an attempt; returns its value, if it has one.
    pub(super) fn take<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        let what = self.what;
        match result {
            Ok(value) => {
                if std::mem::take(&mut self.is_on) {
                    tracing::info!(what, "simulation: works again");
                }
                Some(value)
            }
            Err(error) => {
                if std::mem::replace(&mut self.is_on, true) {
                    tracing::debug!(what, %error, "simulation: still in trouble");
                } else {
                    tracing::warn!(what, %error, "simulation: goes on without");
                }
                None
            }
        }
    }
}

/// Runs the market and the agents until `stop` is cancelled.
///
/// The desk has to be founded ([`super::found`]) before or meanwhile; `store` logs in as
/// [`super::AGENTS`] or another member of `tmt_agent`. Redis or PostgreSQL going away stops only
/// what needs them, and only as long: the market goes on, and everything returns by itself.
///
/// Not cancel safe: dropped, a trade may be half known to its agent (never to the database). Cancel
/// `stop` instead; it returns within the deadlines of the store and the feed.
///
/// # Errors
///
/// [`SimError::RealAccounts`] before anything is written, if the database holds accounts that are
/// not simulated; [`SimError::Store`] if the login may not write; [`SimError::Replay`] if a recording
/// cannot be opened.
pub async fn run(
    options: Options,
    store: Store,
    feed: feed::Options,
    stop: CancellationToken,
) -> Result<Tally, SimError> {
    let recordings = options.replay.as_ref().map(replay::open).transpose()?.unwrap_or_default();
    let (events, waiting) = mpsc::channel(EVENTS_WAITING);
    let context = Context {
        options: Arc::new(options),
        store,
        feed,
        prices: Prices::default(),
        bus: Bus::new(events),
        counters: Arc::default(),
        stop,
    };
    let Some(known) = wait_for_the_desk(&context).await? else {
        return Ok(Tally::default());
    };
    let (bars, finished_bars) = mpsc::channel(ledger::BARS_WAITING);
    let mut parts = JoinSet::new();
    parts.spawn(tape::play(context.clone(), known, recordings, bars));
    parts.spawn(ledger::keep_rates(context.clone()));
    parts.spawn(ledger::keep_bars(context.clone(), finished_bars));
    if context.options.keeps_marks {
        parts.spawn(ledger::keep_marks(context.clone()));
    }
    parts.spawn(bus::announce(context.clone(), waiting));
    agents::spawn(&context, &mut parts);
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "simulation: a part of it ended");
        }
    }
    Ok(context.counters.tally())
}

/// Waits until the database answers, and refuses one with real accounts. Returns the prices that
/// were kept last, or `None` if it was stopped before.
async fn wait_for_the_desk(
    context: &Context,
) -> Result<Option<Vec<(InstrumentId, rust_decimal::Decimal)>>, SimError> {
    let mut trouble = Trouble::of("looking at the desk");
    let mut rhythm = rhythm(Duration::from_millis(500));
    while context.next(&mut rhythm).await.is_some() {
        let looked = async {
            let standing = context.store.standing().await?;
            context.store.check_simulating().await?;
            Ok::<_, StoreError>((standing, context.store.last_prices().await?))
        };
        let looked = looked.await;
        if let Err(error @ StoreError::NotPermitted(_)) = looked {
            return Err(error.into());
        }
        match trouble.take(looked) {
            Some((standing, _)) if standing.others > 0 => {
                return Err(SimError::RealAccounts(standing.others));
            }
            Some((_, known)) => return Ok(Some(known)),
            None => {}
        }
    }
    Ok(None)
}
