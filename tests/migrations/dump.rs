//! The schema of a database as `pg_dump` writes it.

use std::path::Path;
use std::process::Command;

use crate::database::Database;
use crate::text;

/// Returns every object of a database, without what differs from one dump to the next.
///
/// With the server's own `pg_dump`: another version may refuse it.
pub(crate) async fn dump(database: &Database) -> String {
    let client = database.client().await;
    let programs = text(&client, "SELECT setting FROM pg_config() WHERE name = 'BINDIR'").await;
    let pg_dump = Path::new(&programs).join("pg_dump");
    let ran = Command::new(pg_dump).args(["--schema-only", &database.url()]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    let is_of_the_schema = |line: &&str| {
        !(line.is_empty()
            || line.starts_with("--")
            || line.starts_with('\\')
            || line.starts_with("SET "))
    };
    text.lines().filter(is_of_the_schema).collect::<Vec<_>>().join("\n")
}

/// Says where two dumps differ first.
#[track_caller]
pub(crate) fn assert_same(left: &str, right: &str, when: &str) {
    let differs = left.lines().zip(right.lines()).find(|(one, other)| one != other);
    assert!(left == right, "the schema differs {when}: {differs:?}");
}
