//! Quotes per second from Redis to the board; the baseline is `redis-cli` on the same stream.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use rust_decimal::Decimal;
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::board::Board;
use tmt::feed::publish::Publisher;
use tmt::feed::supervise;
use tmt::local::{Options, Redis};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const QUOTES: u64 = 500_000;
const INSTRUMENTS: u64 = 500;

/// Quotes of many instruments, with a publisher's sequence numbers.
pub(crate) fn quotes(from: u64, count: u64) -> Vec<Quote> {
    let now = Utc::now();
    (from..from + count)
        .map(|number| {
            let instrument = InstrumentId::new(&format!("I{:03}_USD", number % INSTRUMENTS));
            let bid = Decimal::new(i64::try_from(108_000 + number % 997).unwrap(), 5);
            let seq = Some(number / INSTRUMENTS);
            Quote::new(instrument, bid, bid + Decimal::new(1, 4), now, seq).unwrap()
        })
        .collect()
}

pub(crate) async fn measure() {
    // No output limit: Redis must not disconnect the slower of the two.
    let unlimited =
        Options::in_memory().redis_setting("client-output-buffer-limit", "pubsub 0 0 0");
    let redis = Redis::start(unlimited).await.unwrap();
    let ours = ours(&redis).await;
    let theirs = theirs(&redis).await;
    crate::figure(
        "feed_quotes_per_second",
        "1/s",
        QUOTES as f64 / ours.as_secs_f64(),
        "redis-cli psubscribe, output counted",
        QUOTES as f64 / theirs.as_secs_f64(),
    );
    redis.stop().await.unwrap();
}

/// Publishes as fast as Redis accepts; returns when it began.
async fn publish(redis: &Redis) -> Instant {
    let batches: Vec<Vec<Quote>> =
        (0..QUOTES / 10_000).map(|batch| quotes(batch * 10_000, 10_000)).collect();
    let mut publisher = Publisher::new(tmt::feed::Options::new(redis.url()));
    let began = Instant::now();
    for batch in &batches {
        publisher.quotes(batch).await.unwrap();
    }
    began
}

async fn ours(redis: &Redis) -> Duration {
    let board = Arc::new(Board::new());
    let (report, mut reports) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let options = tmt::feed::Options::new(redis.url());
    let feed = tokio::spawn(supervise::run(options, Arc::clone(&board), report, stop.clone()));
    reports.recv().await.expect("the feed comes up");
    // A screen drains the board at its own rate, as in the console.
    let screen = {
        let board = Arc::clone(&board);
        let mut model = crate::draw::crowded(Utc::now());
        tokio::spawn(async move {
            let backend = ratatui::backend::TestBackend::new(200, 60);
            let mut terminal = ratatui::Terminal::new(backend).unwrap();
            loop {
                let quotes = board.drain();
                drop(tmt::app::update(&mut model, tmt::app::Msg::QuotesArrived(quotes)));
                let theme = tmt::ui::Theme::Colour;
                terminal
                    .draw(|frame| {
                        tmt::ui::view(&model, theme, frame);
                    })
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(66)).await;
            }
        })
    };
    let began = publish(redis).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while board.counters().quotes < QUOTES && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = began.elapsed();
    let counted = board.counters();
    crate::fact(
        "feed_lost",
        &serde_json::json!({ "published": QUOTES, "on_the_board": counted.quotes,
            "lost": QUOTES - counted.quotes, "numbers_jumped": counted.gaps }),
    );
    screen.abort();
    stop.cancel();
    feed.await.unwrap();
    took
}

async fn theirs(redis: &Redis) -> Duration {
    let mut child = Command::new("redis-cli")
        .args(["-p", &redis.port().to_string(), "psubscribe", "ticks:*"])
        .env("REDISCLI_AUTH", redis.password())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-cli");
    let mut output = child.stdout.take().unwrap();
    let (ready, up) = std::sync::mpsc::channel();
    let count = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        let mut lines = 0_u64;
        // Three lines for the subscription, four for each message.
        while lines < 3 + 4 * QUOTES {
            let read = output.read(&mut buffer).unwrap();
            assert!(read > 0, "redis-cli ended");
            let new = buffer.iter().take(read).filter(|byte| **byte == b'\n').count();
            if lines < 3 {
                ready.send(()).unwrap();
            }
            lines += new as u64;
        }
        Instant::now()
    });
    up.recv().unwrap();
    let began = publish(redis).await;
    let ended = count.join().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    ended - began
}
