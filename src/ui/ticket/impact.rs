//! The limit preview: who would be in breach.

use ratatui::text::{Line, Span};

use crate::app::cell::Align;
use crate::app::ticket::{Impacts, Ticket};
use crate::domain::limit::Standing;
use crate::domain::outcome::Impact;
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Most accounts that the sentence under review names; the rest is counted.
const NAMED: usize = 4;

/// Columns from which an account's figures stand in one line.
const WIDE: usize = 58;

/// Returns the refusal, or who would be in breach with measured and allowed: part of what is
/// confirmed.
pub(super) fn sentence(ticket: &Ticket) -> Option<String> {
    if let Impacts::Refused { refusal, .. } = &ticket.impacts {
        return Some(format!("HARD {}: {}", refusal.code, refusal.message));
    }
    let breached = ticket.impacts.breached();
    if breached.is_empty() {
        return None;
    }
    let named: Vec<String> = breached
        .iter()
        .take(NAMED)
        .map(|row| format!("{} ({})", name(row), figures(row)))
        .collect();
    let rest = breached.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(format!("IMMEDIATE BREACH: {}{more}. New risk is refused there.", named.join(", ")))
}

fn name(row: &Impact) -> &str {
    row.account.as_deref().unwrap_or("combined")
}

/// Returns what is measured of what is allowed, with the unit once.
fn figures(row: &Impact) -> String {
    let unit = row.unit.as_ref();
    let figure = |value: Option<rust_decimal::Decimal>| {
        value.map_or_else(|| format::ABSENT.to_owned(), |value| format::measured(value, unit))
    };
    let text =
        format!("{} of {} {}", figure(row.measured), figure(row.allowed), format::suffix(unit));
    text.trim_end().to_owned()
}

/// Returns the preview: breaches first, then the room of the others.
pub(super) fn lines(ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let rows = match &ticket.impacts {
        Impacts::None => return vec![],
        Impacts::Asked(_) => {
            let text = "loading the limit preview…";
            return vec![Line::styled(text, theme.style(Class::Quiet))];
        }
        Impacts::Refused { refusal, .. } => {
            let text = format!("Would be refused: {}", refusal.message);
            return popup::paragraph(&text, width, theme.style(Class::Critical));
        }
        Impacts::Failed { why, .. } => {
            let text = format!("limit preview unavailable: {why}");
            return popup::paragraph(&text, width, theme.style(Class::Critical));
        }
        Impacts::Known { rows, .. } => rows,
    };
    if rows.is_empty() {
        let text = "Per-order limit: nothing to measure now.";
        return popup::paragraph(text, width, theme.style(Class::Quiet));
    }
    let mut sorted: Vec<&Impact> = rows.iter().collect();
    sorted.sort_by_key(|row| (rank(row), row.room));
    let breached = sorted.iter().filter(|row| rank(row) == 0).count();
    let (text, class) = match breached {
        0 => ("No account would be in breach:".to_owned(), Class::Good),
        1 => ("1 account would be in breach:".to_owned(), Class::Critical),
        several => (format!("{several} accounts would be in breach:"), Class::Critical),
    };
    let mut lines = vec![Line::styled(text, theme.style(class))];
    for row in sorted {
        lines.extend(entry(row, theme, width));
    }
    lines
}

/// Orders what the database says: breaches first.
fn rank(row: &Impact) -> u8 {
    match row.state {
        Standing::Breach => 0,
        Standing::Warning => 1,
        Standing::Ok | Standing::Unmeasured | Standing::Unknown(_) => 2,
    }
}

fn entry(row: &Impact, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let unit = row.unit.as_ref();
    let class = match rank(row) {
        0 => Class::Critical,
        1 => Class::Warning,
        _ => Class::Plain,
    };
    let room = match row.room {
        Some(room) if room.is_sign_negative() => {
            format!("over by {}", format::measured(room.abs(), unit))
        }
        Some(room) => format!("room {}", format::measured(room, unit)),
        None => format!("room {}", format::ABSENT),
    };
    let mut first = vec![
        Span::styled(format::pad(name(row), 9, Align::Left), theme.style(Class::Plain)),
        Span::styled(format::pad(row.state.as_str(), 8, Align::Left), theme.style(class)),
    ];
    if width >= WIDE {
        first.push(Span::raw(format!("{}  ", figures(row))));
        first.push(Span::styled(room, theme.style(class)));
        return vec![Line::from(first)];
    }
    first.push(Span::styled(room, theme.style(class)));
    let mut lines = vec![Line::from(first)];
    // On narrow screens breaches keep both figures.
    if row.is_breach() {
        lines.push(Line::styled(format!("  {}", figures(row)), theme.style(class)));
    }
    lines
}
