-- What the console adds to TMT's data model: tables, columns, keys and wider checks.
--
-- Additive: TMT's writers name only columns of the data model and go on as before, and every existing row still
-- passes. No rulebook function is called here: the rulebook comes after this file.

-- A row written before the rulebook's triggers exist would be in no registry and no running total.
LOCK TABLE trades, positions IN SHARE ROW EXCLUSIVE MODE;

-- ---- reference data ---------------------------------------------------------------------------

CREATE TABLE instruments (
    instrument      varchar(20) PRIMARY KEY,              -- as TMT writes it: EUR_USD
    asset_class     varchar(20) NOT NULL DEFAULT 'fx',
    base_currency   varchar(8) NOT NULL,
    quote_currency  varchar(8) NOT NULL,
    contract_size   numeric(18,8) NOT NULL DEFAULT 1 CHECK (contract_size > 0), -- base units per 1.00 of size
    size_step       numeric(18,8) NOT NULL DEFAULT 1 CHECK (size_step > 0),
    min_size        numeric(18,8) NOT NULL DEFAULT 1 CHECK (min_size > 0),
    max_size        numeric(18,8) CHECK (max_size >= min_size),
    tick_size       numeric(18,8) NOT NULL CHECK (tick_size > 0),
    pip_size        numeric(18,8) NOT NULL CHECK (pip_size > 0),
    margin_rate     numeric(9,6) NOT NULL DEFAULT 0.0333 CHECK (margin_rate >= 0),
    is_tradable     boolean NOT NULL DEFAULT true,
    aliases         text[] NOT NULL DEFAULT '{}',         -- other spellings, case-insensitive
    description     text,
    trading_hours   jsonb,                                -- NULL: always open
    triple_swap_day smallint NOT NULL DEFAULT 3 CHECK (triple_swap_day BETWEEN 1 AND 7) -- ISO: 3 is Wednesday
);

-- The last quote of every instrument, from base to quote currency. `rate` is the mid.
CREATE TABLE fx_rates (
    from_currency varchar(8) NOT NULL,
    to_currency   varchar(8) NOT NULL,
    rate          numeric(28,12) NOT NULL CHECK (rate > 0),
    bid           numeric(28,12) CHECK (bid > 0),
    ask           numeric(28,12) CHECK (ask >= bid),
    as_of         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (from_currency, to_currency)
) WITH (fillfactor = 70); -- updated with every quote: leaves room for HOT updates

-- ---- columns ----------------------------------------------------------------------------------

ALTER TABLE positions
    ADD COLUMN IF NOT EXISTS netting_key varchar(64) NOT NULL DEFAULT '',  -- '' on a netting account; on a hedging account the key of the request
    ADD COLUMN IF NOT EXISTS cost numeric,                 -- exact Σ size × price; NULL: only average_entry_price is known
    ADD COLUMN IF NOT EXISTS closed_at timestamptz,
    ADD COLUMN IF NOT EXISTS day_started_at timestamptz,   -- start of the trading day of daily_pnl
    ADD COLUMN IF NOT EXISTS day_base decimal(15,2) NOT NULL DEFAULT 0, -- realized + unrealized P&L at that start
    -- At the current price, in the account's currency. An account's margin is then a sum over its positions.
    -- NULL: another program wrote the row.
    ADD COLUMN IF NOT EXISTS margin_used decimal(15,2);
ALTER TABLE trades
    ADD COLUMN IF NOT EXISTS closed_size decimal(12,2) NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS position_id uuid REFERENCES positions (position_id);
ALTER TABLE risk_events
    ADD COLUMN IF NOT EXISTS acknowledged boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS acknowledged_by varchar(100),
    ADD COLUMN IF NOT EXISTS acknowledged_at timestamptz,
    ADD COLUMN IF NOT EXISTS dedup_key varchar(200),
    ADD COLUMN IF NOT EXISTS occurrence_count integer NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS last_occurred_at timestamptz,
    ALTER COLUMN account_id DROP NOT NULL;                 -- NULL for events of a portfolio or the system
ALTER TABLE risk_limits
    ADD COLUMN IF NOT EXISTS approved_at timestamptz,
    ADD COLUMN IF NOT EXISTS supersedes_limit_id uuid REFERENCES risk_limits (limit_id),
    ADD COLUMN IF NOT EXISTS change_reason text,
    -- More than the value: {"base", "of", "trailing", "lock", "inclusive", "instruments", "hours"}.
    ADD COLUMN IF NOT EXISTS parameters jsonb NOT NULL DEFAULT '{}',
    -- This row ends the limit that it supersedes and is never active itself.
    ADD COLUMN IF NOT EXISTS retires boolean NOT NULL DEFAULT false,
    -- This row comes back into force when the temporary limit that it supersedes ends.
    ADD COLUMN IF NOT EXISTS is_returning boolean NOT NULL DEFAULT false;

-- ---- tables beside TMT's ----------------------------------------------------------------------

CREATE TABLE signal_executions (
    execution_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    signal_id       uuid NOT NULL REFERENCES signals (signal_id),
    account_id      uuid NOT NULL REFERENCES accounts (account_id),
    trade_id        uuid REFERENCES trade_registry (trade_id),
    status          varchar(20) NOT NULL
                    CHECK (status IN ('claimed', 'executed', 'rejected', 'failed', 'skipped')),
    requested_by    varchar(100) NOT NULL,
    requested_size  decimal(12,2),
    executed_size   decimal(12,2),
    executed_price  decimal(10,5),
    reason          text,
    idempotency_key varchar(100) UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX uq_signal_execution_once ON signal_executions (signal_id, account_id)
    WHERE status IN ('claimed', 'executed');
CREATE INDEX idx_signal_executions_trade ON signal_executions (trade_id);

-- Append-only. Positions and trades can be rebuilt from it. A fee is cash without a trade: a swap, or a commission
-- billed later.
CREATE TABLE trade_fills (
    fill_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id    uuid NOT NULL REFERENCES accounts (account_id),
    trade_id      uuid REFERENCES trade_registry (trade_id), -- the trade opened; on a close the trade closed, if only one
    position_id   uuid REFERENCES positions (position_id),
    instrument    varchar(20) NOT NULL,
    side          varchar(4) NOT NULL CHECK (side IN ('BUY', 'SELL')),
    effect        varchar(5) NOT NULL CHECK (effect IN ('open', 'close', 'fee')),
    size          decimal(12,2) NOT NULL,
    price         decimal(10,5) NOT NULL CHECK (price > 0),
    fx_rate       numeric(28,12) NOT NULL CHECK (fx_rate > 0), -- quote to account currency, at the fill
    gross_pnl     decimal(12,2),                           -- at average cost, account currency, before costs
    commission    decimal(8,2) NOT NULL DEFAULT 0,
    swap_fee      decimal(8,2) NOT NULL DEFAULT 0,
    allocation    jsonb NOT NULL DEFAULT '[]',             -- the trades that a close reduced, first in first out
    client_key    varchar(100) NOT NULL,
    actor         varchar(100) NOT NULL,
    filled_at     timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    seq           bigint GENERATED ALWAYS AS IDENTITY,     -- the order of fills; clocks can be set back
    balance_after numeric,                                 -- the first one anchors the balance: an adopted account has a history
    CONSTRAINT trade_fills_size_check CHECK (size > 0 OR (effect = 'fee' AND size = 0)),
    UNIQUE (account_id, client_key, effect)
);
CREATE INDEX idx_trade_fills_position ON trade_fills (position_id, filled_at);
CREATE INDEX idx_trade_fills_trade ON trade_fills (trade_id);
CREATE INDEX idx_trade_fills_recent ON trade_fills (account_id, filled_at);
-- Orders of the last minute over all accounts. Fills are stored in order of time, so BRIN needs few pages; a B-tree
-- would cost every fill an entry, and the planner would prefer it where the account is known.
CREATE INDEX idx_trade_fills_time ON trade_fills USING brin (filled_at) WITH (pages_per_range = 8, autosummarize = on);

-- One row per account and day, week or month. The row is inserted when the period begins and completed when it ends.
CREATE TABLE performance_metrics (
    metric_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id       uuid NOT NULL REFERENCES accounts (account_id),
    period_type      varchar(20) NOT NULL CHECK (period_type IN ('daily', 'weekly', 'monthly')),
    period_start     timestamptz NOT NULL,
    period_end       timestamptz NOT NULL,
    start_balance    decimal(15,2) NOT NULL,
    start_equity     decimal(15,2) NOT NULL,
    end_balance      decimal(15,2),
    end_equity       decimal(15,2),
    peak_equity      decimal(15,2) NOT NULL,
    peak_eod_balance decimal(15,2) NOT NULL,
    min_equity       decimal(15,2),
    is_estimated     boolean NOT NULL DEFAULT false,       -- the period began before anybody recorded its start
    realized_pnl     decimal(15,2) NOT NULL DEFAULT 0,
    commission       decimal(15,2) NOT NULL DEFAULT 0,
    swap             decimal(15,2) NOT NULL DEFAULT 0,
    total_trades     integer NOT NULL DEFAULT 0,
    winning_trades   integer NOT NULL DEFAULT 0,
    losing_trades    integer NOT NULL DEFAULT 0,
    UNIQUE (account_id, period_type, period_start)
);
-- Finds the current period of an account.
CREATE INDEX idx_performance_metrics_running ON performance_metrics (account_id, period_type, period_end);

-- Append-only: the history of a risk event.
CREATE TABLE risk_event_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id  uuid NOT NULL REFERENCES risk_events (event_id),
    action    varchar(20) NOT NULL CHECK (action IN (
                  'raised', 'reraised', 'acknowledged', 'unacknowledged', 'note', 'escalated',
                  'resolved', 'auto_resolved', 'reopened', 'shelved')),
    actor     varchar(100) NOT NULL,
    note      text,
    step      smallint,                                    -- of an escalation: 1 or 2
    batch_id  uuid,                                        -- key of the request
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_risk_event_actions_event ON risk_event_actions (event_id, action_id);

CREATE TABLE trading_halts (
    halt_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    scope            varchar(20) NOT NULL
                     CHECK (scope IN ('account', 'instrument', 'portfolio', 'system')),
    account_id       uuid REFERENCES accounts (account_id),
    scope_identifier varchar(100),
    mode             varchar(20) NOT NULL CHECK (mode IN ('reduce_only', 'no_new_orders', 'flatten')),
    reason           text NOT NULL,
    set_by           varchar(100) NOT NULL,
    set_at           timestamptz NOT NULL DEFAULT now(),
    cleared_by       varchar(100),
    cleared_at       timestamptz,
    clear_reason     text,
    -- max_daily_loss: set by that limit, a new trading day may end it. loss: by another loss limit. NULL: by a person.
    cause            varchar(50),
    -- new_day: cleared by a new trading day. NULL: by a person.
    clear_cause      varchar(50)
);
CREATE INDEX idx_trading_halts_in_force ON trading_halts (scope) WHERE cleared_at IS NULL;

-- ---- keys -------------------------------------------------------------------------------------

-- One open position per account, instrument and netting_key. The model's key over (…, status) would refuse a second
-- closed position and allow an open one beside a closing one.
DO $$
DECLARE
    old_key text;
BEGIN
    FOR old_key IN
        SELECT conname FROM pg_constraint
         WHERE conrelid = 'public.positions'::regclass AND contype = 'u'
           AND pg_get_constraintdef(oid) ~ '^UNIQUE \(account_id, instrument, status\)'
    LOOP
        EXECUTE format('ALTER TABLE public.positions DROP CONSTRAINT %I', old_key);
    END LOOP;
END $$;
CREATE UNIQUE INDEX uq_positions_one_live ON positions (account_id, instrument, netting_key)
    WHERE status IN ('open', 'closing');
CREATE UNIQUE INDEX uq_market_data_bar ON market_data (instrument, timeframe, data_source, time);
CREATE UNIQUE INDEX uq_risk_events_live ON risk_events (dedup_key)
    WHERE dedup_key IS NOT NULL AND resolution_time IS NULL;

CREATE INDEX idx_trades_keyset ON trades (entry_time, trade_id);
CREATE INDEX idx_trades_position ON trades (position_id);
-- Closed trades of a period.
CREATE INDEX idx_trades_exit ON trades (account_id, exit_time) WHERE exit_time IS NOT NULL;
CREATE INDEX idx_trade_registry_entries ON trade_registry (account_id, entry_time);
CREATE INDEX idx_positions_keyset ON positions (opened_at, position_id);
CREATE INDEX idx_risk_events_unacked ON risk_events (severity, occurred_at DESC) WHERE NOT acknowledged;
CREATE INDEX idx_risk_events_keyset ON risk_events (occurred_at, event_id);
CREATE INDEX idx_risk_events_trade ON risk_events (related_trade_id);
CREATE INDEX idx_risk_events_position ON risk_events (related_position_id);
CREATE INDEX idx_risk_events_limit ON risk_events (related_limit_id);
-- Open events of the monitor: few, read every second.
CREATE INDEX idx_risk_events_monitored ON risk_events (dedup_key)
    WHERE event_source = 'sentinel' AND resolution_time IS NULL;
CREATE INDEX idx_system_events_parent ON system_events (parent_event_id);
CREATE INDEX idx_system_events_keyset ON system_events (occurred_at, event_id);

-- ---- checks -----------------------------------------------------------------------------------

-- NOT VALID: existing rows stay. Each check is wider than the model's, or concerns only what the console writes.
ALTER TABLE trades DROP CONSTRAINT IF EXISTS valid_risk_percentage;
ALTER TABLE trades ADD CONSTRAINT valid_risk_percentage CHECK (risk_percentage >= 0) NOT VALID;
-- A balance below zero must be storable: a loss can exceed the balance.
ALTER TABLE accounts DROP CONSTRAINT IF EXISTS positive_balances;
ALTER TABLE accounts ADD CONSTRAINT positive_balances CHECK (initial_balance > 0) NOT VALID;
ALTER TABLE risk_events DROP CONSTRAINT IF EXISTS valid_severity;
ALTER TABLE risk_limits DROP CONSTRAINT IF EXISTS four_eyes;
ALTER TABLE risk_limits ADD CONSTRAINT four_eyes
    CHECK (approved_by IS NULL OR lower(btrim(approved_by)) <> lower(btrim(created_by))) NOT VALID;
ALTER TABLE risk_limits DROP CONSTRAINT IF EXISTS valid_window;
ALTER TABLE risk_limits ADD CONSTRAINT valid_window
    CHECK (effective_until IS NULL OR effective_until > effective_from) NOT VALID;

-- ---- rows -------------------------------------------------------------------------------------

-- The console writes system events as this agent.
INSERT INTO agents (agent_id, agent_name, agent_type, config_version, version, status)
VALUES ('console', 'Operator console', 'operator_console', '1', '1', 'running')
ON CONFLICT (agent_id) DO NOTHING;

-- The rest concerns rows of an adopted database.
INSERT INTO trade_registry (trade_id, entry_time, account_id, platform_trade_id, instrument)
SELECT trade_id, entry_time, account_id, platform_trade_id, instrument FROM trades;
CREATE UNIQUE INDEX uq_trade_registry_platform_id
    ON trade_registry (account_id, platform_trade_id) WHERE platform_trade_id IS NOT NULL;

-- Without instruments nothing can be valued, and limits would refuse TMT's own writers. TMT writes currency pairs
-- as EUR_USD and sizes in units of the base currency, so the pairs in its rows can be inserted; the description
-- asks for a review.
--
-- There may be a hundred million bars: their instruments are found by a loose index scan.
WITH RECURSIVE with_bars (instrument) AS (
    (SELECT m.instrument FROM market_data m ORDER BY m.instrument LIMIT 1)
    UNION ALL
    SELECT (SELECT m.instrument FROM market_data m WHERE m.instrument > b.instrument ORDER BY m.instrument LIMIT 1)
      FROM with_bars b WHERE b.instrument IS NOT NULL
)
INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size, description)
SELECT seen.instrument, left(seen.instrument, 3), right(seen.instrument, 3),
       CASE WHEN seen.instrument LIKE '%JPY' THEN 0.001 ELSE 0.00001 END,
       CASE WHEN seen.instrument LIKE '%JPY' THEN 0.01 ELSE 0.0001 END,
       'found in the rows of TMT; check step, tick and margin rate'
  FROM (SELECT t.instrument FROM trades t UNION SELECT p.instrument FROM positions p
        UNION SELECT g.instrument FROM signals g UNION SELECT b.instrument FROM with_bars b) AS seen
 WHERE seen.instrument ~ '^[A-Z]{3}_[A-Z]{3}$';

-- The last close of each, with its time: values open positions, and is too old for new risk until a quote comes.
INSERT INTO fx_rates (from_currency, to_currency, rate, as_of)
SELECT i.base_currency, i.quote_currency, last.close, last.time
  FROM instruments i,
       LATERAL (SELECT m.close, m.time FROM market_data m
                 WHERE m.instrument = i.instrument ORDER BY m.time DESC LIMIT 1) AS last;
