-- The limit monitor: measures limits, records their standing, raises events and halts accounts.

-- Measures all limits in one transaction. Returns how many changed their standing.
CREATE FUNCTION desk.monitor_limits() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    part    record;
    after   uuid;
    changed integer := 0;
BEGIN
    LOOP
        SELECT * INTO part FROM desk.monitor_batch(after);
        changed := changed + part.changed;
        after := part.last;
        EXIT WHEN after IS NULL;
    END LOOP;
    RETURN changed;
END $$;

-- Measures monitored limits and the accounts' own rules, for up to 50 accounts after p_after, and after the last account
-- the wide limits. Returns how many changed their standing, and the last account; NULL when all are done. Stops after
-- the first account that it locks, so that no account is locked while others are measured. A second caller at the
-- same time returns at once.
CREATE FUNCTION desk.monitor_batch(p_after uuid, OUT changed integer, OUT last uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    account  record;
    examined integer := 0;
    locked   boolean := false;
    wide     uuid[] := ARRAY(SELECT l.limit_id FROM risk_limits l
                             WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system') OR (l.limit_scope = 'instrument' AND l.account_id IS NULL)));
BEGIN
    changed := 0;
    IF NOT desk.try_mutex('monitor') THEN
        RETURN;
    END IF;
    FOR account IN
        SELECT a.account_id, a.account_name FROM accounts a
         WHERE a.status <> 'closed' AND (p_after IS NULL OR a.account_id > p_after) ORDER BY a.account_id LIMIT 51
    LOOP
        examined := examined + 1;
        IF examined > 50 OR locked OR changed > 0 THEN
            RETURN;
        END IF;
        last := account.account_id;
        -- An account that cannot be measured does not stop the others.
        BEGIN
            SELECT w.changed, w.locked INTO changed, locked FROM desk.monitor_account(account.account_id, account.account_name, wide) w;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                changed := 0;
            WHEN OTHERS THEN
                changed := desk.record_monitor_failure(account.account_id, account.account_name, SQLERRM);
        END;
    END LOOP;
    IF locked OR changed > 0 THEN
        RETURN;
    END IF;
    last := NULL;
    changed := desk.monitor_wide_limits(wide);
    DELETE FROM tmt.limit_states s
     USING (SELECT g.limit_key FROM tmt.limit_states g
             WHERE g.account_id IS NOT NULL
               AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = g.account_id AND a.status <> 'closed')
               FOR UPDATE OF g SKIP LOCKED) gone
     WHERE s.limit_key = gone.limit_key;
    PERFORM desk.resolve_monitor_events();
    PERFORM desk.escalate_events();
END $$;

-- Measures the limits of one account. Returns how many changed their standing, and whether it locked the account
-- or tried to.
--
-- First without a lock. If a standing has changed, locks the account and measures again, because figures may have changed
-- meanwhile.
CREATE FUNCTION desk.monitor_account(p_account uuid, p_name text, p_wide uuid[], OUT changed integer, OUT locked boolean)
LANGUAGE plpgsql AS $$
DECLARE
    instrument text;
    o          desk.order_context;
    m          desk.limit_measurement;
    measures   desk.limit_measurement[];
    losses     desk.limit_measurement[];
    seen       text[];
    result     boolean;
    is_changed boolean;
BEGIN
    changed := 0;
    locked := false;
    LOOP
        losses := '{}';
        seen := '{}';
        is_changed := false;
        FOR instrument IN
            SELECT NULL UNION ALL
            SELECT DISTINCT coalesce(l.scope_identifier::text, '') FROM risk_limits l
             WHERE l.is_active AND l.limit_scope = 'instrument' AND l.account_id = p_account AND desk.needs_monitoring(l)
            ORDER BY 1 NULLS FIRST
        LOOP
            o := desk.load_order(p_account, instrument, NULL, NULL, NULL, NULL, NULL, NULL);
            IF o.account_id IS NULL OR o.status = 'closed' THEN
                RETURN;
            END IF;
            measures := desk.measure_limits(o, true, p_wide);
            IF instrument IS NULL THEN
                -- Highest use first: among limits on the same loss, that one raises the event.
                SELECT coalesce(array_agg(r ORDER BY r.after / nullif(r.allowed, 0) DESC NULLS LAST, r.limit_id NULLS LAST), '{}') INTO measures
                  FROM unnest(measures || desk.account_rules(o)) AS r;
                losses := measures;
            END IF;
            FOREACH m IN ARRAY measures LOOP
                CONTINUE WHEN m.scope <> CASE WHEN instrument IS NULL THEN 'account' ELSE 'instrument' END;
                seen := seen || desk.limit_key(m.limit_id, m.limit_type, p_account);
                result := desk.record_standing(o, m, false, p_name, locked);
                is_changed := is_changed OR result IS NULL;
                changed := changed + coalesce(result, false)::integer;
            END LOOP;
        END LOOP;
        IF locked THEN
            -- Limits that are no longer in force have no standing.
            DELETE FROM tmt.limit_states s WHERE s.account_id = p_account AND NOT s.limit_key = ANY (seen);
        ELSE
            is_changed := is_changed OR EXISTS (
                SELECT FROM tmt.limit_states s WHERE s.account_id = p_account AND NOT s.limit_key = ANY (seen));
        END IF;
        is_changed := desk.refresh_loss_events(p_account, p_name, losses, locked) OR is_changed;
        IF locked OR NOT is_changed THEN
            RETURN;
        END IF;
        locked := true;
        IF NOT desk.try_lock_account(p_account) THEN
            RETURN;
        END IF;
    END LOOP;
END $$;

-- Measures wide limits. Returns how many changed their standing.
CREATE FUNCTION desk.monitor_wide_limits(p_wide uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    sample       record;
    o            desk.order_context;
    m            desk.limit_measurement;
    standing_key text;
    target_name  text;
    done         uuid[] := '{}';
    seen         text[] := '{}';
    failed       text;
    changed      integer := 0;
BEGIN
    FOR sample IN
        -- Every account of a portfolio gives the same figures: one is enough.
        SELECT min(a.account_id::text)::uuid AS account_id, NULL::text AS instrument FROM accounts a WHERE a.status <> 'closed' GROUP BY a.metadata ->> 'portfolio'
        UNION
        SELECT l.account_id, NULL FROM risk_limits l WHERE l.limit_id = ANY (p_wide) AND l.account_id IS NOT NULL
        UNION
        SELECT (SELECT min(a.account_id::text)::uuid FROM accounts a), coalesce(l.scope_identifier, '')
          FROM risk_limits l WHERE l.limit_id = ANY (p_wide) AND l.limit_scope = 'instrument' AND desk.needs_monitoring(l)
        ORDER BY 1, 2
    LOOP
        EXIT WHEN p_wide = '{}';
        BEGIN
            o := desk.load_order(sample.account_id, sample.instrument, NULL, NULL, NULL, NULL, NULL, NULL);
            CONTINUE WHEN o.account_id IS NULL;
            FOREACH m IN ARRAY desk.measure_limits(o, true, done) LOOP
                CONTINUE WHEN NOT m.limit_id = ANY (p_wide) OR m.limit_id = ANY (done) OR (m.scope = 'instrument') <> (sample.instrument IS NOT NULL);
                done := done || m.limit_id;
                standing_key := desk.limit_key(m.limit_id, m.limit_type, NULL);
                seen := seen || standing_key;
                target_name := CASE WHEN m.scope = 'portfolio' THEN concat_ws(' ', 'portfolio', o.portfolio) ELSE coalesce(sample.instrument, m.scope) END;
                IF desk.record_standing(o, m, true, target_name, false) IS NULL AND desk.try_lock_limit_state(standing_key) THEN
                    changed := changed + desk.record_standing(o, m, true, target_name, true)::integer;
                END IF;
            END LOOP;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                failed := '';
            WHEN OTHERS THEN
                failed := SQLERRM;
        END;
    END LOOP;
    IF failed <> '' THEN
        changed := changed + desk.record_monitor_failure(NULL, NULL, failed);
    ELSIF failed IS NULL THEN
        DELETE FROM tmt.limit_states s
         USING (SELECT g.limit_key FROM tmt.limit_states g WHERE g.account_id IS NULL AND NOT g.limit_key = ANY (seen)
                   FOR UPDATE SKIP LOCKED) gone
         WHERE s.limit_key = gone.limit_key;
    END IF;
    RETURN changed;
END $$;

-- Records the standing of a limit, and raises an event if it changed, or if the value went another tenth of the limit
-- further. Returns whether it changed; NULL if it did but the caller must lock the account (or the standing) first.
CREATE FUNCTION desk.record_standing(o desk.order_context, m desk.limit_measurement, p_is_wide boolean, p_name text, p_locked boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    known        tmt.limit_states%ROWTYPE;
    account      uuid := CASE WHEN NOT p_is_wide THEN o.account_id END;
    standing_key text := desk.limit_key(m.limit_id, m.limit_type, account);
    new_state    text;
    worse        boolean;
    raised_key   text;
    now_at       timestamptz := clock_timestamp();
    severity     text;
    message      text;
BEGIN
    SELECT * INTO known FROM tmt.limit_states s WHERE s.limit_key = standing_key;
    new_state := CASE WHEN m.fault IS NULL THEN desk.next_standing(known.state, m.after, m.allowed, m.warning, m.inclusive, m.is_minimum)
                  ELSE 'unknown' END;
    worse := new_state IN ('warning', 'breach') AND abs(m.after - m.allowed) >= abs(coalesce(known.raised_value, m.allowed) - m.allowed) + abs(m.allowed) / 10
             AND ((m.after > m.allowed) <> m.is_minimum) AND known.raised_value IS NOT NULL;
    IF new_state = known.state AND NOT worse THEN
        UPDATE tmt.limit_states s SET measured = m.after, allowed = m.allowed, unit = m.unit, measured_at = now_at
          FROM (SELECT f.limit_key FROM tmt.limit_states f
                 WHERE f.limit_key = standing_key AND (f.measured, f.allowed) IS DISTINCT FROM (m.after, m.allowed)
                   FOR NO KEY UPDATE SKIP LOCKED) free
         WHERE s.limit_key = free.limit_key;
        RETURN false;
    ELSIF NOT p_locked AND (known.limit_key IS NOT NULL OR new_state <> 'ok') THEN
        RETURN NULL;
    END IF;

    -- One event for the loss of one account, whichever of its limits are reached. What cannot be measured has an event
    -- per limit.
    raised_key := CASE WHEN m.is_loss AND account IS NOT NULL AND new_state <> 'unknown' THEN 'loss:' || m.limit_type || ':' || account
                       ELSE 'limit:' || standing_key END;
    INSERT INTO tmt.limit_states AS s (limit_id, rule, account_id, state, measured, allowed, unit, raised_value, event_key, since, measured_at)
    VALUES (m.limit_id, m.limit_type, account, new_state, m.after, m.allowed, m.unit, CASE WHEN new_state <> 'ok' THEN coalesce(m.after, 0) END,
            CASE WHEN new_state <> 'ok' THEN raised_key END, now_at, now_at)
    ON CONFLICT ON CONSTRAINT limit_states_pkey DO UPDATE
        SET state = EXCLUDED.state, measured = EXCLUDED.measured, allowed = EXCLUDED.allowed, unit = EXCLUDED.unit, measured_at = now_at,
            raised_value = coalesce(EXCLUDED.raised_value, s.raised_value),
            -- A loss that can no longer be measured is not over.
            event_key = CASE WHEN s.event_key IS NOT NULL AND new_state IN ('ok', 'unknown') THEN s.event_key ELSE EXCLUDED.event_key END,
            since = CASE WHEN s.state = EXCLUDED.state THEN s.since ELSE now_at END;
    IF new_state = 'ok' THEN
        RETURN known.state IS NOT NULL;
    END IF;
    severity := CASE WHEN new_state = 'warning' THEN 'warning' WHEN new_state = 'breach' AND m.is_loss THEN 'emergency' ELSE 'critical' END;
    message := desk.standing_text(m, p_name, new_state);
    -- Among limits on the same loss, the one with the highest use raises the event.
    IF NOT EXISTS (SELECT FROM tmt.limit_states s
                    WHERE s.event_key = raised_key AND s.limit_key <> standing_key
                      AND (s.state = 'breach' OR (s.state = 'warning' AND new_state = 'warning'))
                      AND (s.state <> new_state OR s.measured / nullif(s.allowed, 0) >= m.after / nullif(m.allowed, 0))) THEN
        PERFORM desk.record_event(account, CASE new_state WHEN 'warning' THEN 'limit_warning' WHEN 'breach' THEN 'limit_breach' ELSE 'limit_not_measured' END,
            severity, 'sentinel', m.limit_type, m.after, m.allowed, raised_key, NULL, NULL, m.limit_id,
            jsonb_build_object('message', message, 'unit', m.unit, 'state', new_state));
    END IF;
    IF new_state = 'breach' AND m.is_loss AND account IS NOT NULL AND o.status IN ('active', 'risk_halt') THEN
        PERFORM desk.halt_for_loss(account, message);
    END IF;
    RETURN true;
END $$;

-- Raises one event when no limit of an account can be measured; without an account, no wide limit. It is resolved when they
-- can be measured again.
CREATE FUNCTION desk.record_monitor_failure(p_account uuid, p_name text, p_why text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    standing_key text := desk.limit_key(NULL, 'all_limits', p_account);
    -- Inserting an event locks its account. Does not wait for that: without the lock, the event names no account.
    known        uuid := (SELECT a.account_id FROM accounts a WHERE a.account_id = p_account FOR KEY SHARE SKIP LOCKED);
BEGIN
    IF EXISTS (SELECT FROM tmt.limit_states s WHERE s.limit_key = standing_key) OR NOT desk.try_lock_limit_state(standing_key) THEN
        RETURN 0;
    END IF;
    INSERT INTO tmt.limit_states (rule, account_id, state, raised_value, event_key, since, measured_at)
    VALUES ('all_limits', p_account, 'unknown', 0, 'limit:' || standing_key, clock_timestamp(), clock_timestamp())
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 0; -- raised concurrently
    END IF;
    PERFORM desk.record_event(known, 'limit_not_measured', 'critical', 'sentinel', 'all_limits', NULL, NULL, 'limit:' || standing_key, NULL, NULL, NULL,
        jsonb_build_object('message', format('%s are not monitored: %s.', coalesce('Limits of ' || p_name, 'Wide limits'), rtrim(p_why, '.')), 'state', 'unknown'));
    RETURN 1;
END $$;

-- Locks an account and its open monitor events; false if another session has locked one of them.
CREATE FUNCTION desk.try_lock_account(p_account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = p_account FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND AND (SELECT count(*) FROM risk_events e
                       WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account AND desk.is_monitor_key(e.dedup_key))
        = (SELECT count(*) FROM (SELECT FROM risk_events e
                                  WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account
                                    AND desk.is_monitor_key(e.dedup_key)
                                    FOR NO KEY UPDATE SKIP LOCKED) mine);
END $$;

-- Locks the standing of a wide limit and its open event; false if another session has locked one of them.
CREATE FUNCTION desk.try_lock_limit_state(p_key text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM tmt.limit_states s WHERE s.limit_key = p_key FOR UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (SELECT FROM tmt.limit_states s WHERE s.limit_key = p_key) THEN
        RETURN false;
    END IF;
    PERFORM FROM risk_events e WHERE e.dedup_key = 'limit:' || p_key AND e.resolution_time IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND OR NOT EXISTS (SELECT FROM risk_events e WHERE e.dedup_key = 'limit:' || p_key AND e.resolution_time IS NULL);
END $$;
