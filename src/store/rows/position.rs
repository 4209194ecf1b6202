//! Live rows of `positions`.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::ids::{AccountId, InstrumentId, PositionId};
use crate::domain::position::{Direction, Position};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT position_id, account_id, instrument, position_type, total_size,
                    average_entry_price, cost, current_price, unrealized_pnl, realized_pnl, stop_loss,
                    take_profit, trailing_stop_distance, status, opened_at, last_updated_at
               FROM positions WHERE status IN ('open', 'closing') ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY opened_at DESC, position_id DESC LIMIT 10000"),
    by_id: select!("AND position_id = ANY ($1)"),
    keys: Keys::Uuid,
    most: 10_000,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Position, Bad> {
    Ok(Position {
        id: PositionId(cells.id("position_id")?),
        account: AccountId(cells.id("account_id")?),
        instrument: InstrumentId::new(&cells.text("instrument")?),
        direction: cells.word("position_type", Direction::from_word)?,
        size: cells.number("total_size")?,
        average_entry: cells.number("average_entry_price")?,
        exact_cost: cells.number_if_any("cost")?,
        booked_price: cells.number_if_any("current_price")?,
        stored_pnl: cells.number_if_any("unrealized_pnl")?,
        realized_pnl: cells.number_if_any("realized_pnl")?,
        stop_loss: cells.number_if_any("stop_loss")?,
        take_profit: cells.number_if_any("take_profit")?,
        trailing_distance: cells.number_if_any("trailing_stop_distance")?,
        is_closing: cells.raw("status")? == "closing",
        opened_at: cells.time("opened_at")?,
        last_updated_at: cells.time("last_updated_at")?,
    })
}
