-- All of them, in one transaction. Says how many changed their standing.
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

-- Measures live limits and accounts' own loss rules: of some accounts after p_after, in their order. Says how
-- many changed their standing, and which account was the last; none when all had their turn, limits over
-- several accounts too. It ends with the first account that it takes, so that none is held while others are
-- measured. One at a time: a second caller has nothing to do.
CREATE FUNCTION desk.monitor_batch(p_after uuid, OUT changed integer, OUT last uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    watched record;
    looked  integer := 0;
    held    boolean := false;
    wide    uuid[] := ARRAY(SELECT l.limit_id FROM risk_limits l
                             WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system') OR (l.limit_scope = 'instrument' AND l.account_id IS NULL)));
BEGIN
    changed := 0;
    IF NOT desk.try_mutex('monitor') THEN
        RETURN;
    END IF;
    FOR watched IN
        SELECT a.account_id, a.account_name FROM accounts a
         WHERE a.status <> 'closed' AND (p_after IS NULL OR a.account_id > p_after) ORDER BY a.account_id LIMIT 51
    LOOP
        looked := looked + 1;
        IF looked > 50 OR held OR changed > 0 THEN
            RETURN;
        END IF;
        last := watched.account_id;
        -- One that cannot be measured does not stop the others.
        BEGIN
            SELECT w.changed, w.held INTO changed, held FROM desk.monitor_account(watched.account_id, watched.account_name, wide) w;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                changed := 0;
            WHEN OTHERS THEN
                changed := desk.record_monitor_failure(watched.account_id, watched.account_name, SQLERRM);
        END;
    END LOOP;
    IF held OR changed > 0 THEN
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

-- Watches what limits one account by itself. Says how many limits changed their standing, and whether it may
-- hold the account from now on.
--
-- First it only looks. What changed is measured again with the account held, by statements of their own: the
-- account may have been worth something else by then.
CREATE FUNCTION desk.monitor_account(p_account uuid, p_name text, p_wide uuid[], OUT changed integer, OUT held boolean)
LANGUAGE plpgsql AS $$
DECLARE
    place    text;
    o        desk.order_context;
    m        desk.limit_measurement;
    measures desk.limit_measurement[];
    losses   desk.limit_measurement[];
    seen     text[];
    one      boolean;
    is_news  boolean;
BEGIN
    changed := 0;
    held := false;
    LOOP
        losses := '{}';
        seen := '{}';
        is_news := false;
        FOR place IN
            SELECT NULL UNION ALL
            SELECT DISTINCT coalesce(l.scope_identifier::text, '') FROM risk_limits l
             WHERE l.is_active AND l.limit_scope = 'instrument' AND l.account_id = p_account AND desk.needs_monitoring(l)
            ORDER BY 1 NULLS FIRST
        LOOP
            o := desk.load_order(p_account, place, NULL, NULL, NULL, NULL, NULL, NULL);
            IF o.account_id IS NULL OR o.status = 'closed' THEN
                RETURN;
            END IF;
            measures := desk.measure_limits(o, true, p_wide);
            IF place IS NULL THEN
                -- What is used up most comes first: of rules that say the same it is the one that rings.
                SELECT coalesce(array_agg(r ORDER BY r.after / nullif(r.allowed, 0) DESC NULLS LAST, r.limit_id NULLS LAST), '{}') INTO measures
                  FROM unnest(measures || desk.account_rules(o)) AS r;
                losses := measures;
            END IF;
            FOREACH m IN ARRAY measures LOOP
                CONTINUE WHEN m.scope <> CASE WHEN place IS NULL THEN 'account' ELSE 'instrument' END;
                seen := seen || desk.limit_key(m.limit_id, m.limit_type, p_account);
                one := desk.record_standing(o, m, false, p_name, held);
                is_news := is_news OR one IS NULL;
                changed := changed + coalesce(one, false)::integer;
            END LOOP;
        END LOOP;
        IF held THEN
            -- What is not in force any more stands nowhere.
            DELETE FROM tmt.limit_states s WHERE s.account_id = p_account AND NOT s.limit_key = ANY (seen);
        ELSE
            is_news := is_news OR EXISTS (
                SELECT FROM tmt.limit_states s WHERE s.account_id = p_account AND NOT s.limit_key = ANY (seen));
        END IF;
        is_news := desk.refresh_loss_events(p_account, p_name, losses, held) OR is_news;
        IF held OR NOT is_news THEN
            RETURN;
        END IF;
        held := true;
        IF NOT desk.try_lock_account(p_account) THEN
            RETURN;
        END IF;
    END LOOP;
END $$;

-- Watches limits over several accounts. Returns how many changed their standing.
CREATE FUNCTION desk.monitor_wide_limits(p_wide uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    watched  record;
    o        desk.order_context;
    m        desk.limit_measurement;
    watched_key text;
    done     uuid[] := '{}';   -- once is enough
    seen     text[] := '{}';
    failed   text;
    changed  integer := 0;
BEGIN
    FOR watched IN
        -- Whoever looks sees the same: one of each portfolio.
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
            o := desk.load_order(watched.account_id, watched.instrument, NULL, NULL, NULL, NULL, NULL, NULL);
            CONTINUE WHEN o.account_id IS NULL;
            FOREACH m IN ARRAY desk.measure_limits(o, true, done) LOOP
                CONTINUE WHEN NOT m.limit_id = ANY (p_wide) OR m.limit_id = ANY (done) OR (m.scope = 'instrument') <> (watched.instrument IS NOT NULL);
                done := done || m.limit_id;
                watched_key := desk.limit_key(m.limit_id, m.limit_type, NULL);
                seen := seen || watched_key;
                IF desk.record_standing(o, m, true, coalesce(watched.instrument, m.scope), false) IS NULL AND desk.try_lock_limit_state(watched_key) THEN
                    changed := changed + desk.record_standing(o, m, true, coalesce(watched.instrument, m.scope), true)::integer;
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
        changed := changed + desk.record_monitor_failure(NULL, 'several accounts', failed);
    ELSIF failed IS NULL THEN
        DELETE FROM tmt.limit_states s
         USING (SELECT g.limit_key FROM tmt.limit_states g WHERE g.account_id IS NULL AND NOT g.limit_key = ANY (seen)
                   FOR UPDATE SKIP LOCKED) gone
         WHERE s.limit_key = gone.limit_key;
    END IF;
    RETURN changed;
END $$;

-- Notes how one limit stands, and raises its event. Only what changed is raised again, or what went a
-- further tenth of the limit beyond: a value that stays in breach rings once. Returns whether it changed;
-- NULL if it did, and the caller has to hold the account (or the state) first.
CREATE FUNCTION desk.record_standing(o desk.order_context, m desk.limit_measurement, p_together boolean, p_name text, p_held boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    known    tmt.limit_states%ROWTYPE;
    account  uuid := CASE WHEN NOT p_together THEN o.account_id END;
    watched  text := desk.limit_key(m.limit_id, m.limit_type, account);
    now_is   text;
    worse    boolean;
    rings    text;
    now_at   timestamptz := clock_timestamp();
    severity text;
    why      text;
BEGIN
    SELECT * INTO known FROM tmt.limit_states s WHERE s.limit_key = watched;
    now_is := CASE WHEN m.fault IS NULL THEN desk.next_standing(known.state, m.after, m.allowed, m.warning, m.inclusive, m.is_minimum)
                  ELSE 'unknown' END;
    worse := now_is IN ('warning', 'breach') AND abs(m.after - m.allowed) >= abs(coalesce(known.raised_value, m.allowed) - m.allowed) + abs(m.allowed) / 10
             AND ((m.after > m.allowed) <> m.is_minimum) AND known.raised_value IS NOT NULL;
    IF now_is = known.state AND NOT worse THEN
        UPDATE tmt.limit_states s SET measured = m.after, allowed = m.allowed, unit = m.unit, measured_at = now_at
          FROM (SELECT f.limit_key FROM tmt.limit_states f
                 WHERE f.limit_key = watched AND (f.measured, f.allowed) IS DISTINCT FROM (m.after, m.allowed)
                   FOR NO KEY UPDATE SKIP LOCKED) free
         WHERE s.limit_key = free.limit_key;
        RETURN false;
    ELSIF NOT p_held AND (known.limit_key IS NOT NULL OR now_is <> 'ok') THEN
        RETURN NULL;
    END IF;

    rings := desk.event_key(m, now_is, watched, account);
    INSERT INTO tmt.limit_states AS s (limit_id, rule, account_id, state, measured, allowed, unit, raised_value, event_key, since, measured_at)
    VALUES (m.limit_id, m.limit_type, account, now_is, m.after, m.allowed, m.unit, CASE WHEN now_is <> 'ok' THEN coalesce(m.after, 0) END,
            CASE WHEN now_is <> 'ok' THEN rings END, now_at, now_at)
    ON CONFLICT ON CONSTRAINT limit_states_pkey DO UPDATE
        SET state = EXCLUDED.state, measured = EXCLUDED.measured, allowed = EXCLUDED.allowed, unit = EXCLUDED.unit, measured_at = now_at,
            raised_value = coalesce(EXCLUDED.raised_value, s.raised_value),
            -- A loss that nobody can judge any more is not over.
            event_key = CASE WHEN s.event_key IS NOT NULL AND now_is IN ('ok', 'unknown') THEN s.event_key ELSE EXCLUDED.event_key END,
            since = CASE WHEN s.state = EXCLUDED.state THEN s.since ELSE now_at END;
    IF now_is = 'ok' THEN
        RETURN known.state IS NOT NULL;
    END IF;
    severity := CASE WHEN now_is = 'warning' THEN 'warning' WHEN now_is = 'breach' AND m.is_loss THEN 'emergency' ELSE 'critical' END;
    why := desk.standing_text(m, p_name, now_is);
    -- Where another rule says the same of this loss, and is used up more, the event is that one's.
    IF NOT EXISTS (SELECT FROM tmt.limit_states s
                    WHERE s.event_key = rings AND s.limit_key <> watched
                      AND (s.state = 'breach' OR (s.state = 'warning' AND now_is = 'warning'))
                      AND (s.state <> now_is OR s.measured / nullif(s.allowed, 0) >= m.after / nullif(m.allowed, 0))) THEN
        PERFORM desk.record_event(account, CASE now_is WHEN 'warning' THEN 'limit_warning' WHEN 'breach' THEN 'limit_breach' ELSE 'limit_not_judged' END,
            severity, 'sentinel', m.limit_type, m.after, m.allowed, rings, NULL, NULL, m.limit_id,
            jsonb_build_object('message', why, 'unit', m.unit, 'state', now_is));
    END IF;
    -- A loss that reached its limit ends new risk until a risk officer says otherwise.
    IF now_is = 'breach' AND m.is_loss AND account IS NOT NULL AND o.status IN ('active', 'risk_halt') THEN
        PERFORM desk.halt_for_loss(account, why);
    END IF;
    RETURN true;
END $$;

-- Notes that the limits of an account (of none: those over several) cannot be judged at all, and raises that
-- once. It is over when they can.
CREATE FUNCTION desk.record_monitor_failure(p_account uuid, p_name text, p_why text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    watched text := desk.limit_key(NULL, 'all_limits', p_account);
    -- An event of an account waits for whoever holds that account altogether; this one does not.
    known   uuid := (SELECT a.account_id FROM accounts a WHERE a.account_id = p_account FOR KEY SHARE SKIP LOCKED);
BEGIN
    IF EXISTS (SELECT FROM tmt.limit_states s WHERE s.limit_key = watched) OR NOT desk.try_lock_limit_state(watched) THEN
        RETURN 0;
    END IF;
    INSERT INTO tmt.limit_states (rule, account_id, state, raised_value, event_key, since, measured_at)
    VALUES ('all_limits', p_account, 'unknown', 0, 'limit:' || watched, clock_timestamp(), clock_timestamp())
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 0; -- somebody else has just said it
    END IF;
    PERFORM desk.record_event(known, 'limit_not_judged', 'critical', 'sentinel', 'all_limits', NULL, NULL, 'limit:' || watched, NULL, NULL, NULL,
        jsonb_build_object('message', format('No limit of %s is watched: %s.', p_name, rtrim(p_why, '.')), 'state', 'unknown'));
    RETURN 1;
END $$;

-- Takes an account and the events of its limits; false if somebody else has one of them.
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

-- Takes the state and the event of what is watched over several accounts; false if somebody else has one.
CREATE FUNCTION desk.try_lock_limit_state(p_watched text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM tmt.limit_states s WHERE s.limit_key = p_watched FOR UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (SELECT FROM tmt.limit_states s WHERE s.limit_key = p_watched) THEN
        RETURN false;
    END IF;
    PERFORM FROM risk_events e WHERE e.dedup_key = 'limit:' || p_watched AND e.resolution_time IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND OR NOT EXISTS (SELECT FROM risk_events e WHERE e.dedup_key = 'limit:' || p_watched AND e.resolution_time IS NULL);
END $$;
