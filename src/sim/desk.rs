//! The desk that the demonstration is founded with: accounts, limits, agents, logins.
//!
//! Names of firms are data: they show how accounts of several firms look side by side, and say
//! nothing about the firms' rules.

mod limits;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use serde_json::json;
use uuid::{Uuid, uuid};

use super::instruments::SPECS;
use crate::sim::tables::{AccountRow, AgentRow, HaltRow, InstrumentRow};

pub(super) use limits::limits;

/// The login under which the agents work. Member of the group `tmt_agent`.
pub const AGENTS: &str = "agents";

/// The demonstration's logins and the group of each. Two risk officers, because a limit that is
/// loosened needs two persons.
pub const LOGINS: [(&str, &str); 6] = [
    ("trader1", "tmt_trader"),
    ("risk1", "tmt_risk_officer"),
    ("risk2", "tmt_risk_officer"),
    ("admin1", "tmt_admin"),
    ("viewer1", "tmt_viewer"),
    (AGENTS, "tmt_agent"),
];

/// An account of the desk.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: Uuid,
    pub(super) name: &'static str,
    broker: &'static str,
    platform: &'static str,
    account_type: &'static str,
    prop_firm: Option<&'static str>,
    pub(super) currency: &'static str,
    initial: Decimal,
    /// Balance before the trades of the history.
    pub(super) balance: Decimal,
    status: &'static str,
    profile: &'static str,
    daily_loss: Decimal,
    drawdown: Decimal,
    portfolio: &'static str,
    time_zone: &'static str,
    /// Most notional of one trade of the agents, in percent of equity.
    pub(super) appetite: i64,
}

/// Index of the account whose trading was halted in the morning.
pub(super) const HALTED: usize = 5;

pub(super) static ACCOUNTS: [Plan; 6] = [
    Plan {
        id: uuid!("a1000000-0000-4000-8000-0000000a1fa0"),
        name: "alpha",
        broker: "FTMO",
        platform: "MetaTrader 5",
        account_type: "live",
        prop_firm: Some("FTMO"),
        currency: "USD",
        initial: dec!(100000),
        balance: dec!(103412.60),
        status: "active",
        profile: "moderate",
        daily_loss: dec!(0.05),
        drawdown: dec!(0.10),
        portfolio: "prop",
        time_zone: "Europe/Prague",
        appetite: 55,
    },
    Plan {
        id: uuid!("a1000000-0000-4000-8000-000000b0b0b0"),
        name: "bravo",
        broker: "DNA Funded",
        platform: "TradeLocker",
        account_type: "live",
        prop_firm: Some("DNA Funded"),
        currency: "USD",
        initial: dec!(50000),
        balance: dec!(48870.15),
        status: "active",
        profile: "conservative",
        daily_loss: dec!(2000),
        drawdown: dec!(0.08),
        portfolio: "prop",
        time_zone: "UTC",
        appetite: 60,
    },
    Plan {
        id: uuid!("a1000000-0000-4000-8000-000000ca0000"),
        name: "carry",
        broker: "OANDA",
        platform: "v20",
        account_type: "live",
        prop_firm: None,
        currency: "EUR",
        initial: dec!(75000),
        balance: dec!(81204.33),
        status: "active",
        profile: "moderate",
        daily_loss: dec!(0.03),
        drawdown: dec!(0.20),
        portfolio: "house",
        time_zone: "America/New_York",
        appetite: 60,
    },
    Plan {
        id: uuid!("a1000000-0000-4000-8000-000000de17a0"),
        name: "delta",
        broker: "OANDA",
        platform: "v20",
        account_type: "demo",
        prop_firm: None,
        currency: "GBP",
        initial: dec!(25000),
        balance: dec!(25310.00),
        status: "active",
        profile: "conservative",
        daily_loss: dec!(0.04),
        drawdown: dec!(0.15),
        portfolio: "house",
        time_zone: "Europe/London",
        appetite: 70,
    },
    Plan {
        id: uuid!("a1000000-0000-4000-8000-000000ec0000"),
        name: "echo",
        broker: "TMT",
        platform: "paper",
        account_type: "paper",
        prop_firm: None,
        currency: "USD",
        initial: dec!(200000),
        balance: dec!(197655.41),
        status: "active",
        profile: "aggressive",
        daily_loss: dec!(0.06),
        drawdown: dec!(0.25),
        portfolio: "research",
        time_zone: "UTC",
        appetite: 65,
    },
    Plan {
        id: uuid!("a1000000-0000-4000-8000-000000f09e00"),
        name: "forge",
        broker: "DNA Funded",
        platform: "TradeLocker",
        account_type: "live",
        prop_firm: Some("DNA Funded"),
        currency: "EUR",
        initial: dec!(25000),
        balance: dec!(26140.70),
        status: "risk_halt",
        profile: "aggressive",
        daily_loss: dec!(1000),
        drawdown: dec!(0.10),
        portfolio: "prop",
        time_zone: "UTC",
        appetite: 60,
    },
];

/// Returns the rows of `accounts`; `balances` are those after the trades of the history.
pub(super) fn accounts(now: DateTime<Utc>, balances: &[Decimal]) -> Vec<AccountRow> {
    let row = |(days, (plan, balance)): (i64, (&Plan, &Decimal))| AccountRow {
        account_id: plan.id,
        account_name: plan.name,
        broker: plan.broker,
        platform: plan.platform,
        account_type: plan.account_type,
        prop_firm: plan.prop_firm,
        base_currency: plan.currency,
        initial_balance: plan.initial,
        current_balance: *balance,
        status: plan.status,
        risk_profile: plan.profile,
        max_daily_loss: plan.daily_loss,
        max_total_drawdown: plan.drawdown,
        created_at: now - TimeDelta::days(days),
        metadata: json!({
            "simulated": "true",
            "portfolio": plan.portfolio,
            "risk_day": {"tz": plan.time_zone, "reset_time": "00:00"},
        }),
    };
    (0..).step_by(37).skip(2).zip(ACCOUNTS.iter().zip(balances)).map(row).collect()
}

/// Returns the rows of `instruments`.
pub(super) fn instruments() -> Vec<InstrumentRow> {
    let row = |spec: &super::instruments::Spec| {
        let row = spec.row();
        InstrumentRow {
            instrument: spec.name.to_owned(),
            asset_class: row.asset_class,
            base_currency: row.base_currency,
            quote_currency: row.quote_currency,
            contract_size: row.contract_size,
            size_step: row.size_step,
            min_size: row.min_size,
            max_size: row.max_size,
            tick_size: row.tick_size,
            pip_size: row.pip_size,
            margin_rate: row.margin_rate,
            aliases: row.aliases,
            description: spec.description,
        }
    };
    SPECS.iter().map(row).collect()
}

/// The agents: id, what people call it, type, version, and a usual answer in tenths of a
/// millisecond.
pub(super) const AGENT_LIST: [(&str, &str, &str, &str, i64); 9] = [
    ("market-analysis", "Market analysis", "analysis", "2.4.1", 420),
    ("pattern-detection", "Pattern detection", "analysis", "1.9.0", 655),
    ("strategy-analysis", "Strategy analysis", "strategy", "0.8.3", 980),
    ("parameter-optimization", "Parameter optimization", "optimization", "1.2.0", 2_310),
    ("learning-safety", "Learning safety", "safety", "1.1.4", 180),
    ("disagreement-engine", "Disagreement engine", "consensus", "1.0.7", 240),
    ("data-collection", "Data collection", "data", "3.0.2", 95),
    ("execution-engine", "Execution engine", "execution", "2.7.0", 310),
    ("risk-monitor", "Risk monitor", "risk", "2.2.5", 125),
];

/// Returns the rows of `agents`.
pub(super) fn agents(now: DateTime<Utc>) -> Vec<AgentRow> {
    let row = |(step, (agent_id, agent_name, agent_type, version, tenths)): (i64, _)| {
        let uptime = 11_000_i64.saturating_add(step.saturating_mul(7_919));
        AgentRow {
            agent_id,
            agent_name,
            agent_type,
            config_version: "2026.1",
            status: if step == 3 { "maintenance" } else { "running" },
            version,
            last_heartbeat: now - TimeDelta::seconds(step),
            started_at: now - TimeDelta::seconds(uptime),
            uptime_seconds: uptime,
            total_requests: uptime.saturating_mul(step.saturating_add(2)),
            error_count: step.saturating_mul(step),
            average_response_time_ms: Decimal::new(tenths, 1),
        }
    };
    (0..).zip(AGENT_LIST).map(row).collect()
}

/// Returns the halt of the account that lost too much.
pub(super) fn halts(now: DateTime<Utc>) -> Vec<HaltRow> {
    let halted = ACCOUNTS.get(HALTED);
    let halt = halted.map(|plan| HaltRow {
        halt_id: uuid!("a1000000-0000-4000-8000-00000000ba17"),
        scope: "account",
        account_id: Some(plan.id),
        mode: "reduce_only",
        reason: "daily loss limit of 1,000.00 EUR reached",
        set_by: AGENTS,
        set_at: now - TimeDelta::minutes(24),
    });
    halt.into_iter().collect()
}
