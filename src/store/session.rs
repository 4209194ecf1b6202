//! Who is connected, with which rights, to which database; and whether its schema is the
//! console's.

use std::cmp::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::error::StoreError;
use super::lease::Store;
use super::migrate::LATEST;
use super::rows::{Bad, Cells};
use crate::domain::account::Environment;
use crate::domain::session::{Role, Session};

/// Tables and functions that every console needs.
const NEEDED: [&str; 24] = [
    "public.accounts",
    "public.positions",
    "public.trades",
    "public.trade_registry",
    "public.signals",
    "public.risk_events",
    "public.risk_limits",
    "public.trading_halts",
    "public.agents",
    "public.system_events",
    "public.instruments",
    "public.market_data",
    "public.performance_metrics",
    "tmt.settings",
    "desk.session",
    "desk.changes_since",
    "desk.assess_trade",
    "desk.place_trade",
    "desk.close_position",
    "desk.acknowledge",
    "desk.propose_limit",
    "desk.halt",
    "desk.resume",
    "desk.resolve_outcome",
];

/// Reads the catalogue, which everybody may: `to_regclass` and `to_regprocedure` answer with an
/// error instead where the schema exists and the login has no right to it.
const MISSING: &str = "
    SELECT needed.name
      FROM unnest($1::text[]) AS needed (name)
     WHERE NOT EXISTS (
             SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname || '.' || c.relname = needed.name)
       AND NOT EXISTS (
             SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname || '.' || p.proname = needed.name)
     ORDER BY needed.name";

const SESSION: &str = "
    SELECT login, role, database, server_version, schema_version, timescale, in_recovery,
           server_time, environment,
           pg_has_role(session_user, 'tmt_trader', 'MEMBER')
               OR pg_has_role(session_user, 'tmt_admin', 'MEMBER') AS opens
      FROM desk.session()";

/// The only question that every login may ask.
const LOGIN: &str = "SELECT session_user::text AS login";

const PROTECTION: &str = "
    SELECT COALESCE((SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), '')
           AS protection";

/// How many missing things a message names.
const NAMED: usize = 5;

/// What `tmt doctor` and the start of the console want to know of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Who, where, with which rights.
    pub session: Session,
    pub schema_version: i32,
    /// `TLSv1.3`; `None` where nothing is encrypted.
    pub encryption: Option<String>,
    /// From asking to having the answer.
    pub round_trip: Duration,
}

impl Store {
    /// Asks who is connected to what. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError::SchemaMissing`], [`StoreError::SchemaOlder`] and
    /// [`StoreError::NotPermitted`] say what an administrator has to do;
    /// [`StoreError::Unavailable`] may pass by itself.
    pub async fn session(&self) -> Result<Session, StoreError> {
        self.probe().await.map(|probe| probe.session)
    }

    /// As [`Store::session`], with what only a person who looks for a fault wants to know.
    ///
    /// # Errors
    ///
    /// As [`Store::session`].
    pub async fn probe(&self) -> Result<Probe, StoreError> {
        let what = "asking who is connected";
        let needed: &[&str] = &NEEDED;
        let rows = self.fetch(what, MISSING, &[&needed]).await?;
        let missing: Vec<String> =
            rows.iter().filter_map(|row| Cells(row).text("name").ok()).collect();
        // Without the second, an unreleased build made the schema: its version says nothing.
        if missing.iter().any(|name| name == "desk.session" || name == "tmt.settings") {
            return Err(StoreError::SchemaMissing { missing: named(missing) });
        }
        let asked = Instant::now();
        let rows = match self.fetch(what, SESSION, &[]).await {
            // Not even the schema may be entered.
            Err(StoreError::NotPermitted(_)) => {
                let rows = self.fetch(what, LOGIN, &[]).await?;
                let login = rows.first().and_then(|row| Cells(row).text("login").ok());
                return Err(without_group(&login.unwrap_or_default()));
            }
            answer => answer?,
        };
        let round_trip = asked.elapsed();
        let row = rows.first().ok_or_else(|| {
            Bad { column: "login", why: "is missing: it answered no row".to_owned() }
                .of("desk.session")
        })?;
        let (session, schema_version) = session(&Cells(row))?;
        judged(schema_version, missing)?;
        let rows = self.fetch(what, PROTECTION, &[]).await?;
        let encryption = rows
            .first()
            .and_then(|row| Cells(row).text("protection").ok())
            .filter(|version| !version.is_empty());
        Ok(Probe { session, schema_version, encryption, round_trip })
    }
}

fn session(cells: &Cells<'_>) -> Result<(Session, i32), StoreError> {
    let corrupt = |bad: Bad| bad.of("desk.session");
    let operator = cells.text("login").map_err(corrupt)?;
    if cells.raw("role").map_err(corrupt)? == "none" {
        return Err(without_group(&operator));
    }
    let version = cells.count("schema_version").map_err(corrupt)?;
    let session = (|| {
        Ok(Session {
            operator,
            role: cells.word("role", Role::from_word)?,
            opens: cells.flag("opens")?,
            environment: cells.word("environment", Environment::from_word)?,
            database: cells.text("database")?,
            server_version: cells.text("server_version")?,
            timescale: cells.text_if_any("timescale")?,
            in_recovery: cells.flag("in_recovery")?,
            server_time: cells.time("server_time")?,
        })
    })()
    .map_err(corrupt)?;
    Ok((session, i32::try_from(version).unwrap_or(i32::MAX)))
}

/// Judges a schema by its version and by what it lacks. A newer one is welcome as long as nothing
/// is gone that this program needs: columns are read by name, and what is added does no harm.
fn judged(found: i32, missing: Vec<String>) -> Result<(), StoreError> {
    let wanted = LATEST;
    match found.cmp(&wanted) {
        Ordering::Less => Err(StoreError::SchemaOlder { found, wanted }),
        Ordering::Equal | Ordering::Greater if missing.is_empty() => Ok(()),
        Ordering::Equal => Err(StoreError::SchemaMissing { missing: named(missing) }),
        Ordering::Greater => Err(StoreError::SchemaNewer { found, wanted }),
    }
}

/// What an administrator has to do for a login that nobody gave a place on the desk.
fn without_group(login: &str) -> StoreError {
    StoreError::NotPermitted(format!(
        "{login} is in no tmt role; an administrator can run \
         GRANT tmt_viewer (or tmt_trader, tmt_risk_officer, tmt_admin) TO {login}"
    ))
}

/// Shortens a list to what a sentence can hold.
fn named(mut missing: Vec<String>) -> Vec<String> {
    let more = missing.len().saturating_sub(NAMED);
    if more > 0 {
        missing.truncate(NAMED);
        missing.push(format!("and {more} more"));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_judged_by_its_version_and_by_what_it_lacks() {
        let gone = || vec!["desk.halt".to_owned()];
        assert_eq!(judged(LATEST, vec![]), Ok(()));
        assert_eq!(judged(LATEST + 1, vec![]), Ok(()));
        assert!(matches!(judged(LATEST, gone()), Err(StoreError::SchemaMissing { .. })));
        assert!(matches!(judged(LATEST + 1, gone()), Err(StoreError::SchemaNewer { .. })));
        assert!(matches!(judged(LATEST - 1, gone()), Err(StoreError::SchemaOlder { .. })));
    }

    #[test]
    fn a_long_list_is_shortened() {
        let all: Vec<String> = NEEDED.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(named(all).last().map(String::as_str), Some("and 19 more"));
    }
}
