-- Changing limits: create, propose, approve, reject, retire.

-- Creates a limit, effective now: all limits apply, so one more can only tighten. p_account NULL in scope account: the
-- limit applies to each account separately.
CREATE FUNCTION desk.create_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_account uuid, p_type text,
    p_scope text, p_identifier text, p_value numeric, p_unit text, p_warning numeric, p_until timestamptz, p_parameters jsonb,
    p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.answer;
    payload   jsonb := jsonb_build_object('account_id', p_account, 'type', p_type, 'scope', p_scope, 'identifier', p_identifier,
        'value', p_value::text, 'unit', p_unit, 'warning', p_warning::text, 'until', desk.timestamp_text(p_until), 'parameters', p_parameters, 'reason', p_reason);
    validated record;
    draft     risk_limits%ROWTYPE;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'create_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
        SELECT * INTO validated
          FROM desk.validate_limit(p_account, p_type, p_scope, p_identifier, p_value, p_unit, p_warning, p_until, p_parameters);
        draft := validated.draft;
        answer := validated.answer;
    ELSE
        answer := desk.refused('NOT_PERMITTED', format('%s is not permitted to change limits.', session_user));
    END IF;
    IF answer.outcome IS NULL THEN
        PERFORM desk.lock_limit_scope(draft);
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            is_active, created_by, effective_from, effective_until, change_reason, parameters)
        VALUES (draft.account_id, draft.limit_type, draft.limit_scope, draft.scope_identifier, draft.limit_value, draft.limit_unit,
            draft.warning_threshold, true, session_user, clock_timestamp(), p_until, nullif(btrim(p_reason), ''), draft.parameters)
        RETURNING * INTO draft;
        PERFORM desk.raise_event(p_account, 'limit_changed', 'info', 'desk', draft.limit_type, draft.limit_value, NULL, 'limit_changed:' || draft.limit_id,
            NULL, NULL, draft.limit_id, jsonb_build_object('message', format('%s: new, %s', desk.limit_text(draft),
                desk.measured_text(draft.limit_value, draft.limit_unit)), 'actor', session_user, 'reason', p_reason));
        answer := desk.accepted(draft.limit_id, format('%s: %s, effective now.', desk.limit_text(draft), desk.measured_text(draft.limit_value, draft.limit_unit)),
            CASE WHEN draft.limit_unit = 'percentage' AND draft.limit_value <= 1 THEN 'PERCENTAGE_LOOKS_LIKE_FRACTION' ELSE 'TIGHTENED' END);
    END IF;
    RETURN desk.finish_request(p_key, 'create_limit', answer, payload);
END $$;

-- Proposes to retire a limit. That loosens: it needs a reason and a second person, except on a single-operator desk. Until
-- then the limit stays in force.
CREATE FUNCTION desk.retire_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid,
    p_base_version timestamptz, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.answer;
    reason  text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('limit_id', p_limit, 'base_version', desk.timestamp_text(p_base_version), 'reason', p_reason);
    old     risk_limits%ROWTYPE;
    new_id  uuid;
    at_once boolean := desk.setting('four_eyes') = 'off';
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'retire_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit;
    IF FOUND THEN
        PERFORM desk.lock_limit_scope(old);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    answer := CASE
        WHEN NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to change limits.', session_user))
        WHEN old.limit_id IS NULL THEN desk.refused('LIMIT_UNKNOWN', 'No such limit.')
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) NOT IN ('active', 'scheduled') THEN
            desk.refused('LIMIT_CHANGED', format('The limit has changed since you opened it; it is now %s, %s.',
                desk.measured_text(old.limit_value, old.limit_unit), desk.limit_state(old)), NULL, old.limit_value, old.limit_unit, p_limit)
        WHEN reason IS NULL THEN desk.refused('REASON_REQUIRED', 'Retiring a limit needs a reason.', p_subject => p_limit)
    END;
    IF answer.outcome IS NULL THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, effective_from, supersedes_limit_id, change_reason, parameters, retires)
        VALUES (old.account_id, old.limit_type, old.limit_scope, old.scope_identifier, old.limit_value, old.limit_unit, old.warning_threshold,
            old.time_window, false, old.description, session_user, clock_timestamp(), old.limit_id, reason, old.parameters, true)
        RETURNING limit_id INTO new_id;
        IF at_once THEN
            PERFORM desk.supersede_limit(old, new_id, clock_timestamp());
        END IF;
        PERFORM desk.raise_event(old.account_id, 'limit_changed', 'warning', 'desk', old.limit_type, NULL, old.limit_value, 'limit_changed:' || new_id,
            NULL, NULL, new_id, jsonb_build_object('message', format('%s: %s %s', desk.limit_text(old), desk.measured_text(old.limit_value, old.limit_unit),
                CASE WHEN at_once THEN 'retired' ELSE 'retirement proposed' END), 'actor', session_user, 'reason', reason));
        answer := desk.accepted(new_id, format('%s: %s', desk.limit_text(old), CASE WHEN at_once THEN 'retired.'
            ELSE 'retirement pending approval.' END), CASE WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END);
    END IF;
    RETURN desk.finish_request(p_key, 'retire_limit', answer, payload);
END $$;

-- Proposes new values for a limit. Tightening is effective now. Loosening needs a reason and a second person; until then
-- the old value stays in force. The smaller value is the looser one for a minimum, and for duplicate_window.
--
-- p_warning NULL keeps the warning where it still fits; p_until NULL keeps the end.
CREATE FUNCTION desk.propose_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid,
    p_base_version timestamptz, p_value numeric, p_warning numeric, p_until timestamptz, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer      desk.answer;
    reason      text := nullif(btrim(p_reason), '');
    payload     jsonb := jsonb_build_object('limit_id', p_limit, 'base_version', desk.timestamp_text(p_base_version), 'value', p_value::text,
        'warning', p_warning::text, 'until', desk.timestamp_text(p_until), 'reason', p_reason);
    old         risk_limits%ROWTYPE;
    minimum     boolean;
    kind        tmt.limit_types%ROWTYPE;
    value       numeric := round(desk.finite(p_value), 4);
    warning     numeric;
    ends        timestamptz;
    looser      boolean;
    at_once     boolean;
    now_at      timestamptz;
    new_id      uuid;
    change_text text;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'propose_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.finish_request(p_key, 'propose_limit', desk.refused('NOT_PERMITTED', format('%s is not permitted to change limits.', session_user)), payload);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit;
    IF NOT FOUND THEN
        RETURN desk.finish_request(p_key, 'propose_limit', desk.refused('LIMIT_UNKNOWN', 'No such limit.'), payload);
    END IF;
    PERFORM desk.lock_limit_scope(old);
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    now_at := clock_timestamp();
    SELECT * INTO kind FROM tmt.limit_types k WHERE k.limit_type = old.limit_type;
    minimum := coalesce(kind.is_minimum, false) OR old.limit_type = 'duplicate_window';
    value := coalesce(value, old.limit_value);
    warning := coalesce(round(desk.finite(p_warning), 4), CASE WHEN old.warning_threshold <= value THEN old.warning_threshold END);
    ends := coalesce(p_until, old.effective_until);
    answer := CASE
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) IN ('ended', 'inactive', 'pending') THEN
            desk.refused('LIMIT_CHANGED', format('The limit has changed since you opened it; it is now %s.', desk.measured_text(old.limit_value, old.limit_unit)),
                value, old.limit_value, old.limit_unit, p_limit, jsonb_build_object('version', desk.timestamp_text(old.updated_at), 'state', desk.limit_state(old)))
        WHEN p_value IS NOT NULL AND desk.limit_value_fault(p_value, old.limit_unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.limit_value_fault(p_value, old.limit_unit), desk.finite(p_value), NULL, old.limit_unit, p_limit)
        WHEN p_warning IS NOT NULL AND kind.is_minimum THEN
            desk.refused('WARNING_INVALID', 'The warning of a minimum limit is fixed at 125 % of its value.', p_warning, value,
                old.limit_unit, p_limit)
        WHEN warning > value OR warning <= 0 OR (p_warning IS NOT NULL AND desk.finite(p_warning) IS NULL) THEN
            desk.refused('WARNING_INVALID', 'The warning must be between zero and the limit.', warning, value, old.limit_unit, p_limit)
        WHEN p_until <= now_at THEN
            desk.refused('LIMIT_UNTIL_PAST', 'The expiry is in the past.', p_subject => p_limit)
        WHEN value = old.limit_value AND warning IS NOT DISTINCT FROM old.warning_threshold
             AND (ends IS NOT DISTINCT FROM old.effective_until OR old.effective_until IS NULL OR ends < old.effective_until) THEN
            desk.refused('NOTHING_TO_CHANGE', 'The limit already has these values.', value, old.limit_value, old.limit_unit, p_limit)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'propose_limit', answer, payload);
    END IF;

    looser := CASE WHEN minimum THEN value < old.limit_value ELSE value > old.limit_value END
        OR coalesce(ends > old.effective_until, false)
        -- A later warning is a loosening too.
        OR (NOT minimum AND coalesce(warning, value * 0.8) > coalesce(old.warning_threshold, old.limit_value * 0.8));
    IF looser AND reason IS NULL THEN
        RETURN desk.finish_request(p_key, 'propose_limit', desk.refused('REASON_REQUIRED', 'Loosening a limit needs a reason.', value,
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
    change_text := format('%s: %s -> %s', desk.limit_text(old), desk.measured_text(old.limit_value, old.limit_unit),
        desk.measured_text(value, old.limit_unit));
    PERFORM desk.raise_event(old.account_id, 'limit_changed', CASE WHEN looser THEN 'warning' ELSE 'info' END, 'desk', old.limit_type,
        value, old.limit_value, 'limit_changed:' || new_id, NULL, NULL, new_id,
        jsonb_build_object('message', concat_ws(', ', change_text, CASE WHEN at_once THEN 'effective now' ELSE 'proposed' END),
            'actor', session_user, 'reason', reason));
    answer := desk.accepted(new_id, concat_ws(', ', change_text, CASE WHEN at_once THEN 'effective now.' ELSE 'pending approval.' END),
        CASE WHEN NOT looser THEN 'TIGHTENED' WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END,
        jsonb_build_object('old', desk.number_text(old.limit_value), 'new', desk.number_text(value), 'unit', old.limit_unit, 'supersedes', old.limit_id));
    RETURN desk.finish_request(p_key, 'propose_limit', answer, payload);
END $$;

-- Approves a proposal; the approver must not be the proposer.
CREATE FUNCTION desk.approve_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer      desk.answer;
    payload     jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed    risk_limits%ROWTYPE;
    old         risk_limits%ROWTYPE;
    change_text text;
    now_at      timestamptz;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'approve_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit;
    IF FOUND THEN
        PERFORM desk.lock_limit_scope(proposed);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = proposed.supersedes_limit_id FOR NO KEY UPDATE;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    answer := desk.check_proposal(proposed, old);
    IF answer.outcome IS NULL AND lower(btrim(proposed.created_by)) = lower(btrim(session_user::text)) THEN
        answer := desk.refused('FOUR_EYES_SAME_PERSON', 'You made this proposal: another person must approve it.', p_subject => p_limit);
    END IF;
    IF answer.outcome IS NULL THEN
        now_at := clock_timestamp();
        change_text := format('%s: %s -> %s', desk.limit_text(old), desk.measured_text(old.limit_value, old.limit_unit),
            CASE WHEN NOT proposed.retires THEN desk.measured_text(proposed.limit_value, old.limit_unit)
                -- Retiring a temporary limit restores the one before it.
                ELSE coalesce((SELECT desk.measured_text(b.limit_value, b.limit_unit) FROM desk.returning_limit(old) b), 'no limit') END);
        UPDATE risk_limits l SET approved_by = session_user, approved_at = now_at WHERE l.limit_id = p_limit;
        PERFORM desk.supersede_limit(old, p_limit, now_at);
        PERFORM desk.raise_event(old.account_id, 'limit_changed', 'warning', 'desk', old.limit_type, proposed.limit_value, old.limit_value,
            'limit_changed:' || p_limit, NULL, NULL, p_limit,
            jsonb_build_object('message', change_text || ', approved', 'approved_by', session_user, 'note', p_note));
        answer := desk.accepted(p_limit, change_text || ', effective now.', NULL,
            jsonb_build_object('old', desk.number_text(old.limit_value), 'new', CASE WHEN NOT proposed.retires THEN desk.number_text(proposed.limit_value) END,
                'unit', old.limit_unit, 'proposed_by', proposed.created_by, 'supersedes', old.limit_id));
    END IF;
    RETURN desk.finish_request(p_key, 'approve_limit', answer, payload);
END $$;

-- Rejects a proposal, or withdraws one's own. Needs a note.
CREATE FUNCTION desk.reject_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.answer;
    note     text := nullif(btrim(p_note), '');
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed risk_limits%ROWTYPE;
    old      risk_limits%ROWTYPE;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'reject_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = proposed.supersedes_limit_id;
    answer := desk.check_proposal(proposed, old);
    IF answer.outcome IS NULL AND note IS NULL THEN
        answer := desk.refused('NOTE_REQUIRED', 'A note is required to reject.', p_subject => p_limit);
    END IF;
    IF answer.outcome IS NULL THEN
        UPDATE risk_limits l
           SET effective_until = greatest(clock_timestamp(), l.effective_from + interval '1 microsecond'),
               change_reason = concat_ws(' | ', l.change_reason, format('rejected by %s: %s', session_user, note))
         WHERE l.limit_id = p_limit;
        answer := desk.accepted(p_limit, format('Rejected: %s stays at %s.', desk.limit_text(old),
            desk.measured_text(old.limit_value, old.limit_unit)));
    END IF;
    RETURN desk.finish_request(p_key, 'reject_limit', answer, payload);
END $$;

-- Checks for both approving and rejecting; an outcome of NULL means that they passed.
CREATE FUNCTION desk.check_proposal(p_new risk_limits, p_old risk_limits) RETURNS desk.answer
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to approve or reject limits.', session_user))
        WHEN p_new.limit_id IS NULL THEN desk.refused('LIMIT_UNKNOWN', 'No such limit.')
        WHEN p_new.is_active OR p_new.approved_by IS NOT NULL OR p_new.supersedes_limit_id IS NULL THEN
            desk.refused('NOT_PENDING', 'The limit is not a pending proposal.', p_subject => p_new.limit_id)
        WHEN p_new.created_at <= now() - interval '24 hours' OR p_new.effective_until <= now() THEN
            desk.refused('PROPOSAL_EXPIRED', 'The proposal was rejected or has expired.', p_subject => p_new.limit_id)
        WHEN NOT p_old.is_active OR p_old.effective_until <= now() THEN
            desk.refused('LIMIT_CHANGED', 'The limit under this proposal has changed.', p_subject => p_new.limit_id)
    END
$$;

-- Replaces a limit by its successor, or ends it if the successor retires it. If the successor is temporary, the old value
-- returns when it ends. A value that already waits to return is moved: to the new end if a temporary limit is extended, to
-- now if it is retired.
CREATE FUNCTION desk.supersede_limit(p_old risk_limits, p_new uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor risk_limits%ROWTYPE;
    old_keys  text[];
    proposed  risk_limits%ROWTYPE;
    waiting   risk_limits%ROWTYPE;
BEGIN
    -- Pending proposals were made for the value that ends now.
    FOR proposed IN
        SELECT * FROM risk_limits l
         WHERE l.supersedes_limit_id = p_old.limit_id AND l.limit_id <> p_new AND desk.limit_state(l) = 'pending' FOR NO KEY UPDATE
    LOOP
        UPDATE risk_limits l SET change_reason = concat_ws(' | ', l.change_reason, 'void: the limit has changed')
         WHERE l.limit_id = proposed.limit_id;
        PERFORM desk.resolve_event('limit_changed:' || proposed.limit_id);
        PERFORM desk.record_event(p_old.account_id, 'limit_proposal_void', 'warning', 'desk', p_old.limit_type, proposed.limit_value, p_old.limit_value,
            'limit_void:' || proposed.limit_id, NULL, NULL, p_new,
            jsonb_build_object('message', format('%s: the proposal by %s, %s, was cancelled because the limit changed. Propose it again.',
                desk.limit_text(p_old), proposed.created_by, desk.measured_text(proposed.limit_value, proposed.limit_unit)), 'actor', session_user));
    END LOOP;
    UPDATE risk_limits l SET is_active = NOT l.retires, effective_from = p_at WHERE l.limit_id = p_new RETURNING * INTO successor;
    SELECT * INTO waiting FROM desk.returning_limit(p_old);
    UPDATE risk_limits l SET is_active = false, effective_until = greatest(p_at, l.effective_from + interval '1 microsecond')
     WHERE l.limit_id = p_old.limit_id;
    IF waiting.limit_id IS NOT NULL AND (successor.retires OR successor.effective_until > p_old.effective_until) THEN
        UPDATE risk_limits l SET effective_from = CASE WHEN successor.retires THEN p_at ELSE successor.effective_until END
         WHERE l.limit_id = waiting.limit_id AND (successor.retires OR l.effective_until IS NULL OR l.effective_until > successor.effective_until);
        IF NOT FOUND THEN
            -- The temporary limit outlasts it.
            UPDATE risk_limits l SET is_active = false WHERE l.limit_id = waiting.limit_id;
        END IF;
    ELSIF successor.effective_until < 'infinity' AND NOT successor.retires
       AND (p_old.effective_until IS NULL OR p_old.effective_until > successor.effective_until) THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, approved_by, approved_at, effective_from, effective_until,
            supersedes_limit_id, change_reason, is_returning, parameters)
        VALUES (p_old.account_id, p_old.limit_type, p_old.limit_scope, p_old.scope_identifier, p_old.limit_value, p_old.limit_unit,
            p_old.warning_threshold, p_old.time_window, true, p_old.description, p_old.created_by, p_old.approved_by, p_old.approved_at,
            successor.effective_until, p_old.effective_until, successor.limit_id, 'restored after temporary limit', true,
            p_old.parameters);
    END IF;
    -- Events of the old value are over. Lock order: standings before events, events by id.
    WITH old AS (
        DELETE FROM tmt.limit_states s WHERE s.limit_id = p_old.limit_id RETURNING 'limit:' || s.limit_key AS key
    )
    SELECT coalesce(array_agg(o.key), '{}') INTO old_keys FROM old o;
    PERFORM FROM risk_events e WHERE e.dedup_key = ANY (old_keys) AND e.resolution_time IS NULL ORDER BY e.event_id FOR NO KEY UPDATE;
    PERFORM desk.resolve_event(key) FROM unnest(old_keys) AS key;
    UPDATE risk_limits l SET parameters = p_old.parameters
     WHERE l.limit_id = p_new AND l.parameters = '{}' AND p_old.parameters <> '{}';
END $$;

-- Locks the accounts of a limit, so that no order is checked while it changes. Updated, not only locked, so that an order
-- with an older snapshot fails and is retried. A wide limit locks every account: an order that began before the first wide
-- limit has locked only its account.
CREATE FUNCTION desk.lock_limit_scope(l risk_limits) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF l.account_id IS NULL THEN
        PERFORM desk.acquire_mutex('risk');
        PERFORM FROM accounts a ORDER BY a.account_id FOR NO KEY UPDATE;
        UPDATE accounts a SET last_trade_at = a.last_trade_at;
    ELSE
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id = l.account_id;
    END IF;
END $$;
