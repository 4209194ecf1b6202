//! Rows of `risk_events`: the newest, and every grave one that nobody owns yet, however old.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::event::{Acknowledged, RiskEvent, Severity};
use crate::domain::ids::{AccountId, EventId, LimitId};

macro_rules! select {
    ($keys:literal) => {
        concat!(
            "SELECT event_id, account_id, event_type, severity, event_source, risk_measure,
                    current_value, limit_value, related_limit_id,
                    COALESCE(event_data->>'message', action_taken) AS message,
                    occurrence_count, occurred_at, resolution_time, acknowledged,
                    COALESCE(acknowledged_by, '?') AS acknowledged_by, acknowledged_at
               FROM risk_events WHERE event_id = ANY (",
            $keys,
            ") ORDER BY occurred_at DESC, event_id DESC"
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!(
        "ARRAY(
            (SELECT event_id FROM risk_events ORDER BY occurred_at DESC, event_id DESC LIMIT 500)
             UNION
            (SELECT event_id FROM risk_events
              WHERE NOT acknowledged AND severity IN ('critical', 'emergency')
              ORDER BY occurred_at DESC LIMIT 500))"
    ),
    by_id: select!("$1"),
    keys: Keys::Uuid,
    most: 500,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<RiskEvent, Bad> {
    let acknowledged = if cells.flag("acknowledged")? {
        Some(Acknowledged {
            by: cells.text("acknowledged_by")?,
            at: cells.time_if_any("acknowledged_at")?,
        })
    } else {
        None
    };
    Ok(RiskEvent {
        id: EventId(cells.id("event_id")?),
        account: cells.id_if_any("account_id")?.map(AccountId),
        event_type: cells.text("event_type")?,
        severity: cells.word("severity", Severity::from_word)?,
        source: cells.text("event_source")?,
        measure: cells.text_if_any("risk_measure")?,
        current_value: cells.number_if_any("current_value")?,
        limit_value: cells.number_if_any("limit_value")?,
        limit: cells.id_if_any("related_limit_id")?.map(LimitId),
        message: cells.text_if_any("message")?,
        occurrences: i32::try_from(cells.count("occurrence_count")?).unwrap_or(i32::MAX),
        occurred_at: cells.time("occurred_at")?,
        resolved_at: cells.time_if_any("resolution_time")?,
        acknowledged,
    })
}
