//! What stands in the way of adopting a database, found before anything is changed.

use tokio_postgres::{Client, Row};

use super::finding::{Finding, Obstacle};
use super::model::MODEL;
use super::{MigrateError, error};

/// How many rows a finding names; their number is told in full.
const NAMED_ROWS: i64 = 20;

/// Names everything in an unmanaged database that migrating it would stumble over: tables of
/// another shape, rows that the new unique keys refuse, names that are taken. Changes nothing.
///
/// Reads whole tables. On a large `market_data` that takes as long as a scan of it.
///
/// # Errors
///
/// [`MigrateError::NotPermitted`] if the login may not read the tables, else
/// [`MigrateError::Database`].
pub async fn preflight(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    let mut findings = Vec::new();
    let mut whole = Vec::new();
    for table in MODEL {
        let columns = columns_of(client, table.name).await?;
        let Some((kind, columns)) = columns else { continue };
        if !matches!(kind.as_str(), "r" | "p") {
            let message = "is not a table; move it away or rename it";
            findings.push(Finding::new(Obstacle::Shape, table.name, message));
            continue;
        }
        let faults: Vec<String> =
            table.columns().filter_map(|(name, wanted)| fault_of(name, wanted, &columns)).collect();
        if faults.is_empty() {
            whole.push(table.name);
        } else {
            findings.push(Finding::new(Obstacle::Shape, table.name, faults.join(", ")));
        }
    }
    for check in ROW_CHECKS.iter().filter(|check| whole.contains(&check.table)) {
        findings.extend(check.run(client).await?);
    }
    findings.extend(names_taken(client).await?);
    Ok(findings)
}

/// The kind of a relation and its columns with their types; nothing if it does not exist.
async fn columns_of(
    client: &Client,
    table: &str,
) -> Result<Option<(String, Vec<(String, String)>)>, MigrateError> {
    let row = client
        .query_opt(
            "SELECT c.relkind::text,
                    array_agg(a.attname::text ORDER BY a.attnum),
                    array_agg(t.typname::text ORDER BY a.attnum)
               FROM pg_class c
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               JOIN pg_type t ON t.oid = a.atttypid
              WHERE c.relnamespace = to_regnamespace('public') AND c.relname = $1
              GROUP BY c.relkind",
            &[&table],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (names, types): (Vec<String>, Vec<String>) = (row.try_get(1)?, row.try_get(2)?);
    Ok(Some((row.try_get(0)?, names.into_iter().zip(types).collect())))
}

fn fault_of(name: &str, wanted: &str, columns: &[(String, String)]) -> Option<String> {
    match columns.iter().find(|(column, _)| column == name) {
        None => Some(format!("column {name} is missing")),
        // Text of one kind reads and writes like text of another.
        Some((_, found)) if is_text(found) && is_text(wanted) => None,
        Some((_, found)) if found == wanted => None,
        Some((_, found)) => Some(format!("column {name} is {found}, not {wanted}")),
    }
}

fn is_text(kind: &str) -> bool {
    matches!(kind, "text" | "varchar" | "bpchar")
}

/// Rows that a new key refuses. The SQL gives one row per group, as text, ordered.
struct RowCheck {
    table: &'static str,
    message: &'static str,
    groups: &'static str,
}

const ROW_CHECKS: &[RowCheck] = &[
    RowCheck {
        table: "positions",
        message: "more than one live position of an account in one instrument; close all but one",
        groups: "SELECT format('%s %s: %s', account_id, instrument,
                               string_agg(format('%s (%s)', position_id, status), ', ' ORDER BY opened_at, position_id))
                   FROM positions WHERE status IN ('open', 'closing')
                  GROUP BY account_id, instrument HAVING count(*) > 1",
    },
    RowCheck {
        table: "market_data",
        message: "more than one bar for an instant; delete all but one",
        groups: "SELECT format('%s %s from %s at %s: %s bars', instrument, timeframe, data_source,
                               to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), count(*))
                   FROM market_data
                  GROUP BY instrument, timeframe, data_source, time HAVING count(*) > 1",
    },
    RowCheck {
        table: "trades",
        message: "more than one trade of an account under one platform_trade_id; correct all but one",
        groups: "SELECT format('%s %s: %s', account_id, platform_trade_id,
                               string_agg(trade_id::text, ', ' ORDER BY entry_time, trade_id))
                   FROM trades WHERE platform_trade_id IS NOT NULL
                  GROUP BY account_id, platform_trade_id HAVING count(*) > 1",
    },
    RowCheck {
        table: "trades",
        message: "more than one trade under one trade_id; renumber all but one",
        groups: "SELECT format('%s: entered %s', trade_id,
                               string_agg(to_char(entry_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), ', '
                                          ORDER BY entry_time))
                   FROM trades GROUP BY trade_id HAVING count(*) > 1",
    },
];

impl RowCheck {
    async fn run(&self, client: &Client) -> Result<Option<Finding>, MigrateError> {
        let sql = format!(
            "WITH bad (words) AS ({})
             SELECT (SELECT count(*) FROM bad), b.words FROM bad b ORDER BY b.words LIMIT {NAMED_ROWS}",
            self.groups
        );
        let rows = client
            .query(&sql, &[])
            .await
            .map_err(|error| error::explain(error, &format!("read {}", self.table)))?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut finding = Finding::new(Obstacle::Rows, self.table, self.message);
        finding.row_count = first.try_get(0)?;
        finding.rows = rows.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
        Ok(Some(finding))
    }
}

/// Names that the migrations create and that somebody else has used for something else.
async fn names_taken(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    let rows = client
        .query(
            "SELECT 'function ' || p.oid::regprocedure, 'returns ' || pg_get_function_result(p.oid)
                    || ', and TMT''s returns ' || w.result || '; drop or rename it'
               FROM (VALUES ('check_position_pnl', '', 'trigger'), ('enforce_risk_limits', '', 'trigger'),
                            ('validate_market_data', '', 'trigger'), ('create_monthly_partitions', '', 'void'),
                            ('calculate_unrealized_pnl', 'uuid', 'numeric')) w (name, arguments, result)
               JOIN pg_proc p ON p.pronamespace = to_regnamespace('public') AND p.proname = w.name
                AND oidvectortypes(p.proargtypes) = w.arguments
              WHERE pg_get_function_result(p.oid) <> w.result
             UNION ALL
             SELECT 'schema ' || n.nspname, 'belongs to ' || pg_get_userbyid(n.nspowner) || '; rename it'
               FROM pg_namespace n WHERE n.nspname IN ('desk', 'tmt') AND pg_get_userbyid(n.nspowner) <> 'tmt_owner'
             UNION ALL
             SELECT 'table ' || c.relname, 'is not TMT''s data model; rename it'
               FROM pg_class c
              WHERE c.relnamespace = to_regnamespace('public')
                AND c.relname IN ('trade_registry', 'instruments', 'fx_rates', 'trade_fills', 'risk_event_actions',
                                  'trading_halts', 'signal_executions', 'performance_metrics', 'trades_default')
             ORDER BY 1",
            &[],
        )
        .await?;
    rows.iter().map(name_taken).collect()
}

fn name_taken(row: &Row) -> Result<Finding, MigrateError> {
    let (subject, message): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Finding::new(Obstacle::NameTaken, subject, message))
}
