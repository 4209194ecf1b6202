//! Pools, and the loan of a connection: it goes back only if its last statement is known to have
//! ended.
//!
//! Dropping a future does not stop its statement. The pool would lend the connection to the next
//! borrower, who would wait for the stranger's answer; so a loan that was not given back by
//! [`Lease::keep`] closes its connection instead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use deadpool_postgres::{Runtime, TimeoutType};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Row};

use super::connect::{Dialer, Purpose, Shared, reason_in};
use super::error::{StoreError, Unreachable};
use super::options::{Deadlines, Options};
use super::proof;

/// How long a cancel request may take before the connection is dropped anyway.
const CANCEL: Duration = Duration::from_millis(500);

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The way to the database. Cheap to clone; all clones share the pools.
#[derive(Clone)]
pub struct Store(Arc<Pools>);

struct Pools {
    shared: Arc<Shared>,
    read: Lender,
    write: Lender,
    resolve: Lender,
}

/// A pool and what opens its connections.
struct Lender {
    pool: Pool,
    dialer: Dialer,
    name: &'static str,
}

/// A connection outside the pools, with no limit on its statements: for migrations and upkeep.
/// It closes when this is dropped.
pub struct Upkeep {
    client: Client,
    task: JoinHandle<()>,
}

impl Store {
    /// Prepares the way to the database. Nothing is opened yet, so nothing can fail.
    pub fn connect(options: Options) -> Self {
        let (sizes, waits) = (options.pools, options.deadlines);
        let shared = Arc::new(Shared::new(options));
        let lender = |purpose, size, wait, name| {
            let dialer = Dialer::new(Arc::clone(&shared), purpose);
            Lender::new(dialer, size, wait, waits.verify, name)
        };
        let (read, write, resolve) = (
            lender(Purpose::Read, sizes.read, waits.wait_to_read, "reading"),
            lender(Purpose::Write, sizes.write, waits.wait_to_write, "writing"),
            lender(Purpose::Resolve, sizes.resolve, waits.resolve, "resolving"),
        );
        Self(Arc::new(Pools { shared, read, write, resolve }))
    }

    /// Returns the deadlines in force.
    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.0.shared.options.deadlines
    }

    /// Returns how this store was told to connect.
    pub fn options(&self) -> &Options {
        &self.0.shared.options
    }

    /// Borrows a connection of one pool.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] within the pool's wait and the handshakes of all servers.
    pub(super) async fn borrow(&self, purpose: Purpose) -> Result<Lease, StoreError> {
        match purpose {
            Purpose::Read => self.0.read.lend().await,
            Purpose::Write => self.0.write.lend().await,
            Purpose::Resolve | Purpose::Upkeep => self.0.resolve.lend().await,
        }
    }

    /// Opens a connection of its own for migrations and upkeep.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with the reason.
    pub async fn upkeep(&self) -> Result<Upkeep, StoreError> {
        let dialer = Dialer::new(Arc::clone(&self.0.shared), Purpose::Upkeep);
        let (client, task) = dialer.dial().await?;
        Ok(Upkeep { client, task })
    }

    /// Reads the rows of one bounded statement. Cancel safe: a dropped read closes its
    /// connection.
    ///
    /// Reads are repeated once where that may help: on a connection that died in the pool, and
    /// where the server changed a table under a prepared statement.
    ///
    /// # Errors
    ///
    /// [`StoreError`], within the deadline of a read.
    pub(crate) async fn fetch(
        &self,
        what: &'static str,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.fetch_from(Purpose::Read, what, sql, parameters).await
    }

    /// As [`Store::fetch`], from the servers of that purpose.
    ///
    /// # Errors
    ///
    /// [`StoreError`], within the deadline of a read.
    pub(super) async fn fetch_from(
        &self,
        purpose: Purpose,
        what: &'static str,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let after = self.deadlines().read;
        let mut is_first = true;
        loop {
            let lease = self.borrow(purpose).await?;
            match tokio::time::timeout(after, lease.rows(sql, parameters)).await {
                Ok(Ok(rows)) => {
                    lease.keep();
                    return Ok(rows);
                }
                Ok(Err(error)) => {
                    let is_stale = proof::is_stale_statement(&error);
                    let is_worth_repeating = is_stale || error.is_closed();
                    if is_stale {
                        lease.forget_statements();
                    }
                    if proof::is_answer(&error) {
                        lease.keep();
                    }
                    if !(is_first && is_worth_repeating) {
                        return Err(StoreError::of_statement(what, after, &error));
                    }
                    is_first = false;
                }
                Err(_) => {
                    lease.cancel().await;
                    return Err(StoreError::Timeout { what, after });
                }
            }
        }
    }

    /// Runs one writing statement of a program of TMT, once; a second time where the first proves
    /// that its prepared statement was out of date. What a person writes is a request:
    /// [`Store::perform`].
    ///
    /// Not cancel safe: a dropped call may or may not have written.
    ///
    /// # Errors
    ///
    /// [`StoreError`], within the deadline of a write.
    pub(crate) async fn write(
        &self,
        what: &'static str,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let after = self.deadlines().write;
        let mut is_first = true;
        loop {
            let lease = self.borrow(Purpose::Write).await?;
            match tokio::time::timeout(after, lease.rows(sql, parameters)).await {
                Ok(Ok(rows)) => {
                    lease.keep();
                    return Ok(rows);
                }
                Ok(Err(error)) => {
                    let is_stale = proof::is_stale_statement(&error);
                    if is_stale {
                        lease.forget_statements();
                    }
                    // A server that answered has ended the statement; the connection is good.
                    if error.as_db_error().is_some() {
                        lease.keep();
                    }
                    if !(is_first && is_stale) {
                        return Err(StoreError::of_statement(what, after, &error));
                    }
                    is_first = false;
                }
                Err(_) => return Err(StoreError::Timeout { what, after }),
            }
        }
    }
}

impl Lender {
    fn new(
        dialer: Dialer,
        size: usize,
        wait: Duration,
        verify: Duration,
        name: &'static str,
    ) -> Self {
        // Verified: a borrower gets no connection that died unnoticed. (Fast would also leak SET
        // values; nothing here sets any, but a proof costs one round trip.)
        let manager = Manager::from_connect(
            tokio_postgres::Config::new(),
            dialer.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let built = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(wait))
            .recycle_timeout(Some(verify))
            .runtime(Runtime::Tokio1)
            .build();
        #[expect(clippy::expect_used, reason = "fails only for timeouts without a runtime")]
        let pool = built.expect("a runtime is set");
        Self { pool, dialer, name }
    }

    async fn lend(&self) -> Result<Lease, StoreError> {
        match self.pool.get().await {
            Ok(object) => Ok(Lease { object: Some(object), dialer: self.dialer.clone() }),
            Err(PoolError::Backend(error)) => Err(match reason_in(&error) {
                Some(reason) => reason.clone().into(),
                None => Unreachable::Lost(error.to_string()).into(),
            }),
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(Unreachable::Busy(self.name).into()),
            Err(error) => Err(Unreachable::Lost(error.to_string()).into()),
        }
    }
}

/// A borrowed connection. Dropped, it is closed; [`Lease::keep`] gives it back.
pub(super) struct Lease {
    object: Option<Object>,
    dialer: Dialer,
}

impl Lease {
    fn client(&self) -> &Object {
        #[expect(
            clippy::expect_used,
            reason = "only keep, cancel and drop take it, and they end it"
        )]
        self.object.as_ref().expect("the lease is not over")
    }

    /// Returns how many commits of this pool were put in doubt so far.
    pub(super) fn doubts(&self) -> u64 {
        self.dialer.doubts()
    }

    /// Prepares a statement, or finds it prepared. Until this has answered, nothing of the
    /// statement has run.
    pub(super) async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement, Error> {
        self.client().prepare_cached(sql).await
    }

    /// Runs a prepared statement to its end: to `ReadyForQuery`, after the commit.
    pub(super) async fn run(
        &self,
        statement: &tokio_postgres::Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.client().query(statement, parameters).await
    }

    /// Prepares and runs.
    pub(super) async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.run(&statement, parameters).await
    }

    /// Forgets prepared statements whose tables have changed.
    pub(super) fn forget_statements(&self) {
        self.client().statement_cache.clear();
    }

    /// Gives the connection back: its last statement has ended.
    pub(super) fn keep(mut self) {
        drop(self.object.take());
    }

    /// Asks the server to stop what runs, then closes the connection. For reads only: a write
    /// that is cancelled while it waits for its standby answers as if it stood.
    async fn cancel(mut self) {
        if let Some(object) = self.object.take() {
            let client = Object::take(object);
            let token = client.cancel_token();
            let asked = async {
                match self.dialer.any_connector() {
                    Some(tls) => token.cancel_query(tls).await,
                    None => token.cancel_query(NoTls).await,
                }
            };
            // Whether it arrives or not, the connection goes.
            if !matches!(tokio::time::timeout(CANCEL, asked).await, Ok(Ok(()))) {
                tracing::debug!("a cancel request was not delivered");
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Upkeep {
    /// Returns the connection.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("options", &self.0.shared.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upkeep").finish_non_exhaustive()
    }
}
