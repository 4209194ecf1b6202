-- Numbers and times as text.

-- A number without trailing zeros.
CREATE FUNCTION desk.number_text(p_value numeric) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT trim_scale(round(p_value, 10))::text $$;

-- 1,234.50
CREATE FUNCTION desk.amount_text(p_value numeric) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT to_char(p_value, 'FM999,999,999,999,999,990.00') $$;

-- +1,234.50 for a gain.
CREATE FUNCTION desk.signed_amount_text(p_value numeric) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_value > 0 THEN '+' ELSE '' END || desk.amount_text(p_value);
END $$;

-- A whole size has no decimals: 1,000, 0.50.
CREATE FUNCTION desk.size_text(p_size numeric) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN to_char(p_size, CASE WHEN p_size = trunc(p_size) THEN 'FM999,999,999,990' ELSE 'FM999,999,999,990.00' END);
END $$;

-- A price with as many decimals as its tick: 1.10010, not 1.1001.
CREATE FUNCTION desk.price_text(p_price numeric, p_tick numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN round(p_price, least(5, scale(trim_scale(coalesce(p_tick, 0.00001)))))::text;
END $$;

-- A number with its unit: 1,000.00 USD, 12 pips, 150 %.
CREATE FUNCTION desk.measured_text(p_value numeric, p_unit text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN desk.unit_currency(p_unit) IS NOT NULL THEN desk.amount_text(p_value) || ' ' || p_unit
        WHEN p_unit = 'percentage' THEN desk.number_text(round(p_value, 4)) || ' %'
        WHEN p_unit = 'fraction' THEN desk.number_text(round(p_value * 100, 4)) || ' %'
        WHEN p_unit IN ('count', 'ratio', 'list') THEN desk.number_text(round(p_value, 4))
        WHEN p_unit IN ('units', 'lots') THEN desk.size_text(p_value) || ' ' || p_unit
        WHEN p_unit IN ('pips', 'seconds') THEN desk.number_text(round(p_value, 1)) || ' ' || p_unit
        ELSE concat_ws(' ', desk.number_text(p_value), p_unit) END
$$;

-- ISO 8601 in UTC, whatever the session's time zone.
CREATE FUNCTION desk.timestamp_text(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- NULL for NaN and infinity.
CREATE FUNCTION desk.finite(p_value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_value = 'NaN' OR abs(p_value) = 'Infinity' THEN NULL ELSE p_value END
$$;

-- A number typed into a JSON object; NULL if it is not one.
CREATE FUNCTION desk.parse_number(p_text text) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_text ~ '^[0-9]{1,15}(\.[0-9]{1,12})?$' THEN p_text::numeric END $$;

-- A number rounded for the columns of risk_events; NULL if it is too large for them.
CREATE FUNCTION desk.storable(p_value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN abs(round(p_value, 4)) < 100000000000 THEN round(p_value, 4) END $$;

-- The range of a NUMERIC column: values below `bound`, `scale` decimals. Read from the catalog, because an
-- adopted database may have widened the column.
CREATE FUNCTION desk.column_range(p_table regclass, p_column text, OUT bound numeric, OUT scale integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    typmod integer;
BEGIN
    SELECT a.atttypmod - 4 INTO typmod FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_column;
    scale := CASE WHEN typmod < 0 THEN 10 ELSE typmod & 65535 END;
    bound := CASE WHEN typmod < 0 THEN 10::numeric ^ 18 ELSE 10::numeric ^ (((typmod >> 16) & 65535) - (typmod & 65535)) END;
END $$;
