-- Commission and swap that a broker bills separately.

-- Books a charge in the account's currency: a cost is positive; a credit is negative and always a swap. It is split by
-- size over the open trades of the position, or over all its trades if none is open; the last one gets the rounding.
CREATE FUNCTION desk.charge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_kind text, p_amount numeric, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.answer;
    kind      text := lower(btrim(p_kind));
    amount    numeric := desk.finite(p_amount);
    payload   jsonb := jsonb_build_object('position_id', p_position, 'kind', p_kind, 'amount', p_amount::text, 'reason', p_reason);
    held      positions%ROWTYPE;
    account   accounts%ROWTYPE;
    fill      trade_fills%ROWTYPE;
    part      trade_fills%ROWTYPE;     -- the share of one trade
    allotted  trade_fills%ROWTYPE;    -- the shares of all trades so far
    charged   desk.open_trade[];
    trade     desk.open_trade;
    whole     numeric;
    left_over numeric;
    now_at    timestamptz;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'charge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT a.* INTO account FROM accounts a
     WHERE a.account_id = (SELECT p.account_id FROM positions p WHERE p.position_id = p_position) FOR NO KEY UPDATE;
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    now_at := clock_timestamp();
    answer := CASE
        WHEN NOT desk.has_role('tmt_admin', 'tmt_agent') THEN desk.refused('NOT_PERMITTED', format('%s is not permitted to charge accounts.', session_user))
        WHEN held.position_id IS NULL THEN desk.refused('POSITION_UNKNOWN', 'No such position.')
        WHEN kind NOT IN ('commission', 'swap') OR kind IS NULL THEN
            desk.refused('CHARGE_KIND_INVALID', 'A charge must be a commission or a swap.', p_subject => p_position)
        WHEN amount IS NULL OR round(amount, scale(account.current_balance)) = 0 OR (kind = 'commission' AND amount < 0) THEN
            desk.refused('CHARGE_AMOUNT_INVALID', 'A charge needs an amount; only a swap may be negative.', amount, 0,
                btrim(account.base_currency), p_position)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'charge', answer, payload);
    END IF;

    PERFORM desk.roll_periods(ARRAY[held.account_id]);
    BEGIN
        fill.commission := CASE kind WHEN 'commission' THEN amount ELSE 0 END;
        fill.swap_fee := CASE kind WHEN 'swap' THEN amount ELSE 0 END;
        fill.allocation := '[]';
        allotted.commission := 0;
        allotted.swap_fee := 0;
        charged := CASE WHEN held.status <> 'closed' THEN desk.open_trades(held, now_at) END;
        IF coalesce(cardinality(charged), 0) = 0 THEN
            SELECT array_agg(ROW(f.trade_id, r.entry_time, f.price, f.size, 0)::desk.open_trade ORDER BY f.seq) INTO charged
              FROM trade_fills f JOIN trade_registry r USING (trade_id)
             WHERE f.position_id = p_position AND f.effect = 'open';
        END IF;
        SELECT sum(c.open_size) INTO whole FROM unnest(charged) c;
        left_over := whole;
        FOREACH trade IN ARRAY coalesce(charged, '{}') LOOP
            left_over := left_over - trade.open_size;
            part.commission := CASE left_over WHEN 0 THEN fill.commission - allotted.commission ELSE fill.commission * trade.open_size / whole END;
            part.swap_fee := CASE left_over WHEN 0 THEN fill.swap_fee - allotted.swap_fee ELSE fill.swap_fee * trade.open_size / whole END;
            allotted.commission := allotted.commission + part.commission;
            allotted.swap_fee := allotted.swap_fee + part.swap_fee;
            UPDATE trades t
               SET commission = coalesce(t.commission, 0) + part.commission,
                   swap_fee = coalesce(t.swap_fee, 0) + part.swap_fee,
                   net_pnl = t.gross_pnl - coalesce(t.commission, 0) - part.commission - coalesce(t.swap_fee, 0) - part.swap_fee
             WHERE t.trade_id = trade.trade_id AND t.entry_time = trade.entry_time;
            fill.allocation := fill.allocation || jsonb_build_object('trade_id', trade.trade_id, 'size', trade.open_size::text,
                'commission', part.commission::text, 'swap_fee', part.swap_fee::text);
        END LOOP;
        INSERT INTO trade_fills (account_id, trade_id, position_id, instrument, side, effect, size, price, fx_rate, commission, swap_fee,
                                 allocation, client_key, actor, filled_at, balance_after)
        VALUES (held.account_id, CASE WHEN jsonb_array_length(fill.allocation) = 1 THEN (fill.allocation -> 0 ->> 'trade_id')::uuid END,
                p_position, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END, 'fee', 0,
                coalesce(held.current_price, held.average_entry_price), 1, fill.commission, fill.swap_fee, fill.allocation, p_key::text,
                session_user, now_at, account.current_balance - fill.commission - fill.swap_fee);
        PERFORM desk.book_cash(held.account_id, -fill.commission - fill.swap_fee, account.last_trade_at);
    EXCEPTION WHEN numeric_value_out_of_range THEN
        RETURN desk.finish_request(p_key, 'charge', desk.amount_out_of_range(p_position), payload);
    END;
    answer := desk.accepted(p_position, format('%s %s %s in %s on %s.', CASE WHEN amount > 0 THEN 'Charged' ELSE 'Credited' END,
            desk.amount_text(abs(fill.commission + fill.swap_fee)), btrim(account.base_currency), kind, held.instrument),
        NULL, jsonb_build_object('account_id', held.account_id, 'kind', kind, 'amount', (fill.commission + fill.swap_fee)::text,
            'trades', fill.allocation));
    RETURN desk.finish_request(p_key, 'charge', answer, payload);
END $$;

-- Nights of swap from p_from up to p_to: 1 per weekday night, 3 for the night of p_triple_day (ISO: 3 is Wednesday), 0 on
-- Saturday and Sunday.
CREATE FUNCTION desk.swap_nights(p_from date, p_to date, p_triple_day integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(CASE WHEN extract(isodow FROM n) = p_triple_day THEN 3 WHEN extract(isodow FROM n) >= 6 THEN 0 ELSE 1 END), 0)::integer
      FROM generate_series(p_from::timestamp, p_to::timestamp - interval '1 day', interval '1 day') n
$$;

-- The swap fee of some nights, unrounded. Brokers quote what they pay: a negative rate gives a positive fee.
CREATE FUNCTION desk.swap_fee(p_size numeric, p_per_lot numeric, p_lot numeric, p_nights integer) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT -p_per_lot * p_size / p_lot * p_nights $$;
