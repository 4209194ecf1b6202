-- Validating limits.

-- A limit as it would be stored, or the refusal.
CREATE FUNCTION desk.validate_limit(p_account uuid, p_type text, p_scope text, p_identifier text, p_value numeric, p_unit text,
    p_warning numeric, p_until timestamptz, p_parameters jsonb, OUT draft risk_limits, OUT answer desk.answer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind  tmt.limit_types%ROWTYPE;
    value numeric := round(desk.finite(p_value), 4);
    unit  text := btrim(p_unit);
BEGIN
    SELECT * INTO kind FROM tmt.limit_types k WHERE k.limit_type = lower(btrim(p_type));
    draft.account_id := p_account;
    draft.limit_scope := left(lower(btrim(p_scope)), 20);
    -- Currencies in upper case, other units in lower case.
    unit := CASE WHEN lower(unit) = ANY (kind.units) THEN lower(unit) ELSE upper(unit) END;
    draft.scope_identifier := CASE draft.limit_scope
        WHEN 'instrument' THEN desk.canonical_instrument(p_identifier)
        WHEN 'portfolio' THEN (SELECT btrim(p_identifier) WHERE EXISTS (
            SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = btrim(p_identifier)))
        WHEN 'system' THEN nullif(left(btrim(p_identifier), 100), '') END;
    IF jsonb_typeof(p_parameters -> 'instruments') = 'array' THEN
        -- Any spelling; stored as the instrument's id.
        p_parameters := jsonb_set(p_parameters, '{instruments}', (
            SELECT jsonb_agg(coalesce(desk.canonical_instrument(t.name), t.name)) FROM jsonb_array_elements_text(p_parameters -> 'instruments') AS t (name)));
    END IF;
    answer := CASE
        WHEN kind.limit_type IS NULL THEN
            desk.refused('LIMIT_TYPE_UNKNOWN', format('Unknown limit type: %s. Types: %s.', p_type,
                (SELECT string_agg(k.limit_type, ', ' ORDER BY k.limit_type) FROM tmt.limit_types k WHERE k.enforced)))
        WHEN draft.limit_scope IS NULL OR NOT draft.limit_scope = ANY (kind.scopes) THEN
            desk.refused('LIMIT_SCOPE_INVALID', format('Invalid scope for %s. Scopes: %s.', kind.limit_type, array_to_string(kind.scopes, ', ')))
        WHEN unit IS NULL OR NOT (unit = ANY (kind.units) OR ('money' = ANY (kind.units) AND EXISTS (
                 SELECT FROM accounts a WHERE btrim(a.base_currency) = unit
                 UNION ALL SELECT FROM instruments i WHERE unit IN (i.base_currency, i.quote_currency)
                 UNION ALL SELECT FROM fx_rates r WHERE unit IN (r.from_currency, r.to_currency)))) THEN
            desk.refused('LIMIT_UNIT_UNKNOWN', format('Invalid unit for %s. Units: %s.', kind.limit_type,
                replace(array_to_string(kind.units, ', '), 'money', 'a currency')))
        WHEN desk.limit_value_fault(p_value, unit) IS NOT NULL THEN
            desk.refused('LIMIT_VALUE_INVALID', desk.limit_value_fault(p_value, unit), value, NULL, unit)
        WHEN (draft.limit_scope IN ('instrument', 'portfolio') AND draft.scope_identifier IS NULL)
             OR (p_account IS NOT NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id = p_account)) THEN
            desk.refused('LIMIT_TARGET_UNKNOWN', format('Unknown %s: %s.', draft.limit_scope,
                coalesce(CASE WHEN draft.limit_scope = 'account' THEN p_account::text ELSE p_identifier END, 'no name given')))
        WHEN p_warning <= 0 OR p_warning > value OR (p_warning IS NOT NULL AND kind.is_minimum) THEN
            desk.refused('WARNING_INVALID', CASE WHEN kind.is_minimum THEN 'The warning of a minimum limit is fixed at 125 % of its value.'
                ELSE 'The warning must be between zero and the limit.' END, p_warning, value, unit)
        WHEN p_until <= clock_timestamp() THEN desk.refused('LIMIT_UNTIL_PAST', 'The expiry is in the past.')
        WHEN NOT desk.parameters_valid(kind.limit_type, draft.limit_scope, coalesce(p_parameters, '{}')) OR jsonb_typeof(coalesce(p_parameters, '{}')) <> 'object' THEN
            desk.refused('LIMIT_PARAMETERS_INVALID', CASE kind.limit_type
                WHEN 'trading_hours' THEN 'Invalid hours. Example: {"hours": {"tz": "UTC", "open": [["mon 00:00", "fri 22:00"]]}}'
                ELSE 'Invalid instruments. Example: {"instruments": ["EUR_USD"]}' END)
        WHEN EXISTS (SELECT FROM risk_limits l
                      WHERE l.is_active AND coalesce(l.effective_until, 'infinity') > clock_timestamp()
                        AND (l.limit_type, l.limit_scope, l.limit_value, l.limit_unit, l.parameters)
                            = (kind.limit_type, draft.limit_scope, value, unit, coalesce(p_parameters, '{}'))
                        AND (l.account_id, l.scope_identifier, l.warning_threshold, l.effective_until)
                            IS NOT DISTINCT FROM (p_account, draft.scope_identifier, round(desk.finite(p_warning), 4), p_until)) THEN
            desk.refused('LIMIT_EXISTS', 'An identical limit exists; edit it instead.', value, NULL, unit)
    END;
    -- Refused: some of it may not fit the columns.
    IF answer.outcome IS NOT NULL THEN
        RETURN;
    END IF;
    draft.account_id := p_account;
    draft.limit_type := kind.limit_type;
    draft.limit_value := value;
    draft.limit_unit := unit;
    draft.warning_threshold := round(desk.finite(p_warning), 4);
    draft.effective_until := p_until;
    draft.parameters := coalesce(p_parameters, '{}');
END $$;

-- Why a value is no valid limit in a unit; NULL if it is valid.
CREATE FUNCTION desk.limit_value_fault(p_value numeric, p_unit text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN desk.finite(p_value) IS NULL THEN 'A limit must be a number.'
        -- Rounded like the column.
        WHEN round(p_value, 4) <= 0 THEN 'A limit must be above zero. To stop trading, use a halt.'
        WHEN round(p_value, 4) >= 100000000000 THEN 'A limit must be below 100,000,000,000.'
        WHEN p_unit = 'count' AND p_value <> trunc(p_value) THEN 'A count must be a whole number.'
    END
$$;

-- Whether the parameters that a limit type needs are there and valid.
CREATE FUNCTION desk.parameters_valid(p_type text, p_scope text, p_parameters jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_type = 'trading_hours' THEN
        RETURN desk.hours_valid(p_parameters -> 'hours');
    ELSIF p_type = 'max_correlated_exposure' OR (p_type = 'restricted_instrument' AND p_scope <> 'instrument') THEN
        IF jsonb_typeof(p_parameters -> 'instruments') IS DISTINCT FROM 'array' OR jsonb_array_length(p_parameters -> 'instruments') = 0 THEN
            RETURN false;
        END IF;
        RETURN NOT EXISTS (SELECT FROM jsonb_array_elements_text(p_parameters -> 'instruments') AS t (name)
                            WHERE desk.canonical_instrument(t.name) IS NULL);
    ELSIF p_type = 'max_currency_exposure' AND p_parameters ->> 'currency' IS NOT NULL THEN
        RETURN EXISTS (SELECT FROM instruments i WHERE upper(btrim(p_parameters ->> 'currency')) IN (i.base_currency, i.quote_currency));
    END IF;
    RETURN true;
EXCEPTION WHEN data_exception THEN
    RETURN false; -- a number instead of a name, for example
END $$;

-- Whether weekly hours are valid: a known time zone, and intervals of two weekday times.
CREATE FUNCTION desk.hours_valid(p_hours jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF jsonb_typeof(p_hours -> 'open') IS DISTINCT FROM 'array' OR jsonb_array_length(p_hours -> 'open') = 0 THEN
        RETURN false;
    END IF;
    PERFORM now() AT TIME ZONE coalesce(p_hours ->> 'tz', 'UTC');
    RETURN NOT EXISTS (
        SELECT FROM jsonb_array_elements(p_hours -> 'open') AS t (span)
         WHERE jsonb_typeof(t.span) IS DISTINCT FROM 'array' OR jsonb_array_length(t.span) <> 2
            OR NOT coalesce(lower(t.span ->> 0) ~ '^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-4]):[0-5][0-9]$', false)
            OR NOT coalesce(lower(t.span ->> 1) ~ '^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-4]):[0-5][0-9]$', false));
EXCEPTION WHEN data_exception THEN
    RETURN false;
END $$;
