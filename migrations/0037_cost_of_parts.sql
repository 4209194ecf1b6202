-- The cost of a part of a position is a quotient, and most quotients have no end. What was cut off it is
-- missing from the next part, whose own cost may well have an end: half a cent of gain was then a little
-- less than half a cent, and the cent was lost. Now more digits are kept than can ever matter, and a cost
-- that comes within what was cut off of a number that ends is that number.
SET LOCAL ROLE tmt_owner;

-- A cost as it would be had nothing been cut off on the way. Prices and sizes have a few decimals, and so has
-- a sum of their products; forty are kept of what has no end.
CREATE OR REPLACE FUNCTION desk.whole_cost(p_cost numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN abs(p_cost - round(p_cost, 24)) < 1e-34 THEN trim_scale(round(p_cost, 24)) ELSE round(p_cost, 40) END
$$;

-- What a part of a position cost, by its size.
CREATE OR REPLACE FUNCTION desk.cost_of_part(p_cost numeric, p_part numeric, p_whole numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    -- The quotient has as many decimals as what is divided.
    SELECT desk.whole_cost(round(p_cost * p_part, 40) / p_whole)
$$;

REVOKE ALL ON FUNCTION desk.whole_cost(numeric), desk.cost_of_part(numeric, numeric, numeric) FROM PUBLIC;

-- Takes a size off a position at a price: realizes P&L at average cost, reduces its trades first in
-- first out or only the one that is named. The caller holds the account and the position, has checked
-- the size, and moves the balance by what the fill says.
--
-- P&L is taken from the exact cost, never from the decimals of the average price. Commission and swap
-- are split over the trades by size; the last one takes what rounding left.
CREATE OR REPLACE FUNCTION desk.book_closing(p_key text, held positions, p_trade uuid, p_size numeric, p_price numeric,
    p_contract numeric, p_margin numeric, p_fx numeric, p_commission numeric, p_swap numeric, p_mark numeric, p_balance numeric,
    p_why text, p_at timestamptz) RETURNS trade_fills
LANGUAGE plpgsql AS $$
DECLARE
    direction  integer := CASE held.position_type WHEN 'LONG' THEN 1 ELSE -1 END;
    held_cost  numeric := coalesce(held.cost, held.average_entry_price * held.total_size);
    cost_out   numeric := desk.cost_of_part(held_cost, p_size, held.total_size);
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
            part.gross_pnl := part.gross_pnl + desk.closing_dust(held, p_size, fill.gross_pnl, given.gross_pnl + part.gross_pnl,
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
        held.cost := desk.whole_cost(held_cost - cost_out);
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

-- What one more fill makes of a position.
CREATE OR REPLACE FUNCTION desk.replay_fill(state desk.replayed, f trade_fills) RETURNS desk.replayed
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stored positions%ROWTYPE;   -- cost and average as their columns keep them
BEGIN
    IF state.first_effect IS NULL THEN
        state := ROW(f.effect, f.filled_at, CASE f.side WHEN 'BUY' THEN 'LONG' ELSE 'SHORT' END, 0, 0, 0, 0, 0)::desk.replayed;
    END IF;
    IF f.effect = 'open' THEN
        stored.cost := state.cost + f.price * f.size;
        state.size := state.size + f.size;
        -- Of a position that was there before its fills, a close may come first: no size, no average.
        stored.average_entry_price := stored.cost / nullif(state.size, 0);
        state.average := stored.average_entry_price;
        state.cost := stored.cost;
    ELSIF f.effect = 'close' THEN
        state.realized := state.realized + f.gross_pnl;
        state.last_size := state.size;
        IF f.size < state.size THEN
            stored.cost := desk.whole_cost(state.cost - desk.cost_of_part(state.cost, f.size, state.size));
            state.cost := stored.cost;
        END IF;
        state.size := state.size - f.size;
    END IF;
    RETURN state;
END $$;

-- What is stored was computed with fewer digits: where that is all the difference, it is what the fills say.
UPDATE positions p SET cost = r.cost
  FROM desk.rebuilt_positions(NULL) r
 WHERE r.position_id = p.position_id AND p.cost <> r.cost AND abs(p.cost - r.cost) < 0.000001;
