//! Changing a limit: before, after, and who would be in breach.

use super::sheet::{Item, Sheet, right_width, split};
use super::{impact, limit};
use crate::app::model::Model;
use crate::app::ticket::{EditLimit, FieldName, Ticket};
use crate::domain::money::typed;
use crate::ui::format;
use crate::ui::theme::Theme;

/// Returns the sheet of a change.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &EditLimit,
    theme: Theme,
    width: usize,
) -> Sheet {
    let Some(row) = model.desk.limits.get(&form.limit) else { return limit::gone(theme) };
    let number = |name| ticket.text(name).and_then(|text| typed(text).ok());
    let now = format!("now {}", format::measured_of(row.value, Some(&row.unit)));
    let warning = row.warning_level().map(|level| format::measured(level, Some(&row.unit)));
    let left = vec![
        Item::Field(FieldName::Value, now),
        Item::Field(FieldName::Warning, format!("now {}", warning.unwrap_or_default())),
        Item::Field(FieldName::Until, String::new()),
        Item::Field(FieldName::Reason, String::new()),
    ];
    let new = number(FieldName::Value);
    let room = right_width(width);
    let mut right = limit::about(model, row, theme, room);
    let warning = number(FieldName::Warning);
    let loosens = "Loosens: needs a reason and a second person's approval.";
    right.extend(limit::change(model, row, (new, warning), loosens, theme, room));
    right.extend(impact::lines(ticket, theme, room));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}
