//! The migrations, in order, as they are in `migrations/`.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// How often a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    Once,
    /// With every run: it looks at what the server offers, and that can change.
    EveryRun,
}

/// One numbered SQL file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Position in the order, from 1 without gaps.
    pub version: i32,
    /// Name of the file without its number.
    pub name: &'static str,
    /// Its text: one or more statements, without a transaction of its own.
    pub sql: &'static str,
    pub repeat: Repeat,
}

impl Migration {
    /// SHA-256 of the text, hexadecimal: tells a file that was edited after it had run.
    pub fn checksum(&self) -> String {
        Sha256::digest(self.sql).iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }
}

macro_rules! migrations {
    ($($version:literal $file:literal $name:literal $repeat:ident),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $file, "_", $name, ".sql")),
            repeat: Repeat::$repeat,
        }),+]
    };
}

/// Every migration of this program, oldest first.
///
/// They are only ever added: a database that somebody migrated keeps what it ran.
pub const MIGRATIONS: &[Migration] = migrations![
    1 "0001" "roles" Once,
    2 "0002" "tables" Once,
    3 "0003" "partitions" Once,
    4 "0004" "console" Once,
    5 "0005" "valuation" Once,
    6 "0006" "backstop" Once,
    7 "0007" "desk" Once,
    8 "0008" "assess" Once,
    9 "0009" "booking" Once,
    10 "0010" "oversight" Once,
    11 "0011" "changes" Once,
    12 "0012" "grants" Once,
    13 "0013" "timeseries" EveryRun,
    14 "0014" "clear_event" Once,
    15 "0015" "counters" Once,
    16 "0016" "limits" Once,
    17 "0017" "assess" Once,
    18 "0018" "booking" Once,
    19 "0019" "closing" Once,
    20 "0020" "amending" Once,
    21 "0021" "watch" Once,
    22 "0022" "days" Once,
    23 "0023" "reconcile" Once,
    24 "0024" "exact_cost" Once,
    25 "0025" "placing" Once,
    26 "0026" "new_period" Once,
    27 "0027" "mending" Once,
    28 "0028" "watching" Once,
    29 "0029" "fewer_looks" Once,
    30 "0030" "books" Once,
    31 "0031" "previews" Once,
    32 "0032" "wording" Once,
    33 "0033" "audit_walk" Once,
    34 "0034" "held_accounts" Once,
    35 "0035" "gaps" Once,
    36 "0036" "limits_in_words" Once,
    37 "0037" "cost_of_parts" Once,
    38 "0038" "limits_of_nothing" Once,
    39 "0039" "other_writers" Once,
    40 "0040" "lines_of_limits" Once,
    41 "0041" "unplaced" Once,
];

/// The schema version this program was written for.
pub const LATEST: i32 = 41;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_without_gaps_to_the_latest() {
        let versions: Vec<i32> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=LATEST).collect::<Vec<_>>());
    }

    #[test]
    fn every_file_in_the_folder_is_a_migration() {
        let mut on_disk: Vec<String> =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
        on_disk.sort();
        let embedded: Vec<String> =
            MIGRATIONS.iter().map(|m| format!("{:04}_{}.sql", m.version, m.name)).collect();
        assert_eq!(on_disk, embedded);
    }

    #[test]
    fn no_file_holds_a_transaction_of_its_own() {
        for migration in MIGRATIONS {
            for line in migration.sql.lines() {
                // At the margin: what is indented belongs to the body of a function.
                let line = line.to_ascii_uppercase();
                assert!(
                    !["BEGIN;", "COMMIT;", "ROLLBACK;", "END;"].contains(&line.as_str()),
                    "{}: {line}",
                    migration.name
                );
            }
        }
    }
}
