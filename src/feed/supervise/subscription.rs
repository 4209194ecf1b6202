//! One subscription: opened, read and pinged until it is lost.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{Msg, Value};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::gate::{Keeper, gated};
use crate::feed::Options;
use crate::feed::connect::Address;
use crate::feed::down::Down;

/// Shortest ping interval that can be configured.
const SHORTEST_PULSE: Duration = Duration::from_millis(10);

pub(super) struct Subscription {
    pub(super) messages: Messages,
    /// Used by [`pulse`].
    pub(super) sink: PubSubSink,
}

/// The messages of a subscription.
pub(super) struct Messages {
    queue: PubSubStream,
    keeper: Keeper,
}

impl Messages {
    /// Waits for the next message; `None` when the connection has ended. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Msg> {
        poll_fn(|context| self.keeper.poll_next(&mut self.queue, context)).await
    }

    /// Returns the next message if there is one.
    pub(super) fn try_next(&mut self) -> Option<Msg> {
        self.next().now_or_never().flatten()
    }
}

/// Connects and subscribes within one deadline.
pub(super) async fn subscribe(options: &Options) -> Result<Subscription, Down> {
    let within = options.connect_within;
    let connecting = async {
        let address = Address::of(&options.url)?;
        let stream = address.open(options.authority.as_deref()).await?;
        let (gate, keeper) = gated(stream);
        // Channels belong to no database, and a user that may only subscribe may not SELECT one.
        let settings = address.settings.set_db(0);
        let mut subscription = PubSub::new(&settings, gate).await?;
        subscription.psubscribe(&options.channels.patterns()).await?;
        // A server that loads its data, or a replica without its master, accepts subscriptions without
        // messages. A ping reports it.
        subscription.ping::<Value>().await?.extract_error()?;
        let (sink, queue) = subscription.split();
        Ok(Subscription { messages: Messages { queue, keeper }, sink })
    };
    match timeout(within, connecting).await {
        Ok(result) => result,
        Err(_) => Err(Down::no_answer(within)),
    }
}

/// When the server last sent anything. Shared by reader and pulse in one task.
#[derive(Debug)]
pub(super) struct Heard {
    start: Instant,
    millis: AtomicU64,
}

impl Heard {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, millis: AtomicU64::new(0) }
    }

    pub(super) fn at(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.start).as_millis();
        self.millis.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// Pings until the connection is dead.
pub(super) async fn pulse(
    mut sink: PubSubSink,
    every: Duration,
    within: Duration,
    heard: &Heard,
) -> Down {
    // An interval of zero panics.
    let every = every.max(SHORTEST_PULSE);
    let mut timer = interval_at(Instant::now() + every, every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let asked = Instant::now();
        match timeout(within, sink.ping::<Value>()).await {
            Ok(answer) => match answer.and_then(Value::extract_error) {
                Ok(_) => heard.at(Instant::now()),
                Err(error) => return error.into(),
            },
            // Messages arrived, so the answer is late behind them and the server is alive.
            Err(_) if heard.last() > asked => {}
            Err(_) => return Down::no_answer(within),
        }
    }
}
