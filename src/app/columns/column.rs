//! What a column is, and a kind of row that has some.

use crate::app::cell::{Align, Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};

/// One column of a list of `T`.
#[derive(Debug)]
pub(in crate::app) struct Column<T: ?Sized> {
    /// Heading, and name in a filter and in CSV and JSON (in lower case).
    pub title: &'static str,
    /// Narrowest width that shows its values whole.
    pub width: u16,
    pub align: Align,
    /// Which columns go first when there is no room: the highest number. 0 stays.
    pub keep: u8,
    pub cell: fn(&Model, &T) -> Cell,
}

/// A column of words.
pub(super) const fn left<T>(
    title: &'static str,
    width: u16,
    keep: u8,
    cell: fn(&Model, &T) -> Cell,
) -> Column<T> {
    Column { title, width, align: Align::Left, keep, cell }
}

/// A column of numbers.
pub(super) const fn right<T>(
    title: &'static str,
    width: u16,
    keep: u8,
    cell: fn(&Model, &T) -> Cell,
) -> Column<T> {
    Column { title, width, align: Align::Right, keep, cell }
}

/// A kind of row that a pane lists.
pub(in crate::app) trait Listed: Sized + 'static {
    /// The pane.
    const PANE: Pane;
    /// Its columns.
    const COLUMNS: &'static [Column<Self>];

    /// Its key.
    fn row_id(&self) -> RowId;

    /// Emphasis of the row.
    fn tone(&self, model: &Model) -> Tone;

    /// The rows that the pane has, unfiltered, in the pane's own order.
    fn all(model: &Model) -> Vec<&Self>;

    /// The row of that key.
    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self>;
}
