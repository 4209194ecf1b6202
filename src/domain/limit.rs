//! Limits and how much of them is used.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::drawdown::{DayBase, Edge};
use super::halt::Scope;
use super::ids::{AccountId, LimitId};
pub use super::limit_kind::LimitKind;
use super::threshold::{Bound, Threshold};
pub use super::threshold::{DEFAULT_WARNING, Standing};
pub use super::unit::{Plain, Unit, UnitChoice};

/// A row of `risk_limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub id: LimitId,
    /// The account it is for, in scope `account` (and optionally `instrument`).
    pub account: Option<AccountId>,
    /// What it limits; a kind that the console does not know is shown as not enforced.
    pub limit_type: LimitKind,
    pub scope: Scope,
    pub identifier: Option<String>,
    /// The limit, in `unit`.
    pub value: Decimal,
    pub unit: Unit,
    /// Where a warning begins, in `unit`; `None` is 80 % of the limit.
    pub warning: Option<Decimal>,
    /// What one number cannot say.
    pub parameters: Parameters,
    pub state: LimitState,
    /// Whether the database enforces this type.
    pub is_enforced: bool,
    pub created_by: String,
    pub approved_by: Option<String>,
    pub change_reason: Option<String>,
    /// It is a proposal to take the row away that it would replace.
    pub retires: bool,
    /// The row it replaces, or would.
    pub supersedes: Option<LimitId>,
    pub effective_from: Option<DateTime<Utc>>,
    /// Until when; `None` is for ever.
    pub effective_until: Option<DateTime<Utc>>,
    /// Row version, for optimistic locks.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What `risk_limits.parameters` says of a limit, as far as the console measures by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The currency that `max_currency_exposure` is about; `None` is each one.
    pub currency: Option<String>,
    /// What a loss is counted from; `None` is equity.
    pub base: Option<DayBase>,
    /// Percentages of a loss are of the initial balance, not of where the period began.
    pub is_of_initial: bool,
    /// How the floor of a drawdown moves; `None` is not at all.
    pub trailing: Option<Trailing>,
    /// Where that floor stops rising.
    pub lock: Option<Lock>,
    /// Whether reaching the limit breaks it; `None` is as its type has it.
    pub edge: Option<Edge>,
}

words! {
    /// What the floor of a drawdown follows.
    pub enum Trailing {
        /// The highest balance at the end of a day.
        EndOfDayBalance = "eod_balance",
        /// The highest equity at any moment.
        IntradayEquity = "intraday_equity",
    }
}

/// Where a trailing floor stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Initial,
    At(Decimal),
}

words! {
    /// `desk.limit_state`: whether a limit binds.
    pub enum LimitState {
        Active = "active",
        /// It waits for a second person.
        Pending = "pending",
        /// It was replaced, rejected or switched off.
        Ended = "ended",
    }
}

impl Limit {
    /// Returns on which side of it one may be.
    pub fn bound(&self) -> Bound {
        self.limit_type.bound()
    }

    /// Tells whether reaching it breaks it: as its parameters say, else as its kind has it.
    pub fn edge(&self) -> Edge {
        self.parameters.edge.unwrap_or_else(|| self.limit_type.edge())
    }

    /// Returns limit and warning together, in the limit's unit.
    pub fn threshold(&self) -> Option<Threshold> {
        Threshold::new(self.bound(), self.edge(), self.value, self.warning)
    }

    /// Returns where a warning begins, in the limit's unit.
    pub fn warning_level(&self) -> Option<Decimal> {
        Some(self.threshold()?.warning)
    }

    /// Tells whether it binds at an instant.
    pub fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.state == LimitState::Active
            && self.effective_from.is_none_or(|from| from <= at)
            && self.effective_until.is_none_or(|until| at < until)
    }

    /// Returns the one account that it is for, where it names one: by its column, or in scope
    /// `account` by its identifier.
    pub fn owner(&self) -> Option<AccountId> {
        self.account.or_else(|| match (self.scope, self.identifier.as_deref()) {
            (Scope::Account, Some(name)) => name.trim().parse().ok(),
            _ => None,
        })
    }

    /// Tells whether it looks at an account of that portfolio. One that names no account holds for
    /// all of them, in scope `account` for each by itself.
    pub fn looks_at(&self, account: AccountId, portfolio: Option<&str>) -> bool {
        self.owner().is_none_or(|id| id == account)
            && match self.scope {
                Scope::System | Scope::Account | Scope::Instrument => true,
                Scope::Portfolio => portfolio.is_some() && self.identifier.as_deref() == portfolio,
            }
    }

    /// Tells whether it binds an account of that portfolio that trades that instrument.
    pub fn covers(&self, account: AccountId, portfolio: Option<&str>, instrument: &str) -> bool {
        self.looks_at(account, portfolio)
            && (self.scope != Scope::Instrument || self.identifier.as_deref() == Some(instrument))
    }

    /// Tells whether `new` binds more tightly than the limit as it is.
    pub fn is_tightened_by(&self, new: Decimal) -> bool {
        match self.bound() {
            Bound::AtLeast => new > self.value,
            Bound::AtMost => new < self.value,
        }
    }

    /// Returns how `measured`, in the limit's unit, stands; `None` where the numbers overflow.
    pub fn standing(&self, measured: Decimal) -> Option<Standing> {
        Some(self.threshold()?.standing(measured))
    }

    /// Returns how much of it is used, as a share: for a lower bound, how much of what is there is
    /// needed. `None` where that has no number.
    pub fn used(&self, measured: Decimal) -> Option<Decimal> {
        match self.bound() {
            Bound::AtMost => measured.checked_div(self.value),
            Bound::AtLeast => self.value.checked_div(measured),
        }
    }
}

/// A row of `tmt.limit_types`: something that can be limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitType {
    pub name: LimitKind,
    pub description: String,
    /// Units that it can be in, the usual one first.
    pub units: Vec<UnitChoice>,
    pub scopes: Vec<Scope>,
    /// Whether this version of the rulebook enforces it.
    pub is_enforced: bool,
}
