//! Why a login failed, in words that a person can act on.

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use super::Dialer;
use crate::domain::text::clean;
use crate::store::error::Unreachable;
use crate::store::options::Server;

impl Dialer {
    /// Puts a failed login into words. The server's own sentences are cleaned: they are text from
    /// outside, in the server's language.
    pub(super) fn reason(&self, server: &Server, error: &Error) -> Unreachable {
        let (at, user) = (server.to_string(), self.user().to_owned());
        if let Some(refused) = error.as_db_error() {
            return self.refused(at, user, refused);
        }
        let source = std::error::Error::source(error);
        let why = clean(&source.map_or_else(|| error.to_string(), ToString::to_string));
        if error.to_string().starts_with("error performing TLS") {
            return Unreachable::Tls { at, why };
        }
        if why == "password missing" {
            return Unreachable::NoPassword { user, at };
        }
        let kind = source.and_then(|s| s.downcast_ref::<io::Error>()).map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::PermissionDenied) if why.contains("does not allow writes") => {
                Unreachable::ReadOnly { at }
            }
            Some(io::ErrorKind::PermissionDenied) if why.contains("not read only") => {
                Unreachable::NotReady { at, why }
            }
            Some(io::ErrorKind::TimedOut) => {
                Unreachable::Silent { at, after: self.options().deadlines.handshake }
            }
            _ if why.contains("lookup") => Unreachable::UnknownHost { at, why },
            _ => Unreachable::NoServer { at, why },
        }
    }

    fn refused(&self, at: String, user: String, refused: &DbError) -> Unreachable {
        let why = clean(refused.message());
        match refused.code().code() {
            "28P01" => Unreachable::WrongPassword { user, at },
            "3D000" => Unreachable::NoDatabase { name: self.database().to_owned(), at },
            "53300" => Unreachable::Full { at },
            code if code.starts_with("28") || code.starts_with("42") => {
                Unreachable::NoEntry { user, at, why }
            }
            _ => Unreachable::NotReady { at, why },
        }
    }
}
