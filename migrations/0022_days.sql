-- Trading days, weeks and months: where they begin, what an account was worth then, what became of it.
SET LOCAL ROLE tmt_owner;

-- The running row of an account is the one that has not ended.
CREATE INDEX IF NOT EXISTS idx_performance_metrics_running ON performance_metrics (account_id, period_type, period_end);
-- What was closed in a period, over all months. Trades that are open are not in it.
CREATE INDEX IF NOT EXISTS idx_trades_exit ON trades (account_id, exit_time) WHERE exit_time IS NOT NULL;

-- ---- where a period begins --------------------------------------------------------------------

-- The daily, weekly or monthly period of an account that contains an instant. Its rule is
-- accounts.metadata->'risk_day' = {"tz", "reset_time"}, by default midnight UTC. Weeks begin on Monday,
-- months on the 1st, at the reset time and counted in that zone: a day may have 23 or 25 hours.
CREATE OR REPLACE FUNCTION desk.period(p_risk_day jsonb, p_period text, p_at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone  text := coalesce(p_risk_day ->> 'tz', 'UTC');
    unit  text := CASE p_period WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'day' END;
    span  interval := ('1 ' || unit)::interval;
    reset interval;
    local timestamp;
BEGIN
    reset := coalesce(p_risk_day ->> 'reset_time', '00:00')::interval;
    -- A time of the day: with anything else no period would contain its own instants.
    IF reset < interval '0' OR reset >= interval '1 day' OR extract(year FROM reset) <> 0 OR extract(month FROM reset) <> 0 THEN
        reset := interval '0';
    END IF;
    local := date_trunc(unit, (p_at AT TIME ZONE zone) - reset) + reset;
    starts := local AT TIME ZONE zone;
    ends := (local + span) AT TIME ZONE zone;
    -- A reset in the hour that comes twice, or not at all, is not where the clock on the wall says.
    IF starts > p_at THEN
        ends := starts;
        starts := (local - span) AT TIME ZONE zone;
    ELSIF ends <= p_at THEN
        starts := ends;
        ends := (local + span + span) AT TIME ZONE zone;
    END IF;
EXCEPTION WHEN data_exception THEN
    -- A zone or a time that nobody can read must not stop an account; its day is then UTC's.
    local := date_trunc(unit, p_at AT TIME ZONE 'UTC');
    starts := local AT TIME ZONE 'UTC';
    ends := (local + span) AT TIME ZONE 'UTC';
END $$;

CREATE OR REPLACE FUNCTION desk.trading_day(p_risk_day jsonb, p_at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT p.starts, p.ends INTO trading_day.starts, trading_day.ends FROM desk.period(p_risk_day, 'daily', p_at) p;
END $$;

-- ---- what became of it ------------------------------------------------------------------------

-- How the trades did that an account closed in [p_from, p_to). Unrounded; NULL where there is no such
-- value: no trade, no winner, no loss to divide by. A trade that came out at nothing is neither.
CREATE OR REPLACE FUNCTION desk.performance(p_account uuid, p_from timestamptz, p_to timestamptz, OUT trades bigint, OUT wins bigint,
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

-- Writes down how a period ended. Cash is that of its fills; balance and equity are the next one's start.
CREATE OR REPLACE FUNCTION desk.finish_period(p_metric uuid, p_balance numeric, p_equity numeric) RETURNS void
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

-- ---- the roll ---------------------------------------------------------------------------------

-- The losses of an account that have reached their limit: its own rules, and limits that govern it.
CREATE OR REPLACE FUNCTION desk.losses_in_breach(p_account uuid) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT k.limit_type
          FROM desk.limit_states s
          LEFT JOIN risk_limits l ON l.limit_id::text = split_part(s.limit_key, ':', 1)
          JOIN desk.limit_types k ON k.limit_type = coalesce(l.limit_type, split_part(s.limit_key, ':', 1))
         WHERE s.limit_key LIKE '%:' || p_account AND s.state = 'breach' AND k.is_loss AND coalesce(l.is_active, true)
         ORDER BY 1);
END $$;

-- Puts an account in risk halt, with a halt of its own as the reason. Its cause is the loss of the day
-- only if that is the one loss that reached its limit: then a new day may end it.
CREATE OR REPLACE FUNCTION desk.halt_for_loss(p_account uuid, p_why text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    reached text;
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = p_account AND a.status IN ('active', 'risk_halt') FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE accounts a SET status = 'risk_halt' WHERE a.account_id = p_account AND a.status = 'active';
    reached := CASE WHEN desk.losses_in_breach(p_account) = '{max_daily_loss}' THEN 'max_daily_loss' ELSE 'loss' END;
    -- What a second loss has reached, no new day ends: also when that loss is smaller again by then.
    UPDATE trading_halts h SET cause = CASE WHEN reached = 'loss' THEN reached ELSE h.cause END
     WHERE h.scope = 'account' AND h.account_id = p_account AND h.cleared_at IS NULL AND h.cause IS NOT NULL;
    IF NOT FOUND THEN
        -- Beside that of a person, which ends for reasons of its own.
        INSERT INTO trading_halts (scope, account_id, scope_identifier, mode, reason, set_by, cause)
        VALUES ('account', p_account, p_account::text, 'reduce_only', p_why, session_user, reached);
    END IF;
END $$;

-- What a rule does to a halt is a line of the audit, like what a person does to it. Written as the
-- transaction ends: until then it may have to wait for other rows, and whoever holds those may wait for
-- the head of the audit.
CREATE OR REPLACE FUNCTION desk.audit_rule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM desk.audit(CASE TG_OP WHEN 'INSERT' THEN 'halt' ELSE 'resume' END, NULL,
        desk.accepted(NEW.halt_id, CASE TG_OP WHEN 'INSERT' THEN NEW.reason ELSE NEW.clear_reason END),
        jsonb_build_object('account_id', NEW.account_id, 'cause', NEW.cause, 'mode', NEW.mode,
            'message', CASE TG_OP WHEN 'INSERT' THEN NEW.reason ELSE NEW.clear_reason END));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS tr_audit_rule_halts ON trading_halts;
CREATE CONSTRAINT TRIGGER tr_audit_rule_halts AFTER INSERT ON trading_halts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.cause IS NOT NULL) EXECUTE FUNCTION desk.audit_rule();
DROP TRIGGER IF EXISTS tr_audit_rule_resumes ON trading_halts;
CREATE CONSTRAINT TRIGGER tr_audit_rule_resumes AFTER UPDATE ON trading_halts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.cleared_at IS NULL AND NEW.clear_reason = 'a new trading day began') EXECUTE FUNCTION desk.audit_rule();

-- Ends the halt that the day's loss set, where the account's rules say that a new day clears it. A
-- balance below zero, another loss or a person still keep the account halted.
CREATE OR REPLACE FUNCTION desk.clear_daily_halts(p_account uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT desk.losses_in_breach(p_account) <@ '{max_daily_loss}' THEN
        RETURN;
    END IF;
    UPDATE trading_halts h SET cleared_by = session_user, cleared_at = p_at, clear_reason = 'a new trading day began'
     WHERE h.account_id = p_account AND h.cause = 'max_daily_loss' AND h.cleared_at IS NULL;
    IF FOUND THEN
        UPDATE accounts a SET status = 'active'
         WHERE a.account_id = p_account AND a.status = 'risk_halt' AND a.current_balance >= 0
           AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = p_account AND h.cleared_at IS NULL);
        -- A floating loss can breach the new day as well: the watch has to meet it as something new.
        UPDATE desk.limit_states s SET state = 'ok', since = p_at
         WHERE s.limit_key LIKE '%:' || p_account AND s.state = 'breach'
           AND 'max_daily_loss' = coalesce((SELECT l.limit_type FROM risk_limits l WHERE l.limit_id::text = split_part(s.limit_key, ':', 1)),
                                           split_part(s.limit_key, ':', 1));
    END IF;
END $$;

-- Whether the day, the week and the month of an account have begun.
CREATE OR REPLACE FUNCTION desk.is_rolled(p_account uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(DISTINCT m.period_type) = 3 FROM performance_metrics m
             WHERE m.account_id = p_account AND m.period_type IN ('daily', 'weekly', 'monthly')
               AND m.period_end > p_at AND m.period_start <= p_at);
END $$;

-- Begins the periods of some accounts that have not begun, ends those that have, and says how many rows
-- that made. The caller holds the accounts.
--
-- Whoever books or marks asks for this first. So what an account's row says here is what it was worth
-- when the last period ended, however late that is noticed; noticed late, it is marked as an estimate. A
-- period that nobody saw begin gets its row all the same.
CREATE OR REPLACE FUNCTION desk.roll(p_accounts uuid[]) RETURNS integer
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
                PERFORM desk.finish_period(last.metric_id, account.current_balance, account.equity);
            END IF;
            SELECT * INTO span FROM desk.period(account.metadata -> 'risk_day', kind, coalesce(last.period_end, now_at));
            -- A week that began before anybody counted weeks began as its first known day did.
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
                    PERFORM desk.finish_period(new_id, account.current_balance, account.equity);
                END IF;
                SELECT * INTO span FROM desk.period(account.metadata -> 'risk_day', kind, span.ends);
            END LOOP;
            IF kind = 'daily' AND known THEN
                -- What a position was worth at the boundary is where its day begins.
                UPDATE positions p
                   SET day_base = coalesce(p.realized_pnl, 0) + coalesce(p.unrealized_pnl, 0), day_started_at = span.starts, daily_pnl = 0
                 WHERE p.account_id = account.account_id AND p.status IN ('open', 'closing') AND p.opened_at < span.starts
                   AND p.day_started_at IS DISTINCT FROM span.starts;
                IF account.metadata #>> '{risk_rules,daily,clears}' = 'true' THEN
                    PERFORM desk.clear_daily_halts(account.account_id, now_at);
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    RETURN written;
END $$;

-- desk.roll takes its place, and says how many rows it wrote.
DROP FUNCTION IF EXISTS desk.roll_day(uuid[]);

-- Rolls accounts whose day is over, a hundred at a time, so that none of them is held for long: call it
-- until it answers 0. Any number of programs may call it at any time. An account that somebody is trading
-- on is left: the trade rolls it, or the next call.
CREATE OR REPLACE FUNCTION desk.roll_days() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    free   uuid[];
    now_at timestamptz := clock_timestamp();
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:roll', 0)) THEN
        RETURN 0;
    END IF;
    SELECT array_agg(a.account_id) INTO free
      FROM (SELECT a.account_id FROM accounts a
             WHERE a.status <> 'closed' AND NOT desk.is_rolled(a.account_id, now_at)
             ORDER BY a.account_id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED) a;
    RETURN desk.roll(free);
END $$;

-- ---- marks ------------------------------------------------------------------------------------

-- Unrealized P&L and margin of the live positions of some accounts. What cannot be valued keeps the last
-- known figure: it was true once, and zero never was.
CREATE OR REPLACE FUNCTION desk.book_value(p_accounts uuid[])
RETURNS TABLE (account_id uuid, unrealized numeric, margin numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT a.account_id, coalesce(sum(p.unrealized_pnl), 0),
           coalesce(round(sum(coalesce(p.margin_used, desk.margin_of(p))), max(scale(a.current_balance))), 0)
      FROM accounts a
      LEFT JOIN positions p ON p.account_id = a.account_id AND p.status IN ('open', 'closing')
     WHERE a.account_id = ANY (p_accounts)
     GROUP BY a.account_id;
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

-- ---- rights -----------------------------------------------------------------------------------

GRANT EXECUTE ON FUNCTION desk.period(jsonb, text, timestamptz), desk.performance(uuid, timestamptz, timestamptz) TO tmt_viewer;
GRANT EXECUTE ON FUNCTION desk.roll_days() TO tmt_agent, tmt_admin;
