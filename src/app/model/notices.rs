//! Saying something to the person before the console, and taking it back.

use std::time::Duration;

use super::Model;
use crate::app::cell::Tone;
use crate::app::notice::{Alarm, Notice, Voice};
use crate::domain::ids::HaltId;

/// Most notices that are kept.
const KEPT: usize = 500;

/// Most alarms that wait for somebody at once: more than a person can read.
const ALARMS: usize = 20;

/// So long the outcome of a write stands before everything that is said after it.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long the newest notice stands above the command line.
const SHOWN: Duration = Duration::from_secs(12);

impl Model {
    /// Answers a key.
    pub(in crate::app) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Voice::Reply, tone, text.into());
    }

    /// Says what became of a write.
    pub(in crate::app) fn report(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Voice::Outcome, tone, text.into());
    }

    /// Says what nobody asked for.
    pub(in crate::app) fn tell(&mut self, tone: Tone, text: impl Into<String>) {
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
    pub(in crate::app) fn with_names(&self, mut text: String) -> String {
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
    pub(in crate::app) fn sound(&mut self, text: String, halt: Option<HaltId>) {
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
    pub(in crate::app) fn alarm_ended(&mut self, halt: Option<HaltId>) {
        self.alarms.retain(|alarm| alarm.halt != halt);
    }

    /// Takes alarms away whose halt was in force and is not any more.
    pub(in crate::app) fn settle_alarms(&mut self) {
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
    pub(in crate::app) fn halts_confirmed(&mut self, asked_at: Duration) {
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
