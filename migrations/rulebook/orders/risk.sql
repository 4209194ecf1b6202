-- Risk checks: risk of the trade, limits, margin, the account's own loss rules.

CREATE FUNCTION desk.check_risk(o desk.order_context, p_measures desk.limit_measurement[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results      desk.check_result[] := '{}';
    m            desk.limit_measurement;
    max_fraction numeric := (o.settings ->> 'max_risk_fraction')::numeric;
    daily        numeric := desk.daily_loss_amount(o.max_daily_loss, o.initial_balance);
    after        numeric;
    at_stop      numeric;
    -- The loss at a stop on the wrong side of the price is undefined, not zero.
    passed       boolean := coalesce((o.price - o.stop) * o.direction <= 0, false);
BEGIN
    IF passed THEN
        IF o.is_preview THEN
            results := results || desk.check_result('RISK_UNKNOWN', 'info', 'Risk undefined: the stop is at or beyond the entry price.');
        END IF;
    ELSIF o.risk IS NULL THEN
        IF o.is_preview THEN
            results := results || desk.check_result('RISK_UNKNOWN', 'info', CASE WHEN o.stop IS NULL THEN 'No stop: unlimited loss.' ELSE 'Risk undefined: no conversion rate.' END);
        END IF;
    ELSIF o.equity <= 0 THEN
        results := results || desk.check_result('NO_EQUITY', 'reject', 'The account has no equity.', NULL, o.equity, 0, o.currency);
    ELSE
        IF o.is_preview THEN
            results := results || desk.check_result('RISK_AMOUNT', 'info', format('Loss at the stop: %s %s, %s %% of equity.', desk.amount_text(o.risk),
                o.currency, round(o.risk / o.equity * 100, 2)), NULL, o.risk, NULL, o.currency);
        END IF;
        IF o.risk / o.equity > max_fraction THEN
            results := results || desk.check_result('RISK_PERCENTAGE', 'reject', format('The trade risks %s %% of equity; the maximum is %s %%.',
                round(o.risk / o.equity * 100, 2), desk.number_text(max_fraction * 100)), NULL, o.risk / o.equity, max_fraction, 'fraction');
        ELSIF o.is_preview THEN
            results := results || desk.check_result('RISK_PERCENTAGE', 'info', format('%s %% of equity.', round(o.risk / o.equity * 100, 2)),
                NULL, o.risk / o.equity, max_fraction, 'fraction');
        END IF;
    END IF;

    FOREACH m IN ARRAY p_measures LOOP
        IF m.fault IS NULL AND (m.limit_type = 'duplicate_window' OR (m.limit_type = 'max_risk_per_trade' AND passed)) THEN
            CONTINUE;
        ELSIF m.fault IS NOT NULL THEN
            IF o.is_preview OR m.fault <> 'LIMIT_NOT_ENFORCED' OR o.settings ->> 'strict_limits' = 'true' THEN
                results := results || desk.limit_fault(m, o.settings ->> 'strict_limits' = 'true');
            END IF;
        ELSIF o.is_preview OR m.breach OR m.breach_at_stop THEN
            results := results || desk.limit_check(m);
        END IF;
    END LOOP;
    IF o.is_preview THEN
        results := results || ARRAY(
            SELECT desk.check_result('PERCENTAGE_LOOKS_LIKE_FRACTION', 'info', format('The limit %s is %s percent of equity. Did you mean a fraction?',
                       l.limit_type, desk.number_text(l.limit_value)), NULL, NULL, l.limit_value, 'percentage', l.limit_id)
              FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) l
             WHERE l.limit_unit = 'percentage' AND l.limit_value <= 1);
        results := results || ARRAY(
            SELECT desk.check_result('LIMIT_WINDOW_UNUSED', 'info', format('The limit %s ignores its time window, %s: it is measured %s.', l.limit_type, l.time_window,
                       CASE k.time_window WHEN 'daily' THEN 'per day' WHEN 'weekly' THEN 'per week' WHEN 'monthly' THEN 'per month' WHEN 'minute' THEN 'per minute'
                            WHEN 'position' THEN 'per position' ELSE 'continuously' END), NULL, NULL, l.limit_value, l.limit_unit, l.limit_id)
              FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) l JOIN tmt.limit_types k USING (limit_type)
             WHERE nullif(lower(btrim(l.time_window)), '') <> coalesce(k.time_window, ''));
    END IF;

    -- Margin of the account with this order; the traded instrument counts net.
    after := o.margin_used + (abs(o.held + o.direction * o.size) - abs(o.held)) * o.contract_size * o.price * o.fx * o.margin_rate;
    IF after > o.equity THEN
        results := results || desk.check_result('INSUFFICIENT_MARGIN', 'reject', format('Margin would be %s; equity is %s %s.', desk.amount_text(after),
            desk.amount_text(o.equity), o.currency), o.margin_used, after, o.equity, o.currency);
    ELSIF after IS NOT NULL AND o.is_preview THEN
        results := results || desk.check_result('MARGIN', 'info', format('Margin used %s of equity %s %s.', desk.amount_text(after), desk.amount_text(o.equity), o.currency),
            o.margin_used, after, o.equity, o.currency);
    END IF;

    -- A loss limit that is reached refuses new risk; one that would be reached at the stop needs a reason.
    IF daily IS NULL THEN
        results := results || desk.check_result('MAX_DAILY_LOSS', 'reject', format('The account''s max_daily_loss is %s; it must be above zero. '
            'Correct it first.', desk.number_text(o.max_daily_loss)), NULL, NULL, o.max_daily_loss, o.currency);
    END IF;
    FOREACH m IN ARRAY desk.account_rules(o) LOOP
        at_stop := m.after + coalesce(o.risk, 0);
        CONTINUE WHEN NOT (o.is_preview OR m.breach OR at_stop >= m.allowed);
        results := results || desk.check_result(upper(m.limit_type),
            CASE WHEN m.breach THEN 'reject' WHEN at_stop >= m.allowed THEN 'confirm' ELSE 'info' END,
            format('%s is %s of %s %s%s', CASE m.limit_type WHEN 'max_daily_loss' THEN 'Today''s loss' ELSE 'Drawdown' END,
                desk.amount_text(m.after), desk.amount_text(m.allowed), o.currency,
                CASE WHEN m.breach THEN ': the limit is reached.'
                     WHEN at_stop >= m.allowed THEN format('; at the stop it would be %s.', desk.amount_text(at_stop))
                     ELSE '.' END),
            m.after, at_stop, m.allowed, o.currency);
    END LOOP;
    RETURN results;
END $$;

-- The account's own rules: its columns max_daily_loss and max_total_drawdown. How they are measured is in
-- accounts.metadata -> 'risk_rules': {"daily": {"base", "inclusive"}, "drawdown": {"trailing", "lock", "inclusive"}}.
-- By default the base is equity, the floor is static, and reaching the limit is a breach.
CREATE FUNCTION desk.account_rules(o desk.order_context) RETURNS desk.limit_measurement[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rules desk.limit_measurement[] := '{}';
    m     desk.limit_measurement;
    rule  jsonb;
BEGIN
    m.scope := 'account';
    m.unit := o.currency;
    m.is_loss := true;
    FOR step IN 1 .. 2 LOOP
        rule := o.risk_rules -> CASE step WHEN 1 THEN 'daily' ELSE 'drawdown' END;
        m.limit_type := CASE step WHEN 1 THEN 'max_daily_loss' ELSE 'max_drawdown' END;
        m.allowed := CASE step WHEN 1 THEN desk.daily_loss_amount(o.max_daily_loss, o.initial_balance)
                               ELSE o.max_total_drawdown * o.initial_balance END;
        CONTINUE WHEN m.allowed IS NULL;
        m.inclusive := rule ->> 'inclusive' IS DISTINCT FROM 'false';
        -- The loss: the distance of equity from the base of the floor.
        m.after := m.allowed - o.equity + CASE step
            WHEN 1 THEN desk.day_floor(jsonb_build_object('base', rule ->> 'base', 'amount', m.allowed), o.initial_balance, o.day_balance, o.day_base)
            ELSE desk.drawdown_floor(coalesce('trailing_' || (rule ->> 'trailing'), 'static'), m.allowed, o.initial_balance, o.peak_balance,
                     o.peak_equity, CASE WHEN rule ->> 'lock' = 'initial' THEN o.initial_balance ELSE desk.parse_number(rule ->> 'lock') END) END;
        m.before := m.after;
        m.warning := desk.warning_level(m.allowed, NULL, false);
        m.breach := CASE WHEN m.inclusive THEN m.after >= m.allowed ELSE m.after > m.allowed END;
        rules := rules || m;
    END LOOP;
    RETURN rules;
END $$;

-- The check result of a limit that was measured.
CREATE FUNCTION desk.limit_check(m desk.limit_measurement) RETURNS desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind tmt.limit_types%ROWTYPE;
    subject text;
    result desk.check_result;
BEGIN
    SELECT * INTO kind FROM tmt.limit_types k WHERE k.limit_type = m.limit_type;
    subject := CASE WHEN m.limit_type = 'max_currency_exposure' AND m.hint IS NOT NULL THEN 'Exposure to ' || m.hint ELSE kind.label END;
    result := CASE
        WHEN m.limit_type = 'trading_hours' THEN
            CASE WHEN m.breach THEN desk.check_result('OUTSIDE_TRADING_HOURS', 'reject', format('Outside the trading hours of a limit on the %s.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.check_result('OUTSIDE_TRADING_HOURS', 'info', 'Within trading hours.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.limit_type = 'restricted_instrument' THEN
            CASE WHEN m.breach THEN desk.check_result('RESTRICTED_INSTRUMENT', 'reject', format('A limit on the %s allows no new risk in this instrument.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.check_result('RESTRICTED_INSTRUMENT', 'info', 'Not restricted.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.breach THEN desk.check_result(upper(m.limit_type), 'reject', format('%s %s %s; the %s %s is %s.', subject,
            CASE WHEN m.is_loss OR m.limit_type IN ('max_spread', 'max_price_age', 'max_order_size', 'max_order_value', 'price_collar', 'min_stop_distance',
                 'max_stop_distance', 'min_risk_reward', 'max_risk_per_trade') THEN 'is' ELSE 'would be' END,
            desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), m.scope, CASE WHEN m.is_minimum THEN 'minimum' ELSE 'limit' END, desk.measured_text(m.allowed, m.unit)),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
        WHEN m.breach_at_stop THEN desk.check_result(upper(m.limit_type), 'confirm', format('%s is %s of %s; at the stop the limit would be reached.',
            subject, desk.measured_text(m.before, m.unit), desk.measured_text(m.allowed, m.unit)), m.before, m.after, m.allowed, m.unit, m.limit_id)
        ELSE desk.check_result(upper(m.limit_type), 'info', format('%s %s of %s%s', subject, desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), desk.measured_text(m.allowed, m.unit),
            CASE WHEN NOT m.is_minimum AND m.after >= m.warning THEN ': above its warning level.'
                 WHEN m.is_minimum AND m.after <= m.warning THEN ': below its warning level.' ELSE '.' END),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
    END;
    -- The room of a minimum is above it.
    IF m.is_minimum THEN
        result.room := -result.room;
    END IF;
    RETURN result;
END $$;

-- The check result of a limit that could not be measured. It refuses: unknown is not allowed.
CREATE FUNCTION desk.limit_fault(m desk.limit_measurement, p_strict boolean) RETURNS desk.check_result
LANGUAGE sql STABLE AS $$
    SELECT CASE m.fault
        WHEN 'LIMIT_NOT_ENFORCED' THEN desk.check_result('LIMIT_NOT_ENFORCED', CASE WHEN p_strict THEN 'reject' ELSE 'info' END,
            CASE WHEN m.hint IS NULL THEN format('The limit %s on %s is NOT ENFORCED by this version.', m.limit_type, m.scope)
                 ELSE format('The limit %s on %s %s is NOT ENFORCED: no such %s.', m.limit_type, m.scope, m.hint, m.scope) END, NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_UNIT_UNKNOWN' THEN desk.check_result('LIMIT_UNIT_UNKNOWN', 'reject', format('The limit %s has an invalid unit: %s. '
            'A risk officer must correct it.', m.limit_type, m.unit), NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_PARAMETERS_INVALID' THEN desk.check_result('LIMIT_PARAMETERS_INVALID', 'reject', format('The limit %s has invalid parameters. '
            'A risk officer must correct it.', m.limit_type), NULL, NULL, NULL, NULL, m.limit_id)
        ELSE desk.check_result(m.fault, 'reject', format('The limit %s cannot be measured: %s.', m.limit_type, CASE m.fault
            WHEN 'STOP_REQUIRED' THEN 'the trade has no stop'
            WHEN 'TARGET_REQUIRED' THEN 'the trade has no target'
            WHEN 'RISK_UNBOUNDED' THEN 'no stop: unlimited loss'
            WHEN 'PRICE_UNKNOWN' THEN 'no price'
            WHEN 'NO_EQUITY' THEN 'the account has no equity'
            ELSE coalesce(m.hint, 'an instrument') || ' has no price or rate' END), NULL, NULL, m.allowed, m.unit, m.limit_id)
    END
$$;

-- The equity at which the maximum drawdown, an amount, is reached. A trailing floor follows the highest end-of-day
-- balance or the highest equity, and stops rising at p_lock.
CREATE FUNCTION desk.drawdown_floor(p_mode text, p_max_loss numeric, p_initial numeric, p_peak_balance numeric,
    p_peak_equity numeric, p_lock numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(CASE p_mode
                     WHEN 'trailing_eod_balance' THEN greatest(p_initial, p_peak_balance)
                     WHEN 'trailing_intraday_equity' THEN greatest(p_initial, p_peak_equity)
                     ELSE p_initial END - p_max_loss,
                 coalesce(p_lock, 'Infinity'))
$$;

-- The equity at which the daily loss limit is reached. The rule: "base" (balance, equity, higher) minus an "amount", or
-- minus a "fraction" of "of" (initial, day_start).
CREATE FUNCTION desk.day_floor(p_rule jsonb, p_initial numeric, p_balance numeric, p_equity numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    base numeric := CASE p_rule ->> 'base' WHEN 'balance' THEN p_balance WHEN 'higher' THEN greatest(p_balance, p_equity)
                                           ELSE p_equity END;
BEGIN
    RETURN base - coalesce((p_rule ->> 'amount')::numeric,
        (p_rule ->> 'fraction')::numeric * CASE p_rule ->> 'of' WHEN 'day_start' THEN base ELSE p_initial END);
END $$;
