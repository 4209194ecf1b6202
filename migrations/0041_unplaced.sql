-- A trade that another program writes is no position until that program makes one of it. Until then the desk
-- counts it too, or an order of the desk would find the room that is taken already.
SET LOCAL ROLE tmt_owner;

-- Signed size: what other programs than the desk changed in live trades, less what they changed in live
-- positions. A sum over lines, so that a close waits for nobody.
CREATE TABLE IF NOT EXISTS desk.unplaced_changes (
    account_id uuid NOT NULL,
    instrument text NOT NULL,
    change     numeric NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_unplaced_changes ON desk.unplaced_changes (account_id, instrument);
GRANT SELECT ON desk.unplaced_changes TO tmt_viewer;

-- Notes what another program changed in live trades.
CREATE OR REPLACE FUNCTION desk.note_trade_of_others() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO desk.unplaced_changes (account_id, instrument, change)
    SELECT c.account_id, c.instrument, sum(c.change)
      FROM (SELECT OLD.account_id, OLD.instrument, -desk.live_size(OLD) WHERE TG_OP <> 'INSERT'
            UNION ALL
            SELECT NEW.account_id, NEW.instrument, desk.live_size(NEW) WHERE TG_OP <> 'DELETE') c (account_id, instrument, change)
     GROUP BY c.account_id, c.instrument HAVING sum(c.change) <> 0;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_note_trade_of_others AFTER INSERT OR UPDATE OR DELETE ON trades FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION desk.note_trade_of_others();

-- Notes what another program changed in live positions, taken off what it traded.
CREATE OR REPLACE FUNCTION desk.note_position_of_others() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO desk.unplaced_changes (account_id, instrument, change)
    SELECT c.account_id, c.instrument, sum(c.change)
      FROM (SELECT OLD.account_id, OLD.instrument, desk.signed_size(OLD) WHERE TG_OP <> 'INSERT' AND OLD.status IN ('open', 'closing')
            UNION ALL
            SELECT NEW.account_id, NEW.instrument, -desk.signed_size(NEW) WHERE TG_OP <> 'DELETE' AND NEW.status IN ('open', 'closing'))
           c (account_id, instrument, change)
     GROUP BY c.account_id, c.instrument HAVING sum(c.change) <> 0;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tr_note_position_of_others AFTER INSERT OR UPDATE OR DELETE ON positions FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION desk.note_position_of_others();

-- What accounts (NULL: all) trade beyond their positions, beside what those come to.
CREATE OR REPLACE FUNCTION desk.unplaced(p_account uuid) RETURNS TABLE (account_id uuid, instrument text, size numeric, net numeric)
LANGUAGE sql STABLE AS $$
    SELECT c.account_id, c.instrument, sum(c.change), coalesce(b.net, 0)
      FROM desk.unplaced_changes c LEFT JOIN desk.account_books b USING (account_id, instrument)
     WHERE p_account IS NULL OR c.account_id = p_account
     GROUP BY c.account_id, c.instrument, b.net
    HAVING abs(coalesce(b.net, 0) + sum(c.change)) > abs(coalesce(b.net, 0))
$$;

-- The books that limits of an order may look at, before the order, in the account's currency: the
-- account's, and with p_wide those of its portfolio, of the instrument and of all. What other programs trade
-- and have not put into a position yet stands in them as if it were.
CREATE OR REPLACE FUNCTION desk.book_totals(o desk.order_draft, p_wide boolean) RETURNS SETOF desk.book_total
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH unplaced AS MATERIALIZED (
        SELECT u.*, a.metadata ->> 'portfolio' AS portfolio FROM desk.unplaced(CASE WHEN p_wide THEN NULL ELSE o.account_id END) u
          JOIN accounts a USING (account_id)
    ), held AS (
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
        UNION ALL
        SELECT s.scope, u.instrument, abs(u.net + u.size) - abs(u.net), u.size, CASE u.net WHEN 0 THEN 1 ELSE 0 END, 0, 0
          FROM unplaced u, (VALUES ('account'), ('portfolio'), ('system'), ('instrument')) AS s (scope)
         WHERE CASE s.scope WHEN 'account' THEN u.account_id = o.account_id WHEN 'portfolio' THEN p_wide AND u.portfolio = o.portfolio
                            ELSE p_wide AND (s.scope = 'system' OR u.instrument = o.instrument) END
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
         WHERE i.instrument IN (SELECT h.instrument FROM held h WHERE h.positions > 0 OR h.gross > 0)
    )
    SELECT h.scope, sum(h.gross * v.mid * v.factor), sum(h.net * v.mid * v.factor), sum(h.risk * v.factor),
           sum(h.positions)::bigint, sum(h.unbounded)::bigint,
           min(h.instrument) FILTER (WHERE v.mid IS NULL OR v.factor IS NULL)
      FROM held h LEFT JOIN valued v USING (instrument)
     WHERE h.positions > 0 OR h.gross > 0
     GROUP BY h.scope;
END $$;

-- Forgets changes older than ten minutes; a console that was away for longer reads its panes again.
CREATE OR REPLACE FUNCTION desk.prune() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    oldest xid8 := pg_snapshot_xmin(pg_current_snapshot());
    forgotten xid8;
BEGIN
    IF NOT desk.try_turn('prune') THEN
        RETURN;
    END IF;
    -- Only transactions that are over for everybody: what one of them left is in every later snapshot.
    WITH gone AS (
        DELETE FROM desk.change_log c WHERE c.at < clock_timestamp() - interval '10 minutes' AND c.xid < oldest RETURNING c.xid
    )
    SELECT g.xid INTO forgotten FROM gone g ORDER BY g.xid DESC LIMIT 1;
    UPDATE desk.change_horizon h
       SET xid = CASE WHEN forgotten >= h.xid THEN (forgotten::text::numeric + 1)::text::xid8 ELSE h.xid END,
           pruned_at = clock_timestamp();
    -- What came to nothing; lines that are written meanwhile are in neither half of this.
    DELETE FROM desk.unplaced_changes c
     USING (SELECT n.account_id, n.instrument FROM desk.unplaced_changes n GROUP BY 1, 2 HAVING sum(n.change) = 0) even
     WHERE (c.account_id, c.instrument) = (even.account_id, even.instrument);
END $$;

REVOKE ALL ON FUNCTION desk.note_trade_of_others(), desk.note_position_of_others(), desk.unplaced(uuid) FROM PUBLIC;
