//! The running console: one loop that owns the model, and the tasks around it.
//!
//! [`run`] starts the feed and the polls, reads keys, draws, and performs the effects that
//! [`crate::app::update`] returns. Nothing else holds the model, and the loop waits only for its own
//! queues.

mod cadence;
pub mod clock;
mod console;
mod effects;
mod error;
mod input;
pub mod journal;
pub mod poll;
mod presence;
pub mod screen;
pub mod terminal;

pub use clock::Clock;
pub use console::{Console, Display, Exit, Queues};
pub use effects::EffectRunner;
pub use error::RunError;
pub use input::{chord, translate};

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::EventStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::app::{self, Msg};
use crate::feed::board::Board;
use crate::feed::publish::Announcer;
use crate::feed::{self, supervise};
use crate::store::Store;
use crate::ui::Theme;
use journal::{Intent, Journal};
use screen::Screen;
use terminal::Terminal;

/// Bound of the queue of replies and rows. When it is full the sender waits: nothing is dropped, and
/// a slow screen slows polling.
const REPLIES: usize = 256;

/// Bound of the queue of feed reports. When it is full the feed folds them and does not wait.
const REPORTS: usize = 64;

#[derive(Debug)]
pub struct Options {
    pub store: Store,
    pub feed: feed::Options,
    /// Options of the model.
    pub app: app::Options,
    pub theme: Theme,
    /// Shortest interval between frames, averaged over a second.
    pub frame_every: Duration,
    /// Interval of polls.
    pub poll_every: Duration,
    /// Interval of full reads.
    pub reconcile_every: Duration,
    /// Holds every request before it is sent; `None` keeps nothing.
    pub journal: Option<Journal>,
    /// Unconfirmed writes of earlier processes: their outcome is queried first.
    pub left: Vec<Intent>,
    /// Journals that cannot be read whole, as sentences.
    pub damage: Vec<String>,
}

/// Runs the console until it is quit or `stop` is cancelled, and restores the terminal.
///
/// # Errors
///
/// [`RunError`] if the terminal cannot be used. An unreachable server is no error: the screen shows
/// it, and the console retries.
pub async fn run(options: Options, stop: CancellationToken) -> Result<Exit, RunError> {
    let clock = Clock::start();
    let terminal = Terminal::enter()?;
    let screen = Screen::new(options.theme)?;
    let board = Arc::new(Board::new());
    let (reply, replies) = mpsc::channel(REPLIES);
    let (report, reports) = mpsc::channel(REPORTS);
    let tasks = stop.child_token();
    let announcer = Announcer::new(options.feed.clone());
    let feed =
        tokio::spawn(supervise::run(options.feed, Arc::clone(&board), report, tasks.clone()));
    let (poller, doorbell) = poll::Poller::new(
        options.store.clone(),
        clock.clone(),
        reply.clone(),
        options.poll_every,
        options.reconcile_every,
    );
    let polls = tokio::spawn(poller.run(tasks.clone()));
    let (who, session) = watch::channel(None);
    let present = tokio::spawn(presence::keep(
        announcer.clone(),
        session,
        Clock::fresh_key().0,
        clock.now().to_rfc3339(),
        tasks.clone(),
    ));
    if !options.damage.is_empty() {
        reply.send(Msg::JournalDamaged(options.damage)).await.ok();
    }
    if !options.left.is_empty() {
        let writes = options.left.into_iter().map(|left| (left.request, left.summary)).collect();
        // The queue is empty: there is room.
        reply.send(Msg::WritesLeft(writes)).await.ok();
    }
    let hands = EffectRunner::new(options.store, announcer, clock.clone(), reply, doorbell.clone())
        .with_journal(options.journal);
    let suspend = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
    let suspend = Some(suspend);
    let queues = Queues { replies, reports, board, doorbell, suspend, who, stop };
    let mut console = Console::new(options.app, clock, screen, hands, options.frame_every);
    let exit = console.run(EventStream::new(), queues).await;
    tasks.cancel();
    drop(console);
    drop(terminal);
    // They watch the token; a hanging connection ends with the process.
    let parting = async { tokio::join!(feed, polls, present) };
    if tokio::time::timeout(Duration::from_millis(500), parting).await.is_err() {
        tracing::debug!("a task did not end in time");
    }
    Ok(exit?)
}
