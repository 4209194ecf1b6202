//! Rows that the simulated desk is founded with, column by column.
//!
//! They travel as JSON and are read back by `jsonb_populate_recordset` with the table's own row
//! type, so a field here has the name and meaning of its column, and what is not named keeps the
//! column's default.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A row of `instruments`.
#[derive(Debug, Serialize)]
pub(crate) struct InstrumentRow {
    pub(crate) instrument: String,
    pub(crate) asset_class: String,
    pub(crate) base_currency: String,
    pub(crate) quote_currency: String,
    pub(crate) contract_size: Decimal,
    pub(crate) size_step: Decimal,
    pub(crate) min_size: Decimal,
    pub(crate) max_size: Option<Decimal>,
    pub(crate) tick_size: Decimal,
    pub(crate) pip_size: Decimal,
    pub(crate) margin_rate: Decimal,
    pub(crate) aliases: Vec<String>,
    pub(crate) description: &'static str,
}

/// A row of `accounts`, without what follows from its trades.
#[derive(Debug, Serialize)]
pub(crate) struct AccountRow {
    pub(crate) account_id: Uuid,
    pub(crate) account_name: &'static str,
    pub(crate) broker: &'static str,
    pub(crate) platform: &'static str,
    pub(crate) account_type: &'static str,
    pub(crate) prop_firm: Option<&'static str>,
    pub(crate) base_currency: &'static str,
    pub(crate) initial_balance: Decimal,
    pub(crate) current_balance: Decimal,
    pub(crate) status: &'static str,
    pub(crate) risk_profile: &'static str,
    pub(crate) max_daily_loss: Decimal,
    pub(crate) max_total_drawdown: Decimal,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) metadata: Value,
}

/// A row of `risk_limits`.
#[derive(Debug, Serialize)]
pub(crate) struct LimitRow {
    pub(crate) limit_id: Uuid,
    pub(crate) account_id: Option<Uuid>,
    pub(crate) limit_type: &'static str,
    pub(crate) limit_scope: &'static str,
    pub(crate) scope_identifier: Option<&'static str>,
    pub(crate) limit_value: Decimal,
    pub(crate) limit_unit: &'static str,
    pub(crate) warning_threshold: Option<Decimal>,
    pub(crate) time_window: Option<&'static str>,
    pub(crate) is_active: bool,
    pub(crate) description: &'static str,
    pub(crate) created_by: &'static str,
    pub(crate) approved_by: Option<&'static str>,
    pub(crate) approved_at: Option<DateTime<Utc>>,
    pub(crate) effective_from: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) supersedes_limit_id: Option<Uuid>,
    pub(crate) change_reason: Option<&'static str>,
}

/// A row of `agents`.
#[derive(Debug, Serialize)]
pub(crate) struct AgentRow {
    pub(crate) agent_id: &'static str,
    pub(crate) agent_name: &'static str,
    pub(crate) agent_type: &'static str,
    pub(crate) config_version: &'static str,
    pub(crate) status: &'static str,
    pub(crate) version: &'static str,
    pub(crate) last_heartbeat: DateTime<Utc>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) uptime_seconds: i64,
    pub(crate) total_requests: i64,
    pub(crate) error_count: i64,
    pub(crate) average_response_time_ms: Decimal,
}

/// A row of `signals`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SignalRow {
    pub(crate) signal_id: Uuid,
    pub(crate) instrument: String,
    pub(crate) signal_type: &'static str,
    pub(crate) confidence: Decimal,
    pub(crate) entry_price: Decimal,
    pub(crate) stop_loss: Decimal,
    pub(crate) take_profit: Decimal,
    pub(crate) risk_reward_ratio: Decimal,
    pub(crate) timeframe: &'static str,
    pub(crate) wyckoff_phase: &'static str,
    pub(crate) volume_confirmation: bool,
    pub(crate) market_structure_break: bool,
    pub(crate) agent_id: &'static str,
    pub(crate) model_version: &'static str,
    pub(crate) analysis_data: Value,
    pub(crate) generated_at: DateTime<Utc>,
    pub(crate) valid_until: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) execution_count: i32,
    pub(crate) total_executed_size: Decimal,
}

/// A row of `positions`.
#[derive(Debug, Serialize)]
pub(crate) struct PositionRow {
    pub(crate) position_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) instrument: String,
    pub(crate) position_type: &'static str,
    pub(crate) total_size: Decimal,
    pub(crate) average_entry_price: Decimal,
    pub(crate) cost: Decimal,
    pub(crate) stop_loss: Decimal,
    pub(crate) take_profit: Decimal,
    pub(crate) realized_pnl: Decimal,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    pub(crate) status: &'static str,
}

/// A row of `trades`.
#[derive(Debug, Serialize)]
pub(crate) struct TradeRow {
    pub(crate) trade_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) signal_id: Uuid,
    pub(crate) position_id: Uuid,
    pub(crate) instrument: String,
    pub(crate) trade_type: &'static str,
    pub(crate) position_size: Decimal,
    pub(crate) closed_size: Decimal,
    pub(crate) entry_price: Decimal,
    pub(crate) exit_price: Option<Decimal>,
    pub(crate) stop_loss: Decimal,
    pub(crate) take_profit: Decimal,
    pub(crate) risk_amount: Decimal,
    pub(crate) risk_percentage: Decimal,
    pub(crate) gross_pnl: Option<Decimal>,
    pub(crate) net_pnl: Option<Decimal>,
    pub(crate) signal_time: DateTime<Utc>,
    pub(crate) entry_time: DateTime<Utc>,
    pub(crate) exit_time: Option<DateTime<Utc>>,
    pub(crate) duration_seconds: Option<i64>,
    pub(crate) status: &'static str,
    pub(crate) close_reason: Option<&'static str>,
    pub(crate) trade_session: &'static str,
    pub(crate) execution_venue: &'static str,
}

/// A row of `trade_fills`.
#[derive(Debug, Serialize)]
pub(crate) struct FillRow {
    pub(crate) fill_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) trade_id: Uuid,
    pub(crate) position_id: Uuid,
    pub(crate) instrument: String,
    pub(crate) side: &'static str,
    pub(crate) effect: &'static str,
    pub(crate) size: Decimal,
    pub(crate) price: Decimal,
    pub(crate) fx_rate: Decimal,
    pub(crate) gross_pnl: Option<Decimal>,
    pub(crate) allocation: Value,
    pub(crate) client_key: String,
    pub(crate) actor: &'static str,
    pub(crate) filled_at: DateTime<Utc>,
}

/// A row of `risk_events`.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    pub(crate) event_id: Uuid,
    pub(crate) account_id: Option<Uuid>,
    pub(crate) event_type: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) event_source: &'static str,
    pub(crate) risk_measure: &'static str,
    pub(crate) current_value: Option<Decimal>,
    pub(crate) limit_value: Option<Decimal>,
    pub(crate) event_data: Value,
    pub(crate) auto_resolved: bool,
    pub(crate) resolution_time: Option<DateTime<Utc>>,
    pub(crate) acknowledged_by: Option<&'static str>,
    pub(crate) acknowledged_at: Option<DateTime<Utc>>,
    pub(crate) dedup_key: Option<String>,
    pub(crate) occurrence_count: i32,
    pub(crate) occurred_at: DateTime<Utc>,
    /// What the person who acknowledged it wrote; goes to `risk_event_actions`.
    pub(crate) note: Option<&'static str>,
}

/// A row of `system_events`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SystemEventRow {
    pub(crate) event_id: Uuid,
    pub(crate) event_type: &'static str,
    pub(crate) event_category: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) source_agent: &'static str,
    pub(crate) event_message: String,
    pub(crate) occurred_at: DateTime<Utc>,
}

/// A row of `market_data`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BarRow {
    pub(crate) time: DateTime<Utc>,
    pub(crate) instrument: String,
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: i64,
    pub(crate) tick_count: i64,
    pub(crate) timeframe: &'static str,
    pub(crate) data_source: &'static str,
}

/// A row of `fx_rates`: the last quote of an instrument.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RateRow {
    pub(crate) from_currency: String,
    pub(crate) to_currency: String,
    pub(crate) rate: Decimal,
    pub(crate) bid: Decimal,
    pub(crate) ask: Decimal,
    pub(crate) as_of: DateTime<Utc>,
}

/// A row of `trading_halts`.
#[derive(Debug, Serialize)]
pub(crate) struct HaltRow {
    pub(crate) halt_id: Uuid,
    pub(crate) scope: &'static str,
    pub(crate) account_id: Option<Uuid>,
    pub(crate) mode: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) set_by: &'static str,
    pub(crate) set_at: DateTime<Utc>,
}

/// Everything that the desk is founded with.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Seed {
    pub(crate) instruments: Vec<InstrumentRow>,
    pub(crate) rates: Vec<RateRow>,
    pub(crate) agents: Vec<AgentRow>,
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) limits: Vec<LimitRow>,
    pub(crate) halts: Vec<HaltRow>,
    pub(crate) signals: Vec<SignalRow>,
    pub(crate) positions: Vec<PositionRow>,
    pub(crate) trades: Vec<TradeRow>,
    pub(crate) fills: Vec<FillRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) system_events: Vec<SystemEventRow>,
    pub(crate) bars: Vec<BarRow>,
}
