//! What a ticket writes: what each form latched when it opened. What a form does stands in
//! `app/form`, a file for each; how it looks in `ui/ticket`.

use chrono::{DateTime, Utc};

use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{AccountId, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId};
use crate::domain::request::Closing;
use crate::domain::trade::Side;

/// What a ticket writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Trade(Trade),
    Close(Close),
    Amend(Amend),
    Breakeven(Breakeven),
    Flatten(Flatten),
    Acknowledge(Acknowledge),
    Unacknowledge(Unacknowledge),
    EditLimit(EditLimit),
    NewLimit(NewLimit),
    RetireLimit(RetireLimit),
    DecideLimit(DecideLimit),
    Halt(Halt),
    Resume(Resume),
}

/// A buy or a sell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    pub side: Side,
    /// The signal that it takes.
    pub signal: Option<SignalId>,
}

/// Closing a position or a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    pub what: Closing,
}

/// New stop, target or trailing distance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amend {
    pub position: PositionId,
}

/// The stop at the entry price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakeven {
    pub position: PositionId,
}

/// Closing every position of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flatten {
    pub account: AccountId,
}

/// Acknowledgement of risk events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledge {
    /// Those that were selected or marked at the key press.
    pub events: Vec<EventId>,
    /// One of them asks for a note.
    pub needs_note: bool,
}

/// Unacknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unacknowledge {
    pub event: EventId,
}

/// New value for a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditLimit {
    pub limit: LimitId,
    /// The version that was on the screen.
    pub base_version: Option<DateTime<Utc>>,
}

/// A new limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLimit;

/// Retirement of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireLimit {
    pub limit: LimitId,
    /// The version that was on the screen.
    pub base_version: Option<DateTime<Utc>>,
}

/// Approval or rejection of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecideLimit {
    pub limit: LimitId,
    pub decision: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    Approve,
    Reject,
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    pub mode: HaltMode,
    pub scope: HaltScope,
    /// What it would cover when narrowed again.
    pub narrow: Option<HaltScope>,
}

/// End of a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    pub halt: HaltId,
}

/// What a halt covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HaltScope {
    Account(AccountId),
    Instrument(InstrumentId),
    Portfolio(String),
    System,
}

impl HaltScope {
    /// Returns the database's word and the identifier that goes with it.
    pub fn words(&self) -> (Scope, Option<String>) {
        match self {
            Self::Account(id) => (Scope::Account, Some(id.to_string())),
            Self::Instrument(id) => (Scope::Instrument, Some(id.to_string())),
            Self::Portfolio(name) => (Scope::Portfolio, Some(name.clone())),
            Self::System => (Scope::System, None),
        }
    }
}
