//! The user that servers run as under root: PostgreSQL refuses to run as root.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LocalError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Returns the user that servers run as; `None` without root, where they run as this user.
    pub(super) fn for_servers() -> Result<Option<Self>, LocalError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        // `postgres` exists wherever the distribution's server package is installed.
        ["postgres", "_postgres", "nobody"]
            .into_iter()
            .find_map(Self::named)
            .map(Some)
            .ok_or(LocalError::NoUnprivilegedUser)
    }

    /// Looks a user up with `id`, which asks every directory service of the system.
    fn named(name: &str) -> Option<Self> {
        let number = |flag: &str| -> Option<u32> {
            let output =
                Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        Some(Self { name: name.to_owned(), uid: number("-u")?, gid: number("-g")? })
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    pub(super) fn gid(&self) -> u32 {
        self.gid
    }

    /// Makes this user the owner of a file or folder.
    pub(super) fn take(&self, path: &Path) -> Result<(), LocalError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(LocalError::files(path))
    }

    /// Checks that the user can enter `folder` and every folder above it.
    pub(super) fn can_reach(&self, folder: &Path) -> Result<(), LocalError> {
        let closed = folder
            .ancestors()
            .filter(|path| !path.as_os_str().is_empty())
            .find(|path| fs::metadata(path).is_ok_and(|found| !self.may_enter(&found)));
        match closed {
            None => Ok(()),
            Some(path) => {
                Err(LocalError::Unreachable { path: PathBuf::from(path), user: self.name.clone() })
            }
        }
    }

    fn may_enter(&self, folder: &Metadata) -> bool {
        let execute = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & execute != 0
    }
}
