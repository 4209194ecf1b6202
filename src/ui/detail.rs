//! All of one row: every column of its pane, and what has no column.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use super::status::banner;
use super::table::gain_style;
use super::theme::{Class, Theme};
use super::{format, popup};
use crate::app::cell::{Align, Cell};
use crate::app::columns;
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::account::Account;
use crate::domain::drawdown::DailyLossColumn;
use crate::domain::event::RiskEvent;
use crate::domain::instrument::Instrument;
use crate::domain::money::exact;

/// Columns of a name.
const NAME: usize = 16;
/// Widest that it becomes.
const WIDEST: u16 = 92;

/// Draws the row `id` of `pane`.
pub(super) fn view(
    model: &Model,
    pane: Pane,
    id: &RowId,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let outer = popup::middle(area, WIDEST, area.height);
    let width = usize::from(outer.width.saturating_sub(4));
    let lines = lines(model, pane, id, theme, width);
    let height = u16::try_from(lines.len().saturating_add(2)).unwrap_or(u16::MAX);
    let outer = popup::middle(area, WIDEST, height);
    let title = format!(" {} ", pane.title());
    let title = Line::styled(title, theme.style(Class::Focus).patch(theme.style(Class::Strong)));
    let inner = popup::open(title, "Esc back", theme, frame, outer);
    popup::lines(lines, 0, frame, inner);
}

fn lines(model: &Model, pane: Pane, id: &RowId, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let Some((_, cells)) = columns::cells(model, pane, id) else {
        let text = "row no longer available: closed, replaced, or no longer among the newest";
        return popup::paragraph(text, width, theme.style(Class::Warning));
    };
    let mut entries: Vec<(String, String, Style)> = Vec::new();
    for (head, cell) in columns::heads(pane).iter().zip(&cells) {
        let style = if let Cell::Gain(value) = cell {
            gain_style(*value, theme)
        } else if cell.is_absent() {
            theme.style(Class::Quiet)
        } else {
            Style::new()
        };
        let text = if let Cell::Time(at) = cell {
            format::moment(*at)
        } else {
            format::cell(cell, model.now)
        };
        entries.push((head.title.to_owned(), text, style));
    }
    entries.extend(more(model, id).into_iter().map(|(name, text)| {
        (name.to_owned(), text.unwrap_or_else(|| format::ABSENT.to_owned()), Style::new())
    }));
    arranged(&entries, theme, width)
}

/// Puts short entries side by side, and each long one in lines of its own.
fn arranged(entries: &[(String, String, Style)], theme: Theme, width: usize) -> Vec<Line<'static>> {
    let half = width / 2;
    let room = half.saturating_sub(NAME + 2);
    let name =
        |name: &str| Span::styled(format::pad(name, NAME, Align::Left), theme.style(Class::Quiet));
    let (short, long): (Vec<_>, Vec<_>) =
        entries.iter().partition(|(_, text, _)| text.width() <= room);
    let rows = short.len().div_ceil(2);
    let mut lines = Vec::new();
    for at in 0..rows {
        let mut spans = Vec::new();
        for entry in [short.get(at), short.get(at.saturating_add(rows))].into_iter().flatten() {
            spans.push(name(&entry.0));
            let text = format::pad(&entry.1, half.saturating_sub(NAME), Align::Left);
            spans.push(Span::styled(text, entry.2));
        }
        lines.push(Line::from(spans));
    }
    for (label, text, style) in long {
        for (at, part) in popup::wrap(text, width.saturating_sub(NAME)).into_iter().enumerate() {
            let label = if at == 0 { label.as_str() } else { "" };
            lines.push(Line::from(vec![name(label), Span::styled(part, *style)]));
        }
    }
    lines
}

/// A name and a value that may be absent.
type Fact = (&'static str, Option<String>);

fn moment(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(format::moment)
}

/// Returns what a row has beyond its columns.
fn more(model: &Model, id: &RowId) -> Vec<Fact> {
    let desk = &model.desk;
    let facts = match id {
        RowId::Account(id) => desk.accounts.get(id).map(|row| {
            let halts = desk.halts_on(Some(*id), None);
            let halts = halts.into_iter().map(|halt| ("halt", Some(banner::sentence(model, halt))));
            account(row).into_iter().chain(halts).collect()
        }),
        RowId::Position(id) => desk.positions.get(id).map(|row| {
            vec![("updated", moment(Some(row.last_updated_at))), ("key", Some(row.id.to_string()))]
        }),
        RowId::Trade(id) => desk.trades.get(id).map(|row| {
            vec![
                ("closed size", Some(exact(row.closed_size))),
                ("signal", row.signal.map(|signal| signal.to_string())),
                ("key", Some(row.id.to_string())),
            ]
        }),
        RowId::Signal(id) => desk.signals.get(id).map(|row| {
            vec![("valid until", moment(row.valid_until)), ("key", Some(row.id.to_string()))]
        }),
        RowId::Event(id) => desk.events.get(id).map(event),
        RowId::Limit(id) => desk.limits.get(id).map(|row| {
            let reads = row.unit.looks_like_fraction(row.value);
            vec![
                ("reads as", reads.then(|| looks_like_fraction(row.value))),
                ("replaces", row.supersedes.map(|limit| limit.to_string())),
                ("updated", moment(row.updated_at)),
                ("key", Some(row.id.to_string())),
            ]
        }),
        RowId::Instrument(id) => model.book.instrument(id.as_str()).map(instrument),
        RowId::Agent(id) => {
            desk.agents.get(id).map(|row| vec![("last heartbeat", moment(row.last_heartbeat))])
        }
        RowId::SystemEvent(_) => None,
    };
    facts.unwrap_or_default()
}

fn account(row: &Account) -> Vec<Fact> {
    vec![
        ("portfolio", row.portfolio.clone()),
        ("initial balance", Some(format::money(row.initial_balance))),
        ("available", Some(format::money(row.available))),
        ("day open equity", row.day.map(|start| format::money(start.equity))),
        ("daily loss limit", row.daily_loss_limit().map(daily_loss)),
        ("max drawdown", Some(format::percent(row.max_total_drawdown, 1))),
        ("updated", moment(row.updated_at)),
        ("key", Some(row.id.to_string())),
    ]
}

/// A percentage of at most one is taken as it stands, which is the tight reading.
fn looks_like_fraction(value: Decimal) -> String {
    format!("{} percent of equity; did you mean a fraction?", exact(value))
}

/// The column has no unit, so it is said which reading was taken.
fn daily_loss(column: DailyLossColumn) -> String {
    let reading = match column {
        DailyLossColumn::Fraction { .. } => "a share of the initial balance",
        DailyLossColumn::Amount(_) => "an amount",
    };
    format!("{} ({reading})", format::money(column.amount()))
}

fn event(row: &RiskEvent) -> Vec<Fact> {
    vec![
        ("measure", row.measure.clone()),
        ("acknowledged", moment(row.acknowledged.as_ref().and_then(|owner| owner.at))),
        ("cleared", moment(row.resolved_at)),
        ("limit", row.limit.map(|limit| limit.to_string())),
        ("key", Some(row.id.to_string())),
    ]
}

fn instrument(row: &Instrument) -> Vec<Fact> {
    vec![
        ("tick", Some(exact(row.tick_size))),
        ("pip", Some(exact(row.pip_size))),
        ("smallest size", Some(exact(row.min_size))),
        ("largest size", row.max_size.map(exact)),
        ("aliases", Some(row.aliases.join(" "))),
    ]
}
