//! Rows of the simulated desk, column by column.
//!
//! They are sent as JSON to `jsonb_populate_recordset` with the table's row type, so a field has the
//! name and meaning of its column, and a column without a field keeps its default.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::agent::SystemSeverity;
use crate::domain::event::Severity;

/// A row of `instruments`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct InstrumentRow {
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) asset_class: String,
    pub(in crate::sim) base_currency: String,
    pub(in crate::sim) quote_currency: String,
    pub(in crate::sim) contract_size: Decimal,
    pub(in crate::sim) size_step: Decimal,
    pub(in crate::sim) min_size: Decimal,
    pub(in crate::sim) max_size: Option<Decimal>,
    pub(in crate::sim) tick_size: Decimal,
    pub(in crate::sim) pip_size: Decimal,
    pub(in crate::sim) margin_rate: Decimal,
    pub(in crate::sim) aliases: Vec<String>,
    pub(in crate::sim) description: &'static str,
}

/// A row of `accounts`, without the columns that follow from trades.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct AccountRow {
    pub(in crate::sim) account_id: Uuid,
    pub(in crate::sim) account_name: &'static str,
    pub(in crate::sim) broker: &'static str,
    pub(in crate::sim) platform: &'static str,
    pub(in crate::sim) account_type: &'static str,
    pub(in crate::sim) prop_firm: Option<&'static str>,
    pub(in crate::sim) base_currency: &'static str,
    pub(in crate::sim) initial_balance: Decimal,
    pub(in crate::sim) current_balance: Decimal,
    pub(in crate::sim) status: &'static str,
    pub(in crate::sim) risk_profile: &'static str,
    pub(in crate::sim) max_daily_loss: Decimal,
    pub(in crate::sim) max_total_drawdown: Decimal,
    pub(in crate::sim) created_at: DateTime<Utc>,
    pub(in crate::sim) metadata: Value,
}

/// A row of `risk_limits`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct LimitRow {
    pub(in crate::sim) limit_id: Uuid,
    pub(in crate::sim) account_id: Option<Uuid>,
    pub(in crate::sim) limit_type: &'static str,
    pub(in crate::sim) limit_scope: &'static str,
    pub(in crate::sim) scope_identifier: Option<&'static str>,
    pub(in crate::sim) limit_value: Decimal,
    pub(in crate::sim) limit_unit: &'static str,
    pub(in crate::sim) warning_threshold: Option<Decimal>,
    pub(in crate::sim) time_window: Option<&'static str>,
    pub(in crate::sim) is_active: bool,
    pub(in crate::sim) description: &'static str,
    pub(in crate::sim) created_by: &'static str,
    pub(in crate::sim) approved_by: Option<&'static str>,
    pub(in crate::sim) approved_at: Option<DateTime<Utc>>,
    pub(in crate::sim) effective_from: DateTime<Utc>,
    pub(in crate::sim) created_at: DateTime<Utc>,
    pub(in crate::sim) supersedes_limit_id: Option<Uuid>,
    pub(in crate::sim) change_reason: Option<&'static str>,
}

/// A row of `agents`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct AgentRow {
    pub(in crate::sim) agent_id: &'static str,
    pub(in crate::sim) agent_name: &'static str,
    pub(in crate::sim) agent_type: &'static str,
    pub(in crate::sim) config_version: &'static str,
    pub(in crate::sim) status: &'static str,
    pub(in crate::sim) version: &'static str,
    pub(in crate::sim) last_heartbeat: DateTime<Utc>,
    pub(in crate::sim) started_at: DateTime<Utc>,
    pub(in crate::sim) uptime_seconds: i64,
    pub(in crate::sim) total_requests: i64,
    pub(in crate::sim) error_count: i64,
    pub(in crate::sim) average_response_time_ms: Decimal,
}

/// A row of `signals`.
#[derive(Debug, Clone, Serialize)]
pub(in crate::sim) struct SignalRow {
    pub(in crate::sim) signal_id: Uuid,
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) signal_type: &'static str,
    pub(in crate::sim) confidence: Decimal,
    pub(in crate::sim) entry_price: Decimal,
    pub(in crate::sim) stop_loss: Decimal,
    pub(in crate::sim) take_profit: Decimal,
    pub(in crate::sim) risk_reward_ratio: Decimal,
    pub(in crate::sim) timeframe: &'static str,
    pub(in crate::sim) wyckoff_phase: &'static str,
    pub(in crate::sim) volume_confirmation: bool,
    pub(in crate::sim) market_structure_break: bool,
    pub(in crate::sim) agent_id: &'static str,
    pub(in crate::sim) model_version: &'static str,
    pub(in crate::sim) analysis_data: Value,
    pub(in crate::sim) generated_at: DateTime<Utc>,
    pub(in crate::sim) valid_until: DateTime<Utc>,
    pub(in crate::sim) status: &'static str,
    pub(in crate::sim) execution_count: i32,
    pub(in crate::sim) total_executed_size: Decimal,
}

/// A row of `positions`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct PositionRow {
    pub(in crate::sim) position_id: Uuid,
    pub(in crate::sim) account_id: Uuid,
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) position_type: &'static str,
    pub(in crate::sim) total_size: Decimal,
    pub(in crate::sim) average_entry_price: Decimal,
    pub(in crate::sim) cost: Decimal,
    pub(in crate::sim) stop_loss: Decimal,
    pub(in crate::sim) take_profit: Decimal,
    pub(in crate::sim) realized_pnl: Decimal,
    pub(in crate::sim) opened_at: DateTime<Utc>,
    pub(in crate::sim) closed_at: Option<DateTime<Utc>>,
    pub(in crate::sim) status: &'static str,
}

/// A row of `trades`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct TradeRow {
    pub(in crate::sim) trade_id: Uuid,
    pub(in crate::sim) account_id: Uuid,
    pub(in crate::sim) signal_id: Uuid,
    pub(in crate::sim) position_id: Uuid,
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) trade_type: &'static str,
    pub(in crate::sim) position_size: Decimal,
    pub(in crate::sim) closed_size: Decimal,
    pub(in crate::sim) entry_price: Decimal,
    pub(in crate::sim) exit_price: Option<Decimal>,
    pub(in crate::sim) stop_loss: Decimal,
    pub(in crate::sim) take_profit: Decimal,
    pub(in crate::sim) risk_amount: Decimal,
    pub(in crate::sim) risk_percentage: Decimal,
    pub(in crate::sim) gross_pnl: Option<Decimal>,
    pub(in crate::sim) net_pnl: Option<Decimal>,
    pub(in crate::sim) signal_time: DateTime<Utc>,
    pub(in crate::sim) entry_time: DateTime<Utc>,
    pub(in crate::sim) exit_time: Option<DateTime<Utc>>,
    pub(in crate::sim) duration_seconds: Option<i64>,
    pub(in crate::sim) status: &'static str,
    pub(in crate::sim) close_reason: Option<&'static str>,
    pub(in crate::sim) trade_session: String,
    pub(in crate::sim) execution_venue: &'static str,
}

/// A row of `trade_fills`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct FillRow {
    pub(in crate::sim) fill_id: Uuid,
    pub(in crate::sim) account_id: Uuid,
    pub(in crate::sim) trade_id: Uuid,
    pub(in crate::sim) position_id: Uuid,
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) side: &'static str,
    pub(in crate::sim) effect: &'static str,
    pub(in crate::sim) size: Decimal,
    pub(in crate::sim) price: Decimal,
    pub(in crate::sim) fx_rate: Decimal,
    pub(in crate::sim) gross_pnl: Option<Decimal>,
    pub(in crate::sim) allocation: Value,
    pub(in crate::sim) client_key: String,
    pub(in crate::sim) actor: &'static str,
    pub(in crate::sim) filled_at: DateTime<Utc>,
}

/// A row of `risk_events`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct EventRow {
    pub(in crate::sim) event_id: Uuid,
    pub(in crate::sim) account_id: Option<Uuid>,
    pub(in crate::sim) event_type: &'static str,
    pub(in crate::sim) severity: Severity,
    pub(in crate::sim) event_source: &'static str,
    pub(in crate::sim) risk_measure: &'static str,
    pub(in crate::sim) current_value: Option<Decimal>,
    pub(in crate::sim) limit_value: Option<Decimal>,
    pub(in crate::sim) event_data: Value,
    pub(in crate::sim) auto_resolved: bool,
    pub(in crate::sim) resolution_time: Option<DateTime<Utc>>,
    pub(in crate::sim) acknowledged_by: Option<&'static str>,
    pub(in crate::sim) acknowledged_at: Option<DateTime<Utc>>,
    pub(in crate::sim) dedup_key: Option<String>,
    pub(in crate::sim) occurrence_count: i32,
    pub(in crate::sim) occurred_at: DateTime<Utc>,
    /// Note of the acknowledgement; goes to `risk_event_actions`.
    pub(in crate::sim) note: Option<&'static str>,
}

/// A row of `system_events`.
#[derive(Debug, Clone, Serialize)]
pub(in crate::sim) struct SystemEventRow {
    pub(in crate::sim) event_id: Uuid,
    pub(in crate::sim) event_type: &'static str,
    pub(in crate::sim) event_category: &'static str,
    pub(in crate::sim) severity: SystemSeverity,
    pub(in crate::sim) source_agent: &'static str,
    pub(in crate::sim) event_message: String,
    pub(in crate::sim) occurred_at: DateTime<Utc>,
}

/// A row of `market_data`.
#[derive(Debug, Clone, Serialize)]
pub(in crate::sim) struct BarRow {
    pub(in crate::sim) time: DateTime<Utc>,
    pub(in crate::sim) instrument: String,
    pub(in crate::sim) open: Decimal,
    pub(in crate::sim) high: Decimal,
    pub(in crate::sim) low: Decimal,
    pub(in crate::sim) close: Decimal,
    pub(in crate::sim) volume: i64,
    pub(in crate::sim) tick_count: i64,
    pub(in crate::sim) timeframe: &'static str,
    pub(in crate::sim) data_source: &'static str,
}

/// A row of `fx_rates`: the last quote of an instrument.
#[derive(Debug, Clone, Serialize)]
pub(in crate::sim) struct RateRow {
    pub(in crate::sim) from_currency: String,
    pub(in crate::sim) to_currency: String,
    pub(in crate::sim) rate: Decimal,
    pub(in crate::sim) bid: Decimal,
    pub(in crate::sim) ask: Decimal,
    pub(in crate::sim) as_of: DateTime<Utc>,
}

/// A row of `trading_halts`.
#[derive(Debug, Serialize)]
pub(in crate::sim) struct HaltRow {
    pub(in crate::sim) halt_id: Uuid,
    pub(in crate::sim) scope: &'static str,
    pub(in crate::sim) account_id: Option<Uuid>,
    pub(in crate::sim) mode: &'static str,
    pub(in crate::sim) reason: &'static str,
    pub(in crate::sim) set_by: &'static str,
    pub(in crate::sim) set_at: DateTime<Utc>,
}

/// All rows that a desk is seeded with.
#[derive(Debug, Default, Serialize)]
pub(in crate::sim) struct Seed {
    pub(in crate::sim) instruments: Vec<InstrumentRow>,
    pub(in crate::sim) rates: Vec<RateRow>,
    pub(in crate::sim) agents: Vec<AgentRow>,
    pub(in crate::sim) accounts: Vec<AccountRow>,
    pub(in crate::sim) limits: Vec<LimitRow>,
    pub(in crate::sim) halts: Vec<HaltRow>,
    pub(in crate::sim) signals: Vec<SignalRow>,
    pub(in crate::sim) positions: Vec<PositionRow>,
    pub(in crate::sim) trades: Vec<TradeRow>,
    pub(in crate::sim) fills: Vec<FillRow>,
    pub(in crate::sim) events: Vec<EventRow>,
    pub(in crate::sim) system_events: Vec<SystemEventRow>,
    pub(in crate::sim) bars: Vec<BarRow>,
}
