-- Checking an order.

-- What desk.place_trade would find now. Fields not yet entered are NULL.
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

-- All checks of an order, in a fixed order. It is accepted if none rejects, with a reason if one asks to confirm. A
-- preview lists passed checks too (info).
--
-- An order that only reduces meets no limit, margin, loss or risk check.
CREATE FUNCTION desk.check_order(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results  desk.check_result[];
    measures desk.limit_measurement[] := '{}';
    -- Without a side, a size and a price nothing can be measured.
    opens    boolean := coalesce(o.direction IS NOT NULL AND o.size > 0 AND o.price > 0 AND o.opening > 0
                              AND o.size < 1e18 AND o.price < 1e18, false);
BEGIN
    results := desk.check_status(o);
    IF o.account_id IS NULL OR o.instrument IS NULL THEN
        RETURN results;
    END IF;
    IF opens THEN
        measures := desk.measure_limits(o, false);
    END IF;
    results := results || desk.check_terms(o) || desk.check_market(o, measures);
    IF opens THEN
        results := results || desk.check_risk(o, measures);
    ELSIF o.is_preview AND o.closing > 0 AND num_nonnulls(o.stop, o.target) > 0 THEN
        results := results || desk.check_result('POSITION_STOP', 'info', 'The order only reduces: stop and target of the position are unchanged.');
    END IF;
    IF o.signal_id IS NOT NULL THEN
        results := results || desk.check_signal(o);
    END IF;
    RETURN results;
END $$;

-- Rights, halts, and the status of account and instrument.
CREATE FUNCTION desk.check_status(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results desk.check_result[] := '{}';
    halt trading_halts%ROWTYPE;
    reduces boolean := coalesce(o.opening = 0 AND o.closing > 0, false);
    halted boolean := false;
    advice text := CASE WHEN o.net <> 0 THEN ' Only closing is allowed.' ELSE '' END;
BEGIN
    IF NOT desk.has_role('tmt_trader', 'tmt_admin', 'tmt_agent') THEN
        results := results || desk.check_result('NOT_PERMITTED', 'reject', format('%s is not permitted to trade.', session_user));
    END IF;
    IF o.account_id IS NULL THEN
        RETURN results || desk.check_result('ACCOUNT_UNKNOWN', 'reject', 'No such account.');
    END IF;
    FOR halt IN SELECT * FROM desk.halts_in_force(o.account_id, o.portfolio, o.instrument) LOOP
        halted := true;
        results := results || desk.check_result('TRADING_HALT', CASE WHEN reduces THEN 'info' ELSE 'reject' END,
            format('%s halted by %s since %s: %s.%s',
                CASE halt.scope WHEN 'system' THEN 'All trading is' WHEN 'account' THEN 'This account is'
                    WHEN 'portfolio' THEN format('Portfolio %s is', halt.scope_identifier)
                    ELSE format('%s is', halt.scope_identifier) END,
                halt.set_by, to_char(halt.set_at AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'), rtrim(halt.reason, '.'), advice));
    END LOOP;
    IF NOT halted AND o.is_preview THEN
        results := results || desk.check_result('TRADING_HALT', 'info', 'No trading halt.');
    END IF;
    IF o.status = 'closed' THEN
        results := results || desk.check_result('ACCOUNT_CLOSED', 'reject', 'The account is closed.');
    ELSIF o.status <> 'active' THEN
        results := results || desk.check_result(CASE o.status WHEN 'risk_halt' THEN 'ACCOUNT_RISK_HALT' ELSE 'ACCOUNT_SUSPENDED' END,
                                    CASE WHEN reduces THEN 'info' ELSE 'reject' END,
                                    format('The account is %s.%s', CASE o.status WHEN 'risk_halt' THEN 'in risk halt' ELSE o.status END, advice));
    ELSIF o.is_preview THEN
        results := results || desk.check_result('ACCOUNT_STATUS', 'info', 'The account is active.');
    END IF;

    IF o.instrument IS NULL THEN
        results := results || desk.check_result('INSTRUMENT_UNKNOWN', 'reject', coalesce(
            'Unknown instrument: ' || nullif(btrim(o.requested_instrument), '') || '.', 'Enter an instrument.'));
    ELSIF reduces THEN
        RETURN results;
    ELSIF NOT o.is_tradable THEN
        results := results || desk.check_result('INSTRUMENT_NOT_TRADABLE', 'reject', format('%s is disabled for new trades.', o.instrument));
    ELSIF o.trading_hours IS NOT NULL AND NOT desk.in_trading_hours(o.trading_hours, o.at) THEN
        results := results || desk.check_result('OUTSIDE_TRADING_HOURS', 'reject', format('Outside the trading hours of %s.', o.instrument));
    END IF;
    RETURN results;
END $$;

-- Side, size, price, stop and target.
CREATE FUNCTION desk.check_terms(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results desk.check_result[] := '{}';
    fault desk.check_result;
    after numeric := abs(o.held + o.direction * o.size);
    opens boolean := coalesce(o.opening > 0, true);
    reward_to_risk numeric;
BEGIN
    IF o.direction IS NULL THEN
        results := results || desk.check_result('SIDE_UNKNOWN', 'reject', 'Side must be BUY or SELL.');
    END IF;
    IF o.price IS NULL THEN
        results := results || desk.check_result('PRICE_MISSING', 'reject', 'Enter a price.');
    END IF;
    IF o.size IS NULL THEN
        results := results || desk.check_result('SIZE_MISSING', 'reject', 'Enter a size.');
    END IF;

    fault := desk.price_fault(o, 'price', o.price);
    IF fault.code IS NOT NULL THEN
        results := results || fault;
    END IF;
    IF opens AND o.stop IS NOT NULL THEN
        fault := desk.price_fault(o, 'stop', o.stop);
        IF fault.code IS NOT NULL THEN
            results := results || fault;
        END IF;
    END IF;
    IF opens AND o.target IS NOT NULL THEN
        fault := desk.price_fault(o, 'target', o.target);
        IF fault.code IS NOT NULL THEN
            results := results || fault;
        END IF;
    END IF;

    IF o.size % o.size_step <> 0 OR o.size <> round(o.size, o.size_scale) THEN
        results := results || desk.check_result('SIZE_NOT_A_STEP', 'reject', format('The size %s is not a multiple of the size step %s.',
            desk.number_text(o.size), desk.number_text(greatest(o.size_step, 10::numeric ^ (-o.size_scale)))), NULL, o.size, o.size_step, 'units');
    END IF;
    -- Only the part that adds risk has a minimum.
    IF o.size <= 0 OR (o.opening > 0 AND o.opening < o.min_size) THEN
        results := results || desk.check_result('SIZE_BELOW_MINIMUM', 'reject', format('The size %s is below the minimum %s.',
            desk.number_text(coalesce(nullif(o.opening, 0), o.size)), desk.number_text(o.min_size)), NULL, o.opening, o.min_size, 'units');
    END IF;
    IF o.opening > o.max_size THEN
        results := results || desk.check_result('SIZE_ABOVE_MAXIMUM', 'reject', format('The size %s is above the maximum %s.',
            desk.number_text(o.opening), desk.number_text(o.max_size)), NULL, o.opening, o.max_size, 'units');
    END IF;
    IF o.size >= o.size_bound OR after >= o.size_bound THEN
        results := results || desk.check_result('SIZE_OUT_OF_RANGE', 'reject', 'The size is too large to book.', NULL, greatest(o.size, after), o.size_bound, 'units');
    END IF;

    IF NOT opens THEN
        RETURN results; -- a close ignores stop and target
    END IF;
    IF o.stop = o.price THEN
        results := results || desk.check_result('STOP_DISTANCE_ZERO', 'reject', 'The stop equals the entry price.', NULL, o.stop, o.price, 'price');
    ELSIF (o.price - o.stop) * o.direction < 0 THEN
        results := results || desk.check_result('STOP_WRONG_SIDE', 'reject', format('A %s needs its stop %s the entry price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'below' ELSE 'above' END), NULL, o.stop, o.price, 'price');
    ELSIF o.stop IS NULL AND o.settings ->> 'stop_required' = 'true' THEN
        results := results || desk.check_result('STOP_REQUIRED', 'reject', 'A stop is required.');
    END IF;
    IF (o.target - o.price) * o.direction <= 0 THEN
        results := results || desk.check_result('TARGET_WRONG_SIDE', 'reject', format('A %s needs its target %s the entry price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'above' ELSE 'below' END), NULL, o.target, o.price, 'price');
    END IF;
    IF o.is_preview AND o.held * o.direction > 0 AND o.held_stop <> o.stop THEN
        results := results || desk.check_result('POSITION_STOP', 'info', format('A position has one stop; the tighter one applies: %s.', desk.price_text(
            CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, o.tick_size)),
            o.held_stop, CASE o.direction WHEN 1 THEN greatest(o.stop, o.held_stop) ELSE least(o.stop, o.held_stop) END, NULL, 'price');
    END IF;
    IF o.stop <> o.price AND o.target IS NOT NULL THEN
        reward_to_risk := abs(o.target - o.price) / abs(o.price - o.stop);
        IF round(reward_to_risk, 2) >= 100 THEN
            results := results || desk.check_result('RR_OUT_OF_RANGE', 'reject', 'Reward/risk is 100 or more: check stop and target.', NULL, reward_to_risk, 100, 'ratio');
        ELSIF o.is_preview THEN
            results := results || desk.check_result('RISK_REWARD', 'info', format('Reward/risk is %s.', round(reward_to_risk, 2)), NULL, reward_to_risk, NULL, 'ratio');
        END IF;
    END IF;
    RETURN results;
END $$;

-- Price, duplicates and conversion rate. An order that only reduces needs a reason at most.
CREATE FUNCTION desk.check_market(o desk.order_context, p_measures desk.limit_measurement[]) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results      desk.check_result[] := '{}';
    m            desk.limit_measurement;
    severity     text := CASE WHEN o.opening = 0 THEN 'confirm' ELSE 'reject' END;
    age          numeric := extract(epoch FROM o.at - o.quoted_at);
    distance     numeric := abs(o.price / o.mid - 1) * 100;
    allowed      numeric := (o.settings ->> 'price_max_age_seconds')::numeric;
    duplicate_at timestamptz;
BEGIN
    IF o.mid IS NULL THEN
        results := results || desk.check_result('PRICE_UNKNOWN', severity, format('No price for %s.', o.instrument));
    ELSE
        -- Clocks differ, but a quote from the future is as bad as an old one.
        IF age > allowed OR age < -3600 THEN
            results := results || desk.check_result('PRICE_STALE', severity, format('The last price of %s is %s s old.', o.instrument, round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            results := results || desk.check_result('PRICE_AGE', 'info', format('The last price is %s s old.', round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
        allowed := (o.settings ->> 'price_collar_percent')::numeric;
        IF distance > allowed THEN
            results := results || desk.check_result('PRICE_COLLAR', severity, format('%s is %s %% away from the market at %s.', desk.price_text(o.price, o.tick_size),
                round(distance, 2), desk.price_text(o.mid, o.tick_size)), NULL, distance, allowed, 'percentage');
        ELSIF distance IS NOT NULL AND o.is_preview THEN
            results := results || desk.check_result('PRICE_COLLAR', 'info', format('%s %% away from the market.', round(distance, 2)), NULL, distance, allowed, 'percentage');
        END IF;
    END IF;

    IF o.size > 0 AND o.price > 0 AND o.size < 1e18 AND o.direction IS NOT NULL THEN
        allowed := (o.settings ->> 'duplicate_window_seconds')::numeric;
        FOREACH m IN ARRAY p_measures LOOP
            IF m.limit_type = 'duplicate_window' AND m.fault IS NULL THEN
                allowed := greatest(allowed, m.allowed);
            END IF;
        END LOOP;
        -- A flip has two fills under one key.
        SELECT max(t.at) INTO duplicate_at
          FROM (SELECT max(f.filled_at) AS at FROM trade_fills f
                 WHERE f.account_id = o.account_id AND f.filled_at > o.at - make_interval(secs => allowed::double precision)
                   AND f.instrument = o.instrument AND f.side = o.side AND f.price = o.price
                 GROUP BY f.client_key HAVING sum(f.size) = o.size) t;
        IF duplicate_at IS NOT NULL THEN
            age := extract(epoch FROM o.at - duplicate_at);
            results := results || desk.check_result('DUPLICATE_ORDER', 'confirm', format('An identical order was accepted %s s ago.', round(age, 1)), NULL, age, allowed, 'seconds');
        ELSIF o.is_preview THEN
            results := results || desk.check_result('DUPLICATE_ORDER', 'info', format('No duplicate in the last %s s.', desk.number_text(allowed)), NULL, NULL, allowed, 'seconds');
        END IF;
    END IF;

    IF o.fx IS NULL THEN
        results := results || desk.check_result('NO_CONVERSION_RATE', severity, format('No conversion rate from %s to %s.', o.quote_currency, o.currency));
    ELSIF o.fx_at <> 'infinity' THEN
        age := extract(epoch FROM o.at - o.fx_at);
        allowed := (o.settings ->> 'conversion_max_age_seconds')::numeric;
        IF age > allowed OR age < -3600 THEN
            results := results || desk.check_result('CONVERSION_RATE_STALE', severity, format('The conversion rate from %s to %s is %s s old.', o.quote_currency, o.currency,
                round(age, 1)), NULL, age, allowed, 'seconds');
        END IF;
    END IF;
    RETURN results;
END $$;

CREATE FUNCTION desk.check_signal(o desk.order_context) RETURNS desk.check_result[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    results  desk.check_result[] := '{}';
    s        signals%ROWTYPE;
    max_slip numeric := (o.settings ->> 'signal_slippage_pips')::numeric;
    slip     numeric;
BEGIN
    SELECT * INTO s FROM signals g WHERE g.signal_id = o.signal_id;
    IF NOT FOUND THEN
        RETURN results || desk.check_result('SIGNAL_UNKNOWN', 'reject', 'No such signal.');
    END IF;
    IF EXISTS (SELECT FROM signal_executions e WHERE e.signal_id = o.signal_id AND e.account_id = o.account_id
                  AND e.status IN ('claimed', 'executed')) THEN
        results := results || desk.check_result('SIGNAL_ALREADY_EXECUTED', 'reject', 'This account has already taken this signal.');
    ELSIF s.status <> 'pending' THEN
        results := results || desk.check_result('SIGNAL_NOT_PENDING', 'reject', format('The signal is %s.', s.status));
    END IF;
    IF s.valid_until <= o.at THEN
        results := results || desk.check_result('SIGNAL_EXPIRED', 'reject', format('The signal expired %s s ago.', round(extract(epoch FROM o.at - s.valid_until))));
    END IF;
    IF s.signal_type <> o.side OR desk.canonical_instrument(s.instrument) IS DISTINCT FROM o.instrument THEN
        results := results || desk.check_result('SIGNAL_MISMATCH', 'reject', format('The signal is for %s %s.', s.signal_type, s.instrument));
    END IF;
    slip := (o.price - s.entry_price) * o.direction / o.pip_size;
    IF slip > max_slip THEN
        results := results || desk.check_result('SIGNAL_SLIPPAGE', 'confirm', format('The price is %s pips worse than the signal''s.', round(slip, 1)),
            NULL, slip, max_slip, 'pips');
    END IF;
    RETURN results;
END $$;

-- Makes one check result.
CREATE FUNCTION desk.check_result(p_code text, p_severity text, p_message text, p_before numeric DEFAULT NULL,
    p_measured numeric DEFAULT NULL, p_allowed numeric DEFAULT NULL, p_unit text DEFAULT NULL, p_limit uuid DEFAULT NULL)
RETURNS desk.check_result LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM desk.require_code(p_code);
    RETURN ROW(p_code, p_severity, trim_scale(round(p_before, 8)), trim_scale(round(p_measured, 8)),
               trim_scale(round(p_allowed, 8)), p_unit, trim_scale(round(p_allowed - p_measured, 8)),
               p_limit, p_message)::desk.check_result;
END $$;

-- As the detail of an answer has it.
CREATE FUNCTION desk.check_json(p_check desk.check_result) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('code', p_check.code, 'severity', p_check.severity, 'measured', p_check.measured::text,
        'allowed', p_check.allowed::text, 'unit', p_check.unit, 'limit_id', p_check.limit_id, 'message', p_check.message)
$$;

-- The first fault of a price; NULL if there is none. More decimals than the column has are a fault too: the column would
-- round the price.
CREATE FUNCTION desk.price_fault(o desk.order_context, p_what text, p_price numeric)
RETURNS desk.check_result LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN p_price <= 0 OR round(p_price, o.price_scale) >= o.price_bound THEN
            desk.check_result('PRICE_OUT_OF_RANGE', 'reject', format('The %s %s is out of range.', p_what, desk.number_text(p_price)),
                      NULL, p_price, o.price_bound, 'price')
        WHEN p_price % o.tick_size <> 0 OR p_price <> round(p_price, o.price_scale) THEN
            desk.check_result('PRICE_NOT_A_TICK', 'reject', format('The %s %s is not a multiple of the tick %s.', p_what,
                      desk.number_text(p_price), desk.number_text(o.tick_size)), NULL, p_price, o.tick_size, 'price')
    END;
END $$;
