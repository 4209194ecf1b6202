//! Rows in columns, and what a cell looks like.

mod layout;
mod row;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub(super) use layout::{Layout, Placed};
pub(super) use row::Rows;

use row::{FIGURE_OF_GAUGE, Row};

use super::format;
use super::theme::{Class, Theme};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};

/// How the rows of a pane look in this frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) layout: &'a Layout,
    pub(super) theme: Theme,
    /// Everything is old: nothing of it may look live.
    pub(super) is_stale: bool,
}

/// Draws the visible rows, one per line of `area`.
pub(super) fn draw(
    model: &Model,
    pane: Pane,
    rows: &Rows,
    look: Look<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let state = model.pane(pane);
    for (row, place) in rows.on_screen().zip(area.rows()) {
        let is_selected = state.selected.as_ref() == Some(&row.id);
        let is_marked = state.marked.contains(&row.id);
        let line = row.line(look, is_selected, is_marked, model.now);
        frame.render_widget(line, place);
        if is_selected {
            frame.buffer_mut().set_style(place, look.theme.style(Class::Selected));
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
            spans.push(Span::raw(" ".repeat(look.layout.gap_before(at))));
            let cell = self.cells.get(column.index).unwrap_or(&Cell::Absent);
            spans.extend(self.spans(cell, *column, look.theme, now));
        }
        if look.is_stale {
            // Stale rows are all dimmed: a bright gain among them would look live.
            for span in &mut spans {
                span.style = look.theme.style(Class::Quiet);
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
            let quiet = theme.style(Class::Quiet);
            let class = if self.tone == Tone::Quiet { Class::Quiet } else { gauge_class(*share) };
            if column.width <= FIGURE_OF_GAUGE {
                return vec![Span::styled(gauge.figure, theme.style(class))];
            }
            return vec![
                Span::styled("[", quiet),
                Span::styled(gauge.used, theme.style(class)),
                Span::styled(gauge.free, quiet),
                Span::styled("]", quiet),
                Span::styled(gauge.figure, theme.style(class)),
            ];
        }
        let style = match cell {
            Cell::Absent | Cell::Awaited(_) | Cell::Booked(..) => theme.style(Class::Quiet),
            // The price that this row was valued at is too old: only its age is highlighted.
            Cell::Age(_) if self.tone == Tone::Quiet && self.is_priced() => {
                theme.style(Class::Critical)
            }
            _ if self.tone == Tone::Quiet => theme.style(Class::Quiet),
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
            | Cell::Left(_) => theme.style(Class::Plain),
        };
        let text = format::cell_in(cell, column.width, column.head.align, now);
        vec![Span::styled(text, style)]
    }
}

/// Returns the class of a share of a limit: its own, whatever else is wrong in its row.
fn gauge_class(share: rust_decimal::Decimal) -> Class {
    if share >= rust_decimal::Decimal::ONE {
        Class::Critical
    } else if share >= crate::domain::limit::DEFAULT_WARNING {
        Class::Warning
    } else {
        Class::Plain
    }
}

/// Returns the style of an amount that gained or lost.
pub(super) fn gain_style(value: rust_decimal::Decimal, theme: Theme) -> Style {
    match crate::domain::money::round(value, 2).cmp(&rust_decimal::Decimal::ZERO) {
        std::cmp::Ordering::Greater => theme.style(Class::Gain),
        std::cmp::Ordering::Less => theme.style(Class::Loss),
        std::cmp::Ordering::Equal => theme.style(Class::Plain),
    }
}
