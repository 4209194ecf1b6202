-- Running totals: open size and risk per account and per portfolio, by instrument. Limits read them instead of
-- positions and trades. Triggers keep them up to date; desk.reconcile compares and rebuilds them.

-- Exposure before an order, in the account's currency: of the account, and with p_wide of its portfolio, of the
-- instrument and of the system. Trades of other programs that are in no position yet are included.
CREATE FUNCTION desk.scope_totals(o desk.order_context, p_wide boolean) RETURNS SETOF desk.scope_total
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH unnetted AS MATERIALIZED (
        SELECT t.instrument, t.size + coalesce(c.change, 0) AS traded, coalesce(b.net, 0) AS net
          FROM tmt.trade_totals t
          LEFT JOIN tmt.account_totals b USING (account_id, instrument)
          LEFT JOIN LATERAL (SELECT sum(n.change) AS change FROM tmt.trade_total_changes n
                              WHERE n.account_id = t.account_id AND n.instrument = t.instrument) c ON true
         WHERE t.account_id = o.account_id AND abs(t.size + coalesce(c.change, 0)) > abs(coalesce(b.net, 0))
    ), held AS (
        SELECT 'account' AS scope, b.instrument, abs(b.net) AS gross, b.net, b.positions, b.risk, b.unbounded
          FROM tmt.account_totals b WHERE b.account_id = o.account_id
        UNION ALL
        SELECT 'portfolio', b.instrument, b.gross, b.net, b.positions, b.risk, b.unbounded
          FROM tmt.portfolio_totals b WHERE p_wide AND b.portfolio = o.portfolio
        UNION ALL
        SELECT s.scope, b.instrument, sum(b.gross), sum(b.net), sum(b.positions)::bigint, sum(b.risk), sum(b.unbounded)::bigint
          FROM tmt.portfolio_totals b, (VALUES ('system'), ('instrument')) AS s (scope)
         WHERE p_wide AND (s.scope = 'system' OR b.instrument = o.instrument)
         GROUP BY 1, 2
        UNION ALL
        SELECT s.scope, u.instrument, abs(u.traded) - abs(u.net), u.traded - u.net, CASE u.net WHEN 0 THEN 1 ELSE 0 END, 0, 0
          FROM unnetted u, (VALUES ('account'), ('portfolio'), ('system'), ('instrument')) AS s (scope)
         WHERE s.scope = 'account' OR (p_wide AND (s.scope <> 'instrument' OR u.instrument = o.instrument))
    ), valued AS MATERIALIZED (
        SELECT i.instrument,
               -- Nearly every pair has a direct or inverse rate; joins are faster than function calls.
               i.contract_size * CASE WHEN i.quote_currency = o.currency THEN 1
                   ELSE coalesce(direct.rate, 1 / inverse.rate, desk.conversion_rate(i.quote_currency, o.currency)) END AS factor,
               -- Without a quote, the last mark of its positions.
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

-- Net and gross size of a scope, by instrument.
CREATE FUNCTION desk.net_sizes(o desk.order_context, p_scope text)
RETURNS TABLE (instrument text, net numeric, gross numeric) LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_scope = 'account' THEN
        RETURN QUERY SELECT b.instrument, b.net, abs(b.net) FROM tmt.account_totals b WHERE b.account_id = o.account_id;
    ELSE
        RETURN QUERY SELECT b.instrument, sum(b.net), sum(b.gross) FROM tmt.portfolio_totals b
                      WHERE p_scope = 'system' OR b.portfolio = o.portfolio GROUP BY b.instrument;
    END IF;
END $$;

-- Applies a change of a position to the totals. |net| is not additive where an account holds both sides: the
-- account's row gives its new net.
CREATE FUNCTION desk.update_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    owner            uuid;
    held             text;
    net_change       numeric := 0;
    position_change  bigint := 0;
    risk_change      numeric := 0;
    unbounded_change bigint := 0;
    new_net          numeric;
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.account_id, OLD.instrument) <> (NEW.account_id, NEW.instrument) THEN
        RAISE EXCEPTION 'the account and the instrument of a position cannot change' USING ERRCODE = 'TR010';
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.status IN ('open', 'closing') THEN
        owner := OLD.account_id;
        held := OLD.instrument;
        net_change := -desk.signed_size(OLD);
        position_change := -1;
        risk_change := -desk.stop_risk(OLD);
        unbounded_change := CASE WHEN OLD.stop_loss IS NULL THEN -1 ELSE 0 END;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status IN ('open', 'closing') THEN
        owner := NEW.account_id;
        held := NEW.instrument;
        net_change := net_change + desk.signed_size(NEW);
        position_change := position_change + 1;
        risk_change := risk_change + desk.stop_risk(NEW);
        unbounded_change := unbounded_change + CASE WHEN NEW.stop_loss IS NULL THEN 1 ELSE 0 END;
    END IF;
    IF owner IS NULL THEN
        RETURN NULL; -- closed before and after
    END IF;
    INSERT INTO tmt.account_totals AS b (account_id, instrument, net, positions, risk, unbounded)
    VALUES (owner, held, net_change, position_change, risk_change, unbounded_change)
    ON CONFLICT (account_id, instrument) DO UPDATE
        SET net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded
    RETURNING b.net INTO new_net;
    -- A second statement, because an account that was changing its portfolio has locked the row above until now.
    INSERT INTO tmt.portfolio_totals AS b (portfolio, instrument, gross, net, positions, risk, unbounded)
    SELECT coalesce(a.metadata ->> 'portfolio', ''), held, abs(new_net) - abs(new_net - net_change), net_change, position_change, risk_change, unbounded_change
      FROM accounts a WHERE a.account_id = owner
    ON CONFLICT (portfolio, instrument) DO UPDATE
        SET gross = b.gross + EXCLUDED.gross, net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded;
    RETURN NULL;
END $$;

-- Moves an account's totals when its portfolio changes. Another program may write a position meanwhile without
-- locking the account: a new total references the account, an existing one is locked here. The later session sees
-- what the earlier one wrote.
CREATE FUNCTION desk.move_portfolio_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = NEW.account_id FOR UPDATE;
    PERFORM FROM tmt.account_totals m WHERE m.account_id = NEW.account_id ORDER BY m.instrument FOR NO KEY UPDATE;
    INSERT INTO tmt.portfolio_totals AS b (portfolio, instrument, gross, net, positions, risk, unbounded)
    SELECT side.portfolio, m.instrument, side.factor * abs(m.net), side.factor * m.net, side.factor * m.positions,
           side.factor * m.risk, side.factor * m.unbounded
      FROM tmt.account_totals m,
           (VALUES (coalesce(OLD.metadata ->> 'portfolio', ''), -1),
                   (coalesce(NEW.metadata ->> 'portfolio', ''), 1)) AS side (portfolio, factor)
     WHERE m.account_id = NEW.account_id
     ORDER BY m.instrument, side.portfolio
    ON CONFLICT (portfolio, instrument) DO UPDATE
        SET gross = b.gross + EXCLUDED.gross, net = b.net + EXCLUDED.net, positions = b.positions + EXCLUDED.positions,
            risk = b.risk + EXCLUDED.risk, unbounded = b.unbounded + EXCLUDED.unbounded;
    RETURN NULL;
END $$;

-- LONG positive, SHORT negative.
CREATE FUNCTION desk.signed_size(p positions) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END $$;

-- From entry to stop as price × size, never below zero; 0 without a stop.
CREATE FUNCTION desk.stop_risk(p positions) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.stop_loss IS NULL THEN 0
                WHEN p.position_type = 'LONG' THEN greatest(0, p.average_entry_price - p.stop_loss) * p.total_size
                ELSE greatest(0, p.stop_loss - p.average_entry_price) * p.total_size END
$$;

-- Adds to the open trade size of an account in an instrument, and returns the sum. The caller has locked the account.
CREATE FUNCTION desk.add_trade_total(p_account uuid, p_instrument text, p_change numeric) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    new_size numeric;
BEGIN
    INSERT INTO tmt.trade_totals AS t (account_id, instrument, size) VALUES (p_account, p_instrument, p_change)
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = t.size + EXCLUDED.size
    RETURNING t.size INTO new_size;
    RETURN new_size;
END $$;

-- For a change by a session that has not locked the account.
CREATE FUNCTION desk.queue_trade_change(p_account uuid, p_instrument text, p_change numeric) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tmt.trade_total_changes (account_id, instrument, change) VALUES (p_account, p_instrument, p_change);
END $$;

-- Adds the queued changes of an account to its totals. The caller has locked the account.
CREATE FUNCTION desk.apply_trade_changes(p_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH queued AS (
        DELETE FROM tmt.trade_total_changes c WHERE c.account_id = p_account RETURNING c.instrument, c.change
    )
    INSERT INTO tmt.trade_totals AS t (account_id, instrument, size)
    SELECT p_account, q.instrument, sum(q.change) FROM queued q GROUP BY q.instrument
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = t.size + EXCLUDED.size;
END $$;

-- For trades that the rulebook writes, with the account locked, and for deletes. What other programs write is
-- counted by the exposure check.
CREATE FUNCTION desk.update_trade_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM desk.add_trade_total(NEW.account_id, NEW.instrument, desk.signed_open_size(NEW));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM desk.queue_trade_change(OLD.account_id, OLD.instrument, -desk.signed_open_size(OLD));
    ELSIF (OLD.account_id, OLD.instrument) = (NEW.account_id, NEW.instrument) THEN
        PERFORM desk.add_trade_total(NEW.account_id, NEW.instrument, desk.signed_open_size(NEW) - desk.signed_open_size(OLD));
    ELSE
        PERFORM desk.queue_trade_change(OLD.account_id, OLD.instrument, -desk.signed_open_size(OLD));
        PERFORM desk.queue_trade_change(NEW.account_id, NEW.instrument, desk.signed_open_size(NEW));
    END IF;
    RETURN NULL;
END $$;

-- BUY positive, SELL negative; 0 if the trade is not open.
CREATE FUNCTION desk.signed_open_size(t trades) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN t.status NOT IN ('open', 'partial') THEN 0
                WHEN t.trade_type = 'BUY' THEN t.position_size - t.closed_size ELSE t.closed_size - t.position_size END
$$;

-- Rebuilds the totals. The caller has locked the accounts. Another program that writes a position locks a total
-- until it commits: rows are created and locked first, then computed by the next statement, which sees what it
-- wrote.
CREATE FUNCTION desk.rebuild_totals(p_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tmt.account_totals (account_id, instrument)
    SELECT r.account_id, r.instrument FROM desk.rebuilt_account_totals(p_account) r ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM FROM tmt.account_totals b WHERE p_account IS NULL OR b.account_id = p_account
      ORDER BY b.account_id, b.instrument FOR NO KEY UPDATE;
    UPDATE tmt.account_totals b
       SET net = coalesce(r.net, 0), positions = coalesce(r.positions, 0), risk = coalesce(r.risk, 0), unbounded = coalesce(r.unbounded, 0)
      FROM tmt.account_totals k LEFT JOIN desk.rebuilt_account_totals(p_account) r USING (account_id, instrument)
     WHERE b.account_id = k.account_id AND b.instrument = k.instrument AND (p_account IS NULL OR b.account_id = p_account);

    INSERT INTO tmt.portfolio_totals (portfolio, instrument)
    SELECT r.portfolio, r.instrument FROM desk.rebuilt_portfolio_totals() r ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM FROM tmt.portfolio_totals b ORDER BY b.portfolio, b.instrument FOR NO KEY UPDATE;
    UPDATE tmt.portfolio_totals b
       SET gross = coalesce(r.gross, 0), net = coalesce(r.net, 0), positions = coalesce(r.positions, 0), risk = coalesce(r.risk, 0),
           unbounded = coalesce(r.unbounded, 0)
      FROM tmt.portfolio_totals k LEFT JOIN desk.rebuilt_portfolio_totals() r USING (portfolio, instrument)
     WHERE b.portfolio = k.portfolio AND b.instrument = k.instrument;

    -- One statement: a close queued between two would count twice.
    WITH queued AS (
        DELETE FROM tmt.trade_total_changes c WHERE p_account IS NULL OR c.account_id = p_account
    )
    INSERT INTO tmt.trade_totals (account_id, instrument, size)
    SELECT account_id, instrument, coalesce(r.size, 0)
      FROM (SELECT t.account_id, t.instrument FROM tmt.trade_totals t WHERE p_account IS NULL OR t.account_id = p_account) k
      FULL JOIN desk.rebuilt_trade_totals(p_account) r USING (account_id, instrument)
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = EXCLUDED.size;
END $$;

-- Stored totals that differ from rebuilt ones. Portfolios only for all accounts; a missing row counts as zeros.
CREATE FUNCTION desk.total_differences(p_account uuid) RETURNS TABLE (kind text, id uuid, field text, stored text, rebuilt text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT 'account_total', account_id, concat_ws(' ', instrument, v.field), desk.number_text(v.stored), desk.number_text(v.rebuilt)
      FROM (SELECT * FROM tmt.account_totals a WHERE p_account IS NULL OR a.account_id = p_account) b
      FULL JOIN desk.rebuilt_account_totals(p_account) r USING (account_id, instrument),
           LATERAL (VALUES
               ('net', coalesce(b.net, 0), coalesce(r.net, 0)),
               ('positions', coalesce(b.positions, 0), coalesce(r.positions, 0)),
               ('risk', coalesce(b.risk, 0), coalesce(r.risk, 0)),
               ('unbounded', coalesce(b.unbounded, 0), coalesce(r.unbounded, 0))) v (field, stored, rebuilt)
     WHERE v.stored <> v.rebuilt;

    RETURN QUERY
    SELECT 'account_total', account_id, concat_ws(' ', instrument, 'open_trades'), desk.number_text(coalesce(t.size, 0)), desk.number_text(coalesce(r.size, 0))
      FROM (SELECT n.account_id, n.instrument, sum(n.size) AS size
              FROM (SELECT * FROM tmt.trade_totals UNION ALL SELECT * FROM tmt.trade_total_changes) n
             WHERE p_account IS NULL OR n.account_id = p_account GROUP BY 1, 2) t
      FULL JOIN desk.rebuilt_trade_totals(p_account) r USING (account_id, instrument)
     WHERE coalesce(t.size, 0) <> coalesce(r.size, 0);

    RETURN QUERY
    SELECT 'portfolio_total', NULL::uuid, concat_ws(' ', nullif(portfolio, ''), instrument, v.field), desk.number_text(v.stored), desk.number_text(v.rebuilt)
      FROM tmt.portfolio_totals b
      FULL JOIN desk.rebuilt_portfolio_totals() r USING (portfolio, instrument),
           LATERAL (VALUES
               ('gross', coalesce(b.gross, 0), coalesce(r.gross, 0)),
               ('net', coalesce(b.net, 0), coalesce(r.net, 0)),
               ('positions', coalesce(b.positions, 0), coalesce(r.positions, 0)),
               ('risk', coalesce(b.risk, 0), coalesce(r.risk, 0)),
               ('unbounded', coalesce(b.unbounded, 0), coalesce(r.unbounded, 0))) v (field, stored, rebuilt)
     WHERE p_account IS NULL AND v.stored <> v.rebuilt;
END $$;

-- Account totals, from positions.
CREATE FUNCTION desk.rebuilt_account_totals(p_account uuid)
RETURNS TABLE (account_id uuid, instrument text, net numeric, positions bigint, risk numeric, unbounded bigint)
LANGUAGE sql STABLE AS $$
    SELECT p.account_id, p.instrument, sum(desk.signed_size(p)), count(*), sum(desk.stop_risk(p)), count(*) FILTER (WHERE p.stop_loss IS NULL)
      FROM public.positions p
     WHERE p.status IN ('open', 'closing') AND (p_account IS NULL OR p.account_id = p_account)
     GROUP BY 1, 2
$$;

-- Portfolio totals, from account totals.
CREATE FUNCTION desk.rebuilt_portfolio_totals()
RETURNS TABLE (portfolio text, instrument text, gross numeric, net numeric, positions bigint, risk numeric, unbounded bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(a.metadata ->> 'portfolio', ''), b.instrument, sum(abs(b.net)), sum(b.net), sum(b.positions)::bigint, sum(b.risk),
           sum(b.unbounded)::bigint
      FROM tmt.account_totals b JOIN public.accounts a USING (account_id) GROUP BY 1, 2
$$;

-- Open trade sizes, from trades.
CREATE FUNCTION desk.rebuilt_trade_totals(p_account uuid) RETURNS TABLE (account_id uuid, instrument text, size numeric)
LANGUAGE sql STABLE AS $$
    SELECT t.account_id, t.instrument, sum(desk.signed_open_size(t))
      FROM public.trades t
     WHERE t.status IN ('open', 'partial') AND (p_account IS NULL OR t.account_id = p_account)
     GROUP BY 1, 2
$$;
