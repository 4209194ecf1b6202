//! Which kinds of rows changed.

words! {
    /// A kind of row: its table, as `desk.changes_since` names it.
    pub enum Kind {
        Accounts = "accounts",
        Positions = "positions",
        Trades = "trades",
        Signals = "signals",
        Events = "risk_events",
        Limits = "risk_limits",
        Halts = "trading_halts",
        Agents = "agents",
        SystemEvents = "system_events",
        Instruments = "instruments",
    }
}
