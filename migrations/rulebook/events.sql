-- Risk events: acknowledging, raising, resolving.

-- Acknowledges risk events. If two people do so at once, one gets them; the other is told who.
--
-- Critical and emergency events need a note, and an emergency must be acknowledged on its own. Resolved events can be
-- acknowledged too; that does not reopen them.
CREATE FUNCTION desk.acknowledge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_events uuid[], p_note text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.answer;
    note      text := nullif(btrim(p_note), '');
    wanted    uuid[] := ARRAY(SELECT DISTINCT e FROM unnest(p_events) e WHERE e IS NOT NULL ORDER BY e);
    payload   jsonb := jsonb_build_object('events', to_jsonb(p_events), 'note', p_note);
    won       uuid[];
    held_back uuid[];
    taken     jsonb;
    detail    jsonb;
    now_at    timestamptz;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'acknowledge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.finish_request(p_key, 'acknowledge', desk.refused('NOT_PERMITTED', format('%s is not permitted to acknowledge risk events.', session_user)), payload);
    END IF;
    -- In one order: overlapping selections of two people must not deadlock.
    PERFORM FROM risk_events e WHERE e.event_id = ANY (wanted) ORDER BY e.event_id FOR NO KEY UPDATE;
    now_at := clock_timestamp();
    WITH mine AS (
        UPDATE risk_events e
           SET acknowledged = true, acknowledged_by = session_user, acknowledged_at = now_at
         WHERE e.event_id = ANY (wanted) AND NOT e.acknowledged
           AND (e.severity IN ('info', 'warning')
                OR (note IS NOT NULL AND (e.severity = 'critical' OR cardinality(wanted) = 1)))
        RETURNING e.event_id
    ), written AS (
        INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id, at)
        SELECT m.event_id, 'acknowledged', session_user, note, p_key, now_at FROM mine m
    )
    SELECT coalesce(array_agg(m.event_id ORDER BY m.event_id), '{}') INTO won FROM mine m;

    SELECT coalesce(array_agg(e.event_id ORDER BY e.event_id), '{}') INTO held_back
      FROM risk_events e WHERE e.event_id = ANY (wanted) AND NOT e.acknowledged;
    SELECT coalesce(jsonb_agg(jsonb_build_object('event_id', e.event_id, 'by', e.acknowledged_by, 'at', desk.timestamp_text(e.acknowledged_at))
                              ORDER BY e.event_id), '[]') INTO taken
      FROM risk_events e WHERE e.event_id = ANY (wanted) AND e.acknowledged AND NOT e.event_id = ANY (won);
    detail := jsonb_build_object('acknowledged', to_jsonb(won), 'taken', taken, 'needs_note', to_jsonb(held_back),
        'unknown', (SELECT coalesce(jsonb_agg(w), '[]') FROM unnest(wanted) w
                     WHERE NOT EXISTS (SELECT FROM risk_events e WHERE e.event_id = w)));

    answer := CASE
        WHEN cardinality(won) > 0 THEN desk.accepted(won[1],
            format('%s acknowledged', cardinality(won))
            || CASE WHEN taken <> '[]' THEN format(', %s already acknowledged by others', jsonb_array_length(taken)) ELSE '' END
            || CASE WHEN cardinality(held_back) > 0 THEN format(', %s need a separate note', cardinality(held_back)) ELSE '' END || '.',
            p_detail => detail)
        WHEN cardinality(held_back) > 0 THEN desk.refused('NOTE_REQUIRED',
            CASE WHEN note IS NULL THEN 'Critical and emergency events need a note.'
                 ELSE 'An emergency must be acknowledged on its own.' END, p_subject => held_back[1], p_detail => detail)
        WHEN taken <> '[]' THEN desk.refused('ALREADY_ACKNOWLEDGED',
            format('Acknowledged by %s at %s.', taken -> 0 ->> 'by', substr(taken -> 0 ->> 'at', 12, 8) || 'Z'),
            p_subject => (taken -> 0 ->> 'event_id')::uuid, p_detail => detail)
        ELSE desk.refused('EVENT_UNKNOWN', 'No such risk event.', p_detail => detail)
    END;
    RETURN desk.finish_request(p_key, 'acknowledge', answer, payload);
END $$;

-- Gives an acknowledged event back.
CREATE FUNCTION desk.unacknowledge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_event uuid, p_note text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.answer;
    note    text := nullif(btrim(p_note), '');
    payload jsonb := jsonb_build_object('event_id', p_event, 'note', p_note);
    event   risk_events%ROWTYPE;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'unacknowledge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO event FROM risk_events e WHERE e.event_id = p_event FOR NO KEY UPDATE;
    answer := CASE
        WHEN NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to change acknowledgements.', session_user))
        WHEN event.event_id IS NULL THEN desk.refused('EVENT_UNKNOWN', 'No such risk event.')
        WHEN NOT event.acknowledged THEN desk.refused('NOT_ACKNOWLEDGED', 'The event is not acknowledged.', p_subject => p_event)
        WHEN note IS NULL THEN desk.refused('NOTE_REQUIRED', 'A note is required to unacknowledge.', p_subject => p_event)
    END;
    IF answer.outcome IS NULL THEN
        UPDATE risk_events e SET acknowledged = false, acknowledged_by = NULL, acknowledged_at = NULL WHERE e.event_id = p_event;
        INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id)
        VALUES (p_event, 'unacknowledged', session_user, note, p_key);
        answer := desk.accepted(p_event, 'Event unacknowledged.');
    END IF;
    RETURN desk.finish_request(p_key, 'unacknowledge', answer, payload);
END $$;

-- Raises an event for another program. Keys of the limit monitor are reserved: it would resolve the event.
CREATE FUNCTION desk.raise_event(p_account uuid, p_type text, p_severity text, p_source text, p_measure text,
    p_current numeric, p_limit numeric, p_dedup text, p_trade uuid, p_position uuid, p_limit_id uuid, p_data jsonb)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF desk.is_monitor_key(p_dedup) THEN
        RAISE EXCEPTION 'key % is reserved for the limit monitor; use another key', p_dedup USING ERRCODE = '22023';
    END IF;
    RETURN desk.record_event(p_account, p_type, p_severity, p_source, p_measure, p_current, p_limit, p_dedup, p_trade, p_position, p_limit_id, p_data);
END $$;

-- Clears an event for the program that raised it. Events of the limit monitor and of the rulebook are not cleared this way.
CREATE FUNCTION desk.clear_event(p_dedup text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    event risk_events%ROWTYPE;
BEGIN
    SELECT * INTO event FROM risk_events e WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF desk.is_monitor_key(event.dedup_key) OR event.event_source = 'desk'
          OR (event.event_source IS DISTINCT FROM session_user
              AND NOT EXISTS (SELECT FROM risk_event_actions a
                               WHERE a.event_id = event.event_id AND a.action = 'raised' AND a.actor = session_user)) THEN
        RAISE EXCEPTION '% did not raise event %: only its source may clear it', session_user, p_dedup USING ERRCODE = '42501';
    END IF;
    RETURN desk.resolve_event(p_dedup);
END $$;

-- Raises a risk event, or counts a repeat of the open one with the same key.
--
-- An acknowledged event is reraised when it gets worse: a higher severity, or a value another tenth of the limit beyond
-- the acknowledged one. A higher severity is recorded as reraised in any case: escalation counts from there.
CREATE FUNCTION desk.record_event(p_account uuid, p_type text, p_severity text, p_source text, p_measure text,
    p_current numeric, p_limit numeric, p_dedup text, p_trade uuid, p_position uuid, p_limit_id uuid, p_data jsonb)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    event       risk_events%ROWTYPE;
    before      risk_events%ROWTYPE;
    more_severe boolean;
    worse       boolean;
    now_at      timestamptz := clock_timestamp();
BEGIN
    IF desk.severity_rank(p_severity) IS NULL THEN
        RAISE EXCEPTION 'severity % is not one of info, warning, critical, emergency', p_severity USING ERRCODE = '22023';
    END IF;
    -- Retries if the open event is resolved between the INSERT and the SELECT.
    FOR attempt IN 1 .. 3 LOOP
        INSERT INTO risk_events (account_id, event_type, severity, event_source, risk_measure, current_value, limit_value,
            threshold_breached, related_trade_id, related_position_id, related_limit_id, event_data, dedup_key,
            occurred_at, last_occurred_at)
        VALUES (p_account, left(p_type, 50), p_severity, left(p_source, 50), left(p_measure, 50),
            desk.storable(p_current), desk.storable(p_limit),
            CASE WHEN p_limit IS NULL THEN NULL WHEN p_severity = 'warning' THEN 'warning' ELSE 'limit' END,
            p_trade, p_position, p_limit_id, coalesce(p_data, '{}'), left(p_dedup, 200), now_at, now_at)
        ON CONFLICT (dedup_key) WHERE dedup_key IS NOT NULL AND resolution_time IS NULL DO NOTHING
        RETURNING * INTO event;
        IF FOUND THEN
            INSERT INTO risk_event_actions (event_id, action, actor, at)
            VALUES (event.event_id, 'raised', session_user, now_at);
            RETURN event.event_id;
        END IF;
        SELECT * INTO before FROM risk_events e
         WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    IF before.event_id IS NULL THEN
        RAISE EXCEPTION 'event % is being raised and resolved concurrently', p_dedup USING ERRCODE = '40001';
    END IF;

    more_severe := desk.severity_rank(p_severity) > desk.severity_rank(before.severity);
    worse := more_severe
        OR (p_current IS NOT NULL AND before.limit_value <> 0
            AND abs(p_current - before.limit_value) >= abs(coalesce(before.current_value, before.limit_value) - before.limit_value)
                                                       + abs(before.limit_value) / 10);
    UPDATE risk_events e
       SET occurrence_count = e.occurrence_count + 1,
           last_occurred_at = now_at,
           severity = CASE WHEN more_severe THEN p_severity ELSE e.severity END,
           -- While acknowledged, the acknowledged value is the one to compare with.
           current_value = CASE WHEN e.acknowledged AND NOT worse THEN e.current_value
                                ELSE coalesce(desk.storable(p_current), e.current_value) END,
           limit_value = coalesce(desk.storable(p_limit), e.limit_value),
           related_limit_id = coalesce(p_limit_id, e.related_limit_id),
           event_data = e.event_data || coalesce(p_data, '{}'),
           acknowledged = e.acknowledged AND NOT worse
     WHERE e.event_id = before.event_id;
    IF more_severe OR (before.acknowledged AND worse) THEN
        INSERT INTO risk_event_actions (event_id, action, actor, note, at)
        VALUES (before.event_id, 'reraised', session_user,
            CASE WHEN before.acknowledged THEN 'worsened since acknowledged'
                 ELSE format('%s, was %s', p_severity, before.severity) END, now_at);
    END IF;
    RETURN before.event_id;
END $$;

-- Resolves the open event with a key; returns its id, or NULL if none is open. An unacknowledged event stays
-- unacknowledged.
CREATE FUNCTION desk.resolve_event(p_dedup text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    event  uuid;
    now_at timestamptz := clock_timestamp();
BEGIN
    UPDATE risk_events e
       SET auto_resolved = true, resolution_time = now_at
     WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL
    RETURNING e.event_id INTO event;
    IF FOUND THEN
        INSERT INTO risk_event_actions (event_id, action, actor, at)
        VALUES (event, 'auto_resolved', session_user, now_at);
    END IF;
    RETURN event;
END $$;

CREATE FUNCTION desk.severity_rank(p_severity text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(ARRAY['info', 'warning', 'critical', 'emergency'], p_severity)
$$;

-- Keys of events that only the limit monitor raises and resolves.
CREATE FUNCTION desk.is_monitor_key(p_dedup text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(starts_with(p_dedup, 'limit:') OR starts_with(p_dedup, 'loss:'), false) $$;

-- A refused order raises an info event; the third one of a kind in five minutes makes it a warning.
CREATE FUNCTION desk.raise_refusal_event(p_account uuid, p_check desk.check_result, p_order text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    key text := format('refused:%s:%s:%s', p_account, p_check.code, coalesce(p_check.limit_id::text, ''));
    recent jsonb;
BEGIN
    SELECT coalesce(jsonb_agg(r.at ORDER BY r.at), '[]') INTO recent
      FROM (SELECT r.at FROM risk_events e, jsonb_array_elements(e.event_data -> 'recent') AS r (at)
             WHERE e.dedup_key = key AND e.resolution_time IS NULL
               AND r.at::text::numeric > extract(epoch FROM clock_timestamp()) - 300
             ORDER BY r.at DESC LIMIT 9) AS r;
    recent := recent || to_jsonb(round(extract(epoch FROM clock_timestamp()), 3));
    PERFORM desk.raise_event(p_account, 'order_refused', CASE WHEN jsonb_array_length(recent) >= 3 THEN 'warning' ELSE 'info' END,
        'desk', lower(p_check.code), p_check.measured, p_check.allowed, key, NULL, NULL, p_check.limit_id,
        jsonb_build_object('message', p_check.message, 'order', p_order, 'unit', p_check.unit, 'actor', session_user, 'recent', recent));
END $$;
