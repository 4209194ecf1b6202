//! Pane 3.

use std::cmp::Reverse;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::trade::{Trade, TradeStatus};

impl Listed for Trade {
    const PANE: Pane = Pane::Trades;
    const COLUMNS: &'static [Column<Self>] = &[
        left("ENTRY", 8, 0, |_, row| Cell::Time(row.entry_time)),
        left("ACCOUNT", 12, 1, |model, row| Cell::Text(model.desk.account_name(row.account))),
        left("SIDE", 4, 0, |_, row| Cell::Text(row.side.to_string())),
        left("INSTR", 10, 0, |_, row| Cell::Text(row.instrument.to_string())),
        right("SIZE", 9, 0, |_, row| Cell::Size(row.size)),
        right("PRICE", 10, 3, |model, row| {
            Cell::Price(row.entry_price, model.price_places(&row.instrument))
        }),
        right("EXIT", 10, 4, |model, row| {
            Cell::maybe(row.exit_price, |n| Cell::Price(n, model.price_places(&row.instrument)))
        }),
        left("STATE", 9, 8, |_, row| Cell::Text(row.status.as_str().to_owned())),
        right("NET", 9, 0, |_, row| {
            row.net_pnl.map_or(Cell::Awaited(row.status.as_str()), Cell::Gain)
        }),
        right("RISK", 9, 5, |_, row| Cell::Money(row.risk_amount)),
        right("RISK %", 6, 6, |_, row| Cell::Percent(row.risk_percentage)),
        right("STOP", 10, 9, |model, row| {
            Cell::maybe(row.stop_loss, |n| Cell::Price(n, model.price_places(&row.instrument)))
        }),
        right("TARGET", 10, 9, |model, row| {
            Cell::maybe(row.take_profit, |n| Cell::Price(n, model.price_places(&row.instrument)))
        }),
        left("CLOSED", 8, 10, |_, row| row.exit_time.map_or(Cell::Absent, Cell::Time)),
        left("REASON", 14, 11, |_, row| Cell::text(row.close_reason.as_deref())),
        left("ID", 8, 12, |_, row| Cell::Text(row.id.short())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Trade(self.id)
    }

    fn tone(&self, _model: &Model) -> Tone {
        match self.status {
            TradeStatus::Open | TradeStatus::Partial | TradeStatus::Closed => Tone::Plain,
            TradeStatus::Cancelled => Tone::Quiet,
        }
    }

    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> = model.desk.trades.values().collect();
        rows.sort_by_key(|row| (Reverse(row.entry_time), row.id));
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Trade(id) = id else { return None };
        model.desk.trades.get(id)
    }
}
