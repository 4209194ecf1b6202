//! Private servers that stay: what `tmt local` does.
//!
//! They outlive the command that starts them and keep their data. A note in their folder says
//! where they are; nothing but that note and the processes themselves is believed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::bases::{self, OWNER, is_ephemeral_folder};
use super::folder::{CONTENTS, Folder, signature};
use super::running::{FILE, Running};
use super::{LocalError, Options, Place, Servers, sweep};

/// How long servers get to end in order: PostgreSQL writes every changed page first.
const STOP: Duration = Duration::from_mins(1);

/// The folder of the servers that `tmt local` means where nobody names one: `$TMT_LOCAL_DIR`;
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
/// [`LocalError::AlreadyRunning`] if they run; otherwise as [`Servers::start`].
pub async fn start(folder: &Path) -> Result<Running, LocalError> {
    Servers::start(Options::at(folder)).await?.detach()
}

/// Stops the servers that were left running in a folder; `None` if there were none.
///
/// # Errors
///
/// [`LocalError::InUse`] if they belong to a running console, [`LocalError::Stuck`] if one does
/// not end.
pub async fn stop(folder: &Path) -> Result<Option<Running>, LocalError> {
    let Some(running) = Running::in_folder(folder) else { return Ok(None) };
    // The lock keeps a start that comes now from using the folder before it is free.
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

/// Stops the servers of a folder and deletes their data. Nothing but what the servers made is
/// deleted; the folder itself goes if it is empty then.
///
/// # Errors
///
/// As [`stop`], and [`LocalError::NotOurs`] if the folder is not one of private servers.
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
    // Fails if somebody keeps something else there, and then it should.
    fs::remove_dir(folder).ok();
    Ok(())
}

/// Lists the private servers of this user that run: those in `folder` first, then those of demos
/// and tests, the latest first. Cleans up after dead owners on the way.
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

/// Says which process owns the servers of a folder, as it wrote it down: its process id.
pub fn owner(running: &Running) -> Option<String> {
    (!running.is_detached).then(|| signature(&running.folder.join(OWNER)))
}
