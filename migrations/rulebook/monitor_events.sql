-- Gives an open event about a loss the figures of the rule that is used up most, where those that it has
-- are of a rule that is gone or less used up by now. Makes no noise. Returns whether there is, or was,
-- something to do.
CREATE FUNCTION desk.refresh_loss_events(p_account uuid, p_name text, p_measures desk.limit_measurement[], p_held boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    led   record;
    m     desk.limit_measurement;
    why   text;
    other boolean := false;
BEGIN
    FOR led IN
        SELECT DISTINCT ON (e.event_id) e.event_id, e.related_limit_id, e.limit_value, s.state, l AS rule
          FROM risk_events e
          JOIN tmt.limit_states s ON s.event_key = e.dedup_key AND s.state IN ('breach', 'warning')
          JOIN unnest(p_measures) l ON s.account_id = p_account AND s.rule = l.limit_type AND s.limit_id IS NOT DISTINCT FROM l.limit_id
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account AND s.event_key <> 'limit:' || s.limit_key
         ORDER BY e.event_id, s.state = 'breach' DESC, l.after / nullif(l.allowed, 0) DESC NULLS LAST, l.limit_id NULLS LAST
    LOOP
        m := led.rule;
        -- A limit that is a share of something moves a little all the time.
        CONTINUE WHEN led.related_limit_id IS NOT DISTINCT FROM m.limit_id
                      AND coalesce(abs(led.limit_value - m.allowed) <= abs(m.allowed) / 100, true);
        other := true;
        CONTINUE WHEN NOT p_held;
        why := desk.standing_text(m, p_name, led.state);
        UPDATE risk_events e
           SET related_limit_id = m.limit_id, limit_value = desk.storable(m.allowed), current_value = desk.storable(m.after),
               event_data = e.event_data || jsonb_build_object('message', why, 'unit', m.unit, 'state', led.state)
         WHERE e.event_id = led.event_id;
        INSERT INTO risk_event_actions (event_id, action, actor, note) VALUES (led.event_id, 'note', session_user, why);
    END LOOP;
    RETURN other;
END $$;

-- Ends the events of the watch that nothing rings any more: a limit that has been well for a minute, that
-- is not in force any more, or that can be judged again. Says how many.
--
-- A drawdown stays until somebody ended it: acknowledged, and the halt that it set resumed.
CREATE FUNCTION desk.resolve_monitor_events() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    over  record;
    ended integer := 0;
    quiet timestamptz := clock_timestamp() - interval '60 seconds';
BEGIN
    -- States before events, as everybody.
    UPDATE tmt.limit_states s SET raised_value = NULL, event_key = NULL
      FROM (SELECT f.limit_key FROM tmt.limit_states f WHERE f.raised_value IS NOT NULL AND f.state = 'ok' AND f.since < quiet
               FOR NO KEY UPDATE SKIP LOCKED) well
     WHERE s.limit_key = well.limit_key;
    FOR over IN
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
        PERFORM desk.resolve_event(over.dedup_key);
        ended := ended + 1;
    END LOOP;
    RETURN ended;
END $$;

-- Brings back what was acknowledged and goes on: an acknowledgement is good for 10 minutes of an emergency,
-- for half an hour of a breach, for four hours of a warning. And writes down to whom an event was passed on
-- that nobody took: after a quarter of an hour, and after half an hour. Says how many.
CREATE FUNCTION desk.escalate_events() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    now_at  timestamptz := clock_timestamp();
    chased  integer;
    told    integer;
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
    SELECT b.event_id, 'reraised', session_user, 'acknowledged, and not over', now_at FROM back b;
    GET DIAGNOSTICS chased = ROW_COUNT;

    -- Since nobody owned it: raised, or given back.
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
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN chased + told;
END $$;

-- What a limit rings. The loss of one account is one thing, whichever rules it reaches. What cannot be
-- judged is said limit by limit: somebody has to mend just that one.
CREATE FUNCTION desk.event_key(m desk.limit_measurement, p_state text, p_watched text, p_account uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN m.is_loss AND p_account IS NOT NULL AND p_state <> 'unknown' THEN 'loss:' || m.limit_type || ':' || p_account
                ELSE 'limit:' || p_watched END
$$;

-- Under what a limit's standing is kept: as the column limit_key of tmt.limit_states.
CREATE FUNCTION desk.limit_key(p_limit uuid, p_rule text, p_account uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(p_limit::text, p_rule) || ':' || coalesce(p_account::text, '') $$;

-- How a limit stands, in a sentence.
CREATE FUNCTION desk.standing_text(m desk.limit_measurement, p_name text, p_state text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE p_state WHEN 'unknown' THEN (desk.limit_fault(m, false)).message
        ELSE format('%s%s: %s of %s (%s).', coalesce(p_name || ', ', ''), replace(m.limit_type, '_', ' '),
                    desk.measured_text(m.after, m.unit), desk.measured_text(m.allowed, m.unit), p_state) END
$$;
