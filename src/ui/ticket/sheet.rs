//! The upper part of a ticket: fields and facts on the left, what is known about them on the right.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::cell::Align;
use crate::app::ticket::{Field, FieldKind, FieldName, Stage, Ticket};
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, line, popup};

/// Columns of a label.
const LABEL: usize = 12;

/// Columns of a figure: `100,000.00` with a blank before it.
const FIGURE: usize = 11;

/// One line on the left.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// A field, with a hint behind it.
    Field(FieldName, String),
    Fact(Line<'static>),
    /// Nothing; left out where the screen is low.
    Blank,
}

/// What a ticket shows above its sentence.
#[derive(Debug, Clone, Default)]
pub(super) struct Sheet {
    pub(super) left: Vec<Item>,
    /// What is known about them. Where it does not fit, it is scrolled, and the last line says how.
    pub(super) right: Vec<Line<'static>>,
    /// How many of its first lines are its heading, and stay.
    pub(super) heading: usize,
    /// Shown below it in any case.
    pub(super) result: Vec<Line<'static>>,
    /// Columns of the left side; all of them where there is nothing on the right.
    pub(super) split: usize,
}

/// Returns how many columns the left side takes of a ticket that has two sides.
pub(super) fn split(width: usize) -> usize {
    if width >= 96 { 40 } else { 35 }
}

/// Returns how many columns the right side has then.
pub(super) fn right_width(width: usize) -> usize {
    // A rule with a blank on each side stands between them.
    width.saturating_sub(split(width)).saturating_sub(3)
}

impl Sheet {
    /// Returns how many lines it needs.
    pub(super) fn height(&self) -> usize {
        let result = match self.result.len() {
            0 => 0,
            lines => lines.saturating_add(1),
        };
        self.left.len().max(self.right.len().saturating_add(result))
    }

    /// Draws both sides, and returns by how many lines the right one is scrolled.
    pub(super) fn draw(
        mut self,
        ticket: &Ticket,
        theme: Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) -> usize {
        let height = usize::from(area.height);
        let is_split = !self.right.is_empty();
        let width = if is_split {
            u16::try_from(self.split).unwrap_or(area.width).min(area.width)
        } else {
            area.width
        };
        let is_low = self.left.len() > height;
        let left = self.left.into_iter().filter(|item| !(is_low && matches!(item, Item::Blank)));
        let place = Rect { width, ..area };
        for (item, row) in left.zip(place.rows()) {
            match item {
                Item::Field(name, hint) => field(ticket, name, &hint, theme, frame, row),
                Item::Fact(fact) => popup::line(fact, frame, row),
                Item::Blank => {}
            }
        }
        if !is_split {
            return 0;
        }
        let x = area.x.saturating_add(width).saturating_add(1);
        let bar = Rect { x, width: 1, ..area }.intersection(area);
        for row in bar.rows() {
            frame.render_widget(Span::styled("│", theme.style(Class::Quiet)), row);
        }
        let x = x.saturating_add(2);
        let width = area.right().saturating_sub(x);
        let place = Rect { x, width, ..area }.intersection(area);
        let (shown, scrolled) = fitted(
            std::mem::take(&mut self.right),
            self.heading,
            self.result,
            (ticket.scrolled, usize::from(place.height)),
            theme,
        );
        popup::lines(shown, 0, frame, place);
        scrolled
    }
}

/// Returns what is shown of `list` in `height` lines, from the `wanted`-th line behind its heading on,
/// with `result` at the end; and by how many lines it really is scrolled. A list whose end is not on
/// the screen says so.
fn fitted(
    mut list: Vec<Line<'static>>,
    heading: usize,
    result: Vec<Line<'static>>,
    (wanted, height): (usize, usize),
    theme: Theme,
) -> (Vec<Line<'static>>, usize) {
    let fits = list.len().saturating_add(result.len()) <= height;
    if fits {
        if list.len().saturating_add(result.len()) < height && !result.is_empty() {
            list.push(Line::raw(""));
        }
        list.extend(result);
        return (list, 0);
    }
    let rows = list.split_off(heading.min(list.len()));
    // One line says what is not shown.
    let room = height.saturating_sub(list.len()).saturating_sub(result.len()).saturating_sub(1);
    let above = wanted.min(rows.len().saturating_sub(room));
    let below = rows.len().saturating_sub(above).saturating_sub(room);
    list.extend(rows.into_iter().skip(above).take(room));
    let text = match (above, below) {
        (0, below) => format!("+{below} more: PgDn"),
        (above, 0) => format!("{above} above: PgUp"),
        (above, below) => format!("+{below} more: PgDn   {above} above: PgUp"),
    };
    list.push(Line::styled(text, theme.style(Class::Key)));
    list.extend(result);
    (list, above)
}

/// Draws a field: its label, what is typed, and a hint where there is room.
fn field(
    ticket: &Ticket,
    name: FieldName,
    hint: &str,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let Some(field) = ticket.field(name) else { return };
    let is_editing = ticket.stage == Stage::Editing;
    let is_focused = is_editing && ticket.focused().is_some_and(|focused| focused.name == name);
    let label = format::pad(name.label(), LABEL.saturating_sub(1), Align::Left);
    let class = if is_focused { Class::Key } else { Class::Quiet };
    let mark = if is_focused { ">" } else { " " };
    let label = Line::from(vec![
        Span::styled(mark, theme.style(Class::Key)),
        Span::styled(label, theme.style(class)),
    ]);
    frame.render_widget(label, area);
    let shift = u16::try_from(LABEL).unwrap_or(0);
    let rest =
        Rect { x: area.x.saturating_add(shift), width: area.width.saturating_sub(shift), ..area };
    let is_text = field.kind == FieldKind::Text;
    let room = usize::from(rest.width);
    // The hint is dropped before the typed text is cut.
    let needed = field.input.value().width().saturating_add(2).max(8);
    let is_crowded = hint.width().saturating_add(needed) > room;
    let hint = if is_text || is_crowded { "" } else { hint };
    let wide = if hint.is_empty() {
        room
    } else {
        room.saturating_sub(hint.width().saturating_add(1)).min(16)
    };
    let place = Rect { width: u16::try_from(wide).unwrap_or(0).min(rest.width), ..rest };
    content(field, is_focused, theme, frame, place);
    if hint.is_empty() {
        return;
    }
    let shift = place.width.saturating_add(1);
    let last =
        Rect { x: rest.x.saturating_add(shift), width: rest.width.saturating_sub(shift), ..rest };
    let text = format::pad(hint, usize::from(last.width), Align::Right);
    frame.render_widget(Span::styled(text, theme.style(Class::Quiet)), last);
}

fn content(field: &Field, is_focused: bool, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    match (field.kind, is_focused) {
        (FieldKind::Choice, true) => {
            let chosen = if field.text().is_empty() { "choose" } else { field.text() };
            let text = format::fit(&format!("◂ {chosen} ▸"), width);
            frame.render_widget(Span::styled(text, theme.style(Class::Strong)), area);
        }
        (_, true) => {
            line::edit(&field.input, theme.style(Class::Field), frame, area);
            if field.is_untouched {
                // As selected text looks: what is typed takes its place.
                let width = field.input.value().width().min(width);
                let shown = Rect { width: u16::try_from(width).unwrap_or(0), ..area };
                frame.buffer_mut().set_style(shown, theme.style(Class::Selected));
            }
        }
        (_, false) if field.text().is_empty() => {
            frame.render_widget(Span::styled(format::ABSENT, theme.style(Class::Quiet)), area);
        }
        (_, false) => {
            frame.render_widget(Span::raw(format::fit(field.input.value(), width)), area);
        }
    }
}

/// Returns a fact: its label and a figure that ends where the figures above and below it do.
pub(super) fn fact(label: &str, figure: &str, note: &str, theme: Theme) -> Item {
    Item::Fact(fact_line(label, figure, note, Style::new(), theme))
}

/// Returns a fact with the first of `notes` that fits behind its figure: what is cut would read as
/// another number.
pub(super) fn fact_that_fits(
    label: &str,
    figure: &str,
    notes: &[String],
    width: usize,
    theme: Theme,
) -> Item {
    let room = width.saturating_sub(LABEL + 1 + figure.width().max(FIGURE));
    let note = notes.iter().find(|note| note.width() <= room);
    fact(label, figure, note.map_or("", String::as_str), theme)
}

/// Returns a fact with its own style.
pub(super) fn fact_line(
    label: &str,
    figure: &str,
    note: &str,
    style: Style,
    theme: Theme,
) -> Line<'static> {
    Line::from(vec![
        labelled(label, theme),
        Span::styled(format!("{figure:>FIGURE$}"), style),
        Span::styled(format!(" {note}"), theme.style(Class::Quiet)),
    ])
}

/// Returns the label of a fact, in the column of the labels of the fields.
pub(super) fn labelled(label: &str, theme: Theme) -> Span<'static> {
    let label = format::pad(label, LABEL.saturating_sub(1), Align::Left);
    Span::styled(format!(" {label}"), theme.style(Class::Quiet))
}

/// Returns a fact in as many of its words as fit: the first of `texts` that does, else the last.
pub(super) fn first_that_fits(
    label: &str,
    texts: &[String],
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let room = width.saturating_sub(LABEL);
    let text = texts.iter().find(|text| text.width() <= room).or(texts.last());
    let text = format::fit(text.map_or("", String::as_str), room);
    Line::from(vec![labelled(label, theme), Span::raw(text)])
}

/// Returns a labelled text, wrapped.
pub(super) fn words(label: &str, text: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    popup::wrap(text, width.saturating_sub(LABEL))
        .into_iter()
        .enumerate()
        .map(|(at, part)| {
            let label = if at == 0 { label } else { "" };
            Line::from(vec![labelled(label, theme), Span::raw(part)])
        })
        .collect()
}
