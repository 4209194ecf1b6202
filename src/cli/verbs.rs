//! The verbs that write, without the screen: the same ticket, the same checks, the same call.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::exit::{Exit, Trouble};
use super::io::Io;
use super::prices;
use super::report::{Report, Said};
use super::write_args::{How, Write};
use crate::app::Msg;
use crate::app::command::{self, Verbs};
use crate::app::draft::{self, Problem};
use crate::app::ticket::{FieldName, Form, Ticket};
use crate::config::Config;
use crate::domain::change::Kind;
use crate::domain::ids::{ClientKey, InstrumentId};
use crate::domain::outcome::{Accepted, Check, Finding, Outcome, Refusal};
use crate::domain::request::{Request, Verb};
use crate::domain::session::Right;
use crate::feed::publish::{Announcer, Written, announcement};
use crate::runtime::Clock;
use crate::store::Store;

/// What a ticket can be about.
const KINDS: [Kind; 7] = [
    Kind::Instruments,
    Kind::Accounts,
    Kind::Positions,
    Kind::Signals,
    Kind::Events,
    Kind::Limits,
    Kind::Halts,
];

/// How often an unknown outcome is asked for before the answer is left to `tmt outcome`.
const MOST_QUESTIONS: u32 = 3;

/// Pause between two of these questions.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);

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
    let mut desk = Desk::read(config, &KINDS).await?;
    for sentence in std::mem::take(&mut desk.unreadable) {
        io.note(&sentence);
    }
    let key = how.id.map_or_else(Clock::fresh_key, ClientKey);
    if let Some(refusal) = not_allowed(&desk, verb) {
        let report = Report::new(key, verb_name(verb).to_owned(), vec![]);
        return finish(&report, &Said::Outcome(Outcome::Refused(refusal)), *how, io);
    }
    let ticket = ticket(config, &mut desk, verb, key, io).await?;
    let request = Request { key, verb: drafted(&desk, &ticket)? };
    let checks = if let Verb::Place(trade) = &request.verb {
        desk.store.assess(trade).await?
    } else {
        vec![]
    };
    let report = Report::new(key, draft::sentence(&desk.model, &request.verb), checks);
    if let Some(said) = decide(&desk, &request, &report, *how, io, stop).await? {
        return finish(&report, &said, *how, io);
    }
    let outcome = settled(&desk.store, &request, io).await;
    let announced = match &outcome {
        Outcome::Accepted(accepted) => Some(announce(config, &desk, &request, accepted).await),
        Outcome::Refused(_) | Outcome::Unknown(_) => None,
    };
    if let Some(Err(reason)) = &announced {
        io.note(&format!("written, but not announced on the bus: {reason}"));
    }
    let report = Report { is_announced: announced.map(|result| result.is_ok()), ..report };
    finish(&report, &Said::Outcome(outcome), *how, io)
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
        Verbs::Buy(_) | Verbs::Sell(_) | Verbs::Close(_) | Verbs::Take(_) => Right::Trade,
        Verbs::Ack(_) | Verbs::Unack(_) | Verbs::Limit(_) | Verbs::Resume(_) => Right::Risk,
        Verbs::Halt(_) | Verbs::ReduceOnly(_) => Right::Halt,
    }
}

/// Returns the word of a verb.
pub(super) fn verb_name(verb: &Verbs) -> &'static str {
    match verb {
        Verbs::Buy(_) => "buy",
        Verbs::Sell(_) => "sell",
        Verbs::Close(_) => "close",
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
        return Some(Refusal::plain("READ_ONLY", text));
    }
    if session.in_recovery {
        let text = "the server is a standby: nothing can be written there";
        return Some(Refusal::plain("READ_ONLY", text));
    }
    if desk.model.role().may(needed) {
        return None;
    }
    let who = match needed {
        Right::Read => "a viewer",
        Right::Trade | Right::Halt => "a trader",
        Right::Risk => "a risk officer",
    };
    let (operator, role) = (&session.operator, session.role.as_str());
    let text = format!("login {operator} has the role {role}; this needs the role of {who}");
    Some(Refusal::plain("NOT_PERMITTED", text))
}

/// Opens the ticket, with the price of this moment where the verb names none.
async fn ticket(
    config: &Config,
    desk: &mut Desk,
    verb: &Verbs,
    key: ClientKey,
    io: &mut Io<'_>,
) -> Result<Ticket, Trouble> {
    let opened = command::ticket(&desk.model, verb, key).map_err(Trouble::Usage)?;
    let (price, closes) = match verb {
        Verbs::Buy(open) | Verbs::Sell(open) => (open.price, false),
        Verbs::Take(take) => (take.price, false),
        Verbs::Close(close) => (close.price, true),
        Verbs::Ack(_)
        | Verbs::Unack(_)
        | Verbs::Limit(_)
        | Verbs::Halt(_)
        | Verbs::ReduceOnly(_)
        | Verbs::Resume(_) => return Ok(opened),
    };
    let Some(instrument) = instrument(desk, &opened).filter(|_| price.is_none()) else {
        return Ok(opened);
    };
    match prices::quote(config.feed.clone(), &instrument).await {
        Ok(quote) => {
            desk.tell(Msg::QuotesArrived(vec![quote]));
            command::ticket(&desk.model, verb, key).map_err(Trouble::Usage)
        }
        // Less risk is always allowed: a position can be closed at the last price that is known.
        Err(why) if closes && opened.text(FieldName::Price).is_some() => {
            io.note(&format!(
                "no price of this moment ({why}): the last one in the database is taken"
            ));
            Ok(opened)
        }
        Err(why) => Err(Trouble::Other(format!("no price: {why}; give one with price=…"))),
    }
}

fn instrument(desk: &Desk, ticket: &Ticket) -> Option<InstrumentId> {
    if let Form::Close { position } = &ticket.form {
        return desk.model.desk.positions.get(position).map(|held| held.instrument.clone());
    }
    draft::chosen_instrument(&desk.model, ticket).map(|row| row.id.clone())
}

/// Reads the ticket; what is missing is said in the words of the shell.
fn drafted(desk: &Desk, ticket: &Ticket) -> Result<Verb, Trouble> {
    draft::draft(&desk.model, ticket).map_err(|Problem { field, text }| {
        let is_empty = |name| ticket.text(name).is_none();
        Trouble::Usage(match field {
            Some(FieldName::Account) if is_empty(FieldName::Account) => {
                let mut names: Vec<&str> =
                    desk.model.desk.accounts.values().map(|row| row.name.as_str()).collect();
                names.sort_unstable();
                format!("say which account, like @{}", names.join(" or @"))
            }
            Some(FieldName::Size) if is_empty(FieldName::Size) => {
                "say how much: no preset fits this instrument".to_owned()
            }
            Some(FieldName::Note) if is_empty(FieldName::Note) => {
                "a critical or emergency event needs a note: add note=\"…\"".to_owned()
            }
            Some(FieldName::Reason) if is_empty(FieldName::Reason) => {
                format!("{text}; add reason=\"…\"")
            }
            _ => text,
        })
    })
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
    let environment = desk.model.environment().map_or("", |environment| environment.as_str());
    if !how.json {
        report.write_checks(environment, io.out)?;
    }
    let stopper = stopper(&report.checks, request);
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
    if !io.has_person {
        return Err(Trouble::NobodyToAsk);
    }
    let question =
        if how.json { format!("{}: send?", report.sentence) } else { "send?".to_owned() };
    let is_yes = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        answer = io.ask(&question) => answer,
    };
    Ok((!is_yes).then_some(Said::Declined))
}

/// Returns the first check that keeps the write from being sent.
fn stopper(checks: &[Check], request: &Request) -> Option<Refusal> {
    let has_reason = matches!(&request.verb, Verb::Place(trade) if trade.reason.is_some());
    let hard = checks.iter().find(|check| check.finding == Finding::Reject);
    let soft = checks.iter().find(|check| check.finding == Finding::Confirm);
    let (check, advice) = match (hard, soft) {
        (Some(check), _) => (check, ""),
        (None, Some(check)) if !has_reason => {
            (check, "; a soft limit can be passed with reason=\"…\"")
        }
        (None, _) => return None,
    };
    let message = check.message.as_deref().unwrap_or("the check does not pass");
    Some(Refusal {
        code: check.code.clone(),
        message: format!("{message}{advice}"),
        measured: check.measured,
        allowed: check.allowed,
        unit: check.unit.clone(),
    })
}

/// Sends once. An answer that was lost is asked for, never sent for again.
async fn settled(store: &Store, request: &Request, io: &mut Io<'_>) -> Outcome {
    let mut outcome = store.perform(request).await;
    for _ in 0..MOST_QUESTIONS {
        let Outcome::Unknown(reason) = &outcome else { break };
        io.note(&format!("the answer was lost ({reason}); asking what became of it"));
        sleep(BETWEEN_QUESTIONS).await;
        outcome = store.resolve(request).await;
    }
    outcome
}

async fn announce(
    config: &Config,
    desk: &Desk,
    request: &Request,
    accepted: &Accepted,
) -> Result<(), String> {
    let held = if let Verb::Close { position, .. } = &request.verb {
        desk.model.desk.positions.get(position)
    } else {
        None
    };
    let operator = desk.model.session.as_ref().map_or("", |session| session.operator.as_str());
    let written = Written {
        request,
        accepted,
        operator,
        at: Clock::start().now(),
        account: held.map(|row| row.account),
        instrument: held.map(|row| &row.instrument),
    };
    let announcer = Announcer::new(config.feed.clone());
    announcer.announce(&announcement(&written)).await.map_err(|error| error.to_string())
}
