//! The rulebook: every `desk` function and trigger on real PostgreSQL, called as SQL.

#![expect(clippy::unwrap_used, reason = "a fixture that fails, fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/rows.rs"]
mod rows;
#[path = "support/verbs.rs"]
mod verbs;

#[path = "rulebook/amend.rs"]
mod amend;
#[path = "rulebook/audit.rs"]
mod audit;
#[path = "rulebook/changes.rs"]
mod changes;
#[path = "rulebook/checks.rs"]
mod checks;
#[path = "rulebook/dice.rs"]
mod dice;
#[path = "rulebook/event_times.rs"]
mod event_times;
#[path = "rulebook/exposure_check.rs"]
mod exposure_check;
#[path = "rulebook/fills.rs"]
mod fills;
#[path = "rulebook/flatten.rs"]
mod flatten;
#[path = "rulebook/halts.rs"]
mod halts;
#[path = "rulebook/limit_changes.rs"]
mod limit_changes;
#[path = "rulebook/limits.rs"]
mod limits;
#[path = "rulebook/logins.rs"]
mod logins;
#[path = "rulebook/loopholes.rs"]
mod loopholes;
#[path = "rulebook/monitor.rs"]
mod monitor;
#[path = "rulebook/monitor_locks.rs"]
mod monitor_locks;
#[path = "rulebook/netting.rs"]
mod netting;
#[path = "rulebook/odd_rows.rs"]
mod odd_rows;
#[path = "rulebook/oversight.rs"]
mod oversight;
#[path = "rulebook/privileges.rs"]
mod privileges;
#[path = "rulebook/races.rs"]
mod races;
#[path = "rulebook/reconcile.rs"]
mod reconcile;
#[path = "rulebook/requests.rs"]
mod requests;
#[path = "rulebook/running_totals.rs"]
mod running_totals;
#[path = "rulebook/stops.rs"]
mod stops;
#[path = "rulebook/storm.rs"]
mod storm;
#[path = "rulebook/trading_days.rs"]
mod trading_days;
#[path = "rulebook/utilisation.rs"]
mod utilisation;
#[path = "rulebook/valuation.rs"]
mod valuation;
