-- The change log that consoles poll.

-- What changed since a cursor. The first row has the new cursor and the server time; then one row per kind that changed. ids
-- NULL means to read all rows of the kind. Without a cursor, or with an invalid or expired one, all kinds are returned.
CREATE FUNCTION desk.changes_since(p_cursor text)
RETURNS TABLE (cursor text, server_time timestamptz, kind text, ids text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    seen pg_snapshot;
    horizon tmt.change_horizon%ROWTYPE;
BEGIN
    SELECT * INTO horizon FROM tmt.change_horizon;
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

    -- One statement, so that the cursor is the snapshot with which the log is read. A standby does not list running
    -- transactions: its cursor ends at the oldest one, so that later changes are reported twice rather than never.
    RETURN QUERY
    WITH next AS (
        SELECT CASE WHEN pg_is_in_recovery()
                    THEN format('%s:%s:', pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmin(pg_current_snapshot()))
                    ELSE pg_current_snapshot()::text END AS cursor
    ), changed AS (
        SELECT c.kind, CASE WHEN bool_or(c.id IS NULL) OR count(DISTINCT c.id) > 500 THEN NULL
                            ELSE array_agg(DISTINCT c.id) END AS ids
          FROM tmt.change_log c
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
        PERFORM desk.prune_changes();
    END IF;
END $$;

-- Deletes changes older than ten minutes. A console that polls later than that reads everything.
CREATE FUNCTION desk.prune_changes() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    oldest xid8 := pg_snapshot_xmin(pg_current_snapshot());
    newest_pruned xid8;
BEGIN
    IF NOT desk.try_mutex('prune') THEN
        RETURN;
    END IF;
    -- Only transactions that every later snapshot sees.
    WITH gone AS (
        DELETE FROM tmt.change_log c WHERE c.at < clock_timestamp() - interval '10 minutes' AND c.xid < oldest RETURNING c.xid
    )
    SELECT g.xid INTO newest_pruned FROM gone g ORDER BY g.xid DESC LIMIT 1;
    UPDATE tmt.change_horizon h
       SET xid = CASE WHEN newest_pruned >= h.xid THEN (newest_pruned::text::numeric + 1)::text::xid8 ELSE h.xid END,
           pruned_at = clock_timestamp();
END $$;

-- Per row: system_events may be a hypertable, which has no transition tables.
CREATE FUNCTION desk.log_system_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO tmt.change_log (xid, kind, id, at)
    VALUES (pg_current_xact_id(), 'system_events', NEW.event_id::text, clock_timestamp());
    RETURN NULL;
END $$;

CREATE FUNCTION desk.log_new_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO tmt.change_log (xid, kind, id, at)
    SELECT DISTINCT pg_current_xact_id(), 'accounts', CASE WHEN c.n <= 500 THEN c.account_id::text END, clock_timestamp()
      FROM (SELECT n.account_id, count(*) OVER () AS n FROM new_rows n) c;
    RETURN NULL;
END $$;

-- One function per table, because the name of its key is part of the SQL. Deletes are logged too.
DO $$
DECLARE
    logged record;
BEGIN
    FOR logged IN
        SELECT * FROM (VALUES ('accounts', 'account_id'), ('positions', 'position_id'), ('trades', 'trade_id'),
                              ('signals', 'signal_id'), ('risk_events', 'event_id'), ('risk_limits', 'limit_id'),
                              ('trading_halts', 'halt_id'), ('agents', 'agent_id'), ('instruments', 'instrument')) AS t (kind, key)
    LOOP
        -- An UPDATE that changes nothing (a lock) is not logged. More than 500 rows are logged as one change of the kind.
        EXECUTE format($body$
            CREATE FUNCTION desk.log_%1$s() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $fn$
            BEGIN
                IF TG_OP = 'UPDATE' THEN
                    INSERT INTO tmt.change_log (xid, kind, id, at)
                    -- Only up to 500 rows are compared: the cached plan of this join fits few rows.
                    SELECT pg_current_xact_id(), %1$L, n.%2$I::text, clock_timestamp()
                      FROM new_rows n LEFT JOIN old_rows o USING (%2$I)
                     WHERE (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 501) many) <= 500 AND o.* IS DISTINCT FROM n.*
                    UNION ALL SELECT pg_current_xact_id(), %1$L, NULL, clock_timestamp() FROM (SELECT FROM new_rows OFFSET 500 LIMIT 1) more;
                ELSIF TG_OP = 'INSERT' THEN
                    INSERT INTO tmt.change_log (xid, kind, id, at)
                    SELECT pg_current_xact_id(), %1$L, c.id, clock_timestamp()
                      FROM (SELECT n.%2$I::text AS id, count(*) OVER () AS n FROM (SELECT %2$I FROM new_rows LIMIT 501) n) c WHERE c.n <= 500
                    UNION ALL SELECT pg_current_xact_id(), %1$L, NULL, clock_timestamp() FROM (SELECT FROM new_rows OFFSET 500 LIMIT 1) more;
                ELSE
                    INSERT INTO tmt.change_log (xid, kind, id, at)
                    SELECT pg_current_xact_id(), %1$L, c.id, clock_timestamp()
                      FROM (SELECT o.%2$I::text AS id, count(*) OVER () AS n FROM (SELECT %2$I FROM old_rows LIMIT 501) o) c WHERE c.n <= 500
                    UNION ALL SELECT pg_current_xact_id(), %1$L, NULL, clock_timestamp() FROM (SELECT FROM old_rows OFFSET 500 LIMIT 1) more;
                END IF;
                RETURN NULL;
            END $fn$ $body$, logged.kind, logged.key);
    END LOOP;
END $$;
