//! Halts, and their end.

use super::{Declined, at_review, subject};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Form, HaltScope, Ticket};
use crate::domain::halt::HaltMode;
use crate::domain::ids::ClientKey;
use crate::domain::session::Right;

/// Opens a halt of the selected row's account, at review; without one a risk officer is offered
/// everything. A trader may stop an account, and is offered no more.
pub(in crate::app) fn halt(
    model: &Model,
    key: ClientKey,
    mode: HaltMode,
) -> Result<Ticket, Declined> {
    let scope = match subject(model).account {
        Some(id) => HaltScope::Account(id),
        None if model.may(Right::Risk) => HaltScope::System,
        None => {
            let text = "select a row of the account first: only a risk officer halts everything";
            return Err(text.to_owned());
        }
    };
    Ok(halt_of(model, key, mode, scope))
}

/// Opens a halt, at review.
pub(in crate::app) fn halt_of(
    model: &Model,
    key: ClientKey,
    mode: HaltMode,
    scope: HaltScope,
) -> Ticket {
    let account = match scope {
        HaltScope::Account(id) => Some(id),
        HaltScope::Instrument(_) | HaltScope::Portfolio(_) | HaltScope::System => None,
    };
    let mut ticket = Ticket::new(key, Form::Halt { mode, scope, account });
    // A halt must not wait for somebody to find words: the first key press of a bad night.
    ticket.fill(FieldName::Reason, "halted at the console");
    at_review(model, ticket)
}

/// Opens the end of the newest halt.
pub(in crate::app) fn resume(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let newest = model.desk.halts.values().max_by_key(|halt| halt.set_at);
    let halt = newest.ok_or("no halt is in force")?;
    Ok(Ticket::new(key, Form::Resume { halt: halt.id }))
}
