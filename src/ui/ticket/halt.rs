//! A halt: its scope, and what is still allowed.

use super::flatten;
use super::sheet::{Item, Sheet, right_width, split, words};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Halt, HaltScope};
use crate::domain::halt::HaltMode;
use crate::domain::position::Position;
use crate::domain::session::Right;
use crate::ui::theme::{Class, Theme};

/// Returns the sheet of a halt.
pub(super) fn sheet(
    model: &Model,
    Halt { mode, scope, narrow }: &Halt,
    theme: Theme,
    width: usize,
) -> Sheet {
    let mut left = vec![Item::Field(FieldName::Reason, String::new())];
    if *mode == HaltMode::Flatten {
        left.insert(0, Item::Field(FieldName::Confirm, String::new()));
    }
    let room = right_width(width);
    let covers = |scope: &HaltScope| match scope {
        HaltScope::Account(id) => format!("account {}", model.desk.account_name(*id)),
        HaltScope::Instrument(name) => format!("{name} in every account"),
        HaltScope::Portfolio(name) => format!("portfolio {name}"),
        HaltScope::System => "all accounts, all clients".to_owned(),
    };
    let mut right = words("Scope", &covers(scope), room, theme);
    let other = match (scope, narrow) {
        (HaltScope::System, Some(narrow)) => format!("Tab narrows to {}", covers(narrow)),
        (HaltScope::System, None) => "select a row first for a narrower halt".to_owned(),
        _ if !model.may(Right::Risk) => "only a risk officer can widen it".to_owned(),
        _ => "Tab widens to all accounts".to_owned(),
    };
    right.extend(
        words("", &other, room, theme)
            .into_iter()
            .map(|line| line.style(theme.style(Class::Quiet))),
    );
    let effect = match mode {
        HaltMode::ReduceOnly | HaltMode::NoNewOrders => {
            "New risk is refused; closing and reducing are allowed."
        }
        HaltMode::Flatten => "No new orders, and every position is closed now.",
    };
    right.extend(words("Effect", effect, room, theme));
    let held: Vec<&Position> = model
        .desk
        .positions
        .values()
        .filter(|held| match scope {
            HaltScope::Account(id) => held.account == *id,
            HaltScope::Instrument(name) => held.instrument == *name,
            HaltScope::Portfolio(name) => {
                let row = model.desk.accounts.get(&held.account);
                row.and_then(|row| row.portfolio.as_deref()) == Some(name.as_str())
            }
            HaltScope::System => true,
        })
        .collect();
    if *mode == HaltMode::Flatten {
        right.extend(flatten::list(model, &held, flatten::Named::Yes, theme, room));
    } else {
        let text = format!("Open positions ({}) stay open and can be closed.", held.len());
        right.extend(words("", &text, room, theme));
    }
    let text = "Applies to all clients until resumed.";
    right.extend(words("", text, room, theme));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}
