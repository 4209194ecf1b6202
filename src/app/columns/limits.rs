//! Pane 6.

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::limit::{Limit, LimitState, Standing};
use crate::domain::utilisation::Measured;

fn state(row: &Limit) -> &'static str {
    match (row.state, row.is_enforced) {
        (LimitState::Active, true) => "active",
        (LimitState::Active, false) => "NOT ENFORCED",
        (LimitState::Pending, _) if row.retires => "RETIRING",
        (LimitState::Pending, _) => "PENDING",
        (LimitState::Ended, _) => "ended",
    }
}

impl Listed for Limit {
    const PANE: Pane = Pane::Limits;
    const COLUMNS: &'static [Column<Self>] = &[
        left("LIMIT", 20, 0, |_, row| Cell::Text(row.limit_type.to_string())),
        left("SCOPE", 10, 3, |_, row| Cell::Text(row.scope.as_str().to_owned())),
        left("APPLIES TO", 16, 0, |model, row| Cell::Text(model.limit_subject(row))),
        right("VALUE", 14, 0, |_, row| Cell::Number(row.value, 2)),
        left("UNIT", 10, 0, |_, row| Cell::Text(row.unit.to_string())),
        right("WARNING", 14, 4, |_, row| Cell::maybe(row.warning_level(), |n| Cell::Number(n, 2))),
        right("NOW", 14, 2, |model, row| match model.measured(row) {
            Measured::Number(now) => Cell::Number(now, 2),
            Measured::Unbounded => Cell::Text("unbounded".to_owned()),
            Measured::Unknown => Cell::Absent,
        }),
        left("USED", 15, 1, |model, row| {
            let share = model.measure(row).and_then(|now| row.used(now));
            Cell::maybe(share, Cell::Used)
        }),
        left("STATE", 12, 0, |_, row| Cell::Text(state(row).to_owned())),
        left("SET BY", 10, 5, |_, row| Cell::Text(row.created_by.clone())),
        left("APPROVED", 10, 6, |_, row| Cell::text(row.approved_by.as_deref())),
        left("SINCE", 8, 6, |_, row| row.effective_from.map_or(Cell::Absent, Cell::Time)),
        left("UNTIL", 8, 7, |_, row| row.effective_until.map_or(Cell::Absent, Cell::Time)),
        left("REASON", 24, 8, |_, row| Cell::text(row.change_reason.as_deref())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Limit(self.id)
    }

    fn tone(&self, model: &Model) -> Tone {
        if self.state == LimitState::Pending || !self.is_enforced {
            return Tone::Warning;
        }
        let standing = match model.measured(self) {
            Measured::Number(now) => self.standing(now),
            Measured::Unbounded => Some(Standing::Breach),
            Measured::Unknown => None,
        };
        match standing {
            Some(Standing::Breach) => Tone::Critical,
            Some(Standing::Warning) => Tone::Warning,
            Some(Standing::Ok | Standing::Unmeasured | Standing::Unknown(_)) | None => Tone::Plain,
        }
    }

    /// Pending proposals first.
    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> =
            model.desk.limits.values().filter(|row| row.state != LimitState::Ended).collect();
        rows.sort_by_cached_key(|row| {
            let waits = row.state == LimitState::Pending;
            (!waits, row.limit_type.clone(), row.scope.as_str(), model.limit_subject(row), row.id)
        });
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Limit(id) = id else { return None };
        model.desk.limits.get(id)
    }
}
