//! What somebody else hung on the schema of the rulebook.

use tmt::store::migrate::{MigrateError, Mode, Obstacle, check, migrate, migrate_to};

use crate::database::database;
use crate::dump::{assert_same, dump};
use crate::rebuilding::again;

/// Each of somebody's objects: how it is made, what a finding calls it, and how it is dropped.
const OBJECTS: [(&str, &str, &str); 7] = [
    ("CREATE VIEW report AS SELECT (desk.session()).login", "view report", "DROP VIEW report"),
    ("CREATE TABLE desk.notes (note text)", "table desk.notes", "DROP TABLE desk.notes"),
    (
        "CREATE FUNCTION desk.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "function desk.mine()",
        "DROP FUNCTION desk.mine()",
    ),
    (
        "CREATE FUNCTION explain(desk.answer) RETURNS text LANGUAGE sql AS 'SELECT $1.message'",
        "function explain(desk.answer)",
        "DROP FUNCTION explain(desk.answer)",
    ),
    (
        "CREATE TABLE answers (answer desk.answer)",
        "column answer of table answers",
        "DROP TABLE answers",
    ),
    (
        "CREATE TABLE mine (updated_at timestamptz);
         CREATE TRIGGER tr_set_updated_at BEFORE UPDATE ON mine FOR EACH ROW EXECUTE FUNCTION desk.set_updated_at()",
        "trigger tr_set_updated_at on table mine",
        "DROP TABLE mine",
    ),
    (
        "CREATE TRIGGER tr_mine BEFORE UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION desk.set_updated_at()",
        "trigger tr_mine on table positions",
        "DROP TRIGGER tr_mine ON positions",
    ),
];

#[tokio::test]
async fn foreign_objects_on_the_schema_of_the_rulebook_are_named_and_nothing_changes() {
    let database = database().await;
    let client = database.client().await;
    let clean = dump(&database).await;
    migrate_to(&again(1), &client, Mode::Fresh).await.unwrap();
    for (make, _, _) in OBJECTS {
        client.batch_execute(make).await.unwrap();
    }
    let before = dump(&database).await;

    let error = migrate(&client, Mode::Fresh).await.unwrap_err();

    let MigrateError::Obstacles { obstacles } = error else { panic!("{error}") };
    let mut named: Vec<&str> = obstacles.iter().map(|found| found.subject.as_str()).collect();
    let mut expected = OBJECTS.map(|(_, name, _)| name).to_vec();
    named.sort_unstable();
    expected.sort_unstable();
    assert_eq!(named, expected);
    assert!(obstacles.iter().all(|found| found.kind == Obstacle::Foreign));
    assert_same(&before, &dump(&database).await, "after a refusal");
    let found = check(&client).await.unwrap();
    assert_eq!(found.iter().filter(|found| found.is_obstacle()).count(), OBJECTS.len());

    for (_, _, drop) in OBJECTS {
        client.batch_execute(drop).await.unwrap();
    }
    assert!(migrate(&client, Mode::Fresh).await.unwrap().rebuilt);
    assert_same(&clean, &dump(&database).await, "after what was foreign is gone");
}
