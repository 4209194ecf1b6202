-- Limits that are measured from more than the order and the running totals.

CREATE FUNCTION desk.measure_other(o desk.order_context, l risk_limits, p_place text) RETURNS desk.measurement
LANGUAGE plpgsql STABLE AS $$
DECLARE
    m desk.measurement;
    counted record;
    names text[];
BEGIN
    CASE l.limit_type
    WHEN 'max_currency_exposure' THEN
        SELECT * INTO counted FROM desk.currency_exposure(o, p_place, l.parameters ->> 'currency');
        m.before := counted.before;
        m.after := counted.after;
        m.hint := counted.currency;
        m.fault := CASE WHEN counted.missing IS NOT NULL THEN 'NO_CONVERSION_RATE' END;
    WHEN 'max_correlated_exposure' THEN
        SELECT * INTO counted FROM desk.group_exposure(o, p_place, coalesce(l.parameters -> 'instruments', '[]'));
        m.before := counted.before;
        m.after := counted.after;
        m.fault := CASE WHEN counted.missing IS NOT NULL THEN 'NO_CONVERSION_RATE' END;
    WHEN 'max_daily_trades' THEN
        -- Counts no further than the limit. Other programs may spell instruments differently; a trade without an
        -- instrument counts for all.
        IF l.limit_scope = 'instrument' THEN
            names := ARRAY(SELECT upper(n.name) FROM instruments i, unnest(i.aliases || i.instrument::text) AS n (name) WHERE i.instrument = o.instrument);
        END IF;
        IF p_place = 'instrument' THEN
            -- On an instrument, without an account: trades of all accounts, each since its own day began.
            SELECT count(*) INTO m.before
              FROM (SELECT FROM accounts a
                      LEFT JOIN performance_metrics d ON d.account_id = a.account_id AND d.period_type = 'daily'
                           AND d.period_start <= o.at AND d.period_end > o.at,
                           LATERAL (SELECT FROM trade_registry r
                                     WHERE r.account_id = a.account_id
                                       AND r.entry_time >= coalesce(d.period_start, (desk.trading_day(a.metadata -> 'risk_day', o.at)).starts)
                                       AND (r.instrument IS NULL OR upper(btrim(r.instrument)) = ANY (names)
                                            OR upper(replace(btrim(r.instrument), '/', '_')) = ANY (names))) r
                     LIMIT l.limit_value + 1) e;
        ELSE
            SELECT count(*) INTO m.before
              FROM (SELECT FROM trade_registry r
                     WHERE r.account_id = o.account_id AND r.entry_time >= o.day_start
                       AND (l.limit_scope <> 'instrument' OR r.instrument IS NULL OR upper(btrim(r.instrument)) = ANY (names)
                            OR upper(replace(btrim(r.instrument), '/', '_')) = ANY (names))
                     LIMIT l.limit_value + 1) e;
        END IF;
        m.after := m.before + 1;
    WHEN 'max_orders_per_minute' THEN
        IF p_place = 'system' AND l.scope_identifier <> 'person' AND lower(btrim(l.scope_identifier)) <> lower(session_user) THEN
            m.after := 0; -- another login's limit
        ELSE
            m.before := desk.orders_in_last_minute(o, CASE WHEN p_place = 'account' THEN o.account_id END,
                CASE WHEN p_place = 'system' AND l.scope_identifier IS NOT NULL THEN session_user::text END, l.limit_value);
            m.after := m.before + 1;
        END IF;
    WHEN 'max_consecutive_losses' THEN
        m.after := desk.losing_streak(o.account_id, o.day_start);
    WHEN 'max_loss_per_position' THEN
        -- On an instrument, without an account: the worst of all accounts.
        SELECT coalesce(greatest(0, max(-p.unrealized_pnl * CASE WHEN p.account_id = o.account_id THEN 1 ELSE desk.conversion_rate(a.base_currency, o.currency) END)), 0)
          INTO m.after
          FROM positions p JOIN accounts a USING (account_id)
         WHERE p.status IN ('open', 'closing')
           AND CASE WHEN l.limit_scope = 'instrument' THEN p.instrument = desk.canonical_instrument(l.scope_identifier)
                         AND (l.account_id IS NULL OR p.account_id = l.account_id)
                    ELSE p.account_id = o.account_id END;
    END CASE;
    IF l.limit_scope IN ('portfolio', 'system', 'instrument') AND l.account_id IS NULL AND l.limit_unit IN ('percentage', 'fraction') THEN
        m.share := desk.scope_equity(o, l, p_place);
    END IF;
    RETURN m;
END $$;

-- The largest exposure to a single currency, or that to p_currency, before and with the order. Both legs of an instrument
-- count: +size in its base currency, −size × price in its quote currency.
CREATE FUNCTION desk.currency_exposure(o desk.order_context, p_scope text, p_currency text,
    OUT before numeric, OUT after numeric, OUT currency text, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH sized AS (
        SELECT n.instrument, n.net AS before, n.net AS after FROM desk.net_sizes(o, p_scope) n WHERE n.net <> 0
        UNION ALL
        SELECT o.instrument, 0, o.direction * o.size WHERE o.size IS NOT NULL
    ), legs AS (
        SELECT leg.currency, leg.before, leg.after, s.instrument
          FROM sized s JOIN instruments i USING (instrument), desk.valuation_price(o, s.instrument) w (mid),
               LATERAL (VALUES (i.base_currency, s.before * i.contract_size, s.after * i.contract_size),
                               (i.quote_currency, -s.before * i.contract_size * w.mid, -s.after * i.contract_size * w.mid))
                   AS leg (currency, before, after)
         WHERE p_currency IS NULL OR leg.currency = upper(btrim(p_currency))
    ), summed AS (
        SELECT l.currency, abs(sum(l.before)) * desk.conversion_rate(l.currency, o.currency) AS before,
               abs(sum(l.after)) * desk.conversion_rate(l.currency, o.currency) AS after,
               min(l.instrument) FILTER (WHERE l.after IS NULL) AS missing
          FROM legs l GROUP BY l.currency
    )
    SELECT coalesce((SELECT max(s.before) FROM summed s), 0), coalesce((SELECT max(s.after) FROM summed s), 0),
           (SELECT s.currency FROM summed s ORDER BY s.after DESC NULLS LAST LIMIT 1),
           (SELECT min(coalesce(s.missing, s.currency)) FROM summed s WHERE s.missing IS NOT NULL OR s.after IS NULL)
      INTO currency_exposure.before, currency_exposure.after, currency_exposure.currency, currency_exposure.missing;
END $$;

-- Gross exposure to a group of instruments, before and with the order.
CREATE FUNCTION desk.group_exposure(o desk.order_context, p_scope text, p_instruments jsonb,
    OUT before numeric, OUT after numeric, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH sized AS (
        SELECT n.instrument, n.gross AS before,
               n.gross + CASE WHEN n.instrument = o.instrument AND o.size IS NOT NULL
                              THEN abs(o.net + o.direction * o.size) - abs(o.net) ELSE 0 END AS after
          FROM desk.net_sizes(o, p_scope) n
        UNION ALL
        SELECT o.instrument, 0, o.size
         WHERE o.size IS NOT NULL AND NOT EXISTS (SELECT FROM desk.net_sizes(o, p_scope) n WHERE n.instrument = o.instrument)
    )
    SELECT coalesce(sum(s.before * v.value), 0), coalesce(sum(s.after * v.value), 0),
           min(s.instrument) FILTER (WHERE v.value IS NULL AND s.after <> 0)
      INTO group_exposure.before, group_exposure.after, group_exposure.missing
      FROM sized s JOIN instruments i USING (instrument),
           LATERAL (SELECT desk.valuation_price(o, s.instrument) * i.contract_size * desk.conversion_rate(i.quote_currency, o.currency) AS value) v
     WHERE desk.lists_instrument(p_instruments, s.instrument);
END $$;

-- Losing closes in a row since the trading day began.
CREATE FUNCTION desk.losing_streak(p_account uuid, p_since timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    net numeric;
    streak integer := 0;
BEGIN
    FOR net IN
        SELECT f.gross_pnl - f.commission - f.swap_fee FROM trade_fills f
         WHERE f.account_id = p_account AND f.effect = 'close' AND f.filled_at >= p_since
         ORDER BY f.filled_at DESC
    LOOP
        EXIT WHEN net >= 0;
        streak := streak + 1;
    END LOOP;
    RETURN streak;
END $$;

-- Orders accepted in the last 60 s of an account, of a login, or of all: (t − 60 s, t]. Counts no further than p_most + 1.
CREATE FUNCTION desk.orders_in_last_minute(o desk.order_context, p_account uuid, p_person text, p_most numeric) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF o.settings ->> 'rate_counts_refused' = 'true' THEN
        RETURN (SELECT count(*) FROM tmt.audit_log l
                 WHERE l.verb = 'place_trade' AND l.code IS DISTINCT FROM 'REDUCED' AND l.at > o.at - interval '60 seconds'
                   AND (p_account IS NULL OR l.payload ->> 'account_id' = p_account::text)
                   AND (p_person IS NULL OR lower(l.actor) = lower(p_person)));
    END IF;
    IF p_account IS NOT NULL THEN
        RETURN (SELECT count(*)
                  FROM (SELECT FROM trade_fills f
                         WHERE f.account_id = p_account AND f.filled_at > o.at - interval '60 seconds' AND f.effect = 'open'
                         LIMIT p_most + 1) f);
    END IF;
    RETURN (SELECT count(*)
              FROM (SELECT FROM trade_fills f
                     WHERE f.filled_at > o.at - interval '60 seconds' AND f.effect = 'open'
                       AND (p_person IS NULL OR lower(f.actor) = lower(p_person))
                     LIMIT p_most + 1) f);
END $$;
