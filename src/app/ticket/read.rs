//! Parsing of ticket fields.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{FieldName, Ticket};
use crate::domain::code::Code;
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, Price};

/// What is wrong with a field, as a sentence, and which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the cursor should go.
    pub field: Option<FieldName>,
    /// What is wrong and what to do.
    pub text: String,
    /// The code with which the desk refuses the same. None where something is missing, or not
    /// understood: there is nothing yet that the desk could refuse.
    pub code: Option<Code>,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl Problem {
    pub(in crate::app) fn at(field: FieldName, text: impl Into<String>) -> Self {
        Self { field: Some(field), text: text.into(), code: None }
    }

    pub(in crate::app) fn plain(text: impl Into<String>) -> Self {
        Self { field: None, text: text.into(), code: None }
    }

    /// Says that the desk refuses it, with this code.
    pub(in crate::app) fn refused(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }
}

/// Reads a number; an empty field is `None`.
pub(in crate::app) fn number(ticket: &Ticket, name: FieldName) -> Result<Option<Decimal>, Problem> {
    ticket
        .text(name)
        .map(|text| money::typed(text).map_err(|why| Problem::at(name, why.to_string())))
        .transpose()
}

/// Reads a price in whole ticks, where the instrument is known.
pub(in crate::app) fn price(
    ticket: &Ticket,
    name: FieldName,
    instrument: Option<&Instrument>,
) -> Result<Option<Decimal>, Problem> {
    let Some((typed, instrument)) = number(ticket, name)?.zip(instrument) else {
        return number(ticket, name);
    };
    Price::typed(typed, instrument)
        .map(|price| Some(price.get()))
        .map_err(|why| Problem::at(name, why.to_string()).refused(why.code()))
}

/// Reads a text; an empty field is `None`.
pub(in crate::app) fn note(ticket: &Ticket, name: FieldName) -> Option<String> {
    ticket.text(name).map(str::to_owned)
}

/// Reads a text that must be there; `why` says what to type.
pub(in crate::app) fn needed(
    ticket: &Ticket,
    name: FieldName,
    why: &str,
) -> Result<String, Problem> {
    note(ticket, name).ok_or_else(|| Problem::at(name, why))
}

/// Reads until when a limit holds.
pub(in crate::app) fn until(
    ticket: &Ticket,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = ticket.text(FieldName::Until) else { return Ok(None) };
    let until = moment(text, now).ok_or_else(|| {
        let text = "enter an expiry: 45m, 2h, 3d, or a time in UTC like 2026-11-22 18:00";
        Problem::at(FieldName::Until, text)
    })?;
    if until <= now {
        let problem = Problem::at(FieldName::Until, "that time has passed");
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
pub(in crate::app) fn fixed(text: &str, now: DateTime<Utc>) -> Option<String> {
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
