//! Rows of one kind, as a poll brings them.

use super::account::Account;
use super::agent::{Agent, SystemEvent};
use super::change::Kind;
use super::event::RiskEvent;
use super::halt::Halt;
use super::instrument::Instrument;
use super::limit::Limit;
use super::position::Position;
use super::signal::Signal;
use super::trade::Trade;

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// `accounts`
    Accounts(Vec<Account>),
    /// Live rows of `positions`.
    Positions(Vec<Position>),
    /// `trades`, the newest first.
    Trades(Vec<Trade>),
    /// `signals`, the newest first.
    Signals(Vec<Signal>),
    /// `risk_events`, the newest first.
    Events(Vec<RiskEvent>),
    /// `risk_limits` that bind or wait.
    Limits(Vec<Limit>),
    /// `trading_halts` in force.
    Halts(Vec<Halt>),
    /// `agents`
    Agents(Vec<Agent>),
    /// `system_events`, the newest first.
    SystemEvents(Vec<SystemEvent>),
    /// `instruments`
    Instruments(Vec<Instrument>),
}

impl Rows {
    /// Returns which kind they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Accounts(_) => Kind::Accounts,
            Self::Positions(_) => Kind::Positions,
            Self::Trades(_) => Kind::Trades,
            Self::Signals(_) => Kind::Signals,
            Self::Events(_) => Kind::Events,
            Self::Limits(_) => Kind::Limits,
            Self::Halts(_) => Kind::Halts,
            Self::Agents(_) => Kind::Agents,
            Self::SystemEvents(_) => Kind::SystemEvents,
            Self::Instruments(_) => Kind::Instruments,
        }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Accounts(rows) => rows.len(),
            Self::Positions(rows) => rows.len(),
            Self::Trades(rows) => rows.len(),
            Self::Signals(rows) => rows.len(),
            Self::Events(rows) => rows.len(),
            Self::Limits(rows) => rows.len(),
            Self::Halts(rows) => rows.len(),
            Self::Agents(rows) => rows.len(),
            Self::SystemEvents(rows) => rows.len(),
            Self::Instruments(rows) => rows.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
