//! `tmt migrate` is killed in each of its steps, and run again.
//!
//! Another session holds what the step needs, so the program stands still exactly there.

use std::process::{Child, Command, Stdio};

use rstest::rstest;
use tmt::store::migrate::{Mode, migrate, migrate_to};

use crate::database::{Database, database, empty_database};
use crate::dump::{assert_same, dump};
use crate::{partitioned_tmt_database, rebuilding, tmt_database, until};

/// What a migration begins with.
#[derive(Debug, Clone, Copy)]
enum Start {
    Empty,
    /// TMT's tables, `trades` not partitioned.
    Plain,
    /// TMT's tables as the data model gives them: `trades` by month.
    Partitioned,
    /// Migrated, with another rulebook than this program's.
    OlderRulebook,
}

impl Start {
    async fn database(self) -> Database {
        match self {
            Self::Empty => empty_database().await,
            Self::Plain => tmt_database().await,
            Self::Partitioned => partitioned_tmt_database().await,
            Self::OlderRulebook => {
                let database = database().await;
                let client = database.client().await;
                migrate_to(&rebuilding::again(1), &client, Mode::Fresh).await.unwrap();
                database
            }
        }
    }

    /// The schema that the migration ends in when nobody interrupts it.
    async fn expected(self) -> String {
        let database = self.database().await;
        let client = database.client().await;
        migrate(&client, Mode::Adopt).await.unwrap();
        dump(&database).await
    }
}

fn start_migrating(database: &Database) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tmt"))
        .args(["migrate", "--adopt"])
        .env("DATABASE_URL", database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

#[rstest]
#[case::schemas_of_an_empty_database(Start::Empty, "CREATE SCHEMA tmt")]
#[case::tables_of_the_data_model(Start::Empty, "CREATE TABLE public.market_data ()")]
#[case::tables_of_the_console(Start::Empty, "CREATE TABLE public.trading_halts ()")]
#[case::functions_of_a_new_database(Start::Empty, NEW_FUNCTION)]
#[case::owners_of_adopted_tables(Start::Plain, "LOCK TABLE trades IN ACCESS SHARE MODE")]
#[case::indexes_of_adopted_tables(Start::Plain, "CREATE TABLE public.trading_halts ()")]
#[case::functions_of_an_adopted_database(Start::Plain, NEW_FUNCTION)]
#[case::owners_of_adopted_partitions(Start::Partitioned, "LOCK TABLE trades IN ACCESS SHARE MODE")]
#[case::functions_beside_partitions(Start::Partitioned, NEW_FUNCTION)]
#[case::locks_before_the_drop(Start::OlderRulebook, "LOCK TABLE accounts IN ROW EXCLUSIVE MODE")]
#[case::marks(Start::OlderRulebook, "ALTER FUNCTION check_position_pnl() COST 101")]
#[case::limit_types(Start::OlderRulebook, "SELECT FROM tmt.limit_types FOR UPDATE")]
#[case::codes(Start::OlderRulebook, "SELECT FROM tmt.codes FOR UPDATE")]
#[case::exposure_check(Start::OlderRulebook, "ALTER FUNCTION enforce_risk_limits() COST 101")]
#[case::triggers(Start::OlderRulebook, "GRANT SELECT ON agents TO pg_monitor")]
#[case::grants(Start::OlderRulebook, "GRANT SELECT ON fx_rates TO pg_monitor")]
#[case::record(Start::OlderRulebook, "SELECT FROM tmt.rulebook FOR UPDATE")]
#[tokio::test]
async fn a_killed_migration_changes_nothing_and_the_next_one_ends_as_usual(
    #[case] start: Start,
    #[case] hold: &str,
) {
    let expected = start.expected().await;
    let database = start.database().await;
    let before = dump(&database).await;

    kill_while(&database, hold).await;

    assert_same(&before, &dump(&database).await, "after the program was killed");
    finish(&database, &expected).await;
}

const NEW_FUNCTION: &str =
    "CREATE FUNCTION public.validate_market_data() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'";

#[tokio::test]
async fn a_migration_that_is_killed_over_its_partitions_is_finished_by_the_next_one() {
    let expected = Start::Empty.expected().await;
    let database = Start::Empty.database().await;

    kill_while(&database, "SELECT pg_advisory_xact_lock(hashtextextended('tmt:partitions', 0))")
        .await;

    finish(&database, &expected).await;
}

/// Kills a migration that waits for what a session holds.
async fn kill_while(database: &Database, hold: &str) {
    let (holder, watcher) = (database.client().await, database.client().await);
    holder.batch_execute(&format!("BEGIN; {hold}")).await.unwrap();
    let mut migrating = start_migrating(database);
    let waiting = format!("{OTHERS} AND wait_event_type = 'Lock'");
    until(&watcher, &waiting, 1).await;
    migrating.kill().unwrap();
    migrating.wait().unwrap();
    holder.batch_execute("ROLLBACK").await.unwrap();
    // The server notices when it answers: only then its transaction is over.
    until(&watcher, OTHERS, 1).await;
}

async fn finish(database: &Database, expected: &str) {
    for when in ["after the next migration", "after another one"] {
        assert!(start_migrating(database).wait().unwrap().success(), "{when}");
        assert_same(expected, &dump(database).await, when);
    }
}
