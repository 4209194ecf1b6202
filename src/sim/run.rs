//! The simulation as a whole: what it is told, what its parts share, how it ends.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::{self, Bus};
use super::context::{Context, Prices, rhythm};
use super::market::Market;
use super::tally::Tally;
use super::trouble::Trouble;
use super::{SimError, agents, ledger, replay, tape};
use crate::domain::ids::InstrumentId;
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

/// Runs the market and the agents until `stop` is cancelled.
///
/// The desk has to be founded ([`super::seed`]) before or meanwhile; `store` logs in as
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
        seed: options.seed,
        hurry: options.hurry,
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
    let (bars, finished_bars) = mpsc::channel(ledger::BARS_WAITING);
    let mut parts = JoinSet::new();
    let market = Market::new(options.seed, context.now(), options.rate, &known);
    let speed = options.replay.map(|replay| replay.speed).unwrap_or_default();
    parts.spawn(tape::play(context.clone(), market, recordings, speed, bars));
    parts.spawn(ledger::keep_rates(context.clone()));
    parts.spawn(ledger::keep_bars(context.clone(), finished_bars));
    if options.keeps_marks {
        parts.spawn(ledger::keep_marks(context.clone()));
    }
    parts.spawn(bus::announce(context.feed.clone(), context.stop.clone(), waiting));
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
) -> Result<Option<Vec<(InstrumentId, Decimal)>>, SimError> {
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
