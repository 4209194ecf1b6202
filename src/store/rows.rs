//! How each kind of row is asked for and read.
//!
//! Columns are named one by one, so that a column that is added or widened does no harm. A row
//! that cannot be what its columns promise (a status nobody knows, a price of `NaN`, a time at
//! infinity) is kept out and reported; the others are shown.

mod account;
mod agent;
mod cells;
mod event;
mod halt;
mod instrument;
mod limit;
mod position;
mod signal;
mod source;
mod trade;

use tokio_postgres::Row;

pub(super) use cells::{Bad, Cells};
pub(super) use source::{Keys, Source};

use crate::domain::change::Kind;
use crate::domain::rows::Rows;

/// Returns how a kind is asked for.
pub(super) fn source(kind: Kind) -> &'static Source {
    match kind {
        Kind::Accounts => &account::SOURCE,
        Kind::Positions => &position::SOURCE,
        Kind::Trades => &trade::SOURCE,
        Kind::Signals => &signal::SOURCE,
        Kind::Events => &event::SOURCE,
        Kind::Limits => &limit::SOURCE,
        Kind::Halts => &halt::SOURCE,
        Kind::Agents => &agent::AGENTS,
        Kind::SystemEvents => &agent::SYSTEM_EVENTS,
        Kind::Instruments => &instrument::SOURCE,
    }
}

/// Reads rows of one kind. What cannot be read is told in `unreadable`, one sentence a row.
pub(super) fn read(kind: Kind, rows: &[Row], unreadable: &mut Vec<String>) -> Rows {
    let table = kind.as_str();
    match kind {
        Kind::Accounts => Rows::Accounts(each(table, rows, unreadable, account::read)),
        Kind::Positions => Rows::Positions(each(table, rows, unreadable, position::read)),
        Kind::Trades => Rows::Trades(each(table, rows, unreadable, trade::read)),
        Kind::Signals => Rows::Signals(each(table, rows, unreadable, signal::read)),
        Kind::Events => Rows::Events(each(table, rows, unreadable, event::read)),
        Kind::Limits => Rows::Limits(each(table, rows, unreadable, limit::read)),
        Kind::Halts => Rows::Halts(each(table, rows, unreadable, halt::read)),
        Kind::Agents => Rows::Agents(each(table, rows, unreadable, agent::read)),
        Kind::SystemEvents => {
            Rows::SystemEvents(each(table, rows, unreadable, agent::read_system_event))
        }
        Kind::Instruments => Rows::Instruments(each(table, rows, unreadable, instrument::read)),
    }
}

/// Reads rows one by one, keeping out those that cannot be read.
pub(super) fn each<T>(
    table: &'static str,
    rows: &[Row],
    unreadable: &mut Vec<String>,
    read: fn(&Cells<'_>) -> Result<T, Bad>,
) -> Vec<T> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = Cells(row);
        match read(&cells) {
            Ok(row) => kept.push(row),
            Err(bad) => unreadable.push(format!("{table} {}: {bad}", cells.key())),
        }
    }
    kept
}
