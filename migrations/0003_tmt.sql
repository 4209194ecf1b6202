-- Schema tmt: the console's own tables.

-- Settings of the desk. Numbers are decimal text.
CREATE TABLE tmt.settings (
    key         text PRIMARY KEY,
    value       text NOT NULL,
    description text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  text NOT NULL DEFAULT session_user
);
INSERT INTO tmt.settings (key, value, description) VALUES
    ('environment', 'live', 'live, paper or demo'),
    ('price_max_age_seconds', '10', 'maximum age of a price for new risk'),
    ('conversion_max_age_seconds', '60', 'maximum age of a conversion rate for new risk'),
    ('price_collar_percent', '1', 'maximum distance of an order''s price from the mid, in percent'),
    ('duplicate_window_seconds', '5', 'a repeat of an accepted order within this time needs a reason'),
    ('signal_slippage_pips', '10', 'a price worse than the signal''s by more than this needs a reason'),
    ('stop_required', 'true', 'true: new risk needs a stop'),
    ('max_risk_fraction', '0.10', 'maximum risk of one trade, as a fraction of equity'),
    ('strict_limits', 'false', 'true: an active limit that is not enforced refuses new risk'),
    ('four_eyes', 'on', 'on: loosening a limit needs a second person; off: single-operator desk'),
    ('market_data_keep_days', '', 'days that bars are kept; empty: forever'),
    ('system_events_keep_days', '', 'days that system events are kept; empty: forever'),
    ('rate_counts_refused', 'false', 'true: refused orders count in max_orders_per_minute');
INSERT INTO tmt.settings (key, value, description)
SELECT 'trades_layout',
       CASE WHEN c.relkind = 'r' THEN 'plain'
            WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid
                            AND i.inhrelid = to_regclass('public.trades_default')) THEN 'monthly'
            ELSE 'foreign' END,
       'partitions of trades: monthly, plain (none) or foreign (managed by another program); set by tmt migrate'
  FROM pg_class c WHERE c.oid = 'public.trades'::regclass;

-- One key, one answer. Never pruned: a missing key would read as "not executed".
CREATE TABLE tmt.requests (
    key         uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,              -- SHA-256 of the request
    actor       text NOT NULL,
    verb        text NOT NULL,               -- void: fenced, because its outcome was queried before it arrived
    received_at timestamptz NOT NULL,
    revision    integer NOT NULL DEFAULT 0,  -- of the rulebook that answers; 0: of an unreleased build
    outcome     text,                        -- this and the columns below: the answer; set before commit
    code        text,
    message     text,
    measured    numeric,
    allowed     numeric,
    unit        text,
    subject     uuid,
    detail      jsonb
);

-- One line per write and per refusal; each hash covers the line before it. Lines deleted from the end do not show
-- in the chain itself: export tmt.audit_head.
CREATE TABLE tmt.audit_log (
    seq       bigint PRIMARY KEY,
    at        timestamptz NOT NULL,
    actor     text NOT NULL,
    verb      text NOT NULL,
    key       uuid,
    outcome   text NOT NULL,
    code      text,
    subject   uuid,
    payload   jsonb NOT NULL,
    prev_hash bytea NOT NULL,
    hash      bytea NOT NULL
);
CREATE INDEX idx_audit_log_key ON tmt.audit_log (key);
CREATE INDEX idx_audit_log_orders ON tmt.audit_log (at) WHERE verb = 'place_trade';
CREATE TABLE tmt.audit_head (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq       bigint NOT NULL,
    hash      bytea NOT NULL,
    prev_hash bytea,                         -- of the newest line
    at        timestamptz                    -- of the newest line
);
INSERT INTO tmt.audit_head (seq, hash) VALUES (0, sha256('tmt'));

-- Which rows changed, by transaction, for polls.
CREATE TABLE tmt.change_log (
    xid  xid8 NOT NULL,
    kind text NOT NULL,
    id   text,                               -- NULL: too many rows to list; read the whole kind
    at   timestamptz NOT NULL
);
CREATE INDEX idx_change_log_xid ON tmt.change_log (xid);
-- Changes of older transactions were pruned: an older cursor must read everything.
CREATE TABLE tmt.change_horizon (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid       xid8 NOT NULL,
    pruned_at timestamptz NOT NULL
);
INSERT INTO tmt.change_horizon (xid, pruned_at) VALUES ('0', '-infinity');

-- The limit types. Their rows are in rulebook/limits/types.sql.
CREATE TABLE tmt.limit_types (
    limit_type   text PRIMARY KEY,
    description  text NOT NULL,
    units        text[] NOT NULL,                 -- money (any currency), percentage, fraction, units, lots, …
    scopes       text[] NOT NULL,
    is_minimum   boolean NOT NULL DEFAULT false,  -- a larger value is tighter
    inclusive    boolean NOT NULL DEFAULT false,  -- reaching the limit is a breach, not only exceeding it
    enforced     boolean NOT NULL,
    before_trade boolean NOT NULL DEFAULT true,   -- checked before an order is booked
    live         boolean NOT NULL DEFAULT false,  -- monitored while positions are open
    reads_totals boolean NOT NULL DEFAULT false,  -- measured from the running totals
    is_loss      boolean NOT NULL DEFAULT false,  -- a breach halts the account
    label        text,                            -- subject of a sentence about it
    time_window  text                             -- the period it is measured over; NULL: none
);

-- The codes of answers and errors. The rows are in rulebook/codes.sql.
CREATE TABLE tmt.codes (
    code    text PRIMARY KEY,
    kind    text NOT NULL,
    alerts  boolean NOT NULL,
    meaning text NOT NULL,
    remedy  text                             -- what to do
);

-- The standing of each monitored limit when it was last measured: per account, or once for a wide limit.
CREATE TABLE tmt.limit_states (
    limit_id   uuid,                         -- NULL: a loss limit in a column of accounts
    rule       text NOT NULL,                -- limit type; all_limits: none of the account's limits could be measured
    account_id uuid,                         -- NULL: a wide limit
    limit_key  text GENERATED ALWAYS AS (coalesce(limit_id::text, rule) || ':' || coalesce(account_id::text, '')) STORED
               PRIMARY KEY,
    state      text NOT NULL,                -- ok, warning, breach, unknown
    measured   numeric,
    allowed    numeric,
    unit       text,
    raised_value numeric,                    -- measured when an event was last raised
    since      timestamptz NOT NULL,
    measured_at timestamptz NOT NULL,
    -- Key of the event it raised last. Several limits on one account's loss (columns of accounts, rows of
    -- risk_limits) share one event: it shows the limit with the highest use.
    event_key  text
);
-- Of one account: what the monitor asks for all the time.
CREATE INDEX idx_limit_states_account ON tmt.limit_states (account_id);

-- Accounts that could not be marked because another session had locked them.
CREATE TABLE tmt.locked_accounts (
    account_id uuid PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);

-- Rows to lock for work that one session does at a time. Not advisory locks: any login can take those, and a viewer
-- could block orders and the monitor.
CREATE TABLE tmt.mutexes (name text PRIMARY KEY);
INSERT INTO tmt.mutexes (name) VALUES ('risk'), ('halt'), ('mark'), ('roll'), ('monitor'), ('prune');

-- ---- running totals ---------------------------------------------------------------------------

-- Sums over open positions, per account and per portfolio ('' is that of accounts without one), by instrument, so
-- that a limit reads a few rows. In units, not in money: prices change too often.
CREATE TABLE tmt.account_totals (
    account_id uuid NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    instrument text NOT NULL,
    net        numeric NOT NULL DEFAULT 0,    -- Σ signed size
    positions  bigint NOT NULL DEFAULT 0,
    risk       numeric NOT NULL DEFAULT 0,    -- Σ max(0, (entry − stop) · side) · size, before contract size
    unbounded  bigint NOT NULL DEFAULT 0,     -- positions without a stop
    PRIMARY KEY (account_id, instrument)
) WITH (fillfactor = 70);
CREATE TABLE tmt.portfolio_totals (
    portfolio  text NOT NULL,
    instrument text NOT NULL,
    gross      numeric NOT NULL DEFAULT 0,    -- Σ over accounts of |net size|
    net        numeric NOT NULL DEFAULT 0,
    positions  bigint NOT NULL DEFAULT 0,
    risk       numeric NOT NULL DEFAULT 0,
    unbounded  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (portfolio, instrument)
) WITH (fillfactor = 50);

-- Σ signed open size of the open trades of an account in an instrument, for the exposure check: summing 15,000 open
-- trades took 90 ms per INSERT. Trades, not positions: other programs insert trades before any position changes.
--
-- Written only with the account locked. A trade that reduces risk does not wait for that lock: it adds a row to
-- trade_total_changes, which counts at once and which the next session that locks the account adds to the total.
CREATE TABLE tmt.trade_totals (
    account_id uuid NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    instrument text NOT NULL,
    size       numeric NOT NULL,
    PRIMARY KEY (account_id, instrument)
) WITH (fillfactor = 70);
CREATE TABLE tmt.trade_total_changes (
    account_id uuid NOT NULL,
    instrument text NOT NULL,
    change     numeric NOT NULL
);
CREATE INDEX idx_trade_total_changes ON tmt.trade_total_changes (account_id, instrument);

-- ---- rows of an adopted database ---------------------------------------------------------------

INSERT INTO tmt.account_totals (account_id, instrument, net, positions, risk, unbounded)
SELECT p.account_id, p.instrument, sum(s.side * p.total_size), count(*),
       coalesce(sum(greatest(0, s.side * (p.average_entry_price - p.stop_loss)) * p.total_size), 0),
       count(*) FILTER (WHERE p.stop_loss IS NULL)
  FROM positions p, LATERAL (SELECT CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END AS side) s
 WHERE p.status IN ('open', 'closing') GROUP BY p.account_id, p.instrument;
INSERT INTO tmt.portfolio_totals (portfolio, instrument, gross, net, positions, risk, unbounded)
SELECT coalesce(a.metadata ->> 'portfolio', ''), m.instrument, sum(abs(m.net)), sum(m.net), sum(m.positions), sum(m.risk),
       sum(m.unbounded)
  FROM tmt.account_totals m JOIN accounts a USING (account_id) GROUP BY 1, 2;
INSERT INTO tmt.trade_totals (account_id, instrument, size)
SELECT t.account_id, t.instrument,
       sum(CASE t.trade_type WHEN 'BUY' THEN t.position_size - t.closed_size ELSE t.closed_size - t.position_size END)
  FROM trades t WHERE t.status IN ('open', 'partial') GROUP BY 1, 2;
