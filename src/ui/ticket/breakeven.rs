//! Stop at the entry price: the position, and the P&L at the stop before and after.

use super::amend;
use super::sheet::{Item, Sheet, right_width, split};
use crate::app::model::Model;
use crate::app::ticket::{Breakeven, FieldName, Ticket};
use crate::ui::theme::Theme;

pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &Breakeven,
    theme: Theme,
    width: usize,
) -> Sheet {
    let held = model.desk.positions.get(&form.position);
    let right = held.map(|held| amend::facts(model, ticket, held, theme, right_width(width)));
    Sheet {
        left: vec![Item::Field(FieldName::Reason, String::new())],
        right: right.unwrap_or_default(),
        split: split(width),
        ..Sheet::default()
    }
}
