//! The report of a write, as text or JSON.

use std::collections::HashMap;
use std::io::{self, Write};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::exit::Exit;
use crate::app::Model;
use crate::app::outbox::item_text;
use crate::domain::halt::Scope;
use crate::domain::ids::{AccountId, ClientKey};
use crate::domain::money::{exact, round};
use crate::domain::outcome::{
    Accepted, Check, Finding, Impact, Item, ItemEnd, Outcome, Refusal, has_share,
};
use crate::domain::unit::Plain;
use crate::domain::unit::Unit;

/// A write, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) key: ClientKey,
    pub(super) sentence: String,
    pub(super) checks: Vec<Line>,
    /// The limit preview.
    pub(super) impacts: Vec<Impact>,
    /// The refusal of the limit preview, if any.
    pub(super) refusal: Option<Refusal>,
    /// Decimals of the prices of instruments, as far as they are known.
    pub(super) places: HashMap<String, u32>,
    /// Whether the bus took the announcement; `None` if there was nothing to announce.
    pub(super) is_announced: Option<bool>,
}

/// A check, and whose it is: several limits of one type are told apart by what they cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) check: Check,
    /// `account`, `portfolio` …, where it is about a limit or a rule of the account.
    scope: Option<Scope>,
    identifier: Option<String>,
}

impl Line {
    /// Says whose a check of a trade on `account` is.
    pub(super) fn new(model: &Model, account: AccountId, check: Check) -> Self {
        let limit = check.limit.and_then(|id| model.desk.limits.get(&id));
        let (scope, identifier) = match limit {
            Some(limit) if limit.scope == Scope::System => {
                (Some(Scope::System), limit.identifier.clone())
            }
            // A limit on each account separately: name this account.
            Some(limit) if limit.scope == Scope::Account => {
                (Some(Scope::Account), Some(model.desk.account_name(account)))
            }
            Some(limit) => (Some(limit.scope), Some(model.limit_subject(limit))),
            None if check.is_accounts_own() => {
                (Some(Scope::Account), Some(model.desk.account_name(account)))
            }
            None => (None, None),
        };
        Self { check, scope, identifier }
    }

    /// Returns `portfolio majors`.
    fn subject(&self) -> String {
        if self.check.is_accounts_own() {
            return "account's own".to_owned();
        }
        let scope = self.scope.map(Scope::as_str);
        scope.into_iter().chain(self.identifier.as_deref()).collect::<Vec<_>>().join(" ")
    }
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteStatus {
    /// The database decided, or would have.
    Outcome(Outcome),
    /// Dry run, with the refusal if there would be one.
    Checked(Option<Refusal>),
    Declined,
}

impl WriteStatus {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Outcome(Outcome::Accepted(_)) | Self::Checked(None) => Exit::Done,
            Self::Outcome(Outcome::Refused(_)) | Self::Checked(Some(_)) | Self::Declined => {
                Exit::Refused
            }
            Self::Outcome(Outcome::Unknown(_)) => Exit::Unknown,
        }
    }
}

impl WriteStatus {
    /// Splits into accepted, refused and unconfirmed: at most one is set.
    fn parts(&self) -> (Option<&Accepted>, Option<&Refusal>, Option<&str>) {
        match self {
            Self::Outcome(Outcome::Accepted(accepted)) => (Some(accepted), None, None),
            Self::Outcome(Outcome::Refused(refusal)) | Self::Checked(Some(refusal)) => {
                (None, Some(refusal), None)
            }
            Self::Outcome(Outcome::Unknown(reason)) => (None, None, Some(reason)),
            Self::Checked(None) | Self::Declined => (None, None, None),
        }
    }
}

/// Returns the label of a finding.
fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Passes => "ok",
        Finding::Confirm => "SOFT",
        Finding::Reject => "HARD",
    }
}

impl Report {
    pub(super) fn new(key: ClientKey, sentence: String, checks: Vec<Line>) -> Self {
        let places = HashMap::new();
        Self { key, sentence, checks, impacts: vec![], refusal: None, places, is_announced: None }
    }

    /// Writes the sentence and the checks, before anything is sent.
    pub(super) fn write_checks(&self, environment: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}  [{environment}]", self.sentence)?;
        let wide = self
            .checks
            .iter()
            .map(|line| line.check.code.as_str().width())
            .max()
            .unwrap_or_default();
        let subjects: Vec<String> = self.checks.iter().map(Line::subject).collect();
        let widest = subjects.iter().map(|subject| subject.width()).max().unwrap_or_default();
        for (Line { check, .. }, subject) in self.checks.iter().zip(&subjects) {
            let Check { code, finding, .. } = check;
            let text = check.message.clone().unwrap_or_else(|| figures(check));
            let gap = " ".repeat(widest.saturating_sub(subject.width()));
            let line = format!("  {:<4}  {code:<wide$}  {subject}{gap}  {text}", word(*finding));
            writeln!(out, "{}", line.trim_end())?;
        }
        for impact in &self.impacts {
            writeln!(out, "  {}", impact_text(impact))?;
        }
        out.flush()
    }

    /// Writes the result as text.
    pub(super) fn write_text(&self, status: &WriteStatus, out: &mut dyn Write) -> io::Result<()> {
        let key = self.key;
        match status {
            WriteStatus::Outcome(Outcome::Accepted(accepted)) => {
                let code = accepted.code.as_ref().map(|code| format!("{code}  "));
                writeln!(
                    out,
                    "accepted  {}{}  id {key}",
                    code.unwrap_or_default(),
                    accepted.message
                )?;
                for (id, by) in &accepted.taken {
                    writeln!(out, "          {id} was already acknowledged by {by}")?;
                }
                for item in &accepted.items {
                    let places = self.places.get(&item.instrument).copied().unwrap_or_default();
                    writeln!(out, "        {}", item_text(item, places).1)?;
                }
            }
            WriteStatus::Outcome(Outcome::Refused(refusal)) => {
                writeln!(out, "refused   {}: {}{}", refusal.code, refusal.message, of(refusal))?;
            }
            WriteStatus::Outcome(Outcome::Unknown(reason)) => {
                writeln!(out, "UNCONFIRMED  {reason}")?;
                writeln!(out, "          do not resend: `tmt outcome {key}` settles it")?;
            }
            WriteStatus::Checked(None) => writeln!(out, "dry run: would be sent")?,
            WriteStatus::Checked(Some(refusal)) => {
                writeln!(out, "dry run: would be refused  {}: {}", refusal.code, refusal.message)?;
            }
            WriteStatus::Declined => writeln!(out, "not sent")?,
        }
        out.flush()
    }

    /// Writes the result as JSON. Numbers are strings, so that no digit is lost.
    pub(super) fn write_json(&self, status: &WriteStatus, out: &mut dyn Write) -> io::Result<()> {
        let outcome = match status {
            WriteStatus::Outcome(outcome) => outcome.kind().as_str(),
            WriteStatus::Checked(_) => "checked",
            WriteStatus::Declined => "declined",
        };
        let (accepted, refusal, unknown) = status.parts();
        let sentence = accepted.map(|a| a.message.as_str()).or(refusal.map(|r| r.message.as_str()));
        let message = sentence.or(unknown);
        let code = accepted.and_then(|a| a.code.as_ref()).or(refusal.map(|r| &r.code));
        let taken = accepted.map(|a| a.taken.as_slice()).unwrap_or_default();
        let document = json!({
            "outcome": outcome,
            "id": self.key.to_string(),
            "sentence": self.sentence,
            "code": code,
            "message": message,
            "subject": accepted.and_then(|a| a.subject).map(|id| id.to_string()),
            "measured": refusal.and_then(|r| digits(r.measured)),
            "allowed": refusal.and_then(|r| digits(r.allowed)),
            "unit": refusal.and_then(|r| r.unit.as_ref()),
            "done": accepted.map(|a| a.done.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "taken": taken.iter().map(|(id, by)| json!({"id": id.to_string(), "by": by}))
                .collect::<Vec<_>>(),
            "items": accepted.map(|a| a.items.iter().map(item).collect::<Vec<_>>()),
            "impact": self.impacts.iter().map(impact).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "announced": self.is_announced,
        });
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
        out.flush()
    }
}

fn digits(number: Option<Decimal>) -> Option<String> {
    number.map(|number| number.normalize().to_string())
}

fn item(item: &Item) -> Value {
    let (position, instrument) = (item.position.to_string(), &item.instrument);
    match &item.end {
        ItemEnd::Closed { size, price, pnl } => json!({
            "position": position,
            "instrument": instrument,
            "end": "closed",
            "size": digits(*size),
            "price": digits(*price),
            "gross_pnl": digits(*pnl),
        }),
        ItemEnd::Kept { code, message } => json!({
            "position": position,
            "instrument": instrument,
            "end": "kept",
            "code": code,
            "message": message,
        }),
    }
}

fn impact(impact: &Impact) -> Value {
    json!({
        "account": impact.account,
        "measured": digits(impact.measured),
        "allowed": digits(impact.allowed),
        "room": digits(impact.room),
        "unit": impact.unit,
        "state": impact.state,
    })
}

/// Returns what a limit would mean for an account: `bravo  breach  120 of 100 USD, over by 20`.
fn impact_text(impact: &Impact) -> String {
    let unit = impact.unit.as_ref();
    let amount =
        |value: Option<Decimal>| value.map_or_else(|| "-".to_owned(), |value| figure(value, unit));
    let room = match impact.room {
        Some(room) if room.is_sign_negative() => format!("over by {}", figure(room.abs(), unit)),
        room => format!("room {}", amount(room)),
    };
    format!(
        "{:<12}  {:<8}  {} of {} {}, {room}",
        impact.account.as_deref().unwrap_or("combined"),
        impact.state,
        amount(impact.measured),
        amount(impact.allowed),
        unit.map_or("", Unit::as_str),
    )
}

fn check(line: &Line) -> Value {
    let Line { check, scope, identifier } = line;
    json!({
        "code": check.code,
        "limit_id": check.limit.map(|id| id.to_string()),
        "scope": scope.map(Scope::as_str),
        "identifier": identifier,
        "finding": match check.finding {
            Finding::Passes => "passes",
            Finding::Confirm => "confirm",
            Finding::Reject => "reject",
        },
        "before": digits(check.before),
        "measured": digits(check.measured),
        "allowed": digits(check.allowed),
        "room": digits(check.room),
        "unit": check.unit,
        "message": check.message,
    })
}

/// Writes a figure in as many digits as mean something: money in hundredths, a share in at most
/// four decimals; a size and a price exactly.
fn figure(value: Decimal, unit: Option<&Unit>) -> String {
    let places = match unit {
        Some(
            Unit::Percentage
            | Unit::Fraction
            | Unit::Other(Plain::Ratio | Plain::Pips | Plain::Seconds),
        ) => 4,
        Some(Unit::Money(_)) => 2,
        Some(Unit::Other(_)) | None => return exact(value),
    };
    exact(round(value, places))
}

/// Returns the numbers of a check: `146,797 -> 179,393.5 of 180,000 USD`.
fn figures(check: &Check) -> String {
    let of = check.unit.as_ref();
    let before = check.before.map(|before| format!("{} -> ", figure(before, of)));
    let allowed = check.allowed.filter(|_| has_share(&check.code, of));
    let allowed = allowed.map(|allowed| format!(" of {}", figure(allowed, of)));
    let unit = of.map(|unit| format!(" {unit}"));
    let Some(measured) = check.measured else { return String::new() };
    let (before, allowed) = (before.unwrap_or_default(), allowed.unwrap_or_default());
    format!("{before}{}{allowed}{}", figure(measured, of), unit.unwrap_or_default())
}

/// Returns the numbers of a refusal, where its sentence may not have them: how much of what is
/// allowed would be used.
fn of(refusal: &Refusal) -> String {
    let of = refusal.unit.as_ref();
    match (refusal.measured, refusal.allowed) {
        (Some(measured), Some(allowed)) if has_share(&refusal.code, of) => {
            let unit = of.map(|unit| format!(" {unit}")).unwrap_or_default();
            format!(" ({} of {}{unit})", figure(measured, of), figure(allowed, of))
        }
        (Some(_) | None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn a_figure_has_the_digits_that_mean_something() {
        for (value, unit, text) in [
            (dec!(1178.54054351), Some("EUR"), "1,178.54"),
            (dec!(12.090707249250932293), Some("percentage"), "12.0907"),
            (dec!(0.0333000), Some("fraction"), "0.0333"),
            (dec!(10000.5), Some("units"), "10,000.5"),
            (dec!(1.085101), Some("price"), "1.085101"),
            (dec!(1), None, "1"),
        ] {
            assert_eq!(figure(value, unit.map(Unit::read).as_ref()), text);
        }
    }
}
