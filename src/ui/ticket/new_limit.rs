//! A new limit: what it measures, and the existing ones of its type.

use super::impact;
use super::sheet::{Item, Sheet, right_width, split, words};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Ticket};
use crate::domain::limit::{Limit, LimitState};
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Most limits of the same kind that are listed.
const LISTED: usize = 6;

/// Returns the sheet of a new limit.
pub(super) fn sheet(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Sheet {
    let empty = |name| Item::Field(name, String::new());
    let left = vec![
        empty(FieldName::LimitType),
        empty(FieldName::Account),
        empty(FieldName::Instrument),
        empty(FieldName::Portfolio),
        empty(FieldName::Value),
        empty(FieldName::Unit),
        Item::Field(FieldName::Warning, "default 80%".to_owned()),
        empty(FieldName::Until),
        empty(FieldName::Parameters),
        empty(FieldName::Reason),
    ];
    let room = right_width(width);
    let mut right = Vec::new();
    let chosen = ticket.text(FieldName::LimitType);
    let known = model.limit_types.iter().find(|row| Some(row.name.as_str()) == chosen);
    if let Some(row) = known {
        right.extend(words("Measures", &row.description, room, theme));
        right.extend(words("Units", &joined(&row.units), room, theme));
        right.extend(words("Scopes", &joined(&row.scopes), room, theme));
        if !row.is_enforced {
            let text = "NOT ENFORCED by this version of the rulebook.";
            right.extend(popup::paragraph(text, room, theme.style(Class::Warning)));
        }
    } else {
        let names: Vec<&str> = model.limit_types.iter().map(|row| row.name.as_str()).collect();
        let text = match (names.is_empty(), chosen) {
            (true, _) => "loading the limit types…".to_owned(),
            (false, None) => "choose a limit type with Left and Right".to_owned(),
            (false, Some(_)) => format!("Limit types: {}.", names.join(", ")),
        };
        right.extend(popup::paragraph(&text, room, theme.style(Class::Quiet)));
    }
    let there: Vec<&Limit> = model
        .desk
        .limits
        .values()
        .filter(|row| row.state == LimitState::Active && Some(row.limit_type.as_str()) == chosen)
        .collect();
    for row in there.iter().take(LISTED) {
        let subject = model.limit_subject(row);
        let text = format!("{subject}: {}", format::measured_of(row.value, Some(&row.unit)));
        right.extend(words("Existing", &text, room, theme));
    }
    let text = "Takes effect immediately. Orders must pass every applicable limit.";
    right.extend(popup::paragraph(text, room, theme.style(Class::Good)));
    right.extend(impact::lines(ticket, theme, room));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

fn joined<T: ToString>(words: &[T]) -> String {
    words.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
