//! Errors of a replay.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::ids::InstrumentId;

/// Why a file of recorded quotes cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "{}: expected the header time,bid,ask (or timestamp,bid,ask), found {found:?}",
        path.display()
    )]
    NoHeader {
        path: PathBuf,
        /// The start of its first line.
        found: String,
    },
    #[error(
        "{}: no instrument at the start of the file name, as in EUR_USD-2014-05-02.csv.gz; pass \
         --instrument",
        path.display()
    )]
    NoInstrument { path: PathBuf },
    #[error("unknown instrument {instrument}; this desk has {known}")]
    UnknownInstrument {
        instrument: InstrumentId,
        /// Instruments of the desk, comma-separated.
        known: String,
    },
}
