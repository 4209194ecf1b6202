-- Measuring limits.

-- Measures every limit in force, before and with the order. p_live: what is open now, without an order. For an order
-- that is being placed, returns only faults, breaches, and losses that would reach a limit at the stop.
--
-- Rounded to 8 decimals, because dividing by a rate leaves small errors: 1.1 × (1 / 1.1) is not exactly 1. One
-- statement, because orders wait for it: row by row it took ten times as long.
CREATE FUNCTION desk.measure_limits(o desk.order_context, p_live boolean, p_without uuid[] DEFAULT '{}') RETURNS desk.limit_measurement[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- What the order adds to the totals of its scopes, in the account's currency.
    value       numeric := o.contract_size * o.fx;
    mid         numeric := coalesce(o.mid, o.price);
    after_net   numeric := o.net + coalesce(o.direction * o.size, 0);
    add_gross   numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (abs(after_net) * o.price - abs(o.net) * mid) * value END;
    add_net     numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (after_net * o.price - o.net * mid) * value END;
    add_risk    numeric := CASE WHEN o.size IS NULL THEN 0 ELSE coalesce(o.risk, 0)
                               - CASE WHEN o.closing > 0 THEN o.held_risk * o.closing / abs(o.held) * value ELSE 0 END END;
    add_count   integer := CASE WHEN o.size IS NULL THEN 0
                               WHEN o.closing > 0 AND o.opening = 0 AND o.closing = abs(o.held) THEN -1
                               WHEN o.closing = 0 AND o.held = 0 THEN 1 ELSE 0 END;
    per_lot     numeric := CASE o.asset_class WHEN 'fx' THEN 100000 / o.contract_size ELSE 1 END;
    all_results boolean := p_live OR o.is_preview;
    measures    desk.limit_measurement[];
BEGIN
    WITH in_force AS MATERIALIZED (
        SELECT l.l, k.limit_type, l.limit_type AS named, l.limit_id, l.limit_scope, l.limit_value, l.limit_unit, l.warning_threshold, l.parameters,
               l.is_orphaned, k.reads_totals, k.is_minimum, k.is_loss, CASE l.parameters ->> 'inclusive' WHEN 'true' THEN true WHEN 'false' THEN false ELSE k.inclusive END AS inclusive,
               desk.unit_currency(l.limit_unit) AS money,
               CASE WHEN l.limit_scope = 'account' OR (l.account_id IS NOT NULL AND l.limit_scope <> 'instrument') THEN 'account'
                    WHEN l.limit_scope = 'instrument' AND l.account_id IS NOT NULL THEN 'mine' ELSE l.limit_scope END AS place,
               CASE WHEN is_orphaned OR NOT coalesce(k.enforced, false) OR NOT l.limit_scope = ANY (k.scopes) THEN 'LIMIT_NOT_ENFORCED'
                    WHEN NOT desk.has_unit(k.units, l.limit_unit)
                        THEN 'LIMIT_UNIT_UNKNOWN'
                    WHEN NOT desk.parameters_valid(l.limit_type, l.limit_scope, l.parameters) THEN 'LIMIT_PARAMETERS_INVALID' END AS fault
          FROM (SELECT f AS l, f.*, false AS is_orphaned FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) f
                UNION ALL
                SELECT n, n.*, true FROM desk.orphaned_limits(o.account_id, o.at) n) l
          LEFT JOIN tmt.limit_types k USING (limit_type)
         -- The monitor reports the faults of every limit, monitored or not.
         WHERE (k.limit_type IS NULL OR NOT k.enforced OR is_orphaned OR CASE WHEN p_live THEN k.live OR NOT l.limit_scope = ANY (k.scopes)
                    OR NOT desk.has_unit(k.units, l.limit_unit)
                ELSE k.before_trade OR NOT l.limit_scope = ANY (k.scopes) END)
           AND NOT l.limit_id = ANY (p_without)
    ), totals AS MATERIALIZED (
        SELECT * FROM desk.scope_totals(o, EXISTS (SELECT FROM in_force l WHERE l.reads_totals AND l.place IN ('portfolio', 'system', 'instrument')))
         WHERE EXISTS (SELECT FROM in_force l WHERE l.reads_totals)
        UNION ALL
        -- 'mine': one account in one instrument.
        SELECT 'mine', abs(o.net) * mid * value, NULL, NULL,
               coalesce((SELECT b.positions FROM tmt.account_totals b WHERE b.account_id = o.account_id AND b.instrument = o.instrument), 0), NULL, NULL
    ), raw AS (
        SELECT l.*, CASE
            WHEN l.fault IS NOT NULL THEN ROW(NULL, NULL, NULL, l.fault,
                CASE WHEN l.is_orphaned THEN coalesce(nullif(btrim((l.l).scope_identifier), ''), 'without a name') END)::desk.measurement
            WHEN b.missing IS NOT NULL AND l.limit_type <> 'max_open_positions' THEN ROW(NULL, NULL, NULL, 'NO_CONVERSION_RATE', b.missing)::desk.measurement
            WHEN l.limit_type = 'max_exposure' THEN ROW(coalesce(b.gross, 0), coalesce(b.gross, 0) + add_gross, NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'max_net_exposure' THEN ROW(abs(coalesce(b.net, 0)), abs(coalesce(b.net, 0) + add_net), NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'max_open_risk' THEN ROW(coalesce(b.risk, 0), coalesce(b.risk, 0) + add_risk, NULL,
                CASE WHEN coalesce(b.unbounded, 0) > 0 OR (o.opening > 0 AND o.stop IS NULL) THEN 'RISK_UNBOUNDED' END, NULL)::desk.measurement
            WHEN l.limit_type = 'max_open_positions' THEN ROW(coalesce(b.positions, 0), coalesce(b.positions, 0) + add_count, NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'max_leverage' THEN ROW(coalesce(b.gross, 0) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                (coalesce(b.gross, 0) + add_gross) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END, NULL,
                CASE WHEN o.equity <= 0 THEN 'NO_EQUITY' END, NULL)::desk.measurement
            WHEN l.limit_type = 'max_position_size' THEN CASE l.limit_unit
                WHEN 'units' THEN ROW(abs(o.net), abs(after_net), NULL, NULL, NULL)::desk.measurement
                WHEN 'lots' THEN ROW(abs(o.net) / per_lot, abs(after_net) / per_lot, NULL, NULL, NULL)::desk.measurement
                ELSE ROW(abs(o.net) * mid * value, abs(after_net) * o.price * value, NULL, NULL, NULL)::desk.measurement END
            WHEN l.limit_type = 'max_order_size' THEN ROW(NULL, o.opening / CASE l.limit_unit WHEN 'lots' THEN per_lot ELSE 1 END, NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'max_order_value' THEN ROW(NULL, o.opening * o.price * value, NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'max_risk_per_trade' THEN ROW(NULL, o.risk, NULL, CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measurement
            WHEN l.is_loss THEN desk.measure_loss(o, l.l, l.place)
            -- Undefined without margin.
            WHEN l.limit_type = 'min_margin_level' THEN ROW(
                o.equity / nullif(o.margin_used, 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                o.equity / nullif(o.margin_used + coalesce(add_gross * o.margin_rate, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'price_collar' THEN ROW(NULL, CASE l.limit_unit WHEN 'pips' THEN abs(o.price - o.mid) / o.pip_size
                WHEN 'fraction' THEN abs(o.price / o.mid - 1) ELSE abs(o.price / o.mid - 1) * 100 END, NULL,
                CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measurement
            WHEN l.limit_type IN ('min_stop_distance', 'max_stop_distance') THEN ROW(NULL, abs(o.price - o.stop) / o.pip_size, NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measurement
            -- After costs: (reward − cost) / (risk + cost), with the commission of both sides.
            WHEN l.limit_type = 'min_risk_reward' THEN ROW(NULL, (abs(o.target - o.price) * value - 2 * o.cost_per_unit)
                    / nullif(abs(o.price - o.stop) * value + 2 * o.cost_per_unit, 0), NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' WHEN o.target IS NULL THEN 'TARGET_REQUIRED' END, NULL)::desk.measurement
            WHEN l.limit_type = 'duplicate_window' THEN ROW(NULL, 0, NULL, NULL, NULL)::desk.measurement -- widens what desk.check_market looks at
            WHEN l.limit_type = 'max_spread' THEN ROW(NULL, o.spread / o.pip_size, NULL, CASE WHEN o.spread IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measurement
            WHEN l.limit_type = 'max_price_age' THEN ROW(NULL, extract(epoch FROM o.at - o.quoted_at), NULL, CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measurement
            WHEN l.limit_type = 'trading_hours' THEN ROW(NULL, CASE WHEN desk.in_trading_hours(l.parameters -> 'hours', o.at) THEN 0 ELSE 1 END, NULL, NULL, NULL)::desk.measurement
            WHEN l.limit_type = 'restricted_instrument' THEN ROW(NULL,
                CASE WHEN l.limit_scope = 'instrument' OR desk.lists_instrument(l.parameters -> 'instruments', o.instrument) THEN 1 ELSE 0 END, NULL, NULL, NULL)::desk.measurement
            ELSE desk.measure_other(o, l.l, l.place) END AS n,
            CASE WHEN l.limit_type IN ('max_leverage', 'min_margin_level', 'price_collar', 'trading_hours', 'restricted_instrument') THEN false
                 ELSE l.money IS NOT NULL OR l.limit_unit IN ('percentage', 'fraction') END AS is_money
          FROM in_force l LEFT JOIN totals b ON l.reads_totals AND b.scope = l.place
        OFFSET 0
    ), converted AS (
        SELECT n.*, CASE WHEN n.is_money AND n.money <> o.currency THEN desk.conversion_rate(o.currency, n.money) ELSE 1 END AS rate,
               CASE WHEN n.limit_type IN ('trading_hours', 'restricted_instrument') THEN 0
                    WHEN NOT n.is_money OR n.money IS NOT NULL THEN n.limit_value
                    -- In percent of the equity of the scope.
                    ELSE coalesce((n.n).share, CASE WHEN n.place IN ('portfolio', 'system', 'instrument') AND (n.l).account_id IS NULL
                                                    THEN desk.scope_equity(o, n.l, n.place) ELSE o.equity END)
                         * n.limit_value / CASE n.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END END AS allowed
          FROM raw n
        OFFSET 0
    ), rounded AS (
        SELECT w.*, round((w.n).after * w.rate, 8) AS after_, round(w.allowed, 8) AS allowed_,
               CASE WHEN (w.n).fault IS NOT NULL THEN (w.n).fault
                    WHEN (w.n).after * w.rate IS NULL OR w.allowed IS NULL THEN 'NO_CONVERSION_RATE' END AS fault_
          FROM converted w
    ), with_breach AS (
        SELECT j.*, CASE WHEN j.is_minimum THEN j.after_ < j.allowed_ WHEN j.inclusive THEN j.after_ >= j.allowed_ ELSE j.after_ > j.allowed_ END
                    AND j.fault_ IS NULL AND j.limit_type <> 'duplicate_window' AS breach,
               coalesce(j.is_loss AND j.after_ + coalesce(o.risk * j.rate, 0) >= j.allowed_, false) AND j.fault_ IS NULL AS breach_at_stop
          FROM rounded j
    )
    SELECT array_agg(ROW(s.limit_id, s.named, s.limit_scope, (s.n).before * s.rate,
                         -- A loss as it would be at the stop; `breach` is about the loss so far.
                         CASE WHEN s.is_loss AND NOT p_live THEN s.after_ + coalesce(o.risk * s.rate, 0) ELSE s.after_ END,
                         CASE WHEN s.fault_ IS NULL THEN s.allowed_ ELSE s.limit_value END,
                         CASE WHEN s.fault_ IS NULL THEN desk.warning_level(s.allowed_, s.allowed_ * s.warning_threshold / s.limit_value, s.is_minimum) END,
                         CASE WHEN s.fault_ IS NULL AND s.is_money AND s.money IS NULL THEN o.currency ELSE s.limit_unit END,
                         s.inclusive, s.is_minimum, s.is_loss, s.breach, s.breach_at_stop, s.fault_, (s.n).hint)::desk.limit_measurement
                     ORDER BY s.named, s.limit_scope, s.limit_id)
      INTO measures
      FROM with_breach s
     WHERE NOT (s.named = 'min_margin_level' AND s.fault_ IS DISTINCT FROM 'LIMIT_NOT_ENFORCED' AND (s.n).after IS NULL AND o.margin_used = 0)
       AND (all_results OR s.fault_ IS NOT NULL OR s.breach OR s.breach_at_stop OR s.limit_type = 'duplicate_window');
    RETURN coalesce(measures, '{}');
END $$;

-- The loss of a scope: the distance of its equity from the base of the limit.
CREATE FUNCTION desk.measure_loss(o desk.order_context, l risk_limits, p_place text) RETURNS desk.measurement
LANGUAGE plpgsql STABLE AS $$
DECLARE
    equities record;
    base     numeric;
    lost     numeric;
    bound    numeric;
    share    numeric;
    money    text := desk.unit_currency(l.limit_unit);
BEGIN
    IF p_place = 'account' AND l.limit_type IN ('max_daily_loss', 'max_drawdown') THEN
        SELECT o.equity AS equity, o.day_base AS started, o.day_balance AS started_balance, o.initial_balance AS initial,
               o.peak_balance AS peak_balance, o.peak_equity AS peak_equity INTO equities;
        IF l.parameters ->> 'trailing' IS NOT NULL AND equities.peak_balance IS NULL THEN
            SELECT d.peak_eod_balance, d.peak_equity INTO equities.peak_balance, equities.peak_equity
              FROM performance_metrics d WHERE d.account_id = o.account_id AND d.period_type = 'daily' ORDER BY d.period_start DESC LIMIT 1;
        END IF;
    ELSE
        SELECT * INTO equities FROM desk.scope_figures(p_place, coalesce(l.scope_identifier, o.portfolio), o.account_id,
            CASE l.limit_type WHEN 'max_weekly_loss' THEN 'weekly' WHEN 'max_monthly_loss' THEN 'monthly' ELSE 'daily' END, o.currency);
    END IF;
    IF l.limit_type = 'max_drawdown' THEN
        -- From the peak, or from the lock if the peak is above it.
        share := equities.initial;
        bound := l.limit_value * CASE l.limit_unit WHEN 'percentage' THEN share / 100 WHEN 'fraction' THEN share
                                                   ELSE coalesce(desk.conversion_rate(money, o.currency), 1) END;
        lost := bound - equities.equity + desk.drawdown_floor(coalesce('trailing_' || (l.parameters ->> 'trailing'), 'static'), bound,
            equities.initial, equities.peak_balance, equities.peak_equity,
            CASE WHEN l.parameters ->> 'lock' = 'initial' THEN equities.initial ELSE desk.parse_number(l.parameters ->> 'lock') * coalesce(desk.conversion_rate(money, o.currency), 1) END);
    ELSE
        base := CASE l.parameters ->> 'base' WHEN 'balance' THEN equities.started_balance
            WHEN 'higher' THEN greatest(equities.started, equities.started_balance) ELSE equities.started END;
        share := CASE l.parameters ->> 'of' WHEN 'initial' THEN equities.initial ELSE base END;
        lost := base - equities.equity;
    END IF;
    RETURN ROW(lost, lost, share, NULL, NULL)::desk.measurement;
END $$;

-- Equity of a scope now and at the start of the period, in a currency. A period without a row starts with current figures.
CREATE FUNCTION desk.scope_figures(p_scope text, p_portfolio text, p_account uuid, p_period text, p_currency text,
    OUT equity numeric, OUT started numeric, OUT started_balance numeric, OUT initial numeric,
    OUT peak_balance numeric, OUT peak_equity numeric)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    now_at timestamptz := clock_timestamp(); -- a variable, not a call: a volatile function prevents index scans
    unknown boolean;
BEGIN
    -- NULL if one account cannot be converted.
    SELECT bool_or(c.rate IS NULL), sum(e.equity * c.rate), sum(e.started * c.rate), sum(e.started_balance * c.rate),
           sum(e.initial * c.rate), sum(e.peak_balance * c.rate), sum(e.peak_equity * c.rate)
      INTO unknown, scope_figures.equity, scope_figures.started, scope_figures.started_balance, scope_figures.initial,
           scope_figures.peak_balance, scope_figures.peak_equity
      FROM (SELECT btrim(a.base_currency) AS currency, sum(a.equity) AS equity,
                   sum(CASE WHEN m.period_end > now_at THEN m.start_equity ELSE a.equity END) AS started,
                   sum(CASE WHEN m.period_end > now_at THEN m.start_balance ELSE a.current_balance END) AS started_balance,
                   sum(a.initial_balance) AS initial,
                   sum(greatest(a.initial_balance, m.peak_eod_balance)) AS peak_balance,
                   sum(greatest(a.equity, m.peak_equity)) AS peak_equity
              FROM accounts a
              -- Peaks are carried from row to row.
              LEFT JOIN LATERAL (SELECT * FROM performance_metrics d
                                  WHERE d.account_id = a.account_id AND d.period_type = p_period AND d.period_start <= now_at
                                  ORDER BY d.period_start DESC LIMIT 1) m ON true
             WHERE CASE p_scope WHEN 'account' THEN a.account_id = p_account
                                WHEN 'portfolio' THEN a.metadata ->> 'portfolio' = p_portfolio ELSE true END
             GROUP BY btrim(a.base_currency)) e, desk.conversion(e.currency, p_currency) c;
    IF unknown THEN
        equity := NULL;
        started := NULL;
        started_balance := NULL;
        initial := NULL;
        peak_balance := NULL;
        peak_equity := NULL;
    END IF;
END $$;

-- The equity of the scope of a limit, in the account's currency.
CREATE FUNCTION desk.scope_equity(o desk.order_context, l risk_limits, p_place text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT e.equity FROM desk.scope_figures(p_place, coalesce(l.scope_identifier, o.portfolio), o.account_id, 'daily', o.currency) e);
END $$;
