//! What happened: the only way anything reaches the model.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::chord::Chord;
use crate::domain::bar::Bar;
use crate::domain::change::Kind;
use crate::domain::event::Severity;
use crate::domain::ids::{ClientKey, HaltId, InstrumentId};
use crate::domain::limit::LimitType;
use crate::domain::outcome::{Check, Impact, Outcome, PreviewError};
use crate::domain::quote::Quote;
use crate::domain::request::{LimitPreview, Question, Request};
use crate::domain::rows::Rows;
use crate::domain::session::Session;

/// One fact, in the past tense.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A second went by, or a frame is about to be drawn.
    TimePassed {
        /// The database's clock, as far as it is known; else this machine's.
        now: DateTime<Utc>,
        /// Monotonic time since the start.
        elapsed: Duration,
    },
    /// A key was pressed. `fresh` becomes the key of a ticket, if the press opens one.
    Pressed {
        chord: Chord,
        fresh: ClientKey,
    },
    /// Text was pasted. It reaches a focused text field, or nothing.
    Pasted(String),
    /// The terminal has another size: columns, rows.
    Resized(u16, u16),
    /// The terminal lost or regained the focus.
    FocusChanged {
        has_focus: bool,
    },
    /// A frame is on the screen, with that many rows in each pane.
    FrameShown {
        elapsed: Duration,
        /// Rows that fit, by pane.
        heights: [usize; 8],
        /// First line on the screen of what can be scrolled: the help, the log, a ticket's checks.
        scrolled: Option<usize>,
    },
    /// The newest quote of each instrument that moved.
    QuotesArrived(Vec<Quote>),
    FeedCounted(FeedCounts),
    FeedUp {
        /// How long nothing could arrive; `None` at the start.
        gap: Option<Duration>,
    },
    FeedDown {
        reason: String,
    },
    /// Redis answers, but the publisher of prices has missed its heartbeats.
    FeedSilent {
        /// Time since the last heartbeat.
        silent: Duration,
    },
    /// The sequence numbers of the quotes have a gap.
    FeedJumped {
        missed: u64,
        /// Publishers that restarted.
        restarts: u64,
    },
    /// An event on the bus to show as a notice.
    BusNotified {
        severity: Severity,
        text: String,
        /// It is shown as an alarm until it is acknowledged.
        is_alarm: bool,
        /// The halt that it is about, where it names one.
        halt: Option<HaltId>,
    },
    /// The bus announced the end of a halt; its alarm ends.
    AlarmEnded {
        /// Which, where it names one.
        halt: Option<HaltId>,
    },
    /// An event on the bus for the system log; also every unknown type.
    BusEventLogged {
        /// Its type, in the publisher's spelling.
        event_type: String,
        source: String,
        /// How bad, as far as its type says.
        severity: Severity,
    },
    /// The database answered who we are.
    SessionOpened {
        /// Who, where, with which rights.
        session: Session,
        /// How long the answer took.
        round_trip: Duration,
        /// The database's clock less this machine's.
        offset: chrono::TimeDelta,
    },
    /// The database does not answer, or not as it should.
    DatabaseLost {
        /// Why, and what to do.
        reason: String,
    },
    /// A poll is complete: what changed has been read.
    Confirmed {
        /// Kinds whose rows are as the database has them.
        kinds: Vec<Kind>,
        /// When the question was asked, by the monotonic clock.
        asked_at: Duration,
        /// How long the answer took.
        round_trip: Duration,
    },
    RowsRead {
        rows: Rows,
        /// The keys that were asked for; `None` is the whole pane. What was asked for and is not in
        /// `rows` is gone.
        asked: Option<Vec<String>>,
        /// Rows that could not be parsed, as sentences.
        unreadable: Vec<String>,
    },
    /// A pane could not be read.
    ReadFailed {
        kind: Kind,
        reason: String,
    },
    BarsRead {
        instrument: InstrumentId,
        timeframe: String,
        bars: Vec<Bar>,
    },
    /// The rulebook assessed what is being typed.
    Assessed {
        key: ClientKey,
        question: Question,
        /// What it found, or why it could not.
        checks: Result<Vec<Check>, String>,
    },
    /// A limit preview was answered.
    LimitPreviewed {
        preview: LimitPreview,
        /// By account, or why there is no answer.
        impacts: Result<Vec<Impact>, PreviewError>,
    },
    /// The limit types were read.
    LimitTypesRead(Vec<LimitType>),
    Answered {
        key: ClientKey,
        outcome: Outcome,
    },
    /// An earlier console ended before it knew what became of these writes: requests and sentences.
    WritesLeft(Vec<(Request, String)>),
    /// Journals of earlier processes cannot be read whole, as sentences.
    JournalDamaged(Vec<String>),
    /// A write was accepted, but not announced on the bus.
    NotAnnounced {
        key: ClientKey,
        reason: String,
    },
    /// The program was suspended by job control for an unknown time, and continues.
    Resumed,
    /// The program must end: a signal, or the terminal is gone.
    StopRequested,
}

/// What the feed counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedCounts {
    pub received: u64,
    /// Of them replaced by a newer one before a frame showed them.
    pub replaced: u64,
    /// Messages that could not be used.
    pub dropped: u64,
    /// Gaps in the publishers' sequence numbers.
    pub gaps: u64,
}
