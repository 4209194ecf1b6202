//! Amending stop, target or trailing distance: risk before and after.

use ratatui::text::Line;
use rust_decimal::Decimal;

use super::sheet::{Item, Sheet, fact_line, right_width, split, words};
use crate::app::model::Model;
use crate::app::review::draft;
use crate::app::ticket::{Amend, Assessment, FieldName, Ticket};
use crate::domain::money::{exact, typed};
use crate::domain::outcome::{Check, Finding};
use crate::domain::position::{Position, Protection};
use crate::domain::request::Verb;
use crate::ui::table::gain_style;
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Returns the sheet of an amendment.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &Amend,
    theme: Theme,
    width: usize,
) -> Sheet {
    let Some(held) = model.desk.positions.get(&form.position) else {
        let text = " the position is no longer open";
        let line = Line::styled(text, theme.style(Class::Warning));
        return Sheet { left: vec![Item::Fact(line)], ..Sheet::default() };
    };
    let field =
        |name, old: Option<Decimal>| Item::Field(name, hint(model, ticket, held, name, old));
    let left = vec![
        field(FieldName::Stop, held.stop_loss),
        field(FieldName::Target, held.take_profit),
        field(FieldName::Trailing, held.trailing_distance),
        Item::Field(FieldName::Reason, String::new()),
        Item::Fact(Line::styled(" leave blank for none", theme.style(Class::Quiet))),
    ];
    let right = facts(model, ticket, held, theme, right_width(width));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

/// Returns the distance of a level from the current price, else the present level.
fn hint(
    model: &Model,
    ticket: &Ticket,
    held: &Position,
    name: FieldName,
    old: Option<Decimal>,
) -> String {
    let value = ticket.text(name).and_then(|text| typed(text).ok());
    let pips = value.and_then(|value| {
        if name == FieldName::Trailing {
            let row = model.book.instrument(held.instrument.as_str())?;
            return value.checked_div(row.pip_size);
        }
        let mark = model.book.mark(&held.instrument, held.direction)?;
        model.book.pips(&held.instrument, held.direction, mark, value)
    });
    match pips {
        Some(pips) => format!("{} pips", format::signed(pips, 1)),
        None => old.map_or_else(
            || "currently none".to_owned(),
            |old| format!("now {}", format::price(old, model.price_places(&held.instrument))),
        ),
    }
}

/// Returns the position, and the P&L at its stop and target before and after.
pub(super) fn facts(
    model: &Model,
    ticket: &Ticket,
    held: &Position,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let account = model.desk.accounts.get(&held.account);
    let currency = account.map_or("", |row| row.base_currency.as_str());
    let places = model.price_places(&held.instrument);
    let plain = ratatui::style::Style::new();
    let name = format!(
        "{} {}  {}",
        held.direction,
        exact(held.size),
        model.desk.account_name(held.account)
    );
    let mut lines = words("Position", &name, width, theme);
    let entry = format::price(held.average_entry, places);
    lines.push(fact_line("Entry", &entry, "average", plain, theme));
    let mark = model.book.mark(&held.instrument, held.direction);
    let price = mark.map_or(format::ABSENT.to_owned(), |mark| format::price(mark, places));
    let age = model.price_age(&held.instrument);
    let age =
        age.map_or_else(|| "no price yet".to_owned(), |age| format!("{} old", format::age(age)));
    lines.push(fact_line("Mark", &price, &age, plain, theme));
    let outcome = |label: &str, level: Option<Decimal>, none: &str| match level {
        Some(level) => {
            let pnl = model.book.open_pnl(held, level, currency);
            let text = pnl.map_or_else(|| format::ABSENT.to_owned(), format::gain);
            let style = pnl.map_or_else(|| theme.style(Class::Quiet), |pnl| gain_style(pnl, theme));
            fact_line(label, &text, currency, style, theme)
        }
        None => fact_line(label, format::ABSENT, none, theme.style(Class::Quiet), theme),
    };
    lines.push(outcome("Stop now", held.stop_loss, "no stop: unlimited loss"));
    let Ok(Verb::Amend { stop, target, trailing, .. }) = draft(model, ticket) else {
        return lines;
    };
    lines.push(outcome("Stop then", stop, "no stop: unlimited loss"));
    lines.push(outcome("Target", target, "no target"));
    lines.extend(judged(ticket, held.protection(stop, trailing), theme, width));
    lines
}

/// Returns what the rulebook has against it; where that is nothing, what it does to the risk.
fn judged(
    ticket: &Ticket,
    protection: Protection,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let paragraph = |text: &str, class| popup::paragraph(text, width, theme.style(class));
    let checks = match &ticket.assessment {
        Assessment::None => return vec![],
        Assessment::Asked(_) => return paragraph("checking…", Class::Quiet),
        Assessment::Failed(why) => {
            let text = format!("checks unavailable: {why}");
            return paragraph(&text, Class::Critical);
        }
        Assessment::Known { checks, .. } => checks,
    };
    let against: Vec<&Check> =
        checks.iter().filter(|check| check.finding != Finding::Passes).collect();
    if against.is_empty() {
        let (text, class) = match protection {
            Protection::Same => ("Stop and trailing unchanged: same risk.", Class::Quiet),
            Protection::Tightens => ("Tightens: less risk. Allowed under any halt.", Class::Good),
            Protection::Widens => ("Widens the stop: more risk. Checks passed.", Class::Warning),
        };
        return paragraph(text, class);
    }
    // The sentence of the first stands below.
    let mut lines = Vec::new();
    for (number, check) in against.into_iter().enumerate() {
        let (word, class) = match check.finding {
            Finding::Reject => ("HARD", Class::Critical),
            Finding::Confirm | Finding::Passes => ("SOFT", Class::Warning),
        };
        let message = check.message.as_deref().filter(|_| number > 0).unwrap_or_default();
        lines.extend(paragraph(format!("{word} {}  {message}", check.code).trim_end(), class));
    }
    lines
}
