//! A pane: its frame with name, truth badge and reason, and the table in it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::format;
use super::table::{self, Layout, Look, Rows};
use super::theme::{Class, Theme};
use super::totals;
use crate::app::columns::{self, Listing};
use crate::app::model::{Badge, Link, Model};
use crate::app::pane::Pane;

/// Rows from which on a line of totals is worth the row it takes.
const ROOM_FOR_TOTALS: u16 = 3;

/// Draws a pane and returns how many of its rows fit.
pub(super) fn view(
    model: &Model,
    pane: Pane,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let listing = columns::listing(model, pane);
    let inner = enclose(model, pane, &listing, theme, frame, area);
    body(model, pane, &listing, theme, frame, inner)
}

/// Draws headings, rows and totals into `inner`, and returns how many rows fit.
fn body(
    model: &Model,
    pane: Pane,
    listing: &Listing,
    theme: Theme,
    frame: &mut Frame<'_>,
    inner: Rect,
) -> usize {
    let ids = listing.ids.as_slice();
    let [head, below] = split_top(inner, 1);
    let has_totals = totals::has(pane) && below.height >= ROOM_FOR_TOTALS;
    let kept = u16::from(has_totals);
    let [rows, _] = split_top(below, below.height.saturating_sub(kept));
    if ids.is_empty() {
        empty(model, pane, listing.total, theme, frame, below);
        return usize::from(rows.height);
    }
    let read = Rows::read(model, pane, ids, usize::from(rows.height));
    let layout = Layout::choose(pane, &read, usize::from(inner.width), model.now);
    let headings = layout.headings(model.pane(pane).sort, theme.style(Class::Header));
    frame.render_widget(headings, head);
    let is_stale = is_stale(model.badge(pane));
    let look = Look { layout: &layout, theme, is_stale };
    table::draw(model, pane, &read, look, frame, rows);
    if has_totals {
        // Below the last row, as on paper.
        let filled = u16::try_from(ids.len()).unwrap_or(u16::MAX).min(rows.height);
        let foot = split_top(split_top(below, filled)[1], 1)[0];
        totals::draw(model, pane, ids, look, frame, foot);
    }
    usize::from(rows.height)
}

/// Tells whether nothing of a pane may look live.
fn is_stale(badge: Badge) -> bool {
    matches!(badge, Badge::Stale(_) | Badge::Gap)
}

/// Cuts `rows` lines from the top of `area`.
pub(super) fn split_top(area: Rect, rows: u16) -> [Rect; 2] {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..area };
    let rest =
        Rect { y: area.y.saturating_add(rows), height: area.height.saturating_sub(rows), ..area };
    [top, rest]
}

/// Draws the frame of a pane and returns what is inside.
fn enclose(
    model: &Model,
    pane: Pane,
    listing: &Listing,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> Rect {
    let is_focused = model.focus == pane;
    let (border, kind) = if is_focused {
        (theme.style(Class::Focus), BorderType::Thick)
    } else {
        (theme.style(Class::Quiet), BorderType::Plain)
    };
    let star = if is_focused { " *" } else { "" };
    let name = format!(" {} {}{star} ", pane.number(), pane.title());
    let room = usize::from(area.width).saturating_sub(name.width()).saturating_sub(4);
    let mut block = Block::bordered()
        .border_type(kind)
        .border_style(border)
        .title(Line::styled(
            name,
            if is_focused { border.patch(theme.style(Class::Strong)) } else { Style::new() },
        ))
        .title(corner(model, pane, listing, theme, room).right_aligned());
    if let Some(reason) = trouble(model, pane) {
        let room = usize::from(area.width).saturating_sub(6);
        let text = format!(" {} ", format::fit(&reason, room));
        block = block.title_bottom(Line::styled(text, theme.style(Class::Warning)));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    more(model, pane, listing.ids.len(), theme, frame, area);
    inner
}

/// Returns why the rows are old, where they are.
fn trouble(model: &Model, pane: Pane) -> Option<String> {
    let Badge::Stale(_) = model.badge(pane) else { return None };
    if pane == Pane::Market {
        return Some(match &model.feed {
            Link::Down { reason, .. } => format!("Redis unreachable: {reason}"),
            Link::Connecting | Link::Up { .. } => "price feed heartbeat lost".to_owned(),
        });
    }
    match (&model.database, &model.pane(pane).trouble) {
        (Link::Down { reason, .. }, _) => Some(format!("database unreachable: {reason}")),
        (_, Some(trouble)) => Some(trouble.clone()),
        (Link::Connecting | Link::Up { .. }, None) => {
            Some("not confirmed by the database for a while".to_owned())
        }
    }
}

/// Returns the right end of the title: order, filter, marks, count and badge. What does not fit
/// goes from the left; the badge stays longest.
fn corner(
    model: &Model,
    pane: Pane,
    listing: &Listing,
    theme: Theme,
    room: usize,
) -> Line<'static> {
    let state = model.pane(pane);
    let quiet = theme.style(Class::Quiet);
    let mut parts: Vec<(String, Style)> = Vec::new();
    if let Some((column, is_downward)) = state.sort
        && let Some(head) = columns::heads(pane).get(column)
    {
        let arrow = if is_downward { "▼" } else { "▲" };
        parts.push((format!("sort: {} {arrow}", head.title), quiet));
    }
    if pane == Pane::Events && model.hides_acknowledged {
        parts.push(("acked hidden".to_owned(), theme.style(Class::Strong)));
    }
    if !state.marked.is_empty() {
        parts.push((format!("{} marked", state.marked.len()), theme.style(Class::Strong)));
    }
    if !state.filter.trim().is_empty() {
        let text = format!("/{}", format::fit(state.filter.trim(), 24));
        parts.push((text, theme.style(Class::Strong)));
    }
    let badge = model.badge(pane);
    if badge != Badge::Waiting {
        parts.push((format!("{} of {}", listing.ids.len(), listing.total), quiet));
    }
    parts.push((badge_text(badge), badge_style(model, badge, theme)));
    let width = |parts: &[(String, Style)]| -> usize {
        let texts: usize = parts.iter().map(|(text, _)| text.width()).sum();
        texts.saturating_add(parts.len().saturating_mul(3))
    };
    while parts.len() > 1 && width(&parts) > room {
        parts.remove(0);
    }
    let mut spans = vec![Span::raw(" ")];
    for (at, (text, style)) in parts.into_iter().enumerate() {
        if at > 0 {
            spans.push(Span::styled(" │ ", quiet));
        }
        spans.push(Span::styled(text, style));
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

fn badge_text(badge: Badge) -> String {
    match badge {
        Badge::Waiting => "waiting".to_owned(),
        Badge::Live(age) => format!("live {}", format::age(age)),
        Badge::Poll(age) => format!("poll {}", format::age(age)),
        Badge::Gap => "GAP resync".to_owned(),
        Badge::Stale(age) => format!("STALE {}", format::age(age)),
    }
}

fn badge_style(model: &Model, badge: Badge, theme: Theme) -> Style {
    match badge {
        Badge::Waiting => theme.style(Class::Quiet),
        Badge::Live(age) => by_age(model, age, Class::Good, theme),
        Badge::Poll(age) => by_age(model, age, Class::Plain, theme),
        Badge::Gap => theme.style(Class::Warning),
        Badge::Stale(_) => theme.style(Class::Critical),
    }
}

/// Returns the style of an age: amber from [`crate::app::Options::old_after`] on, then red.
pub(super) fn by_age(model: &Model, age: Duration, fresh: Class, theme: Theme) -> Style {
    theme.style(if age > model.options.too_old_after {
        Class::Critical
    } else if age > model.options.old_after {
        Class::Warning
    } else {
        fresh
    })
}

/// Draws on the right border which part of the rows is on the screen, where there are more.
fn more(model: &Model, pane: Pane, total: usize, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let height = model.pane(pane).height;
    // Two border lines and the headings.
    let track = usize::from(area.height.saturating_sub(3));
    if height == 0 || total <= height || track < 2 || area.width < 2 {
        return;
    }
    let length = (track.saturating_mul(height) / total).clamp(1, track.saturating_sub(1));
    let most = total.saturating_sub(height);
    let offset = model.pane(pane).offset.min(most);
    let start = track.saturating_sub(length).saturating_mul(offset) / most.max(1);
    let thumb = Rect {
        x: area.right().saturating_sub(1),
        y: area.y.saturating_add(2).saturating_add(u16::try_from(start).unwrap_or(0)),
        width: 1,
        height: u16::try_from(length).unwrap_or(1),
    };
    let (sign, class) =
        if model.focus == pane { ("█", Class::Focus) } else { ("┃", Class::Quiet) };
    for row in thumb.intersection(frame.area()).rows() {
        frame.render_widget(Span::styled(sign, theme.style(class)), row);
    }
}

/// Says why there are no rows, and what to do.
fn empty(model: &Model, pane: Pane, total: usize, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let filter = model.pane(pane).filter.trim();
    let is_unread = model.pane(pane).confirmed_at.is_none();
    let text = if is_unread {
        match (&model.database, &model.pane(pane).trouble) {
            (Link::Down { reason, .. }, _) => format!("waiting for the database: {reason}"),
            (Link::Up { .. }, Some(trouble)) => format!("read failed: {trouble}"),
            (Link::Connecting | Link::Up { .. }, _) => "waiting for the database".to_owned(),
        }
    } else if !filter.is_empty() && total > 0 {
        format!("no row matches /{filter}: Esc clears the filter")
    } else if is_stale(model.badge(pane)) {
        "no rows when the database last answered".to_owned()
    } else {
        nothing_in(model, pane).to_owned()
    };
    // One blank line above the words where there is room for it.
    let [_, below] = split_top(area, u16::from(area.height > 2));
    let words = Paragraph::new(Line::styled(text, theme.style(Class::Quiet)))
        .alignment(Alignment::Center)
        .wrap(Wrap { trim: true });
    frame.render_widget(words, below);
}

/// Returns the text of an empty pane, with what to do.
fn nothing_in(model: &Model, pane: Pane) -> &'static str {
    match pane {
        Pane::Accounts => "no accounts: an administrator adds them with SQL, `tmt doctor` checks",
        Pane::Positions => "no open positions: press b to buy, s to sell",
        Pane::Trades => "no trades yet: press b to buy, s to sell",
        Pane::Signals => "no signals: they appear here when an agent publishes one",
        Pane::Events if model.hides_acknowledged => "no unacknowledged events; H shows all",
        Pane::Events => "no risk events: breaches and warnings appear here",
        Pane::Limits => "no limits; account rules still apply",
        Pane::Market => "no instruments: `tmt migrate` adds the usual ones",
        Pane::Agents => "no agents: they appear here with their first heartbeat",
    }
}
