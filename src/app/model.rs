//! The one owner of state.

mod notices;

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tui_input::Input;
use uuid::Uuid;

use super::chord::Chord;
use super::desk::Desk;
use super::keymap::{Context, Keymap};
use super::marks::Marks;
use super::msg::FeedCounts;
use super::notice::{Alarm, Notice};
use super::pane::{Pane, PaneState, RowId};
use super::pending::Write;
use super::prompt::Prompt;
use super::ticket::{Stage, Ticket};
use crate::domain::account::Environment;
use crate::domain::agent::{SystemEvent, SystemSeverity};
use crate::domain::bar::Bar;
use crate::domain::event::{RiskEvent, Severity};
use crate::domain::ids::InstrumentId;
use crate::domain::instrument::Instrument;
use crate::domain::limit::LimitType;
use crate::domain::marking::Book;
use crate::domain::money::price_text;
use crate::domain::session::{Right, Role, Session};

/// Smallest terminal in which the console shows anything else than that it is too small.
pub const SMALLEST: (u16, u16) = (80, 24);

/// Tells whether a terminal of so many columns and rows is too small.
pub fn is_too_small(size: (u16, u16)) -> bool {
    size.0 < SMALLEST.0 || size.1 < SMALLEST.1
}

/// What the console can be told at start.
#[derive(Debug, Clone)]
pub struct Options {
    pub keymap: Keymap,
    /// What a fresh ticket is filled with.
    pub presets: Vec<Preset>,
    /// Share of equity that `r` risks.
    pub risk_fraction: Decimal,
    /// Age from which data is drawn as old.
    pub old_after: Duration,
    /// Age from which a price opens nothing.
    pub too_old_after: Duration,
    /// How long a review must be on the screen before `y` is enabled.
    pub arm_after: Duration,
    /// Take every write away, whatever the login may do.
    pub is_read_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keymap: Keymap::shipped(),
            presets: Preset::shipped(),
            risk_fraction: rust_decimal::dec!(0.01),
            old_after: Duration::from_secs(2),
            too_old_after: Duration::from_secs(10),
            arm_after: Duration::from_millis(300),
            is_read_only: false,
        }
    }
}

/// What a fresh ticket is filled with. The first preset that fits the instrument is taken; without
/// one the fields stay empty: a size is never guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// For instruments of this class; `None` is for all.
    pub asset_class: Option<String>,
    /// In contracts.
    pub size: Decimal,
    /// Distance of the stop, in pips.
    pub stop_pips: Option<Decimal>,
    /// Distance of the target, in pips.
    pub target_pips: Option<Decimal>,
}

impl Preset {
    /// The presets of `config/console.toml`.
    pub fn shipped() -> Vec<Self> {
        let preset = |class: &str, size: u32, stop: u32, target: u32| Self {
            asset_class: Some(class.to_owned()),
            size: size.into(),
            stop_pips: Some(stop.into()),
            target_pips: Some(target.into()),
        };
        vec![
            preset("fx", 10_000, 20, 40),
            preset("metal", 5, 100, 200),
            preset("index", 1, 200, 400),
        ]
    }
}

/// A connection as the status bar shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Up {
        /// Since when, by the monotonic clock.
        since: Duration,
        /// When it last answered.
        heard_at: Duration,
        /// How long the last answer took, where there is one.
        round_trip: Option<Duration>,
    },
    Down {
        /// Since when, by the monotonic clock.
        since: Duration,
        reason: String,
    },
}

impl Link {
    /// Tells whether it answers.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// Age class of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    Fresh,
    /// Older than two seconds.
    Old,
    /// Older than ten seconds: it opens nothing.
    TooOld,
    /// None arrived yet.
    Never,
}

/// What a pane's border says of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Badge {
    Waiting,
    /// Redis announces, the database confirmed so long ago.
    Live(Duration),
    /// Redis is away: the database is asked each second, and confirmed so long ago.
    Poll(Duration),
    /// Messages were lost; everything is being read again.
    Gap,
    /// The database does not answer: what is shown is that old.
    Stale(Duration),
}

/// The popup or line over the panes.
#[derive(Debug, Clone)]
pub enum Overlay {
    None,
    /// The keys, scrolled down by so many lines.
    Help(usize),
    /// The action log, scrolled down by so many lines.
    Log(usize),
    Detail(Pane, RowId),
    Ticket(Box<Ticket>),
    /// The `:` line.
    Command(Prompt),
    /// The `/` line, and what the filter was before.
    Filter(Input, String),
}

/// Bars of one instrument.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    pub instrument: Option<InstrumentId>,
    /// Which length: `M1`, `M5` …
    pub timeframe: String,
    pub bars: Vec<Bar>,
}

/// Everything the console knows. [`super::update`] alone changes it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent answer of yes or no")]
pub struct Model {
    /// What it was told at start.
    pub options: Options,
    /// The database's clock, as far as it is known.
    pub now: DateTime<Utc>,
    /// Monotonic time since the start.
    pub elapsed: Duration,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The terminal has the focus.
    pub has_focus: bool,
    /// Who works here; `None` until the database answered.
    pub session: Option<Session>,
    pub database: Link,
    pub feed: Link,
    pub counts: FeedCounts,
    /// How often messages were lost since the start.
    pub gaps: u32,
    /// Since when the publisher of prices is silent though Redis answers, by the monotonic clock.
    pub silent_since: Option<Duration>,
    /// The database's clock less this machine's.
    pub clock_offset: Option<chrono::TimeDelta>,
    pub desk: Desk,
    pub book: Book,
    /// Events of the bus that no row holds, the newest last.
    bus_events: VecDeque<SystemEvent>,
    /// Limit types, once they were read.
    pub limit_types: Vec<LimitType>,
    /// Everything that moves with the prices.
    pub marks: Marks,
    /// Bars of the market pane.
    pub chart: Chart,
    panes: [PaneState; 8],
    /// The pane that keys go to.
    pub focus: Pane,
    /// It has the screen for itself.
    pub is_zoomed: bool,
    /// The popup or line over the panes.
    pub overlay: Overlay,
    /// Lines that were entered behind `:`, the newest last.
    pub(super) lines: Vec<String>,
    /// Keys that may become a longer one.
    pub pressed: Vec<Chord>,
    /// Acknowledged events are not listed.
    pub hides_acknowledged: bool,
    pub writes: Vec<Write>,
    /// Notices, the newest last.
    pub notices: VecDeque<Notice>,
    /// Unacknowledged alarms, the newest last.
    pub alarms: Vec<Alarm>,
    /// `q` was pressed once where it would leave the program.
    pub is_leaving: bool,
}

impl Model {
    /// Makes the model of a console that has read nothing.
    pub fn new(options: Options, now: DateTime<Utc>) -> Self {
        Self {
            options,
            now,
            elapsed: Duration::ZERO,
            size: (120, 40),
            has_focus: true,
            session: None,
            database: Link::Connecting,
            feed: Link::Connecting,
            counts: FeedCounts::default(),
            gaps: 0,
            silent_since: None,
            clock_offset: None,
            desk: Desk::default(),
            book: Book::default(),
            bus_events: VecDeque::new(),
            limit_types: Vec::new(),
            marks: Marks::default(),
            chart: Chart { timeframe: "M1".to_owned(), ..Chart::default() },
            panes: std::array::from_fn(|_| PaneState::default()),
            focus: Pane::Positions,
            is_zoomed: false,
            overlay: Overlay::None,
            lines: Vec::new(),
            pressed: Vec::new(),
            hides_acknowledged: false,
            writes: Vec::new(),
            notices: VecDeque::new(),
            alarms: Vec::new(),
            is_leaving: false,
        }
    }

    /// Returns the view state of a pane.
    pub fn pane(&self, pane: Pane) -> &PaneState {
        let [accounts, positions, trades, signals, events, limits, market, agents] = &self.panes;
        match pane {
            Pane::Accounts => accounts,
            Pane::Positions => positions,
            Pane::Trades => trades,
            Pane::Signals => signals,
            Pane::Events => events,
            Pane::Limits => limits,
            Pane::Market => market,
            Pane::Agents => agents,
        }
    }

    /// Returns the view state of a pane.
    pub fn pane_mut(&mut self, pane: Pane) -> &mut PaneState {
        let [accounts, positions, trades, signals, events, limits, market, agents] =
            &mut self.panes;
        match pane {
            Pane::Accounts => accounts,
            Pane::Positions => positions,
            Pane::Trades => trades,
            Pane::Signals => signals,
            Pane::Events => events,
            Pane::Limits => limits,
            Pane::Market => market,
            Pane::Agents => agents,
        }
    }

    /// Keeps an event of the bus that no row holds, at its time of arrival: the time in an event
    /// cannot be trusted.
    pub(super) fn record_bus_event(
        &mut self,
        event_type: String,
        source: String,
        severity: Severity,
    ) {
        /// So many are kept.
        const KEPT: usize = 200;
        if self.bus_events.len() >= KEPT {
            self.bus_events.pop_front();
        }
        self.bus_events.push_back(SystemEvent {
            id: Uuid::nil(),
            event_type: event_type.clone(),
            severity: SystemSeverity::read(severity.as_str()),
            source,
            message: event_type,
            occurred_at: self.now,
        });
    }

    /// Returns system events from the database and the bus, the newest first.
    pub fn system_log(&self) -> Vec<&SystemEvent> {
        let mut events: Vec<&SystemEvent> =
            self.desk.system_events.values().chain(&self.bus_events).collect();
        events.sort_by_key(|row| (Reverse(row.occurred_at), row.id));
        events
    }

    /// Returns what the login may do; nothing before the database answered.
    pub fn role(&self) -> Role {
        match &self.session {
            Some(session) if !self.options.is_read_only => session.role,
            Some(_) | None => Role::Viewer,
        }
    }

    /// Tells whether the login has a right, as far as this console knows.
    pub fn may(&self, right: Right) -> bool {
        match &self.session {
            Some(session) if !self.options.is_read_only => session.may(right),
            Some(_) | None => Role::Viewer.may(right),
        }
    }

    /// Returns the most serious environment: of the accounts that are here, else of the database.
    pub fn environment(&self) -> Option<Environment> {
        let of_accounts = self.desk.accounts.values().map(|row| row.environment).max();
        of_accounts.or_else(|| self.session.as_ref().map(|session| session.environment))
    }

    /// Returns how many decimals prices of an instrument have.
    pub fn price_places(&self, instrument: &InstrumentId) -> u32 {
        /// Decimals of the price columns.
        const STORED: u32 = 5;
        self.book.instrument(instrument.as_str()).map_or(STORED, Instrument::price_places)
    }

    /// Returns a price with all the digits that the market writes, and none fewer than it has.
    pub(super) fn price_text(&self, instrument: &InstrumentId, price: Decimal) -> String {
        price_text(price, self.price_places(instrument))
    }

    /// Returns the age of an instrument's price.
    pub fn price_age(&self, instrument: &InstrumentId) -> Option<Duration> {
        self.marks.price_age(instrument, self.elapsed)
    }

    /// Classifies that age.
    pub fn price_freshness(&self, instrument: &InstrumentId) -> Freshness {
        match self.price_age(instrument) {
            None => Freshness::Never,
            Some(age) if age > self.options.too_old_after => Freshness::TooOld,
            Some(age) if age > self.options.old_after => Freshness::Old,
            Some(_) => Freshness::Fresh,
        }
    }

    /// Returns what the border of a pane says of its data.
    pub fn badge(&self, pane: Pane) -> Badge {
        if pane == Pane::Market {
            return self.market_badge();
        }
        let state = self.pane(pane);
        let Some(confirmed_at) = state.confirmed_at else {
            return Badge::Waiting;
        };
        let age = self.elapsed.saturating_sub(confirmed_at);
        let is_old = age > self.options.too_old_after || state.trouble.is_some();
        // Nothing is read again while the database is away: how old it is says more.
        if !self.database.is_up() {
            Badge::Stale(age)
        } else if state.has_gap {
            Badge::Gap
        } else if is_old {
            Badge::Stale(age)
        } else if self.feed.is_up() && self.silent_since.is_none() {
            Badge::Live(age)
        } else {
            Badge::Poll(age)
        }
    }

    /// Prices come over Redis alone: their age counts, whatever the database does.
    fn market_badge(&self) -> Badge {
        match self.marks.youngest_price(self.elapsed) {
            None => Badge::Waiting,
            Some(age) if self.feed.is_up() && self.silent_since.is_none() => Badge::Live(age),
            Some(age) => Badge::Stale(age),
        }
    }

    /// Returns the contexts in which a key is looked up now, the nearest first.
    pub fn contexts(&self) -> Vec<Context> {
        match &self.overlay {
            Overlay::None => vec![Context::of(self.focus), Context::List, Context::Global],
            Overlay::Help(_) | Overlay::Log(_) | Overlay::Detail(..) => vec![Context::Reader],
            Overlay::Ticket(ticket) => match ticket.stage {
                Stage::Editing => vec![Context::Ticket],
                Stage::Review { .. } => vec![Context::Review],
                Stage::Sending | Stage::Unknown => vec![],
            },
            Overlay::Command(_) | Overlay::Filter(..) => vec![],
        }
    }

    /// Returns the ticket, if one is open.
    pub fn ticket(&self) -> Option<&Ticket> {
        match &self.overlay {
            Overlay::Ticket(ticket) => Some(ticket),
            Overlay::None
            | Overlay::Help(_)
            | Overlay::Log(_)
            | Overlay::Detail(..)
            | Overlay::Command(_)
            | Overlay::Filter(..) => None,
        }
    }

    /// Counts unacknowledged events by severity: info, warning, critical, emergency.
    pub fn unacknowledged(&self) -> [usize; 4] {
        Severity::ALL.map(|severity| {
            let wants = |row: &&RiskEvent| row.severity == severity && row.wants_acknowledgement();
            self.desk.events.values().filter(wants).count()
        })
    }

    /// Returns the newest unacknowledged emergency. That of a halt is urgent only while the halt is
    /// in force.
    pub fn urgent(&self) -> Option<&RiskEvent> {
        /// The type of the event that a halt raises.
        const OF_A_HALT: &str = "trading_halt";
        let is_over = |row: &RiskEvent| {
            row.event_type == OF_A_HALT
                && (row.resolved_at.is_some()
                    || self.desk.halts.values().all(|halt| halt.account != row.account))
        };
        let wants = |row: &&RiskEvent| {
            row.severity == Severity::Emergency && row.wants_acknowledgement() && !is_over(row)
        };
        let newest = |row: &&RiskEvent| (row.occurred_at, Reverse(row.id));
        self.desk.events.values().filter(wants).max_by_key(newest)
    }
}
