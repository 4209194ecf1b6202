//! Trading accounts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::drawdown::{DailyLossColumn, Peaks};
use super::ids::{AccountId, InstrumentId};

words! {
    /// `accounts.account_type`: whether real money is at stake. Ordered by seriousness, the most serious last.
    pub enum Environment {
        /// A demonstration account at a broker.
        Demo = "demo",
        /// Simulated fills on live prices.
        Paper = "paper",
        Live = "live",
    }
}

words! {
    /// `accounts.status`: what an account may do.
    pub enum AccountStatus {
        Active = "active",
        /// Only less risk, until its owner is reinstated.
        Suspended = "suspended",
        /// Nothing; a risk officer may close what is left.
        Closed = "closed",
        /// Only less risk: a limit was breached.
        RiskHalt = "risk_halt",
    }
}

/// What an account was worth when a period began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub balance: Decimal,
    pub equity: Decimal,
}

/// What an account pays per side and per 1.00 of size, in its currency
/// (`metadata->'commission'`). What is not named costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commission {
    /// In every instrument that has none of its own.
    pub per_unit: Option<Decimal>,
    pub by_instrument: BTreeMap<String, Decimal>,
}

impl Commission {
    /// Returns what one side of 1.00 of size costs in an instrument.
    pub fn per_side(&self, instrument: &InstrumentId) -> Decimal {
        let own = self.by_instrument.get(instrument.as_str()).copied();
        own.or(self.per_unit).unwrap_or_default()
    }
}

/// A row of `accounts`. Amounts are in `base_currency`, as the database last wrote them; the
/// moving figures on the screen come from [`super::marking`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// What people call it; not unique in the data model.
    pub name: String,
    /// The broker that holds it.
    pub broker: String,
    /// The prop firm whose rules bind it.
    pub prop_firm: Option<String>,
    /// Group of accounts with limits of its own (`metadata->>'portfolio'`).
    pub portfolio: Option<String>,
    pub environment: Environment,
    /// Currency of every amount here.
    pub base_currency: String,
    pub initial_balance: Decimal,
    pub balance: Decimal,
    /// Equity less margin, as last written.
    pub available: Decimal,
    /// Margin held, as last written.
    pub margin_used: Decimal,
    /// Balance plus open P&L, as last written.
    pub equity: Decimal,
    pub status: AccountStatus,
    /// At most 1: share of the initial balance; above: an amount.
    pub max_daily_loss: Decimal,
    /// Share of the initial balance.
    pub max_total_drawdown: Decimal,
    /// What the running trading day began with, where it is known.
    pub day: Option<Start>,
    /// What the running week began with.
    pub week: Option<Start>,
    /// What the running month began with.
    pub month: Option<Start>,
    /// The highest it was worth.
    pub peaks: Option<Peaks>,
    /// What it pays for a fill.
    pub commission: Commission,
    /// Row version, for optimistic locks.
    pub updated_at: Option<DateTime<Utc>>,
}

impl Account {
    /// Returns the largest loss of one day, and how the column that names it was read.
    pub fn daily_loss_limit(&self) -> Option<DailyLossColumn> {
        DailyLossColumn::read(self.max_daily_loss, self.initial_balance)
    }

    /// Returns the largest loss since the start, as an amount.
    pub fn drawdown_limit(&self) -> Option<Decimal> {
        self.initial_balance.checked_mul(self.max_total_drawdown)
    }
}
