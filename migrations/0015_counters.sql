-- What the limits count, kept as it changes, so that judging an order costs the same with ten million
-- trades as with ten: no check reads `trades`.
SET LOCAL ROLE tmt_owner;

ALTER TABLE risk_limits
    -- What one number cannot say: {"base", "of", "trailing", "lock", "inclusive", "instruments", "hours"}.
    ADD COLUMN IF NOT EXISTS parameters jsonb NOT NULL DEFAULT '{}',
    -- This row would end the one it supersedes, and put nothing in its place.
    ADD COLUMN IF NOT EXISTS retires boolean NOT NULL DEFAULT false;

-- ---- entries of the day -----------------------------------------------------------------------

-- Whoever opens a trade, the registry has it: narrow rows, one index for all months.
ALTER TABLE trade_registry ADD COLUMN IF NOT EXISTS instrument varchar(20);
CREATE INDEX IF NOT EXISTS idx_trade_registry_entries ON trade_registry (account_id, entry_time);

CREATE OR REPLACE FUNCTION keep_trade_registry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    known timestamptz;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Waits for a concurrent insert of the same id.
        INSERT INTO trade_registry (trade_id, entry_time, account_id, platform_trade_id, instrument)
        VALUES (NEW.trade_id, NEW.entry_time, NEW.account_id, NEW.platform_trade_id, NEW.instrument)
        ON CONFLICT (trade_id) DO NOTHING;
        IF NOT FOUND THEN
            -- Claimed by desk.place_trade, moved between months, or a duplicate.
            SELECT r.entry_time INTO known FROM trade_registry r WHERE r.trade_id = NEW.trade_id;
            IF known IS DISTINCT FROM NEW.entry_time THEN
                RAISE unique_violation USING
                    MESSAGE = 'duplicate key value violates unique constraint "trade_registry_pkey"',
                    TABLE = 'trade_registry', CONSTRAINT = 'trade_registry_pkey';
            END IF;
        END IF;
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE trade_registry r
           SET trade_id = NEW.trade_id, entry_time = NEW.entry_time, account_id = NEW.account_id,
               platform_trade_id = NEW.platform_trade_id, instrument = NEW.instrument
         WHERE r.trade_id = OLD.trade_id;
        RETURN NEW;
    END IF;
    DELETE FROM trade_registry r WHERE r.trade_id = OLD.trade_id AND r.entry_time = OLD.entry_time;
    RETURN NULL;
END $$;

-- Orders of the last minute, of everybody. Fills come in order of time, so a few pages tell it; a tree
-- would cost every fill an entry, and tempt the planner where the account is known.
CREATE INDEX IF NOT EXISTS idx_trade_fills_time ON trade_fills USING brin (filled_at) WITH (pages_per_range = 8, autosummarize = on);

-- ---- books ------------------------------------------------------------------------------------

-- Sums over the live positions of each account, and of each portfolio ('' is that of accounts that have
-- none), by instrument. A limit reads a handful of rows here instead of every position.
-- In units, not in money: prices move too often to be stored.
CREATE TABLE IF NOT EXISTS desk.account_books (
    account_id uuid NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    instrument text NOT NULL,
    net        numeric NOT NULL DEFAULT 0,    -- Σ signed size
    positions  bigint NOT NULL DEFAULT 0,
    risk       numeric NOT NULL DEFAULT 0,    -- Σ max(0, (entry − stop) · side) · size, before contract size
    unbounded  bigint NOT NULL DEFAULT 0,     -- positions without a stop
    PRIMARY KEY (account_id, instrument)
) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS desk.portfolio_books (
    portfolio  text NOT NULL,
    instrument text NOT NULL,
    gross      numeric NOT NULL DEFAULT 0,    -- Σ over accounts of |net size|
    net        numeric NOT NULL DEFAULT 0,
    positions  bigint NOT NULL DEFAULT 0,
    risk       numeric NOT NULL DEFAULT 0,
    unbounded  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (portfolio, instrument)
) WITH (fillfactor = 50);

-- What one position adds. Risk counts from the entry to the stop, never below zero.
CREATE OR REPLACE FUNCTION desk.signed_size(p positions) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END $$;

CREATE OR REPLACE FUNCTION desk.stop_risk(p positions) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.stop_loss IS NULL THEN 0
                WHEN p.position_type = 'LONG' THEN greatest(0, p.average_entry_price - p.stop_loss) * p.total_size
                ELSE greatest(0, p.stop_loss - p.average_entry_price) * p.total_size END
$$;

-- Adds the difference that one change of a position makes. |net| is not additive where an account holds
-- tickets on both sides: the row of the account says what its net has become.
CREATE OR REPLACE FUNCTION desk.keep_books() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    owner  uuid;
    held   text;
    change numeric := 0;
    counted bigint := 0;
    risked numeric := 0;
    bare   bigint := 0;
    net_is numeric;
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.account_id, OLD.instrument) <> (NEW.account_id, NEW.instrument) THEN
        RAISE EXCEPTION 'a position keeps its account and its instrument' USING ERRCODE = 'TR010';
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.status IN ('open', 'closing') THEN
        owner := OLD.account_id;
        held := OLD.instrument;
        change := -desk.signed_size(OLD);
        counted := -1;
        risked := -desk.stop_risk(OLD);
        bare := CASE WHEN OLD.stop_loss IS NULL THEN -1 ELSE 0 END;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status IN ('open', 'closing') THEN
        owner := NEW.account_id;
        held := NEW.instrument;
        change := change + desk.signed_size(NEW);
        counted := counted + 1;
        risked := risked + desk.stop_risk(NEW);
        bare := bare + CASE WHEN NEW.stop_loss IS NULL THEN 1 ELSE 0 END;
    END IF;
    IF owner IS NULL THEN
        RETURN NULL; -- closed before and after
    END IF;
    INSERT INTO desk.account_books AS b (account_id, instrument, net, positions, risk, unbounded)
    VALUES (owner, held, change, counted, risked, bare)
    ON CONFLICT (account_id, instrument) DO UPDATE
        SET net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded
    RETURNING b.net INTO net_is;
    -- By a statement of its own: an account that was changing its portfolio has held the row above until now.
    INSERT INTO desk.portfolio_books AS b (portfolio, instrument, gross, net, positions, risk, unbounded)
    SELECT coalesce(a.metadata ->> 'portfolio', ''), held, abs(net_is) - abs(net_is - change), change, counted, risked, bare
      FROM accounts a WHERE a.account_id = owner
    ON CONFLICT (portfolio, instrument) DO UPDATE
        SET gross = b.gross + EXCLUDED.gross, net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded;
    RETURN NULL;
END $$;
-- A mark moves none of the sums.
CREATE OR REPLACE TRIGGER tr_keep_books_ends AFTER INSERT OR DELETE ON positions
    FOR EACH ROW EXECUTE FUNCTION desk.keep_books();
CREATE OR REPLACE TRIGGER tr_keep_books AFTER UPDATE ON positions FOR EACH ROW
    WHEN ((OLD.status, OLD.position_type, OLD.total_size, OLD.average_entry_price, OLD.stop_loss, OLD.account_id, OLD.instrument)
          IS DISTINCT FROM
          (NEW.status, NEW.position_type, NEW.total_size, NEW.average_entry_price, NEW.stop_loss, NEW.account_id, NEW.instrument))
    EXECUTE FUNCTION desk.keep_books();

-- An account that changes its portfolio takes its book along. Another program may write a position
-- meanwhile, which does not lock the account: its first row in the book holds the account's key, every
-- later one is a row here. Whoever comes second sees what the first has done.
CREATE OR REPLACE FUNCTION desk.move_books() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = NEW.account_id FOR UPDATE;
    PERFORM FROM desk.account_books m WHERE m.account_id = NEW.account_id ORDER BY m.instrument FOR NO KEY UPDATE;
    INSERT INTO desk.portfolio_books AS b (portfolio, instrument, gross, net, positions, risk, unbounded)
    SELECT side.portfolio, m.instrument, side.factor * abs(m.net), side.factor * m.net, side.factor * m.positions,
           side.factor * m.risk, side.factor * m.unbounded
      FROM desk.account_books m,
           (VALUES (coalesce(OLD.metadata ->> 'portfolio', ''), -1),
                   (coalesce(NEW.metadata ->> 'portfolio', ''), 1)) AS side (portfolio, factor)
     WHERE m.account_id = NEW.account_id
     ORDER BY m.instrument, side.portfolio
    ON CONFLICT (portfolio, instrument) DO UPDATE
        SET gross = b.gross + EXCLUDED.gross, net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_move_books AFTER UPDATE OF metadata ON accounts FOR EACH ROW
    WHEN (OLD.metadata ->> 'portfolio' IS DISTINCT FROM NEW.metadata ->> 'portfolio')
    EXECUTE FUNCTION desk.move_books();

-- What is there already. Writers are kept out until this commits, or one of them would be counted twice
-- or not at all.
LOCK TABLE positions IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO desk.account_books (account_id, instrument, net, positions, risk, unbounded)
SELECT p.account_id, p.instrument, sum(desk.signed_size(p)), count(*), sum(desk.stop_risk(p)),
       count(*) FILTER (WHERE p.stop_loss IS NULL)
  FROM positions p WHERE p.status IN ('open', 'closing') GROUP BY p.account_id, p.instrument
ON CONFLICT DO NOTHING;
INSERT INTO desk.portfolio_books (portfolio, instrument, gross, net, positions, risk, unbounded)
SELECT coalesce(a.metadata ->> 'portfolio', ''), m.instrument, sum(abs(m.net)), sum(m.net), sum(m.positions), sum(m.risk),
       sum(m.unbounded)
  FROM desk.account_books m JOIN accounts a USING (account_id) GROUP BY 1, 2
ON CONFLICT DO NOTHING;
GRANT SELECT ON desk.account_books, desk.portfolio_books TO tmt_viewer;
