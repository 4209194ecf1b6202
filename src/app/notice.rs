//! What the console says to the person before it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Tone;
use super::model::Model;
use crate::domain::ids::HaltId;

/// Most notices that are kept.
const KEPT: usize = 500;

/// How long the newest notice stands above the command line.
const SHOWN: Duration = Duration::from_secs(12);

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voice {
    /// It answers a key.
    Reply,
    /// What became of a write.
    Outcome,
    /// Nobody asked: it comes from the servers, or from other people.
    News,
}

/// One line of the action log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    /// How loudly.
    pub tone: Tone,
    /// Why.
    pub voice: Voice,
    /// What.
    pub text: String,
}

/// What stays across the screen until somebody acknowledges it, or its cause is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    /// What.
    pub text: String,
    /// The halt that it is about, where it is about one.
    pub halt: Option<HaltId>,
    /// That halt has been seen in force: when it is not there any more, it is over.
    pub is_seen: bool,
}

impl Model {
    /// Answers a key.
    pub(super) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Voice::Reply, tone, text.into());
    }

    /// Says what became of a write.
    pub(super) fn report(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Voice::Outcome, tone, text.into());
    }

    /// Says what nobody asked for.
    pub(super) fn tell(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Voice::News, tone, text.into());
    }

    fn note(&mut self, voice: Voice, tone: Tone, text: String) {
        if self.notices.len() >= KEPT {
            self.notices.pop_front();
        }
        let notice = Notice { at: self.now, elapsed: self.elapsed, tone, voice, text };
        self.notices.push_back(notice);
    }

    /// Returns the newest notice, while it is new. News that nobody asked for does not hide what
    /// became of a write.
    pub fn toast(&self) -> Option<&Notice> {
        let mut fresh = self
            .notices
            .iter()
            .rev()
            .take_while(|notice| self.elapsed.saturating_sub(notice.elapsed) < SHOWN);
        let newest = fresh.next()?;
        if newest.voice != Voice::News {
            return Some(newest);
        }
        let asked = fresh.find(|notice| notice.voice != Voice::News);
        asked.filter(|notice| notice.voice == Voice::Outcome).or(Some(newest))
    }

    /// Returns a text in which the keys of accounts are their names.
    pub(super) fn with_names(&self, mut text: String) -> String {
        for account in self.desk.accounts.values() {
            let key = account.id.to_string();
            if text.contains(&key) {
                text = text.replace(&key, &account.name);
            }
        }
        text
    }

    /// Takes an alarm away whose halt was in force and is not any more.
    pub(super) fn settle_alarm(&mut self) {
        let Some(alarm) = &mut self.alarm else { return };
        let Some(halt) = alarm.halt else { return };
        let is_there = self.desk.halts.contains_key(&halt);
        if alarm.is_seen && !is_there {
            self.alarm = None;
        } else {
            alarm.is_seen |= is_there;
        }
    }

    /// Takes an alarm away whose halt is not in force, as the database said when it was asked
    /// after the alarm: the word on the bus that it is over may be lost.
    pub(super) fn halts_confirmed(&mut self, asked_at: Duration) {
        let is_over = self.alarm.as_ref().is_some_and(|alarm| {
            asked_at > alarm.elapsed
                && alarm.halt.is_some_and(|halt| !self.desk.halts.contains_key(&halt))
        });
        if is_over {
            self.alarm = None;
        }
    }
}
