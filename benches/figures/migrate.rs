//! `tmt migrate` on a desk at work: a million trades, twenty consoles that poll, one trader who places
//! orders without a pause. Measures the longest pause of each while the rulebook is rebuilt, beside
//! the longest of as many seconds before.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use rust_decimal::dec;
use tmt::app::Msg;
use tmt::domain::ids::{AccountId, InstrumentId};
use tmt::domain::outcome::Outcome;
use tmt::domain::request::{NewTrade, Request, Verb};
use tmt::domain::trade::Side;
use tmt::runtime::Clock;
use tmt::runtime::poll::Poller;
use tmt::store::migrate::{Mode, Schema, migrate_to};
use tmt::store::{Options, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::uuid;

use crate::database;

const TRADES: &str = "1000000";
const MONTHS: &str = "63";
const CONSOLES: usize = 20;
/// Ten times as often as a console polls, so that a short pause is seen too.
const POLL_EVERY: Duration = Duration::from_millis(100);
const RECONCILE_EVERY: Duration = Duration::from_mins(5);
/// Before the migration, and again with it in the middle.
const PHASE: Duration = Duration::from_secs(10);

const ACCOUNT: AccountId = AccountId(uuid!("a0000000-0000-7000-8000-000000000001"));

/// What a client saw: the instants at which it had an answer, and the answers that were none.
#[derive(Default)]
struct Seen {
    answered: Vec<Instant>,
    failed: Vec<String>,
}

pub(crate) async fn measure() {
    let database = database::database().await;
    let admin = database.client().await;
    let scale = crate::write::SCALE.replace("{trades}", TRADES).replace("{months}", MONTHS);
    admin.batch_execute(&scale).await.unwrap();
    admin.batch_execute("VACUUM ANALYZE").await.unwrap();
    let options = Options::parse(&database.url()).unwrap();

    let stop = CancellationToken::new();
    let consoles: Vec<_> =
        (0..CONSOLES).map(|_| tokio::spawn(poll(options.clone(), stop.clone()))).collect();
    let trader = tokio::spawn(trade(options, stop.clone()));
    // The first read of everything is no pause.
    tokio::time::sleep(PHASE).await;
    let quiet_from = Instant::now();
    tokio::time::sleep(PHASE).await;
    let quiet_until = Instant::now();
    let mut next = Schema::of_this_program();
    let last = next.rulebook.last_mut().unwrap();
    last.sql = Cow::Owned(format!("{}\n-- the next build", last.sql));
    let report = migrate_to(&next, &admin, Mode::Fresh).await.unwrap();
    let took = quiet_until.elapsed();
    tokio::time::sleep(PHASE.saturating_sub(took)).await;
    let until = Instant::now();
    stop.cancel();

    let mut polls = Vec::new();
    for console in consoles {
        polls.push(console.await.unwrap());
    }
    let orders = [trader.await.unwrap()];
    for (name, seen) in [("poll", polls.as_slice()), ("order", orders.as_slice())] {
        crate::figure(
            &format!("migrate_longest_pause_of_a_{name}"),
            "ms",
            longest(seen, quiet_until, until),
            "the longest before",
            longest(seen, quiet_from, quiet_until),
        );
    }
    crate::fact(
        "migrate",
        &serde_json::json!({
            "rebuilt": report.rebuilt,
            "took_ms": took.as_millis(),
            "polls": polls.iter().map(|seen| seen.answered.len()).sum::<usize>(),
            "polls_failed": polls.iter().flat_map(|seen| &seen.failed).collect::<Vec<_>>(),
            "orders": orders.iter().map(|seen| seen.answered.len()).sum::<usize>(),
            "orders_failed": orders.iter().flat_map(|seen| &seen.failed).collect::<Vec<_>>(),
        }),
    );
}

/// Returns the longest time between two answers of one client that overlaps a span, in milliseconds.
fn longest(seen: &[Seen], from: Instant, until: Instant) -> f64 {
    let gaps = seen.iter().flat_map(|seen| seen.answered.windows(2)).filter_map(|pair| {
        let [before, after] = pair else { return None };
        (*after > from && *before < until).then(|| after.duration_since(*before))
    });
    gaps.max().map_or(f64::NAN, |gap| gap.as_secs_f64() * 1000.0)
}

/// Polls as a console does.
async fn poll(options: Options, stop: CancellationToken) -> Seen {
    let (replies, mut messages) = mpsc::channel(256);
    let store = Store::connect(options);
    let (poller, _doorbell) =
        Poller::new(store, Clock::start(), replies, POLL_EVERY, RECONCILE_EVERY);
    let polling = tokio::spawn(poller.run(stop));
    let mut seen = Seen::default();
    while let Some(message) = messages.recv().await {
        if let Msg::Confirmed { .. } = message {
            seen.answered.push(Instant::now());
        } else if let Msg::DatabaseLost { reason } | Msg::ReadFailed { reason, .. } = message {
            seen.failed.push(reason);
        }
    }
    polling.await.unwrap();
    seen
}

/// Places one order after the other.
async fn trade(options: Options, stop: CancellationToken) -> Seen {
    let store = Store::connect(options);
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        let verb = Verb::Place(NewTrade {
            account: ACCOUNT,
            instrument: InstrumentId::new("EUR_USD"),
            side: Side::Buy,
            size: dec!(1000),
            price: dec!(1.1),
            stop: Some(dec!(1.095)),
            target: Some(dec!(1.11)),
            signal: None,
            reason: Some("measured".to_owned()),
        });
        let request = Request { key: Clock::fresh_key(), verb };
        match store.perform(&request).await {
            Outcome::Accepted(_) => seen.answered.push(Instant::now()),
            other @ (Outcome::Refused(_) | Outcome::Unknown(_)) => {
                seen.failed.push(format!("{other:?}"));
            }
        }
    }
    seen
}
