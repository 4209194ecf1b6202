//! How private servers are started.

use std::path::PathBuf;

/// Where the servers keep their data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a new folder under the system's temporary one, removed at the end. Crash safety of the
    /// data is traded for speed: there is nothing to recover it for.
    Ephemeral,
    /// As [`Place::Ephemeral`], but in memory where the system has a folder for that with a
    /// gigabyte to spare. Copying a database takes 25 ms there and up to 800 ms on a slow disk:
    /// worth the memory to tests, which copy one each, and not to a demo.
    InMemory,
    /// In this folder, which is created if it is absent and stays. The data survives a crash.
    At(PathBuf),
}

/// How to start private servers.
#[derive(Debug, Clone)]
pub struct Options {
    pub place: Place,
    /// The folder with `postgres` and `initdb`; searched for where this is `None`.
    pub postgres_programs: Option<PathBuf>,
    /// Further PostgreSQL settings, as in `postgresql.conf`; a later one wins.
    pub postgres_settings: Vec<(String, String)>,
    /// Further Redis settings, as in `redis.conf`; a later one wins.
    pub redis_settings: Vec<(String, String)>,
}

impl Options {
    /// Options for servers that leave nothing behind.
    pub fn ephemeral() -> Self {
        Self::at_place(Place::Ephemeral)
    }

    /// Options for servers that leave nothing behind, not even disk blocks.
    pub fn in_memory() -> Self {
        Self::at_place(Place::InMemory)
    }

    /// Options for servers whose data stays in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self::at_place(Place::At(folder.into()))
    }

    /// Takes the programs from the folder that `TMT_PG_BIN` names, if it is set.
    fn at_place(place: Place) -> Self {
        Self {
            place,
            postgres_programs: std::env::var_os("TMT_PG_BIN").map(PathBuf::from),
            postgres_settings: Vec::new(),
            redis_settings: Vec::new(),
        }
    }

    /// Adds a PostgreSQL setting.
    #[must_use]
    pub fn postgres_setting(mut self, name: &str, value: &str) -> Self {
        self.postgres_settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a Redis setting.
    #[must_use]
    pub fn redis_setting(mut self, name: &str, value: &str) -> Self {
        self.redis_settings.push((name.to_owned(), value.to_owned()));
        self
    }
}
