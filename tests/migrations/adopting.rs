//! A database that holds tables of TMT already, with rows in them.

use crate::database::empty_database;
use crate::{fingerprint, number, refused, text, tmt_database};
use tmt::store::migrate::{MigrateError, Mode, Obstacle, check, migrate, preflight};
use tokio_postgres::error::SqlState;

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
async fn a_name_that_is_taken_is_an_obstacle_without_tables_of_tmt_too() {
    let database = empty_database().await;
    let client = database.client().await;
    client.batch_execute("CREATE TABLE instruments (name text); CREATE SCHEMA desk").await.unwrap();

    let error = migrate(&client, Mode::Fresh).await.unwrap_err();

    let MigrateError::Obstacles { obstacles } = error else { panic!("{error}") };
    let named: Vec<&str> = obstacles.iter().map(|found| found.subject.as_str()).collect();
    assert_eq!(named, ["schema desk", "table instruments"]);
    let found = check(&client).await.unwrap();
    assert_eq!(found.iter().filter(|found| found.is_obstacle()).count(), 2);
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
    let partitioned = include_str!("../support/tmt.sql")
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
    client.batch_execute(include_str!("../support/tmt_rows.sql")).await.unwrap();

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
