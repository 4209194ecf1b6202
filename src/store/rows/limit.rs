//! Rows of `risk_limits` that bind or wait for a second person.

use serde_json::Value;

use super::cells::{Bad, Cells};
use super::source::{Keys, Source, number_in};
use crate::domain::drawdown::{DayBase, Edge};
use crate::domain::halt::Scope;
use crate::domain::ids::{AccountId, LimitId};
use crate::domain::limit::{Limit, LimitState, Lock, Parameters, Trailing};

/// What state a limit is in, and whether its type is enforced, is the database's to say: it does
/// the enforcing.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.limit_id, l.account_id, l.limit_type, l.limit_scope, l.scope_identifier,
                    l.limit_value, l.limit_unit, l.warning_threshold, l.parameters,
                    desk.limit_state(l) AS state,
                    COALESCE(k.enforced AND l.limit_scope = ANY (k.scopes), false) AS is_enforced,
                    l.created_by, l.approved_by, l.change_reason, l.supersedes_limit_id, l.retires,
                    NULLIF(l.effective_from, '-infinity') AS effective_from,
                    NULLIF(l.effective_until, 'infinity') AS effective_until, l.updated_at
               FROM risk_limits l LEFT JOIN tmt.limit_types k USING (limit_type)
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
        limit_type: cells.text("limit_type")?.into(),
        scope: cells.word("limit_scope", Scope::from_word)?,
        identifier: cells.text_if_any("scope_identifier")?,
        value: cells.number("limit_value")?,
        unit: cells.text("limit_unit")?.into(),
        warning: cells.number_if_any("warning_threshold")?,
        parameters: cells
            .json_if_any("parameters")?
            .map(|json| parameters(&json))
            .unwrap_or_default(),
        state: cells.word("state", LimitState::from_word)?,
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

/// Reads what the console measures by; the database refuses what it cannot read itself.
fn parameters(json: &Value) -> Parameters {
    let word = |name: &str| json.get(name).and_then(Value::as_str);
    Parameters {
        currency: word("currency").map(str::to_owned),
        base: word("base").and_then(DayBase::from_word),
        is_of_initial: word("of") == Some("initial"),
        trailing: word("trailing").and_then(Trailing::from_word),
        lock: match word("lock") {
            Some("initial") => Some(Lock::Initial),
            _ => json.get("lock").and_then(number_in).map(Lock::At),
        },
        edge: json
            .get("inclusive")
            .and_then(truth)
            .map(|reached| if reached { Edge::Inclusive } else { Edge::Exclusive }),
    }
}

/// A truth, written as such or as a word.
fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().map(|word| word == "true"))
}
