//! What the simulated agents read before they act.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::domain::ids::{AccountId, InstrumentId, PositionId, SignalId};
use crate::domain::position::Direction;
use crate::domain::trade::Side;
use crate::store::{Store, StoreError};

/// The last mid price of each instrument.
const LAST_PRICES: &str = "SELECT i.instrument, r.rate
      FROM instruments i
      JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency";

/// Positions of simulated accounts, and whether the agents alone opened them: what a person opened
/// is not theirs to close.
const HELD: &str = "SELECT p.position_id, p.account_id, p.instrument, p.position_type,
           p.total_size, p.stop_loss, p.take_profit, p.opened_at,
           coalesce((SELECT bool_and(f.actor = session_user) FROM trade_fills f
                      WHERE f.position_id = p.position_id AND f.effect = 'open'), false) AS is_own
      FROM positions p
      JOIN accounts a USING (account_id)
     WHERE p.status = 'open' AND a.metadata ->> 'simulated' = 'true'
     ORDER BY p.opened_at
     LIMIT 2000";

/// Pending signals, the newest first, with the accounts that took them.
const WAITING: &str = "SELECT s.signal_id, s.instrument, s.signal_type, s.stop_loss,
           s.take_profit, s.generated_at,
           ARRAY(SELECT e.account_id FROM signal_executions e
                  WHERE e.signal_id = s.signal_id) AS taken_by
      FROM signals s
     WHERE s.status = 'pending' AND s.valid_until > now()
       AND s.analysis_data ->> 'simulated' = 'true'
     ORDER BY s.generated_at DESC
     LIMIT 100";

/// The login, and whether it may write the tables of the agents.
const MAY_WRITE: &str = "SELECT session_user::text AS login,
           bool_and(has_table_privilege(written, 'INSERT')) AS may_write
      FROM unnest(ARRAY['fx_rates', 'market_data', 'signals', 'agents', 'system_events']) AS written";

/// An open position of a simulated account.
#[derive(Debug, Clone)]
pub(in crate::sim) struct HeldPosition {
    pub(in crate::sim) id: PositionId,
    pub(in crate::sim) account: AccountId,
    pub(in crate::sim) instrument: InstrumentId,
    pub(in crate::sim) direction: Direction,
    pub(in crate::sim) size: Decimal,
    pub(in crate::sim) stop: Option<Decimal>,
    pub(in crate::sim) target: Option<Decimal>,
    pub(in crate::sim) opened_at: DateTime<Utc>,
    /// Opened by the agents alone.
    pub(in crate::sim) is_own: bool,
}

/// A pending signal.
#[derive(Debug, Clone)]
pub(in crate::sim) struct WaitingSignal {
    pub(in crate::sim) id: SignalId,
    pub(in crate::sim) instrument: InstrumentId,
    pub(in crate::sim) side: Side,
    pub(in crate::sim) stop: Decimal,
    pub(in crate::sim) target: Decimal,
    pub(in crate::sim) generated_at: DateTime<Utc>,
    pub(in crate::sim) taken_by: Vec<AccountId>,
}

impl Store {
    /// Checks that this login may write prices, bars, signals and heartbeats. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotPermitted`] if it may not; another if the database does not answer.
    pub(in crate::sim) async fn check_agent_rights(&self) -> Result<(), StoreError> {
        let rows = self.fetch("the rights of this login", MAY_WRITE, &[]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        if row.try_get("may_write").unwrap_or(false) {
            return Ok(());
        }
        let login: String = row.try_get("login").unwrap_or_default();
        Err(StoreError::NotPermitted(format!(
            "{login} is not a member of tmt_agent, which may write prices and signals"
        )))
    }

    /// Reads the last mid prices. Cancel safe.
    pub(in crate::sim) async fn last_prices(
        &self,
    ) -> Result<Vec<(InstrumentId, Decimal)>, StoreError> {
        let rows = self.fetch("the last prices", LAST_PRICES, &[]).await?;
        Ok(rows.iter().filter_map(price).collect())
    }

    /// Reads the open positions of simulated accounts. Cancel safe.
    pub(in crate::sim) async fn held_positions(&self) -> Result<Vec<HeldPosition>, StoreError> {
        let rows = self.fetch("the open positions", HELD, &[]).await?;
        Ok(rows.iter().filter_map(held).collect())
    }

    /// Reads the pending signals of simulated agents. Cancel safe.
    pub(in crate::sim) async fn waiting_signals(&self) -> Result<Vec<WaitingSignal>, StoreError> {
        let rows = self.fetch("the pending signals", WAITING, &[]).await?;
        Ok(rows.iter().filter_map(waiting).collect())
    }
}

// A row that cannot be read is skipped: an agent acts only on what it can read.

fn price(row: &Row) -> Option<(InstrumentId, Decimal)> {
    let instrument = InstrumentId::new(row.try_get("instrument").ok()?);
    Some((instrument, row.try_get("rate").ok()?))
}

fn held(row: &Row) -> Option<HeldPosition> {
    Some(HeldPosition {
        id: PositionId(row.try_get("position_id").ok()?),
        account: AccountId(row.try_get("account_id").ok()?),
        instrument: InstrumentId::new(row.try_get("instrument").ok()?),
        direction: Direction::from_word(row.try_get("position_type").ok()?)?,
        size: row.try_get("total_size").ok()?,
        stop: row.try_get("stop_loss").ok()?,
        target: row.try_get("take_profit").ok()?,
        opened_at: row.try_get("opened_at").ok()?,
        is_own: row.try_get("is_own").ok()?,
    })
}

fn waiting(row: &Row) -> Option<WaitingSignal> {
    let taken_by: Vec<uuid::Uuid> = row.try_get("taken_by").ok()?;
    Some(WaitingSignal {
        id: SignalId(row.try_get("signal_id").ok()?),
        instrument: InstrumentId::new(row.try_get("instrument").ok()?),
        side: Side::from_word(row.try_get("signal_type").ok()?)?,
        stop: row.try_get("stop_loss").ok()?,
        target: row.try_get("take_profit").ok()?,
        generated_at: row.try_get("generated_at").ok()?,
        taken_by: taken_by.into_iter().map(AccountId).collect(),
    })
}
