//! Sending once, and settling the outcome.

use std::time::Duration;

use tokio::time::sleep;

use crate::cli::args;
use crate::cli::exit::{CliError, Exit};
use crate::cli::io::Io;
use crate::cli::report::{Report, WriteStatus};
use crate::cli::snapshot::Snapshot;
use crate::config::Config;
use crate::domain::code::Code;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::{Accepted, Outcome};
use crate::domain::request::Request;
use crate::feed::publish::{Announcer, Written, announcement};
use crate::runtime::clock;
use crate::runtime::journal::{self, Found, Intent, Journal, Opened};
use crate::store::{self, Store};

/// How often an unconfirmed outcome is queried before it is left to `tmt outcome`.
const MOST_QUESTIONS: u32 = 3;

/// Pause between two queries.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);

/// Tells one database and login from another, in journals.
pub(in crate::cli) fn place(options: &store::Options) -> String {
    let servers: Vec<String> = options.servers.iter().map(ToString::to_string).collect();
    let user = options.user.as_deref().unwrap_or_default();
    let database = options.database.as_deref().or(options.user.as_deref()).unwrap_or_default();
    format!("{user}@{}/{database}", servers.join(","))
}

/// Opens the journal, and settles what earlier processes left open.
///
/// # Errors
///
/// [`CliError::Journal`] if it cannot be written: then nothing may be sent.
pub(super) async fn open(
    config: &Config,
    store: &Store,
    io: &mut Io<'_>,
) -> Result<(Journal, Vec<Intent>), CliError> {
    let Opened { journal, left, damage } =
        Journal::open(&config.journal_folder, &place(&config.store))?;
    for damage in damage {
        io.note(&damage.to_string());
    }
    let mut unknown = Vec::new();
    for intent in left {
        let outcome = store.resolve(&intent.request).await;
        let (key, summary) = (intent.request.key, &intent.summary);
        let text = match &outcome {
            Outcome::Accepted(accepted) => format!("accepted: {}", accepted.message),
            Outcome::Refused(refusal) => format!("not done: {}", refusal.message),
            Outcome::Unknown(reason) => format!("still unconfirmed: {reason}"),
        };
        io.note(&format!("an earlier write ({summary}, id {key}): {text}"));
        journal.settle(key, &outcome).await?;
        if matches!(outcome, Outcome::Unknown(_)) {
            unknown.push(intent);
        }
    }
    Ok((journal, unknown))
}

/// Finds requests sent with a key by any process of this machine, the oldest first.
pub(super) fn sent_before(config: &Config, key: ClientKey, io: &mut Io<'_>) -> Vec<Found> {
    let (found, damage) = journal::find(&config.journal_folder, &place(&config.store), key);
    for damage in damage {
        io.note(&damage.to_string());
    }
    found
}

/// Journals the request, sends it once, settles it, and journals the outcome.
///
/// # Errors
///
/// [`CliError::Journal`] if the journal cannot be written: then nothing was sent.
pub(super) async fn send(
    store: &Store,
    journal: &Journal,
    request: &Request,
    summary: &str,
    io: &mut Io<'_>,
) -> Result<Outcome, CliError> {
    let (summary, at) = (summary.to_owned(), clock::wall());
    journal.intend(Intent { request: request.clone(), summary, at }).await?;
    let outcome = settled(store, request, io).await;
    if let Err(error) = journal.settle(request.key, &outcome).await {
        // The next process asks the database again, and gets the same answer.
        tracing::warn!(%error, "the outcome of a write is not in the journal");
    }
    Ok(outcome)
}

/// Sends once. An unconfirmed outcome is queried by key, never resent.
async fn settled(store: &Store, request: &Request, io: &mut Io<'_>) -> Outcome {
    let mut outcome = store.perform(request).await;
    for _ in 0..MOST_QUESTIONS {
        let Outcome::Unknown(reason) = &outcome else { break };
        io.note(&format!("outcome unconfirmed ({reason}); querying by key, not resending"));
        sleep(BETWEEN_QUESTIONS).await;
        outcome = store.resolve(request).await;
    }
    outcome
}

pub(super) async fn announce(
    config: &Config,
    snapshot: &Snapshot,
    request: &Request,
    accepted: &Accepted,
) -> Result<(), String> {
    let (account, instrument) = snapshot.model.desk.touched(&request.verb);
    let operator = snapshot.model.session.as_ref().map_or("", |session| session.operator.as_str());
    let written = Written {
        request,
        accepted,
        operator,
        at: clock::wall(),
        account,
        instrument: instrument.as_ref(),
    };
    let announcer = Announcer::new(config.feed.clone());
    announcer.announce(&announcement(&written)).await.map_err(|error| error.to_string())
}

/// `tmt outcome`: queries the outcome of a write by its key.
///
/// # Errors
///
/// [`CliError::Usage`] if this machine did not send it.
pub(in crate::cli) async fn outcome(
    config: &Config,
    arguments: args::Outcome,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let key = ClientKey(arguments.id);
    let sent = sent_before(config, key, io);
    let store = Store::connect(config.store.clone());
    let mut asked = Vec::new();
    for Found { intent, .. } in sent {
        let outcome = store.resolve(&intent.request).await;
        asked.push((intent.summary, outcome));
    }
    // A key has one outcome: that of the request that came first. The others were refused for it.
    let decided = asked.iter().enumerate().min_by_key(|(at, (_, outcome))| {
        let rank = match outcome {
            Outcome::Accepted(_) => 0,
            Outcome::Refused(refusal) if refusal.code == Code::KeyReused => 2,
            Outcome::Refused(_) | Outcome::Unknown(_) => 1,
        };
        (rank, *at)
    });
    let decided = decided.map(|(at, _)| at).ok_or_else(|| {
        let folder = config.journal_folder.display();
        CliError::Usage(format!("no write {key} for this database and login in {folder}"))
    })?;
    let (summary, outcome) = asked.remove(decided);
    for (other, outcome) in &asked {
        if other != &summary && matches!(outcome, Outcome::Refused(_)) {
            io.note(&format!("another write with this id was refused: {other}"));
        }
    }
    let report = Report::new(key, summary, vec![]);
    let status = WriteStatus::Outcome(outcome);
    if arguments.json {
        report.write_json(&status, io.out)?;
    } else {
        report.write_text(&status, io.out)?;
    }
    Ok(status.exit())
}
