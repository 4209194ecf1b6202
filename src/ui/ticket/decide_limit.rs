//! A decision on a proposal: who proposed what, why, and who would be in breach.

use super::sheet::{Item, Sheet, right_width, split, words};
use super::{impact, limit};
use crate::app::model::Model;
use crate::app::ticket::{DecideLimit, FieldName, Ticket};
use crate::ui::popup;
use crate::ui::theme::{Class, Theme};

/// Returns the sheet of a decision on a proposal.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &DecideLimit,
    theme: Theme,
    width: usize,
) -> Sheet {
    let Some(row) = model.desk.limits.get(&form.limit) else { return limit::gone(theme) };
    let room = right_width(width);
    let mut left = vec![Item::Field(FieldName::Note, String::new()), Item::Blank];
    let asked = row.change_reason.as_deref().unwrap_or("no reason given");
    let by = words("Proposer", &row.created_by, split(width), theme);
    let why = words("Reason", asked, split(width), theme);
    left.extend(by.into_iter().chain(why).map(Item::Fact));
    let base = row.supersedes.and_then(|id| model.desk.limits.get(&id));
    let mut right = limit::about(model, base.unwrap_or(row), theme, room);
    if row.retires {
        let text = "Retires the limit: once approved, it no longer applies.";
        right.extend(popup::paragraph(text, room, theme.style(Class::Critical)));
    } else if let Some(base) = base {
        let new = (Some(row.value), row.warning);
        let loosens = "Loosens: effective as soon as it is approved.";
        right.extend(limit::change(model, base, new, loosens, theme, room));
    } else {
        let text = limit::amount(row, row.value);
        right.extend(words("New", &text, room, theme));
    }
    right.extend(impact::lines(ticket, theme, room));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}
