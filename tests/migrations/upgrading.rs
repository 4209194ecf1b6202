//! From this version to a next one, and what stops on the way.

use tmt::store::migrate::{File, MigrateError, Mode, Schema, check, migrate, migrate_to};
use tokio_postgres::Client;

use crate::database::{database, empty_database};
use crate::dump::{assert_same, dump};
use crate::{number, text};

/// A schema that a later program may have: a column more, a function with another signature, one
/// that is gone.
fn next() -> Schema {
    let mut schema = Schema::of_this_program();
    "99.0.0".clone_into(&mut schema.program);
    let sql = "ALTER TABLE accounts ADD COLUMN nickname text; CREATE TABLE tmt.later (id integer PRIMARY KEY);
               GRANT SELECT ON tmt.later TO tmt_viewer";
    schema.versions.push(File { name: "0004_later.sql".into(), sql: sql.into() });
    let fee = "desk.swap_fee(p_size numeric, p_per_lot numeric, p_lot numeric, p_nights integer) RETURNS numeric";
    replace(
        &mut schema,
        fee,
        "desk.swap_fee(size numeric, per_lot numeric, nights integer) RETURNS float8",
    );
    replace(
        &mut schema,
        "SELECT -p_per_lot * p_size / p_lot * p_nights",
        "SELECT -per_lot * size * nights",
    );
    replace(
        &mut schema,
        "desk.swap_fee(numeric, numeric, numeric, integer)",
        "desk.swap_fee(numeric, numeric, integer)",
    );
    replace(&mut schema, "    desk.swap_nights(date, date, integer),\n", "");
    replace(
        &mut schema,
        "CREATE FUNCTION desk.swap_nights(",
        "CREATE FUNCTION desk.nights_of_swap(",
    );
    schema
}

#[track_caller]
fn replace(schema: &mut Schema, old: &str, new: &str) {
    let file = schema.rulebook.iter_mut().find(|file| file.sql.contains(old));
    let file = file.unwrap_or_else(|| panic!("no file of the rulebook has {old}"));
    file.sql = file.sql.replace(old, new).into();
}

async fn functions(client: &Client) -> String {
    let sql = "SELECT string_agg(p.oid::regprocedure::text, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.proname LIKE '%swap%'";
    text(client, sql).await
}

#[tokio::test]
async fn an_upgraded_database_has_the_schema_of_a_new_one() {
    let (upgraded, fresh) = (database().await, empty_database().await);
    let (client, other) = (upgraded.client().await, fresh.client().await);

    let report = migrate_to(&next(), &client, Mode::Fresh).await.unwrap();
    migrate_to(&next(), &other, Mode::Fresh).await.unwrap();

    assert_eq!((report.from, report.to, report.rebuilt), (3, 4, true));
    assert_eq!(report.applied, ["0004_later.sql"]);
    assert_same(
        &dump(&upgraded).await,
        &dump(&fresh).await,
        "between an upgraded database and a new one",
    );
    assert_eq!(
        functions(&client).await,
        "desk.nights_of_swap(date,date,integer) desk.swap_fee(numeric,numeric,integer)"
    );
    let again = migrate_to(&next(), &client, Mode::Fresh).await.unwrap();
    assert!(!again.rebuilt && again.applied.is_empty());
}

#[tokio::test]
async fn a_rulebook_that_is_made_twice_is_the_same() {
    let database = database().await;
    let client = database.client().await;
    let before = dump(&database).await;

    for schema in [crate::rebuilding::again(1), Schema::of_this_program()] {
        assert!(migrate_to(&schema, &client, Mode::Fresh).await.unwrap().rebuilt);
        assert_same(&before, &dump(&database).await, "after a rebuild");
    }
}

/// What is broken in a next version, and what the refusal has to say of it.
const BROKEN: [(&str, &str, &str); 4] = [
    ("a file that cannot run", "rulebook/broken.sql", "CREATE FUNCTION desk.broken("),
    (
        "a body that cannot be parsed",
        "desk.broken",
        "CREATE FUNCTION desk.broken() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURNS 1; END $$",
    ),
    (
        "a body that names a table that is not there",
        "tmt.nowhere",
        "CREATE FUNCTION desk.broken() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM tmt.nowhere'",
    ),
    ("a grant to nobody", "rulebook/broken.sql", "GRANT USAGE ON SCHEMA desk TO tmt_nobody"),
];

#[tokio::test]
async fn a_version_that_fails_changes_nothing() {
    let database = database().await;
    let client = database.client().await;
    let before = dump(&database).await;
    let installed = "SELECT digest || revision FROM tmt.rulebook";
    let rulebook = text(&client, installed).await;

    for (what, said, sql) in BROKEN {
        let mut schema = next();
        schema.rulebook.push(File { name: "rulebook/broken.sql".into(), sql: sql.into() });
        let error = migrate_to(&schema, &client, Mode::Fresh).await.unwrap_err();

        assert!(matches!(error, MigrateError::Failed { .. }), "{what}: {error}");
        assert!(error.to_string().contains(said), "{what}: {error}");
        assert_same(&before, &dump(&database).await, what);
        assert_eq!(text(&client, installed).await, rulebook, "{what}");
        assert_eq!(number(&client, "SELECT count(*) FROM tmt.schema_migrations").await, 3);
    }
    // The transaction is over, and nothing of it holds the next one up.
    assert!(migrate_to(&next(), &client, Mode::Fresh).await.unwrap().rebuilt);
}

#[tokio::test]
async fn an_older_program_leaves_a_newer_rulebook_alone() {
    let database = database().await;
    let client = database.client().await;
    let mut newer = crate::rebuilding::again(1);
    "99.1.2".clone_into(&mut newer.program);
    migrate_to(&newer, &client, Mode::Fresh).await.unwrap();
    let before = dump(&database).await;

    for error in
        [migrate(&client, Mode::Fresh).await.unwrap_err(), check(&client).await.unwrap_err()]
    {
        let MigrateError::NewerRulebook { found, .. } = &error else { panic!("{error}") };
        assert_eq!(found, "99.1.2");
    }
    assert_same(&before, &dump(&database).await, "after a refusal");
}
