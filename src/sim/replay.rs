//! Recorded quotes: published again at their own pace or another, and folded into bars.
//!
//! Prices and distances are the recording's; the time of a published quote is moved to now, so that
//! a console shows an age that is true of the delivery, and a desk accepts orders on it. Bars keep
//! the recorded minute. See `docs/adr/0051-recorded-times.md`.

mod drive;
mod reader;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::run::{self, Context, Prices};
use super::{SimError, instruments, ledger, rates};
use crate::domain::change::Kind;
use crate::domain::ids::InstrumentId;
use crate::domain::rows::Rows;
use crate::feed;
use crate::store::Store;
use crate::store::simulate::BarRow;

pub use reader::BadLine;
use reader::Reader;

/// What is replayed, and how fast.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files of quotes, `csv` or `csv.gz`. Those of one instrument follow each other in this
    /// order; different instruments run side by side.
    pub files: Vec<PathBuf>,
    /// The instrument of all files; otherwise each file's name begins with it.
    pub instrument: Option<InstrumentId>,
    /// How fast.
    pub speed: Speed,
}

/// How fast recorded quotes are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many times the recorded pace, at least once.
    Times(u32),
    /// As fast as Redis confirms them.
    Max,
}

impl Default for Speed {
    fn default() -> Self {
        Self::Times(1)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// A speed that is neither `max` nor a whole number with an `x` behind it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a speed: write 1x, 60x (any whole number up to 100000) or max")]
pub struct NotASpeed(String);

impl FromStr for Speed {
    type Err = NotASpeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').filter(|digits| !digits.starts_with('+'));
        let times = times.and_then(|digits| digits.parse().ok());
        times
            .filter(|times| (1..=100_000).contains(times))
            .map(Self::Times)
            .ok_or_else(|| NotASpeed(text.chars().take(20).collect()))
    }
}

/// Why a file of recorded quotes cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its first line does not name the columns.
    #[error(
        "{} does not begin with the header time,bid,ask (or timestamp,bid,ask) but with {found:?}",
        path.display()
    )]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// How its first line begins.
        found: String,
    },
    /// Its name does not say what it is of.
    #[error(
        "the name of {} does not begin with an instrument, like EUR_USD-2014-05-02.csv.gz; say it \
         with --instrument",
        path.display()
    )]
    NoInstrument {
        /// The file.
        path: PathBuf,
    },
    /// The desk does not trade it.
    #[error("{instrument} is not an instrument of this desk, which has {known}")]
    UnknownInstrument {
        /// What the file is of.
        instrument: InstrumentId,
        /// The instruments of the desk.
        known: String,
    },
}

/// How far a replay is. All counts are over all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the files, as they lie on the disk.
    pub bytes_total: u64,
    /// Of them read.
    pub bytes_read: u64,
    /// Quotes that Redis confirmed.
    pub quotes: u64,
    /// Lines that were no quotes.
    pub bad_lines: u64,
    /// The recorded time that was reached.
    pub at: Option<DateTime<Utc>>,
}

/// What a replay did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// File by file, in the order of instruments, then as given.
    pub files: Vec<FileSummary>,
    /// Bars written to the database.
    pub bars: u64,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// What it is of.
    pub instrument: InstrumentId,
    /// Quotes that Redis confirmed.
    pub quotes: u64,
    /// Lines that were no quotes.
    pub bad_lines: u64,
    /// The first of them; at most [`MOST_NAMED`].
    pub named: Vec<BadLine>,
    /// Recorded times of the first and the last quote.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Why it ended before its end.
    pub broken: Option<String>,
}

/// How many bad lines of a file are named; the rest is counted.
pub const MOST_NAMED: usize = 20;

/// The files of one instrument.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    pub(super) instrument: InstrumentId,
    pub(super) files: Vec<PathBuf>,
    bytes: u64,
}

/// Looks at every file: its name, its header, its size.
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

/// Returns the first good quote's middle price of each instrument that is recorded, to found a desk
/// around: [`super::Founding::prices`].
///
/// # Errors
///
/// [`SimError::Replay`] if a file cannot be read, or says nothing of what it is of.
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

/// Replays files: publishes every quote, keeps the last as rates, writes one-minute bars.
///
/// Every good line is published and confirmed by Redis once at least, in order, numbered from one
/// in its instrument: while Redis is away the replay waits. So it does when the database is away
/// and its bars pile up. Returns when everything is confirmed and written, or soon after `stop` is
/// cancelled.
///
/// Not cancel safe: dropped, some quotes have gone out and some bars are missing. Cancel `stop`
/// instead; running the same replay again writes the same bars.
///
/// # Errors
///
/// [`SimError::Replay`] before anything is published, if a file cannot be opened or is of something
/// that the desk does not trade.
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
        options: Arc::new(run::Options::new(0, clock)),
        store: store.clone(),
        feed: feed.clone(),
        prices: Prices::default(),
        bus: Bus::new(events),
        counters: Arc::default(),
        stop,
    };
    let (bars, waiting) = mpsc::channel(ledger::BARS_WAITING);
    let progress = Arc::new(progress);
    let mut drives = JoinSet::new();
    for recording in recordings {
        let drive =
            drive::Drive::new(context.clone(), recording.instrument, bars.clone(), options.speed);
        drives.spawn(drive.play(recording.files, Arc::clone(&progress)));
    }
    drop(bars);
    let keeping = tokio::spawn(ledger::keep_bars(context.clone(), waiting));
    let rates = tokio::spawn(ledger::keep_rates(context.clone()));
    let mut files: Vec<FileSummary> =
        drives.join_all().await.into_iter().flat_map(|played| played.files).collect();
    files.sort_by(|a, b| a.instrument.cmp(&b.instrument));
    if let Err(error) = keeping.await {
        tracing::error!(%error, "replay: the bars ended early");
    }
    rates.abort();
    // A replay may be shorter than the rhythm of the rates.
    let last = rates::rows(&context.prices.all());
    if let Err(error) = store.keep_rates(&last).await {
        tracing::warn!(%error, "replay: the last rates were not kept");
    }
    let bars = context.counters.bars.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Summary { files, bars })
}

/// Plays a recording beside the random market; returns its last number.
pub(super) async fn accompany(
    context: Context,
    options: Options,
    recording: Recording,
    bars: mpsc::Sender<BarRow>,
) -> (InstrumentId, u64) {
    let instrument = recording.instrument.clone();
    let drive = drive::Drive::new(context, recording.instrument, bars, options.speed);
    let (progress, _) = watch::channel(Progress::default());
    let played = drive.play(recording.files, Arc::new(progress)).await;
    for file in played.files {
        let (path, quotes, bad_lines) = (file.path.display(), file.quotes, file.bad_lines);
        tracing::info!(%path, quotes, bad_lines, broken = file.broken, "recording ended");
        for bad in file.named {
            tracing::warn!(line = bad.number, reason = bad.reason, "not a quote");
        }
    }
    (instrument, played.last_seq)
}

/// Refuses a recording of something that the desk does not trade. A database that does not answer
/// is no reason to refuse: it may come back.
async fn check_instruments(recordings: &[Recording], store: &Store) -> Result<(), SimError> {
    let known = match store.read(Kind::Instruments, None).await.map(|read| read.rows) {
        Ok(Rows::Instruments(known)) => known,
        Ok(_) => return Ok(()),
        Err(error) => {
            tracing::warn!(%error, "replay: whether the desk knows the instruments is not known");
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

/// Reads the instrument that a file's name begins with: `EUR_USD-2014…`, `EURUSD_2014…`.
fn instrument_of(path: &Path) -> Option<InstrumentId> {
    let name = path.file_name()?.to_str()?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word: String = name.chars().take_while(|c| is_part(*c)).collect();
    let mut parts = word.split('_');
    let (first, second) = (parts.next()?, parts.next());
    let pair = second.map(|second| format!("{first}_{second}"));
    canonical(&word).or_else(|| canonical(pair.as_deref()?)).or_else(|| canonical(first)).or_else(
        || {
            pair.filter(|_| is_currency(first) && second.is_some_and(is_currency))
                .map(|pair| InstrumentId::new(&pair.to_ascii_uppercase()))
        },
    )
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns the name of an instrument of the simulated desk that goes by this one.
fn canonical(name: &str) -> Option<InstrumentId> {
    let spec = instruments::SPECS.get(instruments::find(name)?)?;
    Some(InstrumentId::new(spec.name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1x", Some(Speed::Times(1)))]
    #[case("60x", Some(Speed::Times(60)))]
    #[case("max", Some(Speed::Max))]
    #[case("0x", None)]
    #[case("60", None)]
    #[case("+5x", None)]
    #[case("1.5x", None)]
    #[case("fast", None)]
    fn a_speed_is_max_or_a_number_with_an_x(#[case] text: &str, #[case] speed: Option<Speed>) {
        assert_eq!(text.parse().ok(), speed);
        if let Some(speed) = speed {
            assert_eq!(speed.to_string(), text);
        }
    }

    #[rstest]
    #[case("EUR_USD-2014-05-02.csv.gz", Some("EUR_USD"))]
    #[case("USD_JPY-2013-01-01.csv", Some("USD_JPY"))]
    #[case("EURUSD_2014.csv", Some("EUR_USD"))]
    #[case("eurusd.csv", Some("EUR_USD"))]
    #[case("gold-ticks.csv", Some("XAU_USD"))]
    #[case("nok_sek-2014.csv", Some("NOK_SEK"))]
    #[case("ticks-2014.csv", None)]
    #[case("2014-05-02.csv", None)]
    fn the_instrument_is_what_the_files_name_begins_with(
        #[case] name: &str,
        #[case] instrument: Option<&str>,
    ) {
        let found = instrument_of(&Path::new("/some/where").join(name));
        assert_eq!(found.as_ref().map(InstrumentId::as_str), instrument);
    }
}
