//! Popups: a frame in the middle of the panes, never over the first lines.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding};

use super::format;
use super::theme::{Class, Theme};

/// Slivers of the panes beside a popup that are narrower than this are noise: it takes them too.
const SLIVER: u16 = 5;

/// Lines of the panes above and below a popup, together, from which it stands in the middle. With
/// fewer it stands at the end: the borders of both, one below the other, look like one drawn twice.
const LINES_AROUND: u16 = 6;

/// Returns a rectangle of about `width` by at most `height` in the middle of `area`.
pub(super) fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let is_sliver = area.width.saturating_sub(width) < SLIVER * 2;
    let width = if is_sliver { area.width } else { width };
    let height = height.min(area.height);
    let free = area.height.saturating_sub(height);
    let above = if free < LINES_AROUND { free } else { free / 2 };
    Rect {
        x: area.x.saturating_add(area.width.saturating_sub(width) / 2),
        y: area.y.saturating_add(above),
        width,
        height,
    }
}

/// Clears `area`, draws a frame around it with a title at each end, and returns what is inside.
pub(super) fn open(
    title: Line<'static>,
    corner: &str,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> Rect {
    let room = usize::from(area.width).saturating_sub(title.width()).saturating_sub(6);
    let corner = format::fit(corner, room);
    let mut block = Block::bordered()
        .border_type(BorderType::Thick)
        .border_style(theme.style(Class::Focus))
        .padding(Padding::horizontal(1))
        .title(title);
    if !corner.is_empty() {
        let text = Line::styled(format!(" {corner} "), theme.style(Class::Quiet));
        block = block.title(text.right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inner
}

/// Draws a line across a popup, joined to its frame on both sides.
pub(super) fn rule(theme: Theme, frame: &mut Frame<'_>, area: Rect, y: u16) {
    let line = Rect { y, height: 1, ..area }.intersection(area);
    let dashes = "─".repeat(usize::from(line.width).saturating_sub(2));
    frame.render_widget(Line::styled(format!("┠{dashes}┨"), theme.style(Class::Focus)), line);
}

/// Returns `text` in lines of at most `width` columns, broken at blanks, and within a word that is
/// wider than a line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(1))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Returns `text` wrapped into styled lines.
pub(super) fn paragraph(text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    wrap(text, width).into_iter().map(|line| Line::styled(line, style)).collect()
}

/// Draws lines one below the other, from the `skip`-th on.
/// Returns the first line that was drawn: scrolling ends where the last line is on the screen.
pub(super) fn lines(
    lines: Vec<Line<'static>>,
    skip: usize,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let most = lines.len().saturating_sub(usize::from(area.height));
    let skip = skip.min(most);
    for (text, row) in lines.into_iter().skip(skip).zip(area.rows()) {
        line(text, frame, row);
    }
    skip
}

/// Draws one line, with `…` at its end where it is wider than `area`: a figure whose last digits
/// were silently missing would read as another one.
pub(super) fn line(text: Line<'static>, frame: &mut Frame<'_>, area: Rect) {
    let is_cut = text.width() > usize::from(area.width);
    let style = text.spans.last().map_or(text.style, |span| text.style.patch(span.style));
    frame.render_widget(text, area);
    if is_cut {
        let last = Rect { x: area.right().saturating_sub(1), width: 1, ..area };
        frame.render_widget(Span::styled("…", style), last.intersection(area));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_and_words_only_where_they_must_be() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
