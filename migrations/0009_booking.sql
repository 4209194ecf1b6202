-- Booking: opening, closing, what an account is worth afterwards, marks.
--
-- Locks are taken in one order everywhere: the system's advisory lock, accounts, positions, trades,
-- signals, and the audit head last.
SET LOCAL ROLE tmt_owner;

-- The session of the world's desks in which a trade began, by the hour of UTC.
CREATE OR REPLACE FUNCTION desk.session_of(p_at timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    hour integer := extract(hour FROM p_at AT TIME ZONE 'UTC');
BEGIN
    RETURN CASE WHEN hour >= 21 OR hour < 7 THEN 'asia' WHEN hour < 13 THEN 'london' ELSE 'new_york' END;
END $$;

-- ---- the account ------------------------------------------------------------------------------

-- Writes down how the trading day of some accounts began, if nobody has yet. Estimated where that is
-- noticed late: the first look of the day stands in for the boundary.
CREATE OR REPLACE FUNCTION desk.roll_day(p_accounts uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO performance_metrics (account_id, period_type, period_start, period_end, start_balance, start_equity,
                                     peak_equity, peak_eod_balance, min_equity, is_estimated)
    SELECT a.account_id, 'daily', d.starts, d.ends, a.current_balance, a.equity, a.equity,
           greatest(a.current_balance, a.initial_balance,
                    (SELECT max(m.peak_eod_balance) FROM performance_metrics m
                      WHERE m.account_id = a.account_id AND m.period_type = 'daily')),
           a.equity, clock_timestamp() > d.starts + interval '1 minute'
      FROM accounts a, desk.trading_day(a.metadata -> 'risk_day', clock_timestamp()) d
     WHERE a.account_id = ANY (p_accounts) AND a.status <> 'closed'
       AND NOT EXISTS (SELECT FROM performance_metrics m WHERE m.account_id = a.account_id
                          AND m.period_type = 'daily' AND m.period_start = d.starts)
    ON CONFLICT (account_id, period_type, period_start) DO NOTHING;
END $$;

-- Unrealized P&L and margin of the live positions of some accounts. What cannot be valued keeps the last
-- known figure: it was true once, and zero never was.
CREATE OR REPLACE FUNCTION desk.book_value(p_accounts uuid[])
RETURNS TABLE (account_id uuid, unrealized numeric, margin numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH held AS (
        SELECT a.account_id, a.base_currency, i.quote_currency, p.unrealized_pnl,
               p.total_size * i.contract_size * coalesce(p.current_price, p.average_entry_price) * i.margin_rate AS margin
          FROM accounts a
          LEFT JOIN positions p ON p.account_id = a.account_id AND p.status IN ('open', 'closing')
          LEFT JOIN instruments i ON i.instrument = p.instrument
         WHERE a.account_id = ANY (p_accounts)
    ), rates AS MATERIALIZED (
        SELECT c.quote_currency, c.base_currency, desk.convert(c.quote_currency, c.base_currency) AS rate
          FROM (SELECT DISTINCT h.quote_currency, h.base_currency FROM held h WHERE h.quote_currency IS NOT NULL) c
    )
    SELECT h.account_id, coalesce(sum(h.unrealized_pnl), 0), coalesce(round(sum(h.margin * r.rate), 2), 0)
      FROM held h LEFT JOIN rates r USING (quote_currency, base_currency)
     GROUP BY h.account_id;
END $$;

-- Books cash on an account and brings equity, margin and free balance in line with its positions.
--
-- A balance below zero is a fact and is stored; it also ends trading, so nothing more is lost.
CREATE OR REPLACE FUNCTION desk.book_cash(p_account uuid, p_cash numeric, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    account accounts%ROWTYPE;
    was text;
BEGIN
    SELECT a.status INTO was FROM accounts a WHERE a.account_id = p_account;
    UPDATE accounts a
       SET current_balance = a.current_balance + p_cash,
           equity = a.current_balance + p_cash + v.unrealized,
           margin_used = v.margin,
           available_balance = a.current_balance + p_cash + v.unrealized - v.margin,
           last_trade_at = p_at,
           status = CASE WHEN a.current_balance + p_cash < 0 AND a.status = 'active' THEN 'risk_halt' ELSE a.status END
      FROM desk.book_value(ARRAY[p_account]) v
     WHERE a.account_id = v.account_id
    RETURNING a.* INTO account;
    IF account.status = 'risk_halt' AND was = 'active' THEN
        PERFORM desk.raise_event(p_account, 'negative_balance', 'emergency', 'desk', 'balance', account.current_balance, 0,
            'negative_balance:' || p_account, NULL, NULL, NULL,
            jsonb_build_object('message', 'The balance is below zero: the account is in risk halt.'));
    END IF;
END $$;

-- ---- closing ----------------------------------------------------------------------------------

-- Takes a size off a position at a price: realizes P&L at average cost, closes its trades first in first
-- out, and moves the balance. The caller holds the account and the position, and has checked the size.
--
-- P&L is taken from the exact cost, never from the five decimals of the average price.
CREATE OR REPLACE FUNCTION desk.book_close(p_key uuid, p_position positions, p_size numeric, p_price numeric,
    p_fx numeric, p_why text, p_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    contract  numeric := coalesce((SELECT i.contract_size FROM instruments i WHERE i.instrument = p_position.instrument), 1);
    direction integer := CASE p_position.position_type WHEN 'LONG' THEN 1 ELSE -1 END;
    opener    text := CASE p_position.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END;
    held_cost numeric := coalesce(p_position.cost, p_position.average_entry_price * p_position.total_size);
    cost_out  numeric := held_cost * p_size / p_position.total_size;
    gross     numeric := round(direction * (p_price * p_size - cost_out) * contract * p_fx, 2);
    remaining numeric := p_position.total_size - p_size;
    rest      numeric := p_size;
    mark      numeric;
    slice     numeric;
    slice_pnl numeric;
    ticket    record;
    allocated jsonb := '[]';
BEGIN
    FOR ticket IN
        SELECT t.trade_id, t.entry_time, t.entry_price, t.position_size - t.closed_size AS open_size
          FROM trades t
         WHERE t.account_id = p_position.account_id AND t.instrument = p_position.instrument
           AND t.trade_type = opener AND t.status IN ('open', 'partial')
           AND (t.position_id = p_position.position_id OR (t.position_id IS NULL AND p_position.netting_key = ''))
         ORDER BY t.entry_time, t.trade_id
           FOR UPDATE
    LOOP
        EXIT WHEN rest = 0;
        slice := least(rest, ticket.open_size);
        CONTINUE WHEN slice <= 0;
        rest := rest - slice;
        slice_pnl := round(direction * (p_price - ticket.entry_price) * slice * contract * p_fx, 2);
        UPDATE trades t
           SET closed_size = t.closed_size + slice,
               status = CASE WHEN slice = ticket.open_size THEN 'closed' ELSE 'partial' END,
               exit_price = (coalesce(t.exit_price, 0) * t.closed_size + p_price * slice) / (t.closed_size + slice),
               exit_time = p_at,
               gross_pnl = coalesce(t.gross_pnl, 0) + slice_pnl,
               net_pnl = coalesce(t.gross_pnl, 0) + slice_pnl - coalesce(t.commission, 0) - coalesce(t.swap_fee, 0),
               duration_seconds = least(extract(epoch FROM p_at - t.entry_time), 2147483647)::integer,
               close_reason = left(p_why, 50),
               position_id = p_position.position_id
         WHERE t.trade_id = ticket.trade_id AND t.entry_time = ticket.entry_time;
        allocated := allocated || jsonb_build_object('trade_id', ticket.trade_id, 'size', slice::text, 'gross_pnl', slice_pnl::text);
    END LOOP;

    INSERT INTO trade_fills (account_id, trade_id, position_id, instrument, side, effect, size, price, fx_rate, gross_pnl,
                             allocation, client_key, actor, filled_at)
    VALUES (p_position.account_id,
            CASE WHEN jsonb_array_length(allocated) = 1 THEN (allocated -> 0 ->> 'trade_id')::uuid END,
            p_position.position_id, p_position.instrument, CASE opener WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END, 'close',
            p_size, p_price, p_fx, gross, allocated, p_key::text, session_user, p_at);

    SELECT CASE direction WHEN 1 THEN q.bid ELSE q.ask END INTO mark FROM desk.quote(p_position.instrument) q;
    mark := round(coalesce(mark, p_position.current_price, p_price), 5);
    -- A closed row keeps the size it last had: zero is not storable, and says less.
    UPDATE positions p
       SET total_size = CASE WHEN remaining = 0 THEN p.total_size ELSE remaining END,
           cost = CASE WHEN remaining = 0 THEN held_cost ELSE held_cost - cost_out END,
           current_price = CASE WHEN remaining = 0 THEN p_price ELSE mark END,
           realized_pnl = coalesce(p.realized_pnl, 0) + gross,
           unrealized_pnl = CASE WHEN remaining = 0 THEN 0
               ELSE round(direction * (mark * remaining - (held_cost - cost_out)) * contract * p_fx, 2) END,
           daily_pnl = coalesce(p.realized_pnl, 0) + gross - p.day_base
               + CASE WHEN remaining = 0 THEN 0
                      ELSE round(direction * (mark * remaining - (held_cost - cost_out)) * contract * p_fx, 2) END,
           status = CASE WHEN remaining = 0 THEN 'closed' ELSE 'open' END,
           closed_at = CASE WHEN remaining = 0 THEN p_at END,
           last_updated_at = p_at
     WHERE p.position_id = p_position.position_id;
    PERFORM desk.book_cash(p_position.account_id, gross, p_at);

    RETURN jsonb_build_object('closed_size', p_size::text, 'remaining', remaining::text, 'gross_pnl', gross::text,
        'fx_rate', desk.plain(p_fx), 'trades', allocated, 'closed_position_id', p_position.position_id);
END $$;

-- ---- opening ----------------------------------------------------------------------------------

-- Adds the opening part of an order: trade, position, fill. The caller holds the account, has assessed
-- the order under that lock and claimed its id in the registry.
CREATE OR REPLACE FUNCTION desk.book_open(p_key uuid, o desk.order_draft, p_reason text, p_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    signal signals%ROWTYPE;
    mark numeric := round(coalesce(CASE o.direction WHEN 1 THEN o.bid ELSE o.ask END, o.price), 5);
    the_position positions%ROWTYPE;
    venue text := (SELECT a.broker FROM accounts a WHERE a.account_id = o.account_id);
BEGIN
    IF o.signal_id IS NOT NULL THEN
        SELECT * INTO signal FROM signals g WHERE g.signal_id = o.signal_id;
    END IF;
    -- Adding moves the average; the other side of the position cannot be met here, it was closed first.
    INSERT INTO positions AS p (account_id, instrument, position_type, total_size, average_entry_price, cost, current_price,
                                stop_loss, take_profit, unrealized_pnl, daily_pnl, opened_at, last_updated_at, day_started_at)
    VALUES (o.account_id, o.instrument, CASE o.direction WHEN 1 THEN 'LONG' ELSE 'SHORT' END, o.opening, o.price,
            o.price * o.opening, mark, o.stop, o.target,
            round(o.direction * (mark - o.price) * o.opening * o.contract_size * o.fx, 2),
            round(o.direction * (mark - o.price) * o.opening * o.contract_size * o.fx, 2), p_at, p_at, o.day_start)
    ON CONFLICT (account_id, instrument, netting_key) WHERE status IN ('open', 'closing') DO UPDATE
        SET total_size = p.total_size + EXCLUDED.total_size,
            cost = coalesce(p.cost, p.average_entry_price * p.total_size) + EXCLUDED.cost,
            average_entry_price = (coalesce(p.cost, p.average_entry_price * p.total_size) + EXCLUDED.cost)
                                  / (p.total_size + EXCLUDED.total_size),
            current_price = EXCLUDED.current_price,
            stop_loss = coalesce(EXCLUDED.stop_loss, p.stop_loss),
            take_profit = coalesce(EXCLUDED.take_profit, p.take_profit),
            unrealized_pnl = round(o.direction * (mark * (p.total_size + EXCLUDED.total_size)
                - coalesce(p.cost, p.average_entry_price * p.total_size) - EXCLUDED.cost) * o.contract_size * o.fx, 2),
            daily_pnl = round(o.direction * (mark * (p.total_size + EXCLUDED.total_size)
                - coalesce(p.cost, p.average_entry_price * p.total_size) - EXCLUDED.cost) * o.contract_size * o.fx, 2)
                + coalesce(p.realized_pnl, 0) - p.day_base,
            last_updated_at = p_at
    RETURNING * INTO the_position;

    INSERT INTO trades (trade_id, account_id, signal_id, instrument, trade_type, position_size, entry_price, stop_loss,
                        take_profit, risk_amount, risk_percentage, slippage, signal_time, entry_time, trade_session,
                        execution_venue, position_id, metadata)
    VALUES (p_key, o.account_id, o.signal_id, o.instrument, o.side, o.opening, o.price, o.stop, o.target,
            -- The column cannot be empty: without a stop it says 0, and the metadata that this is no number.
            coalesce(o.risk, 0), least(coalesce(o.risk / nullif(o.equity, 0), 0), 9.9999),
            greatest(-9999, least(9999, coalesce((o.price - signal.entry_price) * o.direction / o.pip_size, 0))),
            signal.generated_at, p_at, desk.session_of(p_at), venue, the_position.position_id,
            jsonb_strip_nulls(jsonb_build_object('source', 'desk', 'actor', session_user, 'reason', p_reason,
                'risk', CASE WHEN o.risk IS NULL THEN 'unbounded' END)));
    INSERT INTO trade_fills (account_id, trade_id, position_id, instrument, side, effect, size, price, fx_rate,
                             client_key, actor, filled_at)
    VALUES (o.account_id, p_key, the_position.position_id, o.instrument, o.side, 'open', o.opening, o.price, o.fx,
            p_key::text, session_user, p_at);
    PERFORM desk.book_cash(o.account_id, 0, p_at);

    IF o.signal_id IS NOT NULL THEN
        INSERT INTO signal_executions (signal_id, account_id, trade_id, status, requested_by, requested_size, executed_size,
                                       executed_price, reason, idempotency_key)
        VALUES (o.signal_id, o.account_id, p_key, 'executed', session_user, o.size, o.opening, o.price, p_reason, p_key::text);
        -- Each account takes a signal once; it is done when no active account is left that could.
        UPDATE signals g
           SET execution_count = coalesce(g.execution_count, 0) + 1,
               total_executed_size = coalesce(g.total_executed_size, 0) + o.opening,
               status = CASE WHEN EXISTS (
                   SELECT FROM accounts a WHERE a.status = 'active' AND NOT EXISTS (
                       SELECT FROM signal_executions e WHERE e.signal_id = g.signal_id AND e.account_id = a.account_id
                          AND e.status IN ('claimed', 'executed')))
                   THEN g.status ELSE 'executed' END
         WHERE g.signal_id = o.signal_id;
    END IF;
    RETURN jsonb_build_object('trade_id', p_key, 'position_id', the_position.position_id, 'opened_size', o.opening::text,
        'risk_amount', round(o.risk, 2)::text, 'risk_percentage', round(o.risk / nullif(o.equity, 0), 4)::text,
        'fx_rate', desk.plain(o.fx));
END $$;

-- ---- refusals are events ----------------------------------------------------------------------

-- A refused order is a piece of information; three of the same kind in five minutes are a warning.
CREATE OR REPLACE FUNCTION desk.raise_refusal(p_account uuid, p_line desk.check_result, p_what text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    folded text := format('refused:%s:%s:%s', p_account, p_line.code, coalesce(p_line.limit_id::text, ''));
    recent jsonb;
BEGIN
    SELECT coalesce(jsonb_agg(r.at ORDER BY r.at), '[]') INTO recent
      FROM (SELECT r.at FROM risk_events e, jsonb_array_elements(e.event_data -> 'recent') AS r (at)
             WHERE e.dedup_key = folded AND e.resolution_time IS NULL
               AND r.at::text::numeric > extract(epoch FROM clock_timestamp()) - 300
             ORDER BY r.at DESC LIMIT 9) AS r;
    recent := recent || to_jsonb(round(extract(epoch FROM clock_timestamp()), 3));
    PERFORM desk.raise_event(p_account, 'order_refused', CASE WHEN jsonb_array_length(recent) >= 3 THEN 'warning' ELSE 'info' END,
        'desk', lower(p_line.code), p_line.measured, p_line.allowed, folded, NULL, NULL, p_line.limit_id,
        jsonb_build_object('message', p_line.message, 'order', p_what, 'unit', p_line.unit, 'actor', session_user, 'recent', recent));
END $$;

-- ---- the verbs --------------------------------------------------------------------------------

-- Books an order. Opposite to what is held it first closes, then opens the rest as a new position; an
-- order that only reduces makes no trade of its own.
--
-- The lock is taken by one statement and the order assessed by the next: a statement that waits for a
-- lock still sees the world from before its wait.
CREATE OR REPLACE FUNCTION desk.place_trade(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_account uuid,
    p_instrument text, p_side text, p_size numeric, p_price numeric, p_stop numeric, p_target numeric,
    p_signal uuid, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    checked  desk.check_result;
    rejected desk.check_result;
    notable  jsonb := '[]';
    confirms text[] := '{}';
    reason   text := nullif(btrim(p_reason), '');
    o        desk.order_draft;
    held     positions%ROWTYPE;
    booked   jsonb := '{}';
    booked_at timestamptz;
    payload  jsonb := jsonb_build_object('account_id', p_account, 'instrument', p_instrument, 'side', p_side,
        'size', p_size::text, 'price', p_price::text, 'stop', p_stop::text, 'target', p_target::text,
        'signal_id', p_signal, 'reason', p_reason);
BEGIN
    -- There the picture is that of the first statement, whatever others committed while this one waited.
    IF current_setting('transaction_isolation') = 'repeatable read' THEN
        RETURN desk.refused('ISOLATION_LEVEL', 'Orders are placed in READ COMMITTED or SERIALIZABLE.');
    END IF;
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'place_trade');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    PERFORM desk.lock_risk(p_account);
    PERFORM FROM signals g WHERE g.signal_id = p_signal FOR NO KEY UPDATE;
    o := desk.draft_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
    FOR checked IN SELECT * FROM desk.assess(o) LOOP
        IF checked.severity = 'reject' AND rejected.code IS NULL THEN
            rejected := checked;
        ELSIF checked.severity = 'confirm' THEN
            confirms := confirms || checked.code;
        END IF;
        IF checked.severity <> 'info' THEN
            notable := notable || jsonb_build_object('code', checked.code, 'severity', checked.severity, 'measured', checked.measured::text,
                'allowed', checked.allowed::text, 'unit', checked.unit, 'limit_id', checked.limit_id, 'message', checked.message);
        END IF;
    END LOOP;

    IF rejected.code IS NOT NULL THEN
        -- A slip of the hand is the trader's own; what a limit or a halt stopped is the risk officer's too.
        IF rejected.limit_id IS NOT NULL OR rejected.code ~ '^(TRADING_HALT|ACCOUNT_(RISK_HALT|SUSPENDED|CLOSED)|MAX_|INSUFFICIENT_MARGIN|RISK_PERCENTAGE|NO_EQUITY|PRICE_COLLAR)' THEN
            PERFORM desk.raise_refusal(p_account, rejected,
                format('%s %s %s @ %s', upper(p_side), desk.plain(p_size), p_instrument, desk.plain(p_price)));
        END IF;
        RETURN desk.settle(p_key, 'place_trade', desk.refused(rejected.code, rejected.message, rejected.measured,
            rejected.allowed, rejected.unit, rejected.limit_id, jsonb_build_object('checks', notable)), payload);
    ELSIF cardinality(confirms) > 0 AND reason IS NULL THEN
        RETURN desk.settle(p_key, 'place_trade', desk.refused('CONFIRM_REQUIRED',
            format('%s Give a reason to send it all the same.', notable -> 0 ->> 'message'),
            p_detail => jsonb_build_object('checks', notable, 'confirm', to_jsonb(confirms))), payload);
    END IF;

    booked_at := clock_timestamp();
    IF NOT coalesce(o.day_base_known, false) THEN
        PERFORM desk.roll_day(ARRAY[p_account]);
    END IF;
    IF o.opening > 0 THEN
        -- The id is claimed before anything is booked: if a foreign trade has it, nothing has happened.
        INSERT INTO trade_registry (trade_id, entry_time, account_id) VALUES (p_key, booked_at, p_account)
        ON CONFLICT (trade_id) DO NOTHING;
        IF NOT FOUND THEN
            RETURN desk.settle(p_key, 'place_trade', desk.refused('KEY_REUSED', 'A trade with this id exists already.'), payload);
        END IF;
    END IF;
    IF o.closing > 0 THEN
        SELECT * INTO held FROM positions p WHERE p.position_id = o.position_id FOR UPDATE;
        o.fx := coalesce(o.fx, (SELECT c.rate FROM desk.closing_rate(held) c));
        booked := desk.book_close(p_key, held, o.closing, o.price, o.fx, coalesce(reason, 'netted'), booked_at);
    END IF;
    IF o.opening > 0 THEN
        booked := booked || desk.book_open(p_key, o, reason, booked_at);
    END IF;

    answer := desk.accepted(
        CASE WHEN o.opening > 0 THEN p_key ELSE o.position_id END,
        format('%s %s %s at %s%s.', CASE o.side WHEN 'BUY' THEN 'Bought' ELSE 'Sold' END, desk.size_text(o.size), o.instrument,
            desk.price_text(o.price, o.tick_size), CASE WHEN o.closing > 0 THEN format(', realized %s %s',
                desk.signed_amount((booked ->> 'gross_pnl')::numeric), o.currency) ELSE '' END),
        CASE WHEN o.closing > 0 AND o.opening > 0 THEN 'FLIPPED' WHEN o.closing > 0 THEN 'REDUCED' END,
        booked || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.settle(p_key, 'place_trade', answer, payload);
END $$;

-- The rate at which a close is booked, whatever is known: today's, however old; else that of the last
-- fill; else the one noted on the position. A close never waits for a feed.
CREATE OR REPLACE FUNCTION desk.closing_rate(p_position positions, OUT rate numeric, OUT source text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    quoted text := coalesce((SELECT i.quote_currency FROM instruments i WHERE i.instrument = p_position.instrument),
                            nullif(split_part(p_position.instrument, '_', 2), ''));
BEGIN
    rate := desk.convert(quoted, (SELECT a.base_currency FROM accounts a WHERE a.account_id = p_position.account_id));
    source := 'current';
    IF rate IS NULL THEN
        SELECT f.fx_rate INTO rate FROM trade_fills f
         WHERE f.position_id = p_position.position_id ORDER BY f.filled_at DESC LIMIT 1;
        source := 'last fill';
    END IF;
    IF rate IS NULL AND p_position.metadata ->> 'fx_rate' ~ '^[0-9]+(\.[0-9]+)?$' THEN
        rate := nullif((p_position.metadata ->> 'fx_rate')::numeric, 0);
        source := 'position';
    END IF;
    IF rate IS NULL THEN
        source := NULL;
    END IF;
END $$;

-- Closes a position, or a part of it. No halt, status, limit or old price stands in the way; only a price
-- far from a live market asks for a reason, because that is a slip of the hand.
--
-- Without a price it closes at the market: a long at the bid, a short at the ask.
CREATE OR REPLACE FUNCTION desk.close_position(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_size numeric, p_price numeric, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    reason  text := nullif(btrim(p_reason), '');
    payload jsonb := jsonb_build_object('position_id', p_position, 'size', p_size::text, 'price', p_price::text, 'reason', p_reason);
    held    positions%ROWTYPE;
    account accounts%ROWTYPE;
    price   numeric := desk.finite(p_price);
    size    numeric;
    tick    numeric;
    step    numeric;
    quote   record;
    rate    record;
    age     numeric;
    booked  jsonb;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'close_position');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.may('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('NOT_PERMITTED', format('%s may look but not trade.', session_user)), payload);
    END IF;
    UPDATE accounts a SET last_trade_at = a.last_trade_at
     WHERE a.account_id = (SELECT p.account_id FROM positions p WHERE p.position_id = p_position) RETURNING * INTO account;
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    IF held.position_id IS NULL THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('POSITION_UNKNOWN', 'There is no such position.'), payload);
    ELSIF held.status NOT IN ('open', 'closing') THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('POSITION_NOT_OPEN', format('This position was closed %s.',
            coalesce('at ' || to_char(held.closed_at, 'HH24:MI:SS"Z"'), 'before')), p_subject => p_position), payload);
    ELSIF account.status = 'closed' AND NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('ACCOUNT_CLOSED', 'The account is closed; a risk officer closes what is left.',
            p_subject => p_position), payload);
    END IF;

    SELECT * INTO quote FROM desk.quote(held.instrument);
    SELECT i.tick_size, i.size_step INTO tick, step FROM instruments i WHERE i.instrument = held.instrument;
    size := coalesce(desk.finite(p_size), held.total_size);
    price := coalesce(price, round(CASE held.position_type WHEN 'LONG' THEN quote.bid ELSE quote.ask END, 5));
    IF price IS NULL OR price <= 0 THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('PRICE_UNKNOWN', format('There is no price for %s: give one.', held.instrument),
            p_subject => p_position), payload);
    ELSIF round(price, 5) <> price OR (p_price IS NOT NULL AND price % tick <> 0) THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('PRICE_NOT_A_TICK', format('The price %s is not a multiple of the tick %s.',
            desk.plain(price), desk.plain(coalesce(tick, 0.00001))), price, coalesce(tick, 0.00001), 'price', p_position), payload);
    ELSIF price >= 100000 THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('PRICE_OUT_OF_RANGE', format('The price %s is outside what can be booked.',
            desk.plain(price)), price, 100000, 'price', p_position), payload);
    ELSIF size > held.total_size THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('REDUCE_ONLY_EXCEEDS_POSITION', format('Only %s can be closed.',
            desk.size_text(held.total_size)), size, held.total_size, 'units', p_position), payload);
    -- Closing all of it is right whatever the step is now.
    ELSIF size <= 0 OR round(size, 2) <> size OR (size <> held.total_size AND size % step <> 0) THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('SIZE_NOT_A_STEP', format('The size %s is not a multiple of the step %s.',
            desk.plain(size), desk.plain(coalesce(step, 0.01))), size, coalesce(step, 0.01), 'units', p_position), payload);
    END IF;

    age := extract(epoch FROM clock_timestamp() - quote.as_of);
    IF reason IS NULL AND age <= desk.setting('price_max_age_seconds')::numeric
       AND abs(price / quote.mid - 1) * 100 > desk.setting('price_collar_percent')::numeric THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('CONFIRM_REQUIRED', format('%s is %s %% away from the market at %s. '
            'Give a reason to close there all the same.', desk.price_text(price, tick), round(abs(price / quote.mid - 1) * 100, 2),
            desk.price_text(quote.mid, tick)),
            abs(price / quote.mid - 1) * 100, desk.setting('price_collar_percent')::numeric, 'percentage', p_position,
            '{"confirm": ["PRICE_COLLAR"]}'), payload);
    END IF;
    SELECT * INTO rate FROM desk.closing_rate(held);
    IF rate.rate IS NULL THEN
        RETURN desk.settle(p_key, 'close_position', desk.refused('NO_CONVERSION_RATE', format('Nobody ever stored a rate that turns %s into %s: '
            'store one in fx_rates.', held.instrument, account.base_currency), p_subject => p_position), payload);
    END IF;

    PERFORM desk.roll_day(ARRAY[held.account_id]);
    booked := desk.book_close(p_key, held, size, price, rate.rate, coalesce(reason, 'manual'), clock_timestamp());
    answer := desk.accepted(p_position, format('Closed %s %s at %s: %s %s%s.', desk.size_text(size), held.instrument, desk.price_text(price, tick),
            desk.signed_amount((booked ->> 'gross_pnl')::numeric), btrim(account.base_currency),
            CASE WHEN size < held.total_size THEN format(', %s left', desk.size_text(held.total_size - size)) ELSE '' END),
        CASE WHEN rate.source <> 'current' THEN 'RATE_NOT_CURRENT' END,
        booked || jsonb_strip_nulls(jsonb_build_object('account_id', held.account_id, 'fx_source', rate.source, 'price', desk.plain(price),
            'price_age_seconds', round(age, 1)::text)));
    RETURN desk.settle(p_key, 'close_position', answer, payload);
END $$;

-- ---- marks ------------------------------------------------------------------------------------

-- Revalues live positions at the last quotes, longs at the bid and shorts at the ask, and the accounts
-- that hold them. Only rows whose figures move are written.
--
-- Accounts that somebody is trading on are left for the next round, so that this never waits in the
-- middle of a lock order; a second caller at the same time has nothing to do.
CREATE OR REPLACE FUNCTION desk.mark_to_market() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free uuid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:mark', 0)) THEN
        RETURN;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a WHERE a.status <> 'closed' OR EXISTS (
                SELECT FROM positions p WHERE p.account_id = a.account_id AND p.status IN ('open', 'closing'))
             ORDER BY a.account_id FOR NO KEY UPDATE SKIP LOCKED) a;
    PERFORM desk.roll_day(free);

    WITH rates AS MATERIALIZED (
        SELECT i.instrument, a.base_currency, q.bid, q.ask, i.contract_size * desk.convert(i.quote_currency, a.base_currency) AS factor
          FROM (SELECT DISTINCT p.instrument, a.base_currency FROM positions p JOIN accounts a USING (account_id)
                 WHERE p.status IN ('open', 'closing') AND p.account_id = ANY (free)) a
          JOIN instruments i USING (instrument), desk.quote(i.instrument) q
    ), days AS MATERIALIZED (
        SELECT a.account_id, d.starts FROM accounts a, desk.trading_day(a.metadata -> 'risk_day', clock_timestamp()) d
         WHERE a.account_id = ANY (free)
    ), marked AS (
        SELECT p.position_id, m.price, v.pnl, d.starts,
               -- What the day began with is what was known just before its first mark.
               CASE WHEN p.day_started_at = d.starts THEN p.day_base WHEN p.opened_at >= d.starts THEN 0
                    ELSE coalesce(p.realized_pnl, 0) + coalesce(p.unrealized_pnl, 0) END AS day_base
          FROM positions p
          JOIN accounts a USING (account_id)
          JOIN days d USING (account_id)
          JOIN rates r ON r.instrument = p.instrument AND r.base_currency = a.base_currency,
               LATERAL (SELECT round(CASE p.position_type WHEN 'LONG' THEN r.bid ELSE r.ask END, 5) AS price,
                               CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END AS direction) m,
               LATERAL (SELECT round(m.direction * (m.price * p.total_size - coalesce(p.cost, p.average_entry_price * p.total_size))
                                     * r.factor, 2) AS pnl) v
         WHERE p.status IN ('open', 'closing')
           -- One figure that no column can hold must not stop the marks of all others.
           AND abs(v.pnl) < 9999999999 AND m.price > 0 AND m.price < 99999
           AND (p.current_price, p.unrealized_pnl, p.day_started_at) IS DISTINCT FROM (m.price, v.pnl, d.starts)
    )
    UPDATE positions p
       SET current_price = m.price, unrealized_pnl = m.pnl, day_base = m.day_base, day_started_at = m.starts,
           daily_pnl = coalesce(p.realized_pnl, 0) + m.pnl - m.day_base, last_updated_at = clock_timestamp()
      FROM marked m
     WHERE p.position_id = m.position_id;

    UPDATE accounts a
       SET equity = a.current_balance + v.unrealized,
           margin_used = v.margin,
           available_balance = a.current_balance + v.unrealized - v.margin
      FROM desk.book_value(free) v
     WHERE a.account_id = v.account_id
       AND (a.equity, a.margin_used, a.available_balance)
           IS DISTINCT FROM (a.current_balance + v.unrealized, v.margin, a.current_balance + v.unrealized - v.margin);

    UPDATE performance_metrics m
       SET peak_equity = greatest(m.peak_equity, a.equity), min_equity = least(m.min_equity, a.equity)
      FROM accounts a
     WHERE a.account_id = ANY (free) AND m.account_id = a.account_id AND m.period_type = 'daily'
       AND m.period_start <= clock_timestamp() AND m.period_end > clock_timestamp()
       AND (a.equity > m.peak_equity OR a.equity < m.min_equity);
END $$;
