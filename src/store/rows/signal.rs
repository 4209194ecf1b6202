//! Rows of `signals`.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::ids::{InstrumentId, SignalId};
use crate::domain::signal::{Signal, SignalStatus};
use crate::domain::trade::Side;

/// A signal that is valid to infinity is valid for ever, like one that names no end.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT signal_id, instrument, signal_type, confidence, entry_price, stop_loss,
                    take_profit, risk_reward_ratio, timeframe, wyckoff_phase, agent_id,
                    generated_at, NULLIF(valid_until, 'infinity') AS valid_until, status,
                    COALESCE(execution_count, 0) AS execution_count
               FROM signals ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY generated_at DESC, signal_id DESC LIMIT 500"),
    by_id: select!("WHERE signal_id = ANY ($1)"),
    keys: Keys::Uuid,
    most: 500,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Signal, Bad> {
    Ok(Signal {
        id: SignalId(cells.id("signal_id")?),
        instrument: InstrumentId::new(&cells.text("instrument")?),
        side: cells.word("signal_type", Side::from_word)?,
        confidence: cells.number("confidence")?,
        entry_price: cells.number("entry_price")?,
        stop_loss: cells.number("stop_loss")?,
        take_profit: cells.number("take_profit")?,
        risk_reward: cells.number("risk_reward_ratio")?,
        timeframe: cells.text("timeframe")?,
        wyckoff_phase: cells.text_if_any("wyckoff_phase")?,
        agent: cells.text("agent_id")?,
        generated_at: cells.time("generated_at")?,
        valid_until: cells.time_if_any("valid_until")?,
        status: cells.word("status", SignalStatus::from_word)?,
        executions: i32::try_from(cells.count("execution_count")?).unwrap_or(i32::MAX),
    })
}
