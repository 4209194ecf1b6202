//! Pane 5.

use std::cmp::Reverse;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::event::{EventState, RiskEvent, Severity};

fn severity(row: &RiskEvent) -> &'static str {
    match row.severity {
        Severity::Info => "INFO",
        Severity::Warning => "WARN",
        Severity::Critical => "CRIT",
        Severity::Emergency => "EMERG",
    }
}

fn state(row: &RiskEvent) -> &'static str {
    match row.state() {
        EventState::New => "NEW",
        EventState::Acknowledged => "ACK",
        EventState::Cleared => "CLEARED",
        EventState::Resolved => "RESOLVED",
    }
}

impl Listed for RiskEvent {
    const PANE: Pane = Pane::Events;
    const COLUMNS: &'static [Column<Self>] = &[
        left("SEV", 5, 0, |_, row| Cell::Text(severity(row).to_owned())),
        left("STATE", 8, 0, |_, row| Cell::Text(state(row).to_owned())),
        left("TIME", 8, 1, |_, row| Cell::Time(row.occurred_at)),
        left("ACCOUNT", 12, 0, |model, row| {
            Cell::Text(row.account.map_or("system".to_owned(), |id| model.desk.account_name(id)))
        }),
        left("EVENT", 20, 0, |_, row| Cell::Text(row.event_type.clone())),
        right("MEASURED", 12, 2, |_, row| Cell::maybe(row.current_value, |n| Cell::Number(n, 2))),
        right("LIMIT", 12, 3, |_, row| Cell::maybe(row.limit_value, |n| Cell::Number(n, 2))),
        right("N", 3, 4, |_, row| Cell::Number(row.occurrences.into(), 0)),
        left("OWNER", 10, 2, |_, row| {
            Cell::text(row.acknowledged.as_ref().map(|owner| owner.by.as_str()))
        }),
        left("MESSAGE", 24, 5, |_, row| Cell::text(row.message.as_deref())),
        left("SOURCE", 14, 8, |_, row| Cell::Text(row.source.clone())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Event(self.id)
    }

    fn tone(&self, _model: &Model) -> Tone {
        match (self.wants_acknowledgement(), self.severity) {
            (false, _) => Tone::Quiet,
            (true, Severity::Info) => Tone::Plain,
            (true, Severity::Warning) => Tone::Warning,
            (true, Severity::Critical | Severity::Emergency) => Tone::Critical,
        }
    }

    /// Those that want somebody first, the worst first, the oldest of them first (it has waited the
    /// longest); below, what is owned or over, the newest first.
    fn all(model: &Model) -> Vec<&Self> {
        let is_shown = |row: &&Self| !model.hides_acknowledged || row.wants_acknowledgement();
        let mut rows: Vec<&Self> = model.desk.events.values().filter(is_shown).collect();
        rows.sort_by_key(|row| {
            let wants = row.wants_acknowledgement();
            let worst = if wants { Some(Reverse(row.severity)) } else { None };
            let oldest = if wants { Some(row.occurred_at) } else { None };
            (!wants, worst, oldest, Reverse(row.occurred_at), row.id)
        });
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Event(id) = id else { return None };
        model.desk.events.get(id)
    }
}
