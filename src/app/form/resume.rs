//! Ending a halt.

use std::cmp::Reverse;

use clap::Args;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::words;
use crate::app::model::Model;
use crate::app::selection::subject;
use crate::app::ticket::read::{Problem, needed};
use crate::app::ticket::{FieldKind as Kind, FieldName, Form, Resume, Ticket};
use crate::domain::halt::Halt;
use crate::domain::ids::{AccountId, ClientKey, HaltId};
use crate::domain::request::Verb;

const FIELDS: Fields = &[(FieldName::Halt, Kind::Choice), (FieldName::Reason, Kind::Text)];

/// `resume`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// ID of the halt, or its last 4 characters; the newest by default
    pub halt: Option<String>,
    /// The newest halt of this account
    #[arg(long)]
    pub account: Option<String>,
    /// Why trading may go on
    #[arg(long)]
    pub reason: String,
}

/// Opens it on the newest halt of the selected row's account; without one, on the newest of all.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    let account = subject(model).account;
    let of_account = account.and_then(|id| newest(model, Some(id)));
    let halt = of_account.or_else(|| newest(model, None)).ok_or("no trading halt")?;
    Ok(about(model, key, halt))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let halt = match &words.halt {
        Some(text) => words::one(text, "halt", model.desk.halts.keys().copied())?,
        None => newest(model, account).ok_or("no such halt")?,
    };
    let mut ticket = about(model, key, halt);
    ticket.fill(FieldName::Reason, words.reason.clone());
    Ok(ticket)
}

/// Returns the newest halt of an account, or of all.
fn newest(model: &Model, account: Option<AccountId>) -> Option<HaltId> {
    let halts = model.desk.halts.values();
    let halts = halts.filter(|halt| account.is_none() || halt.account == account);
    halts.max_by_key(|halt| halt.set_at).map(|halt| halt.id)
}

/// Opens the end of a halt. Any other one that is in force can be chosen instead.
fn about(model: &Model, key: ClientKey, halt: HaltId) -> Ticket {
    let mut ticket = Ticket::new(key, Form::Resume(Resume { halt }), FIELDS);
    let mut halts: Vec<&Halt> = model.desk.halts.values().collect();
    halts.sort_by_key(|row| Reverse((row.set_at, row.id)));
    let chosen = model.desk.halts.get(&halt).map(|row| named(model, row));
    let names = halts.into_iter().map(|row| named(model, row)).collect();
    ticket.offer(FieldName::Halt, names, chosen);
    ticket.focus_on(FieldName::Reason);
    ticket
}

/// Returns what a halt covers, with the end of its key: an account can have several.
fn named(model: &Model, halt: &Halt) -> String {
    format!("{} {}", model.desk.halted(halt), halt.id.short())
}

impl FormKind for Resume {
    fn title(&self, model: &Model, _ticket: &Ticket) -> String {
        match model.desk.halts.get(&self.halt) {
            Some(row) => format!("RESUME {}", model.desk.halted(row)),
            None => "RESUME".to_owned(),
        }
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let reason = needed(ticket, FieldName::Reason, "resuming needs a reason")?;
        Ok(Verb::Resume { halt: self.halt, reason })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        model.desk.halts.get(&self.halt)?.account
    }

    /// The halt that is chosen is the one that ends.
    fn rechosen(&self, model: &Model, ticket: &mut Ticket, field: FieldName) {
        let Some(text) = ticket.text(FieldName::Halt).filter(|_| field == FieldName::Halt) else {
            return;
        };
        if let Some(halt) = model.desk.halts.values().find(|row| named(model, row) == text) {
            ticket.form = Form::Resume(Resume { halt: halt.id });
        }
    }
}

pub(super) fn facts(model: &Model, halt: HaltId) -> Facts {
    let Some(row) = model.desk.halts.get(&halt) else {
        return Facts::new(format!("RESUME halt {}", halt.short()), None);
    };
    let who = row.account.map(|id| model.desk.account_name(id));
    let who = who.or_else(|| row.identifier.clone());
    let who = who
        .map_or_else(|| "all accounts".to_owned(), |who| format!("{} {who}", row.scope.as_str()));
    Facts::new(format!("RESUME {who} (halted: {})", row.reason), row.account)
}
