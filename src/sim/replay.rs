//! Replays recorded quotes at their own pace or another, and folds them into bars.
//!
//! Prices and intervals are the recording's; a published quote has the present time, so that its age
//! on the screen is true and orders on it are accepted. Bars keep the recorded minute. See
//! `docs/adr/0051-recorded-times.md`.

mod error;
mod naming;
mod player;
mod reader;
mod speed;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::context::{Context, Prices};
use super::{SimError, rates, writers};
use crate::domain::change::Kind;
use crate::domain::ids::InstrumentId;
use crate::domain::rows::Rows;
use crate::feed;
use crate::sim::tables::BarRow;
use crate::store::Store;

pub use error::ReplayError;
use naming::{canonical, instrument_of};
pub use reader::BadLine;
use reader::Reader;
pub use speed::{NotASpeed, Speed};
pub use summary::{FileSummary, MOST_NAMED, Progress, Summary};

/// What is replayed, and how fast.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files of quotes, `csv` or `csv.gz`. Those of one instrument play in this order; instruments
    /// play side by side.
    pub files: Vec<PathBuf>,
    /// The instrument of all files; if `None`, each file name begins with it.
    pub instrument: Option<InstrumentId>,
    pub speed: Speed,
}

/// The files of one instrument.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    pub(super) instrument: InstrumentId,
    pub(super) files: Vec<PathBuf>,
    bytes: u64,
}

/// Checks name and header of every file, and groups them by instrument.
pub(super) fn open(options: &Options) -> Result<Vec<Recording>, SimError> {
    let mut recordings: Vec<Recording> = Vec::new();
    for path in &options.files {
        let instrument = match &options.instrument {
            Some(given) => canonical(given.as_str()).unwrap_or_else(|| given.clone()),
            None => instrument_of(path)
                .ok_or_else(|| ReplayError::NoInstrument { path: path.clone() })?,
        };
        Reader::open(path)?;
        let unreadable = |source| ReplayError::Unreadable { path: path.clone(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        match recordings.iter_mut().find(|known| known.instrument == instrument) {
            Some(known) => {
                known.files.push(path.clone());
                known.bytes = known.bytes.saturating_add(bytes);
            }
            None => recordings.push(Recording { instrument, files: vec![path.clone()], bytes }),
        }
    }
    Ok(recordings)
}

/// Returns the first mid price of each recorded instrument, for [`super::SeedOptions::prices`].
///
/// # Errors
///
/// [`SimError::Replay`] if a file cannot be read or names no instrument.
pub fn first_prices(
    options: &Options,
) -> Result<Vec<(InstrumentId, rust_decimal::Decimal)>, SimError> {
    let mut prices = Vec::new();
    for recording in open(options)? {
        let Some(path) = recording.files.first() else { continue };
        let mut reader = Reader::open(path)?;
        while let Ok(Some(line)) = reader.next() {
            if let Ok(quote) = line {
                prices.extend(quote.mid().map(|mid| (recording.instrument.clone(), mid)));
                break;
            }
        }
    }
    Ok(prices)
}

/// Replays files: publishes every quote, writes the last as rates, writes one-minute bars.
///
/// Every valid line is published at least once and confirmed by Redis, in order, numbered from 1 per
/// instrument. The replay waits while Redis is unreachable, or the database is and its bars pile up.
/// Returns when everything is confirmed and written, or soon after `stop` is cancelled.
///
/// Not cancel safe: dropped, some bars are missing. Cancel `stop` instead. The same replay run again
/// writes the same bars.
///
/// # Errors
///
/// [`SimError::Replay`] before anything is published, if a file cannot be opened or the desk does not
/// have its instrument.
pub async fn run(
    options: &Options,
    store: &Store,
    feed: &feed::Options,
    clock: fn() -> DateTime<Utc>,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<Summary, SimError> {
    let recordings = open(options)?;
    check_instruments(&recordings, store).await?;
    let bytes_total = recordings.iter().map(|recording| recording.bytes).sum();
    progress.send_modify(|progress| progress.bytes_total = bytes_total);
    let (events, _) = mpsc::channel(1);
    let context = Context {
        seed: 0,
        agent_speed: 1,
        clock,
        store: store.clone(),
        feed: feed.clone(),
        prices: Prices::default(),
        bus: Bus::new(events),
        counters: Arc::default(),
        stop,
    };
    let (bars, waiting) = mpsc::channel(writers::BARS_WAITING);
    let progress = Arc::new(progress);
    let mut players = JoinSet::new();
    for recording in recordings {
        let player =
            player::Player::new(context.clone(), recording.instrument, bars.clone(), options.speed);
        players.spawn(player.play(recording.files, Arc::clone(&progress)));
    }
    drop(bars);
    let keeping = tokio::spawn(writers::write_bars(context.clone(), waiting));
    let rates = tokio::spawn(writers::write_rates(context.clone()));
    let mut files: Vec<FileSummary> =
        players.join_all().await.into_iter().flat_map(|played| played.files).collect();
    files.sort_by(|a, b| a.instrument.cmp(&b.instrument));
    if let Err(error) = keeping.await {
        tracing::error!(%error, "replay: the task that writes bars panicked");
    }
    rates.abort();
    // A replay may be shorter than the interval of the rates.
    let last = rates::rows(&context.prices.all());
    if let Err(error) = store.write_rates(&last).await {
        tracing::warn!(%error, "replay: the last rates were not written");
    }
    let bars = context.counters.bars.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Summary { files, bars })
}

/// Plays a recording beside the random market; returns its last sequence number.
pub(super) async fn play_beside(
    context: Context,
    speed: Speed,
    recording: Recording,
    bars: mpsc::Sender<BarRow>,
) -> (InstrumentId, u64) {
    let instrument = recording.instrument.clone();
    let player = player::Player::new(context, recording.instrument, bars, speed);
    let (progress, _) = watch::channel(Progress::default());
    let played = player.play(recording.files, Arc::new(progress)).await;
    for file in played.files {
        let (path, quotes, bad_lines) = (file.path.display(), file.quotes, file.bad_lines);
        tracing::info!(%path, quotes, bad_lines, broken = file.broken, "recording ended");
        for bad in file.named {
            tracing::warn!(line = bad.number, reason = bad.reason, "not a quote");
        }
    }
    (instrument, played.last_seq)
}

/// Refuses recordings of instruments that the desk does not have. An unreachable database is no
/// reason to refuse: it may come back.
async fn check_instruments(recordings: &[Recording], store: &Store) -> Result<(), SimError> {
    let known = match store.read(Kind::Instruments, None).await.map(|read| read.rows) {
        Ok(Rows::Instruments(known)) => known,
        Ok(_) => return Ok(()),
        Err(error) => {
            tracing::warn!(%error, "replay: instruments not checked, database unreachable");
            return Ok(());
        }
    };
    for Recording { instrument, .. } in recordings {
        if !known.iter().any(|row| row.id == *instrument) {
            let names: Vec<&str> = known.iter().map(|row| row.id.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let instrument = instrument.clone();
            return Err(ReplayError::UnknownInstrument { instrument, known }.into());
        }
    }
    Ok(())
}
