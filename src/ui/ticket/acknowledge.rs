//! Acknowledging risk events: which, and with which note.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::sheet::{Item, Sheet};
use crate::app::form::acknowledge::CODED_NOTES;
use crate::app::model::Model;
use crate::app::ticket::{Acknowledge, FieldName, Ticket};
use crate::domain::event::{RiskEvent, Severity};
use crate::domain::ids::EventId;
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Most events that are listed one by one.
const LISTED: usize = 6;

/// Returns the sheet of an acknowledgement.
pub(super) fn sheet(
    model: &Model,
    ticket: &Ticket,
    form: &Acknowledge,
    theme: Theme,
    width: usize,
) -> Sheet {
    let mut left = described(model, &form.events, theme, width);
    left.push(Item::Blank);
    left.push(Item::Field(FieldName::Note, String::new()));
    if form.needs_note {
        left.push(Item::Blank);
        left.extend(coded(ticket, theme));
    }
    Sheet { left, ..Sheet::default() }
}

pub(super) fn described(
    model: &Model,
    events: &[EventId],
    theme: Theme,
    width: usize,
) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for id in events.iter().take(LISTED) {
        if let Some(row) = model.desk.events.get(id) {
            items.extend(lines(model, row, theme, width).into_iter().map(Item::Fact));
        } else {
            let text = format!(" event {} is no longer listed", id.short());
            items.push(Item::Fact(Line::styled(text, theme.style(Class::Warning))));
        }
    }
    let rest = events.len().saturating_sub(LISTED);
    if rest > 0 {
        let text = format!(" and {rest} more");
        items.push(Item::Fact(Line::styled(text, theme.style(Class::Quiet))));
    }
    items
}

fn class(severity: Severity) -> Class {
    match severity {
        Severity::Info => Class::Plain,
        Severity::Warning => Class::Warning,
        Severity::Critical | Severity::Emergency => Class::Critical,
    }
}

/// Returns an event in two lines: what and where, then how much and in words.
fn lines(model: &Model, row: &RiskEvent, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let account = row.account.map_or("system".to_owned(), |id| model.desk.account_name(id));
    let seen = if row.occurrences > 1 {
        format!("  seen {} times", row.occurrences)
    } else {
        String::new()
    };
    let first = Line::from(vec![
        Span::styled(
            format!(" {} ", row.severity.as_str().to_uppercase()),
            theme.style(class(row.severity)),
        ),
        Span::styled(format!(" {account}  {}", row.event_type), theme.style(Class::Strong)),
        Span::styled(
            format!(
                "  since {}{seen}  from {}",
                format::time(row.occurred_at, model.now),
                row.source
            ),
            theme.style(Class::Quiet),
        ),
    ]);
    let mut figures = match (row.current_value, row.limit_value) {
        (Some(now), Some(limit)) => {
            format!("{} of {}", format::number(now, 2), format::number(limit, 2))
        }
        (Some(now), None) => format::number(now, 2),
        (None, _) => String::new(),
    };
    if let Some(message) = &row.message {
        if !figures.is_empty() {
            figures.push_str(" · ");
        }
        figures.push_str(message);
    }
    let mut lines = vec![first];
    if !figures.is_empty() {
        let room = width.saturating_sub(1);
        lines.extend(
            popup::wrap(&figures, room)
                .into_iter()
                .map(|line| Line::styled(format!(" {line}"), Style::new())),
        );
    }
    lines
}

/// Returns the notes that one digit writes, while the field is empty.
fn coded(ticket: &Ticket, theme: Theme) -> Vec<Item> {
    let is_empty = ticket.text(FieldName::Note).is_none();
    let (key, text) =
        if is_empty { (Class::Key, Class::Plain) } else { (Class::Quiet, Class::Quiet) };
    CODED_NOTES
        .iter()
        .enumerate()
        .map(|(at, note)| {
            Item::Fact(Line::from(vec![
                Span::styled(format!("             {}", at.saturating_add(1)), theme.style(key)),
                Span::styled(format!(" {note}"), theme.style(text)),
            ]))
        })
        .collect()
}
