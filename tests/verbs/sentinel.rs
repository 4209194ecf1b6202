//! The sentinel: which one leads, what it reports and publishes.

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::shell::shell;
use crate::verbs::limit;
use crate::{SOON, trader_with_a_position};
use futures_util::StreamExt as _;
use rust_decimal::dec;
use serde_json::Value;
use std::time::Duration;
use tmt::feed::publish::Publisher;
use tmt::local::Redis;
use tmt::sentinel::SentinelEvent;
use tmt::store::{Options, Store};
use tmt::{local, sentinel};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A sentinel in this process, and what it reports.
struct Sentinel {
    events: mpsc::Receiver<SentinelEvent>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), tmt::store::StoreError>>,
}

impl Sentinel {
    fn start(options: Options) -> Self {
        Self::with(options, None)
    }

    fn with(options: Options, bus: Option<Publisher>) -> Self {
        let (sender, events) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let every = sentinel::Options { every: Duration::from_millis(50) };
        let notifier = sentinel::Notifier::new(sender, bus);
        let task =
            tokio::spawn(sentinel::run(every, Store::connect(options), notifier, stop.clone()));
        Self { events, stop, task }
    }

    async fn next(&mut self) -> SentinelEvent {
        timeout(SOON, self.events.recv()).await.unwrap().unwrap()
    }

    /// The next change of a limit.
    async fn next_limit(&mut self) -> (String, String, String) {
        loop {
            if let SentinelEvent::Changed(limit) = self.next().await {
                return (limit.state.to_string(), limit.limit_type.to_string(), limit.subject);
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sentinel_leads_and_the_next_takes_over() {
    let desk = Desk::with_records().await;
    let mut first = Sentinel::start(desk.options("one", "tmt_agent").await);
    assert_eq!(first.next().await, SentinelEvent::Leads);
    let mut second = Sentinel::start(desk.options("two", "tmt_agent").await);
    let SentinelEvent::Waits { leader: Some(leader) } = second.next().await else { unreachable!() };
    assert!(leader.contains("one"), "{leader}");

    first.end().await;

    assert_eq!(second.next().await, SentinelEvent::Leads);
    second.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_cannot_block_the_sentinel() {
    let desk = Desk::with_records().await;
    let viewer = desk.database.login("viewer", "tmt_viewer").await;
    let viewer = desk.database.client_as(&viewer).await;
    let lock = "SELECT pg_advisory_lock(hashtextextended('tmt:sentinel', 0))";
    viewer.batch_execute(lock).await.unwrap();
    let mut sentinel = Sentinel::start(desk.options("agent", "tmt_agent").await);
    assert_eq!(sentinel.next().await, SentinelEvent::Leads);
    sentinel.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breach_is_raised_and_reported_once() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    let mut sentinel = Sentinel::start(desk.options("agent", "tmt_agent").await);
    assert_eq!(sentinel.next().await, SentinelEvent::Leads);

    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    assert_eq!(officer.run("limit set 000000b1 20k --yes").code, 0);

    let said = sentinel.next_limit().await;
    let breach = |state: &str| (state.to_owned(), "max_exposure".to_owned(), "alpha".to_owned());
    assert_eq!(said, breach("breach"));
    let events = "SELECT count(*) FROM risk_events WHERE event_type = 'limit_breach'
                     AND occurrence_count = 1";
    assert_eq!(desk.count(events).await, 1);
    desk.quote().await;
    assert_eq!(trader.run("close EUR_USD price=1.0999 --yes").code, 0);
    assert_eq!(sentinel.next_limit().await, breach("ok"));
    sentinel.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_survives_the_loss_of_its_connection() {
    let desk = Desk::with_records().await;
    let mut sentinel = Sentinel::start(desk.options("agent", "tmt_agent").await);
    assert_eq!(sentinel.next().await, SentinelEvent::Leads);
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE usename LIKE '%agent' AND datname = current_database()";
    desk.admin.batch_execute(kill).await.unwrap();
    let lost = sentinel.next().await;
    assert!(matches!(lost, SentinelEvent::Lost(_)), "{lost:?}");
    assert_eq!(sentinel.next().await, SentinelEvent::Leads);
    sentinel.end().await;
}

/// The next event on the bus: its type and its body.
async fn rings(bus: &mut redis::aio::PubSub) -> (String, Value) {
    let message = timeout(SOON, bus.on_message().next()).await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(message.get_payload_bytes()).unwrap();
    let part = |name| event.pointer(name).unwrap().clone();
    assert_eq!(part("/source"), "sentinel");
    (part("/event_type").as_str().unwrap().to_owned(), part("/data"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sentinel_publishes_what_it_raises() {
    let desk = Desk::with_records().await;
    let server = Redis::start(local::Options::ephemeral()).await.unwrap();
    let client = redis::Client::open(server.socket_url()).unwrap();
    let mut bus = client.get_async_pubsub().await.unwrap();
    bus.subscribe("events:all").await.unwrap();
    let agent = desk.options("agent", "tmt_agent").await;
    let publisher = Publisher::new(tmt::feed::Options::new(server.socket_url()));
    let mut sentinel = Sentinel::with(agent, Some(publisher));
    assert_eq!(sentinel.next().await, SentinelEvent::Leads);
    let begun = "SELECT count(*) FROM performance_metrics WHERE period_type = 'daily'";
    timeout(SOON, async {
        while desk.count(begun).await < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();

    // Alpha may lose 5,000 in a day by its own rule, and by a limit: one bell.
    limit("max_daily_loss", 5, "percentage").of(ALPHA).insert(&desk).await;
    let start = "UPDATE performance_metrics SET start_equity = $2 WHERE account_id = $1";
    desk.execute(start, &[&ALPHA.0, &dec!(105000)]).await;
    let (event, data) = rings(&mut bus).await;
    assert_eq!(event, "circuit_breaker_triggered");
    assert_eq!(data["account_id"], ALPHA.to_string());
    assert_eq!(data["breaker_type"], "max_daily_loss");

    // A warning of another account is the next.
    desk.execute(start, &[&BRAVO.0, &dec!(104400)]).await;
    let (event, data) = rings(&mut bus).await;
    assert_eq!((event.as_str(), &data["metric"]), ("performance_alert", &"max_daily_loss".into()));
    assert_eq!((&data["value"], &data["threshold"]), (&"4400".into(), &"5000".into()));

    // An unreachable bus is reported once, and the work goes on.
    drop(server);
    desk.admin.batch_execute("UPDATE performance_metrics SET start_equity = 50000").await.unwrap();
    desk.admin.batch_execute("UPDATE performance_metrics SET start_equity = 106000").await.unwrap();
    loop {
        if let SentinelEvent::NotAnnounced(_) = sentinel.next().await {
            break;
        }
    }
    sentinel.end().await;
}

#[tokio::test]
async fn the_sentinel_needs_a_login_in_tmt_agent_and_can_run_once() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let refused = trader.run("sentinel --once");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.complaint().contains("needs a login in tmt_agent"), "{refused:?}");
    let agent = shell(&desk, "agent", "tmt_agent").await;
    let done = agent.run("sentinel --once");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    assert!(done.out.contains("limits changed standing"), "{done:?}");
}

#[tokio::test]
async fn one_round_rolls_every_trading_day() {
    let desk = Desk::with_records().await;
    // More accounts than one step rolls.
    desk.admin
        .batch_execute(
            "INSERT INTO accounts (account_name, broker, platform, account_type, base_currency, initial_balance, current_balance,
                                   available_balance, equity, max_daily_loss, max_total_drawdown)
             SELECT 'many' || n, 'oanda', 'v20', 'paper', 'USD', 1000, 1000, 1000, 1000, 0.05, 0.1
               FROM generate_series(1, 320) n",
        )
        .await
        .unwrap();
    let agent = shell(&desk, "agent", "tmt_agent").await;

    let done = agent.run("sentinel --once");

    assert_eq!(done.code, 0, "{done:?}");
    let days = "SELECT count(*) FROM performance_metrics WHERE period_type = 'daily'";
    assert_eq!(desk.count(days).await, 322);
}
