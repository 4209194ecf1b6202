//! Pane 4.

use std::cmp::Reverse;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::signal::{Signal, SignalStatus};

/// Status of a signal; past its expiry it is shown as expired even if the row is not updated yet.
fn state(model: &Model, row: &Signal) -> &'static str {
    if row.status == SignalStatus::Pending && !row.is_live(model.now) {
        SignalStatus::Expired.as_str()
    } else {
        row.status.as_str()
    }
}

impl Listed for Signal {
    const PANE: Pane = Pane::Signals;
    const COLUMNS: &'static [Column<Self>] = &[
        left("TIME", 8, 0, |_, row| Cell::Time(row.generated_at)),
        left("INSTR", 10, 0, |_, row| Cell::Text(row.instrument.to_string())),
        left("SIDE", 4, 0, |_, row| Cell::Text(row.side.to_string())),
        right("CONF", 4, 1, |_, row| Cell::Number(row.confidence, 2)),
        right("ENTRY", 10, 2, |model, row| {
            Cell::Price(row.entry_price, model.price_places(&row.instrument))
        }),
        right("R:R", 5, 3, |_, row| Cell::Number(row.risk_reward, 2)),
        left("TF", 3, 5, |_, row| Cell::Text(row.timeframe.clone())),
        left("WYCKOFF", 14, 6, |_, row| Cell::text(row.wyckoff_phase.as_deref())),
        right("LEFT", 6, 1, |model, row| match row.valid_until {
            Some(end) if row.is_live(model.now) => {
                Cell::Left((end - model.now).to_std().unwrap_or_default().as_secs())
            }
            _ => Cell::Absent,
        }),
        left("STATE", 9, 0, |model, row| Cell::Text(state(model, row).to_owned())),
        right("TAKEN", 5, 7, |_, row| Cell::Number(row.executions.into(), 0)),
        right("STOP", 10, 8, |model, row| {
            Cell::Price(row.stop_loss, model.price_places(&row.instrument))
        }),
        right("TARGET", 10, 9, |model, row| {
            Cell::Price(row.take_profit, model.price_places(&row.instrument))
        }),
        left("AGENT", 18, 10, |_, row| Cell::Text(row.agent.clone())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Signal(self.id)
    }

    fn tone(&self, model: &Model) -> Tone {
        if self.is_live(model.now) { Tone::Plain } else { Tone::Quiet }
    }

    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> = model.desk.signals.values().collect();
        rows.sort_by_key(|row| (Reverse(row.generated_at), row.id));
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Signal(id) = id else { return None };
        model.desk.signals.get(id)
    }
}
