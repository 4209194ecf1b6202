//! What became of a write: three answers, never two.

use rust_decimal::Decimal;

use super::code::Code;
use super::ids::LimitId;
use super::threshold::Standing;
use super::unit::{Plain, Unit};

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stands in the database.
    Accepted(Accepted),
    /// It is proved that nothing was done.
    Refused(Refusal),
    /// The answer was lost: it may or may not stand. Settled by its key, never by sending again.
    Unknown(String),
}

words! {
    /// The three answers, without what they carry.
    pub enum OutcomeKind {
        Accepted = "accepted",
        Refused = "refused",
        Unknown = "unknown",
    }
}

impl Outcome {
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Accepted(_) => OutcomeKind::Accepted,
            Self::Refused(_) => OutcomeKind::Refused,
            Self::Unknown(_) => OutcomeKind::Unknown,
        }
    }
}

/// A write that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was written: a trade, a position, a limit …
    pub subject: Option<uuid::Uuid>,
    /// Where the verb can end in more than one way.
    pub code: Option<Code>,
    /// The database's sentence about it.
    pub message: String,
    /// For verbs on many rows: those that were done.
    pub done: Vec<uuid::Uuid>,
    /// For verbs on many rows: those that another person had done before, and who.
    pub taken: Vec<(uuid::Uuid, String)>,
    /// For verbs that close many positions: what became of each.
    pub items: Vec<Item>,
}

/// What became of one position when many were to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub position: uuid::Uuid,
    pub instrument: String,
    pub end: ItemEnd,
}

/// How it ended for one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemEnd {
    Closed {
        /// How much, in contracts.
        size: Option<Decimal>,
        price: Option<Decimal>,
        /// What it brought, in the account's currency, before costs.
        pnl: Option<Decimal>,
    },
    Kept {
        code: Code,
        message: String,
    },
}

/// A write that was not done, with the rule and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// A sentence that a trader understands.
    pub message: String,
    pub measured: Option<Decimal>,
    pub allowed: Option<Decimal>,
    pub unit: Option<Unit>,
}

impl Refusal {
    /// Makes a refusal that has no numbers.
    pub fn plain(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), measured: None, allowed: None, unit: None }
    }
}

/// What a limit would mean for one account: a row of `desk.limit_impact` or `desk.limit_preview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// Whose, by name; `None` where the limit looks at several accounts as one.
    pub account: Option<String>,
    pub measured: Option<Decimal>,
    pub allowed: Option<Decimal>,
    pub unit: Option<Unit>,
    /// How much more would pass.
    pub room: Option<Decimal>,
    pub state: Standing,
}

impl Impact {
    /// Tells whether it would be in breach.
    pub fn is_breach(&self) -> bool {
        self.state == Standing::Breach
    }
}

/// Why it is not known whom a limit would bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewError {
    /// There will be no such limit: the desk would refuse it.
    Refused(Refusal),
    /// The question was not answered.
    Failed(String),
}

words! {
    /// What a check found, the worst last.
    pub enum Finding {
        Passes = "info",
        /// It needs a typed reason.
        Confirm = "confirm",
        Reject = "reject",
    }
}

/// Tells whether a check holds an amount against a ceiling, of which a share can be used. A price
/// that another one must lie beyond is none.
pub fn has_share(code: &Code, unit: Option<&Unit>) -> bool {
    unit != Some(&Unit::Other(Plain::Price)) && code.has_ceiling()
}

/// One row of `desk.assess_trade`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub code: Code,
    pub finding: Finding,
    pub before: Option<Decimal>,
    /// The value after the trade.
    pub measured: Option<Decimal>,
    pub allowed: Option<Decimal>,
    pub unit: Option<Unit>,
    /// How much more would pass.
    pub room: Option<Decimal>,
    /// The limit that it is about, where it is about one.
    pub limit: Option<LimitId>,
    pub message: Option<String>,
}

impl Check {
    /// Tells whether it is about a rule of the account's own columns, which is no limit of the desk:
    /// a limit on the same loss is a check of its own.
    pub fn is_accounts_own(&self) -> bool {
        self.limit.is_none() && matches!(self.code, Code::MaxDailyLoss | Code::MaxDrawdown)
    }
}
