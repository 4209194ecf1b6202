//! Amending stop, target and trailing distance.

use clap::Args;
use rust_decimal::Decimal;

use super::close;
use super::kind::{Facts, Fields, FormKind, Opened, Waits};
use super::words::{self, Level};
use crate::app::model::Model;
use crate::app::ticket::read::{self, Problem, note};
use crate::app::ticket::{Amend, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, InstrumentId, PositionId};
use crate::domain::money::exact;
use crate::domain::position::{Position, Protection};
use crate::domain::request::{Closing, Verb};
use crate::domain::session::Right;

const FIELDS: Fields = &[
    (FieldName::Stop, Kind::Number),
    (FieldName::Target, Kind::Number),
    (FieldName::Trailing, Kind::Number),
    (FieldName::Reason, Kind::Text),
];

/// `amend`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Instrument, or the position's ID or its last 4 characters
    pub position: String,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Stop, or none; unchanged by default
    #[arg(long)]
    pub sl: Option<Level>,
    /// Target, or none; unchanged by default
    #[arg(long)]
    pub tp: Option<Level>,
    /// Trailing distance in price units, or none; unchanged by default
    #[arg(long)]
    pub trail: Option<Level>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it on the selected row.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    Ok(about(model, key, selected(model)?))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let mut ticket = about(model, key, words::position(model, &words.position, account)?);
    let levels = [
        (FieldName::Stop, words.sl),
        (FieldName::Target, words.tp),
        (FieldName::Trailing, words.trail),
    ];
    for (field, level) in levels {
        match level {
            Some(Level::At(level)) => ticket.fill_number(field, Some(level)),
            Some(Level::None) => ticket.fill(field, ""),
            None => {}
        }
    }
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Opens the stop, the target and the trailing distance of a position, as they are.
fn about(model: &Model, key: ClientKey, held: &Position) -> Ticket {
    let mut ticket = Ticket::new(key, Form::Amend(Amend { position: held.id }), FIELDS);
    let places = model.price_places(&held.instrument);
    ticket.fill_price(FieldName::Stop, held.stop_loss, places);
    ticket.fill_price(FieldName::Target, held.take_profit, places);
    ticket.fill_price(FieldName::Trailing, held.trailing_distance, places);
    ticket
}

/// Returns the live position of the selected row.
pub(super) fn selected(model: &Model) -> Result<&Position, String> {
    let desk = &model.desk;
    match close::selected(model)? {
        Closing::Position(id) => {
            desk.positions.get(&id).ok_or_else(|| "the position is no longer open".to_owned())
        }
        Closing::Trade(id) => desk
            .trades
            .get(&id)
            .filter(|trade| trade.open_size().is_some())
            .and_then(|trade| desk.position_of(trade))
            .ok_or_else(|| "the trade is not open".to_owned()),
    }
}

impl FormKind for Amend {
    fn title(&self, model: &Model, _ticket: &Ticket) -> String {
        let held = model.desk.positions.get(&self.position);
        format!("AMEND {}", held.map_or("position", |held| held.instrument.as_str()))
    }

    fn right(&self) -> Right {
        Right::Trade
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let held = model.desk.positions.get(&self.position).ok_or_else(|| {
            Problem::plain("the position is no longer open").refused(Code::PositionNotOpen)
        })?;
        for name in [FieldName::Stop, FieldName::Target, FieldName::Trailing] {
            if read::number(ticket, name)?.is_some_and(|level| level <= Decimal::ZERO) {
                let label = name.label();
                let text = format!("{label} must be above zero; leave it empty for none");
                return Err(Problem::at(name, text).refused(Code::PriceOutOfRange));
            }
        }
        let instrument = model.book.instrument(held.instrument.as_str());
        let level = |name| read::price(ticket, name, instrument);
        let (stop, target) = (level(FieldName::Stop)?, level(FieldName::Target)?);
        let trailing = level(FieldName::Trailing)?;
        if (stop, target, trailing) == (held.stop_loss, held.take_profit, held.trailing_distance) {
            let text = "nothing changed: enter a stop, a target or a trailing distance";
            return Err(Problem::at(FieldName::Stop, text));
        }
        let reason = note(ticket, FieldName::Reason);
        Ok(Verb::Amend { position: held.id, stop, target, trailing, reason })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        model.desk.positions.get(&self.position).map(|held| held.account)
    }

    fn instrument(&self, model: &Model, _ticket: &Ticket) -> Option<InstrumentId> {
        model.desk.positions.get(&self.position).map(|held| held.instrument.clone())
    }

    fn waits_for(&self) -> Waits {
        Waits::Asked
    }
}

pub(super) fn facts(
    model: &Model,
    position: PositionId,
    [stop, target, trailing]: [Option<Decimal>; 3],
) -> Facts {
    let Some(held) = model.desk.positions.get(&position) else {
        return Facts::new(format!("AMEND position {}", position.short()), None);
    };
    let level = |level: Option<Decimal>| {
        level.map_or_else(|| "none".to_owned(), |level| model.price_text(&held.instrument, level))
    };
    let change = |name: &str, old: Option<Decimal>, new: Option<Decimal>| {
        if old == new {
            old.map(|_| format!("  {name} {}", level(old))).unwrap_or_default()
        } else {
            format!("  {name} {} -> {}", level(old), level(new))
        }
    };
    let mark = model.book.mark(&held.instrument, held.direction).filter(|_| stop != held.stop_loss);
    let is_hit = stop.zip(mark).is_some_and(|(stop, mark)| held.is_past(stop, mark));
    let risk = match held.protection(stop, trailing) {
        // It would be no stop, but a close.
        _ if is_hit => "  (WOULD TRIGGER NOW)",
        Protection::Same => "",
        Protection::Tightens => "  (tightens)",
        Protection::Widens => "  (WIDENS)",
    };
    let sentence = format!(
        "AMEND {} {} {}{}{}{}{risk}  account {}",
        held.instrument,
        held.direction,
        exact(held.size),
        change("SL", held.stop_loss, stop),
        change("TP", held.take_profit, target),
        change("trailing", held.trailing_distance, trailing),
        model.desk.account_name(held.account),
    );
    Facts::new(sentence, Some(held.account))
}
