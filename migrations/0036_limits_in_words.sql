-- A limit in the words of a verdict reads as it does everywhere else: with commas, and its unit once.
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
    words    text;
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
            desk.refused('LIMIT_CHANGED', format('The limit was changed since you saw it: it is %s now.', desk.measured_text(old.limit_value, old.limit_unit)),
                value, old.limit_value, old.limit_unit, p_limit, jsonb_build_object('version', desk.stamp(old.updated_at), 'state', desk.limit_state(old)))
        WHEN p_value IS NOT NULL AND desk.value_fault(p_value, old.limit_unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.value_fault(p_value, old.limit_unit), desk.finite(p_value), NULL, old.limit_unit, p_limit)
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
        -- Being warned later is a loosening as well, however little is taken off the value.
        OR (NOT minimum AND coalesce(warning, value * 0.8) > coalesce(old.warning_threshold, old.limit_value * 0.8));
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
    words := format('%s: %s -> %s', desk.limit_words(old), desk.measured_text(old.limit_value, old.limit_unit),
        desk.measured_text(value, old.limit_unit));
    PERFORM desk.raise_event(old.account_id, 'limit_changed', CASE WHEN looser THEN 'warning' ELSE 'info' END, 'desk', old.limit_type,
        value, old.limit_value, 'limit_changed:' || new_id, NULL, NULL, new_id,
        jsonb_build_object('message', concat_ws(' ', words, CASE WHEN at_once THEN 'at once' ELSE 'proposed' END),
            'actor', session_user, 'reason', reason));
    answer := desk.accepted(new_id, concat_ws(' ', words, CASE WHEN at_once THEN 'from now on.' ELSE 'waits for a second person.' END),
        CASE WHEN NOT looser THEN 'TIGHTENED' WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END,
        jsonb_build_object('old', desk.plain(old.limit_value), 'new', desk.plain(value), 'unit', old.limit_unit, 'supersedes', old.limit_id));
    RETURN desk.settle(p_key, 'propose_limit', answer, payload);
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
        answer := desk.accepted(p_limit, format('Rejected: %s stays at %s.', desk.limit_words(old),
            desk.measured_text(old.limit_value, old.limit_unit)));
    END IF;
    RETURN desk.settle(p_key, 'reject_limit', answer, payload);
END $$;
