//! Why the console ends.

use std::io;

use thiserror::Error;

/// Why the console could not run, or had to stop.
#[derive(Debug, Error)]
pub enum RunError {
    /// The terminal cannot be used.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// Standard input or output is no terminal.
    #[error(
        "tmt needs a terminal on its input and output; for scripts use `tmt positions --json` and its sisters"
    )]
    NoTerminal,
}
