-- The registry of trades, kept by triggers whoever writes, and the monthly partitions.
SET LOCAL ROLE tmt_owner;

-- With the rights of the owner: a writer of TMT needs none on the registry.
CREATE OR REPLACE FUNCTION keep_trade_registry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known timestamptz;
BEGIN
    IF TG_OP = 'DELETE' THEN
        -- A row that moved to another month is deleted and inserted; its registry row already
        -- carries the new entry_time and stays.
        DELETE FROM trade_registry WHERE trade_id = OLD.trade_id AND entry_time = OLD.entry_time;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE trade_registry
           SET trade_id = NEW.trade_id, entry_time = NEW.entry_time,
               account_id = NEW.account_id, platform_trade_id = NEW.platform_trade_id
         WHERE trade_id = OLD.trade_id;
        RETURN NEW;
    END IF;
    -- Waits for a concurrent insert of the same id; what is read below is what that one left.
    INSERT INTO trade_registry (trade_id, entry_time, account_id, platform_trade_id)
    VALUES (NEW.trade_id, NEW.entry_time, NEW.account_id, NEW.platform_trade_id)
    ON CONFLICT (trade_id) DO NOTHING;
    IF NOT FOUND THEN
        -- Claimed by this transaction, or a row on its way to another month: same instant, and the
        -- key of `trades` decides. Another instant is a second trade under a known id.
        SELECT entry_time INTO known FROM trade_registry WHERE trade_id = NEW.trade_id;
        IF known IS DISTINCT FROM NEW.entry_time THEN
            RAISE unique_violation USING
                MESSAGE = 'duplicate key value violates unique constraint "trade_registry_pkey"',
                DETAIL = format('Key (trade_id)=(%s) already exists.', NEW.trade_id),
                SCHEMA = 'public', TABLE = 'trade_registry', CONSTRAINT = 'trade_registry_pkey';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- Partitioned: BEFORE, so that a duplicate is refused before any other rule looks at it. Plain: AFTER,
-- or ON CONFLICT (trade_id) of TMT's writers would fail where the table's own key absorbs it.
DO $$
DECLARE
    plain boolean := (SELECT relkind = 'r' FROM pg_class WHERE oid = 'public.trades'::regclass);
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER tr_trade_registry_ins %s INSERT ON public.trades
         FOR EACH ROW EXECUTE FUNCTION keep_trade_registry()',
        CASE WHEN plain THEN 'AFTER' ELSE 'BEFORE' END);
END $$;
CREATE OR REPLACE TRIGGER tr_trade_registry_upd BEFORE UPDATE ON trades FOR EACH ROW
    WHEN ((OLD.trade_id, OLD.entry_time, OLD.account_id, OLD.platform_trade_id)
          IS DISTINCT FROM (NEW.trade_id, NEW.entry_time, NEW.account_id, NEW.platform_trade_id))
    EXECUTE FUNCTION keep_trade_registry();
CREATE OR REPLACE TRIGGER tr_trade_registry_del AFTER DELETE ON trades
    FOR EACH ROW EXECUTE FUNCTION keep_trade_registry();

-- The trades of an adopted database. The triggers above hold writers off until this commits, so no
-- trade can slip in between.
INSERT INTO trade_registry (trade_id, entry_time, account_id, platform_trade_id)
SELECT trade_id, entry_time, account_id, platform_trade_id FROM trades
ON CONFLICT (trade_id) DO NOTHING;

CREATE UNIQUE INDEX IF NOT EXISTS uq_trade_registry_platform_id
    ON trade_registry (account_id, platform_trade_id) WHERE platform_trade_id IS NOT NULL;

-- Only a table we laid out ourselves gets partitions from us. No row is ever refused for its date:
-- what belongs to no month lands in the default partition.
DO $$
BEGIN
    IF (SELECT value FROM desk.settings WHERE key = 'trades_layout') = 'monthly' THEN
        CREATE TABLE IF NOT EXISTS trades_default PARTITION OF trades DEFAULT;
    END IF;
END $$;

-- Makes the partition of the month that contains an instant, UTC, and returns its name; NULL if it
-- exists or trades is not ours to partition.
--
-- Built apart and then attached: CREATE … PARTITION OF fails while the default partition holds rows
-- of that month, and those rows have to move in.
CREATE OR REPLACE FUNCTION create_trade_partition(p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    month_start timestamptz := date_trunc('month', p_at);
    month_end   timestamptz := month_start + interval '1 month';
    partition   text := to_char(month_start, '"trades_y"YYYY"m"MM');
BEGIN
    IF (SELECT value FROM desk.settings WHERE key = 'trades_layout') IS DISTINCT FROM 'monthly' THEN
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
        -- The rows only change their place: the registry must not hear of it.
        ALTER TABLE trades_default DISABLE TRIGGER tr_trade_registry_del;
        EXECUTE format(
            'WITH moved AS (DELETE FROM trades_default WHERE entry_time >= %L AND entry_time < %L RETURNING *)
             INSERT INTO public.%I SELECT * FROM moved', month_start, month_end, partition);
        ALTER TABLE trades_default ENABLE TRIGGER tr_trade_registry_del;
    END IF;
    EXECUTE format('ALTER TABLE public.trades ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   partition, month_start, month_end);
    RETURN partition;
END $$;

-- This month and the next three. Daily, so that a failed run is repeated in time: by pg_cron where it
-- is, by `tmt maintain` elsewhere.
CREATE OR REPLACE FUNCTION create_monthly_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    FOR ahead IN 0 .. 3 LOOP
        PERFORM create_trade_partition(date_trunc('month', now()) + make_interval(months => ahead));
    END LOOP;
END $$;

-- The two months that the data model names, then the present ones.
SELECT create_trade_partition('2025-01-15 00:00+00'), create_trade_partition('2025-02-15 00:00+00');
SELECT create_monthly_partitions();
