-- Bars, and the upkeep of what grows with time.

-- Halves the quality of a bar whose close is more than 10 % from that of the bar before it, of the same
-- instrument, timeframe and source.
CREATE OR REPLACE FUNCTION validate_market_data() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
-- A generic plan made while the table was empty would scan it for every bar of an import.
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    previous numeric;
BEGIN
    SELECT m.close INTO previous
      FROM market_data m
     WHERE m.instrument = NEW.instrument AND m.timeframe = NEW.timeframe
       AND m.data_source = NEW.data_source AND m.time < NEW.time
     ORDER BY m.time DESC
     LIMIT 1;
    IF previous IS NOT NULL THEN
        NEW.price_change := coalesce(NEW.price_change, NEW.close - previous);
        NEW.price_change_pct := coalesce(NEW.price_change_pct,
            greatest(-9999.9999, least(9999.9999, round(100 * (NEW.close - previous) / previous, 4))));
        IF abs(NEW.close - previous) / previous > 0.10 THEN
            NEW.quality_score := coalesce(NEW.quality_score, 1.00) * 0.5;
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- What `tmt maintain` does: partitions, the change log, and deleting what is older than the settings keep.
CREATE FUNCTION desk.maintain() RETURNS TABLE (task text, done text)
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
        WHEN 'monthly' THEN 'this month and the next three exist' ELSE 'not managed by tmt' END;
    PERFORM desk.prune_changes();
    RETURN QUERY SELECT 'change log', 'pruned';
    FOR series IN SELECT * FROM (VALUES ('market_data', 'time'), ('system_events', 'occurred_at')) AS s (relation, at_column) LOOP
        days := nullif(btrim(desk.setting(series.relation || '_keep_days')), '');
        IF days IS NULL THEN
            RETURN QUERY SELECT series.relation, 'kept forever';
            CONTINUE;
        END IF;
        cutoff := now() - make_interval(days => days::int);
        is_hyper := false;
        IF home IS NOT NULL THEN
            EXECUTE 'SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_name = $1)'
               INTO is_hyper USING series.relation;
        END IF;
        IF is_hyper THEN
            -- Whole chunks: the day of the cutoff is kept.
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
