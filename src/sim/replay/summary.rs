//! Progress and result of a replay.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::reader::BadLine;
use crate::domain::ids::InstrumentId;

/// Progress over all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stored bytes, before unpacking.
    pub bytes_total: u64,
    pub bytes_read: u64,
    pub quotes: u64,
    /// Lines that are not quotes.
    pub bad_lines: u64,
    /// Recorded time of the last quote.
    pub at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Ordered by instrument, then as given.
    pub files: Vec<FileSummary>,
    /// Bars written to the database.
    pub bars: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    pub path: PathBuf,
    pub instrument: InstrumentId,
    pub quotes: u64,
    /// Lines that are not quotes.
    pub bad_lines: u64,
    /// The first bad lines, at most [`MOST_NAMED`].
    pub named: Vec<BadLine>,
    /// Recorded times of the first and the last quote.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Why reading stopped before the end.
    pub broken: Option<String>,
}

/// How many bad lines of a file are listed; the rest are counted.
pub const MOST_NAMED: usize = 20;
