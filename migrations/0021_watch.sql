-- Limits that come, go, and are watched; and the audit chain against a head that was kept elsewhere.
SET LOCAL ROLE tmt_owner;

CREATE OR REPLACE FUNCTION desk.limit_words(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('%s of %s', l.limit_type, coalesce((SELECT a.account_name FROM accounts a WHERE a.account_id = l.account_id),
        l.scope_identifier, CASE l.limit_scope WHEN 'account' THEN 'every account' ELSE 'the whole desk' END))
$$;

-- Locks what a limit governs, so that no order is being judged while it changes. Written, not only
-- locked: an order whose picture is older than the change then fails and is tried again.
--
-- Every account, if the limit is over several: an order that saw no such limit when it began holds
-- nothing but its account.
CREATE OR REPLACE FUNCTION desk.lock_limit(l risk_limits) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF l.account_id IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('tmt:risk', 0));
        PERFORM FROM accounts a ORDER BY a.account_id FOR NO KEY UPDATE;
        UPDATE accounts a SET last_trade_at = a.last_trade_at;
    ELSE
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id = l.account_id;
    END IF;
END $$;

-- ---- new limits -------------------------------------------------------------------------------

-- Adds a limit. All limits must pass, so one more can only tighten: it takes effect at once, by one person.
-- p_account NULL in scope account: one limit for each account by itself.
CREATE OR REPLACE FUNCTION desk.create_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_account uuid, p_type text,
    p_scope text, p_identifier text, p_value numeric, p_unit text, p_warning numeric, p_until timestamptz, p_parameters jsonb,
    p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    payload jsonb := jsonb_build_object('account_id', p_account, 'type', p_type, 'scope', p_scope, 'identifier', p_identifier,
        'value', p_value::text, 'unit', p_unit, 'warning', p_warning::text, 'until', desk.stamp(p_until), 'parameters', p_parameters, 'reason', p_reason);
    kind    desk.limit_types%ROWTYPE;
    fresh   risk_limits%ROWTYPE;
    value   numeric := round(desk.finite(p_value), 4);
    unit    text := btrim(p_unit);
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'create_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = lower(btrim(p_type));
    fresh.account_id := p_account;
    fresh.limit_scope := left(lower(btrim(p_scope)), 20);
    -- A currency in any case; other units as the vocabulary writes them.
    unit := CASE WHEN lower(unit) = ANY (kind.units) THEN lower(unit) ELSE upper(unit) END;
    fresh.scope_identifier := CASE fresh.limit_scope
        WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
        WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
            SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier)))
        WHEN 'system' THEN nullif(left(btrim(p_identifier), 100), '') END;
    IF jsonb_typeof(p_parameters -> 'instruments') = 'array' THEN
        -- In any spelling; stored under the one name.
        p_parameters := jsonb_set(p_parameters, '{instruments}', (
            SELECT jsonb_agg(coalesce(desk.canonical_instrument(t.name), t.name)) FROM jsonb_array_elements_text(p_parameters -> 'instruments') AS t (name)));
    END IF;
    answer := CASE
        WHEN NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s may not change limits.', session_user))
        WHEN kind.limit_type IS NULL THEN
            desk.refused('LIMIT_TYPE_UNKNOWN', format('There is no limit type %s. There are: %s.', p_type,
                (SELECT string_agg(k.limit_type, ', ' ORDER BY k.limit_type) FROM desk.limit_types k WHERE k.enforced)))
        WHEN fresh.limit_scope IS NULL OR NOT fresh.limit_scope = ANY (kind.scopes) THEN
            desk.refused('LIMIT_SCOPE_INVALID', format('%s is a limit over: %s.', kind.limit_type, array_to_string(kind.scopes, ', ')))
        WHEN unit IS NULL OR NOT (unit = ANY (kind.units) OR ('money' = ANY (kind.units) AND EXISTS (
                 SELECT FROM accounts a WHERE btrim(a.base_currency) = unit
                 UNION ALL SELECT FROM instruments i WHERE unit IN (i.base_currency, i.quote_currency)
                 UNION ALL SELECT FROM fx_rates r WHERE unit IN (r.from_currency, r.to_currency)))) THEN
            desk.refused('LIMIT_UNIT_UNKNOWN', format('%s is in one of: %s.', kind.limit_type,
                replace(array_to_string(kind.units, ', '), 'money', 'a currency')))
        WHEN value IS NULL OR value <= 0 OR value >= 100000000000 THEN
            desk.refused('LIMIT_VALUE_INVALID', 'A limit is more than zero. To stop trading altogether, halt it.', value, NULL, unit)
        WHEN (fresh.limit_scope IN ('instrument', 'portfolio') AND fresh.scope_identifier IS NULL)
             OR (p_account IS NOT NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = p_account)) THEN
            desk.refused('LIMIT_TARGET_UNKNOWN', format('There is no %s %s.', fresh.limit_scope,
                coalesce(CASE WHEN fresh.limit_scope = 'account' THEN p_account::text ELSE p_identifier END, 'without a name')))
        WHEN p_warning <= 0 OR p_warning > value OR (p_warning IS NOT NULL AND kind.is_minimum) THEN
            desk.refused('WARNING_INVALID', CASE WHEN kind.is_minimum THEN 'A minimum warns at 125 % of it, and needs no warning of its own.'
                ELSE 'The warning lies between zero and the limit.' END, p_warning, value, unit)
        WHEN p_until <= clock_timestamp() THEN desk.refused('LIMIT_UNTIL_PAST', 'The end of the limit has passed already.')
        WHEN NOT desk.parameters_suit(kind.limit_type, fresh.limit_scope, coalesce(p_parameters, '{}')) OR jsonb_typeof(coalesce(p_parameters, '{}')) <> 'object' THEN
            desk.refused('LIMIT_PARAMETERS_INVALID', CASE kind.limit_type
                WHEN 'trading_hours' THEN 'Say which hours: {"hours": {"tz": "UTC", "open": [["mon 00:00", "fri 22:00"]]}}.'
                ELSE 'Say which instruments: {"instruments": ["EUR_USD"]}.' END)
    END;
    IF answer.outcome IS NULL THEN
        fresh.limit_type := kind.limit_type;
        PERFORM desk.lock_limit(fresh);
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            is_active, created_by, effective_from, effective_until, change_reason, parameters)
        VALUES (p_account, kind.limit_type, fresh.limit_scope, fresh.scope_identifier, value, unit, round(desk.finite(p_warning), 4),
            true, session_user, clock_timestamp(), p_until, nullif(btrim(p_reason), ''), coalesce(p_parameters, '{}'))
        RETURNING * INTO fresh;
        PERFORM desk.raise_event(p_account, 'limit_changed', 'info', 'desk', kind.limit_type, value, NULL, 'limit_changed:' || fresh.limit_id,
            NULL, NULL, fresh.limit_id, jsonb_build_object('message', format('%s: new, %s', desk.limit_words(fresh),
                desk.measured_text(value, unit)), 'actor', session_user, 'reason', p_reason));
        answer := desk.accepted(fresh.limit_id, format('%s: %s from now on.', desk.limit_words(fresh), desk.measured_text(value, unit)),
            CASE WHEN unit = 'percentage' AND value <= 1 THEN 'PERCENTAGE_LOOKS_LIKE_FRACTION' ELSE 'TIGHTENED' END);
    END IF;
    RETURN desk.settle(p_key, 'create_limit', answer, payload);
END $$;

-- ---- limits that end --------------------------------------------------------------------------

-- Puts a successor in the place of a limit from now on; of a successor that retires it, nothing takes its
-- place. If the successor has an end, the old value comes back there by itself: when a temporary limit
-- runs out, no gap may open.
CREATE OR REPLACE FUNCTION desk.supersede_limit(p_old risk_limits, p_new uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor risk_limits%ROWTYPE;
BEGIN
    UPDATE risk_limits l SET is_active = NOT l.retires, effective_from = p_at WHERE l.limit_id = p_new RETURNING * INTO successor;
    UPDATE risk_limits l SET is_active = false, effective_until = greatest(p_at, l.effective_from + interval '1 microsecond')
     WHERE l.limit_id = p_old.limit_id;
    IF successor.effective_until IS NOT NULL AND NOT successor.retires
       AND (p_old.effective_until IS NULL OR p_old.effective_until > successor.effective_until) THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, approved_by, approved_at, effective_from, effective_until,
            supersedes_limit_id, change_reason, parameters)
        VALUES (p_old.account_id, p_old.limit_type, p_old.limit_scope, p_old.scope_identifier, p_old.limit_value, p_old.limit_unit,
            p_old.warning_threshold, p_old.time_window, true, p_old.description, p_old.created_by, p_old.approved_by, p_old.approved_at,
            successor.effective_until, p_old.effective_until, successor.limit_id, 'returns when the temporary limit ends', p_old.parameters);
    END IF;
    -- What rang for the old value is over; the watch looks at the new one with fresh eyes.
    PERFORM desk.clear_event('limit:' || s.limit_key) FROM desk.limit_states s WHERE starts_with(s.limit_key, p_old.limit_id::text || ':');
    DELETE FROM desk.limit_states s WHERE starts_with(s.limit_key, p_old.limit_id::text || ':');
    -- A successor judges by the same parameters.
    UPDATE risk_limits l SET parameters = p_old.parameters
     WHERE l.limit_id = p_new AND l.parameters = '{}' AND p_old.parameters <> '{}';
END $$;

-- Proposes to end a limit. That loosens: it needs a reason and, unless the desk is one of one, a second
-- person; until then the limit stands.
CREATE OR REPLACE FUNCTION desk.retire_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid,
    p_base_version timestamptz, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    reason  text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('limit_id', p_limit, 'base_version', desk.stamp(p_base_version), 'reason', p_reason);
    old     risk_limits%ROWTYPE;
    new_id  uuid;
    at_once boolean := desk.setting('four_eyes') = 'off';
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'retire_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit;
    IF FOUND THEN
        PERFORM desk.lock_limit(old);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    answer := CASE
        WHEN NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('NOT_PERMITTED', format('%s may not change limits.', session_user))
        WHEN old.limit_id IS NULL THEN desk.refused('LIMIT_UNKNOWN', 'There is no such limit.')
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) NOT IN ('active', 'scheduled') THEN
            desk.refused('LIMIT_CHANGED', format('The limit was changed since you saw it: it is %s, %s now.',
                desk.measured_text(old.limit_value, old.limit_unit), desk.limit_state(old)), NULL, old.limit_value, old.limit_unit, p_limit)
        WHEN reason IS NULL THEN desk.refused('REASON_REQUIRED', 'Ending a limit needs a reason.', p_subject => p_limit)
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
            NULL, NULL, new_id, jsonb_build_object('message', format('%s: %s %s', desk.limit_words(old), desk.measured_text(old.limit_value, old.limit_unit),
                CASE WHEN at_once THEN 'ended' ELSE 'to end, proposed' END), 'actor', session_user, 'reason', reason));
        answer := desk.accepted(new_id, format('%s: %s', desk.limit_words(old), CASE WHEN at_once THEN 'ended.'
            ELSE 'stands until a second person agrees to end it.' END), CASE WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END);
    END IF;
    RETURN desk.settle(p_key, 'retire_limit', answer, payload);
END $$;

-- Approves a loosening: another person than the one who proposed it.
CREATE OR REPLACE FUNCTION desk.approve_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed risk_limits%ROWTYPE;
    old      risk_limits%ROWTYPE;
    words    text;
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
        words := format('%s: %s -> %s', desk.limit_words(old), desk.measured_text(old.limit_value, old.limit_unit),
            CASE WHEN proposed.retires THEN 'no limit' ELSE desk.measured_text(proposed.limit_value, old.limit_unit) END);
        UPDATE risk_limits l SET approved_by = session_user, approved_at = now_at WHERE l.limit_id = p_limit;
        PERFORM desk.supersede_limit(old, p_limit, now_at);
        PERFORM desk.raise_event(old.account_id, 'limit_changed', 'warning', 'desk', old.limit_type, proposed.limit_value, old.limit_value,
            'limit_changed:' || p_limit, NULL, NULL, p_limit,
            jsonb_build_object('message', words || ' approved', 'approved_by', session_user, 'note', p_note));
        answer := desk.accepted(p_limit, words || ' from now on.', NULL,
            jsonb_build_object('old', desk.plain(old.limit_value), 'new', CASE WHEN NOT proposed.retires THEN desk.plain(proposed.limit_value) END,
                'unit', old.limit_unit, 'proposed_by', proposed.created_by, 'supersedes', old.limit_id));
    END IF;
    RETURN desk.settle(p_key, 'approve_limit', answer, payload);
END $$;

-- ---- who would be in breach -------------------------------------------------------------------

-- How everybody whom a limit governs stands, if its value were p_value; of a proposal NULL means its own.
-- One row where the limit looks at several accounts together. Limits that judge only orders measure
-- nothing between them: no row.
CREATE OR REPLACE FUNCTION desk.limit_impact(p_limit uuid, p_value numeric)
RETURNS TABLE (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    limited risk_limits%ROWTYPE;
    wanted  numeric := p_value;
    o       desk.order_draft;
    m       desk.limit_measure;
    factor  numeric;
    wide    boolean;
    one     uuid;
BEGIN
    SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = p_limit;
    IF limited.limit_id IS NULL THEN
        RETURN;
    END IF;
    IF NOT limited.is_active AND limited.supersedes_limit_id IS NOT NULL THEN
        wanted := coalesce(wanted, limited.limit_value);
        SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = limited.supersedes_limit_id;
    END IF;
    wide := limited.limit_scope <> 'account' AND limited.account_id IS NULL;
    FOREACH one IN ARRAY desk.accounts_in_scope(limited.limit_scope,
        coalesce(limited.account_id, (SELECT a.account_id FROM accounts a WHERE limited.limit_scope = 'account' AND a.account_id::text = lower(btrim(limited.scope_identifier)))), limited.scope_identifier, NULL)
        || CASE WHEN limited.limit_scope = 'account' AND limited.account_id IS NULL AND limited.scope_identifier IS NULL
                THEN ARRAY(SELECT a.account_id FROM accounts a ORDER BY a.account_name) ELSE '{}' END
    LOOP
        CONTINUE WHEN one IS NULL;
        o := desk.draft_order(one, CASE WHEN limited.limit_scope = 'instrument' THEN limited.scope_identifier END,
                              NULL, NULL, NULL, NULL, NULL, NULL);
        FOREACH m IN ARRAY desk.measure_limits(o, true) LOOP
            CONTINUE WHEN m.limit_id <> limited.limit_id;
            factor := coalesce(wanted, limited.limit_value) / limited.limit_value;
            account_id := CASE WHEN wide THEN NULL ELSE o.account_id END;
            account_name := CASE WHEN wide THEN coalesce(limited.scope_identifier, limited.limit_scope) ELSE o.account_name END;
            measured := round(m.after, 4);
            allowed := round(m.allowed * factor, 4);
            unit := m.unit;
            room := CASE WHEN m.is_minimum THEN measured - allowed ELSE allowed - measured END;
            state := desk.limit_state_after('ok', m.after, m.allowed * factor, m.warned * factor, m.inclusive, m.is_minimum);
            RETURN NEXT;
        END LOOP;
        EXIT WHEN wide;
    END LOOP;
END $$;

-- ---- the watch --------------------------------------------------------------------------------

-- How each live limit stood when it was last watched, for each account it governs; '' for one that looks
-- at several together.
CREATE TABLE IF NOT EXISTS desk.limit_states (
    limit_key  text PRIMARY KEY,       -- limit, or the rule of an account's column; and the account
    state      text NOT NULL,          -- ok, warning, breach, unknown
    measured   numeric,
    allowed    numeric,
    unit       text,
    raised_at_value numeric,           -- what was measured when an event was last raised
    since      timestamptz NOT NULL,
    watched_at timestamptz NOT NULL
);
GRANT SELECT ON desk.limit_states TO tmt_viewer;

-- Notes how one limit stands, and raises or ends its event. Only what changed is raised again, or what
-- went a further tenth of the limit beyond: a value that stays in breach rings once.
CREATE OR REPLACE FUNCTION desk.watch_one(o desk.order_draft, m desk.limit_measure, p_together boolean, p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    known    desk.limit_states%ROWTYPE;
    watched text := coalesce(m.limit_id::text, m.limit_type) || ':' || CASE WHEN p_together THEN '' ELSE o.account_id::text END;
    account  uuid := CASE WHEN NOT p_together THEN o.account_id END;
    now_is   text;
    worse    boolean;
    now_at   timestamptz := clock_timestamp();
    severity text;
    why      text;
BEGIN
    SELECT * INTO known FROM desk.limit_states s WHERE s.limit_key = watched;
    now_is := CASE WHEN m.fault IS NULL THEN desk.limit_state_after(known.state, m.after, m.allowed, m.warned, m.inclusive, m.is_minimum)
                  ELSE 'unknown' END;
    worse := now_is IN ('warning', 'breach') AND abs(m.after - m.allowed) >= abs(coalesce(known.raised_at_value, m.allowed) - m.allowed) + abs(m.allowed) / 10
             AND ((m.after > m.allowed) <> m.is_minimum) AND known.raised_at_value IS NOT NULL;
    IF now_is = known.state AND NOT worse THEN
        -- Warnings end by themselves when they have been clear for a minute; a drawdown stays until somebody ends it.
        IF now_is = 'ok' AND known.raised_at_value IS NOT NULL AND known.since < now_at - interval '60 seconds' AND m.limit_type <> 'max_drawdown' THEN
            PERFORM desk.clear_event('limit:' || watched);
            UPDATE desk.limit_states s SET raised_at_value = NULL WHERE s.limit_key = watched;
            RETURN true;
        END IF;
        UPDATE desk.limit_states s SET measured = m.after, allowed = m.allowed, unit = m.unit, watched_at = now_at
         WHERE s.limit_key = watched AND (s.measured, s.allowed) IS DISTINCT FROM (m.after, m.allowed);
        RETURN false;
    END IF;

    INSERT INTO desk.limit_states AS s (limit_key, state, measured, allowed, unit, raised_at_value, since, watched_at)
    VALUES (watched, now_is, m.after, m.allowed, m.unit, CASE WHEN now_is IN ('warning', 'breach', 'unknown') THEN coalesce(m.after, 0) END, now_at, now_at)
    ON CONFLICT ON CONSTRAINT limit_states_pkey DO UPDATE
        SET state = EXCLUDED.state, measured = EXCLUDED.measured, allowed = EXCLUDED.allowed, unit = EXCLUDED.unit, watched_at = now_at,
            raised_at_value = coalesce(EXCLUDED.raised_at_value, s.raised_at_value),
            since = CASE WHEN s.state = EXCLUDED.state THEN s.since ELSE now_at END;
    IF now_is = 'ok' THEN
        RETURN known.state IS NOT NULL;
    END IF;
    severity := CASE WHEN now_is = 'warning' THEN 'warning' WHEN now_is = 'breach' AND m.is_loss THEN 'emergency' ELSE 'critical' END;
    why := CASE WHEN now_is = 'unknown' THEN (desk.limit_fault(m, false)).message
                ELSE format('%s%s: %s of %s (%s).', coalesce(p_name || ', ', ''), replace(m.limit_type, '_', ' '),
                            desk.measured_text(m.after, m.unit), desk.measured_text(m.allowed, m.unit), now_is) END;
    PERFORM desk.raise_event(account, CASE now_is WHEN 'warning' THEN 'limit_warning' WHEN 'breach' THEN 'limit_breach' ELSE 'limit_not_judged' END,
        severity, 'sentinel', m.limit_type, m.after, m.allowed, 'limit:' || watched, NULL, NULL, m.limit_id,
        jsonb_build_object('message', why, 'unit', m.unit, 'state', now_is));
    -- A loss that reached its limit ends new risk until a risk officer says otherwise.
    IF now_is = 'breach' AND m.is_loss AND account IS NOT NULL AND o.status IN ('active', 'risk_halt') THEN
        PERFORM desk.halt_for_loss(account, why); -- in 0022: a new day may end it
    END IF;
    RETURN true;
END $$;

-- Measures every live limit and every account's own loss rules, once, and says how many changed their
-- standing. For the sentinel: one at a time, a second caller has nothing to do.
CREATE OR REPLACE FUNCTION desk.watch_limits() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    watched  record;
    o        desk.order_draft;
    m        desk.limit_measure;
    together uuid[] := '{}';   -- limits over several accounts: once is enough
    changed  integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:watch', 0)) THEN
        RETURN 0;
    END IF;
    FOR watched IN
        SELECT a.account_id, NULL::text AS instrument, a.account_name FROM accounts a WHERE a.status <> 'closed'
        UNION ALL
        SELECT coalesce(l.account_id, (SELECT min(a.account_id::text)::uuid FROM accounts a)), l.scope_identifier, NULL
          FROM risk_limits l JOIN desk.limit_types k USING (limit_type)
         WHERE l.is_active AND l.limit_scope = 'instrument' AND k.live
         GROUP BY 1, 2
        ORDER BY 1, 2
    LOOP
        o := desk.draft_order(watched.account_id, watched.instrument, NULL, NULL, NULL, NULL, NULL, NULL);
        CONTINUE WHEN o.account_id IS NULL;
        FOREACH m IN ARRAY desk.measure_limits(o, true, together) || CASE WHEN watched.instrument IS NULL THEN desk.account_rules(o) ELSE '{}' END LOOP
            CONTINUE WHEN (m.scope = 'instrument') <> (watched.instrument IS NOT NULL);
            IF m.scope IN ('portfolio', 'system') OR (m.scope = 'instrument' AND NOT EXISTS (
                    SELECT FROM risk_limits l WHERE l.limit_id = m.limit_id AND l.account_id IS NOT NULL)) THEN
                CONTINUE WHEN m.limit_id = ANY (together);
                together := together || m.limit_id;
                changed := changed + desk.watch_one(o, m, true, coalesce(watched.instrument, m.scope))::integer;
            ELSE
                changed := changed + desk.watch_one(o, m, false, o.account_name)::integer;
            END IF;
        END LOOP;
    END LOOP;
    RETURN changed;
END $$;

-- ---- the audit chain --------------------------------------------------------------------------

ALTER TABLE desk.audit_head
    ADD COLUMN IF NOT EXISTS prev_hash bytea,    -- of the line that moved the head here
    ADD COLUMN IF NOT EXISTS at timestamptz;     -- of that line

-- The hash of one line. Fields are joined with their lengths, so that no two lines read the same.
CREATE OR REPLACE FUNCTION desk.audit_hash(p_prev bytea, p_seq bigint, p_at timestamptz, p_actor text, p_verb text,
    p_key uuid, p_outcome text, p_code text, p_subject uuid, p_payload jsonb) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sha256(p_prev || convert_to(string_agg(length(f.field) || ':' || f.field || ',', '' ORDER BY f.n), 'UTF8'))
              FROM unnest(ARRAY[p_seq::text, desk.stamp(p_at), p_actor, p_verb, coalesce(p_key::text, ''), p_outcome,
                                coalesce(p_code, ''), coalesce(p_subject::text, ''), p_payload::text]) WITH ORDINALITY AS f (field, n));
END $$;

-- The number comes from the head, which stays locked until commit: an identity column is drawn before
-- the lock, and concurrent writers would chain out of order. Last in every verb, so the wait is short.
-- A time is from before that wait; it never lies before that of the line it follows.
CREATE OR REPLACE FUNCTION desk.audit(p_verb text, p_key uuid, p_verdict desk.verdict, p_payload jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    head    desk.audit_head%ROWTYPE;
    written timestamptz := clock_timestamp();
    payload jsonb := coalesce(p_payload, '{}');
BEGIN
    UPDATE desk.audit_head h
       SET seq = h.seq + 1, prev_hash = h.hash, at = greatest(written, h.at),
           hash = desk.audit_hash(h.hash, h.seq + 1, greatest(written, h.at), session_user::text, p_verb, p_key, p_verdict.outcome, p_verdict.code,
                                  p_verdict.subject, payload)
    RETURNING * INTO head;
    INSERT INTO desk.audit_log VALUES (head.seq, head.at, session_user, p_verb, p_key, p_verdict.outcome, p_verdict.code,
        p_verdict.subject, payload, head.prev_hash, head.hash);
END $$;

-- Walks the chain and answers with the first line that does not fit, or with no row if all do. The head is
-- the last line: it was written with it.
CREATE OR REPLACE FUNCTION desk.audit_verify(OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH line AS (
        SELECT a.*, lag(a.seq, 1, 0::bigint) OVER w AS seq_before, lag(a.hash, 1, sha256('tmt')) OVER w AS hash_before
          FROM desk.audit_log a WINDOW w AS (ORDER BY a.seq)
    ), last_line AS (
        SELECT coalesce(max(l.seq), 0) AS seq, coalesce((array_agg(l.hash ORDER BY l.seq DESC))[1], sha256('tmt')) AS hash FROM line l
    ), verdict AS (
        SELECT seq, CASE
            WHEN seq <> seq_before + 1 THEN 'lines before this one are missing'
            WHEN prev_hash <> hash_before THEN 'does not follow the line before it'
            WHEN hash <> desk.audit_hash(prev_hash, seq, at, actor, verb, key, outcome, code, subject, payload)
                THEN 'was changed after it was written'
        END AS reason FROM line
        UNION ALL
        SELECT greatest(h.seq, l.seq), CASE
            WHEN h.seq > l.seq THEN 'the chain ends before its head: lines at its end are missing'
            WHEN h.seq < l.seq THEN 'stands after the head of the chain'
            WHEN h.hash <> l.hash THEN 'is not what the head of the chain says' END
          FROM desk.audit_head h, last_line l
    )
    SELECT seq, reason FROM verdict WHERE reason IS NOT NULL ORDER BY seq LIMIT 1
$$;

-- The chain against a head that was written down elsewhere: a tail that was cut, with its head moved
-- back, fits in itself, but no longer reaches what was exported.
CREATE OR REPLACE FUNCTION desk.audit_verify(p_seq bigint, p_hash bytea, OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT v.bad_seq, v.reason
      FROM (SELECT * FROM desk.audit_verify()
            UNION ALL
            SELECT p_seq, CASE WHEN l.seq IS NULL THEN 'the chain ends before the head that was exported'
                               ELSE 'the line that was exported as the head is another one now' END
              FROM (SELECT 1) AS always LEFT JOIN desk.audit_log l ON l.seq = p_seq
             WHERE p_seq > 0 AND l.hash IS DISTINCT FROM p_hash) AS v
     ORDER BY v.bad_seq LIMIT 1
$$;

REVOKE ALL ON FUNCTION desk.create_limit(uuid, bytea, timestamptz, uuid, text, text, text, numeric, text, numeric, timestamptz, jsonb, text),
    desk.retire_limit(uuid, bytea, timestamptz, uuid, timestamptz, text), desk.limit_impact(uuid, numeric), desk.watch_limits(),
    desk.audit_verify(bigint, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.limit_impact(uuid, numeric), desk.audit_verify(bigint, bytea) TO tmt_viewer;
GRANT EXECUTE ON FUNCTION
    desk.create_limit(uuid, bytea, timestamptz, uuid, text, text, text, numeric, text, numeric, timestamptz, jsonb, text),
    desk.retire_limit(uuid, bytea, timestamptz, uuid, timestamptz, text) TO tmt_risk_officer;
GRANT EXECUTE ON FUNCTION desk.watch_limits() TO tmt_agent, tmt_admin;

-- ---- keys that belong to others ---------------------------------------------------------------

-- First statement of every verb. Answers with the verdict to return, or with an outcome of NULL where
-- the key is new and the verb shall go on. What it refuses is a line of the audit like any refusal;
-- a repeat that gets its first answer again is not.
--
-- The INSERT waits for another session that holds the same key; what it left is read by a statement of
-- its own, because the INSERT's snapshot is from before the wait.
CREATE OR REPLACE FUNCTION desk.claim(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_verb text)
RETURNS desk.verdict LANGUAGE plpgsql AS $$
DECLARE
    known  desk.requests%ROWTYPE;
    answer desk.verdict;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        answer := desk.refused('KEY_MISSING', 'A write needs a key and the fingerprint of what was reviewed.');
        PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    INSERT INTO desk.requests (key, fingerprint, actor, verb, received_at)
    VALUES (p_key, p_fingerprint, session_user, p_verb, clock_timestamp())
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        -- The database's clock decides, so that a ticket that lay around cannot fire late.
        IF p_valid_until < clock_timestamp() THEN
            answer := desk.refused('EXPIRED_REQUEST', format('This request was valid until %s and came too late. '
                'Review it again.', desk.stamp(p_valid_until)));
            RETURN desk.settle(p_key, p_verb, answer, '{}');
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO known FROM desk.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        answer := desk.refused('KEY_REUSED', 'This key was used before, for something else.');
    ELSIF known.verb = 'void' THEN
        answer := desk.refused('FENCED', 'This request was given up before it arrived. Nothing was done.');
    ELSE
        RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
                   known.subject, known.detail)::desk.verdict;
    END IF;
    PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
    RETURN answer;
END $$;

-- The final answer about a write whose reply was lost. Waits for the original if it is still under way;
-- if it never arrived, its key is fenced, and it can never be executed later.
CREATE OR REPLACE FUNCTION desk.resolve_outcome(p_key uuid, p_fingerprint bytea) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known desk.requests%ROWTYPE;
    answer desk.verdict;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        answer := desk.refused('KEY_MISSING', 'A write is found by its key and its fingerprint.');
        PERFORM desk.audit('resolve_outcome', p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    answer := desk.refused('NOT_EXECUTED', 'This request never arrived. Nothing was done, and nothing will be.');
    INSERT INTO desk.requests (key, fingerprint, actor, verb, received_at)
    VALUES (p_key, p_fingerprint, session_user, 'void', clock_timestamp())
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        RETURN desk.settle(p_key, 'resolve_outcome', answer, '{}');
    END IF;
    SELECT * INTO known FROM desk.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        answer := desk.refused('KEY_REUSED', 'This key belongs to another request.');
        PERFORM desk.audit('resolve_outcome', p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
               known.subject, known.detail)::desk.verdict;
END $$;

-- ---- notes of changes -------------------------------------------------------------------------

-- One statement per note instead of three: nearly every write has three of them.
DO $$
DECLARE
    watched record;
BEGIN
    FOR watched IN
        SELECT * FROM (VALUES ('accounts', 'account_id'), ('positions', 'position_id'), ('trades', 'trade_id'),
                              ('signals', 'signal_id'), ('risk_events', 'event_id'), ('risk_limits', 'limit_id'),
                              ('trading_halts', 'halt_id'), ('agents', 'agent_id'), ('instruments', 'instrument')) AS t (kind, key)
    LOOP
        -- An UPDATE that changes nothing (a lock) is not a change. More rows than a console would read one
        -- by one are noted as "read the whole pane".
        EXECUTE format($body$
            CREATE OR REPLACE FUNCTION desk.note_%1$s() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $fn$
            BEGIN
                IF TG_OP = 'UPDATE' THEN
                    INSERT INTO desk.change_log (xid, kind, id, at)
                    -- Many rows are not compared: a session plans this join once, for the few rows of its first UPDATE.
                    SELECT pg_current_xact_id(), %3$L, n.%2$I::text, clock_timestamp()
                      FROM new_rows n LEFT JOIN old_rows o USING (%2$I)
                     WHERE (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 501) many) <= 500 AND o.* IS DISTINCT FROM n.*
                    UNION ALL SELECT pg_current_xact_id(), %3$L, NULL, clock_timestamp() FROM (SELECT FROM new_rows OFFSET 500 LIMIT 1) more;
                ELSIF TG_OP = 'INSERT' THEN
                    INSERT INTO desk.change_log (xid, kind, id, at)
                    SELECT pg_current_xact_id(), %3$L, c.id, clock_timestamp()
                      FROM (SELECT n.%2$I::text AS id, count(*) OVER () AS n FROM (SELECT %2$I FROM new_rows LIMIT 501) n) c WHERE c.n <= 500
                    UNION ALL SELECT pg_current_xact_id(), %3$L, NULL, clock_timestamp() FROM (SELECT FROM new_rows OFFSET 500 LIMIT 1) more;
                ELSE
                    INSERT INTO desk.change_log (xid, kind, id, at)
                    SELECT pg_current_xact_id(), %3$L, c.id, clock_timestamp()
                      FROM (SELECT o.%2$I::text AS id, count(*) OVER () AS n FROM (SELECT %2$I FROM old_rows LIMIT 501) o) c WHERE c.n <= 500
                    UNION ALL SELECT pg_current_xact_id(), %3$L, NULL, clock_timestamp() FROM (SELECT FROM old_rows OFFSET 500 LIMIT 1) more;
                END IF;
                RETURN NULL;
            END $fn$ $body$, watched.kind, watched.key, watched.kind);
    END LOOP;
END $$;
