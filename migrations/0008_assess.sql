-- Every check of a trade. One function per group; desk.assess_trade puts them in order. The preview
-- while a person types and the verdict under lock are this same code.
SET LOCAL ROLE tmt_owner;

-- ---- vocabulary -------------------------------------------------------------------------------

-- What limit types there are. One that is not enforced yet, or not known at all, never disappears: it
-- is a line of every assessment, with the code LIMIT_NOT_ENFORCED.
CREATE TABLE IF NOT EXISTS desk.limit_types (
    limit_type  text PRIMARY KEY,
    description text NOT NULL,
    units       text[] NOT NULL,        -- of: money (any currency), percentage, fraction, units, lots, …
    scopes      text[] NOT NULL,
    is_minimum  boolean NOT NULL DEFAULT false, -- tighter means larger
    inclusive   boolean NOT NULL DEFAULT false, -- reaching the limit is a breach, not only passing it
    enforced    boolean NOT NULL        -- by desk.check_limits of this version
);
INSERT INTO desk.limit_types (limit_type, description, units, scopes, is_minimum, inclusive, enforced) VALUES
    ('max_exposure', 'gross exposure after the trade', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true),
    ('max_position_size', 'size held in one instrument after the trade', '{units,lots,money,percentage,fraction}', '{account,instrument}', false, false, true),
    ('max_order_size', 'size of one order', '{units,lots}', '{account,instrument,portfolio,system}', false, false, true),
    ('max_order_value', 'value of one order', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true),
    ('max_risk_per_trade', 'money lost if the stop is hit', '{money,percentage,fraction}', '{account,instrument,portfolio,system}', false, false, true),
    ('max_open_positions', 'live positions after the trade', '{count}', '{account,instrument,portfolio,system}', false, false, true),
    ('max_daily_trades', 'trades opened in this trading day', '{count}', '{account,instrument}', false, false, true),
    ('max_daily_loss', 'equity lost since the trading day began', '{money,percentage,fraction}', '{account}', false, true, true),
    ('max_drawdown', 'equity lost since the start', '{money,percentage,fraction}', '{account}', false, true, true),
    ('max_net_exposure', 'net exposure', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, false),
    ('max_currency_exposure', 'exposure to one currency', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, false),
    ('max_open_risk', 'sum of the risk of all open trades', '{money,percentage,fraction}', '{account,portfolio,system}', false, false, false),
    ('max_weekly_loss', 'equity lost since the week began', '{money,percentage,fraction}', '{account,portfolio,system}', false, true, false),
    ('max_monthly_loss', 'equity lost since the month began', '{money,percentage,fraction}', '{account,portfolio,system}', false, true, false),
    ('max_loss_per_position', 'open loss of one position', '{money,percentage,fraction}', '{account,instrument}', false, true, false),
    ('max_leverage', 'gross exposure over equity', '{ratio,percentage}', '{account}', false, false, false),
    ('min_margin_level', 'equity over margin used', '{ratio,percentage}', '{account}', true, false, false),
    ('price_collar', 'distance of a price from the last mid', '{percentage,pips}', '{instrument,system}', false, false, false),
    ('min_stop_distance', 'distance of the stop', '{pips}', '{account,instrument}', true, false, false),
    ('max_stop_distance', 'distance of the stop', '{pips}', '{account,instrument}', false, false, false),
    ('min_risk_reward', 'reward over risk', '{ratio}', '{account,instrument}', true, false, false),
    ('max_orders_per_minute', 'accepted orders in 60 seconds', '{count}', '{account,system}', false, false, false),
    ('duplicate_window', 'seconds in which a twin asks for a reason', '{seconds}', '{account}', false, false, false),
    ('max_consecutive_losses', 'losing trades in a row today', '{count}', '{account}', false, true, false),
    ('max_spread', 'spread of the last quote', '{pips}', '{instrument}', false, false, false),
    ('max_price_age', 'age of the last quote', '{seconds}', '{instrument}', false, false, false),
    ('max_correlated_exposure', 'exposure to a group of instruments', '{money,percentage,fraction}', '{account,portfolio}', false, false, false),
    ('trading_hours', 'hours in which an instrument trades', '{list}', '{account,instrument}', false, false, false),
    ('restricted_instrument', 'instruments that may not be traded', '{list}', '{account,instrument}', false, false, false)
ON CONFLICT (limit_type) DO UPDATE SET description = EXCLUDED.description, units = EXCLUDED.units,
    scopes = EXCLUDED.scopes, is_minimum = EXCLUDED.is_minimum, inclusive = EXCLUDED.inclusive, enforced = EXCLUDED.enforced;

DO $$
BEGIN
    IF to_regtype('desk.check_result') IS NULL THEN
        CREATE TYPE desk.check_result AS (
            code     text,
            severity text,      -- reject, confirm, info; info has passed
            before   numeric,
            measured numeric,   -- with the trade
            allowed  numeric,
            unit     text,
            room     numeric,   -- allowed − measured
            limit_id uuid,
            message  text
        );
        -- An order with everything about its account, its instrument and the market that a check may
        -- ask for: read once, so that all checks judge the same picture.
        CREATE TYPE desk.order_draft AS (
            at timestamptz,
            account_id uuid, account_name text, status text, currency text, portfolio text,
            balance numeric, equity numeric, initial_balance numeric, margin_used numeric,
            max_daily_loss numeric, max_total_drawdown numeric, day_start timestamptz, day_base numeric, day_base_known boolean,
            asked_instrument text, instrument text, asset_class text, base_currency text, quote_currency text,
            contract_size numeric, size_step numeric, min_size numeric, max_size numeric,
            tick_size numeric, pip_size numeric, margin_rate numeric, is_tradable boolean,
            side text, direction integer,             -- BUY +1, SELL −1
            size numeric, price numeric, stop numeric, target numeric, signal_id uuid,
            position_id uuid, held numeric,           -- signed; what one netting position holds now
            closing numeric, opening numeric,         -- how the order splits: less risk, new risk
            bid numeric, ask numeric, mid numeric, quoted_at timestamptz,
            fx numeric, fx_at timestamptz,            -- quote to account currency
            risk numeric,                             -- unrounded, account currency; NULL is unknown
            price_bound numeric, price_scale integer, size_bound numeric, size_scale integer,
            settings jsonb                            -- of desk.settings, all of them
        );
    END IF;
END $$;

-- One line of an assessment.
CREATE OR REPLACE FUNCTION desk.line(p_code text, p_severity text, p_message text, p_before numeric DEFAULT NULL,
    p_measured numeric DEFAULT NULL, p_allowed numeric DEFAULT NULL, p_unit text DEFAULT NULL, p_limit uuid DEFAULT NULL)
RETURNS desk.check_result LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(p_code, p_severity, trim_scale(round(p_before, 8)), trim_scale(round(p_measured, 8)),
               trim_scale(round(p_allowed, 8)), p_unit, trim_scale(round(p_allowed - p_measured, 8)),
               p_limit, p_message)::desk.check_result
$$;

-- ---- the trading day --------------------------------------------------------------------------

-- The trading day that contains an instant: accounts.metadata->'risk_day' = {"tz", "reset_time"}, by
-- default from midnight UTC. Counted in that zone, so a day may have 23 or 25 hours.
CREATE OR REPLACE FUNCTION desk.trading_day(p_risk_day jsonb, p_at timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone  text := coalesce(p_risk_day ->> 'tz', 'UTC');
    reset interval;
    local timestamp;
BEGIN
    reset := coalesce(p_risk_day ->> 'reset_time', '00:00')::interval;
    local := date_trunc('day', (p_at AT TIME ZONE zone) - reset) + reset;
    starts := local AT TIME ZONE zone;
    ends := (local + interval '1 day') AT TIME ZONE zone;
EXCEPTION WHEN invalid_parameter_value OR invalid_datetime_format OR datetime_field_overflow THEN
    -- A zone or a time that nobody can read must not stop an account; its day is then UTC's.
    starts := date_trunc('day', p_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    ends := starts + interval '24 hours';
END $$;

-- What an account column max_daily_loss allows, in its currency: up to 1 it is a fraction of the initial
-- balance, above it an amount; nothing if it is not positive.
CREATE OR REPLACE FUNCTION desk.daily_loss_amount(p_value numeric, p_initial numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_value <= 0 THEN NULL WHEN p_value <= 1 THEN p_value * p_initial ELSE p_value END
$$;

-- Money lost if the stop is hit, unrounded: never below zero, as a stop beyond the entry locks a gain in.
CREATE OR REPLACE FUNCTION desk.risk_amount(p_direction integer, p_size numeric, p_price numeric, p_stop numeric,
    p_contract_size numeric, p_fx numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_stop IS NULL THEN NULL
                ELSE greatest(0, (p_price - p_stop) * p_direction) * p_size * p_contract_size * p_fx END
$$;

-- ---- the order and its surroundings -----------------------------------------------------------

-- How large a number a NUMERIC column can hold (less than `bound`), and to how many decimals: read from
-- the column, because an adopted database may have widened it.
CREATE OR REPLACE FUNCTION desk.column_range(p_table regclass, p_column text, OUT bound numeric, OUT scale integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    typmod integer;
BEGIN
    SELECT a.atttypmod - 4 INTO typmod FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_column;
    -- Without a declared precision everything fits.
    scale := CASE WHEN typmod < 0 THEN 10 ELSE typmod & 65535 END;
    bound := CASE WHEN typmod < 0 THEN 10::numeric ^ 18 ELSE 10::numeric ^ (((typmod >> 16) & 65535) - (typmod & 65535)) END;
END $$;

-- NaN and infinity are numbers to PostgreSQL but not to a desk.
CREATE OR REPLACE FUNCTION desk.finite(p_value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_value = 'NaN' OR abs(p_value) = 'Infinity' THEN NULL ELSE p_value END
$$;

CREATE OR REPLACE FUNCTION desk.draft_order(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid) RETURNS desk.order_draft
LANGUAGE plpgsql STABLE AS $$
DECLARE
    o desk.order_draft;
    risk_day jsonb;
BEGIN
    o.at := clock_timestamp();
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
           a.metadata -> 'risk_day'
      INTO o.account_id, o.account_name, o.status, o.currency, o.portfolio, o.balance,
           o.equity, o.initial_balance, o.margin_used, o.max_daily_loss, o.max_total_drawdown, risk_day
      FROM accounts a WHERE a.account_id = p_account;
    SELECT d.starts INTO o.day_start FROM desk.trading_day(risk_day, o.at) d;
    SELECT m.start_equity, true INTO o.day_base, o.day_base_known
      FROM performance_metrics m
     WHERE m.account_id = p_account AND m.period_type = 'daily' AND m.period_start = o.day_start;
    -- Nobody wrote down how the day began: what is known is how it stands.
    o.day_base := coalesce(o.day_base, o.equity);

    SELECT i.instrument, i.asset_class, i.base_currency, i.quote_currency, i.contract_size, i.size_step, i.min_size,
           i.max_size, i.tick_size, i.pip_size, i.margin_rate, i.is_tradable
      INTO o.instrument, o.asset_class, o.base_currency, o.quote_currency, o.contract_size, o.size_step, o.min_size,
           o.max_size, o.tick_size, o.pip_size, o.margin_rate, o.is_tradable
      FROM instruments i WHERE i.instrument = desk.canonical_instrument(p_instrument);
    SELECT q.bid, q.ask, q.mid, q.as_of INTO o.bid, o.ask, o.mid, o.quoted_at FROM desk.quote(o.instrument) q;
    SELECT c.rate, c.as_of INTO o.fx, o.fx_at FROM desk.conversion(o.quote_currency, o.currency) c;

    -- Accounts that hedge keep tickets apart: an opposite order nets nothing there.
    SELECT p.position_id, CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END
      INTO o.position_id, o.held
      FROM positions p
     WHERE p.account_id = p_account AND p.instrument = o.instrument AND p.netting_key = ''
       AND p.status IN ('open', 'closing');
    o.held := coalesce(o.held, 0);
    o.closing := CASE WHEN o.held * o.direction < 0 THEN least(abs(o.held), o.size) ELSE 0 END;
    o.opening := o.size - o.closing;

    o.risk := desk.risk_amount(o.direction, o.opening, o.price, o.stop, o.contract_size, o.fx);

    SELECT r.bound, r.scale INTO o.price_bound, o.price_scale FROM desk.column_range('public.trades', 'entry_price') r;
    SELECT r.bound, r.scale INTO o.size_bound, o.size_scale FROM desk.column_range('public.trades', 'position_size') r;
    SELECT jsonb_object_agg(s.key, s.value) INTO o.settings FROM desk.settings s;
    RETURN o;
END $$;

-- ---- 1, 2, 3: person, halts and status, instrument --------------------------------------------

CREATE OR REPLACE FUNCTION desk.check_person(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT desk.may('tmt_trader', 'tmt_admin', 'tmt_agent') THEN
        RETURN NEXT desk.line('NOT_PERMITTED', 'reject', format('%s may look but not trade.', session_user));
    END IF;
    IF o.account_id IS NULL THEN
        RETURN NEXT desk.line('ACCOUNT_UNKNOWN', 'reject', 'There is no such account.');
    END IF;
END $$;

-- The halts in force for an account and an instrument.
CREATE OR REPLACE FUNCTION desk.halts_in_force(p_account uuid, p_portfolio text, p_instrument text)
RETURNS SETOF trading_halts LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT h.* FROM trading_halts h
     WHERE h.cleared_at IS NULL
       AND CASE h.scope WHEN 'system' THEN true
                        WHEN 'account' THEN h.account_id = p_account
                        WHEN 'portfolio' THEN h.scope_identifier = p_portfolio
                        WHEN 'instrument' THEN h.scope_identifier = p_instrument END
     ORDER BY array_position(ARRAY['system', 'portfolio', 'account', 'instrument'], h.scope::text), h.set_at;
END $$;

CREATE OR REPLACE FUNCTION desk.check_standing(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    halt trading_halts%ROWTYPE;
    reduces boolean := o.opening = 0 AND o.closing > 0;
    halted boolean := false;
    advice text := CASE WHEN o.held <> 0 THEN ' Only closing is possible.' ELSE '' END;
BEGIN
    FOR halt IN SELECT * FROM desk.halts_in_force(o.account_id, o.portfolio, o.instrument) LOOP
        halted := true;
        RETURN NEXT desk.line('TRADING_HALT', CASE WHEN reduces THEN 'info' ELSE 'reject' END,
            format('%s halted by %s since %s: %s.%s',
                CASE halt.scope WHEN 'system' THEN 'All trading is' WHEN 'account' THEN 'This account is'
                    WHEN 'portfolio' THEN format('Portfolio %s is', halt.scope_identifier)
                    ELSE format('%s is', halt.scope_identifier) END,
                halt.set_by, to_char(halt.set_at AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'), rtrim(halt.reason, '.'), advice));
    END LOOP;
    IF NOT halted THEN
        RETURN NEXT desk.line('TRADING_HALT', 'info', 'No halt is in force.');
    END IF;
    RETURN NEXT CASE
        WHEN o.status = 'active' THEN desk.line('ACCOUNT_STATUS', 'info', 'The account is active.')
        WHEN o.status = 'closed' THEN desk.line('ACCOUNT_CLOSED', 'reject', 'The account is closed.')
        ELSE desk.line('ACCOUNT_' || upper(o.status), CASE WHEN reduces THEN 'info' ELSE 'reject' END,
                       format('The account is %s.%s', replace(o.status, '_', ' '), advice))
    END;
END $$;

CREATE OR REPLACE FUNCTION desk.check_instrument(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF o.instrument IS NULL THEN
        RETURN NEXT desk.line('INSTRUMENT_UNKNOWN', 'reject', format('%s is not an instrument of this desk.', o.asked_instrument));
    ELSIF NOT o.is_tradable AND o.opening > 0 THEN
        RETURN NEXT desk.line('INSTRUMENT_NOT_TRADABLE', 'reject', format('%s is switched off for new trades.', o.instrument));
    END IF;
END $$;

-- ---- 4: shape ---------------------------------------------------------------------------------

-- The first fault of a price, or nothing. A price beyond the decimals of the column is not a tick: the
-- column would round it to another price.
CREATE OR REPLACE FUNCTION desk.price_fault(o desk.order_draft, p_what text, p_price numeric)
RETURNS desk.check_result LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN p_price <= 0 OR round(p_price, o.price_scale) >= o.price_bound THEN
            desk.line('PRICE_OUT_OF_RANGE', 'reject', format('The %s %s is outside what can be booked.', p_what, desk.plain(p_price)),
                      NULL, p_price, o.price_bound, 'price')
        WHEN p_price % o.tick_size <> 0 OR p_price <> round(p_price, o.price_scale) THEN
            desk.line('PRICE_NOT_A_TICK', 'reject', format('The %s %s is not a multiple of the tick %s.', p_what,
                      desk.plain(p_price), desk.plain(o.tick_size)), NULL, p_price, o.tick_size, 'price')
    END;
END $$;

CREATE OR REPLACE FUNCTION desk.check_shape(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    fault desk.check_result;
    after numeric := abs(o.held + o.direction * o.size);
    reward_to_risk numeric;
BEGIN
    IF o.direction IS NULL THEN
        RETURN NEXT desk.line('SIDE_UNKNOWN', 'reject', 'The side is neither BUY nor SELL.');
    END IF;
    IF o.price IS NULL THEN
        RETURN NEXT desk.line('PRICE_MISSING', 'reject', 'There is no price.');
    END IF;
    IF o.size IS NULL THEN
        RETURN NEXT desk.line('SIZE_MISSING', 'reject', 'There is no size.');
    END IF;

    fault := desk.price_fault(o, 'price', o.price);
    IF fault.code IS NOT NULL THEN
        RETURN NEXT fault;
    END IF;
    IF o.opening > 0 OR o.opening IS NULL THEN
        fault := desk.price_fault(o, 'stop', o.stop);
        IF fault.code IS NOT NULL THEN
            RETURN NEXT fault;
        END IF;
        fault := desk.price_fault(o, 'target', o.target);
        IF fault.code IS NOT NULL THEN
            RETURN NEXT fault;
        END IF;
    END IF;

    IF o.size % o.size_step <> 0 OR o.size <> round(o.size, o.size_scale) THEN
        RETURN NEXT desk.line('SIZE_NOT_A_STEP', 'reject', format('The size %s is not a multiple of the step %s.',
            desk.plain(o.size), desk.plain(greatest(o.size_step, 10::numeric ^ (-o.size_scale)))), NULL, o.size, o.size_step, 'units');
    END IF;
    -- What is left after a close may be as small as it likes; only new risk has a minimum.
    IF o.size <= 0 OR (o.opening > 0 AND o.opening < o.min_size) THEN
        RETURN NEXT desk.line('SIZE_BELOW_MINIMUM', 'reject', format('The size %s is below the minimum %s.',
            desk.plain(coalesce(nullif(o.opening, 0), o.size)), desk.plain(o.min_size)), NULL, o.opening, o.min_size, 'units');
    END IF;
    IF o.opening > o.max_size THEN
        RETURN NEXT desk.line('SIZE_ABOVE_MAXIMUM', 'reject', format('The size %s is above the maximum %s.',
            desk.plain(o.opening), desk.plain(o.max_size)), NULL, o.opening, o.max_size, 'units');
    END IF;
    IF o.size >= o.size_bound OR after >= o.size_bound THEN
        RETURN NEXT desk.line('SIZE_OUT_OF_RANGE', 'reject', 'The size is larger than can be booked.', NULL, greatest(o.size, after), o.size_bound, 'units');
    END IF;

    IF coalesce(o.opening, 1) = 0 THEN
        RETURN; -- stop and target are of no use to a close
    END IF;
    IF o.stop = o.price THEN
        RETURN NEXT desk.line('STOP_DISTANCE_ZERO', 'reject', 'The stop is the entry price.', NULL, o.stop, o.price, 'price');
    ELSIF (o.price - o.stop) * o.direction < 0 THEN
        RETURN NEXT desk.line('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'below' ELSE 'above' END), NULL, o.stop, o.price, 'price');
    ELSIF o.stop IS NULL AND (o.settings ->> 'stop_required') = 'true' THEN
        RETURN NEXT desk.line('STOP_REQUIRED', 'reject', 'A trade on this desk needs a stop.');
    END IF;
    IF (o.target - o.price) * o.direction <= 0 THEN
        RETURN NEXT desk.line('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s its price.', o.side,
            CASE o.side WHEN 'BUY' THEN 'above' ELSE 'below' END), NULL, o.target, o.price, 'price');
    END IF;
    IF o.stop <> o.price AND o.target IS NOT NULL THEN
        reward_to_risk := abs(o.target - o.price) / abs(o.price - o.stop);
        RETURN NEXT CASE WHEN round(reward_to_risk, 2) >= 100
            THEN desk.line('RR_OUT_OF_RANGE', 'reject', 'Reward over risk is 100 or more: check stop and target.', NULL, reward_to_risk, 100, 'ratio')
            ELSE desk.line('RISK_REWARD', 'info', format('Reward over risk is %s.', round(reward_to_risk, 2)), NULL, reward_to_risk, NULL, 'ratio') END;
    END IF;
END $$;

-- ---- 5, 6, 7: market, repetition, conversion --------------------------------------------------

-- For an order that only reduces, what the market does is worth a reason at most.
CREATE OR REPLACE FUNCTION desk.check_market(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    max_age numeric := (o.settings ->> 'price_max_age_seconds')::numeric;
    collar  numeric := (o.settings ->> 'price_collar_percent')::numeric;
    age     numeric := extract(epoch FROM o.at - o.quoted_at);
    off     numeric := abs(o.price / o.mid - 1) * 100;
    bad     text := CASE WHEN o.opening = 0 THEN 'confirm' ELSE 'reject' END;
BEGIN
    IF o.mid IS NULL THEN
        RETURN NEXT desk.line('PRICE_UNKNOWN', bad, format('There is no price for %s.', o.instrument));
        RETURN;
    END IF;
    RETURN NEXT CASE WHEN age > max_age
        THEN desk.line('PRICE_STALE', bad, format('The last price of %s is %s s old.', o.instrument, round(age, 1)), NULL, age, max_age, 'seconds')
        ELSE desk.line('PRICE_AGE', 'info', format('The last price is %s s old.', round(age, 1)), NULL, age, max_age, 'seconds') END;
    IF off > collar THEN
        RETURN NEXT desk.line('PRICE_COLLAR', bad, format('%s is %s %% away from the market at %s.', desk.price_text(o.price, o.tick_size),
            round(off, 2), desk.price_text(o.mid, o.tick_size)), NULL, off, collar, 'percentage');
    ELSIF off IS NOT NULL THEN
        RETURN NEXT desk.line('PRICE_COLLAR', 'info', format('%s %% away from the market.', round(off, 2)), NULL, off, collar, 'percentage');
    END IF;
END $$;

-- A twin of an order that was accepted a moment ago is more often a slip than a wish.
CREATE OR REPLACE FUNCTION desk.check_duplicate(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    seconds numeric := (o.settings ->> 'duplicate_window_seconds')::numeric;
    twin timestamptz;
BEGIN
    SELECT max(f.filled_at) INTO twin
      FROM trade_fills f
     WHERE f.account_id = o.account_id AND f.instrument = o.instrument AND f.side = o.side AND f.price = o.price
       AND f.size = o.size AND f.filled_at > o.at - make_interval(secs => seconds::double precision);
    RETURN NEXT CASE WHEN twin IS NOT NULL
        THEN desk.line('DUPLICATE_ORDER', 'confirm', format('The same order was accepted %s s ago.', round(extract(epoch FROM o.at - twin), 1)),
                       NULL, extract(epoch FROM o.at - twin), seconds, 'seconds')
        ELSE desk.line('DUPLICATE_ORDER', 'info', format('No twin in %s s.', desk.plain(seconds)), NULL, NULL, seconds, 'seconds') END;
END $$;

CREATE OR REPLACE FUNCTION desk.check_conversion(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    max_age numeric := (o.settings ->> 'conversion_max_age_seconds')::numeric;
    age     numeric;
    bad     text := CASE WHEN o.opening = 0 THEN 'confirm' ELSE 'reject' END;
BEGIN
    IF o.fx IS NULL THEN
        RETURN NEXT desk.line('NO_CONVERSION_RATE', bad, format('There is no rate from %s to %s.', o.quote_currency, o.currency));
    ELSIF o.fx_at <> 'infinity' THEN
        age := extract(epoch FROM o.at - o.fx_at);
        IF age > max_age THEN
            RETURN NEXT desk.line('CONVERSION_RATE_STALE', bad, format('The rate from %s to %s is %s s old.', o.quote_currency, o.currency,
                round(age, 1)), NULL, age, max_age, 'seconds');
        END IF;
    END IF;
END $$;

-- ---- 8: risk of the trade ---------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.check_trade_risk(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most numeric := (o.settings ->> 'max_risk_fraction')::numeric;
BEGIN
    IF o.risk IS NULL THEN
        RETURN NEXT desk.line('RISK_UNKNOWN', 'info', 'Without a stop and a rate the risk of this trade has no number.');
        RETURN;
    END IF;
    IF o.equity <= 0 THEN
        RETURN NEXT desk.line('NO_EQUITY', 'reject', 'The account has no equity to risk.', NULL, o.equity, 0, o.currency);
        RETURN;
    END IF;
    RETURN NEXT desk.line('RISK_AMOUNT', 'info', format('%s %s is lost at the stop, %s %% of equity.', desk.amount(o.risk),
        o.currency, round(o.risk / o.equity * 100, 2)), NULL, o.risk, NULL, o.currency);
    RETURN NEXT desk.line('RISK_PERCENTAGE', CASE WHEN o.risk / o.equity > most THEN 'reject' ELSE 'info' END,
        CASE WHEN o.risk / o.equity > most THEN format('The trade risks %s %% of equity; no trade may risk more than %s %%.',
            round(o.risk / o.equity * 100, 2), desk.plain(most * 100))
        ELSE format('%s %% of equity.', round(o.risk / o.equity * 100, 2)) END,
        NULL, o.risk / o.equity, most, 'fraction');
END $$;

-- ---- 9: limits --------------------------------------------------------------------------------

-- One number of one limit: what it measures before and with the order. The unit is that of the result;
-- `fault` says why there is no number.
CREATE OR REPLACE FUNCTION desk.measure(o desk.order_draft, l risk_limits, p_accounts uuid[],
    OUT before numeric, OUT after numeric, OUT allowed numeric, OUT unit text, OUT fault text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    money text := coalesce(desk.unit_currency(l.limit_unit), o.currency);
    to_money numeric := desk.convert(o.quote_currency, money);
    from_account numeric := desk.convert(o.currency, money);
    per_lot numeric := CASE o.asset_class WHEN 'fx' THEN 100000 / o.contract_size ELSE 1 END;
    after_held numeric := abs(o.held + o.direction * o.size);
    exposed record;
BEGIN
    allowed := l.limit_value;
    unit := l.limit_unit;
    IF l.limit_unit IN ('percentage', 'fraction') OR desk.unit_currency(l.limit_unit) IS NOT NULL THEN
        allowed := desk.allowed_amount(l.limit_value, l.limit_unit, p_accounts, money);
        unit := money;
        IF allowed IS NULL THEN
            fault := 'NO_CONVERSION_RATE';
            RETURN;
        END IF;
    END IF;

    CASE l.limit_type
    WHEN 'max_exposure' THEN
        SELECT * INTO exposed FROM desk.exposure(p_accounts, CASE l.limit_scope WHEN 'instrument' THEN o.instrument END,
            money, o.account_id, o.instrument, o.direction * o.size, o.price);
        before := exposed.before;
        after := CASE WHEN exposed.missing IS NULL THEN exposed.after END;
    WHEN 'max_position_size' THEN
        before := abs(o.held);
        after := after_held;
        IF l.limit_unit = 'lots' THEN
            before := before / per_lot;
            after := after / per_lot;
        ELSIF l.limit_unit <> 'units' THEN
            before := before * o.contract_size * coalesce(o.mid, o.price) * to_money;
            after := after * o.contract_size * o.price * to_money;
        END IF;
    WHEN 'max_order_size' THEN
        after := o.opening / CASE l.limit_unit WHEN 'lots' THEN per_lot ELSE 1 END;
    WHEN 'max_order_value' THEN
        after := o.opening * o.contract_size * o.price * to_money;
    WHEN 'max_risk_per_trade' THEN
        after := o.risk * from_account;
        IF o.stop IS NULL THEN
            fault := 'STOP_REQUIRED';
        END IF;
    WHEN 'max_open_positions' THEN
        SELECT count(*) INTO before FROM positions p
         WHERE p.account_id = ANY (p_accounts) AND p.status IN ('open', 'closing')
           AND (l.limit_scope <> 'instrument' OR p.instrument = o.instrument);
        after := before + CASE WHEN o.held = 0 THEN 1 ELSE 0 END;
    WHEN 'max_daily_trades' THEN
        SELECT count(*) INTO before FROM trades t
         WHERE t.account_id = ANY (p_accounts) AND t.entry_time >= o.day_start AND t.status <> 'cancelled'
           AND (l.limit_scope <> 'instrument' OR t.instrument = o.instrument);
        after := before + 1;
    WHEN 'max_daily_loss' THEN
        after := (o.day_base - o.equity) * from_account;
    WHEN 'max_drawdown' THEN
        after := (o.initial_balance - o.equity) * from_account;
    ELSE
        fault := 'LIMIT_NOT_ENFORCED';
    END CASE;
    IF after IS NULL AND fault IS NULL THEN
        fault := 'NO_CONVERSION_RATE';
    END IF;
END $$;

-- All limits in force, each a line. A limit that cannot be measured refuses: what is needed and unknown
-- is not a permission.
CREATE OR REPLACE FUNCTION desk.check_limits(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    checked risk_limits%ROWTYPE;
    kind    desk.limit_types%ROWTYPE;
    m       record;
    code    text;
    warned  numeric;
    breach  boolean;
    refuses_unknown boolean := (o.settings ->> 'strict_limits') = 'true';
BEGIN
    FOR checked IN SELECT * FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) LOOP
        code := upper(checked.limit_type);
        SELECT * INTO kind FROM desk.limit_types k WHERE k.limit_type = checked.limit_type;
        IF NOT coalesce(kind.enforced, false) OR NOT checked.limit_scope = ANY (kind.scopes) THEN
            RETURN NEXT desk.line('LIMIT_NOT_ENFORCED', CASE WHEN refuses_unknown THEN 'reject' ELSE 'info' END,
                format('The limit %s over %s is NOT ENFORCED by this version.', checked.limit_type, checked.limit_scope),
                NULL, NULL, checked.limit_value, checked.limit_unit, checked.limit_id);
            CONTINUE;
        END IF;
        IF NOT (checked.limit_unit = ANY (kind.units)
                OR ('money' = ANY (kind.units) AND desk.unit_currency(checked.limit_unit) IS NOT NULL)) THEN
            RETURN NEXT desk.line('LIMIT_UNIT_UNKNOWN', 'reject', format('The limit %s is in %s, which cannot be compared. '
                'A risk officer has to correct it.', checked.limit_type, checked.limit_unit),
                NULL, NULL, checked.limit_value, checked.limit_unit, checked.limit_id);
            CONTINUE;
        END IF;

        m := desk.measure(o, checked, desk.accounts_in_scope(checked.limit_scope, checked.account_id,
                                                             checked.scope_identifier, o.account_id));
        IF m.fault IS NOT NULL THEN
            RETURN NEXT desk.line(m.fault, 'reject', format('The limit %s cannot be judged: %s.', checked.limit_type,
                CASE m.fault WHEN 'STOP_REQUIRED' THEN 'the trade has no stop' ELSE 'something it counts has no price or rate' END),
                NULL, NULL, m.allowed, m.unit, checked.limit_id);
            CONTINUE;
        END IF;
        -- Unrounded but for the dust that dividing by a rate leaves: 1.1 × (1 / 1.1) is not quite 1.
        m.after := round(m.after, 8);
        m.allowed := round(m.allowed, 8);
        breach := CASE WHEN kind.inclusive THEN m.after >= m.allowed ELSE m.after > m.allowed END;
        warned := m.allowed * coalesce(checked.warning_threshold / checked.limit_value, 0.8);
        RETURN NEXT desk.line(code, CASE WHEN breach THEN 'reject' ELSE 'info' END,
            format('%s %s of %s %s%s', CASE WHEN breach THEN replace(checked.limit_type, '_', ' ') || ' would be' ELSE 'Uses' END,
                desk.amount(m.after), desk.amount(m.allowed), m.unit,
                CASE WHEN breach THEN format(' (%s limit).', checked.limit_scope)
                     WHEN m.after >= warned THEN ': past its warning.' ELSE '.' END),
            m.before, m.after, m.allowed, m.unit, checked.limit_id);
        IF checked.limit_unit = 'percentage' AND checked.limit_value <= 1 THEN
            RETURN NEXT desk.line('PERCENTAGE_LOOKS_LIKE_FRACTION', 'info', format('The limit %s is %s per cent of equity; '
                'was a fraction meant?', checked.limit_type, desk.plain(checked.limit_value)),
                NULL, NULL, checked.limit_value, 'percentage', checked.limit_id);
        END IF;
    END LOOP;
END $$;

-- Margin of the book with this order; the traded instrument is counted net.
CREATE OR REPLACE FUNCTION desk.check_margin(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    per_unit numeric := o.contract_size * o.price * o.fx * o.margin_rate;
    after numeric := o.margin_used + (abs(o.held + o.direction * o.size) - abs(o.held)) * per_unit;
BEGIN
    IF after IS NOT NULL THEN
        RETURN NEXT desk.line(CASE WHEN after > o.equity THEN 'INSUFFICIENT_MARGIN' ELSE 'MARGIN' END,
            CASE WHEN after > o.equity THEN 'reject' ELSE 'info' END,
            format('Margin %s of %s %s.', desk.amount(after), desk.amount(o.equity), o.currency),
            o.margin_used, after, o.equity, o.currency);
    END IF;
END $$;

-- ---- 10: loss and drawdown by the account's own columns ----------------------------------------

-- Already through the floor: no new risk. Through it if the stop is hit: worth a reason.
CREATE OR REPLACE FUNCTION desk.check_loss(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    daily numeric := desk.daily_loss_amount(o.max_daily_loss, o.initial_balance);
    rule  record;
BEGIN
    IF daily IS NULL THEN
        RETURN NEXT desk.line('MAX_DAILY_LOSS', 'reject', format('The account''s daily loss limit is %s, which is no limit. '
            'It has to be corrected first.', desk.plain(o.max_daily_loss)), NULL, NULL, o.max_daily_loss, o.currency);
    END IF;
    FOR rule IN
        SELECT * FROM (VALUES ('MAX_DAILY_LOSS', 'Today''s loss', o.day_base - o.equity, daily),
                              ('MAX_DRAWDOWN', 'Drawdown', o.initial_balance - o.equity, o.max_total_drawdown * o.initial_balance))
                       AS r (code, words, lost, allowed) WHERE r.allowed IS NOT NULL
    LOOP
        RETURN NEXT desk.line(rule.code,
            CASE WHEN rule.lost >= rule.allowed THEN 'reject'
                 WHEN rule.lost + coalesce(o.risk, 0) >= rule.allowed THEN 'confirm' ELSE 'info' END,
            format('%s is %s of %s %s%s', rule.words, desk.amount(rule.lost), desk.amount(rule.allowed), o.currency,
                CASE WHEN rule.lost >= rule.allowed THEN ': the limit is reached.'
                     WHEN rule.lost + coalesce(o.risk, 0) >= rule.allowed THEN
                         format('; with this trade at its stop it would be %s.', desk.amount(rule.lost + o.risk))
                     ELSE '.' END),
            rule.lost, rule.lost + coalesce(o.risk, 0), rule.allowed, o.currency);
    END LOOP;
END $$;

-- ---- 11: the signal ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.check_signal(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    s signals%ROWTYPE;
    most numeric := (o.settings ->> 'signal_slippage_pips')::numeric;
    slip numeric;
BEGIN
    IF o.signal_id IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO s FROM signals g WHERE g.signal_id = o.signal_id;
    IF NOT FOUND THEN
        RETURN NEXT desk.line('SIGNAL_UNKNOWN', 'reject', 'There is no such signal.');
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM signal_executions e WHERE e.signal_id = o.signal_id AND e.account_id = o.account_id
                  AND e.status IN ('claimed', 'executed')) THEN
        RETURN NEXT desk.line('SIGNAL_ALREADY_EXECUTED', 'reject', 'This account has already taken this signal.');
    ELSIF s.status <> 'pending' THEN
        RETURN NEXT desk.line('SIGNAL_NOT_PENDING', 'reject', format('The signal is %s.', s.status));
    END IF;
    IF s.valid_until <= o.at THEN
        RETURN NEXT desk.line('SIGNAL_EXPIRED', 'reject', format('The signal expired %s s ago.', round(extract(epoch FROM o.at - s.valid_until))));
    END IF;
    IF s.signal_type <> o.side OR desk.canonical_instrument(s.instrument) IS DISTINCT FROM o.instrument THEN
        RETURN NEXT desk.line('SIGNAL_MISMATCH', 'reject', format('The signal says %s %s.', s.signal_type, s.instrument));
    END IF;
    slip := (o.price - s.entry_price) * o.direction / o.pip_size;
    IF slip > most THEN
        RETURN NEXT desk.line('SIGNAL_SLIPPAGE', 'confirm', format('The price is %s pips worse than the signal''s.', round(slip, 1)),
            NULL, slip, most, 'pips');
    END IF;
END $$;

-- ---- all of them ------------------------------------------------------------------------------

-- Every check that applies to an order, in a fixed order. It may be booked if no line is a reject, and
-- without a reason if none is a confirm. A check appears also when it passes (info), with its numbers.
--
-- An order that only reduces what is held meets no limit, margin, loss or risk check at all.
CREATE OR REPLACE FUNCTION desk.assess(o desk.order_draft) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Nothing can be valued before there is a side, a size and a price.
    complete boolean := o.direction IS NOT NULL AND o.size > 0 AND o.price > 0;
BEGIN
    RETURN QUERY SELECT * FROM desk.check_person(o);
    IF o.account_id IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM desk.check_standing(o);
    RETURN QUERY SELECT * FROM desk.check_instrument(o);
    IF o.instrument IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM desk.check_shape(o);
    RETURN QUERY SELECT * FROM desk.check_market(o);
    IF complete THEN
        RETURN QUERY SELECT * FROM desk.check_duplicate(o);
    END IF;
    RETURN QUERY SELECT * FROM desk.check_conversion(o);
    IF complete AND o.opening > 0 THEN
        RETURN QUERY SELECT * FROM desk.check_trade_risk(o);
        RETURN QUERY SELECT * FROM desk.check_limits(o);
        RETURN QUERY SELECT * FROM desk.check_margin(o);
        RETURN QUERY SELECT * FROM desk.check_loss(o);
    END IF;
    RETURN QUERY SELECT * FROM desk.check_signal(o);
END $$;

-- What desk.place_trade would say to this order now. Anything that is not typed yet is NULL.
CREATE OR REPLACE FUNCTION desk.assess_trade(p_account uuid, p_instrument text, p_side text, p_size numeric,
    p_price numeric, p_stop numeric, p_target numeric, p_signal uuid)
RETURNS TABLE (ordinal integer, code text, severity text, before numeric, measured numeric, allowed numeric,
               unit text, room numeric, limit_id uuid, message text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    o desk.order_draft := desk.draft_order(p_account, p_instrument, p_side, p_size, p_price, p_stop, p_target, p_signal);
BEGIN
    RETURN QUERY
    SELECT a.ordinality::integer, a.code, a.severity, a.before, a.measured, a.allowed, a.unit, a.room, a.limit_id, a.message
      FROM desk.assess(o) WITH ORDINALITY AS a;
END $$;
