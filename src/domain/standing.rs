//! How a limit stood from a moment on, as the watch writes it down.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::AccountId;

/// How a limit stands since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStanding {
    /// What it limits: `max_exposure` …
    pub limit_type: String,
    pub subject: String,
    /// Whose account; `None` of a limit over several.
    pub account: Option<AccountId>,
    /// A breach halts that account.
    pub halts: bool,
    /// `ok`, `warning`, `breach`, `unknown`
    pub state: String,
    pub measured: Option<Decimal>,
    pub allowed: Option<Decimal>,
    pub unit: Option<String>,
    pub since: DateTime<Utc>,
}
