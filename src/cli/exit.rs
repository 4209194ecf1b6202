//! How the program ends.

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

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Trouble,
    /// The command line was not understood.
    Usage,
    /// It is proved that nothing was written.
    Refused,
    /// Nobody knows whether it was written.
    Unknown,
    /// The program itself is at fault.
    Crashed,
}

impl Exit {
    /// Returns the number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Trouble => 1,
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

/// Why a command did not do what it was asked for, in words that say what to do.
#[derive(Debug, Error)]
pub enum Trouble {
    #[error("{0}")]
    Config(#[from] Faults),
    /// The command line is understood, but says something that is not there.
    #[error("{0}")]
    Usage(String),
    /// A rule of the desk forbids it: nothing was sent, and the desk would say the same.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Refusal),
    /// Nobody is there to say yes.
    #[error("nobody can be asked here: add --yes to send, or --dry-run to see the checks")]
    NobodyToAsk,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Run(#[from] RunError),
    /// The journal: nothing was sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The simulation, or a file of recorded quotes.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// Anything else, as one sentence.
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// Returns how the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::NobodyToAsk => Exit::Usage,
            Self::Refused(_) => Exit::Refused,
            Self::Config(_)
            | Self::Store(_)
            | Self::Migrate(_)
            | Self::Local(_)
            | Self::Run(_)
            | Self::Journal(_)
            | Self::Sim(_)
            | Self::Output(_)
            | Self::Other(_) => Exit::Trouble,
        }
    }

    /// Says which groups do it, where the login lacks the right; another error stays as it is.
    pub(super) fn of_groups(error: StoreError, what: &str, groups: &str) -> Self {
        if let StoreError::NotPermitted(_) = error {
            return Self::Other(format!(
                "this login may not do that: {what} needs a member of {groups}; `tmt doctor` says \
                 what this login is"
            ));
        }
        Self::Store(error)
    }

    /// Tells whether the reader of the output went away: `tmt trades | head` is no trouble.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
