//! Recorded quotes.

mod reader;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use reader::BadLine;

/// Why a file of recorded quotes cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Its first line does not name the columns.
    #[error("{} does not begin with the header time,bid,ask (or timestamp,bid,ask) but with {found:?}", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// How its first line begins.
        found: String,
    },
}
