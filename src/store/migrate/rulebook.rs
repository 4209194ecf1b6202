//! The rulebook in force: which one it is, and what else hangs on its schema.

use tokio_postgres::Client;

use super::finding::{Finding, Obstacle};
use super::{MigrateError, Schema, error};

/// Which rulebook a database has.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) digest: String,
    /// Version of the program that made it.
    pub(super) program: String,
}

/// Reads which rulebook is in force; nothing where none was finished.
pub(super) async fn in_force(client: &Client) -> Result<Option<InForce>, MigrateError> {
    let row = client
        .query_opt("SELECT digest, program FROM tmt.rulebook", &[])
        .await
        .map_err(|error| error::explain(error, "read tmt.rulebook"))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(InForce { digest: row.try_get(0)?, program: row.try_get(1)? }))
}

impl InForce {
    /// # Errors
    ///
    /// [`MigrateError::NewerRulebook`] where a later program made another one.
    pub(super) fn refuse_newer(&self, schema: &Schema) -> Result<(), MigrateError> {
        let (found, known) = (&self.program, &schema.program);
        if self.digest != schema.digest() && numbers(found) > numbers(known) {
            let (found, known) = (found.clone(), known.clone());
            return Err(MigrateError::NewerRulebook { found, known });
        }
        Ok(())
    }
}

/// `0.10.2` as numbers; what is no number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-']).map(|part| part.parse().unwrap_or(0)).collect()
}

/// What depends on schema `desk`, or is in it, and was not made by the rulebook: it would go with the
/// schema. The triggers of the rulebook are known by name.
const FOREIGN: &str = "
    WITH inside AS (
        SELECT d.classid, d.objid FROM pg_depend d
         WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace('desk')
        UNION
        SELECT 'pg_type'::regclass, t.oid FROM pg_type t WHERE t.typnamespace = to_regnamespace('desk')
        UNION
        SELECT 'pg_class'::regclass, c.oid FROM pg_class c WHERE c.relnamespace = to_regnamespace('desk')
    ), made AS (
        SELECT 'pg_proc'::regclass AS classid, p.oid AS objid FROM pg_proc p
         WHERE p.pronamespace = to_regnamespace('desk') AND p.proowner = to_regrole('tmt_owner')
        UNION ALL
        SELECT 'pg_class'::regclass, c.oid FROM pg_class c
         WHERE c.relnamespace = to_regnamespace('desk') AND c.relkind = 'c' AND c.relowner = to_regrole('tmt_owner')
        UNION ALL
        -- A composite type, and the list of any type that is in the schema.
        SELECT 'pg_type'::regclass, t.oid FROM pg_type t
         WHERE t.typnamespace = to_regnamespace('desk') AND t.typowner = to_regrole('tmt_owner') AND t.typtype IN ('c', 'b')
        UNION ALL
        SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid, tmt.rulebook r
         WHERE t.tgparentid <> 0 OR format('%s on %s.%s', t.tgname, c.relnamespace::regnamespace, c.relname) = ANY (r.triggers)
            -- TimescaleDB gives every chunk the triggers of its hypertable.
            OR c.relnamespace = to_regnamespace('_timescaledb_internal')
               AND EXISTS (SELECT FROM unnest(r.triggers) of_ours WHERE starts_with(of_ours, t.tgname || ' on '))
    ), found AS (
        SELECT classid, objid, 0 AS objsubid FROM inside
        UNION
        SELECT d.classid, d.objid, d.objsubid FROM pg_depend d JOIN inside i ON (i.classid, i.objid) = (d.refclassid, d.refobjid)
         WHERE d.deptype IN ('n', 'a')
    )
    SELECT DISTINCT coalesce(
               (SELECT 'view ' || w.ev_class::regclass FROM pg_rewrite w
                 WHERE f.classid = 'pg_rewrite'::regclass AND w.oid = f.objid),
               pg_describe_object(f.classid, f.objid, f.objsubid)) AS name
      FROM found f
     WHERE (f.classid, f.objid) NOT IN (SELECT classid, objid FROM made)
       -- Named with the table or type that it belongs to.
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE (d.classid, d.objid) = (f.classid, f.objid) AND d.deptype = 'i'
                          AND f.classid <> 'pg_rewrite'::regclass)
     ORDER BY name";

/// Names what would go with the schema of the rulebook although somebody else made it.
pub(super) async fn foreign(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    let rows = client
        .query(FOREIGN, &[])
        .await
        .map_err(|error| error::explain(error, "read what depends on schema desk"))?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get(0)?;
            let message = "depends on schema desk, which is rebuilt; move or drop it";
            Ok(Finding::new(Obstacle::Foreign, name, message))
        })
        .collect()
}

/// Reads the body of every function, which nothing has done while they were made: each may call any
/// other.
pub(super) const CHECK_BODIES: &str = "
    SET LOCAL check_function_bodies = on;
    DO $$
    DECLARE
        made record;
    BEGIN
        FOR made IN SELECT p.oid, l.lanvalidator::regproc AS check FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                     WHERE p.proowner = 'tmt_owner'::regrole AND p.prokind <> 'a' AND l.lanvalidator <> 0 LOOP
            BEGIN
                EXECUTE format('SELECT %s(%s)', made.check, made.oid);
            EXCEPTION WHEN OTHERS THEN
                RAISE EXCEPTION '%: %', made.oid::regprocedure, SQLERRM;
            END;
        END LOOP;
    END $$";

/// Records which rulebook is in force, and which triggers are its own.
pub(super) fn record(schema: &Schema) -> String {
    let (digest, program) = (schema.digest(), schema.program.replace('\'', "''"));
    format!(
        "INSERT INTO tmt.rulebook AS b (revision, digest, program, triggers)
         SELECT 1, '{digest}', '{program}',
                array_agg(format('%s on %s.%s', t.tgname, c.relnamespace::regnamespace, c.relname))
           FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
          WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND p.pronamespace = 'desk'::regnamespace
         ON CONFLICT (only_row) DO UPDATE SET revision = b.revision + 1, digest = EXCLUDED.digest,
             program = EXCLUDED.program, triggers = EXCLUDED.triggers, applied_at = now(), applied_by = session_user"
    )
}
