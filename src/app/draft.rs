//! From what is typed to what is written: fields to a [`Verb`], a verb to a sentence.

use rust_decimal::Decimal;

use super::model::Model;
use super::ticket::{FieldName, Form, Ticket};
use crate::domain::event::RiskEvent;
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::AccountId;
use crate::domain::instrument::Instrument;
use crate::domain::levels;
use crate::domain::money::{self, Price, Size, exact};
use crate::domain::position::Position;
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
}

impl Problem {
    fn at(field: FieldName, text: impl Into<String>) -> Self {
        Self { field: Some(field), text: text.into() }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self { field: None, text: text.into() }
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
        .map_err(|why| Problem::at(name, why.to_string()))
}

fn note(ticket: &Ticket, name: FieldName) -> Option<String> {
    ticket.text(name).map(str::to_owned)
}

/// Reads the fields of a ticket.
///
/// # Errors
///
/// The first field that cannot be sent as it is.
pub fn draft(model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
    match &ticket.form {
        Form::Open { side, .. } => open(model, ticket, *side).map(Verb::Place),
        Form::Close { position } => {
            let held = model.desk.positions.get(position).ok_or_else(|| {
                Problem::plain("the position is no longer open: nothing to close")
            })?;
            close(model, ticket, held)
        }
        Form::Acknowledge { events, needs_note } => {
            let note = note(ticket, FieldName::Note);
            if *needs_note && note.is_none() {
                let text =
                    "a critical or emergency event needs a note: 1 to 6 for a coded one, or type";
                return Err(Problem::at(FieldName::Note, text));
            }
            Ok(Verb::Acknowledge { events: events.clone(), note })
        }
        Form::Unacknowledge { event } => match note(ticket, FieldName::Note) {
            Some(note) => Ok(Verb::Unacknowledge { event: *event, note }),
            None => Err(Problem::at(FieldName::Note, "say why it is given back")),
        },
        Form::EditLimit { limit, base_version } => {
            let row = model.desk.limits.get(limit).ok_or_else(|| {
                Problem::plain("the limit was replaced meanwhile: leave and select it again")
            })?;
            let value = number(ticket, FieldName::Value)?
                .ok_or_else(|| Problem::at(FieldName::Value, "type the new limit"))?;
            if value <= Decimal::ZERO {
                let text = "a limit must be above zero; to stop trading use a halt (!h)";
                return Err(Problem::at(FieldName::Value, text));
            }
            let warning = number(ticket, FieldName::Warning)?;
            let reason = note(ticket, FieldName::Reason);
            if !row.is_tightened_by(value) && reason.is_none() {
                let text = "loosening needs a reason, and then a second person";
                return Err(Problem::at(FieldName::Reason, text));
            }
            let (limit, base_version) = (*limit, *base_version);
            Ok(Verb::ProposeLimit { limit, base_version, value, warning, reason })
        }
        Form::Approve { limit } => {
            Ok(Verb::ApproveLimit { limit: *limit, note: note(ticket, FieldName::Note) })
        }
        Form::Reject { limit } => match note(ticket, FieldName::Note) {
            Some(note) => Ok(Verb::RejectLimit { limit: *limit, note: Some(note) }),
            None => Err(Problem::at(FieldName::Note, "say why it is rejected")),
        },
        Form::Halt { mode, scope, .. } => {
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

/// Returns the account that is chosen in a ticket.
pub fn chosen_account(model: &Model, ticket: &Ticket) -> Option<AccountId> {
    model.desk.account_named(ticket.text(FieldName::Account)?).map(|row| row.id)
}

/// Returns the instrument that is chosen in a ticket.
pub fn chosen_instrument<'a>(model: &'a Model, ticket: &Ticket) -> Option<&'a Instrument> {
    model.book.instrument(ticket.text(FieldName::Instrument)?)
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
    let size = Size::typed(size, instrument)
        .map_err(|why| Problem::at(FieldName::Size, why.to_string()))?;
    let price = price(ticket, FieldName::Price, instrument)?
        .ok_or_else(|| Problem::at(FieldName::Price, "type a price, or press = for that of now"))?;
    let stop = self::price(ticket, FieldName::Stop, instrument)?;
    let target = self::price(ticket, FieldName::Target, instrument)?;
    levels::check(side, price, stop, target).map_err(|fault| {
        let field = if fault.is_of_target() { FieldName::Target } else { FieldName::Stop };
        Problem::at(field, fault.to_string())
    })?;
    let signal = if let Form::Open { signal, .. } = &ticket.form { *signal } else { None };
    Ok(NewTrade {
        account,
        instrument: instrument.id.clone(),
        side,
        size: size.get(),
        price,
        stop,
        target,
        signal,
        reason: note(ticket, FieldName::Reason),
    })
}

fn close(model: &Model, ticket: &Ticket, held: &Position) -> Result<Verb, Problem> {
    let instrument = model.book.instrument(held.instrument.as_str());
    let price = match instrument {
        Some(instrument) => price(ticket, FieldName::Price, instrument)?,
        // A position in an instrument that nobody described can still be closed.
        None => number(ticket, FieldName::Price)?,
    }
    .ok_or_else(|| Problem::at(FieldName::Price, "no price is known: type the one you close at"))?;
    let size = match ticket.text(FieldName::Size) {
        None | Some("100%") => None,
        Some(text) => {
            let wanted = match text.strip_suffix('%') {
                Some(percent) => {
                    let percent = money::typed(percent)
                        .map_err(|why| Problem::at(FieldName::Size, why.to_string()))?;
                    share(held.size, percent, instrument)
                }
                None => Some(
                    money::typed(text)
                        .map_err(|why| Problem::at(FieldName::Size, why.to_string()))?,
                ),
            };
            let wanted = wanted.filter(|size| *size > Decimal::ZERO).ok_or_else(|| {
                Problem::at(FieldName::Size, "that is less than the smallest step: type a size")
            })?;
            if wanted > held.size {
                let text = format!("only {} are open", exact(held.size));
                return Err(Problem::at(FieldName::Size, text));
            }
            if wanted == held.size { None } else { Some(wanted) }
        }
    };
    Ok(Verb::Close { position: held.id, size, price, reason: note(ticket, FieldName::Reason) })
}

/// Returns `percent` of a size, rounded down to a step: a part is never more than was asked.
fn share(size: Decimal, percent: Decimal, instrument: Option<&Instrument>) -> Option<Decimal> {
    let raw = size.checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
    let step = instrument.map_or(Decimal::ONE, |row| row.size_step);
    raw.checked_sub(raw.checked_rem(step)?)
}

/// Returns a verb as the sentence that a person confirms and that the log keeps.
pub fn sentence(model: &Model, verb: &Verb) -> String {
    match verb {
        Verb::Place(trade) => trade_words(model, trade),
        Verb::Close { position, size, price, .. } => match model.desk.positions.get(position) {
            Some(held) => format!(
                "CLOSE {} of {} {} {} @ {price}  account {}",
                size.map_or("all".to_owned(), exact),
                exact(held.size),
                held.instrument,
                held.direction,
                model.desk.account_name(held.account),
            ),
            None => format!("CLOSE position {}", position.short()),
        },
        Verb::Acknowledge { events, .. } => match events.as_slice() {
            [only] => match model.desk.events.get(only) {
                Some(row) => format!("ACK {}", event_words(model, row)),
                None => format!("ACK {}", only.short()),
            },
            several => format!("ACK {} events", several.len()),
        },
        Verb::Unacknowledge { event, .. } => match model.desk.events.get(event) {
            Some(row) => format!("UN-ACK {}", event_words(model, row)),
            None => format!("UN-ACK {}", event.short()),
        },
        Verb::ProposeLimit { limit, value, .. } => match model.desk.limits.get(limit) {
            Some(row) => {
                let way = if row.is_tightened_by(*value) { "tighten" } else { "loosen" };
                format!(
                    "LIMIT {} of {}: {way} {} -> {} {}",
                    row.limit_type,
                    model.limit_subject(row),
                    exact(row.value),
                    exact(*value),
                    row.unit
                )
            }
            None => format!("LIMIT {} -> {}", limit.short(), exact(*value)),
        },
        Verb::ApproveLimit { limit, .. } => format!("APPROVE {}", limit_words(model, *limit)),
        Verb::RejectLimit { limit, .. } => format!("REJECT {}", limit_words(model, *limit)),
        Verb::Halt { scope, identifier, mode, .. } => {
            halt_words(model, *scope, identifier.as_deref(), *mode)
        }
        Verb::Resume { halt, .. } => match model.desk.halts.get(halt) {
            Some(row) => {
                let who = row.account.map(|id| model.desk.account_name(id));
                let who = who.or_else(|| row.identifier.clone());
                let who = who.unwrap_or_else(|| "everything".to_owned());
                format!("RESUME {} {who}, halted for: {}", row.scope.as_str(), row.reason)
            }
            None => format!("RESUME halt {}", halt.short()),
        },
    }
}

fn event_words(model: &Model, row: &RiskEvent) -> String {
    let account = row.account.map_or("system".to_owned(), |id| model.desk.account_name(id));
    format!("{} {} of {account}", row.severity.as_str(), row.event_type)
}

fn trade_words(model: &Model, trade: &NewTrade) -> String {
    let level = |name: &str, level: Option<Decimal>| {
        level.map(|level| format!("  {name} {level}")).unwrap_or_default()
    };
    format!(
        "{} {} {} @ {}{}{}  account {}",
        trade.side,
        exact(trade.size),
        trade.instrument,
        trade.price,
        level("SL", trade.stop),
        level("TP", trade.target),
        model.desk.account_name(trade.account),
    )
}

fn halt_words(model: &Model, scope: Scope, identifier: Option<&str>, mode: HaltMode) -> String {
    let what = match mode {
        HaltMode::ReduceOnly => "REDUCE ONLY",
        HaltMode::NoNewOrders | HaltMode::Flatten => "HALT",
    };
    let who = identifier.map(|text| match text.parse::<AccountId>() {
        Ok(id) => model.desk.account_name(id),
        Err(_) => text.to_owned(),
    });
    format!("{what} {} {}", scope.as_str(), who.unwrap_or_else(|| "everything".to_owned()))
}

fn limit_words(model: &Model, limit: crate::domain::ids::LimitId) -> String {
    model.desk.limits.get(&limit).map_or_else(
        || format!("limit {}", limit.short()),
        |row| {
            let subject = model.limit_subject(row);
            format!("{} of {subject}: {} {}", row.limit_type, exact(row.value), row.unit)
        },
    )
}

/// Returns the right that a form needs.
pub fn right_of(form: &Form) -> Right {
    match form {
        Form::Open { .. } | Form::Close { .. } => Right::Trade,
        Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::EditLimit { .. }
        | Form::Approve { .. }
        | Form::Reject { .. }
        | Form::Resume { .. } => Right::Risk,
        Form::Halt { .. } => Right::Halt,
    }
}
