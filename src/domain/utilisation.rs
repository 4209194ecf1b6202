//! What is held, at the prices of this moment, and how much of each limit it uses.
//!
//! The database judges orders; this is what moves on the screen with every quote. The rules are the
//! same (`desk.measure_limits`): what is held of an instrument counts net per account, exposure is
//! valued at the middle price, open P&L where it could be closed.

mod held;
mod measure;
mod rooms;

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

pub use self::held::{Held, Mark};
pub use self::measure::{Covered, Measured, measure};
pub use self::rooms::{Binding, Intent};
use super::account::Account;
use super::exposure::totals;
use super::ids::{AccountId, InstrumentId, PositionId};
use super::margin;
use super::marking::Book;
use super::position::Position;

/// The value of an account now, in its currency, not rounded. `None` if one position cannot be
/// valued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountMark {
    pub open_pnl: Option<Decimal>,
    pub equity: Option<Decimal>,
    /// Σ |net notional| over instruments.
    pub exposure: Option<Decimal>,
    /// Σ net notional over instruments, below zero where the account is short.
    pub net: Option<Decimal>,
    /// Margin that the positions take.
    pub margin: Option<Decimal>,
    /// Equity less equity at the start of the day, where that is known.
    pub day_pnl: Option<Decimal>,
}

/// Everything that moves with the prices.
#[derive(Debug, Clone, Default)]
pub struct Valuation {
    pub positions: HashMap<PositionId, Mark>,
    pub accounts: HashMap<AccountId, AccountMark>,
    /// By account: what it holds of each instrument.
    pub held: HashMap<AccountId, Vec<Held>>,
}

impl Valuation {
    /// Values every position and account.
    pub fn of<'a>(
        accounts: &BTreeMap<AccountId, Account>,
        positions: impl Iterator<Item = &'a Position>,
        book: &Book,
    ) -> Self {
        let mut all = Self::default();
        let mut nets: HashMap<(AccountId, &'a InstrumentId), Held> = HashMap::new();
        for position in positions {
            let Some(account) = accounts.get(&position.account) else { continue };
            let net = nets
                .entry((account.id, &position.instrument))
                .or_insert_with(|| Held::of(&position.instrument, &account.base_currency, book));
            let mark = net.take(position);
            if let Some(mark) = mark {
                all.positions.insert(position.id, mark);
            }
        }
        for ((account, _), net) in nets {
            all.held.entry(account).or_default().push(net);
        }
        for account in accounts.values() {
            let held = all.held.get(&account.id).map_or(&[][..], Vec::as_slice);
            all.accounts.insert(account.id, AccountMark::of(account, held));
        }
        all
    }
}

impl AccountMark {
    fn of(account: &Account, held: &[Held]) -> Self {
        let open_pnl = total(held, |one| one.pnl);
        let equity = open_pnl.and_then(|pnl| margin::equity(account.balance, [pnl]));
        let values: Option<Vec<Decimal>> = held.iter().map(Held::value).collect();
        let exposed = values.and_then(totals);
        let started = account.day.map(|start| start.equity);
        Self {
            open_pnl,
            equity,
            exposure: exposed.map(|totals| totals.gross),
            net: exposed.map(|totals| totals.net),
            margin: total(held, |one| one.margin),
            day_pnl: equity.zip(started).and_then(|(now, start)| now.checked_sub(start)),
        }
    }
}

/// Returns Σ of a figure; `None` if one of them is not known.
fn total(held: &[Held], figure: impl Fn(&Held) -> Option<Decimal>) -> Option<Decimal> {
    held.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(figure(one)?))
}
