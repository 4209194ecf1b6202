//! Publishing: announcements of committed writes, presence, quotes and events of the simulation.
//!
//! Nothing here is part of a write: PostgreSQL commits before anything is announced. An announcement
//! can be lost or doubled, so it carries the request key, and whoever acts on it reads PostgreSQL.
//! Every call has a deadline and a result, so that the console can show "not announced".

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

/// Most quotes in one pipeline: one system call for about 150 KB, confirmed well within the deadline.
const QUOTES_AT_ONCE: usize = 1000;

/// Redis did not confirm. The message may have arrived; it is not resent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not announced: {0}")]
pub struct NotAnnounced(pub Down);

/// Announces on a connection of its own. Cheap to clone; the clones share the connection.
#[derive(Debug, Clone)]
pub struct Announcer {
    options: Arc<Options>,
    // An async mutex, held until Redis answers: announcements keep their order.
    link: Arc<Mutex<Link>>,
}

/// A running console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    pub operator: String,
    /// Unique per process.
    pub console: String,
    /// Fields to show: `host`, `role`, `environment`, `since`, `pane`, `row`.
    pub fields: Vec<(&'static str, String)>,
}

impl Announcer {
    /// Connects on first use.
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
        // The stream first: execution engines read their work from it.
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

    /// Records a running console. Expires after [`Options::presence_kept`].
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; nothing depends on presence.
    pub async fn present(&self, presence: &Presence) -> Result<(), NotAnnounced> {
        let key = self.session_key(presence);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HSET").arg(&key).arg(&presence.fields);
        pipeline.cmd("PEXPIRE").arg(&key).arg(self.presence_millis());
        self.send(&pipeline).await
    }

    /// Removes a console that was closed.
    ///
    /// # Errors
    ///
    /// [`NotAnnounced`] with the reason; the record expires by itself.
    pub async fn left(&self, presence: &Presence) -> Result<(), NotAnnounced> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(self.session_key(presence));
        self.send(&pipeline).await
    }

    /// Records that a console has a row open. Expires after [`Options::presence_kept`].
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

/// Publishes quotes and events of the simulation or a replay.
#[derive(Debug)]
pub struct Publisher {
    options: Options,
    link: Link,
}

impl Publisher {
    /// Connects on first use, and again after a failure.
    pub fn new(options: Options) -> Self {
        Self { link: Link::new(options.clone()), options }
    }

    /// Publishes quotes in order, each on its instrument's channel, a thousand per round trip.
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

    /// Publishes a heartbeat, due once a second.
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

    /// Publishes limits that went into warning or breach, so that consoles read them at once.
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
