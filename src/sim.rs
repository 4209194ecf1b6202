//! The simulated desk: a random market, TMT's agents, and recorded quotes.

mod bars;
mod dice;
mod instruments;
mod market;
pub mod replay;
mod sessions;

pub use market::{Market, Tick};
