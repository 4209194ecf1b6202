//! Seeds a demo desk: accounts, limits, history, logins.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Error, Row};

use super::rows::Seed;
use crate::store::{Store, StoreError};

/// Two programs that seed a database at once would both find it empty.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('tmt:seed', 0))";

const STANDING: &str =
    "SELECT count(*) FILTER (WHERE metadata ->> 'simulated' = 'true') AS simulated,
           count(*) FILTER (WHERE metadata ->> 'simulated' IS DISTINCT FROM 'true') AS others
      FROM accounts";

const LABEL: &str = "UPDATE tmt.settings SET value = 'demo', updated_at = now(),
       updated_by = session_user WHERE key = 'environment'";

const INSTRUMENTS: &str = "INSERT INTO instruments (instrument, asset_class, base_currency,
           quote_currency, contract_size, size_step, min_size, max_size, tick_size, pip_size,
           margin_rate, aliases, description)
    SELECT instrument, asset_class, base_currency, quote_currency, contract_size, size_step,
           min_size, max_size, tick_size, pip_size, margin_rate, aliases, description
      FROM jsonb_populate_recordset(NULL::instruments, $1)
    ON CONFLICT (instrument) DO NOTHING";

const ACCOUNTS: &str = "INSERT INTO accounts (account_id, account_name, broker, platform,
           account_type, prop_firm, base_currency, initial_balance, current_balance,
           available_balance, equity, risk_profile, max_daily_loss, max_total_drawdown,
           created_at, metadata)
    SELECT account_id, account_name, broker, platform, account_type, prop_firm, base_currency,
           initial_balance, current_balance, current_balance, current_balance,
           risk_profile, max_daily_loss, max_total_drawdown, created_at, metadata
      FROM jsonb_populate_recordset(NULL::accounts, $1)";

/// Last: an account that is not active accepts no open trade.
const STATUSES: &str = "UPDATE accounts a SET status = n.status
      FROM jsonb_populate_recordset(NULL::accounts, $1) n
     WHERE a.account_id = n.account_id AND a.status <> n.status";

const LIMITS: &str = "INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope,
           scope_identifier, limit_value, limit_unit, warning_threshold, time_window, is_active,
           description, created_by, approved_by, approved_at, effective_from, created_at,
           supersedes_limit_id, change_reason)
    SELECT limit_id, account_id, limit_type, limit_scope, scope_identifier, limit_value,
           limit_unit, warning_threshold, time_window, is_active, description, created_by,
           approved_by, approved_at, effective_from, created_at, supersedes_limit_id,
           change_reason
      FROM jsonb_populate_recordset(NULL::risk_limits, $1)";

const HALTS: &str = "INSERT INTO trading_halts (halt_id, scope, account_id, mode, reason, set_by,
           set_at)
    SELECT halt_id, scope, account_id, mode, reason, set_by, set_at
      FROM jsonb_populate_recordset(NULL::trading_halts, $1)";

const POSITIONS: &str = "INSERT INTO positions (position_id, account_id, instrument,
           position_type, total_size, average_entry_price, cost, stop_loss, take_profit,
           realized_pnl, opened_at, closed_at, status)
    SELECT position_id, account_id, instrument, position_type, total_size, average_entry_price,
           cost, stop_loss, take_profit, realized_pnl, opened_at, closed_at, status
      FROM jsonb_populate_recordset(NULL::positions, $1)";

const TRADES: &str = "INSERT INTO trades (trade_id, account_id, signal_id, position_id,
           instrument, trade_type, position_size, closed_size, entry_price, exit_price,
           stop_loss, take_profit, risk_amount, risk_percentage, gross_pnl, net_pnl,
           signal_time, entry_time, exit_time, duration_seconds, status, close_reason,
           trade_session, execution_venue)
    SELECT trade_id, account_id, signal_id, position_id, instrument, trade_type, position_size,
           closed_size, entry_price, exit_price, stop_loss, take_profit, risk_amount,
           risk_percentage, gross_pnl, net_pnl, signal_time, entry_time, exit_time,
           duration_seconds, status, close_reason, trade_session, execution_venue
      FROM jsonb_populate_recordset(NULL::trades, $1)";

/// In order of time: running totals are computed from them as they are written.
const FILLS: &str = "INSERT INTO trade_fills (fill_id, account_id, trade_id, position_id,
           instrument, side, effect, size, price, fx_rate, gross_pnl, allocation, client_key,
           actor, filled_at)
    SELECT fill_id, account_id, trade_id, position_id, instrument, side, effect, size, price,
           fx_rate, gross_pnl, allocation, client_key, actor, filled_at
      FROM jsonb_populate_recordset(NULL::trade_fills, $1)
     ORDER BY filled_at, effect DESC";

/// The account of a trade executed its signal.
const EXECUTIONS: &str = "INSERT INTO signal_executions (signal_id, account_id, trade_id, status,
           requested_by, requested_size, executed_size, executed_price, created_at, updated_at)
    SELECT signal_id, account_id, trade_id, 'executed', 'agents', position_size, position_size,
           entry_price, entry_time, entry_time
      FROM jsonb_populate_recordset(NULL::trades, $1)";

const EVENTS: &str = "INSERT INTO risk_events (event_id, account_id, event_type, severity,
           event_source, risk_measure, current_value, limit_value, threshold_breached,
           event_data, auto_resolved, resolution_time, acknowledged, acknowledged_by,
           acknowledged_at, dedup_key, occurrence_count, occurred_at, last_occurred_at)
    SELECT event_id, account_id, event_type, severity, event_source, risk_measure,
           current_value, limit_value,
           CASE WHEN limit_value IS NULL THEN NULL
                WHEN severity = 'warning' THEN 'warning' ELSE 'limit' END,
           event_data, auto_resolved, resolution_time, acknowledged_by IS NOT NULL,
           acknowledged_by, acknowledged_at, dedup_key, occurrence_count, occurred_at, occurred_at
      FROM jsonb_populate_recordset(NULL::risk_events, $1)";

const EVENT_HISTORY: &str = "INSERT INTO risk_event_actions (event_id, action, actor, note, at)
    SELECT e.event_id, a.action, a.actor, a.note, a.at
      FROM jsonb_to_recordset($1) AS e (event_id uuid, event_source text, occurred_at timestamptz,
               acknowledged_by text, acknowledged_at timestamptz, note text,
               auto_resolved boolean, resolution_time timestamptz),
           LATERAL (VALUES ('raised', 'agents', NULL, e.occurred_at),
                           ('acknowledged', e.acknowledged_by, e.note, e.acknowledged_at),
                           (CASE WHEN e.auto_resolved THEN 'auto_resolved' ELSE 'resolved' END,
                            CASE WHEN e.auto_resolved THEN 'agents' ELSE e.acknowledged_by END,
                            NULL, e.resolution_time)) AS a (action, actor, note, at)
     WHERE a.at IS NOT NULL AND a.actor IS NOT NULL
     ORDER BY a.at";

/// Start of the running trading day: the balance less what was realized since.
const DAYS: &str = "INSERT INTO performance_metrics (account_id, period_type, period_start,
           period_end, start_balance, start_equity, peak_equity, peak_eod_balance, min_equity)
    SELECT a.account_id, 'daily', d.starts, d.ends, b.amount, b.amount,
           greatest(b.amount, a.current_balance), greatest(b.amount, a.initial_balance),
           least(b.amount, a.current_balance)
      FROM accounts a
     CROSS JOIN LATERAL desk.trading_day(a.metadata -> 'risk_day', now()) AS d
     CROSS JOIN LATERAL (SELECT a.current_balance - coalesce(sum(t.net_pnl), 0) FROM trades t
                          WHERE t.account_id = a.account_id AND t.exit_time >= d.starts
                        ) AS b (amount)
     WHERE a.metadata ->> 'simulated' = 'true'
    ON CONFLICT DO NOTHING";

const MARK: &str = "SELECT desk.mark_to_market()";

/// Creates a login as a member of a group. Roles belong to the server, not to the database: an
/// existing login is not changed, and two demos on one server do not collide.
const LOGIN: &str = "DO $do$
DECLARE
    wanted text := current_setting('tmt.login');
    into_group text := current_setting('tmt.login_group');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT pg_has_role(wanted, into_group, 'MEMBER') THEN
        EXECUTE format('GRANT %I TO %I', into_group, wanted);
    END IF;
END $do$";

/// The accounts of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) struct Standing {
    /// Accounts of a demo desk.
    pub(in crate::sim) simulated: i64,
    pub(in crate::sim) others: i64,
}

impl Store {
    /// Counts accounts, simulated and real.
    pub(in crate::sim) async fn standing(&self) -> Result<Standing, StoreError> {
        let rows = self.fetch("the accounts", STANDING, &[]).await?;
        read_standing(rows.first())
    }

    /// Seeds a demo desk in one transaction. Where one exists, adds only missing instruments and
    /// agents; where there are real accounts, nothing. Returns the accounts that were there before.
    ///
    /// Needs a login that may write every table. Cancel safe: a dropped call closes its connection,
    /// and the server rolls back.
    pub(in crate::sim) async fn seed(&self, seed: &Seed) -> Result<Standing, StoreError> {
        let mut upkeep = self.upkeep().await?;
        let client = upkeep.client();
        run(client, "BEGIN").await?;
        // A failed statement returns, and the connection closes with it: nothing is committed.
        run(client, LOCK).await?;
        let before = client.query(STANDING, &[]).await.map_err(|error| failed(&error))?;
        let standing = read_standing(before.first())?;
        if standing.others == 0 {
            insert(client, INSTRUMENTS, &seed.instruments).await?;
            insert(client, super::AGENTS, &seed.agents).await?;
        }
        if standing == (Standing { simulated: 0, others: 0 }) {
            write(client, seed).await?;
        }
        run(client, "COMMIT").await?;
        Ok(standing)
    }

    /// Creates logins without passwords, each a member of its group. Existing ones are not changed.
    pub(in crate::sim) async fn create_logins(
        &self,
        logins: &[(&str, &str)],
    ) -> Result<(), StoreError> {
        let mut upkeep = self.upkeep().await?;
        let client = upkeep.client();
        for (login, group) in logins {
            client
                .query(
                    "SELECT set_config('tmt.login', $1, false),
                            set_config('tmt.login_group', $2, false)",
                    &[login, group],
                )
                .await
                .map_err(|error| failed(&error))?;
            run(client, LOGIN).await?;
        }
        Ok(())
    }
}

async fn write(client: &Client, new: &Seed) -> Result<(), StoreError> {
    run(client, LABEL).await?;
    insert(client, super::RATES, &new.rates).await?;
    insert(client, ACCOUNTS, &new.accounts).await?;
    insert(client, LIMITS, &new.limits).await?;
    write_trades(client, new).await?;
    // After the trades, which a halt would refuse.
    insert(client, HALTS, &new.halts).await?;
    insert(client, STATUSES, &new.accounts).await?;
    insert(client, EVENTS, &new.events).await?;
    insert(client, EVENT_HISTORY, &new.events).await?;
    insert(client, super::SYSTEM_EVENTS, &new.system_events).await?;
    insert(client, super::BARS, &new.bars).await?;
    run(client, DAYS).await?;
    run(client, MARK).await
}

async fn write_trades(client: &Client, new: &Seed) -> Result<(), StoreError> {
    insert(client, super::SIGNALS, &new.signals).await?;
    insert(client, POSITIONS, &new.positions).await?;
    insert(client, TRADES, &new.trades).await?;
    insert(client, FILLS, &new.fills).await?;
    insert(client, EXECUTIONS, &new.trades).await
}

fn read_standing(row: Option<&Row>) -> Result<Standing, StoreError> {
    let corrupt = |error: Error| failed(&error);
    let row = row.ok_or_else(|| StoreError::SchemaMissing { missing: vec!["accounts".into()] })?;
    let simulated = row.try_get("simulated").map_err(corrupt)?;
    Ok(Standing { simulated, others: row.try_get("others").map_err(corrupt)? })
}

fn failed(error: &Error) -> StoreError {
    StoreError::of_statement("seeding the desk", Duration::ZERO, error)
}

async fn insert<T: Serialize + Sync + std::fmt::Debug>(
    client: &Client,
    sql: &str,
    rows: &[T],
) -> Result<(), StoreError> {
    client.execute(sql, &[&Json(rows)]).await.map(drop).map_err(|error| failed(&error))
}

async fn run(client: &Client, sql: &str) -> Result<(), StoreError> {
    client.batch_execute(sql).await.map_err(|error| failed(&error))
}
