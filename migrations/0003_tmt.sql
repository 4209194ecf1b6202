-- Schema tmt: what only the console and its rulebook read and write.

-- What a desk may set without a new program. Numbers are decimal text.
CREATE TABLE tmt.settings (
    key         text PRIMARY KEY,
    value       text NOT NULL,
    description text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  text NOT NULL DEFAULT session_user
);
INSERT INTO tmt.settings (key, value, description) VALUES
    ('environment', 'live', 'live, paper or demo. A database that nobody labelled is taken as live'),
    ('price_max_age_seconds', '10', 'an older price refuses new risk'),
    ('conversion_max_age_seconds', '60', 'an older conversion rate refuses new risk'),
    ('price_collar_percent', '1', 'how far a price may stand from the last mid'),
    ('duplicate_window_seconds', '5', 'a twin of an accepted order inside this window asks for a reason'),
    ('signal_slippage_pips', '10', 'a worse price than the signal''s by more than this asks for a reason'),
    ('stop_required', 'true', 'whether a trade that opens risk needs a stop'),
    ('max_risk_fraction', '0.10', 'most that one trade may risk, as a fraction of equity'),
    ('strict_limits', 'false', 'whether an active limit of a type nobody enforces refuses new risk'),
    ('four_eyes', 'on', 'on: loosening a limit needs a second person; off: a single-operator desk'),
    ('market_data_keep_days', '', 'how long bars are kept; empty: for ever'),
    ('system_events_keep_days', '', 'how long system events are kept; empty: for ever'),
    ('rate_counts_refused', 'false', 'whether refused orders count in max_orders_per_minute');
INSERT INTO tmt.settings (key, value, description)
SELECT 'trades_layout',
       CASE WHEN c.relkind = 'r' THEN 'plain'
            WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid
                            AND i.inhrelid = to_regclass('public.trades_default')) THEN 'monthly'
            ELSE 'foreign' END,
       'monthly, plain or foreign: who owns the partitions of trades; never changed by hand'
  FROM pg_class c WHERE c.oid = 'public.trades'::regclass;

-- One key, one answer. Never pruned: a key that is gone would read as "not executed".
CREATE TABLE tmt.requests (
    key         uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,              -- sha256 of the fields the person reviewed
    actor       text NOT NULL,
    verb        text NOT NULL,               -- void: fenced because its outcome was asked for first
    received_at timestamptz NOT NULL,
    outcome     text,                        -- with the columns below: the verdict; set before commit
    code        text,
    message     text,
    measured    numeric,
    allowed     numeric,
    unit        text,
    subject     uuid,
    detail      jsonb
);

-- Every write and every refusal, chained: each hash covers the one before it. A deleted tail does not show in
-- the chain itself, so keep tmt.audit_head somewhere else as well.
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
    prev_hash bytea,                         -- of the line that moved the head here
    at        timestamptz                    -- of that line
);
INSERT INTO tmt.audit_head (seq, hash) VALUES (0, sha256('tmt'));

-- Which rows changed, by transaction: what a poll asks for.
CREATE TABLE tmt.change_log (
    xid  xid8 NOT NULL,
    kind text NOT NULL,
    id   text,                               -- none: too many to name
    at   timestamptz NOT NULL
);
CREATE INDEX idx_change_log_xid ON tmt.change_log (xid);
-- Changes of transactions before this one are gone: an older cursor has to read everything.
CREATE TABLE tmt.change_horizon (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid       xid8 NOT NULL,
    pruned_at timestamptz NOT NULL
);
INSERT INTO tmt.change_horizon (xid, pruned_at) VALUES ('0', '-infinity');

-- What limit types there are. Their rows are in rulebook/limits/types.sql.
CREATE TABLE tmt.limit_types (
    limit_type   text PRIMARY KEY,
    description  text NOT NULL,
    units        text[] NOT NULL,                 -- of: money (any currency), percentage, fraction, units, lots, …
    scopes       text[] NOT NULL,
    is_minimum   boolean NOT NULL DEFAULT false,  -- tighter means larger
    inclusive    boolean NOT NULL DEFAULT false,  -- reaching the limit is a breach, not only passing it
    enforced     boolean NOT NULL,
    before_trade boolean NOT NULL DEFAULT true,   -- checked before an order is booked
    live         boolean NOT NULL DEFAULT false,  -- monitored while positions are open
    reads_totals   boolean NOT NULL DEFAULT false,  -- needs the running totals valued
    is_loss      boolean NOT NULL DEFAULT false,  -- a breach halts the account
    label        text,                            -- how a sentence begins that is about it
    time_window  text                             -- over what time it is measured; none: at every moment
);

-- The standing of each live limit when it was last measured, for each account it governs; '' for one that looks
-- at several together.
CREATE TABLE tmt.limit_states (
    limit_key  text PRIMARY KEY,             -- limit, or the rule of an account's column; and the account
    state      text NOT NULL,                -- ok, warning, breach, unknown
    measured   numeric,
    allowed    numeric,
    unit       text,
    raised_value numeric,                 -- what was measured when an event was last raised
    since      timestamptz NOT NULL,
    measured_at timestamptz NOT NULL,
    -- The event it raised last. Several rules may say the same of one account's loss: the account's own column, a
    -- row of risk_limits, another row. They share one event, that of the rule that is used up most.
    event_key  text
);
-- Of one account: what the monitor asks for all the time.
CREATE INDEX idx_limit_states_account ON tmt.limit_states (split_part(limit_key, ':', 2));

-- Accounts that could not be marked, from when to when.
CREATE TABLE tmt.locked_accounts (
    account_id uuid PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);

-- What only one session does at a time. Rows and not advisory locks, because anybody who may log in can take
-- an advisory lock: a viewer could hold up every order, and blind the monitor.
CREATE TABLE tmt.mutexes (name text PRIMARY KEY);
INSERT INTO tmt.mutexes (name) VALUES ('risk'), ('halt'), ('mark'), ('roll'), ('monitor'), ('prune');

-- ---- running totals ---------------------------------------------------------------------------

-- Sums over the live positions of each account, and of each portfolio ('' is that of accounts that have none), by
-- instrument. A limit reads a handful of rows here instead of every position. In units, not in money: prices
-- move too often to be stored.
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

-- Σ signed open size of the live trades of an account in an instrument, for the exposure check: summing up 15,000
-- live trades made one INSERT take 90 ms. Trades, not positions: other writers insert trades, and nobody has
-- updated a position yet.
--
-- Written only by the session that holds the account. What takes risk away may hold nothing and waits for nobody:
-- it leaves a line in trade_total_changes, which belongs to the sum, and which the next one who holds the account adds
-- to it.
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
