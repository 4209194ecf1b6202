//! Rows in columns: which columns fit, how wide each is, and what a cell looks like.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::format;
use super::theme::{Ink, Theme};
use crate::app::cell::{Cell, Tone};
use crate::app::columns::{self, Head};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};

/// Columns before the first cell: the sign of the selected or marked row, and a blank.
pub(super) const LEAD: usize = 2;

/// Rows that are measured to find out how wide the columns must be, besides those on the screen.
/// Measuring more would cost time in every frame; measuring only the screen would make columns jump
/// while it scrolls.
const MEASURED: usize = 100;

/// Rank of [`Head::keep`] from which columns are worth no crowding.
const NICE: u32 = 8;

/// Rank from which columns are not worth a shorter bar.
const NEEDED: u32 = 2;

/// Widest gap between two columns.
const GAP: usize = 2;

/// A column as it stands in this frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Its place among all columns of the pane.
    pub(super) index: usize,
    /// Heading and side.
    pub(super) head: Head,
    /// How wide.
    pub(super) width: usize,
    /// It shows a share of a limit as a bar.
    is_gauge: bool,
}

/// The columns that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// From left to right.
    pub(super) columns: Vec<Placed>,
    gap: usize,
}

/// A row with its cells.
#[derive(Debug, Clone)]
pub(super) struct Row {
    id: RowId,
    tone: Tone,
    cells: Vec<Cell>,
}

/// Returns the rows of `ids` that are still there.
pub(super) fn rows(model: &Model, pane: Pane, ids: &[RowId]) -> Vec<Row> {
    ids.iter()
        .filter_map(|id| {
            let (tone, cells) = columns::cells(model, pane, id)?;
            Some(Row { id: id.clone(), tone, cells })
        })
        .collect()
}

impl Placed {
    /// How much a column is worth: more than all that are to go before it together, and nothing from
    /// the rank `until` on.
    fn worth(&self, until: u32) -> u32 {
        match until.saturating_sub(u32::from(self.head.keep)) {
            0 => 0,
            rank => 4_u32.saturating_pow(rank),
        }
    }

    /// Returns the column as narrow as it can be: a gauge has a shorter bar.
    fn shortened(&self) -> Self {
        /// Brackets, three cells, the figure, the warning.
        const LEAST: usize = 12;
        let width = if self.is_gauge { self.width.min(LEAST) } else { self.width };
        Self { width, ..*self }
    }
}

impl Layout {
    /// Chooses the columns of `pane` that fit into `room` columns of the terminal, and how wide
    /// they are there.
    pub(super) fn choose(model: &Model, pane: Pane, ids: &[RowId], room: usize) -> Self {
        let offset = model.pane(pane).offset;
        let head = ids.get(..MEASURED).unwrap_or(ids);
        let screen = ids.get(offset..).unwrap_or_default();
        let screen = screen.get(..MEASURED).unwrap_or(screen);
        let mut measured = rows(model, pane, head);
        if offset.saturating_add(screen.len()) > head.len() {
            measured.extend(rows(model, pane, screen));
        }
        let wanted: Vec<Placed> = columns::heads(pane)
            .into_iter()
            .enumerate()
            .map(|(index, head)| {
                let cells = || measured.iter().filter_map(|row| row.cells.get(index));
                let is_gauge = cells().any(|cell| matches!(cell, Cell::Used(_)));
                Placed { index, head, width: width(head, cells(), model.now), is_gauge }
            })
            .collect();
        let room = room.saturating_sub(LEAD);
        // A blank more between columns is easier to read, but not worth a column that matters.
        // The last column does not lean on the frame either, unless the room is needed.
        let loose = fitting(&wanted, room.saturating_sub(1), GAP);
        let tight = fitting(&wanted, room, 1);
        let short: Vec<Placed> = wanted.iter().map(Placed::shortened).collect();
        let short = fitting(&short, room, 1);
        let worth = |chosen: &[Placed], until| -> u32 {
            chosen.iter().map(|column| column.worth(until)).sum()
        };
        let tight = if worth(&short, NEEDED) > worth(&tight, NEEDED) { short } else { tight };
        let (mut columns, gap, room) = if worth(&tight, NICE) > worth(&loose, NICE) {
            (tight, 1, room)
        } else {
            (loose, GAP, room.saturating_sub(1))
        };
        let used = total(&columns, gap);
        widen(&mut columns, room.saturating_sub(used), &measured);
        Self { columns, gap }
    }

    /// Returns where a column begins, counted from the left edge of the rows, and how wide it is.
    pub(super) fn place(&self, title: &str) -> Option<(usize, usize)> {
        let mut at = LEAD;
        for column in &self.columns {
            if column.head.title == title {
                return Some((at, column.width));
            }
            at = at.saturating_add(column.width).saturating_add(self.gap);
        }
        None
    }

    /// Returns the line of headings. The column that orders the rows carries an arrow where there is
    /// a blank for it.
    pub(super) fn headings(&self, sort: Option<(usize, bool)>, style: Style) -> Line<'static> {
        let mut text = " ".repeat(LEAD);
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                text.push_str(&" ".repeat(self.gap));
            }
            let arrow = match sort {
                Some((index, is_downward)) if index == column.index => {
                    if is_downward {
                        "▼"
                    } else {
                        "▲"
                    }
                }
                _ => "",
            };
            let title = format!("{}{arrow}", column.head.title);
            let title = if title.width() > column.width { column.head.title } else { &title };
            text.push_str(&format::pad(title, column.width, column.head.align));
        }
        Line::styled(text, style)
    }
}

/// How the rows of a pane look in this frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    /// Columns.
    pub(super) layout: &'a Layout,
    /// Colours.
    pub(super) theme: Theme,
    /// Everything is old: nothing of it may look live.
    pub(super) is_stale: bool,
}

/// Draws the rows that stand on the screen, one per line of `area`.
pub(super) fn draw(
    model: &Model,
    pane: Pane,
    ids: &[RowId],
    look: Look<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let state = model.pane(pane);
    let height = usize::from(area.height);
    let offset = state.offset.min(ids.len().saturating_sub(height));
    let window = ids.get(offset..).unwrap_or_default();
    let window = window.get(..height).unwrap_or(window);
    for (row, place) in rows(model, pane, window).iter().zip(area.rows()) {
        let is_selected = state.selected.as_ref() == Some(&row.id);
        let is_marked = state.marked.contains(&row.id);
        let line = row.line(look, is_selected, is_marked, model.now);
        frame.render_widget(line, place);
        if is_selected {
            frame.buffer_mut().set_style(place, look.theme.style(Ink::Selected));
        }
    }
}

impl Row {
    fn line(
        &self,
        look: Look<'_>,
        is_selected: bool,
        is_marked: bool,
        now: DateTime<Utc>,
    ) -> Line<'static> {
        let lead = match (is_selected, is_marked) {
            (true, true) => ">*",
            (true, false) => "> ",
            (false, true) => "* ",
            (false, false) => "  ",
        };
        let mut spans = vec![Span::raw(lead)];
        for (at, column) in look.layout.columns.iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw(" ".repeat(look.layout.gap)));
            }
            let cell = self.cells.get(column.index).unwrap_or(&Cell::Absent);
            spans.extend(self.spans(cell, *column, look.theme, now));
        }
        if look.is_stale {
            // Old rows speak with one quiet voice: a bright gain among them would look live.
            for span in &mut spans {
                span.style = look.theme.style(Ink::Quiet);
            }
        }
        Line::from(spans)
    }

    /// Tells whether its age is that of a price.
    fn is_priced(&self) -> bool {
        matches!(self.id, RowId::Position(_) | RowId::Instrument(_))
    }

    fn spans(
        &self,
        cell: &Cell,
        column: Placed,
        theme: Theme,
        now: DateTime<Utc>,
    ) -> Vec<Span<'static>> {
        let tone = theme.tone(self.tone);
        if let Cell::Used(share) = cell {
            let gauge = format::gauge(*share, column.width);
            let quiet = theme.style(Ink::Quiet);
            let ink = if self.tone == Tone::Quiet { Ink::Quiet } else { gauge_ink(*share) };
            return vec![
                Span::styled("[", quiet),
                Span::styled(gauge.used, theme.style(ink)),
                Span::styled(gauge.free, quiet),
                Span::styled("]", quiet),
                Span::styled(gauge.figure, theme.style(ink)),
            ];
        }
        let style = match cell {
            Cell::Absent | Cell::Awaited(_) | Cell::Booked(..) => theme.style(Ink::Quiet),
            // The price that this row was valued at is too old: only its age may speak up.
            Cell::Age(_) if self.tone == Tone::Quiet && self.is_priced() => {
                theme.style(Ink::Critical)
            }
            _ if self.tone == Tone::Quiet => theme.style(Ink::Quiet),
            Cell::Gain(value) => gain_style(*value, theme),
            Cell::Text(_) | Cell::Age(_) => tone,
            Cell::Money(_)
            | Cell::Signed(..)
            | Cell::Price(..)
            | Cell::Size(_)
            | Cell::Number(..)
            | Cell::Percent(_)
            | Cell::Used(_)
            | Cell::Time(_)
            | Cell::Left(_) => theme.style(Ink::Plain),
        };
        let text = format::cell_in(cell, column.width, column.head.align, now);
        vec![Span::styled(text, style)]
    }
}

/// Returns the ink of a share of a limit: its own, whatever else is wrong in its row.
fn gauge_ink(share: rust_decimal::Decimal) -> Ink {
    if share >= rust_decimal::Decimal::ONE {
        Ink::Critical
    } else if share >= crate::domain::limit::DEFAULT_WARNING {
        Ink::Warning
    } else {
        Ink::Plain
    }
}

/// Returns the style of an amount that gained or lost.
pub(super) fn gain_style(value: rust_decimal::Decimal, theme: Theme) -> Style {
    match crate::domain::money::round(value, 2).cmp(&rust_decimal::Decimal::ZERO) {
        std::cmp::Ordering::Greater => theme.style(Ink::Gain),
        std::cmp::Ordering::Less => theme.style(Ink::Loss),
        std::cmp::Ordering::Equal => theme.style(Ink::Plain),
    }
}

/// Returns how wide a column must be: as wide as its cells, at least as its heading. Words are cut
/// at the column's own width; numbers never are. Figures that move with the prices keep a least
/// width, so that a tick does not push the columns behind them.
fn width<'a>(head: Head, cells: impl Iterator<Item = &'a Cell>, now: DateTime<Utc>) -> usize {
    let declared = usize::from(head.width);
    let title = head.title.width();
    let need = |cell: &Cell| {
        let text = || format::cell(cell, now).width();
        match cell {
            Cell::Text(words) => words.width().min(declared.max(title)),
            Cell::Used(_) => declared,
            Cell::Gain(_) => text().max(9),
            Cell::Signed(..) | Cell::Left(_) => text().max(5),
            Cell::Age(_) => text().max(4),
            Cell::Time(_) => 8,
            Cell::Absent
            | Cell::Awaited(_)
            | Cell::Money(_)
            | Cell::Price(..)
            | Cell::Booked(..)
            | Cell::Size(_)
            | Cell::Number(..)
            | Cell::Percent(_) => text(),
        }
    };
    cells.map(need).fold(title, usize::max)
}

/// Takes columns into `room`, the ones to keep first, each with a gap before it; then puts them back
/// into their order. A column that does not fit lets a narrower one behind it pass.
fn fitting(wanted: &[Placed], room: usize, gap: usize) -> Vec<Placed> {
    let mut by_weight: Vec<&Placed> = wanted.iter().collect();
    by_weight.sort_by_key(|column| (column.head.keep, column.index));
    let mut taken: Vec<Placed> = Vec::new();
    for column in by_weight {
        let more = column.width.saturating_add(if taken.is_empty() { 0 } else { gap });
        if total(&taken, gap).saturating_add(more) <= room {
            taken.push(*column);
        }
    }
    taken.sort_by_key(|column| column.index);
    taken
}

fn total(columns: &[Placed], gap: usize) -> usize {
    let widths: usize = columns.iter().map(|column| column.width).sum();
    widths.saturating_add(columns.len().saturating_sub(1).saturating_mul(gap))
}

/// Gives what is left over to words that would be cut.
fn widen(columns: &mut [Placed], mut spare: usize, measured: &[Row]) {
    for column in columns {
        let longest = measured
            .iter()
            .filter_map(|row| row.cells.get(column.index))
            .map(|cell| if let Cell::Text(words) = cell { words.width() } else { 0 })
            .max();
        let more = longest.unwrap_or(0).saturating_sub(column.width).min(spare);
        column.width = column.width.saturating_add(more);
        spare = spare.saturating_sub(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::cell::Align;

    fn column(index: usize, title: &'static str, width: usize, keep: u8) -> Placed {
        let head = Head { title, width: 20, align: Align::Left, keep };
        Placed { index, head, width, is_gauge: false }
    }

    fn titles(columns: &[Placed]) -> Vec<&'static str> {
        columns.iter().map(|column| column.head.title).collect()
    }

    #[test]
    fn columns_are_taken_by_rank_and_stand_in_their_order() {
        let wanted = [column(0, "late", 5, 9), column(1, "first", 5, 0), column(2, "second", 5, 1)];
        assert_eq!(titles(&fitting(&wanted, 17, 1)), ["late", "first", "second"]);
        assert_eq!(titles(&fitting(&wanted, 16, 1)), ["first", "second"]);
        assert_eq!(titles(&fitting(&wanted, 5, 1)), ["first"]);
        assert_eq!(titles(&fitting(&wanted, 4, 1)), Vec::<&str>::new());
    }

    #[test]
    fn a_column_that_does_not_fit_lets_a_narrower_one_pass() {
        let wanted = [column(0, "first", 5, 0), column(1, "wide", 30, 1), column(2, "slim", 4, 7)];
        assert_eq!(titles(&fitting(&wanted, 12, 1)), ["first", "slim"]);
    }

    #[test]
    fn one_column_that_matters_is_worth_more_than_all_behind_it() {
        let behind: u32 = (3_u8..8).map(|rank| column(0, "", 1, rank).worth(NICE)).sum();
        assert!(column(0, "", 1, 2).worth(NICE) > behind);
        assert_eq!(column(0, "", 1, 8).worth(NICE), 0, "not worth any crowding");
    }

    #[test]
    fn a_figure_is_never_narrower_than_its_digits_and_words_may_be_cut() {
        let head = Head { title: "X", width: 6, align: Align::Right, keep: 0 };
        let now = DateTime::UNIX_EPOCH;
        let money = [Cell::Money(rust_decimal::dec!(1234567.89))];
        assert_eq!(width(head, money.iter(), now), 12);
        let words = [Cell::Text("a long sentence".to_owned())];
        assert_eq!(width(head, words.iter(), now), 6);
    }
}
