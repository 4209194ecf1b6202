//! The last line of a pane that adds up. Never across environments, nor across currencies.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use super::format;
use super::table::{Look, gain_style};
use super::theme::Class;
use crate::app::cell::{Align, Cell};
use crate::app::columns::{self, Head};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::account::Environment;

/// Tells whether a pane has such a line.
pub(super) fn has(pane: Pane) -> bool {
    matches!(pane, Pane::Accounts | Pane::Positions)
}

/// What can be added up: one environment, the most serious first, and one currency.
type Group = (std::cmp::Reverse<Environment>, String);

/// Column by column, the sums of a group; `None` where one of its amounts is not known.
type Sums = BTreeMap<usize, Option<Decimal>>;

/// Draws the sums of the rows that the pane shows.
pub(super) fn draw(
    model: &Model,
    pane: Pane,
    ids: &[RowId],
    look: Look<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let groups = groups(model, pane, ids);
    let line = match groups.iter().next() {
        Some((group, sums)) if groups.len() == 1 => in_columns(group, sums, pane, look),
        Some(_) => in_words(&groups, pane, look, usize::from(area.width)),
        None => return,
    };
    let style = if look.is_stale { Class::Quiet } else { Class::Plain };
    frame.render_widget(line.patch_style(Style::new()), area);
    if style == Class::Quiet {
        frame.buffer_mut().set_style(area, look.theme.style(Class::Quiet));
    }
}

fn groups(model: &Model, pane: Pane, ids: &[RowId]) -> BTreeMap<Group, Sums> {
    let is_summed = |(_, head): &(usize, &Head)| summed(pane).contains(&head.title);
    let heads = columns::heads(pane);
    let indexes: Vec<usize> =
        heads.iter().enumerate().filter(is_summed).map(|(index, _)| index).collect();
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    for id in ids {
        let account = if let RowId::Account(id) = id {
            Some(*id)
        } else if let RowId::Position(id) = id {
            model.desk.positions.get(id).map(|row| row.account)
        } else {
            None
        };
        let Some(account) = account.and_then(|id| model.desk.accounts.get(&id)) else { continue };
        let group = (std::cmp::Reverse(account.environment), account.base_currency.clone());
        let sums = groups.entry(group).or_default();
        for index in &indexes {
            let amount = columns::cell(model, pane, id, *index).and_then(|cell| cell.number());
            let sum = sums.entry(*index).or_insert(Some(Decimal::ZERO));
            *sum = sum.zip(amount).and_then(|(a, b)| a.checked_add(b));
        }
    }
    groups
}

/// Returns the columns that add up, the most telling first.
fn summed(pane: Pane) -> &'static [&'static str] {
    match pane {
        Pane::Accounts => &["DAY P&L", "OPEN P&L", "EQUITY", "BALANCE", "MARGIN", "EXPOSURE"],
        Pane::Positions => &["UPNL", "STORED UPNL", "REALIZED"],
        Pane::Trades
        | Pane::Signals
        | Pane::Events
        | Pane::Limits
        | Pane::Market
        | Pane::Agents => &[],
    }
}

fn is_gain(title: &str) -> bool {
    title.contains("PNL") || title.contains("P&L") || title == "REALIZED"
}

fn figure(title: &str, sum: Option<Decimal>) -> Cell {
    Cell::maybe(sum, if is_gain(title) { Cell::Gain } else { Cell::Money })
}

fn figure_style(cell: &Cell, look: Look<'_>) -> Style {
    if let Cell::Gain(value) = cell {
        gain_style(*value, look.theme)
    } else if cell.is_absent() {
        look.theme.style(Class::Quiet)
    } else {
        Style::new()
    }
}

/// One group: each sum below its column.
fn in_columns(group: &Group, sums: &Sums, pane: Pane, look: Look<'_>) -> Line<'static> {
    let label = format!("  TOTAL {} {}", group.0.0.as_str(), group.1);
    let mut at = label.width();
    let mut spans = vec![Span::styled(label, look.theme.style(Class::Strong))];
    let heads = columns::heads(pane);
    for (index, sum) in sums {
        let Some(head) = heads.get(*index) else { continue };
        let Some((start, width)) = look.layout.place(head.title) else { continue };
        if start < at {
            continue;
        }
        let cell = figure(head.title, *sum);
        // A sum may be wider than its column: it takes from the blank before it.
        let text = format::cell(&cell, chrono::DateTime::UNIX_EPOCH);
        let room = start.saturating_add(width).saturating_sub(at).saturating_sub(1);
        if text.width() > room {
            continue;
        }
        let text = format::pad(&text, room.saturating_add(1), Align::Right);
        spans.push(Span::styled(text, figure_style(&cell, look)));
        at = start.saturating_add(width);
    }
    Line::from(spans)
}

/// Several groups: one after the other, as many as fit, and how many do not.
fn in_words(
    groups: &BTreeMap<Group, Sums>,
    pane: Pane,
    look: Look<'_>,
    room: usize,
) -> Line<'static> {
    let heads = columns::heads(pane);
    let title = summed(pane).first().copied().unwrap_or_default();
    let label = format!("  TOTAL {title}");
    let mut used = label.width();
    let mut spans = vec![Span::styled(label, look.theme.style(Class::Strong))];
    let mut left = groups.len();
    for ((environment, currency), sums) in groups {
        let sum = sums
            .iter()
            .find(|(index, _)| heads.get(**index).is_some_and(|head| head.title == title))
            .and_then(|(_, sum)| *sum);
        let cell = figure(title, sum);
        let label = format!("   {} {currency} ", environment.0.as_str());
        let text = format::cell(&cell, chrono::DateTime::UNIX_EPOCH);
        let wide = label.width().saturating_add(text.width());
        // Room for the sign that some are not shown.
        if used.saturating_add(wide).saturating_add(5) > room {
            break;
        }
        used = used.saturating_add(wide);
        left = left.saturating_sub(1);
        spans.push(Span::styled(label, look.theme.style(Class::Quiet)));
        spans.push(Span::styled(text, figure_style(&cell, look)));
    }
    if left > 0 {
        spans.push(Span::styled(format!("  +{left}"), look.theme.style(Class::Quiet)));
    }
    Line::from(spans)
}
