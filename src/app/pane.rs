//! The panes and their view state.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::change::Kind;
use crate::domain::ids::{
    AccountId, EventId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
};

/// A pane of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// 1
    Accounts,
    /// 2
    Positions,
    /// 3
    Trades,
    /// 4
    Signals,
    /// 5
    Events,
    /// 6
    Limits,
    /// 7
    Market,
    /// 8
    Agents,
}

impl Pane {
    /// Every pane, by its number.
    pub const ALL: [Self; 8] = [
        Self::Accounts,
        Self::Positions,
        Self::Trades,
        Self::Signals,
        Self::Events,
        Self::Limits,
        Self::Market,
        Self::Agents,
    ];

    /// Panes that the dashboard shows together.
    pub const DASHBOARD: [Self; 5] =
        [Self::Accounts, Self::Positions, Self::Trades, Self::Signals, Self::Events];

    /// Returns the key that shows it.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|pane| *pane == self).map_or(0, |at| at.saturating_add(1))
    }

    /// Returns what its border says.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::Positions => "Positions",
            Self::Trades => "Trades",
            Self::Signals => "Signals",
            Self::Events => "Risk events",
            Self::Limits => "Limits",
            Self::Market => "Market",
            Self::Agents => "Agents",
        }
    }

    /// Returns the kind of rows whose age its badge shows; the market's comes from the quotes.
    pub fn kind(self) -> Kind {
        match self {
            Self::Accounts => Kind::Accounts,
            Self::Positions => Kind::Positions,
            Self::Trades => Kind::Trades,
            Self::Signals => Kind::Signals,
            Self::Events => Kind::Events,
            Self::Limits => Kind::Limits,
            Self::Market => Kind::Instruments,
            Self::Agents => Kind::Agents,
        }
    }
}

/// A row of any pane, by its key: what a selection holds, so that it stays on its row when others
/// come, go or change places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    Account(AccountId),
    Position(PositionId),
    Trade(TradeId),
    Signal(SignalId),
    Event(EventId),
    Limit(LimitId),
    Instrument(InstrumentId),
    Agent(String),
    /// Of system events, below the agents.
    SystemEvent(Uuid),
}

/// View state of one pane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaneState {
    /// The row that keys act on. A row that vanishes leaves nothing selected, never its neighbour.
    pub selected: Option<RowId>,
    /// First row on the screen.
    pub offset: usize,
    /// Rows that fit, as the last frame had it.
    pub height: usize,
    /// Rows marked for an action on several.
    pub marked: BTreeSet<RowId>,
    /// What the rows must match.
    pub filter: String,
    /// Column that orders them and whether downward; `None` is the pane's own order.
    pub sort: Option<(usize, bool)>,
    /// When the database last confirmed these rows, by the monotonic clock.
    pub confirmed_at: Option<Duration>,
    /// Why the last read failed, until one succeeds.
    pub trouble: Option<String>,
    /// Messages were lost and the rows are being read again.
    pub has_gap: bool,
}
