-- Marking to market: unrealized P&L and margin of positions and accounts.

-- Marks open positions at the last quotes, longs at the bid and shorts at the ask, and the accounts that hold
-- them. Only rows whose figures change are written.
--
-- Accounts locked by another session are left for the next round, so that marking never waits in the middle of
-- the lock order. A second caller at the same time returns at once.
CREATE FUNCTION desk.mark_to_market() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free   uuid[];
    -- A variable, not a call: a volatile function prevents index scans.
    now_at timestamptz := clock_timestamp();
BEGIN
    IF NOT desk.try_mutex('mark') THEN
        RETURN;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a WHERE a.status <> 'closed' OR EXISTS (
                SELECT FROM positions p WHERE p.account_id = a.account_id AND p.status IN ('open', 'closing'))
             ORDER BY a.account_id FOR NO KEY UPDATE SKIP LOCKED) a;
    PERFORM desk.record_locked_accounts(free);
    -- At most a hundred new days; the other accounts are marked once their day has begun.
    PERFORM desk.roll_periods(ARRAY(SELECT f FROM unnest(free) f, accounts a
                             WHERE a.account_id = f AND a.status <> 'closed' AND NOT desk.is_rolled(f, now_at) LIMIT 100));
    now_at := clock_timestamp();
    SELECT array_agg(f) INTO free FROM unnest(free) f, accounts a
     WHERE a.account_id = f AND (a.status = 'closed' OR desk.is_rolled(f, now_at));

    WITH rates AS MATERIALIZED (
        SELECT i.instrument, a.base_currency, q.bid, q.ask, i.contract_size * desk.conversion_rate(i.quote_currency, a.base_currency) AS factor,
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
               -- Rounded like the column, so that P&L agrees with the stored price.
               LATERAL (SELECT round(CASE p.position_type WHEN 'LONG' THEN r.bid ELSE r.ask END, scale(p.average_entry_price)) AS price,
                               CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END AS direction) m,
               -- The day's base is the P&L just before the first mark of the day.
               LATERAL (SELECT CASE WHEN d.starts IS NULL OR p.day_started_at = d.starts THEN p.day_base WHEN p.opened_at >= d.starts THEN 0
                                    ELSE coalesce(p.realized_pnl, 0) + coalesce(p.unrealized_pnl, 0) END AS day_base) b,
               LATERAL (SELECT round(m.direction * (m.price * p.total_size - coalesce(p.cost, p.average_entry_price * p.total_size))
                                     * r.factor, scale(a.current_balance)) AS pnl,
                               round(m.price * p.total_size * r.factor * r.margin_rate, scale(a.current_balance)) AS margin) v
         WHERE p.status IN ('open', 'closing') AND p.account_id = ANY (free)
           -- A figure too large for its column must not stop the other marks.
           AND abs(v.pnl) < 9999999999 AND abs(coalesce(p.realized_pnl, 0) + v.pnl - b.day_base) < 9999999999 AND v.margin < 9999999999999 AND m.price > 0 AND m.price < 99999
           AND (p.current_price, p.unrealized_pnl, p.margin_used, p.day_started_at)
               IS DISTINCT FROM (m.price, v.pnl, v.margin, coalesce(d.starts, p.day_started_at))
    )
    UPDATE positions p
       SET current_price = m.price, unrealized_pnl = m.pnl, margin_used = m.margin, day_base = m.day_base, day_started_at = m.starts,
           daily_pnl = coalesce(p.realized_pnl, 0) + m.pnl - m.day_base, last_updated_at = clock_timestamp()
      FROM marked m
     WHERE p.position_id = m.position_id
       -- Other programs write positions without locking the account: a position that they changed meanwhile is
       -- marked next time.
       AND (p.status, p.position_type, p.total_size, p.cost) IS NOT DISTINCT FROM (m.status, m.position_type, m.total_size, m.cost);

    UPDATE accounts a
       SET equity = a.current_balance + v.unrealized,
           margin_used = v.margin,
           available_balance = a.current_balance + v.unrealized - v.margin
      FROM desk.account_valuation(free) v
     WHERE a.account_id = v.account_id
       AND greatest(abs(a.current_balance + v.unrealized), v.margin, abs(a.current_balance + v.unrealized - v.margin)) < 10000000000000
       AND (a.equity, a.margin_used, a.available_balance)
           IS DISTINCT FROM (a.current_balance + v.unrealized, v.margin, a.current_balance + v.unrealized - v.margin);

    -- The current day, week and month.
    UPDATE performance_metrics m
       SET peak_equity = greatest(m.peak_equity, a.equity), min_equity = least(m.min_equity, a.equity)
      FROM accounts a
     WHERE a.account_id = ANY (free) AND m.account_id = a.account_id AND m.period_end > now_at
       AND m.period_type IN ('daily', 'weekly', 'monthly') AND (a.equity > m.peak_equity OR a.equity < m.min_equity);
END $$;

-- Records which accounts are locked by other sessions. Marks come every second: an account locked for more than
-- ten seconds raises an event, which the monitor ends when it has measured the account again.
CREATE FUNCTION desk.record_locked_accounts(p_free uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz := clock_timestamp();
BEGIN
    DELETE FROM tmt.locked_accounts h WHERE h.account_id = ANY (p_free) OR h.until < now_at - interval '5 seconds';
    INSERT INTO tmt.locked_accounts AS h
    SELECT held.account_id, now_at, now_at
      FROM (SELECT a.account_id FROM accounts a
             WHERE a.status <> 'closed' OR EXISTS (SELECT FROM positions p WHERE p.account_id = a.account_id AND p.status IN ('open', 'closing'))
            EXCEPT SELECT unnest(p_free)) held
        ON CONFLICT (account_id) DO UPDATE SET until = now_at;
    PERFORM desk.record_monitor_failure(h.account_id, a.account_name,
                format('another session has locked the account since %s', to_char(h.since AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"')))
       FROM tmt.locked_accounts h JOIN accounts a USING (account_id) WHERE h.since < now_at - interval '10 seconds';
END $$;

CREATE OR REPLACE FUNCTION calculate_unrealized_pnl(p_position uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT round(CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END
                 * (p.current_price * p.total_size - coalesce(p.cost, p.average_entry_price * p.total_size))
                 * i.contract_size
                 * coalesce((p.metadata ->> 'fx_rate')::numeric,
                            desk.conversion_rate(i.quote_currency, a.base_currency)), 2)
      FROM positions p
      JOIN accounts a USING (account_id)
      JOIN instruments i USING (instrument)
     WHERE p.position_id = p_position
$$;

-- Refuses a P&L that contradicts its own row, and stores the margin of a position that another program writes.
-- Checked only when one of the figures changes: a row that was wrong before can still be repaired, or have its
-- stop moved.
CREATE OR REPLACE FUNCTION check_position_pnl() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    factor    numeric;
    margin    numeric;
    expected  numeric;
    tolerance numeric;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.total_size, NEW.average_entry_price, NEW.position_type)
           IS DISTINCT FROM (OLD.total_size, OLD.average_entry_price, OLD.position_type) THEN
            -- Another program changed the average: the exact cost is no longer known.
            NEW.cost := NULL;
        ELSIF (NEW.current_price, NEW.unrealized_pnl)
              IS NOT DISTINCT FROM (OLD.current_price, OLD.unrealized_pnl) THEN
            RETURN NEW;
        END IF;
    END IF;
    IF NEW.status = 'closed' THEN
        NEW.margin_used := 0;
        RETURN NEW;
    END IF;
    SELECT i.contract_size * coalesce((NEW.metadata ->> 'fx_rate')::numeric,
                                      desk.conversion_rate(i.quote_currency, a.base_currency)), i.margin_rate
      INTO factor, margin
      FROM instruments i, accounts a
     WHERE i.instrument = NEW.instrument AND a.account_id = NEW.account_id;
    -- NULL if it is too large for the column: a writer that does not know about margin must not fail.
    NEW.margin_used := desk.storable(NEW.total_size * coalesce(NEW.current_price, NEW.average_entry_price) * factor * margin);
    IF factor IS NULL OR NEW.current_price IS NULL THEN
        RETURN NEW; -- cannot be checked
    END IF;
    expected := CASE NEW.position_type WHEN 'LONG' THEN 1 ELSE -1 END
        * (NEW.current_price - NEW.average_entry_price) * NEW.total_size * factor;
    -- A cent, and the rounding of the average price to five decimals.
    tolerance := 0.01 + 0.00001 * NEW.total_size * factor;
    IF NEW.unrealized_pnl IS NULL OR abs(NEW.unrealized_pnl - expected) > tolerance THEN
        RAISE EXCEPTION 'Position P&L inconsistency detected' USING ERRCODE = 'TR010',
            DETAIL = json_build_object('position_id', NEW.position_id, 'stored', NEW.unrealized_pnl,
                                       'expected', round(expected, 2), 'tolerance', round(tolerance, 2))::text;
    END IF;
    RETURN NEW;
END $$;

-- The margin of a position that does not store it; NULL if it cannot be valued.
CREATE FUNCTION desk.position_margin(p positions) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT p.total_size * i.contract_size * coalesce(p.current_price, p.average_entry_price) * i.margin_rate
                   * desk.conversion_rate(i.quote_currency, a.base_currency)
              FROM instruments i, accounts a WHERE i.instrument = p.instrument AND a.account_id = p.account_id);
END $$;

-- Unrealized P&L and margin of some accounts. A position that cannot be valued counts with its last figure.
CREATE FUNCTION desk.account_valuation(p_accounts uuid[])
RETURNS TABLE (account_id uuid, unrealized numeric, margin numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT a.account_id, coalesce(sum(p.unrealized_pnl), 0),
           coalesce(round(sum(coalesce(p.margin_used, desk.position_margin(p))), max(scale(a.current_balance))), 0)
      FROM accounts a
      LEFT JOIN positions p ON p.account_id = a.account_id AND p.status IN ('open', 'closing')
     WHERE a.account_id = ANY (p_accounts)
     GROUP BY a.account_id;
END $$;
