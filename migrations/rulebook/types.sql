-- Composite types that the rulebook's functions pass and return. No table has a column of these types, so they
-- are rebuilt with the functions.

-- The answer to a write. A refusal is an answer too, not an error: it commits, with its event and audit line.
CREATE TYPE desk.answer AS (
    outcome  text,     -- accepted or refused
    code     text,     -- stable; on an accepted write only where there is something to add
    message  text,     -- a sentence for the person
    measured numeric,
    allowed  numeric,
    unit     text,
    subject  uuid,     -- the trade, position, limit, halt or event
    detail   jsonb     -- an object; amounts are text, so that no reader turns them into floats
);

-- What one check found.
CREATE TYPE desk.check_result AS (
    code     text,
    severity text,      -- reject, confirm (accepted with a reason) or info (passed)
    before   numeric,
    measured numeric,   -- with the trade
    allowed  numeric,
    unit     text,
    room     numeric,   -- allowed − measured
    limit_id uuid,
    message  text
);

-- An order with everything that a check may need of its account, its instrument and the market. Read once, so
-- that all checks see the same state.
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
    position_id uuid, held numeric,           -- signed size of the netting position
    closing numeric, opening numeric,         -- the part that reduces the position, the part that adds risk
    bid numeric, ask numeric, mid numeric, quoted_at timestamptz,
    fx numeric, fx_at timestamptz,            -- from quote currency to account currency
    risk numeric,                             -- unrounded, account currency; NULL is unknown
    price_bound numeric, price_scale integer, size_bound numeric, size_scale integer,
    settings jsonb,                           -- all rows of tmt.settings
    is_preview boolean,                       -- list passed checks too
    hedging boolean,
    net numeric,                              -- signed size of the account in the instrument, over all positions
    held_risk numeric,                        -- risk to the stop of the position, as price × size
    cost_per_unit numeric,                    -- commission, per side and 1.00 of size
    trading_hours jsonb, risk_day jsonb, risk_rules jsonb,
    day_balance numeric, peak_balance numeric, peak_equity numeric,
    held_stop numeric,                        -- stop of the position that the order adds to
    spread numeric                            -- NULL where only a mid is known
);

-- A limit, measured, in the unit named. `fault` is a code and says why it could not be measured.
CREATE TYPE desk.limit_measurement AS (
    limit_id uuid, limit_type text, scope text, before numeric, after numeric, allowed numeric, warning numeric,
    unit text, inclusive boolean, is_minimum boolean, is_loss boolean, breach boolean, breach_at_stop boolean,
    fault text, hint text
);

-- The figure behind a limit, before and with an order: a count, a ratio, or an amount in the account's currency.
-- Percentages are of `share`.
CREATE TYPE desk.measurement AS (before numeric, after numeric, share numeric, fault text, hint text);

-- Sums over the open positions of a scope, in the currency of the account that asks. `missing` is an instrument
-- without a price or rate.
CREATE TYPE desk.scope_total AS (
    scope text, gross numeric, net numeric, risk numeric, positions bigint, unbounded bigint, missing text
);

CREATE TYPE desk.open_trade AS (
    trade_id uuid, entry_time timestamptz, entry_price numeric, open_size numeric, closed_size numeric
);

-- A position, replayed from its fills.
CREATE TYPE desk.position_replay AS (
    first_effect text, first_at timestamptz, position_type text, size numeric, last_size numeric,
    cost numeric, average numeric, realized numeric
);
