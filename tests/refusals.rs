//! `docs/REFUSALS.md` is written from the table `tmt.codes`, and a code that is not in that table
//! cannot be answered.
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
# Codes

Every write is one call of one function in schema `desk`. The answer has a code, a message and, where there are figures, what
was measured and what is allowed. Messages are for people and may change; codes are for programs and do not.
This page is written from the table `tmt.codes` by `TMT_WRITE_DOCS=1 cargo nextest run --test refusals`.

In the shell, a refusal exits with 3 (`--json` has `code`, `message`, `measured`, `allowed`, `unit`). On a ticket, `HARD` refuses,
`SOFT` needs a reason, `ok` has passed.
";

const TAIL: &str = "
## From the console

Nothing was written: `NOT_SENT` (no connection; the message says why), `READ_ONLY` (a standby, or `screen.read_only`), `BUSY`
(another write held the lock for too long), `CONFLICT` (serialization failure, four times), `TOO_SLOW` (statement timeout),
`SERVER_FULL`, `SCHEMA` (a function is missing: run `tmt migrate`), `INVALID` (a value out of range), `RULE` (above).
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
        rows: "SELECT code, meaning, coalesce(remedy, '') FROM tmt.codes WHERE kind = 'refused'",
    },
    Section {
        title: "Needs a reason",
        intro: "Accepted with a reason; both are in the audit. So is `MAX_DAILY_LOSS` or `MAX_DRAWDOWN` where only the stop would reach the limit.",
        columns: &["code", "means", "what to do"],
        rows: "SELECT code, meaning, coalesce(remedy, '') FROM tmt.codes WHERE kind = 'confirm'",
    },
    Section {
        title: "Limits",
        intro: "The code of a limit is its type in capitals; the message gives the figure, the limit and its scope. A breach refuses new risk,
until a looser limit, temporary or not, is approved.",
        columns: &["code", "measures"],
        rows: "SELECT upper(limit_type), description || CASE WHEN is_minimum THEN ', at least' ELSE '' END
                 FROM tmt.limit_types",
    },
    Section {
        title: "Accepted",
        intro: "",
        columns: &["code", "means"],
        rows: "SELECT code, meaning FROM tmt.codes WHERE kind = 'accepted'",
    },
    Section {
        title: "Information",
        intro: "A ticket lists passed checks too: by the codes above, and by these.",
        columns: &["code", "says"],
        rows: "SELECT code, meaning FROM tmt.codes WHERE kind = 'info'",
    },
    Section {
        title: "Errors of triggers",
        intro: "Programs that write the tables directly may meet triggers; the console does not. If it does, it reports `RULE` and the
trigger's message.",
        columns: &["SQLSTATE", "means"],
        rows: "SELECT code, meaning FROM tmt.codes WHERE kind = 'sqlstate'",
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
    assert!(stored == page, "docs/REFUSALS.md differs from tmt.codes, first in {differs:?}");
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
        assert_eq!(said, "the code NOBODY_EXPLAINED_THIS is not in tmt.codes", "{sql}");
    }
}
