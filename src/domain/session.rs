//! Who works at this console, with which rights, on which server.

use chrono::{DateTime, Utc};

use super::account::Environment;

words! {
    /// The strongest group role of a login. The database checks every right again; this only
    /// decides which keys are offered. Ordered, the strongest last.
    pub enum Role {
        Viewer = "viewer",
        Trader = "trader",
        /// Acknowledges, changes limits, halts and resumes.
        RiskOfficer = "risk_officer",
        /// Everything a person can do.
        Admin = "admin",
    }
}

/// A right that a key or a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    Read,
    Open,
    /// Close, amend, flatten: risk officers too, who end what others may no longer end.
    Trade,
    Risk,
    /// Halt: everybody who may trade may also stop.
    Halt,
}

impl Role {
    /// Returns what the status bar shows.
    pub fn label(self) -> &'static str {
        if self == Self::RiskOfficer { "risk" } else { self.as_str() }
    }

    /// Tells whether the role has the right.
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Open => matches!(self, Self::Trader | Self::Admin),
            Right::Trade | Right::Halt => self >= Self::Trader,
            Right::Risk => self >= Self::RiskOfficer,
        }
    }
}

/// What `desk.session()` answers at each connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Login: the actor of every row that is written.
    pub operator: String,
    pub role: Role,
    /// The login may open trades: its role says so, or another group that it belongs to.
    pub opens: bool,
    /// Most serious environment of this database.
    pub environment: Environment,
    pub database: String,
    pub server_version: String,
    /// Version of TimescaleDB, where it is installed.
    pub timescale: Option<String>,
    /// The server replays another one's log: nothing can be written.
    pub in_recovery: bool,
    /// The database's clock when it answered.
    pub server_time: DateTime<Utc>,
}

impl Session {
    /// Tells whether the login has the right.
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right) || (right == Right::Open && self.opens)
    }
}
