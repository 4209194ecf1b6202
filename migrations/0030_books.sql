-- The books that limits read, compared and rebuilt: a restore that fires no trigger leaves them behind, and a
-- limit would be judged by what is no longer so.
SET LOCAL ROLE tmt_owner;

-- What the books of accounts should say, from positions.
CREATE OR REPLACE FUNCTION desk.rebuilt_books(p_account uuid)
RETURNS TABLE (account_id uuid, instrument text, net numeric, positions bigint, risk numeric, unbounded bigint)
LANGUAGE sql STABLE AS $$
    SELECT p.account_id, p.instrument, sum(desk.signed_size(p)), count(*), sum(desk.stop_risk(p)), count(*) FILTER (WHERE p.stop_loss IS NULL)
      FROM public.positions p
     WHERE p.status IN ('open', 'closing') AND (p_account IS NULL OR p.account_id = p_account)
     GROUP BY 1, 2
$$;

-- What is counted of live trades should say, from trades.
CREATE OR REPLACE FUNCTION desk.rebuilt_traded(p_account uuid) RETURNS TABLE (account_id uuid, instrument text, size numeric)
LANGUAGE sql STABLE AS $$
    SELECT t.account_id, t.instrument, sum(desk.live_size(t))
      FROM public.trades t
     WHERE t.status IN ('open', 'partial') AND (p_account IS NULL OR t.account_id = p_account)
     GROUP BY 1, 2
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
               ('unbounded', coalesce(b.unbounded, 0), coalesce(r.unbounded, 0))) v (field, stored, rebuilt)
     WHERE v.stored <> v.rebuilt;

    RETURN QUERY
    SELECT 'book', account_id, concat_ws(' ', instrument, 'traded'), desk.plain(coalesce(t.size, 0)), desk.plain(coalesce(r.size, 0))
      FROM (SELECT n.account_id, n.instrument, sum(n.size) AS size
              FROM (SELECT * FROM desk.traded UNION ALL SELECT * FROM desk.traded_changes) n
             WHERE p_account IS NULL OR n.account_id = p_account GROUP BY 1, 2) t
      FULL JOIN desk.rebuilt_traded(p_account) r USING (account_id, instrument)
     WHERE coalesce(t.size, 0) <> coalesce(r.size, 0);

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

-- Writes the books anew. The caller holds the accounts. Whoever writes a position meanwhile holds a row of a
-- book until it commits: the rows are made and locked first, and summed up by the next statement, which sees
-- what these have waited for.
CREATE OR REPLACE FUNCTION desk.rebuild_books(p_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.account_books (account_id, instrument)
    SELECT r.account_id, r.instrument FROM desk.rebuilt_books(p_account) r ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM FROM desk.account_books b WHERE p_account IS NULL OR b.account_id = p_account
      ORDER BY b.account_id, b.instrument FOR NO KEY UPDATE;
    UPDATE desk.account_books b
       SET net = coalesce(r.net, 0), positions = coalesce(r.positions, 0), risk = coalesce(r.risk, 0), unbounded = coalesce(r.unbounded, 0)
      FROM desk.account_books k LEFT JOIN desk.rebuilt_books(p_account) r USING (account_id, instrument)
     WHERE b.account_id = k.account_id AND b.instrument = k.instrument AND (p_account IS NULL OR b.account_id = p_account);

    -- What one account changed is in the sums of its portfolio.
    INSERT INTO desk.portfolio_books (portfolio, instrument)
    SELECT r.portfolio, r.instrument FROM desk.rebuilt_portfolios() r ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM FROM desk.portfolio_books b ORDER BY b.portfolio, b.instrument FOR NO KEY UPDATE;
    UPDATE desk.portfolio_books b
       SET gross = coalesce(r.gross, 0), net = coalesce(r.net, 0), positions = coalesce(r.positions, 0), risk = coalesce(r.risk, 0),
           unbounded = coalesce(r.unbounded, 0)
      FROM desk.portfolio_books k LEFT JOIN desk.rebuilt_portfolios() r USING (portfolio, instrument)
     WHERE b.portfolio = k.portfolio AND b.instrument = k.instrument;

    -- In one statement: a close that is noted between two would be counted twice.
    WITH noted AS (
        DELETE FROM desk.traded_changes c WHERE p_account IS NULL OR c.account_id = p_account
    )
    INSERT INTO desk.traded (account_id, instrument, size)
    SELECT account_id, instrument, coalesce(r.size, 0)
      FROM (SELECT t.account_id, t.instrument FROM desk.traded t WHERE p_account IS NULL OR t.account_id = p_account) k
      FULL JOIN desk.rebuilt_traded(p_account) r USING (account_id, instrument)
    ON CONFLICT (account_id, instrument) DO UPDATE SET size = EXCLUDED.size;
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
