//! What a replay did, and how far it is.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::reader::BadLine;
use crate::domain::ids::InstrumentId;

/// How far a replay is. All counts are over all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the files, as they lie on the disk.
    pub bytes_total: u64,
    pub bytes_read: u64,
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
    pub path: PathBuf,
    pub instrument: InstrumentId,
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
