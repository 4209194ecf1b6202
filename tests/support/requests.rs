//! Requests to the store, and what became of them.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use rust_decimal::{Decimal, dec};
use tmt::domain::ids::{ClientKey, InstrumentId};
use tmt::domain::outcome::{Accepted, Outcome, Refusal};
use tmt::domain::request::{NewTrade, Request, Verb};
use tmt::domain::side::Side;
use uuid::Uuid;

use crate::desk::ALPHA;

/// A request with a key of its own.
pub(crate) fn request(verb: Verb) -> Request {
    Request { key: ClientKey(Uuid::new_v4()), verb }
}

/// A trade that passes every check.
pub(crate) fn buy(size: Decimal) -> NewTrade {
    NewTrade {
        account: ALPHA,
        instrument: InstrumentId::new("EUR_USD"),
        side: Side::Buy,
        size,
        price: dec!(1.1001),
        stop: Some(dec!(1.0951)),
        target: Some(dec!(1.1101)),
        signal: None,
        reason: None,
    }
}

/// What must have been accepted.
#[track_caller]
pub(crate) fn accepted(outcome: Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted(accepted) => accepted,
        other @ (Outcome::Refused(_) | Outcome::Unknown(_)) => unexpected(&other),
    }
}

/// What must have been refused.
#[track_caller]
pub(crate) fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other @ (Outcome::Accepted(_) | Outcome::Unknown(_)) => unexpected(&other),
    }
}

/// What must be unknown.
#[track_caller]
pub(crate) fn unknown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown(why) => why,
        other @ (Outcome::Accepted(_) | Outcome::Refused(_)) => unexpected(&other),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a fixture for tests")]
fn unexpected(outcome: &Outcome) -> ! {
    panic!("unexpected: {outcome:?}")
}
