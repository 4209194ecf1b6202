-- Drops the rulebook, to be rebuilt in the same transaction.
--
-- Every table with a trigger of ours is locked first, `accounts` before the others: every order begins with its
-- account, so running orders finish and later ones wait at their start. This wait blocks
-- every other session, so it times out soon, well before the deadlock check.
DO $$
DECLARE
    found record;
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR found IN
        SELECT c.oid::regclass AS relation
          FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid
         WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND c.relowner = 'tmt_owner'::regrole
           AND c.relnamespace::regnamespace::text IN ('public', 'tmt')
         GROUP BY c.oid ORDER BY c.relname <> 'accounts', c.relname
    LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', found.relation);
    END LOOP;
    PERFORM set_config('lock_timeout', '2s', true);

    -- By name, not by CASCADE: TimescaleDB drops the triggers of a hypertable's chunks with it.
    FOR found IN
        SELECT t.tgname, t.tgrelid::regclass AS relation
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND c.relowner = 'tmt_owner'::regrole
           AND c.relnamespace::regnamespace::text IN ('public', 'tmt')
           AND p.proowner = 'tmt_owner'::regrole AND p.pronamespace::regnamespace::text IN ('public', 'desk')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
    -- An adopted function may name its parameter differently, which OR REPLACE cannot change.
    IF EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regprocedure('public.calculate_unrealized_pnl(uuid)')
                  AND p.proargnames IS DISTINCT FROM ARRAY['p_position']) THEN
        DROP FUNCTION public.calculate_unrealized_pnl(uuid);
    END IF;
END $$;

DROP SCHEMA desk CASCADE;
RESET ROLE;
CREATE SCHEMA desk AUTHORIZATION tmt_owner;
SET LOCAL ROLE tmt_owner;
