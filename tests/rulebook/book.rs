//! A desk to try rules on: two accounts, three instruments with prices of now, a login per group.

use std::time::Duration;

use rust_decimal::{Decimal, dec};
use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::database::{self, Database};

/// 100,000 USD, in the portfolio `majors`.
pub(crate) const ALPHA: &str = "a0000000-0000-7000-8000-000000000001";
/// 100,000 EUR, in the portfolio `majors`.
pub(crate) const BRAVO: &str = "a0000000-0000-7000-8000-000000000002";

const SEED: &str = "
    INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size, aliases) VALUES
        ('EUR_USD', 'EUR', 'USD', 0.00001, 0.0001, '{EURUSD}'),
        ('USD_JPY', 'USD', 'JPY', 0.001, 0.01, '{}'),
        ('EUR_TRY', 'EUR', 'TRY', 0.00001, 0.0001, '{}');
    INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance,
                          current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata) VALUES
        ('a0000000-0000-7000-8000-000000000001', 'alpha', 'oanda', 'v20', 'demo', 'USD', 100000, 100000, 100000, 100000,
         0.05, 0.10, '{\"portfolio\": \"majors\"}'),
        ('a0000000-0000-7000-8000-000000000002', 'bravo', 'oanda', 'v20', 'demo', 'EUR', 100000, 100000, 100000, 100000,
         5000, 0.10, '{\"portfolio\": \"majors\"}')";

const QUOTES: &str = "
    INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of) VALUES
        ('EUR', 'USD', 1.1, 1.0999, 1.1001, clock_timestamp()),
        ('USD', 'JPY', 155, 154.99, 155.01, clock_timestamp())
    ON CONFLICT (from_currency, to_currency) DO UPDATE
        SET rate = EXCLUDED.rate, bid = EXCLUDED.bid, ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";

/// The desk, and a connection of the superuser.
pub(crate) struct Book {
    pub(crate) database: Database,
    pub(crate) admin: Client,
}

/// One row of `desk.answer`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) outcome: String,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) measured: Option<Decimal>,
    pub(crate) allowed: Option<Decimal>,
    pub(crate) subject: Option<Uuid>,
    pub(crate) detail: Value,
}

/// A row of `desk.assess_trade`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) before: Option<Decimal>,
    pub(crate) measured: Option<Decimal>,
    pub(crate) allowed: Option<Decimal>,
    pub(crate) unit: Option<String>,
    pub(crate) room: Option<Decimal>,
    pub(crate) message: String,
}

/// An order, with a stop and a target that suit it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) key: Uuid,
    pub(crate) fingerprint: &'static str,
    pub(crate) account: String,
    pub(crate) instrument: String,
    pub(crate) side: &'static str,
    pub(crate) size: Decimal,
    pub(crate) price: Decimal,
    pub(crate) stop: Option<Decimal>,
    pub(crate) target: Option<Decimal>,
    pub(crate) signal: Option<Uuid>,
    pub(crate) reason: Option<&'static str>,
}

/// Buys `EUR_USD` on alpha, 50 pips of risk.
pub(crate) fn buy(size: Decimal) -> Order {
    Order {
        key: Uuid::new_v4(),
        fingerprint: "\\x01",
        account: ALPHA.to_owned(),
        instrument: "EUR_USD".to_owned(),
        side: "BUY",
        size,
        price: dec!(1.1),
        stop: Some(dec!(1.095)),
        target: Some(dec!(1.11)),
        signal: None,
        reason: None,
    }
}

/// Sells `EUR_USD` on alpha, 50 pips of risk.
pub(crate) fn sell(size: Decimal) -> Order {
    Order { side: "SELL", stop: Some(dec!(1.105)), target: Some(dec!(1.09)), ..buy(size) }
}

/// A value as an SQL literal, or NULL.
pub(crate) fn literal<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |v| format!("'{}'", v.to_string().replace('\'', "''")))
}

impl Order {
    pub(crate) fn fields(&self) -> String {
        let Self { account, instrument, side, size, price, .. } = self;
        format!(
            "'{account}', '{instrument}', '{side}', {size}, {price}, {}, {}, {}",
            literal(self.stop),
            literal(self.target),
            literal(self.signal)
        )
    }

    /// The call that places it.
    pub(crate) fn sql(&self) -> String {
        let reason = literal(self.reason);
        let (key, fingerprint) = (self.key, self.fingerprint);
        format!(
            "desk.place_trade('{key}', '{fingerprint}', now() + interval '1 minute', {}, {reason})",
            self.fields()
        )
    }
}

impl Book {
    /// Opens the desk.
    pub(crate) async fn open() -> Self {
        let database = database::database().await;
        let admin = database.client().await;
        admin.batch_execute(SEED).await.unwrap();
        let book = Self { database, admin };
        book.quote().await;
        book
    }

    /// Gives `EUR_USD` and `USD_JPY` a price of now.
    pub(crate) async fn quote(&self) {
        self.admin.batch_execute(QUOTES).await.unwrap();
    }

    /// Sets the mid of a pair, bid and ask with it, as of now.
    pub(crate) async fn rate(&self, from: &str, to: &str, rate: Decimal) {
        self.run(&format!(
            "INSERT INTO fx_rates VALUES ('{from}', '{to}', {rate}, {rate}, {rate}, clock_timestamp())
             ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of"
        ))
        .await;
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn run(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    /// Changes a setting.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        self.run(&format!("UPDATE tmt.settings SET value = '{value}' WHERE key = '{key}'")).await;
    }

    /// Connects as a new member of a group.
    pub(crate) async fn member(&self, name: &str, group: &str) -> Client {
        let login = self.database.login(name, group).await;
        self.database.client_as(&login).await
    }

    /// Connects as a new trader.
    pub(crate) async fn trader(&self) -> Client {
        self.member("trader", "tmt_trader").await
    }

    /// Connects as a new risk officer.
    pub(crate) async fn officer(&self, name: &str) -> Client {
        self.member(name, "tmt_risk_officer").await
    }

    /// Inserts a limit and returns its id.
    pub(crate) async fn limit(&self, columns: &str, values: &str) -> Uuid {
        let sql = format!(
            "INSERT INTO risk_limits (created_by, {columns}) VALUES ('seed', {values}) RETURNING limit_id"
        );
        self.admin.query_one(&sql, &[]).await.unwrap().try_get(0).unwrap()
    }

    /// One value, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        text(&self.admin, sql).await
    }

    /// Commits what a client holds open, as soon as another session of this database waits for
    /// it; after a second in any case, for code that fails to wait.
    pub(crate) async fn commit_when_awaited(&self, holder: &Client) {
        let waits = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.text(waits).await == "0" && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        holder.batch_execute("COMMIT").await.unwrap();
    }

    /// Waits until so many sessions of this database wait for a lock, or for a second: code that
    /// fails to wait shall fail its test, and not hang it.
    pub(crate) async fn wait_for_waiters(&self, sessions: u32) {
        let waits = format!(
            "SELECT count(*) >= {sessions} FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.text(&waits).await == "false" && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
    }

    /// The id of the one live position.
    pub(crate) async fn position(&self) -> Uuid {
        let sql = "SELECT position_id FROM positions WHERE status IN ('open', 'closing')";
        self.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
    }
}

/// One value, as text; `-` if it is NULL.
pub(crate) async fn text(client: &Client, sql: &str) -> String {
    let sql = format!("SELECT coalesce(({sql})::text, '-')");
    client.query_one(&sql, &[]).await.unwrap().try_get(0).unwrap()
}

/// Calls a verb.
pub(crate) async fn call(client: &Client, verb: &str) -> Verdict {
    let row = client.query_one(&format!("SELECT * FROM {verb}"), &[]).await.unwrap();
    verdict(&row)
}

/// Places an order.
pub(crate) async fn place(client: &Client, order: &Order) -> Verdict {
    call(client, &order.sql()).await
}

/// Calls a verb whose further arguments are SQL, with a key of its own.
pub(crate) async fn verb(client: &Client, name: &str, arguments: &str) -> Verdict {
    let key = Uuid::new_v4();
    let sql = format!("desk.{name}('{key}', '\\x01', now() + interval '1 minute', {arguments})");
    call(client, &sql).await
}

/// Closes a position, or a part of it.
pub(crate) async fn close(
    client: &Client,
    position: Uuid,
    size: Option<Decimal>,
    price: Option<Decimal>,
) -> Verdict {
    let (size, price) = (literal(size), literal(price));
    verb(client, "close_position", &format!("'{position}', {size}, {price}, NULL")).await
}

/// Assesses an order.
pub(crate) async fn assess(client: &Client, order: &Order) -> Vec<Line> {
    let sql = format!("SELECT * FROM desk.assess_trade({})", order.fields());
    client.query(&sql, &[]).await.unwrap().iter().map(line).collect()
}

/// The codes of the lines that stand in the way.
pub(crate) fn in_the_way(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|l| l.severity != "info").map(|l| l.code.as_str()).collect()
}

/// The line with a code.
#[track_caller]
pub(crate) fn find<'a>(lines: &'a [Line], code: &str) -> &'a Line {
    lines.iter().find(|l| l.code == code).unwrap()
}

/// The SQLSTATE with which a statement fails.
pub(crate) async fn sqlstate(client: &Client, sql: &str) -> SqlState {
    client.batch_execute(sql).await.unwrap_err().code().unwrap().clone()
}

/// Reads a row of `desk.answer`.
pub(crate) fn verdict(row: &Row) -> Verdict {
    Verdict {
        outcome: row.try_get("outcome").unwrap(),
        code: row.try_get("code").unwrap(),
        message: row.try_get("message").unwrap(),
        measured: row.try_get("measured").unwrap(),
        allowed: row.try_get("allowed").unwrap(),
        subject: row.try_get("subject").unwrap(),
        detail: row.try_get("detail").unwrap(),
    }
}

fn line(row: &Row) -> Line {
    Line {
        code: row.try_get("code").unwrap(),
        severity: row.try_get("severity").unwrap(),
        before: row.try_get("before").unwrap(),
        measured: row.try_get("measured").unwrap(),
        allowed: row.try_get("allowed").unwrap(),
        unit: row.try_get("unit").unwrap(),
        room: row.try_get("room").unwrap(),
        message: row.try_get("message").unwrap(),
    }
}

impl Verdict {
    /// Checks that it was accepted, and hands it on.
    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.outcome, "accepted", "{self:?}");
        self
    }

    /// Checks that it was refused for this, and hands it on.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) -> Self {
        assert_eq!(
            (self.outcome.as_str(), self.code.as_deref()),
            ("refused", Some(code)),
            "{self:?}"
        );
        self
    }
}
