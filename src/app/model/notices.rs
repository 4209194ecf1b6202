//! Notices and alarms.

use std::time::Duration;

use super::Model;
use crate::app::cell::Tone;
use crate::app::notice::{Alarm, Notice, NoticeKind};
use crate::domain::ids::HaltId;

/// Most notices that are kept.
const KEPT: usize = 500;

/// Most alarms kept at once.
const ALARMS: usize = 20;

/// How long the outcome of a write is shown in preference to newer notices.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long a notice is shown above the command line.
const SHOWN: Duration = Duration::from_secs(12);

impl Model {
    /// Adds the answer to a key press.
    pub(in crate::app) fn reply(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(NoticeKind::Reply, tone, text.into());
    }

    /// Adds the outcome of a write.
    pub(in crate::app) fn report(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(NoticeKind::Outcome, tone, text.into());
    }

    /// Adds news from servers or other people.
    pub(in crate::app) fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(NoticeKind::News, tone, text.into());
    }

    fn note(&mut self, kind: NoticeKind, tone: Tone, text: String) {
        if self.notices.len() >= KEPT {
            self.notices.pop_front();
        }
        let notice = Notice { at: self.now, elapsed: self.elapsed, tone, kind, text };
        self.notices.push_back(notice);
    }

    /// Returns the newest notice, while it is fresh. News does not hide the outcome of a write.
    pub fn toast(&self) -> Option<&Notice> {
        let fresh = |within: Duration| {
            let is_fresh =
                move |notice: &&Notice| self.elapsed.saturating_sub(notice.elapsed) < within;
            self.notices.iter().rev().take_while(is_fresh)
        };
        // After a repeated key press, its notice must not hide that the write was sent.
        let just_now = fresh(READ_WITHIN).find(|notice| notice.kind == NoticeKind::Outcome);
        if just_now.is_some() {
            return just_now;
        }
        let newest = fresh(SHOWN).next()?;
        if newest.kind != NoticeKind::News {
            return Some(newest);
        }
        let asked = fresh(SHOWN).find(|notice| notice.kind != NoticeKind::News);
        asked.filter(|notice| notice.kind == NoticeKind::Outcome).or(Some(newest))
    }

    /// Replaces account keys in a text by account names.
    pub(in crate::app) fn with_names(&self, mut text: String) -> String {
        for account in self.desk.accounts.values() {
            let key = account.id.to_string();
            if text.contains(&key) {
                text = text.replace(&key, &account.name);
            }
        }
        text
    }

    /// Returns the newest unacknowledged alarm.
    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarms.last()
    }

    /// Raises an alarm above earlier ones; the same alarm again replaces its first occurrence.
    pub(in crate::app) fn raise_alarm(&mut self, text: String, halt: Option<HaltId>) {
        self.alarms.retain(|alarm| (&alarm.text, alarm.halt) != (&text, halt));
        if self.alarms.len() >= ALARMS {
            self.alarms.remove(0);
        }
        let (at, elapsed) = (self.now, self.elapsed);
        let (is_seen, is_unfounded) = (false, false);
        self.alarms.push(Alarm { at, elapsed, text, halt, is_seen, is_unfounded });
        self.settle_alarms();
    }

    /// Removes the alarm of a halt that the bus announced as ended. An announcement without a halt
    /// ends the alarms without one; the end of one halt does not end a system-wide alarm.
    pub(in crate::app) fn alarm_ended(&mut self, halt: Option<HaltId>) {
        self.alarms.retain(|alarm| alarm.halt != halt);
    }

    /// Removes alarms whose halt was in force and has ended.
    pub(in crate::app) fn settle_alarms(&mut self) {
        let halts = &self.desk.halts;
        self.alarms.retain_mut(|alarm| {
            let is_there = alarm.halt.is_some_and(|halt| halts.contains_key(&halt));
            let is_over = alarm.halt.is_some() && alarm.is_seen && !is_there;
            alarm.is_seen |= is_there;
            !is_over
        });
    }

    /// Removes alarms whose halt is not in force by a poll later than the alarm: the announcement
    /// of its end may be lost. An alarm without a halt stays until acknowledged, and is marked
    /// where no halt is in force.
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
