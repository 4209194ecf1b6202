//! What each form does, a file for each: how it opens, what its fields mean, what is sent and in
//! which words, and who may.
//!
//! A form is data in [`Form`] and behaviour in [`FormKind`]. A new one needs its file here, its view
//! in `ui/ticket`, and a line in each of the tables that the compiler then asks for: [`Form`], its
//! `kind` and `open` below, the key table and the grammar of the `:` line.

pub mod acknowledge;
pub mod amend;
pub mod breakeven;
pub mod close;
pub mod decide_limit;
pub mod edit_limit;
pub mod flatten;
pub mod halt;
pub mod kind;
pub mod limit;
pub mod new_limit;
pub mod resume;
pub mod retire_limit;
pub mod trade;
pub mod unacknowledge;
pub mod words;

use super::keymap::Opening;
use super::model::Model;
use super::ticket::{Decision, Form};
use crate::domain::halt::HaltMode;
use crate::domain::ids::ClientKey;
use crate::domain::request::Verb;
use crate::domain::trade::Side;
use kind::{Facts, FormKind, Opened};

impl Form {
    /// Returns what a form does.
    pub fn kind(&self) -> &dyn FormKind {
        match self {
            Self::Trade(form) => form,
            Self::Close(form) => form,
            Self::Amend(form) => form,
            Self::Breakeven(form) => form,
            Self::Flatten(form) => form,
            Self::Acknowledge(form) => form,
            Self::Unacknowledge(form) => form,
            Self::EditLimit(form) => form,
            Self::NewLimit(form) => form,
            Self::RetireLimit(form) => form,
            Self::DecideLimit(form) => form,
            Self::Halt(form) => form,
            Self::Resume(form) => form,
        }
    }
}

/// Opens the ticket that a key asks for, on the selected row.
pub(super) fn open(model: &Model, opening: Opening, key: ClientKey) -> Opened {
    match opening {
        Opening::Buy => trade::open(model, key, Side::Buy),
        Opening::Sell => trade::open(model, key, Side::Sell),
        Opening::Take => trade::take(model, key),
        Opening::Close => close::open(model, key),
        Opening::Amend => amend::open(model, key),
        Opening::Breakeven => breakeven::open(model, key),
        Opening::Flatten => flatten::open(model, key),
        Opening::Acknowledge => acknowledge::open(model, key),
        Opening::Unacknowledge => unacknowledge::open(model, key),
        Opening::EditLimit => edit_limit::open(model, key),
        Opening::NewLimit => Ok(new_limit::open(model, key)),
        Opening::RetireLimit => retire_limit::open(model, key),
        Opening::Approve => decide_limit::open(model, key, Decision::Approve),
        Opening::Reject => decide_limit::open(model, key, Decision::Reject),
        Opening::Halt => halt::open(model, key, HaltMode::NoNewOrders),
        Opening::ReduceOnly => halt::open(model, key, HaltMode::ReduceOnly),
        Opening::Resume => resume::open(model, key),
    }
}

/// Returns what console and shell must know of a write before sending it.
pub fn facts(model: &Model, verb: &Verb) -> Facts {
    match verb {
        Verb::Place(trade) => trade::facts(model, trade),
        Verb::Close { what, size, price, .. } => close::facts(model, *what, *size, *price),
        Verb::Amend { position, stop, target, trailing, .. } => {
            amend::facts(model, *position, [*stop, *target, *trailing])
        }
        Verb::Flatten { account, .. } => flatten::facts(model, *account),
        Verb::Acknowledge { events, .. } => acknowledge::facts(model, events),
        Verb::Unacknowledge { event, .. } => unacknowledge::facts(model, *event),
        Verb::ProposeLimit { limit, value, until, .. } => {
            edit_limit::facts(model, *limit, *value, *until)
        }
        Verb::CreateLimit(limit) => new_limit::facts(model, limit),
        Verb::RetireLimit { limit, .. } => retire_limit::facts(model, *limit),
        Verb::ApproveLimit { limit, .. } => decide_limit::facts(model, *limit, Decision::Approve),
        Verb::RejectLimit { limit, .. } => decide_limit::facts(model, *limit, Decision::Reject),
        Verb::Halt { scope, identifier, mode, .. } => {
            halt::facts(model, *scope, identifier.as_deref(), *mode)
        }
        Verb::Resume { halt, .. } => resume::facts(model, *halt),
    }
}

/// Describes a write in the sentence that is confirmed and logged.
pub fn sentence(model: &Model, verb: &Verb) -> String {
    facts(model, verb).sentence
}
