-- Marks keep to the accounts that they hold, nobody stops the desk with a lock of his own, a signal is taken
-- once also where it only reduces, and a limit that stands behind a temporary one moves with its end.
SET LOCAL ROLE tmt_owner;

-- ---- turns ------------------------------------------------------------------------------------

-- What only one session does at a time. Rows and not advisory locks, because anybody who may log in can take
-- an advisory lock: whoever only looks could hold up every order, and blind the watch without a word.
CREATE TABLE IF NOT EXISTS desk.turns (name text PRIMARY KEY);
INSERT INTO desk.turns (name) VALUES ('risk'), ('halt'), ('mark'), ('roll'), ('watch'), ('prune') ON CONFLICT DO NOTHING;

-- Waits until nobody else has this turn, and has it until the transaction ends.
CREATE OR REPLACE FUNCTION desk.take_turn(p_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM desk.turns t WHERE t.name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody can take the turn %', p_name USING ERRCODE = '22023';
    END IF;
END $$;

-- Takes a turn if nobody else has it; says whether it did.
CREATE OR REPLACE FUNCTION desk.try_turn(p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM desk.turns t WHERE t.name = p_name FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND;
END $$;

-- Takes the locks under which an order of an account is judged and booked; false if there is no such
-- account. Order: the system's, then the account's.
--
-- A lock is enough where every booking writes the account: whoever waited in a stricter isolation level
-- then fails with 40001. Halts write it too.
CREATE OR REPLACE FUNCTION desk.lock_account(p_account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    -- Limits that look at several accounts cannot be guarded by the row of one.
    wide  boolean := desk.limits_span_accounts();
    known boolean;
BEGIN
    IF wide THEN
        PERFORM desk.take_turn('risk');
    END IF;
    PERFORM FROM accounts a WHERE a.account_id = p_account FOR NO KEY UPDATE;
    known := FOUND;
    -- Whoever makes the first of them locks every account, so it can have come while this waited, and
    -- not after this. Taking its lock now, in the wrong order, would invite deadlocks.
    IF NOT wide AND desk.limits_span_accounts() THEN
        RAISE EXCEPTION 'a limit over several accounts came into force meanwhile' USING ERRCODE = '40001';
    END IF;
    RETURN known;
END $$;

-- Locks what a limit governs, so that no order is being judged while it changes. Written, not only
-- locked: an order whose picture is older than the change then fails and is tried again.
--
-- Every account, if the limit is over several: an order that saw no such limit when it began holds
-- nothing but its account.
CREATE OR REPLACE FUNCTION desk.lock_limit(l risk_limits) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF l.account_id IS NULL THEN
        PERFORM desk.take_turn('risk');
        PERFORM FROM accounts a ORDER BY a.account_id FOR NO KEY UPDATE;
        UPDATE accounts a SET last_trade_at = a.last_trade_at;
    ELSE
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id = l.account_id;
    END IF;
END $$;

-- Stops new risk for an account, an instrument, a portfolio or everything. Halts are rows: they survive
-- every restart, until a risk officer clears them. Closing stays possible under all of them; the mode
-- flatten also closes, at once and at the market, every position in scope.
--
-- A trader may stop an account; the wider scopes are a risk officer's.
CREATE OR REPLACE FUNCTION desk.halt(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_scope text, p_identifier text,
    p_mode text, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer  desk.verdict;
    scope   text := lower(btrim(p_scope));
    mode    text := lower(btrim(p_mode));
    reason  text := coalesce(nullif(btrim(p_reason), ''), 'no reason given');
    payload jsonb := jsonb_build_object('scope', p_scope, 'identifier', p_identifier, 'mode', p_mode, 'reason', p_reason);
    target  text;
    account accounts%ROWTYPE;
    words   text;
    twin    trading_halts%ROWTYPE;
    halt_id uuid;
    covered uuid[];
    book    uuid[] := '{}';
    one     uuid;
    part    jsonb;
    result  jsonb := '{"closed": [], "kept": []}';
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'halt');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF scope = 'account' THEN
        -- The lock that orders wait for: whoever is being judged now is done before the halt stands.
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE a.account_id::text = lower(btrim(p_identifier)) RETURNING * INTO account;
        target := account.account_id::text;
        words := account.account_name;
    ELSE
        PERFORM desk.take_turn('halt');
        target := CASE scope
            WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
            WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
                SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier))) END;
        words := coalesce(target, 'all trading');
    END IF;
    IF scope = 'account' OR desk.may('tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
        -- All that the halt is over, in the order in which everybody locks accounts: the halt waits for orders
        -- that are being judged, and those that come wait for it. Written, not only locked: an order whose
        -- picture is older than the halt then fails and is tried again.
        SELECT coalesce(array_agg(l.account_id ORDER BY l.account_id), '{}') INTO covered
          FROM (SELECT a.account_id FROM accounts a
                 WHERE CASE scope WHEN 'account' THEN a.account_id::text = target
                                  WHEN 'portfolio' THEN a.metadata ->> 'portfolio' = target
                                  WHEN 'instrument' THEN target IS NOT NULL ELSE scope = 'system' END
                 ORDER BY a.account_id FOR NO KEY UPDATE) l;
        UPDATE accounts a SET last_trade_at = a.last_trade_at WHERE scope <> 'account' AND a.account_id = ANY (covered);
        IF mode = 'flatten' THEN
            -- What they hold, in a statement of its own: what was booked meanwhile is closed with the rest.
            SELECT coalesce(array_agg(DISTINCT p.account_id ORDER BY p.account_id), '{}') INTO book
              FROM positions p JOIN accounts a USING (account_id)
             WHERE p.account_id = ANY (covered) AND p.status IN ('open', 'closing') AND (scope <> 'instrument' OR p.instrument = target)
               AND (a.status <> 'closed' OR desk.may('tmt_risk_officer', 'tmt_admin'));
        END IF;
    END IF;
    SELECT * INTO twin FROM trading_halts h
     WHERE h.cleared_at IS NULL AND h.scope = lower(btrim(p_scope)) AND h.mode = lower(btrim(p_mode))
       AND h.scope_identifier IS NOT DISTINCT FROM target;
    answer := CASE
        WHEN NOT (desk.may('tmt_risk_officer', 'tmt_admin', 'tmt_agent') OR (scope = 'account' AND desk.may('tmt_trader'))) THEN
            desk.refused('NOT_PERMITTED', format('%s may not halt this.', session_user))
        WHEN scope NOT IN ('account', 'instrument', 'portfolio', 'system') OR scope IS NULL THEN
            desk.refused('HALT_SCOPE_INVALID', 'A halt is for an account, an instrument, a portfolio or the system.')
        WHEN mode NOT IN ('reduce_only', 'no_new_orders', 'flatten') OR mode IS NULL THEN
            desk.refused('HALT_MODE_INVALID', 'A halt is reduce_only, no_new_orders or flatten.')
        WHEN scope <> 'system' AND target IS NULL THEN
            desk.refused('HALT_TARGET_UNKNOWN', format('There is no %s %s.', scope, coalesce(p_identifier, 'without a name')))
        -- What a first flatten had to keep, a second one may close.
        WHEN twin.halt_id IS NOT NULL AND book = '{}' THEN
            desk.refused('ALREADY_HALTED', format('%s halted it at %s: %s', twin.set_by, to_char(twin.set_at, 'HH24:MI:SS"Z"'), twin.reason),
                p_subject => twin.halt_id)
    END;
    IF answer.outcome IS NULL THEN
        halt_id := twin.halt_id;
        IF halt_id IS NULL THEN
            INSERT INTO trading_halts AS h (scope, account_id, scope_identifier, mode, reason, set_by, set_at)
            VALUES (scope, account.account_id, target, mode, reason, session_user, clock_timestamp())
            RETURNING h.halt_id INTO halt_id;
            PERFORM desk.raise_event(account.account_id, 'trading_halt', CASE scope WHEN 'system' THEN 'emergency' ELSE 'critical' END,
                'desk', 'halt', NULL, NULL, 'halt:' || halt_id, NULL, NULL, NULL,
                jsonb_build_object('message', format('%s halted (%s): %s', words, mode, reason), 'halt_id', halt_id, 'actor', session_user));
        END IF;
        FOREACH one IN ARRAY book LOOP
            part := desk.flatten_account(p_key, one, CASE scope WHEN 'instrument' THEN target END, reason);
            result := jsonb_build_object('closed', result -> 'closed' || (part -> 'closed'), 'kept', result -> 'kept' || (part -> 'kept'));
        END LOOP;
        answer := desk.accepted(halt_id, format('Halted: %s, %s. %s.', words, replace(mode, '_', ' '),
            CASE mode WHEN 'flatten' THEN desk.flatten_words(result) ELSE 'Closing stays possible' END),
            CASE WHEN result -> 'kept' <> '[]' THEN 'PARTLY_FLATTENED' END,
            jsonb_build_object('scope', scope, 'identifier', target, 'mode', mode) || CASE mode WHEN 'flatten' THEN result ELSE '{}' END);
    END IF;
    RETURN desk.settle(p_key, 'halt', answer, payload);
END $$;

-- Rolls accounts whose day is over, a hundred at a time, so that none of them is held for long: call it
-- until it answers 0. Any number of programs may call it at any time. An account that somebody is trading
-- on is left: the trade rolls it, or the next call.
CREATE OR REPLACE FUNCTION desk.roll_days() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free   uuid[];
    now_at timestamptz := clock_timestamp();
BEGIN
    IF NOT desk.try_turn('roll') THEN
        RETURN 0;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a
             WHERE a.status <> 'closed' AND NOT desk.is_rolled(a.account_id, now_at)
             ORDER BY a.account_id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED) a;
    RETURN desk.roll(free);
END $$;

-- Forgets changes older than ten minutes; a console that was away for longer reads its panes again.
CREATE OR REPLACE FUNCTION desk.prune() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    oldest xid8 := pg_snapshot_xmin(pg_current_snapshot());
    forgotten xid8;
BEGIN
    IF NOT desk.try_turn('prune') THEN
        RETURN;
    END IF;
    -- Only transactions that are over for everybody: what one of them left is in every later snapshot.
    WITH gone AS (
        DELETE FROM desk.change_log c WHERE c.at < clock_timestamp() - interval '10 minutes' AND c.xid < oldest RETURNING c.xid
    )
    SELECT g.xid INTO forgotten FROM gone g ORDER BY g.xid DESC LIMIT 1;
    UPDATE desk.change_horizon h
       SET xid = CASE WHEN forgotten >= h.xid THEN (forgotten::text::numeric + 1)::text::xid8 ELSE h.xid END,
           pruned_at = clock_timestamp();
END $$;

-- Measures live limits and accounts' own loss rules: of some accounts after p_after, in their order. Says how
-- many changed their standing, and which account was the last; none when all had their turn, limits over
-- several accounts too. It ends with the first account that it takes, so that none is held while others are
-- measured. One at a time: a second caller has nothing to do.
CREATE OR REPLACE FUNCTION desk.watch_some(p_after uuid, OUT changed integer, OUT last uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    watched record;
    looked  integer := 0;
    held    boolean := false;
    wide    uuid[] := ARRAY(SELECT l.limit_id FROM risk_limits l
                             WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system') OR (l.limit_scope = 'instrument' AND l.account_id IS NULL)));
BEGIN
    changed := 0;
    IF NOT desk.try_turn('watch') THEN
        RETURN;
    END IF;
    FOR watched IN
        SELECT a.account_id, a.account_name FROM accounts a
         WHERE a.status <> 'closed' AND (p_after IS NULL OR a.account_id > p_after) ORDER BY a.account_id LIMIT 51
    LOOP
        looked := looked + 1;
        IF looked > 50 OR held OR changed > 0 THEN
            RETURN;
        END IF;
        last := watched.account_id;
        -- One that cannot be measured does not stop the others.
        BEGIN
            SELECT w.changed, w.held INTO changed, held FROM desk.watch_account(watched.account_id, watched.account_name, wide) w;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                changed := 0;
            WHEN OTHERS THEN
                changed := desk.watch_failed(watched.account_id, watched.account_name, SQLERRM);
        END;
    END LOOP;
    IF held OR changed > 0 THEN
        RETURN;
    END IF;
    last := NULL;
    changed := desk.watch_wide(wide);
    DELETE FROM desk.limit_states s
     USING (SELECT g.limit_key FROM desk.limit_states g
             WHERE split_part(g.limit_key, ':', 2) <> ''
               AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id::text = split_part(g.limit_key, ':', 2) AND a.status <> 'closed')
               FOR UPDATE OF g SKIP LOCKED) gone
     WHERE s.limit_key = gone.limit_key;
    PERFORM desk.end_watched();
    PERFORM desk.chase_events();
END $$;

-- ---- marks -------------------------------------------------------------------------------------

-- Revalues live positions at the last quotes, longs at the bid and shorts at the ask, and the accounts
-- that hold them. Only rows whose figures move are written.
--
-- Accounts that somebody is trading on are left for the next round, so that this never waits in the
-- middle of a lock order; a second caller at the same time has nothing to do.
CREATE OR REPLACE FUNCTION desk.mark_to_market() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free   uuid[];
    -- Not asked for in each row: what is volatile finds no row by an index.
    now_at timestamptz := clock_timestamp();
BEGIN
    IF NOT desk.try_turn('mark') THEN
        RETURN;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a WHERE a.status <> 'closed' OR EXISTS (
                SELECT FROM positions p WHERE p.account_id = a.account_id AND p.status IN ('open', 'closing'))
             ORDER BY a.account_id FOR NO KEY UPDATE SKIP LOCKED) a;
    PERFORM desk.note_held(free);
    -- A hundred new days at a time; whose day has not begun is marked when it has.
    PERFORM desk.roll(ARRAY(SELECT f FROM unnest(free) f, accounts a
                             WHERE a.account_id = f AND a.status <> 'closed' AND NOT desk.is_rolled(f, now_at) LIMIT 100));
    now_at := clock_timestamp();
    SELECT array_agg(f) INTO free FROM unnest(free) f, accounts a
     WHERE a.account_id = f AND (a.status = 'closed' OR desk.is_rolled(f, now_at));

    WITH rates AS MATERIALIZED (
        SELECT i.instrument, a.base_currency, q.bid, q.ask, i.contract_size * desk.convert(i.quote_currency, a.base_currency) AS factor,
               i.margin_rate
          FROM (SELECT DISTINCT p.instrument, a.base_currency FROM positions p JOIN accounts a USING (account_id)
                 WHERE p.status IN ('open', 'closing') AND p.account_id = ANY (free)) a
          JOIN instruments i USING (instrument), desk.quote(i.instrument) q
    ), days AS MATERIALIZED (
        SELECT m.account_id, max(m.period_start) AS starts FROM performance_metrics m
         WHERE m.account_id = ANY (free) AND m.period_type = 'daily' AND m.period_end > now_at
         GROUP BY m.account_id
    ), marked AS (
        SELECT p.position_id, m.price, v.pnl, v.margin, coalesce(d.starts, p.day_started_at) AS starts, b.day_base
          FROM positions p
          JOIN accounts a USING (account_id)
          LEFT JOIN days d USING (account_id)
          JOIN rates r ON r.instrument = p.instrument AND r.base_currency = a.base_currency,
               -- As the column will hold it, which is what P&L has to agree with.
               LATERAL (SELECT round(CASE p.position_type WHEN 'LONG' THEN r.bid ELSE r.ask END, scale(p.average_entry_price)) AS price,
                               CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END AS direction) m,
               -- What the day began with is what was known just before its first mark.
               LATERAL (SELECT CASE WHEN d.starts IS NULL OR p.day_started_at = d.starts THEN p.day_base WHEN p.opened_at >= d.starts THEN 0
                                    ELSE coalesce(p.realized_pnl, 0) + coalesce(p.unrealized_pnl, 0) END AS day_base) b,
               LATERAL (SELECT round(m.direction * (m.price * p.total_size - coalesce(p.cost, p.average_entry_price * p.total_size))
                                     * r.factor, scale(a.current_balance)) AS pnl,
                               round(m.price * p.total_size * r.factor * r.margin_rate, scale(a.current_balance)) AS margin) v
         WHERE p.status IN ('open', 'closing') AND p.account_id = ANY (free)
           -- One figure that no column can hold must not stop the marks of all others.
           AND abs(v.pnl) < 9999999999 AND abs(coalesce(p.realized_pnl, 0) + v.pnl - b.day_base) < 9999999999 AND v.margin < 9999999999999 AND m.price > 0 AND m.price < 99999
           AND (p.current_price, p.unrealized_pnl, p.margin_used, p.day_started_at)
               IS DISTINCT FROM (m.price, v.pnl, v.margin, coalesce(d.starts, p.day_started_at))
    )
    UPDATE positions p
       SET current_price = m.price, unrealized_pnl = m.pnl, margin_used = m.margin, day_base = m.day_base, day_started_at = m.starts,
           daily_pnl = coalesce(p.realized_pnl, 0) + m.pnl - m.day_base, last_updated_at = clock_timestamp()
      FROM marked m
     WHERE p.position_id = m.position_id;

    UPDATE accounts a
       SET equity = a.current_balance + v.unrealized,
           margin_used = v.margin,
           available_balance = a.current_balance + v.unrealized - v.margin
      FROM desk.book_value(free) v
     WHERE a.account_id = v.account_id
       AND greatest(abs(a.current_balance + v.unrealized), v.margin, abs(a.current_balance + v.unrealized - v.margin)) < 10000000000000
       AND (a.equity, a.margin_used, a.available_balance)
           IS DISTINCT FROM (a.current_balance + v.unrealized, v.margin, a.current_balance + v.unrealized - v.margin);

    -- Of the running day, week and month.
    UPDATE performance_metrics m
       SET peak_equity = greatest(m.peak_equity, a.equity), min_equity = least(m.min_equity, a.equity)
      FROM accounts a
     WHERE a.account_id = ANY (free) AND m.account_id = a.account_id AND m.period_end > now_at
       AND m.period_type IN ('daily', 'weekly', 'monthly') AND (a.equity > m.peak_equity OR a.equity < m.min_equity);
END $$;

-- ---- requests ----------------------------------------------------------------------------------

-- First statement of every verb. Answers with the verdict to return, or with an outcome of NULL where
-- the key is new and the verb shall go on. What it refuses is a line of the audit like any refusal;
-- a repeat that gets its first answer again is not.
--
-- The INSERT waits for another session that holds the same key; what it left is read by a statement of
-- its own, because the INSERT's snapshot is from before the wait.
CREATE OR REPLACE FUNCTION desk.claim(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_verb text)
RETURNS desk.verdict LANGUAGE plpgsql AS $$
DECLARE
    known  desk.requests%ROWTYPE;
    answer desk.verdict;
BEGIN
    IF p_key IS NULL OR p_fingerprint IS NULL THEN
        answer := desk.refused('KEY_MISSING', 'A write needs a key and the fingerprint of what was reviewed.');
        PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
        RETURN answer;
    END IF;
    INSERT INTO desk.requests (key, fingerprint, actor, verb, received_at)
    VALUES (p_key, p_fingerprint, session_user, p_verb, clock_timestamp())
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        -- The database's clock decides, so that a ticket that lay around cannot fire late.
        IF p_valid_until IS NULL OR p_valid_until < clock_timestamp() THEN
            answer := desk.refused('EXPIRED_REQUEST', CASE WHEN p_valid_until IS NULL
                THEN 'A request says until when it is meant; this one does not.'
                ELSE format('This request was valid until %s and came too late. Review it again.', desk.stamp(p_valid_until)) END);
            RETURN desk.settle(p_key, p_verb, answer, '{}');
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO known FROM desk.requests r WHERE r.key = p_key;
    IF known.actor <> session_user OR known.fingerprint <> p_fingerprint THEN
        answer := desk.refused('KEY_REUSED', 'This key was used before, for something else.');
    ELSIF known.verb = 'void' THEN
        answer := desk.refused('FENCED', 'This request was given up before it arrived. Nothing was done.');
    ELSIF known.verb <> p_verb THEN
        -- What was done under it is not what is asked for now.
        answer := desk.refused('KEY_REUSED', format('This key was used before, for %s.', known.verb));
    ELSE
        RETURN ROW(known.outcome, known.code, known.message, known.measured, known.allowed, known.unit,
                   known.subject, known.detail)::desk.verdict;
    END IF;
    PERFORM desk.audit(p_verb, p_key, answer, jsonb_build_object('message', answer.message));
    RETURN answer;
END $$;

-- ---- signals -----------------------------------------------------------------------------------

-- Notes that an account has taken a signal, with an order that opened a trade or that only reduced (p_trade
-- NULL then). Each account takes a signal once; it is done when no active account is left that could.
CREATE OR REPLACE FUNCTION desk.take_signal(p_signal uuid, p_account uuid, p_trade uuid, p_size numeric, p_price numeric, p_reason text,
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

-- Adds to a position, or opens one where `held` is none: position, trade, fill. The trade's id is the
-- key of the request. The caller holds the account and moves the balance by what the fill says.
CREATE OR REPLACE FUNCTION desk.book_opening(p_key uuid, p_account uuid, p_instrument text, p_side text, held positions,
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
            signal.generated_at, p_at, desk.session_of(p_at), p_venue, held.position_id,
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
    booked   jsonb;
    broken   text;
    booked_at timestamptz;
    payload  jsonb := jsonb_build_object('account_id', p_account, 'instrument', p_instrument, 'side', p_side,
        'size', p_size::text, 'price', p_price::text, 'stop', p_stop::text, 'target', p_target::text,
        'signal_id', p_signal, 'reason', p_reason);
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'place_trade');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- There the picture is that of the first statement. For one account that is enough: whoever booked or
    -- changed a limit meanwhile wrote its row, and this order fails with 40001. No row stands for several.
    IF current_setting('transaction_isolation') = 'repeatable read' AND desk.limits_span_accounts() THEN
        RETURN desk.settle(p_key, 'place_trade', desk.refused('ISOLATION_LEVEL',
            'Limits over several accounts are in force: place orders in READ COMMITTED or SERIALIZABLE.'), payload);
    END IF;
    PERFORM desk.lock_account(p_account);
    IF p_signal IS NOT NULL THEN
        PERFORM FROM signals g WHERE g.signal_id = p_signal FOR NO KEY UPDATE;
    END IF;
    o := desk.draft_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
    o.is_preview := false;
    FOREACH checked IN ARRAY desk.checks(o) LOOP
        CONTINUE WHEN checked.severity = 'info';
        IF checked.severity = 'reject' AND rejected.code IS NULL THEN
            rejected := checked;
        ELSIF checked.severity = 'confirm' THEN
            confirms := confirms || checked.code;
        END IF;
        notable := notable || jsonb_build_object('code', checked.code, 'severity', checked.severity, 'measured', checked.measured::text,
            'allowed', checked.allowed::text, 'unit', checked.unit, 'limit_id', checked.limit_id, 'message', checked.message);
    END LOOP;

    IF rejected.code IS NOT NULL THEN
        -- A slip of the hand is the trader's own; what a limit or a halt stopped is the risk officer's too.
        IF rejected.limit_id IS NOT NULL OR rejected.code ~ '^(TRADING_HALT|ACCOUNT_(RISK_HALT|SUSPENDED|CLOSED)|MAX_|INSUFFICIENT_MARGIN|RISK_PERCENTAGE|NO_EQUITY|PRICE_COLLAR)' THEN
            PERFORM desk.raise_refusal(p_account, rejected,
                format('%s %s %s @ %s', upper(p_side), desk.plain(p_size), p_instrument, desk.plain(p_price)));
        END IF;
        RETURN desk.settle(p_key, 'place_trade', desk.refused(rejected.code, rejected.message, rejected.measured,
            rejected.allowed, rejected.unit, rejected.limit_id, jsonb_build_object('checks', notable)), payload);
    ELSIF num_nonnulls(p_stop, p_target) > num_nonnulls(desk.finite(p_stop), desk.finite(p_target)) THEN
        -- Which must not read as none: the order would have no stop.
        RETURN desk.settle(p_key, 'place_trade', desk.refused('PRICE_NOT_A_TICK', 'The stop or the target is not a number.'), payload);
    ELSIF cardinality(confirms) > 0 AND reason IS NULL THEN
        RETURN desk.settle(p_key, 'place_trade', desk.refused('CONFIRM_REQUIRED',
            format('%s Give a reason to send it all the same.', notable -> 0 ->> 'message'),
            p_detail => jsonb_build_object('checks', notable, 'confirm', to_jsonb(confirms))), payload);
    END IF;

    booked_at := clock_timestamp();
    IF NOT coalesce(o.day_base_known, false) THEN
        PERFORM desk.roll(ARRAY[p_account]);
    END IF;
    IF o.fx IS NULL AND o.closing > 0 THEN
        SELECT c.rate INTO o.fx FROM positions p, desk.closing_rate(p) c WHERE p.position_id = o.position_id;
    END IF;
    IF o.fx IS NULL THEN
        RETURN desk.settle(p_key, 'place_trade', desk.refused('NO_CONVERSION_RATE', format('Nobody ever stored a rate that turns %s into %s: '
            'store one in fx_rates.', o.instrument, btrim(o.currency)), p_subject => o.position_id), payload);
    END IF;
    -- What follows is booked whole or not at all: an amount that no column can hold and an id that
    -- another program has used already are answers, not errors.
    BEGIN
        booked := desk.book_fill(p_key, p_account, o.instrument, o.side, o.size, o.price, o.fx, NULL, 0, o.stop, o.target, o.signal_id,
            reason, booked_at);
        IF o.signal_id IS NOT NULL THEN
            PERFORM desk.take_signal(o.signal_id, p_account, CASE WHEN o.opening > 0 THEN p_key END, o.size, o.price, reason, p_key);
        END IF;
    EXCEPTION
        WHEN numeric_value_out_of_range THEN
            RETURN desk.settle(p_key, 'place_trade', desk.amount_out_of_range(p_account), payload);
        WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS broken = TABLE_NAME;
            IF broken NOT LIKE 'trade%' THEN
                RAISE;
            END IF;
            RETURN desk.settle(p_key, 'place_trade', desk.refused('KEY_REUSED', 'A trade with this id exists already.'), payload);
    END;

    answer := desk.accepted(
        CASE WHEN o.opening > 0 THEN p_key ELSE o.position_id END,
        format('%s %s %s at %s%s.', CASE o.side WHEN 'BUY' THEN 'Bought' ELSE 'Sold' END, desk.size_text(o.size), o.instrument,
            desk.price_text(o.price, o.tick_size), CASE WHEN o.closing > 0 THEN format(', realized %s %s',
                desk.signed_amount((booked ->> 'gross_pnl')::numeric), o.currency) ELSE '' END),
        CASE WHEN o.closing > 0 AND o.opening > 0 THEN 'FLIPPED' WHEN o.closing > 0 THEN 'REDUCED' END,
        booked || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.settle(p_key, 'place_trade', answer, payload);
END $$;

-- ---- limits ------------------------------------------------------------------------------------

-- The limit that comes back when this temporary one ends; none where nothing does.
CREATE OR REPLACE FUNCTION desk.limit_behind(l risk_limits) RETURNS SETOF risk_limits
LANGUAGE sql STABLE AS $$
    SELECT b.* FROM risk_limits b
     WHERE b.is_active AND b.effective_from = l.effective_until AND b.supersedes_limit_id IS NOT NULL
       AND b.change_reason = 'returns when the temporary limit ends'
       AND (b.limit_type, b.limit_scope, b.limit_unit) = (l.limit_type, l.limit_scope, l.limit_unit)
       AND (b.account_id, b.scope_identifier) IS NOT DISTINCT FROM (l.account_id, l.scope_identifier)
     ORDER BY b.limit_id LIMIT 1
$$;

-- Puts a successor in the place of a limit from now on; of a successor that retires it, nothing takes its
-- place. If the successor has an end, the old value comes back there by itself: when a temporary limit
-- runs out, no gap may open. What waits for that end already moves with it: a temporary limit that is made
-- to last longer does, and one that is ended gives way at once.
CREATE OR REPLACE FUNCTION desk.supersede_limit(p_old risk_limits, p_new uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor risk_limits%ROWTYPE;
    gone      text[];
    proposed  risk_limits%ROWTYPE;
    waiting   risk_limits%ROWTYPE;
BEGIN
    -- What waits for a second person was proposed for the value that ends now: nobody shall look for it in vain.
    FOR proposed IN
        SELECT * FROM risk_limits l
         WHERE l.supersedes_limit_id = p_old.limit_id AND l.limit_id <> p_new AND desk.limit_state(l) = 'pending' FOR NO KEY UPDATE
    LOOP
        UPDATE risk_limits l SET change_reason = concat_ws(' | ', l.change_reason, 'void: the limit was changed meanwhile')
         WHERE l.limit_id = proposed.limit_id;
        PERFORM desk.end_event('limit_changed:' || proposed.limit_id);
        PERFORM desk.ring(p_old.account_id, 'limit_proposal_void', 'warning', 'desk', p_old.limit_type, proposed.limit_value, p_old.limit_value,
            'limit_void:' || proposed.limit_id, NULL, NULL, p_new,
            jsonb_build_object('message', format('%s: the proposal of %s, %s, is void: the limit was changed meanwhile. Propose it again.',
                desk.limit_words(p_old), proposed.created_by, desk.measured_text(proposed.limit_value, proposed.limit_unit)), 'actor', session_user));
    END LOOP;
    UPDATE risk_limits l SET is_active = NOT l.retires, effective_from = p_at WHERE l.limit_id = p_new RETURNING * INTO successor;
    SELECT * INTO waiting FROM desk.limit_behind(p_old);
    UPDATE risk_limits l SET is_active = false, effective_until = greatest(p_at, l.effective_from + interval '1 microsecond')
     WHERE l.limit_id = p_old.limit_id;
    IF waiting.limit_id IS NOT NULL AND (successor.retires OR successor.effective_until > p_old.effective_until) THEN
        UPDATE risk_limits l SET effective_from = CASE WHEN successor.retires THEN p_at ELSE successor.effective_until END
         WHERE l.limit_id = waiting.limit_id AND (successor.retires OR l.effective_until IS NULL OR l.effective_until > successor.effective_until);
        IF NOT FOUND THEN
            -- The temporary limit outlasts it.
            UPDATE risk_limits l SET is_active = false WHERE l.limit_id = waiting.limit_id;
        END IF;
    ELSIF successor.effective_until < 'infinity' AND NOT successor.retires
       AND (p_old.effective_until IS NULL OR p_old.effective_until > successor.effective_until) THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, approved_by, approved_at, effective_from, effective_until,
            supersedes_limit_id, change_reason, parameters)
        VALUES (p_old.account_id, p_old.limit_type, p_old.limit_scope, p_old.scope_identifier, p_old.limit_value, p_old.limit_unit,
            p_old.warning_threshold, p_old.time_window, true, p_old.description, p_old.created_by, p_old.approved_by, p_old.approved_at,
            successor.effective_until, p_old.effective_until, successor.limit_id, 'returns when the temporary limit ends', p_old.parameters);
    END IF;
    -- What rang for the old value is over; the watch looks at the new one with fresh eyes. States before
    -- events, and events in the order in which they are acknowledged.
    WITH old AS (
        DELETE FROM desk.limit_states s WHERE starts_with(s.limit_key, p_old.limit_id::text || ':') RETURNING 'limit:' || s.limit_key AS key
    )
    SELECT coalesce(array_agg(o.key), '{}') INTO gone FROM old o;
    PERFORM FROM risk_events e WHERE e.dedup_key = ANY (gone) AND e.resolution_time IS NULL ORDER BY e.event_id FOR NO KEY UPDATE;
    PERFORM desk.end_event(key) FROM unnest(gone) AS key;
    -- A successor judges by the same parameters.
    UPDATE risk_limits l SET parameters = p_old.parameters
     WHERE l.limit_id = p_new AND l.parameters = '{}' AND p_old.parameters <> '{}';
END $$;

-- Approves a loosening: another person than the one who proposed it.
CREATE OR REPLACE FUNCTION desk.approve_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid, p_note text)
RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'note', p_note);
    proposed risk_limits%ROWTYPE;
    old      risk_limits%ROWTYPE;
    words    text;
    now_at   timestamptz;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'approve_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit;
    IF FOUND THEN
        PERFORM desk.lock_limit(proposed);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = proposed.supersedes_limit_id FOR NO KEY UPDATE;
    SELECT * INTO proposed FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    answer := desk.judge_proposal(proposed, old);
    IF answer.outcome IS NULL AND lower(btrim(proposed.created_by)) = lower(btrim(session_user::text)) THEN
        answer := desk.refused('FOUR_EYES_SAME_PERSON', 'You proposed this yourself: somebody else has to approve it.', p_subject => p_limit);
    END IF;
    IF answer.outcome IS NULL THEN
        now_at := clock_timestamp();
        words := format('%s: %s -> %s', desk.limit_words(old), desk.measured_text(old.limit_value, old.limit_unit),
            CASE WHEN NOT proposed.retires THEN desk.measured_text(proposed.limit_value, old.limit_unit)
                -- Behind a temporary limit stands another.
                ELSE coalesce((SELECT desk.measured_text(b.limit_value, b.limit_unit) FROM desk.limit_behind(old) b), 'no limit') END);
        UPDATE risk_limits l SET approved_by = session_user, approved_at = now_at WHERE l.limit_id = p_limit;
        PERFORM desk.supersede_limit(old, p_limit, now_at);
        PERFORM desk.raise_event(old.account_id, 'limit_changed', 'warning', 'desk', old.limit_type, proposed.limit_value, old.limit_value,
            'limit_changed:' || p_limit, NULL, NULL, p_limit,
            jsonb_build_object('message', words || ' approved', 'approved_by', session_user, 'note', p_note));
        answer := desk.accepted(p_limit, words || ' from now on.', NULL,
            jsonb_build_object('old', desk.plain(old.limit_value), 'new', CASE WHEN NOT proposed.retires THEN desk.plain(proposed.limit_value) END,
                'unit', old.limit_unit, 'proposed_by', proposed.created_by, 'supersedes', old.limit_id));
    END IF;
    RETURN desk.settle(p_key, 'approve_limit', answer, payload);
END $$;

-- A limit as it would be stored, or why it cannot be.
CREATE OR REPLACE FUNCTION desk.draft_limit(p_account uuid, p_type text, p_scope text, p_identifier text, p_value numeric, p_unit text,
    p_warning numeric, p_until timestamptz, p_parameters jsonb, OUT fresh risk_limits, OUT answer desk.verdict)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind    desk.limit_types%ROWTYPE;
    value   numeric := round(desk.finite(p_value), 4);
    unit    text := btrim(p_unit);
BEGIN
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = lower(btrim(p_type));
    fresh.account_id := p_account;
    fresh.limit_scope := left(lower(btrim(p_scope)), 20);
    -- A currency in any case; other units as the vocabulary writes them.
    unit := CASE WHEN lower(unit) = ANY (kind.units) THEN lower(unit) ELSE upper(unit) END;
    fresh.scope_identifier := CASE fresh.limit_scope
        WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
        WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
            SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier)))
        WHEN 'system' THEN nullif(left(btrim(p_identifier), 100), '') END;
    IF jsonb_typeof(p_parameters -> 'instruments') = 'array' THEN
        -- In any spelling; stored under the one name.
        p_parameters := jsonb_set(p_parameters, '{instruments}', (
            SELECT jsonb_agg(coalesce(desk.canonical_instrument(t.name), t.name)) FROM jsonb_array_elements_text(p_parameters -> 'instruments') AS t (name)));
    END IF;
    answer := CASE
        WHEN kind.limit_type IS NULL THEN
            desk.refused('LIMIT_TYPE_UNKNOWN', format('There is no limit type %s. There are: %s.', p_type,
                (SELECT string_agg(k.limit_type, ', ' ORDER BY k.limit_type) FROM desk.limit_types k WHERE k.enforced)))
        WHEN fresh.limit_scope IS NULL OR NOT fresh.limit_scope = ANY (kind.scopes) THEN
            desk.refused('LIMIT_SCOPE_INVALID', format('%s is a limit over: %s.', kind.limit_type, array_to_string(kind.scopes, ', ')))
        WHEN unit IS NULL OR NOT (unit = ANY (kind.units) OR ('money' = ANY (kind.units) AND EXISTS (
                 SELECT FROM accounts a WHERE btrim(a.base_currency) = unit
                 UNION ALL SELECT FROM instruments i WHERE unit IN (i.base_currency, i.quote_currency)
                 UNION ALL SELECT FROM fx_rates r WHERE unit IN (r.from_currency, r.to_currency)))) THEN
            desk.refused('LIMIT_UNIT_UNKNOWN', format('%s is in one of: %s.', kind.limit_type,
                replace(array_to_string(kind.units, ', '), 'money', 'a currency')))
        WHEN desk.value_fault(p_value, unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.value_fault(p_value, unit), value, NULL, unit)
        WHEN (fresh.limit_scope IN ('instrument', 'portfolio') AND fresh.scope_identifier IS NULL)
             OR (p_account IS NOT NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = p_account)) THEN
            desk.refused('LIMIT_TARGET_UNKNOWN', format('There is no %s %s.', fresh.limit_scope,
                coalesce(CASE WHEN fresh.limit_scope = 'account' THEN p_account::text ELSE p_identifier END, 'without a name')))
        WHEN p_warning <= 0 OR p_warning > value OR (p_warning IS NOT NULL AND kind.is_minimum) THEN
            desk.refused('WARNING_INVALID', CASE WHEN kind.is_minimum THEN 'A minimum warns at 125 % of it, and needs no warning of its own.'
                ELSE 'The warning lies between zero and the limit.' END, p_warning, value, unit)
        WHEN p_until <= clock_timestamp() THEN desk.refused('LIMIT_UNTIL_PAST', 'The end of the limit has passed already.')
        WHEN NOT desk.parameters_suit(kind.limit_type, fresh.limit_scope, coalesce(p_parameters, '{}')) OR jsonb_typeof(coalesce(p_parameters, '{}')) <> 'object' THEN
            desk.refused('LIMIT_PARAMETERS_INVALID', CASE kind.limit_type
                WHEN 'trading_hours' THEN 'Say which hours: {"hours": {"tz": "UTC", "open": [["mon 00:00", "fri 22:00"]]}}.'
                ELSE 'Say which instruments: {"instruments": ["EUR_USD"]}.' END)
        WHEN EXISTS (SELECT FROM risk_limits l
                      WHERE l.is_active AND coalesce(l.effective_until, 'infinity') > clock_timestamp()
                        AND (l.limit_type, l.limit_scope, l.limit_value, l.limit_unit, l.parameters)
                            = (kind.limit_type, fresh.limit_scope, value, unit, coalesce(p_parameters, '{}'))
                        AND (l.account_id, l.scope_identifier, l.warning_threshold, l.effective_until)
                            IS NOT DISTINCT FROM (p_account, fresh.scope_identifier, round(desk.finite(p_warning), 4), p_until)) THEN
            desk.refused('LIMIT_EXISTS', 'There is this very limit already. Change that one, if it shall be another.', value, NULL, unit)
    END;
    -- Of what is refused nothing is stored, and not all of it would fit.
    IF answer.outcome IS NOT NULL THEN
        RETURN;
    END IF;
    fresh.account_id := p_account;
    fresh.limit_type := kind.limit_type;
    fresh.limit_value := value;
    fresh.limit_unit := unit;
    fresh.warning_threshold := round(desk.finite(p_warning), 4);
    fresh.effective_until := p_until;
    fresh.parameters := coalesce(p_parameters, '{}');
END $$;

-- Proposes another value for a limit. Tightening takes effect at once. Loosening needs a reason and a
-- second person; until then the old value stands.
--
-- Of a minimum the smaller value is the looser one; so it is of the time in which an order counts as a
-- repeat of another.
--
-- p_warning NULL keeps the warning where that is possible; p_until NULL keeps the end of the old limit.
CREATE OR REPLACE FUNCTION desk.propose_limit(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_limit uuid,
    p_base_version timestamptz, p_value numeric, p_warning numeric, p_until timestamptz, p_reason text) RETURNS desk.verdict
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.verdict;
    reason   text := nullif(btrim(p_reason), '');
    payload  jsonb := jsonb_build_object('limit_id', p_limit, 'base_version', desk.stamp(p_base_version), 'value', p_value::text,
        'warning', p_warning::text, 'until', desk.stamp(p_until), 'reason', p_reason);
    old      risk_limits%ROWTYPE;
    minimum  boolean;
    kind     desk.limit_types%ROWTYPE;
    value    numeric := round(desk.finite(p_value), 4);
    warning  numeric;
    ends     timestamptz;
    looser   boolean;
    at_once  boolean;
    now_at   timestamptz;
    new_id   uuid;
BEGIN
    answer := desk.claim(p_key, p_fingerprint, p_valid_until, 'propose_limit');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF NOT desk.may('tmt_risk_officer', 'tmt_admin') THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('NOT_PERMITTED', format('%s may not change limits.', session_user)), payload);
    END IF;
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit;
    IF NOT FOUND THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('LIMIT_UNKNOWN', 'There is no such limit.'), payload);
    END IF;
    PERFORM desk.lock_limit(old);
    SELECT * INTO old FROM risk_limits l WHERE l.limit_id = p_limit FOR NO KEY UPDATE;
    now_at := clock_timestamp();
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = old.limit_type;
    minimum := coalesce(kind.is_minimum, false) OR old.limit_type = 'duplicate_window';
    value := coalesce(value, old.limit_value);
    warning := coalesce(round(desk.finite(p_warning), 4), CASE WHEN old.warning_threshold <= value THEN old.warning_threshold END);
    ends := coalesce(p_until, old.effective_until);
    answer := CASE
        WHEN old.updated_at IS DISTINCT FROM p_base_version OR desk.limit_state(old) IN ('ended', 'inactive', 'pending') THEN
            desk.refused('LIMIT_CHANGED', format('The limit was changed since you saw it: it is %s %s now.', desk.plain(old.limit_value), old.limit_unit),
                value, old.limit_value, old.limit_unit, p_limit, jsonb_build_object('version', desk.stamp(old.updated_at), 'state', desk.limit_state(old)))
        WHEN p_value IS NOT NULL AND desk.value_fault(p_value, old.limit_unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.value_fault(p_value, old.limit_unit), desk.finite(p_value), NULL, old.limit_unit, p_limit)
        WHEN p_warning IS NOT NULL AND kind.is_minimum THEN
            desk.refused('WARNING_INVALID', 'A minimum warns at 125 % of it, and needs no warning of its own.', p_warning, value,
                old.limit_unit, p_limit)
        WHEN warning > value OR warning <= 0 OR (p_warning IS NOT NULL AND desk.finite(p_warning) IS NULL) THEN
            desk.refused('WARNING_INVALID', 'The warning lies between zero and the limit.', warning, value, old.limit_unit, p_limit)
        WHEN p_until <= now_at THEN
            desk.refused('LIMIT_UNTIL_PAST', 'The end of the limit has passed already.', p_subject => p_limit)
        WHEN value = old.limit_value AND warning IS NOT DISTINCT FROM old.warning_threshold
             AND (ends IS NOT DISTINCT FROM old.effective_until OR old.effective_until IS NULL OR ends < old.effective_until) THEN
            desk.refused('NOTHING_TO_CHANGE', 'The limit is like this already.', value, old.limit_value, old.limit_unit, p_limit)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.settle(p_key, 'propose_limit', answer, payload);
    END IF;

    looser := CASE WHEN minimum THEN value < old.limit_value ELSE value > old.limit_value END
        OR coalesce(ends > old.effective_until, false)
        -- Being warned later is a loosening as well, however little is taken off the value.
        OR (NOT minimum AND coalesce(warning, value * 0.8) > coalesce(old.warning_threshold, old.limit_value * 0.8));
    IF looser AND reason IS NULL THEN
        RETURN desk.settle(p_key, 'propose_limit', desk.refused('REASON_REQUIRED', 'Loosening a limit needs a reason.', value,
            old.limit_value, old.limit_unit, p_limit), payload);
    END IF;
    at_once := NOT looser OR desk.setting('four_eyes') = 'off';

    INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
        time_window, is_active, description, created_by, effective_from, effective_until, supersedes_limit_id, change_reason)
    VALUES (old.account_id, old.limit_type, old.limit_scope, old.scope_identifier, value, old.limit_unit, warning, old.time_window,
        false, old.description, session_user, now_at, ends, old.limit_id, reason)
    RETURNING limit_id INTO new_id;
    IF at_once THEN
        PERFORM desk.supersede_limit(old, new_id, now_at);
    END IF;
    PERFORM desk.raise_event(old.account_id, 'limit_changed', CASE WHEN looser THEN 'warning' ELSE 'info' END, 'desk', old.limit_type,
        value, old.limit_value, 'limit_changed:' || new_id, NULL, NULL, new_id,
        jsonb_build_object('message', format('%s: %s -> %s %s %s', desk.limit_words(old), desk.plain(old.limit_value), desk.plain(value),
            old.limit_unit, CASE WHEN at_once THEN 'at once' ELSE 'proposed' END), 'actor', session_user, 'reason', reason));
    answer := desk.accepted(new_id,
        format('%s: %s -> %s %s %s', desk.limit_words(old), desk.plain(old.limit_value), desk.plain(value), old.limit_unit,
            CASE WHEN at_once THEN 'from now on.' ELSE 'waits for a second person.' END),
        CASE WHEN NOT looser THEN 'TIGHTENED' WHEN at_once THEN 'LOOSENED' ELSE 'PENDING_APPROVAL' END,
        jsonb_build_object('old', desk.plain(old.limit_value), 'new', desk.plain(value), 'unit', old.limit_unit, 'supersedes', old.limit_id));
    RETURN desk.settle(p_key, 'propose_limit', answer, payload);
END $$;

-- The words for a limit that stands in the way, or that passes.
CREATE OR REPLACE FUNCTION desk.limit_line(m desk.limit_measure) RETURNS desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind desk.limit_types%ROWTYPE;
    what text;
    said desk.check_result;
BEGIN
    SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = m.limit_type;
    what := CASE WHEN m.limit_type = 'max_currency_exposure' AND m.hint IS NOT NULL THEN 'Exposure to ' || m.hint ELSE kind.label END;
    said := CASE
        WHEN m.limit_type = 'trading_hours' THEN
            CASE WHEN m.breach THEN desk.line('OUTSIDE_TRADING_HOURS', 'reject', format('A limit over the %s allows no new risk at this hour.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.line('OUTSIDE_TRADING_HOURS', 'info', 'Within trading hours.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.limit_type = 'restricted_instrument' THEN
            CASE WHEN m.breach THEN desk.line('RESTRICTED_INSTRUMENT', 'reject', format('A limit over the %s allows no new risk in this instrument.', m.scope), NULL, NULL, NULL, NULL, m.limit_id)
                 ELSE desk.line('RESTRICTED_INSTRUMENT', 'info', 'Not restricted.', NULL, NULL, NULL, NULL, m.limit_id) END
        WHEN m.breach THEN desk.line(upper(m.limit_type), 'reject', format('%s %s %s; the %s %s is %s.', what,
            CASE WHEN m.is_loss OR m.limit_type IN ('max_spread', 'max_price_age', 'max_order_size', 'max_order_value', 'price_collar', 'min_stop_distance',
                 'max_stop_distance', 'min_risk_reward', 'max_risk_per_trade') THEN 'is' ELSE 'would be' END,
            desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), m.scope, CASE WHEN m.is_minimum THEN 'minimum' ELSE 'limit' END, desk.measured_text(m.allowed, m.unit)),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
        WHEN m.over_at_stop THEN desk.line(upper(m.limit_type), 'confirm', format('%s is %s of %s; with this trade at its stop the limit would be reached.',
            what, desk.measured_text(m.before, m.unit), desk.measured_text(m.allowed, m.unit)), m.before, m.after, m.allowed, m.unit, m.limit_id)
        ELSE desk.line(upper(m.limit_type), 'info', format('%s %s of %s%s', what, desk.measured_text(CASE WHEN m.is_loss THEN m.before ELSE m.after END, m.unit), desk.measured_text(m.allowed, m.unit),
            CASE WHEN (NOT m.is_minimum AND m.after >= m.warned) OR (m.is_minimum AND m.after <= m.warned) THEN ': past its warning.' ELSE '.' END),
            m.before, m.after, m.allowed, m.unit, m.limit_id)
    END;
    -- Of a minimum the room is what lies above it.
    IF m.is_minimum THEN
        said.room := -said.room;
    END IF;
    RETURN said;
END $$;

-- ---- stops -------------------------------------------------------------------------------------

-- What stands in the way of another stop for a position: that of new risk, for the position as it is.
CREATE OR REPLACE FUNCTION desk.assess_amend(p_position uuid, p_stop numeric) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    held positions%ROWTYPE;
    o desk.order_draft;
    line desk.check_result;
    rule desk.limit_measure;
    at_stop numeric;
BEGIN
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position;
    o := desk.draft_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
                          held.total_size, held.average_entry_price, p_stop, NULL, NULL);
    FOREACH line IN ARRAY desk.judge_standing(o) LOOP
        IF line.severity = 'reject' AND line.code <> 'NOT_PERMITTED' THEN
            RETURN NEXT line;
        END IF;
    END LOOP;
    -- The position is in the books already: what is added is only the difference of its risk.
    o.net := 0;
    o.held := 0;
    o.opening := held.total_size;
    o.risk := desk.risk_amount(o.direction, held.total_size, held.average_entry_price, p_stop, o.contract_size, o.fx);
    IF o.risk / nullif(greatest(o.equity, 0), 0) > (o.settings ->> 'max_risk_fraction')::numeric OR (o.risk > 0 AND o.equity <= 0) THEN
        RETURN NEXT desk.line('RISK_PERCENTAGE', 'reject', format('The position would risk %s %% of equity; no trade may risk more than %s %%.',
            round(o.risk / nullif(o.equity, 0) * 100, 2), desk.plain((o.settings ->> 'max_risk_fraction')::numeric * 100)),
            NULL, o.risk / nullif(o.equity, 0), (o.settings ->> 'max_risk_fraction')::numeric, 'fraction');
    END IF;
    FOR line IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_line(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE m.limit_type IN ('max_risk_per_trade', 'min_stop_distance', 'max_stop_distance') AND (m.breach OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT line;
    END LOOP;
    o.risk := o.risk - desk.stop_risk(held) * o.contract_size * o.fx;
    FOR line IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_line(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE (m.limit_type = 'max_open_risk' OR m.is_loss) AND (m.breach OR m.over_at_stop OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT line;
    END LOOP;
    -- Past the floor no risk is added; where it would be passed at the stop, it is worth a reason.
    FOREACH rule IN ARRAY desk.account_rules(o) LOOP
        at_stop := rule.after + coalesce(o.risk, 0);
        IF rule.breach OR at_stop >= rule.allowed THEN
            RETURN NEXT desk.line(upper(rule.limit_type), CASE WHEN rule.breach THEN 'reject' ELSE 'confirm' END,
                format('%s is %s of %s %s%s', CASE rule.limit_type WHEN 'max_daily_loss' THEN 'Today''s loss' ELSE 'Drawdown' END,
                    desk.amount(rule.after), desk.amount(rule.allowed), o.currency, CASE WHEN rule.breach THEN ': the limit is reached.'
                        ELSE format('; at this stop it would be %s.', desk.amount(at_stop)) END),
                rule.after, at_stop, rule.allowed, o.currency);
        END IF;
    END LOOP;
END $$;

-- ---- cents -------------------------------------------------------------------------------------

-- A position counts by its average cost, its trades by their own entries, and each part is rounded by itself. When
-- the last of a position is closed, what both have made is the same but for those cents: what the trades lack.
-- Nothing where fills do not explain all of it, or where it is more than rounding can do.
CREATE OR REPLACE FUNCTION desk.closing_dust(p_held positions, p_size numeric, p_gross numeric, p_given numeric, p_parts integer) RETURNS numeric
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
    -- To eighteen decimals: a quotient of quotients would grow by two with every close.
    cost_out   numeric := round(held_cost * p_size / held.total_size, 18);
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
        held.cost := held_cost - cost_out;
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

REVOKE ALL ON TABLE desk.turns FROM PUBLIC;
REVOKE ALL ON FUNCTION desk.take_turn(text), desk.try_turn(text), desk.limit_behind(risk_limits),
    desk.take_signal(uuid, uuid, uuid, numeric, numeric, text, uuid),
    desk.closing_dust(positions, numeric, numeric, numeric, integer) FROM PUBLIC;
