//! Exit codes, and the errors that lead to them.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

use crate::config::Faults;
use crate::domain::outcome::Refusal;
use crate::local::LocalError;
use crate::runtime::RunError;
use crate::runtime::journal::JournalError;
use crate::sim::SimError;
use crate::store::StoreError;
use crate::store::migrate::MigrateError;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// The command line is wrong, or names something that does not exist.
    Usage,
    /// The write was refused: nothing was written.
    Refused,
    /// The write may or may not have been made.
    Unknown,
    /// A bug in the program.
    Crashed,
}

impl Exit {
    /// Returns the code for the shell. 70 is `EX_SOFTWARE` of sysexits.h.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unknown => 4,
            Self::Crashed => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed. Each message says what to do, where something can be done.
#[derive(Debug, Error)]
pub enum CliError {
    #[error("{0}")]
    Config(#[from] Faults),
    /// The command line parses, but names something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// The rulebook would refuse it, so nothing was sent.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Refusal),
    /// The command needs a confirmation, and there is no terminal to ask on.
    #[error("stdin or stderr is not a terminal: pass --yes to send, --dry-run to preview")]
    NotInteractive,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Run(#[from] RunError),
    /// The journal cannot be used, so nothing was sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Sim(#[from] SimError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Any other error, as one sentence.
    #[error("{0}")]
    Other(String),
}

impl CliError {
    /// Returns the exit code that belongs to the error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::NotInteractive => Exit::Usage,
            Self::Refused(_) => Exit::Refused,
            Self::Config(_)
            | Self::Store(_)
            | Self::Migrate(_)
            | Self::Local(_)
            | Self::Run(_)
            | Self::Journal(_)
            | Self::Sim(_)
            | Self::Output(_)
            | Self::Other(_) => Exit::Failed,
        }
    }

    /// Names the groups that may do `what`, if the error is a missing right. Other errors pass
    /// through.
    pub(super) fn needs_group(error: StoreError, what: &str, groups: &str) -> Self {
        if let StoreError::NotPermitted(_) = error {
            return Self::Other(format!(
                "permission denied: {what} needs a login in {groups}; `tmt doctor` shows the role of \
                 this login"
            ));
        }
        Self::Store(error)
    }

    /// Tells whether the reader of the output closed the pipe, as in `tmt trades | head`.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
