//! A private PostgreSQL.

mod data;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

pub use data::SUPERUSER;

use super::folder::Folder;
use super::guard::Program;
use super::process::until;
use super::process_table::{count_in, signal_all_in};
use super::programs::PostgresPrograms;
use super::server::{Server, Start};
use super::sweep::end_all_in;
use super::{LocalError, Options, port, url};

/// Deadline of a start. A new folder starts in 50 ms; recovery after a kill takes as long as there is
/// WAL to replay.
const START: Duration = Duration::from_mins(1);

/// Deadline of a shutdown: its checkpoint writes every changed page.
const STOP: Duration = Duration::from_secs(30);

/// How PostgreSQL is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Connections are closed and changes flushed; the next start has nothing to recover.
    Fast,
    /// As after a power cut, but shared memory is released; the next start recovers.
    Immediate,
    /// SIGKILL to the postmaster; its children notice and exit.
    Kill,
}

/// A private PostgreSQL server.
///
/// Dropping it ends the server as [`Shutdown::Immediate`] does, which loses no committed
/// transaction of a kept folder.
#[derive(Debug)]
pub struct Postgres {
    pub(super) server: Server,
    /// The folder of the server's programs.
    programs: PathBuf,
}

impl Postgres {
    /// Starts PostgreSQL alone, in a folder of its own; as [`super::Servers::start`] otherwise.
    ///
    /// # Errors
    ///
    /// As [`super::Servers::start`].
    pub async fn start(options: Options) -> Result<Self, LocalError> {
        Self::start_in(Arc::new(Folder::open(&options.place)?), &options).await
    }

    pub(super) async fn start_in(
        folder: Arc<Folder>,
        options: &Options,
    ) -> Result<Self, LocalError> {
        let home = folder.home("pg")?;
        let made_by = fs::read_to_string(data::folder_in(&home).join("PG_VERSION")).ok();
        let major = made_by.as_ref().and_then(|text| text.trim().parse().ok());
        let programs = PostgresPrograms::find(options.postgres_programs.as_deref(), major)?
            .ok_or_else(|| LocalError::OtherVersion {
                path: home.clone(),
                made_by: made_by.clone().unwrap_or_default(),
            })?;
        let password = match made_by {
            Some(_) => data::saved_password(&folder)?,
            None => data::make(&folder, &programs, &home).await?,
        };
        let settings = &options.postgres_settings;
        let server = Server::new(Program::Postgres, folder, home, password, settings);
        let mut postgres = Self { server, programs: programs.folder };
        port::until_free(async || {
            postgres.server.port = port::free()?;
            postgres.start_again().await
        })
        .await?;
        Ok(postgres)
    }

    /// Restarts the server after [`Postgres::halt`], on the same port and socket. Does nothing if it
    /// runs.
    ///
    /// # Errors
    ///
    /// [`LocalError::NotStarted`] with what the server wrote before it gave up.
    pub async fn start_again(&mut self) -> Result<(), LocalError> {
        if self.server.is_running() {
            return Ok(());
        }
        let data = data::folder_in(self.server.home());
        let mut command = Command::new(self.programs.join("postgres"));
        command.current_dir(self.server.home()).arg("-D").arg(&data);
        for setting in self.all_settings() {
            command.arg("-c").arg(setting);
        }
        let marks = &["FATAL:", "ERROR:"];
        let start = Start { command, on_drop: Signal::QUIT, within: START, marks };
        self.server.start(start, async |pid| is_ready(&data, pid)).await
    }

    fn all_settings(&self) -> Vec<OsString> {
        let mut settings: Vec<OsString> = EVERYWHERE.iter().copied().map(OsString::from).collect();
        if self.server.folder().is_ephemeral() {
            settings.extend(EPHEMERAL.iter().copied().map(OsString::from));
        }
        let mut sockets = OsString::from("unix_socket_directories=");
        sockets.push(self.server.home());
        settings.extend([sockets, format!("port={}", self.port()).into()]);
        let given = self.server.settings.iter();
        settings.extend(given.map(|(name, value)| format!("{name}={value}").into()));
        settings
    }

    /// Ends the server and returns when it is gone. [`Postgres::start_again`] restarts it.
    ///
    /// # Errors
    ///
    /// [`LocalError::Stuck`] if the server survived even SIGKILL.
    pub async fn halt(&mut self, how: Shutdown) -> Result<(), LocalError> {
        if self.server.process().is_none() {
            return Ok(());
        }
        let signal = match how {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
            Shutdown::Kill => Signal::KILL,
        };
        let home = self.server.home().to_owned();
        // A suspended child would keep its postmaster waiting.
        signal_all_in(&home, Signal::CONT);
        self.server.end(signal, STOP).await?;
        // Children of a killed postmaster hold its shared memory until they notice.
        if !until(STOP, || count_in(&home) == 0).await {
            signal_all_in(&home, Signal::KILL);
        }
        Ok(())
    }

    /// Ends the server, and removes an ephemeral folder.
    ///
    /// # Errors
    ///
    /// As [`Postgres::halt`].
    pub async fn stop(mut self) -> Result<(), LocalError> {
        let is_ephemeral = self.server.folder().is_ephemeral();
        self.halt(if is_ephemeral { Shutdown::Immediate } else { Shutdown::Fast }).await
    }

    /// Leaves the server running until process `pid` ends, instead of ending it with this value. Test
    /// processes share a server in this way as long as their runner lives.
    pub fn leave_until_end_of(self, pid: i32) {
        if let Some(guard) = self.server.folder().guard() {
            guard.outlive_owner_until(pid);
        }
        // Nothing of this value may be dropped: the folder, its lock and the guard stay.
        std::mem::forget(self);
    }

    /// Suspends the postmaster (SIGSTOP): new connections hang, existing ones work.
    pub fn pause(&mut self) {
        self.server.send(Signal::STOP);
    }

    /// Suspends every process of the server: clients get no answer at all.
    pub fn freeze(&mut self) {
        signal_all_in(self.server.home(), Signal::STOP);
    }

    /// Ends [`Postgres::pause`] and [`Postgres::freeze`].
    pub fn resume(&mut self) {
        signal_all_in(self.server.home(), Signal::CONT);
    }

    /// The process id of the postmaster, or `None` while it is halted.
    pub fn pid(&self) -> Option<i32> {
        self.server.pid()
    }

    /// The folder of the Unix socket, which only the server's user and root can enter.
    pub fn socket_folder(&self) -> &Path {
        self.server.home()
    }

    /// The port on loopback, and in the name of the Unix socket.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The URL of a database over the Unix socket, where any login is trusted.
    pub fn url(&self, database: &str, login: &str) -> String {
        let (host, port) = (url::escape(self.server.home()), self.port());
        format!("postgresql://{login}@/{database}?host={host}&port={port}")
    }

    /// The URL of a database over loopback, as the superuser and with its password. Other logins
    /// have no password unless one is set.
    pub fn tcp_url(&self, database: &str) -> String {
        let (password, port) = (self.server.password.reveal(), self.port());
        format!("postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children first, which may be suspended.
        if self.server.process().is_some() {
            end_all_in(self.server.home());
        }
    }
}

/// Whether the server accepts connections: it says so in the eighth line of its lock file.
fn is_ready(data: &Path, pid: i32) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return false };
    let mut lines = text.lines().map(str::trim);
    let its_pid = lines.next().and_then(|line| line.parse().ok());
    its_pid == Some(pid) && lines.nth(6) == Some("ready")
}

/// Settings of every private server; the caller's follow and win.
const EVERYWHERE: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_permissions=0700",
    "cluster_name=tmt",
    "max_connections=200",
    // Partitioned tables take a lock per partition; the default 64 is too few.
    "max_locks_per_transaction=256",
    // Compiling a query takes longer than any query here.
    "jit=off",
    // POSIX shared memory would stay in /dev/shm after SIGKILL, and is 64 MB in a container.
    "dynamic_shared_memory_type=mmap",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// Settings for speed where data need not survive a crash of the machine.
const EPHEMERAL: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "shared_buffers=64MB",
    // The WAL takes memory or temporary disk, and nothing is recovered from it.
    "max_wal_size=128MB",
    "wal_init_zero=off",
    "wal_recycle=off",
];
