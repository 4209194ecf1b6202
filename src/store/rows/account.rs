//! Rows of `accounts`.

use rust_decimal::Decimal;
use serde_json::Value;

use super::cells::{Bad, Cells};
use super::source::{Keys, Source, number_in};
use crate::domain::account::{Account, AccountStatus, Commission, Environment, Start};
use crate::domain::drawdown::Peaks;
use crate::domain::ids::AccountId;

/// What a period began with is in its newest row of `performance_metrics`, where one was made; the
/// newest daily one has the peaks of all days.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.account_id, a.account_name, a.broker, a.prop_firm,
                    a.metadata->>'portfolio' AS portfolio, a.account_type, a.base_currency::text,
                    a.initial_balance, a.current_balance, a.available_balance,
                    COALESCE(a.margin_used, 0) AS margin_used, a.equity, a.status,
                    a.max_daily_loss, a.max_total_drawdown, a.metadata->'commission' AS commission,
                    day.start_balance AS day_balance, day.start_equity AS day_equity,
                    week.start_balance AS week_balance, week.start_equity AS week_equity,
                    month.start_balance AS month_balance, month.start_equity AS month_equity,
                    day.peak_eod_balance, day.peak_equity, a.updated_at
               FROM accounts a
               LEFT JOIN LATERAL (
                    SELECT m.* FROM performance_metrics m
                     WHERE m.account_id = a.account_id AND m.period_type = 'daily'
                     ORDER BY m.period_start DESC LIMIT 1) day ON true
               LEFT JOIN LATERAL (
                    SELECT m.* FROM performance_metrics m
                     WHERE m.account_id = a.account_id AND m.period_type = 'weekly'
                     ORDER BY m.period_start DESC LIMIT 1) week ON true
               LEFT JOIN LATERAL (
                    SELECT m.* FROM performance_metrics m
                     WHERE m.account_id = a.account_id AND m.period_type = 'monthly'
                     ORDER BY m.period_start DESC LIMIT 1) month ON true ",
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
        day: start(cells.number_if_any("day_balance")?, cells.number_if_any("day_equity")?),
        week: start(cells.number_if_any("week_balance")?, cells.number_if_any("week_equity")?),
        month: start(cells.number_if_any("month_balance")?, cells.number_if_any("month_equity")?),
        peaks: cells
            .number_if_any("peak_eod_balance")?
            .zip(cells.number_if_any("peak_equity")?)
            .map(|(balance, equity)| Peaks { balance, equity }),
        commission: cells
            .json_if_any("commission")?
            .map(|json| commission(&json))
            .unwrap_or_default(),
        updated_at: cells.time_if_any("updated_at")?,
    })
}

fn start(balance: Option<Decimal>, equity: Option<Decimal>) -> Option<Start> {
    balance.zip(equity).map(|(balance, equity)| Start { balance, equity })
}

/// What cannot be read costs nothing, as in `desk.commission_for`.
fn commission(json: &Value) -> Commission {
    let by_instrument = json.get("by_instrument").and_then(Value::as_object);
    Commission {
        per_unit: json.get("per_unit").and_then(number_in),
        by_instrument: by_instrument
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), number_in(value)?)))
            .collect(),
    }
}
