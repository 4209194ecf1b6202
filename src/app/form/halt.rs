//! Halting trading.

use clap::{Args, ValueEnum};

use super::kind::{Facts, Fields, FormKind, Opened};
use super::words;
use crate::app::model::Model;
use crate::app::selection::{Subject, subject};
use crate::app::ticket::read::{Problem, needed};
use crate::app::ticket::{FieldKind as Kind, FieldName, Form, Halt, HaltScope, Stage, Ticket};
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{AccountId, ClientKey};
use crate::domain::request::Verb;
use crate::domain::session::Right;

const FIELDS: Fields = &[(FieldName::Reason, Kind::Text)];

/// Where every position is closed, what it covers is typed first.
const FIELDS_TO_FLATTEN: Fields =
    &[(FieldName::Confirm, Kind::Text), (FieldName::Reason, Kind::Text)];

/// What a halt still allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Closing
    NoNewOrders,
    /// Only orders that reduce
    ReduceOnly,
    /// Nothing: every position is closed
    Flatten,
}

impl Mode {
    /// Returns the database's word for it.
    pub fn mode(self) -> HaltMode {
        match self {
            Self::NoNewOrders => HaltMode::NoNewOrders,
            Self::ReduceOnly => HaltMode::ReduceOnly,
            Self::Flatten => HaltMode::Flatten,
        }
    }
}

/// `halt`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// What the halt still allows
    #[arg(long, value_enum, default_value_t = Mode::NoNewOrders)]
    pub mode: Mode,
    /// What it covers.
    #[command(flatten)]
    pub of: HaltTarget,
}

/// What a halt covers, and why
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(multiple = true)]
pub struct HaltTarget {
    /// Only this account
    #[arg(long)]
    pub account: Option<String>,
    /// Only this instrument
    #[arg(long, conflicts_with = "account")]
    pub instrument: Option<String>,
    /// Only this portfolio
    #[arg(long, conflicts_with_all = ["account", "instrument"])]
    pub portfolio: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it for the selected row's account; without one a risk officer is offered its instrument,
/// and without a row all accounts. A trader may stop an account, and is offered no more.
pub(super) fn open(model: &Model, key: ClientKey, mode: HaltMode) -> Opened {
    let Subject { account, instrument } = subject(model);
    let scope = match (account, instrument) {
        (Some(id), _) => HaltScope::Account(id),
        (None, Some(name)) if model.may(Right::Risk) => HaltScope::Instrument(name),
        (None, None) if model.may(Right::Risk) => HaltScope::System,
        (None, _) => {
            let text =
                "select a row of the account first: only a risk officer can halt all accounts";
            return Err(text.into());
        }
    };
    Ok(about(key, mode, scope))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(
    model: &Model,
    key: ClientKey,
    mode: HaltMode,
    words: &HaltTarget,
) -> Opened {
    let scope = if let Some(id) = words::account(model, words.account.as_deref())? {
        HaltScope::Account(id)
    } else if let Some(name) = &words.instrument {
        HaltScope::Instrument(words::instrument(model, name)?.id.clone())
    } else if let Some(name) = &words.portfolio {
        HaltScope::Portfolio(name.clone())
    } else {
        HaltScope::System
    };
    let mut ticket = about(key, mode, scope);
    if let Some(reason) = &words.reason {
        ticket.fill(FieldName::Reason, reason.clone());
    }
    Ok(ticket)
}

/// Opens it at review.
fn about(key: ClientKey, mode: HaltMode, scope: HaltScope) -> Ticket {
    let narrow = (scope != HaltScope::System).then(|| scope.clone());
    let fields = if mode == HaltMode::Flatten { FIELDS_TO_FLATTEN } else { FIELDS };
    let mut ticket = Ticket::new(key, Form::Halt(Halt { mode, scope, narrow }), fields);
    // A default reason: a halt must not wait for typing.
    ticket.fill(FieldName::Reason, "halted at the console");
    ticket.at_review()
}

/// Widens what the ticket covers to everything, or narrows it again.
///
/// # Errors
///
/// Only a risk officer may halt so much.
pub(in crate::app) fn widen(model: &Model, ticket: &mut Ticket) -> Result<(), String> {
    let Form::Halt(halt) = &mut ticket.form else { return Ok(()) };
    halt.scope = match (&halt.scope, &halt.narrow) {
        (HaltScope::System, Some(narrow)) => narrow.clone(),
        _ if !model.may(Right::Risk) => {
            return Err("only a risk officer can halt more than one account".into());
        }
        _ => HaltScope::System,
    };
    // Another sentence: it must be read again, and its word typed again.
    if halt.mode == HaltMode::Flatten {
        ticket.fill(FieldName::Confirm, "");
        ticket.focus_on(FieldName::Confirm);
        ticket.stage = Stage::Editing;
    } else {
        ticket.stage = Stage::Review { armed_at: None };
    }
    Ok(())
}

impl FormKind for Halt {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        match self.mode {
            HaltMode::ReduceOnly => "REDUCE ONLY",
            HaltMode::Flatten => "HALT AND FLATTEN",
            HaltMode::NoNewOrders => "HALT",
        }
        .to_owned()
    }

    /// A trader stops an account; what is wider is a risk officer's.
    fn right(&self) -> Right {
        if let HaltScope::Account(_) = self.scope { Right::Halt } else { Right::Risk }
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let (scope, identifier) = self.scope.words();
        let reason = needed(ticket, FieldName::Reason, "a halt needs a reason")?;
        Ok(Verb::Halt { scope, identifier, mode: self.mode, reason })
    }

    /// A wider halt has no account, whatever row was selected.
    fn account(&self, _model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        if let HaltScope::Account(id) = self.scope { Some(id) } else { None }
    }
}

pub(super) fn facts(
    model: &Model,
    scope: Scope,
    identifier: Option<&str>,
    mode: HaltMode,
) -> Facts {
    let what = match mode {
        HaltMode::ReduceOnly => "REDUCE ONLY",
        HaltMode::NoNewOrders => "HALT",
        HaltMode::Flatten => "HALT AND FLATTEN",
    };
    let account = identifier.filter(|_| scope == Scope::Account).and_then(|id| id.parse().ok());
    let who = match account {
        Some(id) => Some(model.desk.account_name(id)),
        None => identifier.map(str::to_owned),
    };
    let sentence = match &who {
        Some(who) => format!("{what} {} {who}", scope.as_str()),
        None => format!("{what} all accounts"),
    };
    let word =
        (mode == HaltMode::Flatten).then(|| who.unwrap_or_else(|| "all accounts".to_owned()));
    Facts { word, ..Facts::new(sentence, account) }
}
