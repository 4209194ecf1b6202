-- Closing positions, and flattening accounts.

-- Closes a position or one of its trades, whole or in part. Never blocked by a halt, the account's status or a limit.
-- Only a price that is given needs a reason where it is far from the last quote, or that quote is old: it may be a
-- typing error.
--
-- Without a price it closes at the last quote, however old: a long at the bid, a short at the ask.
CREATE FUNCTION desk.close_position(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_size numeric, p_price numeric, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer      desk.answer;
    reason      text := nullif(btrim(p_reason), '');
    payload     jsonb := jsonb_build_object('position_id', p_position, 'size', p_size::text, 'price', p_price::text, 'reason', p_reason);
    target      record;
    held        positions%ROWTYPE;
    trade       trades%ROWTYPE;
    account     accounts%ROWTYPE;
    price       numeric := desk.finite(p_price);
    size        numeric;
    closable    numeric;
    tick        numeric;
    step        numeric;
    price_range record;
    quote       record;
    rate        record;
    age         numeric;
    max_age     numeric := desk.setting('price_max_age_seconds')::numeric;
    distance    numeric;    -- percent from the last mid
    collar      numeric := desk.setting('price_collar_percent')::numeric;
    confirms    text[];
    booked      jsonb;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'close_position');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.has_role('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
        RETURN desk.finish_request(p_key, 'close_position', desk.refused('NOT_PERMITTED', format('%s is not permitted to trade.', session_user)), payload);
    END IF;
    SELECT * INTO target FROM desk.find_position(p_position);
    SELECT a.* INTO account FROM accounts a
     WHERE a.account_id = (SELECT p.account_id FROM positions p WHERE p.position_id = target.position_id) FOR NO KEY UPDATE;
    SELECT * INTO held FROM positions p WHERE p.position_id = target.position_id FOR UPDATE;
    IF target.trade_id IS NOT NULL THEN
        SELECT * INTO trade FROM trades t WHERE t.trade_id = target.trade_id AND t.entry_time = target.entry_time FOR UPDATE;
    END IF;
    IF held.position_id IS NULL THEN
        answer := desk.refused('POSITION_UNKNOWN', 'No such position.');
    ELSIF trade.status NOT IN ('open', 'partial') THEN
        answer := desk.refused('TRADE_NOT_OPEN', format('This trade was %s %s.', trade.status,
            coalesce('at ' || to_char(trade.exit_time, 'HH24:MI:SS"Z"'), 'earlier')), p_subject => p_position);
    ELSIF held.status NOT IN ('open', 'closing') THEN
        answer := desk.refused('POSITION_NOT_OPEN', format('This position was closed %s.',
            coalesce('at ' || to_char(held.closed_at, 'HH24:MI:SS"Z"'), 'earlier')), p_subject => p_position);
    ELSIF account.status = 'closed' AND NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
        answer := desk.refused('ACCOUNT_CLOSED', 'The account is closed; only a risk officer can close its positions.', p_subject => p_position);
    END IF;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'close_position', answer, payload);
    END IF;

    SELECT * INTO quote FROM desk.quote(held.instrument);
    SELECT r.* INTO price_range FROM desk.column_range('public.trade_fills', 'price') r;
    SELECT i.tick_size, i.size_step INTO tick, step FROM instruments i WHERE i.instrument = held.instrument;
    closable := least(held.total_size, trade.position_size - trade.closed_size);
    size := coalesce(desk.finite(p_size), closable);
    price := coalesce(price, round(CASE held.position_type WHEN 'LONG' THEN quote.bid ELSE quote.ask END, price_range.scale));
    -- NaN must not read as NULL, which means the whole size, or the market price.
    IF p_price IS NOT NULL AND desk.finite(p_price) IS NULL THEN
        answer := desk.refused('PRICE_NOT_A_TICK', 'The price is not a number.', p_subject => p_position);
    ELSIF p_size IS NOT NULL AND desk.finite(p_size) IS NULL THEN
        answer := desk.refused('SIZE_NOT_A_STEP', 'The size is not a number.', p_subject => p_position);
    ELSIF price IS NULL OR price <= 0 THEN
        answer := desk.refused('PRICE_UNKNOWN', format('No price for %s: enter one.', held.instrument), p_subject => p_position);
    ELSIF round(price, price_range.scale) <> price OR (p_price IS NOT NULL AND price % tick <> 0) THEN
        answer := desk.refused('PRICE_NOT_A_TICK', format('The price %s is not a multiple of the tick %s.',
            desk.number_text(price), desk.number_text(coalesce(tick, 10::numeric ^ (-price_range.scale)))), price, tick, 'price', p_position);
    ELSIF price >= price_range.bound THEN
        answer := desk.refused('PRICE_OUT_OF_RANGE', format('The price %s is out of range.', desk.number_text(price)),
            price, price_range.bound, 'price', p_position);
    ELSIF size > closable THEN
        answer := desk.refused('REDUCE_ONLY_EXCEEDS_POSITION', format('Only %s can be closed.', desk.size_text(closable)),
            size, closable, 'units', p_position);
    ELSIF size <= 0 THEN
        answer := desk.refused('SIZE_NOT_A_STEP', 'The size must be above zero.', size, step, 'units', p_position);
    -- The whole size may be closed even if the step has changed.
    ELSIF size <> closable AND (size % step <> 0 OR size <> round(size, scale(held.total_size))) THEN
        answer := desk.refused('SIZE_NOT_A_STEP', format('The size %s is not a multiple of the size step %s.', desk.number_text(size),
            desk.number_text(coalesce(step, 10::numeric ^ (-scale(held.total_size))))), size, step, 'units', p_position);
    END IF;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'close_position', answer, payload);
    END IF;

    age := extract(epoch FROM clock_timestamp() - quote.as_of);
    distance := abs(price / quote.mid - 1) * 100;
    -- A quote from the future is as bad as an old one.
    confirms := array_remove(ARRAY[CASE WHEN distance > collar THEN 'PRICE_COLLAR' END, CASE WHEN (age > max_age OR age < -3600) THEN 'PRICE_STALE' END], NULL);
    IF reason IS NULL AND p_price IS NOT NULL AND confirms <> '{}' THEN
        answer := CASE WHEN distance > collar
            THEN desk.refused('CONFIRM_REQUIRED', format('%s is %s %% away from %s at %s%s. Give a reason to close at this price.',
                desk.price_text(price, tick), round(distance, 2), CASE WHEN (age > max_age OR age < -3600) THEN 'the last quote' ELSE 'the market' END,
                desk.price_text(quote.mid, tick), CASE WHEN (age > max_age OR age < -3600) THEN format(', which is %s s old', round(age, 1)) ELSE '' END),
                distance, collar, 'percentage', p_position)
            ELSE desk.refused('CONFIRM_REQUIRED', format('The last quote of %s is %s s old. Give a reason to close at %s.',
                held.instrument, round(age, 1), desk.price_text(price, tick)), age, max_age, 'seconds', p_position) END;
        answer.detail := jsonb_build_object('confirm', confirms);
        RETURN desk.finish_request(p_key, 'close_position', answer, payload);
    END IF;
    SELECT * INTO rate FROM desk.closing_rate(held);
    IF rate.rate IS NULL THEN
        RETURN desk.finish_request(p_key, 'close_position', desk.refused('NO_CONVERSION_RATE', format('No conversion rate for %s in %s: '
            'ask an administrator to add a conversion rate.', held.instrument, account.base_currency), p_subject => p_position), payload);
    END IF;

    PERFORM desk.roll_periods(ARRAY[held.account_id]);
    BEGIN
        booked := desk.book_fill(p_key, held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'SELL' ELSE 'BUY' END,
            size, price, rate.rate, NULL, 0, NULL, NULL, NULL, coalesce(reason, 'manual'), clock_timestamp(), p_position);
    EXCEPTION WHEN numeric_value_out_of_range THEN
        RETURN desk.finish_request(p_key, 'close_position', desk.amount_out_of_range(p_position), payload);
    END;
    answer := desk.accepted(held.position_id, format('Closed %s %s at %s: %s %s%s.', desk.size_text(size), held.instrument, desk.price_text(price, tick),
            desk.signed_amount_text((booked ->> 'gross_pnl')::numeric), btrim(account.base_currency),
            CASE WHEN size < held.total_size THEN format(', %s left', desk.size_text(held.total_size - size)) ELSE '' END),
        CASE WHEN rate.source <> 'current' THEN 'RATE_NOT_CURRENT' END,
        booked || jsonb_strip_nulls(jsonb_build_object('account_id', held.account_id, 'fx_source', rate.source, 'price', desk.number_text(price),
            'price_age_seconds', round(age, 1)::text)));
    RETURN desk.finish_request(p_key, 'close_position', answer, payload);
END $$;

-- Closes every open position of an account at the market.
CREATE FUNCTION desk.flatten(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_account uuid, p_reason text)
RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.answer;
    payload jsonb := jsonb_build_object('account_id', p_account, 'reason', p_reason);
    account accounts%ROWTYPE;
    result  jsonb;
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'flatten');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO account FROM accounts a WHERE a.account_id = p_account FOR NO KEY UPDATE;
    answer := CASE
        WHEN NOT desk.has_role('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to trade.', session_user))
        WHEN account.account_id IS NULL THEN desk.refused('ACCOUNT_UNKNOWN', 'No such account.')
        WHEN account.status = 'closed' AND NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('ACCOUNT_CLOSED', 'The account is closed; only a risk officer can close its positions.', p_subject => p_account)
        WHEN NOT EXISTS (SELECT FROM positions p WHERE p.account_id = p_account AND p.status IN ('open', 'closing')) THEN
            desk.refused('NOTHING_TO_FLATTEN', format('%s has no open position.', account.account_name), p_subject => p_account)
    END;
    IF answer.outcome IS NULL THEN
        result := desk.flatten_account(p_key, p_account, NULL, coalesce(nullif(btrim(p_reason), ''), 'flatten'));
        answer := CASE WHEN result -> 'closed' = '[]'
            THEN desk.refused(result -> 'kept' -> 0 ->> 'code', format('Nothing could be closed. %s', result -> 'kept' -> 0 ->> 'message'),
                p_subject => p_account, p_detail => result)
            ELSE desk.accepted(p_account, format('%s: %s, %s %s.', account.account_name, desk.flatten_text(result),
                desk.signed_amount_text((SELECT sum((c ->> 'gross_pnl')::numeric) FROM jsonb_array_elements(result -> 'closed') c)),
                btrim(account.base_currency)), CASE WHEN result -> 'kept' <> '[]' THEN 'PARTLY_FLATTENED' END, result) END;
    END IF;
    RETURN desk.finish_request(p_key, 'flatten', answer, payload);
END $$;

-- Closes every open position of an account, or those in one instrument, at the market. Returns which were closed and
-- which were kept, for want of a price or rate. The caller has locked the account.
CREATE FUNCTION desk.flatten_account(p_key uuid, p_account uuid, p_instrument text, p_reason text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held   positions%ROWTYPE;
    quote  record;
    rate   record;
    booked jsonb;
    price  trade_fills.price%TYPE;
    fault  text;
    closed jsonb := '[]';
    kept   jsonb := '[]';
BEGIN
    PERFORM desk.roll_periods(ARRAY[p_account]);
    FOR held IN
        SELECT * FROM positions p
         WHERE p.account_id = p_account AND p.status IN ('open', 'closing') AND (p_instrument IS NULL OR p.instrument = p_instrument)
         -- By instrument: the order in which the totals of a portfolio are locked.
         ORDER BY p.instrument, p.position_id FOR UPDATE
    LOOP
        fault := NULL;
        SELECT * INTO quote FROM desk.quote(held.instrument);
        SELECT * INTO rate FROM desk.closing_rate(held);
        BEGIN
            price := CASE held.position_type WHEN 'LONG' THEN quote.bid ELSE quote.ask END;
            IF coalesce(price, 0) <= 0 THEN
                fault := 'PRICE_UNKNOWN';
            ELSIF rate.rate IS NULL THEN
                fault := 'NO_CONVERSION_RATE';
            ELSE
                booked := desk.book_fill(p_key, p_account, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'SELL' ELSE 'BUY' END,
                    held.total_size, price, rate.rate, NULL, 0, NULL, NULL, NULL, p_reason, clock_timestamp(), held.position_id);
                closed := closed || jsonb_strip_nulls(jsonb_build_object('position_id', held.position_id, 'account_id', p_account,
                    'instrument', held.instrument, 'size', held.total_size::text, 'price', desk.number_text(price),
                    'gross_pnl', booked ->> 'gross_pnl', 'net_pnl', booked ->> 'net_pnl',
                    'price_age_seconds', round(extract(epoch FROM clock_timestamp() - quote.as_of), 1)::text, 'fx_source', rate.source));
            END IF;
        EXCEPTION WHEN numeric_value_out_of_range THEN
            fault := 'AMOUNT_OUT_OF_RANGE';
        END;
        IF fault IS NOT NULL THEN
            kept := kept || jsonb_build_object('position_id', held.position_id, 'account_id', p_account, 'instrument', held.instrument,
                'code', fault, 'message', CASE fault
                    WHEN 'PRICE_UNKNOWN' THEN format('No price for %s: close it at a price that you enter.', held.instrument)
                    WHEN 'NO_CONVERSION_RATE' THEN format('No conversion rate for %s: ask an administrator to add a conversion rate.', held.instrument)
                    ELSE format('An amount of %s is too large to book.', held.instrument) END);
        END IF;
    END LOOP;
    RETURN jsonb_build_object('closed', closed, 'kept', kept);
END $$;

-- 2 positions closed, 1 still open (EUR_TRY)
CREATE FUNCTION desk.flatten_text(p_result jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT format('%s position%s closed', jsonb_array_length(p_result -> 'closed'), CASE jsonb_array_length(p_result -> 'closed') WHEN 1 THEN '' ELSE 's' END)
        || CASE WHEN p_result -> 'kept' = '[]' THEN '' ELSE format(', %s still open (%s)', jsonb_array_length(p_result -> 'kept'),
            (SELECT string_agg(DISTINCT k ->> 'instrument', ', ') FROM jsonb_array_elements(p_result -> 'kept') k)) END
$$;
