//! Valuation at current prices: P&L of positions and accounts, use of each limit.

use std::collections::HashMap;
use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::desk::Desk;
use crate::domain::account::Account;
use crate::domain::halt::Scope;
use crate::domain::ids::{AccountId, InstrumentId, LimitId};
use crate::domain::limit::{Limit, LimitKind, LimitState, Unit};
use crate::domain::marking::Book;
use crate::domain::quote::Quote;
use crate::domain::utilisation::{self, Covered, Measured, Valuation};

/// When a quote came, and how old it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub at: Duration,
    /// Age of the price on arrival: this machine's clock, set to the database's, less its time.
    pub age: Duration,
}

/// Everything that moves with the prices.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    now: Valuation,
    limits: HashMap<LimitId, Measured>,
    /// The tightest exposure limit of each account alone, in its currency.
    exposure: HashMap<AccountId, Decimal>,
    received: HashMap<InstrumentId, Received>,
}

impl Marks {
    /// Notes the arrival of a quote.
    pub fn record(&mut self, quote: &Quote, now: DateTime<Utc>, elapsed: Duration) {
        let age = (now - quote.time).to_std().unwrap_or_default();
        self.received.insert(quote.instrument.clone(), Received { at: elapsed, age });
    }

    /// Returns the age of an instrument's price at monotonic time `elapsed`.
    pub fn price_age(&self, instrument: &InstrumentId, elapsed: Duration) -> Option<Duration> {
        let received = self.received.get(instrument)?;
        Some(received.age.saturating_add(elapsed.saturating_sub(received.at)))
    }

    /// Returns the age of the price that came last at monotonic time `elapsed`.
    pub fn youngest_price(&self, elapsed: Duration) -> Option<Duration> {
        let ages = self.received.values();
        ages.map(|one| one.age.saturating_add(elapsed.saturating_sub(one.at))).min()
    }

    /// Values every position and account again, and measures every limit.
    pub fn refresh(&mut self, desk: &Desk, book: &Book) {
        self.now = Valuation::of(&desk.accounts, desk.positions.values(), book);
        let measured =
            |limit: &Limit| utilisation::measure(limit, &self.covered(desk, limit), book);
        self.limits = desk.limits.iter().map(|(id, limit)| (*id, measured(limit))).collect();
        let mut exposure = HashMap::new();
        for limit in desk.limits.values().filter(|limit| is_exposure_of_an_account(limit)) {
            for Covered { account, mark, .. } in self.covered(desk, limit) {
                let Some(most) = in_currency(limit, account, mark.equity, book) else { continue };
                exposure
                    .entry(account.id)
                    .and_modify(|least| *least = most.min(*least))
                    .or_insert(most);
            }
        }
        self.exposure = exposure;
    }

    /// Returns the tightest exposure limit of an account alone, in its currency.
    pub fn exposure_limit(&self, account: AccountId) -> Option<Decimal> {
        self.exposure.get(&account).copied()
    }

    /// Returns what a limit measures at these prices.
    pub fn measured(&self, limit: LimitId) -> Measured {
        self.limits.get(&limit).copied().unwrap_or(Measured::Unknown)
    }

    /// Returns an account with what it is worth and holds.
    pub(super) fn valued<'a>(&'a self, account: &'a Account) -> Option<Covered<'a>> {
        let mark = self.accounts.get(&account.id)?;
        let held = self.held.get(&account.id).map_or(&[][..], Vec::as_slice);
        Some(Covered { account, mark, held })
    }

    /// Returns the accounts that a limit covers, with their valuation.
    pub(super) fn covered<'a>(&'a self, desk: &'a Desk, limit: &Limit) -> Vec<Covered<'a>> {
        // Most limits are for one account, which need not be looked for among all.
        let (one, all) = match limit.owner() {
            Some(owner) => (desk.accounts.get(&owner), None),
            None => (None, Some(desk.accounts.values())),
        };
        one.into_iter()
            .chain(all.into_iter().flatten())
            .filter(|row| limit.looks_at(row.id, row.portfolio.as_deref()))
            .filter_map(|row| self.valued(row))
            .collect()
    }
}

impl Deref for Marks {
    type Target = Valuation;

    fn deref(&self) -> &Valuation {
        &self.now
    }
}

fn is_exposure_of_an_account(limit: &Limit) -> bool {
    limit.state == LimitState::Active
        && limit.limit_type == LimitKind::MaxExposure
        && limit.scope == Scope::Account
}

/// Returns what a limit allows an account, in its currency.
fn in_currency(
    limit: &Limit,
    account: &Account,
    equity: Option<Decimal>,
    book: &Book,
) -> Option<Decimal> {
    match &limit.unit {
        Unit::Money(currency) => {
            limit.value.checked_mul(book.rate(currency, &account.base_currency)?)
        }
        unit @ (Unit::Percentage | Unit::Fraction | Unit::Other(_)) => {
            unit.amount(limit.value, equity?)
        }
    }
}
