-- Which limits apply, and to which accounts.

-- Every limit in force for an account and an instrument at a time. All of them apply, so an active row can only tighten, and
-- needs no approval. Loosening ends a row, which only desk.approve_limit does.
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
               -- Without an account it applies to each account separately.
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

-- The accounts that a limit is measured over.
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

-- A limit as an amount. Percentages and fractions are of the equity of the accounts. NULL if the unit is not an amount, or
-- equity cannot be converted.
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

-- The warning of a limit: by default 80 % of it, of a minimum 125 %.
CREATE FUNCTION desk.warning_level(p_limit numeric, p_warning numeric, p_minimum boolean) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_warning, CASE WHEN p_minimum THEN p_limit * 1.25 ELSE p_limit * 0.8 END)
$$;

-- The unit if it looks like a currency, else NULL.
CREATE FUNCTION desk.unit_currency(p_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN btrim(p_unit) ~ '^[A-Z]{3,8}$' THEN btrim(p_unit) END $$;

-- active, scheduled (not yet effective), pending (a proposal), ended (expired, rejected or replaced) or inactive.
CREATE FUNCTION desk.limit_state(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN l.effective_until <= now() THEN 'ended'
        WHEN l.is_active AND l.effective_from > now() THEN 'scheduled'
        WHEN l.is_active THEN 'active'
        -- A proposal expires after 24 hours, or when the limit that it would replace is replaced.
        WHEN l.approved_by IS NULL AND l.created_at > now() - interval '24 hours'
             AND EXISTS (SELECT FROM risk_limits b WHERE b.limit_id = l.supersedes_limit_id AND b.is_active) THEN 'pending'
        ELSE 'inactive'
    END
$$;

-- The standing of a value, given the standing before. After a breach comes a warning; a warning ends only 5 % of the limit
-- below its threshold (hysteresis).
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

-- max_exposure of alpha
CREATE FUNCTION desk.limit_text(l risk_limits) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('%s of %s', l.limit_type, coalesce((SELECT a.account_name FROM accounts a WHERE a.account_id = l.account_id),
        l.scope_identifier, CASE l.limit_scope WHEN 'account' THEN 'every account' ELSE 'the desk' END))
$$;

-- The limit that returns when this temporary one ends, if any. It was stored when this one, or one that this one replaced,
-- became effective.
CREATE FUNCTION desk.returning_limit(l risk_limits) RETURNS SETOF risk_limits
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT l.limit_id, l.supersedes_limit_id
        UNION
        SELECT p.limit_id, p.supersedes_limit_id FROM risk_limits p JOIN line ON p.limit_id = line.supersedes_limit_id
    )
    SELECT b.* FROM risk_limits b
     WHERE b.is_active AND b.effective_from = l.effective_until
       AND b.is_returning
       AND b.supersedes_limit_id IN (SELECT line.limit_id FROM line)
     ORDER BY b.limit_id LIMIT 1
$$;

-- Whether a list of instruments, in any spelling, contains one.
CREATE FUNCTION desk.lists_instrument(p_instruments jsonb, p_instrument text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN jsonb_typeof(p_instruments) = 'array' AND EXISTS (
        SELECT FROM jsonb_array_elements_text(p_instruments) AS t (name) WHERE desk.canonical_instrument(t.name) = p_instrument);
END $$;

-- Active limits whose scope does not exist: an unknown instrument or account, a portfolio without accounts.
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

-- Whether a limit type with these units can be in this one.
CREATE FUNCTION desk.has_unit(p_units text[], p_unit text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT p_unit = ANY (p_units) OR ('money' = ANY (p_units) AND desk.unit_currency(p_unit) IS NOT NULL) $$;

-- Whether the monitor measures a limit: it is live, or has a fault that must be reported.
CREATE FUNCTION desk.needs_monitoring(l risk_limits) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT k.live OR NOT k.enforced OR NOT l.limit_scope = ANY (k.scopes)
                            OR NOT desk.has_unit(k.units, l.limit_unit)
                       FROM tmt.limit_types k WHERE k.limit_type = l.limit_type), true)
        OR (l.limit_scope = 'instrument' AND desk.canonical_instrument(l.scope_identifier) IS NULL)
$$;
