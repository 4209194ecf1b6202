//! Limits and how much of them is used.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::halt::Scope;
use super::ids::{AccountId, LimitId};

/// Share of the limit at which a warning begins where the row names none.
pub const DEFAULT_WARNING: Decimal = rust_decimal::dec!(0.80);

/// A row of `risk_limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Key.
    pub id: LimitId,
    /// The account it is for, in scope `account` (and optionally `instrument`).
    pub account: Option<AccountId>,
    /// `max_exposure`, `max_daily_loss` …; one the console does not know is shown as not enforced.
    pub limit_type: String,
    /// What it covers.
    pub scope: Scope,
    /// Instrument or portfolio.
    pub identifier: Option<String>,
    /// The limit, in `unit`.
    pub value: Decimal,
    /// `USD`, `percentage` (points of equity), `fraction`, `units`, `count` …
    pub unit: String,
    /// Where a warning begins, in `unit`; `None` is 80 % of the limit.
    pub warning: Option<Decimal>,
    /// Where it stands.
    pub state: LimitState,
    /// Whether the database enforces this type.
    pub is_enforced: bool,
    /// Who asked for it.
    pub created_by: String,
    /// Who agreed.
    pub approved_by: Option<String>,
    /// Why it was changed.
    pub change_reason: Option<String>,
    /// The row it replaces, or would.
    pub supersedes: Option<LimitId>,
    /// From when.
    pub effective_from: Option<DateTime<Utc>>,
    /// Until when; `None` is for ever.
    pub effective_until: Option<DateTime<Utc>>,
    /// Row version, for optimistic locks.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Whether a limit binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitState {
    /// It binds.
    Active,
    /// It waits for a second person.
    Pending,
    /// It was replaced, rejected or switched off.
    Ended,
}

/// How a measured value stands against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Below the warning.
    Clear,
    /// At or above the warning.
    Warning,
    /// Above the limit.
    Breach,
}

impl Limit {
    /// Returns where a warning begins, in the limit's unit.
    pub fn warning_level(&self) -> Option<Decimal> {
        self.warning.or_else(|| self.value.checked_mul(DEFAULT_WARNING))
    }

    /// Tells whether `new` binds more tightly than the limit as it is.
    pub fn is_tightened_by(&self, new: Decimal) -> bool {
        // A floor under something (margin level, reward over risk) is tightened by raising it.
        if self.limit_type.starts_with("min_") { new > self.value } else { new < self.value }
    }

    /// Returns how `measured`, in the limit's unit, stands.
    pub fn standing(&self, measured: Decimal) -> Standing {
        if measured > self.value {
            Standing::Breach
        } else if self.warning_level().is_some_and(|level| measured >= level) {
            Standing::Warning
        } else {
            Standing::Clear
        }
    }
}
