//! The first line of the screen: environment, person, connections, clock. Nothing is ever drawn over
//! it, nor over the lines below it.

pub(super) mod banner;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::format;
use super::theme::{Class, Theme};
use crate::app::model::{Link, Model};

/// A text and how it looks.
type Piece = (String, Style);

/// A clock error from which it is worth a look: ages of prices are only as good as the clocks.
const SKEWED: Duration = Duration::from_secs(1);

/// Draws the status line.
pub(super) fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut left = badges(model, theme);
    left.push((" tmt".to_owned(), theme.style(Class::Strong)));
    let (database, operator) = match &model.session {
        Some(session) => {
            (session.database.clone(), format!("{}:{}", session.operator, session.role.label()))
        }
        None => (String::new(), "not logged in".to_owned()),
    };
    let quiet = theme.style(Class::Quiet);
    if !database.is_empty() {
        left.push((format!("  {}", format::fit(&database, 20)), quiet));
    }
    left.push((format!("  {}", format::fit(&operator, 28)), Style::new()));
    // Dropped from the front when there is no room; the clock stays longest.
    let mut right = vec![
        counts(model, theme),
        skew(model, theme),
        (format!("gaps {}", model.gaps), if model.gaps > 0 { Style::new() } else { quiet }),
        feed(model, theme),
        database_link(model, theme),
    ];
    let clock = (format!("{}Z", model.now.format("%H:%M:%S")), theme.style(Class::Strong));
    let width = |pieces: &[Piece]| -> usize { pieces.iter().map(|(text, _)| text.width()).sum() };
    let room = usize::from(area.width).saturating_sub(width(&left)).saturating_sub(1);
    let needed = |right: &[Piece]| {
        let parts: usize = right.iter().map(|(text, _)| text.width().saturating_add(3)).sum();
        parts.saturating_add(clock.0.width())
    };
    while !right.is_empty() && needed(&right) > room {
        right.remove(0);
    }
    right.reverse();
    right.push(clock);
    let mut ends: Vec<Piece> = Vec::new();
    for (at, piece) in right.into_iter().enumerate() {
        if at > 0 {
            ends.push((" │ ".to_owned(), quiet));
        }
        ends.push(piece);
    }
    across(left, ends, frame, area);
}

/// Draws pieces at both ends of a line; the left ones are cut first.
fn across(left: Vec<Piece>, right: Vec<Piece>, frame: &mut Frame<'_>, area: Rect) {
    let width: usize = right.iter().map(|(text, _)| text.width()).sum();
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
    let line = |pieces: Vec<Piece>| {
        let spans: Vec<Span<'static>> =
            pieces.into_iter().map(|(text, style)| Span::styled(text, style)).collect();
        Line::from(spans)
    };
    let gap = u16::from(width > 0);
    let first = Rect { width: area.width.saturating_sub(width).saturating_sub(gap), ..area };
    let last = Rect { x: area.right().saturating_sub(width), width, ..area };
    frame.render_widget(line(left), first);
    frame.render_widget(line(right), last);
}

/// Returns the badges of the environment and of a console that writes nothing.
pub(super) fn badges(model: &Model, theme: Theme) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(environment) = model.environment() {
        let text = format!("[ {} ]", environment.as_str().to_uppercase());
        pieces.push((text, theme.style(Class::Badge(environment))));
    } else {
        pieces.push(("[ … ]".to_owned(), theme.style(Class::Quiet)));
    }
    if model.options.is_read_only {
        pieces.push((" ".to_owned(), Style::new()));
        pieces.push(("[ READ-ONLY ]".to_owned(), theme.style(Class::ReadOnly)));
    }
    pieces
}

fn database_link(model: &Model, theme: Theme) -> Piece {
    match &model.database {
        Link::Connecting => ("pg connecting".to_owned(), theme.style(Class::Quiet)),
        Link::Up { .. } if model.session.as_ref().is_some_and(|session| session.in_recovery) => {
            ("pg standby".to_owned(), theme.style(Class::Warning))
        }
        Link::Up { round_trip, .. } => {
            let trip = round_trip.map(|trip| match trip.as_millis() {
                0 => " <1ms".to_owned(),
                millis => format!(" {millis}ms"),
            });
            let text = format!("pg ok{}", trip.unwrap_or_default());
            (text, theme.style(Class::Good))
        }
        Link::Down { since, .. } => {
            let away = model.elapsed.saturating_sub(*since);
            (format!("pg DOWN {}", format::age(away)), theme.style(Class::Critical))
        }
    }
}

fn feed(model: &Model, theme: Theme) -> Piece {
    match &model.feed {
        Link::Connecting => ("redis connecting".to_owned(), theme.style(Class::Quiet)),
        Link::Up { .. } => match model.silent_since {
            Some(since) => {
                let silent = format::age(model.elapsed.saturating_sub(since));
                (format!("redis SILENT {silent}"), theme.style(Class::Warning))
            }
            None => ("redis ok".to_owned(), theme.style(Class::Good)),
        },
        Link::Down { since, .. } => {
            let away = model.elapsed.saturating_sub(*since);
            (format!("redis DOWN {}", format::age(away)), theme.style(Class::Critical))
        }
    }
}

fn skew(model: &Model, theme: Theme) -> Piece {
    let Some(offset) = model.clock_offset else {
        return (format!("skew {}", format::ABSENT), theme.style(Class::Quiet));
    };
    let is_large = offset.abs().to_std().is_ok_and(|length| length >= SKEWED);
    let style = theme.style(if is_large { Class::Warning } else { Class::Quiet });
    (format!("skew {}", format::skew(offset)), style)
}

/// What the feed took, replaced and dropped, where there is room for it.
fn counts(model: &Model, theme: Theme) -> Piece {
    let count = |count: u64| format::number(count.into(), 0);
    let text = format!(
        "quotes {} conflated {} dropped {}",
        count(model.counts.received),
        count(model.counts.replaced),
        count(model.counts.dropped),
    );
    (text, theme.style(Class::Quiet))
}
