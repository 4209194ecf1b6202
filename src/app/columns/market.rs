//! Pane 7.

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::{Freshness, Model};
use crate::app::pane::{Pane, RowId};
use crate::domain::instrument::Instrument;

impl Listed for Instrument {
    const PANE: Pane = Pane::Market;
    const COLUMNS: &'static [Column<Self>] = &[
        left("INSTR", 10, 0, |_, row| Cell::Text(row.id.to_string())),
        right("BID", 10, 0, |model, row| {
            Cell::maybe(model.book.quote(&row.id).map(|q| q.bid), |n| {
                Cell::Price(n, row.price_places())
            })
        }),
        right("ASK", 10, 0, |model, row| {
            Cell::maybe(model.book.quote(&row.id).map(|q| q.ask), |n| {
                Cell::Price(n, row.price_places())
            })
        }),
        right("SPREAD", 6, 1, |model, row| {
            let spread = model
                .book
                .quote(&row.id)
                .and_then(|quote| quote.ask.checked_sub(quote.bid)?.checked_div(row.pip_size));
            Cell::maybe(spread, |n| Cell::Number(n, 1))
        }),
        right("AGE", 5, 0, |model, row| model.price_age(&row.id).map_or(Cell::Absent, Cell::Age)),
        left("CLASS", 8, 3, |_, row| Cell::Text(row.asset_class.clone())),
        right("CONTRACT", 9, 5, |_, row| Cell::Size(row.contract_size)),
        right("STEP", 8, 4, |_, row| Cell::Size(row.size_step)),
        right("MARGIN", 7, 6, |_, row| Cell::Percent(row.margin_rate)),
        left("TRADABLE", 8, 2, |_, row| {
            Cell::Text(if row.is_tradable { "yes" } else { "no" }.to_owned())
        }),
    ];

    fn row_id(&self) -> RowId {
        RowId::Instrument(self.id.clone())
    }

    fn tone(&self, model: &Model) -> Tone {
        match model.price_freshness(&self.id) {
            Freshness::Fresh => Tone::Plain,
            Freshness::Old => Tone::Warning,
            Freshness::TooOld | Freshness::Never => Tone::Quiet,
        }
    }

    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> = model.book.instruments().collect();
        rows.sort_by(|one, two| one.id.cmp(&two.id));
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Instrument(id) = id else { return None };
        model.book.instrument(id.as_str())
    }
}
