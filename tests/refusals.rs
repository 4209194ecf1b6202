//! `docs/REFUSALS.md` is the table `tmt.refusals` in words, and what is not in that table cannot be
//! answered.
//!
//! `TMT_WRITE_DOCS=1 cargo nextest run --test refusals` writes the document.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tokio_postgres::Client;

const HEAD: &str = "\
# What the desk answers, by code

Every write is one call of one function in schema `desk`, and is answered with a code, a sentence and, where there are
numbers, what was measured and what is allowed. The sentence is for people and may be reworded; the code is for programs and
stays. These tables are those of `tmt.refusals`: a code that is not there cannot be answered.
`TMT_WRITE_DOCS=1 cargo nextest run --test refusals` writes this page.

In the shell a refusal ends with 3 (`--json` has `code`, `message`, `measured`, `allowed`, `unit`). On a ticket, `HARD` forbids,
`SOFT` asks for a reason, `ok` passes.
";

const TAIL: &str = "
## From the console

Nothing was written: `NOT_SENT` (no connection; the sentence says why), `READ_ONLY` (a standby, or `screen.read_only`), `BUSY`
(another write held the lock for too long), `CONFLICT` (serialization, four times), `TOO_SLOW` (the server's own time limit),
`SERVER_FULL`, `SCHEMA` (a function is missing: `tmt migrate`), `INVALID` (a value that no column takes), `RULE` (above).
";

/// A table of the document.
struct Section {
    title: &'static str,
    intro: &'static str,
    columns: &'static [&'static str],
    /// Gives the code and what stands in each further column.
    rows: &'static str,
}

const SECTIONS: [Section; 6] = [
    Section {
        title: "Refused",
        intro: "",
        columns: &["code", "means", "what to do"],
        rows: "SELECT code, meaning, coalesce(remedy, '') FROM tmt.refusals WHERE kind = 'refused'",
    },
    Section {
        title: "Asks for a reason",
        intro: "A reason passes it, and both are in the audit. `MAX_DAILY_LOSS` and the drawdown ask where the stop would reach the limit.",
        columns: &["code", "means", "what to do"],
        rows: "SELECT code, meaning, coalesce(remedy, '') FROM tmt.refusals WHERE kind = 'confirm'",
    },
    Section {
        title: "Limits",
        intro: "The code of a limit is its type in capitals: the sentence says how much would be measured, how much is allowed and in which
scope. A limit that is passed refuses new risk; an approved temporary limit, or a larger one, lets it pass.",
        columns: &["code", "measures"],
        rows: "SELECT upper(limit_type), description || CASE WHEN is_minimum THEN ', at least' ELSE '' END
                 FROM tmt.limit_types",
    },
    Section {
        title: "Said where it was accepted",
        intro: "",
        columns: &["code", "means"],
        rows: "SELECT code, meaning FROM tmt.refusals WHERE kind = 'accepted'",
    },
    Section {
        title: "Lines that inform",
        intro: "Checks that pass are lines of the ticket too; beside the codes above there are these.",
        columns: &["code", "says"],
        rows: "SELECT code, meaning FROM tmt.refusals WHERE kind = 'info'",
    },
    Section {
        title: "From the tables themselves",
        intro: "Programs that write the tables past the functions meet triggers; the console never does. A console that meets one says `RULE`
and the trigger's sentence.",
        columns: &["SQLSTATE", "means"],
        rows: "SELECT code, meaning FROM tmt.refusals WHERE kind = 'sqlstate'",
    },
];

impl Section {
    async fn write(&self, client: &Client, page: &mut String) {
        writeln!(page, "\n## {}\n", self.title).unwrap();
        if !self.intro.is_empty() {
            writeln!(page, "{}\n", self.intro).unwrap();
        }
        writeln!(page, "| {} |", self.columns.join(" | ")).unwrap();
        writeln!(page, "|{}", " --- |".repeat(self.columns.len())).unwrap();
        let sorted = format!("{} ORDER BY 1", self.rows);
        for row in client.query(&sorted, &[]).await.unwrap() {
            let cell = |column| row.try_get::<_, &str>(column).unwrap();
            let further: Vec<&str> = (1..self.columns.len()).map(cell).collect();
            writeln!(page, "| `{}` | {} |", cell(0), further.join(" | ")).unwrap();
        }
    }
}

#[tokio::test]
async fn the_page_of_codes_is_the_table_of_the_database() {
    let database = database::database().await;
    let client = database.client().await;
    let mut page = HEAD.to_owned();
    for section in &SECTIONS {
        section.write(&client, &mut page).await;
    }
    page.push_str(TAIL);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/REFUSALS.md");
    if std::env::var_os("TMT_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(stored.lines()).find(|(is, was)| is != was);
    assert!(stored == page, "docs/REFUSALS.md differs from tmt.refusals, first in {differs:?}");
}

#[tokio::test]
async fn a_code_that_is_not_explained_cannot_be_answered() {
    let database = database::database().await;
    let client = database.client().await;
    let answer = "desk.refused('NOBODY_EXPLAINED_THIS', 'No.')";
    for sql in [
        format!("SELECT desk.finish_request(gen_random_uuid(), 'halt', {answer}, '{{}}')"),
        "SELECT desk.check_result('NOBODY_EXPLAINED_THIS', 'reject', 'No.')".to_owned(),
    ] {
        let error = client.batch_execute(&sql).await.unwrap_err();
        let said = error.as_db_error().unwrap().message().to_owned();
        assert_eq!(said, "the code NOBODY_EXPLAINED_THIS is not in tmt.refusals", "{sql}");
    }
}
