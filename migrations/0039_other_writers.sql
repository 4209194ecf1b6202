-- A mark is not written over what another program made of a position meanwhile, and an edit of the audit that
-- turns nothing into an empty word is an edit.
SET LOCAL ROLE tmt_owner;

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
        SELECT p.position_id, m.price, v.pnl, v.margin, coalesce(d.starts, p.day_started_at) AS starts, b.day_base,
               p.status, p.position_type, p.total_size, p.cost
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
     WHERE p.position_id = m.position_id
       -- Other programs write positions without holding their account: what this waited for is marked next time.
       AND (p.status, p.position_type, p.total_size, p.cost) IS NOT DISTINCT FROM (m.status, m.position_type, m.total_size, m.cost);

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

-- Walks the chain and answers with the first line that does not fit, or with no row if all do. The head is
-- the last line: it was written with it.
CREATE OR REPLACE FUNCTION desk.audit_verify(OUT bad_seq bigint, OUT reason text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    line   desk.audit_log%ROWTYPE;
    last   bigint := 0;
    latest bytea := sha256('tmt');
    head   desk.audit_head%ROWTYPE;
BEGIN
    FOR line IN SELECT * FROM desk.audit_log a ORDER BY a.seq LOOP
        bad_seq := line.seq;
        reason := CASE
            WHEN line.seq <> last + 1 THEN 'lines before this one are missing'
            WHEN line.prev_hash <> latest THEN 'does not follow the line before it'
            -- The hash takes nothing and an empty word for the same; nobody writes one.
            WHEN line.code = '' OR line.hash <> desk.audit_hash(line.prev_hash, line.seq, line.at, line.actor, line.verb, line.key, line.outcome,
                     line.code, line.subject, line.payload) THEN 'was changed after it was written'
        END;
        IF reason IS NOT NULL THEN
            RETURN NEXT;
            RETURN;
        END IF;
        last := line.seq;
        latest := line.hash;
    END LOOP;
    SELECT * INTO head FROM desk.audit_head;
    bad_seq := greatest(head.seq, last);
    reason := CASE
        WHEN head.seq IS NULL THEN 'the head of the chain is missing'
        WHEN head.seq > last THEN 'the chain ends before its head: lines at its end are missing'
        WHEN head.seq < last THEN 'stands after the head of the chain'
        WHEN head.hash <> latest THEN 'is not what the head of the chain says'
    END;
    IF reason IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END $$;
