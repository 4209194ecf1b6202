//! Logins of every group try to write past the rulebook and to replace parts of it.

use tokio_postgres::Client;

use crate::desk::{ALPHA, BRAVO, Desk, sqlstate, text};
use crate::verbs::{Verb as _, buy, close, halt, halt_account, limit};

pub(crate) const GROUPS: [&str; 5] =
    ["tmt_viewer", "tmt_trader", "tmt_risk_officer", "tmt_admin", "tmt_agent"];

/// A desk and a login of each group.
pub(crate) struct Cast {
    pub(crate) desk: Desk,
    pub(crate) people: Vec<(&'static str, Client)>,
}

impl Cast {
    pub(crate) async fn open() -> Self {
        let desk = Desk::open().await;
        let mut people = Vec::new();
        for group in GROUPS {
            people.push((group, desk.member(group, group).await));
        }
        Self { desk, people }
    }

    pub(crate) fn of(&self, group: &str) -> &Client {
        &self.people.iter().find(|(name, _)| *name == group).unwrap().1
    }

    /// Checks that no login may run any of these statements.
    pub(crate) async fn all_denied(&self, attempts: &[String]) {
        let mut allowed = Vec::new();
        for (group, client) in &self.people {
            for sql in attempts {
                let got = outcome(client, sql).await;
                if got != "42501" {
                    allowed.push(format!("{group}: {sql}: {got}"));
                }
            }
        }
        assert_eq!(allowed, [""; 0]);
    }

    /// The rows of a query of one text column, as the superuser.
    pub(crate) async fn list(&self, sql: &str) -> Vec<String> {
        let rows = self.desk.admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.try_get(0).unwrap()).collect()
    }
}

/// Runs a statement and rolls it back; returns the SQLSTATE of its failure, or `done`.
pub(crate) async fn outcome(client: &Client, sql: &str) -> String {
    client.batch_execute("BEGIN").await.unwrap();
    let code = match client.batch_execute(sql).await {
        Ok(()) => "done".to_owned(),
        Err(error) => error.code().unwrap().code().to_owned(),
    };
    client.batch_execute("ROLLBACK").await.unwrap();
    code
}

pub(crate) fn owned(attempts: &[&str]) -> Vec<String> {
    attempts.iter().map(|&sql| sql.to_owned()).collect()
}

// ---- tables ---------------------------------------------------------------------------------------

/// Every table, partition, view and sequence of tmt.
const OURS: &str = "FROM pg_class c
    WHERE c.relnamespace IN ('public'::regnamespace, 'desk'::regnamespace, 'tmt'::regnamespace) AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";

#[tokio::test]
async fn only_agents_write_tables() {
    let cast = Cast::open().await;
    let sql = format!(
        "SELECT format('%s %I', c.oid::regclass,
                    (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum = 1)) {OURS}
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1"
    );
    let tables = cast.list(&sql).await;
    assert!(tables.len() > 30, "{tables:?}");
    let mut written = Vec::new();
    for (group, client) in &cast.people {
        for line in &tables {
            let (table, column) = line.split_once(' ').unwrap();
            for (what, sql) in [
                ("INSERT", format!("INSERT INTO {table} DEFAULT VALUES")),
                ("UPDATE", format!("UPDATE {table} SET {column} = DEFAULT WHERE false")),
                ("DELETE", format!("DELETE FROM {table} WHERE false")),
                ("TRUNCATE", format!("TRUNCATE {table} CASCADE")),
            ] {
                if outcome(client, &sql).await != "42501" {
                    written.push(format!("{group} {what} {table}"));
                }
            }
        }
    }
    let mut expected = Vec::new();
    for table in ["agents", "fx_rates", "market_data", "signals", "system_events"] {
        expected.push(format!("tmt_agent INSERT {table}"));
        expected.push(format!("tmt_agent UPDATE {table}"));
    }
    assert_eq!(written, expected);

    let columns = "SELECT format('%s %s', grantee, string_agg(column_name, ' ' ORDER BY column_name))
        FROM information_schema.column_privileges c
        WHERE table_schema IN ('public', 'desk', 'tmt') AND privilege_type <> 'SELECT' AND grantee <> 'tmt_owner'
          AND NOT has_table_privilege(grantee, format('%I.%I', table_schema, table_name), privilege_type)
        GROUP BY grantee, table_name, privilege_type";
    assert_eq!(
        cast.list(columns).await,
        ["tmt_agent current_price daily_pnl last_updated_at unrealized_pnl"]
    );
    let sequences = format!("SELECT c.oid::regclass::text {OURS} AND c.relkind = 'S'");
    let mut attempts = Vec::new();
    for sequence in cast.list(&sequences).await {
        attempts.push(format!("SELECT nextval('{sequence}')"));
        attempts.push(format!("SELECT setval('{sequence}', 1)"));
    }
    cast.all_denied(&attempts).await;
}

#[tokio::test]
async fn no_login_forges_a_row_or_a_column() {
    let cast = Cast::open().await;
    let position = buy(10_000).place(cast.of("tmt_trader")).await.accepted();
    assert!(position.subject.is_some());
    cast.desk
        .run("INSERT INTO risk_events (event_type, severity, event_source) VALUES ('x', 'critical', 'test')")
        .await;
    cast.all_denied(&owned(&[
        "UPDATE risk_events SET acknowledged = true, acknowledged_by = 'boss', acknowledged_at = now()",
        "UPDATE risk_events SET acknowledged_by = session_user",
        "INSERT INTO risk_event_actions (event_id, action, actor) SELECT event_id, 'acknowledged', 'boss' FROM risk_events",
        "INSERT INTO tmt.audit_log SELECT seq + 1, at, 'boss', verb, key, outcome, code, subject, payload, hash, hash FROM tmt.audit_log",
        "UPDATE tmt.audit_log SET actor = 'boss'",
        "UPDATE tmt.audit_head SET seq = 0",
        "DELETE FROM tmt.audit_log",
        "COPY tmt.audit_log FROM STDIN",
        "UPDATE risk_limits SET limit_value = 1e9, approved_by = 'boss'",
        "UPDATE trading_halts SET cleared_at = now()",
        "UPDATE accounts SET status = 'active', current_balance = 1e9",
        "UPDATE positions SET total_size = 1",
        "UPDATE tmt.settings SET value = 'off' WHERE key = 'four_eyes'",
        "UPDATE tmt.requests SET actor = session_user",
        "INSERT INTO tmt.requests SELECT * FROM tmt.requests",
        "MERGE INTO accounts a USING accounts b ON a.account_id = b.account_id WHEN MATCHED THEN UPDATE SET equity = 0",
        "WITH x AS (DELETE FROM trades RETURNING *) SELECT count(*) FROM x",
        // A lock needs the same right, because it blocks everybody else.
        "SELECT FROM accounts FOR UPDATE",
        "SELECT FROM accounts FOR KEY SHARE",
        "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE tmt.audit_head IN EXCLUSIVE MODE",
    ]))
    .await;
    assert_eq!(cast.desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn broker_secrets_are_not_readable() {
    let cast = Cast::open().await;
    let columns = cast
        .list("SELECT attname::text FROM pg_attribute WHERE attrelid = 'account_credentials'::regclass AND attnum > 0")
        .await;
    let mut attempts: Vec<String> =
        columns.iter().map(|c| format!("SELECT {c} FROM account_credentials")).collect();
    attempts.extend(owned(&[
        "SELECT count(*) FROM account_credentials",
        "SELECT a FROM account_credentials a",
        "COPY account_credentials TO STDOUT",
        "DECLARE c CURSOR FOR TABLE account_credentials",
        "CREATE TEMP TABLE mine AS TABLE account_credentials",
        "CREATE TEMP VIEW mine AS TABLE account_credentials; TABLE mine",
        "EXPLAIN ANALYZE TABLE account_credentials",
        "SELECT query_to_xml('TABLE account_credentials', true, true, '')",
        "SELECT table_to_xml('account_credentials', true, true, '')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "COPY accounts TO PROGRAM 'cat'",
        "TABLE tmt.requests",
    ]));
    cast.all_denied(&attempts).await;
}

// ---- functions ------------------------------------------------------------------------------------

/// Who may call what. Every login has the rights of a viewer; an admin is a trader and a risk officer
/// too. Add a new function here once its grants are decided.
const GRANTED: &str = "
create_monthly_partitions: admin, agent
create_trade_partition: admin, agent
desk.acknowledge: risk_officer
desk.amend_position: agent, risk_officer, trader
desk.approve_limit: risk_officer
desk.assess_trade: viewer
desk.audit_verify: viewer
desk.audit_verify_from: viewer
desk.changes_since: viewer
desk.charge: admin, agent
desk.clear_event: agent
desk.close_position: agent, risk_officer, trader
desk.create_limit: risk_officer
desk.flatten: agent, risk_officer, trader
desk.halt: agent, risk_officer, trader
desk.limit_impact: viewer
desk.limit_preview: risk_officer
desk.limit_state: viewer
desk.maintain: admin, agent
desk.mark_to_market: admin, agent
desk.monitor_batch: admin, agent
desk.monitor_limits: admin, agent
desk.performance: viewer
desk.period: viewer
desk.place_trade: agent, trader
desk.preview_amend: viewer
desk.propose_limit: risk_officer
desk.prune_changes: admin, agent
desk.raise_event: admin, agent
desk.reconcile: agent, risk_officer
desk.reject_limit: risk_officer
desk.resolve_outcome: agent, risk_officer, trader
desk.resume: risk_officer
desk.retire_limit: risk_officer
desk.roll_days: admin, agent
desk.session: viewer
desk.swap_fee: viewer
desk.swap_nights: viewer
desk.unacknowledge: risk_officer";

/// The functions of tmt. One without an ACL may be called by PUBLIC.
const OUR_FUNCTIONS: &str = "FROM pg_proc p
    WHERE p.pronamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND p.proowner = 'tmt_owner'::regrole";

#[tokio::test]
async fn every_function_is_granted_to_the_listed_roles_only() {
    let cast = Cast::open().await;
    let granted = format!(
        "SELECT format('%s: %s', name, string_agg(DISTINCT who, ', ' ORDER BY who)) FROM (
             SELECT p.oid::regproc::text AS name, coalesce(substr(r.rolname, 5), 'PUBLIC') AS who
               FROM (SELECT p.oid, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl {OUR_FUNCTIONS}) p,
                    aclexplode(p.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
              WHERE a.grantee <> 'tmt_owner'::regrole) x
          GROUP BY name ORDER BY name COLLATE \"C\""
    );
    assert_eq!(cast.list(&granted).await.join("\n"), GRANTED.trim());

    // The server refuses calls of every other function.
    let calls = format!(
        "SELECT format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg(format('%s NULL::%s', CASE WHEN p.provariadic <> 0 AND n = p.pronargs THEN 'VARIADIC' END, format_type(t, NULL)), ', ' ORDER BY n)
                    FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (t, n))) {OUR_FUNCTIONS}
            AND p.prorettype <> 'trigger'::regtype AND p.prokind = 'f'
            AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee <> p.proowner)"
    );
    let calls = cast.list(&calls).await;
    assert!(calls.len() > 60, "{}", calls.len());
    cast.all_denied(&calls).await;

    // A trigger of a login would call them with rows of its own.
    let triggers = format!(
        "SELECT format('CREATE TEMP TABLE positions (LIKE positions);
                        CREATE TRIGGER t AFTER INSERT ON pg_temp.positions FOR EACH ROW EXECUTE FUNCTION %s()', p.oid::regproc)
         {OUR_FUNCTIONS} AND p.prorettype = 'trigger'::regtype"
    );
    cast.all_denied(&cast.list(&triggers).await).await;
}

#[tokio::test]
async fn functions_of_the_owner_use_a_safe_search_path() {
    let cast = Cast::open().await;
    let loose = format!(
        "SELECT p.oid::regprocedure::text {OUR_FUNCTIONS} AND p.prosecdef
            AND NOT coalesce('search_path=pg_catalog, public, pg_temp' = ANY (p.proconfig), false)"
    );
    assert_eq!(cast.list(&loose).await, [""; 0]);
    let owner = "SELECT format('%s %s %s', rolcanlogin, rolsuper, rolcreaterole) FROM pg_roles WHERE rolname = 'tmt_owner'";
    assert_eq!(cast.desk.text(owner).await, "f f f");
    let members = "SELECT string_agg(m.member::regrole::text, ' ') FROM pg_auth_members m
        JOIN pg_roles r ON r.oid = m.member WHERE m.roleid = 'tmt_owner'::regrole AND NOT r.rolsuper";
    assert_eq!(cast.desk.text(members).await, "-");
    let foreign =
        format!("SELECT c.oid::regclass::text {OURS} AND c.relowner <> 'tmt_owner'::regrole");
    assert_eq!(cast.list(&foreign).await, [""; 0]);
}

/// A schema of a trader with look-alikes of everything that the rulebook uses. Each reports its use.
async fn set_traps(cast: &Cast) {
    let login = format!("{}_tmt_trader", cast.desk.database.name());
    let name = cast.desk.database.name();
    // Only a careless superuser would give a schema away.
    cast.desk.run(&format!("CREATE SCHEMA {name}_trap AUTHORIZATION {login}")).await;
    let trader = cast.of("tmt_trader");
    trader.batch_execute(&format!("SET search_path = {name}_trap")).await.unwrap();
    trader
        .batch_execute(
            "CREATE FUNCTION spring(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped by %', $1; END $$;
             CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT spring('now')::timestamptz $$;
             CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT spring('clock')::timestamptz $$;
             CREATE FUNCTION pg_has_role(name, text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT spring('pg_has_role')::boolean $$;
             CREATE FUNCTION round(numeric, integer) RETURNS numeric LANGUAGE sql AS $$ SELECT spring('round')::numeric $$;
             CREATE FUNCTION format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT spring('format') $$;
             CREATE FUNCTION sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT spring('sha256')::bytea $$;
             CREATE FUNCTION same(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT spring('= of uuid')::boolean $$;
             CREATE FUNCTION more(numeric, numeric) RETURNS boolean LANGUAGE sql AS $$ SELECT spring('> of numeric')::boolean $$;
             CREATE OPERATOR = (FUNCTION = same, LEFTARG = uuid, RIGHTARG = uuid);
             CREATE OPERATOR > (FUNCTION = more, LEFTARG = numeric, RIGHTARG = numeric);
             CREATE DOMAIN verdict AS text; CREATE TABLE risk_limits (); CREATE TABLE instruments ();
             CREATE TEMP TABLE accounts (account_id uuid, status text); CREATE TEMP TABLE positions ();
             CREATE TEMP TABLE risk_limits (); CREATE TEMP TABLE trading_halts (); CREATE TEMP TABLE settings (key text, value text);
             CREATE FUNCTION pg_temp.may(VARIADIC text[]) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        )
        .await
        .unwrap();
    let path = format!("SET search_path = {name}_trap, pg_temp, pg_catalog, public, desk");
    trader.batch_execute(&path).await.unwrap();
    trader.batch_execute("SELECT now()").await.unwrap_err();
}

#[tokio::test]
async fn objects_in_the_search_path_or_temporary_schema_are_not_used() {
    let cast = Cast::open().await;
    limit("max_exposure", 50_000, "USD").of(ALPHA).insert(&cast.desk).await;
    set_traps(&cast).await;
    let trader = cast.of("tmt_trader");

    // A call has no expression that could resolve to a look-alike.
    buy(40_000).place(trader).await.accepted();
    buy(40_000).place(trader).await.refused("MAX_EXPOSURE");
    let position = cast.desk.position().await;
    close(position).size(10_000).send(trader).await.accepted();
    halt("system", "reduce_only").send(trader).await.refused("NOT_PERMITTED");
    for read in [
        "SELECT count(*) FROM desk.session()",
        "SELECT count(*) FROM desk.changes_since(NULL)",
        "SELECT count(*) FROM desk.audit_verify()",
    ] {
        trader.batch_execute(read).await.unwrap();
    }
    buy(1000).assess(trader).await;
    assert_eq!(cast.desk.text("SELECT total_size FROM positions").await, "30000.00");
    assert_eq!(cast.desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
    let schema = format!("DROP SCHEMA {}_trap CASCADE", cast.desk.database.name());
    cast.desk.run(&schema).await;
}

#[tokio::test]
async fn session_settings_change_no_answer_and_no_hash() {
    let cast = Cast::open().await;
    let trader = cast.of("tmt_trader");
    trader
        .batch_execute(
            "SET DateStyle = 'German, DMY'; SET timezone = 'Asia/Kathmandu'; SET bytea_output = escape; SET IntervalStyle = sql_standard;
             SET extra_float_digits = -15; SET transform_null_equals = on; SET row_security = off; SET array_nulls = off;
             SET standard_conforming_strings = off; SET quote_all_identifiers = on; SET client_encoding = latin1",
        )
        .await
        .unwrap();
    halt_account(BRAVO, "reduce_only").because("caf\u{e9}").send(trader).await.accepted();
    buy(10_000).place(trader).await.accepted();
    let verify = "SELECT count(*) FROM desk.audit_verify()";
    assert_eq!(
        (cast.desk.text(verify).await, text(trader, verify, &[]).await),
        ("0".to_owned(), "0".to_owned())
    );
    for forbidden in [
        "SET session_replication_role = replica",
        "SET lo_compat_privileges = on",
        "SET log_statement = 'none'",
        "ALTER SYSTEM SET fsync = off",
    ] {
        assert_eq!(sqlstate(trader, forbidden).await, "42501", "{forbidden}");
    }
}

// ---- replacing objects ----------------------------------------------------------------------------

#[tokio::test]
async fn no_login_creates_alters_or_drops_objects_of_the_rulebook() {
    let cast = Cast::open().await;
    cast.all_denied(&owned(&[
        "CREATE TABLE public.mine ()",
        "CREATE TABLE desk.mine ()",
        "CREATE TABLE tmt.mine ()",
        "CREATE VIEW desk.mine AS SELECT 1",
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "CREATE FUNCTION desk.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION desk.has_role(VARIADIC p_groups text[]) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE TYPE public.mine AS ENUM ()",
        "CREATE SEQUENCE desk.mine",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION pg_trgm SCHEMA public",
        "CREATE TRIGGER mine BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE mine AS ON INSERT TO tmt.audit_log DO INSTEAD NOTHING",
        "CREATE POLICY mine ON accounts USING (false)",
        "CREATE INDEX mine ON tmt.audit_log (actor)",
        "ALTER TABLE tmt.audit_log DISABLE TRIGGER ALL",
        "ALTER TABLE tmt.audit_log DROP COLUMN hash",
        "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE accounts OWNER TO session_user",
        "ALTER FUNCTION desk.has_role(text[]) SECURITY INVOKER",
        "ALTER SCHEMA desk RENAME TO gone",
        "ALTER DEFAULT PRIVILEGES FOR ROLE tmt_owner GRANT ALL ON TABLES TO PUBLIC",
        "DROP TABLE tmt.audit_log",
        "DROP FUNCTION desk.has_role(text[])",
        "DROP TRIGGER tr_append_only ON tmt.audit_log",
        "DROP OWNED BY tmt_owner",
        "DROP SCHEMA desk CASCADE",
        "DROP SCHEMA tmt CASCADE",
        "GRANT EXECUTE ON FUNCTION desk.finish_request(uuid, text, desk.answer, jsonb) TO PUBLIC",
        "COMMENT ON TABLE accounts IS 'mine'",
        "DO LANGUAGE plpgsql 'BEGIN DELETE FROM tmt.audit_log; END'",
        "SELECT lo_export(1, '/tmp/mine')",
    ]))
    .await;
    // A right cannot be passed on: the server only warns and changes nothing.
    let rights = format!("SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM (
        SELECT c.oid::regclass::text || c.relacl::text AS x {OURS} UNION ALL SELECT p.oid::regprocedure::text || p.proacl::text {OUR_FUNCTIONS}) r");
    let before = cast.desk.text(&rights).await;
    for (_, client) in &cast.people {
        for sql in [
            "GRANT SELECT, INSERT ON tmt.audit_log TO PUBLIC",
            "GRANT UPDATE ON fx_rates TO tmt_viewer",
            "REVOKE ALL ON FUNCTION desk.session() FROM tmt_viewer",
        ] {
            client.batch_execute(sql).await.ok();
        }
    }
    assert_eq!(cast.desk.text(&rights).await, before);
}
