//! Opening one connection: each server in turn, each under a deadline over the whole handshake.

mod carried;
mod reason;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use carried::carried;
pub(super) use carried::reason_in;

use super::error::Unreachable;
use super::options::{Deadlines, Host, Options, Server, Tls};
use super::tls;

/// What a connection is for; its limits on the server follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Read,
    Write,
    /// Settling writes whose answer was lost.
    Resolve,
    /// Migrations and upkeep: no limit on a statement.
    Upkeep,
}

impl Purpose {
    /// Returns the settings that the server is given with the login, so that they hold from the
    /// first statement and survive `RESET ALL`.
    fn settings(self, waits: &Deadlines) -> String {
        let (statement, lock) = match self {
            Self::Read => (waits.read_on_server, waits.read_on_server),
            Self::Write => (waits.write_on_server, waits.lock),
            // It has to outwait the original, which holds its key until it ends.
            Self::Resolve => (waits.resolve, waits.resolve),
            Self::Upkeep => (Duration::ZERO, Duration::from_secs(10)),
        };
        // Every statement is short and bounded: a compiler or a second worker costs more than it
        // saves, and a server has hundreds of consoles to share its workers between.
        let small = match self {
            Self::Read | Self::Write | Self::Resolve => {
                " -c jit=off -c max_parallel_workers_per_gather=0"
            }
            Self::Upkeep => "",
        };
        format!(
            "-c statement_timeout={} -c lock_timeout={} \
             -c idle_in_transaction_session_timeout={} -c TimeZone=UTC{small}",
            statement.as_millis(),
            lock.as_millis(),
            waits.idle_in_transaction.as_millis(),
        )
    }
}

/// What all connections of a store share.
pub(super) struct Shared {
    pub(super) options: Options,
    /// Made at the first encrypted connection: a file that cannot be read is no reason not to
    /// start.
    tls: OnceCell<MakeRustlsConnect>,
    /// What the password program said, until a server refuses it. Locked while it runs: a person
    /// may have to touch a key for it, and three pools open at once.
    told: Mutex<Option<SecretString>>,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self { options, tls: OnceCell::new(), told: Mutex::new(None) }
    }
}

/// Opens connections for one purpose.
#[derive(Clone)]
pub(super) struct Dialer {
    shared: Arc<Shared>,
    purpose: Purpose,
    /// How often a server of this pool said that a commit was cut short.
    doubts: Arc<AtomicU64>,
}

impl Dialer {
    pub(super) fn new(shared: Arc<Shared>, purpose: Purpose) -> Self {
        Self { shared, purpose, doubts: Arc::default() }
    }

    fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Returns the count of warnings after which a commit is in doubt. A write during which it
    /// rises has an unknown outcome, whatever its row says.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::SeqCst)
    }

    /// Returns the name that the login goes by in sentences.
    fn user(&self) -> &str {
        self.options().user.as_deref().unwrap_or("of this system user")
    }

    fn database(&self) -> &str {
        self.options().database.as_deref().or(self.options().user.as_deref()).unwrap_or_default()
    }

    /// Tries each server in turn.
    ///
    /// # Errors
    ///
    /// Of all reasons, the one that says most.
    pub(super) async fn dial(&self) -> Result<(Client, JoinHandle<()>), Unreachable> {
        let mut worst: Option<Unreachable> = None;
        for server in &self.options().servers {
            match self.dial_one(server).await {
                Ok(connected) => return Ok(connected),
                Err(reason) => {
                    if matches!(reason, Unreachable::WrongPassword { .. }) {
                        // It was changed; the next connection asks the program again.
                        *self.shared.told.lock().await = None;
                    }
                    tracing::debug!(%server, %reason, "no connection");
                    if worst.as_ref().is_none_or(|known| reason.weight() >= known.weight()) {
                        worst = Some(reason);
                    }
                }
            }
        }
        Err(worst.unwrap_or_else(|| Unreachable::Secret("no database server is named".to_owned())))
    }

    async fn dial_one(&self, server: &Server) -> Result<(Client, JoinHandle<()>), Unreachable> {
        let config = self.config(server).await?;
        let protection = self.options().protection(server);
        let handshake = self.options().deadlines.handshake;
        let opened = async {
            if protection == Tls::Off {
                self.open(&config, NoTls).await
            } else {
                self.open(&config, self.connector(server).await?).await
            }
            .map_err(|error| self.reason(server, &error))
        };
        tokio::time::timeout(handshake, opened).await.unwrap_or_else(|_| {
            Err(Unreachable::Silent { at: server.to_string(), after: handshake })
        })
    }

    /// Returns what encrypted connections begin with.
    async fn connector(&self, server: &Server) -> Result<MakeRustlsConnect, Unreachable> {
        let roots = self.options().root_certificates.clone();
        let made = self.shared.tls.get_or_try_init(|| async move {
            tokio::task::spawn_blocking(move || tls::connector(roots.as_deref()))
                .await
                .unwrap_or_else(|error| Err(error.to_string()))
        });
        made.await.cloned().map_err(|why| Unreachable::Tls { at: server.to_string(), why })
    }

    /// Returns the same, if any connection was encrypted so far.
    pub(super) fn any_connector(&self) -> Option<MakeRustlsConnect> {
        self.shared.tls.get().cloned()
    }

    async fn config(&self, server: &Server) -> Result<Config, Unreachable> {
        let options = self.options();
        let waits = &options.deadlines;
        let mut config = Config::new();
        match &server.host {
            Host::Tcp { name, address } => {
                config.host(name);
                if let Some(address) = address {
                    config.hostaddr(*address);
                }
            }
            Host::Unix(folder) => {
                config.host_path(folder);
            }
        }
        config.port(server.port).application_name(&options.application_name);
        if let Some(user) = &options.user {
            config.user(user);
        }
        if let Some(database) = &options.database {
            config.dbname(database);
        }
        if let Some(password) = self.password(server).await? {
            config.password(password.expose_secret());
        }
        config.ssl_mode(match options.protection(server) {
            Tls::Off => SslMode::Disable,
            Tls::IfOffered => SslMode::Prefer,
            Tls::Verified => SslMode::Require,
        });
        config
            .target_session_attrs(match self.purpose {
                Purpose::Read => options.reads_from.attributes(),
                Purpose::Write | Purpose::Resolve | Purpose::Upkeep => {
                    TargetSessionAttrs::ReadWrite
                }
            })
            .connect_timeout(waits.handshake)
            .tcp_user_timeout(waits.tcp_user)
            .keepalives_idle(waits.keepalive_idle)
            .keepalives_interval(waits.keepalive_interval)
            .keepalives_retries(3);
        let own = self.purpose.settings(waits);
        config.options(match &options.server_options {
            Some(more) => format!("{more} {own}"),
            None => own,
        });
        Ok(config)
    }

    async fn password(&self, server: &Server) -> Result<Option<SecretString>, Unreachable> {
        let source = &self.options().password;
        if source.command.is_empty() {
            return source.password(server, self.user(), self.database()).await;
        }
        let mut told = self.shared.told.lock().await;
        if told.is_none() {
            *told = source.password(server, self.user(), self.database()).await?;
        }
        Ok(told.clone())
    }

    async fn open<T>(&self, config: &Config, tls: T) -> Result<(Client, JoinHandle<()>), Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = config.connect(tls).await?;
        let driven = drive(connection, Arc::clone(&self.doubts));
        Ok((client, tokio::spawn(driven)))
    }
}

/// Does a connection's reading and writing until it ends, and counts the warnings that put a
/// commit in doubt: the server stopped waiting for its synchronous standby (class 01000 on a
/// cancel, 57P01 at a shutdown) although it answers as if all were well.
async fn drive<S, T>(mut connection: Connection<S, T>, doubts: Arc<AtomicU64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let state = notice.code().code();
                if notice.parsed_severity() == Some(Severity::Warning)
                    && (state == "01000" || state == "57P01")
                {
                    doubts.fetch_add(1, Ordering::SeqCst);
                }
                tracing::debug!(state, "notice");
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let state = error.code().map_or("none", |state| state.code());
                tracing::info!(state, "connection lost");
                return;
            }
            None => return,
        }
    }
}

impl Connect for Dialer {
    /// Ignores the pool's own configuration: it knows one address for all servers and one
    /// password for all addresses.
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async {
            match self.dial().await {
                Ok(connected) => Ok(connected),
                Err(reason) => Err(carried(reason).await),
            }
        })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
