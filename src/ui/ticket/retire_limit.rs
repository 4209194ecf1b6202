//! Retiring a limit.

use super::limit;
use super::sheet::{Item, Sheet, right_width, split, words};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, RetireLimit};
use crate::ui::popup;
use crate::ui::theme::{Class, Theme};

/// Returns the sheet of a retirement.
pub(super) fn sheet(model: &Model, form: &RetireLimit, theme: Theme, width: usize) -> Sheet {
    let Some(row) = model.desk.limits.get(&form.limit) else { return limit::gone(theme) };
    let room = right_width(width);
    let left = vec![Item::Field(FieldName::Reason, String::new())];
    let mut right = limit::about(model, row, theme, room);
    right.extend(words("Value", &limit::amount(row, row.value), room, theme));
    let text = "Once retired, it no longer applies. Needs a second person's approval.";
    right.extend(popup::paragraph(text, room, theme.style(Class::Warning)));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}
