-- What changed since a console last asked: one cheap call instead of reading every pane again.
--
-- A row of the log is new to a console if its transaction was not visible in the snapshot that the
-- console's cursor is. No clock and no sequence is compared, so a transaction that was open for an hour
-- is reported when it commits, and a step of the clock hides nothing.
SET LOCAL ROLE tmt_owner;

CREATE TABLE IF NOT EXISTS desk.change_log (
    xid  xid8 NOT NULL,
    kind text NOT NULL,
    id   text,                                -- none: too many to name
    at   timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_change_log_xid ON desk.change_log (xid);

-- Changes of transactions before this one are gone: an older cursor has to read everything.
CREATE TABLE IF NOT EXISTS desk.change_horizon (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid       xid8 NOT NULL,
    pruned_at timestamptz NOT NULL
);
INSERT INTO desk.change_horizon (xid, pruned_at) VALUES ('0', '-infinity') ON CONFLICT DO NOTHING;

-- One statement that touches more rows than this is noted as "read the whole pane".
-- A function per table, because the name of its key is part of the SQL. Deletes are noted too: a row
-- that a console cannot find any more is gone.
DO $$
DECLARE
    watched record;
    changed text;
BEGIN
    FOR watched IN
        SELECT * FROM (VALUES ('accounts', 'account_id'), ('positions', 'position_id'), ('trades', 'trade_id'),
                              ('signals', 'signal_id'), ('risk_events', 'event_id'), ('risk_limits', 'limit_id'),
                              ('trading_halts', 'halt_id'), ('agents', 'agent_id'), ('instruments', 'instrument')) AS t (kind, key)
    LOOP
        -- An UPDATE that changes nothing (a lock) is not a change.
        EXECUTE format($body$
            CREATE OR REPLACE FUNCTION desk.note_%1$s() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $fn$
            DECLARE
                ids text[];
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    SELECT array_agg(n.%2$I::text) INTO ids FROM (SELECT %2$I FROM new_rows LIMIT 501) n;
                ELSIF TG_OP = 'DELETE' THEN
                    SELECT array_agg(o.%2$I::text) INTO ids FROM (SELECT %2$I FROM old_rows LIMIT 501) o;
                ELSE
                    SELECT array_agg(c.%2$I::text) INTO ids
                      FROM (SELECT n.%2$I FROM new_rows n LEFT JOIN old_rows o USING (%2$I)
                             WHERE o.* IS DISTINCT FROM n.* LIMIT 501) c;
                END IF;
                IF cardinality(ids) > 500 THEN
                    ids := ARRAY[NULL];
                END IF;
                INSERT INTO desk.change_log (xid, kind, id, at)
                SELECT pg_current_xact_id(), %3$L, i, clock_timestamp() FROM unnest(ids) i;
                RETURN NULL;
            END $fn$ $body$, watched.kind, watched.key, watched.kind);
        EXECUTE format('CREATE OR REPLACE TRIGGER tr_note_insert AFTER INSERT ON public.%1$I
                        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.note_%1$s()', watched.kind);
        EXECUTE format('CREATE OR REPLACE TRIGGER tr_note_update AFTER UPDATE ON public.%1$I
                        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION desk.note_%1$s()', watched.kind);
        EXECUTE format('CREATE OR REPLACE TRIGGER tr_note_delete AFTER DELETE ON public.%1$I
                        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.note_%1$s()', watched.kind);
    END LOOP;
END $$;

-- By row, and without transition tables: system_events may be a hypertable, which has none.
CREATE OR REPLACE FUNCTION desk.note_system_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO desk.change_log (xid, kind, id, at)
    VALUES (pg_current_xact_id(), 'system_events', NEW.event_id::text, clock_timestamp());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_note AFTER INSERT OR UPDATE ON system_events
    FOR EACH ROW EXECUTE FUNCTION desk.note_system_event();

-- Forgets changes older than ten minutes; a console that was away for longer reads its panes again.
CREATE OR REPLACE FUNCTION desk.prune() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    oldest xid8 := pg_snapshot_xmin(pg_current_snapshot());
    forgotten xid8;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:prune', 0)) THEN
        RETURN;
    END IF;
    -- Only transactions that are over for everybody: what one of them left is in every later snapshot.
    WITH gone AS (
        DELETE FROM desk.change_log c WHERE c.at < clock_timestamp() - interval '10 minutes' AND c.xid < oldest RETURNING c.xid
    )
    SELECT g.xid INTO forgotten FROM gone g ORDER BY g.xid DESC LIMIT 1;
    UPDATE desk.change_horizon h
       SET xid = CASE WHEN forgotten >= h.xid THEN (forgotten::text::numeric + 1)::text::xid8 ELSE h.xid END,
           pruned_at = clock_timestamp();
END $$;

-- The first row has no kind and carries the new cursor and the database's clock. Then one row for each
-- kind that changed; ids NULL means: read the whole pane. Without a cursor, with one that is not ours,
-- or with one too old, that is every kind.
CREATE OR REPLACE FUNCTION desk.changes_since(p_cursor text)
RETURNS TABLE (cursor text, server_time timestamptz, kind text, ids text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    seen pg_snapshot;
    horizon desk.change_horizon%ROWTYPE;
BEGIN
    SELECT * INTO horizon FROM desk.change_horizon;
    IF p_cursor ~ '^\d{1,19}:\d{1,19}:(\d{1,19}(,\d{1,19})*)?$' THEN
        BEGIN
            seen := p_cursor::pg_snapshot;
        EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN
            seen := NULL;
        END;
    END IF;
    IF pg_snapshot_xmin(seen) < horizon.xid OR pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot()) THEN
        seen := NULL;
    END IF;

    -- One statement: the snapshot that becomes the cursor is the one that the log is read with.
    -- A standby does not list the transactions under way; there the cursor reaches only to the oldest
    -- of them, so that what follows is told twice rather than never.
    RETURN QUERY
    WITH next AS (
        SELECT CASE WHEN pg_is_in_recovery()
                    THEN format('%s:%s:', pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmin(pg_current_snapshot()))
                    ELSE pg_current_snapshot()::text END AS cursor
    ), changed AS (
        SELECT c.kind, CASE WHEN bool_or(c.id IS NULL) OR count(DISTINCT c.id) > 500 THEN NULL
                            ELSE array_agg(DISTINCT c.id) END AS ids
          FROM desk.change_log c
         WHERE c.xid >= pg_snapshot_xmin(seen) AND NOT pg_visible_in_snapshot(c.xid, seen)
         GROUP BY c.kind
        UNION ALL
        SELECT k, NULL FROM unnest(ARRAY['accounts', 'positions', 'trades', 'signals', 'risk_events', 'risk_limits',
                                         'trading_halts', 'agents', 'system_events', 'instruments']) k
         WHERE seen IS NULL
    )
    SELECT next.cursor, clock_timestamp(), NULL::text, NULL::text[] FROM next
    UNION ALL
    SELECT NULL, NULL, changed.kind, changed.ids FROM changed;

    IF horizon.pruned_at < clock_timestamp() - interval '1 minute'
       AND NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' THEN
        PERFORM desk.prune();
    END IF;
END $$;

-- Who is connected to what.
CREATE OR REPLACE FUNCTION desk.session(OUT login text, OUT role text, OUT database text, OUT server_version text,
    OUT schema_version integer, OUT timescale text, OUT in_recovery boolean, OUT server_time timestamptz, OUT environment text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT session_user::text,
           CASE WHEN desk.may('tmt_admin') THEN 'admin'
                WHEN desk.may('tmt_risk_officer') THEN 'risk_officer'
                WHEN desk.may('tmt_trader') THEN 'trader'
                WHEN desk.may('tmt_viewer') THEN 'viewer'
                ELSE 'none' END,
           current_database()::text, current_setting('server_version'),
           (SELECT max(m.version) FROM desk.schema_migrations m),
           (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'timescaledb'),
           pg_is_in_recovery(), clock_timestamp(), coalesce(desk.setting('environment'), 'live')
$$;
