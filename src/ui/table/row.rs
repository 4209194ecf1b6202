//! Rows with their cells, each made once in a frame.

use std::collections::BTreeMap;

use crate::app::cell::{Cell, Tone};
use crate::app::columns;
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};

/// Rows that are measured to find out how wide the columns must be, besides those on the screen.
/// Measuring more would cost time in every frame; measuring only the screen would make columns jump
/// while it scrolls.
const MEASURED: usize = 100;

/// Columns of a gauge that shows no bar: `100.3%!`.
pub(super) const FIGURE_OF_GAUGE: usize = 7;

/// Columns before the first cell: the sign of the selected or marked row, and a blank.
pub(super) const LEAD: usize = 2;

/// A row with its cells.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: RowId,
    pub(super) tone: Tone,
    pub(super) cells: Vec<Cell>,
}

/// The rows that a frame needs: those on the screen, and those that are measured.
#[derive(Debug, Clone)]
pub(in crate::ui) struct Rows {
    /// By their place among the rows of the pane.
    rows: BTreeMap<usize, Row>,
    offset: usize,
}

impl Rows {
    /// Makes the cells of the rows `ids` that are needed where `height` of them fit.
    pub(in crate::ui) fn read(model: &Model, pane: Pane, ids: &[RowId], height: usize) -> Self {
        let offset = model.pane(pane).offset.min(ids.len().saturating_sub(height));
        let screen = offset.max(MEASURED)..offset.saturating_add(height.max(MEASURED));
        let row = |at: usize| {
            let id = ids.get(at)?;
            let (tone, cells) = columns::cells(model, pane, id)?;
            Some((at, Row { id: id.clone(), tone, cells }))
        };
        Self { rows: (0..MEASURED).chain(screen).filter_map(row).collect(), offset }
    }

    /// Returns all of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Row> + Clone {
        self.rows.values()
    }

    /// Returns those from the first on the screen on.
    pub(super) fn on_screen(&self) -> impl Iterator<Item = &Row> {
        self.rows.range(self.offset..).map(|(_, row)| row)
    }
}
