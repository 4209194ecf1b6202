//! Trades: one row per opening order.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::{AccountId, InstrumentId, PositionId, SignalId, TradeId};
pub use super::side::Side;

words! {
    /// `trades.status`
    pub enum TradeStatus {
        /// Nothing of it is closed.
        Open = "open",
        /// Part of it is closed.
        Partial = "partial",
        /// All of it is closed.
        Closed = "closed",
        /// It never became a position.
        Cancelled = "cancelled",
    }
}

/// A row of `trades`. Amounts are in the account's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    pub id: TradeId,
    pub account: AccountId,
    /// The position it belongs to, where that is known.
    pub position: Option<PositionId>,
    pub signal: Option<SignalId>,
    pub instrument: InstrumentId,
    pub side: Side,
    /// Size at entry, in contracts.
    pub size: Decimal,
    pub closed_size: Decimal,
    pub entry_price: Decimal,
    /// Size-weighted mean price of what is closed.
    pub exit_price: Option<Decimal>,
    /// Price at which it is to be closed at a loss.
    pub stop_loss: Option<Decimal>,
    /// Price at which it is to be closed with a gain.
    pub take_profit: Option<Decimal>,
    /// What the stop would cost when it was opened.
    pub risk_amount: Decimal,
    /// That as a share of equity.
    pub risk_percentage: Decimal,
    /// Gross less commission and swap; `None` while nothing is closed.
    pub net_pnl: Option<Decimal>,
    pub entry_time: DateTime<Utc>,
    /// When the last of it was closed.
    pub exit_time: Option<DateTime<Utc>>,
    pub status: TradeStatus,
    pub close_reason: Option<String>,
}

impl Trade {
    /// Returns how much of it is still open, in contracts; `None` if nothing is.
    pub fn open_size(&self) -> Option<Decimal> {
        match self.status {
            TradeStatus::Open | TradeStatus::Partial => {
                self.size.checked_sub(self.closed_size).filter(|size| *size > Decimal::ZERO)
            }
            TradeStatus::Closed | TradeStatus::Cancelled => None,
        }
    }
}
