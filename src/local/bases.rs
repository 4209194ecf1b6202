//! Where ephemeral folders are created, and how they are recognized.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfs, access, statvfs};

use super::LocalError;
use super::account::Account;

/// Prefix of every ephemeral folder's name; eight random hexadecimal digits follow.
pub(super) const PREFIX: &str = "tmt-";

/// The file that a running owner has locked.
pub(super) const OWNER: &str = "owner";

/// Longest path of a Unix socket on every system: macOS allows 104 bytes with the closing zero, Linux
/// 108.
const LONGEST_SOCKET: usize = 103;

/// Longest socket path within a folder.
const SOCKET: &str = "/pg/.s.PGSQL.65535";

/// The system's folder for files in memory, where it has one.
const MEMORY: &str = "/dev/shm";

/// Free memory required there: a few copies of a database and their WAL. In a container the folder
/// often has 64 MB in all.
const ENOUGH: u64 = 1 << 30;

/// Every folder that may hold ephemeral ones.
pub(super) fn all() -> Vec<PathBuf> {
    std::iter::once(PathBuf::from(MEMORY)).chain(on_disk()).collect()
}

/// The memory folder if it has room, then the temporary ones.
pub(super) fn in_memory() -> Vec<PathBuf> {
    let room = |free: StatVfs| free.f_bavail.saturating_mul(free.f_frsize);
    let is_open = access(MEMORY, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let memory = is_open && statvfs(MEMORY).is_ok_and(|found| room(found) >= ENOUGH);
    memory.then(|| PathBuf::from(MEMORY)).into_iter().chain(on_disk()).collect()
}

/// The temporary folders: the system's, then `/tmp`.
pub(super) fn on_disk() -> Vec<PathBuf> {
    let mut folders = vec![std::env::temp_dir(), PathBuf::from("/tmp")];
    folders.dedup();
    folders
}

/// Picks a base that is short enough for a socket and open to the servers' user.
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

/// Whether a path is an ephemeral folder of this user, not a link to one.
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
    fn only_generated_names_are_swept() {
        assert!(is_ephemeral_name("tmt-0123abcd"));
        for other in ["tmt-", "tmt-0123abcde", "tmt-0123abcg", "tmt-backups", "mt-0123abcd"] {
            assert!(!is_ephemeral_name(other), "{other}");
        }
    }
}
