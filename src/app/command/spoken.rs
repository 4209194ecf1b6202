//! From the words of a verb to the ticket that it asks for.

use super::verbs::{
    Amend, Close, Flatten, Halted, Level, LimitVerb, NewLimit, Open, Resume, Take, Verbs,
};
use crate::app::draft::{Problem, right_of};
use crate::app::model::Model;
use crate::app::opening::{self, halt, holding, limit};
use crate::app::permit;
use crate::app::selection::Subject;
use crate::app::ticket::{ANY, EACH_ACCOUNT, FieldName, Form, HaltScope, Ticket};
use crate::domain::code::Code;
use crate::domain::halt::HaltMode;
use crate::domain::ids::{
    AccountId, ClientKey, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
};
use crate::domain::money::exact;
use crate::domain::position::Position;
use crate::domain::request::Closing;
use crate::domain::session::Right;
use crate::domain::signal::SignalStatus;
use crate::domain::trade::Side;

/// Finds the one key that `text` is, or is the end of.
fn one<K: Copy + ToString>(
    text: &str,
    what: &str,
    keys: impl Iterator<Item = K>,
) -> Result<K, String> {
    let wanted = text.to_ascii_lowercase();
    let mut found = keys.filter(|key| {
        let whole = key.to_string();
        whole == wanted || (wanted.len() >= 4 && whole.replace('-', "").ends_with(&wanted))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("several {what}s end in {text:?}: type more of the key")),
        (None, _) => {
            Err(format!("no {what} {text:?}: type its key, or at least its last four digits"))
        }
    }
}

fn account(model: &Model, name: Option<&str>) -> Result<Option<AccountId>, String> {
    name.map(|name| {
        model.desk.account_named(name).map(|row| row.id).ok_or_else(|| {
            let mut names: Vec<&str> =
                model.desk.accounts.values().map(|row| row.name.as_str()).collect();
            names.sort_unstable();
            format!("no account {name:?}; there are {}", names.join(", "))
        })
    })
    .transpose()
}

/// Returns the least right that a verb needs, whatever stands behind it.
pub(super) fn right(word: &str) -> Option<Right> {
    match word {
        "buy" | "sell" | "take" => Some(Right::Open),
        "close" | "amend" | "flatten" => Some(Right::Trade),
        "halt" | "reduce-only" => Some(Right::Halt),
        "ack" | "unack" | "limit" | "resume" => Some(Right::Risk),
        _ => None,
    }
}

/// Opens the ticket that a verb in words asks for, at review where its fields can be sent.
///
/// # Errors
///
/// A sentence that says what is not there, or not allowed.
pub fn ticket(model: &Model, verb: &Verbs, fresh: ClientKey) -> Result<Ticket, Problem> {
    let ticket = match verb {
        Verbs::Buy(open) => spoken_open(model, open, Side::Buy, fresh)?,
        Verbs::Sell(open) => spoken_open(model, open, Side::Sell, fresh)?,
        Verbs::Close(close) => spoken_close(model, close, fresh)?,
        Verbs::Amend(amend) => spoken_amend(model, amend, fresh)?,
        Verbs::Flatten(flatten) => spoken_flatten(model, flatten, fresh)?,
        Verbs::Take(take) => spoken_take(model, take, fresh)?,
        Verbs::Ack(ack) => {
            let known = || model.desk.events.keys().copied();
            let events: Result<Vec<EventId>, String> =
                ack.events.iter().map(|text| one(text, "risk event", known())).collect();
            let events = events?;
            let needs_note = events
                .iter()
                .filter_map(|id| model.desk.events.get(id))
                .any(|row| row.severity.needs_note());
            let mut ticket = Ticket::new(fresh, Form::Acknowledge { events, needs_note });
            ticket.fill(FieldName::Note, ack.note.clone().unwrap_or_default());
            ticket
        }
        Verbs::Unack(unack) => {
            let event = one(&unack.event, "risk event", model.desk.events.keys().copied())?;
            let mut ticket = Ticket::new(fresh, Form::Unacknowledge { event });
            ticket.fill(FieldName::Note, unack.note.clone());
            ticket
        }
        Verbs::Limit(verb) => spoken_limit(model, verb, fresh)?,
        Verbs::Halt(halt) => spoken_halt(model, &halt.of, halt.mode.mode(), fresh)?,
        Verbs::ReduceOnly(halt) => spoken_halt(model, halt, HaltMode::ReduceOnly, fresh)?,
        Verbs::Resume(resume) => spoken_resume(model, resume, fresh)?,
    };
    if let Some(why) = permit::barred(model, right_of(&ticket.form)) {
        return Err(why.into());
    }
    Ok(opening::at_review(model, ticket))
}

fn spoken_open(model: &Model, open: &Open, side: Side, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, open.account.as_deref())?;
    let instrument = model
        .book
        .instrument(&open.instrument)
        .ok_or_else(|| unknown_instrument(model, &open.instrument))?;
    let about = Subject { account, instrument: Some(instrument.id.clone()) };
    let mut ticket = opening::open(model, fresh, side, &about);
    // Spoken words are whole: what was not said is not filled in from a preset.
    ticket.fill(FieldName::Stop, "");
    ticket.fill(FieldName::Target, "");
    ticket.fill_number(FieldName::Size, Some(open.size));
    ticket.fill_number(FieldName::Price, open.price);
    ticket.fill_number(FieldName::Stop, open.sl);
    ticket.fill_number(FieldName::Target, open.tp);
    ticket.fill(FieldName::Reason, open.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn unknown_instrument(model: &Model, name: &str) -> String {
    let mut names: Vec<&str> = model.book.instruments().map(|row| row.id.as_str()).collect();
    names.sort_unstable();
    format!("no instrument {name:?}; there are {}", names.join(", "))
}

/// Finds the one live position that is meant by an instrument, or by a key.
fn position<'a>(
    model: &'a Model,
    text: &str,
    account: Option<AccountId>,
) -> Result<Option<&'a Position>, String> {
    let Some(instrument) = model.book.instrument(text).map(|row| row.id.clone()) else {
        return Ok(None);
    };
    let held: Vec<&Position> = model
        .desk
        .positions
        .values()
        .filter(|row| row.instrument == instrument && account.is_none_or(|id| id == row.account))
        .collect();
    match held.as_slice() {
        [only] => Ok(Some(only)),
        [] => Err(format!("no open position in {instrument}")),
        several => Err(ambiguous(model, &instrument, several)),
    }
}

/// Says how to name one of several positions.
fn ambiguous(model: &Model, instrument: &InstrumentId, held: &[&Position]) -> String {
    let mut names: Vec<String> =
        held.iter().map(|row| model.desk.account_name(row.account)).collect();
    names.sort_unstable();
    names.dedup();
    if let [one] = names.as_slice() {
        let keys: Vec<String> = held
            .iter()
            .map(|row| format!("{} ({} {})", row.id.short(), row.direction, exact(row.size)))
            .collect();
        let keys = keys.join(", ");
        return format!("{one} holds {instrument} more than once: name one by its key: {keys}");
    }
    let example = names.first().map_or("", String::as_str);
    format!("several accounts hold {instrument}: add the account, like @{example}")
}

fn spoken_close(model: &Model, close: &Close, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, close.account.as_deref())?;
    let what = match position(model, &close.position, account)? {
        Some(held) => Closing::Position(held.id),
        None => closing(model, &close.position)?,
    };
    let mut ticket = holding::close(model, fresh, what)?;
    ticket.fill_number(FieldName::Size, close.size);
    ticket.fill_number(FieldName::Price, close.price);
    ticket.fill(FieldName::Reason, close.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Finds the position or the open trade that a key, or the end of one, names.
fn closing(model: &Model, text: &str) -> Result<Closing, String> {
    let positions = model.desk.positions.keys().copied();
    let trades = model.desk.trades.values().filter(|row| row.open_size().is_some());
    let found_position: Result<PositionId, String> = one(text, "position", positions);
    let found_trade: Result<TradeId, String> = one(text, "open trade", trades.map(|row| row.id));
    match (found_position, found_trade) {
        (Ok(id), Err(_)) => Ok(Closing::Position(id)),
        (Err(_), Ok(id)) => Ok(Closing::Trade(id)),
        (Ok(_), Ok(_)) => {
            Err(format!("a position and a trade end in {text:?}: type more of the key"))
        }
        (Err(_), Err(_)) => Err(format!(
            "no open position or trade {text:?}: type an instrument, a key, or at least its last \
             four digits"
        )),
    }
}

fn spoken_amend(model: &Model, amend: &Amend, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, amend.account.as_deref())?;
    let id = match position(model, &amend.position, account)? {
        Some(held) => held.id,
        None => one(&amend.position, "open position", model.desk.positions.keys().copied())?,
    };
    let mut ticket = holding::amend(model, fresh, id)?;
    let levels = [
        (FieldName::Stop, amend.sl),
        (FieldName::Target, amend.tp),
        (FieldName::Trailing, amend.trail),
    ];
    for (field, level) in levels {
        match level {
            Some(Level::At(level)) => ticket.fill_number(field, Some(level)),
            Some(Level::None) => ticket.fill(field, ""),
            None => {}
        }
    }
    ticket.fill(FieldName::Reason, amend.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn spoken_flatten(model: &Model, flatten: &Flatten, fresh: ClientKey) -> Result<Ticket, Problem> {
    let account = account(model, Some(&flatten.account))?.ok_or("say which account")?;
    let mut ticket = holding::flatten(model, fresh, account)
        .map_err(|why| Problem::from(why).refused(Code::NothingToFlatten))?;
    ticket.fill(FieldName::Reason, flatten.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn spoken_take(model: &Model, take: &Take, fresh: ClientKey) -> Result<Ticket, Problem> {
    let account = account(model, take.account.as_deref())?;
    let signal: SignalId = one(&take.signal, "signal", model.desk.signals.keys().copied())?;
    let mut ticket = opening::take(model, fresh, signal).map_err(|why| {
        let status = model.desk.signals.get(&signal).map(|row| row.status);
        let ran_out = matches!(status, Some(SignalStatus::Pending | SignalStatus::Expired));
        Problem::from(why).refused(if ran_out {
            Code::SignalExpired
        } else {
            Code::SignalNotPending
        })
    })?;
    if let Some(id) = account {
        ticket.fill(FieldName::Account, model.desk.account_name(id));
    }
    ticket.fill_number(FieldName::Size, take.size);
    ticket.fill_number(FieldName::Price, take.price);
    ticket.fill(FieldName::Reason, take.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn spoken_limit(model: &Model, verb: &LimitVerb, fresh: ClientKey) -> Result<Ticket, String> {
    let find = |text: &str| -> Result<LimitId, String> {
        one(text, "limit", model.desk.limits.keys().copied())
    };
    Ok(match verb {
        LimitVerb::Set { limit, value, warning, until, reason } => {
            let limit = find(limit)?;
            let base_version = model.desk.limits.get(&limit).and_then(|row| row.updated_at);
            let mut ticket = Ticket::new(fresh, Form::EditLimit { limit, base_version });
            ticket.fill_number(FieldName::Value, Some(*value));
            ticket.fill_number(FieldName::Warning, *warning);
            ticket.fill(FieldName::Until, until.clone().unwrap_or_default());
            ticket.fill(FieldName::Reason, reason.clone().unwrap_or_default());
            ticket
        }
        LimitVerb::New(new) => spoken_new_limit(model, new, fresh)?,
        LimitVerb::Retire { limit, reason } => {
            let limit = find(limit)?;
            let base_version = model.desk.limits.get(&limit).and_then(|row| row.updated_at);
            let mut ticket = Ticket::new(fresh, Form::RetireLimit { limit, base_version });
            ticket.fill(FieldName::Reason, reason.clone());
            ticket
        }
        LimitVerb::Approve { limit, note } => {
            let mut ticket = Ticket::new(fresh, Form::Approve { limit: find(limit)? });
            ticket.fill(FieldName::Note, note.clone().unwrap_or_default());
            ticket
        }
        LimitVerb::Reject { limit, note } => {
            let mut ticket = Ticket::new(fresh, Form::Reject { limit: find(limit)? });
            ticket.fill(FieldName::Note, note.clone());
            ticket
        }
    })
}

fn spoken_new_limit(model: &Model, new: &NewLimit, fresh: ClientKey) -> Result<Ticket, String> {
    let mut ticket = limit::new(model, fresh);
    ticket.fill(FieldName::LimitType, new.limit_type.clone());
    if let Some(id) = account(model, new.account.as_deref())? {
        ticket.fill(FieldName::Account, model.desk.account_name(id));
    } else if new.each_account {
        ticket.fill(FieldName::Account, EACH_ACCOUNT);
    } else {
        ticket.fill(FieldName::Account, ANY);
    }
    if let Some(name) = &new.instrument {
        let known = model.book.instrument(name).ok_or_else(|| unknown_instrument(model, name))?;
        ticket.fill(FieldName::Instrument, known.id.to_string());
    }
    if let Some(name) = &new.portfolio {
        ticket.fill(FieldName::Portfolio, name.clone());
    }
    ticket.fill(FieldName::Unit, new.unit.clone().unwrap_or_default());
    if new.unit.is_none() {
        limit::usual_unit(model, &mut ticket);
    }
    ticket.fill_number(FieldName::Value, Some(new.value));
    ticket.fill_number(FieldName::Warning, new.warning);
    for (field, text) in [
        (FieldName::Until, &new.until),
        (FieldName::Parameters, &new.parameters),
        (FieldName::Reason, &new.reason),
    ] {
        ticket.fill(field, text.clone().unwrap_or_default());
    }
    Ok(ticket)
}

fn spoken_halt(
    model: &Model,
    halted: &Halted,
    mode: HaltMode,
    fresh: ClientKey,
) -> Result<Ticket, String> {
    let scope = if let Some(id) = account(model, halted.account.as_deref())? {
        HaltScope::Account(id)
    } else if let Some(name) = &halted.instrument {
        let known = model.book.instrument(name).ok_or_else(|| unknown_instrument(model, name))?;
        HaltScope::Instrument(known.id.clone())
    } else if let Some(name) = &halted.portfolio {
        HaltScope::Portfolio(name.clone())
    } else {
        HaltScope::System
    };
    let mut ticket = halt::halt_of(model, fresh, mode, scope);
    if let Some(reason) = &halted.reason {
        ticket.fill(FieldName::Reason, reason.clone());
    }
    Ok(ticket)
}

fn spoken_resume(model: &Model, resume: &Resume, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, resume.account.as_deref())?;
    let ends: HaltId = match &resume.halt {
        Some(text) => one(text, "halt", model.desk.halts.keys().copied())?,
        None => model
            .desk
            .halts
            .values()
            .filter(|row| account.is_none() || row.account == account)
            .max_by_key(|row| row.set_at)
            .map(|row| row.id)
            .ok_or("no such halt is in force")?,
    };
    let mut ticket = halt::resume_of(model, fresh, ends);
    ticket.fill(FieldName::Reason, resume.reason.clone());
    Ok(ticket)
}
