//! What the console says to the person before it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Tone;
use super::model::Model;
use crate::domain::ids::HaltId;

/// Most notices that are kept.
const KEPT: usize = 500;

/// Most alarms that wait for somebody at once: more than a person can read.
const ALARMS: usize = 20;

/// So long the outcome of a write stands before everything that is said after it.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long the newest notice stands above the command line.
const SHOWN: Duration = Duration::from_secs(12);

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voice {
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
    pub tone: Tone,
    pub voice: Voice,
    pub text: String,
}

/// What stays across the screen until somebody acknowledges it, or its cause is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// When, by the monotonic clock.
    pub elapsed: Duration,
    pub text: String,
    /// The halt that it is about, where it is about one.
    pub halt: Option<HaltId>,
    /// That halt has been seen in force: when it is not there any more, it is over.
    pub is_seen: bool,
    /// It names no halt, and the database, asked after it, holds none.
    pub is_unfounded: bool,
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
        let fresh = |within: Duration| {
            let is_fresh =
                move |notice: &&Notice| self.elapsed.saturating_sub(notice.elapsed) < within;
            self.notices.iter().rev().take_while(is_fresh)
        };
        // Whoever pressed a key too often would read of that key, and think that nothing was sent.
        let just_now = fresh(READ_WITHIN).find(|notice| notice.voice == Voice::Outcome);
        if just_now.is_some() {
            return just_now;
        }
        let newest = fresh(SHOWN).next()?;
        if newest.voice != Voice::News {
            return Some(newest);
        }
        let asked = fresh(SHOWN).find(|notice| notice.voice != Voice::News);
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

    /// Returns the newest alarm that nobody acknowledged.
    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarms.last()
    }

    /// Takes an alarm. One that nobody acknowledged stays below it; the same again takes its place.
    pub(super) fn sound(&mut self, text: String, halt: Option<HaltId>) {
        self.alarms.retain(|alarm| (&alarm.text, alarm.halt) != (&text, halt));
        if self.alarms.len() >= ALARMS {
            self.alarms.remove(0);
        }
        let (at, elapsed) = (self.now, self.elapsed);
        let (is_seen, is_unfounded) = (false, false);
        self.alarms.push(Alarm { at, elapsed, text, halt, is_seen, is_unfounded });
        self.settle_alarms();
    }

    /// The bus says that trading goes on: the alarm of that halt is over. A word that names no halt
    /// is about those that name none either; the end of one halt says nothing of a stop of them all.
    pub(super) fn alarm_ended(&mut self, halt: Option<HaltId>) {
        self.alarms.retain(|alarm| alarm.halt != halt);
    }

    /// Takes alarms away whose halt was in force and is not any more.
    pub(super) fn settle_alarms(&mut self) {
        let halts = &self.desk.halts;
        self.alarms.retain_mut(|alarm| {
            let is_there = alarm.halt.is_some_and(|halt| halts.contains_key(&halt));
            let is_over = alarm.halt.is_some() && alarm.is_seen && !is_there;
            alarm.is_seen |= is_there;
            !is_over
        });
    }

    /// Takes alarms away whose halt is not in force, as the database said when it was asked after
    /// them: the word on the bus that it is over may be lost. One that names no halt stays until
    /// somebody acknowledges it; where no halt is in force at all, that is said beside it.
    pub(super) fn halts_confirmed(&mut self, asked_at: Duration) {
        let halts = &self.desk.halts;
        self.alarms.retain_mut(|alarm| {
            if asked_at <= alarm.elapsed {
                return true;
            }
            alarm.is_unfounded = alarm.halt.is_none() && halts.is_empty();
            alarm.halt.is_none_or(|halt| halts.contains_key(&halt))
        });
    }
}
