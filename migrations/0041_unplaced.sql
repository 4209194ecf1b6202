-- A trade that another program writes is no position until that program makes one of it. Until then an order of
-- the desk counts it too, or it would find the room that is taken already.
SET LOCAL ROLE tmt_owner;

-- The books that limits of an order may look at, before the order, in the account's currency: the
-- account's, and with p_wide those of its portfolio, of the instrument and of all. What other programs trade on
-- the account and have not put into a position yet stands in them as if it were.
CREATE OR REPLACE FUNCTION desk.book_totals(o desk.order_draft, p_wide boolean) RETURNS SETOF desk.book_total
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH unplaced AS MATERIALIZED (
        SELECT t.instrument, t.size + coalesce(c.change, 0) AS traded, coalesce(b.net, 0) AS net
          FROM desk.traded t
          LEFT JOIN desk.account_books b USING (account_id, instrument)
          LEFT JOIN LATERAL (SELECT sum(n.change) AS change FROM desk.traded_changes n
                              WHERE n.account_id = t.account_id AND n.instrument = t.instrument) c ON true
         WHERE t.account_id = o.account_id AND abs(t.size + coalesce(c.change, 0)) > abs(coalesce(b.net, 0))
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
        SELECT s.scope, u.instrument, abs(u.traded) - abs(u.net), u.traded - u.net, CASE u.net WHEN 0 THEN 1 ELSE 0 END, 0, 0
          FROM unplaced u, (VALUES ('account'), ('portfolio'), ('system'), ('instrument')) AS s (scope)
         WHERE s.scope = 'account' OR (p_wide AND (s.scope <> 'instrument' OR u.instrument = o.instrument))
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
