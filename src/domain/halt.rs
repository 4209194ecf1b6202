//! Trading halts: rows that bind every client and survive restarts.

use chrono::{DateTime, Utc};

use super::ids::{AccountId, HaltId};

words! {
    /// `trading_halts.scope` and `risk_limits.limit_scope`: what a halt or a limit covers.
    pub enum Scope {
        Account = "account",
        /// One instrument, in every account.
        Instrument = "instrument",
        /// The accounts of one portfolio.
        Portfolio = "portfolio",
        System = "system",
    }
}

words! {
    /// `trading_halts.mode`: what a halt still allows. A close passes every one of them.
    pub enum HaltMode {
        ReduceOnly = "reduce_only",
        NoNewOrders = "no_new_orders",
        /// Only less risk, and positions are being closed.
        Flatten = "flatten",
    }
}

/// A row of `trading_halts` that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    pub id: HaltId,
    pub scope: Scope,
    /// The account, for that scope.
    pub account: Option<AccountId>,
    /// The instrument or portfolio, for those scopes.
    pub identifier: Option<String>,
    pub mode: HaltMode,
    pub reason: String,
    pub set_by: String,
    pub set_at: DateTime<Utc>,
}
