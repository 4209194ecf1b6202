//! `docs/FUNCTIONS.md` names every function of the rulebook and the migration that it is in now.
//!
//! `TMT_WRITE_DOCS=1 cargo nextest run --test functions` writes it anew.

#[path = "support/database.rs"]
mod database;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tmt::store::migrate::MIGRATIONS;

/// The functions that the last migration left.
const THERE: &str = "
    SELECT DISTINCT n.nspname || '.' || p.proname
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.prokind = 'f' AND p.proowner = 'tmt_owner'::regrole AND n.nspname IN ('desk', 'public')
     ORDER BY 1";

const HEAD: &str = "# Functions of the rulebook

A migration that landed is never edited, so a function is where it was made last. `\\sf desk.place_trade` in psql prints one as it
runs. This table is written by `TMT_WRITE_DOCS=1 cargo nextest run --test functions`, and held against the database by the same test.

| function | in | does |
| --- | --- | --- |
";

/// Where a function is, and the first sentence of the comment above it.
#[derive(Debug, Default)]
struct Made {
    file: String,
    does: String,
}

/// Reads where each function was made last. One without a comment keeps the one it had before.
fn made() -> BTreeMap<String, Made> {
    let mut made: BTreeMap<String, Made> = BTreeMap::new();
    for migration in MIGRATIONS {
        let mut comment: Vec<&str> = vec![];
        for line in migration.sql.lines() {
            if let Some(text) = line.strip_prefix("--") {
                comment.push(text.trim());
            } else if let Some(rest) = created(line) {
                let name = rest.split('(').next().unwrap_or_default().trim();
                let name =
                    if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
                let found = made.entry(name).or_default();
                found.file = format!("{:04}_{}", migration.version, migration.name);
                if let Some(said) = sentence(&comment) {
                    found.does = said;
                }
                comment.clear();
            } else {
                comment.clear();
            }
        }
    }
    made
}

fn created(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let made = ["CREATE OR REPLACE FUNCTION ", "CREATE FUNCTION "];
    made.iter().find_map(|words| line.strip_prefix(words))
}

/// Returns the first sentence of a comment; a heading in dashes is none.
fn sentence(comment: &[&str]) -> Option<String> {
    let text = comment
        .iter()
        .skip_while(|line| line.is_empty() || line.starts_with('-'))
        .take_while(|line| !line.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let end = text.find(". ").unwrap_or(text.len());
    let said = text.get(..end)?.trim_end_matches('.').replace('|', "\\|");
    (!said.is_empty()).then_some(said)
}

#[tokio::test]
async fn the_table_of_functions_is_that_of_the_database() {
    let database = database::database().await;
    let rows = database.client().await.query(THERE, &[]).await.unwrap();
    let made = made();
    let mut table = HEAD.to_owned();
    for row in rows {
        let name: String = row.try_get(0).unwrap();
        // Some are made in a loop over tables, and have a place for its name in theirs.
        let in_a_loop = || {
            made.iter().find_map(|(pattern, found)| {
                pattern.split_once('%').filter(|(start, _)| name.starts_with(start)).map(|_| found)
            })
        };
        let Some(found) = made.get(&name).or_else(in_a_loop) else {
            panic!("no migration makes {name}")
        };
        writeln!(table, "| `{name}` | `{}` | {} |", found.file, found.does).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FUNCTIONS.md");
    if std::env::var_os("TMT_WRITE_DOCS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = table.lines().zip(stored.lines()).find(|(is, was)| is != was);
    assert!(
        stored == table,
        "docs/FUNCTIONS.md is not what the migrations say; the first line that differs: {differs:?}"
    );
}
