//! Which rows are seen and which one keys act on.

use super::columns;
use super::model::Model;
use super::pane::{Pane, RowId};
use crate::domain::ids::{AccountId, InstrumentId};

impl Model {
    /// Returns the keys of the rows that a pane shows, in its order.
    pub fn visible(&self, pane: Pane) -> Vec<RowId> {
        columns::listing(self, pane).ids
    }

    /// Returns the row that keys act on, if it is still there.
    pub fn selected(&self) -> Option<&RowId> {
        let id = self.pane(self.focus).selected.as_ref()?;
        columns::contains(self, self.focus, id).then_some(id)
    }
}

/// What the selected row is about, for a ticket that opens on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) account: Option<AccountId>,
    pub(super) instrument: Option<InstrumentId>,
}

/// Returns the account and the instrument of the selected row.
pub(super) fn subject(model: &Model) -> Subject {
    let Some(id) = model.selected() else { return Subject::default() };
    let desk = &model.desk;
    match id {
        RowId::Account(id) => Subject { account: Some(*id), instrument: None },
        RowId::Position(id) => desk
            .positions
            .get(id)
            .map(|row| Subject {
                account: Some(row.account),
                instrument: Some(row.instrument.clone()),
            })
            .unwrap_or_default(),
        RowId::Trade(id) => desk
            .trades
            .get(id)
            .map(|row| Subject {
                account: Some(row.account),
                instrument: Some(row.instrument.clone()),
            })
            .unwrap_or_default(),
        RowId::Signal(id) => Subject {
            account: None,
            instrument: desk.signals.get(id).map(|row| row.instrument.clone()),
        },
        RowId::Event(id) => {
            Subject { account: desk.events.get(id).and_then(|row| row.account), instrument: None }
        }
        RowId::Limit(id) => {
            Subject { account: desk.limits.get(id).and_then(|row| row.account), instrument: None }
        }
        RowId::Instrument(id) => Subject { account: None, instrument: Some(id.clone()) },
        RowId::Agent(_) | RowId::SystemEvent(_) => Subject::default(),
    }
}
