//! `tmt simulate` and `tmt replay`, on the configured servers.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::args::{Replay, Simulate};
use super::exit::{CliError, Exit};
use super::io::Io;
use crate::config::Config;
use crate::domain::ids::InstrumentId;
use crate::domain::money::exact;
use crate::runtime::clock;
use crate::sim::replay::{self, Progress, Summary};
use crate::sim::{self, Tally};
use crate::store::{Store, StoreError};

/// How often a replay prints its progress: on a terminal, where it overwrites one line, and elsewhere.
const PROGRESS_EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// Runs the simulated agents and prices until `stop`.
///
/// # Errors
///
/// [`CliError::Sim`] if the database has real accounts; [`CliError::Other`] if the login may not
/// write.
pub(super) async fn simulate(
    config: &Config,
    arguments: &Simulate,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    let store = Store::connect(config.store.clone());
    // Check database and login before anything is written.
    let session = store.session().await?;
    sim::check_rights(&store).await.map_err(|error| lacking(error, "simulating"))?;
    io.note(&format!("simulating on {} as {} until Ctrl-C", session.database, session.operator));
    let options = sim::Options {
        rate: arguments.rate,
        agent_speed: arguments.hurry,
        ..sim::Options::new(arguments.seed, clock::wall)
    };
    let tally = sim::run(options, store, config.feed.clone(), stop).await?;
    print_tally(&tally, io)?;
    Ok(Exit::Done)
}

/// Names the group that may do it, if the login may not.
fn lacking(error: StoreError, what: &str) -> CliError {
    CliError::needs_group(error, what, "tmt_agent")
}

fn print_tally(tally: &Tally, io: &mut Io<'_>) -> Result<(), CliError> {
    let Tally { quotes, quotes_lost, signals, opened, closed, refused, raised, bars } = tally;
    writeln!(io.out, "quotes    {} sent, {} lost", count(*quotes), count(*quotes_lost))?;
    writeln!(io.out, "signals   {}", count(*signals))?;
    writeln!(
        io.out,
        "trades    {} opened, {} closed, {} refused",
        count(*opened),
        count(*closed),
        count(*refused)
    )?;
    writeln!(io.out, "events    {} raised", count(*raised))?;
    writeln!(io.out, "bars      {} written", count(*bars))?;
    Ok(())
}

/// Formats a number with thousands separators.
fn count(number: u64) -> String {
    exact(number.into())
}

/// Publishes recorded quotes and writes their bars.
///
/// # Errors
///
/// [`CliError::Sim`] before anything is published, if a file is invalid; [`CliError::Other`] if the
/// login may not write.
pub(super) async fn replay(
    config: &Config,
    arguments: &Replay,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    let speed = arguments.speed.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
    let options = replay::Options {
        files: arguments.files.clone(),
        instrument: arguments.instrument.as_deref().map(InstrumentId::new),
        speed,
    };
    let store = Store::connect(config.store.clone());
    // A replay waits for an unreachable database. Waiting for a missing right would be in vain.
    if let Err(error @ StoreError::NotPermitted(_)) = sim::check_rights(&store).await {
        return Err(lacking(error, "replaying"));
    }
    let (progress, seen) = watch::channel(Progress::default());
    let running = replay::run(&options, &store, &config.feed, clock::wall, progress, stop);
    tokio::pin!(running);
    let [on_terminal, in_log] = PROGRESS_EVERY;
    let mut ticker = interval(if io.is_terminal { on_terminal } else { in_log });
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticker.reset();
    let summary = loop {
        tokio::select! {
            biased;
            summary = &mut running => break summary?,
            _ = ticker.tick() => print_progress(&seen.borrow(), io),
        }
    };
    io.end_progress();
    print_summary(&summary, io)
}

fn print_progress(progress: &Progress, io: &mut Io<'_>) {
    let share = progress.bytes_read.saturating_mul(100).checked_div(progress.bytes_total);
    let at = progress.at.map(|at| at.format("  at %Y-%m-%d %H:%M:%S").to_string());
    io.progress(&format!(
        "{:>3} %  {} quotes{}",
        share.unwrap_or_default().min(100),
        count(progress.quotes),
        at.unwrap_or_default()
    ));
}

fn print_summary(summary: &Summary, io: &mut Io<'_>) -> Result<Exit, CliError> {
    let mut exit = Exit::Done;
    for file in &summary.files {
        let path = file.path.display();
        for bad in &file.named {
            io.note(&format!("{path}:{}: {}", bad.number, bad.reason));
        }
        let unnamed = file.bad_lines.saturating_sub(u64::try_from(file.named.len()).unwrap_or(0));
        if unnamed > 0 {
            io.note(&format!("{path}: and {} more lines that are not quotes", count(unnamed)));
        }
        let span = file.span.map(|(from, to)| {
            format!("  {} to {}", from.format("%Y-%m-%d %H:%M:%S"), to.format("%Y-%m-%d %H:%M:%S"))
        });
        let (instrument, quotes) = (&file.instrument, count(file.quotes));
        writeln!(io.out, "{instrument}  {quotes} quotes{}  {path}", span.unwrap_or_default())?;
        if let Some(why) = &file.broken {
            io.note(&format!("{path}: stopped: {why}"));
            exit = Exit::Failed;
        }
    }
    writeln!(io.out, "{} bars written", count(summary.bars))?;
    Ok(exit)
}
