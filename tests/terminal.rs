//! The real program in a real terminal, on a real database and a real bus.
#![expect(clippy::unwrap_used, reason = "fixtures of tests")]

use std::time::Duration;

use rust_decimal::dec;
use rustix::process::Signal;
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed;
use tmt::feed::publish::Publisher;
use tmt::local::{Options, Postgres, Redis, SUPERUSER, Shutdown};
use tmt::store::migrate::{Mode, migrate};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/pty.rs"]
mod pty;

use desk::Desk;
use pty::Pty;

/// A desk, a bus, and somebody who publishes prices on it.
struct Floor {
    desk: Desk,
    redis: Redis,
    prices: JoinHandle<()>,
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.prices.abort();
    }
}

async fn floor() -> Floor {
    let desk = Desk::with_records().await;
    let redis = Redis::start(Options::in_memory()).await.unwrap();
    let prices = tokio::spawn(publish_prices(redis.url(), desk.database.client().await));
    Floor { desk, redis, prices }
}

/// Publishes a quote and a heartbeat five times a second, and keeps the database's rates fresh.
async fn publish_prices(url: String, client: tokio_postgres::Client) {
    let mut publisher = Publisher::new(feed::Options::new(url));
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        #[expect(clippy::disallowed_methods, reason = "the clock of the publisher")]
        let now = chrono::Utc::now();
        let instrument = InstrumentId::new("EUR_USD");
        let quote = Quote::new(instrument, dec!(1.0999), dec!(1.1001), now, None).unwrap();
        // Redis is killed in some tests: the next tick tries again.
        publisher.heartbeat(now).await.ok();
        publisher.quotes(&[quote]).await.ok();
        let fresh = "UPDATE fx_rates SET as_of = clock_timestamp()";
        client.batch_execute(fresh).await.ok();
    }
}

impl Floor {
    async fn login(&self, name: &str, group: &str) -> String {
        let login = self.desk.database.login(name, group).await;
        self.desk.database.url_as(&login)
    }

    fn console(&self, database: &str, size: (u16, u16)) -> Pty {
        let redis = self.redis.url();
        let environment = [("DATABASE_URL", database), ("REDIS_URL", redis.as_str())];
        Pty::start::<&str>(env!("CARGO_BIN_EXE_tmt"), &[], &environment, size)
    }

    async fn trader(&self) -> Pty {
        let url = self.login("trader", "tmt_trader").await;
        self.console(&url, (160, 45))
    }

    async fn officer(&self, name: &str) -> Pty {
        let url = self.login(name, "tmt_risk_officer").await;
        self.console(&url, (160, 45))
    }
}

/// The badge of a pane that Redis rings and the database confirmed.
fn is_live(screen: &str) -> bool {
    screen.contains("alpha") && screen.contains("live ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quitting_restores_the_terminal() {
    let floor = floor().await;
    let mut console = floor.trader().await;

    let screen = console.wait_for("live panes", is_live);
    for pane in ["Accounts", "Positions", "Trades", "Signals", "Risk events"] {
        assert!(screen.contains(pane), "{pane} is missing:\n{screen}");
    }
    console.send_then("q", |screen| screen.contains("press q again to quit"));
    console.send("q");

    assert!(console.wait().success());
    console.assert_restored();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_restores_the_terminal() {
    let floor = floor().await;
    let url = floor.login("trader", "tmt_trader").await;
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut console = floor.console(&url, (120, 40));
        console.wait_for("live panes", is_live);
        console.signal(signal);
        console.wait();
        console.assert_restored();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_is_bought_and_closed_by_keyboard() {
    let floor = floor().await;
    let mut console = floor.trader().await;
    console.wait_for("live panes", is_live);

    // A ticket takes the price of now: there must be one.
    console
        .wait_for("a quote", |screen| screen.contains("quotes ") && !screen.contains("quotes 0 "));

    console.send_then(":", |screen| screen.lines().any(|line| line.starts_with(':')));
    console.send("buy EUR_USD 10k sl=1.0951 tp=1.1101 @alpha\r");
    console.wait_for_text("BUY 10,000 EUR_USD");
    console.send_then("\r\r\r", |screen| screen.contains("press y"));
    assert_eq!(floor.desk.trades().await, 0, "Enter sent it");
    send_when_armed(&mut console);
    console.wait_for_text("Accepted");

    assert_eq!(floor.desk.trades().await, 1);
    // A key that chooses a row needs one.
    console.wait_for_text("LONG");
    console.send_then("2j", |screen| screen.contains("> "));
    console.send_then("x", |screen| screen.contains("CLOSE all of 10,000"));
    send_when_armed(&mut console);
    console.wait_for_text("no open positions");
    let open = "SELECT count(*) FROM positions WHERE status <> 'closed'";
    assert_eq!(floor.desk.count(open).await, 0);
}

/// Presses `y` when it is enabled.
fn send_when_armed(console: &mut Pty) {
    console.wait_for("an armed ticket", |screen| screen.contains("Review it, then press y"));
    console.send("y");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pasted_command_sends_nothing() {
    let floor = floor().await;
    let mut console = floor.trader().await;
    console.wait_for("live panes", is_live);

    console.send("\u{1b}[200~:buy EUR_USD 10k @alpha\ry\ry\r\u{1b}[201~");
    console.wait_for_text("paste ignored");
    console.send("\u{1b}[200~xy\u{1b}[201~");
    console.send_then("?", |screen| screen.contains("Everywhere"));

    assert_eq!(floor.desk.trades().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consoles_see_each_others_writes() {
    let floor = floor().await;
    let mut one = floor.officer("risk1").await;
    let mut two = floor.officer("risk2").await;
    for console in [&one, &two] {
        console.wait_for("live panes", is_live);
    }

    one.send_then("5", |screen| screen.contains("acknowledge"));
    one.send("/warn\r");
    one.send_then("j", |screen| screen.contains("> "));
    one.send("a");
    one.wait_for_text("Accepted");
    two.wait_for("the acknowledgement of the other", |screen| {
        screen.contains("ACK") && screen.contains("risk1")
    });

    let acknowledged = "SELECT count(*) FROM risk_events WHERE acknowledged_by LIKE '%risk1'";
    assert_eq!(floor.desk.count(acknowledged).await, 1);
    two.send("qq");
    two.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_survives_a_restart_of_redis() {
    let mut floor = floor().await;
    let console = floor.trader().await;
    console.wait_for("live panes", is_live);

    floor.redis.kill().await.unwrap();
    console.wait_for("polled panes", |screen| {
        screen.contains("poll ") && screen.contains("Redis unreachable")
    });
    floor.redis.start_again().await.unwrap();
    console.wait_for("live panes again", |screen| screen.contains("feed gap") && is_live(screen));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_survives_a_restart_of_the_database() {
    // A server of its own: the others' must not be killed.
    let mut postgres = Postgres::start(Options::in_memory()).await.unwrap();
    let redis = Redis::start(Options::in_memory()).await.unwrap();
    let url = postgres.url("postgres", SUPERUSER);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    migrate(&client, Mode::Fresh).await.unwrap();
    desk::seed(&client).await;
    client.batch_execute("CREATE ROLE ann LOGIN IN ROLE tmt_trader").await.unwrap();
    // A server in memory writes its log late: what is not there yet would die with it.
    client.batch_execute("CHECKPOINT").await.unwrap();
    let (database, bus) = (postgres.url("postgres", "ann"), redis.url());
    let environment = [("DATABASE_URL", database.as_str()), ("REDIS_URL", bus.as_str())];
    let mut console = Pty::start::<&str>(env!("CARGO_BIN_EXE_tmt"), &[], &environment, (160, 45));
    console.wait_for("live panes", is_live);

    postgres.halt(Shutdown::Kill).await.unwrap();
    console.wait_for("stale panes with their rows", |screen| {
        screen.contains("STALE") && screen.contains("alpha")
    });
    console.send_then("2b", |screen| screen.contains("database unreachable ("));
    postgres.start_again().await.unwrap();
    console.wait_for("live panes again", |screen| {
        screen.contains("database back after") && is_live(screen)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_terminal_shows_the_desk_once_it_is_larger() {
    let floor = floor().await;
    let url = floor.login("trader", "tmt_trader").await;
    let console = floor.console(&url, (72, 20));

    console.wait_for_text("need 80x24");
    for size in [(1, 1), (300, 100), (40, 10), (80, 24), (120, 40)] {
        console.resize(size.0, size.1);
    }
    console.wait_for("live panes", is_live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_servers_the_console_starts_and_says_why() {
    let nowhere = std::env::temp_dir().join("tmt-no-such-folder");
    let database = format!("postgresql://trader@/tmt?host={}", nowhere.display());
    let environment = [("DATABASE_URL", database.as_str()), ("REDIS_URL", "redis://127.0.0.1:1/")];
    let mut console = Pty::start::<&str>(env!("CARGO_BIN_EXE_tmt"), &[], &environment, (120, 40));

    console.wait_for_text("no PostgreSQL server");
    console.send("qq");

    // It never saw its database, and that is how it ends.
    assert_eq!(console.wait().exit_code(), 1);
    console.assert_restored();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_is_offered_no_write() {
    let floor = floor().await;
    let url = floor.login("viewer", "tmt_viewer").await;
    let mut console = floor.console(&url, (160, 45));
    console.wait_for("live panes", is_live);

    console.send("2");
    console.send_then("b", |screen| screen.contains("needs the trader role"));
    console.send_then("!h", |screen| screen.contains("halt: no new orders: needs the trader role"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_control_suspends_and_resumes_the_console() {
    let floor = floor().await;
    let mut console = floor.trader().await;
    console.wait_for("live panes", is_live);

    console.send("\u{1a}");
    console.wait_for("the shell's screen", |screen| !screen.contains("Accounts"));
    console.wait_until_stopped();
    console.assert_restored();
    console.signal(Signal::CONT);
    console.wait_for("live panes again", is_live);

    console.send("qq");
    assert!(console.wait().success());
    console.assert_restored();
}
