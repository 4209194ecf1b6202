//! Tickets on what is held: its end, its stop and target, the end of all of an account.

use rust_decimal::Decimal;

use super::{Declined, at_review, reprice};
use crate::app::model::Model;
use crate::app::pane::RowId;
use crate::app::selection::subject;
use crate::app::ticket::{FieldName, Form, Ticket};
use crate::domain::ids::{AccountId, ClientKey, PositionId};
use crate::domain::request::Closing;

/// Price at which it would be closed: of now, else the one that the database wrote last. A close is
/// offered on an old price too; the ticket shows its age.
pub(super) fn closing_price(model: &Model, what: Closing) -> Option<Decimal> {
    let held = model.desk.holding(what)?;
    let booked = match what {
        Closing::Position(_) => held.booked_price,
        Closing::Trade(id) => {
            let trade = model.desk.trades.get(&id)?;
            model.desk.position_of(trade).and_then(|position| position.booked_price)
        }
    };
    model.book.mark(&held.instrument, held.direction).or(booked)
}

/// Opens a close of all of it, at review.
pub(in crate::app) fn close(
    model: &Model,
    key: ClientKey,
    what: Closing,
) -> Result<Ticket, Declined> {
    if model.desk.holding(what).is_none() {
        return Err(match what {
            Closing::Position(_) => "the position is no longer open",
            Closing::Trade(_) => "nothing of this trade is open",
        }
        .to_owned());
    }
    let mut ticket = Ticket::new(key, Form::Close { what });
    ticket.fill(FieldName::Size, "100%");
    reprice(model, &mut ticket);
    Ok(at_review(model, ticket))
}

/// Returns what the selected row would close: a position, or one trade of it.
pub(in crate::app) fn selected(model: &Model) -> Result<Closing, Declined> {
    match model.selected() {
        Some(RowId::Position(id)) => Ok(Closing::Position(*id)),
        Some(RowId::Trade(id)) => Ok(Closing::Trade(*id)),
        _ => Err("select a position or a trade first".to_owned()),
    }
}

/// Returns the live position of the selected row.
pub(in crate::app) fn selected_position(model: &Model) -> Result<PositionId, Declined> {
    match selected(model)? {
        Closing::Position(id) => Ok(id),
        Closing::Trade(id) => model
            .desk
            .trades
            .get(&id)
            .filter(|trade| trade.open_size().is_some())
            .and_then(|trade| model.desk.position_of(trade))
            .map(|held| held.id)
            .ok_or_else(|| "nothing of this trade is open".to_owned()),
    }
}

/// Opens the stop, the target and the trailing distance of a position, as they are.
pub(in crate::app) fn amend(
    model: &Model,
    key: ClientKey,
    position: PositionId,
) -> Result<Ticket, Declined> {
    let held = model.desk.positions.get(&position).ok_or("the position is no longer open")?;
    let mut ticket = Ticket::new(key, Form::Amend { position });
    let places = model.price_places(&held.instrument);
    ticket.fill_price(FieldName::Stop, held.stop_loss, places);
    ticket.fill_price(FieldName::Target, held.take_profit, places);
    ticket.fill_price(FieldName::Trailing, held.trailing_distance, places);
    Ok(ticket)
}

/// Opens the end of all that an account holds: its name must be typed.
pub(in crate::app) fn flatten(
    model: &Model,
    key: ClientKey,
    account: AccountId,
) -> Result<Ticket, Declined> {
    if !model.desk.positions.values().any(|held| held.account == account) {
        return Err(format!("account {} holds nothing", model.desk.account_name(account)));
    }
    Ok(Ticket::new(key, Form::Flatten { account }))
}

/// Opens it for the account of the selected row.
pub(in crate::app) fn flatten_selected(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let account = subject(model).account.ok_or("select a row of the account first")?;
    flatten(model, key, account)
}
