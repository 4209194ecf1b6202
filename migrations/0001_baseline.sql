-- The tables and indexes of TMT's data model. Tables that exist stay as they are.
--
-- The model cannot be built as written. A fresh database differs in three things:
--   * `trades` is partitioned by month, so its key must contain entry_time. `trade_registry` keeps trade_id
--     unique over all months and is what foreign keys reference.
--   * `system_events` has the key (event_id, occurred_at), as a hypertable needs, and no foreign key to itself.
--   * the second, identical CHECK on risk_events.severity is left out.

CREATE TABLE IF NOT EXISTS accounts (
    account_id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_name       varchar(100) NOT NULL,
    broker             varchar(50) NOT NULL,
    platform           varchar(50) NOT NULL,
    account_type       varchar(20) NOT NULL CHECK (account_type IN ('demo', 'live', 'paper')),
    prop_firm          varchar(50),
    base_currency      char(3) NOT NULL DEFAULT 'USD',
    initial_balance    decimal(15,2) NOT NULL,
    current_balance    decimal(15,2) NOT NULL,
    available_balance  decimal(15,2) NOT NULL,
    margin_used        decimal(15,2) DEFAULT 0.00,
    equity             decimal(15,2) NOT NULL,
    status             varchar(20) NOT NULL DEFAULT 'active'
                       CHECK (status IN ('active', 'suspended', 'closed', 'risk_halt')),
    risk_profile       varchar(20) NOT NULL DEFAULT 'moderate'
                       CHECK (risk_profile IN ('conservative', 'moderate', 'aggressive')),
    max_daily_loss     decimal(10,4) NOT NULL,
    max_total_drawdown decimal(10,4) NOT NULL,
    created_at         timestamptz DEFAULT now(),
    updated_at         timestamptz DEFAULT now(),
    last_trade_at      timestamptz,
    metadata           jsonb DEFAULT '{}',
    CONSTRAINT positive_balances CHECK (
        initial_balance > 0 AND current_balance >= 0 AND available_balance >= 0),
    CONSTRAINT valid_drawdown CHECK (max_total_drawdown BETWEEN 0.01 AND 0.50)
);
CREATE INDEX IF NOT EXISTS idx_accounts_status ON accounts (status);
CREATE INDEX IF NOT EXISTS idx_accounts_broker ON accounts (broker);
CREATE INDEX IF NOT EXISTS idx_accounts_prop_firm ON accounts (prop_firm);
CREATE INDEX IF NOT EXISTS idx_accounts_updated_at ON accounts (updated_at);

CREATE TABLE IF NOT EXISTS account_credentials (
    credential_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id        uuid NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    credential_type   varchar(50) NOT NULL,
    encrypted_data    bytea NOT NULL,
    encryption_key_id varchar(100) NOT NULL,
    is_active         boolean NOT NULL DEFAULT true,
    expires_at        timestamptz,
    created_at        timestamptz DEFAULT now(),
    updated_at        timestamptz DEFAULT now(),
    UNIQUE (account_id, credential_type)
);

CREATE TABLE IF NOT EXISTS signals (
    signal_id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instrument             varchar(20) NOT NULL,
    signal_type            varchar(10) NOT NULL CHECK (signal_type IN ('BUY', 'SELL')),
    confidence             decimal(4,3) NOT NULL CHECK (confidence BETWEEN 0.000 AND 1.000),
    entry_price            decimal(10,5) NOT NULL,
    stop_loss              decimal(10,5) NOT NULL,
    take_profit            decimal(10,5) NOT NULL,
    risk_reward_ratio      decimal(4,2) NOT NULL,
    timeframe              varchar(10) NOT NULL,
    wyckoff_phase          varchar(50),
    volume_confirmation    boolean DEFAULT false,
    market_structure_break boolean DEFAULT false,
    agent_id               varchar(50) NOT NULL,
    model_version          varchar(20),
    analysis_data          jsonb DEFAULT '{}',
    generated_at           timestamptz NOT NULL DEFAULT now(),
    valid_until            timestamptz,
    status                 varchar(20) NOT NULL DEFAULT 'pending'
                           CHECK (status IN ('pending', 'executed', 'expired', 'cancelled')),
    execution_count        integer DEFAULT 0,
    total_executed_size    decimal(12,2) DEFAULT 0.00,
    signal_performance     jsonb DEFAULT '{}',
    CONSTRAINT positive_prices CHECK (entry_price > 0 AND stop_loss > 0 AND take_profit > 0),
    CONSTRAINT valid_risk_reward CHECK (risk_reward_ratio >= 1.0)
);
CREATE INDEX IF NOT EXISTS idx_signals_instrument ON signals (instrument);
CREATE INDEX IF NOT EXISTS idx_signals_status ON signals (status);
CREATE INDEX IF NOT EXISTS idx_signals_generated_at ON signals (generated_at);
CREATE INDEX IF NOT EXISTS idx_signals_confidence ON signals (confidence);
CREATE INDEX IF NOT EXISTS idx_signals_agent_id ON signals (agent_id);
CREATE INDEX IF NOT EXISTS idx_signals_instrument_time ON signals (instrument, generated_at DESC);

-- One narrow row per trade, not partitioned: keeps trade_id unique, finds the month of a trade, and counts the
-- trades of a day over one index.
CREATE TABLE trade_registry (
    trade_id          uuid PRIMARY KEY,
    entry_time        timestamptz NOT NULL,
    account_id        uuid NOT NULL,
    platform_trade_id varchar(100),
    instrument        varchar(20)
);

-- An existing table keeps its layout. Rows of a month without a partition go to the default partition. The two
-- months are those in the data model; create_monthly_partitions() creates later ones.
DO $$
BEGIN
    IF to_regclass('public.trades') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE trades (
        trade_id           uuid NOT NULL DEFAULT gen_random_uuid(),
        account_id         uuid NOT NULL REFERENCES accounts (account_id),
        signal_id          uuid REFERENCES signals (signal_id),
        instrument         varchar(20) NOT NULL,
        trade_type         varchar(10) NOT NULL CHECK (trade_type IN ('BUY', 'SELL')),
        position_size      decimal(12,2) NOT NULL,
        entry_price        decimal(10,5) NOT NULL,
        exit_price         decimal(10,5),
        stop_loss          decimal(10,5),
        take_profit        decimal(10,5),
        risk_amount        decimal(12,2) NOT NULL,
        risk_percentage    decimal(5,4) NOT NULL,
        gross_pnl          decimal(12,2),
        net_pnl            decimal(12,2),
        commission         decimal(8,2) DEFAULT 0.00,
        swap_fee           decimal(8,2) DEFAULT 0.00,
        slippage           decimal(8,4) DEFAULT 0.0000,
        signal_time        timestamptz,
        entry_time         timestamptz NOT NULL,
        exit_time          timestamptz,
        duration_seconds   integer,
        status             varchar(20) NOT NULL DEFAULT 'open'
                           CHECK (status IN ('open', 'closed', 'cancelled', 'partial')),
        close_reason       varchar(50),
        trade_session      varchar(20),
        platform_trade_id  varchar(100),
        platform_order_ids jsonb DEFAULT '[]',
        execution_venue    varchar(50),
        metadata           jsonb DEFAULT '{}',
        created_at         timestamptz DEFAULT now(),
        updated_at         timestamptz DEFAULT now(),
        CONSTRAINT positive_position_size CHECK (position_size > 0),
        CONSTRAINT valid_risk_percentage CHECK (risk_percentage BETWEEN 0.001 AND 0.10),
        CONSTRAINT valid_prices CHECK (entry_price > 0 AND (exit_price IS NULL OR exit_price > 0)),
        PRIMARY KEY (trade_id, entry_time)
    ) PARTITION BY RANGE (entry_time);
    CREATE TABLE trades_default PARTITION OF trades DEFAULT;
    CREATE TABLE trades_y2025m01 PARTITION OF trades FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
    CREATE TABLE trades_y2025m02 PARTITION OF trades FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
END $$;
CREATE INDEX IF NOT EXISTS idx_trades_account_id ON trades (account_id);
CREATE INDEX IF NOT EXISTS idx_trades_instrument ON trades (instrument);
CREATE INDEX IF NOT EXISTS idx_trades_status ON trades (status);
CREATE INDEX IF NOT EXISTS idx_trades_entry_time ON trades (entry_time);
CREATE INDEX IF NOT EXISTS idx_trades_signal_id ON trades (signal_id);
CREATE INDEX IF NOT EXISTS idx_trades_pnl ON trades (net_pnl) WHERE net_pnl IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_trades_account_time_status ON trades (account_id, entry_time, status);
CREATE INDEX IF NOT EXISTS idx_trades_active ON trades (account_id, entry_time)
    WHERE status IN ('open', 'partial');

CREATE TABLE IF NOT EXISTS positions (
    position_id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id             uuid NOT NULL REFERENCES accounts (account_id),
    instrument             varchar(20) NOT NULL,
    position_type          varchar(10) NOT NULL CHECK (position_type IN ('LONG', 'SHORT')),
    total_size             decimal(12,2) NOT NULL,
    average_entry_price    decimal(10,5) NOT NULL,
    current_price          decimal(10,5),
    stop_loss              decimal(10,5),
    take_profit            decimal(10,5),
    trailing_stop_distance decimal(10,5),
    unrealized_pnl         decimal(12,2) DEFAULT 0.00,
    realized_pnl           decimal(12,2) DEFAULT 0.00,
    daily_pnl              decimal(12,2) DEFAULT 0.00,
    opened_at              timestamptz NOT NULL DEFAULT now(),
    last_updated_at        timestamptz NOT NULL DEFAULT now(),
    status                 varchar(20) NOT NULL DEFAULT 'open'
                           CHECK (status IN ('open', 'closing', 'closed')),
    platform_position_ids  jsonb DEFAULT '[]',
    metadata               jsonb DEFAULT '{}',
    CONSTRAINT positive_size CHECK (total_size > 0),
    CONSTRAINT positive_entry_price CHECK (average_entry_price > 0)
    -- The model's UNIQUE (account_id, instrument, status) would refuse a second closed position in an
    -- instrument; 0002 has a unique index on open ones instead.
);
CREATE INDEX IF NOT EXISTS idx_positions_account_id ON positions (account_id);
CREATE INDEX IF NOT EXISTS idx_positions_instrument ON positions (instrument);
CREATE INDEX IF NOT EXISTS idx_positions_status ON positions (status);
CREATE INDEX IF NOT EXISTS idx_positions_unrealized_pnl ON positions (unrealized_pnl);
CREATE INDEX IF NOT EXISTS idx_positions_account_instrument ON positions (account_id, instrument);
CREATE INDEX IF NOT EXISTS idx_positions_open ON positions (account_id, instrument)
    WHERE status = 'open';

CREATE TABLE IF NOT EXISTS market_data (
    time             timestamptz NOT NULL,
    instrument       varchar(20) NOT NULL,
    open             decimal(10,5) NOT NULL,
    high             decimal(10,5) NOT NULL,
    low              decimal(10,5) NOT NULL,
    close            decimal(10,5) NOT NULL,
    volume           bigint DEFAULT 0,
    tick_count       integer DEFAULT 0,
    typical_price    decimal(10,5) GENERATED ALWAYS AS ((high + low + close) / 3) STORED,
    price_change     decimal(10,5),
    price_change_pct decimal(8,4),
    timeframe        varchar(10) NOT NULL,
    data_source      varchar(50) NOT NULL,
    quality_score    decimal(3,2) DEFAULT 1.00,
    CONSTRAINT valid_ohlc CHECK (
        open > 0 AND high > 0 AND low > 0 AND close > 0 AND
        high >= low AND high >= open AND high >= close AND low <= open AND low <= close),
    CONSTRAINT valid_volume CHECK (volume >= 0),
    CONSTRAINT valid_quality CHECK (quality_score BETWEEN 0.00 AND 1.00)
);
CREATE INDEX IF NOT EXISTS idx_market_data_instrument_time ON market_data (instrument, time DESC);
CREATE INDEX IF NOT EXISTS idx_market_data_timeframe ON market_data (timeframe);
CREATE INDEX IF NOT EXISTS idx_market_data_covering ON market_data (instrument, time DESC)
    INCLUDE (open, high, low, close, volume);

CREATE TABLE IF NOT EXISTS risk_limits (
    limit_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id        uuid REFERENCES accounts (account_id),
    limit_type        varchar(50) NOT NULL,
    limit_scope       varchar(20) NOT NULL
                      CHECK (limit_scope IN ('account', 'instrument', 'portfolio', 'system')),
    scope_identifier  varchar(100),         -- instrument or portfolio name
    limit_value       decimal(15,4) NOT NULL,
    limit_unit        varchar(20) NOT NULL, -- a currency, percentage, fraction, units, count, …
    warning_threshold decimal(15,4),        -- same unit; none means 80 % of the limit
    time_window       varchar(20),          -- daily, weekly, monthly, position
    is_active         boolean NOT NULL DEFAULT true,
    description       text,
    created_by        varchar(100) NOT NULL,
    approved_by       varchar(100),
    effective_from    timestamptz DEFAULT now(),
    effective_until   timestamptz,
    created_at        timestamptz DEFAULT now(),
    updated_at        timestamptz DEFAULT now(),
    CONSTRAINT positive_limit_value CHECK (limit_value > 0),
    CONSTRAINT valid_warning_threshold CHECK (
        warning_threshold IS NULL OR warning_threshold <= limit_value)
);
CREATE INDEX IF NOT EXISTS idx_risk_limits_account_id ON risk_limits (account_id);
CREATE INDEX IF NOT EXISTS idx_risk_limits_type_scope ON risk_limits (limit_type, limit_scope);
CREATE INDEX IF NOT EXISTS idx_risk_limits_active ON risk_limits (is_active);

CREATE TABLE IF NOT EXISTS risk_events (
    event_id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id          uuid NOT NULL REFERENCES accounts (account_id),
    event_type          varchar(50) NOT NULL,
    severity            varchar(20) NOT NULL
                        CHECK (severity IN ('info', 'warning', 'critical', 'emergency')),
    event_source        varchar(50) NOT NULL,
    risk_measure        varchar(50),
    current_value       decimal(15,4),
    limit_value         decimal(15,4),
    threshold_breached  varchar(20),
    related_trade_id    uuid REFERENCES trade_registry (trade_id),
    related_position_id uuid REFERENCES positions (position_id),
    related_limit_id    uuid REFERENCES risk_limits (limit_id),
    action_taken        varchar(100),
    auto_resolved       boolean DEFAULT false,
    resolution_time     timestamptz,
    event_data          jsonb DEFAULT '{}',
    occurred_at         timestamptz NOT NULL DEFAULT now(),
    created_at          timestamptz DEFAULT now()
);
CREATE INDEX IF NOT EXISTS idx_risk_events_account_id ON risk_events (account_id);
CREATE INDEX IF NOT EXISTS idx_risk_events_occurred_at ON risk_events (occurred_at);
CREATE INDEX IF NOT EXISTS idx_risk_events_severity ON risk_events (severity);
CREATE INDEX IF NOT EXISTS idx_risk_events_type ON risk_events (event_type);

CREATE TABLE IF NOT EXISTS agents (
    agent_id                 varchar(50) PRIMARY KEY,
    agent_name               varchar(100) NOT NULL,
    agent_type               varchar(50) NOT NULL,
    config_version           varchar(20) NOT NULL,
    config_data              jsonb NOT NULL DEFAULT '{}',
    status                   varchar(20) NOT NULL DEFAULT 'stopped'
                             CHECK (status IN ('running', 'stopped', 'error', 'maintenance')),
    last_heartbeat           timestamptz,
    uptime_seconds           bigint DEFAULT 0,
    total_requests           bigint DEFAULT 0,
    error_count              bigint DEFAULT 0,
    average_response_time_ms decimal(8,2),
    version                  varchar(20) NOT NULL,
    deployment_id            varchar(100),
    started_at               timestamptz,
    created_at               timestamptz DEFAULT now(),
    updated_at               timestamptz DEFAULT now(),
    metadata                 jsonb DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS idx_agents_status ON agents (status);
CREATE INDEX IF NOT EXISTS idx_agents_type ON agents (agent_type);
CREATE INDEX IF NOT EXISTS idx_agents_last_heartbeat ON agents (last_heartbeat);

CREATE TABLE IF NOT EXISTS system_events (
    event_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    event_type       varchar(50) NOT NULL,
    event_category   varchar(30) NOT NULL,
    severity         varchar(20) NOT NULL
                     CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
    source_agent     varchar(50) REFERENCES agents (agent_id),
    source_component varchar(100),
    source_instance  varchar(100),
    event_message    text NOT NULL,
    event_data       jsonb DEFAULT '{}',
    correlation_id   uuid,
    parent_event_id  uuid,
    trace_id         varchar(100),
    occurred_at      timestamptz NOT NULL DEFAULT now(),
    received_at      timestamptz DEFAULT now(),
    processed        boolean DEFAULT false,
    acknowledged     boolean DEFAULT false,
    acknowledged_by  varchar(100),
    acknowledged_at  timestamptz,
    PRIMARY KEY (event_id, occurred_at)
);
CREATE INDEX IF NOT EXISTS idx_system_events_type ON system_events (event_type);
CREATE INDEX IF NOT EXISTS idx_system_events_severity ON system_events (severity);
CREATE INDEX IF NOT EXISTS idx_system_events_source ON system_events (source_agent, source_component);
CREATE INDEX IF NOT EXISTS idx_system_events_correlation ON system_events (correlation_id);
