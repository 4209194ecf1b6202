//! What can go wrong with private servers, in words that say what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why private servers could not be started, stopped or looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A program is not installed; `hint` is the command that installs it here.
    #[error("{program} is not installed: {hint}")]
    ProgramMissing {
        /// The product, as a person calls it.
        program: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// Programs were found, but none of a version that works.
    #[error("{program} {found} in {} is too old, {needed} or newer is needed: {hint}", path.display())]
    ProgramTooOld {
        /// The product, as a person calls it.
        program: &'static str,
        found: String,
        path: PathBuf,
        /// The oldest version that works.
        needed: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// A data folder was made by another major version of PostgreSQL, which is not installed.
    #[error(
        "the data in {} is of PostgreSQL {made_by}, which is not installed: install it, or delete the data with `tmt local reset`",
        path.display()
    )]
    OtherVersion {
        path: PathBuf,
        /// The major version that made it.
        made_by: String,
    },
    /// Started by root, and there is no unprivileged user to run PostgreSQL as.
    #[error("PostgreSQL refuses to run as root, and neither user postgres nor nobody exists")]
    NoUnprivilegedUser,
    /// The unprivileged user cannot reach the folder.
    #[error("user {user} cannot enter {}, where the private servers would run: choose another folder with TMT_LOCAL_DIR or TMPDIR", path.display())]
    Unreachable {
        /// The folder that cannot be entered.
        path: PathBuf,
        /// The user the servers run as.
        user: String,
    },
    /// A folder holds something that is not ours.
    #[error("{} is not empty and holds no private servers: choose another folder", path.display())]
    NotOurs { path: PathBuf },
    /// Another process runs servers in this folder.
    #[error("{} is in use by process {owner}", path.display())]
    InUse {
        path: PathBuf,
        /// What the owner wrote about itself: its process id.
        owner: String,
    },
    /// Servers were started in this folder by `tmt local start` and still run.
    #[error("the servers in {} run already: `tmt local stop` stops them", path.display())]
    AlreadyRunning { path: PathBuf },
    /// The path of the Unix socket would not fit into a socket address.
    #[error("{} is too long a path for a Unix socket: choose a shorter folder", path.display())]
    PathTooLong { path: PathBuf },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Files { path: PathBuf, source: io::Error },
    /// A program could not be started at all.
    #[error("starting {}: {source}", path.display())]
    Spawn { path: PathBuf, source: io::Error },
    /// A server ended before it was ready, or would not start in time.
    #[error("{program} did not start: {said}")]
    NotStarted {
        program: &'static str,
        /// The last that it wrote, or what was waited for.
        said: String,
    },
    /// No free loopback port was found.
    #[error("no free loopback port: {0}")]
    NoPort(io::Error),
    /// A server would not end.
    #[error("{program}, process {pid}, did not end within {} s", within.as_secs())]
    Stuck {
        program: &'static str,
        pid: i32,
        /// How long it was given.
        within: Duration,
    },
}

impl LocalError {
    /// Says which path an I/O error is about.
    pub(super) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Files { path, source }
    }
}
