//! Which columns of a pane fit, and how wide each is.

use chrono::{DateTime, Utc};
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::row::{FIGURE_OF_GAUGE, LEAD, Rows};
use crate::app::cell::{Align, Cell};
use crate::app::columns::{self, Head};
use crate::app::pane::Pane;
use crate::ui::format;

/// Rank of [`Head::keep`] from which columns are worth no crowding.
const NICE: u32 = 8;

/// Rank from which columns are not worth a shorter bar.
const NEEDED: u32 = 2;

/// Widest gap between two columns.
const GAP: usize = 2;

/// A column as placed in this frame.
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
    gap: usize,
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

    /// Returns the column no wider than `most`, where it is a gauge: with a shorter bar, or without.
    fn shortened(&self, most: usize) -> Self {
        let width = if self.is_gauge { self.width.min(most) } else { self.width };
        Self { width, ..*self }
    }
}

/// Widths of a gauge where there is little room: brackets, three cells, the figure and the warning;
/// then the figure and the warning alone.
const SHORT_GAUGES: [usize; 2] = [12, FIGURE_OF_GAUGE];

impl Layout {
    /// Chooses the columns of `pane` that fit into `room` columns of the terminal, and how wide
    /// they are there.
    pub(in crate::ui) fn choose(pane: Pane, rows: &Rows, room: usize, now: DateTime<Utc>) -> Self {
        let wanted: Vec<Placed> = columns::heads(pane)
            .into_iter()
            .enumerate()
            .map(|(index, head)| {
                let cells = || rows.all().filter_map(|row| row.cells.get(index));
                let is_gauge = cells().any(|cell| matches!(cell, Cell::Used(_)));
                Placed { index, head, width: width(head, cells(), now), is_gauge }
            })
            .collect();
        let room = room.saturating_sub(LEAD);
        // A blank more between columns is easier to read, but not worth a column that matters.
        // The last column does not lean on the frame either, unless the room is needed.
        let loose = fitting(&wanted, room.saturating_sub(1), GAP);
        let tight = fitting(&wanted, room, 1);
        let worth = |chosen: &[Placed], until| -> u32 {
            chosen.iter().map(|column| column.worth(until)).sum()
        };
        let mut tight = tight;
        for most in SHORT_GAUGES {
            let short: Vec<Placed> = wanted.iter().map(|column| column.shortened(most)).collect();
            let short = fitting(&short, room, 1);
            if worth(&short, NEEDED) > worth(&tight, NEEDED) {
                tight = short;
            }
        }
        let (mut columns, gap, room) = if worth(&tight, NICE) > worth(&loose, NICE) {
            (tight, 1, room)
        } else {
            (loose, GAP, room.saturating_sub(1))
        };
        let used = total(&columns, gap);
        widen(&mut columns, room.saturating_sub(used), rows);
        Self { columns, gap }
    }

    /// Returns where a column begins, counted from the left edge of the rows, and how wide it is.
    pub(in crate::ui) fn place(&self, title: &str) -> Option<(usize, usize)> {
        let mut at = LEAD;
        for (number, column) in self.columns.iter().enumerate() {
            at = at.saturating_add(self.gap_before(number));
            if column.head.title == title {
                return Some((at, column.width));
            }
            at = at.saturating_add(column.width);
        }
        None
    }

    /// Returns the blanks before a column.
    pub(super) fn gap_before(&self, number: usize) -> usize {
        let before = number.checked_sub(1).and_then(|before| self.columns.get(before));
        match (before, self.columns.get(number)) {
            (Some(before), Some(column)) => between(before, column, self.gap),
            _ => 0,
        }
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
            text.push_str(&" ".repeat(self.gap_before(at)));
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
            // Where it is narrow, the arrow goes; the sign stays.
            Cell::Gain(value) => settled(format::signed(*value, 2).width(), declared.min(11)),
            Cell::Money(_) | Cell::Number(..) => settled(text(), declared.min(10)),
            Cell::Signed(..) => settled(text(), declared.min(6)),
            Cell::Percent(_) => text().max(6),
            Cell::Left(_) => text().max(5),
            Cell::Age(_) => text().max(4),
            Cell::Time(_) => 8,
            Cell::Absent
            | Cell::Awaited(_)
            | Cell::Price(..)
            | Cell::Booked(..)
            | Cell::Size(_) => text(),
        }
    };
    cells.map(need).fold(title, usize::max)
}

/// Returns the width of a column of figures that move: at least `least`, and then in steps of two. A
/// figure that gains a digit with one tick and loses it with the next must not take the last column
/// away and bring it back.
fn settled(width: usize, least: usize) -> usize {
    least.saturating_add(width.saturating_sub(least).next_multiple_of(2))
}

/// Takes columns into `room`, the ones to keep first, each with a gap before it; then puts them back
/// into their order. A column that does not fit lets a narrower one behind it pass.
fn fitting(wanted: &[Placed], room: usize, gap: usize) -> Vec<Placed> {
    let mut by_weight: Vec<&Placed> = wanted.iter().collect();
    by_weight.sort_by_key(|column| (column.head.keep, column.index));
    let mut taken: Vec<Placed> = Vec::new();
    for column in by_weight {
        let at = taken.partition_point(|before| before.index < column.index);
        taken.insert(at, *column);
        if total(&taken, gap) > room {
            taken.remove(at);
        }
    }
    taken
}

/// Returns the gap between two columns. Figures on the right and words on the left of a narrow gap
/// would read as one column, and so would their heads; only a unit leans on its figure.
fn between(before: &Placed, after: &Placed, gap: usize) -> usize {
    let meet = before.head.align == Align::Right && after.head.align == Align::Left;
    let is_unit = matches!(after.head.title, "CCY" | "UNIT");
    if meet && !is_unit { gap.max(GAP) } else { gap }
}

fn total(columns: &[Placed], gap: usize) -> usize {
    let widths: usize = columns.iter().map(|column| column.width).sum();
    let gaps: usize = columns
        .windows(2)
        .map(|pair| if let [before, after] = pair { between(before, after, gap) } else { 0 })
        .sum();
    widths.saturating_add(gaps)
}

/// Gives what is left over to words that would be cut.
fn widen(columns: &mut [Placed], mut spare: usize, rows: &Rows) {
    for column in columns {
        let longest = rows
            .all()
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
    fn a_digit_more_moves_no_column() {
        let head = Head { title: "UPNL", width: 12, align: Align::Right, keep: 0 };
        let now = DateTime::UNIX_EPOCH;
        let wide = |amount| width(head, [Cell::Gain(amount)].iter(), now);
        assert_eq!(wide(rust_decimal::dec!(-9.99)), wide(rust_decimal::dec!(9999.99)));
        assert_eq!(wide(rust_decimal::dec!(10000)), wide(rust_decimal::dec!(-99999.99)));
        let worth = |amount| width(head, [Cell::Money(amount)].iter(), now);
        assert_eq!(worth(rust_decimal::dec!(99999.99)), worth(rust_decimal::dec!(100000)));
    }

    #[test]
    fn words_do_not_lean_on_the_figures_before_them() {
        let of = |title, align| Placed {
            index: 0,
            head: Head { title, width: 8, align, keep: 0 },
            width: 8,
            is_gauge: false,
        };
        let figure = of("DRAWDOWN", Align::Right);
        assert_eq!(between(&figure, &of("EXPO USED", Align::Left), 1), 2);
        assert_eq!(between(&figure, &of("CCY", Align::Left), 1), 1);
        assert_eq!(between(&figure, &of("MARGIN", Align::Right), 1), 1);
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
