-- What desk.place_trade would say to this order now. Anything that is not typed yet is NULL.
CREATE FUNCTION desk.assess_trade(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid)
RETURNS TABLE (ordinal integer, code text, severity text, before numeric, measured numeric, allowed numeric,
               unit text, room numeric, limit_id uuid, message text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    o desk.order_context := desk.load_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
BEGIN
    RETURN QUERY
    SELECT a.ordinality::integer, a.code, a.severity, a.before, a.measured, a.allowed, a.unit, a.room, a.limit_id, a.message
      FROM unnest(desk.check_order(o)) WITH ORDINALITY AS a;
END $$;

-- Every check that applies to an order, in a fixed order. It may be booked if no line is a reject, and
-- without a reason if none is a confirm. In a preview what passes is there too (info), with its numbers.
--
-- An order that only reduces what is held meets no limit, margin, loss or risk check at all.
CREATE FUNCTION desk.check_order(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines    desk.check_result[];
    measures desk.limit_measurement[] := '{}';
    -- Nothing can be valued before there is a side, a size and a price.
    opens boolean := coalesce(o.direction IS NOT NULL AND o.size > 0 AND o.price > 0 AND o.opening > 0
                              AND o.size < 1e18 AND o.price < 1e18, false);
BEGIN
    lines := desk.check_status(o);
    IF o.account_id IS NULL OR o.instrument IS NULL THEN
        RETURN lines;
    END IF;
    IF opens THEN
        measures := desk.measure_limits(o, false);
    END IF;
    lines := lines || desk.check_terms(o) || desk.check_market(o, measures);
    IF opens THEN
        lines := lines || desk.check_risk(o, measures);
    ELSIF o.is_preview AND o.closing > 0 AND num_nonnulls(o.stop, o.target) > 0 THEN
        lines := lines || desk.check_result('POSITION_STOP', 'info', 'It only reduces: stop and target of the position stay as they are.');
    END IF;
    IF o.signal_id IS NOT NULL THEN
        lines := lines || desk.check_signal(o);
    END IF;
    RETURN lines;
END $$;

CREATE FUNCTION desk.check_status(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    halt trading_halts%ROWTYPE;
    reduces boolean := coalesce(o.opening = 0 AND o.closing > 0, false);
    halted boolean := false;
    advice text := CASE WHEN o.net <> 0 THEN ' Only closing is possible.' ELSE '' END;
BEGIN
    IF NOT desk.has_role('tmt_trader', 'tmt_admin', 'tmt_agent') THEN
        lines := lines || desk.check_result('NOT_PERMITTED', 'reject', format('%s may look but not trade.', session_user));
    END IF;
    IF o.account_id IS NULL THEN
        RETURN lines || desk.check_result('ACCOUNT_UNKNOWN', 'reject', 'There is no such account.');
    END IF;
    FOR halt IN SELECT * FROM desk.halts_in_force(o.account_id, o.portfolio, o.instrument) LOOP
        halted := true;
        lines := lines || desk.check_result('TRADING_HALT', CASE WHEN reduces THEN 'info' ELSE 'reject' END,
            format('%s halted by %s since %s: %s.%s',
                CASE halt.scope WHEN 'system' THEN 'All trading is' WHEN 'account' THEN 'This account is'
                    WHEN 'portfolio' THEN format('Portfolio %s is', halt.scope_identifier)
                    ELSE format('%s is', halt.scope_identifier) END,
                halt.set_by, to_char(halt.set_at AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'), rtrim(halt.reason, '.'), advice));
    END LOOP;
    IF NOT halted AND o.is_preview THEN
        lines := lines || desk.check_result('TRADING_HALT', 'info', 'No halt is in force.');
    END IF;
    IF o.status = 'closed' THEN
        lines := lines || desk.check_result('ACCOUNT_CLOSED', 'reject', 'The account is closed.');
    ELSIF o.status <> 'active' THEN
        lines := lines || desk.check_result(CASE o.status WHEN 'risk_halt' THEN 'ACCOUNT_RISK_HALT' ELSE 'ACCOUNT_SUSPENDED' END,
                                    CASE WHEN reduces THEN 'info' ELSE 'reject' END,
                                    format('The account is %s.%s', CASE o.status WHEN 'risk_halt' THEN 'in risk halt' ELSE o.status END, advice));
    ELSIF o.is_preview THEN
        lines := lines || desk.check_result('ACCOUNT_STATUS', 'info', 'The account is active.');
    END IF;

    IF o.instrument IS NULL THEN
        lines := lines || desk.check_result('INSTRUMENT_UNKNOWN', 'reject', format('%s is not an instrument of this desk.',
            coalesce(nullif(btrim(o.requested_instrument), ''), 'An empty name')));
    ELSIF reduces THEN
        RETURN lines;
    ELSIF NOT o.is_tradable THEN
        lines := lines || desk.check_result('INSTRUMENT_NOT_TRADABLE', 'reject', format('%s is switched off for new trades.', o.instrument));
    ELSIF o.trading_hours IS NOT NULL AND NOT desk.in_trading_hours(o.trading_hours, o.at) THEN
        lines := lines || desk.check_result('OUTSIDE_TRADING_HOURS', 'reject', format('%s is not traded at this hour.', o.instrument));
    END IF;
    RETURN lines;
END $$;

CREATE FUNCTION desk.check_terms(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    fault desk.check_result;
    after numeric := abs(o.held + o.direction * o.size);
    opens boolean := coalesce(o.opening > 0, true);
    reward_to_risk numeric;
BEGIN
    IF o.direction IS NULL THEN
        lines := lines || desk.check_result('SIDE_UNKNOWN', 'reject', 'The side is neither BUY nor SELL.');
    END IF;
    IF o.price IS NULL THEN
        lines := lines || desk.check_result('PRICE_MISSING', 'reject', 'There is no price.');
    END IF;
    IF o.size IS NULL THEN
        lines := lines || desk.check_result('SIZE_MISSING', 'reject', 'There is no size.');
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
        lines := lines || desk.check_result('SIZE_NOT_A_STEP', 'reject', format('The size %s is not a multiple of the step %s.',
            desk.number_text(o.size), desk.number_text(greatest(o.size_step, 10::numeric ^ (-o.size_scale)))), NULL, o.size, o.size_step, 'units');
    END IF;
    -- What is left after a close may be as small as it likes; only new risk has a minimum.
    IF o.size <= 0 OR (o.opening > 0 AND o.opening < o.min_size) THEN
        lines := lines || desk.check_result('SIZE_BELOW_MINIMUM', 'reject', format('The size %s is below the minimum %s.',
            desk.number_text(coalesce(nullif(o.opening, 0), o.size)), desk.number_text(o.min_size)), NULL, o.opening, o.min_size, 'units');
    END IF;
    IF o.opening > o.max_size THEN
        lines := lines || desk.check_result('SIZE_ABOVE_MAXIMUM', 'reject', format('The size %s is above the maximum %s.',
            desk.number_text(o.opening), desk.number_text(o.max_size)), NULL, o.opening, o.max_size, 'units');
    END IF;
    IF o.size >= o.size_bound OR after >= o.size_bound THEN
        lines := lines || desk.check_result('SIZE_OUT_OF_RANGE', 'reject', 'The size is larger than can be booked.', NULL, greatest(o.size, after), o.size_bound, 'units');
    END IF;

    IF NOT opens THEN
        RETURN lines; -- stop and target are of no use to a close
    END IF;
    IF o.stop = o.price THEN
        lines := lines || desk.check_result('STOP_DISTANCE_ZERO', 'reject', 'The stop is the entry price.', NULL, o.stop, o.price, 'price');
    ELSIF (o.price - o.stop) * o.direction < 0 THEN
        lines := lines || desk.check_result('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'below' ELSE 'above' END), NULL, o.stop, o.price, 'price');
    ELSIF o.stop IS NULL AND o.settings ->> 'stop_required' = 'true' THEN
        lines := lines || desk.check_result('STOP_REQUIRED', 'reject', 'A trade on this desk needs a stop.');
    END IF;
    IF (o.target - o.price) * o.direction <= 0 THEN
        lines := lines || desk.check_result('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'above' ELSE 'below' END), NULL, o.target, o.price, 'price');
    END IF;
    -- One stop for all of a position: the tighter one.
    IF o.is_preview AND o.held * o.direction > 0 AND o.held_stop <> o.stop THEN
        lines := lines || desk.check_result('POSITION_STOP', 'info', format('The whole position has one stop, the tighter one: %s.', desk.price_text(
            CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, o.tick_size)),
            o.held_stop, CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, NULL, 'price');
    END IF;
    IF o.stop <> o.price AND o.target IS NOT NULL THEN
        reward_to_risk := abs(o.target - o.price) / abs(o.price - o.stop);
        IF round(reward_to_risk, 2) >= 100 THEN
            lines := lines || desk.check_result('RR_OUT_OF_RANGE', 'reject', 'Reward over risk is 100 or more: check stop and target.', NULL, reward_to_risk, 100, 'ratio');
        ELSIF o.is_preview THEN
            lines := lines || desk.check_result('RISK_REWARD', 'info', format('Reward over risk is %s.', round(reward_to_risk, 2)), NULL, reward_to_risk, NULL, 'ratio');
        END IF;
    END IF;
    RETURN lines;
END $$;

-- For an order that only reduces, what the market does is worth a reason at most.
CREATE FUNCTION desk.check_market(o desk.order_context, p_measures desk.limit_measurement[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines   desk.check_result[] := '{}';
    m       desk.limit_measurement;
    bad     text := CASE WHEN o.opening = 0 THEN 'confirm' ELSE 'reject' END;
    age     numeric := extract(epoch FROM o.at - o.quoted_at);
    off     numeric := abs(o.price / o.mid - 1) * 100;
    allowed numeric := (o.settings ->> 'price_max_age_seconds')::numeric;
    twin    timestamptz;
BEGIN
    IF o.mid IS NULL THEN
        lines := lines || desk.check_result('PRICE_UNKNOWN', bad, format('There is no price for %s.', o.instrument));
    ELSE
        -- Clocks differ, and a simulated one hurries; but a quote of tomorrow is no quote of now either.
        IF age > allowed OR age < -3600 THEN
            lines := lines || desk.check_result('PRICE_STALE', bad, format('The last price of %s is %s s old.', o.instrument, round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            lines := lines || desk.check_result('PRICE_AGE', 'info', format('The last price is %s s old.', round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
        allowed := (o.settings ->> 'price_collar_percent')::numeric;
        IF off > allowed THEN
            lines := lines || desk.check_result('PRICE_COLLAR', bad, format('%s is %s %% away from the market at %s.', desk.price_text(o.price, o.tick_size),
                round(off, 2), desk.price_text(o.mid, o.tick_size)), NULL, off, allowed, 'percentage');
        ELSIF off IS NOT NULL AND o.is_preview THEN
            lines := lines || desk.check_result('PRICE_COLLAR', 'info', format('%s %% away from the market.', round(off, 2)), NULL, off, allowed, 'percentage');
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
            lines := lines || desk.check_result('DUPLICATE_ORDER', 'confirm', format('The same order was accepted %s s ago.', round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            lines := lines || desk.check_result('DUPLICATE_ORDER', 'info', format('No twin in %s s.', desk.number_text(allowed)), NULL, NULL, allowed, 'seconds');
        END IF;
    END IF;

    IF o.fx IS NULL THEN
        lines := lines || desk.check_result('NO_CONVERSION_RATE', bad, format('There is no rate from %s to %s.', o.quote_currency, o.currency));
    ELSIF o.fx_at <> 'infinity' THEN
        age := extract(epoch FROM o.at - o.fx_at);
        allowed := (o.settings ->> 'conversion_max_age_seconds')::numeric;
        IF age > allowed OR age < -3600 THEN
            lines := lines || desk.check_result('CONVERSION_RATE_STALE', bad, format('The rate from %s to %s is %s s old.', o.quote_currency, o.currency,
                round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
    END IF;
    RETURN lines;
END $$;

CREATE FUNCTION desk.check_signal(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    lines desk.check_result[] := '{}';
    s     signals%ROWTYPE;
    most  numeric := (o.settings ->> 'signal_slippage_pips')::numeric;
    slip  numeric;
BEGIN
    SELECT * INTO s FROM signals g WHERE g.signal_id = o.signal_id;
    IF NOT FOUND THEN
        RETURN lines || desk.check_result('SIGNAL_UNKNOWN', 'reject', 'There is no such signal.');
    END IF;
    IF EXISTS (SELECT FROM signal_executions e WHERE e.signal_id = o.signal_id AND e.account_id = o.account_id
                  AND e.status IN ('claimed', 'executed')) THEN
        lines := lines || desk.check_result('SIGNAL_ALREADY_EXECUTED', 'reject', 'This account has already taken this signal.');
    ELSIF s.status <> 'pending' THEN
        lines := lines || desk.check_result('SIGNAL_NOT_PENDING', 'reject', format('The signal is %s.', s.status));
    END IF;
    IF s.valid_until <= o.at THEN
        lines := lines || desk.check_result('SIGNAL_EXPIRED', 'reject', format('The signal expired %s s ago.', round(extract(epoch FROM o.at - s.valid_until))));
    END IF;
    IF s.signal_type <> o.side OR desk.canonical_instrument(s.instrument) IS DISTINCT FROM o.instrument THEN
        lines := lines || desk.check_result('SIGNAL_MISMATCH', 'reject', format('The signal says %s %s.', s.signal_type, s.instrument));
    END IF;
    slip := (o.price - s.entry_price) * o.direction / o.pip_size;
    IF slip > most THEN
        lines := lines || desk.check_result('SIGNAL_SLIPPAGE', 'confirm', format('The price is %s pips worse than the signal''s.', round(slip, 1)),
            NULL, slip, most, 'pips');
    END IF;
    RETURN lines;
END $$;

-- One line of an assessment. A code that nobody explained is an error.
CREATE FUNCTION desk.check_result(p_code text, p_severity text, p_message text, p_before numeric DEFAULT NULL,
    p_measured numeric DEFAULT NULL, p_allowed numeric DEFAULT NULL, p_unit text DEFAULT NULL, p_limit uuid DEFAULT NULL)
RETURNS desk.check_result LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM desk.require_code(p_code);
    RETURN ROW(p_code, p_severity, trim_scale(round(p_before, 8)), trim_scale(round(p_measured, 8)),
               trim_scale(round(p_allowed, 8)), p_unit, trim_scale(round(p_allowed - p_measured, 8)),
               p_limit, p_message)::desk.check_result;
END $$;

-- The first fault of a price, or nothing. A price beyond the decimals of the column is not a tick: the
-- column would round it to another price.
CREATE FUNCTION desk.price_fault(o desk.order_context, p_what text, p_price numeric)
RETURNS desk.check_result LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN p_price <= 0 OR round(p_price, o.price_scale) >= o.price_bound THEN
            desk.check_result('PRICE_OUT_OF_RANGE', 'reject', format('The %s %s is outside what can be booked.', p_what, desk.number_text(p_price)),
                      NULL, p_price, o.price_bound, 'price')
        WHEN p_price % o.tick_size <> 0 OR p_price <> round(p_price, o.price_scale) THEN
            desk.check_result('PRICE_NOT_A_TICK', 'reject', format('The %s %s is not a multiple of the tick %s.', p_what,
                      desk.number_text(p_price), desk.number_text(o.tick_size)), NULL, p_price, o.tick_size, 'price')
    END;
END $$;
