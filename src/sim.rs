//! The simulated desk: a random market, simulated agents, recorded quotes.

mod agents;
mod bars;
mod bus;
mod context;
mod data;
mod demo;
mod events;
mod failures;
mod history;
mod instruments;
mod market;
mod rates;
pub mod replay;
mod rng;
mod run;
mod sessions;
mod signals;
mod tables;
mod tally;
mod tape;
mod writers;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::domain::ids::InstrumentId;
use crate::store::{Store, StoreError};

pub use demo::{AGENTS, LOGINS};
pub use run::{Options, run};
pub use tally::Tally;

/// How a demo desk is seeded.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// The same seed and moment give the same desk.
    pub seed: u64,
    /// When its history ends.
    pub now: DateTime<Utc>,
    /// Mid prices of the last hours; an instrument that is not named has its first price of
    /// `config/demo/instruments.toml`.
    pub prices: Vec<(InstrumentId, Decimal)>,
}

/// What [`seed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    New,
    /// It was there; nothing was changed.
    Already,
}

/// Why the simulation did not start, or ended.
#[derive(Debug, Error)]
pub enum SimError {
    /// Random prices would move accounts that are not simulated.
    #[error(
        "this database holds {0} real accounts; run the simulation on a database of its own \
         (`tmt demo` brings one)"
    )]
    RealAccounts(i64),
    #[error(transparent)]
    Replay(#[from] replay::ReplayError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Seeds a migrated database that has no account with a demo desk: instruments, accounts, limits,
/// agents, and three hours of trades, signals, events and bars.
///
/// One transaction. Where such a desk exists, only missing instruments and agents are added. Marks
/// the database as a demo. Cancel safe: all or nothing.
///
/// # Errors
///
/// [`SimError::RealAccounts`] if there are real accounts; [`SimError::Store`] if the database is
/// unreachable or the login may not write its tables (a superuser or a member of `tmt_owner` may).
pub async fn seed(store: &Store, options: &SeedOptions) -> Result<Seeded, SimError> {
    let seed = history::desk(options.seed, options.now, &options.prices);
    let standing = store.seed(&seed).await?;
    match (standing.simulated, standing.others) {
        (0, 0) => Ok(Seeded::New),
        (_, 0) => Ok(Seeded::Already),
        (_, others) => Err(SimError::RealAccounts(others)),
    }
}

/// Checks that the store's login may write what a simulation or a replay writes. Cancel safe.
///
/// # Errors
///
/// [`StoreError::NotPermitted`] if it is not a member of `tmt_agent`; another if the database does
/// not answer.
pub async fn check_rights(store: &Store) -> Result<(), StoreError> {
    store.check_agent_rights().await
}

/// Creates the [`LOGINS`] without passwords: only a server that trusts its socket accepts them.
/// Existing ones are not changed.
///
/// # Errors
///
/// [`StoreError`], also if the login may not create roles.
pub async fn create_logins(store: &Store) -> Result<(), StoreError> {
    store.create_logins(&LOGINS).await
}
