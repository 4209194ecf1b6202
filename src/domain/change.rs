//! Which kinds of rows changed.

/// A kind of row, as `desk.changes_since` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `accounts`
    Accounts,
    /// `positions`
    Positions,
    /// `trades`
    Trades,
    /// `signals`
    Signals,
    /// `risk_events`
    Events,
    /// `risk_limits`
    Limits,
    /// `trading_halts`
    Halts,
    /// `agents`
    Agents,
    /// `system_events`
    SystemEvents,
    /// `instruments`
    Instruments,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Accounts,
        Self::Positions,
        Self::Trades,
        Self::Signals,
        Self::Events,
        Self::Limits,
        Self::Halts,
        Self::Agents,
        Self::SystemEvents,
        Self::Instruments,
    ];

    /// Returns the table's name.
    pub fn table(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Positions => "positions",
            Self::Trades => "trades",
            Self::Signals => "signals",
            Self::Events => "risk_events",
            Self::Limits => "risk_limits",
            Self::Halts => "trading_halts",
            Self::Agents => "agents",
            Self::SystemEvents => "system_events",
            Self::Instruments => "instruments",
        }
    }

    /// Reads a table's name.
    pub fn from_table(table: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.table() == table)
    }
}
