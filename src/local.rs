//! Private PostgreSQL and Redis servers, for the demo and for the tests.
//!
//! The servers are the real ones of this machine, started in a folder of their own on a Unix
//! socket and a free loopback port. Nothing outside that folder is read or changed, so any number
//! of them run side by side and beside the system's own.
//!
//! This layer knows processes, not the desk: it creates no table, role or database beyond what
//! PostgreSQL makes for itself. Callers create those.
//!
//! # What is left behind
//!
//! Nothing. A folder of [`Place::Ephemeral`] goes with the last handle on it, and the servers go
//! before the folder: by [`Servers::stop`], on drop, and when the owner was killed outright. In
//! the last case a guard process outlives the owner for the moment it takes to clean up, and
//! where even the guard was killed (a reboot, an out-of-memory kill of both), [`sweep`] does it
//! at the next start. An owner is told from a dead one by a lock on the folder's `owner` file,
//! which the kernel releases whatever way a process ends.
//!
//! # Who may connect
//!
//! The Unix sockets lie in folders only their owner can enter (`0700`), and PostgreSQL trusts
//! every login there: a test may connect as any role. Over TCP, loopback only, both servers ask
//! for a random password that is not in any process's arguments.

mod account;
mod bases;
mod error;
mod folder;
mod guard;
mod log;
mod options;
mod port;
mod postgres;
mod process;
mod process_table;
mod programs;
mod redis;
mod running;
mod secret;
mod server;
pub mod service;
mod sweep;
mod url;

use std::sync::Arc;

pub use error::LocalError;
pub use options::{Options, Place};
pub use postgres::{Postgres, SUPERUSER, Shutdown};
pub use redis::Redis;
pub use running::Running;
pub use sweep::sweep;

use folder::Folder;
use running::Identity;

/// A private PostgreSQL and a private Redis in one folder.
///
/// Dropping it stops both, and blocks for the few milliseconds that takes.
#[derive(Debug)]
pub struct Servers {
    postgres: Postgres,
    redis: Redis,
}

impl Servers {
    /// Starts both servers and returns when both accept connections: about a second where the
    /// data folder is new, a tenth of that where it exists.
    ///
    /// Cleans up after dead owners first, as [`sweep`] does.
    ///
    /// Cancel safe: dropping the future stops what was started.
    ///
    /// # Errors
    ///
    /// [`LocalError`] says which program is missing and how to install it, who uses the folder
    /// already, or what the server wrote before it gave up.
    pub async fn start(options: Options) -> Result<Self, LocalError> {
        let folder = Arc::new(Folder::open(&options.place)?);
        let (postgres, redis) = tokio::try_join!(
            Postgres::start_in(Arc::clone(&folder), &options),
            Redis::start_in(folder, &options),
        )?;
        let servers = Self { postgres, redis };
        servers.advertise("postgres", SUPERUSER)?;
        Ok(servers)
    }

    /// Notes, for [`service::list`] and a second terminal, which database and login they should
    /// use; before the first call, that is `postgres` and [`SUPERUSER`].
    ///
    /// # Errors
    ///
    /// [`LocalError::Files`] if the note cannot be written.
    pub fn advertise(&self, database: &str, login: &str) -> Result<(), LocalError> {
        self.describe(database, login).map_or(Ok(()), |running| running.write())
    }

    fn describe(&self, database: &str, login: &str) -> Option<Running> {
        Some(Running {
            folder: self.postgres.server.folder().path().to_owned(),
            database_url: self.postgres.url(database, login),
            redis_url: self.redis.url(),
            is_detached: false,
            postgres: Identity::of(self.postgres.server.process())?,
            redis: Identity::of(self.redis.server.process())?,
        })
    }

    /// Leaves the servers of a kept folder running until [`service::stop`].
    fn detach(mut self) -> Result<Running, LocalError> {
        let running = Running { is_detached: true, ..self.leave()? };
        running.write()?;
        self.postgres.server.let_go();
        self.redis.server.let_go();
        Ok(running)
    }

    fn leave(&self) -> Result<Running, LocalError> {
        self.describe("postgres", SUPERUSER).ok_or_else(|| LocalError::NotStarted {
            program: "PostgreSQL or Redis",
            said: "it ended at once".to_owned(),
        })
    }

    /// The URL of the database `postgres` over the Unix socket, as the superuser [`SUPERUSER`].
    pub fn database_url(&self) -> String {
        self.postgres.url("postgres", SUPERUSER)
    }

    /// The URL of Redis over loopback, password included.
    pub fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// The database server.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// The database server, to stop and start it.
    pub fn postgres_mut(&mut self) -> &mut Postgres {
        &mut self.postgres
    }

    /// The message bus.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The message bus, to stop and start it.
    pub fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis
    }

    /// Stops both servers; the folder goes too if it is ephemeral.
    ///
    /// Kept data is flushed first, so that the next start finds nothing to recover.
    ///
    /// Not cancel safe, but nothing is lost: what a dropped future left running, drop stops.
    ///
    /// # Errors
    ///
    /// [`LocalError::Stuck`] if a server survived even SIGKILL within the deadline.
    pub async fn stop(self) -> Result<(), LocalError> {
        let Self { postgres, redis } = self;
        let (postgres, redis) = tokio::join!(postgres.stop(), redis.stop());
        postgres.and(redis)
    }
}
