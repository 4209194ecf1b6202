//! Which panes are on the screen, and how they share it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::theme::{Class, Theme};
use super::{agents, market, pane};
use crate::app::model::Model;
use crate::app::pane::Pane;

/// What a frame showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Rows that fit into each pane, by the pane's number; 0 where it was not on the screen.
    pub heights: [usize; 8],
    /// First line on the screen of what can be scrolled: the help, the log, a ticket's checks.
    pub scrolled: Option<usize>,
}

/// Smallest terminal that shows five panes together: columns, rows.
pub(super) const SMALLEST: (u16, u16) = (120, 40);

/// Lines of a pane that are not rows: two of the frame, and the headings.
const AROUND: u16 = 3;

/// The line of totals that accounts and positions have.
const TOTALS: u16 = 1;

/// Draws the panes and returns how many rows fit into each.
pub(super) fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> Shown {
    let screen = frame.area();
    let is_large = screen.width >= SMALLEST.0 && screen.height >= SMALLEST.1;
    let is_together = is_large && !model.is_zoomed && Pane::DASHBOARD.contains(&model.focus);
    if is_together { together(model, theme, frame, area) } else { alone(model, theme, frame, area) }
}

fn note(shown: &mut Shown, pane: Pane, height: usize) {
    if let Some(place) = shown.heights.get_mut(pane.number().saturating_sub(1)) {
        *place = height;
    }
}

/// Five panes: accounts and positions across, trades beside signals, events below.
fn together(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> Shown {
    let rows = (model.desk.accounts.len(), model.desk.positions.len());
    let [accounts, positions, middle, events] = share(area, rows);
    let half = middle.width / 2;
    let trades = Rect { width: half, ..middle };
    let signals = Rect {
        x: middle.x.saturating_add(half),
        width: middle.width.saturating_sub(half),
        ..middle
    };
    let mut shown = Shown::default();
    for (pane, area) in
        Pane::DASHBOARD.into_iter().zip([accounts, positions, trades, signals, events])
    {
        let height = pane::view(model, pane, theme, frame, area);
        note(&mut shown, pane, height);
    }
    shown
}

/// Shares the height: to accounts what they need, up to a third; of the rest a third to positions,
/// and up to two fifths where they need them; trades and signals, the longest lists, get what events
/// leave. Within those bounds panes do not move when a position opens.
fn share(area: Rect, (accounts, positions): (usize, usize)) -> [Rect; 4] {
    let wanted = |rows: usize| {
        let rows = u16::try_from(rows.max(1)).unwrap_or(u16::MAX);
        rows.saturating_add(AROUND).saturating_add(TOTALS)
    };
    let first = wanted(accounts).clamp(5, (area.height / 3).max(5));
    let rest = area.height.saturating_sub(first);
    let second = wanted(positions).clamp(rest / 3, rest.saturating_mul(2) / 5);
    let last = rest.saturating_mul(3) / 10;
    let middle = rest.saturating_sub(second).saturating_sub(last);
    let mut y = area.y;
    [first, second, middle, last].map(|height| {
        let part = Rect { y, height, ..area };
        y = y.saturating_add(height);
        part.intersection(area)
    })
}

/// One pane with the whole width, and the names of the others above it.
fn alone(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> Shown {
    let [tabs, below] = pane::split_top(area, 1);
    draw_tabs(model, theme, frame, tabs);
    let mut shown = Shown::default();
    let height = match model.focus {
        Pane::Market => market::view(model, theme, frame, below),
        Pane::Agents => agents::view(model, theme, frame, below),
        Pane::Accounts
        | Pane::Positions
        | Pane::Trades
        | Pane::Signals
        | Pane::Events
        | Pane::Limits => pane::view(model, model.focus, theme, frame, below),
    };
    note(&mut shown, model.focus, height);
    shown
}

/// Draws the names of all panes; short ones where the long ones do not fit.
fn draw_tabs(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let long: usize = Pane::ALL.iter().map(|pane| pane.title().width().saturating_add(4)).sum();
    let is_long = long <= usize::from(area.width);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for pane in Pane::ALL {
        let name = if is_long { pane.title() } else { short(pane) };
        let text = format!(" {} {name} ", pane.number());
        let class = if pane == model.focus { Class::Selected } else { Class::Quiet };
        spans.push(Span::styled(text, theme.style(class)));
    }
    frame.render_widget(Line::from(spans), area);
}

fn short(pane: Pane) -> &'static str {
    match pane {
        Pane::Accounts => "Acc",
        Pane::Positions => "Pos",
        Pane::Trades => "Trades",
        Pane::Signals => "Signals",
        Pane::Events => "Risk",
        Pane::Limits => "Limits",
        Pane::Market => "Market",
        Pane::Agents => "Agents",
    }
}
