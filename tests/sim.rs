//! The simulated desk on a real server: what it is seeded with.

#![expect(clippy::unwrap_used, reason = "a fixture that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "the simulation takes its time from here")]

#[path = "support/database.rs"]
mod database;
#[path = "support/listener.rs"]
mod listener;
#[path = "sim/living.rs"]
mod living;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tmt::domain::account::Environment;
use tmt::domain::change::Kind;
use tmt::domain::session::Role;
use tmt::sim::{self, SeedOptions, Seeded, SimError};
use tmt::store::{Options, Store};
use tokio_postgres::Client;

use database::{Database, database};

fn store(url: &str) -> Store {
    Store::connect(Options::parse(url).unwrap())
}

fn seed_options() -> SeedOptions {
    let now: DateTime<Utc> = Utc::now();
    SeedOptions { seed: 7, now, prices: Vec::new() }
}

async fn seeded() -> (Database, Client) {
    let database = database().await;
    let client = database.client().await;
    let done = sim::seed(&store(&database.url()), &seed_options()).await.unwrap();
    assert_eq!(done, Seeded::New);
    (database, client)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
}

async fn amount(client: &Client, sql: &str) -> Decimal {
    client.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
}

/// A digest of a whole table, to see whether anything in it changed.
async fn content(client: &Client, table: &str) -> String {
    let sql = format!(
        "SELECT md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) FROM {table} t"
    );
    client.query_one(&sql, &[]).await.unwrap().try_get(0).unwrap()
}

async fn add_a_real_account(client: &Client) {
    client
        .batch_execute(
            "INSERT INTO accounts (account_name, broker, platform, account_type, initial_balance,
                 current_balance, available_balance, equity, max_daily_loss, max_total_drawdown)
             VALUES ('real', 'b', 'p', 'live', 1000, 1000, 1000, 1000, 0.05, 0.1)",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn every_pane_of_a_seeded_desk_has_readable_rows() {
    let (database, _client) = seeded().await;
    let store = store(&database.url());

    for (kind, at_least) in [
        (Kind::Accounts, 4),
        (Kind::Positions, 6),
        (Kind::Trades, 30),
        (Kind::Signals, 30),
        (Kind::Events, 10),
        (Kind::Limits, 20),
        (Kind::Halts, 1),
        (Kind::Agents, 8),
        (Kind::SystemEvents, 10),
        (Kind::Instruments, 12),
    ] {
        let read = store.read(kind, None).await.unwrap();
        assert_eq!(read.unreadable, Vec::<String>::new(), "{kind:?}");
        assert!(read.rows.len() >= at_least, "{kind:?}: {}", read.rows.len());
    }
    let session = store.session().await.unwrap();
    assert_eq!(session.environment, Environment::Demo);
}

#[tokio::test]
async fn trades_fills_and_balances_of_a_seeded_desk_agree() {
    let (_database, client) = seeded().await;

    // Fills, P&L and position of every trade agree.
    let wrong = "SELECT count(*) FROM trades t
         LEFT JOIN trade_fills o ON o.trade_id = t.trade_id AND o.effect = 'open'
         LEFT JOIN trade_fills c ON c.trade_id = t.trade_id AND c.effect = 'close'
         LEFT JOIN positions p ON p.position_id = t.position_id
        WHERE o.fill_id IS NULL OR p.position_id IS NULL
           OR (t.status = 'closed') <> (c.fill_id IS NOT NULL)
           OR (o.price, o.size) <> (t.entry_price, t.position_size)
           OR t.status = 'closed' AND ((c.price, c.gross_pnl) <> (t.exit_price, t.net_pnl)
              OR t.exit_time <= t.entry_time OR p.realized_pnl <> t.net_pnl
              OR t.net_pnl <> round((t.exit_price - t.entry_price) * t.position_size * c.fx_rate
                                    * CASE t.trade_type WHEN 'BUY' THEN 1 ELSE -1 END, 2))";
    assert_eq!(number(&client, wrong).await, 0);
    // Balance and equity of every account agree with its trades and positions.
    let off = "SELECT count(*) FROM accounts a
         JOIN performance_metrics m ON m.account_id = a.account_id AND m.period_type = 'daily'
        WHERE a.current_balance <> m.start_balance + (SELECT coalesce(sum(t.net_pnl), 0) FROM trades t
                WHERE t.account_id = a.account_id AND t.exit_time >= m.period_start)
           OR a.equity <> a.current_balance + (SELECT coalesce(sum(p.unrealized_pnl), 0) FROM positions p
                WHERE p.account_id = a.account_id AND p.status = 'open')
           OR a.available_balance <> a.equity - a.margin_used OR a.margin_used <= 0";
    assert_eq!(number(&client, off).await, 0);
    let days = "SELECT count(*) FROM performance_metrics WHERE period_type = 'daily'";
    assert_eq!(number(&client, days).await, 6);
}

#[tokio::test]
async fn the_figures_of_a_seeded_desk_are_plausible() {
    let (_database, client) = seeded().await;

    let most = amount(&client, "SELECT max(risk_percentage) FROM trades").await;
    assert!(most <= Decimal::new(2, 2), "{most}");
    let reasons = "SELECT count(DISTINCT close_reason) FROM trades";
    assert_eq!(number(&client, reasons).await, 3);
    let both = "SELECT count(*) FROM (SELECT sign(net_pnl) FROM trades WHERE status = 'closed'
                 GROUP BY 1 HAVING count(*) >= 8) AS s";
    assert_eq!(number(&client, both).await, 2, "wins and losses");
    let kinds = "SELECT count(DISTINCT account_type) FROM accounts";
    assert_eq!(number(&client, kinds).await, 3);
    let bases = "SELECT count(DISTINCT base_currency) FROM accounts";
    assert_eq!(number(&client, bases).await, 3);
    let firms = "SELECT count(DISTINCT prop_firm) FROM accounts";
    assert_eq!(number(&client, firms).await, 2);
    let severities = "SELECT count(DISTINCT severity) FROM risk_events";
    assert_eq!(number(&client, severities).await, 4);
    let bars = "SELECT count(*) FROM market_data WHERE timeframe = 'M1'
                 AND time > now() - interval '181 minutes'";
    assert!(number(&client, bars).await > 12 * 170);
    let poor = "SELECT count(*) FROM signals WHERE risk_reward_ratio < 1
                  OR sign(take_profit - entry_price) <> CASE signal_type WHEN 'BUY' THEN 1 ELSE -1 END
                  OR sign(stop_loss - entry_price) <> CASE signal_type WHEN 'BUY' THEN -1 ELSE 1 END";
    assert_eq!(number(&client, poor).await, 0);
    // Every account but the halted one can trade.
    let open = "SELECT count(*) FROM accounts WHERE status = 'active'";
    assert_eq!(number(&client, open).await, 5);
}

/// The monitor raises an event for every limit in breach. A second event about the same loss would
/// be acknowledged twice.
#[tokio::test]
async fn the_monitor_finds_breaches_of_a_seeded_desk_that_no_event_reports_yet() {
    let (_database, client) = seeded().await;
    client.batch_execute("SELECT desk.monitor_limits()").await.unwrap();

    let watched = "SELECT count(*) FROM risk_events WHERE event_source = 'sentinel'";
    assert!(number(&client, watched).await >= 2, "forge's loss, and an unknown limit type");
    let twice = "SELECT string_agg(o.event_type || ' beside ' || w.event_type, ', ')
                   FROM risk_events w JOIN risk_events o USING (account_id)
                  WHERE w.event_source = 'sentinel' AND o.event_source <> 'sentinel'
                    AND (w.risk_measure LIKE '%' || o.event_type
                         OR w.severity IN ('critical', 'emergency')
                            AND o.severity IN ('critical', 'emergency'))
                    AND w.resolution_time IS NULL AND o.resolution_time IS NULL";
    let found: Option<String> = client.query_one(twice, &[]).await.unwrap().try_get(0).unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn seeding_a_desk_again_changes_nothing() {
    let (database, client) = seeded().await;
    let tables = [
        "accounts",
        "trades",
        "positions",
        "signals",
        "risk_limits",
        "risk_events",
        "trade_fills",
        "market_data",
        "agents",
        "system_events",
        "instruments",
        "trading_halts",
    ];
    let mut before = Vec::new();
    for table in tables {
        before.push(content(&client, table).await);
    }

    let again = sim::seed(&store(&database.url()), &seed_options()).await.unwrap();

    assert_eq!(again, Seeded::Already);
    for (table, before) in tables.iter().zip(before) {
        assert_eq!(content(&client, table).await, before, "{table}");
    }
}

#[tokio::test]
async fn a_database_with_real_accounts_is_not_seeded() {
    let database = database().await;
    let client = database.client().await;
    add_a_real_account(&client).await;

    let refused = sim::seed(&store(&database.url()), &seed_options()).await;

    assert!(matches!(refused, Err(SimError::RealAccounts(1))), "{refused:?}");
    for table in ["instruments", "trades", "fx_rates", "signals"] {
        assert_eq!(number(&client, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn each_demo_login_has_the_role_of_its_name() {
    let (database, _client) = seeded().await;
    let administrator = store(&database.url());
    sim::create_logins(&administrator).await.unwrap();
    sim::create_logins(&administrator).await.unwrap();

    for (login, role) in [
        ("viewer1", Role::Viewer),
        ("trader1", Role::Trader),
        ("risk1", Role::RiskOfficer),
        ("risk2", Role::RiskOfficer),
        ("admin1", Role::Admin),
    ] {
        let session = store(&database.url_as(login)).session().await.unwrap();
        assert_eq!((session.operator.as_str(), session.role), (login, role));
    }
}
