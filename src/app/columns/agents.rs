//! Pane 8, its upper half. The system events below it are drawn as a log, not as a table.

use std::time::Duration;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::agent::{Agent, AgentStatus};

/// Time without a heartbeat after which a running agent is in doubt.
const SILENT: Duration = Duration::from_secs(30);

fn silence(model: &Model, row: &Agent) -> Option<Duration> {
    let last = row.last_heartbeat?;
    Some((model.now - last).to_std().unwrap_or_default())
}

impl Listed for Agent {
    const PANE: Pane = Pane::Agents;
    const COLUMNS: &'static [Column<Self>] = &[
        left("AGENT", 22, 0, |_, row| Cell::Text(row.id.clone())),
        left("NAME", 24, 3, |_, row| Cell::Text(row.name.clone())),
        left("TYPE", 18, 2, |_, row| Cell::Text(row.agent_type.clone())),
        left("STATUS", 11, 0, |_, row| Cell::Text(row.status.to_string())),
        right("SEEN", 6, 0, |model, row| silence(model, row).map_or(Cell::Absent, Cell::Age)),
        right("REQUESTS", 10, 1, |_, row| {
            Cell::maybe(row.total_requests.map(Into::into), |n| Cell::Number(n, 0))
        }),
        right("ERRORS", 7, 1, |_, row| {
            Cell::maybe(row.error_count.map(Into::into), |n| Cell::Number(n, 0))
        }),
        right("MS", 8, 4, |_, row| Cell::maybe(row.average_response_time, |n| Cell::Number(n, 1))),
        left("VERSION", 9, 5, |_, row| Cell::Text(row.version.clone())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Agent(self.id.clone())
    }

    fn tone(&self, model: &Model) -> Tone {
        let is_silent = silence(model, self).is_some_and(|age| age > SILENT);
        match self.status {
            AgentStatus::Error => Tone::Critical,
            AgentStatus::Running if is_silent => Tone::Warning,
            AgentStatus::Running => Tone::Plain,
            AgentStatus::Maintenance => Tone::Warning,
            AgentStatus::Stopped | AgentStatus::Unknown(_) => Tone::Quiet,
        }
    }

    fn all(model: &Model) -> Vec<&Self> {
        model.desk.agents.values().collect()
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Agent(id) = id else { return None };
        model.desk.agents.get(id)
    }
}
