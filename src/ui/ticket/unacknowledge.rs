//! Unacknowledging a risk event.

use super::acknowledge::described;
use super::sheet::{Item, Sheet};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Unacknowledge};
use crate::ui::theme::Theme;

/// Returns the sheet of an unacknowledgement.
pub(super) fn sheet(model: &Model, form: &Unacknowledge, theme: Theme, width: usize) -> Sheet {
    let mut left = described(model, &[form.event], theme, width);
    left.push(Item::Blank);
    left.push(Item::Field(FieldName::Note, String::new()));
    Sheet { left, ..Sheet::default() }
}
