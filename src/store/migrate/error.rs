//! Why a database was not migrated.

use thiserror::Error as ThisError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::Finding;

/// Why a database was not migrated, and what to do.
#[derive(Debug, ThisError)]
pub enum MigrateError {
    /// Tables of TMT are there, and nobody said that they may be adopted.
    #[error(
        "this database holds tables of TMT ({}) that were never migrated; look at `tmt migrate \
         --check`, then run `tmt migrate --adopt` to keep them and add the console's",
        .tables.join(", ")
    )]
    NotAdopted { tables: Vec<String> },
    /// Rows or objects stand in the way; nothing was changed.
    #[error(
        "nothing was changed; obstacles ({}):\n{}",
        .obstacles.len(), list(.obstacles)
    )]
    Obstacles {
        /// Each with the rows it is about.
        obstacles: Vec<Finding>,
    },
    /// The database was migrated by a later program.
    #[error("the database has schema {found}, this program knows {known}; install a newer tmt")]
    Newer { found: i32, known: i32 },
    /// The rulebook was made by a later program.
    #[error(
        "the database has the rulebook of tmt {found}, this is tmt {known}; install a newer tmt"
    )]
    NewerRulebook { found: String, known: String },
    /// The database was made by a build of this program that was never released.
    #[error(
        "this database was migrated by an unreleased build of tmt (it has a table \
         desk.schema_migrations), whose schema cannot be upgraded; docs/UPGRADING.md says how to carry \
         its rows over into a new database"
    )]
    EarlierBuild,
    /// A file was changed after it had run here.
    #[error(
        "{file} was modified after it ran; a migration is never edited, \
         use the tmt that made this database or restore the file"
    )]
    Altered { file: String },
    /// The server is older than the migrations support.
    #[error("the server is PostgreSQL {found}; {needed} or newer is needed")]
    ServerTooOld {
        /// Major version of the server.
        found: i32,
        needed: i32,
    },
    /// The server is a standby.
    #[error("this server is a standby; migrate the primary")]
    ReadOnly,
    /// Another program holds the migration lock, or a lock that a file needs.
    #[error("another session holds a lock that migrating needs; wait for it and try again")]
    Busy,
    /// The login lacks a right.
    #[error(
        "this login may not {what}: {said}; migrate as a superuser, or as the owner of the \
         database with CREATEROLE"
    )]
    NotPermitted { what: String, said: String },
    /// A file failed; all was rolled back.
    #[error("{file} failed, nothing was changed: {said}")]
    Failed {
        file: String,
        /// What the server said, with its detail and hint.
        said: String,
    },
    /// The server took every file and yet is not at the last one. Run it again.
    #[error("the server did not keep what it confirmed; run `tmt migrate` again")]
    Unfinished,
    /// The connection failed, or an answer made no sense.
    #[error("the database did not answer: {0}")]
    Database(#[from] Error),
}

fn list(obstacles: &[Finding]) -> String {
    obstacles.iter().map(|finding| format!("  {finding}")).collect::<Vec<_>>().join("\n")
}

/// Names what was not permitted; every other error stays as it is.
pub(super) fn explain(error: Error, what: &str) -> MigrateError {
    match error.as_db_error() {
        Some(db) if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            MigrateError::NotPermitted { what: what.to_owned(), said: db.message().to_owned() }
        }
        _ => MigrateError::Database(error),
    }
}

/// Names the file in which the server stopped.
pub(super) fn explain_file(error: Error, file: &str) -> MigrateError {
    let Some(db) = error.as_db_error() else {
        return MigrateError::Database(error);
    };
    if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE {
        let said = db.message().to_owned();
        return MigrateError::NotPermitted { what: format!("run {file}"), said };
    }
    if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(db.code()) {
        return MigrateError::Busy;
    }
    let more = [db.detail(), db.hint(), db.where_()];
    let said = std::iter::once(db.message()).chain(more.into_iter().flatten());
    MigrateError::Failed { file: file.to_owned(), said: said.collect::<Vec<_>>().join("; ") }
}
