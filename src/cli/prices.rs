//! Quotes from Redis for commands: the current price for a write that names none, and `--watch`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::feed::board::Board;
use crate::feed::supervise::{self, FeedReport};
use crate::feed::{self, board};

/// How long to wait for a quote. A liquid instrument has several per second.
const QUOTE_TIMEOUT: Duration = Duration::from_secs(2);

/// A subscription that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) board: Arc<Board>,
    pub(super) reports: mpsc::Receiver<FeedReport>,
    stop: CancellationToken,
}

impl Subscription {
    /// Starts the subscription; it reconnects until it is dropped.
    pub(super) fn open(options: feed::Options) -> Self {
        /// Callers read few reports; the feed folds those that do not fit.
        const REPORTS: usize = 16;
        let board = Arc::new(board::Board::new());
        let (report, reports) = mpsc::channel(REPORTS);
        let stop = CancellationToken::new();
        tokio::spawn(supervise::run(options, Arc::clone(&board), report, stop.clone()));
        Self { board, reports, stop }
    }

    /// Waits until Redis confirms the subscription.
    ///
    /// # Errors
    ///
    /// A sentence that says why there is no subscription.
    pub(super) async fn up(&mut self) -> Result<(), String> {
        loop {
            match self.reports.recv().await {
                Some(FeedReport::Up { .. }) => return Ok(()),
                Some(FeedReport::Down(down)) => return Err(down.to_string()),
                Some(_) => {}
                None => return Err("the feed ended".to_owned()),
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits for a quote of an instrument.
///
/// # Errors
///
/// A sentence that says why no quote came.
pub(super) async fn quote(
    options: feed::Options,
    instrument: &InstrumentId,
) -> Result<Quote, String> {
    let mut subscription = Subscription::open(options);
    let waiting = async {
        subscription.up().await?;
        loop {
            subscription.board.changed().await;
            let quotes = subscription.board.drain();
            if let Some(quote) = quotes.into_iter().find(|quote| quote.instrument == *instrument) {
                return Ok(quote);
            }
        }
    };
    let seconds = QUOTE_TIMEOUT.as_secs();
    timeout(QUOTE_TIMEOUT, waiting)
        .await
        .unwrap_or_else(|_| Err(format!("no quote for {instrument} within {seconds} s")))
}
