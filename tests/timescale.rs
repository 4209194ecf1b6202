//! The schema on a server with TimescaleDB and `pg_cron`. `make timescale` runs these.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;

use database::{cron_url, empty_timescale_database};
use tmt::store::migrate::{File, LATEST, Mode, Schema, migrate, migrate_to};
use tokio_postgres::{Client, NoTls};

const HYPERTABLES: &str = "SELECT coalesce(string_agg(hypertable_name::text, ' '
    ORDER BY hypertable_name), '') FROM timescaledb_information.hypertables";

const A_BAR: &str = "INSERT INTO market_data
    (time, instrument, open, high, low, close, timeframe, data_source)
    VALUES ('2025-01-02 03:04Z', 'EURUSD', 1.1, 1.2, 1.0, 1.15, 'M1', 'test')";

const AN_EVENT: &str = "INSERT INTO system_events
    (event_type, event_category, severity, event_message, occurred_at)
    VALUES ('tick', 'health', 'info', 'alive', '2025-01-02 03:04Z')";

const TRIGGERS: &str = "SELECT string_agg(t.tgrelid::regclass || ' ' || t.tgname, ', '
        ORDER BY t.tgrelid::regclass::text, t.tgname)
    FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgname LIKE 'tr\\_%'";

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap().try_get(0).unwrap()
}

/// The name says in every list of tests why these were skipped.
mod needs_timescale {
    use super::*;

    #[tokio::test]
    #[ignore = "needs TimescaleDB: make timescale"]
    async fn time_series_of_a_new_database_are_hypertables() {
        let database = empty_timescale_database().await;
        let client = database.client().await;
        client.batch_execute("CREATE EXTENSION timescaledb").await.unwrap();

        let first = migrate(&client, Mode::Fresh).await.unwrap();
        let second = migrate(&client, Mode::Fresh).await.unwrap();

        assert_eq!((first.to, second.applied.len()), (LATEST, 0));
        assert_eq!(text(&client, HYPERTABLES).await, "market_data system_events");
        client.batch_execute(A_BAR).await.unwrap();
        assert_eq!(text(&client, "SELECT close FROM market_data").await, "1.15000");
    }

    #[tokio::test]
    #[ignore = "needs TimescaleDB: make timescale"]
    async fn the_extension_may_be_added_when_there_are_rows() {
        let database = empty_timescale_database().await;
        let client = database.client().await;
        migrate(&client, Mode::Fresh).await.unwrap();
        client.batch_execute(A_BAR).await.unwrap();
        client.batch_execute("CREATE EXTENSION timescaledb").await.unwrap();

        migrate(&client, Mode::Fresh).await.unwrap();

        assert_eq!(text(&client, HYPERTABLES).await, "market_data system_events");
        assert_eq!(text(&client, "SELECT close FROM market_data").await, "1.15000");
    }

    #[tokio::test]
    #[ignore = "needs TimescaleDB: make timescale"]
    async fn a_rebuilt_rulebook_has_its_triggers_on_every_chunk_again() {
        let database = empty_timescale_database().await;
        let client = database.client().await;
        client.batch_execute("CREATE EXTENSION timescaledb").await.unwrap();
        migrate(&client, Mode::Fresh).await.unwrap();
        client.batch_execute(A_BAR).await.unwrap();
        client.batch_execute(AN_EVENT).await.unwrap();
        let before = text(&client, TRIGGERS).await;

        let mut other = Schema::of_this_program();
        let sql = "-- Of another digest.".into();
        other.rulebook.push(File { name: "rulebook/other.sql".into(), sql });
        migrate_to(&other, &client, Mode::Fresh).await.unwrap();
        migrate(&client, Mode::Fresh).await.unwrap();

        assert!(before.contains("_hyper_"), "{before}");
        assert_eq!(text(&client, TRIGGERS).await, before);
        client.batch_execute(AN_EVENT).await.unwrap();
    }

    #[tokio::test]
    #[ignore = "needs TimescaleDB: make timescale"]
    async fn adopting_keeps_the_rows_of_tmt() {
        let database = empty_timescale_database().await;
        let client = database.client().await;
        client.batch_execute("CREATE EXTENSION timescaledb").await.unwrap();
        client.batch_execute(include_str!("support/tmt.sql")).await.unwrap();
        client.batch_execute(include_str!("support/tmt_rows.sql")).await.unwrap();
        let bars = "SELECT count(*) || md5(string_agg(close::text, ' ' ORDER BY close))
            FROM market_data";
        let before = text(&client, bars).await;

        let report = migrate(&client, Mode::Adopt).await.unwrap();

        assert!(report.adopted);
        assert!(text(&client, HYPERTABLES).await.contains("market_data"));
        assert_eq!(text(&client, bars).await, before);
    }

    #[tokio::test]
    #[ignore = "needs TimescaleDB: make timescale"]
    async fn pg_cron_makes_partitions_on_a_schedule() {
        let (client, connection) = tokio_postgres::connect(&cron_url().await, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_cron").await.unwrap();

        migrate(&client, Mode::Fresh).await.unwrap();
        migrate(&client, Mode::Fresh).await.unwrap();

        let jobs = "SELECT string_agg(schedule || ' ' || active, ', ') FROM cron.job
            WHERE jobname = 'create-partitions' AND database = current_database()";
        assert_eq!(text(&client, jobs).await, "10 0 * * * true");
        let command = text(&client, "SELECT command FROM cron.job").await;
        client.batch_execute(&command).await.unwrap();
    }
}
