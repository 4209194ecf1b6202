-- What things are worth: conversion, marks, exposure. Used by the triggers of 0006 for every writer, and
-- by the desk functions of the later files, so that both always come to the same number.
--
-- What is asked for in every order is plpgsql, even where one query says it all: a connection plans that
-- query once, and the query of an SQL function anew with every call.
SET LOCAL ROLE tmt_owner;

-- ---- conversion -------------------------------------------------------------------------------

-- The rate between two currencies as stored, either way round; the pair itself before its inverse.
CREATE OR REPLACE FUNCTION desk.direct_rate(p_from text, p_to text, OUT rate numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.rate, r.as_of INTO direct_rate.rate, direct_rate.as_of
      FROM fx_rates r WHERE r.from_currency = p_from AND r.to_currency = p_to;
    IF NOT FOUND THEN
        SELECT 1 / r.rate, r.as_of INTO direct_rate.rate, direct_rate.as_of
          FROM fx_rates r WHERE r.from_currency = p_to AND r.to_currency = p_from;
    END IF;
END $$;

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
    IF source = target THEN
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

CREATE OR REPLACE FUNCTION desk.convert(p_from text, p_to text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (desk.conversion(p_from, p_to)).rate;
END $$;

-- ---- instruments and marks --------------------------------------------------------------------

-- The canonical id of an instrument under any of its spellings (EURUSD, EUR/USD, eur_usd), or nothing.
CREATE OR REPLACE FUNCTION desk.canonical_instrument(p_name text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    known text;
BEGIN
    SELECT i.instrument INTO known FROM instruments i WHERE i.instrument = upper(replace(btrim(p_name), '/', '_'));
    IF NOT FOUND THEN
        SELECT i.instrument INTO known
          FROM instruments i
         WHERE upper(btrim(p_name)) IN (SELECT upper(a) FROM unnest(i.aliases) a)
         ORDER BY i.instrument LIMIT 1;
    END IF;
    RETURN known;
END $$;

-- The last quote of an instrument. Where only a mid is known, bid and ask are the mid.
CREATE OR REPLACE FUNCTION desk.quote(p_instrument text,
    OUT bid numeric, OUT ask numeric, OUT mid numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT coalesce(r.bid, r.rate), coalesce(r.ask, r.rate), r.rate, r.as_of
      INTO quote.bid, quote.ask, quote.mid, quote.as_of
      FROM instruments i
      JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
     WHERE i.instrument = p_instrument;
END $$;

-- ---- limits: which apply, and how much they allow ---------------------------------------------

-- Every limit in force for a trade of an account in an instrument at an instant. All of them must
-- pass, so a row can only ever tighten: hence an active row counts whoever approved it. Loosening means
-- taking a row away, and only desk.approve_limit does that.
CREATE OR REPLACE FUNCTION desk.limits_in_force(p_account uuid, p_portfolio text, p_instrument text, p_at timestamptz)
RETURNS SETOF risk_limits LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM risk_limits l
     WHERE l.is_active
       AND coalesce(l.effective_from, '-infinity') <= p_at
       AND coalesce(l.effective_until, 'infinity') > p_at
       AND (l.account_id IS NULL OR l.account_id = p_account)
       AND CASE l.limit_scope
               WHEN 'system' THEN true
               -- Without a named account it holds for each account by itself.
               WHEN 'account' THEN coalesce(l.account_id::text, lower(btrim(l.scope_identifier)), p_account::text)
                                   = p_account::text
               WHEN 'portfolio' THEN l.scope_identifier = p_portfolio
               WHEN 'instrument' THEN l.scope_identifier = p_instrument
                                   OR desk.canonical_instrument(l.scope_identifier) = p_instrument
           END
     ORDER BY l.limit_type, l.limit_scope, l.limit_id;
END $$;

-- The accounts whose books a limit looks at.
CREATE OR REPLACE FUNCTION desk.accounts_in_scope(p_scope text, p_limit_account uuid, p_identifier text, p_account uuid)
RETURNS uuid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_scope = 'account' OR p_limit_account IS NOT NULL THEN
        RETURN ARRAY[coalesce(p_limit_account, p_account)];
    ELSIF p_scope = 'portfolio' THEN
        RETURN ARRAY(SELECT a.account_id FROM accounts a WHERE a.metadata ->> 'portfolio' = p_identifier);
    END IF;
    RETURN ARRAY(SELECT a.account_id FROM accounts a);
END $$;

-- A unit is a currency if it looks like one and is no other word of the vocabulary.
CREATE OR REPLACE FUNCTION desk.unit_currency(p_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN btrim(p_unit) ~ '^[A-Z]{3,8}$' THEN btrim(p_unit) END $$;

-- What a limit allows, as an amount of money. Percentages and fractions are of the equity of the
-- accounts it looks at. Nothing where the unit is not one of money, or equity cannot be converted.
CREATE OR REPLACE FUNCTION desk.allowed_amount(p_value numeric, p_unit text, p_accounts uuid[], p_currency text)
RETURNS numeric LANGUAGE plpgsql STABLE AS $$
DECLARE
    equity numeric;
BEGIN
    IF desk.unit_currency(p_unit) IS NOT NULL THEN
        RETURN p_value;
    ELSIF p_unit NOT IN ('percentage', 'fraction') THEN
        RETURN NULL;
    END IF;
    SELECT CASE WHEN count(*) = count(f.rate) THEN sum(a.equity * f.rate) END INTO equity
      FROM accounts a, desk.conversion(a.base_currency, p_currency) f
     WHERE a.account_id = ANY (p_accounts);
    RETURN equity * p_value / CASE p_unit WHEN 'percentage' THEN 100 ELSE 1 END;
END $$;

-- Gross exposure of some accounts before and after an order: net per account and instrument first, then
-- the sum of what is left, whatever its sign. `missing` names an instrument that cannot be valued.
-- The order's own instrument is valued at the order's price afterwards, everything else at the mid.
CREATE OR REPLACE FUNCTION desk.exposure(
    p_accounts uuid[], p_instrument text, p_currency text,
    p_order_account uuid, p_order_instrument text, p_order_size numeric, p_order_price numeric,
    OUT before numeric, OUT after numeric, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH held AS (
        SELECT p.account_id, p.instrument::text,
               sum(CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END) AS net,
               max(coalesce(p.current_price, p.average_entry_price)) AS last_price
          FROM positions p
         WHERE p.account_id = ANY (p_accounts) AND p.status IN ('open', 'closing')
           AND (p_instrument IS NULL OR p.instrument = p_instrument)
         GROUP BY 1, 2
    ), ordered AS (
        SELECT p_order_account AS account_id, p_order_instrument AS instrument, p_order_size AS size
         WHERE p_order_account = ANY (p_accounts) AND p_order_size IS NOT NULL
           AND (p_instrument IS NULL OR p_order_instrument = p_instrument)
    ), book AS (
        SELECT instrument, coalesce(h.net, 0) AS net_before,
               coalesce(h.net, 0) + coalesce(o.size, 0) AS net_after,
               h.last_price, CASE WHEN o.size IS NOT NULL THEN p_order_price END AS order_price
          FROM held h FULL JOIN ordered o USING (account_id, instrument)
    ), rates AS MATERIALIZED (
        SELECT i.instrument, i.contract_size * desk.convert(i.quote_currency, p_currency) AS factor,
               (SELECT q.mid FROM desk.quote(i.instrument) q) AS mid
          FROM instruments i WHERE i.instrument IN (SELECT b.instrument FROM book b)
    )
    SELECT coalesce(sum(abs(b.net_before) * coalesce(r.mid, b.last_price, b.order_price) * r.factor), 0),
           coalesce(sum(abs(b.net_after) * coalesce(b.order_price, r.mid, b.last_price) * r.factor), 0),
           min(b.instrument) FILTER (WHERE r.factor IS NULL)
      INTO exposure.before, exposure.after, exposure.missing
      FROM book b LEFT JOIN rates r USING (instrument);
END $$;
