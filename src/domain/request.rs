//! What a person asks the database to write: the verbs, with every field frozen at review.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::halt::{HaltMode, Scope};
use super::ids::{
    AccountId, ClientKey, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
};
use super::limit_kind::LimitKind;
use super::trade::Side;
use super::unit::Unit;

/// A trade to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTrade {
    pub account: AccountId,
    pub instrument: InstrumentId,
    pub side: Side,
    /// How much, in contracts.
    #[serde(with = "number")]
    pub size: Decimal,
    #[serde(with = "number")]
    pub price: Decimal,
    #[serde(with = "number_if_any")]
    pub stop: Option<Decimal>,
    #[serde(with = "number_if_any")]
    pub target: Option<Decimal>,
    pub signal: Option<SignalId>,
    /// Why a soft breach is right.
    pub reason: Option<String>,
}

/// What is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// A position, its oldest trades first.
    Position(PositionId),
    /// One trade of a position; the others stay.
    Trade(TradeId),
}

impl Closing {
    /// Returns the key that `desk.close_position` is called with.
    pub fn key(self) -> Uuid {
        match self {
            Self::Position(PositionId(key)) | Self::Trade(TradeId(key)) => key,
        }
    }
}

/// A limit that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLimit {
    /// Only this account; `None` is all of them.
    pub account: Option<AccountId>,
    pub limit_type: LimitKind,
    pub scope: Scope,
    /// Instrument or portfolio, where the scope is one of them.
    pub identifier: Option<String>,
    #[serde(with = "number")]
    pub value: Decimal,
    pub unit: Unit,
    /// From where on it warns, in its unit.
    #[serde(with = "number_if_any")]
    pub warning: Option<Decimal>,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
    /// What the type needs beyond a number, as the text of a JSON object.
    pub parameters: Option<String>,
    pub reason: Option<String>,
}

/// What the rulebook is asked before it is written: what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `desk.assess_trade`
    Trade(NewTrade),
    /// `desk.preview_amend`
    Amend {
        position: PositionId,
        stop: Option<Decimal>,
        target: Option<Decimal>,
        /// How far behind the best price the stop follows, in prices.
        trailing: Option<Decimal>,
    },
}

/// A limit as it would be: whom would it bind?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitPreview {
    /// `desk.limit_impact`: another value of one that is there.
    Value { limit: LimitId, value: Decimal },
    /// `desk.limit_preview`: one that is not there yet. Why and until when is all the same.
    New(Box<NewLimit>),
}

impl Verb {
    /// Returns what the rulebook is asked about it first, where it has an answer.
    pub fn question(&self) -> Option<Question> {
        match self {
            Self::Place(trade) => Some(Question::Trade(trade.clone())),
            Self::Amend { position, stop, target, trailing, .. } => Some(Question::Amend {
                position: *position,
                stop: *stop,
                target: *target,
                trailing: *trailing,
            }),
            Self::Close { .. }
            | Self::Flatten { .. }
            | Self::Acknowledge { .. }
            | Self::Unacknowledge { .. }
            | Self::ProposeLimit { .. }
            | Self::CreateLimit(_)
            | Self::RetireLimit { .. }
            | Self::ApproveLimit { .. }
            | Self::RejectLimit { .. }
            | Self::Halt { .. }
            | Self::Resume { .. } => None,
        }
    }
}

/// One write: what `desk.*` function is called, with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// `desk.place_trade`
    Place(NewTrade),
    /// `desk.close_position`
    Close {
        /// Which position, or which trade of it.
        what: Closing,
        /// How much of it; `None` is all that is open when the database decides.
        #[serde(with = "number_if_any")]
        size: Option<Decimal>,
        #[serde(with = "number")]
        price: Decimal,
        reason: Option<String>,
    },
    /// `desk.amend_position`: the whole new state, `None` is none.
    Amend {
        position: PositionId,
        #[serde(with = "number_if_any")]
        stop: Option<Decimal>,
        #[serde(with = "number_if_any")]
        target: Option<Decimal>,
        /// How far behind the best price the stop follows, in prices.
        #[serde(with = "number_if_any")]
        trailing: Option<Decimal>,
        reason: Option<String>,
    },
    /// `desk.flatten`: every position of an account, at the market.
    Flatten { account: AccountId, reason: Option<String> },
    /// `desk.acknowledge`
    Acknowledge {
        /// Which events: those on the screen at the key press, never "all matching".
        events: Vec<EventId>,
        /// Needed for critical and emergency.
        note: Option<String>,
    },
    /// `desk.unacknowledge`
    Unacknowledge { event: EventId, note: String },
    /// `desk.propose_limit`
    ProposeLimit {
        limit: LimitId,
        /// The version of that row which the person saw.
        base_version: Option<DateTime<Utc>>,
        /// New value, in the row's unit.
        #[serde(with = "number")]
        value: Decimal,
        /// New warning, in the row's unit.
        #[serde(with = "number_if_any")]
        warning: Option<Decimal>,
        /// When it ends by itself; `None` keeps the end of the row.
        until: Option<DateTime<Utc>>,
        /// Why; needed where it loosens.
        reason: Option<String>,
    },
    /// `desk.create_limit`
    CreateLimit(Box<NewLimit>),
    /// `desk.retire_limit`
    RetireLimit {
        limit: LimitId,
        /// The version of it which the person saw.
        base_version: Option<DateTime<Utc>>,
        /// Why it is no longer needed.
        reason: String,
    },
    /// `desk.approve_limit`
    ApproveLimit { limit: LimitId, note: Option<String> },
    /// `desk.reject_limit`
    RejectLimit { limit: LimitId, note: Option<String> },
    /// `desk.halt`
    Halt {
        scope: Scope,
        /// Account key, instrument or portfolio; `None` for the system.
        identifier: Option<String>,
        mode: HaltMode,
        reason: String,
    },
    /// `desk.resume`
    Resume { halt: HaltId, reason: String },
}

impl Verb {
    /// Returns the word of the command line and of the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Place(trade) => match trade.side {
                Side::Buy => "buy",
                Side::Sell => "sell",
            },
            Self::Close { .. } => "close",
            Self::Amend { .. } => "amend",
            Self::Flatten { .. } => "flatten",
            Self::Acknowledge { .. } => "ack",
            Self::Unacknowledge { .. } => "unack",
            Self::ProposeLimit { .. } => "limit",
            Self::CreateLimit(_) => "limit-new",
            Self::RetireLimit { .. } => "limit-retire",
            Self::ApproveLimit { .. } => "approve",
            Self::RejectLimit { .. } => "reject",
            Self::Halt { .. } => "halt",
            Self::Resume { .. } => "resume",
        }
    }

    /// Tells whether it can add risk. Only such writes wait while another one is unknown.
    pub fn adds_risk(&self) -> bool {
        match self {
            Self::Place(_)
            | Self::Amend { .. }
            | Self::ProposeLimit { .. }
            | Self::RetireLimit { .. }
            | Self::ApproveLimit { .. }
            | Self::Resume { .. } => true,
            Self::Close { .. }
            | Self::Flatten { .. }
            | Self::CreateLimit(_)
            | Self::Acknowledge { .. }
            | Self::Unacknowledge { .. }
            | Self::RejectLimit { .. }
            | Self::Halt { .. } => false,
        }
    }
}

/// A verb with its key, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Made when the form opened.
    pub key: ClientKey,
    pub verb: Verb,
}

/// Decimals in JSON: text without needless zeros, so that 1.10 and 1.1 make one fingerprint.
mod number {
    use super::{Decimal, Deserialize};

    pub(super) fn serialize<S: serde::Serializer>(
        number: &Decimal,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&number.normalize())
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Decimal, D::Error> {
        // Not `Decimal`'s own reader: that takes a JSON number, which may have lost digits.
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(serde::de::Error::custom)
    }
}

/// The same where there may be none.
mod number_if_any {
    use super::{Decimal, Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Number(#[serde(with = "super::number")] Decimal);

    #[expect(clippy::ref_option, reason = "serde passes the field by reference")]
    pub(super) fn serialize<S: serde::Serializer>(
        number: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.map(Number).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.map(|number| number.0))
    }
}
