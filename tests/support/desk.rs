//! The desk of a test: two accounts, three instruments with prices of now, a login for each person,
//! in a database of its own.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::fmt::Display;
use std::time::Duration;

use tmt::domain::ids::{AccountId, EventId, LimitId, SignalId};
use tmt::store::{Options, Store};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::database::{self, Database};

/// 100,000 USD, in the portfolio `majors`.
pub(crate) const ALPHA: AccountId = AccountId(Uuid::from_u128(0xa1));
/// 100,000 EUR, in the portfolio `majors`.
pub(crate) const BRAVO: AccountId = AccountId(Uuid::from_u128(0xa2));

const SEED: &str = "
    INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size, aliases) VALUES
        ('EUR_USD', 'EUR', 'USD', 0.00001, 0.0001, '{EURUSD}'),
        ('USD_JPY', 'USD', 'JPY', 0.001, 0.01, '{}'),
        ('EUR_TRY', 'EUR', 'TRY', 0.00001, 0.0001, '{}');
    INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance,
                          current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata) VALUES
        ('00000000-0000-0000-0000-0000000000a1', 'alpha', 'oanda', 'v20', 'demo', 'USD', 100000, 100000, 100000, 100000,
         0.05, 0.10, '{\"portfolio\": \"majors\"}'),
        ('00000000-0000-0000-0000-0000000000a2', 'bravo', 'oanda', 'v20', 'demo', 'EUR', 100000, 100000, 100000, 100000,
         5000, 0.10, '{\"portfolio\": \"majors\"}')";

/// `max_exposure` of alpha: 150,000 USD, with a warning at 120,000.
pub(crate) const EXPOSURE: LimitId = LimitId(Uuid::from_u128(0xb1));
/// A warning that nobody acknowledged.
pub(crate) const WARNING: EventId = EventId(Uuid::from_u128(0xc1));
/// A critical event that nobody acknowledged.
pub(crate) const CRITICAL: EventId = EventId(Uuid::from_u128(0xc2));
/// A signal to buy that is still valid.
pub(crate) const SIGNAL: SignalId = SignalId(Uuid::from_u128(0xd1));

/// What a desk that is in use has besides: an environment, sizes that the broker allows, a limit, two
/// risk events and a signal.
const RECORDS: &str = "
    UPDATE tmt.settings SET value = 'paper' WHERE key = 'environment';
    UPDATE instruments SET min_size = 1000, max_size = 500000;
    UPDATE accounts SET account_type = 'paper', prop_firm = 'ftmo' WHERE account_name = 'alpha';
    INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope, limit_value, limit_unit,
                             warning_threshold, created_by)
    VALUES ('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000a1',
            'max_exposure', 'account', 150000, 'USD', 120000, 'seed');
    INSERT INTO risk_events (event_id, account_id, event_type, severity, event_source,
                             current_value, limit_value, event_data)
    VALUES ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1',
            'max_exposure', 'warning', 'seed', 125000, 150000, '{\"message\": \"83 % used\"}'),
           ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1',
            'daily_loss', 'critical', 'seed', 5100, 5000, '{}');
    INSERT INTO signals (signal_id, instrument, signal_type, confidence, entry_price, stop_loss,
                         take_profit, risk_reward_ratio, timeframe, agent_id, valid_until)
    VALUES ('00000000-0000-0000-0000-0000000000d1', 'EUR_USD', 'BUY', 0.8, 1.1, 1.095, 1.11, 2,
            'M15', 'market-analysis', 'infinity')";

const PERMISSIVE: &str = "
    UPDATE tmt.settings SET value = 'false' WHERE key = 'stop_required';
    UPDATE tmt.settings SET value = '1000000000' WHERE key = 'price_collar_percent';
    UPDATE tmt.settings SET value = '0' WHERE key = 'duplicate_window_seconds';
    UPDATE tmt.settings SET value = '1000' WHERE key = 'max_risk_fraction';
    UPDATE instruments SET size_step = 0.01, min_size = 0.01, max_size = NULL, margin_rate = 0, tick_size = 0.00001;
    UPDATE accounts SET max_daily_loss = 1, max_total_drawdown = 0.5";

const QUOTES: &str = "
    INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of) VALUES
        ('EUR', 'USD', 1.1, 1.0999, 1.1001, clock_timestamp()),
        ('USD', 'JPY', 155, 154.99, 155.01, clock_timestamp())
    ON CONFLICT (from_currency, to_currency) DO UPDATE
        SET rate = EXCLUDED.rate, bid = EXCLUDED.bid, ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";

/// How long something may take that usually takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// The desk, and a connection of the superuser.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) admin: Client,
}

impl Desk {
    /// A desk on which nothing happened yet.
    pub(crate) async fn open() -> Self {
        let database = database::database().await;
        let admin = database.client().await;
        seed(&admin).await;
        Self { database, admin }
    }

    /// A desk in use: with a limit, risk events, a signal.
    pub(crate) async fn with_records() -> Self {
        let desk = Self::open().await;
        desk.run(RECORDS).await;
        desk
    }

    /// A desk on which any price and any size is allowed: for what is about the arithmetic.
    pub(crate) async fn permissive() -> Self {
        let desk = Self::open().await;
        desk.run(PERMISSIVE).await;
        desk
    }

    // ---- persons ------------------------------------------------------------------------------

    /// Connects as a new member of a group.
    pub(crate) async fn member(&self, name: &str, group: &str) -> Client {
        let login = self.database.login(name, group).await;
        self.database.client_as(&login).await
    }

    pub(crate) async fn trader(&self) -> Client {
        self.member("trader", "tmt_trader").await
    }

    pub(crate) async fn officer(&self, name: &str) -> Client {
        self.member(name, "tmt_risk_officer").await
    }

    /// Options for the store of a new member of a group.
    pub(crate) async fn options(&self, name: &str, group: &str) -> Options {
        let login = self.database.login(name, group).await;
        Options::parse(&self.database.url_as(&login)).unwrap()
    }

    pub(crate) async fn trader_store(&self) -> Store {
        Store::connect(self.options("trader", "tmt_trader").await)
    }

    pub(crate) async fn officer_store(&self, name: &str) -> Store {
        Store::connect(self.options(name, "tmt_risk_officer").await)
    }

    // ---- prices and settings ------------------------------------------------------------------

    /// Gives `EUR_USD` and `USD_JPY` a price of now.
    pub(crate) async fn quote(&self) {
        self.run(QUOTES).await;
    }

    /// Sets bid, ask and rate of a pair, as of now.
    pub(crate) async fn rate(&self, from: &str, to: &str, rate: impl Display) {
        let sql = "INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
            SELECT $1, $2, r, r, r, clock_timestamp() FROM (SELECT $3::text::numeric AS r) AS of
            ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";
        self.execute(sql, &[&from, &to, &rate.to_string()]).await;
    }

    pub(crate) async fn set(&self, setting: &str, value: &str) {
        let sql = "UPDATE tmt.settings SET value = $2 WHERE key = $1";
        assert_eq!(
            self.execute(sql, &[&setting, &value]).await,
            1,
            "there is no setting {setting}"
        );
    }

    /// Adds to the metadata of an account: its portfolio, commission, risk rules, as JSON.
    pub(crate) async fn metadata(&self, account: &str, json: &str) {
        let sql =
            "UPDATE accounts SET metadata = metadata || $2::text::jsonb WHERE account_name = $1";
        assert_eq!(self.execute(sql, &[&account, &json]).await, 1, "there is no account {account}");
    }

    // ---- what the sentinel does ---------------------------------------------------------------

    /// Measures every limit.
    pub(crate) async fn monitor(&self) {
        self.run("SELECT desk.monitor_limits()").await;
    }

    /// Values every position.
    pub(crate) async fn mark(&self) {
        self.run("SELECT desk.mark_to_market()").await;
    }

    /// Begins the periods that are due.
    pub(crate) async fn roll_days(&self) {
        self.run("SELECT desk.roll_days()").await;
    }

    // ---- SQL of the superuser -----------------------------------------------------------------

    pub(crate) async fn run(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    /// Runs statements that fire no trigger, as a restore does.
    pub(crate) async fn run_without_triggers(&self, sql: &str) {
        self.run(&format!(
            "SET session_replication_role = replica; {sql}; SET session_replication_role = DEFAULT"
        ))
        .await;
    }

    /// Runs one statement; returns how many rows it wrote.
    pub(crate) async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> u64 {
        self.admin.execute(sql, values).await.unwrap()
    }

    /// One value, as text; `-` where it is NULL.
    pub(crate) async fn text(&self, sql: &str) -> String {
        text(&self.admin, sql, &[]).await
    }

    pub(crate) async fn text_of(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> String {
        text(&self.admin, sql, values).await
    }

    /// One number, as a `bigint`.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
    }

    pub(crate) async fn trades(&self) -> i64 {
        self.count("SELECT count(*) FROM trades").await
    }

    /// A column of ids.
    pub(crate) async fn ids(&self, sql: &str) -> Vec<Uuid> {
        let rows = self.admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.try_get(0).unwrap()).collect()
    }

    /// The id of the one live position.
    pub(crate) async fn position(&self) -> Uuid {
        let sql = "SELECT position_id FROM positions WHERE status IN ('open', 'closing')";
        self.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
    }

    /// The id of the one live position in an instrument.
    pub(crate) async fn position_in(&self, instrument: &str) -> Uuid {
        let sql = "SELECT position_id FROM positions
            WHERE status IN ('open', 'closing') AND instrument = $1";
        self.admin.query_one(sql, &[&instrument]).await.unwrap().try_get(0).unwrap()
    }

    /// Takes a limit out of force, as another program does.
    pub(crate) async fn deactivate(&self, limit: Uuid) {
        let sql = "UPDATE risk_limits SET is_active = false WHERE limit_id = $1";
        assert_eq!(self.execute(sql, &[&limit]).await, 1);
    }

    pub(crate) async fn delete_limit(&self, limit: Uuid) {
        let sql = "DELETE FROM risk_limits WHERE limit_id = $1";
        assert_eq!(self.execute(sql, &[&limit]).await, 1);
    }

    // ---- locks --------------------------------------------------------------------------------

    /// A session of the superuser that fails where it would have to wait for a lock.
    pub(crate) async fn impatient(&self) -> Client {
        let client = self.database.client().await;
        client.batch_execute("SET lock_timeout = '500ms'").await.unwrap();
        client
    }

    /// Waits until so many sessions of this database wait for a lock; returns whether they did.
    pub(crate) async fn wait_for_waiters(&self, sessions: i64) -> bool {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + PATIENCE;
        while self.count(waiting).await < sessions {
            if Instant::now() > deadline {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    /// Commits what a client holds open, once another session of this database waits for a lock;
    /// returns whether one did.
    pub(crate) async fn commit_when_awaited(&self, holder: &Client) -> bool {
        let waited = self.wait_for_waiters(1).await;
        holder.batch_execute("COMMIT").await.unwrap();
        waited
    }
}

/// Writes the accounts, instruments and prices of a desk.
pub(crate) async fn seed(client: &Client) {
    client.batch_execute(SEED).await.unwrap();
    client.batch_execute(QUOTES).await.unwrap();
}

/// One value, as text; `-` where it is NULL.
pub(crate) async fn text(client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> String {
    let sql = format!("SELECT coalesce(({sql})::text, '-')");
    client.query_one(&sql, values).await.unwrap().try_get(0).unwrap()
}

pub(crate) async fn begin(client: &Client) {
    client.batch_execute("BEGIN").await.unwrap();
}

pub(crate) async fn commit(client: &Client) {
    client.batch_execute("COMMIT").await.unwrap();
}

/// The SQLSTATE with which a statement fails.
pub(crate) async fn sqlstate(client: &Client, sql: &str) -> String {
    client.batch_execute(sql).await.unwrap_err().code().unwrap().code().to_owned()
}
