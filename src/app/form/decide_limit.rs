//! Approving or rejecting a proposal.

use clap::Args;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::limit;
use crate::app::model::Model;
use crate::app::ticket::read::{Problem, needed, note};
use crate::app::ticket::{DecideLimit, Decision, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::ids::{AccountId, ClientKey, LimitId};
use crate::domain::limit::{Limit, LimitState};
use crate::domain::request::Verb;

const FIELDS: Fields = &[(FieldName::Note, Kind::Text)];

/// Four eyes: nobody approves their own proposal.
const OWN_PROPOSAL: &str = "you made this proposal: another person must approve it";

/// `limit approve`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ApproveWords {
    /// ID of the proposal, or its last 4 characters
    pub limit: String,
    /// Note
    #[arg(long)]
    pub note: Option<String>,
}

/// `limit reject`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RejectWords {
    /// ID of the proposal, or its last 4 characters
    pub limit: String,
    /// Why
    #[arg(long)]
    pub note: String,
}

/// Opens it on the selected proposal; an approval at review.
pub(super) fn open(model: &Model, key: ClientKey, decision: Decision) -> Opened {
    let row = limit::selected(model)?;
    if row.state != LimitState::Pending {
        let what = if decision == Decision::Approve { "approve" } else { "reject" };
        return Err(format!("this limit is in force: nothing to {what}").into());
    }
    let form = DecideLimit { limit: row.id, decision };
    if let Some(why) = form.denial(model) {
        return Err(why.into());
    }
    let ticket = Ticket::new(key, Form::DecideLimit(form), FIELDS);
    Ok(if decision == Decision::Approve { ticket.at_review() } else { ticket })
}

/// Opens an approval from the arguments of a verb.
pub(in crate::app) fn approval_from_words(
    model: &Model,
    key: ClientKey,
    words: &ApproveWords,
) -> Opened {
    let note = words.note.as_deref().unwrap_or_default();
    from_words(model, key, Decision::Approve, &words.limit, note)
}

/// Opens a rejection from the arguments of a verb.
pub(in crate::app) fn rejection_from_words(
    model: &Model,
    key: ClientKey,
    words: &RejectWords,
) -> Opened {
    from_words(model, key, Decision::Reject, &words.limit, &words.note)
}

fn from_words(
    model: &Model,
    key: ClientKey,
    decision: Decision,
    limit: &str,
    note: &str,
) -> Opened {
    let limit = limit::named(model, limit)?.id;
    let mut ticket = Ticket::new(key, Form::DecideLimit(DecideLimit { limit, decision }), FIELDS);
    ticket.fill(FieldName::Note, note);
    Ok(ticket)
}

/// Tells whether the proposal is this login's own; names compare as in the database.
fn is_own(model: &Model, row: &Limit) -> bool {
    let operator = model.session.as_ref().map_or("", |session| session.operator.as_str());
    row.created_by.trim().eq_ignore_ascii_case(operator.trim())
}

impl FormKind for DecideLimit {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        match self.decision {
            Decision::Approve => "APPROVE LIMIT".to_owned(),
            Decision::Reject => "REJECT LIMIT".to_owned(),
        }
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let limit = self.limit;
        Ok(match self.decision {
            Decision::Approve => Verb::ApproveLimit { limit, note: note(ticket, FieldName::Note) },
            Decision::Reject => {
                let note = needed(ticket, FieldName::Note, "rejecting needs a note")?;
                Verb::RejectLimit { limit, note: Some(note) }
            }
        })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        limit::account(model, self.limit)
    }

    fn denial(&self, model: &Model) -> Option<String> {
        let row = model.desk.limits.get(&self.limit)?;
        let is_barred = self.decision == Decision::Approve && is_own(model, row);
        is_barred.then(|| OWN_PROPOSAL.to_owned())
    }
}

pub(super) fn facts(model: &Model, limit: LimitId, decision: Decision) -> Facts {
    let name = limit::name(model, limit);
    let (sentence, preview) = match decision {
        Decision::Approve => (format!("APPROVE {name}"), limit::proposed(model, limit)),
        Decision::Reject => (format!("REJECT {name}"), None),
    };
    Facts { preview, ..Facts::new(sentence, limit::account(model, limit)) }
}
