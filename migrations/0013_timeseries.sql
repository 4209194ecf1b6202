-- What depends on extensions. Run by every `tmt migrate`, because an extension may come later: where
-- TimescaleDB is, market_data and system_events become hypertables, rows and all; where pg_cron is in
-- this database, it makes the partitions.
--
-- Only what the Apache edition of TimescaleDB has: no compression, no policies, no continuous aggregates.

SET LOCAL ROLE tmt_owner;
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

-- What has to be done again and again, by whoever can: `tmt maintain` calls this where nothing else
-- does. Bars and system events are kept for ever unless a number of days is set.
INSERT INTO desk.settings (key, value, description) VALUES
    ('market_data_keep_days', '', 'how long bars are kept; empty: for ever'),
    ('system_events_keep_days', '', 'how long system events are kept; empty: for ever')
ON CONFLICT (key) DO NOTHING;

CREATE OR REPLACE FUNCTION desk.maintain() RETURNS TABLE (task text, done text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    home   text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                     WHERE e.extname = 'timescaledb');
    series record;
    days   text;
    cutoff timestamptz;
    is_hyper boolean;
    gone   bigint;
BEGIN
    PERFORM create_monthly_partitions();
    RETURN QUERY SELECT 'partitions of trades', CASE desk.setting('trades_layout')
        WHEN 'monthly' THEN 'this month and the next three stand ready' ELSE 'left to their owner' END;
    PERFORM desk.prune();
    RETURN QUERY SELECT 'change log', 'pruned';
    FOR series IN SELECT * FROM (VALUES ('market_data', 'time'), ('system_events', 'occurred_at')) AS s (relation, at_column) LOOP
        days := nullif(btrim(desk.setting(series.relation || '_keep_days')), '');
        IF days IS NULL THEN
            RETURN QUERY SELECT series.relation, 'kept for ever';
            CONTINUE;
        END IF;
        cutoff := now() - make_interval(days => days::int);
        is_hyper := false;
        IF home IS NOT NULL THEN
            EXECUTE 'SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_name = $1)'
               INTO is_hyper USING series.relation;
        END IF;
        IF is_hyper THEN
            -- Whole chunks: the day of the cutoff stays until all of it is over.
            EXECUTE format('SELECT count(*) FROM %I.drop_chunks(%L::regclass, %L::timestamptz)', home, 'public.' || series.relation, cutoff)
               INTO gone;
            RETURN QUERY SELECT series.relation, format('%s chunks dropped', gone);
        ELSE
            EXECUTE format('DELETE FROM public.%I WHERE %I < $1', series.relation, series.at_column) USING cutoff;
            GET DIAGNOSTICS gone = ROW_COUNT;
            RETURN QUERY SELECT series.relation, format('%s rows deleted', gone);
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION desk.maintain() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.maintain() TO tmt_admin, tmt_agent;

-- As the migrating login: a job runs as whoever scheduled it, and the owner cannot log in. Daily, so that
-- one failed run is made good long before the month it was for. Hours are pg_cron's, not ours, so the
-- function itself counts months in UTC.
RESET ROLE;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')
       OR (SELECT value FROM desk.settings WHERE key = 'trades_layout') <> 'monthly' THEN
        RETURN;
    END IF;
    IF NOT has_schema_privilege(current_user, 'cron', 'USAGE') THEN
        RAISE NOTICE 'pg_cron is here, but % may not use it: partitions are left to tmt maintain', current_user;
        RETURN;
    END IF;
    PERFORM cron.schedule('create-partitions', '10 0 * * *', 'SELECT public.create_monthly_partitions()');
END $$;
