//! Rows of `agents` and of `system_events`.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::agent::{Agent, SystemEvent};

macro_rules! agents {
    ($rest:literal) => {
        concat!(
            "SELECT agent_id, agent_name, agent_type, status, last_heartbeat, total_requests,
                    error_count, average_response_time_ms, version
               FROM agents ",
            $rest
        )
    };
}

macro_rules! system_events {
    ($rest:literal) => {
        concat!(
            "SELECT event_id, event_type, severity,
                    COALESCE(source_agent, source_component, '') AS source, event_message,
                    occurred_at
               FROM system_events ",
            $rest
        )
    };
}

pub(super) const AGENTS: Source = Source {
    all: agents!("ORDER BY agent_id LIMIT 500"),
    by_id: agents!("WHERE agent_id = ANY ($1)"),
    keys: Keys::Text,
    most: 500,
};

pub(super) const SYSTEM_EVENTS: Source = Source {
    all: system_events!("ORDER BY occurred_at DESC, event_id DESC LIMIT 500"),
    // An event is read by key just after it was written. Without the bound, every daily chunk of
    // a year would be opened.
    by_id: system_events!(
        "WHERE event_id = ANY ($1) AND occurred_at > now() - interval '30 days'
         ORDER BY occurred_at DESC, event_id DESC"
    ),
    keys: Keys::Uuid,
    most: 500,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Agent, Bad> {
    Ok(Agent {
        id: cells.text("agent_id")?,
        name: cells.text("agent_name")?,
        agent_type: cells.text("agent_type")?,
        status: cells.text("status")?.into(),
        last_heartbeat: cells.time_if_any("last_heartbeat")?,
        total_requests: cells.count_if_any("total_requests")?,
        error_count: cells.count_if_any("error_count")?,
        average_response_time: cells.number_if_any("average_response_time_ms")?,
        version: cells.text("version")?,
    })
}

pub(super) fn read_system_event(cells: &Cells<'_>) -> Result<SystemEvent, Bad> {
    Ok(SystemEvent {
        id: cells.id("event_id")?,
        event_type: cells.text("event_type")?,
        severity: cells.text("severity")?.into(),
        source: cells.text("source")?,
        message: cells.text("event_message")?,
        occurred_at: cells.time("occurred_at")?,
    })
}
