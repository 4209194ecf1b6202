-- Two verbs of risk officers once more: what loosens a limit, and what ends a risk halt.
SET LOCAL ROLE tmt_owner;

-- Proposes another value for a limit. Tightening takes effect at once. Loosening needs a reason and a
-- second person; until then the old value stands.
--
-- Of a minimum the smaller value is the looser one; so it is of the time in which an order counts as a
-- repeat of another.
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
    kind     desk.limit_types%ROWTYPE;
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
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = old.limit_type;
    minimum := coalesce(kind.is_minimum, false) OR old.limit_type = 'duplicate_window';
    value := coalesce(value, old.limit_value);
    warning := coalesce(round(desk.finite(p_warning), 4), CASE WHEN old.warning_threshold <= value THEN old.warning_threshold END);
    ends := coalesce(p_until, old.effective_until);
    answer := CASE
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) IN ('ended', 'inactive', 'pending') THEN
            desk.refused('LIMIT_CHANGED', format('The limit was changed since you saw it: it is %s %s now.', desk.plain(old.limit_value), old.limit_unit),
                value, old.limit_value, old.limit_unit, p_limit, jsonb_build_object('version', desk.stamp(old.updated_at), 'state', desk.limit_state(old)))
        WHEN value <= 0 OR value >= 100000000000 OR (p_value IS NOT NULL AND desk.finite(p_value) IS NULL) THEN
            desk.refused('LIMIT_VALUE_INVALID', 'A limit is more than zero. To stop trading altogether, halt it.', value, NULL, old.limit_unit, p_limit)
        WHEN p_warning IS NOT NULL AND kind.is_minimum THEN
            desk.refused('WARNING_INVALID', 'A minimum warns at 125 % of it, and needs no warning of its own.', p_warning, value,
                old.limit_unit, p_limit)
        WHEN warning > value OR warning <= 0 OR (p_warning IS NOT NULL AND desk.finite(p_warning) IS NULL) THEN
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

-- Clears a halt, with a reason. The last halt of an account ends its risk halt too, unless it owes money.
-- The risk event is resolved with it; whoever has not acknowledged it still finds it in the list.
CREATE OR REPLACE FUNCTION desk.resume(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_halt uuid, p_reason text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    why     text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('halt_id', p_halt, 'reason', p_reason);
    halt    trading_halts%ROWTYPE;
    account accounts%ROWTYPE;
    words   text := 'Trading is resumed';
    event   uuid;
    now_at  timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'resume');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- The account first, as everybody does who halts it.
    SELECT a.* INTO account FROM accounts a
     WHERE a.account_id = (SELECT h.account_id FROM trading_halts h WHERE h.halt_id = p_halt) FOR NO KEY UPDATE;
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
        IF account.status = 'risk_halt' THEN
            words := CASE
                WHEN EXISTS (SELECT FROM trading_halts h WHERE h.account_id = account.account_id AND h.cleared_at IS NULL) THEN
                    format('The halt is cleared. %s stays in risk halt: another halt is in force', account.account_name)
                WHEN account.current_balance < 0 THEN
                    format('The halt is cleared. %s stays in risk halt: its balance is below zero', account.account_name)
                ELSE format('Trading is resumed: %s is active again', account.account_name) END;
            UPDATE accounts a SET status = 'active'
             WHERE a.account_id = account.account_id AND a.current_balance >= 0
               AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = a.account_id AND h.cleared_at IS NULL);
        END IF;
        UPDATE risk_events e SET resolution_time = now_at, action_taken = 'resumed'
         WHERE e.dedup_key = 'halt:' || p_halt AND e.resolution_time IS NULL RETURNING e.event_id INTO event;
        IF event IS NOT NULL THEN
            INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id) VALUES (event, 'resolved', session_user, why, p_key);
        END IF;
        answer := desk.accepted(p_halt, words || '.', NULL,
            jsonb_build_object('scope', halt.scope, 'identifier', halt.scope_identifier, 'mode', halt.mode));
    END IF;
    RETURN desk.settle(p_key, 'resume', answer, payload);
END $$;
