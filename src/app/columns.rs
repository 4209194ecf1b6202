//! The columns of every pane, as tables: what the screen draws, what sorting and filtering read,
//! and what `tmt accounts` and the other list commands print are the same columns.

mod accounts;
mod agents;
mod column;
mod events;
mod filter;
mod limits;
mod market;
mod positions;
mod signals;
mod trades;

use super::cell::{Align, Cell, Tone};
use super::model::Model;
use super::pane::{Pane, RowId};
use column::Listed;

/// What the screen knows of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub title: &'static str,
    /// Narrowest width that shows its values whole.
    pub width: u16,
    pub align: Align,
    /// Which columns go first when there is no room: the highest number. 0 stays.
    pub keep: u8,
}

/// Calls `$call::<T>($args)` with the type of row that `$pane` lists.
macro_rules! by_pane {
    ($pane:expr, $call:ident ( $($arg:expr),* )) => {
        match $pane {
            Pane::Accounts => $call::<crate::domain::account::Account>($($arg),*),
            Pane::Positions => $call::<crate::domain::position::Position>($($arg),*),
            Pane::Trades => $call::<crate::domain::trade::Trade>($($arg),*),
            Pane::Signals => $call::<crate::domain::signal::Signal>($($arg),*),
            Pane::Events => $call::<crate::domain::event::RiskEvent>($($arg),*),
            Pane::Limits => $call::<crate::domain::limit::Limit>($($arg),*),
            Pane::Market => $call::<crate::domain::instrument::Instrument>($($arg),*),
            Pane::Agents => $call::<crate::domain::agent::Agent>($($arg),*),
        }
    };
}

/// Returns the columns of a pane.
pub fn heads(pane: Pane) -> Vec<Head> {
    fn of<T: Listed>() -> Vec<Head> {
        T::COLUMNS
            .iter()
            .map(|c| Head { title: c.title, width: c.width, align: c.align, keep: c.keep })
            .collect()
    }
    by_pane!(pane, of())
}

/// The rows that a pane shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Their keys, filtered and sorted.
    pub ids: Vec<RowId>,
    /// How many there are without the filter.
    pub total: usize,
}

/// Returns the rows that a pane shows.
pub fn listing(model: &Model, pane: Pane) -> Listing {
    by_pane!(pane, listing_of(model))
}

fn listing_of<T: Listed>(model: &Model) -> Listing {
    let state = model.pane(T::PANE);
    let mut shown = T::all(model);
    let total = shown.len();
    if let Some(filter) = filter::Filter::read(&state.filter) {
        shown.retain(|row| filter.admits(T::COLUMNS, model, row));
    }
    if let Some((column, is_downward)) = state.sort
        && let Some(column) = T::COLUMNS.get(column)
    {
        let mut keyed: Vec<(Cell, &T)> =
            shown.into_iter().map(|row| ((column.cell)(model, row), row)).collect();
        keyed.sort_by(|(one, _), (two, _)| match (one, two) {
            // Absent stays last in both directions.
            _ if one.is_absent() || two.is_absent() => one.order(two),
            _ if is_downward => two.order(one),
            _ => one.order(two),
        });
        shown = keyed.into_iter().map(|(_, row)| row).collect();
    }
    Listing { ids: shown.into_iter().map(Listed::row_id).collect(), total }
}

/// Tells whether a pane has a row, whatever its filter.
pub fn contains(model: &Model, pane: Pane, id: &RowId) -> bool {
    fn of<T: Listed>(model: &Model, id: &RowId) -> bool {
        T::find(model, id).is_some()
    }
    by_pane!(pane, of(model, id))
}

/// Returns the cells of a row, or `None` if it is gone.
pub fn cells(model: &Model, pane: Pane, id: &RowId) -> Option<(Tone, Vec<Cell>)> {
    fn of<T: Listed>(model: &Model, id: &RowId) -> Option<(Tone, Vec<Cell>)> {
        let row = T::find(model, id)?;
        Some((row.tone(model), T::COLUMNS.iter().map(|c| (c.cell)(model, row)).collect()))
    }
    by_pane!(pane, of(model, id))
}

/// Returns one cell of a row, or `None` if the row is gone or has no such column. Cheaper than
/// [`cells`] where a single column of many rows is wanted.
pub fn cell(model: &Model, pane: Pane, id: &RowId, column: usize) -> Option<Cell> {
    fn of<T: Listed>(model: &Model, id: &RowId, column: usize) -> Option<Cell> {
        Some((T::COLUMNS.get(column)?.cell)(model, T::find(model, id)?))
    }
    by_pane!(pane, of(model, id, column))
}
