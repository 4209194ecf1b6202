-- Reconciling stored figures with fills.

-- Differences between fills and stored figures, and between running totals and their rows, of one account or of all. No row
-- means none. With p_repair, an administrator writes what the fills give; the old figures go to the audit.
CREATE FUNCTION desk.reconcile(p_account uuid DEFAULT NULL, p_repair boolean DEFAULT false)
RETURNS TABLE (kind text, id uuid, field text, stored text, rebuilt text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    found   jsonb;
    account uuid;
BEGIN
    IF NOT coalesce(p_repair, false) THEN
        RETURN QUERY SELECT * FROM desk.differences(p_account) UNION ALL SELECT * FROM desk.total_differences(p_account);
        RETURN;
    END IF;
    IF NOT desk.has_role('tmt_admin') THEN
        RAISE EXCEPTION 'only an administrator may repair' USING ERRCODE = '42501';
    END IF;
    PERFORM FROM accounts a WHERE p_account IS NULL OR a.account_id = p_account ORDER BY a.account_id FOR NO KEY UPDATE;
    SELECT jsonb_agg(to_jsonb(d)) INTO found
      FROM (SELECT * FROM desk.differences(p_account) UNION ALL SELECT * FROM desk.total_differences(p_account)) d;
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
    -- Last, because the updates above change the totals too.
    PERFORM desk.rebuild_totals(p_account);
    UPDATE accounts a SET current_balance = b.current_balance
      FROM desk.rebuilt_balances(p_account) b
     WHERE a.account_id = b.account_id
       AND a.account_id IN (SELECT (d ->> 'id')::uuid FROM jsonb_array_elements(found) d WHERE d ->> 'kind' = 'account');
    FOR account IN SELECT a.account_id FROM accounts a WHERE p_account IS NULL OR a.account_id = p_account ORDER BY a.account_id LOOP
        PERFORM desk.book_cash(account, 0, (SELECT a.last_trade_at FROM accounts a WHERE a.account_id = account));
    END LOOP;
    PERFORM desk.audit('reconcile', NULL, desk.accepted(p_account, format('%s figures replaced by those of the fills.', jsonb_array_length(found)),
        'REPAIRED'), jsonb_build_object('account_id', p_account, 'differences', found));
    RETURN QUERY SELECT d ->> 'kind', (d ->> 'id')::uuid, d ->> 'field', d ->> 'stored', d ->> 'rebuilt' FROM jsonb_array_elements(found) d;
END $$;

-- Stored figures that differ from those of the fills. STABLE, so that all are read in one snapshot.
CREATE FUNCTION desk.differences(p_account uuid) RETURNS TABLE (kind text, id uuid, field text, stored text, rebuilt text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT 'account', a.account_id, 'current_balance', desk.number_text(a.current_balance), desk.number_text(b.current_balance)
      FROM desk.rebuilt_balances(p_account) b JOIN accounts a USING (account_id)
     WHERE a.current_balance <> round(b.current_balance, scale(a.current_balance));

    RETURN QUERY
    SELECT 'position', p.position_id, v.field, v.stored, v.rebuilt
      FROM desk.rebuilt_positions(p_account) r JOIN positions p USING (position_id),
           LATERAL (VALUES
               ('status', CASE p.status WHEN 'closing' THEN 'open' ELSE p.status::text END, r.status),
               ('position_type', p.position_type::text, r.position_type),
               ('total_size', desk.number_text(p.total_size), desk.number_text(r.total_size)),
               ('average_entry_price', desk.number_text(p.average_entry_price), desk.number_text(r.average_entry_price)),
               ('cost', desk.number_text(p.cost), desk.number_text(r.cost)),
               ('realized_pnl', desk.number_text(coalesce(p.realized_pnl, 0)), desk.number_text(r.realized_pnl))) v (field, stored, rebuilt)
     WHERE v.stored IS DISTINCT FROM v.rebuilt;

    -- entry_time selects the partition.
    RETURN QUERY
    SELECT 'trade', r.trade_id, v.field, v.stored, v.rebuilt
      FROM desk.rebuilt_trades(p_account) r
      JOIN trades t ON t.trade_id = r.trade_id AND t.entry_time = r.entry_time,
           LATERAL (VALUES
               ('status', t.status::text, r.status),
               ('position_size', desk.number_text(t.position_size), desk.number_text(r.position_size)),
               ('entry_price', desk.number_text(t.entry_price), desk.number_text(r.entry_price)),
               ('closed_size', desk.number_text(t.closed_size), desk.number_text(r.closed_size)),
               ('exit_price', desk.number_text(t.exit_price), desk.number_text(round(r.exit_price, scale(t.entry_price)))),
               ('gross_pnl', desk.number_text(t.gross_pnl), desk.number_text(r.gross_pnl)),
               ('net_pnl', desk.number_text(t.net_pnl), desk.number_text(r.net_pnl)),
               ('commission', desk.number_text(coalesce(t.commission, 0)), desk.number_text(r.commission)),
               ('swap_fee', desk.number_text(coalesce(t.swap_fee, 0)), desk.number_text(r.swap_fee))) v (field, stored, rebuilt)
     WHERE v.stored IS DISTINCT FROM v.rebuilt;
END $$;

CREATE FUNCTION desk.rebuilt_positions(p_account uuid)
RETURNS TABLE (position_id uuid, account_id uuid, status text, position_type text, total_size numeric, average_entry_price numeric,
               cost numeric, realized_pnl numeric)
LANGUAGE sql STABLE AS $$
    SELECT r.position_id, r.account_id, CASE (r.s).size WHEN 0 THEN 'closed' ELSE 'open' END, (r.s).position_type,
           CASE (r.s).size WHEN 0 THEN (r.s).last_size ELSE (r.s).size END, (r.s).average, (r.s).cost, (r.s).realized
      FROM (SELECT f.position_id, f.account_id, desk.replay(f ORDER BY f.seq) AS s
              FROM public.trade_fills f
             WHERE f.position_id IS NOT NULL AND f.effect <> 'fee' AND (p_account IS NULL OR f.account_id = p_account)
             GROUP BY f.position_id, f.account_id) r
      JOIN public.positions p ON p.position_id = r.position_id
     -- Only positions whose first fill opened them.
     WHERE (r.s).first_effect = 'open' AND (r.s).first_at <= p.opened_at
$$;

CREATE FUNCTION desk.rebuilt_trades(p_account uuid)
RETURNS TABLE (trade_id uuid, entry_time timestamptz, account_id uuid, status text, position_size numeric, entry_price numeric,
               closed_size numeric, exit_price numeric, gross_pnl numeric, net_pnl numeric, commission numeric, swap_fee numeric)
LANGUAGE sql STABLE AS $$
    WITH lines AS (
        SELECT (a ->> 'trade_id')::uuid AS trade_id,
               sum((a ->> 'size')::numeric) FILTER (WHERE f.effect = 'close') AS size,
               sum((a ->> 'size')::numeric * f.price) FILTER (WHERE f.effect = 'close') AS value,
               -- Another program's fill may have its P&L only in the row, not in the allocation.
               sum(coalesce((a ->> 'gross_pnl')::numeric, f.gross_pnl)) FILTER (WHERE f.effect = 'close') AS gross,
               sum((a ->> 'commission')::numeric) AS commission, sum((a ->> 'swap_fee')::numeric) AS swap
          FROM public.trade_fills f, jsonb_array_elements(f.allocation) a
         WHERE f.effect <> 'open' AND (p_account IS NULL OR f.account_id = p_account)
         GROUP BY 1
    )
    SELECT o.trade_id, r.entry_time, o.account_id,
           CASE coalesce(l.size, 0) WHEN 0 THEN 'open' WHEN o.size THEN 'closed' ELSE 'partial' END, o.size, o.price,
           coalesce(l.size, 0), l.value / l.size, l.gross,
           l.gross - o.commission - coalesce(l.commission, 0) - o.swap_fee - coalesce(l.swap, 0),
           o.commission + coalesce(l.commission, 0), o.swap_fee + coalesce(l.swap, 0)
      FROM public.trade_fills o
      JOIN public.trade_registry r ON r.trade_id = o.trade_id
      LEFT JOIN lines l ON l.trade_id = o.trade_id
     WHERE o.effect = 'open' AND (p_account IS NULL OR o.account_id = p_account)
$$;

CREATE FUNCTION desk.rebuilt_balances(p_account uuid) RETURNS TABLE (account_id uuid, current_balance numeric)
LANGUAGE sql STABLE AS $$
    WITH anchor AS (
        SELECT DISTINCT ON (f.account_id) f.account_id, f.seq, f.balance_after
          FROM public.trade_fills f
         WHERE f.balance_after IS NOT NULL AND (p_account IS NULL OR f.account_id = p_account)
         ORDER BY f.account_id, f.seq
    )
    SELECT a.account_id, a.balance_after + coalesce(sum(coalesce(f.gross_pnl, 0) - f.commission - f.swap_fee), 0)
      FROM anchor a
      LEFT JOIN public.trade_fills f ON f.account_id = a.account_id AND f.seq > a.seq AND f.balance_after IS NOT NULL
     GROUP BY a.account_id, a.balance_after
$$;

-- Applies one fill to a position.
CREATE FUNCTION desk.replay_fill(state desk.position_replay, f trade_fills) RETURNS desk.position_replay
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stored positions%ROWTYPE;   -- rounds cost and average like their columns
BEGIN
    IF state.first_effect IS NULL THEN
        state := ROW(f.effect, f.filled_at, CASE f.side WHEN 'BUY' THEN 'LONG' ELSE 'SHORT' END, 0, 0, 0, 0, 0)::desk.position_replay;
    END IF;
    IF f.effect = 'open' THEN
        stored.cost := state.cost + f.price * f.size;
        state.size := state.size + f.size;
        -- NULL for a position that is older than its first recorded fill.
        stored.average_entry_price := stored.cost / nullif(state.size, 0);
        state.average := stored.average_entry_price;
        state.cost := stored.cost;
    ELSIF f.effect = 'close' THEN
        state.realized := state.realized + f.gross_pnl;
        state.last_size := state.size;
        IF f.size < state.size THEN
            stored.cost := desk.exact_cost(state.cost - desk.partial_cost(state.cost, f.size, state.size));
            state.cost := stored.cost;
        END IF;
        state.size := state.size - f.size;
    END IF;
    RETURN state;
END $$;

CREATE AGGREGATE desk.replay(trade_fills) (SFUNC = desk.replay_fill, STYPE = desk.position_replay);
