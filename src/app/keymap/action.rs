//! Where keys count, what they do and how dangerous that is.

use crate::app::pane::Pane;

/// Where a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere, unless a text field or a dialog is open.
    Global,
    /// Any pane that lists rows.
    List,
    /// Pane 1.
    Accounts,
    /// Pane 2.
    Positions,
    /// Pane 3.
    Trades,
    /// Pane 4.
    Signals,
    /// Pane 5.
    Events,
    /// Pane 6.
    Limits,
    /// Pane 7.
    Market,
    /// Pane 8.
    Agents,
    /// A ticket while its fields are edited.
    Ticket,
    Review,
    /// Help and the action log.
    Reader,
}

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: [Self; 13] = [
        Self::Global,
        Self::List,
        Self::Accounts,
        Self::Positions,
        Self::Trades,
        Self::Signals,
        Self::Events,
        Self::Limits,
        Self::Market,
        Self::Agents,
        Self::Ticket,
        Self::Review,
        Self::Reader,
    ];

    /// Returns the part of the key table that is a pane's own.
    pub fn of(pane: Pane) -> Self {
        match pane {
            Pane::Accounts => Self::Accounts,
            Pane::Positions => Self::Positions,
            Pane::Trades => Self::Trades,
            Pane::Signals => Self::Signals,
            Pane::Events => Self::Events,
            Pane::Limits => Self::Limits,
            Pane::Market => Self::Market,
            Pane::Agents => Self::Agents,
        }
    }

    /// Returns its heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Global => "Everywhere",
            Self::List => "Lists",
            Self::Accounts => "Accounts",
            Self::Positions => "Positions",
            Self::Trades => "Trades",
            Self::Signals => "Signals",
            Self::Events => "Risk events",
            Self::Limits => "Limits",
            Self::Market => "Market",
            Self::Agents => "Agents",
            Self::Ticket => "Ticket, editing",
            Self::Review => "Ticket, review",
            Self::Reader => "Help and log",
        }
    }
}

/// What a key must pass before anything happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Danger {
    /// Nothing changes outside this console.
    Harmless,
    /// It can be undone: one key.
    Reversible,
    /// It moves money, limits or halts: a review, then `y`.
    Confirmed,
    /// It moves a lot at once: a typed word, then a review, then `y`.
    Typed,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Moves in a list or a text.
    Move(Motion),
    Show(Pane),
    /// Shows the rows of another pane that belong to the selected one.
    Follow(Pane),
    /// Changes the view of a pane.
    View(View),
    Open(Opening),
    /// Works on the open ticket.
    Ticket(Step),
    /// One level up, never out of the program.
    Back,
    /// One level up, then out of the program.
    Quit,
}

/// Moves in a list or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its label in the table below")]
pub enum Motion {
    Down,
    Up,
    First,
    Last,
    HalfPageDown,
    HalfPageUp,
}

/// Changes the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its label in the table below")]
pub enum View {
    NextPane,
    PreviousPane,
    Zoom,
    Detail,
    Filter,
    SortNext,
    SortReverse,
    Mark,
    MarkAll,
    CopyRow,
    Reload,
    Help,
    Log,
    Command,
    Redraw,
    ShowAcknowledged,
    SilenceAlarm,
    NextTimeframe,
    PreviousTimeframe,
}

/// Opens a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its label in the table below")]
pub enum Opening {
    Buy,
    Sell,
    Close,
    Amend,
    Breakeven,
    Flatten,
    Take,
    Acknowledge,
    Unacknowledge,
    EditLimit,
    NewLimit,
    RetireLimit,
    Approve,
    Reject,
    Halt,
    ReduceOnly,
    Resume,
}

/// Works on the open ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its label in the table below")]
pub enum Step {
    NextField,
    PreviousField,
    ToReview,
    RiskSize,
    Reprice,
    TickUp,
    TickDown,
    ScrollDown,
    ScrollUp,
    WidenScope,
    Send,
    GiveReason,
    BackToEdit,
}
