//! How much of a limit is used, at current prices.

use rust_decimal::Decimal;

use super::model::Model;
use crate::domain::halt::Scope;
use crate::domain::limit::Limit;
use crate::domain::outcome::Check;
use crate::domain::sizing::Room;
use crate::domain::utilisation::{self, Binding, Intent, Measured};

/// Whose rule a check of a trade is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOf<'a> {
    /// A column of the account itself.
    Account,
    /// A limit of the desk.
    Limit(&'a Limit),
    /// A limit whose row was not read yet.
    Unread,
}

impl Model {
    /// Returns whose rule a check is about; `None` where it is about no limit.
    pub fn rule_of(&self, check: &Check) -> Option<RuleOf<'_>> {
        if check.is_accounts_own() {
            return Some(RuleOf::Account);
        }
        Some(self.desk.limits.get(&check.limit?).map_or(RuleOf::Unread, RuleOf::Limit))
    }

    /// Names what a limit covers.
    pub fn limit_subject(&self, limit: &Limit) -> String {
        let account = limit.account.map(|id| self.desk.account_name(id));
        match (limit.scope, account, limit.identifier.as_deref()) {
            (Scope::System, _, _) => "all accounts".to_owned(),
            (_, Some(account), Some(identifier)) => format!("{account} {identifier}"),
            (_, Some(account), None) => account,
            (_, None, Some(identifier)) => identifier.to_owned(),
            (Scope::Account, None, None) => "each account".to_owned(),
            (_, None, None) => "—".to_owned(),
        }
    }

    /// Returns what a limit measures now, at the prices on the screen.
    pub fn measured(&self, limit: &Limit) -> Measured {
        self.marks.measured(limit.id)
    }

    /// Returns what bounds the size of an order besides its risk: free margin, losses, limits in
    /// force. What is not known bounds nothing here; the database refuses it by name.
    pub(super) fn rooms(&self, intent: &Intent<'_>) -> Vec<Room> {
        let mut rooms = intent.own_rooms().unwrap_or_default();
        let account = intent.account.account;
        let portfolio = account.portfolio.as_deref();
        for limit in self.desk.limits.values() {
            let name = intent.instrument.id.as_str();
            if !limit.is_in_force(self.now) || !limit.covers(account.id, portfolio, name) {
                continue;
            }
            let mut covered = self.marks.covered(&self.desk, limit);
            if limit.scope == Scope::Account {
                // Each account by itself.
                covered.retain(|one| one.account.id == account.id);
            }
            let measured = utilisation::measure(limit, &covered, &self.book).number();
            // What limits one order measures nothing that is held.
            let measured = measured.unwrap_or_default();
            let binding = Binding { limit, covered: &covered, measured };
            rooms.extend(intent.room(&binding, &self.book));
        }
        rooms
    }

    /// Returns that as a number in the limit's unit, where it is one.
    pub fn measure(&self, limit: &Limit) -> Option<Decimal> {
        self.measured(limit).number()
    }
}
