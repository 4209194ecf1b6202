//! How much of a limit is used, at the prices of now.

use rust_decimal::Decimal;

use super::model::Model;
use crate::domain::account::Account;
use crate::domain::halt::Scope;
use crate::domain::limit::{Limit, LimitState, Unit};
use crate::domain::utilisation::{self, Covered, Measured};

impl Model {
    /// Returns what a limit covers, as people call it.
    pub fn limit_subject(&self, limit: &Limit) -> String {
        let account = limit.account.map(|id| self.desk.account_name(id));
        match (limit.scope, account, limit.identifier.as_deref()) {
            (Scope::System, _, _) => "everything".to_owned(),
            (_, Some(account), Some(identifier)) => format!("{account} {identifier}"),
            (_, Some(account), None) => account,
            (_, None, Some(identifier)) => identifier.to_owned(),
            (_, None, None) => "—".to_owned(),
        }
    }

    /// Returns the accounts that a limit covers.
    fn covered<'a>(&'a self, limit: &'a Limit) -> impl Iterator<Item = &'a Account> {
        let accounts = self.desk.accounts.values();
        accounts.filter(move |row| limit.looks_at(row.id, row.portfolio.as_deref()))
    }

    /// Returns what a limit measures now, at the prices on the screen.
    pub fn measured(&self, limit: &Limit) -> Measured {
        let covered: Vec<Covered<'_>> = self
            .covered(limit)
            .filter_map(|account| {
                let mark = self.marks.accounts.get(&account.id)?;
                let held = self.marks.held.get(&account.id).map_or(&[][..], Vec::as_slice);
                Some(Covered { account, mark, held })
            })
            .collect();
        utilisation::measure(limit, &covered, &self.book)
    }

    /// Returns that as a number in the limit's unit, where it is one.
    pub fn measure(&self, limit: &Limit) -> Option<Decimal> {
        self.measured(limit).number()
    }

    /// Returns the tightest exposure limit of an account alone, in its currency.
    pub fn exposure_limit(&self, account: &Account) -> Option<Decimal> {
        let equity = self.marks.accounts.get(&account.id).and_then(|mark| mark.equity);
        self.desk
            .limits
            .values()
            .filter(|limit| {
                limit.state == LimitState::Active
                    && limit.limit_type == "max_exposure"
                    && limit.scope == Scope::Account
                    && limit.looks_at(account.id, account.portfolio.as_deref())
            })
            .filter_map(|limit| match limit.reading() {
                Unit::Money(currency) => {
                    limit.value.checked_mul(self.book.rate(currency, &account.base_currency)?)
                }
                unit @ (Unit::Percentage | Unit::Fraction | Unit::Other(_)) => {
                    unit.amount(limit.value, equity?)
                }
            })
            .min()
    }
}
