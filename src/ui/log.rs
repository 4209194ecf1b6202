//! The action log: every notice, the newest first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::{Class, Theme};
use super::{format, popup};
use crate::app::model::Model;

/// Columns of the time and the blanks behind it.
const TIME: usize = 10;

/// Draws the log, scrolled down by `line`, and returns by how many lines it really is.
pub(super) fn view(
    model: &Model,
    line: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let title =
        Line::styled(" Action log ", theme.style(Class::Focus).patch(theme.style(Class::Strong)));
    let count = model.notices.len();
    let entries = if count == 1 { "entry" } else { "entries" };
    let corner = format!("{count} {entries} │ j k scroll │ Esc back");
    let inner = popup::open(title, &corner, theme, frame, area);
    if model.notices.is_empty() {
        let text = Line::styled("no entries yet", theme.style(Class::Quiet));
        frame.render_widget(text, inner);
        return 0;
    }
    let width = usize::from(inner.width).saturating_sub(TIME);
    let mut lines = Vec::new();
    for write in &model.writes {
        let state = match &write.unknown {
            Some(why) => format!("UNCONFIRMED, querying: {why}"),
            None => "in flight".to_owned(),
        };
        let text = format!("{}  {}  key {}", write.summary, state, write.request.key);
        lines.extend(entry("pending", &text, width, theme, theme.style(Class::Warning)));
    }
    for notice in model.notices.iter().rev() {
        let at = format::time(notice.at, model.now);
        lines.extend(entry(&at, &notice.text, width, theme, theme.tone(notice.tone)));
    }
    popup::lines(lines, line, frame, inner)
}

fn entry(
    at: &str,
    text: &str,
    width: usize,
    theme: Theme,
    style: ratatui::style::Style,
) -> Vec<Line<'static>> {
    popup::wrap(text, width)
        .into_iter()
        .enumerate()
        .map(|(row, part)| {
            let at = if row == 0 { at } else { "" };
            let at = format::pad(at, TIME, crate::app::cell::Align::Left);
            Line::from(vec![Span::styled(at, theme.style(Class::Quiet)), Span::styled(part, style)])
        })
        .collect()
}
