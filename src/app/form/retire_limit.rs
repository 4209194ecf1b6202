//! Retiring a limit.

use clap::Args;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::limit;
use crate::app::model::Model;
use crate::app::ticket::read::{Problem, needed};
use crate::app::ticket::{FieldKind as Kind, FieldName, Form, RetireLimit, Ticket};
use crate::domain::ids::{AccountId, ClientKey, LimitId};
use crate::domain::limit::{Limit, LimitState};
use crate::domain::request::Verb;

const FIELDS: Fields = &[(FieldName::Reason, Kind::Text)];

/// `limit retire`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// ID of the limit, or its last 4 characters
    pub limit: String,
    /// Why it is no longer needed
    #[arg(long)]
    pub reason: String,
}

/// Opens it on the selected limit.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    let row = limit::selected(model)?;
    if row.state != LimitState::Active {
        return Err("this is a proposal: - rejects it".into());
    }
    Ok(about(key, row))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let mut ticket = about(key, limit::named(model, &words.limit)?);
    ticket.fill(FieldName::Reason, words.reason.clone());
    Ok(ticket)
}

fn about(key: ClientKey, row: &Limit) -> Ticket {
    let form = RetireLimit { limit: row.id, base_version: row.updated_at };
    Ticket::new(key, Form::RetireLimit(form), FIELDS)
}

impl FormKind for RetireLimit {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        "RETIRE LIMIT".to_owned()
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let reason = needed(ticket, FieldName::Reason, "retiring a limit needs a reason")?;
        Ok(Verb::RetireLimit { limit: self.limit, base_version: self.base_version, reason })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        limit::account(model, self.limit)
    }
}

pub(super) fn facts(model: &Model, limit: LimitId) -> Facts {
    let sentence = format!("RETIRE {}", limit::name(model, limit));
    Facts::new(sentence, limit::account(model, limit))
}
