-- Trading halts.

-- Halts an account, an instrument, a portfolio or the system, until a risk officer resumes. Closing is always allowed.
-- The mode flatten also closes every position in scope at the market.
--
-- A trader may halt accounts; the other scopes need a risk officer.
CREATE FUNCTION desk.halt(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_scope text, p_identifier text,
    p_mode text, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer      desk.answer;
    scope       text := lower(btrim(p_scope));
    mode        text := lower(btrim(p_mode));
    reason      text := coalesce(nullif(btrim(p_reason), ''), 'no reason given');
    payload     jsonb := jsonb_build_object('scope', p_scope, 'identifier', p_identifier, 'mode', p_mode, 'reason', p_reason);
    target      text;
    account     accounts%ROWTYPE;
    target_name text;
    existing    trading_halts%ROWTYPE;
    halt_id     uuid;
    in_scope    uuid[];
    holding     uuid[] := '{}';
    one         uuid;
    part        jsonb;
    result      jsonb := '{"closed": [], "kept": []}';
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'halt');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF scope = 'account' THEN
        -- The lock that orders wait for: an order that is running finishes before the halt.
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id::text = lower(btrim(p_identifier)) RETURNING * INTO account;
        target := account.account_id::text;
        target_name := account.account_name;
    ELSE
        PERFORM desk.acquire_mutex('halt');
        target := CASE scope
            WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
            WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
                SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier))) END;
        target_name := coalesce(target, 'all trading');
    END IF;
    IF scope = 'account' OR desk.has_role('tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
        -- Locks every account in scope, in the usual order: running orders finish first, later ones wait. Updated, not
        -- only locked, so that an order with an older snapshot fails and is retried.
        SELECT coalesce(array_agg(l.account_id ORDER BY l.account_id), '{}') INTO in_scope
          FROM (SELECT a.account_id FROM accounts a
                 WHERE CASE scope WHEN 'account' THEN a.account_id::text = target
                                  WHEN 'portfolio' THEN a.metadata ->> 'portfolio' = target
                                  WHEN 'instrument' THEN target IS NOT NULL ELSE scope = 'system' END
                 ORDER BY a.account_id FOR NO KEY UPDATE) l;
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE scope <> 'account' AND a.account_id = ANY (in_scope);
        IF mode = 'flatten' THEN
            -- A second statement: positions booked during the wait are closed too.
            SELECT coalesce(array_agg(DISTINCT p.account_id ORDER BY p.account_id), '{}') INTO holding
              FROM positions p JOIN accounts a USING (account_id)
             WHERE p.account_id = ANY (in_scope) AND p.status IN ('open', 'closing') AND (scope <> 'instrument' OR p.instrument = target)
               AND (a.status <> 'closed' OR desk.has_role('tmt_risk_officer', 'tmt_admin'));
        END IF;
    END IF;
    SELECT * INTO existing FROM trading_halts h
     WHERE h.cleared_at IS NULL AND h.scope = lower(btrim(p_scope)) AND h.mode = lower(btrim(p_mode))
       AND h.scope_identifier IS NOT DISTINCT FROM target;
    answer := CASE
        WHEN NOT (desk.has_role('tmt_risk_officer', 'tmt_admin', 'tmt_agent') OR (scope = 'account' AND desk.has_role('tmt_trader'))) THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to set this halt.', session_user))
        WHEN scope NOT IN ('account', 'instrument', 'portfolio', 'system') OR scope IS NULL THEN
            desk.refused('HALT_SCOPE_INVALID', 'The scope must be account, instrument, portfolio or system.')
        WHEN mode NOT IN ('reduce_only', 'no_new_orders', 'flatten') OR mode IS NULL THEN
            desk.refused('HALT_MODE_INVALID', 'The mode must be reduce_only, no_new_orders or flatten.')
        WHEN scope <> 'system' AND target IS NULL THEN
            desk.refused('HALT_TARGET_UNKNOWN', format('Unknown %s: %s.', scope, coalesce(p_identifier, 'no name given')))
        -- A second flatten may close what the first one had to keep.
        WHEN existing.halt_id IS NOT NULL AND holding = '{}' THEN
            desk.refused('ALREADY_HALTED', format('Already halted by %s at %s: %s', existing.set_by, to_char(existing.set_at, 'HH24:MI:SS"Z"'), existing.reason),
                p_subject => existing.halt_id)
    END;
    IF answer.outcome IS NULL THEN
        halt_id := existing.halt_id;
        IF halt_id IS NULL THEN
            INSERT INTO trading_halts AS h (scope, account_id, scope_identifier, mode, reason, set_by, set_at)
            VALUES (scope, account.account_id, target, mode, reason, session_user, clock_timestamp())
            RETURNING h.halt_id INTO halt_id;
            PERFORM desk.raise_event(account.account_id, 'trading_halt', CASE scope WHEN 'system' THEN 'emergency' ELSE 'critical' END,
                'desk', 'halt', NULL, NULL, 'halt:' || halt_id, NULL, NULL, NULL,
                jsonb_build_object('message', format('%s halted (%s): %s', target_name, mode, reason), 'halt_id', halt_id, 'actor', session_user));
        END IF;
        FOREACH one IN ARRAY holding LOOP
            part := desk.flatten_account(p_key, one, CASE scope WHEN 'instrument' THEN target END, reason);
            result := jsonb_build_object('closed', result -> 'closed' || (part -> 'closed'), 'kept', result -> 'kept' || (part -> 'kept'));
        END LOOP;
        answer := desk.accepted(halt_id, format('Halted: %s, %s. %s.', target_name, replace(mode, '_', ' '),
            CASE mode WHEN 'flatten' THEN desk.flatten_text(result) ELSE 'Closing is allowed' END),
            CASE WHEN result -> 'kept' <> '[]' THEN 'PARTLY_FLATTENED' END,
            jsonb_build_object('scope', scope, 'identifier', target, 'mode', mode) || CASE mode WHEN 'flatten' THEN result ELSE '{}' END);
    END IF;
    RETURN desk.finish_request(p_key, 'halt', answer, payload);
END $$;

-- Clears a halt. Clearing the last halt of an account also ends its risk halt, unless its balance is below zero. The
-- halt's risk event is resolved, and stays listed until it is acknowledged.
CREATE FUNCTION desk.resume(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_halt uuid, p_reason text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.answer;
    why     text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('halt_id', p_halt, 'reason', p_reason);
    halt    trading_halts%ROWTYPE;
    account accounts%ROWTYPE;
    message text := 'Trading resumed';
    event   uuid;
    now_at  timestamptz;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'resume');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- The account first, as in desk.halt.
    SELECT a.* INTO account FROM accounts a
     WHERE a.account_id = (SELECT h.account_id FROM trading_halts h WHERE h.halt_id = p_halt) FOR NO KEY UPDATE;
    SELECT * INTO halt FROM trading_halts h WHERE h.halt_id = p_halt FOR UPDATE;
    answer := CASE
        WHEN NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to resume trading.', session_user))
        WHEN halt.halt_id IS NULL THEN desk.refused('HALT_UNKNOWN', 'No such halt.')
        WHEN halt.cleared_at IS NOT NULL THEN
            desk.refused('ALREADY_RESUMED', format('Already resumed by %s at %s.', halt.cleared_by, to_char(halt.cleared_at, 'HH24:MI:SS"Z"')), p_subject => p_halt)
        WHEN why IS NULL THEN desk.refused('REASON_REQUIRED', 'Resuming needs a reason.', p_subject => p_halt)
    END;
    IF answer.outcome IS NULL THEN
        now_at := clock_timestamp();
        UPDATE trading_halts h SET cleared_by = session_user, cleared_at = now_at, clear_reason = why WHERE h.halt_id = p_halt;
        IF account.status = 'risk_halt' THEN
            message := CASE
                WHEN EXISTS (SELECT FROM trading_halts h WHERE h.account_id = account.account_id AND h.cleared_at IS NULL) THEN
                    format('The halt is cleared. %s stays in risk halt: another halt is in force', account.account_name)
                WHEN account.current_balance < 0 THEN
                    format('The halt is cleared. %s stays in risk halt: its balance is below zero', account.account_name)
                ELSE format('Trading resumed: %s is active again', account.account_name) END;
            UPDATE accounts a SET status = 'active'
             WHERE a.account_id = account.account_id AND a.current_balance >= 0
               AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = a.account_id AND h.cleared_at IS NULL);
        END IF;
        UPDATE risk_events e SET resolution_time = now_at, action_taken = 'resumed'
         WHERE e.dedup_key = 'halt:' || p_halt AND e.resolution_time IS NULL RETURNING e.event_id INTO event;
        IF event IS NOT NULL THEN
            INSERT INTO risk_event_actions (event_id, action, actor, note, batch_id) VALUES (event, 'resolved', session_user, why, p_key);
        END IF;
        answer := desk.accepted(p_halt, message || '.', NULL,
            jsonb_build_object('scope', halt.scope, 'identifier', halt.scope_identifier, 'mode', halt.mode));
    END IF;
    RETURN desk.finish_request(p_key, 'resume', answer, payload);
END $$;

-- The halts in force for an account and an instrument.
CREATE FUNCTION desk.halts_in_force(p_account uuid, p_portfolio text, p_instrument text)
RETURNS SETOF trading_halts LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT h.* FROM trading_halts h
     WHERE h.cleared_at IS NULL
       AND CASE h.scope WHEN 'system' THEN true
                        WHEN 'account' THEN h.account_id = p_account
                        WHEN 'portfolio' THEN h.scope_identifier = p_portfolio
                        WHEN 'instrument' THEN h.scope_identifier = p_instrument END
     ORDER BY array_position(ARRAY['system', 'portfolio', 'account', 'instrument'], h.scope::text), h.set_at;
END $$;

-- Puts an account in risk halt. The halt's cause is max_daily_loss only if no other loss limit is in breach: then a new
-- day may end it.
CREATE FUNCTION desk.halt_for_loss(p_account uuid, p_why text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    reached text;
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = p_account AND a.status IN ('active', 'risk_halt') FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE accounts a SET status = 'risk_halt' WHERE a.account_id = p_account AND a.status = 'active';
    reached := CASE WHEN desk.losses_in_breach(p_account) = '{max_daily_loss}' THEN 'max_daily_loss' ELSE 'loss' END;
    -- Once a second loss limit was in breach, no new day ends the halt, even if that loss recovers.
    UPDATE trading_halts h SET cause = CASE WHEN reached = 'loss' THEN reached ELSE h.cause END
     WHERE h.scope = 'account' AND h.account_id = p_account AND h.cleared_at IS NULL AND h.cause IS NOT NULL;
    IF NOT FOUND THEN
        -- In addition to a halt set by a person.
        INSERT INTO trading_halts (scope, account_id, scope_identifier, mode, reason, set_by, cause)
        VALUES ('account', p_account, p_account::text, 'reduce_only', p_why, session_user, reached);
    END IF;
END $$;

-- The loss limits of an account that are in breach: its own rules and limits on it.
CREATE FUNCTION desk.losses_in_breach(p_account uuid) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT k.limit_type
          FROM tmt.limit_states s
          JOIN tmt.limit_types k ON k.limit_type = s.rule
          LEFT JOIN risk_limits l USING (limit_id)
         WHERE s.account_id = p_account AND s.state = 'breach' AND k.is_loss AND (s.limit_id IS NULL OR l.is_active)
         ORDER BY 1);
END $$;

-- On a new trading day: ends a halt set by max_daily_loss, unless another loss limit is in breach, and resolves the
-- event of that loss. A negative balance or another halt keeps the account halted. The caller has locked the account.
CREATE FUNCTION desk.resume_daily_loss_halt(p_account uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    loss_key text := 'loss:max_daily_loss:' || p_account;
BEGIN
    IF desk.losses_in_breach(p_account) <@ '{max_daily_loss}' THEN
        UPDATE trading_halts h SET cleared_by = session_user, cleared_at = p_at, clear_reason = 'a new trading day began',
               clear_cause = 'new_day'
         WHERE h.account_id = p_account AND h.cause = 'max_daily_loss' AND h.cleared_at IS NULL;
        IF FOUND THEN
            UPDATE accounts a SET status = 'active'
             WHERE a.account_id = p_account AND a.status = 'risk_halt' AND a.current_balance >= 0
               AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = p_account AND h.cleared_at IS NULL);
        END IF;
    END IF;
    -- An unrealized loss may reach the new day's limit too: reset the standing, so that the monitor raises it again.
    -- What cannot be measured stays unknown.
    UPDATE tmt.limit_states s
       SET state = CASE s.state WHEN 'unknown' THEN s.state ELSE 'ok' END,
           since = CASE s.state WHEN 'unknown' THEN s.since ELSE p_at END,
           raised_value = CASE s.state WHEN 'unknown' THEN s.raised_value END,
           event_key = CASE s.state WHEN 'unknown' THEN 'limit:' || s.limit_key END
     WHERE s.event_key = loss_key;
    -- Locked by an acknowledgement, which may lock another account's event: then the monitor resolves it.
    PERFORM FROM risk_events e WHERE e.dedup_key = loss_key AND e.resolution_time IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
        PERFORM desk.resolve_event(loss_key);
    END IF;
END $$;
