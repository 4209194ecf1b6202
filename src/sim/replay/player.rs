//! Plays the files of one instrument.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::reader::{BadLine, Reader, Recorded};
use super::speed::Speed;
use super::summary::{FileSummary, MOST_NAMED, Progress};
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::feed::publish::Publisher;
use crate::sim::bars::{Bars, bar_row};
use crate::sim::context::Context;
use crate::sim::failures::FailureLog;
use crate::sim::tables::BarRow;

/// `market_data.data_source` of recorded bars.
const SOURCE: &str = "replay";

/// Most quotes published at once: one round trip.
const BATCH: usize = 1_000;

/// Lines per batch of the reading thread, and batches that may wait: at most a thousand lines are
/// read ahead.
const LINES: usize = 250;
const LINES_WAITING: usize = 4;

/// Pause after a failed publish.
const RETRY: Duration = Duration::from_millis(250);

/// A batch from the reading thread.
struct Lines {
    found: Vec<Result<Recorded, BadLine>>,
    /// Of the file so far, as stored.
    bytes_read: u64,
    broken: Option<String>,
}

pub(super) struct Played {
    pub(super) files: Vec<FileSummary>,
    pub(super) last_seq: u64,
}

/// Maps recorded time to present time.
#[derive(Clone, Copy)]
struct Start {
    recorded: DateTime<Utc>,
    here: DateTime<Utc>,
    instant: Instant,
}

/// Plays the files of one instrument, one after the other.
pub(super) struct Player {
    context: Context,
    instrument: InstrumentId,
    bars: mpsc::Sender<BarRow>,
    speed: Speed,
    publisher: Publisher,
    redis: FailureLog,
    folded: Bars,
    seq: u64,
    start: Option<Start>,
    /// Quotes of the next batch.
    pending: Vec<Quote>,
    /// Confirmed since the file began.
    confirmed: u64,
}

impl Player {
    pub(super) fn new(
        context: Context,
        instrument: InstrumentId,
        bars: mpsc::Sender<BarRow>,
        speed: Speed,
    ) -> Self {
        Self {
            publisher: Publisher::new(context.feed.clone()),
            redis: FailureLog::of("publishing recorded quotes"),
            folded: Bars::default(),
            context,
            instrument,
            bars,
            speed,
            seq: 0,
            start: None,
            pending: Vec::new(),
            confirmed: 0,
        }
    }

    /// Plays the files; ends early when the simulation stops.
    pub(super) async fn play(
        mut self,
        files: Vec<PathBuf>,
        progress: Arc<watch::Sender<Progress>>,
    ) -> Played {
        let mut summaries = Vec::new();
        for path in files {
            summaries.push(self.play_file(path, &progress).await);
        }
        // No more quotes of the last minute will come.
        for (instrument, bar) in self.folded.running() {
            self.write(bar_row(instrument.as_str(), &bar, SOURCE)).await;
        }
        Played { files: summaries, last_seq: self.seq }
    }

    async fn play_file(
        &mut self,
        path: PathBuf,
        progress: &watch::Sender<Progress>,
    ) -> FileSummary {
        let mut summary = FileSummary {
            path: path.clone(),
            instrument: self.instrument.clone(),
            quotes: 0,
            bad_lines: 0,
            named: Vec::new(),
            span: None,
            broken: None,
        };
        let (sender, mut lines) = mpsc::channel(LINES_WAITING);
        let reading = tokio::task::spawn_blocking(move || read(&path, &sender));
        let mut seen = 0;
        while let Some(some) = lines.recv().await {
            let (bad_before, confirmed) = (summary.bad_lines, self.confirmed);
            for found in some.found {
                self.take(found, &mut summary).await;
            }
            if self.speed == Speed::Max {
                self.flush().await;
            }
            summary.broken = some.broken;
            let span = summary.span;
            progress.send_modify(|progress| {
                progress.bytes_read += some.bytes_read.saturating_sub(seen);
                progress.quotes += self.confirmed.saturating_sub(confirmed);
                progress.bad_lines += summary.bad_lines.saturating_sub(bad_before);
                progress.at = span.map(|(_, last)| last).or(progress.at);
            });
            seen = some.bytes_read;
            if self.context.stop.is_cancelled() {
                break;
            }
        }
        let before = self.confirmed;
        self.flush().await;
        progress.send_modify(|progress| progress.quotes += self.confirmed.saturating_sub(before));
        summary.quotes = std::mem::take(&mut self.confirmed);
        drop(lines);
        if let Err(error) = reading.await {
            summary.broken = Some(error.to_string());
        }
        summary
    }

    async fn take(&mut self, found: Result<Recorded, BadLine>, summary: &mut FileSummary) {
        match found {
            Ok(quote) => {
                let first = summary.span.map_or(quote.time, |(first, _)| first);
                summary.span = Some((first, quote.time));
                self.publish(quote).await;
            }
            Err(bad) => {
                summary.bad_lines = summary.bad_lines.saturating_add(1);
                if summary.named.len() < MOST_NAMED {
                    summary.named.push(bad);
                }
            }
        }
    }

    /// Publishes a quote when it is due, and adds it to its bar.
    async fn publish(&mut self, recorded: Recorded) {
        let Some(time) = self.wait_for(recorded.time).await else { return };
        let Recorded { bid, ask, .. } = recorded;
        let seq = self.seq.saturating_add(1);
        let Ok(quote) = Quote::new(self.instrument.clone(), bid, ask, time, Some(seq)) else {
            return;
        };
        self.seq = seq;
        let bar =
            quote.mid().and_then(|mid| self.folded.take(&self.instrument, recorded.time, mid));
        self.pending.push(quote);
        if let Some(bar) = bar {
            self.write(bar_row(self.instrument.as_str(), &bar, SOURCE)).await;
        }
        if self.pending.len() >= BATCH {
            self.flush().await;
        }
    }

    /// Waits until a recorded time is due at the replay's speed; returns the present time, or `None`
    /// if the simulation stops.
    async fn wait_for(&mut self, recorded: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Speed::Times(times) = self.speed else {
            return (!self.context.stop.is_cancelled()).then(|| self.context.now());
        };
        let here = self.context.now();
        let instant = Instant::now();
        let start = *self.start.get_or_insert(Start { recorded, here, instant });
        let times = i32::try_from(times).unwrap_or(i32::MAX);
        let after = (recorded - start.recorded).checked_div(times)?.max(TimeDelta::zero());
        let due = start.instant.checked_add(after.to_std().ok()?)?;
        if due > instant {
            self.flush().await;
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return None,
                () = sleep_until(due) => {}
            }
        }
        (!self.context.stop.is_cancelled()).then_some(start.here.checked_add_signed(after)?)
    }

    /// Publishes pending quotes, and retries until Redis confirms. Sequence numbers make a repeat
    /// harmless.
    async fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.context.prices.update(&self.pending);
        while self.redis.check(self.publisher.quotes(&self.pending).await).is_none() {
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => break,
                () = sleep(RETRY) => {}
            }
        }
        if !self.redis.is_failing() {
            let count = u64::try_from(self.pending.len()).unwrap_or(0);
            self.confirmed = self.confirmed.saturating_add(count);
        }
        self.pending.clear();
    }

    async fn write(&self, bar: BarRow) {
        // Waits while the database is unreachable. Closed only when the replay stops.
        if self.bars.send(bar).await.is_err() {
            tracing::debug!("replay: bar dropped, stopping");
        }
    }
}

/// Reads a file to its end, or until the receiver is gone.
fn read(path: &Path, lines: &mpsc::Sender<Lines>) {
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => {
            let broken = Some(error.to_string());
            lines.blocking_send(Lines { found: Vec::new(), bytes_read: 0, broken }).ok();
            return;
        }
    };
    let bytes = reader.bytes_read();
    loop {
        let mut found = Vec::with_capacity(LINES);
        let mut broken = None;
        let is_end = loop {
            match reader.next() {
                Ok(Some(line)) => found.push(line),
                Ok(None) => break true,
                Err(error) => {
                    broken = Some(error.to_string());
                    break true;
                }
            }
            if found.len() >= LINES {
                break false;
            }
        };
        let bytes_read = bytes.load(Ordering::Relaxed);
        if lines.blocking_send(Lines { found, bytes_read, broken }).is_err() || is_end {
            return;
        }
    }
}
