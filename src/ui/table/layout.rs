//! Which columns of a pane fit, and how wide each is.

use chrono::{DateTime, Utc};
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::{LEAD, Row, rows};
use crate::app::cell::Cell;
use crate::app::columns::{self, Head};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::ui::format;

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
pub(in crate::ui) struct Placed {
    /// Its place among all columns of the pane.
    pub(in crate::ui) index: usize,
    /// Heading and side.
    pub(in crate::ui) head: Head,
    /// How wide.
    pub(in crate::ui) width: usize,
    /// It shows a share of a limit as a bar.
    is_gauge: bool,
}

/// The columns that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Layout {
    /// From left to right.
    pub(in crate::ui) columns: Vec<Placed>,
    pub(super) gap: usize,
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
    pub(in crate::ui) fn choose(model: &Model, pane: Pane, ids: &[RowId], room: usize) -> Self {
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
    pub(in crate::ui) fn place(&self, title: &str) -> Option<(usize, usize)> {
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
    pub(in crate::ui) fn headings(
        &self,
        sort: Option<(usize, bool)>,
        style: Style,
    ) -> Line<'static> {
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
