//! Errors of private servers.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    #[error("{program} is not installed: {hint}")]
    ProgramMissing {
        program: &'static str,
        /// The command that installs it here.
        hint: String,
    },
    #[error("{program} {found} in {} is too old; {needed} or newer is required: {hint}", path.display())]
    ProgramTooOld {
        program: &'static str,
        found: String,
        path: PathBuf,
        needed: &'static str,
        /// The command that installs it here.
        hint: String,
    },
    #[error(
        "{} was created by PostgreSQL {made_by}, which is not installed: install it, or delete the data with `tmt local reset`",
        path.display()
    )]
    OtherVersion { path: PathBuf, made_by: String },
    #[error(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"
    )]
    NoUnprivilegedUser,
    #[error("user {user} cannot enter {}: choose another folder with TMT_LOCAL_DIR or TMPDIR", path.display())]
    Unreachable { path: PathBuf, user: String },
    #[error("{} is not empty and was not created by tmt: choose another folder", path.display())]
    NotOurs { path: PathBuf },
    #[error("{} is in use by process {owner}", path.display())]
    InUse {
        path: PathBuf,
        /// Its process id.
        owner: String,
    },
    #[error("servers already run in {}; stop them with `tmt local stop`", path.display())]
    AlreadyRunning { path: PathBuf },
    #[error("path too long for a Unix socket: {}; choose a shorter one", path.display())]
    PathTooLong { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Files { path: PathBuf, source: io::Error },
    #[error("cannot start {}: {source}", path.display())]
    Spawn { path: PathBuf, source: io::Error },
    /// A server exited before it was ready, or was not ready in time.
    #[error("{program} did not start: {said}")]
    NotStarted {
        program: &'static str,
        /// The reason from its log, or the deadline.
        said: String,
    },
    #[error("no free loopback port: {0}")]
    NoPort(io::Error),
    #[error("{program} (process {pid}) did not exit within {} s", within.as_secs())]
    Stuck { program: &'static str, pid: i32, within: Duration },
}

impl LocalError {
    /// Adds the path to an I/O error.
    pub(super) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Files { path, source }
    }
}
