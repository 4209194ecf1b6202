-- What is said before a write: what stands in the way of other levels of a position, and whom a limit
-- would bind that is not there yet. The same functions decide when it is written.
SET LOCAL ROLE tmt_owner;

-- ---- stops and targets ------------------------------------------------------------------------

-- What stands in the way of other levels for a position, in the order in which it decides. A tighter stop
-- is less risk and always possible; a wider one, or none, is judged as new risk. A level is compared with
-- the market only if it changes: an old stop that the market has passed must not keep the target from
-- being moved.
CREATE OR REPLACE FUNCTION desk.amend_checks(p_position uuid, p_stop numeric, p_target numeric, p_trailing numeric)
RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    held  positions%ROWTYPE;
    o     desk.order_draft;
    mark  numeric;
    line  desk.check_result;
    wider boolean;
BEGIN
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position;
    -- As an order of its size: what the market and the instrument say is then said in the same words.
    o := desk.draft_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
        held.total_size, held.average_entry_price, p_stop, p_target, NULL);
    mark := coalesce(CASE o.direction WHEN 1 THEN o.bid ELSE o.ask END, held.current_price);
    wider := desk.amend_widens(held, p_stop, p_trailing);
    FOR line IN
        SELECT (desk.price_fault(o, w.what, w.price)).* FROM (VALUES ('stop', p_stop), ('target', p_target), ('trailing distance', p_trailing)) w (what, price)
        UNION ALL
        SELECT * FROM desk.line('STOP_REQUIRED', 'reject', 'A trade on this desk needs a stop.')
         WHERE p_stop IS NULL AND held.stop_loss IS NOT NULL AND o.settings ->> 'stop_required' = 'true'
        UNION ALL
        SELECT * FROM desk.line('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s the market at %s: it would be hit at once.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'below' ELSE 'above' END, desk.price_text(mark, o.tick_size)),
                NULL, p_stop, mark, 'price')
         WHERE p_stop IS DISTINCT FROM held.stop_loss AND (mark - p_stop) * o.direction <= 0
        UNION ALL
        SELECT * FROM desk.line('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s the market at %s: it would be hit at once.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'above' ELSE 'below' END, desk.price_text(mark, o.tick_size)),
                NULL, p_target, mark, 'price')
         WHERE p_target IS DISTINCT FROM held.take_profit AND (p_target - mark) * o.direction <= 0
        UNION ALL
        SELECT * FROM desk.line('NOT_PERMITTED', 'reject', format('%s may tighten a stop, but not widen it.', session_user))
         WHERE wider AND NOT desk.may('tmt_trader', 'tmt_admin', 'tmt_agent')
    LOOP
        IF line.code IS NOT NULL THEN
            RETURN NEXT line;
        END IF;
    END LOOP;
    IF wider THEN
        RETURN QUERY SELECT * FROM desk.assess_amend(p_position, p_stop) a WHERE a.severity <> 'info';
    END IF;
END $$;

-- Whether other levels risk more than those of a position.
CREATE OR REPLACE FUNCTION desk.amend_widens(p_held positions, p_stop numeric, p_trailing numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((p_stop - p_held.stop_loss) * CASE p_held.position_type WHEN 'LONG' THEN 1 ELSE -1 END < 0,
                    p_held.stop_loss IS NOT NULL AND p_stop IS NULL)
        OR coalesce(p_trailing > p_held.trailing_stop_distance, p_held.trailing_stop_distance IS NOT NULL AND p_trailing IS NULL)
$$;

-- What desk.amend_position would say to these levels now: no row, nothing.
CREATE OR REPLACE FUNCTION desk.preview_amend(p_position uuid, p_stop numeric, p_target numeric, p_trailing numeric)
RETURNS TABLE (ordinal integer, code text, severity text, before numeric, measured numeric, allowed numeric,
               unit text, room numeric, limit_id uuid, message text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.ordinality::integer, a.code, a.severity, a.before, a.measured, a.allowed, a.unit, a.room, a.limit_id, a.message
      FROM desk.amend_checks(p_position, desk.finite(p_stop), desk.finite(p_target), desk.finite(p_trailing)) WITH ORDINALITY AS a
     WHERE EXISTS (SELECT FROM positions p WHERE p.position_id = p_position AND p.status <> 'closed');
END $$;

-- Sets stop, target and trailing distance of a position to what is given; NULL is none.
CREATE OR REPLACE FUNCTION desk.amend_position(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_stop numeric, p_target numeric, p_trailing numeric, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.verdict;
    payload   jsonb := jsonb_build_object('position_id', p_position, 'stop', p_stop::text, 'target', p_target::text,
        'trailing', p_trailing::text, 'reason', p_reason);
    held      positions%ROWTYPE;
    account   accounts%ROWTYPE;
    o         desk.order_draft;
    stop      numeric := desk.finite(p_stop);
    target    numeric := desk.finite(p_target);
    trail     numeric := desk.finite(p_trailing);
    wider     boolean;
    tighter   boolean;
    checked   desk.check_result;
    rejected  desk.check_result;
    notable   jsonb := '[]';
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'amend_position');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- Under the lock of orders: heat and halts are those of now.
    PERFORM desk.lock_account((SELECT p.account_id FROM positions p WHERE p.position_id = p_position));
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    SELECT * INTO account FROM accounts a WHERE a.account_id = held.account_id;
    answer := CASE
        WHEN NOT desk.may('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
            desk.refused('NOT_PERMITTED', format('%s may look but not trade.', session_user))
        WHEN held.position_id IS NULL THEN desk.refused('POSITION_UNKNOWN', 'There is no such position.')
        WHEN held.status = 'closed' THEN desk.refused('POSITION_NOT_OPEN', format('This position was closed %s.',
            coalesce('at ' || to_char(held.closed_at, 'HH24:MI:SS"Z"'), 'before')), p_subject => p_position)
        WHEN account.status = 'closed' AND NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('ACCOUNT_CLOSED', 'The account is closed; a risk officer closes what is left.', p_subject => p_position)
        -- Which must not read as none: that would take the stop away.
        WHEN num_nonnulls(p_stop, p_target, p_trailing) > num_nonnulls(stop, target, trail) THEN
            desk.refused('PRICE_NOT_A_TICK', 'A stop, a target or a trailing distance is not a number.', p_subject => p_position)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.settle(p_key, 'amend_position', answer, payload);
    END IF;

    o := desk.draft_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
        held.total_size, held.average_entry_price, stop, target, NULL);
    wider := desk.amend_widens(held, stop, trail);
    tighter := coalesce((stop - held.stop_loss) * o.direction > 0, held.stop_loss IS NULL AND stop IS NOT NULL)
            OR coalesce(trail < held.trailing_stop_distance, held.trailing_stop_distance IS NULL AND trail IS NOT NULL);
    FOR checked IN SELECT * FROM desk.amend_checks(p_position, stop, target, trail) LOOP
        IF checked.severity = 'reject' AND rejected.code IS NULL THEN
            rejected := checked;
        END IF;
        notable := notable || jsonb_build_object('code', checked.code, 'severity', checked.severity, 'measured', checked.measured::text,
            'allowed', checked.allowed::text, 'unit', checked.unit, 'limit_id', checked.limit_id, 'message', checked.message);
    END LOOP;
    IF rejected.code IS NOT NULL THEN
        RETURN desk.settle(p_key, 'amend_position', desk.refused(rejected.code, rejected.message, rejected.measured, rejected.allowed,
            rejected.unit, p_position, jsonb_build_object('checks', notable)), payload);
    ELSIF notable <> '[]' AND nullif(btrim(p_reason), '') IS NULL THEN
        RETURN desk.settle(p_key, 'amend_position', desk.refused('CONFIRM_REQUIRED',
            format('%s Give a reason to do it all the same.', notable -> 0 ->> 'message'), p_subject => p_position,
            p_detail => jsonb_build_object('checks', notable, 'confirm', jsonb_path_query_array(notable, '$[*].code'))), payload);
    END IF;

    UPDATE positions p
       SET stop_loss = stop, take_profit = target, trailing_stop_distance = trail, last_updated_at = clock_timestamp()
     WHERE p.position_id = p_position
       AND (p.stop_loss, p.take_profit, p.trailing_stop_distance) IS DISTINCT FROM (stop, target, trail);
    UPDATE trades t SET stop_loss = stop, take_profit = target
      FROM unnest(desk.open_trades(held, clock_timestamp())) live
     WHERE t.trade_id = live.trade_id AND t.entry_time = live.entry_time
       AND (t.stop_loss, t.take_profit) IS DISTINCT FROM (stop, target);
    answer := desk.accepted(p_position, format('%s %s: stop %s, target %s%s.', held.instrument, lower(held.position_type),
            coalesce(desk.price_text(stop, o.tick_size), 'none'), coalesce(desk.price_text(target, o.tick_size), 'none'),
            coalesce(', trailing by ' || desk.price_text(trail, o.tick_size), '')),
        CASE WHEN wider THEN 'WIDENED' WHEN tighter THEN 'TIGHTENED'
             WHEN target IS NOT DISTINCT FROM held.take_profit THEN 'UNCHANGED' END,
        jsonb_build_object('stop', stop::text, 'target', target::text, 'trailing', trail::text,
            'before', jsonb_build_object('stop', held.stop_loss::text, 'target', held.take_profit::text,
                'trailing', held.trailing_stop_distance::text)) || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.settle(p_key, 'amend_position', answer, payload);
END $$;

-- ---- limits that are not there yet ------------------------------------------------------------

-- A limit as it would be stored, or why it cannot be.
CREATE OR REPLACE FUNCTION desk.draft_limit(p_account uuid, p_type text, p_scope text, p_identifier text, p_value numeric, p_unit text,
    p_warning numeric, p_until timestamptz, p_parameters jsonb, OUT fresh risk_limits, OUT answer desk.verdict)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind    desk.limit_types%ROWTYPE;
    value   numeric := round(desk.finite(p_value), 4);
    unit    text := btrim(p_unit);
BEGIN
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
        WHEN value IS NULL OR value <= 0 OR value >= 100000000000 OR (unit = 'count' AND value <> trunc(value)) THEN
            desk.refused('LIMIT_VALUE_INVALID', CASE WHEN value >= 100000000000 THEN 'A limit is less than 100,000,000,000.'
                WHEN value > 0 THEN 'A number of things is a whole number.'
                ELSE 'A limit is more than zero. To stop trading altogether, halt it.' END, value, NULL, unit)
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
        WHEN EXISTS (SELECT FROM risk_limits l
                      WHERE l.is_active AND coalesce(l.effective_until, 'infinity') > clock_timestamp()
                        AND (l.limit_type, l.limit_scope, l.limit_value, l.limit_unit, l.parameters)
                            = (kind.limit_type, fresh.limit_scope, value, unit, coalesce(p_parameters, '{}'))
                        AND (l.account_id, l.scope_identifier, l.warning_threshold, l.effective_until)
                            IS NOT DISTINCT FROM (p_account, fresh.scope_identifier, round(desk.finite(p_warning), 4), p_until)) THEN
            desk.refused('LIMIT_EXISTS', 'There is this very limit already. Change that one, if it shall be another.', value, NULL, unit)
    END;
    fresh.account_id := p_account;
    fresh.limit_type := kind.limit_type;
    fresh.limit_value := value;
    fresh.limit_unit := unit;
    fresh.warning_threshold := round(desk.finite(p_warning), 4);
    fresh.effective_until := p_until;
    fresh.parameters := coalesce(p_parameters, '{}');
END $$;

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
    drafted record;
    fresh   risk_limits%ROWTYPE;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'create_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF desk.may('tmt_risk_officer', 'tmt_admin') THEN
        SELECT * INTO drafted
          FROM desk.draft_limit(p_account, p_type, p_scope, p_identifier, p_value, p_unit, p_warning, p_until, p_parameters);
        fresh := drafted.fresh;
        answer := drafted.answer;
    ELSE
        answer := desk.refused('NOT_PERMITTED', format('%s may not change limits.', session_user));
    END IF;
    IF answer.outcome IS NULL THEN
        PERFORM desk.lock_limit(fresh);
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            is_active, created_by, effective_from, effective_until, change_reason, parameters)
        VALUES (fresh.account_id, fresh.limit_type, fresh.limit_scope, fresh.scope_identifier, fresh.limit_value, fresh.limit_unit,
            fresh.warning_threshold, true, session_user, clock_timestamp(), p_until, nullif(btrim(p_reason), ''), fresh.parameters)
        RETURNING * INTO fresh;
        PERFORM desk.raise_event(p_account, 'limit_changed', 'info', 'desk', fresh.limit_type, fresh.limit_value, NULL, 'limit_changed:' || fresh.limit_id,
            NULL, NULL, fresh.limit_id, jsonb_build_object('message', format('%s: new, %s', desk.limit_words(fresh),
                desk.measured_text(fresh.limit_value, fresh.limit_unit)), 'actor', session_user, 'reason', p_reason));
        answer := desk.accepted(fresh.limit_id, format('%s: %s from now on.', desk.limit_words(fresh), desk.measured_text(fresh.limit_value, fresh.limit_unit)),
            CASE WHEN fresh.limit_unit = 'percentage' AND fresh.limit_value <= 1 THEN 'PERCENTAGE_LOOKS_LIKE_FRACTION' ELSE 'TIGHTENED' END);
    END IF;
    RETURN desk.settle(p_key, 'create_limit', answer, payload);
END $$;

-- Whom a limit binds, and how each would stand under another value; under its own where none is given. Of a
-- proposal: the limit that it would succeed. What is judged only before a trade (a count of positions, a size)
-- stands at what it would find: from there on nothing more is possible. What an order alone decides stands
-- nowhere, and nobody is named.
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
    watched boolean;
    sized   boolean;
    one     record;
    stands  numeric;
BEGIN
    SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = p_limit;
    IF limited.limit_id IS NULL THEN
        RETURN;
    END IF;
    IF NOT limited.is_active AND limited.supersedes_limit_id IS NOT NULL THEN
        wanted := coalesce(wanted, limited.limit_value);
        SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = limited.supersedes_limit_id;
    END IF;
    watched := coalesce((SELECT k.live FROM desk.limit_types k WHERE k.limit_type = limited.limit_type), false);
    -- A size is that of one account in one instrument, whatever the limit spans.
    sized := limited.limit_type = 'max_position_size';
    wide := limited.limit_scope <> 'account' AND limited.account_id IS NULL AND NOT sized;
    factor := coalesce(wanted, limited.limit_value) / limited.limit_value;
    FOR one IN
        SELECT a.account_id, h.instrument
          FROM accounts a
          LEFT JOIN desk.account_books h ON sized AND h.account_id = a.account_id AND h.net <> 0
                AND (limited.limit_scope <> 'instrument' OR h.instrument = limited.scope_identifier)
         WHERE a.account_id = ANY (desk.accounts_in_scope(limited.limit_scope,
                   coalesce(limited.account_id, (SELECT n.account_id FROM accounts n WHERE limited.limit_scope = 'account' AND n.account_id::text = lower(btrim(limited.scope_identifier)))),
                   limited.scope_identifier, NULL))
            OR (limited.limit_scope = 'account' AND limited.account_id IS NULL AND limited.scope_identifier IS NULL)
         ORDER BY a.account_name, h.instrument
    LOOP
        o := desk.draft_order(one.account_id, coalesce(one.instrument, CASE WHEN limited.limit_scope = 'instrument' THEN limited.scope_identifier END),
                              NULL, NULL, NULL, NULL, NULL, NULL);
        FOREACH m IN ARRAY desk.measure_limits(o, watched) LOOP
            stands := CASE WHEN watched THEN m.after ELSE m.before END;
            CONTINUE WHEN m.limit_id <> limited.limit_id OR (NOT watched AND stands IS NULL);
            account_id := CASE WHEN wide THEN NULL ELSE o.account_id END;
            account_name := CASE WHEN wide THEN coalesce(limited.scope_identifier, limited.limit_scope)
                                 ELSE concat_ws(' ', o.account_name, CASE WHEN sized THEN one.instrument END) END;
            measured := round(stands, 4);
            allowed := round(m.allowed * factor, 4);
            unit := m.unit;
            room := CASE WHEN m.is_minimum THEN measured - allowed ELSE allowed - measured END;
            state := desk.limit_state_after('ok', stands, m.allowed * factor, m.warned * factor, m.inclusive, m.is_minimum);
            RETURN NEXT;
        END LOOP;
        EXIT WHEN wide;
    END LOOP;
END $$;

-- How everybody whom a limit would govern stands, if it were added: what desk.limit_impact says of one that
-- is there. So the limit is put there, asked about, and taken back: nobody else ever sees it, and nothing
-- of it is left. A limit that cannot be is an error in the words of its refusal.
CREATE OR REPLACE FUNCTION desk.limit_preview(p_account uuid, p_type text, p_scope text, p_identifier text, p_value numeric, p_unit text,
    p_warning numeric, p_parameters jsonb)
RETURNS TABLE (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    drafted record;
    fresh   risk_limits%ROWTYPE;
    tried   uuid := gen_random_uuid();
    found   jsonb;
BEGIN
    SELECT * INTO drafted FROM desk.draft_limit(p_account, p_type, p_scope, p_identifier, p_value, p_unit, p_warning, NULL, p_parameters);
    fresh := drafted.fresh;
    IF (drafted.answer).outcome IS NOT NULL THEN
        -- The refusal that it would get, with its code.
        RAISE EXCEPTION USING ERRCODE = 'TR030', MESSAGE = (drafted.answer).message, DETAIL = (drafted.answer).code;
    END IF;
    BEGIN
        INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            is_active, created_by, effective_from, parameters)
        VALUES (tried, fresh.account_id, fresh.limit_type, fresh.limit_scope, fresh.scope_identifier, fresh.limit_value, fresh.limit_unit,
            fresh.warning_threshold, true, session_user, clock_timestamp(), fresh.parameters);
        SELECT coalesce(jsonb_agg(to_jsonb(i)), '[]') INTO found FROM desk.limit_impact(tried, NULL) i;
        RAISE triggered_action_exception USING MESSAGE = 'taken back';
    EXCEPTION WHEN triggered_action_exception THEN
        NULL;
    END;
    RETURN QUERY
    SELECT r.account_id, r.account_name, r.measured, r.allowed, r.unit, r.room, r.state
      FROM jsonb_to_recordset(found) AS r (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text);
END $$;

REVOKE ALL ON FUNCTION desk.amend_checks(uuid, numeric, numeric, numeric), desk.amend_widens(positions, numeric, numeric),
    desk.preview_amend(uuid, numeric, numeric, numeric),
    desk.draft_limit(uuid, text, text, text, numeric, text, numeric, timestamptz, jsonb),
    desk.limit_preview(uuid, text, text, text, numeric, text, numeric, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.preview_amend(uuid, numeric, numeric, numeric) TO tmt_viewer;
GRANT EXECUTE ON FUNCTION desk.limit_preview(uuid, text, text, text, numeric, text, numeric, jsonb) TO tmt_risk_officer;
