//! The log file: the terminal belongs to the console.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use super::exit::CliError;
use crate::config::Log;

/// Opens the log, if one is configured. Only its owner can read it.
///
/// Lines are written by a thread of its own, until the guard is dropped; when 128,000 lines wait
/// for the disk, further ones are lost.
///
/// # Errors
///
/// [`CliError::Other`] if the file cannot be written.
pub(super) fn start(log: &Log) -> Result<Option<WorkerGuard>, CliError> {
    let Some(path) = &log.file else { return Ok(None) };
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = opened.map_err(|error| {
        CliError::Other(format!("the log {} cannot be written: {error}", path.display()))
    })?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&log.filter))
        .with_writer(writer)
        .with_ansi(false);
    // A second one in a process is a test's: the first stays.
    subscriber.try_init().ok();
    Ok(Some(guard))
}
