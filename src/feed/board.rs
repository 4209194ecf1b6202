//! The newest quote of each instrument, and every counter of the feed.
//!
//! The subscription's reader writes, the screen reads when it draws. One slot per instrument is
//! between them instead of a queue, so a slow screen costs no memory and shows no old price: a quote
//! that was not read in time is replaced, and counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::seen::Sighting;
use super::wire::{Dropped, MOST_INSTRUMENTS};
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::domain::text::clean;

/// Most channels whose dropped messages are counted separately, because channel names are unbounded;
/// the rest are counted under [`OTHER_CHANNELS`].
const MOST_CHANNELS: usize = 256;

/// Counts the dropped messages of further channels.
pub const OTHER_CHANNELS: &str = "(other channels)";

/// This many refused quotes in a row count as a restart of the publisher, whatever their time.
/// Otherwise one quote with a time and a number from the far future would block its instrument for
/// ever; accepted old quotes do no harm, since their age is shown.
const RUN_OF_RESTART: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Taken,
    /// The newest; this many before it did not arrive.
    TakenAfterGap(u64),
    /// The newest, from a publisher that restarted its sequence.
    TakenAfterRestart,
    /// The newest quote has the same number.
    Duplicate,
    /// The newest quote has a higher number.
    Old,
    /// The board is full, and the instrument is new.
    NoRoom,
}

/// Counts since the board was created.
///
/// `received == quotes + heartbeats + events + echoes + repeats + dropped`, and
/// `quotes == taken + duplicates + old`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// All messages.
    pub received: u64,
    /// Valid quotes.
    pub quotes: u64,
    /// Quotes that became the newest.
    pub taken: u64,
    /// Quotes that were replaced before they were read: the screen never showed them.
    pub replaced: u64,
    /// Quotes dropped because the newest had the same number.
    pub duplicates: u64,
    /// Quotes dropped because the newest had a higher number.
    pub old: u64,
    /// Gaps in sequence numbers.
    pub gaps: u64,
    /// Quotes that did not arrive, by these gaps.
    pub missed: u64,
    /// Restarts of a publisher's sequence.
    pub restarts: u64,
    pub heartbeats: u64,
    pub events: u64,
    /// Second copies of events, which arrive on two channels.
    pub echoes: u64,
    /// Events repeated on the same channel.
    pub repeats: u64,
    /// Invalid messages.
    pub dropped: u64,
    /// Invalid messages by channel and reason; channels after the 256th are [`OTHER_CHANNELS`].
    pub reasons: BTreeMap<(String, Dropped), u64>,
}

/// Conflates quotes: keeps the newest of each instrument, by sequence number where it has one.
#[derive(Debug, Default)]
pub struct Board {
    // A std mutex: never held across an await, and only for some hundred nanoseconds by two tasks.
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    places: HashMap<InstrumentId, usize>,
    slots: Vec<Slot>,
    waiting: Vec<usize>,
    /// All but `reasons`, which are in the next field so that a flood of invalid messages allocates
    /// nothing.
    counters: Counters,
    reasons: HashMap<Box<str>, BTreeMap<Dropped, u64>>,
}

#[derive(Debug)]
struct Slot {
    quote: Quote,
    /// Highest sequence number accepted; quotes without one do not change it.
    seq: Option<u64>,
    is_waiting: bool,
    refused: Run,
}

/// Refused quotes in a row whose numbers rise by one.
#[derive(Debug, Default)]
struct Run {
    last: Option<u64>,
    length: u32,
}

impl Board {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(&self, quote: Quote) -> Put {
        let (put, first) = {
            let mut inner = self.lock();
            inner.counters.received += 1;
            let was_empty = inner.waiting.is_empty();
            (inner.put(quote), was_empty)
        };
        // A drain reads everything, so only the first quote wakes it.
        if first && !matches!(put, Put::Duplicate | Put::Old | Put::NoRoom) {
            self.changed.notify_one();
        }
        put
    }

    /// Returns the quotes that changed since the last call, in the order of their first change.
    pub fn drain(&self) -> Vec<Quote> {
        let mut inner = self.lock();
        let waiting = std::mem::take(&mut inner.waiting);
        waiting
            .into_iter()
            .filter_map(|place| {
                let slot = inner.slots.get_mut(place)?;
                slot.is_waiting = false;
                Some(slot.quote.clone())
            })
            .collect()
    }

    /// Returns the newest quote of every instrument, drained or not.
    pub fn newest(&self) -> Vec<Quote> {
        self.lock().slots.iter().map(|slot| slot.quote.clone()).collect()
    }

    pub fn counters(&self) -> Counters {
        let inner = self.lock();
        let reasons = inner.reasons.iter().flat_map(|(channel, reasons)| {
            reasons.iter().map(|(why, count)| ((clean(channel), *why), *count))
        });
        Counters { reasons: reasons.collect(), ..inner.counters.clone() }
    }

    /// Waits until there is something to drain.
    ///
    /// Cancel safe. For one waiting task.
    pub async fn changed(&self) {
        while self.lock().waiting.is_empty() {
            self.changed.notified().await;
        }
    }

    pub(super) fn count_heartbeat(&self) {
        let counters = &mut self.lock().counters;
        counters.received += 1;
        counters.heartbeats += 1;
    }

    /// Counts an event, or a copy of one.
    pub(super) fn count_event(&self, sighting: Sighting) {
        let counters = &mut self.lock().counters;
        counters.received += 1;
        *(match sighting {
            Sighting::New => &mut counters.events,
            Sighting::OtherCopy => &mut counters.echoes,
            Sighting::Repeat => &mut counters.repeats,
        }) += 1;
    }

    /// Counts an invalid message.
    pub(super) fn count_dropped(&self, channel: &str, why: Dropped) {
        let mut inner = self.lock();
        inner.counters.received += 1;
        inner.drop_one(channel, why);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held; if it did, the counters would still be usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, quote: Quote) -> Put {
        let place = self.places.get(&quote.instrument).copied();
        // Every index has a slot; without one the quote would be added again.
        let Some((place, slot)) = place.and_then(|at| Some((at, self.slots.get_mut(at)?))) else {
            return self.add(quote);
        };
        let counters = &mut self.counters;
        counters.quotes += 1;
        let put = slot.judge(&quote);
        match put {
            Put::Taken | Put::NoRoom => {}
            Put::TakenAfterGap(missed) => {
                counters.gaps += 1;
                counters.missed = counters.missed.saturating_add(missed);
            }
            Put::TakenAfterRestart => counters.restarts += 1,
            Put::Duplicate => counters.duplicates += 1,
            Put::Old => counters.old += 1,
        }
        if matches!(put, Put::Duplicate | Put::Old) {
            return put;
        }
        counters.taken += 1;
        if slot.is_waiting {
            counters.replaced += 1;
        } else {
            slot.is_waiting = true;
            self.waiting.push(place);
        }
        slot.seq = quote.seq.or(slot.seq);
        slot.refused = Run::default();
        slot.quote = quote;
        put
    }

    fn add(&mut self, quote: Quote) -> Put {
        if self.slots.len() >= MOST_INSTRUMENTS {
            self.drop_one(quote.instrument.as_str(), Dropped::TooManyInstruments);
            return Put::NoRoom;
        }
        self.counters.quotes += 1;
        self.counters.taken += 1;
        let place = self.slots.len();
        self.places.insert(quote.instrument.clone(), place);
        self.waiting.push(place);
        let seq = quote.seq;
        self.slots.push(Slot { quote, seq, is_waiting: true, refused: Run::default() });
        Put::Taken
    }

    fn drop_one(&mut self, channel: &str, why: Dropped) {
        self.counters.dropped += 1;
        let has_room = self.reasons.len() < MOST_CHANNELS;
        let channel =
            if has_room || self.reasons.contains_key(channel) { channel } else { OTHER_CHANNELS };
        if let Some(reasons) = self.reasons.get_mut(channel) {
            *reasons.entry(why).or_default() += 1;
        } else {
            self.reasons.insert(Box::from(channel), BTreeMap::from([(why, 1)]));
        }
    }
}

impl Slot {
    /// Decides whether `quote` is newer than what the slot holds.
    fn judge(&mut self, quote: &Quote) -> Put {
        let (Some(last), Some(new)) = (self.seq, quote.seq) else { return Put::Taken };
        match new.checked_sub(last) {
            Some(1) => Put::Taken,
            Some(ahead) if ahead > 1 => Put::TakenAfterGap(ahead - 1),
            // The number fell but the time rose: the publisher restarted. Refusing this quote would
            // refuse every later one.
            _ if quote.time > self.quote.time => Put::TakenAfterRestart,
            Some(_) => Put::Duplicate,
            None if self.refused.continues(new) => Put::TakenAfterRestart,
            None => Put::Old,
        }
    }
}

impl Run {
    /// Adds a refused number; returns whether the row is now long enough for a restart.
    fn continues(&mut self, seq: u64) -> bool {
        let is_next = self.last.and_then(|last| last.checked_add(1)) == Some(seq);
        self.length = if is_next { self.length.saturating_add(1) } else { 1 };
        self.last = Some(seq);
        self.length >= RUN_OF_RESTART
    }
}

#[cfg(test)]
mod tests;
