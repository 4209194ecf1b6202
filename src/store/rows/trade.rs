//! Rows of `trades`: the newest, and every one that is still live.
//!
//! `trades` may have one partition a month, and planning a statement over five years of them costs
//! more than running it. So by key the registry is asked first in which span of time the trades
//! lie; with that span as parameters, all other months are left out before the planning. `LIMIT 1`
//! keeps the planner from joining whole partitions.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::ids::{AccountId, InstrumentId, PositionId, SignalId, TradeId};
use crate::domain::trade::{Side, Trade, TradeStatus};

macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT t.trade_id, t.account_id, t.position_id, t.signal_id, t.instrument, t.trade_type,
                    t.position_size, t.closed_size, t.entry_price, t.exit_price, t.stop_loss,
                    t.take_profit, t.risk_amount, t.risk_percentage, t.net_pnl, t.entry_time,
                    t.exit_time, t.status, t.close_reason ",
            $from,
            " ORDER BY t.entry_time DESC, t.trade_id DESC"
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!(
        "FROM ((SELECT trade_id, entry_time FROM trades
                 ORDER BY entry_time DESC, trade_id DESC LIMIT 500)
               UNION
               (SELECT trade_id, entry_time FROM trades WHERE status IN ('open', 'partial')
                 ORDER BY entry_time DESC LIMIT 2000)) k
         CROSS JOIN LATERAL (
               SELECT * FROM trades
                WHERE trade_id = k.trade_id AND entry_time = k.entry_time LIMIT 1) t"
    ),
    by_id: select!(
        "FROM trade_registry k
         CROSS JOIN LATERAL (
               SELECT * FROM trades
                WHERE trade_id = k.trade_id AND entry_time = k.entry_time
                  AND entry_time BETWEEN $2 AND $3 LIMIT 1) t
         WHERE k.trade_id = ANY ($1)"
    ),
    keys: Keys::UuidWithin(
        "SELECT min(entry_time) AS first, max(entry_time) AS last
           FROM trade_registry WHERE trade_id = ANY ($1)",
    ),
    most: 500,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Trade, Bad> {
    Ok(Trade {
        id: TradeId(cells.id("trade_id")?),
        account: AccountId(cells.id("account_id")?),
        position: cells.id_if_any("position_id")?.map(PositionId),
        signal: cells.id_if_any("signal_id")?.map(SignalId),
        instrument: InstrumentId::new(&cells.text("instrument")?),
        side: cells.word("trade_type", Side::from_word)?,
        size: cells.number("position_size")?,
        closed_size: cells.number("closed_size")?,
        entry_price: cells.number("entry_price")?,
        exit_price: cells.number_if_any("exit_price")?,
        stop_loss: cells.number_if_any("stop_loss")?,
        take_profit: cells.number_if_any("take_profit")?,
        risk_amount: cells.number("risk_amount")?,
        risk_percentage: cells.number("risk_percentage")?,
        net_pnl: cells.number_if_any("net_pnl")?,
        entry_time: cells.time("entry_time")?,
        exit_time: cells.time_if_any("exit_time")?,
        status: cells.word("status", TradeStatus::from_word)?,
        close_reason: cells.text_if_any("close_reason")?,
    })
}
