//! Acknowledging risk events.

use clap::Args;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::words;
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::app::ticket::read::{Problem, note};
use crate::app::ticket::{Acknowledge, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::event::{RiskEvent, Severity};
use crate::domain::ids::{AccountId, ClientKey, EventId};
use crate::domain::request::Verb;

const FIELDS: Fields = &[(FieldName::Note, Kind::Text)];

/// Coded notes, by digit.
pub const CODED_NOTES: [&str; 6] = [
    "confirmed, reducing",
    "confirmed, accepted until review",
    "data fault",
    "late trade",
    "limit change requested",
    "duplicate",
];

/// `ack`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Keys of the events, or their last digits
    #[arg(required = true)]
    pub events: Vec<String>,
    /// Note; required for critical and emergency events
    #[arg(long)]
    pub note: Option<String>,
}

/// Opens it on the marked events, else on the selected one.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    let events = chosen(model)?;
    let rows: Vec<&RiskEvent> = events.iter().filter_map(|id| model.desk.events.get(id)).collect();
    let open: Vec<&RiskEvent> =
        rows.iter().copied().filter(|row| row.acknowledged.is_none()).collect();
    if open.is_empty() {
        let owner = rows.iter().find_map(|row| row.acknowledged.as_ref());
        let owned = owner.map(|owner| format!("already acknowledged by {}", owner.by));
        return Err(owned.unwrap_or_else(|| "nothing to acknowledge".to_owned()).into());
    }
    if open.len() > 1 && open.iter().any(|row| row.severity == Severity::Emergency) {
        let text = "acknowledge an emergency alone: unmark the other events";
        return Err(text.into());
    }
    Ok(about(model, key, open.iter().map(|row| row.id).collect()))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let known = || model.desk.events.keys().copied();
    let events: Result<Vec<EventId>, String> =
        words.events.iter().map(|text| words::one(text, "risk event", known())).collect();
    let mut ticket = about(model, key, events?);
    ticket.fill(FieldName::Note, words.note.clone().unwrap_or_default());
    Ok(ticket)
}

fn about(model: &Model, key: ClientKey, events: Vec<EventId>) -> Ticket {
    let mut rows = events.iter().filter_map(|id| model.desk.events.get(id));
    let needs_note = rows.any(|row| row.severity.needs_note());
    Ticket::new(key, Form::Acknowledge(Acknowledge { events, needs_note }), FIELDS)
}

fn chosen(model: &Model) -> Result<Vec<EventId>, String> {
    let visible = model.visible(Pane::Events);
    let marked = &model.pane(Pane::Events).marked;
    let ids: Vec<EventId> = visible
        .iter()
        .filter(|id| marked.contains(*id))
        .filter_map(|id| if let RowId::Event(id) = id { Some(*id) } else { None })
        .collect();
    if !ids.is_empty() {
        return Ok(ids);
    }
    match model.selected() {
        Some(RowId::Event(id)) => Ok(vec![*id]),
        // The one across the screen, else the first that waits.
        _ => model
            .urgent()
            .map(|row| row.id)
            .or_else(|| {
                let listed = visible.iter().filter_map(|id| {
                    if let RowId::Event(id) = id { model.desk.events.get(id) } else { None }
                });
                listed.filter(|row| row.wants_acknowledgement()).map(|row| row.id).next()
            })
            .map(|id| vec![id])
            .ok_or_else(|| "no unacknowledged risk events".to_owned()),
    }
}

impl Acknowledge {
    /// Tells whether it can be sent without being shown: it needs no note, and every event of it was
    /// selected or marked by the person.
    pub(in crate::app) fn is_ready(&self, model: &Model) -> bool {
        let is_chosen = |id: &EventId| {
            let id = RowId::Event(*id);
            model.selected() == Some(&id) || model.pane(Pane::Events).marked.contains(&id)
        };
        !self.needs_note && self.events.iter().all(is_chosen)
    }
}

impl FormKind for Acknowledge {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        match self.events.len() {
            1 => "ACKNOWLEDGE".to_owned(),
            several => format!("ACKNOWLEDGE {several} events"),
        }
    }

    fn read(&self, _model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let note = note(ticket, FieldName::Note);
        if self.needs_note && note.is_none() {
            let text = "a critical or emergency event needs a note: type one, or press 1 to 6";
            return Err(Problem::at(FieldName::Note, text));
        }
        Ok(Verb::Acknowledge { events: self.events.clone(), note })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        account(model, &self.events)
    }

    fn coded_notes(&self) -> &'static [&'static str] {
        &CODED_NOTES
    }

    fn is_reversible(&self) -> bool {
        true
    }
}

/// Returns the account that all events are about, where it is one.
fn account(model: &Model, events: &[EventId]) -> Option<AccountId> {
    let mut accounts = events.iter().map(|id| model.desk.events.get(id)?.account);
    let first = accounts.next()??;
    accounts.all(|other| other == Some(first)).then_some(first)
}

pub(super) fn facts(model: &Model, events: &[EventId]) -> Facts {
    let sentence = match events {
        [only] => format!("ACK {}", name(model, *only)),
        several => format!("ACK {} events", several.len()),
    };
    Facts::new(sentence, account(model, events))
}

/// Returns an event as a sentence names it.
pub(super) fn name(model: &Model, event: EventId) -> String {
    let Some(row) = model.desk.events.get(&event) else { return event.short() };
    let account = row.account.map_or("system".to_owned(), |id| model.desk.account_name(id));
    format!("{} {} of {account}", row.severity.as_str(), row.event_type)
}
