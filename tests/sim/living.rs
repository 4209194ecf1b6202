//! The running simulation: agents act, events are published, servers may be unreachable.

use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use tmt::local::{self, Servers, Shutdown};
use tmt::sim::{self, Options, SeedOptions, SimError, Tally};
use tmt::store::Store;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;

use crate::database::database;
use crate::listener::{Listener, feed, redis, until};
use crate::{number, seeded, store};

/// A clock that is up to a minute fast, so that a minute, and its bar, ends soon.
fn near_the_minute() -> DateTime<Utc> {
    static AHEAD: OnceLock<TimeDelta> = OnceLock::new();
    let ahead = AHEAD.get_or_init(|| TimeDelta::seconds(56 - i64::from(Utc::now().second() % 56)));
    Utc::now() + *ahead
}

/// A simulation in the background of a test.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<Tally, SimError>>,
}

impl Running {
    fn start(options: Options, store: Store, feed: tmt::feed::Options) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(sim::run(options, store, feed, stop.clone()));
        Self { stop, task }
    }

    async fn end(self) -> Tally {
        self.stop.cancel();
        self.task.await.unwrap().unwrap()
    }
}

/// Agents that do in seconds what takes minutes.
fn sped_up() -> Options {
    Options { agent_speed: 25, ..Options::new(7, Utc::now) }
}

/// Events that the agents publish within the first minutes.
const ANNOUNCED: [&str; 8] = [
    "signal_generated",
    "trade.trade_opened",
    "trade.trade_closed",
    "agent_status_changed",
    "performance_alert",
    "circuit_breaker_triggered",
    "risk_event.raised",
    "risk_event.resolved",
];

#[tokio::test]
async fn agents_trade_raise_and_clear_events_and_publish_all_of_it() {
    let (database, client) = seeded().await;
    sim::create_logins(&store(&database.url())).await.unwrap();
    let redis = redis().await;
    let listener = Listener::to(feed(&redis)).await;
    let began: DateTime<Utc> =
        client.query_one("SELECT now()", &[]).await.unwrap().try_get(0).unwrap();
    let since = |table: &str, more: &str| {
        let time = match table {
            "trades" => "entry_time",
            "signals" => "generated_at",
            "market_data" => "time",
            _ => "occurred_at",
        };
        let began = began.to_rfc3339();
        format!("SELECT count(*) FROM {table} WHERE {time} > '{began}' AND {more}")
    };

    let options = Options { clock: near_the_minute, ..sped_up() };
    let running = Running::start(options, store(&database.url_as(sim::AGENTS)), feed(&redis));

    let reached = async |sql: String, least: i64| number(&client, &sql).await >= least;
    until("signals were generated", async || reached(since("signals", "true"), 5).await).await;
    until("trades were opened", async || {
        reached(since("trades", "signal_id IS NOT NULL"), 3).await
    })
    .await;
    let closed = format!("SELECT count(*) FROM trades WHERE exit_time > '{}'", began.to_rfc3339());
    until("trades were closed", async || reached(closed.clone(), 3).await).await;
    for severity in ["info", "warning", "critical", "emergency"] {
        let raised = since("risk_events", &format!("severity = '{severity}'"));
        until(severity, async || reached(raised.clone(), 1).await).await;
    }
    until("an event was cleared", async || reached(since("risk_events", "auto_resolved"), 1).await)
        .await;
    for change in ["running → error", "error → running"] {
        let changed = since("system_events", &format!("event_message = '{change}'"));
        until(change, async || reached(changed.clone(), 1).await).await;
    }
    let bars = "SELECT count(DISTINCT instrument) FROM market_data
                 WHERE timeframe = 'M1' AND data_source = 'simulated' AND tick_count > 20";
    until("bars were written", async || reached(bars.to_owned(), 3).await).await;
    for event_type in ANNOUNCED {
        until(event_type, async || !listener.events(event_type).is_empty()).await;
    }
    let tally = running.end().await;

    assert!(tally.quotes > 100 && tally.quotes_lost == 0, "{tally:?}");
    let counters = listener.counters();
    assert_eq!((counters.dropped, counters.missed, counters.restarts), (0, 0, 0), "{counters:?}");
    assert!(counters.heartbeats >= 2 && counters.events == counters.echoes, "{counters:?}");
    let opened = &listener.events("trade.trade_opened")[0];
    assert!(opened.rows.len() >= 3, "account, trade and signal are named: {opened:?}");
    // The login of the agents is recorded with their fills.
    let actors = "SELECT count(*) FROM trade_fills WHERE actor <> 'agents'";
    assert_eq!(number(&client, actors).await, 0);
    let stopped = "SELECT count(*) FROM agents WHERE status = 'stopped'";
    assert_eq!(number(&client, stopped).await, 9);
    until("every quote arrived", async || listener.counters().quotes == tally.quotes).await;
}

#[tokio::test]
async fn a_position_of_a_person_is_closed_at_its_stop_and_for_no_other_reason() {
    let (database, client) = seeded().await;
    sim::create_logins(&store(&database.url())).await.unwrap();
    // Two old positions of a person: one between stop and target, one beyond its stop.
    client
        .batch_execute(
            "INSERT INTO positions (position_id, account_id, instrument, position_type, total_size,
                 average_entry_price, stop_loss, take_profit, opened_at)
             SELECT v.id::uuid, a.account_id, v.instrument, 'LONG', 1000, r.rate::numeric(10,5),
                    round(r.rate * v.stop, 5), round(r.rate * 1.5, 5), now() - interval '5 hours'
               FROM (VALUES ('00000000-0000-0000-0000-0000000000f1', 'NZD_USD', 'NZD', 0.5),
                            ('00000000-0000-0000-0000-0000000000f2', 'USD_CAD', 'USD', 1.2))
                        AS v (id, instrument, base, stop)
               JOIN accounts a ON a.account_name = 'alpha'
               JOIN fx_rates r ON r.from_currency = v.base
                              AND r.to_currency = right(v.instrument, 3)",
        )
        .await
        .unwrap();
    let redis = redis().await;

    let running = Running::start(sped_up(), store(&database.url_as(sim::AGENTS)), feed(&redis));

    let stopped = "SELECT count(*) FROM positions WHERE status = 'closed'
                    AND position_id = '00000000-0000-0000-0000-0000000000f2'";
    until("the stop was executed", async || number(&client, stopped).await == 1).await;
    let churned = "SELECT count(*) FROM trades WHERE close_reason = 'time_exit'
                    AND exit_time > now() - interval '1 minute'";
    until("its own were closed after their time", async || number(&client, churned).await >= 2)
        .await;
    let over = "SELECT count(*) FROM signals WHERE status IN ('expired', 'executed')
                 AND valid_until BETWEEN now() - interval '1 minute' AND now()";
    until("signals expired", async || number(&client, over).await >= 2).await;
    running.end().await;
    let kept = "SELECT count(*) FROM positions WHERE status = 'open'
                 AND position_id = '00000000-0000-0000-0000-0000000000f1'";
    assert_eq!(number(&client, kept).await, 1);
}

/// Captures the log of one thread.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_event_of_another_monitor_is_left_for_it_to_clear() {
    let log = Captured::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || written.clone()).finish();
    // The agents run in the thread of this test.
    let _heard = tracing::subscriber::set_default(subscriber);
    let (database, client) = seeded().await;
    sim::create_logins(&store(&database.url())).await.unwrap();
    let other = database.login("monitor", "tmt_agent").await;
    // Every event that the agents would clear is open already.
    let raise =
        "SELECT desk.raise_event(NULL, kind, 'info', 'other', kind, 1, 1, kind || ':' || about,
                        NULL, NULL, NULL, '{}')
                   FROM unnest(ARRAY['order_refused', 'news_window', 'partial_fill', 'slippage',
                                     'correlated_exposure', 'model_drift', 'volatility']) AS kind,
                        (SELECT account_name FROM accounts UNION SELECT instrument FROM instruments)
                            AS subjects (about)";
    let (theirs, connection) =
        tokio_postgres::connect(&database.url_as(&other), NoTls).await.unwrap();
    tokio::spawn(connection);
    theirs.query(raise, &[]).await.unwrap();
    let open = "SELECT count(*) FROM risk_events WHERE event_source = 'other'
                 AND resolution_time IS NULL";
    let raised = number(&client, open).await;
    let redis = redis().await;

    let running = Running::start(sped_up(), store(&database.url_as(sim::AGENTS)), feed(&redis));

    // Eight of them: by then the first would have been cleared.
    let seen = "SELECT coalesce(sum(occurrence_count - 1), 0) FROM risk_events
                 WHERE event_source = 'other'";
    until("the agents raised the same", async || number(&client, seen).await >= 8).await;
    running.end().await;
    assert_eq!(number(&client, open).await, raised);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("raising risk events"), "{log}");
}

#[tokio::test]
async fn a_simulation_refuses_a_database_with_real_accounts() {
    let database = database().await;
    let client = database.client().await;
    crate::add_a_real_account(&client).await;
    let redis = redis().await;
    let listener = Listener::to(feed(&redis)).await;

    let running = Running::start(sped_up(), store(&database.url()), feed(&redis));
    let refused = running.task.await.unwrap();

    assert!(matches!(refused, Err(SimError::RealAccounts(1))), "{refused:?}");
    assert_eq!(listener.counters().quotes, 0);
}

/// Seeds servers of the test's own, because it stops them.
async fn desk_on(servers: &Servers) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&servers.database_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    tmt::store::migrate::migrate(&client, tmt::store::migrate::Mode::Fresh).await.unwrap();
    let admin = store(&servers.database_url());
    let options = SeedOptions { seed: 7, now: Utc::now(), prices: Vec::new() };
    sim::seed(&admin, &options).await.unwrap();
    sim::create_logins(&admin).await.unwrap();
    client
}

#[tokio::test]
async fn prices_continue_while_the_database_is_down_and_agents_when_it_is_back() {
    let mut servers = Servers::start(local::Options::in_memory()).await.unwrap();
    drop(desk_on(&servers).await);
    let bus = tmt::feed::Options::new(servers.redis_url());
    let listener = Listener::to(bus.clone()).await;
    let agents = store(&servers.postgres().url("postgres", sim::AGENTS));
    let running = Running::start(sped_up(), agents, bus);
    until("it runs", async || !listener.events("signal_generated").is_empty()).await;

    servers.postgres_mut().halt(Shutdown::Fast).await.unwrap();
    let quotes = listener.counters().quotes;
    until("prices go on", async || listener.counters().quotes > quotes + 90).await;
    let signals = listener.events("signal_generated").len();
    servers.postgres_mut().start_again().await.unwrap();

    until("agents go on", async || listener.events("signal_generated").len() > signals + 1).await;
    running.end().await;
}

#[tokio::test]
async fn the_database_is_written_while_redis_is_down_and_quotes_follow_when_it_is_back() {
    let mut servers = Servers::start(local::Options::in_memory()).await.unwrap();
    let client = desk_on(&servers).await;
    let bus = tmt::feed::Options::new(servers.redis_url());
    let listener = Listener::to(bus.clone()).await;
    let agents = store(&servers.postgres().url("postgres", sim::AGENTS));
    let running = Running::start(sped_up(), agents, bus);
    until("it runs", async || listener.counters().quotes > 30).await;

    servers.redis_mut().halt().await.unwrap();
    let sql = "SELECT count(*) FROM signals";
    let signals = number(&client, sql).await;
    until("signals go on", async || number(&client, sql).await > signals + 3).await;
    let stale = "SELECT count(*) FROM fx_rates WHERE as_of < now() - interval '8 seconds'";
    assert_eq!(number(&client, stale).await, 0, "rates go on");
    servers.redis_mut().start_again().await.unwrap();

    until("the subscription is back", async || listener.ups() > 1).await;
    let quotes = listener.counters().quotes;
    until("quotes go on", async || listener.counters().quotes > quotes + 30).await;
    let tally = running.end().await;
    assert!(tally.quotes_lost > 0, "{tally:?}");
}
