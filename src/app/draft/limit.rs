//! Limits: new ones, other values, and until when.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};

use super::{Problem, note, number};
use crate::app::model::Model;
use crate::app::ticket::{ANY, EACH_ACCOUNT, FieldName, Ticket};
use crate::domain::code::Code;
use crate::domain::halt::Scope;
use crate::domain::ids::LimitId;
use crate::domain::limit::LimitKind;
use crate::domain::request::{NewLimit, Verb};

/// Reads the fields of a change.
pub(super) fn edit(
    model: &Model,
    ticket: &Ticket,
    limit: LimitId,
    base_version: Option<DateTime<Utc>>,
) -> Result<Verb, Problem> {
    let row = model.desk.limits.get(&limit).ok_or_else(|| {
        Problem::plain("the limit was replaced meanwhile: leave and select it again")
            .refused(Code::LimitChanged)
    })?;
    let value = value(ticket)?;
    let warning = number(ticket, FieldName::Warning)?;
    let until = until(model, ticket)?;
    let reason = note(ticket, FieldName::Reason);
    if !row.is_tightened_by(value) && reason.is_none() {
        let text = "loosening needs a reason, and then a second person";
        return Err(Problem::at(FieldName::Reason, text));
    }
    Ok(Verb::ProposeLimit { limit, base_version, value, warning, until, reason })
}

/// What is said of a limit of nothing, or less.
pub const ABOVE_ZERO: &str = "a limit must be above zero; to stop trading use a halt (!h)";

/// Fifteen digits are kept of a limit, four of them decimals.
const TOO_LARGE: Decimal = dec!(100_000_000_000);

fn value(ticket: &Ticket) -> Result<Decimal, Problem> {
    let value = number(ticket, FieldName::Value)?
        .ok_or_else(|| Problem::at(FieldName::Value, "type the new limit"))?;
    if value <= Decimal::ZERO {
        return Err(Problem::at(FieldName::Value, ABOVE_ZERO).refused(Code::LimitValueInvalid));
    }
    if value >= TOO_LARGE {
        let text = "a limit must be below 100,000,000,000, which is all that can be stored";
        return Err(Problem::at(FieldName::Value, text).refused(Code::LimitValueInvalid));
    }
    Ok(value)
}

/// Reads the fields of a limit that is not there yet.
pub(super) fn new(model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
    let limit_type = ticket.text(FieldName::LimitType).map(LimitKind::read).ok_or_else(|| {
        let text = "choose what it limits with the left and right arrows";
        Problem::at(FieldName::LimitType, text)
    })?;
    let is_known = model.limit_types.iter().any(|row| row.name == limit_type);
    if !model.limit_types.is_empty() && !is_known {
        let text = format!("there is no limit type {limit_type}: the left and right arrows choose");
        return Err(Problem::at(FieldName::LimitType, text).refused(Code::LimitTypeUnknown));
    }
    let (scope, identifier) = scope(ticket)?;
    let account = match ticket.text(FieldName::Account) {
        None | Some(ANY | EACH_ACCOUNT) => None,
        Some(name) => Some(
            model
                .desk
                .account_named(name)
                .ok_or_else(|| Problem::at(FieldName::Account, "there is no such account"))?
                .id,
        ),
    };
    let value = value(ticket)?;
    let unit = ticket
        .text(FieldName::Unit)
        .ok_or_else(|| Problem::at(FieldName::Unit, "type the unit, like USD or percentage"))?;
    let parameters = note(ticket, FieldName::Parameters);
    Ok(Verb::CreateLimit(Box::new(NewLimit {
        account,
        limit_type,
        scope,
        identifier,
        value,
        unit: unit.to_owned(),
        warning: number(ticket, FieldName::Warning)?,
        until: until(model, ticket)?,
        parameters,
        reason: note(ticket, FieldName::Reason),
    })))
}

/// Returns what a new limit covers: the narrowest thing that is named.
fn scope(ticket: &Ticket) -> Result<(Scope, Option<String>), Problem> {
    let chosen = |name| ticket.text(name).filter(|text| *text != ANY);
    let named = |name| chosen(name).map(str::to_owned);
    let account = chosen(FieldName::Account);
    match (account, named(FieldName::Instrument), named(FieldName::Portfolio)) {
        (None, None, None) => Ok((Scope::System, None)),
        (None, None, portfolio @ Some(_)) => Ok((Scope::Portfolio, portfolio)),
        (Some(_), None, None) => Ok((Scope::Account, None)),
        (None, instrument @ Some(_), None) => Ok((Scope::Instrument, instrument)),
        (Some(name), instrument @ Some(_), None) if name != EACH_ACCOUNT => {
            Ok((Scope::Instrument, instrument))
        }
        (Some(_), Some(_), None) => {
            let text = "for an instrument in each account, leave the account empty";
            Err(Problem::at(FieldName::Account, text))
        }
        (_, _, Some(_)) => {
            let text = "a portfolio has its own accounts: name no account and no instrument";
            Err(Problem::at(FieldName::Portfolio, text))
        }
    }
}

/// Reads until when a limit holds.
fn until(model: &Model, ticket: &Ticket) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = ticket.text(FieldName::Until) else { return Ok(None) };
    let until = moment(text, model.now).ok_or_else(|| {
        let text = "type until when: 45m, 2h, 3d, or a time in UTC like 2026-11-22 18:00";
        Problem::at(FieldName::Until, text)
    })?;
    if until <= model.now {
        let problem = Problem::at(FieldName::Until, "that has passed already");
        return Err(problem.refused(Code::LimitUntilPast));
    }
    Ok(Some(until))
}

/// Reads a moment: so long from `now`, or a time in UTC.
fn moment(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (number, unit) = text.split_at(text.char_indices().last()?.0);
    let span = match (unit, number.parse::<u32>()) {
        ("m", Ok(count)) => Some(TimeDelta::minutes(count.into())),
        ("h", Ok(count)) => Some(TimeDelta::hours(count.into())),
        ("d", Ok(count)) => Some(TimeDelta::days(count.into())),
        _ => None,
    };
    if let Some(span) = span {
        return now.checked_add_signed(span);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|at| at.and_utc())
}

/// Writes a moment so that it reads the same whenever it is read again: a span that was typed
/// becomes the time at which it ends.
pub(super) fn fixed(text: &str, now: DateTime<Utc>) -> Option<String> {
    moment(text, now).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_span_or_a_time() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("45m", Some("2026-11-22T10:45:00Z")),
            ("2h", Some("2026-11-22T12:00:00Z")),
            ("3d", Some("2026-11-25T10:00:00Z")),
            ("2026-11-22 18:00", Some("2026-11-22T18:00:00Z")),
            ("2026-11-22T18:00:01Z", Some("2026-11-22T18:00:01Z")),
            ("2026-11-22T18:00:00+02:00", Some("2026-11-22T16:00:00Z")),
            ("h", None),
            ("2", None),
            ("-2h", None),
            ("tomorrow", None),
            ("²", None),
        ] {
            assert_eq!(fixed(text, now).as_deref(), wanted, "{text}");
        }
    }
}
