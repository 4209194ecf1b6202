//! The desk that the demo is seeded with: accounts, agents, limits, logins
//! (`config/demo/desk.toml` and `limits.toml`).

mod limits;

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use uuid::{Uuid, uuid};

use super::data::embedded;
use super::instruments::{SPECS, Spec};
use super::tables::{AccountRow, AgentRow, HaltRow, InstrumentRow};

pub(super) use limits::limits;

/// Login of the agents, a member of `tmt_agent`.
pub const AGENTS: &str = "agents";

/// Logins of the demo, each with its group. Two risk officers, because loosening a limit takes two.
pub const LOGINS: [(&str, &str); 6] = [
    ("trader1", "tmt_trader"),
    ("risk1", "tmt_risk_officer"),
    ("risk2", "tmt_risk_officer"),
    ("admin1", "tmt_admin"),
    ("viewer1", "tmt_viewer"),
    (AGENTS, "tmt_agent"),
];

/// `desk.toml`, which explains each field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Demo {
    pub(super) losses: Vec<i64>,
    pub(super) open: Vec<(String, String)>,
    halt: Halt,
    #[serde(rename = "account")]
    pub(super) accounts: Vec<Plan>,
    #[serde(rename = "agent")]
    pub(super) agents: Vec<Agent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Halt {
    account: String,
    mode: String,
    reason: String,
    minutes_ago: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) id: Uuid,
    pub(super) name: String,
    broker: String,
    platform: String,
    #[serde(rename = "type")]
    account_type: String,
    prop_firm: Option<String>,
    pub(super) currency: String,
    initial: Decimal,
    pub(super) balance: Decimal,
    status: String,
    risk_profile: String,
    daily_loss: Decimal,
    drawdown: Decimal,
    portfolio: String,
    time_zone: String,
    pub(super) appetite: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub(super) id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    status: String,
    pub(super) response: Decimal,
    pub(super) fails: bool,
}

pub(super) static DEMO: LazyLock<Demo> = LazyLock::new(|| {
    embedded("desk.toml", toml::from_str(include_str!("../../config/demo/desk.toml")))
});

impl Demo {
    /// Finds an account by name; returns its index.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.accounts.iter().position(|plan| plan.name == name)
    }

    /// Returns the index of the halted account.
    pub(super) fn halted(&self) -> Option<usize> {
        self.find(&self.halt.account)
    }
}

/// Returns the rows of `accounts`. `balances` are those after the past trades.
pub(super) fn accounts(now: DateTime<Utc>, balances: &[Decimal]) -> Vec<AccountRow> {
    let row = |(days, (plan, balance)): (i64, (&'static Plan, &Decimal))| AccountRow {
        account_id: plan.id,
        account_name: &plan.name,
        broker: &plan.broker,
        platform: &plan.platform,
        account_type: &plan.account_type,
        prop_firm: plan.prop_firm.as_deref(),
        base_currency: &plan.currency,
        initial_balance: plan.initial,
        current_balance: *balance,
        status: &plan.status,
        risk_profile: &plan.risk_profile,
        max_daily_loss: plan.daily_loss,
        max_total_drawdown: plan.drawdown,
        created_at: now - TimeDelta::days(days),
        metadata: json!({
            "simulated": "true",
            "portfolio": plan.portfolio,
            "risk_day": {"tz": plan.time_zone, "reset_time": "00:00"},
        }),
    };
    (0..).step_by(37).skip(2).zip(DEMO.accounts.iter().zip(balances)).map(row).collect()
}

pub(super) fn instruments() -> Vec<InstrumentRow> {
    let row = |spec: &'static Spec| {
        let row = spec.row();
        InstrumentRow {
            instrument: spec.name.clone(),
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
            description: &spec.description,
        }
    };
    SPECS.iter().map(row).collect()
}

pub(super) fn agents(now: DateTime<Utc>) -> Vec<AgentRow> {
    let row = |(step, agent): (i64, &'static Agent)| {
        let uptime = 11_000_i64.saturating_add(step.saturating_mul(7_919));
        AgentRow {
            agent_id: &agent.id,
            agent_name: &agent.name,
            agent_type: &agent.kind,
            config_version: "2026.1",
            status: &agent.status,
            version: &agent.version,
            last_heartbeat: now - TimeDelta::seconds(step),
            started_at: now - TimeDelta::seconds(uptime),
            uptime_seconds: uptime,
            total_requests: uptime.saturating_mul(step.saturating_add(2)),
            error_count: step.saturating_mul(step),
            average_response_time_ms: agent.response,
        }
    };
    (0..).zip(DEMO.agents.iter()).map(row).collect()
}

pub(super) fn halts(now: DateTime<Utc>) -> Vec<HaltRow> {
    let Halt { mode, reason, minutes_ago, .. } = &DEMO.halt;
    let halted = DEMO.halted().and_then(|at| DEMO.accounts.get(at));
    let halt = halted.map(|plan| HaltRow {
        halt_id: uuid!("a1000000-0000-4000-8000-00000000ba17"),
        scope: "account",
        account_id: Some(plan.id),
        mode,
        reason,
        set_by: AGENTS,
        set_at: now - TimeDelta::minutes(*minutes_ago),
    });
    halt.into_iter().collect()
}
