//! Errors of the console.

use std::io;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum RunError {
    #[error("terminal error: {0}")]
    Terminal(#[from] io::Error),
    #[error(
        "stdin or stdout is not a terminal; in scripts use commands like `tmt positions --json`"
    )]
    NoTerminal,
}
