//! The verbs that write, without the screen: the same ticket, the same checks, the same call.

mod drafting;
pub(super) mod sending;

use tokio_util::sync::CancellationToken;

use super::exit::{CliError, Exit};
use super::io::Io;
use super::report::{Line, Report, WriteStatus};
use super::snapshot::Snapshot;
use super::write_args::{How, Write};
use crate::app::command::{self, Verbs};
use crate::app::form;
use crate::app::form::kind::{Facts, environment_of};
use crate::app::permit;
use crate::config::Config;
use crate::domain::change::Kind;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::{Finding, Outcome, OutcomeKind, Refusal};
use crate::domain::request::Request;
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
/// [`CliError`] where nothing was sent. What became of something that was sent is the exit code.
pub(super) async fn write(
    config: &Config,
    write: &Write,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, CliError> {
    let Write { word, verb, how } = write;
    // Only a close can be about one trade.
    let is_close = matches!(verb, Verbs::Close(_));
    let kinds: Vec<Kind> =
        KINDS.into_iter().filter(|kind| is_close || *kind != Kind::Trades).collect();
    let mut snapshot = Snapshot::read(config, &kinds).await?;
    for sentence in std::mem::take(&mut snapshot.unreadable) {
        io.note(&sentence);
    }
    let key = how.id.map_or_else(Clock::fresh_key, ClientKey);
    let unsent = |status: &WriteStatus, io: &mut Io<'_>| {
        finish(&Report::new(key, word.clone(), vec![]), status, *how, io)
    };
    // Before anything else is asked. The database would say the same.
    if let Some(denial) = command::denial(&snapshot.model, word) {
        let code = denial.code().ok_or_else(|| CliError::Other(denial.to_string()))?;
        let refusal = Refusal::plain(code, denial.to_string());
        return unsent(&WriteStatus::Outcome(Outcome::Refused(refusal)), io);
    }
    let (journal, unknown) = sending::open(config, &snapshot.store, io).await?;
    let (request, is_repeated) = match request(config, &mut snapshot, verb, key, *how, io).await {
        Err(CliError::Refused(refusal)) if how.dry_run => {
            return unsent(&WriteStatus::Checked(Some(refusal)), io);
        }
        Err(CliError::Refused(refusal)) => {
            return unsent(&WriteStatus::Outcome(Outcome::Refused(refusal)), io);
        }
        drafted => drafted?,
    };
    if let Some(earlier) = unknown.first().filter(|_| request.verb.adds_risk()) {
        let text = format!(
            "not sent: an earlier write is unconfirmed ({}); settle it with `tmt outcome {}`",
            earlier.summary, earlier.request.key
        );
        return Err(CliError::Other(text));
    }
    let facts = form::facts(&snapshot.model, &request.verb);
    let report = report(&snapshot, &request, &facts, io).await?;
    let draft = Draft { request: &request, facts: &facts, report: &report };
    // A repeated request is not confirmed again: the database returns its first outcome.
    if !is_repeated && let Some(status) = decide(&snapshot, draft, *how, io, stop).await? {
        return finish(&report, &status, *how, io);
    }
    if how.id.is_some() {
        journal.keep();
    }
    let outcome = sending::send(&snapshot.store, &journal, &request, &report.sentence, io).await?;
    let announced = match &outcome {
        Outcome::Accepted(accepted) => {
            Some(sending::announce(config, &snapshot, &request, accepted).await)
        }
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    };
    if let Some(Err(reason)) = &announced {
        io.note(&format!("written, but not announced on the bus: {reason}"));
    }
    let report = Report { is_announced: announced.map(|result| result.is_ok()), ..report };
    finish(&report, &WriteStatus::Outcome(outcome), *how, io)
}

/// Makes the request; with an id that was used before, what was sent under it. Tells whether that
/// one has ended.
async fn request(
    config: &Config,
    snapshot: &mut Snapshot,
    verb: &Verbs,
    key: ClientKey,
    how: How,
    io: &mut Io<'_>,
) -> Result<(Request, bool), CliError> {
    let made = drafting::request(config, snapshot, verb, key, io).await;
    let sent = how.id.map(|_| sending::sent_before(config, key, io)).unwrap_or_default();
    let found = match &made {
        Ok(new) => sent
            .into_iter()
            .find(|found| drafting::is_the_same(verb, &found.intent.request.verb, &new.verb)),
        // It cannot be asked for again, since it was done: the position is closed.
        Err(_) => sent.into_iter().min_by_key(|found| found.end != Some(OutcomeKind::Accepted)),
    };
    // Of another one, the database says that the id is used.
    match found {
        Some(found) => Ok((found.intent.request, found.end.is_some())),
        None => made.map(|request| (request, false)),
    }
}

/// Returns the request as a sentence, with the rulebook's checks.
async fn report(
    snapshot: &Snapshot,
    request: &Request,
    facts: &Facts,
    io: &mut Io<'_>,
) -> Result<Report, CliError> {
    let checks = match request.verb.question().zip(facts.account) {
        Some((question, account)) => {
            let checks = snapshot.store.ask(&question).await?;
            checks.into_iter().map(|check| Line::new(&snapshot.model, account, check)).collect()
        }
        None => vec![],
    };
    let mut report = Report::new(request.key, facts.sentence.clone(), checks);
    let instruments = snapshot.model.book.instruments();
    report.places = instruments.map(|row| (row.id.to_string(), row.price_places())).collect();
    if let Some(preview) = &facts.preview {
        match snapshot.store.preview_limit(preview).await {
            Ok(impacts) => report.impacts = impacts,
            Err(StoreError::WouldBeRefused { code, message }) => {
                report.refusal = Some(Refusal::plain(code, message));
            }
            Err(error) => io.note(&format!("limit preview unavailable: {error}")),
        }
    }
    Ok(report)
}

fn finish(
    report: &Report,
    status: &WriteStatus,
    how: How,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    if how.json {
        report.write_json(status, io.out)?;
    } else {
        report.write_text(status, io.out)?;
    }
    Ok(status.exit())
}

/// What is about to be sent, and what is known of it.
#[derive(Debug, Clone, Copy)]
struct Draft<'a> {
    request: &'a Request,
    facts: &'a Facts,
    report: &'a Report,
}

/// Shows what will be sent, and finds out whether it may be. `None` is yes.
async fn decide(
    snapshot: &Snapshot,
    draft: Draft<'_>,
    how: How,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Option<WriteStatus>, CliError> {
    let Draft { request, facts, report } = draft;
    let environment = environment_of(&snapshot.model, facts.account)
        .map(|environment| environment.as_str().to_uppercase())
        .unwrap_or_default();
    if !how.json {
        report.write_checks(&environment, io.out)?;
    }
    let stopper = report.refusal.clone().or_else(|| stopper(report, request));
    if how.dry_run {
        return Ok(Some(WriteStatus::Checked(stopper)));
    }
    // With an id the write may be done already: then the database returns its first outcome, whatever
    // the checks say of doing it twice.
    if let Some(refusal) = stopper.filter(|_| how.id.is_none()) {
        return Ok(Some(WriteStatus::Outcome(Outcome::Refused(refusal))));
    }
    if how.yes {
        return Ok(None);
    }
    if !io.is_interactive {
        return Err(CliError::NotInteractive);
    }
    let question = if how.json {
        format!("{}  [{environment}]: send?", report.sentence)
    } else {
        "send?".to_owned()
    };
    let is_yes = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        answer = io.ask_for(&question, facts.word.as_deref()) => answer,
    };
    Ok((!is_yes).then_some(WriteStatus::Declined))
}

/// Returns the check that blocks the write, with the shell's hint.
fn stopper(report: &Report, request: &Request) -> Option<Refusal> {
    let checks = report.checks.iter().map(|line| &line.check);
    let check = permit::blocking_check(checks, permit::has_reason(&request.verb))?;
    let message = check.message.as_deref().unwrap_or("the check failed");
    let message = match check.finding {
        // A sentence that goes on does not end here.
        Finding::Confirm => {
            format!("{}; add reason=\"…\" to pass this soft limit", message.trim_end_matches('.'))
        }
        Finding::Reject | Finding::Passes => message.to_owned(),
    };
    Some(Refusal {
        code: check.code.clone(),
        message,
        measured: check.measured,
        allowed: check.allowed,
        unit: check.unit.clone(),
    })
}
