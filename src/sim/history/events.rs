//! Risk events and system events of the last hours.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use serde_json::json;
use uuid::Uuid;

use crate::sim::desk::ACCOUNTS;
use crate::sim::dice::Dice;
use crate::sim::signals::key;
use crate::sim::tables::{EventRow, SystemEventRow};

/// Stream of chance of keys.
const STREAM: u64 = 2_001;

/// Where an event of the past stands.
#[derive(Clone, Copy)]
enum Stand {
    New,
    /// Acknowledged so many minutes after it was raised, by whom, with which note.
    Acknowledged(i64, &'static str, Option<&'static str>),
    /// Over by itself after so many minutes; nobody had looked.
    Cleared(i64),
    /// Acknowledged, then over: minutes of both.
    Resolved(i64, i64, &'static str, &'static str),
}

/// Minutes ago, account, type, severity, source, value, limit, unit, message, where it stands, how
/// often it was seen.
type Happened = (
    i64,
    Option<usize>,
    &'static str,
    &'static str,
    &'static str,
    Option<Decimal>,
    Option<Decimal>,
    &'static str,
    &'static str,
    Stand,
    i32,
);

/// What is wrong now and has to do with a limit is not among it: the watch finds that by itself as soon
/// as it runs, and a second event about it would be a second one for the same loss.
const HAPPENED: [Happened; 10] = [
    (
        171,
        None,
        "feed_divergence",
        "emergency",
        "data-collection",
        Some(dec!(14.2)),
        Some(dec!(5)),
        "pips",
        "EUR_USD: two price sources 14.2 pips apart",
        Stand::Resolved(2, 6, "risk1", "second source was replaying; taken out"),
        3,
    ),
    (
        152,
        Some(1),
        "slippage",
        "warning",
        "execution-engine",
        Some(dec!(1.6)),
        Some(dec!(1.5)),
        "pips",
        "GBP_USD filled 1.6 pips from its signal",
        Stand::Cleared(4),
        1,
    ),
    (
        133,
        Some(0),
        "order_refused",
        "info",
        "execution-engine",
        Some(dec!(1.12)),
        Some(dec!(1)),
        "percentage",
        "a price 1.12 % from the market was refused",
        Stand::Acknowledged(9, "risk1", None),
        1,
    ),
    (
        118,
        None,
        "max_price_age",
        "critical",
        "risk-monitor",
        Some(dec!(14)),
        Some(dec!(5)),
        "seconds",
        "XAU_USD: no quote for 14 s",
        Stand::Resolved(3, 7, "risk2", "venue maintenance, announced"),
        2,
    ),
    (
        97,
        Some(2),
        "correlated_exposure",
        "warning",
        "risk-monitor",
        Some(dec!(62)),
        Some(dec!(60)),
        "percentage",
        "EUR crosses are 62 % of the exposure",
        Stand::Acknowledged(12, "risk1", None),
        4,
    ),
    (
        83,
        None,
        "agent_heartbeat",
        "critical",
        "risk-monitor",
        Some(dec!(45)),
        Some(dec!(30)),
        "seconds",
        "pattern-detection was silent for 45 s",
        Stand::Resolved(2, 3, "risk1", "restarted by its supervisor"),
        1,
    ),
    (
        64,
        None,
        "session_open",
        "info",
        "market-analysis",
        None,
        None,
        "",
        "London and New York overlap: spreads at their usual width",
        Stand::Cleared(1),
        1,
    ),
    (
        51,
        None,
        "max_spread",
        "warning",
        "risk-monitor",
        Some(dec!(3.1)),
        Some(dec!(3)),
        "pips",
        "GBP_USD: spread 3.1 pips",
        Stand::Cleared(2),
        3,
    ),
    (
        12,
        Some(4),
        "model_drift",
        "warning",
        "learning-safety",
        Some(dec!(0.34)),
        Some(dec!(0.30)),
        "ratio",
        "win rate of blend-0.8 is 0.34 below its test",
        Stand::New,
        2,
    ),
    (
        6,
        Some(0),
        "order_refused",
        "info",
        "execution-engine",
        Some(dec!(6)),
        Some(dec!(5)),
        "count",
        "a sixth position was refused",
        Stand::New,
        1,
    ),
];

/// Returns the risk events of the past.
pub(super) fn risk(seed: u64, now: DateTime<Utc>) -> Vec<EventRow> {
    let mut dice = Dice::new(seed, STREAM);
    HAPPENED.iter().map(|happened| row(&mut dice, now, happened)).collect()
}

fn row(dice: &mut Dice, now: DateTime<Utc>, happened: &Happened) -> EventRow {
    let (
        ago,
        account,
        event_type,
        severity,
        event_source,
        value,
        limit,
        unit,
        message,
        stand,
        count,
    ) = *happened;
    let occurred_at = now - TimeDelta::minutes(ago) - TimeDelta::seconds(dice.between(0, 40));
    let after = |minutes| Some(occurred_at + TimeDelta::minutes(minutes));
    let (acknowledged, resolved) = match stand {
        Stand::New => (None, None),
        Stand::Acknowledged(minutes, by, note) => (Some((after(minutes), by, note)), None),
        Stand::Cleared(minutes) => (None, after(minutes)),
        Stand::Resolved(owned, over, by, note) => {
            (Some((after(owned), by, Some(note))), after(over))
        }
    };
    EventRow {
        event_id: key(dice, occurred_at),
        account_id: account.and_then(|at| ACCOUNTS.get(at)).map(|plan| plan.id),
        event_type,
        severity,
        event_source,
        risk_measure: event_type,
        current_value: value,
        limit_value: limit,
        event_data: json!({"message": message, "unit": unit, "simulated": true}),
        auto_resolved: resolved.is_some(),
        resolution_time: resolved,
        acknowledged_by: acknowledged.map(|(_, by, _)| by),
        acknowledged_at: acknowledged.and_then(|(at, _, _)| at),
        dedup_key: None,
        occurrence_count: count,
        occurred_at,
        note: acknowledged.and_then(|(_, _, note)| note),
    }
}

/// Minutes ago, type, category, severity, agent, message.
const NOTED: [(i64, &str, &str, &str, &str, &str); 14] = [
    (178, "agent_started", "lifecycle", "info", "data-collection", "connected to 1 price source"),
    (177, "agent_started", "lifecycle", "info", "market-analysis", "models wyckoff-2.4 loaded"),
    (176, "agent_started", "lifecycle", "info", "execution-engine", "6 accounts, 1 reduce-only"),
    (171, "source_rejected", "data", "error", "data-collection", "second price source rejected"),
    (150, "model_refreshed", "model", "info", "pattern-detection", "vsa-1.9 refitted on 30 days"),
    (118, "quote_gap", "data", "warning", "data-collection", "XAU_USD: no quote for 14 s"),
    (97, "consensus_low", "decision", "info", "disagreement-engine", "2 of 5 agreed; no signal"),
    (83, "agent_status_changed", "lifecycle", "error", "pattern-detection", "running → error"),
    (81, "agent_status_changed", "lifecycle", "info", "pattern-detection", "error → running"),
    (70, "maintenance", "lifecycle", "info", "parameter-optimization", "weekly search begins"),
    (55, "backup", "platform", "debug", "data-collection", "1,440 bars handed to the archive"),
    (38, "drawdown_watch", "risk", "warning", "risk-monitor", "forge is watched more closely"),
    (24, "account_halted", "risk", "critical", "risk-monitor", "forge reduces only"),
    (9, "latency", "platform", "warning", "execution-engine", "p99 of fills 840 ms"),
];

/// Returns the system events of the past.
pub(super) fn system(seed: u64, now: DateTime<Utc>) -> Vec<SystemEventRow> {
    let mut dice = Dice::new(seed, STREAM + 1);
    let mut row = |(ago, event_type, event_category, severity, source_agent, message): (
        i64,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &str,
    )| {
        let occurred_at = now - TimeDelta::minutes(ago);
        let event_id: Uuid = key(&mut dice, occurred_at);
        SystemEventRow {
            event_id,
            event_type,
            event_category,
            severity,
            source_agent,
            event_message: message.to_owned(),
            occurred_at,
        }
    };
    NOTED.into_iter().map(&mut row).collect()
}
