-- Words that were not right: the risk of a trade whose stop is on the wrong side, levels that an order does not
-- use, and why a value is no limit.
SET LOCAL ROLE tmt_owner;

-- Why a value can be no limit in a unit; NULL if it can.
CREATE OR REPLACE FUNCTION desk.value_fault(p_value numeric, p_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN desk.finite(p_value) IS NULL THEN 'A limit is a number.'
        -- As it would be stored.
        WHEN round(p_value, 4) <= 0 THEN 'A limit is more than zero. To stop trading altogether, halt it.'
        WHEN round(p_value, 4) >= 100000000000 THEN 'A limit is less than 100,000,000,000.'
        WHEN p_unit = 'count' AND p_value <> trunc(p_value) THEN 'A number of things is a whole number.'
    END
$$;

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
        WHEN desk.value_fault(p_value, unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.value_fault(p_value, unit), value, NULL, unit)
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

-- Over what time a type is measured; none where it is at every moment.
ALTER TABLE desk.limit_types ADD COLUMN IF NOT EXISTS time_window text;
UPDATE desk.limit_types k SET time_window = w.time_window
  FROM (VALUES ('max_daily_loss', 'daily'), ('max_weekly_loss', 'weekly'), ('max_monthly_loss', 'monthly'), ('max_daily_trades', 'daily'),
               ('max_consecutive_losses', 'daily'), ('max_orders_per_minute', 'minute'), ('max_loss_per_position', 'position')) AS w (limit_type, time_window)
 WHERE k.limit_type = w.limit_type;

-- What the risk of an order and the limits say about it.
CREATE OR REPLACE FUNCTION desk.judge_risk(o desk.order_draft, p_measures desk.limit_measure[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines  desk.check_result[] := '{}';
    m      desk.limit_measure;
    most   numeric := (o.settings ->> 'max_risk_fraction')::numeric;
    daily  numeric := desk.daily_loss_amount(o.max_daily_loss, o.initial_balance);
    after  numeric;
    at_stop numeric;
    -- What is lost at a stop that the price has passed already is no number, least of all zero.
    passed  boolean := coalesce((o.price - o.stop) * o.direction <= 0, false);
BEGIN
    IF passed THEN
        IF o.is_preview THEN
            lines := lines || desk.line('RISK_UNKNOWN', 'info', 'With its stop at or beyond its price the risk of this trade has no number.');
        END IF;
    ELSIF o.risk IS NULL THEN
        IF o.is_preview THEN
            lines := lines || desk.line('RISK_UNKNOWN', 'info', 'Without a stop and a rate the risk of this trade has no number.');
        END IF;
    ELSIF o.equity <= 0 THEN
        lines := lines || desk.line('NO_EQUITY', 'reject', 'The account has no equity to risk.', NULL, o.equity, 0, o.currency);
    ELSE
        IF o.is_preview THEN
            lines := lines || desk.line('RISK_AMOUNT', 'info', format('%s %s is lost at the stop, %s %% of equity.', desk.amount(o.risk),
                o.currency, round(o.risk / o.equity * 100, 2)), NULL, o.risk, NULL, o.currency);
        END IF;
        IF o.risk / o.equity > most THEN
            lines := lines || desk.line('RISK_PERCENTAGE', 'reject', format('The trade risks %s %% of equity; no trade may risk more than %s %%.',
                round(o.risk / o.equity * 100, 2), desk.plain(most * 100)), NULL, o.risk / o.equity, most, 'fraction');
        ELSIF o.is_preview THEN
            lines := lines || desk.line('RISK_PERCENTAGE', 'info', format('%s %% of equity.', round(o.risk / o.equity * 100, 2)),
                NULL, o.risk / o.equity, most, 'fraction');
        END IF;
    END IF;

    FOREACH m IN ARRAY p_measures LOOP
        IF m.fault IS NULL AND (m.limit_type = 'duplicate_window' OR (m.limit_type = 'max_risk_per_trade' AND passed)) THEN
            CONTINUE;
        ELSIF m.fault IS NOT NULL THEN
            IF o.is_preview OR m.fault <> 'LIMIT_NOT_ENFORCED' OR o.settings ->> 'strict_limits' = 'true' THEN
                lines := lines || desk.limit_fault(m, o.settings ->> 'strict_limits' = 'true');
            END IF;
        ELSIF o.is_preview OR m.breach OR m.over_at_stop THEN
            lines := lines || desk.limit_line(m);
        END IF;
    END LOOP;
    IF o.is_preview THEN
        lines := lines || ARRAY(
            SELECT desk.line('PERCENTAGE_LOOKS_LIKE_FRACTION', 'info', format('The limit %s is %s per cent of equity; was a fraction meant?',
                       l.limit_type, desk.plain(l.limit_value)), NULL, NULL, l.limit_value, 'percentage', l.limit_id)
              FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) l
             WHERE l.limit_unit = 'percentage' AND l.limit_value <= 1);
        lines := lines || ARRAY(
            SELECT desk.line('LIMIT_WINDOW_UNUSED', 'info', format('The limit %s says %s; it is measured %s.', l.limit_type, l.time_window,
                       CASE k.time_window WHEN 'daily' THEN 'by the day' WHEN 'weekly' THEN 'by the week' WHEN 'monthly' THEN 'by the month' WHEN 'minute' THEN 'by the minute'
                            WHEN 'position' THEN 'by position' ELSE 'at every moment' END), NULL, NULL, l.limit_value, l.limit_unit, l.limit_id)
              FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) l JOIN desk.limit_types k USING (limit_type)
             WHERE nullif(lower(btrim(l.time_window)), '') <> coalesce(k.time_window, ''));
    END IF;

    -- Margin of the book with this order; the traded instrument is counted net.
    after := o.margin_used + (abs(o.held + o.direction * o.size) - abs(o.held)) * o.contract_size * o.price * o.fx * o.margin_rate;
    IF after > o.equity THEN
        lines := lines || desk.line('INSUFFICIENT_MARGIN', 'reject', format('Margin would be %s; equity is %s %s.', desk.amount(after),
            desk.amount(o.equity), o.currency), o.margin_used, after, o.equity, o.currency);
    ELSIF after IS NOT NULL AND o.is_preview THEN
        lines := lines || desk.line('MARGIN', 'info', format('Margin %s of %s %s.', desk.amount(after), desk.amount(o.equity), o.currency),
            o.margin_used, after, o.equity, o.currency);
    END IF;

    -- Through the floor: no new risk. Through it if the stop is hit: worth a reason.
    IF daily IS NULL THEN
        lines := lines || desk.line('MAX_DAILY_LOSS', 'reject', format('The account''s daily loss limit is %s, which is no limit. '
            'It has to be corrected first.', desk.plain(o.max_daily_loss)), NULL, NULL, o.max_daily_loss, o.currency);
    END IF;
    FOREACH m IN ARRAY desk.account_rules(o) LOOP
        at_stop := m.after + coalesce(o.risk, 0);
        CONTINUE WHEN NOT (o.is_preview OR m.breach OR at_stop >= m.allowed);
        lines := lines || desk.line(upper(m.limit_type),
            CASE WHEN m.breach THEN 'reject' WHEN at_stop >= m.allowed THEN 'confirm' ELSE 'info' END,
            format('%s is %s of %s %s%s', CASE m.limit_type WHEN 'max_daily_loss' THEN 'Today''s loss' ELSE 'Drawdown' END,
                desk.amount(m.after), desk.amount(m.allowed), o.currency,
                CASE WHEN m.breach THEN ': the limit is reached.'
                     WHEN at_stop >= m.allowed THEN format('; with this trade at its stop it would be %s.', desk.amount(at_stop))
                     ELSE '.' END),
            m.after, at_stop, m.allowed, o.currency);
    END LOOP;
    RETURN lines;
END $$;

-- Every check that applies to an order, in a fixed order. It may be booked if no line is a reject, and
-- without a reason if none is a confirm. In a preview what passes is there too (info), with its numbers.
--
-- An order that only reduces what is held meets no limit, margin, loss or risk check at all.
CREATE OR REPLACE FUNCTION desk.checks(o desk.order_draft) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines    desk.check_result[];
    measures desk.limit_measure[] := '{}';
    -- Nothing can be valued before there is a side, a size and a price.
    opens boolean := coalesce(o.direction IS NOT NULL AND o.size > 0 AND o.price > 0 AND o.opening > 0
                              AND o.size < 1e18 AND o.price < 1e18, false);
BEGIN
    lines := desk.judge_standing(o);
    IF o.account_id IS NULL OR o.instrument IS NULL THEN
        RETURN lines;
    END IF;
    IF opens THEN
        measures := desk.measure_limits(o, false);
    END IF;
    lines := lines || desk.judge_shape(o) || desk.judge_market(o, measures);
    IF opens THEN
        lines := lines || desk.judge_risk(o, measures);
    ELSIF o.is_preview AND o.closing > 0 AND num_nonnulls(o.stop, o.target) > 0 THEN
        lines := lines || desk.line('POSITION_STOP', 'info', 'It only reduces: stop and target of the position stay as they are.');
    END IF;
    IF o.signal_id IS NOT NULL THEN
        lines := lines || desk.judge_signal(o);
    END IF;
    RETURN lines;
END $$;

REVOKE ALL ON FUNCTION desk.value_fault(numeric, text) FROM PUBLIC;
