-- Group roles, the schema `desk`, and the owner of everything that follows.
--
-- Runs as the migrating login: a superuser, or a login with CREATEROLE that owns the database.
-- Every later file begins with SET LOCAL ROLE tmt_owner, so that functions which run with their
-- owner's rights can write the tables, and nobody who can log in owns any of it.

-- Roles belong to the cluster, not to this database: another database may be migrating at this very
-- moment, and whoever comes second finds the role already there.
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

    -- Whoever may write may also read. An administrator may do what both desks may, but remains one
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
END $$;

-- A superuser may become the owner anyway. For another login, being able to create the role is not
-- enough from PostgreSQL 16 on: it must also be allowed to SET ROLE to it.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'tmt_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT tmt_owner TO %I', current_user);
    END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS desk AUTHORIZATION tmt_owner;

DO $$
BEGIN
    IF NOT has_schema_privilege('tmt_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO tmt_owner;
    END IF;
    -- The functions look up tables in `public`: whoever may create there could put a look-alike
    -- operator or function before ours. PostgreSQL 15 gives this to nobody; upgraded databases do.
    IF EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
                WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
END $$;

-- An existing database: TMT's tables and the functions that its data model names change their owner.
-- Whoever owned them before keeps every right on the tables, because it is TMT's own writer.
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

CREATE TABLE IF NOT EXISTS desk.schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,               -- sha256 of the file, hexadecimal
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);

-- What a desk may set without a new program. Numbers are decimal text.
CREATE TABLE IF NOT EXISTS desk.settings (
    key         text PRIMARY KEY,
    value       text NOT NULL,
    description text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  text NOT NULL DEFAULT session_user
);

INSERT INTO desk.settings (key, value, description) VALUES
    ('environment', 'live', 'live, paper or demo. A database that nobody labelled is taken as live'),
    ('price_max_age_seconds', '10', 'an older price refuses new risk'),
    ('conversion_max_age_seconds', '60', 'an older conversion rate refuses new risk'),
    ('price_collar_percent', '1', 'how far a price may stand from the last mid'),
    ('duplicate_window_seconds', '5', 'a twin of an accepted order inside this window asks for a reason'),
    ('signal_slippage_pips', '10', 'a worse price than the signal''s by more than this asks for a reason'),
    ('stop_required', 'true', 'whether a trade that opens risk needs a stop'),
    ('max_risk_fraction', '0.10', 'most that one trade may risk, as a fraction of equity'),
    ('strict_limits', 'false', 'whether an active limit of a type nobody enforces refuses new risk'),
    ('four_eyes', 'on', 'on: loosening a limit needs a second person; off: a desk of one')
ON CONFLICT (key) DO NOTHING;

-- Who owns the layout of `trades`: `monthly` (made by 0002, partitioned by us), `plain` (found
-- unpartitioned, left so) or `foreign` (found partitioned; its partitions are its owner's).
INSERT INTO desk.settings (key, value, description)
SELECT 'trades_layout',
       CASE (SELECT relkind FROM pg_class WHERE oid = to_regclass('public.trades'))
           WHEN 'r' THEN 'plain' WHEN 'p' THEN 'foreign' ELSE 'monthly' END,
       'monthly, plain or foreign: who owns the partitions of trades; never changed by hand'
ON CONFLICT (key) DO NOTHING;
