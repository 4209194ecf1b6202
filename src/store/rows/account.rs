//! Rows of `accounts`.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::account::{Account, AccountStatus, Environment};
use crate::domain::ids::AccountId;

/// The day's first equity is in the newest daily row of `performance_metrics`, where one was made.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.account_id, a.account_name, a.broker, a.prop_firm,
                    a.metadata->>'portfolio' AS portfolio, a.account_type, a.base_currency::text,
                    a.initial_balance, a.current_balance, a.available_balance,
                    COALESCE(a.margin_used, 0) AS margin_used, a.equity, a.status,
                    a.max_daily_loss, a.max_total_drawdown, day.start_equity, a.updated_at
               FROM accounts a
               LEFT JOIN LATERAL (
                    SELECT m.start_equity FROM performance_metrics m
                     WHERE m.account_id = a.account_id AND m.period_type = 'daily'
                     ORDER BY m.period_start DESC LIMIT 1) day ON true ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY a.account_name, a.account_id LIMIT 5000"),
    by_id: select!("WHERE a.account_id = ANY ($1)"),
    keys: Keys::Uuid,
    most: 5000,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Account, Bad> {
    Ok(Account {
        id: AccountId(cells.id("account_id")?),
        name: cells.text("account_name")?,
        broker: cells.text("broker")?,
        prop_firm: cells.text_if_any("prop_firm")?,
        portfolio: cells.text_if_any("portfolio")?,
        environment: cells.word("account_type", Environment::from_word)?,
        base_currency: cells.text("base_currency")?.trim().to_uppercase(),
        initial_balance: cells.number("initial_balance")?,
        balance: cells.number("current_balance")?,
        available: cells.number("available_balance")?,
        margin_used: cells.number("margin_used")?,
        equity: cells.number("equity")?,
        status: cells.word("status", AccountStatus::from_word)?,
        max_daily_loss: cells.number("max_daily_loss")?,
        max_total_drawdown: cells.number("max_total_drawdown")?,
        day_start_equity: cells.number_if_any("start_equity")?,
        updated_at: cells.time_if_any("updated_at")?,
    })
}
