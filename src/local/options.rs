//! Options of private servers.

use std::path::PathBuf;

/// Where the servers keep their data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a new folder under the system's temporary one, removed at the end. Not crash safe, which is
    /// faster.
    Ephemeral,
    /// As [`Place::Ephemeral`], but in memory if the system has a folder for that with a gigabyte
    /// free. Copying a database takes 25 ms there and up to 800 ms on a slow disk, which matters to
    /// tests: each copies one.
    InMemory,
    /// In this folder, which is created if needed and kept. The data survives a crash.
    At(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Options {
    pub place: Place,
    /// The folder with `postgres` and `initdb`; `None` searches for it.
    pub postgres_programs: Option<PathBuf>,
    /// Extra settings as in `postgresql.conf`; a later one wins.
    pub postgres_settings: Vec<(String, String)>,
    /// Extra settings as in `redis.conf`; a later one wins.
    pub redis_settings: Vec<(String, String)>,
}

impl Options {
    pub fn ephemeral() -> Self {
        Self::at_place(Place::Ephemeral)
    }

    pub fn in_memory() -> Self {
        Self::at_place(Place::InMemory)
    }

    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self::at_place(Place::At(folder.into()))
    }

    /// Uses the programs in `$TMT_PG_BIN`, if it is set.
    fn at_place(place: Place) -> Self {
        Self {
            place,
            postgres_programs: std::env::var_os("TMT_PG_BIN").map(PathBuf::from),
            postgres_settings: Vec::new(),
            redis_settings: Vec::new(),
        }
    }

    #[must_use]
    pub fn postgres_setting(mut self, name: &str, value: &str) -> Self {
        self.postgres_settings.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn redis_setting(mut self, name: &str, value: &str) -> Self {
        self.redis_settings.push((name.to_owned(), value.to_owned()));
        self
    }
}
