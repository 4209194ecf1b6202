//! Private PostgreSQL and Redis servers, for the demo and for the tests.
//!
//! The installed server programs are started in a folder of their own, on a Unix socket and a free
//! loopback port. Nothing outside that folder is read or changed, so any number of them run side by
//! side and beside the system's own.
//!
//! This layer knows processes, not the desk: callers create databases, roles and tables.
//!
//! # What is left behind
//!
//! Nothing. A folder of [`Place::Ephemeral`] is removed with the last handle on it, after its servers
//! ended: by [`Servers::stop`], on drop, or when the owner was killed. In the last case a guard
//! process cleans up; where the guard was killed too (a reboot, an out-of-memory kill of both),
//! [`sweep`] does at the next start. A running owner holds a lock on the folder's `owner` file, which
//! the kernel releases however a process ends.
//!
//! # Who may connect
//!
//! The Unix sockets are in folders that only their owner can enter (`0700`), and PostgreSQL trusts
//! every login there: a test may connect as any role. Over TCP, loopback only, both servers ask for
//! a random password that appears in no process's arguments.

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
/// Dropping it stops both, and blocks for a few milliseconds.
#[derive(Debug)]
pub struct Servers {
    postgres: Postgres,
    redis: Redis,
}

impl Servers {
    /// Starts both servers and returns when both accept connections: about a second for a new data
    /// folder, a tenth of that for an existing one.
    ///
    /// First cleans up after killed owners, as [`sweep`] does.
    ///
    /// Cancel safe: dropping the future stops what was started.
    ///
    /// # Errors
    ///
    /// [`LocalError`] names the missing program and how to install it, who uses the folder, or what
    /// the server wrote before it gave up.
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

    /// Records, for [`service::list`] and a second terminal, which database and login to use; before
    /// the first call `postgres` and [`SUPERUSER`].
    ///
    /// # Errors
    ///
    /// [`LocalError::Files`] if the record cannot be written.
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
        self.postgres.server.detach();
        self.redis.server.detach();
        Ok(running)
    }

    fn leave(&self) -> Result<Running, LocalError> {
        self.describe("postgres", SUPERUSER).ok_or_else(|| LocalError::NotStarted {
            program: "PostgreSQL or Redis",
            said: "exited at once".to_owned(),
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

    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    pub fn postgres_mut(&mut self) -> &mut Postgres {
        &mut self.postgres
    }

    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    pub fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis
    }

    /// Stops both servers, and removes an ephemeral folder.
    ///
    /// Kept data is flushed first, so the next start has nothing to recover.
    ///
    /// Not cancel safe, but nothing is left running: drop stops the rest.
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
