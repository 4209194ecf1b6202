//! The SQL files of the schema, as they are in `migrations/`.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// One SQL file: statements without a transaction of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in `migrations/`.
    pub name: Cow<'static, str>,
    pub sql: Cow<'static, str>,
}

impl File {
    /// SHA-256 of the text, hexadecimal: tells a file that was edited after it had run.
    pub(super) fn checksum(&self) -> String {
        hex(Sha256::digest(self.sql.as_bytes()).as_slice())
    }
}

/// What a database is brought to: the schema by versions, the rulebook as a whole.
///
/// A value, so that a test can bring a database to another one than this program's.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Version of the program, as `1.2.3`. An older program leaves a newer one's rulebook alone.
    pub program: String,
    /// Files that run once, oldest first: the first is version 1. After a release they are only
    /// ever added to.
    pub versions: Vec<File>,
    /// Functions, types and triggers, in an order in which each finds the types that it names.
    pub rulebook: Vec<File>,
}

impl Schema {
    /// The schema that this program was written for.
    pub fn of_this_program() -> Self {
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            versions: VERSIONS.to_vec(),
            rulebook: RULEBOOK.to_vec(),
        }
    }

    /// The schema version: how many versioned files there are.
    pub fn latest(&self) -> i32 {
        i32::try_from(self.versions.len()).unwrap_or(i32::MAX)
    }

    /// Each versioned file with its version.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (i32, &File)> {
        (1..).zip(&self.versions)
    }

    /// SHA-256 over all files of the rulebook in their order, hexadecimal.
    pub(super) fn digest(&self) -> String {
        let mut all = Sha256::new();
        for File { name, sql } in &self.rulebook {
            // With lengths, so that no text can pass from one file into the next unseen.
            for text in [name, sql] {
                all.update(text.len().to_be_bytes());
                all.update(text.as_bytes());
            }
        }
        hex(all.finalize().as_slice())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

macro_rules! file {
    ($name:literal) => {
        File {
            name: Cow::Borrowed($name),
            sql: Cow::Borrowed(include_str!(concat!("../../../migrations/", $name))),
        }
    };
}

/// The schema version this program was written for.
pub const LATEST: i32 = 3;

const VERSIONS: &[File] =
    &[file!("0001_baseline.sql"), file!("0002_console.sql"), file!("0003_tmt.sql")];

const RULEBOOK: &[File] = &[
    file!("rulebook/types.sql"),
    file!("rulebook/text.sql"),
    file!("rulebook/session.sql"),
    file!("rulebook/requests.sql"),
    file!("rulebook/audit.sql"),
    file!("rulebook/prices.sql"),
    file!("rulebook/marks.sql"),
    file!("rulebook/totals.sql"),
    file!("rulebook/trades.sql"),
    file!("rulebook/market_data.sql"),
    file!("rulebook/events.sql"),
    file!("rulebook/halts.sql"),
    file!("rulebook/changes.sql"),
    file!("rulebook/days.sql"),
    file!("rulebook/limits/types.sql"),
    file!("rulebook/codes.sql"),
    file!("rulebook/limits/scope.sql"),
    file!("rulebook/limits/measure.sql"),
    file!("rulebook/limits/measure_other.sql"),
    file!("rulebook/limits/validate.sql"),
    file!("rulebook/limits/change.sql"),
    file!("rulebook/limits/preview.sql"),
    file!("rulebook/orders/context.sql"),
    file!("rulebook/orders/assess.sql"),
    file!("rulebook/orders/risk.sql"),
    file!("rulebook/orders/place.sql"),
    file!("rulebook/orders/book.sql"),
    file!("rulebook/orders/close.sql"),
    file!("rulebook/orders/amend.sql"),
    file!("rulebook/orders/charge.sql"),
    file!("rulebook/exposure_check.sql"),
    file!("rulebook/monitor.sql"),
    file!("rulebook/monitor_events.sql"),
    file!("rulebook/reconcile.sql"),
    file!("rulebook/triggers.sql"),
    file!("rulebook/grants.sql"),
];

/// Roles, schemas, ownership, and the record of what ran. With every run.
pub(super) const ROLES: File = file!("server/roles.sql");
/// Before the rulebook is made again.
pub(super) const DROP_RULEBOOK: File = file!("server/drop_rulebook.sql");
/// Partitions, and what depends on extensions, which may come later. With every run.
pub(super) const TIMESERIES: File = file!("server/timeseries.sql");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn all() -> Vec<File> {
        let mut all = VERSIONS.to_vec();
        all.extend_from_slice(RULEBOOK);
        all.extend([ROLES, DROP_RULEBOOK, TIMESERIES]);
        all
    }

    fn on_disk(folder: &Path, inside: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{inside}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                on_disk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn every_file_in_the_folder_is_embedded_once() {
        let mut found = Vec::new();
        on_disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"), "", &mut found);
        found.sort();
        let mut embedded: Vec<String> = all().into_iter().map(|f| f.name.into_owned()).collect();
        embedded.sort();
        assert_eq!(embedded, found);
    }

    #[test]
    fn versions_count_from_one_without_gaps_to_the_latest() {
        let schema = Schema::of_this_program();
        for (version, file) in schema.numbered() {
            assert!(file.name.starts_with(&format!("{version:04}_")), "{}", file.name);
        }
        assert_eq!(schema.latest(), LATEST);
    }

    #[test]
    fn no_file_holds_a_transaction_of_its_own() {
        for File { name, sql } in all() {
            for line in sql.lines() {
                // At the margin: what is indented belongs to the body of a function.
                let line = line.to_ascii_uppercase();
                assert!(
                    !["BEGIN;", "COMMIT;", "ROLLBACK;", "END;"].contains(&line.as_str()),
                    "{name}: {line}"
                );
            }
        }
    }

    #[test]
    fn no_file_is_longer_than_a_person_reads_at_once() {
        for File { name, sql } in all() {
            assert!(sql.lines().count() <= 400, "{name} has {} lines", sql.lines().count());
        }
    }

    #[test]
    fn no_versioned_file_calls_what_the_rulebook_makes() {
        for File { name, sql } in VERSIONS {
            for line in sql.lines() {
                let code = line.split("--").next().unwrap_or_default();
                assert!(!code.contains("desk."), "{name} names schema desk: {line}");
            }
        }
    }

    #[test]
    fn no_function_is_made_twice() {
        let mut made = std::collections::BTreeSet::new();
        for File { name, sql } in RULEBOOK {
            for line in sql.lines() {
                let rest = ["CREATE FUNCTION ", "CREATE OR REPLACE FUNCTION "]
                    .iter()
                    .find_map(|start| line.strip_prefix(start));
                let Some(function) = rest.and_then(|rest| rest.split('(').next()) else { continue };
                assert!(made.insert(function), "{name} makes {function} again");
            }
        }
        assert!(made.len() > 150, "the rulebook was read");
    }
}
