//! How a limit stood from a moment on, as the watch writes it down.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::AccountId;
use super::limit::{LimitKind, Standing, Unit};

/// How a limit stands since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStanding {
    pub limit_type: LimitKind,
    pub subject: String,
    /// Whose account; `None` of a limit over several.
    pub account: Option<AccountId>,
    /// A breach halts that account.
    pub halts: bool,
    pub state: Standing,
    pub measured: Option<Decimal>,
    pub allowed: Option<Decimal>,
    pub unit: Option<Unit>,
    pub since: DateTime<Utc>,
}
