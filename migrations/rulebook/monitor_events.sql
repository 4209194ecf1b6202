-- Events of the limit monitor: figures, resolving, escalation.

-- An open event about a loss shows the limit with the highest use. Updates it where that is another limit now, without
-- raising it again. Returns whether an event differs; without p_locked it changes nothing.
CREATE FUNCTION desk.refresh_loss_events(p_account uuid, p_name text, p_measures desk.limit_measurement[], p_locked boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    event   record;
    m       desk.limit_measurement;
    message text;
    differs boolean := false;
BEGIN
    FOR event IN
        SELECT DISTINCT ON (e.event_id) e.event_id, e.related_limit_id, e.limit_value, s.state, l AS rule
          FROM risk_events e
          JOIN tmt.limit_states s ON s.event_key = e.dedup_key AND s.state IN ('breach', 'warning')
          JOIN unnest(p_measures) l ON s.account_id = p_account AND s.rule = l.limit_type AND s.limit_id IS NOT DISTINCT FROM l.limit_id
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account AND s.event_key <> 'limit:' || s.limit_key
         ORDER BY e.event_id, s.state = 'breach' DESC, l.after / nullif(l.allowed, 0) DESC NULLS LAST, l.limit_id NULLS LAST
    LOOP
        m := event.rule;
        -- A limit in percent changes a little all the time.
        CONTINUE WHEN event.related_limit_id IS NOT DISTINCT FROM m.limit_id
                      AND coalesce(abs(event.limit_value - m.allowed) <= abs(m.allowed) / 100, true);
        differs := true;
        CONTINUE WHEN NOT p_locked;
        message := desk.standing_text(m, p_name, event.state);
        UPDATE risk_events e
           SET related_limit_id = m.limit_id, limit_value = desk.storable(m.allowed), current_value = desk.storable(m.after),
               event_data = e.event_data || jsonb_build_object('message', message, 'unit', m.unit, 'state', event.state)
         WHERE e.event_id = event.event_id;
        INSERT INTO risk_event_actions (event_id, action, actor, note) VALUES (event.event_id, 'note', session_user, message);
    END LOOP;
    RETURN differs;
END $$;

-- Resolves monitor events whose limit has been ok for a minute, is no longer in force, or can be measured again. Returns
-- how many.
--
-- A drawdown in breach stays open until it is acknowledged and its halt resumed.
CREATE FUNCTION desk.resolve_monitor_events() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    event    record;
    resolved integer := 0;
    quiet    timestamptz := clock_timestamp() - interval '60 seconds';
BEGIN
    -- Lock order: standings before events.
    UPDATE tmt.limit_states s SET raised_value = NULL, event_key = NULL
      FROM (SELECT f.limit_key FROM tmt.limit_states f WHERE f.raised_value IS NOT NULL AND f.state = 'ok' AND f.since < quiet
               FOR NO KEY UPDATE SKIP LOCKED) well
     WHERE s.limit_key = well.limit_key;
    FOR event IN
        SELECT e.dedup_key FROM risk_events e
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND desk.is_monitor_key(e.dedup_key)
           AND NOT EXISTS (SELECT FROM tmt.limit_states s
                            WHERE s.raised_value IS NOT NULL AND (s.state <> 'ok' OR s.since >= quiet)
                              AND (s.event_key = e.dedup_key
                                   OR (e.dedup_key = 'limit:' || s.limit_key AND (s.state = 'unknown' OR s.since >= quiet))))
           AND NOT (e.risk_measure = 'max_drawdown' AND e.severity = 'emergency'
                    AND (NOT e.acknowledged OR EXISTS (SELECT FROM trading_halts h
                                                        WHERE h.account_id = e.account_id AND h.cause IS NOT NULL AND h.cleared_at IS NULL)))
         ORDER BY e.event_id
           FOR NO KEY UPDATE OF e SKIP LOCKED
    LOOP
        PERFORM desk.resolve_event(event.dedup_key);
        resolved := resolved + 1;
    END LOOP;
    RETURN resolved;
END $$;

-- Reraises acknowledged events that are not over: an emergency after 10 minutes, a critical event after 30 minutes, a warning
-- after 4 hours. Escalates critical events that nobody acknowledges after 15 and after 30 minutes. Returns how many.
CREATE FUNCTION desk.escalate_events() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    now_at    timestamptz := clock_timestamp();
    reraised  integer;
    escalated integer;
BEGIN
    WITH back AS (
        UPDATE risk_events e SET acknowledged = false, acknowledged_by = NULL, acknowledged_at = NULL
         WHERE e.event_id IN (
            SELECT f.event_id FROM risk_events f
             WHERE f.event_source = 'sentinel' AND f.resolution_time IS NULL AND f.acknowledged
               AND f.acknowledged_at < now_at - CASE f.severity WHEN 'emergency' THEN interval '10 minutes' WHEN 'critical' THEN interval '30 minutes'
                                                                ELSE interval '4 hours' END
               AND EXISTS (SELECT FROM tmt.limit_states s
                            WHERE (s.event_key = f.dedup_key AND s.state <> 'ok') OR (f.dedup_key = 'limit:' || s.limit_key AND s.state = 'unknown'))
             ORDER BY f.event_id
               FOR NO KEY UPDATE OF f SKIP LOCKED)
        RETURNING e.event_id
    )
    INSERT INTO risk_event_actions (event_id, action, actor, note, at)
    SELECT b.event_id, 'reraised', session_user, 'acknowledged, but not resolved', now_at FROM back b;
    GET DIAGNOSTICS reraised = ROW_COUNT;

    -- Counted from when it was raised, reraised or given back.
    WITH waiting AS (
        SELECT e.event_id, now_at - (SELECT max(a.at) FROM risk_event_actions a
                                      WHERE a.event_id = e.event_id AND a.action IN ('raised', 'reraised', 'unacknowledged')) AS waits,
               (SELECT max(a.action_id) FROM risk_event_actions a
                 WHERE a.event_id = e.event_id AND a.action IN ('raised', 'reraised', 'unacknowledged')) AS begun
          FROM risk_events e
         WHERE e.resolution_time IS NULL AND NOT e.acknowledged AND e.severity IN ('critical', 'emergency')
    )
    INSERT INTO risk_event_actions (event_id, action, actor, note, step, at)
    SELECT w.event_id, 'escalated', session_user, step.whom, step.n, now_at
      FROM waiting w, (VALUES (1, interval '15 minutes', 'to the senior trader and the risk officers'),
                              (2, interval '30 minutes', 'to the head of risk')) AS step (n, after, whom)
     WHERE w.waits >= step.after
       AND NOT EXISTS (SELECT FROM risk_event_actions a
                        WHERE a.event_id = w.event_id AND a.action = 'escalated' AND a.step = step.n AND a.action_id > w.begun);
    GET DIAGNOSTICS escalated = ROW_COUNT;
    RETURN reraised + escalated;
END $$;

-- The key of a standing: tmt.limit_states.limit_key.
CREATE FUNCTION desk.limit_key(p_limit uuid, p_rule text, p_account uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(p_limit::text, p_rule) || ':' || coalesce(p_account::text, '') $$;

-- alpha, max exposure: 900.00 USD of 1,000.00 USD (warning).
CREATE FUNCTION desk.standing_text(m desk.limit_measurement, p_name text, p_state text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE p_state WHEN 'unknown' THEN (desk.limit_fault(m, false)).message
        ELSE format('%s%s: %s of %s (%s).', coalesce(p_name || ', ', ''), replace(m.limit_type, '_', ' '),
                    desk.measured_text(m.after, m.unit), desk.measured_text(m.allowed, m.unit), p_state) END
$$;
