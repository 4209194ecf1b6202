//! A reason of ours inside the driver's error: the only one that the pool passes on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, Error, NoTls};

use crate::store::error::Unreachable;

/// Puts a reason into the only error type that the pool passes on. [`Error`] has no constructor;
/// it wraps what a stream answers, so the reason is answered by a stream that does nothing else.
pub(super) async fn carried(reason: Unreachable) -> Error {
    let mut config = Config::new();
    config.user("nobody").ssl_mode(SslMode::Disable);
    let mut stream = Broken(Some(reason.clone()));
    loop {
        if let Err(error) = config.connect_raw(&mut stream, NoTls).await {
            return error;
        }
    }
}

/// Returns the reason that [`carried`] put into an error.
pub(in crate::store) fn reason_in(error: &Error) -> Option<&Unreachable> {
    std::error::Error::source(error)?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// A stream whose every use fails with a reason.
struct Broken(Option<Unreachable>);

impl Broken {
    fn broken<T>(&mut self) -> Poll<io::Result<T>> {
        Poll::Ready(Err(match self.0.take() {
            Some(reason) => io::Error::other(reason),
            None => io::ErrorKind::BrokenPipe.into(),
        }))
    }
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.broken()
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.broken()
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.broken()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.broken()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reason_survives_the_pool_s_error_type() {
        let reason = Unreachable::Full { at: "db1:5432".to_owned() };
        let error = carried(reason.clone()).await;
        assert_eq!(reason_in(&error), Some(&reason));
    }
}
