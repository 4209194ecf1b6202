-- What a check need not look at: every live trade, where a count does, and every rate, where there is no
-- currency to convert.
SET LOCAL ROLE tmt_owner;

-- ---- live trades, counted ---------------------------------------------------------------------

-- Writers are kept out until this commits, or one of them would be counted twice or not at all.
LOCK TABLE trades IN SHARE ROW EXCLUSIVE MODE;

-- Σ signed open size of the live trades of an account in an instrument. The backstop summed up all live
-- trades in scope: with 15,000 of them one INSERT took 90 ms. Trades, not positions: whoever goes past the
-- desk inserts trades, and nobody has updated a position yet.
--
-- Written only by whoever holds the account. What takes risk away may hold nothing and waits for nobody: it
-- leaves a line in traded_changes, which belongs to the sum, and which the next one who holds the account
-- adds to it.
CREATE TABLE IF NOT EXISTS desk.traded (
    account_id uuid NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    instrument text NOT NULL,
    size       numeric NOT NULL,
    PRIMARY KEY (account_id, instrument)
) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS desk.traded_changes (
    account_id uuid NOT NULL,
    instrument text NOT NULL,
    change     numeric NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_traded_changes ON desk.traded_changes (account_id, instrument);
GRANT SELECT ON desk.traded, desk.traded_changes TO tmt_viewer;

CREATE OR REPLACE FUNCTION desk.live_size(t trades) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN t.status NOT IN ('open', 'partial') THEN 0
                WHEN t.trade_type = 'BUY' THEN t.position_size - t.closed_size ELSE t.closed_size - t.position_size END
$$;

-- Adds to what an account trades in an instrument, and says what that has become. The caller holds the account.
CREATE OR REPLACE FUNCTION desk.count_traded(p_account uuid, p_instrument text, p_change numeric) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    sum_is numeric;
BEGIN
    INSERT INTO desk.traded AS t (account_id, instrument, size) VALUES (p_account, p_instrument, p_change)
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = t.size + EXCLUDED.size
    RETURNING t.size INTO sum_is;
    RETURN sum_is;
END $$;

CREATE OR REPLACE FUNCTION desk.note_traded(p_account uuid, p_instrument text, p_change numeric) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.traded_changes (account_id, instrument, change) VALUES (p_account, p_instrument, p_change);
END $$;

-- Adds up what was noted of an account. The caller holds it.
CREATE OR REPLACE FUNCTION desk.add_up_traded(p_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH noted AS (
        DELETE FROM desk.traded_changes c WHERE c.account_id = p_account RETURNING c.instrument, c.change
    )
    INSERT INTO desk.traded AS t (account_id, instrument, size)
    SELECT p_account, n.instrument, sum(n.change) FROM noted n GROUP BY n.instrument
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = t.size + EXCLUDED.size;
END $$;

-- For what the desk writes itself, which holds the account then, and for deletes; what others write is
-- counted by the backstop.
CREATE OR REPLACE FUNCTION desk.keep_traded() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM desk.note_traded(OLD.account_id, OLD.instrument, -desk.live_size(OLD));
    ELSIF (OLD.account_id, OLD.instrument) = (NEW.account_id, NEW.instrument) THEN
        PERFORM desk.count_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW) - desk.live_size(OLD));
    ELSE
        PERFORM desk.note_traded(OLD.account_id, OLD.instrument, -desk.live_size(OLD));
        PERFORM desk.note_traded(NEW.account_id, NEW.instrument, desk.live_size(NEW));
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_keep_traded_ins AFTER INSERT ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner' AND NEW.status IN ('open', 'partial')) EXECUTE FUNCTION desk.keep_traded();
CREATE OR REPLACE TRIGGER tr_keep_traded_upd AFTER UPDATE ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner' AND (OLD.status IN ('open', 'partial') OR NEW.status IN ('open', 'partial'))
          AND (OLD.status, OLD.trade_type, OLD.position_size, OLD.closed_size, OLD.account_id, OLD.instrument)
              IS DISTINCT FROM (NEW.status, NEW.trade_type, NEW.position_size, NEW.closed_size, NEW.account_id, NEW.instrument))
    EXECUTE FUNCTION desk.keep_traded();
CREATE OR REPLACE TRIGGER tr_keep_traded_del AFTER DELETE ON trades FOR EACH ROW
    WHEN (OLD.status IN ('open', 'partial')) EXECUTE FUNCTION desk.keep_traded();

-- What live trades of some accounts come to at the highest price that each account paid: what they are worth
-- where nobody quotes the instrument, the only case that looks at trades. A function of its own, or every
-- order of other programs would wait until a statement over all months is planned.
CREATE OR REPLACE FUNCTION desk.traded_at_entry(p_accounts uuid[], p_instrument text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sum(n.size * n.price)
              FROM (SELECT abs(sum(desk.live_size(t))) AS size, max(t.entry_price) AS price
                      FROM trades t
                     WHERE t.account_id = ANY (p_accounts) AND t.instrument = p_instrument AND t.status IN ('open', 'partial')
                     GROUP BY t.account_id) n);
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
    quoted numeric;
    value  numeric;
BEGIN
    measured := 0;
    FOR scoped, size IN
        SELECT t.instrument, sum(abs(t.size + coalesce(c.change, 0)))
          FROM desk.traded t
          LEFT JOIN (SELECT n.instrument, sum(n.change) AS change FROM desk.traded_changes n WHERE n.account_id = p_account GROUP BY 1) c
               USING (instrument)
         WHERE t.account_id = p_account AND (l.limit_scope = 'account' OR l.account_id IS NOT NULL)
           AND (l.limit_scope <> 'instrument' OR t.instrument = p_instrument) AND t.size + coalesce(c.change, 0) <> 0
         GROUP BY t.instrument
        UNION ALL
        SELECT t.instrument, sum(abs(t.size + coalesce(c.change, 0)))
          FROM desk.traded t
          LEFT JOIN (SELECT n.account_id, n.instrument, sum(n.change) AS change FROM desk.traded_changes n GROUP BY 1, 2) c
               USING (account_id, instrument)
         WHERE l.limit_scope <> 'account' AND l.account_id IS NULL
           AND (l.limit_scope <> 'instrument' OR t.instrument = p_instrument) AND t.size + coalesce(c.change, 0) <> 0
           AND (l.limit_scope <> 'portfolio'
                OR t.account_id IN (SELECT a.account_id FROM accounts a WHERE a.metadata ->> 'portfolio' = l.scope_identifier))
         GROUP BY t.instrument
    LOOP
        quoted := (SELECT q.mid FROM desk.quote(scoped) q);
        SELECT i.contract_size * desk.convert(i.quote_currency, p_currency)
               * CASE WHEN quoted IS NOT NULL THEN size * quoted
                      ELSE desk.traded_at_entry(desk.accounts_in_scope(l.limit_scope, l.account_id, l.scope_identifier, p_account), scoped) END
          INTO value FROM instruments i WHERE i.instrument = scoped;
        IF value IS NULL THEN
            missing := least(missing, scoped);
        ELSE
            measured := measured + value;
        END IF;
    END LOOP;
END $$;

-- What every writer of trades has to pass: status, halts, max_exposure. AFTER each row, so that the row
-- itself and the rows before it in the same statement are counted.
--
-- What adds risk holds the account until it commits, and is counted then.
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
            PERFORM desk.note_traded(OLD.account_id, OLD.instrument, -size_was);
            size_was := 0;
        END IF;
    END IF;
    -- History, closes and cancellations are facts; less risk is always allowed, and waits for nobody.
    IF size = size_was THEN
        RETURN NULL;
    ELSIF size = 0 OR (size * size_was > 0 AND abs(size) < abs(size_was)) THEN
        PERFORM desk.note_traded(NEW.account_id, NEW.instrument, size - size_was);
        RETURN NULL;
    END IF;
    PERFORM desk.lock_account(NEW.account_id);
    PERFORM desk.add_up_traded(NEW.account_id);
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

INSERT INTO desk.traded (account_id, instrument, size)
SELECT t.account_id, t.instrument, sum(desk.live_size(t)) FROM trades t WHERE t.status IN ('open', 'partial') GROUP BY 1, 2
ON CONFLICT (account_id, instrument) DO UPDATE SET size = EXCLUDED.size;

-- Makes the month of an instant, if it is not there, and moves what lies in the default partition to it.
CREATE OR REPLACE FUNCTION create_trade_partition(p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    month_start timestamptz := date_trunc('month', p_at);
    month_end   timestamptz := month_start + interval '1 month';
    partition   text := to_char(month_start, '"trades_y"YYYY"m"MM');
BEGIN
    IF (SELECT value FROM desk.settings WHERE key = 'trades_layout') IS DISTINCT FROM 'monthly' THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tmt:partitions', 0));
    IF to_regclass(format('public.%I', partition)) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.trades INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                   partition);
    LOCK TABLE trades_default IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM trades_default WHERE entry_time >= month_start AND entry_time < month_end) THEN
        -- The rows only change their place: neither the registry nor what is counted must hear of it.
        ALTER TABLE trades_default DISABLE TRIGGER USER;
        EXECUTE format(
            'WITH moved AS (DELETE FROM trades_default WHERE entry_time >= %L AND entry_time < %L RETURNING *)
             INSERT INTO public.%I SELECT * FROM moved', month_start, month_end, partition);
        ALTER TABLE trades_default ENABLE TRIGGER USER;
    END IF;
    EXECUTE format('ALTER TABLE public.trades ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   partition, month_start, month_end);
    RETURN partition;
END $$;

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
