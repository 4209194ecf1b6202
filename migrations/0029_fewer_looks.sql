-- What a check need not look at: every live trade, where a count does, and every rate, where there is no
-- currency to convert.
SET LOCAL ROLE tmt_owner;

-- ---- live trades, counted ---------------------------------------------------------------------

-- The backstop summed up all live trades in scope: with 15,000 of them one INSERT took 90 ms.
-- Trades, not positions: whoever goes past the desk inserts trades, and nobody has updated a position yet.
ALTER TABLE desk.account_books ADD COLUMN IF NOT EXISTS traded numeric NOT NULL DEFAULT 0; -- Σ signed open size of live trades

CREATE OR REPLACE FUNCTION desk.live_size(t trades) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN t.status NOT IN ('open', 'partial') THEN 0
                WHEN t.trade_type = 'BUY' THEN t.position_size - t.closed_size ELSE t.closed_size - t.position_size END
$$;

-- Adds to what an account trades in an instrument, and says what that has become.
CREATE OR REPLACE FUNCTION desk.count_traded(p_account uuid, p_instrument text, p_change numeric) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    now_traded numeric;
BEGIN
    INSERT INTO desk.account_books AS b (account_id, instrument, traded) VALUES (p_account, p_instrument, p_change)
    ON CONFLICT (account_id, instrument) DO UPDATE SET traded = b.traded + EXCLUDED.traded
    RETURNING b.traded INTO now_traded;
    RETURN now_traded;
END $$;

-- For what the desk writes itself, and for deletes; what others write is counted by the backstop.
CREATE OR REPLACE FUNCTION desk.keep_traded() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM desk.count_traded(OLD.account_id, OLD.instrument, -desk.live_size(OLD));
    ELSIF (OLD.account_id, OLD.instrument) = (NEW.account_id, NEW.instrument) THEN
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW) - desk.live_size(OLD));
    ELSE
        PERFORM desk.count_traded(OLD.account_id, OLD.instrument, -desk.live_size(OLD));
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_keep_traded_ins AFTER INSERT ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner' AND NEW.status IN ('open', 'partial')) EXECUTE FUNCTION desk.keep_traded();
CREATE OR REPLACE TRIGGER tr_keep_traded_upd AFTER UPDATE ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner'
          AND (OLD.status, OLD.trade_type, OLD.position_size, OLD.closed_size, OLD.account_id, OLD.instrument)
              IS DISTINCT FROM (NEW.status, NEW.trade_type, NEW.position_size, NEW.closed_size, NEW.account_id, NEW.instrument))
    EXECUTE FUNCTION desk.keep_traded();
CREATE OR REPLACE TRIGGER tr_keep_traded_del AFTER DELETE ON trades FOR EACH ROW
    WHEN (OLD.status IN ('open', 'partial')) EXECUTE FUNCTION desk.keep_traded();

-- What was paid at most for the live trades in an instrument, where nobody quotes it: the only case that looks
-- at them. A function of its own, or every order of other programs would wait until a statement over all
-- months is planned.
CREATE OR REPLACE FUNCTION desk.highest_entry(p_accounts uuid[], p_instrument text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT max(t.entry_price) FROM trades t
             WHERE t.account_id = ANY (p_accounts) AND t.instrument = p_instrument AND t.status IN ('open', 'partial'));
END $$;

-- Gross exposure of the live trades that a limit looks at, for a trade of an account in an instrument: net
-- per account and instrument, then the sum of what is left.
DROP FUNCTION IF EXISTS desk.trade_exposure(uuid[], text, text);
CREATE OR REPLACE FUNCTION desk.trade_exposure(l risk_limits, p_account uuid, p_instrument text, p_currency text,
    OUT measured numeric, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    scoped text;
    size   numeric;
    value  numeric;
BEGIN
    measured := 0;
    FOR scoped, size IN
        SELECT b.instrument, sum(abs(b.traded))
          FROM desk.account_books b
         WHERE b.account_id = p_account AND (l.limit_scope = 'account' OR l.account_id IS NOT NULL)
           AND (l.limit_scope <> 'instrument' OR b.instrument = p_instrument) AND b.traded <> 0
         GROUP BY b.instrument
        UNION ALL
        SELECT b.instrument, sum(abs(b.traded))
          FROM desk.account_books b
         WHERE l.limit_scope <> 'account' AND l.account_id IS NULL
           AND (l.limit_scope <> 'instrument' OR b.instrument = p_instrument) AND b.traded <> 0
           AND (l.limit_scope <> 'portfolio'
                OR b.account_id IN (SELECT a.account_id FROM accounts a WHERE a.metadata ->> 'portfolio' = l.scope_identifier))
         GROUP BY b.instrument
    LOOP
        SELECT i.contract_size * desk.convert(i.quote_currency, p_currency)
               * coalesce((SELECT q.mid FROM desk.quote(scoped) q),
                          desk.highest_entry(desk.accounts_in_scope(l.limit_scope, l.account_id, l.scope_identifier, p_account), scoped))
          INTO value FROM instruments i WHERE i.instrument = scoped;
        IF value IS NULL THEN
            missing := least(missing, scoped);
        ELSE
            measured := measured + size * value;
        END IF;
    END LOOP;
END $$;

-- What every writer of trades has to pass: status, halts, max_exposure. AFTER each row, so that the row
-- itself and the rows before it in the same statement are counted.
--
-- What adds risk locks first, in the order of desk.lock_account, and is counted then: the other way round
-- two writers could wait for each other.
CREATE OR REPLACE FUNCTION enforce_risk_limits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    account   accounts%ROWTYPE;
    checked   risk_limits%ROWTYPE;
    size      numeric := desk.live_size(NEW);
    size_was  numeric := 0;
    traded    numeric;
    currency  text;
    allowed   numeric;
    exposed   record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        size_was := desk.live_size(OLD);
        IF (NEW.account_id, NEW.instrument) <> (OLD.account_id, OLD.instrument) THEN
            PERFORM desk.count_traded(OLD.account_id, OLD.instrument, -size_was);
            size_was := 0;
        END IF;
    END IF;
    IF size = size_was THEN
        RETURN NULL;
    END IF;
    -- History, closes and cancellations are facts; less risk is always allowed, and waits for no lock.
    IF size = 0 OR (size * size_was > 0 AND abs(size) < abs(size_was)) THEN
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, size - size_was);
        RETURN NULL;
    END IF;
    PERFORM desk.lock_account(NEW.account_id);
    traded := desk.count_traded(NEW.account_id, NEW.instrument, size - size_was);

    IF current_setting('transaction_isolation') = 'repeatable read' AND desk.limits_span_accounts() THEN
        RAISE EXCEPTION 'use READ COMMITTED or SERIALIZABLE: limits over several accounts are in force'
            USING ERRCODE = 'TR006';
    END IF;
    -- Written, not only locked: in REPEATABLE READ a lock alone would let a second session go on with its
    -- old picture.
    UPDATE accounts SET last_trade_at = greatest(last_trade_at, clock_timestamp())
     WHERE account_id = NEW.account_id RETURNING * INTO account;
    -- An opposite ticket that only nets down is a close by another name.
    IF TG_OP = 'INSERT' AND size * (traded - size) < 0 AND abs(size) <= abs(traded - size) THEN
        RETURN NULL;
    END IF;

    IF account.status <> 'active' THEN
        RAISE EXCEPTION 'account % is %: only risk-reducing actions are allowed', account.account_name, account.status
            USING ERRCODE = 'TR001',
                  DETAIL = json_build_object('account_id', account.account_id, 'status', account.status)::text;
    END IF;
    IF EXISTS (SELECT FROM desk.halts_in_force(NEW.account_id, account.metadata ->> 'portfolio', NEW.instrument)) THEN
        RAISE EXCEPTION 'trading halt in force' USING ERRCODE = 'TR002',
            DETAIL = json_build_object('account_id', account.account_id, 'instrument', NEW.instrument)::text;
    END IF;

    FOR checked IN
        SELECT * FROM desk.limits_in_force(NEW.account_id, account.metadata ->> 'portfolio',
                                           NEW.instrument, clock_timestamp()) f
         WHERE f.limit_type = 'max_exposure'
    LOOP
        currency := coalesce(desk.unit_currency(checked.limit_unit), account.base_currency);
        IF desk.unit_currency(checked.limit_unit) IS NULL AND checked.limit_unit NOT IN ('percentage', 'fraction') THEN
            RAISE EXCEPTION 'limit % has the unit %, which nobody can compare with an exposure',
                checked.limit_id, checked.limit_unit USING ERRCODE = 'TR004';
        END IF;
        allowed := CASE WHEN desk.unit_currency(checked.limit_unit) IS NOT NULL THEN checked.limit_value
            ELSE desk.allowed_amount(checked.limit_value, checked.limit_unit, desk.accounts_in_scope(
                checked.limit_scope, checked.account_id, checked.scope_identifier, NEW.account_id), currency) END;
        SELECT * INTO exposed FROM desk.trade_exposure(checked, NEW.account_id, NEW.instrument, currency);
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
DROP FUNCTION IF EXISTS desk.lock_risk(uuid);

-- What is live already. Writers are kept out until this commits, or one of them would be counted twice or
-- not at all.
LOCK TABLE trades IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO desk.account_books AS b (account_id, instrument, traded)
SELECT t.account_id, t.instrument, sum(desk.live_size(t)) FROM trades t WHERE t.status IN ('open', 'partial') GROUP BY 1, 2
ON CONFLICT (account_id, instrument) DO UPDATE SET traded = EXCLUDED.traded;

-- ---- conversion -------------------------------------------------------------------------------

-- What one unit of a currency is in another, and how old the older of its rates is. Nothing if there is
-- no rate: direct, inverse, then by way of USD, then of EUR, and no further search, so that the answer
-- never depends on which other rates happen to be known.
CREATE OR REPLACE FUNCTION desk.conversion(p_from text, p_to text, OUT rate numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    source text := upper(btrim(p_from));
    target text := upper(btrim(p_to));
    first_leg record;
    second_leg record;
BEGIN
    IF source IS NULL OR target IS NULL THEN
        RETURN; -- a limit in per cent has no currency; looking for one took six queries
    ELSIF source = target THEN
        rate := 1;
        as_of := 'infinity';
        RETURN;
    END IF;
    SELECT d.rate, d.as_of INTO rate, as_of FROM desk.direct_rate(source, target) d;
    IF rate IS NOT NULL THEN
        RETURN;
    END IF;
    FOR hub IN 1 .. 2 LOOP
        SELECT * INTO first_leg FROM desk.direct_rate(source, (ARRAY['USD', 'EUR'])[hub]);
        SELECT * INTO second_leg FROM desk.direct_rate((ARRAY['USD', 'EUR'])[hub], target);
        IF first_leg.rate IS NOT NULL AND second_leg.rate IS NOT NULL THEN
            rate := first_leg.rate * second_leg.rate;
            as_of := least(first_leg.as_of, second_leg.as_of);
            RETURN;
        END IF;
    END LOOP;
    as_of := NULL;
END $$;
