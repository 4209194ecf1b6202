//! `tmt accounts` and its sisters.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::args::Table;
use super::desk::Desk;
use super::exit::{Exit, Trouble};
use super::io::Io;
use super::prices::Subscription;
use super::table::{self, Form};
use crate::app::Msg;
use crate::app::pane::Pane;
use crate::config::Config;
use crate::domain::change::Kind;

/// How often `--watch` asks what changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Prints a pane, once or whenever it changed.
///
/// Without `--watch` the figures are those that the database wrote last: the answer comes at once,
/// and is the same for everybody who asks. With it, prices from Redis move them, as on the screen.
///
/// # Errors
///
/// [`Trouble::Store`]; with `--watch` only at the start.
pub(super) async fn print(
    config: &Config,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, Trouble> {
    let kinds = kinds(pane);
    let mut desk = Desk::read(config, &kinds).await?;
    let mut seen = String::new();
    for sentence in &desk.unreadable {
        io.note(sentence);
    }
    if desk.cut.contains(&pane.kind()) {
        io.note("there are more rows: these are the newest");
    }
    show(&desk, pane, table, io, &mut seen)?;
    if table.watch {
        watch(config, &mut desk, pane, table, io, stop, &mut seen).await?;
    }
    Ok(Exit::Done)
}

/// Returns what a pane's columns are made of.
fn kinds(pane: Pane) -> Vec<Kind> {
    let mut kinds = vec![Kind::Instruments, Kind::Accounts];
    match pane {
        // Equity and exposure are sums over positions, and limits measure them; a halt is part of
        // an account's status.
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

fn form(table: Table) -> Form {
    if table.json {
        // One document per line, so that a reader of a stream knows where each ends.
        return if table.watch { Form::JsonLine } else { Form::Json };
    }
    if table.csv {
        return Form::Csv;
    }
    let width = crossterm::terminal::size().ok().filter(|_| std::io::stdout().is_terminal());
    Form::Human(width.map(|(columns, _)| columns))
}

/// Prints the pane if it reads otherwise than what was printed before.
fn show(
    desk: &Desk,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    seen: &mut String,
) -> Result<(), Trouble> {
    let mut page = Vec::new();
    table::write(&mut page, &desk.model, pane, form(table))?;
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
    desk: &mut Desk,
    pane: Pane,
    table: Table,
    io: &mut Io<'_>,
    stop: &CancellationToken,
    seen: &mut String,
) -> Result<(), Trouble> {
    let mut prices = Subscription::open(config.feed.clone());
    let kinds = kinds(pane);
    let mut cursor: Option<String> = None;
    let mut rhythm = interval(LOOK_EVERY);
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            // What the feed says of itself is not shown here; an old price shows its age.
            Some(_) = prices.reports.recv() => continue,
            _ = rhythm.tick() => {}
        }
        // A database that is away leaves the last page standing, and is asked again.
        let changed = match desk.store.changes(cursor.as_deref()).await {
            Ok(changes) => {
                cursor = Some(changes.cursor);
                let now = changes.server_time;
                let elapsed = desk.model.elapsed.saturating_add(LOOK_EVERY);
                desk.tell(Msg::TimePassed { now, elapsed });
                changes.changed.into_iter().any(|(kind, _)| kinds.contains(&kind))
            }
            Err(error) => {
                tracing::warn!(%error, "asking what changed");
                false
            }
        };
        if changed && let Err(error) = desk.refresh(&kinds).await {
            tracing::warn!(%error, "reading what changed");
            cursor = None;
        }
        desk.tell(Msg::QuotesArrived(prices.board.drain()));
        show(desk, pane, table, io, seen)?;
    }
}
