//! Brings a database to the schema of this program, or says why that cannot be done.
//!
//! The schema is SQL files compiled into the program ([`Schema`]), in two parts. Tables are made by
//! versioned files, each of which runs once. Functions, types and triggers are the rulebook: it is
//! dropped and made again as a whole whenever its text is another one. Both happen in one
//! transaction, so no order is ever booked by half a rulebook or past the exposure check, and what
//! fails has changed nothing. A session lock keeps two programs from migrating one database at a
//! time; two databases of one cluster can be migrated side by side.
//!
//! A database that holds tables of TMT but was never migrated is somebody's: it is adopted only
//! with [`Mode::Adopt`], and only when [`preflight`] finds nothing in the way.

mod error;
mod files;
mod finding;
mod model;
mod preflight;
mod rulebook;

use std::borrow::Cow;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use error::MigrateError;
pub use files::{File, LATEST, Schema};
pub use finding::{Finding, Obstacle};
pub use preflight::preflight;

/// The oldest major version of PostgreSQL that the migrations are tested on.
const OLDEST_SERVER: i32 = 15;

/// Key of the advisory lock; `tmt` in ASCII, then an M for migrations.
const LOCK: i64 = 0x746d_744d;

/// How long one attempt waits for a lock. `drop_rulebook.sql` waits less: orders queue behind it.
const LOCK_TIMEOUT: &str = "2s";

/// How long others have between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// How many attempts there are: about a minute in all.
const ATTEMPTS: u32 = 100;

/// What may be done to a database that holds tables of TMT but was never migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Leave it alone and say so.
    Fresh,
    /// Adopt it: keep tables and rows, add what is missing, take over the ownership.
    Adopt,
}

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The versioned files that ran, in order.
    pub applied: Vec<String>,
    /// Whether the rulebook was made again.
    pub rebuilt: bool,
    /// Schema version before; 0 where there was none.
    pub from: i32,
    pub to: i32,
    /// Whether tables that were there before were adopted.
    pub adopted: bool,
}

/// How a database stands to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No table of TMT, and never migrated.
    Empty,
    /// These tables of TMT, and never migrated.
    Unmanaged { tables: Vec<String> },
    /// Migrated up to this version.
    Managed {
        /// The newest versioned file that ran.
        version: i32,
    },
}

/// Reads how the database stands, and changes nothing.
///
/// Needs no more than the right to connect; a login without rights on a migrated database gets
/// [`MigrateError::NotPermitted`].
///
/// # Errors
///
/// [`MigrateError::EarlierBuild`], [`MigrateError::NotPermitted`], or [`MigrateError::Database`]
/// when the connection fails.
pub async fn standing(client: &Client) -> Result<Standing, MigrateError> {
    let row = client
        // The catalogue is open to everybody; to_regclass would want a right on the schema.
        .query_one(
            "SELECT coalesce(bool_or(n.nspname = 'tmt'), false), coalesce(bool_or(n.nspname = 'desk'), false)
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname IN ('tmt', 'desk') AND c.relname = 'schema_migrations'",
            &[],
        )
        .await?;
    if row.try_get(1)? {
        return Err(MigrateError::EarlierBuild);
    }
    if row.try_get(0)? {
        let version = client
            .query_one("SELECT coalesce(max(version), 0) FROM tmt.schema_migrations", &[])
            .await
            .map_err(|error| error::explain(error, "read tmt.schema_migrations"))?
            .try_get(0)?;
        return Ok(Standing::Managed { version });
    }
    let tables: Vec<String> = client
        .query_one(
            "SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}')
               FROM pg_class c
              WHERE c.relnamespace = to_regnamespace('public') AND c.relname = ANY ($1)",
            &[&model::tables()],
        )
        .await?
        .try_get(0)?;
    Ok(if tables.is_empty() { Standing::Empty } else { Standing::Unmanaged { tables } })
}

/// Lists what is wrong with the schema of a database, and changes nothing.
///
/// For an unmanaged database that is what [`preflight`] finds. For a migrated one: files that were
/// edited after they ran, files that are still to run, a rulebook other than this program's, and
/// what stands in the way of making it again.
///
/// # Errors
///
/// [`MigrateError::Newer`] and [`MigrateError::NewerRulebook`] for a database of a later program;
/// else as [`standing`].
pub async fn check(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    let schema = Schema::of_this_program();
    match standing(client).await? {
        Standing::Empty => {
            let mut findings = vec![Finding::pending(schema.versions.iter())];
            findings.extend(preflight(client).await?);
            Ok(findings)
        }
        Standing::Unmanaged { .. } => preflight(client).await,
        Standing::Managed { version } => {
            refuse_newer(version, &schema)?;
            let mut findings = altered(client, &schema).await?;
            let pending: Vec<&File> = pending(&schema, version).map(|(_, file)| file).collect();
            if !pending.is_empty() {
                findings.push(Finding::pending(pending.into_iter()));
            }
            if needs_rebuild(client, &schema).await? {
                findings.push(Finding::another_rulebook());
                findings.extend(rulebook::foreign(client).await?);
            }
            Ok(findings)
        }
    }
}

/// Brings the database to [`LATEST`] and to this program's rulebook. Where both are there already,
/// only what depends on the server is looked at again: roles, partitions, extensions.
///
/// The login is a superuser, or owns the database and has CREATEROLE. What it creates belongs to
/// the role `tmt_owner`.
///
/// Not cancel safe: a dropped future leaves the session lock held. Drop the client with it; what
/// was not finished is rolled back.
///
/// # Errors
///
/// [`MigrateError::NotAdopted`] and [`MigrateError::Obstacles`] before anything was changed;
/// [`MigrateError::EarlierBuild`], [`MigrateError::Newer`], [`MigrateError::NewerRulebook`],
/// [`MigrateError::Altered`], [`MigrateError::ServerTooOld`], [`MigrateError::ReadOnly`] likewise.
/// [`MigrateError::Failed`] names the file at which all was rolled back.
pub async fn migrate(client: &Client, mode: Mode) -> Result<Report, MigrateError> {
    migrate_to(&Schema::of_this_program(), client, mode).await
}

/// As [`migrate`], to another schema than this program's.
///
/// # Errors
///
/// As [`migrate`].
pub async fn migrate_to(
    schema: &Schema,
    client: &Client,
    mode: Mode,
) -> Result<Report, MigrateError> {
    refuse_server(client).await?;
    lock(client).await?;
    let result = migrate_locked(schema, client, mode).await;
    // The lock goes with the session in any case; after a lost connection this fails, and need not
    // be told.
    drop(client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await);
    result
}

async fn migrate_locked(
    schema: &Schema,
    client: &Client,
    mode: Mode,
) -> Result<Report, MigrateError> {
    let (from, adopted, rebuilt) = match standing(client).await? {
        Standing::Unmanaged { tables } if mode == Mode::Fresh => {
            return Err(MigrateError::NotAdopted { tables });
        }
        standing @ (Standing::Empty | Standing::Unmanaged { .. }) => {
            refuse_obstacles(preflight(client).await?)?;
            (0, standing != Standing::Empty, true)
        }
        Standing::Managed { version } => {
            refuse_newer(version, schema)?;
            if let Some(finding) = altered(client, schema).await?.into_iter().next() {
                return Err(MigrateError::Altered { file: finding.subject });
            }
            let rebuilt = version < schema.latest() || needs_rebuild(client, schema).await?;
            if rebuilt {
                refuse_obstacles(rulebook::foreign(client).await?)?;
            }
            (version, false, rebuilt)
        }
    };
    let mut steps = vec![Step::as_login(&files::ROLES)];
    let mut applied = Vec::new();
    if rebuilt {
        steps.push(Step::as_owner(&files::DROP_RULEBOOK));
        for (version, file) in pending(schema, from) {
            steps.push(Step::as_owner(file));
            steps.push(Step { name: &file.name, sql: recorded(version, file).into() });
            applied.push(file.name.to_string());
        }
        steps.push(Step::plain("SET LOCAL check_function_bodies = off"));
        steps.extend(schema.rulebook.iter().map(Step::as_owner));
        steps.push(Step::plain(rulebook::CHECK_BODIES));
        steps.push(Step { name: RULEBOOK, sql: rulebook::record(schema).into() });
    }
    run(client, &steps).await?;
    // By itself: it may move a hundred million bars, and must not hold up an order meanwhile.
    run(client, &[Step::as_login(&files::TIMESERIES)]).await?;
    // Read back, not believed: a COMMIT can be answered without having committed.
    match standing(client).await? {
        Standing::Managed { version } if version == schema.latest() => {
            Ok(Report { applied, rebuilt, from, to: version, adopted })
        }
        Standing::Managed { .. } | Standing::Empty | Standing::Unmanaged { .. } => {
            Err(MigrateError::Unfinished)
        }
    }
}

/// The files that have not run at a version.
fn pending(schema: &Schema, from: i32) -> impl Iterator<Item = (i32, &File)> {
    schema.numbered().filter(move |(version, _)| *version > from)
}

async fn needs_rebuild(client: &Client, schema: &Schema) -> Result<bool, MigrateError> {
    let Some(in_force) = rulebook::in_force(client).await? else { return Ok(true) };
    in_force.refuse_newer(schema)?;
    Ok(in_force.digest != schema.digest())
}

fn refuse_obstacles(findings: Vec<Finding>) -> Result<(), MigrateError> {
    let obstacles: Vec<Finding> = findings.into_iter().filter(Finding::is_obstacle).collect();
    if obstacles.is_empty() { Ok(()) } else { Err(MigrateError::Obstacles { obstacles }) }
}

async fn refuse_server(client: &Client) -> Result<(), MigrateError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery()",
            &[],
        )
        .await?;
    let major: i32 = row.try_get(0)?;
    if major < OLDEST_SERVER {
        return Err(MigrateError::ServerTooOld { found: major, needed: OLDEST_SERVER });
    }
    if row.try_get(1)? {
        return Err(MigrateError::ReadOnly);
    }
    Ok(())
}

fn refuse_newer(found: i32, schema: &Schema) -> Result<(), MigrateError> {
    let known = schema.latest();
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    Ok(())
}

/// Takes the session lock, and waits a minute for another program that is migrating.
async fn lock(client: &Client) -> Result<(), MigrateError> {
    // The timeout is that of the transaction; the lock outlives it.
    let taken = client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0;
             SELECT pg_advisory_lock({LOCK}); COMMIT"
        ))
        .await;
    if let Err(error) = taken {
        drop(client.batch_execute("ROLLBACK").await);
        return Err(match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => MigrateError::Busy,
            _ => error.into(),
        });
    }
    Ok(())
}

/// The files that ran here with another text than this schema has.
async fn altered(client: &Client, schema: &Schema) -> Result<Vec<Finding>, MigrateError> {
    let rows = client
        .query("SELECT version, checksum FROM tmt.schema_migrations ORDER BY version", &[])
        .await
        .map_err(|error| error::explain(error, "read tmt.schema_migrations"))?;
    let mut findings = Vec::new();
    for row in rows {
        let (version, checksum): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        let ran = schema.numbered().find(|(known, _)| *known == version);
        if let Some((_, file)) = ran.filter(|(_, file)| file.checksum() != checksum) {
            findings.push(Finding::altered(file));
        }
    }
    Ok(findings)
}

/// What a sentence about a failure calls that which belongs to no one file.
const RULEBOOK: &str = "the rulebook";

/// One part of a transaction.
struct Step<'a> {
    /// What a failure is named after.
    name: &'a str,
    sql: Cow<'a, str>,
}

impl<'a> Step<'a> {
    fn as_login(file: &'a File) -> Self {
        Self { name: &file.name, sql: Cow::Borrowed(&file.sql) }
    }

    fn as_owner(file: &'a File) -> Self {
        let sql = format!("SET LOCAL ROLE tmt_owner; {}", file.sql);
        Self { name: &file.name, sql: Cow::Owned(sql) }
    }

    fn plain(sql: &'a str) -> Self {
        Self { name: RULEBOOK, sql: Cow::Borrowed(sql) }
    }
}

/// The line of the record for a versioned file.
fn recorded(version: i32, file: &File) -> String {
    let (name, checksum) = (file.name.trim_end_matches(".sql"), file.checksum());
    format!(
        "INSERT INTO tmt.schema_migrations (version, name, checksum)
         VALUES ({version}, '{name}', '{checksum}')"
    )
}

/// Runs all steps in one transaction, and again if somebody else's lock was in the way.
async fn run(client: &Client, steps: &[Step<'_>]) -> Result<(), MigrateError> {
    let mut done = Err(MigrateError::Busy);
    for _ in 0..ATTEMPTS {
        done = attempt(client, steps).await;
        if !matches!(done, Err(MigrateError::Busy)) {
            break;
        }
        drop(client.batch_execute("ROLLBACK").await);
        tokio::time::sleep(PAUSE).await;
    }
    if done.is_err() {
        drop(client.batch_execute("ROLLBACK").await);
    }
    done
}

/// What a session may have set stays out of it: names are looked up in `public`, times are UTC.
async fn attempt(client: &Client, steps: &[Step<'_>]) -> Result<(), MigrateError> {
    let begin = format!(
        "BEGIN;
         SET LOCAL search_path = public; SET LOCAL timezone = 'UTC';
         SET LOCAL client_min_messages = error; SET LOCAL statement_timeout = 0;
         SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL default_table_access_method = heap;"
    );
    client.batch_execute(&begin).await?;
    for Step { name, sql } in steps {
        let done = client.batch_execute(sql).await;
        done.map_err(|error| error::explain_file(error, name))?;
    }
    client.batch_execute("COMMIT").await.map_err(|error| error::explain_file(error, RULEBOOK))
}
