//! `tmt sentinel`: the sentinel as a service.

use rust_decimal::Decimal;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::args::Sentinel;
use super::exit::{CliError, Exit};
use super::io::Io;
use crate::config::Config;
use crate::domain::money::{exact, round};
use crate::domain::unit::Unit;
use crate::feed::publish::Publisher;
use crate::runtime::clock;
use crate::sentinel::{self, Notifier, Options, SentinelEvent};
use crate::store::{Store, StoreError};

/// Decimals of a figure in a line.
const PLACES: u32 = 4;

/// Bound of the queue of events to print.
const WAITING: usize = 256;

/// Runs until `stop`, or one round.
///
/// # Errors
///
/// [`CliError::Store`] if the login lacks the right, or the schema is missing.
pub(super) async fn sentinel(
    config: &Config,
    arguments: Sentinel,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    let store = Store::connect(config.store.clone());
    // Check database and login before anything is written.
    if arguments.once || store.session().await.is_err_and(|error| error.needs_a_person()) {
        store.session().await?;
    }
    let (said, mut heard) = mpsc::channel(WAITING);
    let mut notifier = Notifier::new(said, Some(Publisher::new(config.feed.clone())));
    if arguments.once {
        let done = sentinel::once(&store, &mut notifier).await.map_err(lacking)?;
        drop(notifier);
        while let Some(said) = heard.recv().await {
            print(&said, io)?;
        }
        if let Some(round) = done {
            writeln!(io.out, "{} limits changed standing", round.changed)?;
        }
        return Ok(Exit::Done);
    }
    let working = tokio::spawn(sentinel::run(Options::default(), store, notifier, stop));
    while let Some(said) = heard.recv().await {
        print(&said, io)?;
    }
    match working.await {
        Ok(ended) => ended.map_err(lacking)?,
        Err(error) => return Err(CliError::Other(error.to_string())),
    }
    Ok(Exit::Done)
}

/// Names the groups that may do it, if the login may not.
fn lacking(error: StoreError) -> CliError {
    CliError::needs_group(error, "monitoring limits", "tmt_agent or tmt_admin")
}

/// Prints an event as one line.
fn print(said: &SentinelEvent, io: &mut Io<'_>) -> Result<(), CliError> {
    let at = clock::wall().format("%Y-%m-%dT%H:%M:%SZ");
    writeln!(io.out, "{at}  {}", text(said))?;
    io.out.flush()?;
    Ok(())
}

/// Returns an event as a sentence.
pub(super) fn text(said: &SentinelEvent) -> String {
    match said {
        SentinelEvent::Leads => "leader: monitoring limits".to_owned(),
        SentinelEvent::Waits { leader } => {
            let who = leader.as_deref().map(|who| format!(" ({who})")).unwrap_or_default();
            format!("standby: another sentinel leads{who}")
        }
        SentinelEvent::NotAnnounced(reason) => {
            format!("not announced on the bus ({reason}); consoles will poll it")
        }
        SentinelEvent::Lost(reason) => format!("database unreachable, retrying: {reason}"),
        SentinelEvent::Rolled { rows } => format!("trading day rolled: {rows} rows"),
        SentinelEvent::Changed(limit) => {
            let figure = |value: Option<Decimal>| {
                value.map_or_else(|| "-".to_owned(), |value| exact(round(value, PLACES)))
            };
            let unit = limit.unit.as_ref().map_or("", Unit::as_str);
            let text = format!(
                "{:<7}  {} of {}: {} of {} {unit}",
                limit.state,
                limit.limit_type,
                limit.subject,
                figure(limit.measured),
                figure(limit.allowed),
            );
            text.trim_end().to_owned()
        }
    }
}
