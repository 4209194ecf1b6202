-- The registry of trades, monthly partitions, updated_at.

-- SECURITY DEFINER: TMT's writers need no right on the registry.
CREATE OR REPLACE FUNCTION sync_trade_registry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known timestamptz;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Waits for a concurrent insert of the same id.
        INSERT INTO trade_registry (trade_id, entry_time, account_id, platform_trade_id, instrument)
        VALUES (NEW.trade_id, NEW.entry_time, NEW.account_id, NEW.platform_trade_id, NEW.instrument)
        ON CONFLICT (trade_id) DO NOTHING;
        IF NOT FOUND THEN
            -- Moved between partitions, or a duplicate.
            SELECT r.entry_time INTO known FROM trade_registry r WHERE r.trade_id = NEW.trade_id;
            IF known IS DISTINCT FROM NEW.entry_time THEN
                RAISE unique_violation USING
                    MESSAGE = 'duplicate key value violates unique constraint "trade_registry_pkey"',
                    TABLE = 'trade_registry', CONSTRAINT = 'trade_registry_pkey';
            END IF;
        END IF;
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE trade_registry r
           SET trade_id = NEW.trade_id, entry_time = NEW.entry_time, account_id = NEW.account_id,
               platform_trade_id = NEW.platform_trade_id, instrument = NEW.instrument
         WHERE r.trade_id = OLD.trade_id;
        RETURN NEW;
    END IF;
    DELETE FROM trade_registry r WHERE r.trade_id = OLD.trade_id AND r.entry_time = OLD.entry_time;
    RETURN NULL;
END $$;

-- Creates this month and the next three. Run daily, by pg_cron where it is installed, else by `tmt maintain`, so
-- that a failed run is made good in time.
CREATE OR REPLACE FUNCTION create_monthly_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    FOR ahead IN 0 .. 3 LOOP
        PERFORM create_trade_partition(date_trunc('month', now()) + make_interval(months => ahead));
    END LOOP;
END $$;

-- Creates the partition of a month unless it exists, and moves its rows there from the default partition.
CREATE OR REPLACE FUNCTION create_trade_partition(p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    month_start timestamptz := date_trunc('month', p_at);
    month_end   timestamptz := month_start + interval '1 month';
    partition   text := to_char(month_start, '"trades_y"YYYY"m"MM');
BEGIN
    IF (SELECT value FROM tmt.settings WHERE key = 'trades_layout') IS DISTINCT FROM 'monthly' THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tmt:partitions', 0));
    IF to_regclass(format('public.%I', partition)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.trades INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                   partition);
    LOCK TABLE trades_default IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM trades_default WHERE entry_time >= month_start AND entry_time < month_end) THEN
        -- Rows only move: registry and totals stay as they are.
        ALTER TABLE trades_default DISABLE TRIGGER USER;
        EXECUTE format(
            'WITH moved AS (DELETE FROM trades_default WHERE entry_time >= %L AND entry_time < %L RETURNING *)
             INSERT INTO public.%I SELECT * FROM moved', month_start, month_end, partition);
        ALTER TABLE trades_default ENABLE TRIGGER USER;
    END IF;
    EXECUTE format('ALTER TABLE public.trades ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   partition, month_start, month_end);
    RETURN partition;
END $$;

-- updated_at is the version that a proposal is based on: it changes with every change of the row, and not when an
-- UPDATE only locks it.
CREATE FUNCTION desk.set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
