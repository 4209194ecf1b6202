//! Runs the simulation: options, tasks, shutdown.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::{self, Bus};
use super::context::{Context, Prices, ticker};
use super::failures::FailureLog;
use super::market::Market;
use super::tally::Tally;
use super::{SimError, agents, replay, tape, writers};
use crate::domain::ids::InstrumentId;
use crate::feed;
use crate::store::{Store, StoreError};

/// Bound of the event queue, more than an agent makes in a minute. When it is full the newest event
/// is dropped, and consoles find the row by their poll.
const EVENTS_WAITING: usize = 256;

/// How the simulation runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed gives the same market.
    pub seed: u64,
    /// Quotes per second over all instruments, 1 to 1,000,000. 30 makes a lively desk.
    pub rate: u32,
    /// Reads the time: the simulation has no clock of its own.
    pub clock: fn() -> DateTime<Utc>,
    /// How many times faster than normal the agents act. Prices, rates and heartbeats keep their
    /// pace.
    pub agent_speed: u32,
    /// Mark positions and accounts to market; false where a sentinel does.
    pub writes_marks: bool,
    /// Recorded quotes that replace the random ones of their instruments. When a recording ends, the
    /// random market goes on from its last price.
    pub replay: Option<replay::Options>,
}

impl Options {
    /// The default simulation of a seed.
    pub fn new(seed: u64, clock: fn() -> DateTime<Utc>) -> Self {
        Self { seed, rate: 30, clock, agent_speed: 1, writes_marks: true, replay: None }
    }
}

/// Runs the market and the agents until `stop` is cancelled.
///
/// The desk is seeded ([`super::seed`]) before or meanwhile; `store` logs in as [`super::AGENTS`] or
/// another member of `tmt_agent`. While Redis or PostgreSQL is unreachable, only what needs it
/// stops, and resumes by itself.
///
/// Not cancel safe: dropped in the middle of a write, an agent does not learn its outcome. Cancel
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
        seed: options.seed,
        agent_speed: options.agent_speed,
        clock: options.clock,
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
    let (bars, finished_bars) = mpsc::channel(writers::BARS_WAITING);
    let mut parts = JoinSet::new();
    let market = Market::new(options.seed, context.now(), options.rate, &known);
    let speed = options.replay.map(|replay| replay.speed).unwrap_or_default();
    parts.spawn(tape::play(context.clone(), market, recordings, speed, bars));
    parts.spawn(writers::write_rates(context.clone()));
    parts.spawn(writers::write_bars(context.clone(), finished_bars));
    if options.writes_marks {
        parts.spawn(writers::write_marks(context.clone()));
    }
    parts.spawn(bus::announce(context.feed.clone(), context.stop.clone(), waiting));
    agents::spawn(&context, &mut parts);
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "simulation: a task panicked");
        }
    }
    Ok(context.counters.tally())
}

/// Waits until the database answers, and refuses one with real accounts. Returns the last prices, or
/// `None` if it was stopped before.
async fn wait_for_the_desk(
    context: &Context,
) -> Result<Option<Vec<(InstrumentId, Decimal)>>, SimError> {
    let mut failures = FailureLog::of("reading the desk");
    let mut ticker = ticker(Duration::from_millis(500));
    while context.next(&mut ticker).await.is_some() {
        let looked = async {
            let standing = context.store.standing().await?;
            context.store.check_agent_rights().await?;
            Ok::<_, StoreError>((standing, context.store.last_prices().await?))
        };
        let looked = looked.await;
        if let Err(error @ StoreError::NotPermitted(_)) = looked {
            return Err(error.into());
        }
        match failures.check(looked) {
            Some((standing, _)) if standing.others > 0 => {
                return Err(SimError::RealAccounts(standing.others));
            }
            Some((_, known)) => return Ok(Some(known)),
            None => {}
        }
    }
    Ok(None)
}
