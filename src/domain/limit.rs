//! Limits and how much of them is used.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::drawdown::Edge;
use super::halt::Scope;
use super::ids::{AccountId, LimitId};
pub use super::threshold::DEFAULT_WARNING;
use super::threshold::{Bound, Threshold};

/// A row of `risk_limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Key.
    pub id: LimitId,
    /// The account it is for, in scope `account` (and optionally `instrument`).
    pub account: Option<AccountId>,
    /// `max_exposure`, `max_daily_loss` …; one the console does not know is shown as not enforced.
    pub limit_type: String,
    /// What it covers.
    pub scope: Scope,
    /// Instrument or portfolio.
    pub identifier: Option<String>,
    /// The limit, in `unit`.
    pub value: Decimal,
    /// `USD`, `percentage` (points of equity), `fraction`, `units`, `count` …
    pub unit: String,
    /// Where a warning begins, in `unit`; `None` is 80 % of the limit.
    pub warning: Option<Decimal>,
    /// Where it stands.
    pub state: LimitState,
    /// Whether the database enforces this type.
    pub is_enforced: bool,
    /// Who asked for it.
    pub created_by: String,
    /// Who agreed.
    pub approved_by: Option<String>,
    /// Why it was changed.
    pub change_reason: Option<String>,
    /// It is a proposal to take the row away that it would replace.
    pub retires: bool,
    /// The row it replaces, or would.
    pub supersedes: Option<LimitId>,
    /// From when.
    pub effective_from: Option<DateTime<Utc>>,
    /// Until when; `None` is for ever.
    pub effective_until: Option<DateTime<Utc>>,
    /// Row version, for optimistic locks.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Whether a limit binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitState {
    /// It binds.
    Active,
    /// It waits for a second person.
    Pending,
    /// It was replaced, rejected or switched off.
    Ended,
}

/// How a measured value stands against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Below the warning.
    Clear,
    /// At or above the warning.
    Warning,
    /// Above the limit.
    Breach,
}

/// What a limit allows, read in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit<'a> {
    /// Percent points of equity.
    Percentage,
    /// A share of equity.
    Fraction,
    /// An amount in this currency.
    Money(&'a str),
    /// `units`, `lots`, `count`, `ratio`, `pips`, `seconds`: what it counts by itself.
    Other(&'a str),
}

impl<'a> Unit<'a> {
    /// Reads the word of `limit_unit`: a currency is three to eight capital letters, as
    /// `desk.unit_currency` has it.
    pub fn read(word: &'a str) -> Self {
        let word = word.trim();
        match word {
            "percentage" => Self::Percentage,
            "fraction" => Self::Fraction,
            _ if (3..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase()) => {
                Self::Money(word)
            }
            _ => Self::Other(word),
        }
    }

    /// Returns `value` of this unit as an amount of money, given the equity it may be a share of in
    /// the currency of the answer; `None` where it is no money.
    pub fn amount(self, value: Decimal, equity: Decimal) -> Option<Decimal> {
        match self {
            Self::Percentage => equity.checked_mul(value)?.checked_div(Decimal::ONE_HUNDRED),
            Self::Fraction => equity.checked_mul(value),
            Self::Money(_) => Some(value),
            Self::Other(_) => None,
        }
    }

    /// Returns an amount of money in this unit; the inverse of [`Self::amount`].
    pub fn of_amount(self, amount: Decimal, equity: Decimal) -> Option<Decimal> {
        match self {
            Self::Percentage | Self::Fraction if equity <= Decimal::ZERO => None,
            Self::Percentage => amount.checked_div(equity)?.checked_mul(Decimal::ONE_HUNDRED),
            Self::Fraction => amount.checked_div(equity),
            Self::Money(_) => Some(amount),
            Self::Other(_) => None,
        }
    }

    /// Tells whether `value` per cent is so little that a fraction may have been meant. The tight
    /// reading is the safe one and is taken, but said so: `PERCENTAGE_LOOKS_LIKE_FRACTION`.
    pub fn looks_like_fraction(self, value: Decimal) -> bool {
        self == Self::Percentage && value <= Decimal::ONE
    }
}

impl Limit {
    /// Returns its unit.
    pub fn reading(&self) -> Unit<'_> {
        Unit::read(&self.unit)
    }

    /// Returns on which side of it one may be.
    pub fn bound(&self) -> Bound {
        if self.limit_type.starts_with("min_") { Bound::AtLeast } else { Bound::AtMost }
    }

    /// Tells whether reaching it breaks it: losses and drawdown do, size and exposure do not
    /// (domain rules, section 9; `desk.limit_types.inclusive`).
    pub fn edge(&self) -> Edge {
        match self.limit_type.as_str() {
            "max_daily_loss"
            | "max_weekly_loss"
            | "max_monthly_loss"
            | "max_drawdown"
            | "max_loss_per_position"
            | "max_consecutive_losses" => Edge::Inclusive,
            _ => Edge::Exclusive,
        }
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

    /// Tells whether it looks at an account of that portfolio trading that instrument.
    pub fn covers(&self, account: AccountId, portfolio: Option<&str>, instrument: &str) -> bool {
        let identifier = self.identifier.as_deref();
        self.account.is_none_or(|id| id == account)
            && match self.scope {
                // Without a named account it holds for each account by itself.
                Scope::System | Scope::Account => true,
                Scope::Portfolio => portfolio.is_some() && identifier == portfolio,
                Scope::Instrument => identifier == Some(instrument),
            }
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

/// A word of `desk.limit_types`: something that can be limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitType {
    /// `max_exposure` …
    pub name: String,
    /// What is measured.
    pub description: String,
    /// Units that it can be in; `money` is any currency. The usual one first.
    pub units: Vec<String>,
    /// Scopes that it can have.
    pub scopes: Vec<String>,
    /// Whether this version of the rulebook enforces it.
    pub is_enforced: bool,
}
