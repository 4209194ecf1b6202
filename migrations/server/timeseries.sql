-- Partitions ahead, and what depends on extensions, which may come later: where TimescaleDB is, market_data and
-- system_events become hypertables, rows and all; where pg_cron is in this database, it makes the partitions.
--
-- A transaction of its own, after the rulebook's: moving a hundred million bars into a hypertable must not hold
-- up an order.
--
-- Only what the Apache edition of TimescaleDB has: no compression, no policies, no continuous aggregates.

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
        -- A hypertable's unique keys must contain its time. An adopted system_events has the key
        -- (event_id), which others may refer to: it stays a plain table.
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

-- As the migrating login: a job runs as whoever scheduled it, and the owner cannot log in. Daily, so that
-- one failed run is made good long before the month it was for. Hours are pg_cron's, not ours, so the
-- function itself counts months in UTC.
RESET ROLE;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
       OR (SELECT value FROM tmt.settings WHERE key = 'trades_layout') <> 'monthly' THEN
        RETURN;
    END IF;
    IF NOT has_schema_privilege(current_user, 'cron', 'USAGE') THEN
        RAISE NOTICE 'pg_cron is here, but % may not use it: partitions are left to tmt maintain', current_user;
        RETURN;
    END IF;
    PERFORM cron.schedule('create-partitions', '10 0 * * *', 'SELECT public.create_monthly_partitions()');
END $$;
