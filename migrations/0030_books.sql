-- The books that limits read, compared and rebuilt: a restore that fires no trigger leaves them behind, and a
-- limit would be judged by what is no longer so.
SET LOCAL ROLE tmt_owner;

-- What the books of accounts should say, from positions and trades.
CREATE OR REPLACE FUNCTION desk.rebuilt_books(p_account uuid)
RETURNS TABLE (account_id uuid, instrument text, net numeric, positions bigint, risk numeric, unbounded bigint, traded numeric)
LANGUAGE sql STABLE AS $$
    SELECT account_id, instrument, coalesce(p.net, 0), coalesce(p.positions, 0), coalesce(p.risk, 0), coalesce(p.unbounded, 0),
           coalesce(t.traded, 0)
      FROM (SELECT p.account_id, p.instrument::text, sum(desk.signed_size(p)) AS net, count(*) AS positions, sum(desk.stop_risk(p)) AS risk,
                   count(*) FILTER (WHERE p.stop_loss IS NULL) AS unbounded
              FROM public.positions p
             WHERE p.status IN ('open', 'closing') AND (p_account IS NULL OR p.account_id = p_account) GROUP BY 1, 2) p
      FULL JOIN (SELECT t.account_id, t.instrument::text, sum(desk.live_size(t)) AS traded
                   FROM public.trades t
                  WHERE t.status IN ('open', 'partial') AND (p_account IS NULL OR t.account_id = p_account) GROUP BY 1, 2) t
           USING (account_id, instrument)
$$;

-- What the books of portfolios should say, from those of their accounts.
CREATE OR REPLACE FUNCTION desk.rebuilt_portfolios()
RETURNS TABLE (portfolio text, instrument text, gross numeric, net numeric, positions bigint, risk numeric, unbounded bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(a.metadata ->> 'portfolio', ''), b.instrument, sum(abs(b.net)), sum(b.net), sum(b.positions)::bigint, sum(b.risk),
           sum(b.unbounded)::bigint
      FROM desk.account_books b JOIN public.accounts a USING (account_id) GROUP BY 1, 2
$$;

-- Portfolios only where all accounts are looked at. A row that is not there says nothing but zeros.
CREATE OR REPLACE FUNCTION desk.book_differences(p_account uuid) RETURNS TABLE (kind text, id uuid, field text, stored text, rebuilt text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT 'book', account_id, concat_ws(' ', instrument, v.field), desk.plain(v.stored), desk.plain(v.rebuilt)
      FROM (SELECT * FROM desk.account_books a WHERE p_account IS NULL OR a.account_id = p_account) b
      FULL JOIN desk.rebuilt_books(p_account) r USING (account_id, instrument),
           LATERAL (VALUES
               ('net', coalesce(b.net, 0), coalesce(r.net, 0)),
               ('positions', coalesce(b.positions, 0), coalesce(r.positions, 0)),
               ('risk', coalesce(b.risk, 0), coalesce(r.risk, 0)),
               ('unbounded', coalesce(b.unbounded, 0), coalesce(r.unbounded, 0)),
               ('traded', coalesce(b.traded, 0), coalesce(r.traded, 0))) v (field, stored, rebuilt)
     WHERE v.stored <> v.rebuilt;

    RETURN QUERY
    SELECT 'portfolio', NULL::uuid, concat_ws(' ', nullif(portfolio, ''), instrument, v.field), desk.plain(v.stored), desk.plain(v.rebuilt)
      FROM desk.portfolio_books b
      FULL JOIN desk.rebuilt_portfolios() r USING (portfolio, instrument),
           LATERAL (VALUES
               ('gross', coalesce(b.gross, 0), coalesce(r.gross, 0)),
               ('net', coalesce(b.net, 0), coalesce(r.net, 0)),
               ('positions', coalesce(b.positions, 0), coalesce(r.positions, 0)),
               ('risk', coalesce(b.risk, 0), coalesce(r.risk, 0)),
               ('unbounded', coalesce(b.unbounded, 0), coalesce(r.unbounded, 0))) v (field, stored, rebuilt)
     WHERE p_account IS NULL AND v.stored <> v.rebuilt;
END $$;

-- Writes the books anew. Whoever writes a position or a trade meanwhile holds a row of a book until it
-- commits: the rows are locked by one statement, and summed up by the next, which sees what they waited for.
CREATE OR REPLACE FUNCTION desk.rebuild_books(p_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM desk.account_books b WHERE p_account IS NULL OR b.account_id = p_account
      ORDER BY b.account_id, b.instrument FOR NO KEY UPDATE;
    INSERT INTO desk.account_books AS b (account_id, instrument, net, positions, risk, unbounded, traded)
    SELECT account_id, instrument, coalesce(r.net, 0), coalesce(r.positions, 0), coalesce(r.risk, 0), coalesce(r.unbounded, 0), coalesce(r.traded, 0)
      FROM (SELECT a.account_id, a.instrument FROM desk.account_books a WHERE p_account IS NULL OR a.account_id = p_account) k
      FULL JOIN desk.rebuilt_books(p_account) r USING (account_id, instrument)
    ON CONFLICT (account_id, instrument) DO UPDATE
        SET net = EXCLUDED.net, positions = EXCLUDED.positions, risk = EXCLUDED.risk, unbounded = EXCLUDED.unbounded, traded = EXCLUDED.traded;
    -- What one account changed is in the sums of its portfolio.
    PERFORM FROM desk.portfolio_books b ORDER BY b.portfolio, b.instrument FOR NO KEY UPDATE;
    INSERT INTO desk.portfolio_books AS b (portfolio, instrument, gross, net, positions, risk, unbounded)
    SELECT portfolio, instrument, coalesce(r.gross, 0), coalesce(r.net, 0), coalesce(r.positions, 0), coalesce(r.risk, 0), coalesce(r.unbounded, 0)
      FROM desk.portfolio_books k FULL JOIN desk.rebuilt_portfolios() r USING (portfolio, instrument)
    ON CONFLICT (portfolio, instrument) DO UPDATE
        SET gross = EXCLUDED.gross, net = EXCLUDED.net, positions = EXCLUDED.positions, risk = EXCLUDED.risk, unbounded = EXCLUDED.unbounded;
END $$;

-- What differs between the fills and what is stored, of one account or of all, and between the books and what
-- they sum up; no row is the good answer. With p_repair an administrator writes what the fills say, and the
-- audit keeps what was there.
CREATE OR REPLACE FUNCTION desk.reconcile(p_account uuid DEFAULT NULL, p_repair boolean DEFAULT false)
RETURNS TABLE (kind text, id uuid, field text, stored text, rebuilt text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    found   jsonb;
    account uuid;
BEGIN
    IF NOT coalesce(p_repair, false) THEN
        RETURN QUERY SELECT * FROM desk.differences(p_account) UNION ALL SELECT * FROM desk.book_differences(p_account);
        RETURN;
    END IF;
    IF NOT desk.may('tmt_admin') THEN
        RAISE EXCEPTION 'only an administrator repairs' USING ERRCODE = '42501';
    END IF;
    PERFORM FROM accounts a WHERE p_account IS NULL OR a.account_id = p_account ORDER BY a.account_id FOR NO KEY UPDATE;
    SELECT jsonb_agg(to_jsonb(d)) INTO found
      FROM (SELECT * FROM desk.differences(p_account) UNION ALL SELECT * FROM desk.book_differences(p_account)) d;
    IF found IS NULL THEN
        RETURN;
    END IF;

    UPDATE positions p
       SET status = r.status, position_type = r.position_type, total_size = r.total_size, average_entry_price = r.average_entry_price,
           cost = r.cost, realized_pnl = r.realized_pnl, margin_used = NULL,
           unrealized_pnl = CASE r.status WHEN 'closed' THEN 0 ELSE p.unrealized_pnl END,
           closed_at = CASE r.status WHEN 'closed' THEN coalesce(p.closed_at, clock_timestamp()) END
      FROM desk.rebuilt_positions(p_account) r
     WHERE p.position_id = r.position_id
       AND p.position_id IN (SELECT (d ->> 'id')::uuid FROM jsonb_array_elements(found) d WHERE d ->> 'kind' = 'position');
    UPDATE trades t
       SET status = r.status, position_size = r.position_size, entry_price = r.entry_price, closed_size = r.closed_size,
           exit_price = r.exit_price, gross_pnl = r.gross_pnl, net_pnl = r.net_pnl, commission = r.commission, swap_fee = r.swap_fee
      FROM desk.rebuilt_trades(p_account) r
     WHERE t.trade_id = r.trade_id AND t.entry_time = r.entry_time
       AND r.trade_id IN (SELECT (d ->> 'id')::uuid FROM jsonb_array_elements(found) d WHERE d ->> 'kind' = 'trade');
    -- Last, because what was written above has moved the books too.
    PERFORM desk.rebuild_books(p_account);
    UPDATE accounts a SET current_balance = b.current_balance
      FROM desk.rebuilt_balances(p_account) b
     WHERE a.account_id = b.account_id
       AND a.account_id IN (SELECT (d ->> 'id')::uuid FROM jsonb_array_elements(found) d WHERE d ->> 'kind' = 'account');
    FOR account IN SELECT a.account_id FROM accounts a WHERE p_account IS NULL OR a.account_id = p_account ORDER BY a.account_id LOOP
        PERFORM desk.book_cash(account, 0, (SELECT a.last_trade_at FROM accounts a WHERE a.account_id = account));
    END LOOP;
    PERFORM desk.audit('reconcile', NULL, desk.accepted(p_account, format('%s figures written as the fills say.', jsonb_array_length(found)),
        'REPAIRED'), jsonb_build_object('account_id', p_account, 'differences', found));
    RETURN QUERY SELECT d ->> 'kind', (d ->> 'id')::uuid, d ->> 'field', d ->> 'stored', d ->> 'rebuilt' FROM jsonb_array_elements(found) d;
END $$;
