//! Where ephemeral folders lie, and how they are told from others.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfs, access, statvfs};

use super::LocalError;
use super::account::Account;

/// What the name of every ephemeral folder begins with; eight random hexadecimal digits follow.
pub(super) const PREFIX: &str = "tmt-";

/// The file whose lock says that the owner lives.
pub(super) const OWNER: &str = "owner";

/// The longest path of a Unix socket that every system takes: macOS has 104 bytes, one of them
/// the closing zero; Linux has 108.
const LONGEST_SOCKET: usize = 103;

/// The longest path of a socket within a folder.
const SOCKET: &str = "/pg/.s.PGSQL.65535";

/// The system's folder for files in memory, where it has one.
const MEMORY: &str = "/dev/shm";

/// How much memory must be free there: a few copies of a database and the log of their making. In
/// a container it is often 64 MB altogether.
const ENOUGH: u64 = 1 << 30;

/// All the folders that ephemeral ones can lie in.
pub(super) fn all() -> Vec<PathBuf> {
    std::iter::once(PathBuf::from(MEMORY)).chain(on_disk()).collect()
}

/// The folders that are fit for data in memory, and the others after them.
pub(super) fn in_memory() -> Vec<PathBuf> {
    let room = |free: StatVfs| free.f_bavail.saturating_mul(free.f_frsize);
    let is_open = access(MEMORY, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let memory = is_open && statvfs(MEMORY).is_ok_and(|found| room(found) >= ENOUGH);
    memory.then(|| PathBuf::from(MEMORY)).into_iter().chain(on_disk()).collect()
}

/// The temporary folders: the system's, and `/tmp` where that is not usable.
pub(super) fn on_disk() -> Vec<PathBuf> {
    let mut folders = vec![std::env::temp_dir(), PathBuf::from("/tmp")];
    folders.dedup();
    folders
}

/// Picks the folder for a new ephemeral one: short enough for a socket, open to the servers' user.
pub(super) fn usable(bases: &[PathBuf], account: Option<&Account>) -> Result<PathBuf, LocalError> {
    let mut refused = None;
    for base in bases {
        let fits = fits_a_socket(&base.join(format!("{PREFIX}00000000")));
        let usable = fits.and_then(|()| account.map_or(Ok(()), |account| account.can_reach(base)));
        match usable {
            Ok(()) => return Ok(base.clone()),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or(LocalError::PathTooLong { path: std::env::temp_dir() }))
}

pub(super) fn fits_a_socket(folder: &Path) -> Result<(), LocalError> {
    if folder.as_os_str().len().saturating_add(SOCKET.len()) <= LONGEST_SOCKET {
        return Ok(());
    }
    Err(LocalError::PathTooLong { path: folder.to_owned() })
}

/// Says whether a path is an ephemeral folder of this user, and no link to one.
pub(super) fn is_ephemeral_folder(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(is_ephemeral_name)
        && fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw())
}

fn is_ephemeral_name(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_swept() {
        assert!(is_ephemeral_name("tmt-0123abcd"));
        for other in ["tmt-", "tmt-0123abcde", "tmt-0123abcg", "tmt-backups", "mt-0123abcd"] {
            assert!(!is_ephemeral_name(other), "{other}");
        }
    }
}
