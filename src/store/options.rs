//! What the store is told: where the servers are, who logs in, how long to wait.
//!
//! Nothing here reads the environment or a file; configuration passes both in. The defaults are
//! the ones that were measured to survive a stopped server: see each field.

mod bad;
mod read;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tokio_postgres::config::TargetSessionAttrs;

pub use bad::BadOption;
pub use read::VARIABLES;

/// How to reach the database. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Options {
    pub servers: Vec<Server>,
    /// Login; `None` is the name of the user who runs the program.
    pub user: Option<String>,
    /// Name of the database; `None` is the login's name.
    pub database: Option<String>,
    /// Where the password comes from.
    pub password: PasswordSource,
    /// Encryption that was asked for; `None` is [`Tls::Verified`] except on loopback and Unix
    /// sockets.
    pub tls: Option<Tls>,
    /// File of certificates (PEM) to trust instead of the system's.
    pub root_certificates: Option<PathBuf>,
    /// What the server shows in `pg_stat_activity`.
    pub application_name: String,
    /// More settings for the server's sessions: `-c work_mem=64MB`.
    pub server_options: Option<String>,
    /// Which servers may answer reads. Writes always go to one that takes them.
    pub reads_from: ReadsFrom,
    /// How long everything may take.
    pub deadlines: Deadlines,
    /// How many connections are held.
    pub pools: PoolSizes,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: Host,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, which the certificate must carry, and perhaps the address to dial instead of
    /// asking the resolver.
    Tcp {
        name: String,
        /// Address that replaces the look-up.
        address: Option<IpAddr>,
    },
    /// Folder of a Unix socket.
    Unix(PathBuf),
}

/// Which servers may answer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadsFrom {
    Any,
    /// Only one that takes writes.
    Primary,
    /// Only one that takes none.
    Standby,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Off,
    /// Encrypted where the server offers it; whoever sits between can take the offer away.
    IfOffered,
    /// Encrypted, and the certificate names the host and is signed by a trusted root. `sslmode`
    /// `require`, `verify-ca` and `verify-full` all mean this: encryption to an unknown peer
    /// protects nothing.
    Verified,
}

/// Where the password comes from. The first of them that gives one counts.
#[derive(Debug, Clone, Default)]
pub struct PasswordSource {
    /// A program and its arguments, run without a shell; its first line of output is the password.
    pub command: Vec<String>,
    pub value: Option<SecretString>,
    /// A file in the form of libpq's `.pgpass`. Refused if others may read it.
    pub file: Option<PathBuf>,
}

/// How long everything may take. The server's limits are shorter than the client's, so that in
/// ordinary trouble the server says what happened; only silence runs into the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Name look-up, TCP, TLS, login and the read-write check, for each server. The library's own
    /// `connect_timeout` covers only TCP: a stopped server that still accepts held it for ever.
    pub handshake: Duration,
    /// `statement_timeout` of a read.
    pub read_on_server: Duration,
    /// A read, as the client waits.
    pub read: Duration,
    /// `statement_timeout` of a write.
    pub write_on_server: Duration,
    /// `lock_timeout` of a write.
    pub lock: Duration,
    /// A write, as the client waits. After it the outcome is unknown.
    pub write: Duration,
    /// Settling an unknown write: it waits for the original, so it is the longest.
    pub resolve: Duration,
    /// `idle_in_transaction_session_timeout`.
    pub idle_in_transaction: Duration,
    /// Waiting for a free connection of the read pool; a pane skips a tick.
    pub wait_to_read: Duration,
    /// Waiting for a free connection of the write pool.
    pub wait_to_write: Duration,
    /// Proving that a pooled connection still lives.
    pub verify: Duration,
    /// How long after sending the database may still begin a write.
    pub write_validity: Duration,
    /// TCP keepalive: first probe, distance of the next, how many (three). Loopback has none.
    pub keepalive_idle: Duration,
    /// Distance of two keepalive probes.
    pub keepalive_interval: Duration,
    /// How long sent bytes may stay unacknowledged.
    pub tcp_user: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(2),
            read_on_server: Duration::from_millis(1500),
            read: Duration::from_secs(2),
            write_on_server: Duration::from_secs(3),
            lock: Duration::from_secs(1),
            write: Duration::from_secs(5),
            resolve: Duration::from_secs(10),
            idle_in_transaction: Duration::from_secs(5),
            wait_to_read: Duration::from_millis(250),
            wait_to_write: Duration::from_millis(500),
            verify: Duration::from_millis(500),
            write_validity: Duration::from_secs(10),
            keepalive_idle: Duration::from_secs(5),
            keepalive_interval: Duration::from_secs(2),
            tcp_user: Duration::from_secs(10),
        }
    }
}

/// How many connections are held, at most. Three pools, so that slow reads never hold up a write
/// and a stuck write never holds up the question what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSizes {
    pub read: usize,
    pub write: usize,
    pub resolve: usize,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { read: 4, write: 2, resolve: 1 }
    }
}

impl Options {
    /// Returns how the connection to one server is protected.
    pub fn protection(&self, server: &Server) -> Tls {
        match (&server.host, self.tls) {
            (Host::Unix(_), _) => Tls::Off,
            (Host::Tcp { .. }, Some(asked)) => asked,
            (Host::Tcp { name, address }, None) => {
                let here = name == "localhost"
                    || address.or_else(|| name.parse().ok()).is_some_and(|ip| ip.is_loopback());
                if here { Tls::Off } else { Tls::Verified }
            }
        }
    }
}

impl ReadsFrom {
    /// Returns tokio-postgres's word for it.
    pub(super) fn attributes(self) -> TargetSessionAttrs {
        match self {
            Self::Any => TargetSessionAttrs::Any,
            Self::Primary => TargetSessionAttrs::ReadWrite,
            Self::Standby => TargetSessionAttrs::ReadOnly,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp { name, .. } if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
            Host::Unix(folder) => write!(f, "{}/.s.PGSQL.{}", folder.display(), self.port),
        }
    }
}
