//! A desk at 14:04:31 of a Monday, as the screens show it: three live accounts, one of them halted,
//! five positions, a day of trades. Everything reaches the model as messages.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tmt::app::chord::{Chord, Key, sequence};
use tmt::app::msg::FeedCounts;
use tmt::app::{Effect, Model, Msg, Options, update};
use tmt::domain::account::Environment;
use tmt::domain::change::Kind;
use tmt::domain::ids::{AccountId, ClientKey};
use tmt::domain::outcome::{Check, Impact, Outcome};
use tmt::domain::rows::Rows;
use tmt::domain::session::{Role, Session};
use uuid::Uuid;

use crate::{market, risk, rows};

/// The moment of every screen.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-02T14:04:31Z".parse().unwrap()
}

/// A time of the same day: `"13:40:05"`.
pub(crate) fn at(time: &str) -> DateTime<Utc> {
    format!("2026-03-02T{time}Z").parse().unwrap()
}

/// Monotonic time of every screen: the console has run for 20 minutes.
pub(crate) const ELAPSED: Duration = Duration::from_mins(20);

/// Makes a key that is the same in every run.
pub(crate) fn id(table: u8, number: u32) -> Uuid {
    Uuid::from_u128(u128::from(table) << 96 | u128::from(number))
}

/// Returns the key of an account.
pub(crate) fn account_id(number: u32) -> AccountId {
    AccountId(id(1, number))
}

/// A desk that is fed with messages.
pub(crate) struct Desk {
    pub(crate) model: Model,
    keys: u32,
    /// What the last message asked for.
    pub(crate) effects: Vec<Effect>,
}

impl Desk {
    /// A console that has read nothing.
    pub(crate) fn starting() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let model = Model::new(options, now());
        let mut desk = Self { model, keys: 0, effects: vec![] };
        desk.tell(Msg::TimePassed { now: now(), elapsed: ELAPSED });
        desk
    }

    /// The desk of a normal day.
    pub(crate) fn normal() -> Self {
        Self::of(Role::Admin)
    }

    pub(crate) fn of(role: Role) -> Self {
        let mut desk = Self::starting();
        desk.connect(role);
        desk.read_all();
        desk
    }

    pub(crate) fn tell(&mut self, msg: Msg) {
        self.effects = update(&mut self.model, msg);
    }

    /// Lets time go by without any news.
    pub(crate) fn wait(&mut self, length: Duration) {
        let elapsed = self.model.elapsed + length;
        let now = self.model.now + TimeDelta::from_std(length).unwrap();
        self.tell(Msg::TimePassed { now, elapsed });
    }

    pub(crate) fn connect(&mut self, role: Role) {
        let operator = match role {
            Role::Viewer => "viewer1",
            Role::Trader => "trader1",
            Role::RiskOfficer => "risk1",
            Role::Admin => "admin1",
        };
        self.tell(Msg::SessionOpened {
            session: Session {
                operator: operator.to_owned(),
                role,
                opens: matches!(role, Role::Trader | Role::Admin),
                environment: Environment::Live,
                database: "db1/tmt".to_owned(),
                server_version: "17.5".to_owned(),
                timescale: Some("2.20.0".to_owned()),
                in_recovery: false,
                server_time: now(),
            },
            round_trip: Duration::from_millis(3),
            offset: TimeDelta::milliseconds(20),
        });
        self.tell(Msg::FeedUp { gap: None });
        self.tell(Msg::FeedCounted(FeedCounts {
            received: 48_211,
            replaced: 1_204,
            dropped: 0,
            gaps: 0,
        }));
    }

    pub(crate) fn rows(&mut self, rows: Rows) {
        self.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
    }

    pub(crate) fn read_all(&mut self) {
        self.rows(Rows::Instruments(market::instruments()));
        self.rows(Rows::Accounts(rows::accounts()));
        self.quotes();
        self.rows(Rows::Positions(rows::positions()));
        self.rows(Rows::Trades(rows::trades()));
        self.rows(Rows::Signals(rows::signals()));
        self.rows(Rows::Events(risk::events()));
        self.rows(Rows::Limits(risk::limits()));
        self.rows(Rows::Halts(risk::halts()));
        self.rows(Rows::Agents(market::agents()));
        self.rows(Rows::SystemEvents(market::system_events()));
        self.confirm();
    }

    /// The database confirmed everything, 0.3 s ago.
    pub(crate) fn confirm(&mut self) {
        let asked_at = self.model.elapsed.saturating_sub(Duration::from_millis(300));
        self.tell(Msg::Confirmed {
            kinds: Kind::ALL.to_vec(),
            asked_at,
            round_trip: Duration::from_millis(3),
        });
    }

    pub(crate) fn quotes(&mut self) {
        self.tell(Msg::QuotesArrived(market::quotes()));
    }

    /// Presses keys as the key table writes them, with a blank between.
    pub(crate) fn press(&mut self, keys: &str) {
        for chord in sequence(keys).unwrap() {
            self.chord(chord);
        }
    }

    /// Types text, character by character.
    pub(crate) fn type_text(&mut self, text: &str) {
        for character in text.chars() {
            self.chord(Chord::char(character));
        }
    }

    /// Takes what stands in the field with the cursor away.
    pub(crate) fn clear_field(&mut self) {
        self.chord(Chord { key: Key::Char('u'), ctrl: true });
    }

    pub(crate) fn chord(&mut self, chord: Chord) {
        self.keys += 1;
        let fresh = ClientKey(id(99, 0x0198_f2d0 + self.keys));
        self.tell(Msg::Pressed { chord, fresh });
    }

    /// Lets the database answer the question that the last message asked.
    pub(crate) fn assessed(&mut self, checks: Vec<Check>) {
        let asked = self.effects.iter().find_map(|effect| {
            let Effect::Assess { key, question } = effect else { return None };
            Some((*key, question.clone()))
        });
        let (key, question) = asked.expect("the last message asked for an assessment");
        self.tell(Msg::Assessed { key, question, checks: Ok(checks) });
    }

    /// Lets the database say whom the value in the limit's ticket would bind.
    pub(crate) fn weighed(&mut self, impacts: Vec<Impact>) {
        let asked = self.effects.iter().find_map(|effect| {
            let Effect::PreviewLimit(preview) = effect else { return None };
            Some(preview.clone())
        });
        let preview = asked.expect("the last message asked whom it would bind");
        self.tell(Msg::LimitPreviewed { preview, impacts: Ok(impacts) });
    }

    /// Lets the database answer the write that is under way.
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        let key = self.model.writes.first().expect("a write is under way").request.key;
        self.tell(Msg::Answered { key, outcome });
    }

    /// A frame was drawn, and was on the screen long enough to be read.
    pub(crate) fn read_it(&mut self) {
        let elapsed = self.model.elapsed;
        self.tell(Msg::FrameShown { elapsed, heights: [0; 8], scrolled: None });
        self.wait(Duration::from_millis(400));
    }
}
