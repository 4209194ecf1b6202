-- What risk officers do: acknowledge, change limits under four eyes, halt and resume.
SET LOCAL ROLE tmt_owner;

-- ---- acknowledging ----------------------------------------------------------------------------

-- Takes ownership of risk events. Of two people at once one wins; the other learns who.
--
-- Critical and emergency need a note. An emergency is acknowledged by itself, never in passing among
-- others. Resolved events can still be acknowledged; that does not reopen them.
CREATE OR REPLACE FUNCTION desk.acknowledge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_events uuid[], p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    note    text := nullif(btrim(p_note), '');
    wanted  uuid[] := ARRAY(SELECT DISTINCT e FROM unnest(p_events) e WHERE e IS NOT NULL ORDER BY e);
    payload jsonb := jsonb_build_object('events', to_jsonb(p_events), 'note', p_note);
    won     uuid[];
    held_back uuid[];
    taken   jsonb;
    detail  jsonb;
    now_at  timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'acknowledge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.settle(p_key, 'acknowledge', desk.refused('NOT_PERMITTED', format('%s may not acknowledge risk events.', session_user)), payload);
    END IF;
    -- In one order, or two people with overlapping selections would wait for each other.
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
    SELECT coalesce(jsonb_agg(jsonb_build_object('event_id', e.event_id, 'by', e.acknowledged_by, 'at', desk.stamp(e.acknowledged_at))
                              ORDER BY e.event_id), '[]') INTO taken
      FROM risk_events e WHERE e.event_id = ANY (wanted) AND e.acknowledged AND NOT e.event_id = ANY (won);
    detail := jsonb_build_object('acknowledged', to_jsonb(won), 'taken', taken, 'needs_note', to_jsonb(held_back),
        'unknown', (SELECT coalesce(jsonb_agg(w), '[]') FROM unnest(wanted) w
                     WHERE NOT EXISTS (SELECT FROM risk_events e WHERE e.event_id = w)));

    answer := CASE
        WHEN cardinality(won) > 0 THEN desk.accepted(won[1],
            format('%s acknowledged', cardinality(won))
            || CASE WHEN taken <> '[]' THEN format(', %s already taken', jsonb_array_length(taken)) ELSE '' END
            || CASE WHEN cardinality(held_back) > 0 THEN format(', %s need a note of their own', cardinality(held_back)) ELSE '' END || '.',
            p_detail => detail)
        WHEN cardinality(held_back) > 0 THEN desk.refused('NOTE_REQUIRED',
            CASE WHEN note IS NULL THEN 'A critical event or an emergency is acknowledged with a note.'
                 ELSE 'An emergency is acknowledged by itself, not among others.' END, p_subject => held_back[1], p_detail => detail)
        WHEN taken <> '[]' THEN desk.refused('ALREADY_ACKNOWLEDGED',
            format('%s has it since %s.', taken -> 0 ->> 'by', substr(taken -> 0 ->> 'at', 12, 8) || 'Z'),
            p_subject => (taken -> 0 ->> 'event_id')::uuid, p_detail => detail)
        ELSE desk.refused('EVENT_UNKNOWN', 'There is no such risk event.', p_detail => detail)
    END;
    RETURN desk.settle(p_key, 'acknowledge', answer, payload);
END $$;

-- Gives an acknowledged event back to everybody, with a note.
CREATE OR REPLACE FUNCTION desk.unacknowledge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_event uuid, p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    note    text := nullif(btrim(p_note), '');
    payload jsonb := jsonb_build_object('event_id', p_event, 'note', p_note);
    event   risk_events%ROWTYPE;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'unacknowledge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO event FROM risk_events e WHERE e.event_id = p_event FOR NO KEY UPDATE;
    answer := CASE
        WHEN NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s may not change acknowledgements.', session_user))
        WHEN event.event_id IS NULL THEN desk.refused('EVENT_UNKNOWN', 'There is no such risk event.')
        WHEN NOT event.acknowledged THEN desk.refused('NOT_ACKNOWLEDGED', 'Nobody has acknowledged this event.', p_subject => p_event)
        WHEN note IS NULL THEN desk.refused('NOTE_REQUIRED', 'Say why it is given back.', p_subject => p_event)
    END;
    IF answer.outcome IS NULL THEN
        UPDATE risk_events e SET acknowledged = false, acknowledged_by = NULL, acknowledged_at = NULL WHERE e.event_id = p_event;
        INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id)
        VALUES (p_event, 'unacknowledged', session_user, note, p_key);
        answer := desk.accepted(p_event, 'The event is open again.');
    END IF;
    RETURN desk.settle(p_key, 'unacknowledge', answer, payload);
END $$;

-- ---- limits -----------------------------------------------------------------------------------

-- Where a limit stands: active, scheduled (its time has not come), pending (waits for a second person),
-- ended (its time is over, rejected, replaced) or inactive.
CREATE OR REPLACE FUNCTION desk.limit_state(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN l.effective_until <= now() THEN 'ended'
        WHEN l.is_active AND l.effective_from > now() THEN 'scheduled'
        WHEN l.is_active THEN 'active'
        -- Void when its day is over, or when something else took the place it was meant for.
        WHEN l.approved_by IS NULL AND l.created_at > now() - interval '24 hours'
             AND EXISTS (SELECT FROM risk_limits b WHERE b.limit_id = l.supersedes_limit_id AND b.is_active) THEN 'pending'
        ELSE 'inactive'
    END
$$;

-- Locks what a limit governs, so that no order is being judged while it changes.
CREATE OR REPLACE FUNCTION desk.lock_limit(l risk_limits) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF l.account_id IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('tmt:risk', 0));
        IF l.limit_scope = 'account' THEN
            PERFORM FROM accounts a ORDER BY a.account_id FOR NO KEY UPDATE;
        END IF;
    ELSE
        PERFORM FROM accounts a WHERE a.account_id = l.account_id FOR NO KEY UPDATE;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION desk.limit_words(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('%s of %s', l.limit_type, coalesce((SELECT a.account_name FROM accounts a WHERE a.account_id = l.account_id),
                                                     l.scope_identifier, l.limit_scope))
$$;

-- Puts a successor in the place of a limit from now on. If the successor has an end, the old value
-- comes back there by itself: when a temporary limit runs out, no gap may open.
CREATE OR REPLACE FUNCTION desk.supersede_limit(p_old risk_limits, p_new uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor risk_limits%ROWTYPE;
BEGIN
    UPDATE risk_limits l SET is_active = true, effective_from = p_at WHERE l.limit_id = p_new RETURNING * INTO successor;
    UPDATE risk_limits l SET is_active = false, effective_until = greatest(p_at, l.effective_from + interval '1 microsecond')
     WHERE l.limit_id = p_old.limit_id;
    IF successor.effective_until IS NOT NULL
       AND (p_old.effective_until IS NULL OR p_old.effective_until > successor.effective_until) THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, approved_by, approved_at, effective_from, effective_until,
            supersedes_limit_id, change_reason)
        VALUES (p_old.account_id, p_old.limit_type, p_old.limit_scope, p_old.scope_identifier, p_old.limit_value, p_old.limit_unit,
            p_old.warning_threshold, p_old.time_window, true, p_old.description, p_old.created_by, p_old.approved_by, p_old.approved_at,
            successor.effective_until, p_old.effective_until, successor.limit_id, 'returns when the temporary limit ends');
    END IF;
END $$;

-- Proposes another value for a limit. Tightening takes effect at once. Loosening needs a reason and a
-- second person; until then the old value stands.
--
-- p_warning NULL keeps the warning where that is possible; p_until NULL keeps the end of the old limit.
CREATE OR REPLACE FUNCTION desk.propose_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid,
    p_base_version timestamptz, p_value numeric, p_warning numeric, p_until timestamptz, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    reason   text := nullif(btrim(p_reason), '');
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'base_version', desk.stamp(p_base_version), 'value', p_value::text,
        'warning', p_warning::text, 'until', desk.stamp(p_until), 'reason', p_reason);
    old      risk_limits%ROWTYPE;
    minimum  boolean;
    value    numeric := round(desk.finite(p_value), 4);
    warning  numeric;
    ends     timestamptz;
    looser   boolean;
    at_once  boolean;
    now_at   timestamptz;
    new_id   uuid;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'propose_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('NOT_PERMITTED', format('%s may not change limits.', session_user)), payload);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit;
    IF NOT FOUND THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('LIMIT_UNKNOWN', 'There is no such limit.'), payload);
    END IF;
    PERFORM desk.lock_limit(old);
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    now_at := clock_timestamp();
    value := coalesce(value, old.limit_value);
    warning := coalesce(round(desk.finite(p_warning), 4), CASE WHEN old.warning_threshold <= value THEN old.warning_threshold END);
    ends := coalesce(p_until, old.effective_until);
    answer := CASE
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) IN ('ended', 'inactive', 'pending') THEN
            desk.refused('LIMIT_CHANGED', format('The limit was changed since you saw it: it is %s %s now.', desk.plain(old.limit_value), old.limit_unit),
                value, old.limit_value, old.limit_unit, p_limit, jsonb_build_object('version', desk.stamp(old.updated_at), 'state', desk.limit_state(old)))
        WHEN value <= 0 OR value >= 100000000000 THEN
            desk.refused('LIMIT_VALUE_INVALID', 'A limit is more than zero. To stop trading altogether, halt it.', value, NULL, old.limit_unit, p_limit)
        WHEN warning > value OR warning <= 0 THEN
            desk.refused('WARNING_INVALID', 'The warning lies between zero and the limit.', warning, value, old.limit_unit, p_limit)
        WHEN p_until <= now_at THEN
            desk.refused('LIMIT_UNTIL_PAST', 'The end of the limit has passed already.', p_subject => p_limit)
        WHEN value = old.limit_value AND warning IS NOT DISTINCT FROM old.warning_threshold
             AND (ends IS NOT DISTINCT FROM old.effective_until OR old.effective_until IS NULL OR ends < old.effective_until) THEN
            desk.refused('NOTHING_TO_CHANGE', 'The limit is like this already.', value, old.limit_value, old.limit_unit, p_limit)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.settle(p_key, 'propose_limit', answer, payload);
    END IF;

    minimum := coalesce((SELECT k.is_minimum FROM desk.limit_types k WHERE k.limit_type = old.limit_type), false);
    looser := CASE WHEN minimum THEN value < old.limit_value ELSE value > old.limit_value END
        OR coalesce(ends > old.effective_until, false)
        -- With the value as it was, being warned later is the loosening.
        OR (value = old.limit_value AND coalesce(warning, value * 0.8) > coalesce(old.warning_threshold, old.limit_value * 0.8));
    IF looser AND reason IS NULL THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('REASON_REQUIRED', 'Loosening a limit needs a reason.', value,
            old.limit_value, old.limit_unit, p_limit), payload);
    END IF;
    at_once := NOT looser OR desk.setting('four_eyes') = 'off';

    INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
        time_window, is_active, description, created_by, effective_from, effective_until, supersedes_limit_id, change_reason)
    VALUES (old.account_id, old.limit_type, old.limit_scope, old.scope_identifier, value, old.limit_unit, warning, old.time_window,
        false, old.description, session_user, now_at, ends, old.limit_id, reason)
    RETURNING limit_id INTO new_id;
    IF at_once THEN
        PERFORM desk.supersede_limit(old, new_id, now_at);
    END IF;
    PERFORM desk.raise_event(old.account_id, 'limit_changed', CASE WHEN looser THEN 'warning' ELSE 'info' END, 'desk', old.limit_type,
        value, old.limit_value, 'limit_changed:' || new_id, NULL, NULL, new_id,
        jsonb_build_object('message', format('%s: %s -> %s %s %s', desk.limit_words(old), desk.plain(old.limit_value), desk.plain(value),
            old.limit_unit, CASE WHEN at_once THEN 'at once' ELSE 'proposed' END), 'actor', session_user, 'reason', reason));
    answer := desk.accepted(new_id,
        format('%s: %s -> %s %s %s', desk.limit_words(old), desk.plain(old.limit_value), desk.plain(value), old.limit_unit,
            CASE WHEN at_once THEN 'from now on.' ELSE 'waits for a second person.' END),
        CASE WHEN NOT looser THEN 'TIGHTENED' WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END,
        jsonb_build_object('old', desk.plain(old.limit_value), 'new', desk.plain(value), 'unit', old.limit_unit, 'supersedes', old.limit_id));
    RETURN desk.settle(p_key, 'propose_limit', answer, payload);
END $$;

-- The checks that approving and rejecting share; an outcome of NULL means: go on.
CREATE OR REPLACE FUNCTION desk.judge_proposal(p_new risk_limits, p_old risk_limits) RETURNS desk.verdict
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s may not decide on limits.', session_user))
        WHEN p_new.limit_id IS NULL THEN desk.refused('LIMIT_UNKNOWN', 'There is no such limit.')
        WHEN p_new.is_active OR p_new.approved_by IS NOT NULL OR p_new.supersedes_limit_id IS NULL THEN
            desk.refused('NOT_PENDING', 'This limit does not wait for anybody.', p_subject => p_new.limit_id)
        WHEN p_new.created_at <= now() - interval '24 hours' OR p_new.effective_until <= now() THEN
            desk.refused('PROPOSAL_EXPIRED', 'The proposal was rejected or has expired.', p_subject => p_new.limit_id)
        WHEN NOT p_old.is_active OR p_old.effective_until <= now() THEN
            desk.refused('LIMIT_CHANGED', 'The limit it would replace was replaced by something else.', p_subject => p_new.limit_id)
    END
$$;

-- Approves a loosening: another person than the one who proposed it.
CREATE OR REPLACE FUNCTION desk.approve_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed risk_limits%ROWTYPE;
    old      risk_limits%ROWTYPE;
    now_at   timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'approve_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit;
    IF FOUND THEN
        PERFORM desk.lock_limit(proposed);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = proposed.supersedes_limit_id FOR NO KEY UPDATE;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    answer := desk.judge_proposal(proposed, old);
    IF answer.outcome IS NULL AND lower(btrim(proposed.created_by)) = lower(btrim(session_user::text)) THEN
        answer := desk.refused('FOUR_EYES_SAME_PERSON', 'You proposed this yourself: somebody else has to approve it.', p_subject => p_limit);
    END IF;
    IF answer.outcome IS NULL THEN
        now_at := clock_timestamp();
        UPDATE risk_limits l SET approved_by = session_user, approved_at = now_at WHERE l.limit_id = p_limit;
        PERFORM desk.supersede_limit(old, p_limit, now_at);
        PERFORM desk.raise_event(old.account_id, 'limit_changed', 'warning', 'desk', old.limit_type, proposed.limit_value, old.limit_value,
            'limit_changed:' || p_limit, NULL, NULL, p_limit,
            jsonb_build_object('message', format('%s: %s -> %s %s approved', desk.limit_words(old), desk.plain(old.limit_value),
                desk.plain(proposed.limit_value), old.limit_unit), 'approved_by', session_user, 'note', p_note));
        answer := desk.accepted(p_limit, format('%s: %s -> %s %s from now on.', desk.limit_words(old), desk.plain(old.limit_value),
                desk.plain(proposed.limit_value), old.limit_unit), NULL,
            jsonb_build_object('old', desk.plain(old.limit_value), 'new', desk.plain(proposed.limit_value), 'unit', old.limit_unit,
                'proposed_by', proposed.created_by, 'supersedes', old.limit_id));
    END IF;
    RETURN desk.settle(p_key, 'approve_limit', answer, payload);
END $$;

-- Turns a proposal down, or takes one's own back. The note stays with it.
CREATE OR REPLACE FUNCTION desk.reject_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    note     text := nullif(btrim(p_note), '');
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed risk_limits%ROWTYPE;
    old      risk_limits%ROWTYPE;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'reject_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = proposed.supersedes_limit_id;
    answer := desk.judge_proposal(proposed, old);
    IF answer.outcome IS NULL AND note IS NULL THEN
        answer := desk.refused('NOTE_REQUIRED', 'Say why it is rejected.', p_subject => p_limit);
    END IF;
    IF answer.outcome IS NULL THEN
        UPDATE risk_limits l
           SET effective_until = greatest(clock_timestamp(), l.effective_from + interval '1 microsecond'),
               change_reason = concat_ws(' | ', l.change_reason, format('rejected by %s: %s', session_user, note))
         WHERE l.limit_id = p_limit;
        answer := desk.accepted(p_limit, format('Rejected: %s stays at %s %s.', desk.limit_words(old), desk.plain(old.limit_value), old.limit_unit));
    END IF;
    RETURN desk.settle(p_key, 'reject_limit', answer, payload);
END $$;

-- ---- halts ------------------------------------------------------------------------------------

-- Stops new risk for an account, an instrument, a portfolio or everything. Halts are rows: they survive
-- every restart, until a risk officer clears them. Closing stays possible under all of them.
--
-- A trader may stop an account; the wider scopes are a risk officer's.
CREATE OR REPLACE FUNCTION desk.halt(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_scope text, p_identifier text,
    p_mode text, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    scope   text := lower(btrim(p_scope));
    mode    text := lower(btrim(p_mode));
    reason  text := coalesce(nullif(btrim(p_reason), ''), 'no reason given');
    payload jsonb := jsonb_build_object('scope', p_scope, 'identifier', p_identifier, 'mode', p_mode, 'reason', p_reason);
    target  text;
    account accounts%ROWTYPE;
    words   text;
    twin    trading_halts%ROWTYPE;
    new_id  uuid;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'halt');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF scope = 'account' THEN
        -- The lock that orders wait for: whoever is being judged now is done before the halt stands.
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id::text = lower(btrim(p_identifier)) RETURNING * INTO account;
        target := account.account_id::text;
        words := account.account_name;
    ELSE
        PERFORM pg_advisory_xact_lock(hashtextextended('tmt:halt', 0));
        target := CASE scope
            WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
            WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
                SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier))) END;
        words := coalesce(target, 'all trading');
    END IF;
    SELECT * INTO twin FROM trading_halts h
     WHERE h.cleared_at IS NULL AND h.scope = lower(btrim(p_scope)) AND h.mode = lower(btrim(p_mode))
       AND h.scope_identifier IS NOT DISTINCT FROM target;
    answer := CASE
        WHEN NOT (desk.may('tmt_risk_officer', 'tmt_admin', 'tmt_agent') OR (scope = 'account' AND desk.may('tmt_trader'))) THEN
            desk.refused('NOT_PERMITTED', format('%s may not halt this.', session_user))
        WHEN scope NOT IN ('account', 'instrument', 'portfolio', 'system') OR scope IS NULL THEN
            desk.refused('HALT_SCOPE_INVALID', 'A halt is for an account, an instrument, a portfolio or the system.')
        WHEN mode NOT IN ('reduce_only', 'no_new_orders') OR mode IS NULL THEN
            desk.refused('HALT_MODE_INVALID', 'A halt is reduce_only or no_new_orders.')
        WHEN scope <> 'system' AND target IS NULL THEN
            desk.refused('HALT_TARGET_UNKNOWN', format('There is no %s %s.', scope, coalesce(p_identifier, 'without a name')))
        WHEN twin.halt_id IS NOT NULL THEN
            desk.refused('ALREADY_HALTED', format('%s halted it at %s: %s', twin.set_by, to_char(twin.set_at, 'HH24:MI:SS"Z"'), twin.reason),
                p_subject => twin.halt_id)
    END;
    IF answer.outcome IS NULL THEN
        INSERT INTO trading_halts (scope, account_id, scope_identifier, mode, reason, set_by, set_at)
        VALUES (scope, account.account_id, target, mode, reason, session_user, clock_timestamp())
        RETURNING halt_id INTO new_id;
        PERFORM desk.raise_event(account.account_id, 'trading_halt', CASE scope WHEN 'system' THEN 'emergency' ELSE 'critical' END,
            'desk', 'halt', NULL, NULL, 'halt:' || new_id, NULL, NULL, NULL,
            jsonb_build_object('message', format('%s halted (%s): %s', words, mode, reason), 'halt_id', new_id, 'actor', session_user));
        answer := desk.accepted(new_id, format('Halted: %s, %s. Closing stays possible.', words, replace(mode, '_', ' ')), NULL,
            jsonb_build_object('scope', scope, 'identifier', target, 'mode', mode));
    END IF;
    RETURN desk.settle(p_key, 'halt', answer, payload);
END $$;

-- Clears a halt, with a reason. Its risk event is resolved with it; whoever has not acknowledged it still
-- finds it in the list.
CREATE OR REPLACE FUNCTION desk.resume(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_halt uuid, p_reason text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    why     text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('halt_id', p_halt, 'reason', p_reason);
    halt    trading_halts%ROWTYPE;
    event   uuid;
    now_at  timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'resume');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO halt FROM trading_halts h WHERE h.halt_id = p_halt FOR UPDATE;
    answer := CASE
        WHEN NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s may not clear halts.', session_user))
        WHEN halt.halt_id IS NULL THEN desk.refused('HALT_UNKNOWN', 'There is no such halt.')
        WHEN halt.cleared_at IS NOT NULL THEN
            desk.refused('ALREADY_RESUMED', format('%s cleared it at %s.', halt.cleared_by, to_char(halt.cleared_at, 'HH24:MI:SS"Z"')), p_subject => p_halt)
        WHEN why IS NULL THEN desk.refused('REASON_REQUIRED', 'Clearing a halt needs a reason.', p_subject => p_halt)
    END;
    IF answer.outcome IS NULL THEN
        now_at := clock_timestamp();
        UPDATE trading_halts h SET cleared_by = session_user, cleared_at = now_at, clear_reason = why WHERE h.halt_id = p_halt;
        UPDATE risk_events e SET resolution_time = now_at, action_taken = 'resumed'
         WHERE e.dedup_key = 'halt:' || p_halt AND e.resolution_time IS NULL RETURNING e.event_id INTO event;
        IF event IS NOT NULL THEN
            INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id) VALUES (event, 'resolved', session_user, why, p_key);
        END IF;
        answer := desk.accepted(p_halt, 'Trading is resumed.', NULL,
            jsonb_build_object('scope', halt.scope, 'identifier', halt.scope_identifier, 'mode', halt.mode));
    END IF;
    RETURN desk.settle(p_key, 'resume', answer, payload);
END $$;
