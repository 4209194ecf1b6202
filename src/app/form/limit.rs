//! What the forms of limits have in common.

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, dec};

use super::words;
use crate::app::model::Model;
use crate::app::pane::RowId;
use crate::app::ticket::read::{Problem, number};
use crate::app::ticket::{FieldName, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, LimitId};
use crate::domain::limit::{Limit, LimitState};
use crate::domain::request::LimitPreview;
use crate::domain::unit::Unit;

/// Error for a limit of zero or less.
pub const ABOVE_ZERO: &str = "a limit must be above zero; to stop trading use a halt (!h)";

/// Fifteen digits are kept of a limit, four of them decimals.
const TOO_LARGE: Decimal = dec!(100_000_000_000);

pub(super) fn selected(model: &Model) -> Result<&Limit, String> {
    match model.selected() {
        Some(RowId::Limit(id)) => {
            model.desk.limits.get(id).ok_or_else(|| "the limit no longer exists".to_owned())
        }
        _ => Err("select a limit first".to_owned()),
    }
}

/// Finds the limit that a key, or the end of one, names.
pub(super) fn named<'a>(model: &'a Model, text: &str) -> Result<&'a Limit, String> {
    let id = words::one(text, "limit", model.desk.limits.keys().copied())?;
    model.desk.limits.get(&id).ok_or_else(|| "the limit no longer exists".to_owned())
}

/// Reads the value of a limit.
pub(super) fn value(ticket: &Ticket) -> Result<Decimal, Problem> {
    let value = number(ticket, FieldName::Value)?
        .ok_or_else(|| Problem::at(FieldName::Value, "enter the new limit"))?;
    if value <= Decimal::ZERO {
        return Err(Problem::at(FieldName::Value, ABOVE_ZERO).refused(Code::LimitValueInvalid));
    }
    if value >= TOO_LARGE {
        let text = "a limit must be below 100,000,000,000";
        return Err(Problem::at(FieldName::Value, text).refused(Code::LimitValueInvalid));
    }
    Ok(value)
}

/// Returns the account that a limit is for, where it is for one alone.
pub(super) fn account(model: &Model, limit: LimitId) -> Option<AccountId> {
    model.desk.limits.get(&limit)?.account
}

/// Returns what would count once a proposal is approved.
pub(super) fn proposed(model: &Model, proposal: LimitId) -> Option<LimitPreview> {
    let row = model.desk.limits.get(&proposal)?;
    let limit = row.supersedes.unwrap_or(row.id);
    (!row.retires).then_some(LimitPreview::Value { limit, value: row.value })
}

/// Returns an old and a new amount, with the unit once.
pub(super) fn change(old: Decimal, new: Decimal, unit: &Unit) -> String {
    let (old, new) = (unit.exact(old), unit.exact(new));
    let old = old.strip_suffix(unit.suffix()).map_or(old.as_str(), str::trim_end);
    format!("{old} -> {new}")
}

pub(super) fn until_words(until: Option<DateTime<Utc>>) -> String {
    until.map(|until| format!(" until {}", until.format("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default()
}

/// Returns a limit as a sentence names it.
pub(super) fn name(model: &Model, limit: LimitId) -> String {
    model.desk.limits.get(&limit).map_or_else(
        || format!("limit {}", limit.short()),
        |row| {
            let subject = model.limit_subject(row);
            let ends = if row.retires { "retirement of " } else { "" };
            // Of a proposal: what it would replace.
            let base = row.supersedes.filter(|_| row.state == LimitState::Pending && !row.retires);
            let base = base.and_then(|id| model.desk.limits.get(&id));
            let value = base.map_or_else(
                || row.unit.exact(row.value),
                |base| change(base.value, row.value, &row.unit),
            );
            format!("{ends}{} of {subject}: {value}", row.limit_type)
        },
    )
}
