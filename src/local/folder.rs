//! The folder that private servers live in, and the lock that says whose it is.
//!
//! The folder itself belongs to whoever starts the servers; each server gets a room in it that
//! belongs to the user the server runs as. So even a server that was taken over could not touch
//! the `owner` file, by which a later start decides what to delete.

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

/// What a kept folder may hold, so that nothing else is ever deleted; the owner file comes last,
/// because it is what tells our folders from others.
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

/// A folder that is ours while this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    ephemeral: bool,
    account: Option<Account>,
    /// Absent only while the folder is being made.
    guard: Option<Guard>,
    /// Held, not read: the kernel releases the lock when the process ends, however it ends.
    lock: File,
}

impl Folder {
    /// Makes or takes the folder of a place, after cleaning up what dead owners left there.
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
                // Servers that a killed owner left running write to the data: they go first.
                sweep::end_all_in(folder.path());
                Ok(folder)
            }
        }
    }

    fn create_ephemeral(bases: &[PathBuf], account: Option<Account>) -> Result<Self, LocalError> {
        let path =
            bases::usable(bases, account.as_ref())?.join(format!("{PREFIX}{}", random_hex(4)?));
        // Fails where the path exists: nobody can have prepared it for us.
        DirBuilder::new().mode(0o700).create(&path).map_err(LocalError::files(&path))?;
        let made = Self::claim(&path, account, Ephemeral::Yes);
        if made.is_err() {
            fs::remove_dir_all(&path).ok();
        }
        made
    }

    /// Locks a new folder. The lock is held before the file gets the name that a sweep looks for,
    /// so no sweep ever sees a living owner's file unlocked.
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
        folder.open_doors()?;
        folder.post_guard()?;
        Ok(folder)
    }

    /// Takes a kept folder, which must be new, empty, or ours already.
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
        folder.open_doors()?;
        folder.post_guard()?;
        Ok(folder)
    }

    /// Locks a kept folder without posting a guard, to look after what runs there.
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

    fn post_guard(&mut self) -> Result<(), LocalError> {
        let afterwards = if self.ephemeral { Afterwards::Remove } else { Afterwards::Keep };
        self.guard = Some(Guard::post(&self.path, &self.lock, afterwards)?);
        Ok(())
    }

    /// The process that cleans up if this one is killed.
    pub(super) fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }

    /// Writes who owns the folder, for people who look and for [`LocalError::InUse`].
    fn sign(&mut self) -> Result<(), LocalError> {
        let text = format!("{}\n", std::process::id());
        self.lock
            .set_len(0)
            .and_then(|()| self.lock.write_all(text.as_bytes()))
            .map_err(LocalError::files(self.path.join(OWNER)))
    }

    /// Lets another user's servers pass through to their rooms, without letting them look around.
    fn open_doors(&self) -> Result<(), LocalError> {
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

    /// Makes a server's own room, which only its user can enter.
    pub(super) fn room(&self, name: &str) -> Result<PathBuf, LocalError> {
        let room = self.path.join(name);
        match DirBuilder::new().mode(0o700).create(&room) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(LocalError::Files { path: room, source }),
        }
        self.give(&room)?;
        Ok(room)
    }

    /// Gives a file to the user that the servers run as.
    pub(super) fn give(&self, path: &Path) -> Result<(), LocalError> {
        self.account.as_ref().map_or(Ok(()), |account| account.take(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral {
            // A start that was cut short may have left an initdb that still writes.
            sweep::end_all_in(&self.path);
            // Whatever could not be removed, a later sweep finds unlocked.
            fs::remove_dir_all(&self.path).ok();
        }
        if let Some(guard) = &mut self.guard {
            guard.dismiss();
        }
    }
}

/// Whether a folder goes with its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ephemeral {
    Yes,
    No,
}

/// Reads what the owner of a folder wrote about itself.
pub(super) fn signature(owner: &Path) -> String {
    fs::read_to_string(owner).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}
