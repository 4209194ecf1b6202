//! SQL of the simulation: what only TMT's own programs write (rates, bars, signals, heartbeats,
//! system events), and the seed of a demo desk.
//!
//! Orders and closes are not here: the agents call the rulebook like a person, through
//! [`Store::perform`]. The console writes none of this, so it is not in `store`.

mod read;
mod rows;
mod seed;

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

pub(super) use read::{HeldPosition, WaitingSignal};
pub(super) use rows::*;

use crate::domain::event::Severity;
use crate::store::{Store, StoreError};

const RATES: &str = "INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
    SELECT from_currency, to_currency, rate, bid, ask, as_of
      FROM jsonb_populate_recordset(NULL::fx_rates, $1)
     ORDER BY from_currency, to_currency
    ON CONFLICT (from_currency, to_currency) DO UPDATE
       SET rate = EXCLUDED.rate, bid = EXCLUDED.bid, ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";

/// A repeated bar replaces the first, so a repeated replay ends with the same rows.
const BARS: &str = "INSERT INTO market_data (time, instrument, open, high, low, close, volume,
           tick_count, timeframe, data_source)
    SELECT time, instrument, open, high, low, close, volume, tick_count, timeframe, data_source
      FROM jsonb_populate_recordset(NULL::market_data, $1)
     ORDER BY instrument, time
    ON CONFLICT (instrument, timeframe, data_source, time) DO UPDATE
       SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low,
           close = EXCLUDED.close, volume = EXCLUDED.volume, tick_count = EXCLUDED.tick_count,
           price_change = EXCLUDED.price_change, price_change_pct = EXCLUDED.price_change_pct,
           quality_score = EXCLUDED.quality_score";

const AGENTS: &str = "INSERT INTO agents (agent_id, agent_name, agent_type, config_version, status,
           version, last_heartbeat, started_at, uptime_seconds, total_requests, error_count,
           average_response_time_ms)
    SELECT agent_id, agent_name, agent_type, config_version, status, version, last_heartbeat,
           started_at, uptime_seconds, total_requests, error_count, average_response_time_ms
      FROM jsonb_populate_recordset(NULL::agents, $1)
    ON CONFLICT (agent_id) DO NOTHING";

/// A row without a heartbeat (an agent in error) keeps the last one.
const BEATS: &str = "UPDATE agents a
       SET status = b.status,
           last_heartbeat = coalesce(b.last_heartbeat, a.last_heartbeat),
           uptime_seconds = extract(epoch FROM b.at - a.started_at)::bigint,
           total_requests = coalesce(a.total_requests, 0) + b.requests,
           error_count = coalesce(a.error_count, 0) + b.errors,
           average_response_time_ms = b.average_response_time_ms
      FROM jsonb_to_recordset($1) AS b (agent_id text, status text, last_heartbeat timestamptz,
               at timestamptz, requests bigint, errors bigint, average_response_time_ms numeric)
     WHERE a.agent_id = b.agent_id";

const SIGNALS: &str = "INSERT INTO signals (signal_id, instrument, signal_type, confidence,
           entry_price, stop_loss, take_profit, risk_reward_ratio, timeframe, wyckoff_phase,
           volume_confirmation, market_structure_break, agent_id, model_version, analysis_data,
           generated_at, valid_until, status, execution_count, total_executed_size)
    SELECT signal_id, instrument, signal_type, confidence, entry_price, stop_loss, take_profit,
           risk_reward_ratio, timeframe, wyckoff_phase, volume_confirmation,
           market_structure_break, agent_id, model_version, analysis_data, generated_at,
           valid_until, status, execution_count, total_executed_size
      FROM jsonb_populate_recordset(NULL::signals, $1)
    ON CONFLICT (signal_id) DO NOTHING";

/// Only signals of simulated agents: others expire their own.
const EXPIRE: &str = "UPDATE signals
       SET status = CASE WHEN coalesce(execution_count, 0) > 0 THEN 'executed' ELSE 'expired' END
     WHERE status = 'pending' AND valid_until < now() AND analysis_data ->> 'simulated' = 'true'
    RETURNING signal_id";

const WITHDRAW: &str = "UPDATE signals SET status = 'cancelled'
     WHERE signal_id = $1 AND status = 'pending' AND coalesce(execution_count, 0) = 0
    RETURNING signal_id";

const SYSTEM_EVENTS: &str = "INSERT INTO system_events (event_id, event_type, event_category,
           severity, source_agent, event_message, occurred_at, received_at)
    SELECT event_id, event_type, event_category, severity, source_agent, event_message,
           occurred_at, occurred_at
      FROM jsonb_populate_recordset(NULL::system_events, $1)
    ON CONFLICT DO NOTHING";

const RAISE: &str =
    "SELECT desk.raise_event($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL, NULL, $9) AS event_id";

const CLEAR: &str = "SELECT desk.clear_event($1) AS event_id";

const MARK: &str = "SELECT desk.mark_to_market()";

/// A heartbeat of an agent.
#[derive(Debug, Serialize)]
pub(super) struct Beat {
    pub(super) agent_id: &'static str,
    pub(super) status: &'static str,
    pub(super) last_heartbeat: Option<chrono::DateTime<chrono::Utc>>,
    pub(super) at: chrono::DateTime<chrono::Utc>,
    pub(super) requests: i64,
    pub(super) errors: i64,
    pub(super) average_response_time_ms: rust_decimal::Decimal,
}

/// A risk event for `desk.raise_event`.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) account: Option<Uuid>,
    pub(super) event_type: &'static str,
    pub(super) severity: Severity,
    pub(super) source: &'static str,
    pub(super) current: Option<rust_decimal::Decimal>,
    pub(super) limit: Option<rust_decimal::Decimal>,
    /// A repeat under the same key is counted; the event is cleared by it.
    pub(super) dedup: String,
    pub(super) data: Value,
}

impl Store {
    /// Writes rates. Cancel safe: a dropped call may or may not have written.
    pub(super) async fn write_rates(&self, rates: &[RateRow]) -> Result<(), StoreError> {
        self.put("writing rates", RATES, rates).await
    }

    /// Writes bars; a repeated bar replaces the first. Cancel safe, as [`Store::write_rates`].
    pub(super) async fn write_bars(&self, bars: &[BarRow]) -> Result<(), StoreError> {
        self.put("writing bars", BARS, bars).await
    }

    /// Adds missing agents. Cancel safe.
    pub(super) async fn add_agents(&self, agents: &[AgentRow]) -> Result<(), StoreError> {
        self.put("adding agents", AGENTS, agents).await
    }

    /// Writes heartbeats. Counters rise, so a call without an answer must not be repeated.
    pub(super) async fn beat(&self, beats: &[Beat]) -> Result<(), StoreError> {
        self.put("writing heartbeats", BEATS, beats).await
    }

    /// Adds missing signals. Cancel safe.
    pub(super) async fn add_signals(&self, signals: &[SignalRow]) -> Result<(), StoreError> {
        self.put("adding signals", SIGNALS, signals).await
    }

    /// Expires simulated signals whose time ran out; returns their ids. Cancel safe.
    pub(super) async fn expire_signals(&self) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.write("expiring signals", EXPIRE, &[]).await?;
        Ok(rows.iter().filter_map(|row| row.try_get("signal_id").ok()).collect())
    }

    /// Withdraws a signal unless it was taken; returns whether it did. Cancel safe.
    pub(super) async fn withdraw_signal(&self, signal: Uuid) -> Result<bool, StoreError> {
        let rows = self.write("withdrawing a signal", WITHDRAW, &[&signal]).await?;
        Ok(!rows.is_empty())
    }

    /// Adds missing system events. Cancel safe.
    pub(super) async fn note(&self, events: &[SystemEventRow]) -> Result<(), StoreError> {
        self.put("writing system events", SYSTEM_EVENTS, events).await
    }

    /// Raises a risk event, or counts a repeat of an open one under the same key; returns its id. A
    /// call without an answer must not be repeated: it would count twice.
    pub(super) async fn raise(&self, alarm: &Alarm) -> Result<Option<Uuid>, StoreError> {
        let severity = alarm.severity.as_str();
        let parameters: &[&(dyn ToSql + Sync)] = &[
            &alarm.account,
            &alarm.event_type,
            &severity,
            &alarm.source,
            &alarm.event_type,
            &alarm.current,
            &alarm.limit,
            &alarm.dedup,
            &alarm.data,
        ];
        let rows = self.write("raising an event", RAISE, parameters).await?;
        Ok(rows.first().and_then(|row| row.try_get("event_id").ok()))
    }

    /// Clears the open event under a key; returns its id if there was one. Cancel safe.
    pub(super) async fn clear(&self, dedup: &str) -> Result<Option<Uuid>, StoreError> {
        let rows = self.write("clearing an event", CLEAR, &[&dedup]).await?;
        Ok(rows.first().and_then(|row| row.try_get("event_id").ok()).flatten())
    }

    /// Marks positions and accounts at the last rates. Cancel safe.
    pub(super) async fn mark_to_market(&self) -> Result<(), StoreError> {
        self.write("marking to market", MARK, &[]).await.map(drop)
    }

    async fn put<T: Serialize + Sync + std::fmt::Debug>(
        &self,
        what: &'static str,
        sql: &'static str,
        rows: &[T],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(what, sql, &[&Json(rows)]).await.map(drop)
    }
}
