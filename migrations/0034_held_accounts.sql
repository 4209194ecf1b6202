-- An account that one session holds is neither marked nor watched. Who looks at the screen must be told.
SET LOCAL ROLE tmt_owner;

-- Accounts that could not be marked, from when to when.
CREATE TABLE IF NOT EXISTS desk.held_accounts (
    account_id uuid PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);

-- Notes that the limits of an account (of none: those over several) cannot be judged at all, and raises that
-- once. It is over when they can.
CREATE OR REPLACE FUNCTION desk.watch_failed(p_account uuid, p_name text, p_why text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    watched text := 'all_limits:' || coalesce(p_account::text, '');
    -- An event of an account waits for whoever holds that account altogether; this one does not.
    known   uuid := (SELECT a.account_id FROM accounts a WHERE a.account_id = p_account FOR KEY SHARE SKIP LOCKED);
BEGIN
    IF EXISTS (SELECT FROM desk.limit_states s WHERE s.limit_key = watched) OR NOT desk.hold_watched(watched) THEN
        RETURN 0;
    END IF;
    INSERT INTO desk.limit_states (limit_key, state, raised_at_value, event_key, since, watched_at)
    VALUES (watched, 'unknown', 0, 'limit:' || watched, clock_timestamp(), clock_timestamp())
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 0; -- somebody else has just said it
    END IF;
    PERFORM desk.ring(known, 'limit_not_judged', 'critical', 'sentinel', 'all_limits', NULL, NULL, 'limit:' || watched, NULL, NULL, NULL,
        jsonb_build_object('message', format('No limit of %s is watched: %s.', p_name, rtrim(p_why, '.')), 'state', 'unknown'));
    RETURN 1;
END $$;

-- Notes which accounts are not free. Marks come every second: what is held at all of them for ten seconds is
-- no trade, and an event. The watch ends it when it has judged the account again.
CREATE OR REPLACE FUNCTION desk.note_held(p_free uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz := clock_timestamp();
BEGIN
    DELETE FROM desk.held_accounts h WHERE h.account_id = ANY (p_free) OR h.until < now_at - interval '5 seconds';
    INSERT INTO desk.held_accounts AS h
    SELECT held.account_id, now_at, now_at
      FROM (SELECT a.account_id FROM accounts a
             WHERE a.status <> 'closed' OR EXISTS (SELECT FROM positions p WHERE p.account_id = a.account_id AND p.status IN ('open', 'closing'))
            EXCEPT SELECT unnest(p_free)) held
        ON CONFLICT (account_id) DO UPDATE SET until = now_at;
    PERFORM desk.watch_failed(h.account_id, a.account_name,
                format('another session has held the account since %s', to_char(h.since AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"')))
       FROM desk.held_accounts h JOIN accounts a USING (account_id) WHERE h.since < now_at - interval '10 seconds';
END $$;

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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:mark', 0)) THEN
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
         WHERE p.status IN ('open', 'closing')
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

REVOKE ALL ON FUNCTION desk.note_held(uuid[]) FROM PUBLIC;
