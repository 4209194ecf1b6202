-- Orders with their context, the locks they need, and amounts of account rules.

-- Reads an order's context at once, so that all checks see the same state. Without an instrument: the account only.
CREATE FUNCTION desk.load_order(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid) RETURNS desk.order_context
LANGUAGE plpgsql STABLE AS $$
DECLARE
    o desk.order_context;
    commission jsonb;
BEGIN
    o.at := clock_timestamp();
    o.is_preview := true; -- desk.place_trade sets it to false
    o.side := upper(btrim(p_side));
    o.direction := CASE o.side WHEN 'BUY' THEN 1 WHEN 'SELL' THEN -1 END;
    o.size := desk.finite(p_size);
    o.price := desk.finite(p_price);
    o.stop := desk.finite(p_stop);
    o.target := desk.finite(p_target);
    o.signal_id := p_signal;
    o.requested_instrument := p_instrument;

    SELECT a.account_id, a.account_name, a.status, btrim(a.base_currency), a.metadata ->> 'portfolio', a.current_balance,
           a.equity, a.initial_balance, coalesce(a.margin_used, 0), a.max_daily_loss, a.max_total_drawdown,
           a.metadata -> 'risk_day', a.metadata -> 'risk_rules', coalesce(a.metadata ->> 'position_mode' = 'hedging', false),
           a.metadata -> 'commission',
           i.instrument, i.asset_class, i.base_currency, i.quote_currency, i.contract_size, i.size_step, i.min_size,
           i.max_size, i.tick_size, i.pip_size, i.margin_rate, i.is_tradable, i.trading_hours,
           coalesce(r.bid, r.rate), coalesce(r.ask, r.rate), r.rate, r.as_of, r.ask - r.bid,
           coalesce(b.net, 0), coalesce(desk.stop_risk(p), 0), p.stop_loss, p.position_id,
           CASE WHEN a.metadata ->> 'position_mode' = 'hedging' THEN 0 ELSE coalesce(desk.signed_size(p), 0) END,
           d.period_start, d.start_equity, d.start_balance, d.account_id IS NOT NULL
      INTO o.account_id, o.account_name, o.status, o.currency, o.portfolio, o.balance,
           o.equity, o.initial_balance, o.margin_used, o.max_daily_loss, o.max_total_drawdown,
           o.risk_day, o.risk_rules, o.hedging, commission,
           o.instrument, o.asset_class, o.base_currency, o.quote_currency, o.contract_size, o.size_step, o.min_size,
           o.max_size, o.tick_size, o.pip_size, o.margin_rate, o.is_tradable, o.trading_hours,
           o.bid, o.ask, o.mid, o.quoted_at, o.spread, o.net, o.held_risk, o.held_stop, o.position_id, o.held,
           o.day_start, o.day_base, o.day_balance, o.day_base_known
      FROM accounts a
      LEFT JOIN instruments i ON i.instrument = desk.canonical_instrument(p_instrument)
      LEFT JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
      LEFT JOIN tmt.account_totals b ON b.account_id = a.account_id AND b.instrument = i.instrument
      -- A hedging account nets nothing.
      LEFT JOIN positions p ON p.account_id = a.account_id AND p.instrument = i.instrument AND p.netting_key = ''
           AND p.status IN ('open', 'closing') AND a.metadata ->> 'position_mode' IS DISTINCT FROM 'hedging'
      LEFT JOIN performance_metrics d ON d.account_id = a.account_id AND d.period_type = 'daily'
           AND d.period_start <= o.at AND d.period_end > o.at
     WHERE a.account_id = p_account;
    IF o.account_id IS NULL THEN
        RETURN o;
    END IF;
    IF NOT o.day_base_known THEN
        -- No row for today: take current figures.
        SELECT d.starts INTO o.day_start FROM desk.trading_day(o.risk_day, o.at) d;
        o.day_base := o.equity;
        o.day_balance := o.balance;
    END IF;
    o.cost_per_unit := coalesce(desk.parse_number(commission -> 'by_instrument' ->> o.instrument), desk.parse_number(commission ->> 'per_unit'), 0);
    IF o.risk_rules -> 'drawdown' ->> 'trailing' IS NOT NULL THEN
        -- Peaks are carried from day to day: the last row has them.
        SELECT m.peak_eod_balance, m.peak_equity INTO o.peak_balance, o.peak_equity
          FROM performance_metrics m WHERE m.account_id = p_account AND m.period_type = 'daily' ORDER BY m.period_start DESC LIMIT 1;
    END IF;

    o.closing := CASE WHEN o.held * o.direction < 0 THEN least(abs(o.held), o.size) ELSE 0 END;
    o.opening := o.size - o.closing;

    IF o.instrument IS NOT NULL THEN
        SELECT c.rate, c.as_of INTO o.fx, o.fx_at FROM desk.conversion(o.quote_currency, o.currency) c;
        o.risk := desk.risk_amount(o.direction, o.opening, o.price, o.stop, o.contract_size, o.fx);
        SELECT r.bound, r.scale INTO o.price_bound, o.price_scale FROM desk.column_range('public.trades', 'entry_price') r;
        SELECT r.bound, r.scale INTO o.size_bound, o.size_scale FROM desk.column_range('public.trades', 'position_size') r;
    END IF;
    -- A missing setting must not disable its check.
    SELECT '{"price_max_age_seconds": "10", "conversion_max_age_seconds": "60", "price_collar_percent": "1", "duplicate_window_seconds": "5",
             "signal_slippage_pips": "10", "stop_required": "true", "max_risk_fraction": "0.10"}'::jsonb
           || coalesce(jsonb_object_agg(s.key, s.value), '{}') INTO o.settings FROM tmt.settings s;
    RETURN o;
END $$;

-- Locks what an order of an account needs: the mutex of wide limits, if there are any, then the account. False if there
-- is no such account.
--
-- Every booking and every halt writes the account, so that a session that waited for this lock in a stricter isolation
-- level fails with 40001.
CREATE FUNCTION desk.lock_account(p_account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    -- A wide limit spans accounts: the lock of one account does not protect it.
    wide  boolean := desk.has_wide_limits();
    known boolean;
BEGIN
    IF wide THEN
        PERFORM desk.acquire_mutex('risk');
    END IF;
    PERFORM FROM accounts a WHERE a.account_id = p_account FOR NO KEY UPDATE;
    known := FOUND;
    -- Creating the first wide limit locks every account, so it may have happened during this wait, but not later.
    -- Locking the mutex now, in the wrong order, could deadlock.
    IF NOT wide AND desk.has_wide_limits() THEN
        RAISE EXCEPTION 'a wide limit came into force meanwhile' USING ERRCODE = '40001';
    END IF;
    RETURN known;
END $$;

-- Whether a wide limit is active or scheduled.
CREATE FUNCTION desk.has_wide_limits() RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM risk_limits l
                    WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system')
                                           OR (l.limit_scope = 'instrument' AND l.account_id IS NULL)));
END $$;

-- A hedging account keeps one position per order: an opposite order does not net.
CREATE FUNCTION desk.is_hedging(p_metadata jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(p_metadata ->> 'position_mode' = 'hedging', false) $$;

-- The commission of a fill, unrounded: accounts.metadata->'commission' is {"per_unit": "0.00003"} or
-- {"by_instrument": {"EUR_USD": "0.00003"}}, per side and 1.00 of size, in the account's currency. 0 if missing or
-- unreadable.
CREATE FUNCTION desk.commission_for(p_metadata jsonb, p_instrument text, p_size numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    rule text := coalesce(p_metadata #>> ARRAY['commission', 'by_instrument', p_instrument], p_metadata #>> '{commission,per_unit}');
BEGIN
    RETURN CASE WHEN rule ~ '^[0-9]+(\.[0-9]+)?$' THEN rule::numeric * p_size ELSE 0 END;
END $$;

-- The loss at the stop, unrounded. 0 if the stop is beyond the entry and locks in a gain.
CREATE FUNCTION desk.risk_amount(p_direction integer, p_size numeric, p_price numeric, p_stop numeric,
    p_contract_size numeric, p_fx numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_stop IS NULL THEN NULL
                ELSE greatest(0, (p_price - p_stop) * p_direction) * p_size * p_contract_size * p_fx END
$$;

-- accounts.max_daily_loss as an amount: up to 1 it is a fraction of the initial balance. NULL if it is not positive.
CREATE FUNCTION desk.daily_loss_amount(p_value numeric, p_initial numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_value <= 0 THEN NULL WHEN p_value <= 1 THEN p_value * p_initial ELSE p_value END
$$;
