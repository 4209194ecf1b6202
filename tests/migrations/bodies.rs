//! The bodies of all functions, read by `plpgsql_check`.

use crate::database::database;

/// What it finds in each function, and in each function of a trigger for each of its tables.
const FINDINGS: &str = "
    SELECT concat_ws(' ', p.oid::regprocedure, 'line', c.lineno, c.level, c.sqlstate || ':', c.message, c.detail, c.query)
      FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
      LEFT JOIN LATERAL (SELECT DISTINCT t.tgrelid, num_nonnulls(t.tgoldtable, t.tgnewtable) > 0 AS reads_rows
                           FROM pg_trigger t WHERE t.tgfoid = p.oid AND t.tgparentid = 0) t ON true,
           LATERAL plpgsql_check_function_tb(p.oid::regprocedure, coalesce(t.tgrelid, 0), extra_warnings => true,
               oldtable => CASE WHEN t.reads_rows THEN 'old_rows' END, newtable => CASE WHEN t.reads_rows THEN 'new_rows' END) c
     WHERE p.proowner = 'tmt_owner'::regrole
       -- Initial values as text, and numbers that are narrowed on purpose.
       AND c.sqlstate <> '42804'
       -- A function with two answers, each of them a row.
       AND c.message NOT LIKE 'composite OUT variable%'
       -- Only asked where TimescaleDB is.
       AND c.message NOT LIKE '%timescaledb_information%'
     ORDER BY 1";

/// The name says in every list of tests why this was skipped.
mod needs_plpgsql_check {
    use super::*;

    #[tokio::test]
    #[ignore = "needs the extension plpgsql_check: apt-get install postgresql-15-plpgsql-check"]
    async fn every_body_fits_the_tables_and_functions_that_it_names() {
        let database = database().await;
        let client = database.client().await;
        client.batch_execute("CREATE EXTENSION plpgsql_check").await.unwrap();

        let rows = client.query(FINDINGS, &[]).await.unwrap();

        let found: Vec<&str> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
