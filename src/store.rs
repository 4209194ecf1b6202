//! PostgreSQL: the truth.
//!
//! The console's SQL is here and in `migrations/`. Reads are bounded statements with
//! named columns; every business write is one call of one function in schema `desk`, in one
//! autocommit statement ([`desk`]). What is read is turned into domain types at once: unknown
//! words, impossible numbers and control characters end here ([`poll`]).
//!
//! A [`Store`] is made without a server and outlives every one of them: each call finds, proves
//! or opens its connection, within a deadline.

pub mod audit;
pub mod connect;
pub mod desk;
pub mod error;
mod fingerprint;
mod health;
mod lease;
pub mod migrate;
pub mod options;
pub mod poll;
mod proof;
pub mod reconcile;
mod rows;
mod secret;
pub mod session;
mod tls;
pub mod watch;
mod words;

pub use connect::Purpose;
pub use error::{StoreError, Unreachable};
pub use fingerprint::fingerprint;
pub use health::Health;
pub use lease::{Store, Upkeep};
pub use options::{BadOption, Options};
pub use poll::{Changes, Read};
pub use session::Probe;
