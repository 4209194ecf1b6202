//! The whole program in a pseudo-terminal: start, keys while quotes pour in, memory, idling.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use tmt::feed::publish::Publisher;
use tmt::local::{Options, Redis};

use crate::desk::Desk;
use crate::pty::Pty;

/// Quotes per second that the console must bear.
const PER_SECOND: u64 = 100_000;
const FLOOD: Duration = Duration::from_secs(10);
const KEYS: usize = 60;
const KEY_EVERY: Duration = Duration::from_millis(137);

pub(crate) async fn measure() {
    let desk = Desk::with_records().await;
    let redis = Redis::start(Options::in_memory()).await.unwrap();
    let login = desk.database.login("trader", "tmt_trader").await;
    let (database, bus) = (desk.database.url_as(&login), redis.url());
    let environment = [("DATABASE_URL", database.as_str()), ("REDIS_URL", bus.as_str())];
    let program = env!("CARGO_BIN_EXE_tmt");

    start(program, &environment, &desk.database.url());

    let mut console = Pty::start::<&str>(program, &[], &environment, (200, 60));
    console.wait_for_text("alpha");
    let mut quiet = keys(&mut console);
    let before = memory(&console);
    let flood = Flood::start(&redis);
    let mut flooded = keys(&mut console);
    flood.wait(FLOOD);
    let after = memory(&console);
    let (sent, took) = flood.stop();
    let baseline = crate::quantile(&mut quiet, 0.5);
    let what = "the same keys without quotes, p50";
    crate::figure(
        "program_key_to_paint_p50",
        "ms",
        crate::quantile(&mut flooded, 0.5),
        what,
        baseline,
    );
    crate::figure(
        "program_key_to_paint_p99",
        "ms",
        crate::quantile(&mut flooded, 0.99),
        what,
        baseline,
    );
    crate::figure("program_memory_flooded", "MiB", after, "before the flood", before);
    crate::fact(
        "program_flood",
        &serde_json::json!({ "quotes_sent": sent, "seconds": took.as_secs_f64(),
            "key_to_paint_p99_ms": crate::quantile(&mut flooded, 0.99), "bound_ms": 20 }),
    );
    idle(&console);
    redis.stop().await.unwrap();
}

/// Time from the start of the process to the first pane with rows of the database.
fn start(program: &str, environment: &[(&str, &str)], superuser: &str) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let began = Instant::now();
        let console = Pty::start::<&str>(program, &[], environment, (120, 40));
        console.wait_for_text("alpha");
        ours.push(began.elapsed());
        let began = Instant::now();
        let status = Command::new("psql").args([superuser, "-qAtc", "SELECT 1"]).output().unwrap();
        assert!(status.status.success());
        theirs.push(began.elapsed());
    }
    let baseline = crate::quantile(&mut theirs, 0.5);
    let value = crate::quantile(&mut ours, 0.5);
    crate::figure("program_start_to_live_pane", "ms", value, "psql -c 'SELECT 1'", baseline);
}

/// Types into the `:` line and measures how long each character takes to appear.
fn keys(console: &mut Pty) -> Vec<Duration> {
    console.send(":");
    let mut typed = String::new();
    let mut samples = Vec::new();
    for number in 0..KEYS {
        std::thread::park_timeout(KEY_EVERY);
        let character = char::from(b'a' + u8::try_from(number % 26).unwrap());
        typed.push(character);
        let wanted = format!(":{typed}");
        let began = Instant::now();
        console.send_then(&character.to_string(), |screen| screen.contains(&wanted));
        samples.push(began.elapsed());
    }
    console.send("\u{1b}");
    console.wait_for("an empty line", |screen| !screen.contains(":abc"));
    samples
}

/// Resident memory of the program, in MiB.
fn memory(console: &Pty) -> f64 {
    let status = format!("/proc/{}/status", console.pid().as_raw_nonzero());
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
}

/// Measures processor time and output of an idle console.
fn idle(console: &Pty) {
    /// Unit of the times in `/proc/PID/stat` on Linux: hundredths of a second.
    const TICKS: f64 = 100.0;
    let spent = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", console.pid().as_raw_nonzero()));
        let stat = stat.unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        (ticks(12).unwrap_or(f64::NAN) + ticks(13).unwrap_or(f64::NAN)) / TICKS
    };
    let (cpu, bytes, began) = (spent(), console.bytes().len(), Instant::now());
    std::thread::park_timeout(Duration::from_secs(10));
    let seconds = began.elapsed().as_secs_f64();
    let share = (spent() - cpu) / seconds * 100.0;
    crate::fact(
        "program_idle",
        &serde_json::json!({ "cpu_percent": crate::rounded(share), "bound_percent": 1,
            "bytes_per_second": crate::rounded((console.bytes().len() - bytes) as f64 / seconds) }),
    );
}

/// Publishes a hundred thousand quotes per second from a thread of its own.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    began: Instant,
    thread: std::thread::JoinHandle<()>,
}

impl Flood {
    fn start(redis: &Redis) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (url, should_stop, count) = (redis.url(), Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(publish(&url, &should_stop, &count));
        });
        Self { stop, sent, began: Instant::now(), thread }
    }

    fn wait(&self, at_least: Duration) {
        let left = at_least.saturating_sub(self.began.elapsed());
        std::thread::park_timeout(left);
    }

    fn stop(self) -> (u64, Duration) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        (self.sent.load(Ordering::SeqCst), self.began.elapsed())
    }
}

async fn publish(url: &str, stop: &AtomicBool, sent: &AtomicU64) {
    /// Quotes per batch, a hundred batches per second.
    const BATCH: u64 = PER_SECOND / 100;
    let mut publisher = Publisher::new(tmt::feed::Options::new(url));
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let mut next = 0;
    while !stop.load(Ordering::SeqCst) {
        tick.tick().await;
        publisher.quotes(&crate::feed::quotes(next, BATCH)).await.unwrap();
        if next % PER_SECOND == 0 {
            publisher.heartbeat(Utc::now()).await.unwrap();
        }
        next += BATCH;
        sent.store(next, Ordering::SeqCst);
    }
}
