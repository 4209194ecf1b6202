//! Flattening an account.

use clap::Args;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::words;
use crate::app::model::Model;
use crate::app::selection::subject;
use crate::app::ticket::read::{Problem, note};
use crate::app::ticket::{FieldKind as Kind, FieldName, Flatten, Form, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey};
use crate::domain::request::Verb;
use crate::domain::session::Right;

/// The name of the account is typed first.
const FIELDS: Fields = &[(FieldName::Confirm, Kind::Text), (FieldName::Reason, Kind::Text)];

/// `flatten`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Account, by name or key
    #[arg(long, required = true)]
    pub account: String,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it for the account of the selected row.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    let account = subject(model).account.ok_or("select a row of the account first")?;
    about(model, key, account)
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let account = words::account(model, Some(&words.account))?.ok_or("no account: add @NAME")?;
    let mut ticket =
        about(model, key, account).map_err(|why| why.refused(Code::NothingToFlatten))?;
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn about(model: &Model, key: ClientKey, account: AccountId) -> Opened {
    if !model.desk.positions.values().any(|held| held.account == account) {
        let name = model.desk.account_name(account);
        return Err(format!("account {name} has no open positions").into());
    }
    Ok(Ticket::new(key, Form::Flatten(Flatten { account }), FIELDS))
}

impl FormKind for Flatten {
    fn title(&self, model: &Model, _ticket: &Ticket) -> String {
        format!("FLATTEN {}", model.desk.account_name(self.account))
    }

    fn right(&self) -> Right {
        Right::Trade
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        Ok(Verb::Flatten { account: self.account, reason: note(ticket, FieldName::Reason) })
    }

    fn account(&self, _model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        Some(self.account)
    }
}

pub(super) fn facts(model: &Model, account: AccountId) -> Facts {
    let held = model.desk.positions.values().filter(|held| held.account == account).count();
    let name = model.desk.account_name(account);
    let sentence = format!("FLATTEN account {name}: close all {held} positions at the market");
    Facts { word: Some(name), ..Facts::new(sentence, Some(account)) }
}
