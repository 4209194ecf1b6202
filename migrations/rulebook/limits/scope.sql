-- Every limit in force for a trade of an account in an instrument at an instant. All of them must
-- pass, so a row can only ever tighten: hence an active row counts whoever approved it. Loosening means
-- taking a row away, and only desk.approve_limit does that.
CREATE FUNCTION desk.limits_in_force(p_account uuid, p_portfolio text, p_instrument text, p_at timestamptz)
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
                                   OR (l.account_id IS NULL AND lower(btrim(l.scope_identifier))
                                       = (SELECT lower(btrim(a.account_name)) FROM accounts a WHERE a.account_id = p_account))
               WHEN 'portfolio' THEN l.scope_identifier = p_portfolio
               WHEN 'instrument' THEN l.scope_identifier = p_instrument
                                   OR desk.canonical_instrument(l.scope_identifier) = p_instrument
           END
     ORDER BY l.limit_type, l.limit_scope, l.limit_id;
END $$;

-- The accounts whose books a limit looks at.
CREATE FUNCTION desk.accounts_in_scope(p_scope text, p_limit_account uuid, p_identifier text, p_account uuid)
RETURNS uuid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_scope = 'account' OR p_limit_account IS NOT NULL THEN
        RETURN ARRAY[coalesce(p_limit_account, p_account)];
    ELSIF p_scope = 'portfolio' THEN
        RETURN ARRAY(SELECT a.account_id FROM accounts a WHERE a.metadata ->> 'portfolio' = p_identifier);
    END IF;
    RETURN ARRAY(SELECT a.account_id FROM accounts a);
END $$;

-- What a limit allows, as an amount of money. Percentages and fractions are of the equity of the
-- accounts it looks at. Nothing where the unit is not one of money, or equity cannot be converted.
CREATE FUNCTION desk.allowed_amount(p_value numeric, p_unit text, p_accounts uuid[], p_currency text)
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

-- Where a warning begins, in the unit of the limit: 80 % of it unless the row says so itself; of a
-- minimum as far above it.
CREATE FUNCTION desk.warning_level(p_limit numeric, p_warning numeric, p_minimum boolean) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_warning, CASE WHEN p_minimum THEN p_limit * 1.25 ELSE p_limit * 0.8 END)
$$;

-- A unit is a currency if it looks like one and is no other word of the vocabulary.
CREATE FUNCTION desk.unit_currency(p_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN btrim(p_unit) ~ '^[A-Z]{3,8}$' THEN btrim(p_unit) END $$;

-- Where a limit stands: active, scheduled (its time has not come), pending (waits for a second person),
-- ended (its time is over, rejected, replaced) or inactive.
CREATE FUNCTION desk.limit_state(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN l.effective_until <= now() THEN 'ended'
        WHEN l.is_active AND l.effective_from > now() THEN 'scheduled'
        WHEN l.is_active THEN 'active'
        -- Void when its day is over, or when something else took the place it was meant for.
        WHEN l.approved_by IS NULL AND l.created_at > now() - interval '24 hours'
             AND EXISTS (SELECT FROM risk_limits b WHERE b.limit_id = l.supersedes_limit_id AND b.is_active) THEN 'pending'
        ELSE 'inactive'
    END
$$;

-- How a value stands that stood so before. A breach that ends is a warning, and a warning ends only
-- 5 % of the limit below where it began, or a value that trembles at a line would ring without end.
CREATE FUNCTION desk.next_standing(p_before text, p_value numeric, p_limit numeric, p_warning numeric,
    p_inclusive boolean, p_minimum boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    side    integer := CASE WHEN p_minimum THEN -1 ELSE 1 END;
    past    numeric := side * (p_value - p_limit);
    warning numeric := side * (p_value - p_warning);
BEGIN
    IF p_value IS NULL OR p_limit IS NULL THEN
        RETURN 'unknown';
    ELSIF past > 0 OR (p_inclusive AND past = 0) THEN
        RETURN 'breach';
    ELSIF warning >= 0 OR (p_before IN ('warning', 'breach') AND warning >= -0.05 * abs(p_limit)) THEN
        RETURN 'warning';
    END IF;
    RETURN 'ok';
END $$;

CREATE FUNCTION desk.limit_text(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('%s of %s', l.limit_type, coalesce((SELECT a.account_name FROM accounts a WHERE a.account_id = l.account_id),
        l.scope_identifier, CASE l.limit_scope WHEN 'account' THEN 'every account' ELSE 'the whole desk' END))
$$;

-- The limit that comes back when this temporary one ends; none where nothing does. It took its place behind
-- this one, or behind one that this one superseded.
CREATE FUNCTION desk.returning_limit(l risk_limits) RETURNS SETOF risk_limits
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT l.limit_id, l.supersedes_limit_id
        UNION
        SELECT p.limit_id, p.supersedes_limit_id FROM risk_limits p JOIN line ON p.limit_id = line.supersedes_limit_id
    )
    SELECT b.* FROM risk_limits b
     WHERE b.is_active AND b.effective_from = l.effective_until
       AND b.comes_back
       AND b.supersedes_limit_id IN (SELECT line.limit_id FROM line)
     ORDER BY b.limit_id LIMIT 1
$$;

-- Whether a list of instruments, in any of their spellings, has one.
CREATE FUNCTION desk.lists_instrument(p_instruments jsonb, p_instrument text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN jsonb_typeof(p_instruments) = 'array' AND EXISTS (
        SELECT FROM jsonb_array_elements_text(p_instruments) AS t (name) WHERE desk.canonical_instrument(t.name) = p_instrument);
END $$;

-- Active limits of an account, or of nobody in particular, whose scope names nothing: no instrument of this desk,
-- a portfolio that no account is in, an account that is not there.
CREATE FUNCTION desk.orphaned_limits(p_account uuid, p_at timestamptz) RETURNS SETOF risk_limits
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM risk_limits l
     WHERE l.is_active
       AND coalesce(l.effective_from, '-infinity') <= p_at
       AND coalesce(l.effective_until, 'infinity') > p_at
       AND (l.account_id IS NULL OR l.account_id = p_account)
       AND CASE l.limit_scope
               WHEN 'instrument' THEN desk.canonical_instrument(l.scope_identifier) IS NULL
               WHEN 'portfolio' THEN NOT EXISTS (SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = l.scope_identifier)
               WHEN 'account' THEN l.account_id IS NULL AND l.scope_identifier IS NOT NULL AND NOT EXISTS (
                   SELECT FROM accounts a WHERE lower(btrim(l.scope_identifier)) IN (a.account_id::text, lower(btrim(a.account_name))))
               ELSE false
           END;
END $$;

-- Whether the watch has to look at a limit: it measures live, or nobody can judge it and somebody must be told.
CREATE FUNCTION desk.needs_monitoring(l risk_limits) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT k.live OR NOT k.enforced OR NOT l.limit_scope = ANY (k.scopes)
                            OR NOT (l.limit_unit = ANY (k.units) OR ('money' = ANY (k.units) AND desk.unit_currency(l.limit_unit) IS NOT NULL))
                       FROM tmt.limit_types k WHERE k.limit_type = l.limit_type), true)
        OR (l.limit_scope = 'instrument' AND desk.canonical_instrument(l.scope_identifier) IS NULL)
$$;
