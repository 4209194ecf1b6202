//! What the console does, key by key and answer by answer. `app` is pure: no terminal, no server, no
//! mock.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that cannot be set up fails its test"
)]

#[path = "console/desk.rs"]
mod desk;
#[path = "console/fields.rs"]
mod fields;
#[path = "console/flows.rs"]
mod flows;
#[path = "console/halts.rs"]
mod halts;
#[path = "console/held.rs"]
mod held;
#[path = "console/limits.rs"]
mod limits;
#[path = "console/links.rs"]
mod links;
#[path = "console/lists.rs"]
mod lists;
#[path = "console/prompt.rs"]
mod prompt;
#[path = "console/risk.rs"]
mod risk;
#[path = "console/spoken.rs"]
mod spoken;
#[path = "console/writes.rs"]
mod writes;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use tmt::app::chord::{Chord, Key, sequence};
use tmt::app::{Effect, Model, Msg, Options, update};
use tmt::domain::ids::ClientKey;
use tmt::domain::session::Role;

/// A console before its desk, and everything it wanted done.
struct Console {
    model: Model,
    effects: Vec<Effect>,
    presses: u128,
}

/// The first moment of every test.
fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_340_000, 0).unwrap()
}

impl Console {
    fn of(role: Role) -> Self {
        let model = Model::new(Options::default(), morning());
        let mut console = Self { model, effects: Vec::new(), presses: 0 };
        console.fill(role);
        console
    }

    fn tell(&mut self, msg: Msg) {
        self.effects.extend(update(&mut self.model, msg));
    }

    /// Presses keys as the key table writes them, each followed by a frame and half a second.
    fn press(&mut self, keys: &str) {
        for chord in sequence(keys).unwrap() {
            self.press_at_once(chord);
            self.rest();
        }
    }

    /// Presses a key as a held one comes: no time, no frame.
    fn press_at_once(&mut self, chord: Chord) {
        self.presses += 1;
        let fresh = ClientKey(Uuid::from_u128(0xfe00 + self.presses));
        self.tell(Msg::Pressed { chord, fresh });
    }

    fn type_text(&mut self, text: &str) {
        for character in text.chars() {
            self.press_at_once(Chord::char(character));
        }
    }

    fn enter(&mut self) {
        self.press_at_once(Chord::plain(Key::Enter));
        self.rest();
    }

    /// A frame is shown, and half a second goes by.
    fn rest(&mut self) {
        let elapsed = self.model.elapsed;
        self.tell(Msg::FrameShown { elapsed, heights: [10; 8], scrolled: None });
        self.wait(Duration::from_millis(500));
    }

    fn wait(&mut self, time: Duration) {
        let elapsed = self.model.elapsed + time;
        let now = morning() + TimeDelta::from_std(elapsed).unwrap();
        self.tell(Msg::TimePassed { now, elapsed });
    }

    fn last_notice(&self) -> &str {
        self.model.notices.back().map_or("", |notice| notice.text.as_str())
    }

    fn writes(&self) -> Vec<&tmt::domain::request::Request> {
        self.effects
            .iter()
            .filter_map(
                |effect| if let Effect::Write(request) = effect { Some(request) } else { None },
            )
            .collect()
    }
}
