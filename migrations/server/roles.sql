-- Group roles and schemas, and who owns what.
--
-- Runs as the migrating login, a superuser or a login with CREATEROLE that owns the database. Everything else
-- runs as tmt_owner, so that functions with their owner's rights can write the tables, and nobody who can log
-- in owns any of it.

-- Roles belong to the cluster, not to this database: another database may be migrating at this moment, and the
-- second one finds the role already there.
DO $$
DECLARE
    wanted text;
    granted record;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tmt_owner', 'tmt_viewer', 'tmt_trader', 'tmt_risk_officer',
                                  'tmt_admin', 'tmt_agent'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;

    -- Who may write may also read. An administrator may do what traders and risk officers may, but remains one
    -- person: four eyes are compared by login, not by role.
    FOR granted IN
        SELECT * FROM (VALUES ('tmt_viewer', 'tmt_trader'),
                              ('tmt_viewer', 'tmt_risk_officer'),
                              ('tmt_viewer', 'tmt_agent'),
                              ('tmt_trader', 'tmt_admin'),
                              ('tmt_risk_officer', 'tmt_admin')) AS m (of_group, member)
    LOOP
        FOR attempt IN 1 .. 20 LOOP
            EXIT WHEN pg_has_role(granted.member, granted.of_group, 'MEMBER');
            BEGIN
                EXECUTE format('GRANT %I TO %I', granted.of_group, granted.member);
            EXCEPTION WHEN unique_violation OR internal_error THEN
                -- "tuple concurrently updated": the other migration holds the same row.
                PERFORM pg_sleep(0.02 * attempt);
            END;
        END LOOP;
    END LOOP;

    -- A superuser may become the owner anyway. For another login, being able to create the role is not enough
    -- from PostgreSQL 16 on: it must also be allowed to SET ROLE to it.
    IF NOT pg_has_role(current_user, 'tmt_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT tmt_owner TO %I', current_user);
    END IF;
    IF NOT has_schema_privilege('tmt_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO tmt_owner;
    END IF;
    -- The functions look up tables in `public`: who may create there could put a look-alike operator or
    -- function before ours. PostgreSQL 15 gives this to nobody; upgraded databases do.
    IF EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
                WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
END $$;

-- `tmt` holds what the console stores, `desk` the rulebook: functions and their types, and nothing that
-- cannot be dropped and made again.
CREATE SCHEMA IF NOT EXISTS tmt AUTHORIZATION tmt_owner;
CREATE SCHEMA IF NOT EXISTS desk AUTHORIZATION tmt_owner;

-- An adopted database: TMT's tables and the functions that its data model names change their owner. The owner
-- they had keeps every right on the tables, because it is TMT's own writer.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        WITH RECURSIVE ours AS (
            SELECT c.oid FROM pg_class c
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND c.relname = ANY (ARRAY['accounts', 'account_credentials', 'trades', 'positions',
                   'signals', 'market_data', 'risk_limits', 'risk_events', 'agents', 'system_events',
                   'signal_executions', 'performance_metrics'])
            UNION
            SELECT i.inhrelid FROM pg_inherits i JOIN ours o ON i.inhparent = o.oid
        )
        SELECT c.oid::regclass AS relation, r.rolname AS owner, r.rolsuper AS super
          FROM ours JOIN pg_class c USING (oid) JOIN pg_roles r ON r.oid = c.relowner
         WHERE r.rolname <> 'tmt_owner' AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO tmt_owner', found.relation);
        IF NOT found.super THEN
            EXECUTE format('GRANT ALL ON TABLE %s TO %I', found.relation, found.owner);
        END IF;
    END LOOP;

    FOR found IN
        SELECT p.oid::regprocedure AS signature, r.rolname AS owner, r.rolsuper AS super
          FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
         WHERE p.pronamespace = 'public'::regnamespace AND r.rolname <> 'tmt_owner'
           AND p.oid::regprocedure::text = ANY (ARRAY['check_position_pnl()', 'enforce_risk_limits()',
               'validate_market_data()', 'create_monthly_partitions()', 'calculate_unrealized_pnl(uuid)'])
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO tmt_owner', found.signature);
        IF NOT found.super THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.signature, found.owner);
        END IF;
    END LOOP;
END $$;

SET LOCAL ROLE tmt_owner;

-- PostgreSQL lets everybody execute a new function unless told otherwise.
ALTER DEFAULT PRIVILEGES FOR ROLE tmt_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The versioned files that ran.
CREATE TABLE IF NOT EXISTS tmt.schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,               -- sha256 of the file, hexadecimal
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);

-- The rulebook that is in force.
CREATE TABLE IF NOT EXISTS tmt.rulebook (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    digest     text NOT NULL,               -- sha256 of all its files, hexadecimal
    program    text NOT NULL,               -- version of the tmt that made it
    triggers   text[] NOT NULL,             -- those that call it: any other is somebody else's
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);
