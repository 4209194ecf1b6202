//! Migrations on real PostgreSQL: on nothing, twice, on a database of TMT with rows in it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that fails, fails its test")]

#[path = "support/database.rs"]
mod database;

use database::{Database, database, empty_database};
use tmt::store::migrate::{
    LATEST, MIGRATIONS, MigrateError, Mode, Obstacle, Standing, check, migrate, preflight, standing,
};
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

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap().try_get(0).unwrap()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT ({sql})::bigint"), &[]).await.unwrap().try_get(0).unwrap()
}

async fn refused(client: &Client, sql: &str) -> SqlState {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(error) => error.code().unwrap().clone(),
    }
}

/// Everything that is in a database, as text: its objects, and the rows of TMT's tables.
async fn fingerprint(client: &Client) -> String {
    let objects = text(
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
    .await;
    let rows = text(
        client,
        "SELECT (SELECT count(*)::text || md5(string_agg(t::text, '' ORDER BY t::text)) FROM trades t)
             || (SELECT count(*) || md5(string_agg(p::text, '' ORDER BY p::text)) FROM positions p)
             || (SELECT count(*) || md5(string_agg(m::text, '' ORDER BY m::text)) FROM market_data m)",
    )
    .await;
    objects + &rows
}

#[tokio::test]
async fn an_empty_database_gets_every_file_once() {
    let database = empty_database().await;
    let client = database.client().await;
    assert_eq!(standing(&client).await.unwrap(), Standing::Empty);
    assert_eq!(check(&client).await.unwrap().first().unwrap().kind, Obstacle::Pending);

    let first = migrate(&client, Mode::Fresh).await.unwrap();
    let second = migrate(&client, Mode::Fresh).await.unwrap();

    assert_eq!(first.applied, MIGRATIONS.iter().collect::<Vec<_>>());
    assert_eq!((first.from, first.to, first.adopted), (0, LATEST, false));
    assert!(second.applied.is_empty());
    assert_eq!(standing(&client).await.unwrap(), Standing::Managed { version: LATEST });
    assert_eq!(check(&client).await.unwrap(), []);
}

#[tokio::test]
async fn every_file_can_run_a_second_time() {
    let database = database().await;
    let client = database.client().await;

    for migration in MIGRATIONS {
        let sql = format!("BEGIN; {}; COMMIT", migration.sql);
        client.batch_execute(&sql).await.unwrap_or_else(|e| panic!("{}: {e:?}", migration.name));
    }
}

#[tokio::test]
async fn two_programs_on_one_database_migrate_it_once() {
    let database = empty_database().await;
    let (one, other) = (database.client().await, database.client().await);

    let (first, second) = tokio::join!(migrate(&one, Mode::Fresh), migrate(&other, Mode::Fresh));

    let mut applied = [first.unwrap().applied.len(), second.unwrap().applied.len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, MIGRATIONS.len()]);
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
        .batch_execute("UPDATE desk.schema_migrations SET checksum = 'x' WHERE version = 2")
        .await
        .unwrap();
    let error = migrate(&client, Mode::Fresh).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::Altered { file } if file == "0002_tables.sql"),
        "{error}"
    );
    assert_eq!(check(&client).await.unwrap().first().unwrap().kind, Obstacle::Altered);

    let later = LATEST + 1;
    let sql = format!("INSERT INTO desk.schema_migrations VALUES ({later}, 'later', 'x')");
    client.batch_execute(&sql).await.unwrap();
    let error = migrate(&client, Mode::Fresh).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Newer { found, known } if (found, known) == (later, LATEST))
    );
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

    let owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname IN ('public', 'desk')";
    assert_eq!(text(&client, owners).await, "tmt_owner");
    admin
        .batch_execute(&format!("ALTER DATABASE {} OWNER TO CURRENT_USER", database.name()))
        .await
        .unwrap();
}

#[tokio::test]
async fn tables_of_tmt_are_adopted_only_when_asked() {
    let database = tmt_database().await;
    let client = database.client().await;
    let before = fingerprint(&client).await;

    let error = migrate(&client, Mode::Fresh).await.unwrap_err();

    let MigrateError::NotAdopted { tables } = error else { panic!("{error}") };
    assert_eq!(tables.len(), 10);
    assert_eq!(fingerprint(&client).await, before);
    assert_eq!(preflight(&client).await.unwrap(), []);
}

#[tokio::test]
async fn an_adopted_database_keeps_its_rows_and_its_plain_trades() {
    let database = tmt_database().await;
    let client = database.client().await;

    let report = migrate(&client, Mode::Adopt).await.unwrap();
    assert!(migrate(&client, Mode::Fresh).await.unwrap().applied.is_empty());

    assert!(report.adopted);
    assert_eq!(
        text(&client, "SELECT relkind FROM pg_class WHERE oid = 'trades'::regclass").await,
        "r"
    );
    assert_eq!(
        number(
            &client,
            "SELECT count(*) FROM trades JOIN trade_registry USING (trade_id, entry_time)"
        )
        .await,
        3
    );
    assert_eq!(number(&client, "SELECT count(*) FROM positions").await, 1);
    assert_eq!(number(&client, "SELECT count(*) FROM risk_events").await, 1);
    // What can be valued is described; a person is asked to look.
    assert_eq!(
        number(&client, "SELECT count(*) FROM instruments WHERE description LIKE '%check%'").await,
        2
    );
    assert_eq!(
        text(&client, "SELECT rate FROM fx_rates WHERE from_currency = 'EUR'").await,
        "1.101000000000"
    );
    // Nothing here is ours to partition.
    client.batch_execute("SELECT create_monthly_partitions()").await.unwrap();
    assert_eq!(number(&client, "SELECT count(*) FROM pg_inherits").await, 0);
}

#[tokio::test]
async fn preflight_names_the_rows_that_new_keys_refuse_and_changes_nothing() {
    let database = tmt_database().await;
    let client = database.client().await;
    client
        .batch_execute(
            "INSERT INTO positions (position_id, account_id, instrument, position_type, total_size, average_entry_price, status)
             VALUES ('b0000000-0000-4000-8000-000000000009', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'SHORT', 5, 1.1, 'closing');
             INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             SELECT '2025-06-02 10:00+00', 'EUR_USD', 1, 1, 1, 1, 'M1', 'oanda' FROM generate_series(1, 2);
             UPDATE trades SET platform_trade_id = '101' WHERE platform_trade_id = '102'",
        )
        .await
        .unwrap();
    let before = fingerprint(&client).await;

    let error = migrate(&client, Mode::Adopt).await.unwrap_err();

    let MigrateError::Obstacles { obstacles } = error else { panic!("{error}") };
    let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for row in [
        "b0000000-0000-4000-8000-000000000001 (open)",
        "b0000000-0000-4000-8000-000000000009 (closing)",
        "EUR_USD M1 from oanda at 2025-06-02 10:00:00Z: 3 bars",
        "70000000-0000-4000-8000-000000000001",
        "70000000-0000-4000-8000-000000000002",
    ] {
        assert!(told.contains(row), "{row} is not in\n{told}");
    }
    assert!(obstacles.iter().all(|o| o.kind == Obstacle::Rows && o.row_count == 1));
    assert_eq!(fingerprint(&client).await, before);
}

#[tokio::test]
async fn preflight_names_what_is_no_table_of_tmt() {
    let database = empty_database().await;
    let client = database.client().await;
    client
        .batch_execute(
            "CREATE TABLE accounts (account_id integer, account_name text, broker text);
             CREATE VIEW trades AS SELECT 1 AS one;
             CREATE TABLE instruments (name text);
             CREATE SCHEMA desk;
             CREATE FUNCTION create_monthly_partitions() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        )
        .await
        .unwrap();

    let error = migrate(&client, Mode::Adopt).await.unwrap_err();

    let told = error.to_string();
    for fault in [
        "accounts: column account_id is int4, not uuid, column platform is missing",
        "trades: is not a table",
        "table instruments: is not",
        "schema desk: belongs to",
        "function create_monthly_partitions(): returns integer",
    ] {
        assert!(told.contains(fault), "{fault} is not in\n{told}");
    }
}

#[tokio::test]
async fn trades_that_are_partitioned_otherwise_get_the_registry_only() {
    let database = empty_database().await;
    let client = database.client().await;
    let partitioned = include_str!("support/tmt.sql")
        .replace("trade_id           uuid PRIMARY KEY", "trade_id           uuid")
        .replace(
            "CONSTRAINT valid_prices CHECK (entry_price > 0 AND (exit_price IS NULL OR exit_price > 0))\n)",
            "CONSTRAINT valid_prices CHECK (entry_price > 0 AND (exit_price IS NULL OR exit_price > 0)),
             PRIMARY KEY (account_id, trade_id)) PARTITION BY HASH (account_id)",
        )
        .replace("related_trade_id    uuid REFERENCES trades (trade_id)", "related_trade_id    uuid")
        .replace(
            "CREATE INDEX idx_trades_account_id",
            "CREATE TABLE trades_0 PARTITION OF trades FOR VALUES WITH (MODULUS 1, REMAINDER 0);
             CREATE INDEX idx_trades_account_id",
        );
    client.batch_execute(&partitioned).await.unwrap();
    client.batch_execute(include_str!("support/tmt_rows.sql")).await.unwrap();

    migrate(&client, Mode::Adopt).await.unwrap();

    assert_eq!(number(&client, "SELECT count(*) FROM trade_registry").await, 3);
    client.batch_execute("SELECT create_monthly_partitions()").await.unwrap();
    let parts = "SELECT string_agg(inhrelid::regclass::text, ',') FROM pg_inherits WHERE inhparent = 'trades'::regclass";
    assert_eq!(text(&client, parts).await, "trades_0");
    let known = "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                                     risk_percentage, entry_time, status)
                 VALUES ('70000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000002', 'EUR_USD', 'BUY', 1, 1, 1,
                         0.01, now(), 'closed')";
    assert_eq!(refused(&client, known).await, SqlState::UNIQUE_VIOLATION);
}

#[tokio::test]
async fn whoever_wrote_the_tables_before_still_does() {
    let database = tmt_database().await;
    let admin = database.client().await;
    let writer = database.login("app", "pg_monitor").await;
    // The application owned its tables, as applications do.
    let own = text(
        &admin,
        &format!(
            "SELECT string_agg(format('ALTER TABLE %I OWNER TO {writer}', tablename), '; ')
               FROM pg_tables WHERE schemaname = 'public'"
        ),
    )
    .await;
    admin
        .batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {writer}; {own}"))
        .await
        .unwrap();
    let client = database.client_as(&writer).await;

    migrate(&admin, Mode::Adopt).await.unwrap();

    // Statements as TMT has them: columns of the data model only.
    client
        .batch_execute(
            "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                                 risk_percentage, entry_time, platform_trade_id)
             VALUES ('70000000-0000-4000-8000-000000000007', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'BUY', 1000, 1.1, 5,
                     0.001, now(), '107')
             ON CONFLICT (trade_id) DO NOTHING;
             INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                                 risk_percentage, entry_time)
             VALUES ('70000000-0000-4000-8000-000000000007', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'BUY', 1000, 1.1, 5,
                     0.001, now() + interval '1 hour')
             ON CONFLICT (trade_id) DO NOTHING;
             UPDATE trades SET status = 'closed', exit_price = 1.2, exit_time = now() WHERE platform_trade_id = '107';
             UPDATE positions SET current_price = 1.101, unrealized_pnl = 10.00, last_updated_at = now() WHERE instrument = 'EUR_USD';
             INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             VALUES (now(), 'EUR_USD', 1.1, 1.1, 1.1, 1.1, 'M1', 'oanda');
             UPDATE accounts SET equity = 99010 WHERE account_name = 'alpha';
             INSERT INTO risk_events (account_id, event_type, severity, event_source)
             VALUES ('a0000000-0000-4000-8000-000000000001', 'margin', 'info', 'risk-agent');
             INSERT INTO system_events (event_type, event_category, severity, source_agent, event_message)
             VALUES ('tick', 'health', 'debug', 'market-analysis', 'alive')",
        )
        .await
        .unwrap();
    assert_eq!(number(&admin, "SELECT count(*) FROM trade_registry").await, 4);
}

#[tokio::test]
async fn nobody_but_the_owner_writes_a_table_and_nobody_reads_credentials() {
    let database = database().await;
    let client = database.client().await;

    let writable = "SELECT string_agg(format('%s: %s', r, c.oid::regclass), ', ')
        FROM pg_class c, unnest(ARRAY['tmt_viewer', 'tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'public']) r
       WHERE c.relnamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND c.relkind IN ('r', 'p')
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

const ACCOUNT: &str = "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, initial_balance,
        current_balance, available_balance, equity, max_daily_loss, max_total_drawdown)
    VALUES ('a0000000-0000-4000-8000-000000000001', 'alpha', 'oanda', 'v20', 'live', 100000, 100000, 100000, 100000, 0.05, 0.1)";

fn trade(id: u32, at: &str, platform: &str) -> String {
    format!(
        "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                             risk_percentage, entry_time, platform_trade_id)
         VALUES ('70000000-0000-4000-8000-{id:012}', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'BUY', 1000, 1.1, 5,
                 0.001, {at}, {platform})"
    )
}

#[tokio::test]
async fn a_trade_id_and_a_platform_id_are_unique_over_all_months() {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute(ACCOUNT).await.unwrap();
    client.batch_execute(&trade(1, "now()", "'101'")).await.unwrap();

    let elsewhere = trade(1, "now() - interval '3 months'", "NULL");
    assert_eq!(refused(&client, &elsewhere).await, SqlState::UNIQUE_VIOLATION);
    assert_eq!(refused(&client, &trade(1, "now()", "NULL")).await, SqlState::UNIQUE_VIOLATION);
    assert_eq!(
        refused(&client, &trade(2, "now() - interval '3 months'", "'101'")).await,
        SqlState::UNIQUE_VIOLATION
    );
    client.batch_execute(&trade(2, "'1999-01-01'", "NULL")).await.unwrap();
    let set = "UPDATE trades SET platform_trade_id = '101' WHERE trade_id = '70000000-0000-4000-8000-000000000002'";
    assert_eq!(refused(&client, set).await, SqlState::UNIQUE_VIOLATION);

    // A corrected entry time moves the row; the registry follows. A deleted trade can come again.
    client
        .batch_execute(
            "UPDATE trades SET entry_time = '1999-03-01', status = 'closed' WHERE trade_id = '70000000-0000-4000-8000-000000000002'",
        )
        .await
        .unwrap();
    assert_eq!(
        number(
            &client,
            "SELECT count(*) FROM trades JOIN trade_registry USING (trade_id, entry_time)"
        )
        .await,
        2
    );
    client.batch_execute("DELETE FROM trades").await.unwrap();
    assert_eq!(number(&client, "SELECT count(*) FROM trade_registry").await, 0);
    client.batch_execute(&trade(1, "now()", "'101'")).await.unwrap();
}

#[tokio::test]
async fn partitions_stand_ready_and_take_their_rows_out_of_the_default() {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute(ACCOUNT).await.unwrap();
    let months = "SELECT count(*) FROM generate_series(0, 3) m
        WHERE to_regclass('trades_y' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m), 'YYYY\"m\"MM')) IS NOT NULL";
    assert_eq!(number(&client, months).await, 4);
    for (id, at) in
        [(1, "'2031-03-01 00:30+00'"), (2, "'2031-02-28 23:30+00'"), (3, "'2031-04-01 00:00+00'")]
    {
        client.batch_execute(&trade(id, at, "NULL")).await.unwrap();
    }
    assert_eq!(number(&client, "SELECT count(*) FROM trades_default").await, 3);

    client
        .batch_execute("SET timezone = 'America/New_York'; SELECT create_trade_partition('2031-03-15 12:00+00')")
        .await
        .unwrap();

    // 00:30 UTC of the 1st is still February in New York.
    assert_eq!(
        text(&client, "SELECT string_agg(right(trade_id::text, 1), '') FROM trades_y2031m03").await,
        "1"
    );
    assert_eq!(number(&client, "SELECT count(*) FROM trades_default").await, 2);
    assert_eq!(
        number(
            &client,
            "SELECT count(*) FROM trades JOIN trade_registry USING (trade_id, entry_time)"
        )
        .await,
        3
    );
    client
        .batch_execute(
            "SELECT create_trade_partition('2031-03-15 12:00+00'), create_monthly_partitions()",
        )
        .await
        .unwrap();
    assert_eq!(
        refused(&client, &trade(1, "'2031-05-01'", "NULL")).await,
        SqlState::UNIQUE_VIOLATION
    );
}

#[tokio::test]
async fn a_bar_that_jumps_from_its_own_predecessor_loses_quality() {
    let database = database().await;
    let client = database.client().await;
    let bar = |at: &str, frame: &str, close: &str| {
        format!(
            "INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             VALUES ('{at}', 'EUR_USD', {close}, {close}, {close}, {close}, '{frame}', 'oanda')"
        )
    };
    for (at, frame, close) in [
        ("2025-06-02 10:00+00", "M1", "1.0"),
        ("2025-06-02 10:01+00", "M1", "1.05"),
        // 26 % away from the first bar, 10 % away from the one before: not more.
        ("2025-06-02 10:02+00", "M1", "1.155"),
        ("2025-06-02 10:03+00", "M1", "1.3"),
        // The first of its timeframe has no predecessor.
        ("2025-06-02 10:04+00", "H1", "2"),
    ] {
        client.batch_execute(&bar(at, frame, close)).await.unwrap();
    }

    let quality = "SELECT string_agg(quality_score::text, ' ' ORDER BY time) FROM market_data";
    assert_eq!(text(&client, quality).await, "1.00 1.00 1.00 0.50 1.00");
    let typical = "SELECT typical_price FROM market_data WHERE close = 1.155";
    assert_eq!(text(&client, typical).await, "1.15500");
    assert_eq!(
        refused(&client, &bar("2025-06-02 10:03+00", "M1", "1.3")).await,
        SqlState::UNIQUE_VIOLATION
    );
}

#[tokio::test]
async fn maintaining_makes_partitions_and_keeps_what_it_was_told_to() {
    let database = database().await;
    let client = database.client().await;
    client
        .batch_execute(
            "INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             SELECT now() - d * interval '1 day', 'EUR_USD', 1, 1, 1, 1, 'M1', 'oanda' FROM generate_series(0, 9) d;
             INSERT INTO system_events (event_type, event_category, severity, event_message, occurred_at)
             SELECT 'a', 'b', 'info', 'c', now() - d * interval '1 day' FROM generate_series(0, 9) d;
             DROP TABLE trades_y2025m01",
        )
        .await
        .unwrap();
    let rows =
        "SELECT (SELECT count(*) FROM market_data) || ' ' || (SELECT count(*) FROM system_events)";

    client.batch_execute("SELECT * FROM desk.maintain()").await.unwrap();
    assert_eq!(text(&client, rows).await, "10 10");

    client
        .batch_execute(
            "UPDATE desk.settings SET value = '3' WHERE key = 'market_data_keep_days';
             SELECT * FROM desk.maintain()",
        )
        .await
        .unwrap();
    assert_eq!(text(&client, rows).await, "3 10");
}
