//! The price stream: random and recorded quotes, and the bars of both.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bars::{Bars, SOURCE, bar_row};
use super::context::{Context, ticker};
use super::failures::FailureLog;
use super::market::Market;
use super::replay::{self, Recording, Speed};
use super::tally::add;
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::feed::publish::Publisher;
use crate::sim::tables::BarRow;

/// How often the market is polled. At 100,000 quotes a second that gives batches of a thousand, one
/// round trip each.
const STEP: Duration = Duration::from_millis(10);

/// Most quotes sent in one batch.
const BATCH: usize = 1_000;

/// Quotes that are later than this are dropped, not sent late.
const LATE: Duration = Duration::from_secs(2);

/// How often the market follows recorded prices and completes bars.
const LOOK: TimeDelta = TimeDelta::milliseconds(250);

/// Publishes the market, and recordings in place of some of its instruments, until the simulation
/// stops.
pub(super) async fn play(
    context: Context,
    mut market: Market,
    recordings: Vec<Recording>,
    speed: Speed,
    bars: mpsc::Sender<BarRow>,
) {
    let mut replays = JoinSet::new();
    for recording in recordings {
        market.leave(&recording.instrument);
        replays.spawn(replay::play_beside(context.clone(), speed, recording, bars.clone()));
    }
    let mut tape = Tape {
        publisher: Publisher::new(context.feed.clone()),
        redis: FailureLog::of("publishing quotes"),
        folded: Bars::default(),
        looked_at: context.now(),
        beaten_at: DateTime::<Utc>::MIN_UTC,
        context,
        bars,
        market,
    };
    let opening = tape.market.snapshot(tape.context.now());
    tape.send(opening).await;
    let mut ticker = ticker(STEP);
    while tape.context.next(&mut ticker).await.is_some() {
        tape.step().await;
        while let Some(ended) = replays.try_join_next() {
            if let Ok((instrument, last_seq)) = ended {
                let now = tape.context.now();
                tape.look(now);
                tape.market.take_over(&instrument, last_seq, now);
            }
        }
    }
    // Replays see the stop themselves and finish their batch.
    while replays.join_next().await.is_some() {}
}

struct Tape {
    context: Context,
    market: Market,
    publisher: Publisher,
    redis: FailureLog,
    folded: Bars,
    bars: mpsc::Sender<BarRow>,
    looked_at: DateTime<Utc>,
    beaten_at: DateTime<Utc>,
}

impl Tape {
    async fn step(&mut self) {
        let now = self.context.now();
        if now < self.looked_at || now - self.looked_at >= LOOK {
            self.looked_at = now;
            self.look(now);
        }
        let behind = self.market.lag(now);
        if behind > LATE {
            let lost = self.market.skip(now);
            add(&self.context.counters.quotes_lost, lost);
            tracing::debug!(lost, ?behind, "simulation: late quotes dropped");
        }
        loop {
            let due = std::iter::from_fn(|| self.market.next(now));
            let due: Vec<Quote> = due.take(BATCH).collect();
            let is_last = due.len() < BATCH;
            self.send(due).await;
            if is_last || self.context.stop.is_cancelled() {
                break;
            }
        }
        if now < self.beaten_at || now - self.beaten_at >= TimeDelta::seconds(1) {
            self.beaten_at = now;
            let beat = self.publisher.heartbeat(now).await;
            self.redis.check(beat);
        }
    }

    async fn send(&mut self, quotes: Vec<Quote>) {
        if quotes.is_empty() {
            return;
        }
        // Before Redis: rates and bars go on while it is unreachable.
        self.context.prices.update(&quotes);
        for quote in &quotes {
            if let Some(mid) = quote.mid()
                && let Some(bar) = self.folded.take(&quote.instrument, quote.time, mid)
            {
                self.write(&quote.instrument, &bar);
            }
        }
        let sent = self.publisher.quotes(&quotes).await;
        let counters = &self.context.counters;
        let counter = if sent.is_ok() { &counters.quotes } else { &counters.quotes_lost };
        add(counter, quotes.len());
        self.redis.check(sent);
    }

    fn look(&mut self, now: DateTime<Utc>) {
        for quote in self.context.prices.all() {
            if let Some(mid) = quote.mid() {
                self.market.follow(&quote.instrument, mid);
            }
        }
        for (instrument, bar) in self.folded.complete(now) {
            self.write(&instrument, &bar);
        }
    }

    fn write(&self, instrument: &InstrumentId, bar: &crate::domain::bar::Bar) {
        let row = bar_row(instrument.as_str(), bar, SOURCE);
        if let Err(error) = self.bars.try_send(row) {
            tracing::debug!(%error, "simulation: bar dropped, queue full");
        }
    }
}
