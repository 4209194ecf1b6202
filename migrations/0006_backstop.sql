-- The triggers that TMT's data model names, made right. They bind every writer but the desk functions,
-- which have judged and computed the same before they write, under the same locks.
--
-- Other writers get an SQLSTATE of class TR: TR001 account status, TR002 halt, TR003 not valuable,
-- TR004 unit of a limit, TR005 limit, TR006 isolation level, TR010 position P&L.
SET LOCAL ROLE tmt_owner;

-- ---- position P&L -----------------------------------------------------------------------------

-- The unrealized P&L of a position at its stored price, in the currency of its account. Dropped first:
-- an adopted one may name its parameter otherwise, and OR REPLACE cannot change that.
DROP FUNCTION IF EXISTS calculate_unrealized_pnl(uuid);
CREATE FUNCTION calculate_unrealized_pnl(p_position uuid) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT round(CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END
                 * (p.current_price * p.total_size - coalesce(p.cost, p.average_entry_price * p.total_size))
                 * i.contract_size
                 * coalesce((p.metadata ->> 'fx_rate')::numeric,
                            desk.convert(i.quote_currency, a.base_currency)), 2)
      FROM positions p
      JOIN accounts a USING (account_id)
      JOIN instruments i USING (instrument)
     WHERE p.position_id = p_position
$$;

-- Refuses a P&L that its own row contradicts. Judged from the new values, and only when one of them
-- changed: a row that was wrong before can still be repaired, or have its stop moved.
CREATE OR REPLACE FUNCTION check_position_pnl() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    factor    numeric;
    expected  numeric;
    tolerance numeric;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.total_size, NEW.average_entry_price, NEW.position_type)
           IS DISTINCT FROM (OLD.total_size, OLD.average_entry_price, OLD.position_type) THEN
            -- Another writer moved the average: the exact cost behind it is no longer known.
            NEW.cost := NULL;
        ELSIF (NEW.current_price, NEW.unrealized_pnl)
              IS NOT DISTINCT FROM (OLD.current_price, OLD.unrealized_pnl) THEN
            RETURN NEW;
        END IF;
    END IF;
    IF NEW.status = 'closed' OR NEW.current_price IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT i.contract_size * coalesce((NEW.metadata ->> 'fx_rate')::numeric,
                                      desk.convert(i.quote_currency, a.base_currency))
      INTO factor
      FROM instruments i, accounts a
     WHERE i.instrument = NEW.instrument AND a.account_id = NEW.account_id;
    IF factor IS NULL THEN
        RETURN NEW; -- nobody here can say what is right
    END IF;
    expected := CASE NEW.position_type WHEN 'LONG' THEN 1 ELSE -1 END
        * (NEW.current_price - NEW.average_entry_price) * NEW.total_size * factor;
    -- A cent, and what the five decimals of the average price may hide.
    tolerance := 0.01 + 0.00001 * NEW.total_size * factor;
    IF NEW.unrealized_pnl IS NULL OR abs(NEW.unrealized_pnl - expected) > tolerance THEN
        RAISE EXCEPTION 'Position P&L inconsistency detected' USING ERRCODE = 'TR010',
            DETAIL = json_build_object('position_id', NEW.position_id, 'stored', NEW.unrealized_pnl,
                                       'expected', round(expected, 2), 'tolerance', round(tolerance, 2))::text;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER tr_position_pnl_check BEFORE INSERT OR UPDATE ON positions FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION check_position_pnl();

-- ---- risk limits ------------------------------------------------------------------------------

-- Gross exposure of live trades. The backstop counts trades, not positions: whoever goes past the desk
-- inserts trades, and nobody has updated a position yet.
CREATE OR REPLACE FUNCTION desk.trade_exposure(p_accounts uuid[], p_instrument text, p_currency text,
    OUT measured numeric, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH book AS (
        SELECT t.account_id, t.instrument::text,
               sum(CASE t.trade_type WHEN 'BUY' THEN 1 ELSE -1 END * (t.position_size - t.closed_size)) AS net,
               max(t.entry_price) AS last_price
          FROM trades t
         WHERE t.account_id = ANY (p_accounts) AND t.status IN ('open', 'partial')
           AND (p_instrument IS NULL OR t.instrument = p_instrument)
         GROUP BY 1, 2
    ), rates AS MATERIALIZED (
        SELECT i.instrument, i.contract_size * desk.convert(i.quote_currency, p_currency) AS factor,
               (SELECT q.mid FROM desk.quote(i.instrument) q) AS mid
          FROM instruments i WHERE i.instrument IN (SELECT b.instrument FROM book b)
    )
    SELECT coalesce(sum(abs(b.net) * coalesce(r.mid, b.last_price) * r.factor), 0),
           min(b.instrument) FILTER (WHERE r.factor IS NULL)
      INTO trade_exposure.measured, trade_exposure.missing
      FROM book b LEFT JOIN rates r USING (instrument);
END $$;

-- Takes the locks under which risk is judged. Order: the system's, then the account's.
--
-- The account is written, not only locked: in REPEATABLE READ a lock alone would let a second session
-- go on with its old picture. The value stays, so nobody who watches the row sees a change.
CREATE OR REPLACE FUNCTION desk.lock_risk(p_account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    -- Limits that look at several accounts cannot be guarded by the row of one.
    IF EXISTS (SELECT FROM risk_limits l
                WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system')
                                       OR (l.limit_scope = 'instrument' AND l.account_id IS NULL))) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('tmt:risk', 0));
    END IF;
    UPDATE accounts SET last_trade_at = last_trade_at WHERE account_id = p_account;
    RETURN FOUND;
END $$;

-- What every writer of trades has to pass: status, halts, max_exposure. AFTER each row, so that the
-- row itself and the rows before it in the same statement are counted.
CREATE OR REPLACE FUNCTION enforce_risk_limits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    account   accounts%ROWTYPE;
    checked   risk_limits%ROWTYPE;
    held      numeric;
    signed    numeric;
    scope     uuid[];
    currency  text;
    allowed   numeric;
    exposed   record;
BEGIN
    -- History, closes and cancellations are facts; less risk is always allowed.
    IF NEW.status NOT IN ('open', 'partial') THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.status IN ('open', 'partial')
       AND (NEW.account_id, NEW.instrument, NEW.trade_type) = (OLD.account_id, OLD.instrument, OLD.trade_type)
       AND NEW.position_size - NEW.closed_size <= OLD.position_size - OLD.closed_size THEN
        RETURN NULL;
    END IF;

    IF current_setting('transaction_isolation') = 'repeatable read'
       AND EXISTS (SELECT FROM risk_limits l WHERE l.is_active
                      AND (l.limit_scope IN ('portfolio', 'system')
                           OR (l.limit_scope = 'instrument' AND l.account_id IS NULL))) THEN
        RAISE EXCEPTION 'use READ COMMITTED or SERIALIZABLE: limits over several accounts are in force'
            USING ERRCODE = 'TR006';
    END IF;
    PERFORM desk.lock_risk(NEW.account_id);
    UPDATE accounts SET last_trade_at = greatest(last_trade_at, clock_timestamp())
     WHERE account_id = NEW.account_id RETURNING * INTO account;

    -- An opposite ticket that only nets down is a close by another name.
    signed := CASE NEW.trade_type WHEN 'BUY' THEN 1 ELSE -1 END * (NEW.position_size - NEW.closed_size);
    SELECT coalesce(sum(CASE t.trade_type WHEN 'BUY' THEN 1 ELSE -1 END * (t.position_size - t.closed_size)), 0)
      INTO held
      FROM trades t
     WHERE t.account_id = NEW.account_id AND t.instrument = NEW.instrument
       AND t.status IN ('open', 'partial') AND t.trade_id <> NEW.trade_id;
    IF TG_OP = 'INSERT' AND sign(signed) = -sign(held) AND abs(signed) <= abs(held) THEN
        RETURN NULL;
    END IF;

    IF account.status <> 'active' THEN
        RAISE EXCEPTION 'account % is %: only risk-reducing actions are allowed', account.account_name, account.status
            USING ERRCODE = 'TR001',
                  DETAIL = json_build_object('account_id', account.account_id, 'status', account.status)::text;
    END IF;
    IF EXISTS (SELECT FROM trading_halts h
                WHERE h.cleared_at IS NULL
                  AND (h.scope = 'system'
                       OR (h.scope = 'account' AND h.account_id = NEW.account_id)
                       OR (h.scope = 'instrument' AND h.scope_identifier = NEW.instrument)
                       OR (h.scope = 'portfolio' AND h.scope_identifier = account.metadata ->> 'portfolio'))) THEN
        RAISE EXCEPTION 'trading halt in force' USING ERRCODE = 'TR002',
            DETAIL = json_build_object('account_id', account.account_id, 'instrument', NEW.instrument)::text;
    END IF;

    FOR checked IN
        SELECT * FROM desk.limits_in_force(NEW.account_id, account.metadata ->> 'portfolio',
                                           NEW.instrument, clock_timestamp()) f
         WHERE f.limit_type = 'max_exposure'
    LOOP
        currency := coalesce(desk.unit_currency(checked.limit_unit), account.base_currency);
        scope := desk.accounts_in_scope(checked.limit_scope, checked.account_id, checked.scope_identifier, NEW.account_id);
        IF desk.unit_currency(checked.limit_unit) IS NULL AND checked.limit_unit NOT IN ('percentage', 'fraction') THEN
            RAISE EXCEPTION 'limit % has the unit %, which nobody can compare with an exposure',
                checked.limit_id, checked.limit_unit USING ERRCODE = 'TR004';
        END IF;
        allowed := desk.allowed_amount(checked.limit_value, checked.limit_unit, scope, currency);
        SELECT * INTO exposed FROM desk.trade_exposure(
            scope, CASE checked.limit_scope WHEN 'instrument' THEN NEW.instrument END, currency);
        IF exposed.missing IS NOT NULL OR allowed IS NULL THEN
            RAISE EXCEPTION 'exposure of % cannot be valued in %', coalesce(exposed.missing, 'the accounts'), currency
                USING ERRCODE = 'TR003', HINT = 'Store its instrument in instruments and its rate in fx_rates.';
        END IF;
        IF round(exposed.measured, 8) > round(allowed, 8) THEN
            RAISE EXCEPTION 'Trade would exceed maximum exposure limit' USING ERRCODE = 'TR005',
                DETAIL = json_build_object('limit_id', checked.limit_id, 'scope', checked.limit_scope,
                    'measured', round(exposed.measured, 2), 'allowed', round(allowed, 2), 'currency', currency)::text;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
-- The model had it BEFORE INSERT: dropped by name, because OR REPLACE cannot change that.
DROP TRIGGER IF EXISTS tr_risk_limit_check ON trades;
CREATE TRIGGER tr_risk_limit_check AFTER INSERT OR UPDATE ON trades FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION enforce_risk_limits();

-- ---- market data ------------------------------------------------------------------------------

-- Halves the quality of a bar that jumped more than 10 % from the bar before it: same instrument,
-- timeframe and source, or every change of resolution would look like a jump.
CREATE OR REPLACE FUNCTION validate_market_data() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
-- A plan made while the table was empty scans it whole for every bar of a long import.
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    previous numeric;
BEGIN
    SELECT m.close INTO previous
      FROM market_data m
     WHERE m.instrument = NEW.instrument AND m.timeframe = NEW.timeframe
       AND m.data_source = NEW.data_source AND m.time < NEW.time
     ORDER BY m.time DESC
     LIMIT 1;
    IF previous IS NOT NULL THEN
        NEW.price_change := coalesce(NEW.price_change, NEW.close - previous);
        NEW.price_change_pct := coalesce(NEW.price_change_pct,
            greatest(-9999.9999, least(9999.9999, round(100 * (NEW.close - previous) / previous, 4))));
        IF abs(NEW.close - previous) / previous > 0.10 THEN
            NEW.quality_score := coalesce(NEW.quality_score, 1.00) * 0.5;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER tr_market_data_validation BEFORE INSERT ON market_data
    FOR EACH ROW EXECUTE FUNCTION validate_market_data();
