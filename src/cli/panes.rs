//! `tmt accounts`, `tmt positions` and the other commands that list a pane.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::args::Table;
use super::exit::{CliError, Exit};
use super::io::Io;
use super::prices::Subscription;
use super::snapshot::Snapshot;
use super::table::{self, Format};
use crate::app::Msg;
use crate::app::pane::Pane;
use crate::config::Config;
use crate::domain::change::Kind;

/// How often `--watch` polls.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Prints a pane, once or on every change.
///
/// Without `--watch` the figures are those stored in the database: the answer is immediate and the
/// same for everyone. With it, prices from Redis move them, as on the screen.
///
/// # Errors
///
/// [`CliError::Store`]; with `--watch` only at the start.
pub(super) async fn print(
    config: &Config,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, CliError> {
    let kinds = kinds(pane);
    let mut snapshot = Snapshot::read(config, &kinds).await?;
    let mut seen = String::new();
    for sentence in &snapshot.unreadable {
        io.note(sentence);
    }
    if snapshot.cut.contains(&pane.kind()) {
        io.note("more rows exist; these are the newest");
    }
    show(&snapshot, pane, table, io, &mut seen)?;
    if table.watch {
        watch(config, &mut snapshot, pane, table, io, stop, &mut seen).await?;
    }
    Ok(Exit::Done)
}

/// Returns the kinds of rows that a pane's columns need.
fn kinds(pane: Pane) -> Vec<Kind> {
    let mut kinds = vec![Kind::Instruments, Kind::Accounts];
    match pane {
        // Equity and exposure are sums over positions, limits measure them, and a halt is part of an
        // account's status.
        Pane::Accounts => kinds.extend([Kind::Positions, Kind::Limits, Kind::Halts]),
        Pane::Limits => kinds.extend([Kind::Positions, Kind::Limits]),
        Pane::Positions => kinds.push(Kind::Positions),
        Pane::Trades => kinds.push(Kind::Trades),
        Pane::Signals => kinds.push(Kind::Signals),
        Pane::Events => kinds.push(Kind::Events),
        Pane::Market => {}
        Pane::Agents => kinds.push(Kind::Agents),
    }
    kinds
}

fn format(table: Table) -> Format {
    if table.json {
        // One document per line, so that a reader of the stream knows where each ends.
        return if table.watch { Format::JsonLine } else { Format::Json };
    }
    if table.csv {
        return Format::Csv;
    }
    let width = crossterm::terminal::size().ok().filter(|_| std::io::stdout().is_terminal());
    Format::Text(width.map(|(columns, _)| columns))
}

/// Prints the pane if it differs from the last printout.
fn show(
    snapshot: &Snapshot,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    seen: &mut String,
) -> Result<(), CliError> {
    let mut page = Vec::new();
    table::write(&mut page, &snapshot.model, pane, format(table))?;
    let page = String::from_utf8_lossy(&page).into_owned();
    if page == *seen {
        return Ok(());
    }
    if !seen.is_empty() && !table.json {
        writeln!(io.out)?;
    }
    io.out.write_all(page.as_bytes())?;
    io.out.flush()?;
    *seen = page;
    Ok(())
}

async fn watch(
    config: &Config,
    snapshot: &mut Snapshot,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    stop: &CancellationToken,
    seen: &mut String,
) -> Result<(), CliError> {
    let mut prices = Subscription::open(config.feed.clone());
    let kinds = kinds(pane);
    let mut cursor: Option<String> = None;
    let mut ticks = interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            // The state of the feed is not shown here: an old price shows its age.
            Some(_) = prices.reports.recv() => continue,
            _ = ticks.tick() => {}
        }
        // While the database is unreachable the last printout stands, and polling goes on.
        let changed = match snapshot.store.changes(cursor.as_deref()).await {
            Ok(changes) => {
                cursor = Some(changes.cursor);
                let now = changes.server_time;
                let elapsed = snapshot.model.elapsed.saturating_add(POLL_EVERY);
                snapshot.tell(Msg::TimePassed { now, elapsed });
                changes.changed.into_iter().any(|(kind, _)| kinds.contains(&kind))
            }
            Err(error) => {
                tracing::warn!(%error, "poll failed");
                false
            }
        };
        if changed && let Err(error) = snapshot.refresh(&kinds).await {
            tracing::warn!(%error, "read failed");
            cursor = None;
        }
        snapshot.tell(Msg::QuotesArrived(prices.board.drain()));
        show(snapshot, pane, table, io, seen)?;
    }
}
