-- The limit engine: what each limit measures, what it allows, and how a measured value stands. The same
-- numbers serve an order (before it is booked) and the watch over what is open.
SET LOCAL ROLE tmt_owner;

-- ---- vocabulary -------------------------------------------------------------------------------

ALTER TABLE desk.limit_types
    ADD COLUMN IF NOT EXISTS before_trade boolean NOT NULL DEFAULT true,  -- judged before an order is booked
    ADD COLUMN IF NOT EXISTS live boolean NOT NULL DEFAULT false,         -- watched while positions are open
    ADD COLUMN IF NOT EXISTS reads_book boolean NOT NULL DEFAULT false,   -- needs the books of 0015 valued
    ADD COLUMN IF NOT EXISTS is_loss boolean NOT NULL DEFAULT false,      -- a breach halts the account
    ADD COLUMN IF NOT EXISTS label text;                                  -- how a sentence begins that is about it

INSERT INTO desk.limit_types (limit_type, description, units, scopes, is_minimum, inclusive, enforced,
                              before_trade, live, reads_book, is_loss) VALUES
    ('max_exposure', 'gross exposure after the trade', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true, true, true, true, false),
    ('max_net_exposure', 'net exposure after the trade', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, true, true, true, true, false),
    ('max_currency_exposure', 'exposure to one currency after the trade', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, true, true, true, true, false),
    ('max_correlated_exposure', 'gross exposure to a group of instruments', '{money,percentage,fraction}', '{account,portfolio}', false, false, true, true, true, true, false),
    ('max_position_size', 'size held in one instrument after the trade', '{units,lots,money,percentage,fraction}', '{account,instrument}', false, false, true, true, false, false, false),
    ('max_order_size', 'size of one order', '{units,lots}', '{account,instrument,portfolio,system}', false, false, true, true, false, false, false),
    ('max_order_value', 'value of one order', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true, true, false, false, false),
    ('max_risk_per_trade', 'money lost if the stop is hit', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true, true, false, false, false),
    ('max_open_risk', 'sum of the risk of all open positions', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, true, true, true, true, false),
    ('max_open_positions', 'live positions after the trade', '{count}', '{account,instrument,portfolio,system}', false, false, true, true, false, true, false),
    ('max_daily_trades', 'trades opened in this trading day', '{count}', '{account,instrument}', false, false, true, true, false, false, false),
    ('max_daily_loss', 'equity lost since the trading day began', '{money,percentage,fraction}', '{account,portfolio,system}', false, true, true, true, true, false, true),
    ('max_weekly_loss', 'equity lost since the week began', '{money,percentage,fraction}', '{account,portfolio,system}', false, true, true, true, true, false, true),
    ('max_monthly_loss', 'equity lost since the month began', '{money,percentage,fraction}', '{account,portfolio,system}', false, true, true, true, true, false, true),
    ('max_drawdown', 'equity lost since the start, or since its peak', '{money,percentage,fraction}', '{account,portfolio}', false, true, true, true, true, false, true),
    ('max_loss_per_position', 'open loss of one position', '{money,percentage,fraction}', '{account,instrument}', false, true, true, false, true, false, false),
    ('max_leverage', 'gross exposure over equity', '{ratio,percentage}', '{account}', false, false, true, true, true, true, false),
    ('min_margin_level', 'equity over margin used', '{ratio,percentage}', '{account}', true, false, true, true, true, false, false),
    ('price_collar', 'distance of the price from the last mid', '{percentage,fraction,pips}', '{account,instrument,system}', false, false, true, true, false, false, false),
    ('min_stop_distance', 'distance of the stop', '{pips}', '{account,instrument,system}', true, false, true, true, false, false, false),
    ('max_stop_distance', 'distance of the stop', '{pips}', '{account,instrument,system}', false, false, true, true, false, false, false),
    ('min_risk_reward', 'reward over risk, after costs', '{ratio}', '{account,instrument,system}', true, false, true, true, false, false, false),
    ('max_orders_per_minute', 'accepted orders in 60 seconds', '{count}', '{account,system}', false, false, true, true, false, false, false),
    ('duplicate_window', 'time in which a twin asks for a reason', '{seconds}', '{account,system}', false, false, true, true, false, false, false),
    ('max_consecutive_losses', 'losing closes in a row today', '{count}', '{account}', false, true, true, false, true, false, false),
    ('max_spread', 'spread of the last quote', '{pips}', '{instrument,system}', false, false, true, true, false, false, false),
    ('max_price_age', 'age of the last quote', '{seconds}', '{instrument,system}', false, false, true, true, false, false, false),
    ('trading_hours', 'hours in which new risk may be taken', '{list}', '{account,instrument,system}', false, false, true, true, false, false, false),
    ('restricted_instrument', 'instruments in which no new risk may be taken', '{list}', '{account,instrument,portfolio,system}', false, false, true, true, false, false, false)
ON CONFLICT (limit_type) DO UPDATE SET description = EXCLUDED.description, units = EXCLUDED.units,
    scopes = EXCLUDED.scopes, is_minimum = EXCLUDED.is_minimum, inclusive = EXCLUDED.inclusive, enforced = EXCLUDED.enforced,
    before_trade = EXCLUDED.before_trade, live = EXCLUDED.live, reads_book = EXCLUDED.reads_book, is_loss = EXCLUDED.is_loss;

UPDATE desk.limit_types k SET label = w.label FROM (VALUES
    ('max_exposure', 'Gross exposure'), ('max_net_exposure', 'Net exposure'), ('max_currency_exposure', 'Exposure to one currency'),
    ('max_correlated_exposure', 'Exposure of the group'), ('max_position_size', 'The position'), ('max_order_size', 'The order'),
    ('max_order_value', 'The value of the order'), ('max_risk_per_trade', 'The risk of the trade'), ('max_open_risk', 'Open risk'),
    ('max_open_positions', 'The number of open positions'), ('max_daily_trades', 'The number of trades today'),
    ('max_daily_loss', 'Today''s loss'), ('max_weekly_loss', 'This week''s loss'), ('max_monthly_loss', 'This month''s loss'),
    ('max_drawdown', 'Drawdown'), ('max_loss_per_position', 'The loss of one position'), ('max_leverage', 'Leverage'),
    ('min_margin_level', 'Margin level'), ('price_collar', 'The distance from the market'), ('min_stop_distance', 'The distance of the stop'),
    ('max_stop_distance', 'The distance of the stop'), ('min_risk_reward', 'Reward over risk'),
    ('max_orders_per_minute', 'The number of orders in a minute'), ('duplicate_window', 'The time since its twin'),
    ('max_consecutive_losses', 'The number of losses in a row'), ('max_spread', 'The spread'), ('max_price_age', 'The age of the price'),
    ('trading_hours', 'Trading hours'), ('restricted_instrument', 'The instrument')) AS w (limit_type, label)
 WHERE k.limit_type = w.limit_type;

INSERT INTO desk.settings (key, value, description) VALUES
    ('rate_counts_refused', 'false', 'whether refused orders count in max_orders_per_minute')
ON CONFLICT (key) DO NOTHING;

-- A number that a person typed into a JSON object; nothing where it is none.
CREATE OR REPLACE FUNCTION desk.number_of(p_text text) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_text ~ '^[0-9]{1,15}(\.[0-9]{1,12})?$' THEN p_text::numeric END $$;

-- ---- floors of loss rules ---------------------------------------------------------------------

-- Up to where equity may fall in a day. The rule: "base" of the day (balance, equity, higher of both),
-- and how much of what: "fraction" of "of" (initial, day_start), or an "amount".
CREATE OR REPLACE FUNCTION desk.day_floor(p_rule jsonb, p_initial numeric, p_balance numeric, p_equity numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    base numeric := CASE p_rule ->> 'base' WHEN 'balance' THEN p_balance WHEN 'higher' THEN greatest(p_balance, p_equity)
                                           ELSE p_equity END;
BEGIN
    RETURN base - coalesce((p_rule ->> 'amount')::numeric,
        (p_rule ->> 'fraction')::numeric * CASE p_rule ->> 'of' WHEN 'day_start' THEN base ELSE p_initial END);
END $$;

-- Up to where equity may fall at all, p_max_loss being an amount. A trailing floor follows the highest
-- balance at the end of a day, or the highest equity at any time, and stops rising at p_lock.
CREATE OR REPLACE FUNCTION desk.drawdown_floor(p_mode text, p_max_loss numeric, p_initial numeric, p_peak_balance numeric,
    p_peak_equity numeric, p_lock numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(CASE p_mode
                     WHEN 'trailing_eod_balance' THEN greatest(p_initial, p_peak_balance)
                     WHEN 'trailing_intraday_equity' THEN greatest(p_initial, p_peak_equity)
                     ELSE p_initial END - p_max_loss,
                 coalesce(p_lock, 'Infinity'))
$$;

-- ---- standing ---------------------------------------------------------------------------------

-- How a value stands that stood so before. A breach that ends is a warning, and a warning ends only
-- 5 % of the limit below where it began, or a value that trembles at a line would ring without end.
CREATE OR REPLACE FUNCTION desk.limit_state_after(p_before text, p_value numeric, p_limit numeric, p_warning numeric,
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

-- Where a warning begins, in the unit of the limit: 80 % of it unless the row says so itself; of a
-- minimum as far above it.
CREATE OR REPLACE FUNCTION desk.warning_level(p_limit numeric, p_warning numeric, p_minimum boolean) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_warning, CASE WHEN p_minimum THEN p_limit * 1.25 ELSE p_limit * 0.8 END)
$$;

-- ---- time -------------------------------------------------------------------------------------

-- Whether an instant lies in one of the weekly intervals of {"tz": zone, "open": [["sun 17:00", "fri 17:00"], …]}.
-- Nothing known, or nothing that can be read: open.
CREATE OR REPLACE FUNCTION desk.is_open(p_hours jsonb, p_at timestamptz) RETURNS boolean
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

-- ---- the order, with its surroundings ---------------------------------------------------------

DO $$
BEGIN
    IF to_regtype('desk.limit_measure') IS NULL THEN
        ALTER TYPE desk.order_draft ADD ATTRIBUTE is_preview boolean;   -- whether what passes is put into words
        ALTER TYPE desk.order_draft ADD ATTRIBUTE hedging boolean;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE net numeric;          -- of the account in the instrument, all tickets
        ALTER TYPE desk.order_draft ADD ATTRIBUTE held_risk numeric;    -- stop risk of it, in units of price × size
        ALTER TYPE desk.order_draft ADD ATTRIBUTE cost_per_unit numeric;-- commission, per side and 1.00 of size
        ALTER TYPE desk.order_draft ADD ATTRIBUTE trading_hours jsonb;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE risk_day jsonb;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE risk_rules jsonb;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE day_balance numeric;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE peak_balance numeric;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE peak_equity numeric;
        ALTER TYPE desk.order_draft ADD ATTRIBUTE held_stop numeric;    -- of the position that the order would add to
        ALTER TYPE desk.order_draft ADD ATTRIBUTE spread numeric;       -- none where only a mid is known
        -- What a limit came to. In the unit named; `fault` says why there is no number.
        CREATE TYPE desk.limit_measure AS (
            limit_id uuid, limit_type text, scope text, before numeric, after numeric, allowed numeric, warned numeric,
            unit text, inclusive boolean, is_minimum boolean, is_loss boolean, breach boolean, over_at_stop boolean,
            fault text, hint text);
        -- What the live positions of a scope are worth, in the currency of the account that asks.
        CREATE TYPE desk.book_total AS (
            scope text, gross numeric, net numeric, risk numeric, positions bigint, unbounded bigint, missing text);
    END IF;
END $$;

-- An account with a draft of an order on it; without an instrument, the account alone. Read at once, so
-- that all checks judge one picture.
CREATE OR REPLACE FUNCTION desk.draft_order(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid) RETURNS desk.order_draft
LANGUAGE plpgsql STABLE AS $$
DECLARE
    o desk.order_draft;
    commission jsonb;
BEGIN
    o.at := clock_timestamp();
    o.is_preview := true; -- desk.place_trade says otherwise
    o.side := upper(btrim(p_side));
    o.direction := CASE o.side WHEN 'BUY' THEN 1 WHEN 'SELL' THEN -1 END;
    o.size := desk.finite(p_size);
    o.price := desk.finite(p_price);
    o.stop := desk.finite(p_stop);
    o.target := desk.finite(p_target);
    o.signal_id := p_signal;
    o.asked_instrument := p_instrument;

    SELECT a.account_id, a.account_name, a.status, btrim(a.base_currency), a.metadata ->> 'portfolio', a.current_balance,
           a.equity, a.initial_balance, coalesce(a.margin_used, 0), a.max_daily_loss, a.max_total_drawdown,
           a.metadata -> 'risk_day', a.metadata -> 'risk_rules', coalesce(a.metadata ->> 'position_mode' = 'hedging', false),
           a.metadata -> 'commission',
           i.instrument, i.asset_class, i.base_currency, i.quote_currency, i.contract_size, i.size_step, i.min_size,
           i.max_size, i.tick_size, i.pip_size, i.margin_rate, i.is_tradable, i.trading_hours,
           coalesce(r.bid, r.rate), coalesce(r.ask, r.rate), r.rate, r.as_of, r.ask - r.bid,
           coalesce(b.net, 0), coalesce(desk.stop_risk(p), 0), p.stop_loss, p.position_id,
           CASE WHEN a.metadata ->> 'position_mode' = 'hedging' THEN 0 ELSE coalesce(desk.signed_size(p), 0) END,
           d.period_start, d.start_equity, d.start_balance, d.account_id IS NOT NULL
      INTO o.account_id, o.account_name, o.status, o.currency, o.portfolio, o.balance,
           o.equity, o.initial_balance, o.margin_used, o.max_daily_loss, o.max_total_drawdown,
           o.risk_day, o.risk_rules, o.hedging, commission,
           o.instrument, o.asset_class, o.base_currency, o.quote_currency, o.contract_size, o.size_step, o.min_size,
           o.max_size, o.tick_size, o.pip_size, o.margin_rate, o.is_tradable, o.trading_hours,
           o.bid, o.ask, o.mid, o.quoted_at, o.spread, o.net, o.held_risk, o.held_stop, o.position_id, o.held,
           o.day_start, o.day_base, o.day_balance, o.day_base_known
      FROM accounts a
      LEFT JOIN instruments i ON i.instrument = desk.canonical_instrument(p_instrument)
      LEFT JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
      LEFT JOIN desk.account_books b ON b.account_id = a.account_id AND b.instrument = i.instrument
      -- Accounts that hedge keep tickets apart: an opposite order nets nothing there.
      LEFT JOIN positions p ON p.account_id = a.account_id AND p.instrument = i.instrument AND p.netting_key = ''
           AND p.status IN ('open', 'closing') AND a.metadata ->> 'position_mode' IS DISTINCT FROM 'hedging'
      LEFT JOIN performance_metrics d ON d.account_id = a.account_id AND d.period_type = 'daily'
           AND d.period_start <= o.at AND d.period_end > o.at
     WHERE a.account_id = p_account;
    IF o.account_id IS NULL THEN
        RETURN o;
    END IF;
    IF NOT o.day_base_known THEN
        -- Nobody wrote down how the day began: what is known is how it stands.
        SELECT d.starts INTO o.day_start FROM desk.trading_day(o.risk_day, o.at) d;
        o.day_base := o.equity;
        o.day_balance := o.balance;
    END IF;
    o.cost_per_unit := coalesce(desk.number_of(commission -> 'by_instrument' ->> o.instrument), desk.number_of(commission ->> 'per_unit'), 0);
    IF o.risk_rules -> 'drawdown' ->> 'trailing' IS NOT NULL THEN
        -- Handed on from day to day: the last row has them.
        SELECT m.peak_eod_balance, m.peak_equity INTO o.peak_balance, o.peak_equity
          FROM performance_metrics m WHERE m.account_id = p_account AND m.period_type = 'daily' ORDER BY m.period_start DESC LIMIT 1;
    END IF;

    o.closing := CASE WHEN o.held * o.direction < 0 THEN least(abs(o.held), o.size) ELSE 0 END;
    o.opening := o.size - o.closing;

    IF o.instrument IS NOT NULL THEN
        SELECT c.rate, c.as_of INTO o.fx, o.fx_at FROM desk.conversion(o.quote_currency, o.currency) c;
        o.risk := desk.risk_amount(o.direction, o.opening, o.price, o.stop, o.contract_size, o.fx);
        SELECT r.bound, r.scale INTO o.price_bound, o.price_scale FROM desk.column_range('public.trades', 'entry_price') r;
        SELECT r.bound, r.scale INTO o.size_bound, o.size_scale FROM desk.column_range('public.trades', 'position_size') r;
    END IF;
    -- A setting that is gone is not a check that is gone.
    SELECT '{"price_max_age_seconds": "10", "conversion_max_age_seconds": "60", "price_collar_percent": "1", "duplicate_window_seconds": "5",
             "signal_slippage_pips": "10", "stop_required": "true", "max_risk_fraction": "0.10"}'::jsonb
           || coalesce(jsonb_object_agg(s.key, s.value), '{}') INTO o.settings FROM desk.settings s;
    RETURN o;
END $$;

-- ---- books, valued ----------------------------------------------------------------------------

-- The books that limits of an order may look at, before the order, in the account's currency: the
-- account's, and with p_wide those of its portfolio, of the instrument and of all.
CREATE OR REPLACE FUNCTION desk.book_totals(o desk.order_draft, p_wide boolean) RETURNS SETOF desk.book_total
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH held AS (
        SELECT 'account' AS scope, b.instrument, abs(b.net) AS gross, b.net, b.positions, b.risk, b.unbounded
          FROM desk.account_books b WHERE b.account_id = o.account_id
        UNION ALL
        SELECT 'portfolio', b.instrument, b.gross, b.net, b.positions, b.risk, b.unbounded
          FROM desk.portfolio_books b WHERE p_wide AND b.portfolio = o.portfolio
        UNION ALL
        SELECT s.scope, b.instrument, sum(b.gross), sum(b.net), sum(b.positions)::bigint, sum(b.risk), sum(b.unbounded)::bigint
          FROM desk.portfolio_books b, (VALUES ('system'), ('instrument')) AS s (scope)
         WHERE p_wide AND (s.scope = 'system' OR b.instrument = o.instrument)
         GROUP BY 1, 2
    ), valued AS MATERIALIZED (
        SELECT i.instrument,
               -- Nearly every rate is there one way round or the other; the rest goes the long way.
               i.contract_size * CASE WHEN i.quote_currency = o.currency THEN 1
                   ELSE coalesce(direct.rate, 1 / inverse.rate, desk.convert(i.quote_currency, o.currency)) END AS factor,
               -- Without a quote, what its positions were last worth.
               coalesce(r.rate, (SELECT max(coalesce(p.current_price, p.average_entry_price)) FROM positions p
                                  WHERE p.instrument = i.instrument AND p.status IN ('open', 'closing'))) AS mid
          FROM instruments i
          LEFT JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency
          LEFT JOIN fx_rates direct ON direct.from_currency = i.quote_currency AND direct.to_currency = o.currency
          LEFT JOIN fx_rates inverse ON inverse.from_currency = o.currency AND inverse.to_currency = i.quote_currency
         WHERE i.instrument IN (SELECT h.instrument FROM held h WHERE h.positions > 0)
    )
    SELECT h.scope, sum(h.gross * v.mid * v.factor), sum(h.net * v.mid * v.factor), sum(h.risk * v.factor),
           sum(h.positions)::bigint, sum(h.unbounded)::bigint,
           min(h.instrument) FILTER (WHERE v.mid IS NULL OR v.factor IS NULL)
      FROM held h LEFT JOIN valued v USING (instrument)
     WHERE h.positions > 0
     GROUP BY h.scope;
END $$;

-- The exposure to single currencies, or to a group of instruments, of one scope: what there is, and what
-- there is with the order. Both legs of an instrument count: +size in its base, −size · price in its quote.
CREATE OR REPLACE FUNCTION desk.net_sizes(o desk.order_draft, p_scope text)
RETURNS TABLE (instrument text, net numeric, gross numeric) LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_scope = 'account' THEN
        RETURN QUERY SELECT b.instrument, b.net, abs(b.net) FROM desk.account_books b WHERE b.account_id = o.account_id;
    ELSE
        RETURN QUERY SELECT b.instrument, sum(b.net), sum(b.gross) FROM desk.portfolio_books b
                      WHERE p_scope = 'system' OR b.portfolio = o.portfolio GROUP BY b.instrument;
    END IF;
END $$;

-- What an instrument is worth: its mid, else the price that it is ordered at, else what its positions were
-- last worth.
CREATE OR REPLACE FUNCTION desk.worth_of(o desk.order_draft, p_instrument text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT q.mid FROM desk.quote(p_instrument) q), CASE WHEN p_instrument = o.instrument THEN o.price END,
        (SELECT max(coalesce(p.current_price, p.average_entry_price)) FROM positions p
          WHERE p.instrument = p_instrument AND p.status IN ('open', 'closing')));
END $$;

-- Whether a list of instruments, in any of their spellings, has one.
CREATE OR REPLACE FUNCTION desk.lists_instrument(p_instruments jsonb, p_instrument text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN jsonb_typeof(p_instruments) = 'array' AND EXISTS (
        SELECT FROM jsonb_array_elements_text(p_instruments) AS t (name) WHERE desk.canonical_instrument(t.name) = p_instrument);
END $$;

CREATE OR REPLACE FUNCTION desk.currency_exposure(o desk.order_draft, p_scope text, p_currency text,
    OUT before numeric, OUT after numeric, OUT currency text, OUT missing text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH sized AS (
        SELECT n.instrument, n.net AS before, n.net AS after FROM desk.net_sizes(o, p_scope) n WHERE n.net <> 0
        UNION ALL
        SELECT o.instrument, 0, o.direction * o.size WHERE o.size IS NOT NULL
    ), legs AS (
        SELECT leg.currency, leg.before, leg.after, s.instrument
          FROM sized s JOIN instruments i USING (instrument), desk.worth_of(o, s.instrument) w (mid),
               LATERAL (VALUES (i.base_currency, s.before * i.contract_size, s.after * i.contract_size),
                               (i.quote_currency, -s.before * i.contract_size * w.mid, -s.after * i.contract_size * w.mid))
                   AS leg (currency, before, after)
         WHERE p_currency IS NULL OR leg.currency = upper(btrim(p_currency))
    ), summed AS (
        SELECT l.currency, abs(sum(l.before)) * desk.convert(l.currency, o.currency) AS before,
               abs(sum(l.after)) * desk.convert(l.currency, o.currency) AS after,
               min(l.instrument) FILTER (WHERE l.after IS NULL) AS missing
          FROM legs l GROUP BY l.currency
    )
    SELECT coalesce((SELECT max(s.before) FROM summed s), 0), coalesce((SELECT max(s.after) FROM summed s), 0),
           (SELECT s.currency FROM summed s ORDER BY s.after DESC NULLS LAST LIMIT 1),
           (SELECT min(coalesce(s.missing, s.currency)) FROM summed s WHERE s.missing IS NOT NULL OR s.after IS NULL)
      INTO currency_exposure.before, currency_exposure.after, currency_exposure.currency, currency_exposure.missing;
END $$;

CREATE OR REPLACE FUNCTION desk.group_exposure(o desk.order_draft, p_scope text, p_instruments jsonb,
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
           LATERAL (SELECT desk.worth_of(o, s.instrument) * i.contract_size * desk.convert(i.quote_currency, o.currency) AS value) v
     WHERE desk.lists_instrument(p_instruments, s.instrument);
END $$;

-- ---- loss -------------------------------------------------------------------------------------

-- What the accounts of a scope are worth together, and were when a period began, in a currency. A start
-- that nobody wrote down counts as what there is now.
CREATE OR REPLACE FUNCTION desk.equity_of(p_scope text, p_portfolio text, p_account uuid, p_period text, p_currency text,
    OUT equity numeric, OUT started numeric, OUT started_balance numeric, OUT initial numeric,
    OUT peak_balance numeric, OUT peak_equity numeric)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    now_at timestamptz := clock_timestamp(); -- of a variable the index can be asked, of a volatile function not
    unknown boolean;
BEGIN
    -- One account that cannot be converted makes the sum unknown, not smaller.
    SELECT bool_or(c.rate IS NULL), sum(e.equity * c.rate), sum(e.started * c.rate), sum(e.started_balance * c.rate),
           sum(e.initial * c.rate), sum(e.peak_balance * c.rate), sum(e.peak_equity * c.rate)
      INTO unknown, equity_of.equity, equity_of.started, equity_of.started_balance, equity_of.initial,
           equity_of.peak_balance, equity_of.peak_equity
      FROM (SELECT btrim(a.base_currency) AS currency, sum(a.equity) AS equity,
                   sum(CASE WHEN m.period_end > now_at THEN m.start_equity ELSE a.equity END) AS started,
                   sum(CASE WHEN m.period_end > now_at THEN m.start_balance ELSE a.current_balance END) AS started_balance,
                   sum(a.initial_balance) AS initial,
                   sum(greatest(a.initial_balance, m.peak_eod_balance)) AS peak_balance,
                   sum(greatest(a.equity, m.peak_equity)) AS peak_equity
              FROM accounts a
              -- Peaks are handed on from row to row: they hold until the next one is written.
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

-- ---- every limit in force, measured -----------------------------------------------------------

-- Whether weekly hours can be read: a zone that exists, and spans of a day and a time each.
CREATE OR REPLACE FUNCTION desk.hours_suit(p_hours jsonb) RETURNS boolean
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

-- Whether a limit that needs more than a number has it, and it names what there is.
CREATE OR REPLACE FUNCTION desk.parameters_suit(p_type text, p_scope text, p_parameters jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_type = 'trading_hours' THEN
        RETURN desk.hours_suit(p_parameters -> 'hours');
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
    RETURN false; -- [1] where a name should be, and the like
END $$;

-- One number of one limit, before and with an order, as a ratio or count or in the currency of the
-- account; `share` is what percentages are of. `fault` says why there is no number.
DO $$
BEGIN
    IF to_regtype('desk.measured') IS NULL THEN
        CREATE TYPE desk.measured AS (before numeric, after numeric, share numeric, fault text, hint text);
    END IF;
END $$;

-- How far the equity of a scope is below the point from which the floor of a loss rule hangs.
CREATE OR REPLACE FUNCTION desk.measure_loss(o desk.order_draft, l risk_limits, p_place text) RETURNS desk.measured
LANGUAGE plpgsql STABLE AS $$
DECLARE
    worth record;
    base  numeric;
    lost  numeric;
    bound numeric;
    share numeric;
    money text := desk.unit_currency(l.limit_unit);
BEGIN
    IF p_place = 'account' AND l.limit_type IN ('max_daily_loss', 'max_drawdown') THEN
        SELECT o.equity AS equity, o.day_base AS started, o.day_balance AS started_balance, o.initial_balance AS initial,
               o.peak_balance AS peak_balance, o.peak_equity AS peak_equity INTO worth;
        IF l.parameters ->> 'trailing' IS NOT NULL AND worth.peak_balance IS NULL THEN
            SELECT d.peak_eod_balance, d.peak_equity INTO worth.peak_balance, worth.peak_equity
              FROM performance_metrics d WHERE d.account_id = o.account_id AND d.period_type = 'daily' ORDER BY d.period_start DESC LIMIT 1;
        END IF;
    ELSE
        SELECT * INTO worth FROM desk.equity_of(p_place, coalesce(l.scope_identifier, o.portfolio), o.account_id,
            CASE l.limit_type WHEN 'max_weekly_loss' THEN 'weekly' WHEN 'max_monthly_loss' THEN 'monthly' ELSE 'daily' END, o.currency);
    END IF;
    IF l.limit_type = 'max_drawdown' THEN
        -- From the peak, as far as the lock lets it rise.
        share := worth.initial;
        bound := l.limit_value * CASE l.limit_unit WHEN 'percentage' THEN share / 100 WHEN 'fraction' THEN share
                                                   ELSE coalesce(desk.convert(money, o.currency), 1) END;
        lost := bound - worth.equity + desk.drawdown_floor(coalesce('trailing_' || (l.parameters ->> 'trailing'), 'static'), bound,
            worth.initial, worth.peak_balance, worth.peak_equity,
            CASE WHEN l.parameters ->> 'lock' = 'initial' THEN worth.initial ELSE desk.number_of(l.parameters ->> 'lock') * coalesce(desk.convert(money, o.currency), 1) END);
    ELSE
        base := CASE l.parameters ->> 'base' WHEN 'balance' THEN worth.started_balance
            WHEN 'higher' THEN greatest(worth.started, worth.started_balance) ELSE worth.started END;
        share := CASE l.parameters ->> 'of' WHEN 'initial' THEN worth.initial ELSE base END;
        lost := base - worth.equity;
    END IF;
    RETURN ROW(lost, lost, share, NULL, NULL)::desk.measured;
END $$;

-- Limits that ask for more than the order and the books.
CREATE OR REPLACE FUNCTION desk.measure_special(o desk.order_draft, l risk_limits, p_place text) RETURNS desk.measured
LANGUAGE plpgsql STABLE AS $$
DECLARE
    m desk.measured;
    counted record;
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
        -- No further than the limit: more is as much too many.
        SELECT count(*) INTO m.before
          FROM (SELECT FROM trade_registry r
                 WHERE r.account_id = o.account_id AND r.entry_time >= o.day_start
                   AND (l.limit_scope <> 'instrument' OR coalesce(r.instrument, o.instrument) = o.instrument)
                 LIMIT l.limit_value + 1) e;
        m.after := m.before + 1;
    WHEN 'max_orders_per_minute' THEN
        IF p_place = 'system' AND l.scope_identifier <> 'person' AND lower(btrim(l.scope_identifier)) <> lower(session_user) THEN
            m.after := 0; -- somebody else's
        ELSE
            m.before := desk.orders_in_a_minute(o, CASE WHEN p_place = 'account' THEN o.account_id END,
                CASE WHEN p_place = 'system' AND l.scope_identifier IS NOT NULL THEN session_user::text END, l.limit_value);
            m.after := m.before + 1;
        END IF;
    WHEN 'max_consecutive_losses' THEN
        m.after := desk.losing_streak(o.account_id, o.day_start);
    WHEN 'max_loss_per_position' THEN
        -- Over an instrument without an account: the worst of everybody's.
        SELECT coalesce(greatest(0, max(-p.unrealized_pnl * CASE WHEN p.account_id = o.account_id THEN 1 ELSE desk.convert(a.base_currency, o.currency) END)), 0)
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

-- The equity of what a limit looks at, in the currency of the account.
CREATE OR REPLACE FUNCTION desk.scope_equity(o desk.order_draft, l risk_limits, p_place text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT e.equity FROM desk.equity_of(p_place, coalesce(l.scope_identifier, o.portfolio), o.account_id, 'daily', o.currency) e);
END $$;

-- Each limit with what it measures, before and with the order, and what it allows. Live: without an
-- order, what is open now. For an order that is being booked, only what needs a word: faults, breaches,
-- warnings at the stop.
--
-- Amounts are unrounded but for the dust that dividing by a rate leaves: 1.1 · (1 / 1.1) is not quite 1.
-- All in one statement, because an order waits for it: row by row it took ten times as long.
CREATE OR REPLACE FUNCTION desk.measure_limits(o desk.order_draft, p_live boolean, p_without uuid[] DEFAULT '{}') RETURNS desk.limit_measure[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- What the order adds to any book that holds it, in the account's currency.
    value      numeric := o.contract_size * o.fx;
    mid        numeric := coalesce(o.mid, o.price);
    after_net  numeric := o.net + coalesce(o.direction * o.size, 0);
    add_gross  numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (abs(after_net) * o.price - abs(o.net) * mid) * value END;
    add_net    numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (after_net * o.price - o.net * mid) * value END;
    add_risk   numeric := CASE WHEN o.size IS NULL THEN 0 ELSE coalesce(o.risk, 0)
                               - CASE WHEN o.closing > 0 THEN o.held_risk * o.closing / abs(o.held) * value ELSE 0 END END;
    add_count  integer := CASE WHEN o.size IS NULL THEN 0
                               WHEN o.closing > 0 AND o.opening = 0 AND o.closing = abs(o.held) THEN -1
                               WHEN o.closing = 0 AND o.held = 0 THEN 1 ELSE 0 END;
    per_lot    numeric := CASE o.asset_class WHEN 'fx' THEN 100000 / o.contract_size ELSE 1 END;
    every_one  boolean := p_live OR o.is_preview;
    measures   desk.limit_measure[];
BEGIN
    WITH limited AS MATERIALIZED (
        SELECT l, k.limit_type, l.limit_type AS named, l.limit_id, l.limit_scope, l.limit_value, l.limit_unit, l.warning_threshold, l.parameters,
               k.reads_book, k.is_minimum, k.is_loss, CASE l.parameters ->> 'inclusive' WHEN 'true' THEN true WHEN 'false' THEN false ELSE k.inclusive END AS inclusive,
               desk.unit_currency(l.limit_unit) AS money,
               CASE WHEN l.limit_scope = 'account' OR (l.account_id IS NOT NULL AND l.limit_scope <> 'instrument') THEN 'account'
                    WHEN l.limit_scope = 'instrument' AND l.account_id IS NOT NULL THEN 'mine' ELSE l.limit_scope END AS place,
               CASE WHEN NOT coalesce(k.enforced, false) OR NOT l.limit_scope = ANY (k.scopes) THEN 'LIMIT_NOT_ENFORCED'
                    WHEN NOT (l.limit_unit = ANY (k.units) OR ('money' = ANY (k.units) AND desk.unit_currency(l.limit_unit) IS NOT NULL))
                        THEN 'LIMIT_UNIT_UNKNOWN'
                    WHEN NOT desk.parameters_suit(l.limit_type, l.limit_scope, l.parameters) THEN 'LIMIT_PARAMETERS_INVALID' END AS fault
          FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) l
          LEFT JOIN desk.limit_types k USING (limit_type)
         WHERE (k.limit_type IS NULL OR NOT k.enforced OR CASE WHEN p_live THEN k.live ELSE k.before_trade END)
           AND NOT l.limit_id = ANY (p_without)
    ), book AS MATERIALIZED (
        SELECT * FROM desk.book_totals(o, EXISTS (SELECT FROM limited l WHERE l.reads_book AND l.place IN ('portfolio', 'system', 'instrument')))
         WHERE EXISTS (SELECT FROM limited l WHERE l.reads_book)
        UNION ALL
        -- One account in one instrument.
        SELECT 'mine', abs(o.net) * mid * value, NULL, NULL,
               coalesce((SELECT b.positions FROM desk.account_books b WHERE b.account_id = o.account_id AND b.instrument = o.instrument), 0), NULL, NULL
    ), numbered AS (
        SELECT l.*, CASE
            WHEN l.fault IS NOT NULL THEN ROW(NULL, NULL, NULL, l.fault, NULL)::desk.measured
            WHEN b.missing IS NOT NULL AND l.limit_type <> 'max_open_positions' THEN ROW(NULL, NULL, NULL, 'NO_CONVERSION_RATE', b.missing)::desk.measured
            WHEN l.limit_type = 'max_exposure' THEN ROW(coalesce(b.gross, 0), coalesce(b.gross, 0) + add_gross, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_net_exposure' THEN ROW(abs(coalesce(b.net, 0)), abs(coalesce(b.net, 0) + add_net), NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_open_risk' THEN ROW(coalesce(b.risk, 0), coalesce(b.risk, 0) + add_risk, NULL,
                CASE WHEN coalesce(b.unbounded, 0) > 0 OR (o.opening > 0 AND o.stop IS NULL) THEN 'RISK_UNBOUNDED' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_open_positions' THEN ROW(coalesce(b.positions, 0), coalesce(b.positions, 0) + add_count, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_leverage' THEN ROW(coalesce(b.gross, 0) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                (coalesce(b.gross, 0) + add_gross) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END, NULL,
                CASE WHEN o.equity <= 0 THEN 'NO_EQUITY' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_position_size' THEN CASE l.limit_unit
                WHEN 'units' THEN ROW(abs(o.net), abs(after_net), NULL, NULL, NULL)::desk.measured
                WHEN 'lots' THEN ROW(abs(o.net) / per_lot, abs(after_net) / per_lot, NULL, NULL, NULL)::desk.measured
                ELSE ROW(abs(o.net) * mid * value, abs(after_net) * o.price * value, NULL, NULL, NULL)::desk.measured END
            WHEN l.limit_type = 'max_order_size' THEN ROW(NULL, o.opening / CASE l.limit_unit WHEN 'lots' THEN per_lot ELSE 1 END, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_order_value' THEN ROW(NULL, o.opening * o.price * value, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_risk_per_trade' THEN ROW(NULL, o.risk, NULL, CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measured
            WHEN l.is_loss THEN desk.measure_loss(o, l.l, l.place)
            -- Without margin there is no level, and nothing to guard.
            WHEN l.limit_type = 'min_margin_level' THEN ROW(
                o.equity / nullif(o.margin_used, 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                o.equity / nullif(o.margin_used + coalesce(add_gross * o.margin_rate, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'price_collar' THEN ROW(NULL, CASE l.limit_unit WHEN 'pips' THEN abs(o.price - o.mid) / o.pip_size
                WHEN 'fraction' THEN abs(o.price / o.mid - 1) ELSE abs(o.price / o.mid - 1) * 100 END, NULL,
                CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type IN ('min_stop_distance', 'max_stop_distance') THEN ROW(NULL, abs(o.price - o.stop) / o.pip_size, NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measured
            -- After costs: (reward − cost) / (risk + cost), cost being the round trip.
            WHEN l.limit_type = 'min_risk_reward' THEN ROW(NULL, (abs(o.target - o.price) * value - 2 * o.cost_per_unit)
                    / nullif(abs(o.price - o.stop) * value + 2 * o.cost_per_unit, 0), NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' WHEN o.target IS NULL THEN 'TARGET_REQUIRED' END, NULL)::desk.measured
            WHEN l.limit_type = 'duplicate_window' THEN ROW(NULL, 0, NULL, NULL, NULL)::desk.measured -- widens what desk.judge_market looks at
            WHEN l.limit_type = 'max_spread' THEN ROW(NULL, o.spread / o.pip_size, NULL, CASE WHEN o.spread IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_price_age' THEN ROW(NULL, extract(epoch FROM o.at - o.quoted_at), NULL, CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type = 'trading_hours' THEN ROW(NULL, CASE WHEN desk.is_open(l.parameters -> 'hours', o.at) THEN 0 ELSE 1 END, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'restricted_instrument' THEN ROW(NULL,
                CASE WHEN l.limit_scope = 'instrument' OR desk.lists_instrument(l.parameters -> 'instruments', o.instrument) THEN 1 ELSE 0 END, NULL, NULL, NULL)::desk.measured
            ELSE desk.measure_special(o, l.l, l.place) END AS n,
            CASE WHEN l.limit_type IN ('max_leverage', 'min_margin_level', 'price_collar', 'trading_hours', 'restricted_instrument') THEN false
                 ELSE l.money IS NOT NULL OR l.limit_unit IN ('percentage', 'fraction') END AS is_money
          FROM limited l LEFT JOIN book b ON l.reads_book AND b.scope = l.place
        OFFSET 0
    ), weighed AS (
        SELECT n.*, CASE WHEN n.is_money AND n.money <> o.currency THEN desk.convert(o.currency, n.money) ELSE 1 END AS rate,
               CASE WHEN n.limit_type IN ('trading_hours', 'restricted_instrument') THEN 0
                    WHEN NOT n.is_money OR n.money IS NOT NULL THEN n.limit_value
                    -- Percentages of what the scope is worth.
                    ELSE coalesce((n.n).share, CASE WHEN n.place IN ('portfolio', 'system', 'instrument') AND (n.l).account_id IS NULL
                                                    THEN desk.scope_equity(o, n.l, n.place) ELSE o.equity END)
                         * n.limit_value / CASE n.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END END AS allowed
          FROM numbered n
        OFFSET 0
    ), judged AS (
        SELECT w.*, round((w.n).after * w.rate, 8) AS after_, round(w.allowed, 8) AS allowed_,
               CASE WHEN (w.n).fault IS NOT NULL THEN (w.n).fault
                    WHEN (w.n).after * w.rate IS NULL OR w.allowed IS NULL THEN 'NO_CONVERSION_RATE' END AS fault_
          FROM weighed w
    ), stood AS (
        SELECT j.*, CASE WHEN j.is_minimum THEN j.after_ < j.allowed_ WHEN j.inclusive THEN j.after_ >= j.allowed_ ELSE j.after_ > j.allowed_ END
                    AND j.fault_ IS NULL AND j.limit_type <> 'duplicate_window' AS breach,
               coalesce(j.is_loss AND j.after_ + coalesce(o.risk * j.rate, 0) >= j.allowed_, false) AND j.fault_ IS NULL AS over_at_stop
          FROM judged j
    )
    SELECT array_agg(ROW(s.limit_id, s.named, s.limit_scope, (s.n).before * s.rate,
                         -- What a loss would be at the stop; breached is what is lost already.
                         CASE WHEN s.is_loss AND NOT p_live THEN s.after_ + coalesce(o.risk * s.rate, 0) ELSE s.after_ END,
                         CASE WHEN s.fault_ IS NULL THEN s.allowed_ ELSE s.limit_value END,
                         CASE WHEN s.fault_ IS NULL THEN desk.warning_level(s.allowed_, s.allowed_ * s.warning_threshold / s.limit_value, s.is_minimum) END,
                         CASE WHEN s.fault_ IS NULL AND s.is_money AND s.money IS NULL THEN o.currency ELSE s.limit_unit END,
                         s.inclusive, s.is_minimum, s.is_loss, s.breach, s.over_at_stop, s.fault_, (s.n).hint)::desk.limit_measure
                     ORDER BY s.named, s.limit_scope, s.limit_id)
      INTO measures
      FROM stood s
     WHERE NOT (s.named = 'min_margin_level' AND s.fault_ IS DISTINCT FROM 'LIMIT_NOT_ENFORCED' AND (s.n).after IS NULL AND o.margin_used = 0)
       AND (every_one OR s.fault_ IS NOT NULL OR s.breach OR s.over_at_stop OR s.limit_type = 'duplicate_window');
    RETURN coalesce(measures, '{}');
END $$;

-- Orders accepted in the last 60 s, of an account, of a person, or of all: (t − 60 s, t]. Counted no further
-- than p_most: more is as much too many.
CREATE OR REPLACE FUNCTION desk.orders_in_a_minute(o desk.order_draft, p_account uuid, p_person text, p_most numeric) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF o.settings ->> 'rate_counts_refused' = 'true' THEN
        RETURN (SELECT count(*) FROM desk.audit_log l
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
CREATE INDEX IF NOT EXISTS idx_audit_log_orders ON desk.audit_log (at) WHERE verb = 'place_trade';

-- How many closes in a row lost money, since the trading day began.
CREATE OR REPLACE FUNCTION desk.losing_streak(p_account uuid, p_since timestamptz) RETURNS integer
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
