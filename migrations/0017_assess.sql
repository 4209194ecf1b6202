-- Every check of a trade, in one fixed order. The preview while a person types and the verdict under
-- lock are this same code; the verdict only leaves out the words of what passes.
SET LOCAL ROLE tmt_owner;

-- Made anew below, with lists in place of sets: a set of rows costs ten times as much to hand on.
DROP FUNCTION IF EXISTS desk.assess(desk.order_draft), desk.check_person(desk.order_draft), desk.check_standing(desk.order_draft),
    desk.check_instrument(desk.order_draft), desk.check_shape(desk.order_draft), desk.check_market(desk.order_draft),
    desk.check_duplicate(desk.order_draft), desk.check_conversion(desk.order_draft), desk.check_trade_risk(desk.order_draft),
    desk.check_limits(desk.order_draft), desk.check_margin(desk.order_draft), desk.check_loss(desk.order_draft),
    desk.check_signal(desk.order_draft), desk.measure(desk.order_draft, risk_limits, uuid[]),
    desk.exposure(uuid[], text, text, uuid, text, numeric, numeric);

-- A number with its unit, as a sentence has it: 1,000.00 USD, 12 pips, 150 %.
CREATE OR REPLACE FUNCTION desk.measured_text(p_value numeric, p_unit text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN desk.unit_currency(p_unit) IS NOT NULL THEN desk.amount(p_value) || ' ' || p_unit
        WHEN p_unit = 'percentage' THEN desk.plain(round(p_value, 4)) || ' %'
        WHEN p_unit = 'fraction' THEN desk.plain(round(p_value * 100, 4)) || ' %'
        WHEN p_unit IN ('count', 'ratio', 'list') THEN desk.plain(round(p_value, 4))
        WHEN p_unit IN ('units', 'lots') THEN desk.size_text(p_value) || ' ' || p_unit
        WHEN p_unit IN ('pips', 'seconds') THEN desk.plain(round(p_value, 1)) || ' ' || p_unit
        ELSE concat_ws(' ', desk.plain(p_value), p_unit) END
$$;

-- ---- 1, 2, 3: person, halts and status, instrument --------------------------------------------

CREATE OR REPLACE FUNCTION desk.judge_standing(o desk.order_draft) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    halt trading_halts%ROWTYPE;
    reduces boolean := coalesce(o.opening = 0 AND o.closing > 0, false);
    halted boolean := false;
    advice text := CASE WHEN o.net <> 0 THEN ' Only closing is possible.' ELSE '' END;
BEGIN
    IF NOT desk.may('tmt_trader', 'tmt_admin', 'tmt_agent') THEN
        lines := lines || desk.line('NOT_PERMITTED', 'reject', format('%s may look but not trade.', session_user));
    END IF;
    IF o.account_id IS NULL THEN
        RETURN lines || desk.line('ACCOUNT_UNKNOWN', 'reject', 'There is no such account.');
    END IF;
    FOR halt IN SELECT * FROM desk.halts_in_force(o.account_id, o.portfolio, o.instrument) LOOP
        halted := true;
        lines := lines || desk.line('TRADING_HALT', CASE WHEN reduces THEN 'info' ELSE 'reject' END,
            format('%s halted by %s since %s: %s.%s',
                CASE halt.scope WHEN 'system' THEN 'All trading is' WHEN 'account' THEN 'This account is'
                    WHEN 'portfolio' THEN format('Portfolio %s is', halt.scope_identifier)
                    ELSE format('%s is', halt.scope_identifier) END,
                halt.set_by, to_char(halt.set_at AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'), rtrim(halt.reason, '.'), advice));
    END LOOP;
    IF NOT halted AND o.is_preview THEN
        lines := lines || desk.line('TRADING_HALT', 'info', 'No halt is in force.');
    END IF;
    IF o.status = 'closed' THEN
        lines := lines || desk.line('ACCOUNT_CLOSED', 'reject', 'The account is closed.');
    ELSIF o.status <> 'active' THEN
        lines := lines || desk.line('ACCOUNT_' || upper(o.status), CASE WHEN reduces THEN 'info' ELSE 'reject' END,
                                    format('The account is %s.%s', CASE o.status WHEN 'risk_halt' THEN 'in risk halt' ELSE o.status END, advice));
    ELSIF o.is_preview THEN
        lines := lines || desk.line('ACCOUNT_STATUS', 'info', 'The account is active.');
    END IF;

    IF o.instrument IS NULL THEN
        lines := lines || desk.line('INSTRUMENT_UNKNOWN', 'reject', format('%s is not an instrument of this desk.',
            coalesce(nullif(btrim(o.asked_instrument), ''), 'An empty name')));
    ELSIF reduces THEN
        RETURN lines;
    ELSIF NOT o.is_tradable THEN
        lines := lines || desk.line('INSTRUMENT_NOT_TRADABLE', 'reject', format('%s is switched off for new trades.', o.instrument));
    ELSIF o.trading_hours IS NOT NULL AND NOT desk.is_open(o.trading_hours, o.at) THEN
        lines := lines || desk.line('OUTSIDE_TRADING_HOURS', 'reject', format('%s is not traded at this hour.', o.instrument));
    END IF;
    RETURN lines;
END $$;

-- ---- 4: shape ---------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.judge_shape(o desk.order_draft) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    fault desk.check_result;
    after numeric := abs(o.held + o.direction * o.size);
    opens boolean := coalesce(o.opening > 0, true);
    reward_to_risk numeric;
BEGIN
    IF o.direction IS NULL THEN
        lines := lines || desk.line('SIDE_UNKNOWN', 'reject', 'The side is neither BUY nor SELL.');
    END IF;
    IF o.price IS NULL THEN
        lines := lines || desk.line('PRICE_MISSING', 'reject', 'There is no price.');
    END IF;
    IF o.size IS NULL THEN
        lines := lines || desk.line('SIZE_MISSING', 'reject', 'There is no size.');
    END IF;

    fault := desk.price_fault(o, 'price', o.price);
    IF fault.code IS NOT NULL THEN
        lines := lines || fault;
    END IF;
    IF opens AND o.stop IS NOT NULL THEN
        fault := desk.price_fault(o, 'stop', o.stop);
        IF fault.code IS NOT NULL THEN
            lines := lines || fault;
        END IF;
    END IF;
    IF opens AND o.target IS NOT NULL THEN
        fault := desk.price_fault(o, 'target', o.target);
        IF fault.code IS NOT NULL THEN
            lines := lines || fault;
        END IF;
    END IF;

    IF o.size % o.size_step <> 0 OR o.size <> round(o.size, o.size_scale) THEN
        lines := lines || desk.line('SIZE_NOT_A_STEP', 'reject', format('The size %s is not a multiple of the step %s.',
            desk.plain(o.size), desk.plain(greatest(o.size_step, 10::numeric ^ (-o.size_scale)))), NULL, o.size, o.size_step, 'units');
    END IF;
    -- What is left after a close may be as small as it likes; only new risk has a minimum.
    IF o.size <= 0 OR (o.opening > 0 AND o.opening < o.min_size) THEN
        lines := lines || desk.line('SIZE_BELOW_MINIMUM', 'reject', format('The size %s is below the minimum %s.',
            desk.plain(coalesce(nullif(o.opening, 0), o.size)), desk.plain(o.min_size)), NULL, o.opening, o.min_size, 'units');
    END IF;
    IF o.opening > o.max_size THEN
        lines := lines || desk.line('SIZE_ABOVE_MAXIMUM', 'reject', format('The size %s is above the maximum %s.',
            desk.plain(o.opening), desk.plain(o.max_size)), NULL, o.opening, o.max_size, 'units');
    END IF;
    IF o.size >= o.size_bound OR after >= o.size_bound THEN
        lines := lines || desk.line('SIZE_OUT_OF_RANGE', 'reject', 'The size is larger than can be booked.', NULL, greatest(o.size, after), o.size_bound, 'units');
    END IF;

    IF NOT opens THEN
        RETURN lines; -- stop and target are of no use to a close
    END IF;
    IF o.stop = o.price THEN
        lines := lines || desk.line('STOP_DISTANCE_ZERO', 'reject', 'The stop is the entry price.', NULL, o.stop, o.price, 'price');
    ELSIF (o.price - o.stop) * o.direction < 0 THEN
        lines := lines || desk.line('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'below' ELSE 'above' END), NULL, o.stop, o.price, 'price');
    ELSIF o.stop IS NULL AND o.settings ->> 'stop_required' = 'true' THEN
        lines := lines || desk.line('STOP_REQUIRED', 'reject', 'A trade on this desk needs a stop.');
    END IF;
    IF (o.target - o.price) * o.direction <= 0 THEN
        lines := lines || desk.line('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'above' ELSE 'below' END), NULL, o.target, o.price, 'price');
    END IF;
    -- One stop for all of a position: the tighter one.
    IF o.is_preview AND o.held * o.direction > 0 AND o.held_stop <> o.stop THEN
        lines := lines || desk.line('POSITION_STOP', 'info', format('The whole position has one stop, the tighter one: %s.', desk.price_text(
            CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, o.tick_size)),
            o.held_stop, CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, NULL, 'price');
    END IF;
    IF o.stop <> o.price AND o.target IS NOT NULL THEN
        reward_to_risk := abs(o.target - o.price) / abs(o.price - o.stop);
        IF round(reward_to_risk, 2) >= 100 THEN
            lines := lines || desk.line('RR_OUT_OF_RANGE', 'reject', 'Reward over risk is 100 or more: check stop and target.', NULL, reward_to_risk, 100, 'ratio');
        ELSIF o.is_preview THEN
            lines := lines || desk.line('RISK_REWARD', 'info', format('Reward over risk is %s.', round(reward_to_risk, 2)), NULL, reward_to_risk, NULL, 'ratio');
        END IF;
    END IF;
    RETURN lines;
END $$;

-- ---- 5, 6, 7: market, repetition, conversion --------------------------------------------------

-- For an order that only reduces, what the market does is worth a reason at most.
CREATE OR REPLACE FUNCTION desk.judge_market(o desk.order_draft, p_measures desk.limit_measure[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines   desk.check_result[] := '{}';
    m       desk.limit_measure;
    bad     text := CASE WHEN o.opening = 0 THEN 'confirm' ELSE 'reject' END;
    age     numeric := extract(epoch FROM o.at - o.quoted_at);
    off     numeric := abs(o.price / o.mid - 1) * 100;
    allowed numeric := (o.settings ->> 'price_max_age_seconds')::numeric;
    twin    timestamptz;
BEGIN
    IF o.mid IS NULL THEN
        lines := lines || desk.line('PRICE_UNKNOWN', bad, format('There is no price for %s.', o.instrument));
    ELSE
        -- Clocks differ, and a simulated one hurries; but a quote of tomorrow is no quote of now either.
        IF age > allowed OR age < -3600 THEN
            lines := lines || desk.line('PRICE_STALE', bad, format('The last price of %s is %s s old.', o.instrument, round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            lines := lines || desk.line('PRICE_AGE', 'info', format('The last price is %s s old.', round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
        allowed := (o.settings ->> 'price_collar_percent')::numeric;
        IF off > allowed THEN
            lines := lines || desk.line('PRICE_COLLAR', bad, format('%s is %s %% away from the market at %s.', desk.price_text(o.price, o.tick_size),
                round(off, 2), desk.price_text(o.mid, o.tick_size)), NULL, off, allowed, 'percentage');
        ELSIF off IS NOT NULL AND o.is_preview THEN
            lines := lines || desk.line('PRICE_COLLAR', 'info', format('%s %% away from the market.', round(off, 2)), NULL, off, allowed, 'percentage');
        END IF;
    END IF;

    -- A twin of an order that was accepted a moment ago is more often a slip than a wish.
    IF o.size > 0 AND o.price > 0 AND o.size < 1e18 AND o.direction IS NOT NULL THEN
        allowed := (o.settings ->> 'duplicate_window_seconds')::numeric;
        FOREACH m IN ARRAY p_measures LOOP
            IF m.limit_type = 'duplicate_window' AND m.fault IS NULL THEN
                allowed := greatest(allowed, m.allowed);
            END IF;
        END LOOP;
        -- An order that flipped a position left two fills under one key.
        SELECT max(t.at) INTO twin
          FROM (SELECT max(f.filled_at) AS at FROM trade_fills f
                 WHERE f.account_id = o.account_id AND f.filled_at > o.at - make_interval(secs => allowed::double precision)
                   AND f.instrument = o.instrument AND f.side = o.side AND f.price = o.price
                 GROUP BY f.client_key HAVING sum(f.size) = o.size) t;
        IF twin IS NOT NULL THEN
            age := extract(epoch FROM o.at - twin);
            lines := lines || desk.line('DUPLICATE_ORDER', 'confirm', format('The same order was accepted %s s ago.', round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            lines := lines || desk.line('DUPLICATE_ORDER', 'info', format('No twin in %s s.', desk.plain(allowed)), NULL, NULL, allowed, 'seconds');
        END IF;
    END IF;

    IF o.fx IS NULL THEN
        lines := lines || desk.line('NO_CONVERSION_RATE', bad, format('There is no rate from %s to %s.', o.quote_currency, o.currency));
    ELSIF o.fx_at <> 'infinity' THEN
        age := extract(epoch FROM o.at - o.fx_at);
        allowed := (o.settings ->> 'conversion_max_age_seconds')::numeric;
        IF age > allowed OR age < -3600 THEN
            lines := lines || desk.line('CONVERSION_RATE_STALE', bad, format('The rate from %s to %s is %s s old.', o.quote_currency, o.currency,
                round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
    END IF;
    RETURN lines;
END $$;

-- ---- 8, 9: risk, limits, margin ---------------------------------------------------------------

-- The words for a limit that stands in the way, or that passes.
CREATE OR REPLACE FUNCTION desk.limit_line(m desk.limit_measure) RETURNS desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind desk.limit_types%ROWTYPE;
    what text;
BEGIN
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = m.limit_type;
    what := CASE WHEN m.limit_type = 'max_currency_exposure' AND m.hint IS NOT NULL THEN 'Exposure to ' || m.hint ELSE kind.label END;
    RETURN CASE
        WHEN m.limit_type = 'trading_hours' THEN
            CASE WHEN m.breach THEN desk.line('OUTSIDE_TRADING_HOURS', 'reject', format('A limit over the %s allows no new risk at this hour.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.line('OUTSIDE_TRADING_HOURS', 'info', 'Within trading hours.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.limit_type = 'restricted_instrument' THEN
            CASE WHEN m.breach THEN desk.line('RESTRICTED_INSTRUMENT', 'reject', format('A limit over the %s allows no new risk in this instrument.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.line('RESTRICTED_INSTRUMENT', 'info', 'Not restricted.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.breach THEN desk.line(upper(m.limit_type), 'reject', format('%s %s %s; the %s %s is %s.', what,
            CASE WHEN m.is_loss OR m.limit_type IN ('max_spread', 'max_price_age', 'max_order_size', 'max_order_value', 'price_collar', 'min_stop_distance',
                 'max_stop_distance', 'min_risk_reward', 'max_risk_per_trade') THEN 'is' ELSE 'would be' END,
            desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), m.scope, CASE WHEN m.is_minimum THEN 'minimum' ELSE 'limit' END, desk.measured_text(m.allowed, m.unit)),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
        WHEN m.over_at_stop THEN desk.line(upper(m.limit_type), 'confirm', format('%s is %s of %s; with this trade at its stop the limit would be reached.',
            what, desk.measured_text(m.before, m.unit), desk.measured_text(m.allowed, m.unit)), m.before, m.after, m.allowed, m.unit, m.limit_id)
        ELSE desk.line(upper(m.limit_type), 'info', format('%s %s of %s%s', what, desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), desk.measured_text(m.allowed, m.unit),
            CASE WHEN (NOT m.is_minimum AND m.after >= m.warned) OR (m.is_minimum AND m.after <= m.warned) THEN ': past its warning.' ELSE '.' END),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
    END;
END $$;

-- Why a limit has no number. What is needed and unknown is not a permission.
CREATE OR REPLACE FUNCTION desk.limit_fault(m desk.limit_measure, p_strict boolean) RETURNS desk.check_result
LANGUAGE sql STABLE AS $$
    SELECT CASE m.fault
        WHEN 'LIMIT_NOT_ENFORCED' THEN desk.line('LIMIT_NOT_ENFORCED', CASE WHEN p_strict THEN 'reject' ELSE 'info' END,
            format('The limit %s over %s is NOT ENFORCED by this version.', m.limit_type, m.scope), NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_UNIT_UNKNOWN' THEN desk.line('LIMIT_UNIT_UNKNOWN', 'reject', format('The limit %s is in %s, which cannot be compared. '
            'A risk officer has to correct it.', m.limit_type, m.unit), NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_PARAMETERS_INVALID' THEN desk.line('LIMIT_PARAMETERS_INVALID', 'reject', format('The limit %s does not say of what. '
            'A risk officer has to correct it.', m.limit_type), NULL, NULL, NULL, NULL, m.limit_id)
        ELSE desk.line(m.fault, 'reject', format('The limit %s cannot be judged: %s.', m.limit_type, CASE m.fault
            WHEN 'STOP_REQUIRED' THEN 'the trade has no stop'
            WHEN 'TARGET_REQUIRED' THEN 'the trade has no target'
            WHEN 'RISK_UNBOUNDED' THEN 'a position without a stop risks more than any number'
            WHEN 'PRICE_UNKNOWN' THEN 'there is no price'
            WHEN 'NO_EQUITY' THEN 'the account has no equity'
            ELSE coalesce(m.hint, 'something it counts') || ' has no price or rate' END), NULL, NULL, m.allowed, m.unit, m.limit_id)
    END
$$;

-- Loss of the day and drawdown by the account's own columns. Which reading of the rule applies, and how
-- the floor moves, is in accounts.metadata -> 'risk_rules': {"daily": {"base", "inclusive"},
-- "drawdown": {"trailing", "lock", "inclusive"}}; by default equity, static, and reached is breached.
CREATE OR REPLACE FUNCTION desk.account_rules(o desk.order_draft) RETURNS desk.limit_measure[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rules desk.limit_measure[] := '{}';
    m     desk.limit_measure;
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
        -- How far equity is below the point from which the floor hangs.
        m.after := m.allowed - o.equity + CASE step
            WHEN 1 THEN desk.day_floor(jsonb_build_object('base', rule ->> 'base', 'amount', m.allowed), o.initial_balance, o.day_balance, o.day_base)
            ELSE desk.drawdown_floor(coalesce('trailing_' || (rule ->> 'trailing'), 'static'), m.allowed, o.initial_balance, o.peak_balance,
                     o.peak_equity, CASE WHEN rule ->> 'lock' = 'initial' THEN o.initial_balance ELSE desk.number_of(rule ->> 'lock') END) END;
        m.before := m.after;
        m.warned := desk.warning_level(m.allowed, NULL, false);
        m.breach := CASE WHEN m.inclusive THEN m.after >= m.allowed ELSE m.after > m.allowed END;
        rules := rules || m;
    END LOOP;
    RETURN rules;
END $$;

CREATE OR REPLACE FUNCTION desk.judge_risk(o desk.order_draft, p_measures desk.limit_measure[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines  desk.check_result[] := '{}';
    m      desk.limit_measure;
    most   numeric := (o.settings ->> 'max_risk_fraction')::numeric;
    daily  numeric := desk.daily_loss_amount(o.max_daily_loss, o.initial_balance);
    after  numeric;
    at_stop numeric;
BEGIN
    IF o.risk IS NULL THEN
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
        IF m.limit_type = 'duplicate_window' AND m.fault IS NULL THEN
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

-- ---- 11: the signal ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.judge_signal(o desk.order_draft) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    s     signals%ROWTYPE;
    most  numeric := (o.settings ->> 'signal_slippage_pips')::numeric;
    slip  numeric;
BEGIN
    SELECT * INTO s FROM signals g WHERE g.signal_id = o.signal_id;
    IF NOT FOUND THEN
        RETURN lines || desk.line('SIGNAL_UNKNOWN', 'reject', 'There is no such signal.');
    END IF;
    IF EXISTS (SELECT FROM signal_executions e WHERE e.signal_id = o.signal_id AND e.account_id = o.account_id
                  AND e.status IN ('claimed', 'executed')) THEN
        lines := lines || desk.line('SIGNAL_ALREADY_EXECUTED', 'reject', 'This account has already taken this signal.');
    ELSIF s.status <> 'pending' THEN
        lines := lines || desk.line('SIGNAL_NOT_PENDING', 'reject', format('The signal is %s.', s.status));
    END IF;
    IF s.valid_until <= o.at THEN
        lines := lines || desk.line('SIGNAL_EXPIRED', 'reject', format('The signal expired %s s ago.', round(extract(epoch FROM o.at - s.valid_until))));
    END IF;
    IF s.signal_type <> o.side OR desk.canonical_instrument(s.instrument) IS DISTINCT FROM o.instrument THEN
        lines := lines || desk.line('SIGNAL_MISMATCH', 'reject', format('The signal says %s %s.', s.signal_type, s.instrument));
    END IF;
    slip := (o.price - s.entry_price) * o.direction / o.pip_size;
    IF slip > most THEN
        lines := lines || desk.line('SIGNAL_SLIPPAGE', 'confirm', format('The price is %s pips worse than the signal''s.', round(slip, 1)),
            NULL, slip, most, 'pips');
    END IF;
    RETURN lines;
END $$;

-- ---- all of them ------------------------------------------------------------------------------

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
    END IF;
    IF o.signal_id IS NOT NULL THEN
        lines := lines || desk.judge_signal(o);
    END IF;
    RETURN lines;
END $$;

-- What desk.place_trade would say to this order now. Anything that is not typed yet is NULL.
CREATE OR REPLACE FUNCTION desk.assess_trade(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid)
RETURNS TABLE (ordinal integer, code text, severity text, before numeric, measured numeric, allowed numeric,
               unit text, room numeric, limit_id uuid, message text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    o desk.order_draft := desk.draft_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
BEGIN
    RETURN QUERY
    SELECT a.ordinality::integer, a.code, a.severity, a.before, a.measured, a.allowed, a.unit, a.room, a.limit_id, a.message
      FROM unnest(desk.checks(o)) WITH ORDINALITY AS a;
END $$;

-- What stands in the way of another stop for a position: that of new risk, for the position as it is.
CREATE OR REPLACE FUNCTION desk.assess_amend(p_position uuid, p_stop numeric) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    held positions%ROWTYPE;
    o desk.order_draft;
    line desk.check_result;
BEGIN
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position;
    o := desk.draft_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
                          held.total_size, held.average_entry_price, p_stop, NULL, NULL);
    FOREACH line IN ARRAY desk.judge_standing(o) LOOP
        IF line.severity = 'reject' AND line.code <> 'NOT_PERMITTED' THEN
            RETURN NEXT line;
        END IF;
    END LOOP;
    -- The position is in the books already: what is added is only the difference of its risk.
    o.net := 0;
    o.held := 0;
    o.opening := held.total_size;
    o.risk := desk.risk_amount(o.direction, held.total_size, held.average_entry_price, p_stop, o.contract_size, o.fx);
    IF o.risk / nullif(greatest(o.equity, 0), 0) > (o.settings ->> 'max_risk_fraction')::numeric OR (o.risk > 0 AND o.equity <= 0) THEN
        RETURN NEXT desk.line('RISK_PERCENTAGE', 'reject', format('The position would risk %s %% of equity; no trade may risk more than %s %%.',
            round(o.risk / nullif(o.equity, 0) * 100, 2), desk.plain((o.settings ->> 'max_risk_fraction')::numeric * 100)),
            NULL, o.risk / nullif(o.equity, 0), (o.settings ->> 'max_risk_fraction')::numeric, 'fraction');
    END IF;
    FOR line IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_line(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE m.limit_type IN ('max_risk_per_trade', 'min_stop_distance', 'max_stop_distance') AND (m.breach OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT line;
    END LOOP;
    o.risk := o.risk - desk.stop_risk(held) * o.contract_size * o.fx;
    FOR line IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_line(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE m.limit_type = 'max_open_risk' AND (m.breach OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT line;
    END LOOP;
END $$;
