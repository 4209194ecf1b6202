//! Decodes and encodes the messages on Redis.
//!
//! Decoding trusts nothing. Payloads are bounded in bytes and depth before they are parsed, numbers
//! are read from their digits and never through a binary float, and text that can reach the screen
//! goes through [`clean`](crate::domain::text::clean). An invalid message is [`Dropped`] with a
//! reason; it never stops the reader.

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

/// Longest payload that is parsed, in bytes. An event of TMT has a few hundred.
pub const LONGEST_PAYLOAD: usize = 1 << 20;

/// Deepest nesting that is parsed.
pub const DEEPEST: usize = 32;

/// Longest name of an instrument: the columns are `VARCHAR(20)`.
pub const LONGEST_NAME: usize = 20;

/// Most instruments that a decoder and a board keep, so that random names cannot fill memory. OANDA
/// offers fewer than 150.
pub const MOST_INSTRUMENTS: usize = 4096;

/// Names of the channels, from `[feed]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// Prefix of an event type: `events:`.
    pub events: String,
    /// After that, the channel with a copy of every event: `all`.
    pub all: String,
    /// Prefix of an instrument: `ticks:`.
    pub ticks: String,
    /// After that, the channel of the publisher's heartbeat: `heartbeat`.
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
    pub fn event(&self, event_type: &str) -> String {
        format!("{}{event_type}", self.events)
    }

    pub fn every_event(&self) -> String {
        format!("{}{}", self.events, self.all)
    }

    pub fn tick(&self, instrument: &str) -> String {
        format!("{}{instrument}", self.ticks)
    }

    pub fn heartbeats(&self) -> String {
        format!("{}{}", self.ticks, self.heartbeat)
    }

    /// Returns the patterns of all these channels. Wildcards in a prefix are escaped.
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

/// A valid message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    Quote(Quote),
    /// The price publisher is alive.
    Heartbeat {
        time: DateTime<Utc>,
    },
    /// Every event arrives on two channels; [`BusEvent::copy`] says which one this is.
    Event(Box<BusEvent>),
}

/// Why a message was dropped. Drops are counted per channel, and the last valid price is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Dropped {
    #[error("unknown channel")]
    UnknownChannel,
    /// Over [`LONGEST_PAYLOAD`].
    #[error("payload over 1 MiB")]
    TooLong,
    #[error("not UTF-8")]
    NotText,
    /// Nested deeper than [`DEEPEST`].
    #[error("nested deeper than 32")]
    TooDeep,
    #[error("not a JSON object")]
    NotJson,
    /// Two readers could read it differently.
    #[error("duplicate key")]
    DuplicateKey,
    /// Missing or null.
    #[error("no {0}")]
    Missing(&'static str),
    /// Wrong type, or not a number.
    #[error("invalid {0}")]
    Unreadable(&'static str),
    #[error("instrument differs from the channel")]
    OtherInstrument,
    /// Not a name that the column can hold.
    #[error("invalid instrument name")]
    NotAName,
    /// More than [`MOST_INSTRUMENTS`].
    #[error("too many instruments")]
    TooManyInstruments,
    #[error("price is not above zero")]
    NotPositive,
    #[error("bid above ask")]
    Crossed,
}

/// Decodes messages. Keeps instrument names, so that a quote allocates none.
#[derive(Debug)]
pub struct Decoder {
    channels: Channels,
    names: HashMap<Box<str>, InstrumentId>,
}

impl Decoder {
    pub fn new(channels: Channels) -> Self {
        Self { channels, names: HashMap::new() }
    }

    /// Decodes one message.
    ///
    /// # Errors
    ///
    /// [`Dropped`] with the reason. Never panics, whatever arrives.
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

/// Whether a name can be an `instruments.instrument`: plain ASCII without blanks.
fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-:#^".contains(&byte))
}

/// Reads an ISO 8601 time; UTC without an offset.
fn time(text: &str) -> Option<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.to_utc()),
        Err(_) => text.parse::<NaiveDateTime>().ok().map(|naive| naive.and_utc()),
    }
}
