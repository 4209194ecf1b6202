//! Filters, as typed after `/`.
//!
//! Words must all match: `text` anywhere in the row, `!text` nowhere, `column:text` in one column,
//! `column<number` and `column>number` by value. Case does not count.

use rust_decimal::Decimal;

use super::column::Column;
use crate::app::cell::{Cell, plain};
use crate::app::model::Model;
use crate::domain::money;

/// A filter, read once per frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Has(String),
    HasNot(String),
    In { column: String, text: String },
    Below { column: String, bound: Decimal },
    Above { column: String, bound: Decimal },
}

impl Word {
    fn read(word: &str) -> Self {
        if let Some(rest) = word.strip_prefix('!')
            && !rest.is_empty()
        {
            return Self::HasNot(rest.to_owned());
        }
        if let Some((column, text)) = word.split_once(':') {
            return Self::In { column: column.to_owned(), text: text.to_owned() };
        }
        if let Some((column, bound)) = bound(word, '<') {
            return Self::Below { column, bound };
        }
        if let Some((column, bound)) = bound(word, '>') {
            return Self::Above { column, bound };
        }
        Self::Has(word.to_owned())
    }
}

/// Reads `column<number` or `column>number`.
fn bound(word: &str, sign: char) -> Option<(String, Decimal)> {
    let (column, number) = word.split_once(sign)?;
    Some((column.to_owned(), money::typed(number).ok()?))
}

/// Returns the text of a cell that a filter compares with, in lower case.
fn text(cell: &Cell) -> String {
    match cell.number() {
        Some(number) => number.normalize().to_string(),
        None => plain(cell).to_lowercase(),
    }
}

impl Filter {
    /// Reads a filter; an empty one is `None`.
    pub(super) fn read(typed: &str) -> Option<Self> {
        let words: Vec<Word> = typed.to_lowercase().split_whitespace().map(Word::read).collect();
        if words.is_empty() { None } else { Some(Self { words }) }
    }

    /// Tells whether a row passes.
    pub(super) fn admits<T>(&self, columns: &[Column<T>], model: &Model, row: &T) -> bool {
        let named = |name: &str| {
            columns
                .iter()
                .find(|column| column.title.to_lowercase().starts_with(name))
                .map(|column| (column.cell)(model, row))
        };
        let anywhere = |wanted: &str| {
            columns.iter().any(|column| text(&(column.cell)(model, row)).contains(wanted))
        };
        let number = |name: &str| named(name).and_then(|cell| cell.number());
        self.words.iter().all(|word| match word {
            Word::Has(wanted) => anywhere(wanted),
            Word::HasNot(unwanted) => !anywhere(unwanted),
            Word::In { column, text: wanted } => {
                named(column).is_some_and(|cell| text(&cell).contains(wanted.as_str()))
            }
            Word::Below { column, bound } => number(column).is_some_and(|value| value < *bound),
            Word::Above { column, bound } => number(column).is_some_and(|value| value > *bound),
        })
    }
}
