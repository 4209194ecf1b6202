//! How much of a limit is used, at the prices of now.

use rust_decimal::Decimal;

use super::model::Model;
use crate::domain::account::Account;
use crate::domain::halt::Scope;
use crate::domain::ids::AccountId;
use crate::domain::limit::{Limit, LimitState};

/// Percent points in one.
const HUNDRED: Decimal = Decimal::ONE_HUNDRED;

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
        self.desk.accounts.values().filter(move |row| match limit.scope {
            Scope::System => true,
            Scope::Portfolio => {
                row.portfolio.is_some() && row.portfolio.as_deref() == limit.identifier.as_deref()
            }
            Scope::Account => limit.account == Some(row.id),
            Scope::Instrument => limit.account.is_none_or(|id| id == row.id),
        })
    }

    /// Returns what a limit measures now, in the limit's unit; `None` where the console does not
    /// compute it, or where a price or a rate is missing.
    pub fn measure(&self, limit: &Limit) -> Option<Decimal> {
        match limit.limit_type.as_str() {
            "max_exposure" => self.sum(limit, |account| self.exposure(limit, account)),
            "max_daily_loss" => self.sum(limit, |account| {
                let mark = self.marks.accounts.get(&account.id)?;
                Some(Decimal::ZERO.checked_sub(mark.day_pnl?)?.max(Decimal::ZERO))
            }),
            "max_open_positions" => {
                let covered: Vec<AccountId> = self.covered(limit).map(|row| row.id).collect();
                let count = self
                    .desk
                    .positions
                    .values()
                    .filter(|held| covered.contains(&held.account))
                    .filter(|held| {
                        limit.scope != Scope::Instrument
                            || limit.identifier.as_deref() == Some(held.instrument.as_str())
                    })
                    .count();
                Some(Decimal::from(count))
            }
            _ => None,
        }
    }

    /// Σ over the covered accounts of an amount in each one's currency, in the limit's unit.
    fn sum(&self, limit: &Limit, amount: impl Fn(&Account) -> Option<Decimal>) -> Option<Decimal> {
        let mut total = Decimal::ZERO;
        let mut equity = Decimal::ZERO;
        let is_share = limit.unit == "percentage" || limit.unit == "fraction";
        // A share is of the equity in one currency; any one does, as it cancels.
        let currency = if is_share {
            self.covered(limit).next()?.base_currency.clone()
        } else {
            limit.unit.clone()
        };
        for account in self.covered(limit) {
            let rate = self.book.rate(&account.base_currency, &currency)?;
            total = total.checked_add(amount(account)?.checked_mul(rate)?)?;
            let worth = self.marks.accounts.get(&account.id)?.equity?.checked_mul(rate)?;
            equity = equity.checked_add(worth)?;
        }
        match limit.unit.as_str() {
            "percentage" => total.checked_div(equity)?.checked_mul(HUNDRED),
            "fraction" => total.checked_div(equity),
            _ => Some(total),
        }
    }

    /// Exposure of an account that a limit looks at: all of it, or that in one instrument.
    fn exposure(&self, limit: &Limit, account: &Account) -> Option<Decimal> {
        if limit.scope != Scope::Instrument {
            return self.marks.accounts.get(&account.id)?.exposure;
        }
        let mut net = Decimal::ZERO;
        for held in self.desk.positions.values() {
            if held.account != account.id
                || limit.identifier.as_deref() != Some(held.instrument.as_str())
            {
                continue;
            }
            let price =
                self.marks.positions.get(&held.id).map(|mark| mark.price).or(held.booked_price)?;
            let notional =
                self.book.notional(&held.instrument, held.size, price, &account.base_currency)?;
            net = net.checked_add(notional.checked_mul(held.direction.sign())?)?;
        }
        Some(net.abs())
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
                    && limit.account == Some(account.id)
            })
            .filter_map(|limit| match limit.unit.as_str() {
                "percentage" => equity?.checked_mul(limit.value)?.checked_div(HUNDRED),
                "fraction" => equity?.checked_mul(limit.value),
                unit => limit.value.checked_mul(self.book.rate(unit, &account.base_currency)?),
            })
            .min()
    }
}
