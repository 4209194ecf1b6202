//! What goes out: announcements of committed writes, presence, and the bus of the simulated desk.
//!
//! Nothing here is part of a write. PostgreSQL has committed before anything is announced; an
//! announcement can be lost or doubled, so it carries the write's key, and whoever acts on it
//! reconciles with PostgreSQL. Every call has a deadline and a result, so that the console can
//! show "not announced".

use std::sync::Arc;

use chrono::{DateTime, Utc};
use redis::Pipeline;
use thiserror::Error;
use tokio::sync::Mutex;

use self::link::Link;
use super::Options;
use super::down::Down;
use super::wire::{Outgoing, encode_event, encode_heartbeat, encode_quote};
use crate::domain::quote::Quote;
use crate::domain::standing::LimitStanding;

mod announcement;
pub mod health;
mod link;
mod standing;

pub use announcement::{Announcement, Written, announcement};

/// Most quotes that travel in one pipeline: one system call for some 150 KB, and an answer well
/// within its deadline.
const QUOTES_AT_ONCE: usize = 1000;

/// Redis did not confirm it. It may have arrived all the same; it is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not announced: {0}")]
pub struct NotAnnounced(pub Down);

/// Announces on the connection of its own that only consoles with a right to publish have. Cheap to
/// clone; the clones share the connection and take turns.
#[derive(Debug, Clone)]
pub struct Announcer {
    options: Arc<Options>,
    // An asynchronous mutex, because it is held while Redis answers: announcements keep their order.
    link: Arc<Mutex<Link>>,
}

/// A console that is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    pub operator: String,
    /// Which of the operator's consoles: unique per process.
    pub console: String,
    /// What to show about it: `host`, `role`, `environment`, `since`, `pane`, `row`.
    pub fields: Vec<(&'static str, String)>,
}

impl Announcer {
    /// Makes an announcer; connects when it is first used.
    pub fn new(options: Options) -> Self {
        let link = Arc::new(Mutex::new(Link::new(options.clone())));
        Self { options: Arc::new(options), link }
    }

    /// Publishes a committed write on both channels of each of its events, and appends it to the
    /// stream of commands.
    ///
    /// Not cancel safe: dropped, the announcement may or may not have gone out.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] if Redis did not confirm all of it in time, with the reason.
    pub async fn announce(&self, announcement: &Announcement) -> Result<(), NotAnnounced> {
        let mut pipeline = Pipeline::new();
        // First what is kept: an execution engine takes its work from the stream.
        pipeline
            .cmd("XADD")
            .arg(&self.options.commands)
            .arg("MAXLEN")
            .arg("~")
            .arg(self.options.commands_kept)
            .arg("*")
            .arg(&announcement.command);
        for event in &announcement.events {
            publish_event(&mut pipeline, &self.options, event);
        }
        self.send(&pipeline).await
    }

    /// Says that a console is at work. Holds for [`Options::presence_kept`].
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; presence is a courtesy, nothing depends on it.
    pub async fn present(&self, presence: &Presence) -> Result<(), NotAnnounced> {
        let key = self.session_key(presence);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HSET").arg(&key).arg(&presence.fields);
        pipeline.cmd("PEXPIRE").arg(&key).arg(self.presence_millis());
        self.send(&pipeline).await
    }

    /// Says that a console was closed.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; the entry then ends by itself.
    pub async fn left(&self, presence: &Presence) -> Result<(), NotAnnounced> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(self.session_key(presence));
        self.send(&pipeline).await
    }

    /// Says that a console has this row open. Holds for [`Options::presence_kept`].
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason.
    pub async fn looking(&self, kind: &str, row: &str, console: &str) -> Result<(), NotAnnounced> {
        let key = format!("{}{kind}:{row}", self.options.looking);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("SADD").arg(&key).arg(console);
        pipeline.cmd("PEXPIRE").arg(&key).arg(self.presence_millis());
        self.send(&pipeline).await
    }

    fn session_key(&self, presence: &Presence) -> String {
        format!("{}{}:{}", self.options.sessions, presence.operator, presence.console)
    }

    fn presence_millis(&self) -> u64 {
        u64::try_from(self.options.presence_kept.as_millis()).unwrap_or(u64::MAX)
    }

    async fn send(&self, pipeline: &Pipeline) -> Result<(), NotAnnounced> {
        self.link.lock().await.send(pipeline).await.map_err(NotAnnounced)
    }
}

/// Feeds the bus: the simulated desk and the replay of recorded quotes.
#[derive(Debug)]
pub struct Publisher {
    options: Options,
    link: Link,
}

impl Publisher {
    /// Makes a publisher; connects when it is first used, and again after a failure.
    pub fn new(options: Options) -> Self {
        Self { link: Link::new(options.clone()), options }
    }

    /// Publishes quotes, each on its instrument's channel, in order. Fast: a thousand per round
    /// trip.
    ///
    /// Not cancel safe: dropped, some of them have gone out.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; those before the failure have gone out. The next call
    /// connects again.
    pub async fn quotes(&mut self, quotes: &[Quote]) -> Result<(), NotAnnounced> {
        for some in quotes.chunks(QUOTES_AT_ONCE) {
            let mut pipeline = Pipeline::with_capacity(some.len());
            for quote in some {
                let channel = self.options.channels.tick(quote.instrument.as_str());
                pipeline.cmd("PUBLISH").arg(channel).arg(encode_quote(quote)).ignore();
            }
            self.send(&pipeline).await?;
        }
        Ok(())
    }

    /// Publishes the sign of life that belongs on the bus once a second.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason.
    pub async fn heartbeat(&mut self, at: DateTime<Utc>) -> Result<(), NotAnnounced> {
        let mut pipeline = Pipeline::new();
        let channel = self.options.channels.heartbeats();
        pipeline.cmd("PUBLISH").arg(channel).arg(encode_heartbeat(at));
        self.send(&pipeline).await
    }

    /// Publishes events, each on its two channels.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason.
    pub async fn events(&mut self, events: &[Outgoing]) -> Result<(), NotAnnounced> {
        let mut pipeline = Pipeline::new();
        for event in events {
            publish_event(&mut pipeline, &self.options, event);
        }
        self.send(&pipeline).await
    }

    /// Says which limits are not well any more: consoles then look at once.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; nothing depends on it.
    pub async fn standings(&mut self, news: &[LimitStanding]) -> Result<(), NotAnnounced> {
        self.events(&standing::rings(news)).await
    }

    async fn send(&mut self, pipeline: &Pipeline) -> Result<(), NotAnnounced> {
        self.link.send(pipeline).await.map_err(NotAnnounced)
    }
}

fn publish_event(pipeline: &mut Pipeline, options: &Options, event: &Outgoing) {
    let body = encode_event(event);
    for channel in [options.channels.event(&event.event_type), options.channels.every_event()] {
        pipeline.cmd("PUBLISH").arg(channel).arg(&body);
    }
}
