//! The rows as they were last read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::account::Account;
use crate::domain::agent::{Agent, SystemEvent};
use crate::domain::event::RiskEvent;
use crate::domain::halt::{Halt, Scope};
use crate::domain::ids::{
    AccountId, EventId, HaltId, InstrumentId, LimitId, PositionId, SignalId, TradeId,
};
use crate::domain::limit::Limit;
use crate::domain::position::Position;
use crate::domain::request::{Closing, Verb};
use crate::domain::rows::Rows;
use crate::domain::signal::Signal;
use crate::domain::trade::Trade;
use uuid::Uuid;

/// Rows kept per list; the poll's page is no larger.
const KEPT: usize = 2_000;

/// The rows as they were last read.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    /// `accounts`
    pub accounts: BTreeMap<AccountId, Account>,
    pub positions: BTreeMap<PositionId, Position>,
    pub trades: BTreeMap<TradeId, Trade>,
    pub signals: BTreeMap<SignalId, Signal>,
    /// Newest risk events, and every unacknowledged one.
    pub events: BTreeMap<EventId, RiskEvent>,
    /// Limits that bind or wait.
    pub limits: BTreeMap<LimitId, Limit>,
    pub halts: BTreeMap<HaltId, Halt>,
    /// `agents`
    pub agents: BTreeMap<String, Agent>,
    pub system_events: BTreeMap<Uuid, SystemEvent>,
}

/// Puts `rows` into `table`. With `asked`, the keys in it that did not come back are removed;
/// without, the rows replace everything.
fn merge<K: Ord + Clone, T>(
    table: &mut BTreeMap<K, T>,
    rows: Vec<T>,
    asked: Option<&[String]>,
    key: impl Fn(&T) -> K,
    parse: impl Fn(&str) -> Option<K>,
) {
    match asked {
        None => table.clear(),
        Some(asked) => {
            for gone in asked.iter().filter_map(|text| parse(text)) {
                table.remove(&gone);
            }
        }
    }
    table.extend(rows.into_iter().map(|row| (key(&row), row)));
}

/// Removes the oldest rows beyond [`KEPT`].
fn keep_newest<K: Ord + Clone, T>(
    table: &mut BTreeMap<K, T>,
    time: impl Fn(&T) -> DateTime<Utc>,
    may_go: impl Fn(&T) -> bool,
) {
    if table.len() <= KEPT {
        return;
    }
    let mut ages: Vec<(DateTime<Utc>, K)> = table
        .iter()
        .filter(|(_, row)| may_go(row))
        .map(|(key, row)| (time(row), key.clone()))
        .collect();
    ages.sort_unstable();
    let surplus = table.len().saturating_sub(KEPT);
    for (_, key) in ages.into_iter().take(surplus) {
        table.remove(&key);
    }
}

impl Desk {
    /// Applies rows that were read. With `asked`, rows asked for and not returned are removed.
    pub fn apply(&mut self, rows: Rows, asked: Option<&[String]>) {
        match rows {
            Rows::Accounts(rows) => {
                merge(&mut self.accounts, rows, asked, |row| row.id, |t| t.parse().ok());
            }
            Rows::Positions(rows) => {
                merge(&mut self.positions, rows, asked, |row| row.id, |t| t.parse().ok());
            }
            Rows::Trades(rows) => {
                merge(&mut self.trades, rows, asked, |row| row.id, |t| t.parse().ok());
                keep_newest(&mut self.trades, |row| row.entry_time, |_| true);
            }
            Rows::Signals(rows) => {
                merge(&mut self.signals, rows, asked, |row| row.id, |t| t.parse().ok());
                keep_newest(&mut self.signals, |row| row.generated_at, |_| true);
            }
            Rows::Events(rows) => {
                merge(&mut self.events, rows, asked, |row| row.id, |t| t.parse().ok());
                let seen = |row: &RiskEvent| !row.wants_acknowledgement();
                keep_newest(&mut self.events, |row| row.occurred_at, seen);
            }
            Rows::Limits(rows) => {
                merge(&mut self.limits, rows, asked, |row| row.id, |t| t.parse().ok());
            }
            Rows::Halts(rows) => {
                merge(&mut self.halts, rows, asked, |row| row.id, |t| t.parse().ok());
            }
            Rows::Agents(rows) => {
                let id = |text: &str| Some(text.to_owned());
                merge(&mut self.agents, rows, asked, |row| row.id.clone(), id);
            }
            Rows::SystemEvents(rows) => {
                let id = |text: &str| Uuid::parse_str(text).ok();
                merge(&mut self.system_events, rows, asked, |row| row.id, id);
                keep_newest(&mut self.system_events, |row| row.occurred_at, |_| true);
            }
            // Instruments live in the book, beside their quotes.
            Rows::Instruments(_) => {}
        }
    }

    /// Returns an account's name, or the end of its key where the row is not here.
    pub fn account_name(&self, id: AccountId) -> String {
        self.accounts.get(&id).map_or_else(|| id.short(), |account| account.name.clone())
    }

    /// Returns what is to be closed as a position: a trade is the part of one that is still open.
    pub fn holding(&self, what: Closing) -> Option<Position> {
        match what {
            Closing::Position(id) => self.positions.get(&id).cloned(),
            Closing::Trade(id) => {
                let trade = self.trades.get(&id)?;
                Some(Position {
                    id: PositionId(id.0),
                    account: trade.account,
                    instrument: trade.instrument.clone(),
                    direction: trade.side.direction(),
                    size: trade.open_size()?,
                    average_entry: trade.entry_price,
                    exact_cost: None,
                    booked_price: None,
                    stored_pnl: None,
                    realized_pnl: trade.net_pnl,
                    stop_loss: trade.stop_loss,
                    take_profit: trade.take_profit,
                    trailing_distance: None,
                    is_closing: false,
                    opened_at: trade.entry_time,
                    last_updated_at: trade.entry_time,
                })
            }
        }
    }

    /// Returns the live position that a trade belongs to.
    pub fn position_of(&self, trade: &Trade) -> Option<&Position> {
        match trade.position {
            Some(id) => self.positions.get(&id),
            None => self
                .positions
                .values()
                .find(|held| held.account == trade.account && held.instrument == trade.instrument),
        }
    }

    /// Returns whose position in what a write is about, where it is about one.
    pub fn touched(&self, verb: &Verb) -> (Option<AccountId>, Option<InstrumentId>) {
        let held = match verb {
            Verb::Place(trade) => return (Some(trade.account), Some(trade.instrument.clone())),
            Verb::Flatten { account, .. } => return (Some(*account), None),
            Verb::Close { what, .. } => self.holding(*what),
            Verb::Amend { position, .. } => self.positions.get(position).cloned(),
            Verb::Acknowledge { .. }
            | Verb::Unacknowledge { .. }
            | Verb::ProposeLimit { .. }
            | Verb::CreateLimit(_)
            | Verb::RetireLimit { .. }
            | Verb::ApproveLimit { .. }
            | Verb::RejectLimit { .. }
            | Verb::Halt { .. }
            | Verb::Resume { .. } => None,
        };
        held.map_or((None, None), |held| (Some(held.account), Some(held.instrument)))
    }

    /// Finds an account by its name, in any case, or by its key.
    pub fn account_named(&self, name: &str) -> Option<&Account> {
        if let Ok(id) = name.parse::<AccountId>() {
            return self.accounts.get(&id);
        }
        let mut named = self.accounts.values().filter(|row| row.name.eq_ignore_ascii_case(name));
        match (named.next(), named.next()) {
            // Two accounts of one name: neither is meant for sure.
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// Names what a halt covers.
    pub fn halted(&self, halt: &Halt) -> String {
        match (halt.scope, halt.account, &halt.identifier) {
            (Scope::System, _, _) => "all accounts".to_owned(),
            (Scope::Account, Some(account), _) => self.account_name(account),
            (Scope::Account, None, _) => "an account".to_owned(),
            (Scope::Portfolio, _, Some(name)) => format!("portfolio {name}"),
            (Scope::Instrument, _, Some(name)) => name.clone(),
            (Scope::Portfolio | Scope::Instrument, _, None) => halt.scope.as_str().to_owned(),
        }
    }

    /// Returns the halts that keep an account from opening `instrument`.
    pub fn halts_on(&self, account: Option<AccountId>, instrument: Option<&str>) -> Vec<&Halt> {
        let portfolio =
            account.and_then(|id| self.accounts.get(&id)).and_then(|row| row.portfolio.as_deref());
        self.halts
            .values()
            .filter(|halt| match halt.scope {
                Scope::System => true,
                Scope::Account => account.is_some() && halt.account == account,
                Scope::Instrument => {
                    instrument.is_some() && halt.identifier.as_deref() == instrument
                }
                Scope::Portfolio => portfolio.is_some() && halt.identifier.as_deref() == portfolio,
            })
            .collect()
    }
}
