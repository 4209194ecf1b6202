//! Brings a database to the schema of this program, or says why that cannot be done.
//!
//! Migrations are SQL files compiled into the program ([`MIGRATIONS`]). Each runs in one
//! transaction together with the row that records it, so a database is always between two files,
//! never inside one. A session lock keeps two programs from migrating one database at a time; two
//! databases of one cluster can be migrated side by side.
//!
//! A database that holds tables of TMT but was never migrated is somebody's: it is adopted only
//! with [`Mode::Adopt`], and only when [`preflight`] finds nothing in the way.

mod error;
mod files;
mod model;
mod preflight;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use error::MigrateError;
pub use files::{LATEST, MIGRATIONS, Migration, Repeat};
pub use preflight::{Finding, Obstacle, preflight};

/// The oldest major version of PostgreSQL that the migrations are tested on.
const OLDEST_SERVER: i32 = 15;

/// Key of the advisory lock; `tmt` in ASCII, then an M for migrations.
const LOCK: i64 = 0x746d_744d;

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
    /// The migrations that ran, in order. Those that run every time are not among them.
    pub applied: Vec<&'static Migration>,
    /// Schema version before; 0 where there was none.
    pub from: i32,
    pub to: i32,
    /// Whether tables that were there before were adopted.
    pub adopted: bool,
}

/// How a database stands to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No table of TMT and no schema `desk`.
    Empty,
    /// These tables of TMT, and never migrated.
    Unmanaged { tables: Vec<String> },
    /// Migrated up to this version.
    Managed {
        /// The newest migration that ran.
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
/// [`MigrateError::NotPermitted`], or [`MigrateError::Database`] when the connection fails.
pub async fn standing(client: &Client) -> Result<Standing, MigrateError> {
    let managed = client
        // The catalogue is open to everybody; to_regclass would want a right on the schema.
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                             WHERE n.nspname = 'desk' AND c.relname = 'schema_migrations')",
            &[],
        )
        .await?
        .try_get(0)?;
    if managed {
        let version = client
            .query_one("SELECT coalesce(max(version), 0) FROM desk.schema_migrations", &[])
            .await
            .map_err(|error| error::explain(error, "read desk.schema_migrations"))?
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
/// edited after they ran, files that are still to run.
///
/// # Errors
///
/// [`MigrateError::Newer`] for a database of a later program; else as [`standing`].
pub async fn check(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    match standing(client).await? {
        Standing::Empty => Ok(vec![Finding::pending(MIGRATIONS.iter())]),
        Standing::Unmanaged { .. } => preflight(client).await,
        Standing::Managed { version } => {
            refuse_newer(version)?;
            let mut findings = altered(client).await?;
            let mut pending = MIGRATIONS.iter().filter(|m| m.version > version).peekable();
            if pending.peek().is_some() {
                findings.push(Finding::pending(pending));
            }
            Ok(findings)
        }
    }
}

/// Brings the database to [`LATEST`], file by file. A database that is there already only gets what
/// [`Repeat::EveryRun`] asks for.
///
/// The login is a superuser, or owns the database and has CREATEROLE. What it creates belongs to
/// the role `tmt_owner`.
///
/// Not cancel safe: a dropped future leaves the session lock held. Drop the client with it; the
/// database is then between two files, and the next call goes on from there.
///
/// # Errors
///
/// [`MigrateError::NotAdopted`] and [`MigrateError::Obstacles`] before anything was changed;
/// [`MigrateError::Newer`], [`MigrateError::Altered`], [`MigrateError::ServerTooOld`],
/// [`MigrateError::ReadOnly`] likewise. [`MigrateError::Failed`] names the file that was rolled
/// back; those before it stay.
pub async fn migrate(client: &Client, mode: Mode) -> Result<Report, MigrateError> {
    refuse_server(client).await?;
    lock(client).await?;
    let result = migrate_locked(client, mode).await;
    // The lock goes with the session in any case; after a lost connection this fails, and need not
    // be told.
    drop(client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await);
    result
}

async fn migrate_locked(client: &Client, mode: Mode) -> Result<Report, MigrateError> {
    let (from, adopted) = match standing(client).await? {
        Standing::Empty => (0, false),
        Standing::Unmanaged { tables } if mode == Mode::Fresh => {
            return Err(MigrateError::NotAdopted { tables });
        }
        Standing::Unmanaged { .. } => {
            let obstacles: Vec<Finding> =
                preflight(client).await?.into_iter().filter(Finding::is_obstacle).collect();
            if !obstacles.is_empty() {
                return Err(MigrateError::Obstacles { obstacles });
            }
            (0, true)
        }
        Standing::Managed { version } => {
            refuse_newer(version)?;
            if let Some(finding) = altered(client).await?.into_iter().next() {
                return Err(MigrateError::Altered { file: finding.subject });
            }
            (version, false)
        }
    };
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        let is_new = migration.version > from;
        if is_new || migration.repeat == Repeat::EveryRun {
            apply(client, migration).await?;
        }
        if is_new {
            applied.push(migration);
        }
    }
    // Read back, not believed: a COMMIT can be answered without having committed.
    match standing(client).await? {
        Standing::Managed { version: LATEST } => Ok(Report { applied, from, to: LATEST, adopted }),
        Standing::Managed { .. } | Standing::Empty | Standing::Unmanaged { .. } => {
            Err(MigrateError::Unfinished)
        }
    }
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

fn refuse_newer(found: i32) -> Result<(), MigrateError> {
    if found > LATEST {
        return Err(MigrateError::Newer { found, known: LATEST });
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

/// The files that ran here with another text than this program has.
async fn altered(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    let rows = client
        .query("SELECT version, checksum FROM desk.schema_migrations ORDER BY version", &[])
        .await
        .map_err(|error| error::explain(error, "read desk.schema_migrations"))?;
    let mut findings = Vec::new();
    for row in rows {
        let (version, checksum): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        let ran = MIGRATIONS.iter().find(|m| m.version == version && m.repeat == Repeat::Once);
        if let Some(migration) = ran.filter(|m| m.checksum() != checksum) {
            findings.push(Finding::altered(migration));
        }
    }
    Ok(findings)
}

/// Runs one file and records it, in one transaction.
///
/// What a session may have set stays out of it: names are looked up in `public`, times are UTC.
async fn apply(client: &Client, migration: &Migration) -> Result<(), MigrateError> {
    let Migration { version, name, sql, .. } = migration;
    let checksum = migration.checksum();
    let batch = format!(
        "BEGIN;
         SET LOCAL search_path = public; SET LOCAL timezone = 'UTC';
         SET LOCAL client_min_messages = error; SET LOCAL statement_timeout = 0;
         SET LOCAL lock_timeout = '60s'; SET LOCAL default_table_access_method = heap;
         {sql}
         ;
         SET LOCAL ROLE tmt_owner;
         INSERT INTO desk.schema_migrations (version, name, checksum)
         VALUES ({version}, '{name}', '{checksum}')
         ON CONFLICT (version) DO UPDATE SET checksum = EXCLUDED.checksum, applied_at = now(),
             applied_by = session_user;
         COMMIT"
    );
    let file = format!("{version:04}_{name}.sql");
    if let Err(error) = client.batch_execute(&batch).await {
        drop(client.batch_execute("ROLLBACK").await);
        return Err(error::explain_file(error, &file));
    }
    Ok(())
}
