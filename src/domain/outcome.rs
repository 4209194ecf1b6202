//! What became of a write: three answers, never two.

use rust_decimal::Decimal;

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

/// A write that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was written: a trade, a position, a limit …
    pub subject: Option<uuid::Uuid>,
    /// `TIGHTENED`, `PENDING_APPROVAL` … where the verb can end in more than one way.
    pub code: Option<String>,
    /// The database's sentence about it.
    pub message: String,
    /// For verbs on many rows: those that were done.
    pub done: Vec<uuid::Uuid>,
    /// For verbs on many rows: those that another person had done before, and who.
    pub taken: Vec<(uuid::Uuid, String)>,
}

/// A write that was not done, with the rule and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code: `MAX_EXPOSURE`, `TRADING_HALT`, `NOT_PERMITTED` …
    pub code: String,
    /// A sentence that a trader understands.
    pub message: String,
    /// What was measured.
    pub measured: Option<Decimal>,
    /// What is allowed.
    pub allowed: Option<Decimal>,
    /// Unit of both.
    pub unit: Option<String>,
}

impl Refusal {
    /// Makes a refusal that has no numbers.
    pub fn plain(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            measured: None,
            allowed: None,
            unit: None,
        }
    }
}

/// How serious a check's finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// It passes.
    Passes,
    /// It needs a typed reason.
    Confirm,
    /// It forbids the trade.
    Reject,
}

/// One row of `desk.assess_trade`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable code.
    pub code: String,
    /// Whether it passes.
    pub finding: Finding,
    /// The value now.
    pub before: Option<Decimal>,
    /// The value after the trade.
    pub measured: Option<Decimal>,
    /// The limit.
    pub allowed: Option<Decimal>,
    /// Unit of the three.
    pub unit: Option<String>,
    /// How much more would pass.
    pub room: Option<Decimal>,
    /// A sentence.
    pub message: Option<String>,
}
