//! The golden vectors: examples with their figures, which Rust and SQL must both compute.
//!
//! The file is `tests/golden-vectors.json`, or the one that `TMT_VECTORS` names. Beside it
//! `tests/more-vectors.json` holds edge cases. Each vector is computed by Rust, by SQL, or by both. A
//! vector fails if neither computes it, or if its form or a field of its answer is unknown.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]
#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "JSON is read by name, and a value of another kind is all the same fault"
)]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/verbs.rs"]
mod verbs;

#[path = "vectors/comparing.rs"]
mod comparing;
#[path = "vectors/form.rs"]
mod form;
#[path = "vectors/reading.rs"]
mod reading;
#[path = "reference/models.rs"]
mod reference;
#[path = "vectors/rust.rs"]
mod rust;
#[path = "vectors/sql.rs"]
mod sql;

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::comparing::{Comparison, compare};
use crate::form::Form;
use crate::reading::{Judged, Vector};

/// The results of one side.
#[derive(Debug, Default)]
struct Side {
    run: usize,
    passed: usize,
}

/// The results of both sides.
#[derive(Debug, Default)]
struct Tally {
    rust: Side,
    sql: Side,
    faults: Vec<String>,
}

impl Side {
    /// Compares an answer; returns what was compared and the faults.
    fn take(&mut self, name: &str, vector: &Vector, answer: Judged) -> Comparison {
        self.run += 1;
        let mut result = match answer {
            Ok(found) => compare(&vector.expected, &found),
            Err(why) => Comparison { faults: vec![why], ..Comparison::default() },
        };
        if result.faults.is_empty() {
            self.passed += 1;
        }
        for fault in &mut result.faults {
            *fault = format!("{} {name}: {fault}", vector.id);
        }
        result
    }
}

impl Tally {
    /// Compares the answers of both sides, which together must cover all fields.
    fn take(&mut self, vector: &Vector, rust: Option<Judged>, sql: Option<Judged>) {
        if rust.is_none() && sql.is_none() {
            self.faults.push(format!("{}: there is no judge for it", vector.id));
            return;
        }
        let sides = [("Rust", &mut self.rust, rust), ("SQL", &mut self.sql, sql)];
        let (mut seen, mut left, mut faults) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (name, side, answer) in sides {
            if let Some(answer) = answer {
                let result = side.take(name, vector, answer);
                seen.extend(result.compared);
                left.extend(result.left);
                faults.extend(result.faults);
            }
        }
        if faults.is_empty() {
            let nobody = left.difference(&seen);
            faults.extend(nobody.map(|path| format!("{}: {path} has no judge", vector.id)));
        }
        self.faults.extend(faults);
    }
}

#[tokio::test]
async fn golden_vectors_are_met() {
    meet(&reading::vectors().unwrap()).await;
}

#[tokio::test]
async fn additional_vectors_are_met() {
    meet(&reading::more_vectors().unwrap()).await;
}

async fn meet(vectors: &[Vector]) {
    let desk = sql::Desk::open().await;
    let mut tally = Tally::default();
    for vector in vectors {
        match Form::of(vector) {
            Ok(form) => {
                let (rust, sql) = (rust::judge(form, vector), desk.judge(form, vector).await);
                tally.take(vector, rust, sql);
            }
            Err(why) => tally.faults.push(format!("{}: {why}", vector.id)),
        }
    }
    let Tally { rust, sql, faults } = tally;
    let line = format!(
        "vectors: {}; SQL: {} run, {} passed; Rust: {} run, {} passed; {}",
        vectors.len(),
        sql.run,
        sql.passed,
        rust.run,
        rust.passed,
        if faults.is_empty() {
            "none skipped".to_owned()
        } else {
            format!("{} faults", faults.len())
        }
    );
    // The test harness hides what the print macros write when a test passes.
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
    assert!(faults.is_empty(), "{line}\n{}", faults.join("\n"));
}
