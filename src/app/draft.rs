//! From what is typed to what is written: fields to a [`Verb`], a verb to a sentence.

mod holding;
mod limit;
mod words;

use rust_decimal::Decimal;

pub use limit::ABOVE_ZERO;
pub use words::sentence;

use super::model::Model;
use super::ticket::{FieldName, Form, HaltScope, Ticket};
use crate::domain::code::Code;
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{AccountId, InstrumentId};
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, Price};
use crate::domain::request::{NewTrade, Verb};
use crate::domain::session::Right;
use crate::domain::trade::Side;

/// What is wrong with a field, as a sentence, and which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the cursor should go.
    pub field: Option<FieldName>,
    /// What is wrong and what to do.
    pub text: String,
    /// The code with which the desk refuses the same. None where something is missing, or not
    /// understood: there is nothing yet that the desk could refuse.
    pub code: Option<Code>,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl Problem {
    fn at(field: FieldName, text: impl Into<String>) -> Self {
        Self { field: Some(field), text: text.into(), code: None }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self { field: None, text: text.into(), code: None }
    }

    /// Says that the desk refuses it, with this code.
    pub(super) fn refused(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }
}

fn number(ticket: &Ticket, name: FieldName) -> Result<Option<Decimal>, Problem> {
    ticket
        .text(name)
        .map(|text| money::typed(text).map_err(|why| Problem::at(name, why.to_string())))
        .transpose()
}

fn price(
    ticket: &Ticket,
    name: FieldName,
    instrument: &Instrument,
) -> Result<Option<Decimal>, Problem> {
    let Some(typed) = number(ticket, name)? else { return Ok(None) };
    Price::typed(typed, instrument)
        .map(|price| Some(price.get()))
        .map_err(|why| Problem::at(name, why.to_string()).refused(why.code()))
}

fn note(ticket: &Ticket, name: FieldName) -> Option<String> {
    ticket.text(name).map(str::to_owned)
}

/// Reads the fields of a ticket.
///
/// # Errors
///
/// The first field that cannot be sent as it is.
#[expect(clippy::too_many_lines, reason = "one arm for each form, most of them a line")]
pub fn draft(model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
    match &ticket.form {
        Form::Open { side, .. } => open(model, ticket, *side).map(Verb::Place),
        Form::Close { what } => {
            let held = model
                .desk
                .holding(*what)
                .ok_or_else(|| Problem::plain("it is no longer open: nothing to close"))
                .map_err(|why| why.refused(Code::PositionNotOpen))?;
            holding::close(model, ticket, *what, &held)
        }
        Form::Amend { position } => {
            let held = model.desk.positions.get(position).ok_or_else(|| {
                Problem::plain("the position is no longer open: nothing to amend")
                    .refused(Code::PositionNotOpen)
            })?;
            holding::amend(model, ticket, held)
        }
        Form::Flatten { account } => {
            confirmed(model, ticket)?;
            Ok(Verb::Flatten { account: *account, reason: note(ticket, FieldName::Reason) })
        }
        Form::Acknowledge { events, needs_note } => {
            let note = note(ticket, FieldName::Note);
            if *needs_note && note.is_none() {
                let text = "a critical or emergency event needs a note: type one, or press 1 to 6";
                return Err(Problem::at(FieldName::Note, text));
            }
            Ok(Verb::Acknowledge { events: events.clone(), note })
        }
        Form::Unacknowledge { event } => match note(ticket, FieldName::Note) {
            Some(note) => Ok(Verb::Unacknowledge { event: *event, note }),
            None => Err(Problem::at(FieldName::Note, "say why it is given back")),
        },
        Form::EditLimit { limit: id, base_version } => {
            limit::edit(model, ticket, *id, *base_version)
        }
        Form::NewLimit => limit::new(model, ticket),
        Form::RetireLimit { limit, base_version } => match note(ticket, FieldName::Reason) {
            Some(reason) => {
                Ok(Verb::RetireLimit { limit: *limit, base_version: *base_version, reason })
            }
            None => Err(Problem::at(FieldName::Reason, "say why it is not needed any more")),
        },
        Form::Approve { limit } => {
            Ok(Verb::ApproveLimit { limit: *limit, note: note(ticket, FieldName::Note) })
        }
        Form::Reject { limit } => match note(ticket, FieldName::Note) {
            Some(note) => Ok(Verb::RejectLimit { limit: *limit, note: Some(note) }),
            None => Err(Problem::at(FieldName::Note, "say why it is rejected")),
        },
        Form::Halt { mode, scope, .. } => {
            confirmed(model, ticket)?;
            let (scope, identifier) = scope.words();
            let reason = note(ticket, FieldName::Reason)
                .ok_or_else(|| Problem::at(FieldName::Reason, "say why trading is halted"))?;
            Ok(Verb::Halt { scope, identifier, mode: *mode, reason })
        }
        Form::Resume { halt } => match note(ticket, FieldName::Reason) {
            Some(reason) => Ok(Verb::Resume { halt: *halt, reason }),
            None => Err(Problem::at(FieldName::Reason, "say why trading may go on")),
        },
    }
}

/// Returns the word that must be typed before a form can be reviewed, for those that move much at
/// once.
pub fn confirmation(model: &Model, form: &Form) -> Option<String> {
    let scope = match form {
        Form::Flatten { account } => return Some(model.desk.account_name(*account)),
        Form::Halt { mode: HaltMode::Flatten, scope, .. } => scope,
        Form::Open { .. }
        | Form::Close { .. }
        | Form::Amend { .. }
        | Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::EditLimit { .. }
        | Form::NewLimit
        | Form::RetireLimit { .. }
        | Form::Approve { .. }
        | Form::Reject { .. }
        | Form::Halt { .. }
        | Form::Resume { .. } => return None,
    };
    Some(match scope {
        HaltScope::Account(id) => model.desk.account_name(*id),
        HaltScope::Instrument(id) => id.to_string(),
        HaltScope::Portfolio(name) => name.clone(),
        HaltScope::System => "everything".to_owned(),
    })
}

/// Returns the word that must be typed before a write is sent that moves much at once.
pub fn confirmation_of(model: &Model, verb: &Verb) -> Option<String> {
    match verb {
        Verb::Flatten { account, .. } => Some(model.desk.account_name(*account)),
        Verb::Halt { mode: HaltMode::Flatten, scope, identifier, .. } => {
            let named = identifier.clone().unwrap_or_else(|| "everything".to_owned());
            Some(match (scope, named.parse()) {
                (Scope::Account, Ok(id)) => model.desk.account_name(id),
                (_, _) => named,
            })
        }
        Verb::Place(_)
        | Verb::Close { .. }
        | Verb::Amend { .. }
        | Verb::Acknowledge { .. }
        | Verb::Unacknowledge { .. }
        | Verb::ProposeLimit { .. }
        | Verb::CreateLimit(_)
        | Verb::RetireLimit { .. }
        | Verb::ApproveLimit { .. }
        | Verb::RejectLimit { .. }
        | Verb::Halt { .. }
        | Verb::Resume { .. } => None,
    }
}

/// Checks that the word was typed.
fn confirmed(model: &Model, ticket: &Ticket) -> Result<(), Problem> {
    match confirmation(model, &ticket.form) {
        Some(word)
            if !ticket
                .text(FieldName::Confirm)
                .is_some_and(|typed| typed.eq_ignore_ascii_case(&word)) =>
        {
            let text = format!("type {word} to close everything that it holds");
            Err(Problem::at(FieldName::Confirm, text))
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns what must not be read again in other words: a span that was typed becomes a time.
pub(super) fn fixed(model: &Model, name: FieldName, text: &str) -> Option<String> {
    if name == FieldName::Until { limit::fixed(text, model.now) } else { None }
}

/// Returns the account that is chosen in a ticket.
pub fn chosen_account(model: &Model, ticket: &Ticket) -> Option<AccountId> {
    model.desk.account_named(ticket.text(FieldName::Account)?).map(|row| row.id)
}

/// Returns the instrument that is chosen in a ticket.
pub fn chosen_instrument<'a>(model: &'a Model, ticket: &Ticket) -> Option<&'a Instrument> {
    model.book.instrument(ticket.text(FieldName::Instrument)?)
}

/// Returns the instrument that a ticket is about, where it is about one.
pub fn instrument_of(model: &Model, ticket: &Ticket) -> Option<InstrumentId> {
    match &ticket.form {
        Form::Open { .. } => chosen_instrument(model, ticket).map(|row| row.id.clone()),
        Form::Close { what } => model.desk.holding(*what).map(|held| held.instrument),
        Form::Amend { position } => {
            model.desk.positions.get(position).map(|held| held.instrument.clone())
        }
        Form::Flatten { .. }
        | Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::EditLimit { .. }
        | Form::NewLimit
        | Form::RetireLimit { .. }
        | Form::Approve { .. }
        | Form::Reject { .. }
        | Form::Halt { .. }
        | Form::Resume { .. } => None,
    }
}

fn open(model: &Model, ticket: &Ticket, side: Side) -> Result<NewTrade, Problem> {
    let account = chosen_account(model, ticket).ok_or_else(|| {
        Problem::at(FieldName::Account, "choose an account with the left and right arrows")
    })?;
    let instrument = chosen_instrument(model, ticket).ok_or_else(|| {
        Problem::at(FieldName::Instrument, "choose an instrument with the left and right arrows")
    })?;
    let size = number(ticket, FieldName::Size)?
        .ok_or_else(|| Problem::at(FieldName::Size, "type a size, or press r to size from risk"))?;
    if size <= Decimal::ZERO {
        let problem = Problem::at(FieldName::Size, "a size must be above zero");
        return Err(problem.refused(Code::SizeBelowMinimum));
    }
    // Ticks, steps and sides are the rulebook's to judge: it says so while the fields are typed, in
    // the words that decide, and for every client alike.
    let price = number(ticket, FieldName::Price)?
        .ok_or_else(|| Problem::at(FieldName::Price, "type a price, or press = for that of now"))?;
    let stop = number(ticket, FieldName::Stop)?;
    let target = number(ticket, FieldName::Target)?;
    let signal = if let Form::Open { signal, .. } = &ticket.form { *signal } else { None };
    Ok(NewTrade {
        account,
        instrument: instrument.id.clone(),
        side,
        size,
        price,
        stop,
        target,
        signal,
        reason: note(ticket, FieldName::Reason),
    })
}

/// Returns the right that a form needs.
pub fn right_of(form: &Form) -> Right {
    match form {
        Form::Open { .. } => Right::Open,
        Form::Close { .. } | Form::Amend { .. } | Form::Flatten { .. } => Right::Trade,
        // A trader stops an account; what is wider is a risk officer's.
        Form::Halt { scope: HaltScope::Account(_), .. } => Right::Halt,
        Form::Halt { .. }
        | Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::EditLimit { .. }
        | Form::NewLimit
        | Form::RetireLimit { .. }
        | Form::Approve { .. }
        | Form::Reject { .. }
        | Form::Resume { .. } => Right::Risk,
    }
}
