//! The simulated desk: a random market, TMT's agents, and recorded quotes.

mod agents;
mod bars;
mod bus;
mod context;
mod data;
mod demo;
mod dice;
mod events;
mod history;
mod instruments;
mod ledger;
mod market;
mod rates;
pub mod replay;
mod run;
mod sessions;
mod signals;
mod tables;
mod tally;
mod tape;
mod trouble;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::domain::ids::InstrumentId;
use crate::store::{Store, StoreError};

pub use demo::{AGENTS, LOGINS};
pub use run::{Options, run};
pub use tally::Tally;

/// How a demonstration desk is founded.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// The same seed and moment give the same desk.
    pub seed: u64,
    /// The moment up to which its history reaches.
    pub now: DateTime<Utc>,
    /// Middle prices around which instruments stood in the last hours; one that is not named
    /// stands where it stood in autumn 2025.
    pub prices: Vec<(InstrumentId, Decimal)>,
}

/// What [`seed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    New,
    /// It stood already; nothing of it was changed.
    Already,
}

/// Why the simulation does not begin, or ended.
#[derive(Debug, Error)]
pub enum SimError {
    /// The database holds accounts that are not the simulation's. Random prices would move them.
    #[error(
        "this database holds {0} accounts that are not simulated; random prices and trades belong \
         into a database of their own (`tmt demo` brings one)"
    )]
    RealAccounts(i64),
    /// A recording cannot be replayed.
    #[error(transparent)]
    Replay(#[from] replay::ReplayError),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a demonstration desk into a database that has the console's schema and no account:
/// instruments, accounts, limits, agents, and three hours of trades, signals, events and bars.
///
/// One transaction; where such a desk stands already, only what is missing of instruments and
/// agents is added. Labels the database as a demonstration. Cancel safe: all or nothing.
///
/// # Errors
///
/// [`SimError::RealAccounts`] if there are accounts of another kind; [`SimError::Store`] if the
/// database cannot be reached, or the store's login may not write its tables (a superuser or
/// `tmt_owner`'s member may).
pub async fn seed(store: &Store, options: &SeedOptions) -> Result<Seeded, SimError> {
    let seed = history::desk(options.seed, options.now, &options.prices);
    let standing = store.seed(&seed).await?;
    match (standing.simulated, standing.others) {
        (0, 0) => Ok(Seeded::New),
        (_, 0) => Ok(Seeded::Already),
        (_, others) => Err(SimError::RealAccounts(others)),
    }
}

/// Asks whether the store's login may do what the simulation and a replay do. Cancel safe.
///
/// # Errors
///
/// [`StoreError::NotPermitted`] if it is no member of `tmt_agent`; another one if the database
/// does not answer.
pub async fn check_rights(store: &Store) -> Result<(), StoreError> {
    store.check_simulating().await
}

/// Creates the demonstration's [`LOGINS`], without passwords: only a server that trusts its socket
/// lets them in. Those that are there stay as they are.
///
/// # Errors
///
/// [`StoreError`], also if the store's login may not create roles.
pub async fn create_logins(store: &Store) -> Result<(), StoreError> {
    store.create_logins(&LOGINS).await
}
