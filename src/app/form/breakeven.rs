//! Moving the stop of a position to its entry price.

use clap::Args;
use rust_decimal::Decimal;

use super::kind::{Fields, FormKind, Opened, Waits};
use super::{amend, words};
use crate::app::model::Model;
use crate::app::ticket::read::{Problem, note};
use crate::app::ticket::{Breakeven, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, InstrumentId, PositionId};
use crate::domain::position::{Direction, Position};
use crate::domain::request::Verb;
use crate::domain::rounding::floor_step;
use crate::domain::session::Right;

const FIELDS: Fields = &[(FieldName::Reason, Kind::Text)];

/// `breakeven`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Instrument, or the position's ID or its last 4 characters
    pub position: String,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it on the selected row, at review.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    Ok(about(key, amend::selected(model)?.id))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let mut ticket = about(key, words::position(model, &words.position, account)?.id);
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn about(key: ClientKey, position: PositionId) -> Ticket {
    Ticket::new(key, Form::Breakeven(Breakeven { position }), FIELDS).at_review()
}

/// Returns the entry price; where it lies between two ticks, the one on the side of a profit.
fn entry(model: &Model, held: &Position) -> Option<Decimal> {
    let entry = held.average_entry;
    let Some(row) = model.book.instrument(held.instrument.as_str()) else { return Some(entry) };
    let below = floor_step(entry, row.tick_size)?;
    let is_between = below != entry && held.direction == Direction::Long;
    if is_between { below.checked_add(row.tick_size) } else { Some(below) }
}

impl Breakeven {
    fn held<'a>(&self, model: &'a Model) -> Option<&'a Position> {
        model.desk.positions.get(&self.position)
    }
}

impl FormKind for Breakeven {
    fn title(&self, model: &Model, _ticket: &Ticket) -> String {
        let held = self.held(model);
        format!("BREAKEVEN {}", held.map_or("position", |held| held.instrument.as_str()))
    }

    fn right(&self) -> Right {
        Right::Trade
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let held = self.held(model).ok_or_else(|| {
            Problem::plain("the position is no longer open").refused(Code::PositionNotOpen)
        })?;
        let stop = entry(model, held);
        if stop == held.stop_loss {
            return Err("the stop is already at the entry price".into());
        }
        Ok(Verb::Amend {
            position: held.id,
            stop,
            target: held.take_profit,
            trailing: held.trailing_distance,
            reason: note(ticket, FieldName::Reason),
        })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        self.held(model).map(|held| held.account)
    }

    fn instrument(&self, model: &Model, _ticket: &Ticket) -> Option<InstrumentId> {
        self.held(model).map(|held| held.instrument.clone())
    }

    fn waits_for(&self) -> Waits {
        Waits::Asked
    }
}
