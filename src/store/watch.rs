//! What the sentinel does in the database, over a connection of its own: the lock that makes it the
//! only one belongs to the connection, and ends with it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::StoreError;
use super::lease::{Store, Upkeep};
use super::rows::{Bad, Cells};
use crate::domain::ids::AccountId;
use crate::domain::standing::LimitStanding;
use crate::domain::unit::Unit;

/// How long one step of a round may take. A server that says nothing for so long is lost.
const STEP: Duration = Duration::from_secs(30);

/// Takes the lock that makes a sentinel the only one. Anybody who may log in can hold it, and whoever
/// may not watch must not keep others from it: beside such a holder every sentinel leads, which costs
/// work and no more, because what they do in the database is done by one at a time.
const LEAD: &str = "
    SELECT CASE WHEN pg_try_advisory_lock(hashtextextended('tmt:sentinel', 0)) THEN true
                ELSE EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                              WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                                AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('tmt:sentinel', 0)
                                AND NOT pg_has_role(a.usesysid, 'tmt_agent', 'MEMBER')
                                AND NOT pg_has_role(a.usesysid, 'tmt_admin', 'MEMBER'))
           END AS leads,
           clock_timestamp() AS now";

/// Who holds that lock. Its key stands in two halves in the catalogue.
const LEADER: &str = "
    SELECT COALESCE(a.usename::text, '?') || ' on ' || COALESCE(host(a.client_addr), 'this machine')
               AS leader
      FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('tmt:sentinel', 0)
     LIMIT 1";

const MARK: &str = "SELECT desk.mark_to_market()";

const ROLL: &str = "SELECT desk.roll_days()::bigint AS rolled";

const WATCH: &str = "SELECT w.changed::bigint AS changed, w.last FROM desk.monitor_batch($1) w";

/// What changed its standing since. A rule without a limit is that of an account's own column, or
/// all of an account's limits where none can be measured.
const STATES: &str = "
    SELECT s.rule AS limit_type,
           COALESCE(a.account_name, l.scope_identifier, l.limit_scope, 'all accounts')
               || CASE WHEN k.limit_type IS NOT NULL AND l.limit_id IS NULL
                       THEN ' (the account''s own rule)' ELSE '' END
               AS subject,
           a.account_id, COALESCE(k.is_loss, false) AND a.account_id IS NOT NULL AS halts,
           s.state, s.measured, s.allowed, s.unit, s.since
      FROM tmt.limit_states s
      LEFT JOIN risk_limits l USING (limit_id)
      LEFT JOIN accounts a ON a.account_id = s.account_id
      LEFT JOIN tmt.limit_types k ON k.limit_type = s.rule
     WHERE s.since > $1 OR ($1 IS NULL AND s.state <> 'ok')
     ORDER BY s.since, s.limit_key
     LIMIT 1000";

/// What one round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Rows of days, weeks and months that were written.
    pub rolled: i64,
    /// Limits that changed their standing.
    pub changed: i64,
}

/// The connection of a sentinel.
#[derive(Debug)]
pub struct SentinelConnection(Upkeep);

impl Store {
    /// Opens the connection of a sentinel.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with the reason.
    pub async fn watch(&self) -> Result<SentinelConnection, StoreError> {
        self.upkeep().await.map(SentinelConnection)
    }
}

impl SentinelConnection {
    /// Tries to become the only one. Returns the database's clock if it is, and stays it until the
    /// connection ends.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the connection is of no use any more.
    pub async fn lead(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let rows = self.ask("asking for the lead", LEAD, &[]).await?;
        let row = rows.first().ok_or_else(|| nothing("leads"))?;
        let cells = Cells(row);
        let leads = cells.flag("leads").and_then(|leads| Ok((leads, cells.time("now")?)));
        let (leads, now) = leads.map_err(|bad| bad.of("pg_locks"))?;
        Ok(leads.then_some(now))
    }

    /// Returns who leads, as far as this login may see it.
    ///
    /// # Errors
    ///
    /// As [`SentinelConnection::lead`].
    pub async fn leader(&mut self) -> Result<Option<String>, StoreError> {
        let rows = self.ask("asking who leads", LEADER, &[]).await?;
        Ok(rows.first().and_then(|row| Cells(row).text("leader").ok()))
    }

    /// Revalues what is held, closes days that are over, and judges every live limit. Not cancel
    /// safe: what was begun goes on in the server.
    ///
    /// # Errors
    ///
    /// As [`SentinelConnection::lead`].
    pub async fn round(&mut self) -> Result<Round, StoreError> {
        let count = |rows: &[Row], name| {
            rows.first().map_or(Ok(0), |row| Cells(row).count(name)).map_err(|bad| bad.of("desk"))
        };
        self.ask("marking to market", MARK, &[]).await?;
        let mut rolled: i64 = 0;
        loop {
            // So many accounts at a time, so that none is held for long; all of them before the
            // limits of the day are judged.
            let rows = self.ask("rolling the days", ROLL, &[]).await?;
            match count(&rows, "rolled")? {
                0 => break,
                some => rolled = rolled.saturating_add(some),
            }
        }
        let mut changed: i64 = 0;
        let mut after: Option<Uuid> = None;
        loop {
            // Some accounts at a time, too; without a last one all had their turn.
            let rows = self.ask("monitoring limits", WATCH, &[&after]).await?;
            changed = changed.saturating_add(count(&rows, "changed")?);
            after = rows
                .first()
                .map_or(Ok(None), |row| Cells(row).id_if_any("last"))
                .map_err(|bad| bad.of("desk"))?;
            if after.is_none() {
                return Ok(Round { rolled, changed });
            }
        }
    }

    /// Returns which limits changed standing after a moment, the oldest change first; without
    /// a moment those that are not well now.
    ///
    /// # Errors
    ///
    /// As [`SentinelConnection::lead`].
    pub async fn changed_since(
        &mut self,
        after: Option<DateTime<Utc>>,
    ) -> Result<Vec<LimitStanding>, StoreError> {
        let rows = self.ask("reading what changed", STATES, &[&after]).await?;
        rows.iter()
            .map(|row| standing(&Cells(row)).map_err(|bad| bad.of("tmt.limit_states")))
            .collect()
    }

    async fn ask(
        &mut self,
        what: &'static str,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        match timeout(STEP, self.0.client().query(sql, parameters)).await {
            Ok(rows) => rows.map_err(|error| StoreError::of_statement(what, STEP, &error)),
            Err(_) => Err(StoreError::Timeout { what, after: STEP }),
        }
    }
}

fn nothing(column: &'static str) -> StoreError {
    Bad { column, why: "is missing: no row came".to_owned() }.of("pg_locks")
}

fn standing(cells: &Cells<'_>) -> Result<LimitStanding, Bad> {
    Ok(LimitStanding {
        limit_type: cells.text("limit_type")?.into(),
        subject: cells.text("subject")?,
        account: cells.id_if_any("account_id")?.map(AccountId),
        halts: cells.flag("halts")?,
        state: cells.text("state")?.into(),
        measured: cells.number_if_any("measured").unwrap_or_default(),
        allowed: cells.number_if_any("allowed").unwrap_or_default(),
        unit: cells.text_if_any("unit")?.map(Unit::from),
        since: cells.time("since")?,
    })
}
