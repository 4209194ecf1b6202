//! Throttles the connection while messages wait to be read.
//!
//! The library reads the connection in a task of its own and queues messages without a bound; with a
//! slightly slower reader the queue grew from 9 to 379 MiB in 5 s. Here the task may read only a
//! window of bytes ahead of the messages that were taken. The rest stays with Redis, which closes a
//! subscriber's connection at 32 MiB: a gap that is noticed and shown.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::Stream as _;
use futures_util::task::AtomicWaker;
use redis::Msg;
use redis::aio::PubSubStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

/// The window in bytes: half a second of 100,000 quotes a second, several times that in memory.
const AHEAD: usize = 8 << 20;

/// Protocol bytes of a message beside its text. Slightly low, so that the count errs only in the
/// direction that an empty queue corrects.
const FRAME: usize = 32;

/// How far the library's task has read ahead.
#[derive(Debug, Default)]
struct Window {
    ahead: AtomicUsize,
    reader: AtomicWaker,
    taker: AtomicWaker,
}

impl Window {
    fn is_full(&self) -> bool {
        self.ahead.load(Ordering::Acquire) >= AHEAD
    }

    fn taken(&self, bytes: usize) {
        let before = self.ahead.load(Ordering::Acquire);
        self.ahead.fetch_sub(bytes.min(before), Ordering::AcqRel);
        if before >= AHEAD {
            self.reader.wake();
        }
    }

    fn emptied(&self) {
        if self.ahead.swap(0, Ordering::AcqRel) >= AHEAD {
            self.reader.wake();
        }
    }
}

/// The connection as the library's task reads it.
#[derive(Debug)]
pub(super) struct Gate<S> {
    stream: S,
    window: Arc<Window>,
}

/// The reader's side of a [`Gate`].
#[derive(Debug)]
pub(super) struct Keeper(Arc<Window>);

pub(super) fn gated<S>(stream: S) -> (Gate<S>, Keeper) {
    let window = Arc::new(Window::default());
    (Gate { stream, window: Arc::clone(&window) }, Keeper(window))
}

impl Keeper {
    /// Returns the next message; `Ready(None)` when the connection has ended.
    pub(super) fn poll_next(
        &self,
        queue: &mut PubSubStream,
        context: &mut Context<'_>,
    ) -> Poll<Option<Msg>> {
        // Before the queue is checked: a gate that closes in between must wake this task, or a message
        // larger than the window would never be complete.
        self.0.taker.register(context.waker());
        let next = Pin::new(queue).poll_next(context);
        match &next {
            Poll::Ready(Some(message)) => {
                let texts = message.get_payload_bytes().len() + message.get_channel_name().len();
                self.0.taken(texts + FRAME);
            }
            // Pending may also mean a yield, with messages left.
            Poll::Pending if coop::has_budget_remaining() => self.0.emptied(),
            Poll::Pending | Poll::Ready(None) => {}
        }
        next
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.window.is_full() {
            self.window.reader.register(context.waker());
            self.window.taker.wake();
            // Checked again: it may have been emptied before the waker was set.
            if self.window.is_full() {
                return Poll::Pending;
            }
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        self.window.ahead.fetch_add(bytes, Ordering::AcqRel);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_window_is_read_ahead() {
        const PIECE: usize = 1 << 16;
        let (near, mut far) = duplex(PIECE);
        let (mut gate, Keeper(window)) = gated(near);
        let mut buffer = vec![0; PIECE];
        let piece = buffer.clone();
        let flood = tokio::spawn(async move { while far.write_all(&piece).await.is_ok() {} });
        let mut read = 0;

        // The paused clock advances only when every task is blocked.
        while let Ok(bytes) = timeout(Duration::from_secs(1), gate.read(&mut buffer)).await {
            read += bytes.unwrap();
        }
        assert!((AHEAD..AHEAD + PIECE).contains(&read), "{read}");

        window.taken(read - AHEAD + 1);
        assert!(timeout(Duration::from_secs(1), gate.read(&mut buffer)).await.is_ok());
        flood.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_closing_gate_wakes_the_reader_of_a_large_message() {
        let (near, mut far) = duplex(64);
        let (mut gate, Keeper(window)) = gated(near);
        window.ahead.store(AHEAD, Ordering::Release);
        far.write_all(b"x").await.unwrap();
        let mut is_first = true;
        let taker = poll_fn(|context| {
            window.taker.register(context.waker());
            if std::mem::take(&mut is_first) {
                return Poll::Pending;
            }
            window.emptied();
            Poll::Ready(())
        });

        let mut byte = [0];
        let (read, ()) = tokio::join!(gate.read(&mut byte), async {
            timeout(Duration::from_secs(1), taker).await.expect("woken by the gate");
        });

        assert_eq!(read.unwrap(), 1);
    }
}
