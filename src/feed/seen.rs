//! Recognizes repeated events.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use crate::feed::wire::Ring;

/// How many events are remembered. Both copies arrive within microseconds, repeats within seconds.
const REMEMBERED: usize = 8192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sighting {
    /// Not seen before.
    New,
    /// Seen on the other of its two channels.
    OtherCopy,
    /// Seen on this channel.
    Repeat,
}

/// Remembers the last events in fixed memory, as 64-bit hashes of their ids under a random key, so
/// that nobody can construct a collision.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    channels: HashMap<u64, (bool, bool)>,
    order: VecDeque<u64>,
}

impl Seen {
    pub(super) fn judge(&mut self, id: &str, copy: Ring) -> Sighting {
        let hash = self.hasher.hash_one(id);
        let is_new = !self.channels.contains_key(&hash);
        let (first, second) = self.channels.entry(hash).or_default();
        let here = match copy {
            Ring::First => first,
            Ring::Second => second,
        };
        let was_here = std::mem::replace(here, true);
        if is_new {
            self.order.push_back(hash);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.channels.remove(&oldest);
            }
        }
        match (is_new, was_here) {
            (true, _) => Sighting::New,
            (false, false) => Sighting::OtherCopy,
            (false, true) => Sighting::Repeat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_new_once_whichever_copy_comes_first() {
        let mut seen = Seen::default();
        assert_eq!(seen.judge("a", Ring::First), Sighting::New);
        assert_eq!(seen.judge("a", Ring::Second), Sighting::OtherCopy);
        assert_eq!(seen.judge("a", Ring::Second), Sighting::Repeat);
        assert_eq!(seen.judge("b", Ring::Second), Sighting::New);
        assert_eq!(seen.judge("b", Ring::First), Sighting::OtherCopy);
    }

    #[test]
    fn memory_stays_the_same_after_many_events() {
        let mut seen = Seen::default();
        for number in 0..50_000_u32 {
            seen.judge(&number.to_string(), Ring::First);
        }
        assert_eq!((seen.order.len(), seen.channels.len()), (REMEMBERED, REMEMBERED));
    }
}
