//! The verbs that write: one clap definition for the `:` line and for the shell. The words behind a
//! verb stand in the file of its form.

use clap::Subcommand;
use rust_decimal::Decimal;

use crate::app::form::kind::Opened;
use crate::app::form::{
    acknowledge, amend, breakeven, close, decide_limit, edit_limit, flatten, halt, new_limit,
    resume, retire_limit, trade, unacknowledge,
};
use crate::app::model::Model;
use crate::domain::halt::HaltMode;
use crate::domain::ids::ClientKey;
use crate::domain::session::Right;
use crate::domain::trade::Side;

/// A verb that writes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verbs {
    /// Buy
    Buy(trade::Words),
    /// Sell
    Sell(trade::Words),
    /// Close a position, one trade of it, or part of it
    Close(close::Words),
    /// Change stop, target and trailing distance of a position
    Amend(amend::Words),
    /// Move the stop of a position to its entry price
    Breakeven(breakeven::Words),
    /// Close every position of an account at the market
    Flatten(flatten::Words),
    /// Take a signal
    Take(trade::TakeWords),
    /// Acknowledge risk events
    Ack(acknowledge::Words),
    /// Unacknowledge a risk event
    Unack(unacknowledge::Words),
    /// Create, change, approve, reject or retire a limit
    #[command(subcommand)]
    Limit(LimitVerb),
    /// Halt: no new orders; all accounts by default
    Halt(halt::Words),
    /// Halt: only orders that reduce; all accounts by default
    ReduceOnly(halt::HaltTarget),
    /// End a halt; the newest by default
    Resume(resume::Words),
}

/// `limit …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LimitVerb {
    /// Change a limit: tighter is effective now, looser needs a second person
    Set(edit_limit::Words),
    /// Create a limit; effective now
    New(Box<new_limit::Words>),
    /// Retire a limit; needs a second person
    Retire(retire_limit::Words),
    /// Approve a proposal of another person
    Approve(decide_limit::ApproveWords),
    /// Reject a proposal
    Reject(decide_limit::RejectWords),
}

impl Verbs {
    /// Opens the ticket that it asks for.
    pub(super) fn open(&self, model: &Model, key: ClientKey) -> Opened {
        match self {
            Self::Buy(words) => trade::from_words(model, key, Side::Buy, words),
            Self::Sell(words) => trade::from_words(model, key, Side::Sell, words),
            Self::Close(words) => close::from_words(model, key, words),
            Self::Amend(words) => amend::from_words(model, key, words),
            Self::Breakeven(words) => breakeven::from_words(model, key, words),
            Self::Flatten(words) => flatten::from_words(model, key, words),
            Self::Take(words) => trade::take_from_words(model, key, words),
            Self::Ack(words) => acknowledge::from_words(model, key, words),
            Self::Unack(words) => unacknowledge::from_words(model, key, words),
            Self::Limit(LimitVerb::Set(words)) => edit_limit::from_words(model, key, words),
            Self::Limit(LimitVerb::New(words)) => new_limit::from_words(model, key, words),
            Self::Limit(LimitVerb::Retire(words)) => retire_limit::from_words(model, key, words),
            Self::Limit(LimitVerb::Approve(words)) => {
                decide_limit::approval_from_words(model, key, words)
            }
            Self::Limit(LimitVerb::Reject(words)) => {
                decide_limit::rejection_from_words(model, key, words)
            }
            Self::Halt(words) => halt::from_words(model, key, words.mode.mode(), &words.of),
            Self::ReduceOnly(words) => halt::from_words(model, key, HaltMode::ReduceOnly, words),
            Self::Resume(words) => resume::from_words(model, key, words),
        }
    }

    /// Returns the price that it names.
    pub fn price(&self) -> Option<Decimal> {
        if let Self::Buy(words) | Self::Sell(words) = self {
            words.price
        } else if let Self::Take(words) = self {
            words.price
        } else if let Self::Close(words) = self {
            words.price
        } else {
            None
        }
    }
}

/// The first word of a line, the least right that it needs, and an example.
pub(super) struct Word {
    pub(super) name: &'static str,
    /// Whatever the arguments: halting everything needs a higher right than halting an account.
    pub(super) right: Right,
    pub(super) example: &'static str,
}

const fn word(name: &'static str, right: Right, example: &'static str) -> Word {
    Word { name, right, example }
}

/// The words of the verbs.
pub(super) const WORDS: [Word; 13] = [
    word("buy", Right::Open, "buy EUR_USD 10k sl=1.0800 tp=1.0950 @alpha"),
    word("sell", Right::Open, "sell EUR_USD 10k sl=1.0950 tp=1.0800 @alpha"),
    word("close", Right::Trade, "close EUR_USD @alpha, or close EUR_USD 5k @alpha for a part"),
    word("amend", Right::Trade, "amend EUR_USD sl=1.0830 tp=none @alpha"),
    word("breakeven", Right::Trade, "breakeven EUR_USD @alpha"),
    word("flatten", Right::Trade, "flatten @alpha"),
    word("take", Right::Open, "take 5d0a @alpha (the last digits of the signal's key)"),
    word("ack", Right::Risk, "ack 5d0a note=\"data fault\" (the last digits of the event's key)"),
    word("unack", Right::Risk, "unack 5d0a note=\"not mine\" (the last digits of the event's key)"),
    word(
        "limit",
        Right::Risk,
        "limit set 41c2 90000, limit new max_open_positions 5 @alpha, limit approve 41c2",
    ),
    word("halt", Right::Halt, "halt @alpha reason=\"fat finger\"; halt alone halts all accounts"),
    word("reduce-only", Right::Halt, "reduce-only @alpha; reduce-only alone covers all accounts"),
    word("resume", Right::Risk, "resume @alpha reason=\"checked\""),
];

/// Looks up a verb by its name.
pub(super) fn known(word: &str) -> Option<&'static Word> {
    WORDS.iter().find(|known| known.name == word)
}
