-- Group roles, schemas and ownership.
--
-- Runs as the migrating login: a superuser, or a login with CREATEROLE that owns the database. Everything after it
-- runs as tmt_owner, which cannot log in. It owns the tables, so SECURITY DEFINER functions can write them.

-- Roles belong to the cluster: another database may be migrating at the same time and create them first.
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

    -- Every role may read. An administrator has the rights of traders and risk officers, but four eyes compares
    -- logins, not roles.
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

    -- From PostgreSQL 16 on, a login that created the role must also be allowed to SET ROLE to it.
    IF NOT pg_has_role(current_user, 'tmt_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT tmt_owner TO %I', current_user);
    END IF;
    IF NOT has_schema_privilege('tmt_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO tmt_owner;
    END IF;
    -- The search path of the functions contains `public`: a login that may create objects there could shadow an
    -- operator or function. Databases upgraded from before PostgreSQL 15 allow it.
    IF EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
                WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
END $$;

-- `tmt` holds the console's tables, `desk` the rulebook: functions and types only, so that it can be dropped and
-- rebuilt.
CREATE SCHEMA IF NOT EXISTS tmt AUTHORIZATION tmt_owner;
CREATE SCHEMA IF NOT EXISTS desk AUTHORIZATION tmt_owner;

-- In an adopted database, TMT's tables and functions change their owner. The former owner keeps all rights on
-- them, because it is TMT's own writer.
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

-- By default, PUBLIC may execute a new function.
ALTER DEFAULT PRIVILEGES FOR ROLE tmt_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Versioned files that ran.
CREATE TABLE IF NOT EXISTS tmt.schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,               -- sha256 of the file, hexadecimal
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);

-- The installed rulebook.
CREATE TABLE IF NOT EXISTS tmt.rulebook (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision   integer NOT NULL,            -- counts how often it was rebuilt
    digest     text NOT NULL,               -- sha256 of all its files, hexadecimal
    program    text NOT NULL,               -- version of the tmt that installed it
    triggers   text[] NOT NULL,             -- those that call it; any other is foreign
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);
