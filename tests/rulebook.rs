//! The rulebook: every `desk` function and trigger on real PostgreSQL, called as SQL.

#![expect(clippy::unwrap_used, reason = "a fixture that fails, fails its test")]

#[path = "support/database.rs"]
mod database;

#[path = "rulebook/amending.rs"]
mod amending;
#[path = "rulebook/assessing.rs"]
mod assessing;
#[path = "rulebook/audit.rs"]
mod audit;
#[path = "rulebook/backstop.rs"]
mod backstop;
#[path = "rulebook/book.rs"]
mod book;
#[path = "rulebook/booking.rs"]
mod booking;
#[path = "rulebook/changes.rs"]
mod changes;
#[path = "rulebook/days.rs"]
mod days;
#[path = "rulebook/dice.rs"]
mod dice;
#[path = "rulebook/flattening.rs"]
mod flattening;
#[path = "rulebook/forging.rs"]
mod forging;
#[path = "rulebook/gaps.rs"]
mod gaps;
#[path = "rulebook/halts.rs"]
mod halts;
#[path = "rulebook/limit_changes.rs"]
mod limit_changes;
#[path = "rulebook/limits.rs"]
mod limits;
#[path = "rulebook/mending.rs"]
mod mending;
#[path = "rulebook/netting.rs"]
mod netting;
#[path = "rulebook/oversight.rs"]
mod oversight;
#[path = "rulebook/persons.rs"]
mod persons;
#[path = "rulebook/races.rs"]
mod races;
#[path = "rulebook/reconciling.rs"]
mod reconciling;
#[path = "rulebook/requests.rs"]
mod requests;
#[path = "rulebook/ringing.rs"]
mod ringing;
#[path = "rulebook/stops.rs"]
mod stops;
#[path = "rulebook/storm.rs"]
mod storm;
#[path = "rulebook/sums.rs"]
mod sums;
#[path = "rulebook/utilisation.rs"]
mod utilisation;
#[path = "rulebook/valuing.rs"]
mod valuing;
#[path = "rulebook/waiting.rs"]
mod waiting;
#[path = "rulebook/watching.rs"]
mod watching;
