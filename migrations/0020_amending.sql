-- What changes on an open position without a trade: its stop and target, and what a broker charges.
SET LOCAL ROLE tmt_owner;

-- ---- stops and targets ------------------------------------------------------------------------

-- Sets stop, target and trailing distance of a position to what is given; NULL is none.
--
-- A tighter stop is less risk and always possible. A wider one, or none, is more risk: refused where only
-- reducing is allowed, and judged by the limits. A level is compared with the market only if it changes:
-- an old stop that the market has passed must not keep the target from being moved.
CREATE OR REPLACE FUNCTION desk.amend_position(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_stop numeric, p_target numeric, p_trailing numeric, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.verdict;
    payload   jsonb := jsonb_build_object('position_id', p_position, 'stop', p_stop::text, 'target', p_target::text,
        'trailing', p_trailing::text, 'reason', p_reason);
    held      positions%ROWTYPE;
    account   accounts%ROWTYPE;
    o         desk.order_draft;
    stop      numeric := desk.finite(p_stop);
    target    numeric := desk.finite(p_target);
    trail     numeric := desk.finite(p_trailing);
    mark      numeric;
    wider     boolean;
    tighter   boolean;
    checked   desk.check_result;
    rejected  desk.check_result;
    notable   jsonb := '[]';
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'amend_position');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- Under the lock of orders: heat and halts are those of now.
    PERFORM desk.lock_account((SELECT p.account_id FROM positions p WHERE p.position_id = p_position));
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    SELECT * INTO account FROM accounts a WHERE a.account_id = held.account_id;
    answer := CASE
        WHEN NOT desk.may('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
            desk.refused('NOT_PERMITTED', format('%s may look but not trade.', session_user))
        WHEN held.position_id IS NULL THEN desk.refused('POSITION_UNKNOWN', 'There is no such position.')
        WHEN held.status = 'closed' THEN desk.refused('POSITION_NOT_OPEN', format('This position was closed %s.',
            coalesce('at ' || to_char(held.closed_at, 'HH24:MI:SS"Z"'), 'before')), p_subject => p_position)
        WHEN account.status = 'closed' AND NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('ACCOUNT_CLOSED', 'The account is closed; a risk officer closes what is left.', p_subject => p_position)
        -- Which must not read as none: that would take the stop away.
        WHEN num_nonnulls(p_stop, p_target, p_trailing) > num_nonnulls(stop, target, trail) THEN
            desk.refused('PRICE_NOT_A_TICK', 'A stop, a target or a trailing distance is not a number.', p_subject => p_position)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.settle(p_key, 'amend_position', answer, payload);
    END IF;

    -- As an order of its size: what the market and the instrument say is then said in the same words.
    o := desk.draft_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
        held.total_size, held.average_entry_price, stop, target, NULL);
    mark := coalesce(CASE o.direction WHEN 1 THEN o.bid ELSE o.ask END, held.current_price);
    wider := coalesce((stop - held.stop_loss) * o.direction < 0, held.stop_loss IS NOT NULL AND stop IS NULL)
          OR coalesce(trail > held.trailing_stop_distance, held.trailing_stop_distance IS NOT NULL AND trail IS NULL);
    tighter := coalesce((stop - held.stop_loss) * o.direction > 0, held.stop_loss IS NULL AND stop IS NOT NULL)
            OR coalesce(trail < held.trailing_stop_distance, held.trailing_stop_distance IS NULL AND trail IS NOT NULL);

    FOR checked IN
        SELECT (desk.price_fault(o, w.what, w.price)).* FROM (VALUES ('stop', stop), ('target', target), ('trailing distance', trail)) w (what, price)
        UNION ALL
        SELECT * FROM desk.line('STOP_REQUIRED', 'reject', 'A trade on this desk needs a stop.')
         WHERE stop IS NULL AND held.stop_loss IS NOT NULL AND o.settings ->> 'stop_required' = 'true'
        UNION ALL
        SELECT * FROM desk.line('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s the market at %s: it would be hit at once.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'below' ELSE 'above' END, desk.price_text(mark, o.tick_size)),
                NULL, stop, mark, 'price')
         WHERE stop IS DISTINCT FROM held.stop_loss AND (mark - stop) * o.direction <= 0
        UNION ALL
        SELECT * FROM desk.line('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s the market at %s: it would be hit at once.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'above' ELSE 'below' END, desk.price_text(mark, o.tick_size)),
                NULL, target, mark, 'price')
         WHERE target IS DISTINCT FROM held.take_profit AND (target - mark) * o.direction <= 0
    LOOP
        IF checked.code IS NOT NULL THEN
            RETURN desk.settle(p_key, 'amend_position', desk.refused(checked.code, checked.message, checked.measured, checked.allowed,
                checked.unit, p_position), payload);
        END IF;
    END LOOP;

    IF wider THEN
        IF NOT desk.may('tmt_trader', 'tmt_admin', 'tmt_agent') THEN
            RETURN desk.settle(p_key, 'amend_position', desk.refused('NOT_PERMITTED', format('%s may tighten a stop, but not widen it.',
                session_user), p_subject => p_position), payload);
        END IF;
        FOR checked IN SELECT * FROM desk.assess_amend(p_position, stop) LOOP
            CONTINUE WHEN checked.severity = 'info';
            IF checked.severity = 'reject' AND rejected.code IS NULL THEN
                rejected := checked;
            END IF;
            notable := notable || jsonb_build_object('code', checked.code, 'severity', checked.severity, 'measured', checked.measured::text,
                'allowed', checked.allowed::text, 'unit', checked.unit, 'limit_id', checked.limit_id, 'message', checked.message);
        END LOOP;
        IF rejected.code IS NOT NULL THEN
            RETURN desk.settle(p_key, 'amend_position', desk.refused(rejected.code, rejected.message, rejected.measured, rejected.allowed,
                rejected.unit, p_position, jsonb_build_object('checks', notable)), payload);
        ELSIF notable <> '[]' AND nullif(btrim(p_reason), '') IS NULL THEN
            RETURN desk.settle(p_key, 'amend_position', desk.refused('CONFIRM_REQUIRED',
                format('%s Give a reason to do it all the same.', notable -> 0 ->> 'message'), p_subject => p_position,
                p_detail => jsonb_build_object('checks', notable, 'confirm', jsonb_path_query_array(notable, '$[*].code'))), payload);
        END IF;
    END IF;

    UPDATE positions p
       SET stop_loss = stop, take_profit = target, trailing_stop_distance = trail, last_updated_at = clock_timestamp()
     WHERE p.position_id = p_position
       AND (p.stop_loss, p.take_profit, p.trailing_stop_distance) IS DISTINCT FROM (stop, target, trail);
    UPDATE trades t SET stop_loss = stop, take_profit = target
      FROM unnest(desk.open_trades(held, clock_timestamp())) live
     WHERE t.trade_id = live.trade_id AND t.entry_time = live.entry_time
       AND (t.stop_loss, t.take_profit) IS DISTINCT FROM (stop, target);
    answer := desk.accepted(p_position, format('%s %s: stop %s, target %s%s.', held.instrument, lower(held.position_type),
            coalesce(desk.price_text(stop, o.tick_size), 'none'), coalesce(desk.price_text(target, o.tick_size), 'none'),
            coalesce(', trailing by ' || desk.price_text(trail, o.tick_size), '')),
        CASE WHEN wider THEN 'WIDENED' WHEN tighter THEN 'TIGHTENED'
             WHEN target IS NOT DISTINCT FROM held.take_profit THEN 'UNCHANGED' END,
        jsonb_build_object('stop', stop::text, 'target', target::text, 'trailing', trail::text,
            'before', jsonb_build_object('stop', held.stop_loss::text, 'target', held.take_profit::text,
                'trailing', held.trailing_stop_distance::text)) || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.settle(p_key, 'amend_position', answer, payload);
END $$;

-- ---- charges ----------------------------------------------------------------------------------

-- How many nights of swap lie between two dates: one for each night from p_from on that is over before
-- p_to, three for the night that carries the weekend (3 is Wednesday), none for Saturday and Sunday.
CREATE OR REPLACE FUNCTION desk.swap_nights(p_from date, p_to date, p_triple_day integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(CASE WHEN extract(isodow FROM n) = p_triple_day THEN 3 WHEN extract(isodow FROM n) >= 6 THEN 0 ELSE 1 END), 0)::integer
      FROM generate_series(p_from::timestamp, p_to::timestamp - interval '1 day', interval '1 day') n
$$;

-- The swap fee of some nights, unrounded. Brokers quote what is paid: a negative rate is a charge, and a
-- charge is a positive fee.
CREATE OR REPLACE FUNCTION desk.swap_fee(p_size numeric, p_per_lot numeric, p_lot numeric, p_nights integer) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT -p_per_lot * p_size / p_lot * p_nights $$;

-- Books a commission or a swap that a broker bills by itself, in the account's currency: a cost is
-- positive, a credit (only a swap can be one) negative. It goes to the trades of the position by size, to
-- the open ones while there are any; the last takes what rounding left.
CREATE OR REPLACE FUNCTION desk.charge(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_kind text, p_amount numeric, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    kind    text := lower(btrim(p_kind));
    amount  numeric := desk.finite(p_amount);
    payload jsonb := jsonb_build_object('position_id', p_position, 'kind', p_kind, 'amount', p_amount::text, 'reason', p_reason);
    held    positions%ROWTYPE;
    account accounts%ROWTYPE;
    fill    trade_fills%ROWTYPE;
    part    trade_fills%ROWTYPE;     -- of one trade
    given   trade_fills%ROWTYPE;     -- of those before it
    charged desk.open_trade[];
    taken   desk.open_trade;
    whole   numeric;
    left_over numeric;
    now_at  timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'charge');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT a.* INTO account FROM accounts a
     WHERE a.account_id = (SELECT p.account_id FROM positions p WHERE p.position_id = p_position) FOR NO KEY UPDATE;
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    now_at := clock_timestamp();
    answer := CASE
        WHEN NOT desk.may('tmt_admin', 'tmt_agent') THEN desk.refused('NOT_PERMITTED', format('%s may not charge accounts.', session_user))
        WHEN held.position_id IS NULL THEN desk.refused('POSITION_UNKNOWN', 'There is no such position.')
        WHEN kind NOT IN ('commission', 'swap') OR kind IS NULL THEN
            desk.refused('CHARGE_KIND_INVALID', 'A charge is a commission or a swap.', p_subject => p_position)
        WHEN amount IS NULL OR round(amount, scale(account.current_balance)) = 0 OR (kind = 'commission' AND amount < 0) THEN
            desk.refused('CHARGE_AMOUNT_INVALID', 'A charge has an amount; only a swap can be a credit.', amount, 0,
                btrim(account.base_currency), p_position)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.settle(p_key, 'charge', answer, payload);
    END IF;

    PERFORM desk.roll(ARRAY[held.account_id]);
    BEGIN
        fill.commission := CASE kind WHEN 'commission' THEN amount ELSE 0 END;
        fill.swap_fee := CASE kind WHEN 'swap' THEN amount ELSE 0 END;
        fill.allocation := '[]';
        given.commission := 0;
        given.swap_fee := 0;
        charged := CASE WHEN held.status <> 'closed' THEN desk.open_trades(held, now_at) END;
        IF coalesce(cardinality(charged), 0) = 0 THEN
            SELECT array_agg(ROW(f.trade_id, r.entry_time, f.price, f.size, 0)::desk.open_trade ORDER BY f.seq) INTO charged
              FROM trade_fills f JOIN trade_registry r USING (trade_id)
             WHERE f.position_id = p_position AND f.effect = 'open';
        END IF;
        SELECT sum(c.open_size) INTO whole FROM unnest(charged) c;
        left_over := whole;
        FOREACH taken IN ARRAY coalesce(charged, '{}') LOOP
            left_over := left_over - taken.open_size;
            part.commission := CASE left_over WHEN 0 THEN fill.commission - given.commission ELSE fill.commission * taken.open_size / whole END;
            part.swap_fee := CASE left_over WHEN 0 THEN fill.swap_fee - given.swap_fee ELSE fill.swap_fee * taken.open_size / whole END;
            given.commission := given.commission + part.commission;
            given.swap_fee := given.swap_fee + part.swap_fee;
            UPDATE trades t
               SET commission = coalesce(t.commission, 0) + part.commission,
                   swap_fee = coalesce(t.swap_fee, 0) + part.swap_fee,
                   net_pnl = t.gross_pnl - coalesce(t.commission, 0) - part.commission - coalesce(t.swap_fee, 0) - part.swap_fee
             WHERE t.trade_id = taken.trade_id AND t.entry_time = taken.entry_time;
            fill.allocation := fill.allocation || jsonb_build_object('trade_id', taken.trade_id, 'size', taken.open_size::text,
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
        RETURN desk.settle(p_key, 'charge', desk.amount_out_of_range(p_position), payload);
    END;
    answer := desk.accepted(p_position, format('%s %s %s of %s on %s.', CASE WHEN amount > 0 THEN 'Charged' ELSE 'Credited' END,
            desk.amount(abs(fill.commission + fill.swap_fee)), btrim(account.base_currency), kind, held.instrument),
        NULL, jsonb_build_object('account_id', held.account_id, 'kind', kind, 'amount', (fill.commission + fill.swap_fee)::text,
            'trades', fill.allocation));
    RETURN desk.settle(p_key, 'charge', answer, payload);
END $$;

-- ---- rights -----------------------------------------------------------------------------------

GRANT EXECUTE ON FUNCTION desk.amend_position(uuid, bytea, timestamptz, uuid, numeric, numeric, numeric, text)
    TO tmt_trader, tmt_risk_officer, tmt_agent;
GRANT EXECUTE ON FUNCTION desk.charge(uuid, bytea, timestamptz, uuid, text, numeric, text) TO tmt_admin, tmt_agent;
GRANT EXECUTE ON FUNCTION desk.swap_nights(date, date, integer), desk.swap_fee(numeric, numeric, numeric, integer) TO tmt_viewer;
