//! Samples of invalid messages for the log, one per channel and minute.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::text::clean;

/// Interval between two samples of a channel.
const EVERY: Duration = Duration::from_mins(1);

/// Most channels that are sampled.
const MOST_CHANNELS: usize = 256;

/// Length of a sample, in bytes of the payload.
const LENGTH: usize = 160;

/// When each channel was last sampled.
#[derive(Debug, Default)]
pub(super) struct Samples {
    last: HashMap<Box<str>, Instant>,
}

impl Samples {
    /// Returns the start of `payload`, safe to print, if `channel` is due.
    pub(super) fn of(&mut self, channel: &str, payload: &[u8], now: Instant) -> Option<String> {
        let has_room = self.last.len() < MOST_CHANNELS;
        match self.last.get_mut(channel) {
            Some(last) if now.saturating_duration_since(*last) < EVERY => return None,
            Some(last) => *last = now,
            None if has_room => drop(self.last.insert(Box::from(channel), now)),
            None => return None,
        }
        let start = payload.get(..LENGTH).unwrap_or(payload);
        Some(clean(&String::from_utf8_lossy(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_channel_has_one_escaped_sample_a_minute() {
        let mut samples = Samples::default();
        let now = Instant::now();
        assert_eq!(samples.of("ticks:X", b"\x1b[2J\xff", now).as_deref(), Some("␛[2J\u{fffd}"));
        assert_eq!(samples.of("ticks:X", b"again", now), None);
        assert!(samples.of("ticks:Y", b"other", now).is_some());
        assert!(samples.of("ticks:X", b"later", now + EVERY).is_some());
    }
}
