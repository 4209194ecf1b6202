//! The event loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crossterm::event::Event;
use futures_util::{Stream, StreamExt};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::cadence::Cadence;
use super::clock::Clock;
use super::effects::{EffectRunner, report};
use super::input::translate;
use super::poll::Doorbell;
use crate::app::msg::FeedCounts;
use crate::app::ticket::Stage;
use crate::app::{self, Effect, Model, Msg, update};
use crate::domain::session::Session;
use crate::feed::board::Board;
use crate::feed::supervise::FeedReport;
use crate::ui::Shown;

/// A screen to draw on.
pub trait Display {
    /// Whether a frame is still being written.
    fn is_busy(&self) -> bool;

    /// Waits until the frame is written. Cancel safe.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn written(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Draws a whole frame.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn draw(&mut self, model: &Model) -> io::Result<Shown>;

    /// Makes the next frame write every cell.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn clear(&mut self) -> io::Result<()>;

    /// Suspends the process, with the terminal restored meanwhile.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn suspend(&mut self) -> io::Result<()>;

    /// Sends bytes other than a frame: bell, clipboard.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Left,
    /// A signal, or the terminal is gone.
    Stopped,
}

#[derive(Debug)]
pub struct Queues {
    pub replies: mpsc::Receiver<Msg>,
    /// Reports of the feed.
    pub reports: mpsc::Receiver<FeedReport>,
    pub board: Arc<Board>,
    pub doorbell: Doorbell,
    /// SIGTSTP (Ctrl-Z); `None` in tests.
    pub suspend: Option<Signal>,
    /// The session, for the task that publishes presence.
    pub who: watch::Sender<Option<Session>>,
    pub stop: CancellationToken,
}

async fn asked(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The loop and its state.
#[derive(Debug)]
pub struct Console<D> {
    model: Model,
    clock: Clock,
    display: D,
    hands: EffectRunner,
    cadence: Cadence,
    /// The screen does not show the model's state.
    is_dirty: bool,
    /// A frame is being written, with what it shows.
    showing: Option<Shown>,
    exit: Option<Exit>,
    frames: u64,
}

impl<D: Display> Console<D> {
    pub fn new(
        options: app::Options,
        clock: Clock,
        display: D,
        hands: EffectRunner,
        frame_every: Duration,
    ) -> Self {
        let model = Model::new(options, clock.now());
        let cadence = Cadence::new(frame_every);
        let (is_dirty, showing, exit, frames) = (true, None, None, 0);
        Self { model, clock, display, hands, cadence, is_dirty, showing, exit, frames }
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn display(&self) -> &D {
        &self.display
    }

    /// Number of frames drawn.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Runs until the console is quit, the terminal is gone, or `stop` is cancelled.
    ///
    /// The order of the branches is fixed. Input precedes everything but the stop: a flood of replies
    /// or quotes never delays a key. The two timers precede the queues, because they limit themselves.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub async fn run<I>(&mut self, mut input: I, mut queues: Queues) -> io::Result<Exit>
    where
        I: Stream<Item = io::Result<Event>> + Unpin,
    {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let size = crossterm::terminal::size().unwrap_or(self.model.size);
        self.apply(Msg::Resized(size.0, size.1));
        loop {
            if let Some(exit) = self.exit {
                return Ok(exit);
            }
            let is_busy = self.display.is_busy();
            tokio::select! {
                biased;
                () = queues.stop.cancelled() => {
                    self.exit = Some(Exit::Stopped);
                }
                event = input.next() => self.take_input(event),
                () = asked(&mut queues.suspend) => self.suspend(),
                _ = second.tick() => {
                    self.tell_who(&queues.who);
                    self.tell_time();
                    self.is_dirty = true;
                }
                result = self.display.written(), if is_busy => {
                    result?;
                    self.frame_written();
                }
                () = sleep_until(self.cadence.next()), if self.is_dirty && !is_busy => {
                    let began = Instant::now();
                    self.draw(&queues.board)?;
                    self.cadence.drawn(began, Instant::now());
                }
                Some(msg) = queues.replies.recv() => self.apply(msg),
                Some(said) = queues.reports.recv() => self.take_report(said, &queues.doorbell),
                () = queues.board.changed(), if !self.is_dirty => self.is_dirty = true,
            }
        }
    }

    fn take_input(&mut self, event: Option<io::Result<Event>>) {
        match event {
            Some(Ok(event)) => {
                if let Some(msg) = translate(event) {
                    self.cadence.hurry(Instant::now());
                    self.tell_time();
                    self.apply(msg);
                }
            }
            // The terminal is gone; crossterm would report that endlessly.
            Some(Err(_)) | None => self.exit = Some(Exit::Stopped),
        }
    }

    fn take_report(&mut self, said: FeedReport, doorbell: &Doorbell) {
        if said.wants_resync() {
            doorbell.ring_for_all();
        } else if matches!(said, FeedReport::Event(_)) {
            doorbell.ring();
        }
        for msg in report(said) {
            self.apply(msg);
        }
    }

    fn tell_who(&self, who: &watch::Sender<Option<Session>>) {
        who.send_if_modified(|known| {
            let is_news = *known != self.model.session;
            if is_news {
                known.clone_from(&self.model.session);
            }
            is_news
        });
    }

    fn tell_time(&mut self) {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let effects = update(&mut self.model, Msg::TimePassed { now, elapsed });
        self.perform(effects);
    }

    /// Applies a message. One that changes nothing on the screen draws no frame: an idle console draws
    /// once a second, for its clock.
    fn apply(&mut self, msg: Msg) {
        let is_quiet = matches!(msg, Msg::Confirmed { .. } | Msg::FeedCounted(_));
        let was_down = is_quiet && !self.model.database.is_up();
        let effects = update(&mut self.model, msg);
        self.is_dirty |= !is_quiet || was_down;
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Quit => self.exit = Some(Exit::Left),
                Effect::Redraw => self.try_display(Display::clear),
                Effect::Suspend => self.suspend(),
                Effect::Bell => self.try_display(|display| display.send(b"\x07")),
                Effect::Copy(text) => {
                    let bytes = osc52(&text);
                    self.try_display(|display| display.send(&bytes));
                }
                Effect::Assess { .. }
                | Effect::Write(_)
                | Effect::Resolve(_)
                | Effect::LookAgain
                | Effect::ReadAll
                | Effect::ReadBars { .. }
                | Effect::PreviewLimit(_)
                | Effect::ReadLimitTypes => {
                    if let Some(refused) = self.hands.perform(effect, &self.model) {
                        self.apply(refused);
                    }
                }
            }
        }
    }

    fn suspend(&mut self) {
        self.try_display(Display::suspend);
        self.tell_time();
        self.apply(Msg::Resumed);
    }

    fn try_display(&mut self, act: impl FnOnce(&mut D) -> io::Result<()>) {
        if act(&mut self.display).is_err() {
            self.exit = Some(Exit::Stopped);
        }
        self.is_dirty = true;
    }

    fn draw(&mut self, board: &Board) -> io::Result<()> {
        self.tell_time();
        let quotes = board.drain();
        if !quotes.is_empty() {
            self.apply(Msg::QuotesArrived(quotes));
        }
        let counts = board.counters();
        self.apply(Msg::FeedCounted(FeedCounts {
            received: counts.quotes,
            replaced: counts.replaced,
            dropped: counts.dropped,
            gaps: counts.gaps,
        }));
        self.is_dirty = false;
        let shown = self.display.draw(&self.model)?;
        self.frames = self.frames.saturating_add(1);
        self.showing = Some(shown);
        if !self.display.is_busy() {
            self.frame_written();
        }
        Ok(())
    }

    /// The frame is on the screen: from now on it can have been read.
    fn frame_written(&mut self) {
        let Some(shown) = self.showing.take() else { return };
        let elapsed = self.clock.elapsed();
        let is_dirty = self.is_dirty;
        self.apply(Msg::FrameShown { elapsed, heights: shown.heights, scrolled: shown.scrolled });
        // A written frame causes another one only to show that `y` is enabled.
        self.is_dirty = is_dirty || self.is_arming(elapsed);
    }

    fn is_arming(&self, elapsed: Duration) -> bool {
        self.model.ticket().is_some_and(|ticket| match ticket.stage {
            Stage::Review { armed_at: Some(at) } => elapsed < at,
            Stage::Review { armed_at: None } | Stage::Editing | Stage::Sending | Stage::Unknown => {
                false
            }
        })
    }
}

/// Returns the escape sequence (OSC 52) that copies `text` to the terminal's clipboard, over SSH too.
fn osc52(text: &str) -> Vec<u8> {
    let mut bytes = b"\x1b]52;c;".to_vec();
    bytes.extend(BASE64_STANDARD.encode(text).into_bytes());
    bytes.push(0x07);
    bytes
}
