//! Reads a file of recorded quotes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, NaiveDateTime, Utc};
use flate2::bufread::MultiGzDecoder;
use rust_decimal::{Decimal, dec};

use super::ReplayError;

/// The longest line that is read, in bytes; a quote has about 45. A file without line ends must not
/// be read into memory.
const LONGEST_LINE: u64 = 4_096;

/// The first bytes of a gzip file. The content decides, not the name.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first price that `market_data` cannot store.
const TOO_HIGH: Decimal = dec!(100000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) time: DateTime<Utc>,
    pub(crate) bid: Decimal,
    pub(crate) ask: Decimal,
}

impl Recorded {
    pub(crate) fn mid(&self) -> Option<Decimal> {
        self.bid.checked_add(self.ask)?.checked_div(Decimal::TWO)
    }
}

/// A line that is not a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Line number; the header is 1.
    pub number: u64,
    pub reason: String,
}

/// Reads quotes from a `csv` or `csv.gz` file, line by line.
///
/// The header names the columns: `time` or `timestamp`, `bid`, `ask`, in any order; others are
/// ignored. Times are ISO 8601 with `T` or a space, with an offset or in UTC. Quotes are ordered by
/// time; of two neighbours out of order, the one that does not fit its surroundings is a bad line.
pub(crate) struct Reader {
    lines: Box<dyn BufRead + Send>,
    columns: Columns,
    number: u64,
    read: Arc<AtomicU64>,
    /// Read, but not returned until the next line proves not to be earlier.
    held: Option<(u64, Recorded)>,
    last: Option<DateTime<Utc>>,
    /// The error that ended the file while a quote was held.
    broken: Option<io::Error>,
}

#[derive(Debug, Clone, Copy)]
struct Columns {
    time: usize,
    bid: usize,
    ask: usize,
}

impl Reader {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, ReplayError> {
        let unreadable = |source| ReplayError::Unreadable { path: path.to_owned(), source };
        let read = Arc::new(AtomicU64::new(0));
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = BufReader::new(Counted { file, read: Arc::clone(&read) });
        let start = bytes.fill_buf().map_err(unreadable)?;
        let lines: Box<dyn BufRead + Send> = if start.starts_with(&GZIP) {
            Box::new(BufReader::new(MultiGzDecoder::new(bytes)))
        } else {
            Box::new(bytes)
        };
        let columns = Columns { time: 0, bid: 0, ask: 0 };
        let mut reader =
            Self { lines, columns, number: 0, read, held: None, last: None, broken: None };
        let header = reader.line().map_err(unreadable)?.and_then(Result::ok).unwrap_or_default();
        reader.columns = Columns::from_header(&header).ok_or_else(|| ReplayError::NoHeader {
            path: path.to_owned(),
            found: shown(&header),
        })?;
        Ok(reader)
    }

    /// Returns a counter of the stored bytes that were read.
    pub(crate) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Returns the next quote or bad line, or `None` at the end. An error (a broken disk, a truncated
    /// gzip stream) ends the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Recorded, BadLine>>> {
        loop {
            let line = match self.broken.take().map_or_else(|| self.line(), Err) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(self.held.take().map(|(_, quote)| Ok(quote))),
                Err(error) => {
                    // The quote that was read before the error is valid.
                    let Some((_, quote)) = self.held.take() else { return Err(error) };
                    self.broken = Some(error);
                    return Ok(Some(Ok(quote)));
                }
            };
            let number = self.number;
            let parsed = match line {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => self.columns.quote(&text),
                Err(reason) => Err(reason),
            };
            let quote = match parsed {
                Ok(quote) => quote,
                Err(reason) => return Ok(Some(Err(BadLine { number, reason }))),
            };
            if let Some(found) = self.order(number, quote) {
                return Ok(Some(found));
            }
        }
    }

    /// Holds a quote; returns the one before it, or whichever of the two is out of order.
    fn order(&mut self, number: u64, quote: Recorded) -> Option<Result<Recorded, BadLine>> {
        let (held_number, held) = self.held.replace((number, quote))?;
        if held.time <= quote.time {
            self.last = Some(held.time);
            return Some(Ok(held));
        }
        if self.last.is_none_or(|last| last <= quote.time) {
            let reason = format!("time {} is later than the next line's", held.time);
            return Some(Err(BadLine { number: held_number, reason }));
        }
        self.held = Some((held_number, held));
        let reason = format!("time {} is earlier than the line above", quote.time);
        Some(Err(BadLine { number, reason }))
    }

    /// Reads a line without its end; `Err` if it is not text.
    fn line(&mut self) -> io::Result<Option<Result<String, String>>> {
        let mut bytes = Vec::new();
        let mut limited = self.lines.by_ref().take(LONGEST_LINE);
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        if bytes.pop_if(|last| *last == b'\n').is_none()
            && u64::try_from(bytes.len()).is_ok_and(|length| length >= LONGEST_LINE)
        {
            self.lines.skip_until(b'\n')?;
            return Ok(Some(Err(format!("longer than {LONGEST_LINE} bytes"))));
        }
        Ok(Some(String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())))
    }
}

impl Columns {
    fn from_header(header: &str) -> Option<Self> {
        let header = header.trim_start_matches('\u{feff}');
        let names: Vec<String> =
            header.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let find = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
        Some(Self {
            time: find(&["time", "timestamp"])?,
            bid: find(&["bid"])?,
            ask: find(&["ask"])?,
        })
    }

    fn quote(self, line: &str) -> Result<Recorded, String> {
        let field = |at: usize, name: &str| {
            let text = line.split(',').nth(at).map(str::trim).unwrap_or_default();
            if text.is_empty() { Err(format!("no {name}")) } else { Ok(text) }
        };
        let time = time(field(self.time, "time")?)?;
        let bid = price(field(self.bid, "bid")?)?;
        let ask = price(field(self.ask, "ask")?)?;
        if bid > ask {
            return Err(format!("bid {bid} is above ask {ask}"));
        }
        Ok(Recorded { time, bid, ask })
    }
}

/// Reads a time: with an offset, or in UTC.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let without_offset = |text: &str| {
        let text = text.replacen(' ', "T", 1);
        text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc())
    };
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
        .or_else(|| without_offset(text))
        .ok_or_else(|| format!("{:?} is not a time", shown(text)))
}

fn price(text: &str) -> Result<Decimal, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = Decimal::from_str_exact(text).ok().filter(|_| plain);
    let number = number.ok_or_else(|| format!("{:?} is not a price", shown(text)))?;
    if number.is_zero() {
        Err("price is zero".to_owned())
    } else if number >= TOO_HIGH {
        Err(format!("price {number} exceeds the maximum 99999.99999"))
    } else {
        Ok(number)
    }
}

/// Shortens text of the file for a message.
fn shown(text: &str) -> String {
    crate::domain::text::clean(text).chars().take(40).collect()
}

/// Counts the bytes read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
