//! Pane 1.

use rust_decimal::Decimal;

use super::column::{Column, Listed, left, right};
use crate::app::cell::{Cell, Tone};
use crate::app::model::Model;
use crate::app::pane::{Pane, RowId};
use crate::domain::account::{Account, AccountStatus};
use crate::domain::halt::HaltMode;
use crate::domain::utilisation::AccountMark;

fn mark(model: &Model, row: &Account) -> AccountMark {
    model.marks.accounts.get(&row.id).copied().unwrap_or_default()
}

/// Loss of the day as a share of what may be lost in a day; never negative.
fn day_loss_used(model: &Model, row: &Account) -> Option<Decimal> {
    let loss = Decimal::ZERO.checked_sub(mark(model, row).day_pnl?)?.max(Decimal::ZERO);
    loss.checked_div(row.daily_loss_limit()?.amount())
}

/// Loss since the start as a share of the initial balance; never negative.
fn drawdown(model: &Model, row: &Account) -> Option<Decimal> {
    let lost = row.initial_balance.checked_sub(mark(model, row).equity?)?.max(Decimal::ZERO);
    lost.checked_div(row.initial_balance)
}

/// Exposure as a share of the tightest exposure limit of the account, where there is one.
fn exposure_used(model: &Model, row: &Account) -> Option<Decimal> {
    let exposure = mark(model, row).exposure?;
    exposure.checked_div(model.marks.exposure_limit(row.id)?)
}

/// Returns the strictest halt that covers all of an account: its own, its portfolio's, the system's.
fn halt(model: &Model, row: &Account) -> Option<HaltMode> {
    let strictness = |mode: &HaltMode| match mode {
        HaltMode::ReduceOnly => 0,
        HaltMode::NoNewOrders => 1,
        HaltMode::Flatten => 2,
    };
    let halts = model.desk.halts_on(Some(row.id), None);
    halts.into_iter().map(|halt| halt.mode).max_by_key(strictness)
}

/// Returns the status in the account's row or, of an active account, the halt that is in force, in
/// capitals: no wider than the other words, so that a halt moves no column.
fn status(model: &Model, row: &Account) -> String {
    match (row.status, halt(model, row)) {
        (AccountStatus::Active, Some(HaltMode::ReduceOnly)) => "REDUCE".to_owned(),
        (AccountStatus::Active, Some(HaltMode::NoNewOrders)) => "HALTED".to_owned(),
        (AccountStatus::Active, Some(HaltMode::Flatten)) => "FLATTEN".to_owned(),
        (status, _) => status.to_string(),
    }
}

impl Listed for Account {
    const PANE: Pane = Pane::Accounts;
    const COLUMNS: &'static [Column<Self>] = &[
        left("ACCOUNT", 12, 0, |_, row| Cell::Text(row.name.clone())),
        left("ENV", 5, 3, |_, row| Cell::Text(row.environment.as_str().to_owned())),
        left("STATUS", 9, 0, |model, row| Cell::Text(status(model, row))),
        left("CCY", 4, 2, |_, row| Cell::Text(row.base_currency.clone())),
        right("BALANCE", 12, 4, |_, row| Cell::Money(row.balance)),
        right("EQUITY", 12, 0, |model, row| Cell::maybe(mark(model, row).equity, Cell::Money)),
        right("OPEN P&L", 12, 5, |model, row| Cell::maybe(mark(model, row).open_pnl, Cell::Gain)),
        right("DAY P&L", 12, 1, |model, row| Cell::maybe(mark(model, row).day_pnl, Cell::Gain)),
        left("DAY LOSS", 15, 1, |model, row| Cell::maybe(day_loss_used(model, row), Cell::Used)),
        right("DRAWDOWN", 8, 6, |model, row| Cell::maybe(drawdown(model, row), Cell::Percent)),
        right("MARGIN", 11, 7, |model, row| Cell::maybe(mark(model, row).margin, Cell::Money)),
        right("EXPOSURE", 13, 8, |model, row| Cell::maybe(mark(model, row).exposure, Cell::Money)),
        left("EXPO USED", 15, 1, |model, row| Cell::maybe(exposure_used(model, row), Cell::Used)),
        left("PROP FIRM", 14, 10, |_, row| Cell::text(row.prop_firm.as_deref())),
        left("BROKER", 14, 11, |_, row| Cell::Text(row.broker.clone())),
    ];

    fn row_id(&self) -> RowId {
        RowId::Account(self.id)
    }

    fn tone(&self, model: &Model) -> Tone {
        let used = [day_loss_used(model, self), exposure_used(model, self)];
        let most = used.into_iter().flatten().max().unwrap_or_default();
        match self.status {
            AccountStatus::RiskHalt => Tone::Critical,
            AccountStatus::Active if halt(model, self).is_some() => Tone::Critical,
            AccountStatus::Closed => Tone::Quiet,
            _ if most >= Decimal::ONE => Tone::Critical,
            AccountStatus::Suspended => Tone::Warning,
            AccountStatus::Active if most >= crate::domain::limit::DEFAULT_WARNING => Tone::Warning,
            AccountStatus::Active => Tone::Plain,
        }
    }

    fn all(model: &Model) -> Vec<&Self> {
        let mut rows: Vec<&Self> = model.desk.accounts.values().collect();
        rows.sort_by(|one, two| one.name.cmp(&two.name));
        rows
    }

    fn find<'a>(model: &'a Model, id: &RowId) -> Option<&'a Self> {
        let RowId::Account(id) = id else { return None };
        model.desk.accounts.get(id)
    }
}
