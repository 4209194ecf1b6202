//! The folder of private servers, and the lock of its owner.
//!
//! The folder belongs to the user who starts the servers; in it each server has a home that belongs
//! to the user the server runs as. So a compromised server cannot touch the `owner` file, which
//! decides what a later start deletes.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::bases::{self, OWNER, PREFIX};
use super::guard::{Afterwards, Guard};
use super::running::Running;
use super::secret::{create_private, random_hex};
use super::{LocalError, Place, sweep};

/// What a reset deletes from a kept folder; the owner file last, because it marks a folder as ours.
pub(super) const CONTENTS: [&str; 10] = [
    "running",
    "running.new",
    "pg",
    "pg.log",
    "pg.password",
    "redis",
    "redis.conf",
    "redis.log",
    "owner.new",
    OWNER,
];

/// A folder that this process owns while the value lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    ephemeral: bool,
    account: Option<Account>,
    /// `None` only while the folder is being created.
    guard: Option<Guard>,
    /// The lock; the kernel releases it however the process ends.
    lock: File,
}

impl Folder {
    /// Creates or locks the folder of a place, after cleaning up after killed owners.
    pub(super) fn open(place: &Place) -> Result<Self, LocalError> {
        let account = Account::for_servers()?;
        match place {
            Place::Ephemeral => {
                sweep();
                Self::create_ephemeral(&bases::on_disk(), account)
            }
            Place::InMemory => {
                sweep();
                Self::create_ephemeral(&bases::in_memory(), account)
            }
            Place::At(path) => {
                let folder = Self::take(path, account)?;
                if Running::in_folder(folder.path()).is_some_and(|found| found.is_detached) {
                    return Err(LocalError::AlreadyRunning { path: folder.path.clone() });
                }
                // A killed owner may have left servers running on this data.
                sweep::end_all_in(folder.path());
                Ok(folder)
            }
        }
    }

    fn create_ephemeral(bases: &[PathBuf], account: Option<Account>) -> Result<Self, LocalError> {
        let path =
            bases::usable(bases, account.as_ref())?.join(format!("{PREFIX}{}", random_hex(4)?));
        // Fails if the path exists, so nobody can have prepared it.
        DirBuilder::new().mode(0o700).create(&path).map_err(LocalError::files(&path))?;
        let made = Self::claim(&path, account, Ephemeral::Yes);
        if made.is_err() {
            fs::remove_dir_all(&path).ok();
        }
        made
    }

    /// Locks a new folder. The file is locked before it gets the name that a sweep looks for, so no
    /// sweep sees the file of a running owner unlocked.
    fn claim(
        path: &Path,
        account: Option<Account>,
        ephemeral: Ephemeral,
    ) -> Result<Self, LocalError> {
        let (unnamed, named) = (path.join("owner.new"), path.join(OWNER));
        let lock = create_private(&unnamed).map_err(LocalError::files(&unnamed))?;
        lock.lock().map_err(LocalError::files(&unnamed))?;
        let mut folder = Self {
            path: path.to_owned(),
            ephemeral: ephemeral == Ephemeral::Yes,
            account,
            guard: None,
            lock,
        };
        folder.sign()?;
        fs::rename(&unnamed, &named).map_err(LocalError::files(&named))?;
        folder.let_servers_pass()?;
        folder.start_guard()?;
        Ok(folder)
    }

    /// Locks a kept folder, which must be new, empty, or created by this program.
    fn take(path: &Path, account: Option<Account>) -> Result<Self, LocalError> {
        let path = std::path::absolute(path).map_err(LocalError::files(path))?;
        bases::fits_a_socket(&path)?;
        fs::create_dir_all(&path).map_err(LocalError::files(&path))?;
        if !path.join(OWNER).exists() {
            if fs::read_dir(&path).map_err(LocalError::files(&path))?.next().is_some() {
                return Err(LocalError::NotOurs { path });
            }
            return Self::claim(&path, account, Ephemeral::No);
        }
        let mut folder = Self::lock_existing(path, account)?;
        folder.let_servers_pass()?;
        folder.start_guard()?;
        Ok(folder)
    }

    /// Locks a kept folder without starting a guard.
    pub(super) fn reopen(path: &Path) -> Result<Self, LocalError> {
        Self::lock_existing(path.to_owned(), Account::for_servers()?)
    }

    fn lock_existing(path: PathBuf, account: Option<Account>) -> Result<Self, LocalError> {
        let owner = path.join(OWNER);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&owner)
            .map_err(LocalError::files(&owner))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LocalError::InUse { owner: signature(&owner), path });
            }
            Err(TryLockError::Error(source)) => {
                return Err(LocalError::Files { path: owner, source });
            }
        }
        let mut folder = Self { path, ephemeral: false, account, guard: None, lock };
        folder.sign()?;
        Ok(folder)
    }

    fn start_guard(&mut self) -> Result<(), LocalError> {
        let afterwards = if self.ephemeral { Afterwards::Remove } else { Afterwards::Keep };
        self.guard = Some(Guard::start(&self.path, &self.lock, afterwards)?);
        Ok(())
    }

    /// The process that cleans up if this one is killed.
    pub(super) fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }

    /// Writes this process's id to the owner file, for [`LocalError::InUse`].
    fn sign(&mut self) -> Result<(), LocalError> {
        let text = format!("{}\n", std::process::id());
        self.lock
            .set_len(0)
            .and_then(|()| self.lock.write_all(text.as_bytes()))
            .map_err(LocalError::files(self.path.join(OWNER)))
    }

    /// Lets the servers' user pass through to their homes, but not list the folder.
    fn let_servers_pass(&self) -> Result<(), LocalError> {
        let Some(account) = &self.account else { return Ok(()) };
        let passable = fs::Permissions::from_mode(0o711);
        fs::set_permissions(&self.path, passable).map_err(LocalError::files(&self.path))?;
        account.can_reach(&self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Creates a server's home, which only its user can enter.
    pub(super) fn home(&self, name: &str) -> Result<PathBuf, LocalError> {
        let home = self.path.join(name);
        match DirBuilder::new().mode(0o700).create(&home) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(LocalError::Files { path: home, source }),
        }
        self.give(&home)?;
        Ok(home)
    }

    /// Makes the servers' user the owner of a file.
    pub(super) fn give(&self, path: &Path) -> Result<(), LocalError> {
        self.account.as_ref().map_or(Ok(()), |account| account.take(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral {
            // A cancelled start may have left an initdb that still writes.
            sweep::end_all_in(&self.path);
            // A later sweep removes what is left.
            fs::remove_dir_all(&self.path).ok();
        }
        if let Some(guard) = &mut self.guard {
            guard.dismiss();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ephemeral {
    Yes,
    No,
}

/// Reads the process id of a folder's owner; `?` if it cannot be read.
pub(super) fn signature(owner: &Path) -> String {
    fs::read_to_string(owner).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}
