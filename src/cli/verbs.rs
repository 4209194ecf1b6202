//! The verbs that write, without the screen: the same ticket, the same checks, the same call.

mod drafting;
mod environment;
pub(super) mod sending;

use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::exit::{Exit, Trouble};
use super::io::Io;
use super::report::{Line, Report, Said};
use super::write_args::{How, Write};
use crate::app::command::{Halt, Verbs};
use crate::app::draft;
use crate::config::Config;
use crate::domain::change::Kind;
use crate::domain::code::Code;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::{Finding, Outcome, Refusal};
use crate::domain::request::{LimitPreview, Request, Verb};
use crate::domain::session::Right;
use crate::runtime::Clock;
use crate::store::StoreError;

/// What a ticket can be about.
const KINDS: [Kind; 8] = [
    Kind::Instruments,
    Kind::Accounts,
    Kind::Positions,
    Kind::Trades,
    Kind::Signals,
    Kind::Events,
    Kind::Limits,
    Kind::Halts,
];

/// Does what a verb says: checks, asks, sends once, settles, announces.
///
/// # Errors
///
/// [`Trouble`] where nothing was sent. What became of something that was sent is the exit code.
pub(super) async fn write(
    config: &Config,
    write: &Write,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, Trouble> {
    let Write { verb, how } = write;
    // Only a close can be about one trade.
    let is_close = matches!(verb, Verbs::Close(_));
    let kinds: Vec<Kind> =
        KINDS.into_iter().filter(|kind| is_close || *kind != Kind::Trades).collect();
    let mut desk = Desk::read(config, &kinds).await?;
    for sentence in std::mem::take(&mut desk.unreadable) {
        io.note(&sentence);
    }
    let key = how.id.map_or_else(Clock::fresh_key, ClientKey);
    if let Some(refusal) = not_allowed(&desk, verb) {
        let report = Report::new(key, verb_name(verb).to_owned(), vec![]);
        return finish(&report, &Said::Outcome(Outcome::Refused(refusal)), *how, io);
    }
    let (journal, unknown) = sending::open(config, &desk.store, io).await?;
    let (request, is_repeated) = match request(config, &mut desk, verb, key, *how, io).await {
        Err(Trouble::Refused(refusal)) => {
            let report = Report::new(key, verb_name(verb).to_owned(), vec![]);
            let said = if how.dry_run {
                Said::Checked(Some(refusal))
            } else {
                Said::Outcome(Outcome::Refused(refusal))
            };
            return finish(&report, &said, *how, io);
        }
        drafted => drafted?,
    };
    if let Some(earlier) = unknown.first().filter(|_| request.verb.adds_risk()) {
        let text = format!(
            "not sent: an earlier write is still unknown ({}); settle it first with `tmt outcome {}`",
            earlier.summary, earlier.request.key
        );
        return Err(Trouble::Other(text));
    }
    let report = report(&desk, &request, io).await?;
    // What stands already is not asked about: the database returns its first outcome.
    if !is_repeated && let Some(said) = decide(&desk, &request, &report, *how, io, stop).await? {
        return finish(&report, &said, *how, io);
    }
    if how.id.is_some() {
        journal.keep();
    }
    let outcome = sending::send(&desk.store, &journal, &request, &report.sentence, io).await?;
    let announced = match &outcome {
        Outcome::Accepted(accepted) => {
            Some(sending::announce(config, &desk, &request, accepted).await)
        }
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    };
    if let Some(Err(reason)) = &announced {
        io.note(&format!("written, but not announced on the bus: {reason}"));
    }
    let report = Report { is_announced: announced.map(|result| result.is_ok()), ..report };
    finish(&report, &Said::Outcome(outcome), *how, io)
}

/// Makes the request; with an id that was used before, what was sent under it. Tells whether that
/// one has ended.
async fn request(
    config: &Config,
    desk: &mut Desk,
    verb: &Verbs,
    key: ClientKey,
    how: How,
    io: &mut Io<'_>,
) -> Result<(Request, bool), Trouble> {
    let made = drafting::request(config, desk, verb, key, io).await;
    let sent = how.id.map(|_| sending::sent_before(config, key)).unwrap_or_default();
    let found = match &made {
        Ok(new) => sent
            .into_iter()
            .find(|found| drafting::is_the_same(verb, &found.intent.request.verb, &new.verb)),
        // It cannot be asked for again, since it was done: the position is closed.
        Err(_) => sent.into_iter().min_by_key(|found| found.end.as_deref() != Some("accepted")),
    };
    // Of another one, the database says that the id is used.
    match found {
        Some(found) => Ok((found.intent.request, found.end.is_some())),
        None => made.map(|request| (request, false)),
    }
}

/// Returns the request in words, with what the rulebook says of it.
async fn report(desk: &Desk, request: &Request, io: &mut Io<'_>) -> Result<Report, Trouble> {
    let (account, _) = desk.model.desk.touched(&request.verb);
    let checks = match request.verb.question().zip(account) {
        Some((question, account)) => {
            let checks = desk.store.ask(&question).await?;
            checks.into_iter().map(|check| Line::new(&desk.model, account, check)).collect()
        }
        None => vec![],
    };
    let sentence = draft::sentence(&desk.model, &request.verb);
    let mut report = Report::new(request.key, sentence, checks);
    let instruments = desk.model.book.instruments();
    report.places = instruments.map(|row| (row.id.to_string(), row.price_places())).collect();
    if let Some(preview) = weighed(desk, &request.verb) {
        match desk.store.preview_limit(&preview).await {
            Ok(impacts) => report.impacts = impacts,
            Err(StoreError::WouldBeRefused { code, message }) => {
                report.bar = Some(Refusal::plain(code, message));
            }
            Err(error) => io.note(&format!("whom the limit would bind is not known: {error}")),
        }
    }
    Ok(report)
}

/// Returns the limit that would count after a write.
fn weighed(desk: &Desk, verb: &Verb) -> Option<LimitPreview> {
    match verb {
        Verb::ProposeLimit { limit, value, .. } => {
            Some(LimitPreview::Value { limit: *limit, value: *value })
        }
        Verb::ApproveLimit { limit, .. } => {
            let row = desk.model.desk.limits.get(limit)?;
            let limit = row.supersedes.unwrap_or(row.id);
            (!row.retires).then_some(LimitPreview::Value { limit, value: row.value })
        }
        Verb::CreateLimit(limit) => Some(LimitPreview::New(limit.clone())),
        Verb::Place(_)
        | Verb::Close { .. }
        | Verb::Amend { .. }
        | Verb::Flatten { .. }
        | Verb::Acknowledge { .. }
        | Verb::Unacknowledge { .. }
        | Verb::RetireLimit { .. }
        | Verb::RejectLimit { .. }
        | Verb::Halt { .. }
        | Verb::Resume { .. } => None,
    }
}

fn finish(report: &Report, said: &Said, how: How, io: &mut Io<'_>) -> Result<Exit, Trouble> {
    if how.json {
        report.write_json(said, io.out)?;
    } else {
        report.write_text(said, io.out)?;
    }
    Ok(said.exit())
}

/// Returns the right that a verb needs.
fn right(verb: &Verbs) -> Right {
    match verb {
        Verbs::Buy(_) | Verbs::Sell(_) | Verbs::Take(_) => Right::Open,
        Verbs::Close(_) | Verbs::Amend(_) | Verbs::Flatten(_) => Right::Trade,
        Verbs::Ack(_) | Verbs::Unack(_) | Verbs::Limit(_) | Verbs::Resume(_) => Right::Risk,
        Verbs::Halt(Halt { of, .. }) | Verbs::ReduceOnly(of) => {
            if of.account.is_some() {
                Right::Halt
            } else {
                Right::Risk
            }
        }
    }
}

/// Returns the word of a verb.
pub(super) fn verb_name(verb: &Verbs) -> &'static str {
    match verb {
        Verbs::Buy(_) => "buy",
        Verbs::Sell(_) => "sell",
        Verbs::Close(_) => "close",
        Verbs::Amend(_) => "amend",
        Verbs::Flatten(_) => "flatten",
        Verbs::Take(_) => "take",
        Verbs::Ack(_) => "ack",
        Verbs::Unack(_) => "unack",
        Verbs::Limit(_) => "limit",
        Verbs::Halt(_) => "halt",
        Verbs::ReduceOnly(_) => "reduce-only",
        Verbs::Resume(_) => "resume",
    }
}

/// Returns why this login may not do it, before anything else is asked. The database would say the
/// same.
fn not_allowed(desk: &Desk, verb: &Verbs) -> Option<Refusal> {
    let session = desk.model.session.as_ref()?;
    let needed = right(verb);
    if desk.options().is_read_only {
        let text = "screen.read_only is set: nothing can be written";
        return Some(Refusal::plain(Code::ReadOnly, text));
    }
    if session.in_recovery {
        let text = "the server is a standby: nothing can be written there";
        return Some(Refusal::plain(Code::ReadOnly, text));
    }
    if session.may(needed) {
        return None;
    }
    let who = match needed {
        Right::Read => "a viewer",
        Right::Open | Right::Trade | Right::Halt => "a trader",
        Right::Risk => "a risk officer",
    };
    let (operator, role) = (&session.operator, session.role.as_str());
    let text = format!("login {operator} has the role {role}; this needs the role of {who}");
    Some(Refusal::plain(Code::NotPermitted, text))
}

/// Shows what will be sent, and finds out whether it may be. `None` is yes.
async fn decide(
    desk: &Desk,
    request: &Request,
    report: &Report,
    how: How,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Option<Said>, Trouble> {
    let environment = environment::of(&desk.model, &request.verb)
        .map(|environment| environment.as_str().to_uppercase())
        .unwrap_or_default();
    if !how.json {
        report.write_checks(&environment, io.out)?;
    }
    let stopper = report.bar.clone().or_else(|| stopper(&report.checks, request));
    if how.dry_run {
        return Ok(Some(Said::Checked(stopper)));
    }
    // With an id the write may stand already: then the database returns its first outcome, whatever
    // the checks say of doing it twice.
    if let Some(refusal) = stopper.filter(|_| how.id.is_none()) {
        return Ok(Some(Said::Outcome(Outcome::Refused(refusal))));
    }
    if how.yes {
        return Ok(None);
    }
    if !io.is_interactive {
        return Err(Trouble::NotInteractive);
    }
    let question = if how.json {
        format!("{}  [{environment}]: send?", report.sentence)
    } else {
        "send?".to_owned()
    };
    let word = draft::confirmation_of(&desk.model, &request.verb);
    let is_yes = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        answer = io.ask_for(&question, word.as_deref()) => answer,
    };
    Ok((!is_yes).then_some(Said::Declined))
}

/// Returns the first check that keeps the write from being sent.
fn stopper(lines: &[Line], request: &Request) -> Option<Refusal> {
    let has_reason = matches!(&request.verb, Verb::Place(trade) if trade.reason.is_some());
    let found = |finding| lines.iter().map(|line| &line.check).find(|c| c.finding == finding);
    let (hard, soft) = (found(Finding::Reject), found(Finding::Confirm));
    let (check, advice) = match (hard, soft) {
        (Some(check), _) => (check, ""),
        (None, Some(check)) if !has_reason => {
            (check, "; a soft limit can be passed with reason=\"…\"")
        }
        (None, _) => return None,
    };
    let message = check.message.as_deref().unwrap_or("the check does not pass");
    // A sentence that goes on does not end here.
    let message = if advice.is_empty() { message } else { message.trim_end_matches('.') };
    Some(Refusal {
        code: check.code.clone(),
        message: format!("{message}{advice}"),
        measured: check.measured,
        allowed: check.allowed,
        unit: check.unit.clone(),
    })
}
