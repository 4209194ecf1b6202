//! The price of this moment, from the bus.

use crate::desk::Desk;
use crate::shell::shell;
use rust_decimal::dec;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::publish::Publisher;
use tmt::local::{Options, Redis};
use tokio_util::sync::CancellationToken;

/// Publishes a price of EUR/USD and a sign of life until it is dropped.
struct Market(CancellationToken);

impl Market {
    fn open(url: &str) -> Self {
        let stop = CancellationToken::new();
        let (options, until) = (tmt::feed::Options::new(url), stop.clone());
        tokio::spawn(async move {
            let mut publisher = Publisher::new(options);
            let mut rhythm = tokio::time::interval(Duration::from_millis(50));
            while until.run_until_cancelled(rhythm.tick()).await.is_some() {
                let time = tmt::runtime::clock::wall();
                let quote = Quote {
                    instrument: InstrumentId::new("EUR_USD"),
                    bid: dec!(1.0999),
                    ask: dec!(1.1001),
                    time,
                    seq: None,
                };
                publisher.quotes(&[quote]).await.unwrap();
                publisher.heartbeat(time).await.unwrap();
            }
        });
        Self(stop)
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_a_price_takes_the_live_quote_and_is_announced() {
    let desk = Arc::new(Desk::with_records().await);
    let redis = Redis::start(Options::in_memory()).await.unwrap();
    let shell = shell(&desk, "trader", "tmt_trader").await.with("REDIS_URL", &redis.url());
    let line = "buy EUR_USD 10k sl=1.0951 @alpha --yes --json";

    let silent = shell.run(line);
    assert_eq!(silent.code, 1, "{silent:?}");
    assert!(
        silent.complaint().contains("no price: no quote for EUR_USD")
            && silent.err.contains("price="),
        "{silent:?}"
    );

    let market = Market::open(&redis.url());
    let ran = shell.run(line);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    assert!(said["sentence"].as_str().unwrap().contains("@ 1.1001"), "a buy pays the ask: {said}");
    assert_eq!(said["announced"], true);

    let doctor = shell.run("doctor --json");
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let levels: Vec<Value> =
        doctor.json().as_array().unwrap().iter().map(|row| row["level"].clone()).collect();
    assert!(levels.iter().all(|level| level != "fail"), "{doctor:?}");
    drop(market);
    redis.stop().await.unwrap();
}
