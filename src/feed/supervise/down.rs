//! Why there is no connection, in words that say what to do.

use std::time::Duration;
use std::{fmt, io};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::domain::text::clean;

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The address in the configuration cannot be used, or what belongs to it.
    BadAddress,
    /// TLS: the server's certificate is not accepted.
    Untrusted,
    /// Nobody listens there.
    Unreachable,
    /// The server did not answer in time.
    NoAnswer,
    /// The connection was cut.
    Lost,
    /// `WRONGPASS`, `NOAUTH`: the password or the user is wrong or missing.
    NotAuthenticated,
    /// `NOPERM`: the user may not use these channels or commands.
    NoPermission,
    /// `LOADING`: the server reads its data.
    Loading,
    /// `READONLY`, `MASTERDOWN`, `CLUSTERDOWN`: the server is part of a group that is not whole.
    NotReady,
    /// Anything else that the server or the library said.
    Other,
}

impl Cause {
    /// Tells whether it lasts until somebody changes something.
    pub fn needs_a_person(self) -> bool {
        match self {
            Self::BadAddress | Self::Untrusted | Self::NotAuthenticated | Self::NoPermission => {
                true
            }
            Self::Unreachable
            | Self::NoAnswer
            | Self::Lost
            | Self::Loading
            | Self::NotReady
            | Self::Other => false,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::BadAddress => "the Redis address cannot be used, correct it in the configuration",
            Self::Untrusted => "the certificate of Redis is not accepted",
            Self::Unreachable => "Redis is not reachable",
            Self::NoAnswer => "Redis does not answer",
            Self::Lost => "Redis closed the connection",
            Self::NotAuthenticated => "Redis refuses the login, check user and password",
            Self::NoPermission => "the Redis user lacks a right, ask for its channels and commands",
            Self::Loading => "Redis is loading its data",
            Self::NotReady => "Redis is not ready",
            Self::Other => "Redis reports an error",
        }
    }
}

/// Why there is no connection. Shows as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// The kind of trouble.
    pub cause: Cause,
    /// The server's or the system's own words, cleaned; empty if there were none.
    pub detail: String,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.advice())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl Down {
    pub(in crate::feed) fn lost() -> Self {
        Self { cause: Cause::Lost, detail: String::new() }
    }

    pub(in crate::feed) fn no_answer(within: Duration) -> Self {
        Self { cause: Cause::NoAnswer, detail: format!("waited {} ms", within.as_millis()) }
    }

    pub(in crate::feed) fn bad_address(why: &str) -> Self {
        Self { cause: Cause::BadAddress, detail: clean(why) }
    }

    pub(in crate::feed) fn from_io(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let cause = match (tls, error.kind()) {
            (Some(rustls::Error::InvalidCertificate(_)), _) => Cause::Untrusted,
            (_, io::ErrorKind::TimedOut) => Cause::NoAnswer,
            _ => Cause::Unreachable,
        };
        Self { cause, detail: clean(&error.to_string()) }
    }

    pub(in crate::feed) fn from_error(error: &RedisError) -> Self {
        let said = match (error.code(), error.detail()) {
            (Some(code), Some(detail)) => format!("{code} {detail}"),
            _ => error.to_string(),
        };
        Self { cause: cause(error), detail: clean(&said) }
    }
}

fn cause(error: &RedisError) -> Cause {
    match (error.kind(), error.code()) {
        (ErrorKind::InvalidClientConfig, _) => Cause::BadAddress,
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
            Cause::NotAuthenticated
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => Cause::NoPermission,
        // What the library makes of a NOPERM for SELECT; the code is lost, the words are not.
        _ if error.detail().is_some_and(|said| said.contains("has no permissions")) => {
            Cause::NoPermission
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => Cause::Loading,
        (
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain,
            ),
            _,
        ) => Cause::NotReady,
        _ if error.is_timeout() => Cause::NoAnswer,
        // Before "dropped", of which the library takes a refusal for a kind.
        _ if error.is_connection_refusal() => Cause::Unreachable,
        _ if error.is_connection_dropped() => Cause::Lost,
        _ if error.is_io_error() => Cause::Unreachable,
        _ => Cause::Other,
    }
}
