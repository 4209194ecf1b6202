//! What the program writes about itself, into a file: the terminal belongs to the console.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use tracing_subscriber::EnvFilter;

use super::exit::CliError;
use crate::config::Log;

/// Opens the log, if one is wanted. Only its owner can read it.
///
/// # Errors
///
/// [`CliError::Other`] if the file cannot be written.
pub(super) fn start(log: &Log) -> Result<(), CliError> {
    let Some(path) = &log.file else { return Ok(()) };
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = opened.map_err(|error| {
        CliError::Other(format!("the log {} cannot be written: {error}", path.display()))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&log.filter))
        .with_writer(file)
        .with_ansi(false);
    // A second one in a process is a test's: the first stays.
    subscriber.try_init().ok();
    Ok(())
}
