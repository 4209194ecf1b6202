//! What can go wrong between the console and PostgreSQL, as what a person can do about it.

use std::time::Duration;

use crate::domain::code::Code;
use thiserror::Error as ThisError;
use tokio_postgres::Error;

use crate::domain::text::clean;

/// Why the database did not give what was asked for.
///
/// The refusal of a write by a rule of the desk is not among these: that is an answer, and comes as
/// [`crate::domain::outcome::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum StoreError {
    /// No connection, or it was lost. Try again: it may come back by itself.
    #[error(transparent)]
    Unavailable(#[from] Unreachable),
    /// What was only tried would be refused.
    #[error("{message}")]
    WouldBeRefused { code: Code, message: String },
    /// The login lacks a right.
    #[error("permission denied: {0}")]
    NotPermitted(String),
    /// Tables or functions of the console are missing.
    #[error(
        "required tables or functions are missing ({}); run `tmt migrate` with a login that may",
        .missing.join(", ")
    )]
    SchemaMissing {
        /// `table accounts`, `function desk.place_trade` …; at most five, then how many more.
        missing: Vec<String>,
    },
    /// The schema is older than this program.
    #[error("the database has schema {found}, this program needs {wanted}; run `tmt migrate`")]
    SchemaOlder { found: i32, wanted: i32 },
    /// The schema is newer than this program.
    #[error("the database has schema {found}, this program knows {wanted}; install a newer tmt")]
    SchemaNewer { found: i32, wanted: i32 },
    /// A value that cannot be what its column promises. Stop and look.
    #[error("{table}.{column} cannot be read: {why}")]
    Corrupt {
        table: String,
        column: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server did not finish in time. It may just be busy.
    #[error("{what} took longer than {} ms", .after.as_millis())]
    Timeout { what: &'static str, after: Duration },
    /// The server refused the statement.
    #[error("the database refused: {message} (SQLSTATE {code})")]
    Rejected { code: String, message: String },
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Unreachable {
    /// Nothing listens there.
    #[error(
        "no PostgreSQL server at {at} ({why}); start one, or set DATABASE_URL \
         (`tmt demo` brings its own)"
    )]
    NoServer {
        at: String,
        /// The system's word for it.
        why: String,
    },
    /// The name cannot be looked up.
    #[error("the host of {at} is not known ({why}); check its spelling and the network")]
    UnknownHost {
        at: String,
        /// The resolver's word for it.
        why: String,
    },
    /// It accepts, but does not answer.
    #[error("{at} did not finish the login within {} ms", .after.as_millis())]
    Silent { at: String, after: Duration },
    #[error("the password of login {user} was not accepted by {at}")]
    WrongPassword { user: String, at: String },
    /// No password at all.
    #[error(
        "{at} asks for the password of login {user}; put it into PGPASSWORD, ~/.pgpass or \
         password_command"
    )]
    NoPassword { user: String, at: String },
    /// The login does not exist or may not come in.
    #[error("{at} does not let login {user} in: {why}")]
    NoEntry { user: String, at: String, why: String },
    /// The database does not exist.
    #[error("{at} has no database {name:?}; create it, or correct the name in DATABASE_URL")]
    NoDatabase { name: String, at: String },
    /// The server's connections are used up.
    #[error("{at} has no connection left (max_connections, or the login's limit)")]
    Full { at: String },
    /// The server starts, stops or recovers.
    #[error("{at} is not ready: {why}")]
    NotReady { at: String, why: String },
    #[error("{at} takes no writes: it is a standby, or read-only")]
    ReadOnly { at: String },
    /// Encryption is required and cannot be had.
    #[error(
        "no trustworthy encrypted connection to {at}: {why}; name the root certificate with \
         sslrootcert, or accept less with sslmode=disable"
    )]
    Tls { at: String, why: String },
    /// A file or program that was to give the password or the certificates did not.
    #[error("{0}")]
    Secret(String),
    /// Every pooled connection is in use.
    #[error("all {0} connections are in use")]
    Busy(&'static str),
    #[error("the connection to the database was lost ({0})")]
    Lost(String),
}

impl Unreachable {
    /// Orders reasons by how much they say. Of several servers that all failed, the one that
    /// answered and refused is worth more to a person than the one that was not there.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::WrongPassword { .. }
            | Self::NoPassword { .. }
            | Self::NoEntry { .. }
            | Self::NoDatabase { .. }
            | Self::Secret(_) => 5,
            Self::Tls { .. } | Self::Full { .. } => 4,
            Self::NotReady { .. } | Self::ReadOnly { .. } => 3,
            Self::Silent { .. } | Self::UnknownHost { .. } => 2,
            Self::NoServer { .. } | Self::Busy(_) | Self::Lost(_) => 1,
        }
    }
}

impl StoreError {
    /// Tells whether waiting does not help: somebody has to put it right.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::WouldBeRefused { .. }
            | Self::NotPermitted(_)
            | Self::SchemaMissing { .. }
            | Self::SchemaOlder { .. }
            | Self::SchemaNewer { .. } => true,
            Self::Unavailable(why) => match why {
                Unreachable::WrongPassword { .. }
                | Unreachable::NoPassword { .. }
                | Unreachable::NoEntry { .. }
                | Unreachable::NoDatabase { .. }
                | Unreachable::Tls { .. }
                | Unreachable::Secret(_) => true,
                Unreachable::NoServer { .. }
                | Unreachable::UnknownHost { .. }
                | Unreachable::Silent { .. }
                | Unreachable::Full { .. }
                | Unreachable::NotReady { .. }
                | Unreachable::ReadOnly { .. }
                | Unreachable::Busy(_)
                | Unreachable::Lost(_) => false,
            },
            Self::Corrupt { .. } | Self::Timeout { .. } | Self::Rejected { .. } => false,
        }
    }

    /// Puts a failed statement into words. `after` is the client's deadline.
    pub(crate) fn of_statement(what: &'static str, after: Duration, error: &Error) -> Self {
        let Some(refused) = error.as_db_error() else {
            let source = std::error::Error::source(error).map(ToString::to_string);
            return Unreachable::Lost(clean(&source.unwrap_or_else(|| error.to_string()))).into();
        };
        let message = clean(refused.message());
        match refused.code().code() {
            "42501" => Self::NotPermitted(message),
            "42P01" | "42883" | "42703" | "3F000" => Self::SchemaMissing { missing: vec![message] },
            "57014" | "55P03" => Self::Timeout { what, after },
            "57P01" | "57P02" | "57P03" => Unreachable::Lost(message).into(),
            "TR030" => Self::WouldBeRefused {
                code: Code::read(refused.detail().unwrap_or_default()),
                message,
            },
            code => Self::Rejected { code: code.to_owned(), message },
        }
    }
}
