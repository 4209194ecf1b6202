//! Private servers that keep running: `tmt local`.
//!
//! They outlive the command that starts them and keep their data. A record in their folder holds
//! their addresses and process ids.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::bases::{self, OWNER, is_ephemeral_folder};
use super::folder::{CONTENTS, Folder, signature};
use super::running::{FILE, Running};
use super::{LocalError, Options, Place, Servers, sweep};

/// How long servers get to shut down: PostgreSQL writes every changed page first.
const STOP: Duration = Duration::from_mins(1);

/// The default folder of `tmt local`: `$TMT_LOCAL_DIR`;
/// `/var/lib/tmt/local` for root, whose home no other user can enter; else
/// `$XDG_STATE_HOME/tmt/local`, by default `~/.local/state/tmt/local`.
pub fn default_folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = named("TMT_LOCAL_DIR") {
        return folder.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/tmt/local".into();
    }
    let state = named("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    state.unwrap_or_else(std::env::temp_dir).join("tmt/local")
}

/// Starts servers in a folder and leaves them running.
///
/// # Errors
///
/// [`LocalError::AlreadyRunning`]; otherwise as [`Servers::start`].
pub async fn start(folder: &Path) -> Result<Running, LocalError> {
    Servers::start(Options::at(folder)).await?.detach()
}

/// Stops the servers of a folder; `None` if none runs.
///
/// # Errors
///
/// [`LocalError::InUse`] if they belong to another process, [`LocalError::Stuck`] if one does not
/// exit.
pub async fn stop(folder: &Path) -> Result<Option<Running>, LocalError> {
    let Some(running) = Running::in_folder(folder) else { return Ok(None) };
    // Locked, so that nobody starts servers there meanwhile.
    let _folder = Folder::reopen(&running.folder)?;
    let (postgres, redis) = running.processes();
    let postgres = async {
        match postgres {
            Some(mut process) => process.end(Signal::INT, STOP).await,
            None => Ok(()),
        }
    };
    let redis = async {
        match redis {
            Some(mut process) => process.end(Signal::TERM, STOP).await,
            None => Ok(()),
        }
    };
    let (postgres, redis) = tokio::join!(postgres, redis);
    postgres.and(redis)?;
    fs::remove_file(folder.join(FILE)).ok();
    Ok(Some(running))
}

/// Stops the servers of a folder and deletes their data: only files that the servers created, and
/// the folder if it is empty then.
///
/// # Errors
///
/// As [`stop`], and [`LocalError::NotOurs`] if the folder was not created by this program.
pub async fn reset(folder: &Path) -> Result<(), LocalError> {
    if !folder.exists() {
        return Ok(());
    }
    if !folder.join(OWNER).exists() {
        return Err(LocalError::NotOurs { path: folder.to_owned() });
    }
    stop(folder).await?;
    let held = Folder::open(&Place::At(folder.to_owned()))?;
    for name in CONTENTS {
        let path = folder.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.map_err(LocalError::files(path))?;
    }
    drop(held);
    // Fails if the folder holds anything else, as it should.
    fs::remove_dir(folder).ok();
    Ok(())
}

/// Lists running private servers of this user: those in `folder`, then those of demos and tests, the
/// newest first. Cleans up after killed owners.
pub fn list(folder: &Path) -> Vec<Running> {
    sweep();
    let mut demos: Vec<(Option<std::time::SystemTime>, Running)> = bases::all()
        .iter()
        .filter_map(|base| fs::read_dir(base).ok())
        .flat_map(Iterator::flatten)
        .filter(|entry| is_ephemeral_folder(&entry.path()))
        .filter_map(|entry| {
            let made = entry.metadata().and_then(|found| found.modified()).ok();
            Some((made, Running::in_folder(&entry.path())?))
        })
        .collect();
    demos.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    Running::in_folder(folder).into_iter().chain(demos.into_iter().map(|(_, demo)| demo)).collect()
}

/// Returns the process id of the servers' owner; `None` if they were started by `tmt local start`.
pub fn owner(running: &Running) -> Option<String> {
    (!running.is_detached).then(|| signature(&running.folder.join(OWNER)))
}
