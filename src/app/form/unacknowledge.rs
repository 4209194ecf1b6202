//! Unacknowledging a risk event.

use clap::Args;

use super::acknowledge::name;
use super::kind::{Facts, Fields, FormKind, Opened};
use super::words;
use crate::app::model::Model;
use crate::app::pane::RowId;
use crate::app::ticket::read::{Problem, needed};
use crate::app::ticket::{FieldKind as Kind, FieldName, Form, Ticket, Unacknowledge};
use crate::domain::ids::{AccountId, ClientKey, EventId};
use crate::domain::request::Verb;

const FIELDS: Fields = &[(FieldName::Note, Kind::Text)];

/// `unack`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// ID of the event, or its last 4 characters
    pub event: String,
    /// Why
    #[arg(long)]
    pub note: String,
}

/// Opens it on the selected event.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    match model.selected() {
        Some(RowId::Event(id)) => Ok(about(key, *id)),
        _ => Err("select a risk event first".into()),
    }
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let event = words::one(&words.event, "risk event", model.desk.events.keys().copied())?;
    let mut ticket = about(key, event);
    ticket.fill(FieldName::Note, words.note.clone());
    Ok(ticket)
}

fn about(key: ClientKey, event: EventId) -> Ticket {
    Ticket::new(key, Form::Unacknowledge(Unacknowledge { event }), FIELDS)
}

impl FormKind for Unacknowledge {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        "UNACKNOWLEDGE".to_owned()
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let note = needed(ticket, FieldName::Note, "unacknowledging needs a note")?;
        Ok(Verb::Unacknowledge { event: self.event, note })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        model.desk.events.get(&self.event)?.account
    }

    fn is_reversible(&self) -> bool {
        true
    }
}

pub(super) fn facts(model: &Model, event: EventId) -> Facts {
    let account = model.desk.events.get(&event).and_then(|row| row.account);
    Facts::new(format!("UNACK {}", name(model, event)), account)
}
