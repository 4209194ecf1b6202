//! Filters: what a person types behind `/`.
//!
//! Words must all match: `text` anywhere in the row, `!text` nowhere, `column:text` in one column,
//! `column<number` and `column>number` by value. Case does not count.

use rust_decimal::Decimal;

use super::cell::Cell;
use super::columns::Column;
use super::model::Model;
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
        for (sign, make) in [('<', Self::below as fn(String, Decimal) -> Self), ('>', Self::above)]
        {
            if let Some((column, bound)) = word.split_once(sign)
                && let Ok(bound) = money::typed(bound)
            {
                return make(column.to_owned(), bound);
            }
        }
        Self::Has(word.to_owned())
    }

    fn below(column: String, bound: Decimal) -> Self {
        Self::Below { column, bound }
    }

    fn above(column: String, bound: Decimal) -> Self {
        Self::Above { column, bound }
    }
}

/// Returns the text of a cell that a filter compares with, in lower case.
fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.to_lowercase(),
        Cell::Absent => String::new(),
        other => other.number().map(|n| n.normalize().to_string()).unwrap_or_default(),
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
