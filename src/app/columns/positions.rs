//! Pane 2.

use rust_decimal::Decimal;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::{Freshness, Model};
use crate::app::pane::{Pane, RowId};
use crate::domain::position::Position;

/// Price at which it would close: the current mark, else the last one stored in the database.
fn mark(model: &Model, row: &Position) -> Cell {
    let places = model.price_places(&row.instrument);
    match model.marks.positions.get(&row.id) {
        Some(mark) => Cell::Price(mark.price, places),
        None => Cell::maybe(row.booked_price, |price| Cell::Booked(price, places)),
    }
}

fn open_pnl(model: &Model, row: &Position) -> Option<Decimal> {
    model.marks.positions.get(&row.id).map_or(row.stored_pnl, |mark| mark.pnl)
}

fn pips(model: &Model, row: &Position) -> Option<Decimal> {
    let price = model.marks.positions.get(&row.id)?.price;
    model.book.pips(&row.instrument, row.direction, row.average_entry, price)
}

/// Open P&L in multiples of what the stop would cost.
fn multiple(model: &Model, row: &Position) -> Option<Decimal> {
    let price = model.marks.positions.get(&row.id)?.price;
    let gained = price.checked_sub(row.average_entry)?.checked_mul(row.direction.sign())?;
    let risked =
        row.average_entry.checked_sub(row.stop_loss?)?.checked_mul(row.direction.sign())?;
    // A stop beyond the entry risks nothing: there is no multiple of it.
    if risked > Decimal::ZERO { gained.checked_div(risked) } else { None }
}

impl Listed for Position {
    const PANE: Pane = Pane::Positions;
    const COLUMNS: &'static [Column<Self>] = &[
        left("ACCOUNT", 12, 0, |model, row| Cell::Text(model.desk.account_name(row.account))),
        left("INSTR", 10, 0, |_, row| Cell::Text(row.instrument.to_string())),
        left("SIDE", 5, 0, |_, row| Cell::Text(row.direction.to_string())),
        right("SIZE", 10, 0, |_, row| Cell::Size(row.size)),
        right("AVG", 10, 6, |model, row| {
            Cell::Price(row.average_entry, model.price_places(&row.instrument))
        }),
        right("MARK", 10, 1, mark),
        right("AGE", 5, 3, |model, row| {
            model.price_age(&row.instrument).map_or(Cell::Absent, Cell::Age)
        }),
        right("UPNL", 12, 0, |model, row| Cell::maybe(open_pnl(model, row), Cell::Gain)),
        left("CCY", 4, 4, |model, row| {
            Cell::text(model.desk.accounts.get(&row.account).map(|a| a.base_currency.as_str()))
        }),
        right("PIPS", 8, 7, |model, row| Cell::maybe(pips(model, row), |n| Cell::Signed(n, 1))),
        right("R", 6, 7, |model, row| Cell::maybe(multiple(model, row), |n| Cell::Signed(n, 2))),
        right("STOP", 10, 2, |model, row| {
            Cell::maybe(row.stop_loss, |n| Cell::Price(n, model.price_places(&row.instrument)))
        }),
        right("TARGET", 10, 5, |model, row| {
            Cell::maybe(row.take_profit, |n| Cell::Price(n, model.price_places(&row.instrument)))
        }),
        right("STORED UPNL", 12, 9, |_, row| Cell::maybe(row.stored_pnl, Cell::Gain)),
        right("REALIZED", 12, 10, |_, row| Cell::maybe(row.realized_pnl, Cell::Gain)),
        left("OPENED", 8, 11, |_, row| Cell::Time(row.opened_at)),
        left("STATE", 7, 12, |_, row| {
            Cell::Text(if row.is_closing { "closing" } else { "open" }.to_owned())
        }),
    ];

    fn row_id(&self) -> RowId {
        RowId::Position(self.id)
    }

    fn tone(&self, model: &Model) -> Tone {
        match model.price_freshness(&self.instrument) {
            Freshness::Fresh => Tone::Plain,
            Freshness::Old => Tone::Warning,
            Freshness::TooOld | Freshness::Never => Tone::Quiet,
        }
    }

    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> = model.desk.positions.values().collect();
        rows.sort_by_cached_key(|row| {
            (model.desk.account_name(row.account), row.instrument.clone(), row.id)
        });
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Position(id) = id else { return None };
        model.desk.positions.get(id)
    }
}
