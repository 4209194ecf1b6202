//! Why there is no connection, and what to do.

use std::time::Duration;
use std::{fmt, io};

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::domain::text::clean;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The configured address, or its certificate file, cannot be used.
    BadAddress,
    /// TLS: the server's certificate is not accepted.
    Untrusted,
    Unreachable,
    /// The server did not answer in time.
    NoAnswer,
    Lost,
    /// `WRONGPASS`, `NOAUTH`: the password or the user is wrong or missing.
    NotAuthenticated,
    /// `NOPERM`: the user may not use these channels or commands.
    NoPermission,
    /// `LOADING`: the server loads its data.
    Loading,
    /// `READONLY`, `MASTERDOWN`, `CLUSTERDOWN`: a replica or cluster that cannot serve.
    NotReady,
    /// Any other error of the server or the library.
    Other,
}

impl Cause {
    /// Whether a retry cannot help until somebody changes something.
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
            Self::BadAddress => "invalid Redis address; check the configuration",
            Self::Untrusted => "Redis certificate not trusted",
            Self::Unreachable => "Redis unreachable",
            Self::NoAnswer => "no answer from Redis",
            Self::Lost => "Redis closed the connection",
            Self::NotAuthenticated => "Redis login refused; check user and password",
            Self::NoPermission => "Redis user lacks permission; grant its channels and commands",
            Self::Loading => "Redis is loading its data",
            Self::NotReady => "Redis is not ready",
            Self::Other => "Redis error",
        }
    }
}

/// Why there is no connection. Shows as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    pub cause: Cause,
    /// The message of the server or system, cleaned; may be empty.
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
        // The library drops the code of a NOPERM for SELECT, but keeps the message.
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
        // Before "dropped": the library counts a refusal as one.
        _ if error.is_connection_refusal() => Cause::Unreachable,
        _ if error.is_connection_dropped() => Cause::Lost,
        _ if error.is_io_error() => Cause::Unreachable,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("-WRONGPASS invalid username-password pair\r\n", Cause::NotAuthenticated)]
    #[case("-NOAUTH Authentication required.\r\n", Cause::NotAuthenticated)]
    #[case("-NOPERM this user has no permissions to run 'psubscribe'\r\n", Cause::NoPermission)]
    #[case("-LOADING Redis is loading the dataset in memory\r\n", Cause::Loading)]
    #[case("-MASTERDOWN Link with MASTER is down\r\n", Cause::NotReady)]
    #[case("-CLUSTERDOWN The cluster is down\r\n", Cause::NotReady)]
    #[case("-READONLY You can't write against a read only replica.\r\n", Cause::NotReady)]
    #[case("-ERR \u{1b}[2J\r\n", Cause::Other)]
    fn errors_of_the_server_are_classified_and_cleaned(#[case] answer: &str, #[case] cause: Cause) {
        let value: Value = redis::parse_redis_value(answer.as_bytes()).unwrap();
        let down = Down::from_error(&value.extract_error().unwrap_err());
        assert_eq!(down.cause, cause, "{down}");
        let said = answer.trim_start_matches('-').trim_end();
        assert!(down.to_string().contains(&clean(said)), "{down}");
        assert!(!down.to_string().contains('\u{1b}'));
    }
}
