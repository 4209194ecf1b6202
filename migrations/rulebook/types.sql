-- Composite types that functions of the rulebook hand to each other and answer with. No table has a column of
-- them: they are dropped and made again with the functions.

-- What a write became. A refusal is a row like any other: it commits, and its event with it.
CREATE TYPE desk.answer AS (
    outcome  text,     -- accepted or refused
    code     text,     -- stable; on an accepted write only if there is something to say
    message  text,     -- a sentence for the person
    measured numeric,
    allowed  numeric,
    unit     text,
    subject  uuid,     -- the trade, position, limit, halt or event
    detail   jsonb     -- an object; amounts in it are text, or a reader would make floats of them
);

-- One line of an assessment.
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

-- An order with everything about its account, its instrument and the market that a check may ask for: read once,
-- so that all checks see the same snapshot.
CREATE TYPE desk.order_context AS (
    at timestamptz,
    account_id uuid, account_name text, status text, currency text, portfolio text,
    balance numeric, equity numeric, initial_balance numeric, margin_used numeric,
    max_daily_loss numeric, max_total_drawdown numeric, day_start timestamptz, day_base numeric, day_base_known boolean,
    requested_instrument text, instrument text, asset_class text, base_currency text, quote_currency text,
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
    settings jsonb,                           -- of tmt.settings, all of them
    is_preview boolean,                       -- whether what passes is put into words
    hedging boolean,
    net numeric,                              -- of the account in the instrument, all tickets
    held_risk numeric,                        -- stop risk of it, in units of price × size
    cost_per_unit numeric,                    -- commission, per side and 1.00 of size
    trading_hours jsonb, risk_day jsonb, risk_rules jsonb,
    day_balance numeric, peak_balance numeric, peak_equity numeric,
    held_stop numeric,                        -- of the position that the order would add to
    spread numeric                            -- none where only a mid is known
);

-- What a limit came to, in the unit named; `fault` says why there is no number.
CREATE TYPE desk.limit_measurement AS (
    limit_id uuid, limit_type text, scope text, before numeric, after numeric, allowed numeric, warned numeric,
    unit text, inclusive boolean, is_minimum boolean, is_loss boolean, breach boolean, breach_at_stop boolean,
    fault text, hint text
);

-- One number of one limit, before and with an order, as a ratio or count or in the currency of the account; `share`
-- is what percentages are of. `fault` says why there is no number.
CREATE TYPE desk.measurement AS (before numeric, after numeric, share numeric, fault text, hint text);

-- What the live positions of a scope come to, in the currency of the account that asks.
CREATE TYPE desk.scope_total AS (
    scope text, gross numeric, net numeric, risk numeric, positions bigint, unbounded bigint, missing text
);

CREATE TYPE desk.open_trade AS (
    trade_id uuid, entry_time timestamptz, entry_price numeric, open_size numeric, closed_size numeric
);

-- A position as its fills give it.
CREATE TYPE desk.position_replay AS (
    first_effect text, first_at timestamptz, position_type text, size numeric, last_size numeric,
    cost numeric, average numeric, realized numeric
);
