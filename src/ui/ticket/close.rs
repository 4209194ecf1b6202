//! Closing a position: what is held, and the P&L of the part to close.

use ratatui::text::Line;
use rust_decimal::Decimal;

use super::sheet::{Item, Sheet, fact_line, right_width, split, words};
use crate::app::model::{Freshness, Model};
use crate::app::review::draft;
use crate::app::ticket::{Close, FieldName, Ticket};
use crate::domain::money::exact;
use crate::domain::position::Position;
use crate::domain::request::{Closing, Verb};
use crate::ui::table::gain_style;
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Returns the sheet of a close.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &Close,
    theme: Theme,
    width: usize,
) -> Sheet {
    let held = model.desk.holding(form.what);
    let now = held.as_ref().and_then(|held| {
        let price = model.book.mark(&held.instrument, held.direction)?;
        Some(format!("= {}", format::price(price, model.price_places(&held.instrument))))
    });
    let left = vec![
        Item::Field(FieldName::Size, "50% or a size".to_owned()),
        Item::Field(FieldName::Price, now.unwrap_or_default()),
        Item::Field(FieldName::Reason, String::new()),
    ];
    let right = held.map_or_else(
        || vec![Line::styled("no longer open", theme.style(Class::Warning))],
        |held| facts(model, ticket, form, &held, theme, right_width(width)),
    );
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

fn facts(
    model: &Model,
    ticket: &Ticket,
    form: &Close,
    held: &Position,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let account = model.desk.accounts.get(&held.account);
    let currency = account.map_or("", |row| row.base_currency.as_str());
    let places = model.price_places(&held.instrument);
    let name = format!(
        "{} {}  {}",
        held.direction,
        exact(held.size),
        model.desk.account_name(held.account)
    );
    let (label, entry_is) = match form.what {
        Closing::Trade(_) => ("Trade", ""),
        Closing::Position(_) => ("Position", "average"),
    };
    let mut lines = words(label, &name, width, theme);
    let entry = format::price(held.average_entry, places);
    lines.push(fact_line("Entry", &entry, entry_is, ratatui::style::Style::new(), theme));
    let mark = model.book.mark(&held.instrument, held.direction);
    let price = mark.map_or(format::ABSENT.to_owned(), |mark| format::price(mark, places));
    let age = model.price_age(&held.instrument);
    let age =
        age.map_or_else(|| "no price yet".to_owned(), |age| format!("{} old", format::age(age)));
    lines.push(fact_line("Mark", &price, &age, ratatui::style::Style::new(), theme));
    let gain = |label: &str, value: Option<Decimal>, note: &str| {
        let text = value.map_or_else(|| format::ABSENT.to_owned(), format::gain);
        let style =
            value.map_or_else(|| theme.style(Class::Quiet), |value| gain_style(value, theme));
        fact_line(label, &text, note, style, theme)
    };
    let pnl = mark.and_then(|mark| model.book.open_pnl(held, mark, currency));
    lines.push(gain("P&L now", pnl, currency));
    if let Ok(Verb::Close { size, price, .. }) = draft(model, ticket) {
        let part = size.unwrap_or(held.size);
        let going = held.part(part);
        let pnl = model.book.open_pnl(&going, price, currency);
        lines.push(gain("Closing", pnl, currency));
        let rest = held.size.checked_sub(part).unwrap_or_default();
        let rest = if rest.is_zero() {
            "flat".to_owned()
        } else {
            format!("Remaining {} {}", held.direction, exact(rest))
        };
        lines.extend(words("After", &rest, width, theme));
    }
    let warning = match model.price_freshness(&held.instrument) {
        Freshness::Fresh | Freshness::Old => None,
        Freshness::TooOld => Some("Stale price: closing at it needs a reason (Y)."),
        Freshness::Never => Some("No price yet. Closing is allowed anyway."),
    };
    if let Some(text) = warning {
        lines.extend(popup::paragraph(text, width, theme.style(Class::Warning)));
    }
    lines
}
