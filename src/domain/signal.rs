//! Signals of TMT's agents.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::{InstrumentId, SignalId};
use super::trade::Side;

words! {
    /// `signals.status`
    pub enum SignalStatus {
        Pending = "pending",
        /// Was taken by every account that may.
        Executed = "executed",
        Expired = "expired",
        /// Its agent took it back.
        Cancelled = "cancelled",
    }
}

/// A row of `signals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub id: SignalId,
    pub instrument: InstrumentId,
    pub side: Side,
    /// 0 to 1.
    pub confidence: Decimal,
    pub entry_price: Decimal,
    pub stop_loss: Decimal,
    pub take_profit: Decimal,
    /// Reward over risk, as the agent wrote it.
    pub risk_reward: Decimal,
    /// `M15`, `H1` …
    pub timeframe: String,
    /// Phase of the Wyckoff cycle.
    pub wyckoff_phase: Option<String>,
    pub agent: String,
    pub generated_at: DateTime<Utc>,
    /// Until when it can be taken; `None` is for ever.
    pub valid_until: Option<DateTime<Utc>>,
    pub status: SignalStatus,
    /// How many accounts took it.
    pub executions: i32,
}

impl Signal {
    /// Tells whether it can still be taken at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.status == SignalStatus::Pending && self.valid_until.is_none_or(|end| end > now)
    }
}
