//! Why a recording is not played.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::ids::InstrumentId;

/// Why a file of recorded quotes cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Its first line does not name the columns.
    #[error(
        "{} does not begin with the header time,bid,ask (or timestamp,bid,ask) but with {found:?}",
        path.display()
    )]
    NoHeader {
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
    NoInstrument { path: PathBuf },
    /// The desk does not trade it.
    #[error("{instrument} is not an instrument of this desk, which has {known}")]
    UnknownInstrument {
        /// What the file is of.
        instrument: InstrumentId,
        /// The instruments of the desk.
        known: String,
    },
}
