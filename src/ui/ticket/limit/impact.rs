//! Whom a value of a limit would bind, as the database says.

use ratatui::text::{Line, Span};

use crate::app::cell::Align;
use crate::app::ticket::{Impacts, Ticket};
use crate::domain::outcome::Impact;
use crate::ui::theme::{Ink, Theme};
use crate::ui::{format, popup};

/// Most accounts that are listed; the rest is counted.
const LISTED: usize = 8;

/// Columns from which what is measured and allowed is shown too.
const WIDE: usize = 58;

/// Returns who would be in breach, and how much room the others would have.
pub(super) fn lines(ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let rows = match &ticket.impacts {
        Impacts::None => return vec![],
        Impacts::Asked(_) => {
            let text = "asking the database whom it would bind…";
            return vec![Line::styled(text, theme.style(Ink::Quiet))];
        }
        Impacts::Failed { why, .. } => {
            let text = format!("the database cannot be asked whom it would bind: {why}");
            return popup::paragraph(&text, width, theme.style(Ink::Critical));
        }
        Impacts::Known { rows, .. } => rows,
    };
    if rows.is_empty() {
        let text = "It judges orders one by one: there is nothing that it could bind between them.";
        return popup::paragraph(text, width, theme.style(Ink::Quiet));
    }
    let mut sorted: Vec<&Impact> = rows.iter().collect();
    sorted.sort_by_key(|row| (rank(row), row.room));
    let breached = sorted.iter().filter(|row| rank(row) == 0).count();
    let (text, ink) = match breached {
        0 => ("Nobody would be in breach:".to_owned(), Ink::Good),
        1 => ("1 would be in breach:".to_owned(), Ink::Critical),
        several => (format!("{several} would be in breach:"), Ink::Critical),
    };
    let mut lines = vec![Line::styled(text, theme.style(ink))];
    for row in sorted.iter().take(LISTED) {
        lines.push(entry(row, theme, width));
    }
    let rest = sorted.len().saturating_sub(LISTED);
    if rest > 0 {
        lines.push(Line::styled(format!("and {rest} more"), theme.style(Ink::Quiet)));
    }
    lines
}

/// Orders what the database says: breaches first.
fn rank(row: &Impact) -> u8 {
    match row.state.as_str() {
        "breach" | "breached" => 0,
        "warning" => 1,
        _ => 2,
    }
}

fn entry(row: &Impact, theme: Theme, width: usize) -> Line<'static> {
    let unit = row.unit.as_deref().unwrap_or_default();
    let figure = |value: Option<rust_decimal::Decimal>| {
        value.map_or_else(|| format::ABSENT.to_owned(), |value| format::measured(value, unit))
    };
    let ink = match rank(row) {
        0 => Ink::Critical,
        1 => Ink::Warning,
        _ => Ink::Plain,
    };
    let room = match row.room {
        Some(room) if room.is_sign_negative() => {
            format!("over by {}", format::measured(room.abs(), unit))
        }
        room => format!("room {}", figure(room)),
    };
    // Where it is narrow, what is over or free says enough.
    let figures = if width < WIDE {
        String::new()
    } else {
        format!("{} of {}  ", figure(row.measured), figure(row.allowed))
    };
    let name = row.account.as_deref().unwrap_or("together");
    Line::from(vec![
        Span::styled(format::pad(name, 9, Align::Left), theme.style(Ink::Plain)),
        Span::styled(format::pad(&row.state, 8, Align::Left), theme.style(ink)),
        Span::raw(figures),
        Span::styled(room, theme.style(ink)),
    ])
}
