//! Closing a position, one trade of it, or a part.

use clap::Args;
use rust_decimal::Decimal;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::words::{self, number};
use crate::app::model::Model;
use crate::app::pane::RowId;
use crate::app::ticket::read::{self, Problem, note};
use crate::app::ticket::{Close, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, InstrumentId, PositionId, TradeId};
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, exact};
use crate::domain::position::Position;
use crate::domain::request::{Closing, Verb};
use crate::domain::session::Right;

const FIELDS: Fields = &[
    (FieldName::Size, Kind::Number),
    (FieldName::Price, Kind::Number),
    (FieldName::Reason, Kind::Text),
];

/// `close`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Instrument, or the ID of a position or trade, or its last 4 characters
    pub position: String,
    /// Size in contracts; all by default
    #[arg(value_parser = number)]
    pub size: Option<Decimal>,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Price; the current one by default
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it on the selected row.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    about(model, key, selected(model)?)
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let what = match words::position_in(model, &words.position, account)? {
        Some(held) => Closing::Position(held.id),
        None => named(model, &words.position)?,
    };
    let mut ticket = about(model, key, what)?;
    ticket.fill_number(FieldName::Size, words.size);
    ticket.fill_number(FieldName::Price, words.price);
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Opens a close of all of it, at review.
fn about(model: &Model, key: ClientKey, what: Closing) -> Opened {
    if model.desk.holding(what).is_none() {
        return Err(match what {
            Closing::Position(_) => "the position is no longer open",
            Closing::Trade(_) => "the trade is not open",
        }
        .into());
    }
    let form = Close { what };
    let mut ticket = Ticket::new(key, Form::Close(form.clone()), FIELDS);
    ticket.fill(FieldName::Size, "100%");
    form.reprice(model, &mut ticket);
    Ok(ticket.at_review())
}

/// Returns what the selected row would close: a position, or one trade of it.
pub(super) fn selected(model: &Model) -> Result<Closing, String> {
    match model.selected() {
        Some(RowId::Position(id)) => Ok(Closing::Position(*id)),
        Some(RowId::Trade(id)) => Ok(Closing::Trade(*id)),
        _ => Err("select a position or a trade first".to_owned()),
    }
}

/// Finds the position or the open trade that a key, or the end of one, names.
fn named(model: &Model, text: &str) -> Result<Closing, String> {
    let positions = model.desk.positions.keys().copied();
    let trades = model.desk.trades.values().filter(|row| row.open_size().is_some());
    let position: Result<PositionId, String> = words::one(text, "position", positions);
    let trade: Result<TradeId, String> = words::one(text, "open trade", trades.map(|row| row.id));
    match (position, trade) {
        (Ok(id), Err(_)) => Ok(Closing::Position(id)),
        (Err(_), Ok(id)) => Ok(Closing::Trade(id)),
        (Ok(_), Ok(_)) => {
            Err(format!("{text:?} matches a position and a trade: type more of the key"))
        }
        (Err(_), Err(_)) => Err(format!(
            "no open position or trade {text:?}: type an instrument, or a key or at least its \
             last four digits"
        )),
    }
}

impl FormKind for Close {
    fn title(&self, model: &Model, _ticket: &Ticket) -> String {
        let held = model.desk.holding(self.what);
        format!("CLOSE {}", held.as_ref().map_or("position", |held| held.instrument.as_str()))
    }

    fn right(&self) -> Right {
        Right::Trade
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let held = model.desk.holding(self.what).ok_or_else(|| {
            let problem = Problem::plain("no longer open: nothing to close");
            problem.refused(Code::PositionNotOpen)
        })?;
        // A position in an unknown instrument can still be closed.
        let instrument = model.book.instrument(held.instrument.as_str());
        let price = read::price(ticket, FieldName::Price, instrument)?.ok_or_else(|| {
            Problem::at(FieldName::Price, "no price: enter the price to close at")
        })?;
        let size = size(ticket, &held, instrument)?;
        Ok(Verb::Close { what: self.what, size, price, reason: note(ticket, FieldName::Reason) })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        model.desk.holding(self.what).map(|held| held.account)
    }

    fn instrument(&self, model: &Model, _ticket: &Ticket) -> Option<InstrumentId> {
        model.desk.holding(self.what).map(|held| held.instrument)
    }

    /// The current mark, else the last one stored. A close is offered on a stale price
    /// too; the ticket shows its age.
    fn price(&self, model: &Model, _ticket: &Ticket) -> Option<Decimal> {
        let held = model.desk.holding(self.what)?;
        let booked = match self.what {
            Closing::Position(_) => held.booked_price,
            Closing::Trade(id) => {
                let trade = model.desk.trades.get(&id)?;
                model.desk.position_of(trade).and_then(|position| position.booked_price)
            }
        };
        model.book.mark(&held.instrument, held.direction).or(booked)
    }

    fn retyped(&self) -> Option<FieldName> {
        Some(FieldName::Size)
    }
}

/// Reads how much is closed; `None` is all of it.
fn size(
    ticket: &Ticket,
    held: &Position,
    instrument: Option<&Instrument>,
) -> Result<Option<Decimal>, Problem> {
    let problem = |text: String| Problem::at(FieldName::Size, text);
    let typed = |text: &str| money::typed(text).map_err(|why| problem(why.to_string()));
    let wanted = match ticket.text(FieldName::Size) {
        None | Some("100%") => return Ok(None),
        Some(text) => match text.strip_suffix('%') {
            Some(percent) => share(held.size, typed(percent)?, instrument),
            None => Some(typed(text)?),
        },
    };
    let wanted = wanted.filter(|size| *size > Decimal::ZERO).ok_or_else(|| {
        problem("smaller than one size step: enter a size".to_owned()).refused(Code::SizeNotAStep)
    })?;
    if wanted > held.size {
        let text = format!("only {} open", exact(held.size));
        return Err(problem(text).refused(Code::ReduceOnlyExceedsPosition));
    }
    // Closing all of it is right whatever the step is now.
    if wanted == held.size {
        return Ok(None);
    }
    if let Some(step) = instrument.map(|row| row.size_step)
        && wanted.checked_rem(step).is_none_or(|rest| !rest.is_zero())
    {
        let text = format!(
            "size {} is not a multiple of the size step {}; 100% closes all",
            exact(wanted),
            exact(step)
        );
        return Err(problem(text).refused(Code::SizeNotAStep));
    }
    Ok(Some(wanted))
}

/// Returns `percent` of a size, rounded down to a step: a part is never more than was asked.
fn share(size: Decimal, percent: Decimal, instrument: Option<&Instrument>) -> Option<Decimal> {
    let raw = size.checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
    let step = instrument.map_or(Decimal::ONE, |row| row.size_step);
    raw.checked_sub(raw.checked_rem(step)?)
}

pub(super) fn facts(model: &Model, what: Closing, size: Option<Decimal>, price: Decimal) -> Facts {
    let of = match what {
        Closing::Position(id) => format!("position {}", id.short()),
        Closing::Trade(id) => format!("trade {}", id.short()),
    };
    let Some(held) = model.desk.holding(what) else {
        return Facts::new(format!("CLOSE {of}"), None);
    };
    let ticket = if let Closing::Trade(_) = what { format!("  {of}") } else { String::new() };
    let sentence = format!(
        "CLOSE {} of {} {} {} @ {}{ticket}  account {}",
        size.map_or("all".to_owned(), exact),
        exact(held.size),
        held.instrument,
        held.direction,
        model.price_text(&held.instrument, price),
        model.desk.account_name(held.account),
    );
    Facts::new(sentence, Some(held.account))
}
