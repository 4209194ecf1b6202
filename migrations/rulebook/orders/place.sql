-- Placing orders.

-- Checks and books an order. An order opposite to the position first closes it, then opens a new one with the rest. An
-- order that only reduces creates no trade.
--
-- One statement takes the lock, the next checks the order: a statement that waits for a lock has an old snapshot.
CREATE FUNCTION desk.place_trade(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_account uuid,
    p_instrument text, p_side text, p_size numeric, p_price numeric, p_stop numeric, p_target numeric,
    p_signal uuid, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer    desk.answer;
    checked   desk.check_result;
    rejected  desk.check_result;
    notable   jsonb := '[]';
    confirms  text[] := '{}';
    reason    text := nullif(btrim(p_reason), '');
    o         desk.order_context;
    booked    jsonb;
    broken    text;
    booked_at timestamptz;
    payload   jsonb := jsonb_build_object('account_id', p_account, 'instrument', p_instrument, 'side', p_side,
        'size', p_size::text, 'price', p_price::text, 'stop', p_stop::text, 'target', p_target::text,
        'signal_id', p_signal, 'reason', p_reason);
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'place_trade');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- REPEATABLE READ keeps the snapshot of the first statement. For one account that is safe: every booking or change of
    -- a limit writes its row, and this order fails with 40001. Wide limits have no such row.
    IF current_setting('transaction_isolation') = 'repeatable read' AND desk.has_wide_limits() THEN
        RETURN desk.finish_request(p_key, 'place_trade', desk.refused('ISOLATION_LEVEL',
            'Wide limits are in force: use READ COMMITTED or SERIALIZABLE.'), payload);
    END IF;
    PERFORM desk.lock_account(p_account);
    IF p_signal IS NOT NULL THEN
        PERFORM FROM signals g WHERE g.signal_id = p_signal FOR NO KEY UPDATE;
    END IF;
    o := desk.load_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
    o.is_preview := false;
    FOREACH checked IN ARRAY desk.check_order(o) LOOP
        CONTINUE WHEN checked.severity = 'info';
        IF checked.severity = 'reject' AND rejected.code IS NULL THEN
            rejected := checked;
        ELSIF checked.severity = 'confirm' THEN
            confirms := confirms || checked.code;
        END IF;
        notable := notable || desk.check_json(checked);
    END LOOP;

    IF rejected.code IS NOT NULL THEN
        -- Typing errors concern only the trader; limits and halts also the risk officer.
        IF rejected.limit_id IS NOT NULL OR (SELECT r.alerts FROM tmt.codes r WHERE r.code = rejected.code) THEN
            PERFORM desk.raise_refusal_event(p_account, rejected,
                format('%s %s %s @ %s', upper(p_side), desk.number_text(p_size), p_instrument, desk.number_text(p_price)));
        END IF;
        RETURN desk.finish_request(p_key, 'place_trade', desk.refused(rejected.code, rejected.message, rejected.measured,
            rejected.allowed, rejected.unit, rejected.limit_id, jsonb_build_object('checks', notable)), payload);
    ELSIF num_nonnulls(p_stop, p_target) > num_nonnulls(desk.finite(p_stop), desk.finite(p_target)) THEN
        -- NaN must not read as NULL: the order would have no stop.
        RETURN desk.finish_request(p_key, 'place_trade', desk.refused('PRICE_NOT_A_TICK', 'Stop or target is not a number.'), payload);
    ELSIF cardinality(confirms) > 0 AND reason IS NULL THEN
        RETURN desk.finish_request(p_key, 'place_trade', desk.refused('CONFIRM_REQUIRED',
            format('%s Add a reason to proceed.', notable -> 0 ->> 'message'),
            p_detail => jsonb_build_object('checks', notable, 'confirm', to_jsonb(confirms))), payload);
    END IF;

    booked_at := clock_timestamp();
    IF NOT coalesce(o.day_base_known, false) THEN
        PERFORM desk.roll_periods(ARRAY[p_account]);
    END IF;
    IF o.fx IS NULL AND o.closing > 0 THEN
        SELECT c.rate INTO o.fx FROM positions p, desk.closing_rate(p) c WHERE p.position_id = o.position_id;
    END IF;
    IF o.fx IS NULL THEN
        RETURN desk.finish_request(p_key, 'place_trade', desk.refused('NO_CONVERSION_RATE', format('No conversion rate for %s in %s: '
            'ask an administrator to add a conversion rate.', o.instrument, btrim(o.currency)), p_subject => o.position_id), payload);
    END IF;
    -- A subtransaction: an amount that is too large and a trade id that exists are refusals, not errors.
    BEGIN
        booked := desk.book_fill(p_key, p_account, o.instrument, o.side, o.size, o.price, o.fx, NULL, 0, o.stop, o.target, o.signal_id,
            reason, booked_at);
        IF o.signal_id IS NOT NULL THEN
            PERFORM desk.take_signal(o.signal_id, p_account, CASE WHEN o.opening > 0 THEN p_key END, o.size, o.price, reason, p_key);
        END IF;
    EXCEPTION
        WHEN numeric_value_out_of_range THEN
            RETURN desk.finish_request(p_key, 'place_trade', desk.amount_out_of_range(p_account), payload);
        WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS broken = TABLE_NAME;
            -- trades, one of its months, their registry, or fills.
            IF NOT starts_with(broken, 'trade') THEN
                RAISE;
            END IF;
            RETURN desk.finish_request(p_key, 'place_trade', desk.refused('KEY_REUSED', 'A trade with this id already exists.'), payload);
    END;

    answer := desk.accepted(
        CASE WHEN o.opening > 0 THEN p_key ELSE o.position_id END,
        format('%s %s %s at %s%s.', CASE o.side WHEN 'BUY' THEN 'Bought' ELSE 'Sold' END, desk.size_text(o.size), o.instrument,
            desk.price_text(o.price, o.tick_size), CASE WHEN o.closing > 0 THEN format(', realized %s %s',
                desk.signed_amount_text((booked ->> 'gross_pnl')::numeric), o.currency) ELSE '' END),
        CASE WHEN o.closing > 0 AND o.opening > 0 THEN 'FLIPPED' WHEN o.closing > 0 THEN 'REDUCED' END,
        booked || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.finish_request(p_key, 'place_trade', answer, payload);
END $$;

-- Records that an account has taken a signal; p_trade is NULL if the order only reduced. Each account takes a signal
-- once; it is executed when every active account has.
CREATE FUNCTION desk.take_signal(p_signal uuid, p_account uuid, p_trade uuid, p_size numeric, p_price numeric, p_reason text,
    p_key uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO signal_executions (signal_id, account_id, trade_id, status, requested_by, requested_size, executed_size,
                                   executed_price, reason, idempotency_key)
    VALUES (p_signal, p_account, p_trade, 'executed', session_user, p_size, p_size, p_price, p_reason, p_key::text);
    UPDATE signals g
       SET execution_count = coalesce(g.execution_count, 0) + 1,
           total_executed_size = coalesce(g.total_executed_size, 0) + p_size,
           status = CASE WHEN EXISTS (
               SELECT FROM accounts a WHERE a.status = 'active' AND NOT EXISTS (
                   SELECT FROM signal_executions e WHERE e.signal_id = g.signal_id AND e.account_id = a.account_id
                      AND e.status IN ('claimed', 'executed')))
               THEN g.status ELSE 'executed' END
     WHERE g.signal_id = p_signal;
END $$;
