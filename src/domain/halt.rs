//! Trading halts: rows that bind every client and survive restarts.

use chrono::{DateTime, Utc};

use super::ids::{AccountId, HaltId};

/// What a halt covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Account,
    /// One instrument, in every account.
    Instrument,
    /// The accounts of one portfolio.
    Portfolio,
    System,
}

impl Scope {
    /// Reads the word of `trading_halts.scope` and `risk_limits.limit_scope`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "account" => Some(Self::Account),
            "instrument" => Some(Self::Instrument),
            "portfolio" => Some(Self::Portfolio),
            "system" => Some(Self::System),
            _ => None,
        }
    }

    /// Returns that word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Instrument => "instrument",
            Self::Portfolio => "portfolio",
            Self::System => "system",
        }
    }
}

/// What a halt still allows. A close passes every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HaltMode {
    ReduceOnly,
    NoNewOrders,
    /// Only less risk, and positions are being closed.
    Flatten,
}

impl HaltMode {
    /// Reads the word of `trading_halts.mode`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "reduce_only" => Some(Self::ReduceOnly),
            "no_new_orders" => Some(Self::NoNewOrders),
            "flatten" => Some(Self::Flatten),
            _ => None,
        }
    }

    /// Returns the word of `trading_halts.mode`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReduceOnly => "reduce_only",
            Self::NoNewOrders => "no_new_orders",
            Self::Flatten => "flatten",
        }
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
