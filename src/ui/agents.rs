//! Pane 8: agents above, what the system says of itself below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding};

use super::theme::{Class, Theme};
use super::{format, pane, popup};
use crate::app::cell::Align;
use crate::app::model::Model;
use crate::app::pane::Pane;
use crate::domain::agent::{SystemEvent, SystemSeverity};

/// Draws both halves and returns how many agents fit.
pub(super) fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> usize {
    let wanted = u16::try_from(model.desk.agents.len()).unwrap_or(u16::MAX).saturating_add(3);
    let upper = wanted.clamp(6, (area.height / 2).max(6));
    let [agents, events] = pane::split_top(area, upper);
    let height = pane::view(model, Pane::Agents, theme, frame, agents);
    log(model, theme, frame, events);
    height
}

fn log(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let events = model.system_log();
    let quiet = theme.style(Class::Quiet);
    let block = Block::bordered()
        .border_style(quiet)
        .padding(Padding::horizontal(1))
        .title(Line::raw(" System events "))
        .title(Line::styled(format!(" {} newest ", events.len()), quiet).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if events.is_empty() {
        let text = "no system events yet";
        frame.render_widget(Line::styled(text, quiet).centered(), inner);
        return;
    }
    let shown = events.into_iter().take(usize::from(inner.height));
    popup::lines(shown.map(|row| line(model, row, theme)).collect(), 0, frame, inner);
}

fn line(model: &Model, row: &SystemEvent, theme: Theme) -> Line<'static> {
    let class = match row.severity {
        SystemSeverity::Critical | SystemSeverity::Error => Class::Critical,
        SystemSeverity::Warning => Class::Warning,
        SystemSeverity::Debug => Class::Quiet,
        SystemSeverity::Info | SystemSeverity::Unknown(_) => Class::Plain,
    };
    let at = format::pad(&format::time(row.occurred_at, model.now), 10, Align::Left);
    let severity = format::pad(row.severity.as_str(), 10, Align::Left);
    let source = format::pad(&row.source, 20, Align::Left);
    Line::from(vec![
        Span::styled(at, theme.style(Class::Quiet)),
        Span::styled(severity, theme.style(class)),
        Span::styled(source, theme.style(Class::Quiet)),
        Span::raw(format!(" {}", row.message)),
    ])
}
