//! Migrations on real PostgreSQL: on nothing, twice, on a database of TMT with rows in it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that fails, fails its test")]

#[path = "migrations/adopting.rs"]
mod adopting;
#[path = "migrations/bodies.rs"]
mod bodies;
#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "migrations/dump.rs"]
mod dump;
#[path = "migrations/foreign.rs"]
mod foreign;
#[path = "migrations/interrupted.rs"]
mod interrupted;
#[path = "migrations/partitions.rs"]
mod partitions;
#[path = "migrations/rebuilding.rs"]
mod rebuilding;
#[path = "support/requests.rs"]
mod requests;
#[path = "migrations/upgrading.rs"]
mod upgrading;

use std::time::Duration;

use database::{Database, database, empty_database};
use tmt::store::migrate::{
    LATEST, MigrateError, Mode, Obstacle, Schema, Standing, check, migrate, standing,
};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// A database as TMT has it before any console, with rows.
async fn tmt_database() -> Database {
    let database = empty_database().await;
    let client = database.client().await;
    client.batch_execute(include_str!("support/tmt.sql")).await.unwrap();
    client.batch_execute(include_str!("support/tmt_rows.sql")).await.unwrap();
    database
}

/// As [`tmt_database`], with `trades` by month, as the data model gives it.
async fn partitioned_tmt_database() -> Database {
    let database = empty_database().await;
    let client = database.client().await;
    let tables = include_str!("support/tmt.sql")
        .replace("trade_id           uuid PRIMARY KEY", "trade_id           uuid")
        .replace(
            "CONSTRAINT valid_prices CHECK (entry_price > 0 AND (exit_price IS NULL OR exit_price > 0))\n)",
            "CONSTRAINT valid_prices CHECK (entry_price > 0 AND (exit_price IS NULL OR exit_price > 0)),
             PRIMARY KEY (trade_id, entry_time)) PARTITION BY RANGE (entry_time)",
        )
        .replace("related_trade_id    uuid REFERENCES trades (trade_id)", "related_trade_id    uuid")
        .replace(
            "CREATE INDEX idx_trades_account_id",
            "CREATE TABLE trades_y2025m01 PARTITION OF trades FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
             CREATE TABLE trades_y2025m02 PARTITION OF trades FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
             CREATE TABLE trades_before PARTITION OF trades FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
             CREATE TABLE trades_since PARTITION OF trades FOR VALUES FROM ('2025-03-01') TO (MAXVALUE);
             CREATE INDEX idx_trades_account_id",
        );
    client.batch_execute(&tables).await.unwrap();
    client.batch_execute(include_str!("support/tmt_rows.sql")).await.unwrap();
    database
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap().try_get(0).unwrap()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT ({sql})::bigint"), &[]).await.unwrap().try_get(0).unwrap()
}

/// Waits until a count that the server keeps is what it should be.
async fn until(client: &Client, count: &str, wanted: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while number(client, count).await != wanted {
        assert!(Instant::now() < deadline, "never came to {wanted}: {count}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn refused(client: &Client, sql: &str) -> SqlState {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(error) => error.code().unwrap().clone(),
    }
}

/// Everything that is in a database, as text: its objects, and the rows of TMT's tables.
async fn fingerprint(client: &Client) -> String {
    let rows = text(
        client,
        "SELECT (SELECT count(*)::text || md5(string_agg(t::text, '' ORDER BY t::text)) FROM trades t)
             || (SELECT count(*) || md5(string_agg(p::text, '' ORDER BY p::text)) FROM positions p)
             || (SELECT count(*) || md5(string_agg(m::text, '' ORDER BY m::text)) FROM market_data m)",
    )
    .await;
    fingerprint_of_objects(client).await + &rows
}

async fn fingerprint_of_objects(client: &Client) -> String {
    text(
        client,
        "SELECT string_agg(d, ' ' ORDER BY d) FROM (
            SELECT concat_ws(' ', c.relnamespace::regnamespace, c.relname, c.relkind, c.relowner, c.relacl,
                       (SELECT string_agg(a.attname, ',') FROM pg_attribute a WHERE a.attrelid = c.oid)) AS d
              FROM pg_class c
             WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace,
                                          'pg_toast'::regnamespace)
            UNION ALL SELECT concat_ws(' ', p.oid, p.proname, p.proowner) FROM pg_proc p
                       WHERE p.pronamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', t.tgname, t.tgrelid) FROM pg_trigger t
            UNION ALL SELECT concat_ws(' ', n.nspname, n.nspowner, n.nspacl) FROM pg_namespace n WHERE nspname !~ '^pg_') o",
    )
    .await
}

#[tokio::test]
async fn an_empty_database_gets_every_file_once() {
    let database = empty_database().await;
    let client = database.client().await;
    assert_eq!(standing(&client).await.unwrap(), Standing::Empty);
    assert_eq!(check(&client).await.unwrap().first().unwrap().kind, Obstacle::Pending);

    let first = migrate(&client, Mode::Fresh).await.unwrap();
    let second = migrate(&client, Mode::Fresh).await.unwrap();

    let files: Vec<String> =
        Schema::of_this_program().versions.iter().map(|file| file.name.to_string()).collect();
    assert_eq!(first.applied, files);
    assert_eq!((first.from, first.to, first.adopted, first.rebuilt), (0, LATEST, false, true));
    assert!(second.applied.is_empty() && !second.rebuilt);
    assert_eq!(standing(&client).await.unwrap(), Standing::Managed { version: LATEST });
    assert_eq!(check(&client).await.unwrap(), []);
}

#[tokio::test]
async fn two_programs_on_one_database_migrate_it_once() {
    let database = empty_database().await;
    let (one, other) = (database.client().await, database.client().await);

    let (first, second) = tokio::join!(migrate(&one, Mode::Fresh), migrate(&other, Mode::Fresh));

    let mut applied = [first.unwrap().applied.len(), second.unwrap().applied.len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, Schema::of_this_program().versions.len()]);
}

#[tokio::test]
async fn databases_of_one_cluster_are_migrated_side_by_side() {
    let databases = [empty_database().await, empty_database().await, empty_database().await];
    let [a, b, c] = &databases;
    let (a, b, c) = (a.client().await, b.client().await, c.client().await);

    let (a, b, c) =
        tokio::join!(migrate(&a, Mode::Fresh), migrate(&b, Mode::Fresh), migrate(&c, Mode::Fresh));

    for report in [a, b, c] {
        assert_eq!(report.unwrap().to, LATEST);
    }
}

#[tokio::test]
async fn settings_of_a_session_do_not_reach_the_schema() {
    let database = empty_database().await;
    let client = database.client().await;
    client
        .batch_execute(
            "CREATE SCHEMA elsewhere; SET search_path = elsewhere;
             SET timezone = 'America/New_York'; SET statement_timeout = '1ms'",
        )
        .await
        .unwrap();

    client.batch_execute("SET statement_timeout = '5s'").await.unwrap();
    migrate(&client, Mode::Fresh).await.unwrap();

    let bounds =
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'trades_y2025m01'";
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    let bounds = text(&client, bounds).await;
    assert!(bounds.contains("'2025-01-01 00:00:00+00'"), "{bounds}");
    let stray = "SELECT count(*) FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace";
    assert_eq!(number(&client, stray).await, 0);
}

#[tokio::test]
async fn a_later_schema_and_an_edited_file_are_refused() {
    let database = database().await;
    let client = database.client().await;

    client
        .batch_execute("UPDATE tmt.schema_migrations SET checksum = 'x' WHERE version = 2")
        .await
        .unwrap();
    let error = migrate(&client, Mode::Fresh).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::Altered { file } if file == "0002_console.sql"),
        "{error}"
    );
    assert_eq!(check(&client).await.unwrap().first().unwrap().kind, Obstacle::Altered);

    let later = LATEST + 1;
    let sql = format!("INSERT INTO tmt.schema_migrations VALUES ({later}, 'later', 'x')");
    client.batch_execute(&sql).await.unwrap();
    let error = migrate(&client, Mode::Fresh).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Newer { found, known } if (found, known) == (later, LATEST))
    );
}

#[tokio::test]
async fn a_database_of_an_unreleased_build_is_refused_by_name() {
    let database = empty_database().await;
    let client = database.client().await;
    client
        .batch_execute("CREATE SCHEMA desk; CREATE TABLE desk.schema_migrations (version integer)")
        .await
        .unwrap();
    let before = fingerprint_of_objects(&client).await;

    for mode in [Mode::Fresh, Mode::Adopt] {
        let error = migrate(&client, mode).await.unwrap_err();
        assert!(matches!(error, MigrateError::EarlierBuild), "{error}");
        assert!(error.to_string().contains("docs/UPGRADING.md"));
    }
    assert_eq!(fingerprint_of_objects(&client).await, before);
}

#[tokio::test]
async fn a_login_without_rights_is_told_so_and_leaves_nothing() {
    let database = empty_database().await;
    let login = database.login("guest", "pg_monitor").await;
    let client = database.client_as(&login).await;

    let error = migrate(&client, Mode::Fresh).await.unwrap_err();

    assert!(matches!(error, MigrateError::NotPermitted { .. }), "{error}");
    assert_eq!(standing(&client).await.unwrap(), Standing::Empty);

    // On a migrated database such a login cannot even see how far it is.
    migrate(&database.client().await, Mode::Fresh).await.unwrap();
    for result in [standing(&client).await.err(), check(&client).await.err()] {
        assert!(matches!(result, Some(MigrateError::NotPermitted { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn the_owner_of_a_database_migrates_it_without_being_a_superuser() {
    // The roles are made by whoever comes first on this server.
    let (_others, database) = (database().await, empty_database().await);
    let admin = database.client().await;
    let login = database.login("deployer", "pg_monitor").await;
    admin
        .batch_execute(&format!(
            "ALTER ROLE {login} CREATEROLE; GRANT tmt_owner TO {login};
             ALTER DATABASE {} OWNER TO {login}",
            database.name()
        ))
        .await
        .unwrap();
    let client = database.client_as(&login).await;

    migrate(&client, Mode::Fresh).await.unwrap();

    let owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname IN ('public', 'tmt')";
    assert_eq!(text(&client, owners).await, "tmt_owner");
    admin
        .batch_execute(&format!("ALTER DATABASE {} OWNER TO CURRENT_USER", database.name()))
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_but_the_owner_writes_a_table_and_nobody_reads_credentials() {
    let database = database().await;
    let client = database.client().await;

    let writable = "SELECT string_agg(format('%s: %s', r, c.oid::regclass), ', ')
        FROM pg_class c, unnest(ARRAY['tmt_viewer', 'tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'public']) r
       WHERE c.relnamespace IN ('public'::regnamespace, 'tmt'::regnamespace) AND c.relkind IN ('r', 'p')
         AND (has_any_column_privilege(r, c.oid, 'INSERT, UPDATE') OR has_table_privilege(r, c.oid, 'DELETE, TRUNCATE'))";
    assert_eq!(
        number(
            &client,
            &format!("SELECT count(*) FROM ({writable}) w (list) WHERE list IS NOT NULL")
        )
        .await,
        0
    );
    let executable = "SELECT count(*) FROM pg_proc p
       WHERE p.pronamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND has_function_privilege('public', p.oid, 'EXECUTE')";
    assert_eq!(number(&client, executable).await, 0);
    let readable = "SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text)
        FROM pg_class c
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND NOT has_table_privilege('tmt_viewer', c.oid, 'SELECT')";
    assert_eq!(text(&client, readable).await, "account_credentials");
    for group in ["tmt_viewer", "tmt_trader", "tmt_risk_officer", "tmt_admin", "tmt_agent"] {
        let login = database.login(&format!("x_{group}"), group).await;
        let person = database.client_as(&login).await;
        assert_eq!(
            refused(&person, "SELECT * FROM account_credentials").await,
            SqlState::INSUFFICIENT_PRIVILEGE
        );
        assert_eq!(
            refused(&person, "UPDATE accounts SET equity = 0").await,
            SqlState::INSUFFICIENT_PRIVILEGE
        );
        assert_eq!(refused(&person, "SET ROLE tmt_owner").await, SqlState::INSUFFICIENT_PRIVILEGE);
        person.batch_execute("SELECT * FROM accounts; SELECT * FROM trades").await.unwrap();
    }
}
