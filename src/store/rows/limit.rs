//! Rows of `risk_limits` that bind or wait for a second person.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::halt::Scope;
use crate::domain::ids::{AccountId, LimitId};
use crate::domain::limit::{Limit, LimitState};

/// What state a limit is in, and whether its type is enforced, is the database's to say: it does
/// the enforcing.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.limit_id, l.account_id, l.limit_type, l.limit_scope, l.scope_identifier,
                    l.limit_value, l.limit_unit, l.warning_threshold,
                    desk.limit_state(l) AS state,
                    COALESCE(k.enforced AND l.limit_scope = ANY (k.scopes), false) AS is_enforced,
                    l.created_by, l.approved_by, l.change_reason, l.supersedes_limit_id, l.retires,
                    NULLIF(l.effective_from, '-infinity') AS effective_from,
                    NULLIF(l.effective_until, 'infinity') AS effective_until, l.updated_at
               FROM risk_limits l LEFT JOIN desk.limit_types k USING (limit_type)
              WHERE desk.limit_state(l) IN ('active', 'pending') ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY l.limit_scope, l.limit_type, l.limit_id LIMIT 5000"),
    by_id: select!("AND l.limit_id = ANY ($1)"),
    keys: Keys::Uuid,
    most: 5000,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Limit, Bad> {
    Ok(Limit {
        id: LimitId(cells.id("limit_id")?),
        account: cells.id_if_any("account_id")?.map(AccountId),
        limit_type: cells.text("limit_type")?,
        scope: cells.word("limit_scope", Scope::from_word)?,
        identifier: cells.text_if_any("scope_identifier")?,
        value: cells.number("limit_value")?,
        unit: cells.text("limit_unit")?,
        warning: cells.number_if_any("warning_threshold")?,
        state: cells.word("state", |word| match word {
            "active" => Some(LimitState::Active),
            "pending" => Some(LimitState::Pending),
            _ => None,
        })?,
        is_enforced: cells.flag("is_enforced")?,
        created_by: cells.text("created_by")?,
        approved_by: cells.text_if_any("approved_by")?,
        change_reason: cells.text_if_any("change_reason")?,
        supersedes: cells.id_if_any("supersedes_limit_id")?.map(LimitId),
        retires: cells.flag("retires")?,
        effective_from: cells.time_if_any("effective_from")?,
        effective_until: cells.time_if_any("effective_until")?,
        updated_at: cells.time_if_any("updated_at")?,
    })
}
