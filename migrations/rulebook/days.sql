-- Trading days, weeks and months of accounts.

-- The trading day that contains a time.
CREATE FUNCTION desk.trading_day(p_risk_day jsonb, p_at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT p.starts, p.ends INTO trading_day.starts, trading_day.ends FROM desk.period(p_risk_day, 'daily', p_at) p;
END $$;

-- The daily, weekly or monthly period that contains a time, by accounts.metadata->'risk_day' = {"tz", "reset_time"}; default
-- midnight UTC. Weeks begin on Monday and months on the 1st, at the reset time of that zone: a day may have 23 or 25 hours.
CREATE FUNCTION desk.period(p_risk_day jsonb, p_period text, p_at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone  text := coalesce(p_risk_day ->> 'tz', 'UTC');
    unit  text := CASE p_period WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'day' END;
    span  interval := ('1 ' || unit)::interval;
    reset interval;
    local timestamp;
BEGIN
    reset := coalesce(p_risk_day ->> 'reset_time', '00:00')::interval;
    -- Only a time of day is valid.
    IF reset < interval '0' OR reset >= interval '1 day' OR extract(year FROM reset) <> 0 OR extract(month FROM reset) <> 0 THEN
        reset := interval '0';
    END IF;
    local := date_trunc(unit, (p_at AT TIME ZONE zone) - reset) + reset;
    starts := local AT TIME ZONE zone;
    ends := (local + span) AT TIME ZONE zone;
    -- A reset in the hour that a clock change repeats or skips may be off by an hour.
    IF starts > p_at THEN
        ends := starts;
        starts := (local - span) AT TIME ZONE zone;
    ELSIF ends <= p_at THEN
        starts := ends;
        ends := (local + span + span) AT TIME ZONE zone;
    END IF;
EXCEPTION WHEN data_exception THEN
    -- An invalid zone or time must not stop an account: its day is then that of UTC.
    local := date_trunc(unit, p_at AT TIME ZONE 'UTC');
    starts := local AT TIME ZONE 'UTC';
    ends := (local + span) AT TIME ZONE 'UTC';
END $$;

-- Performance of the trades closed in [p_from, p_to), unrounded. NULL where a figure is undefined: no trade, no win, no
-- loss to divide by. A trade with a net P&L of zero is neither win nor loss.
CREATE FUNCTION desk.performance(p_account uuid, p_from timestamptz, p_to timestamptz, OUT trades bigint, OUT wins bigint,
    OUT losses bigint, OUT net_pnl numeric, OUT win_rate numeric, OUT profit_factor numeric, OUT average_win numeric,
    OUT average_loss numeric, OUT expectancy numeric)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    SELECT count(*), count(*) FILTER (WHERE t.net_pnl > 0), count(*) FILTER (WHERE t.net_pnl < 0), coalesce(sum(t.net_pnl), 0),
           sum(t.net_pnl) FILTER (WHERE t.net_pnl > 0), -sum(t.net_pnl) FILTER (WHERE t.net_pnl < 0)
      INTO trades, wins, losses, net_pnl, average_win, average_loss
      FROM public.trades t
     WHERE t.account_id = p_account AND t.exit_time >= p_from AND t.exit_time < p_to AND t.status = 'closed' AND t.net_pnl IS NOT NULL;
    win_rate := wins::numeric / nullif(trades, 0);
    expectancy := performance.net_pnl / nullif(trades, 0);
    profit_factor := coalesce(average_win, 0) / average_loss;
    average_win := average_win / wins;
    average_loss := -average_loss / losses;
END $$;

-- Rolls accounts whose trading day has ended, at most a hundred, so that none is locked for long: call it until it returns
-- 0. Safe to call at any time, concurrently. An account locked by another session is skipped: that trade rolls it, or the
-- next call does.
CREATE FUNCTION desk.roll_days() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free   uuid[];
    now_at timestamptz := clock_timestamp();
BEGIN
    IF NOT desk.try_mutex('roll') THEN
        RETURN 0;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a
             WHERE a.status <> 'closed' AND NOT desk.is_rolled(a.account_id, now_at)
             ORDER BY a.account_id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED) a;
    RETURN desk.roll_periods(free);
END $$;

-- Closes ended periods of accounts and begins new ones; returns how many rows it inserted. The caller has locked the
-- accounts.
--
-- Called before every booking and marking, so the account's row still has the figures of the end of the last period,
-- however late the call. A late start is marked as an estimate. Missed periods get their rows too.
CREATE FUNCTION desk.roll_periods(p_accounts uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    now_at  timestamptz := clock_timestamp();
    account accounts%ROWTYPE;
    kind    text;
    last    performance_metrics%ROWTYPE;
    daily   performance_metrics%ROWTYPE;
    span    record;
    known   boolean;
    written integer := 0;
    new_id  uuid;
BEGIN
    FOR account IN
        SELECT * FROM accounts a
         WHERE a.account_id = ANY (p_accounts) AND a.status <> 'closed' AND NOT desk.is_rolled(a.account_id, now_at)
         ORDER BY a.account_id
    LOOP
        FOREACH kind IN ARRAY ARRAY['daily', 'weekly', 'monthly'] LOOP
            SELECT * INTO last FROM performance_metrics m
             WHERE m.account_id = account.account_id AND m.period_type = kind ORDER BY m.period_start DESC LIMIT 1;
            known := FOUND;
            CONTINUE WHEN last.period_end > now_at;
            IF known AND last.end_balance IS NULL THEN
                PERFORM desk.close_period(last.metric_id, account.current_balance, account.equity);
            END IF;
            SELECT * INTO span FROM desk.period(account.metadata -> 'risk_day', kind, coalesce(last.period_end, now_at));
            -- A first week or month starts with the figures of its first recorded day.
            SELECT * INTO daily FROM performance_metrics m
             WHERE NOT known AND kind <> 'daily' AND m.account_id = account.account_id AND m.period_type = 'daily'
               AND m.period_start >= span.starts ORDER BY m.period_start LIMIT 1;
            LOOP
                INSERT INTO performance_metrics (account_id, period_type, period_start, period_end, start_balance, start_equity,
                                                 peak_equity, peak_eod_balance, min_equity, is_estimated)
                SELECT account.account_id, kind, span.starts, span.ends, coalesce(daily.start_balance, account.current_balance),
                       coalesce(daily.start_equity, account.equity),
                       greatest(account.equity, account.initial_balance, max(m.peak_equity)),
                       greatest(account.current_balance, account.initial_balance, max(m.peak_eod_balance)),
                       least(account.equity, daily.min_equity),
                       (known OR coalesce(account.created_at, '-infinity') < span.starts)
                           AND coalesce(daily.is_estimated OR daily.period_start > span.starts, now_at > span.starts + interval '1 minute')
                  FROM performance_metrics m WHERE m.account_id = account.account_id AND m.period_type = 'daily'
                ON CONFLICT (account_id, period_type, period_start) DO NOTHING
                RETURNING metric_id INTO new_id;
                written := written + CASE WHEN new_id IS NOT NULL THEN 1 ELSE 0 END;
                EXIT WHEN span.ends > now_at;
                IF new_id IS NOT NULL THEN
                    PERFORM desk.close_period(new_id, account.current_balance, account.equity);
                END IF;
                SELECT * INTO span FROM desk.period(account.metadata -> 'risk_day', kind, span.ends);
            END LOOP;
            IF kind = 'daily' AND known THEN
                -- The day of a position starts from its P&L at the boundary.
                UPDATE positions p
                   SET day_base = coalesce(p.realized_pnl, 0) + coalesce(p.unrealized_pnl, 0), day_started_at = span.starts, daily_pnl = 0
                 WHERE p.account_id = account.account_id AND p.status IN ('open', 'closing') AND p.opened_at < span.starts
                   AND p.day_started_at IS DISTINCT FROM span.starts;
                IF account.metadata #>> '{risk_rules,daily,clears}' = 'true' THEN
                    PERFORM desk.resume_daily_loss_halt(account.account_id, now_at);
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN written;
END $$;

-- Whether an account has rows for its current day, week and month.
CREATE FUNCTION desk.is_rolled(p_account uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(DISTINCT m.period_type) = 3 FROM performance_metrics m
             WHERE m.account_id = p_account AND m.period_type IN ('daily', 'weekly', 'monthly')
               AND m.period_end > p_at AND m.period_start <= p_at);
END $$;

-- Completes the row of a period: cash from its fills; balance and equity at its end.
CREATE FUNCTION desk.close_period(p_metric uuid, p_balance numeric, p_equity numeric) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE performance_metrics m
       SET end_balance = p_balance, end_equity = p_equity,
           peak_equity = greatest(m.peak_equity, p_equity), min_equity = least(m.min_equity, p_equity),
           realized_pnl = f.gross, commission = f.commission, swap = f.swap,
           total_trades = t.trades, winning_trades = t.wins, losing_trades = t.losses
      FROM performance_metrics own,
           LATERAL desk.performance(own.account_id, own.period_start, own.period_end) t,
           LATERAL (SELECT coalesce(sum(f.gross_pnl), 0) AS gross, coalesce(sum(f.commission), 0) AS commission,
                           coalesce(sum(f.swap_fee), 0) AS swap
                      FROM trade_fills f
                     WHERE f.account_id = own.account_id AND f.filled_at >= own.period_start AND f.filled_at < own.period_end) f
     WHERE own.metric_id = p_metric AND m.metric_id = p_metric;
END $$;

-- The market session of a time, by the hour in UTC.
CREATE FUNCTION desk.trading_session(p_at timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    hour integer := extract(hour FROM p_at AT TIME ZONE 'UTC');
BEGIN
    RETURN CASE WHEN hour >= 21 OR hour < 7 THEN 'asia' WHEN hour < 13 THEN 'london' ELSE 'new_york' END;
END $$;
