-- The exposure check: status, halts and max_exposure for trades that other programs write.

-- AFTER each row, so that the row and earlier rows of the same statement are counted. A trade that adds risk locks its account
-- until it commits.
CREATE OR REPLACE FUNCTION enforce_risk_limits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    account  accounts%ROWTYPE;
    rule     risk_limits%ROWTYPE;
    size     numeric := desk.signed_open_size(NEW);
    old_size numeric := 0;
    traded   numeric;
    currency text;
    allowed  numeric;
    exposure record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        old_size := desk.signed_open_size(OLD);
        IF (NEW.account_id, NEW.instrument) <> (OLD.account_id, OLD.instrument) THEN
            PERFORM desk.queue_trade_change(OLD.account_id, OLD.instrument, -old_size);
            old_size := 0;
        END IF;
    END IF;
    -- Less risk is always allowed and takes no lock. So are rows of closed trades.
    IF size = old_size THEN
        RETURN NULL;
    ELSIF size = 0 OR (size * old_size > 0 AND abs(size) < abs(old_size)) THEN
        PERFORM desk.queue_trade_change(NEW.account_id, NEW.instrument, size - old_size);
        RETURN NULL;
    END IF;
    PERFORM desk.lock_account(NEW.account_id);
    PERFORM desk.apply_trade_changes(NEW.account_id);
    traded := desk.add_trade_total(NEW.account_id, NEW.instrument, size - old_size);

    IF current_setting('transaction_isolation') = 'repeatable read' AND desk.has_wide_limits() THEN
        RAISE EXCEPTION 'wide limits are in force: use READ COMMITTED or SERIALIZABLE'
            USING ERRCODE = 'TR006';
    END IF;
    -- Updated, not only locked: in REPEATABLE READ a lock alone would let a second session go on with an old snapshot.
    UPDATE accounts SET last_trade_at = greatest(last_trade_at, clock_timestamp())
     WHERE account_id = NEW.account_id RETURNING * INTO account;
    -- An opposite trade that only reduces the net size is a close.
    IF TG_OP = 'INSERT' AND size * (traded - size) < 0 AND abs(size) <= abs(traded - size) THEN
        RETURN NULL;
    END IF;

    IF account.status <> 'active' THEN
        RAISE EXCEPTION 'account % is %: only closing is allowed', account.account_name, account.status
            USING ERRCODE = 'TR001',
                  DETAIL = json_build_object('account_id', account.account_id, 'status', account.status)::text;
    END IF;
    IF EXISTS (SELECT FROM desk.halts_in_force(NEW.account_id, account.metadata ->> 'portfolio', NEW.instrument)) THEN
        RAISE EXCEPTION 'trading halt in force' USING ERRCODE = 'TR002',
            DETAIL = json_build_object('account_id', account.account_id, 'instrument', NEW.instrument)::text;
    END IF;

    FOR rule IN
        SELECT * FROM desk.limits_in_force(NEW.account_id, account.metadata ->> 'portfolio',
                                           NEW.instrument, clock_timestamp()) f
         WHERE f.limit_type = 'max_exposure'
    LOOP
        currency := coalesce(desk.unit_currency(rule.limit_unit), account.base_currency);
        IF desk.unit_currency(rule.limit_unit) IS NULL AND rule.limit_unit NOT IN ('percentage', 'fraction') THEN
            RAISE EXCEPTION 'limit % has the unit %, which does not fit an exposure',
                rule.limit_id, rule.limit_unit USING ERRCODE = 'TR004';
        END IF;
        allowed := CASE WHEN desk.unit_currency(rule.limit_unit) IS NOT NULL THEN rule.limit_value
            ELSE desk.allowed_amount(rule.limit_value, rule.limit_unit, desk.accounts_in_scope(
                rule.limit_scope, rule.account_id, rule.scope_identifier, NEW.account_id), currency) END;
        SELECT * INTO exposure FROM desk.trade_exposure(rule, NEW.account_id, NEW.instrument, currency);
        IF exposure.missing IS NOT NULL OR allowed IS NULL THEN
            RAISE EXCEPTION 'exposure of % cannot be valued in %', coalesce(exposure.missing, 'the accounts'), currency
                USING ERRCODE = 'TR003', HINT = 'Store its instrument in instruments and its rate in fx_rates.';
        END IF;
        IF round(exposure.measured, 8) > round(allowed, 8) THEN
            RAISE EXCEPTION 'Trade would exceed maximum exposure limit' USING ERRCODE = 'TR005',
                DETAIL = json_build_object('limit_id', rule.limit_id, 'scope', rule.limit_scope,
                    'measured', round(exposure.measured, 2), 'allowed', round(allowed, 2), 'currency', currency)::text;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Gross exposure of open trades. Trades, not positions: other programs insert trades before any position changes.
CREATE FUNCTION desk.trade_exposure(l risk_limits, p_account uuid, p_instrument text, p_currency text,
    OUT measured numeric, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    symbol text;
    size   numeric;
    mid    numeric;
    value  numeric;
BEGIN
    measured := 0;
    FOR symbol, size IN
        SELECT t.instrument, sum(abs(t.size + coalesce(c.change, 0)))
          FROM tmt.trade_totals t
          LEFT JOIN (SELECT n.instrument, sum(n.change) AS change FROM tmt.trade_total_changes n WHERE n.account_id = p_account GROUP BY 1) c
               USING (instrument)
         WHERE t.account_id = p_account AND (l.limit_scope = 'account' OR l.account_id IS NOT NULL)
           AND (l.limit_scope <> 'instrument' OR t.instrument = p_instrument) AND t.size + coalesce(c.change, 0) <> 0
         GROUP BY t.instrument
        UNION ALL
        SELECT t.instrument, sum(abs(t.size + coalesce(c.change, 0)))
          FROM tmt.trade_totals t
          LEFT JOIN (SELECT n.account_id, n.instrument, sum(n.change) AS change FROM tmt.trade_total_changes n GROUP BY 1, 2) c
               USING (account_id, instrument)
         WHERE l.limit_scope <> 'account' AND l.account_id IS NULL
           AND (l.limit_scope <> 'instrument' OR t.instrument = p_instrument) AND t.size + coalesce(c.change, 0) <> 0
           AND (l.limit_scope <> 'portfolio'
                OR t.account_id IN (SELECT a.account_id FROM accounts a WHERE a.metadata ->> 'portfolio' = l.scope_identifier))
         GROUP BY t.instrument
    LOOP
        mid := (SELECT q.mid FROM desk.quote(symbol) q);
        SELECT i.contract_size * desk.conversion_rate(i.quote_currency, p_currency)
               * CASE WHEN mid IS NOT NULL THEN size * mid
                      ELSE desk.notional_at_entry(desk.accounts_in_scope(l.limit_scope, l.account_id, l.scope_identifier, p_account), symbol) END
          INTO value FROM instruments i WHERE i.instrument = symbol;
        IF value IS NULL THEN
            missing := least(missing, symbol);
        ELSE
            measured := measured + value;
        END IF;
    END LOOP;
END $$;

-- Notional of open trades at the highest entry price of each account, for an instrument without a quote. A separate function,
-- so that the statement over all partitions is planned only when needed.
CREATE FUNCTION desk.notional_at_entry(p_accounts uuid[], p_instrument text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sum(n.size * n.price)
              FROM (SELECT abs(sum(desk.signed_open_size(t))) AS size, max(t.entry_price) AS price
                      FROM trades t
                     WHERE t.account_id = ANY (p_accounts) AND t.instrument = p_instrument AND t.status IN ('open', 'partial')
                     GROUP BY t.account_id) n);
END $$;
