-- Booking fills: positions, trades, cash.

-- Books one fill: first closes what is held on the other side, then opens a new position with the rest. Commission NULL
-- is computed by the account's rule. It is split over both legs by size; the opening leg gets the rounding. Swap goes to
-- the closing leg if there is one.
--
-- With p_closes (a position or one of its trades) the fill only closes that. A hedging account closes in no other way:
-- without it, a fill there opens a new position.
--
-- Checks nothing. The caller has locked the account and checked the order.
CREATE FUNCTION desk.book_fill(p_key uuid, p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_fx numeric, p_commission numeric, p_swap numeric, p_stop numeric, p_target numeric, p_signal uuid,
    p_reason text, p_at timestamptz, p_closes uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    direction integer := CASE p_side WHEN 'BUY' THEN 1 ELSE -1 END;
    market    record;               -- account, instrument and quote
    trade     uuid;                 -- where p_closes is a trade
    held      positions%ROWTYPE;
    closed    trade_fills%ROWTYPE;
    closing   numeric := 0;
    cash      numeric := 0;
    due       numeric;
    result    jsonb;
BEGIN
    SELECT a.current_balance AS balance, a.equity, a.broker, a.metadata, coalesce(i.contract_size, 1) AS contract, i.margin_rate, i.pip_size AS pip,
           coalesce(r.bid, r.rate) AS bid, coalesce(r.ask, r.rate) AS ask
      INTO market
      FROM accounts a
      LEFT JOIN instruments i ON i.instrument = p_instrument
      LEFT JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
     WHERE a.account_id = p_account;
    due := coalesce(p_commission, desk.commission_for(market.metadata, p_instrument, p_size));

    IF p_closes IS NOT NULL THEN
        SELECT t.trade_id, t.position_id INTO trade, held.position_id FROM desk.find_position(p_closes) t;
        SELECT * INTO held FROM positions p WHERE p.position_id = held.position_id AND p.status IN ('open', 'closing') FOR UPDATE;
    ELSIF NOT desk.is_hedging(market.metadata) THEN
        SELECT * INTO held FROM positions p
         WHERE p.account_id = p_account AND p.instrument = p_instrument AND p.netting_key = '' AND p.status IN ('open', 'closing')
           FOR UPDATE;
    END IF;
    IF held.position_type = (CASE direction WHEN 1 THEN 'SHORT' ELSE 'LONG' END) THEN
        closing := least(p_size, held.total_size);
    END IF;
    IF p_closes IS NOT NULL AND closing < p_size THEN
        RAISE EXCEPTION '% has less than % to close', p_closes, p_size USING ERRCODE = '22023';
    END IF;

    IF closing > 0 THEN
        closed := desk.book_closing(
            CASE WHEN p_closes IS NULL OR p_closes = p_key THEN p_key::text ELSE p_key || ':' || p_closes END,
            held, trade, closing, p_price, market.contract, market.margin_rate, p_fx,
            due * closing / p_size, coalesce(p_swap, 0),
            -- The rest is marked at its closing price.
            CASE direction WHEN 1 THEN market.ask ELSE market.bid END, market.balance, coalesce(p_reason, 'netted'), p_at);
        cash := closed.gross_pnl - closed.commission - closed.swap_fee;
        result := jsonb_build_object('closed_position_id', held.position_id, 'closed_size', closed.size::text,
            'remaining', (held.total_size - closing)::text, 'gross_pnl', closed.gross_pnl::text, 'net_pnl', cash::text,
            'commission', closed.commission::text, 'swap_fee', closed.swap_fee::text, 'trades', closed.allocation);
        held := NULL;
    END IF;
    IF closing < p_size THEN
        result := coalesce(result, '{}') || desk.book_opening(p_key, p_account, p_instrument, p_side, held,
            CASE WHEN desk.is_hedging(market.metadata) THEN p_key::text ELSE '' END, p_size - closing, p_price, market.contract, market.margin_rate,
            market.pip, p_fx, due - coalesce(closed.commission, 0), CASE closing WHEN 0 THEN coalesce(p_swap, 0) ELSE 0 END, p_stop, p_target,
            CASE direction WHEN 1 THEN market.bid ELSE market.ask END, market.balance + cash, market.equity, market.broker,
            p_signal, p_reason, p_at);
        cash := cash - (result ->> 'commission')::numeric - (result ->> 'swap_fee')::numeric;
        IF closing > 0 THEN
            result := result || jsonb_build_object('commission_close_leg', closed.commission::text,
                'commission_open_leg', result ->> 'commission',
                'commission', (closed.commission + (result ->> 'commission')::numeric)::text, 'swap_fee', closed.swap_fee::text);
        END IF;
    END IF;
    PERFORM desk.book_cash(p_account, cash, p_at);
    RETURN result || jsonb_build_object('fx_rate', desk.number_text(p_fx));
END $$;

-- Adds to a position, or opens one if `held` is NULL: position, trade, fill. The trade's id is the key of the request.
-- The caller has locked the account and books the cash.
CREATE FUNCTION desk.book_opening(p_key uuid, p_account uuid, p_instrument text, p_side text, held positions,
    p_netting_key text, p_size numeric, p_price numeric, p_contract numeric, p_margin numeric, p_pip numeric, p_fx numeric,
    p_commission numeric, p_swap numeric, p_stop numeric, p_target numeric, p_mark numeric, p_balance numeric, p_equity numeric, p_venue text,
    p_signal uuid, p_reason text, p_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    direction integer := CASE p_side WHEN 'BUY' THEN 1 ELSE -1 END;
    adds      boolean := held.position_id IS NOT NULL;
    risk      numeric := desk.risk_amount(direction, p_size, p_price, p_stop, p_contract, p_fx);
    signal    signals%ROWTYPE;
    fill      trade_fills%ROWTYPE;
BEGIN
    fill.price := p_price;
    fill.size := p_size;
    fill.commission := p_commission;
    fill.swap_fee := p_swap;
    held.cost := CASE WHEN adds THEN coalesce(held.cost, held.average_entry_price * held.total_size) ELSE 0 END + fill.price * p_size;
    held.total_size := CASE WHEN adds THEN held.total_size ELSE 0 END + p_size;
    held.average_entry_price := held.cost / held.total_size;
    held.current_price := coalesce(p_mark, fill.price);
    held.unrealized_pnl := direction * (held.current_price * held.total_size - held.cost) * p_contract * p_fx;
    held.margin_used := held.current_price * held.total_size * p_contract * p_margin * p_fx;
    IF adds THEN
        UPDATE positions p
           SET total_size = held.total_size, cost = held.cost, average_entry_price = held.average_entry_price,
               current_price = held.current_price, unrealized_pnl = held.unrealized_pnl, margin_used = held.margin_used,
               daily_pnl = coalesce(p.realized_pnl, 0) + held.unrealized_pnl - p.day_base,
               -- One stop per position: adding never widens it.
               stop_loss = CASE direction WHEN 1 THEN greatest(p_stop, p.stop_loss) ELSE least(p_stop, p.stop_loss) END, take_profit = coalesce(p_target, p.take_profit), last_updated_at = p_at
         WHERE p.position_id = held.position_id;
    ELSE
        -- The first mark sets the position's trading day.
        INSERT INTO positions AS p (account_id, instrument, netting_key, position_type, total_size, average_entry_price, cost,
                                    current_price, stop_loss, take_profit, unrealized_pnl, margin_used, daily_pnl, opened_at,
                                    last_updated_at)
        VALUES (p_account, p_instrument, p_netting_key, CASE direction WHEN 1 THEN 'LONG' ELSE 'SHORT' END, held.total_size,
                held.average_entry_price, held.cost, held.current_price, p_stop, p_target, held.unrealized_pnl,
                held.margin_used, held.unrealized_pnl, p_at, p_at)
        ON CONFLICT (account_id, instrument, netting_key) WHERE status IN ('open', 'closing') DO NOTHING
        RETURNING p.position_id INTO held.position_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another program opened a position in % at the same time', p_instrument USING ERRCODE = '40001';
        END IF;
    END IF;

    IF p_signal IS NOT NULL THEN
        SELECT * INTO signal FROM signals g WHERE g.signal_id = p_signal;
    END IF;
    INSERT INTO trades (trade_id, account_id, signal_id, instrument, trade_type, position_size, entry_price, stop_loss,
                        take_profit, risk_amount, risk_percentage, commission, swap_fee, slippage, signal_time, entry_time,
                        trade_session, execution_venue, position_id, metadata)
    VALUES (p_key, p_account, p_signal, p_instrument, p_side, p_size, fill.price, p_stop, p_target,
            -- The column is NOT NULL: without a stop it is 0, and metadata says unbounded.
            coalesce(risk, 0), greatest(0, least(coalesce(risk / nullif(p_equity, 0), 0), 9.9999)),
            fill.commission, fill.swap_fee,
            greatest(-9999, least(9999, coalesce((p_price - signal.entry_price) * direction / p_pip, 0))),
            signal.generated_at, p_at, desk.trading_session(p_at), p_venue, held.position_id,
            jsonb_strip_nulls(jsonb_build_object('source', 'desk', 'actor', session_user, 'reason', p_reason,
                'risk', CASE WHEN risk IS NULL THEN 'unbounded' END)));
    INSERT INTO trade_fills (account_id, trade_id, position_id, instrument, side, effect, size, price, fx_rate, commission,
                             swap_fee, client_key, actor, filled_at, balance_after)
    VALUES (p_account, p_key, held.position_id, p_instrument, p_side, 'open', p_size, fill.price, p_fx, fill.commission,
            fill.swap_fee, p_key::text, session_user, p_at, p_balance - fill.commission - fill.swap_fee);

    RETURN jsonb_build_object('trade_id', p_key, 'position_id', held.position_id, 'opened_size', p_size::text,
        'risk_amount', round(risk, 2)::text, 'risk_percentage', round(risk / nullif(p_equity, 0), 4)::text,
        'commission', fill.commission::text, 'swap_fee', fill.swap_fee::text);
END $$;

-- Closes part or all of a position: realizes P&L at average cost, and reduces its trades first in first out, or only
-- p_trade. The caller has locked account and position, has checked the size, and books the cash.
--
-- P&L is computed from the exact cost, not from the rounded average price. Commission and swap are split over the
-- trades by size; the last one gets the rounding.
CREATE FUNCTION desk.book_closing(p_key text, held positions, p_trade uuid, p_size numeric, p_price numeric,
    p_contract numeric, p_margin numeric, p_fx numeric, p_commission numeric, p_swap numeric, p_mark numeric, p_balance numeric,
    p_why text, p_at timestamptz) RETURNS trade_fills
LANGUAGE plpgsql AS $$
DECLARE
    direction  integer := CASE held.position_type WHEN 'LONG' THEN 1 ELSE -1 END;
    held_cost  numeric := coalesce(held.cost, held.average_entry_price * held.total_size);
    cost_out   numeric := desk.partial_cost(held_cost, p_size, held.total_size);
    remaining  numeric := held.total_size - p_size;
    rest       numeric := p_size;
    slice      numeric;
    exit_value numeric;
    exit_size  numeric;
    fill       trade_fills%ROWTYPE;
    part       trades%ROWTYPE;     -- the share of one trade
    allotted   trades%ROWTYPE;     -- the shares of all trades so far
    open_trade desk.open_trade;
BEGIN
    fill.price := p_price;
    fill.size := p_size;
    fill.gross_pnl := direction * (fill.price * p_size - cost_out) * p_contract * p_fx;
    fill.commission := p_commission;
    fill.swap_fee := p_swap;
    fill.allocation := '[]';
    allotted.gross_pnl := 0;
    allotted.commission := 0;
    allotted.swap_fee := 0;

    FOREACH open_trade IN ARRAY desk.open_trades(held, p_at, p_trade) LOOP
        slice := least(rest, open_trade.open_size);
        CONTINUE WHEN slice <= 0;
        rest := rest - slice;
        part.gross_pnl := direction * (fill.price - open_trade.entry_price) * slice * p_contract * p_fx;
        IF rest = 0 AND remaining = 0 THEN
            -- The position is closed: the last trade gets what rounding left.
            part.gross_pnl := part.gross_pnl + desk.closing_rounding(held, p_size, fill.gross_pnl, allotted.gross_pnl + part.gross_pnl,
                jsonb_array_length(fill.allocation) + 1);
        END IF;
        allotted.gross_pnl := allotted.gross_pnl + part.gross_pnl;
        part.commission := CASE rest WHEN 0 THEN fill.commission - allotted.commission ELSE fill.commission * slice / p_size END;
        part.swap_fee := CASE rest WHEN 0 THEN fill.swap_fee - allotted.swap_fee ELSE fill.swap_fee * slice / p_size END;
        allotted.commission := allotted.commission + part.commission;
        allotted.swap_fee := allotted.swap_fee + part.swap_fee;
        part.exit_price := fill.price;
        IF open_trade.closed_size > 0 THEN
            -- The average of all exits, from the fills: an average of rounded averages drifts.
            SELECT sum((a ->> 'size')::numeric * f.price), sum((a ->> 'size')::numeric) INTO exit_value, exit_size
              FROM trade_fills f, jsonb_array_elements(f.allocation) a
             WHERE f.position_id = held.position_id AND f.effect = 'close' AND a ->> 'trade_id' = open_trade.trade_id::text;
            IF exit_size = open_trade.closed_size THEN
                part.exit_price := (exit_value + fill.price * slice) / (exit_size + slice);
            ELSE
                SELECT (coalesce(t.exit_price, fill.price) * t.closed_size + fill.price * slice) / (t.closed_size + slice)
                  INTO part.exit_price
                  FROM trades t WHERE t.trade_id = open_trade.trade_id AND t.entry_time = open_trade.entry_time;
            END IF;
        END IF;
        UPDATE trades t
           SET closed_size = t.closed_size + slice,
               status = CASE slice WHEN open_trade.open_size THEN 'closed' ELSE 'partial' END,
               exit_price = part.exit_price,
               exit_time = p_at,
               gross_pnl = coalesce(t.gross_pnl, 0) + part.gross_pnl,
               commission = coalesce(t.commission, 0) + part.commission,
               swap_fee = coalesce(t.swap_fee, 0) + part.swap_fee,
               net_pnl = coalesce(t.gross_pnl, 0) + part.gross_pnl - coalesce(t.commission, 0) - part.commission
                         - coalesce(t.swap_fee, 0) - part.swap_fee,
               duration_seconds = greatest(0, least(extract(epoch FROM p_at - t.entry_time), 2147483647))::integer,
               close_reason = left(p_why, 50),
               position_id = held.position_id
         WHERE t.trade_id = open_trade.trade_id AND t.entry_time = open_trade.entry_time;
        fill.allocation := fill.allocation || jsonb_build_object('trade_id', open_trade.trade_id, 'size', slice::text,
            'gross_pnl', part.gross_pnl::text, 'commission', part.commission::text, 'swap_fee', part.swap_fee::text);
        EXIT WHEN rest = 0;
    END LOOP;

    INSERT INTO trade_fills (account_id, trade_id, position_id, instrument, side, effect, size, price, fx_rate, gross_pnl,
                             commission, swap_fee, allocation, client_key, actor, filled_at, balance_after)
    VALUES (held.account_id,
            CASE WHEN jsonb_array_length(fill.allocation) = 1 THEN (fill.allocation -> 0 ->> 'trade_id')::uuid END,
            held.position_id, held.instrument, CASE direction WHEN 1 THEN 'SELL' ELSE 'BUY' END, 'close', p_size, fill.price,
            p_fx, fill.gross_pnl, fill.commission, fill.swap_fee, fill.allocation, p_key, session_user, p_at,
            p_balance + fill.gross_pnl - fill.commission - fill.swap_fee);

    held.realized_pnl := coalesce(held.realized_pnl, 0) + fill.gross_pnl;
    IF remaining = 0 THEN
        -- A closed position keeps its last size and cost: the column does not allow a size of zero.
        held.cost := held_cost;
        held.current_price := fill.price;
        held.unrealized_pnl := 0;
        held.margin_used := 0;
        held.status := 'closed';
        held.closed_at := p_at;
    ELSE
        held.total_size := remaining;
        held.cost := desk.exact_cost(held_cost - cost_out);
        held.current_price := coalesce(p_mark, held.current_price, fill.price);
        held.unrealized_pnl := direction * (held.current_price * remaining - held.cost) * p_contract * p_fx;
        held.margin_used := held.current_price * remaining * p_contract * p_margin * p_fx;
        held.status := 'open';
    END IF;
    UPDATE positions p
       SET total_size = held.total_size, cost = held.cost, current_price = held.current_price,
           realized_pnl = held.realized_pnl, unrealized_pnl = held.unrealized_pnl, margin_used = held.margin_used,
           daily_pnl = held.realized_pnl + held.unrealized_pnl - p.day_base,
           status = held.status, closed_at = held.closed_at, last_updated_at = p_at
     WHERE p.position_id = held.position_id;
    RETURN fill;
END $$;

-- A position's P&L is computed at average cost, that of its trades from their own entries, and each part is rounded.
-- Once the position is closed, the sums differ only by these roundings: returns what the trades lack. 0 if the fills do
-- not cover the whole position, or if the difference is more than rounding.
CREATE FUNCTION desk.closing_rounding(p_held positions, p_size numeric, p_gross numeric, p_allotted numeric, p_parts integer) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
    opened     numeric;
    booked     numeric;
    closed     numeric := p_size;
    allotted   numeric := p_allotted;
    parts      integer := p_parts;
    difference numeric;
BEGIN
    SELECT sum(f.size) FILTER (WHERE f.effect = 'open'), coalesce(sum(f.gross_pnl) FILTER (WHERE f.effect = 'close'), 0) INTO opened, booked
      FROM trade_fills f WHERE f.position_id = p_held.position_id;
    SELECT closed + coalesce(sum((a ->> 'size')::numeric), 0), allotted + coalesce(sum((a ->> 'gross_pnl')::numeric), 0), parts + 2 * count(*)
      INTO closed, allotted, parts
      FROM trade_fills f, jsonb_array_elements(f.allocation) a WHERE f.position_id = p_held.position_id AND f.effect = 'close';
    difference := booked + p_gross - allotted;
    RETURN CASE WHEN closed = opened AND booked = coalesce(p_held.realized_pnl, 0) AND abs(difference) <= 0.01 * (parts + 1) THEN difference ELSE 0 END;
END $$;

-- The cost of a part of a position, by size.
CREATE FUNCTION desk.partial_cost(p_cost numeric, p_part numeric, p_whole numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    -- The quotient has as many decimals as the dividend.
    SELECT desk.exact_cost(round(p_cost * p_part, 40) / p_whole)
$$;

-- A cost without the error of dividing. A sum of price × size has few decimals: a value within 1e-34 of 24 decimals is
-- rounded to them; forty decimals are kept otherwise.
CREATE FUNCTION desk.exact_cost(p_cost numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN abs(p_cost - round(p_cost, 24)) < 1e-34 THEN trim_scale(round(p_cost, 24)) ELSE round(p_cost, 40) END
$$;

-- Books cash, and updates equity, margin and available balance. A balance below zero is stored, and puts the account in
-- risk halt.
CREATE FUNCTION desk.book_cash(p_account uuid, p_cash numeric, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    balance numeric;
BEGIN
    UPDATE accounts a
       SET current_balance = a.current_balance + p_cash,
           equity = a.current_balance + p_cash + v.unrealized,
           margin_used = round(v.margin, scale(a.current_balance)),
           available_balance = a.current_balance + p_cash + v.unrealized - round(v.margin, scale(a.current_balance)),
           last_trade_at = p_at,
           status = CASE WHEN a.current_balance + p_cash < 0 AND a.status = 'active' THEN 'risk_halt' ELSE a.status END
      FROM (SELECT coalesce(sum(p.unrealized_pnl), 0) AS unrealized,
                   coalesce(sum(coalesce(p.margin_used, desk.position_margin(p))), 0) AS margin
              FROM positions p WHERE p.account_id = p_account AND p.status IN ('open', 'closing')) v
     WHERE a.account_id = p_account
    RETURNING a.current_balance INTO balance;
    IF balance < 0 AND p_cash < 0 THEN
        PERFORM desk.raise_event(p_account, 'negative_balance', 'emergency', 'desk', 'balance', balance, 0,
            'negative_balance:' || p_account, NULL, NULL, NULL,
            jsonb_build_object('message', 'The balance is below zero: the account is in risk halt.'));
    END IF;
END $$;

-- The open trades of a position, oldest first, or only p_trade; locked.
--
-- Searches only trades entered since the position was opened. If these do not cover its size, another program's trades
-- are older or name no position: then all are searched.
CREATE FUNCTION desk.open_trades(p_position positions, p_at timestamptz, p_trade uuid DEFAULT NULL)
RETURNS desk.open_trade[]
LANGUAGE plpgsql AS $$
DECLARE
    found   desk.open_trade[];
    covered numeric;
    entered timestamptz;
BEGIN
    IF p_trade IS NOT NULL THEN
        -- Two statements, so that the second one reads a single partition.
        SELECT r.entry_time INTO entered FROM trade_registry r WHERE r.trade_id = p_trade;
        SELECT array_agg(ROW(t.trade_id, t.entry_time, t.entry_price, t.open_size, t.closed_size)::desk.open_trade) INTO found
          FROM (SELECT t.trade_id, t.entry_time, t.entry_price, t.position_size - t.closed_size AS open_size, t.closed_size
                  FROM trades t WHERE t.trade_id = p_trade AND t.entry_time = entered AND t.status IN ('open', 'partial')
                   FOR UPDATE) t;
        RETURN coalesce(found, '{}');
    END IF;
    SELECT array_agg(ROW(t.trade_id, t.entry_time, t.entry_price, t.open_size, t.closed_size)::desk.open_trade
                     ORDER BY t.entry_time, t.trade_id), sum(t.open_size)
      INTO found, covered
      FROM (SELECT t.trade_id, t.entry_time, t.entry_price, t.position_size - t.closed_size AS open_size, t.closed_size
              FROM trades t
             WHERE t.position_id = p_position.position_id AND t.status IN ('open', 'partial')
               AND t.entry_time >= p_position.opened_at AND t.entry_time <= p_at
               FOR UPDATE) t;
    IF coalesce(covered, 0) < p_position.total_size AND p_position.netting_key = '' THEN
        SELECT array_agg(ROW(t.trade_id, t.entry_time, t.entry_price, t.open_size, t.closed_size)::desk.open_trade
                         ORDER BY t.entry_time, t.trade_id)
          INTO found
          FROM (SELECT t.trade_id, t.entry_time, t.entry_price, t.position_size - t.closed_size AS open_size, t.closed_size
                  FROM trades t
                 WHERE t.account_id = p_position.account_id AND t.instrument = p_position.instrument
                   AND t.trade_type = CASE p_position.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END
                   AND t.status IN ('open', 'partial')
                   AND (t.position_id = p_position.position_id OR t.position_id IS NULL)
                   FOR UPDATE) t;
    END IF;
    RETURN coalesce(found, '{}');
END $$;

-- The position of an id, which may be that of a position or of one of its trades; NULL if it is neither.
CREATE FUNCTION desk.find_position(p_id uuid, OUT position_id uuid, OUT trade_id uuid, OUT entry_time timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    one trades%ROWTYPE;
BEGIN
    SELECT p.position_id INTO find_position.position_id FROM positions p WHERE p.position_id = p_id;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT r.trade_id, r.entry_time INTO find_position.trade_id, find_position.entry_time FROM trade_registry r WHERE r.trade_id = p_id;
    SELECT * INTO one FROM trades t WHERE t.trade_id = p_id AND t.entry_time = find_position.entry_time;
    find_position.position_id := one.position_id;
    IF find_position.position_id IS NULL AND one.status IN ('open', 'partial') THEN
        -- Another program's trade, which names no position.
        SELECT p.position_id INTO find_position.position_id
          FROM positions p
         WHERE p.account_id = one.account_id AND p.instrument = one.instrument AND p.netting_key = ''
           AND p.position_type = CASE one.trade_type WHEN 'BUY' THEN 'LONG' ELSE 'SHORT' END
           AND p.status IN ('open', 'closing');
    END IF;
END $$;

-- The answer where an amount does not fit its column.
CREATE FUNCTION desk.amount_out_of_range(p_subject uuid) RETURNS desk.answer
LANGUAGE sql IMMUTABLE AS $$
    SELECT desk.refused('AMOUNT_OUT_OF_RANGE', 'A resulting amount is too large to book. Nothing was booked.',
                        p_subject => p_subject)
$$;
