//! The limits that the demonstration is founded with.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use uuid::{Uuid, uuid};

use super::ACCOUNTS;
use crate::sim::tables::LimitRow;

/// A limit: account, type, scope, identifier, value, unit, warning.
type LimitPlan = (
    Option<usize>,
    &'static str,
    &'static str,
    Option<&'static str>,
    Decimal,
    &'static str,
    Option<Decimal>,
);

const LIMITS: [LimitPlan; 26] = [
    (None, "max_exposure", "system", None, dec!(1200000), "USD", Some(dec!(1000000))),
    (None, "max_exposure", "portfolio", Some("prop"), dec!(450000), "USD", None),
    (None, "max_exposure", "portfolio", Some("house"), dec!(330000), "EUR", None),
    (Some(0), "max_exposure", "account", None, dec!(250000), "USD", Some(dec!(200000))),
    (Some(1), "max_exposure", "account", None, dec!(120000), "USD", Some(dec!(90000))),
    (Some(2), "max_exposure", "account", None, dec!(250), "percentage", Some(dec!(200))),
    (Some(3), "max_exposure", "account", None, dec!(70000), "GBP", None),
    (Some(4), "max_exposure", "account", None, dec!(3.00), "fraction", Some(dec!(2.50))),
    (Some(5), "max_exposure", "account", None, dec!(60000), "EUR", None),
    (None, "max_position_size", "instrument", Some("XAU_USD"), dec!(60), "units", Some(dec!(45))),
    (None, "max_position_size", "instrument", Some("US500_USD"), dec!(40), "units", None),
    (Some(0), "max_position_size", "account", None, dec!(150000), "units", None),
    (Some(2), "max_position_size", "account", None, dec!(2), "lots", Some(dec!(1.5))),
    (Some(0), "max_risk_per_trade", "account", None, dec!(1.5), "percentage", Some(dec!(1))),
    (Some(1), "max_risk_per_trade", "account", None, dec!(500), "USD", None),
    (Some(2), "max_risk_per_trade", "account", None, dec!(2), "percentage", None),
    (Some(3), "max_risk_per_trade", "account", None, dec!(400), "GBP", None),
    (Some(0), "max_daily_loss", "account", None, dec!(4500), "USD", Some(dec!(3000))),
    (Some(1), "max_daily_loss", "account", None, dec!(1800), "USD", Some(dec!(1200))),
    (Some(2), "max_daily_loss", "account", None, dec!(2.5), "percentage", None),
    (Some(5), "max_daily_loss", "account", None, dec!(1000), "EUR", Some(dec!(700))),
    (Some(0), "max_open_positions", "account", None, dec!(5), "count", Some(dec!(4))),
    (Some(4), "max_drawdown", "account", None, dec!(20), "percentage", None),
    (None, "max_spread", "instrument", Some("GBP_USD"), dec!(3), "pips", None),
    (Some(4), "max_order_value", "account", None, dec!(250000), "USD", None),
    // Nobody knows this type: it has to be shown as not enforced.
    (Some(4), "max_vega", "account", None, dec!(5000), "USD", None),
];

/// Returns the rows of `risk_limits`: the list, and a proposal that waits for a second person.
pub(in crate::sim) fn limits(now: DateTime<Utc>) -> Vec<LimitRow> {
    let week_ago = now - TimeDelta::days(7);
    let row = |(number, plan): (u128, &LimitPlan)| {
        let (account, limit_type, limit_scope, scope_identifier, value, unit, warning) = *plan;
        LimitRow {
            limit_id: limit_id(number),
            account_id: account.and_then(|at| ACCOUNTS.get(at)).map(|plan| plan.id),
            limit_type,
            limit_scope,
            scope_identifier,
            limit_value: value,
            limit_unit: unit,
            warning_threshold: warning,
            time_window: limit_type.contains("daily").then_some("daily"),
            is_active: true,
            description: "",
            created_by: "risk1",
            approved_by: Some("risk2"),
            approved_at: Some(week_ago),
            effective_from: week_ago,
            created_at: week_ago,
            supersedes_limit_id: None,
            change_reason: None,
        }
    };
    let mut rows: Vec<LimitRow> = (0..).zip(&LIMITS).map(row).collect();
    let earlier = now - TimeDelta::minutes(42);
    rows.push(LimitRow {
        limit_id: limit_id(900),
        limit_value: dec!(300000),
        warning_threshold: Some(dec!(240000)),
        is_active: false,
        approved_by: None,
        approved_at: None,
        effective_from: earlier,
        created_at: earlier,
        supersedes_limit_id: Some(limit_id(3)),
        change_reason: Some("second payout phase: the firm doubled the allocation"),
        ..row((900, &LIMITS[3]))
    });
    rows
}

/// The same keys on every desk, so that a document can name one.
fn limit_id(number: u128) -> Uuid {
    let base = uuid!("a1000000-0000-4000-8000-0011a1700000").as_u128();
    Uuid::from_u128(base.wrapping_add(number))
}
