-- Books one fill of an account: nets it against what is held, closes first and opens the rest as a new
-- position with a trade of its own. Commission NULL is what the account pays by its own rule; a split
-- one goes to both legs by size, and the opening leg takes what rounding left. Swap belongs to what was
-- held, so to the closing leg where there is one.
--
-- With a ticket (a position or one of its trades) it only closes that. A hedging account closes in no
-- other way; everything else is a new ticket there.
--
-- Booking only: no check of any kind. The caller holds the account and knows that the fill is a fact, or
-- may become one.
CREATE FUNCTION desk.book_fill(p_key uuid, p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_fx numeric, p_commission numeric, p_swap numeric, p_stop numeric, p_target numeric, p_signal uuid,
    p_reason text, p_at timestamptz, p_ticket uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    direction integer := CASE p_side WHEN 'BUY' THEN 1 ELSE -1 END;
    around    record;
    chosen    uuid;                 -- the trade, where the ticket is one
    held      positions%ROWTYPE;
    closed    trade_fills%ROWTYPE;
    closing   numeric := 0;
    cash      numeric := 0;
    due       numeric;
    result    jsonb;
BEGIN
    SELECT a.current_balance AS balance, a.equity, a.broker, a.metadata, coalesce(i.contract_size, 1) AS contract, i.margin_rate, i.pip_size AS pip,
           coalesce(r.bid, r.rate) AS bid, coalesce(r.ask, r.rate) AS ask
      INTO around
      FROM accounts a
      LEFT JOIN instruments i ON i.instrument = p_instrument
      LEFT JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
     WHERE a.account_id = p_account;
    due := coalesce(p_commission, desk.commission_for(around.metadata, p_instrument, p_size));

    IF p_ticket IS NOT NULL THEN
        SELECT t.trade_id, t.position_id INTO chosen, held.position_id FROM desk.find_position(p_ticket) t;
        SELECT * INTO held FROM positions p WHERE p.position_id = held.position_id AND p.status IN ('open', 'closing') FOR UPDATE;
    ELSIF NOT desk.is_hedging(around.metadata) THEN
        SELECT * INTO held FROM positions p
         WHERE p.account_id = p_account AND p.instrument = p_instrument AND p.netting_key = '' AND p.status IN ('open', 'closing')
           FOR UPDATE;
    END IF;
    IF held.position_type = (CASE direction WHEN 1 THEN 'SHORT' ELSE 'LONG' END) THEN
        closing := least(p_size, held.total_size);
    END IF;
    IF p_ticket IS NOT NULL AND closing < p_size THEN
        RAISE EXCEPTION 'ticket % does not hold % to close', p_ticket, p_size USING ERRCODE = '22023';
    END IF;

    IF closing > 0 THEN
        closed := desk.book_closing(
            CASE WHEN p_ticket IS NULL OR p_ticket = p_key THEN p_key::text ELSE p_key || ':' || p_ticket END,
            held, chosen, closing, p_price, around.contract, around.margin_rate, p_fx,
            due * closing / p_size, coalesce(p_swap, 0),
            -- What stays open is worth what it could be closed at.
            CASE direction WHEN 1 THEN around.ask ELSE around.bid END, around.balance, coalesce(p_reason, 'netted'), p_at);
        cash := closed.gross_pnl - closed.commission - closed.swap_fee;
        result := jsonb_build_object('closed_position_id', held.position_id, 'closed_size', closed.size::text,
            'remaining', (held.total_size - closing)::text, 'gross_pnl', closed.gross_pnl::text, 'net_pnl', cash::text,
            'commission', closed.commission::text, 'swap_fee', closed.swap_fee::text, 'trades', closed.allocation);
        held := NULL;
    END IF;
    IF closing < p_size THEN
        result := coalesce(result, '{}') || desk.book_opening(p_key, p_account, p_instrument, p_side, held,
            CASE WHEN desk.is_hedging(around.metadata) THEN p_key::text ELSE '' END, p_size - closing, p_price, around.contract, around.margin_rate,
            around.pip, p_fx, due - coalesce(closed.commission, 0), CASE closing WHEN 0 THEN coalesce(p_swap, 0) ELSE 0 END, p_stop, p_target,
            CASE direction WHEN 1 THEN around.bid ELSE around.ask END, around.balance + cash, around.equity, around.broker,
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

-- Adds to a position, or opens one where `held` is none: position, trade, fill. The trade's id is the
-- key of the request. The caller holds the account and moves the balance by what the fill says.
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
    -- Adding moves the average; the other side of the position cannot be met here, it was closed first.
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
               -- One stop for all of it: adding never widens what was judged with the tighter one.
               stop_loss = CASE direction WHEN 1 THEN greatest(p_stop, p.stop_loss) ELSE least(p_stop, p.stop_loss) END, take_profit = coalesce(p_target, p.take_profit), last_updated_at = p_at
         WHERE p.position_id = held.position_id;
    ELSE
        -- Its day begins with the first mark: until then there is no day to count from.
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
            -- The column cannot be empty: without a stop it says 0, and the metadata that this is no number.
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

-- Takes a size off a position at a price: realizes P&L at average cost, reduces its trades first in
-- first out or only the one that is named. The caller holds the account and the position, has checked
-- the size, and moves the balance by what the fill says.
--
-- P&L is taken from the exact cost, never from the decimals of the average price. Commission and swap
-- are split over the trades by size; the last one takes what rounding left.
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
    part       trades%ROWTYPE;     -- what this close adds to one trade
    given      trades%ROWTYPE;     -- what all of them got so far
    taken      desk.open_trade;
BEGIN
    fill.price := p_price;
    fill.size := p_size;
    fill.gross_pnl := direction * (fill.price * p_size - cost_out) * p_contract * p_fx;
    fill.commission := p_commission;
    fill.swap_fee := p_swap;
    fill.allocation := '[]';
    given.gross_pnl := 0;
    given.commission := 0;
    given.swap_fee := 0;

    FOREACH taken IN ARRAY desk.open_trades(held, p_at, p_trade) LOOP
        slice := least(rest, taken.open_size);
        CONTINUE WHEN slice <= 0;
        rest := rest - slice;
        part.gross_pnl := direction * (fill.price - taken.entry_price) * slice * p_contract * p_fx;
        IF rest = 0 AND remaining = 0 THEN
            -- Nothing is left to differ: what rounding kept apart so far goes to the last part.
            part.gross_pnl := part.gross_pnl + desk.closing_rounding(held, p_size, fill.gross_pnl, given.gross_pnl + part.gross_pnl,
                jsonb_array_length(fill.allocation) + 1);
        END IF;
        given.gross_pnl := given.gross_pnl + part.gross_pnl;
        part.commission := CASE rest WHEN 0 THEN fill.commission - given.commission ELSE fill.commission * slice / p_size END;
        part.swap_fee := CASE rest WHEN 0 THEN fill.swap_fee - given.swap_fee ELSE fill.swap_fee * slice / p_size END;
        given.commission := given.commission + part.commission;
        given.swap_fee := given.swap_fee + part.swap_fee;
        part.exit_price := fill.price;
        IF taken.closed_size > 0 THEN
            -- The mean of all exits, from the fills: a mean of rounded means drifts.
            SELECT sum((a ->> 'size')::numeric * f.price), sum((a ->> 'size')::numeric) INTO exit_value, exit_size
              FROM trade_fills f, jsonb_array_elements(f.allocation) a
             WHERE f.position_id = held.position_id AND f.effect = 'close' AND a ->> 'trade_id' = taken.trade_id::text;
            IF exit_size = taken.closed_size THEN
                part.exit_price := (exit_value + fill.price * slice) / (exit_size + slice);
            ELSE
                SELECT (coalesce(t.exit_price, fill.price) * t.closed_size + fill.price * slice) / (t.closed_size + slice)
                  INTO part.exit_price
                  FROM trades t WHERE t.trade_id = taken.trade_id AND t.entry_time = taken.entry_time;
            END IF;
        END IF;
        UPDATE trades t
           SET closed_size = t.closed_size + slice,
               status = CASE slice WHEN taken.open_size THEN 'closed' ELSE 'partial' END,
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
         WHERE t.trade_id = taken.trade_id AND t.entry_time = taken.entry_time;
        fill.allocation := fill.allocation || jsonb_build_object('trade_id', taken.trade_id, 'size', slice::text,
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
        -- A closed row keeps the size and the cost it last had: zero is not storable, and says less.
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

-- A position counts by its average cost, its trades by their own entries, and each part is rounded by itself. When
-- the last of a position is closed, what both have made is the same but for those cents: what the trades lack.
-- Nothing where fills do not explain all of it, or where it is more than rounding can do.
CREATE FUNCTION desk.closing_rounding(p_held positions, p_size numeric, p_gross numeric, p_given numeric, p_parts integer) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
    opened  numeric;
    booked  numeric;
    closed  numeric := p_size;
    given   numeric := p_given;
    parts   integer := p_parts;
    dust    numeric;
BEGIN
    SELECT sum(f.size) FILTER (WHERE f.effect = 'open'), coalesce(sum(f.gross_pnl) FILTER (WHERE f.effect = 'close'), 0) INTO opened, booked
      FROM trade_fills f WHERE f.position_id = p_held.position_id;
    SELECT closed + coalesce(sum((a ->> 'size')::numeric), 0), given + coalesce(sum((a ->> 'gross_pnl')::numeric), 0), parts + 2 * count(*)
      INTO closed, given, parts
      FROM trade_fills f, jsonb_array_elements(f.allocation) a WHERE f.position_id = p_held.position_id AND f.effect = 'close';
    dust := booked + p_gross - given;
    RETURN CASE WHEN closed = opened AND booked = coalesce(p_held.realized_pnl, 0) AND abs(dust) <= 0.01 * (parts + 1) THEN dust ELSE 0 END;
END $$;

-- What a part of a position cost, by its size.
CREATE FUNCTION desk.partial_cost(p_cost numeric, p_part numeric, p_whole numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    -- The quotient has as many decimals as what is divided.
    SELECT desk.exact_cost(round(p_cost * p_part, 40) / p_whole)
$$;

-- A cost as it would be had nothing been cut off on the way. Prices and sizes have a few decimals, and so has
-- a sum of their products; forty are kept of what has no end.
CREATE FUNCTION desk.exact_cost(p_cost numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN abs(p_cost - round(p_cost, 24)) < 1e-34 THEN trim_scale(round(p_cost, 24)) ELSE round(p_cost, 40) END
$$;

-- Books cash on an account and brings equity, margin and free balance in line with its positions.
--
-- A balance below zero is a fact and is stored; it also ends trading, so nothing more is lost.
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
    -- The first time it is an event of its own, later bookings are counted on it.
    IF balance < 0 AND p_cash < 0 THEN
        PERFORM desk.raise_event(p_account, 'negative_balance', 'emergency', 'desk', 'balance', balance, 0,
            'negative_balance:' || p_account, NULL, NULL, NULL,
            jsonb_build_object('message', 'The balance is below zero: the account is in risk halt.'));
    END IF;
END $$;

-- The live trades of a position, oldest first, or the one that is named; locked.
--
-- They were entered since it was opened, which is all that needs to be searched. Only a position that
-- its own trades do not explain has older ones, or ones that name no position: another program's.
CREATE FUNCTION desk.open_trades(p_position positions, p_at timestamptz, p_trade uuid DEFAULT NULL)
RETURNS desk.open_trade[]
LANGUAGE plpgsql AS $$
DECLARE
    found   desk.open_trade[];
    covered numeric;
    entered timestamptz;
BEGIN
    IF p_trade IS NOT NULL THEN
        -- Two statements: only a month that is known before is looked up alone.
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

-- The position behind a ticket, which may be a position or one of its trades; nothing if it is neither.
-- In the trade's own month: its partition is found by entry_time, not by its id.
CREATE FUNCTION desk.find_position(p_ticket uuid, OUT position_id uuid, OUT trade_id uuid, OUT entry_time timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    one trades%ROWTYPE;
BEGIN
    SELECT p.position_id INTO find_position.position_id FROM positions p WHERE p.position_id = p_ticket;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT r.trade_id, r.entry_time INTO find_position.trade_id, find_position.entry_time FROM trade_registry r WHERE r.trade_id = p_ticket;
    SELECT * INTO one FROM trades t WHERE t.trade_id = p_ticket AND t.entry_time = find_position.entry_time;
    find_position.position_id := one.position_id;
    IF find_position.position_id IS NULL AND one.status IN ('open', 'partial') THEN
        -- Written by another program, which knows nothing of positions.
        SELECT p.position_id INTO find_position.position_id
          FROM positions p
         WHERE p.account_id = one.account_id AND p.instrument = one.instrument AND p.netting_key = ''
           AND p.position_type = CASE one.trade_type WHEN 'BUY' THEN 'LONG' ELSE 'SHORT' END
           AND p.status IN ('open', 'closing');
    END IF;
END $$;

-- The answer to a write of which some amount fits no column.
CREATE FUNCTION desk.amount_out_of_range(p_subject uuid) RETURNS desk.answer
LANGUAGE sql IMMUTABLE AS $$
    SELECT desk.refused('AMOUNT_OUT_OF_RANGE', 'An amount that follows from this is larger than can be booked. Nothing was booked.',
                        p_subject => p_subject)
$$;
