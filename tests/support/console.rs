//! A console without a terminal, a database or a bus: a model that is told messages and pressed
//! keys, and what it asked for.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails, fails its test"
)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tmt::app::chord::{Chord, sequence};
use tmt::app::{Effect, Model, Msg, Options, update};
use tmt::domain::ids::ClientKey;
use tmt::domain::outcome::{Check, Impact, Outcome};
use tmt::domain::rows::Rows;
use uuid::Uuid;

/// Request keys of a console are counted from here, so that each is the same in every run.
const KEYS: u128 = 99 << 96 | 0x0198_f2d0;

/// How long a review is on the screen before its reader presses a key.
pub(crate) const READING: Duration = Duration::from_millis(400);

/// Whether a text between `<` and `>` names a key. Others are typed as they are.
fn is_name(text: &str) -> bool {
    text.len() > 1 && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// A model that is fed by a test.
pub(crate) struct Console {
    pub(crate) model: Model,
    /// Everything that it asked for, oldest first.
    pub(crate) effects: Vec<Effect>,
    presses: u128,
}

impl Console {
    /// A console that has read nothing.
    pub(crate) fn new(options: Options, now: DateTime<Utc>) -> Self {
        Self { model: Model::new(options, now), effects: Vec::new(), presses: 0 }
    }

    pub(crate) fn tell(&mut self, msg: Msg) {
        self.effects.extend(update(&mut self.model, msg));
    }

    /// Presses keys: characters as they are, the others by the name they have in the key table,
    /// `ggjjb<Ctrl-u>30k<Enter>`. `<read>` is no key: a frame is shown, and is read.
    ///
    /// No time passes and no frame is shown between two keys.
    pub(crate) fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            if let Some((name, behind)) = name.filter(|(name, _)| is_name(name)) {
                match name {
                    "read" => self.read(),
                    _ => sequence(name).unwrap().into_iter().for_each(|chord| self.chord(chord)),
                }
                rest = behind;
            } else {
                self.chord(Chord::char(first));
                rest = rest.strip_prefix(first).unwrap();
            }
        }
    }

    fn chord(&mut self, chord: Chord) {
        self.presses += 1;
        let fresh = ClientKey(Uuid::from_u128(KEYS + self.presses));
        self.tell(Msg::Pressed { chord, fresh });
    }

    /// A frame is shown, and is on the screen long enough to be read.
    pub(crate) fn read(&mut self) {
        let elapsed = self.model.elapsed;
        self.tell(Msg::FrameShown { elapsed, heights: [0; 8], scrolled: None });
        self.wait(READING);
    }

    /// Lets time go by without any news.
    pub(crate) fn wait(&mut self, length: Duration) {
        let elapsed = self.model.elapsed + length;
        let now = self.model.now + TimeDelta::from_std(length).unwrap();
        self.tell(Msg::TimePassed { now, elapsed });
    }

    /// The database sends all rows of a kind.
    pub(crate) fn rows(&mut self, rows: Rows) {
        self.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
    }

    /// The rulebook answers the newest question about a ticket.
    pub(crate) fn assessed(&mut self, checks: Vec<Check>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::Assess { key, question } = effect else { return None };
            Some((*key, question.clone()))
        });
        let (key, question) = asked.expect("the rulebook was asked");
        self.tell(Msg::Assessed { key, question, checks: Ok(checks) });
    }

    /// The database answers the newest question whom a limit would bind.
    pub(crate) fn previewed(&mut self, impacts: Vec<Impact>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::PreviewLimit(preview) = effect else { return None };
            Some(preview.clone())
        });
        let preview = asked.expect("the database was asked whom the limit binds");
        self.tell(Msg::LimitPreviewed { preview, impacts: Ok(impacts) });
    }

    /// The database answers the write that is under way.
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        let key = self.model.writes.first().expect("a write is under way").request.key;
        self.tell(Msg::Answered { key, outcome });
    }
}
