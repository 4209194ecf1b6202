-- Partitions, and what depends on extensions, which may be installed later. With TimescaleDB, market_data and
-- system_events become hypertables; with pg_cron, it creates the monthly partitions.
--
-- A separate transaction after the rulebook's: moving a hundred million bars into a hypertable must not block
-- orders. Uses the Apache edition only: no compression, no policies, no continuous aggregates.

SET LOCAL ROLE tmt_owner;
SELECT public.create_monthly_partitions();

DO $$
DECLARE
    home    text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                      WHERE e.extname = 'timescaledb');
    series  record;
    covered boolean;
BEGIN
    IF home IS NULL THEN
        RETURN;
    END IF;
    FOR series IN SELECT * FROM (VALUES ('market_data', 'time'), ('system_events', 'occurred_at')) AS s (relation, at_column) LOOP
        -- A unique key of a hypertable must contain its time. An adopted system_events has the key (event_id),
        -- which foreign keys may reference: it stays a plain table.
        SELECT bool_and(EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid
                                   AND a.attnum = ANY (i.indkey::int2[]) AND a.attname = series.at_column))
          INTO covered
          FROM pg_index i WHERE i.indrelid = format('public.%I', series.relation)::regclass AND i.indisunique;
        IF covered IS FALSE THEN
            RAISE NOTICE '% has a key without %: it stays a plain table', series.relation, series.at_column;
            CONTINUE;
        END IF;
        EXECUTE format('SELECT %I.create_hypertable(%L::regclass, %L::name, chunk_time_interval => interval ''1 day'',
                                                    if_not_exists => true, migrate_data => true)',
                       home, 'public.' || series.relation, series.at_column);
    END LOOP;
END $$;

-- As the migrating login: a job runs as the login that scheduled it, and tmt_owner cannot log in. Daily, so that a
-- failed run is made good in time. pg_cron has its own time zone; the function counts months in UTC.
RESET ROLE;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
       OR (SELECT value FROM tmt.settings WHERE key = 'trades_layout') <> 'monthly' THEN
        RETURN;
    END IF;
    IF NOT has_schema_privilege(current_user, 'cron', 'USAGE') THEN
        RAISE NOTICE 'pg_cron is installed, but % may not use it: run tmt maintain daily', current_user;
        RETURN;
    END IF;
    PERFORM cron.schedule('create-partitions', '10 0 * * *', 'SELECT public.create_monthly_partitions()');
END $$;
