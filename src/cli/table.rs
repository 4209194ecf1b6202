//! A pane as text, CSV or JSON.
//!
//! The columns are those of the screen. Text shows values as the screen does; CSV and JSON hold
//! every digit, and nothing (`null`) where the screen shows `—`.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use unicode_width::UnicodeWidthStr as _;

use crate::app::Model;
use crate::app::cell::{Align, Cell, plain};
use crate::app::columns::{self, Head};
use crate::app::pane::{Pane, RowId};
use crate::ui::format;

/// Output format of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns. With a terminal width, the least important columns that do not fit are left
    /// out; `None` prints all of them.
    Text(Option<u16>),
    /// RFC 4180, with a header.
    Csv,
    Json,
    /// JSON on one line.
    JsonLine,
}

/// Name of the column that holds the row's key.
const KEY: &str = "id";

/// Writes all rows of a pane.
///
/// # Errors
///
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, model: &Model, pane: Pane, format: Format) -> io::Result<()> {
    let mut heads = columns::heads(pane);
    let mut rows: Vec<(RowId, Vec<Cell>)> = model
        .visible(pane)
        .into_iter()
        .filter_map(|id| columns::cells(model, pane, &id).map(|(_, cells)| (id, cells)))
        .collect();
    // A pane's own id column holds short keys; here the whole key replaces it.
    if let Some(at) = heads.iter().position(|head| head.title.eq_ignore_ascii_case(KEY)) {
        heads.remove(at);
        for (_, cells) in &mut rows {
            if at < cells.len() {
                cells.remove(at);
            }
        }
    }
    match format {
        Format::Text(width) => text(out, model, &heads, &rows, width),
        Format::Csv => csv(out, &heads, &rows),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &objects(&heads, &rows))?;
            writeln!(out)
        }
        Format::JsonLine => {
            serde_json::to_writer(&mut *out, &objects(&heads, &rows))?;
            writeln!(out)
        }
    }
}

/// Returns the whole key of a row, as commands take it.
fn key(id: &RowId) -> String {
    match id {
        RowId::Account(id) => id.to_string(),
        RowId::Position(id) => id.to_string(),
        RowId::Trade(id) => id.to_string(),
        RowId::Signal(id) => id.to_string(),
        RowId::Event(id) => id.to_string(),
        RowId::Limit(id) => id.to_string(),
        RowId::Instrument(id) => id.to_string(),
        RowId::Agent(id) => id.clone(),
        RowId::SystemEvent(id) => id.to_string(),
    }
}

/// Returns the end of a row's key, which is enough to type. Agents are known by name.
fn short(id: &RowId) -> Option<String> {
    match id {
        RowId::Account(id) => Some(id.short()),
        RowId::Position(id) => Some(id.short()),
        RowId::Trade(id) => Some(id.short()),
        RowId::Signal(id) => Some(id.short()),
        RowId::Event(id) => Some(id.short()),
        RowId::Limit(id) => Some(id.short()),
        RowId::Instrument(_) | RowId::Agent(_) | RowId::SystemEvent(_) => None,
    }
}

/// Returns a column's name in CSV and JSON: `OPEN P&L` becomes `open_pnl`.
fn field(head: &Head) -> String {
    let title = head.title.to_lowercase().replace("p&l", "pnl").replace('%', "pct");
    title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// A row as a JSON object, its fields in column order.
struct Object<'a> {
    key: String,
    heads: &'a [Head],
    cells: &'a [Cell],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.heads.iter().zip(self.cells).map(|(head, cell)| {
            let is_known = !matches!(cell, Cell::Absent | Cell::Awaited(_));
            let value = is_known.then(|| plain(cell));
            (field(head), value)
        });
        serializer
            .collect_map(std::iter::once((KEY.to_owned(), Some(self.key.clone()))).chain(values))
    }
}

fn objects<'a>(heads: &'a [Head], rows: &'a [(RowId, Vec<Cell>)]) -> Vec<Object<'a>> {
    rows.iter().map(|(id, cells)| Object { key: key(id), heads, cells }).collect()
}

fn csv(out: &mut dyn Write, heads: &[Head], rows: &[(RowId, Vec<Cell>)]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let titles = heads.iter().map(field);
    writer.write_record(std::iter::once(KEY.to_owned()).chain(titles))?;
    for (id, cells) in rows {
        let cells = cells
            .iter()
            .map(|cell| if let Cell::Text(text) = cell { defused(text) } else { plain(cell) });
        writer.write_record(std::iter::once(defused(&key(id))).chain(cells))?;
    }
    writer.flush()
}

/// Quotes text that a spreadsheet would run as a formula. Numbers are not passed through here: a
/// leading minus is theirs.
fn defused(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Blanks between two columns.
const GAP: usize = 2;

/// A column of the text format.
struct TextColumn {
    title: String,
    align: Align,
    keep: u8,
    cells: Vec<String>,
}

impl TextColumn {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.width()).max().unwrap_or_default();
        cells.max(self.title.width())
    }
}

fn text(
    out: &mut dyn Write,
    model: &Model,
    heads: &[Head],
    rows: &[(RowId, Vec<Cell>)],
    width: Option<u16>,
) -> io::Result<()> {
    let mut printed: Vec<TextColumn> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| TextColumn {
            title: head.title.to_owned(),
            align: head.align,
            keep: head.keep,
            cells: rows
                .iter()
                .map(|(_, cells)| {
                    cells.get(at).map_or_else(String::new, |c| format::cell(c, model.now))
                })
                .collect(),
        })
        .collect();
    let keys: Vec<String> = rows.iter().filter_map(|(id, _)| short(id)).collect();
    if keys.len() == rows.len() && !rows.is_empty() {
        printed.push(TextColumn {
            title: "ID".to_owned(),
            align: Align::Left,
            keep: 0,
            cells: keys,
        });
    }
    if let Some(width) = width {
        fit(&mut printed, usize::from(width));
    }
    write_line(out, printed.iter().map(|column| (column, column.title.as_str())))?;
    for at in 0..rows.len() {
        let cells =
            printed.iter().map(|column| (column, column.cells.get(at).map_or("", String::as_str)));
        write_line(out, cells)?;
    }
    Ok(())
}

fn write_line<'a>(
    out: &mut dyn Write,
    cells: impl Iterator<Item = (&'a TextColumn, &'a str)>,
) -> io::Result<()> {
    let line: Vec<String> =
        cells.map(|(column, text)| format::pad(text, column.width(), column.align)).collect();
    writeln!(out, "{}", line.join(&" ".repeat(GAP)).trim_end())
}

/// Removes the least important columns until the rest fits.
fn fit(columns: &mut Vec<TextColumn>, width: usize) {
    loop {
        let gaps = columns.len().saturating_sub(1).saturating_mul(GAP);
        let used = columns.iter().map(TextColumn::width).sum::<usize>().saturating_add(gaps);
        let least = columns.iter().enumerate().filter(|(_, column)| column.keep > 0);
        let least = least.max_by_key(|(at, column)| (column.keep, *at)).map(|(at, _)| at);
        match least {
            Some(at) if used > width => drop(columns.remove(at)),
            Some(_) | None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_begins_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(defused(formula), format!("'{formula}"));
        }
        assert_eq!(defused("alpha"), "alpha");
    }

    #[test]
    fn column_names_of_csv_and_json_have_no_blanks() {
        for pane in Pane::ALL {
            for head in columns::heads(pane) {
                let name = field(&head);
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(name.chars().all(is_plain), "{pane:?} {name:?}");
                assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{pane:?} {name:?}");
                assert!(!name.contains("__") && !name.ends_with('_'), "{pane:?} {name:?}");
            }
        }
        let named = |title| field(&Head { title, width: 1, align: Align::Left, keep: 0 });
        assert_eq!([named("OPEN P&L"), named("STORED UPNL")], ["open_pnl", "stored_upnl"]);
    }

    #[test]
    fn the_least_important_columns_go_first() {
        let column = |title: &str, keep| TextColumn {
            title: title.to_owned(),
            align: Align::Left,
            keep,
            cells: vec!["12345678".to_owned()],
        };
        let mut columns = vec![column("A", 0), column("B", 5), column("C", 2), column("D", 0)];
        fit(&mut columns, 28);
        let titles: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
        assert_eq!(titles, ["A", "C", "D"]);
        fit(&mut columns, 3);
        assert_eq!(columns.len(), 2, "columns of rank 0 always stay");
    }
}
