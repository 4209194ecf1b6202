//! What travels over Redis: decoding of everything that arrives, encoding of all that is sent.
//!
//! Decoding trusts nothing. A payload is bounded in bytes and depth before it is parsed, numbers
//! are read from their own digits and never pass through a binary float, and each text that can
//! reach the screen goes through [`clean`](crate::domain::text::clean). What cannot be taken is
//! [`Dropped`] with a reason, never an error that stops the reader.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use thiserror::Error;

use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;

mod decimal;
mod encode;
mod event;
mod event_types;
mod json;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
mod tick;

pub use encode::{Outgoing, encode_event, encode_heartbeat, encode_quote};
pub use event::{BusEvent, Ring};
pub use event_types::{EVENTS, EventType};

/// Longest payload that is parsed, in bytes. Redis cuts a subscriber off at 32 MiB of backlog; one
/// event of TMT has a few hundred bytes.
pub const LONGEST_PAYLOAD: usize = 1 << 20;

/// Deepest nesting that is parsed.
pub const DEEPEST: usize = 32;

/// Longest name of an instrument: the columns are `VARCHAR(20)`.
pub const LONGEST_NAME: usize = 20;

/// Most instruments that a decoder and a board keep, so that a publisher of random names cannot
/// fill the memory. A desk trades dozens; OANDA offers fewer than 150.
pub const MOST_INSTRUMENTS: usize = 4096;

/// Names of the channels. A desk with other names sets them in `[feed]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// What stands before an event's type: `events:`.
    pub events: String,
    /// Behind that, the channel that carries every event a second time: `all`.
    pub all: String,
    /// What stands before an instrument's name: `ticks:`.
    pub ticks: String,
    /// Behind that, the channel of the publisher's sign of life: `heartbeat`.
    pub heartbeat: String,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            events: "events:".to_owned(),
            all: "all".to_owned(),
            ticks: "ticks:".to_owned(),
            heartbeat: "heartbeat".to_owned(),
        }
    }
}

impl Channels {
    /// Returns the channel of one event type.
    pub fn event(&self, event_type: &str) -> String {
        format!("{}{event_type}", self.events)
    }

    /// Returns the channel that carries every event.
    pub fn every_event(&self) -> String {
        format!("{}{}", self.events, self.all)
    }

    /// Returns the channel of one instrument's prices.
    pub fn tick(&self, instrument: &str) -> String {
        format!("{}{instrument}", self.ticks)
    }

    /// Returns the channel of the publisher's heartbeat.
    pub fn heartbeats(&self) -> String {
        format!("{}{}", self.ticks, self.heartbeat)
    }

    /// Returns the patterns that cover every channel here. What a pattern would read as a wildcard
    /// in a prefix is escaped.
    pub fn patterns(&self) -> [String; 2] {
        [&self.events, &self.ticks].map(|prefix| {
            let mut pattern = String::with_capacity(prefix.len() + 1);
            for character in prefix.chars() {
                if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(character);
            }
            pattern.push('*');
            pattern
        })
    }
}

/// Something that arrived and can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    Quote(Quote),
    /// The publisher of prices lives, though none may move.
    Heartbeat {
        time: DateTime<Utc>,
    },
    /// Something changed. Every event arrives on two channels; [`BusEvent::copy`] says which one
    /// this is.
    Event(Box<BusEvent>),
}

/// Why a message was thrown away. Each one is counted per channel, and the last good price stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Dropped {
    /// Not a channel that the console knows.
    #[error("unknown channel")]
    UnknownChannel,
    /// Over [`LONGEST_PAYLOAD`].
    #[error("payload over 1 MiB")]
    TooLong,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotText,
    /// Nested deeper than [`DEEPEST`].
    #[error("nested deeper than 32")]
    TooDeep,
    #[error("not a JSON object")]
    NotJson,
    /// The same key twice: two readers could believe two things.
    #[error("the same key twice")]
    DuplicateKey,
    /// This field is not there, or null.
    #[error("no {0}")]
    Missing(&'static str),
    /// This field has another type, or a number that is none.
    #[error("{0} is not readable")]
    Unreadable(&'static str),
    /// The name in the payload is not the channel's.
    #[error("instrument differs from the channel")]
    OtherInstrument,
    /// Not a name that the database could hold.
    #[error("not a name of an instrument")]
    NotAName,
    /// One name more than [`MOST_INSTRUMENTS`].
    #[error("too many instruments")]
    TooManyInstruments,
    /// Bid or ask is zero or less.
    #[error("price is not above zero")]
    NotPositive,
    /// The bid is above the ask.
    #[error("bid above ask")]
    Crossed,
}

/// Turns messages into values. Keeps the names of the instruments it has seen, so that a quote
/// costs no allocation for its name.
#[derive(Debug)]
pub struct Decoder {
    channels: Channels,
    names: HashMap<Box<str>, InstrumentId>,
}

impl Decoder {
    /// Makes a decoder for channels of these names.
    pub fn new(channels: Channels) -> Self {
        Self { channels, names: HashMap::new() }
    }

    /// Decodes one message.
    ///
    /// # Errors
    ///
    /// [`Dropped`] says why the message cannot be used. Nothing panics, whatever arrives.
    pub fn decode(&mut self, channel: &[u8], payload: &[u8]) -> Result<Arrival, Dropped> {
        let channel = std::str::from_utf8(channel).map_err(|_| Dropped::UnknownChannel)?;
        if let Some(name) = channel.strip_prefix(self.channels.ticks.as_str()) {
            let tick = tick::Tick::read(json::checked(payload)?)?;
            if tick.is_heartbeat()? {
                return Ok(Arrival::Heartbeat { time: tick.time()? });
            }
            let instrument = self.instrument(name)?;
            tick.quote(instrument).map(Arrival::Quote)
        } else if let Some(name) = channel.strip_prefix(self.channels.events.as_str()) {
            let copy = if name == self.channels.all { Ring::Second } else { Ring::First };
            event::read(json::checked(payload)?, copy).map(Box::new).map(Arrival::Event)
        } else {
            Err(Dropped::UnknownChannel)
        }
    }

    fn instrument(&mut self, name: &str) -> Result<InstrumentId, Dropped> {
        if let Some(known) = self.names.get(name) {
            return Ok(known.clone());
        }
        if !is_name(name) || name == self.channels.heartbeat {
            return Err(Dropped::NotAName);
        }
        if self.names.len() >= MOST_INSTRUMENTS {
            return Err(Dropped::TooManyInstruments);
        }
        let new = InstrumentId::new(name);
        self.names.insert(Box::from(name), new.clone());
        Ok(new)
    }
}

/// Tells whether a name can stand in `instruments.instrument`: plain ASCII without blanks.
fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-:#^".contains(&byte))
}

/// Reads an ISO 8601 time. Without an offset it is taken as UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.to_utc()),
        Err(_) => text.parse::<NaiveDateTime>().ok().map(|naive| naive.and_utc()),
    }
}
