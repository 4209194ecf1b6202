//! What `tmt doctor` asks beyond [`Store::probe`], and what `tmt maintain` does.

use super::error::StoreError;
use super::lease::{Store, Upkeep};
use super::rows::{Bad, Cells};

const HEALTH: &str = r#"
    SELECT current_setting('timescaledb.license', true) AS licence,
           EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') AS has_cron,
           COALESCE((SELECT s.value = 'monthly' FROM tmt.settings s WHERE s.key = 'trades_layout'),
                    false) AS is_monthly,
           (SELECT count(*)
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = to_regclass('public.trades')
               AND c.relname > to_char(now() AT TIME ZONE 'UTC', '"trades_y"YYYY"m"MM')) AS months,
           (SELECT count(*) FROM accounts) AS accounts"#;

const LACKING: &str = "
    SELECT p.proname::text AS name
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'desk' AND p.proname = ANY ($1)
       AND NOT has_function_privilege(p.oid, 'EXECUTE')
     ORDER BY p.proname";

const MAINTAIN: &str = "SELECT task, done FROM desk.maintain()";

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Edition of TimescaleDB: `apache` or `timescale`; `None` where it is not loaded.
    pub timescale_licence: Option<String>,
    /// A scheduler in the database makes the partitions.
    pub has_cron: bool,
    /// `trades` is partitioned by this program.
    pub is_monthly: bool,
    /// Months after the present one that have their partition.
    pub months_ahead: i64,
    /// How many accounts there are.
    pub accounts: i64,
}

impl Store {
    /// Asks what the database says of itself. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; call [`Store::probe`] first, which says more.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let rows = self.fetch("asking how the database is", HEALTH, &[]).await?;
        let missing = || Bad { column: "accounts", why: "is missing: no row came".to_owned() };
        let read = rows.first().map_or_else(
            || Err(missing()),
            |row| {
                let cells = Cells(row);
                Ok(Health {
                    timescale_licence: cells.text_if_any("licence")?,
                    has_cron: cells.flag("has_cron")?,
                    is_monthly: cells.flag("is_monthly")?,
                    months_ahead: cells.count("months")?,
                    accounts: cells.count("accounts")?,
                })
            },
        );
        read.map_err(|bad| bad.of("the catalogue"))
    }

    /// Returns which of these functions of schema `desk` this login may not call. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub async fn lacking(&self, functions: &[&str]) -> Result<Vec<String>, StoreError> {
        let rows = self.fetch("asking for the rights", LACKING, &[&functions]).await?;
        Ok(rows.iter().filter_map(|row| Cells(row).text("name").ok()).collect())
    }
}

impl Upkeep {
    /// Does what has to be done again and again: makes the partitions of the next months, forgets
    /// what no console can ask for any more, and bars and events past their retention. Returns each
    /// task with what became of it. Doing it again does no harm.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotPermitted`] if the login is no administrator.
    pub async fn maintain(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        // No limit of the client's: a retention that was just set can have years to delete.
        let after = std::time::Duration::ZERO;
        let rows = self.client().query(MAINTAIN, &[]).await;
        let rows = rows.map_err(|error| StoreError::of_statement("maintaining", after, &error))?;
        rows.iter()
            .map(|row| {
                let cells = Cells(row);
                Ok((cells.text("task")?, cells.text("done")?))
            })
            .collect::<Result<_, Bad>>()
            .map_err(|bad| bad.of("desk.maintain"))
    }
}
