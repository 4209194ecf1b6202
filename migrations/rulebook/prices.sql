-- Quotes, conversion rates, instruments and trading hours.

-- The last quote of an instrument. Where only a mid is known, bid and ask are the mid.
CREATE FUNCTION desk.quote(p_instrument text,
    OUT bid numeric, OUT ask numeric, OUT mid numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT coalesce(r.bid, r.rate), coalesce(r.ask, r.rate), r.rate, r.as_of
      INTO quote.bid, quote.ask, quote.mid, quote.as_of
      FROM instruments i
      JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
     WHERE i.instrument = p_instrument;
END $$;

-- The rate from one currency to another, and the time of its oldest leg. Tried in this order: direct, inverse,
-- through USD, through EUR. No other path, so that the rate does not depend on which other rates are stored.
CREATE FUNCTION desk.conversion(p_from text, p_to text, OUT rate numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    source text := upper(btrim(p_from));
    target text := upper(btrim(p_to));
    first_leg record;
    second_leg record;
BEGIN
    IF source IS NULL OR target IS NULL THEN
        RETURN; -- a limit in percent has no currency; saves six queries
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

-- The stored rate of a pair, else of its inverse.
CREATE FUNCTION desk.direct_rate(p_from text, p_to text, OUT rate numeric, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.rate, r.as_of INTO direct_rate.rate, direct_rate.as_of
      FROM fx_rates r WHERE r.from_currency = p_from AND r.to_currency = p_to;
    IF NOT FOUND THEN
        SELECT 1 / r.rate, r.as_of INTO direct_rate.rate, direct_rate.as_of
          FROM fx_rates r WHERE r.from_currency = p_to AND r.to_currency = p_from;
    END IF;
END $$;

CREATE FUNCTION desk.conversion_rate(p_from text, p_to text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (desk.conversion(p_from, p_to)).rate;
END $$;

-- The id of an instrument in any spelling (EURUSD, EUR/USD, eur_usd); NULL if unknown.
CREATE FUNCTION desk.canonical_instrument(p_name text) RETURNS text
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

-- Whether a time lies in one of the weekly intervals of {"tz": zone, "open": [["sun 17:00", "fri 17:00"], …]}.
-- Open where no hours are given or they cannot be read.
CREATE FUNCTION desk.in_trading_hours(p_hours jsonb, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    local  timestamp;
    minute integer;
    span   jsonb;
    bounds integer[];
BEGIN
    IF p_hours -> 'open' IS NULL THEN
        RETURN true;
    END IF;
    local := p_at AT TIME ZONE coalesce(p_hours ->> 'tz', 'UTC');
    minute := extract(isodow FROM local)::integer * 1440 + extract(hour FROM local)::integer * 60 + extract(minute FROM local)::integer;
    FOR span IN SELECT * FROM jsonb_array_elements(p_hours -> 'open') LOOP
        SELECT array_agg(array_position(ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], lower(split_part(w, ' ', 1))) * 1440
                         + extract(epoch FROM split_part(w, ' ', 2)::interval)::integer / 60 ORDER BY n)
          INTO bounds FROM jsonb_array_elements_text(span) WITH ORDINALITY AS t (w, n);
        IF bounds[1] IS NULL OR bounds[2] IS NULL
           OR (bounds[1] <= bounds[2] AND minute >= bounds[1] AND minute < bounds[2])
           OR (bounds[1] > bounds[2] AND (minute >= bounds[1] OR minute < bounds[2])) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN jsonb_array_length(p_hours -> 'open') = 0;
EXCEPTION WHEN invalid_parameter_value OR invalid_datetime_format OR datetime_field_overflow OR invalid_text_representation THEN
    RETURN true;
END $$;

-- The price at which exposure is valued: the mid, else the price of the order, else the last mark of a position.
CREATE FUNCTION desk.valuation_price(o desk.order_context, p_instrument text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT q.mid FROM desk.quote(p_instrument) q), CASE WHEN p_instrument = o.instrument THEN o.price END,
        (SELECT max(coalesce(p.current_price, p.average_entry_price)) FROM positions p
          WHERE p.instrument = p_instrument AND p.status IN ('open', 'closing')));
END $$;

-- The rate at which a close is booked: the stored one, however old; else that of the last fill; else the one in
-- the position's metadata. A close never waits for a feed.
CREATE FUNCTION desk.closing_rate(p_position positions, OUT rate numeric, OUT source text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    quoted text := coalesce((SELECT i.quote_currency FROM instruments i WHERE i.instrument = p_position.instrument),
                            nullif(split_part(p_position.instrument, '_', 2), ''));
BEGIN
    rate := desk.conversion_rate(quoted, (SELECT a.base_currency FROM accounts a WHERE a.account_id = p_position.account_id));
    source := 'current';
    IF rate IS NULL THEN
        SELECT f.fx_rate INTO rate FROM trade_fills f
         WHERE f.position_id = p_position.position_id ORDER BY f.filled_at DESC LIMIT 1;
        source := 'last fill';
    END IF;
    IF rate IS NULL AND p_position.metadata ->> 'fx_rate' ~ '^[0-9]+(\.[0-9]+)?$' THEN
        rate := nullif((p_position.metadata ->> 'fx_rate')::numeric, 0);
        source := 'position';
    END IF;
    IF rate IS NULL THEN
        source := NULL;
    END IF;
END $$;
