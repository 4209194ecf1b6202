//! Keeps a subscription alive and reports its state.
//!
//! The library's reconnecting client gave up after six attempts and hid a lost channel right, so the
//! loop is here: connect and subscribe under one deadline, read while pings are answered, back off,
//! repeat. Messages are lost while the subscription is down; each time it comes up the caller gets
//! the length of the gap and resyncs from PostgreSQL.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::Msg;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
use self::outbox::Outbox;
use self::samples::Samples;
use self::subscription::{Heard, Messages, Subscription, pulse, subscribe};
use super::Options;
use super::board::{Board, Put};
use super::down::Down;
use super::seen::{Seen, Sighting};
use super::wire::{Arrival, Decoder, Dropped};
use crate::domain::text::clean;

mod backoff;
mod gate;
mod outbox;
mod report;
mod samples;
mod subscription;

pub use report::FeedReport;

/// Most messages handled between two checks of the timers.
const BATCH: usize = 1024;

/// Gaps in sequence numbers are reported at most this often: a publisher that counts wrongly would
/// otherwise cause a resync per quote.
const TELL_JUMPS_EVERY: Duration = Duration::from_secs(1);

/// Runs the feed until `stop` is cancelled or the receiver of `reports` is dropped.
///
/// The reader never waits for `reports`: when that queue is full, the newest state of the
/// connection is kept, events are folded into one [`FeedReport::Collapsed`], and both are delivered
/// as soon as there is room. Quotes and counters go to `board`.
///
/// Cancel safe: dropping it ends the subscription.
pub async fn run(
    options: Options,
    board: Arc<Board>,
    reports: mpsc::Sender<FeedReport>,
    stop: CancellationToken,
) {
    let gone = reports.clone();
    let mut feed = Feed {
        decoder: Decoder::new(options.channels.clone()),
        backoff: Backoff::new(options.retry_from, options.retry_up_to),
        outbox: Outbox::new(reports),
        seen: Seen::default(),
        samples: Samples::default(),
        heart: Heart::default(),
        jumps: Jumps::default(),
        last_heard: None,
        options,
        board,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = gone.closed() => {}
        never = feed.keep() => match never {},
    }
}

#[derive(Debug)]
struct Feed {
    options: Options,
    board: Arc<Board>,
    decoder: Decoder,
    backoff: Backoff,
    outbox: Outbox,
    seen: Seen,
    samples: Samples,
    heart: Heart,
    jumps: Jumps,
    /// When the server last sent anything; `None` before the first subscription.
    last_heard: Option<Instant>,
}

/// Heartbeats of the price publisher.
#[derive(Debug, Default)]
struct Heart {
    /// `None` until the first: a publisher without heartbeats is never stale.
    beat: Option<Instant>,
    is_stale: bool,
}

/// Gaps in sequence numbers that were not reported yet.
#[derive(Debug, Default)]
struct Jumps {
    missed: u64,
    restarts: u64,
    /// When the next report is allowed.
    not_before: Option<Instant>,
}

impl Feed {
    async fn keep(&mut self) -> std::convert::Infallible {
        loop {
            let why = match subscribe(&self.options).await {
                Ok(subscription) => {
                    let since = Instant::now();
                    self.came_up(since);
                    let why = self.read(subscription).await;
                    self.backoff.was_up_for(since.elapsed());
                    why
                }
                Err(why) => why,
            };
            tracing::debug!(reason = %why, "feed down");
            let wait = self.backoff.next(why.cause);
            self.outbox.link(FeedReport::Down(why));
            self.pause(wait).await;
        }
    }

    fn came_up(&mut self, now: Instant) {
        let gap = self.last_heard.map(|last| now.saturating_duration_since(last));
        self.last_heard = Some(now);
        // Before the subscription the publisher could not be heard.
        self.heart.beat = self.heart.beat.map(|_| now);
        self.outbox.link(FeedReport::Up { gap });
    }

    /// Reads until the subscription is lost; returns why.
    async fn read(&mut self, Subscription { mut messages, sink }: Subscription) -> Down {
        let heard = Heard::new(Instant::now());
        let pulse = pulse(sink, self.options.ping_every, self.options.answer_within, &heard);
        tokio::pin!(pulse);
        let why = self.drain(&heard, pulse, &mut messages).await;
        self.last_heard = Some(heard.last());
        why
    }

    async fn drain(
        &mut self,
        heard: &Heard,
        mut pulse: Pin<&mut impl Future<Output = Down>>,
        messages: &mut Messages,
    ) -> Down {
        loop {
            let wake_at = self.next_timer();
            tokio::select! {
                biased;
                why = &mut pulse => return why,
                () = self.outbox.deliver(), if self.outbox.is_waiting() => {}
                () = wait_until(wake_at) => self.timers(Instant::now()),
                message = messages.next() => {
                    let Some(message) = message else { return Down::lost() };
                    let now = Instant::now();
                    heard.at(now);
                    self.take(&message, now);
                    for _ in 1..BATCH {
                        let Some(message) = messages.try_next() else { break };
                        self.take(&message, now);
                    }
                }
            }
        }
    }

    /// Waits before the next attempt, and delivers waiting reports.
    async fn pause(&mut self, wait: Duration) {
        let over = sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => return,
                () = self.outbox.deliver(), if self.outbox.is_waiting() => {}
            }
        }
    }

    /// Handles one message. Never awaits, so the subscription is drained whatever is downstream.
    fn take(&mut self, message: &Msg, now: Instant) {
        let (channel, payload) = (message.get_channel_name(), message.get_payload_bytes());
        match self.decoder.decode(channel.as_bytes(), payload) {
            Ok(Arrival::Quote(quote)) => {
                self.beat(now, false);
                self.jumps.add(self.board.put(quote));
                self.tell_jumps(now);
            }
            Ok(Arrival::Heartbeat { .. }) => {
                self.board.count_heartbeat();
                self.beat(now, true);
            }
            Ok(Arrival::Event(event)) => {
                let sighting = self.seen.judge(&event.id, event.copy);
                self.board.count_event(sighting);
                if sighting == Sighting::New {
                    self.outbox.event(event);
                }
            }
            Err(why) => self.drop_one(channel, payload, why, now),
        }
    }

    fn drop_one(&mut self, channel: &str, payload: &[u8], why: Dropped, now: Instant) {
        self.board.count_dropped(channel, why);
        if let Some(sample) = self.samples.of(channel, payload, now) {
            tracing::debug!(channel = clean(channel), %why, sample, "message dropped");
        }
    }

    /// Records a sign of life of the price publisher. A quote is one too, but only heartbeats are
    /// expected at intervals.
    fn beat(&mut self, now: Instant, is_heartbeat: bool) {
        let Some(last) = self.heart.beat else {
            self.heart.beat = is_heartbeat.then_some(now);
            return;
        };
        self.heart.beat = Some(now);
        if std::mem::take(&mut self.heart.is_stale) {
            self.outbox.prices(FeedReport::Fresh { silent: now.saturating_duration_since(last) });
        }
    }

    fn tell_jumps(&mut self, now: Instant) {
        if let Some(report) = self.jumps.told(now) {
            self.outbox.jumped(report);
        }
    }

    /// Returns when [`Feed::timers`] is next to be called.
    fn next_timer(&self) -> Option<Instant> {
        let stale =
            self.heart.beat.filter(|_| !self.heart.is_stale).map(|beat| beat + self.silence());
        let jumps = self.jumps.not_before.filter(|_| self.jumps.is_waiting());
        stale.into_iter().chain(jumps).min()
    }

    fn timers(&mut self, now: Instant) {
        self.tell_jumps(now);
        let Some(beat) = self.heart.beat.filter(|_| !self.heart.is_stale) else { return };
        let silent = now.saturating_duration_since(beat);
        if silent >= self.silence() {
            self.heart.is_stale = true;
            self.outbox.prices(FeedReport::Stale { silent });
        }
    }

    /// Returns how long a publisher may be silent: its heartbeats, and half an interval for the last
    /// one in flight.
    fn silence(&self) -> Duration {
        let every = self.options.heartbeat_every;
        every.saturating_mul(self.options.heartbeats_missed).saturating_add(every / 2)
    }
}

impl Jumps {
    fn add(&mut self, put: Put) {
        match put {
            Put::TakenAfterGap(missed) => self.missed = self.missed.saturating_add(missed),
            Put::TakenAfterRestart => self.restarts += 1,
            Put::Taken | Put::Duplicate | Put::Old | Put::NoRoom => {}
        }
    }

    fn is_waiting(&self) -> bool {
        self.missed > 0 || self.restarts > 0
    }

    fn told(&mut self, now: Instant) -> Option<(u64, u64)> {
        if !self.is_waiting() || self.not_before.is_some_and(|then| now < then) {
            return None;
        }
        self.not_before = Some(now + TELL_JUMPS_EVERY);
        Some((std::mem::take(&mut self.missed), std::mem::take(&mut self.restarts)))
    }
}

async fn wait_until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
