//! Halts, and their end.

use std::cmp::Reverse;

use super::{Declined, at_review};
use crate::app::model::Model;
use crate::app::selection::{Subject, subject};
use crate::app::ticket::{FieldName, Form, HaltScope, Ticket};
use crate::domain::halt::{Halt, HaltMode};
use crate::domain::ids::{ClientKey, HaltId};
use crate::domain::session::Right;

/// Opens a halt of the selected row's account, at review; without one a risk officer is offered its
/// instrument, and without a row everything. A trader may stop an account, and is offered no more.
pub(in crate::app) fn halt(
    model: &Model,
    key: ClientKey,
    mode: HaltMode,
) -> Result<Ticket, Declined> {
    let Subject { account, instrument } = subject(model);
    let scope = match (account, instrument) {
        (Some(id), _) => HaltScope::Account(id),
        (None, Some(name)) if model.may(Right::Risk) => HaltScope::Instrument(name),
        (None, None) if model.may(Right::Risk) => HaltScope::System,
        (None, _) => {
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
    let narrow = (scope != HaltScope::System).then(|| scope.clone());
    let mut ticket = Ticket::new(key, Form::Halt { mode, scope, narrow });
    // A halt must not wait for somebody to find words: the first key press of a bad night.
    ticket.fill(FieldName::Reason, "halted at the console");
    at_review(model, ticket)
}

/// Opens the end of the newest halt of the selected row's account; without one, of the newest of all.
pub(in crate::app) fn resume(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let account = subject(model).account;
    let own = model.desk.halts.values().filter(|halt| account.is_some() && halt.account == account);
    let newest = own.max_by_key(|halt| halt.set_at);
    let newest = newest.or_else(|| model.desk.halts.values().max_by_key(|halt| halt.set_at));
    let halt = newest.ok_or("no halt is in force")?;
    Ok(resume_of(model, key, halt.id))
}

/// Opens the end of a halt. Any other one that is in force can be chosen instead.
pub(in crate::app) fn resume_of(model: &Model, key: ClientKey, halt: HaltId) -> Ticket {
    let mut ticket = Ticket::new(key, Form::Resume { halt });
    let mut halts: Vec<&Halt> = model.desk.halts.values().collect();
    halts.sort_by_key(|row| Reverse((row.set_at, row.id)));
    let chosen = model.desk.halts.get(&halt).map(|row| named(model, row));
    let names = halts.into_iter().map(|row| named(model, row)).collect();
    ticket.offer(FieldName::Halt, names, chosen);
    ticket.focus_on(FieldName::Reason);
    ticket
}

/// Returns what a halt covers, with the end of its key: an account can have several.
fn named(model: &Model, halt: &Halt) -> String {
    format!("{} {}", model.desk.halted(halt), halt.id.short())
}

/// Returns the halt that is chosen in a ticket.
pub(in crate::app) fn chosen(model: &Model, ticket: &Ticket) -> Option<HaltId> {
    let text = ticket.text(FieldName::Halt)?;
    model.desk.halts.values().find(|row| named(model, row) == text).map(|row| row.id)
}
