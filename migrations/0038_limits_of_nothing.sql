-- A limit whose scope names nothing is shown as not enforced, like one of an unknown type: it was passed over
-- without a word. An account may be meant by its name.
SET LOCAL ROLE tmt_owner;

-- Active limits of an account, or of nobody in particular, whose scope names nothing: no instrument of this desk,
-- a portfolio that no account is in, an account that is not there.
CREATE OR REPLACE FUNCTION desk.limits_of_nothing(p_account uuid, p_at timestamptz) RETURNS SETOF risk_limits
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM risk_limits l
     WHERE l.is_active
       AND coalesce(l.effective_from, '-infinity') <= p_at
       AND coalesce(l.effective_until, 'infinity') > p_at
       AND (l.account_id IS NULL OR l.account_id = p_account)
       AND CASE l.limit_scope
               WHEN 'instrument' THEN desk.canonical_instrument(l.scope_identifier) IS NULL
               WHEN 'portfolio' THEN NOT EXISTS (SELECT FROM accounts a WHERE a.metadata ->> 'portfolio' = l.scope_identifier)
               WHEN 'account' THEN l.account_id IS NULL AND l.scope_identifier IS NOT NULL AND NOT EXISTS (
                   SELECT FROM accounts a WHERE lower(btrim(l.scope_identifier)) IN (a.account_id::text, lower(btrim(a.account_name))))
               ELSE false
           END;
END $$;

-- Every limit in force for a trade of an account in an instrument at an instant. All of them must
-- pass, so a row can only ever tighten: hence an active row counts whoever approved it. Loosening means
-- taking a row away, and only desk.approve_limit does that.
CREATE OR REPLACE FUNCTION desk.limits_in_force(p_account uuid, p_portfolio text, p_instrument text, p_at timestamptz)
RETURNS SETOF risk_limits LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT l.*
      FROM risk_limits l
     WHERE l.is_active
       AND coalesce(l.effective_from, '-infinity') <= p_at
       AND coalesce(l.effective_until, 'infinity') > p_at
       AND (l.account_id IS NULL OR l.account_id = p_account)
       AND CASE l.limit_scope
               WHEN 'system' THEN true
               -- Without a named account it holds for each account by itself.
               WHEN 'account' THEN coalesce(l.account_id::text, lower(btrim(l.scope_identifier)), p_account::text)
                                   = p_account::text
                                   OR (l.account_id IS NULL AND lower(btrim(l.scope_identifier))
                                       = (SELECT lower(btrim(a.account_name)) FROM accounts a WHERE a.account_id = p_account))
               WHEN 'portfolio' THEN l.scope_identifier = p_portfolio
               WHEN 'instrument' THEN l.scope_identifier = p_instrument
                                   OR desk.canonical_instrument(l.scope_identifier) = p_instrument
           END
     ORDER BY l.limit_type, l.limit_scope, l.limit_id;
END $$;

-- Each limit with what it measures, before and with the order, and what it allows. Live: without an
-- order, what is open now. For an order that is being booked, only what needs a word: faults, breaches,
-- warnings at the stop.
--
-- Amounts are unrounded but for the dust that dividing by a rate leaves: 1.1 · (1 / 1.1) is not quite 1.
-- All in one statement, because an order waits for it: row by row it took ten times as long.
CREATE OR REPLACE FUNCTION desk.measure_limits(o desk.order_draft, p_live boolean, p_without uuid[] DEFAULT '{}') RETURNS desk.limit_measure[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- What the order adds to any book that holds it, in the account's currency.
    value      numeric := o.contract_size * o.fx;
    mid        numeric := coalesce(o.mid, o.price);
    after_net  numeric := o.net + coalesce(o.direction * o.size, 0);
    add_gross  numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (abs(after_net) * o.price - abs(o.net) * mid) * value END;
    add_net    numeric := CASE WHEN o.size IS NULL THEN 0 ELSE (after_net * o.price - o.net * mid) * value END;
    add_risk   numeric := CASE WHEN o.size IS NULL THEN 0 ELSE coalesce(o.risk, 0)
                               - CASE WHEN o.closing > 0 THEN o.held_risk * o.closing / abs(o.held) * value ELSE 0 END END;
    add_count  integer := CASE WHEN o.size IS NULL THEN 0
                               WHEN o.closing > 0 AND o.opening = 0 AND o.closing = abs(o.held) THEN -1
                               WHEN o.closing = 0 AND o.held = 0 THEN 1 ELSE 0 END;
    per_lot    numeric := CASE o.asset_class WHEN 'fx' THEN 100000 / o.contract_size ELSE 1 END;
    every_one  boolean := p_live OR o.is_preview;
    measures   desk.limit_measure[];
BEGIN
    WITH limited AS MATERIALIZED (
        SELECT l.l, k.limit_type, l.limit_type AS named, l.limit_id, l.limit_scope, l.limit_value, l.limit_unit, l.warning_threshold, l.parameters,
               l.of_nothing, k.reads_book, k.is_minimum, k.is_loss, CASE l.parameters ->> 'inclusive' WHEN 'true' THEN true WHEN 'false' THEN false ELSE k.inclusive END AS inclusive,
               desk.unit_currency(l.limit_unit) AS money,
               CASE WHEN l.limit_scope = 'account' OR (l.account_id IS NOT NULL AND l.limit_scope <> 'instrument') THEN 'account'
                    WHEN l.limit_scope = 'instrument' AND l.account_id IS NOT NULL THEN 'mine' ELSE l.limit_scope END AS place,
               CASE WHEN of_nothing OR NOT coalesce(k.enforced, false) OR NOT l.limit_scope = ANY (k.scopes) THEN 'LIMIT_NOT_ENFORCED'
                    WHEN NOT (l.limit_unit = ANY (k.units) OR ('money' = ANY (k.units) AND desk.unit_currency(l.limit_unit) IS NOT NULL))
                        THEN 'LIMIT_UNIT_UNKNOWN'
                    WHEN NOT desk.parameters_suit(l.limit_type, l.limit_scope, l.parameters) THEN 'LIMIT_PARAMETERS_INVALID' END AS fault
          FROM (SELECT f AS l, f.*, false AS of_nothing FROM desk.limits_in_force(o.account_id, o.portfolio, o.instrument, o.at) f
                UNION ALL
                SELECT n, n.*, true FROM desk.limits_of_nothing(o.account_id, o.at) n) l
          LEFT JOIN desk.limit_types k USING (limit_type)
         -- What is wrong with a limit is seen by the watch too, whatever it measures.
         WHERE (k.limit_type IS NULL OR NOT k.enforced OR of_nothing OR CASE WHEN p_live THEN k.live OR NOT l.limit_scope = ANY (k.scopes)
                    OR NOT (l.limit_unit = ANY (k.units) OR ('money' = ANY (k.units) AND desk.unit_currency(l.limit_unit) IS NOT NULL))
                ELSE k.before_trade OR NOT l.limit_scope = ANY (k.scopes) END)
           AND NOT l.limit_id = ANY (p_without)
    ), book AS MATERIALIZED (
        SELECT * FROM desk.book_totals(o, EXISTS (SELECT FROM limited l WHERE l.reads_book AND l.place IN ('portfolio', 'system', 'instrument')))
         WHERE EXISTS (SELECT FROM limited l WHERE l.reads_book)
        UNION ALL
        -- One account in one instrument.
        SELECT 'mine', abs(o.net) * mid * value, NULL, NULL,
               coalesce((SELECT b.positions FROM desk.account_books b WHERE b.account_id = o.account_id AND b.instrument = o.instrument), 0), NULL, NULL
    ), numbered AS (
        SELECT l.*, CASE
            WHEN l.fault IS NOT NULL THEN ROW(NULL, NULL, NULL, l.fault,
                CASE WHEN l.of_nothing THEN coalesce(nullif(btrim((l.l).scope_identifier), ''), 'without a name') END)::desk.measured
            WHEN b.missing IS NOT NULL AND l.limit_type <> 'max_open_positions' THEN ROW(NULL, NULL, NULL, 'NO_CONVERSION_RATE', b.missing)::desk.measured
            WHEN l.limit_type = 'max_exposure' THEN ROW(coalesce(b.gross, 0), coalesce(b.gross, 0) + add_gross, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_net_exposure' THEN ROW(abs(coalesce(b.net, 0)), abs(coalesce(b.net, 0) + add_net), NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_open_risk' THEN ROW(coalesce(b.risk, 0), coalesce(b.risk, 0) + add_risk, NULL,
                CASE WHEN coalesce(b.unbounded, 0) > 0 OR (o.opening > 0 AND o.stop IS NULL) THEN 'RISK_UNBOUNDED' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_open_positions' THEN ROW(coalesce(b.positions, 0), coalesce(b.positions, 0) + add_count, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_leverage' THEN ROW(coalesce(b.gross, 0) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                (coalesce(b.gross, 0) + add_gross) / nullif(greatest(o.equity, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END, NULL,
                CASE WHEN o.equity <= 0 THEN 'NO_EQUITY' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_position_size' THEN CASE l.limit_unit
                WHEN 'units' THEN ROW(abs(o.net), abs(after_net), NULL, NULL, NULL)::desk.measured
                WHEN 'lots' THEN ROW(abs(o.net) / per_lot, abs(after_net) / per_lot, NULL, NULL, NULL)::desk.measured
                ELSE ROW(abs(o.net) * mid * value, abs(after_net) * o.price * value, NULL, NULL, NULL)::desk.measured END
            WHEN l.limit_type = 'max_order_size' THEN ROW(NULL, o.opening / CASE l.limit_unit WHEN 'lots' THEN per_lot ELSE 1 END, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_order_value' THEN ROW(NULL, o.opening * o.price * value, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'max_risk_per_trade' THEN ROW(NULL, o.risk, NULL, CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measured
            WHEN l.is_loss THEN desk.measure_loss(o, l.l, l.place)
            -- Without margin there is no level, and nothing to guard.
            WHEN l.limit_type = 'min_margin_level' THEN ROW(
                o.equity / nullif(o.margin_used, 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                o.equity / nullif(o.margin_used + coalesce(add_gross * o.margin_rate, 0), 0) * CASE l.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END,
                NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'price_collar' THEN ROW(NULL, CASE l.limit_unit WHEN 'pips' THEN abs(o.price - o.mid) / o.pip_size
                WHEN 'fraction' THEN abs(o.price / o.mid - 1) ELSE abs(o.price / o.mid - 1) * 100 END, NULL,
                CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type IN ('min_stop_distance', 'max_stop_distance') THEN ROW(NULL, abs(o.price - o.stop) / o.pip_size, NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' END, NULL)::desk.measured
            -- After costs: (reward − cost) / (risk + cost), cost being the round trip.
            WHEN l.limit_type = 'min_risk_reward' THEN ROW(NULL, (abs(o.target - o.price) * value - 2 * o.cost_per_unit)
                    / nullif(abs(o.price - o.stop) * value + 2 * o.cost_per_unit, 0), NULL,
                CASE WHEN o.stop IS NULL THEN 'STOP_REQUIRED' WHEN o.target IS NULL THEN 'TARGET_REQUIRED' END, NULL)::desk.measured
            WHEN l.limit_type = 'duplicate_window' THEN ROW(NULL, 0, NULL, NULL, NULL)::desk.measured -- widens what desk.judge_market looks at
            WHEN l.limit_type = 'max_spread' THEN ROW(NULL, o.spread / o.pip_size, NULL, CASE WHEN o.spread IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type = 'max_price_age' THEN ROW(NULL, extract(epoch FROM o.at - o.quoted_at), NULL, CASE WHEN o.mid IS NULL THEN 'PRICE_UNKNOWN' END, NULL)::desk.measured
            WHEN l.limit_type = 'trading_hours' THEN ROW(NULL, CASE WHEN desk.is_open(l.parameters -> 'hours', o.at) THEN 0 ELSE 1 END, NULL, NULL, NULL)::desk.measured
            WHEN l.limit_type = 'restricted_instrument' THEN ROW(NULL,
                CASE WHEN l.limit_scope = 'instrument' OR desk.lists_instrument(l.parameters -> 'instruments', o.instrument) THEN 1 ELSE 0 END, NULL, NULL, NULL)::desk.measured
            ELSE desk.measure_special(o, l.l, l.place) END AS n,
            CASE WHEN l.limit_type IN ('max_leverage', 'min_margin_level', 'price_collar', 'trading_hours', 'restricted_instrument') THEN false
                 ELSE l.money IS NOT NULL OR l.limit_unit IN ('percentage', 'fraction') END AS is_money
          FROM limited l LEFT JOIN book b ON l.reads_book AND b.scope = l.place
        OFFSET 0
    ), weighed AS (
        SELECT n.*, CASE WHEN n.is_money AND n.money <> o.currency THEN desk.convert(o.currency, n.money) ELSE 1 END AS rate,
               CASE WHEN n.limit_type IN ('trading_hours', 'restricted_instrument') THEN 0
                    WHEN NOT n.is_money OR n.money IS NOT NULL THEN n.limit_value
                    -- Percentages of what the scope is worth.
                    ELSE coalesce((n.n).share, CASE WHEN n.place IN ('portfolio', 'system', 'instrument') AND (n.l).account_id IS NULL
                                                    THEN desk.scope_equity(o, n.l, n.place) ELSE o.equity END)
                         * n.limit_value / CASE n.limit_unit WHEN 'percentage' THEN 100 ELSE 1 END END AS allowed
          FROM numbered n
        OFFSET 0
    ), judged AS (
        SELECT w.*, round((w.n).after * w.rate, 8) AS after_, round(w.allowed, 8) AS allowed_,
               CASE WHEN (w.n).fault IS NOT NULL THEN (w.n).fault
                    WHEN (w.n).after * w.rate IS NULL OR w.allowed IS NULL THEN 'NO_CONVERSION_RATE' END AS fault_
          FROM weighed w
    ), stood AS (
        SELECT j.*, CASE WHEN j.is_minimum THEN j.after_ < j.allowed_ WHEN j.inclusive THEN j.after_ >= j.allowed_ ELSE j.after_ > j.allowed_ END
                    AND j.fault_ IS NULL AND j.limit_type <> 'duplicate_window' AS breach,
               coalesce(j.is_loss AND j.after_ + coalesce(o.risk * j.rate, 0) >= j.allowed_, false) AND j.fault_ IS NULL AS over_at_stop
          FROM judged j
    )
    SELECT array_agg(ROW(s.limit_id, s.named, s.limit_scope, (s.n).before * s.rate,
                         -- What a loss would be at the stop; breached is what is lost already.
                         CASE WHEN s.is_loss AND NOT p_live THEN s.after_ + coalesce(o.risk * s.rate, 0) ELSE s.after_ END,
                         CASE WHEN s.fault_ IS NULL THEN s.allowed_ ELSE s.limit_value END,
                         CASE WHEN s.fault_ IS NULL THEN desk.warning_level(s.allowed_, s.allowed_ * s.warning_threshold / s.limit_value, s.is_minimum) END,
                         CASE WHEN s.fault_ IS NULL AND s.is_money AND s.money IS NULL THEN o.currency ELSE s.limit_unit END,
                         s.inclusive, s.is_minimum, s.is_loss, s.breach, s.over_at_stop, s.fault_, (s.n).hint)::desk.limit_measure
                     ORDER BY s.named, s.limit_scope, s.limit_id)
      INTO measures
      FROM stood s
     WHERE NOT (s.named = 'min_margin_level' AND s.fault_ IS DISTINCT FROM 'LIMIT_NOT_ENFORCED' AND (s.n).after IS NULL AND o.margin_used = 0)
       AND (every_one OR s.fault_ IS NOT NULL OR s.breach OR s.over_at_stop OR s.limit_type = 'duplicate_window');
    RETURN coalesce(measures, '{}');
END $$;

-- Why a limit has no number. What is needed and unknown is not a permission.
CREATE OR REPLACE FUNCTION desk.limit_fault(m desk.limit_measure, p_strict boolean) RETURNS desk.check_result
LANGUAGE sql STABLE AS $$
    SELECT CASE m.fault
        WHEN 'LIMIT_NOT_ENFORCED' THEN desk.line('LIMIT_NOT_ENFORCED', CASE WHEN p_strict THEN 'reject' ELSE 'info' END,
            CASE WHEN m.hint IS NULL THEN format('The limit %s over %s is NOT ENFORCED by this version.', m.limit_type, m.scope)
                 ELSE format('The limit %s over %s %s is NOT ENFORCED: there is no such %s.', m.limit_type, m.scope, m.hint, m.scope) END, NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_UNIT_UNKNOWN' THEN desk.line('LIMIT_UNIT_UNKNOWN', 'reject', format('The limit %s is in %s, which cannot be compared. '
            'A risk officer has to correct it.', m.limit_type, m.unit), NULL, NULL, m.allowed, m.unit, m.limit_id)
        WHEN 'LIMIT_PARAMETERS_INVALID' THEN desk.line('LIMIT_PARAMETERS_INVALID', 'reject', format('The limit %s does not say of what. '
            'A risk officer has to correct it.', m.limit_type), NULL, NULL, NULL, NULL, m.limit_id)
        ELSE desk.line(m.fault, 'reject', format('The limit %s cannot be judged: %s.', m.limit_type, CASE m.fault
            WHEN 'STOP_REQUIRED' THEN 'the trade has no stop'
            WHEN 'TARGET_REQUIRED' THEN 'the trade has no target'
            WHEN 'RISK_UNBOUNDED' THEN 'a position without a stop risks more than any number'
            WHEN 'PRICE_UNKNOWN' THEN 'there is no price'
            WHEN 'NO_EQUITY' THEN 'the account has no equity'
            ELSE coalesce(m.hint, 'something it counts') || ' has no price or rate' END), NULL, NULL, m.allowed, m.unit, m.limit_id)
    END
$$;

-- Whether the watch has to look at a limit: it measures live, or nobody can judge it and somebody must be told.
CREATE OR REPLACE FUNCTION desk.is_for_watch(l risk_limits) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT k.live OR NOT k.enforced OR NOT l.limit_scope = ANY (k.scopes)
                            OR NOT (l.limit_unit = ANY (k.units) OR ('money' = ANY (k.units) AND desk.unit_currency(l.limit_unit) IS NOT NULL))
                       FROM desk.limit_types k WHERE k.limit_type = l.limit_type), true)
        OR (l.limit_scope = 'instrument' AND desk.canonical_instrument(l.scope_identifier) IS NULL)
$$;

-- Watches what limits one account by itself. Says how many limits changed their standing, and whether it may
-- hold the account from now on.
--
-- First it only looks. What changed is measured again with the account held, by statements of their own: the
-- account may have been worth something else by then.
CREATE OR REPLACE FUNCTION desk.watch_account(p_account uuid, p_name text, p_wide uuid[], OUT changed integer, OUT held boolean)
LANGUAGE plpgsql AS $$
DECLARE
    place    text;
    o        desk.order_draft;
    m        desk.limit_measure;
    measures desk.limit_measure[];
    losses   desk.limit_measure[];
    seen     text[];
    one      boolean;
    is_news  boolean;
BEGIN
    changed := 0;
    held := false;
    LOOP
        losses := '{}';
        seen := '{}';
        is_news := false;
        FOR place IN
            SELECT NULL UNION ALL
            SELECT DISTINCT coalesce(l.scope_identifier::text, '') FROM risk_limits l
             WHERE l.is_active AND l.limit_scope = 'instrument' AND l.account_id = p_account AND desk.is_for_watch(l)
            ORDER BY 1 NULLS FIRST
        LOOP
            o := desk.draft_order(p_account, place, NULL, NULL, NULL, NULL, NULL, NULL);
            IF o.account_id IS NULL OR o.status = 'closed' THEN
                RETURN;
            END IF;
            measures := desk.measure_limits(o, true, p_wide);
            IF place IS NULL THEN
                -- What is used up most comes first: of rules that say the same it is the one that rings.
                SELECT coalesce(array_agg(r ORDER BY r.after / nullif(r.allowed, 0) DESC NULLS LAST, r.limit_id NULLS LAST), '{}') INTO measures
                  FROM unnest(measures || desk.account_rules(o)) AS r;
                losses := measures;
            END IF;
            FOREACH m IN ARRAY measures LOOP
                CONTINUE WHEN m.scope <> CASE WHEN place IS NULL THEN 'account' ELSE 'instrument' END;
                seen := seen || (coalesce(m.limit_id::text, m.limit_type) || ':' || p_account);
                one := desk.watch_one(o, m, false, p_name, held);
                is_news := is_news OR one IS NULL;
                changed := changed + coalesce(one, false)::integer;
            END LOOP;
        END LOOP;
        IF held THEN
            -- What is not in force any more stands nowhere.
            DELETE FROM desk.limit_states s WHERE split_part(s.limit_key, ':', 2) = p_account::text AND NOT s.limit_key = ANY (seen);
        ELSE
            is_news := is_news OR EXISTS (
                SELECT FROM desk.limit_states s WHERE split_part(s.limit_key, ':', 2) = p_account::text AND NOT s.limit_key = ANY (seen));
        END IF;
        is_news := desk.lead_losses(p_account, p_name, losses, held) OR is_news;
        IF held OR NOT is_news THEN
            RETURN;
        END IF;
        held := true;
        IF NOT desk.hold_account(p_account) THEN
            RETURN;
        END IF;
    END LOOP;
END $$;

-- Watches limits over several accounts. Returns how many changed their standing.
CREATE OR REPLACE FUNCTION desk.watch_wide(p_wide uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    watched  record;
    o        desk.order_draft;
    m        desk.limit_measure;
    done     uuid[] := '{}';   -- once is enough
    seen     text[] := '{}';
    failed   text;
    changed  integer := 0;
BEGIN
    FOR watched IN
        -- Whoever looks sees the same: one of each portfolio.
        SELECT min(a.account_id::text)::uuid AS account_id, NULL::text AS instrument FROM accounts a WHERE a.status <> 'closed' GROUP BY a.metadata ->> 'portfolio'
        UNION
        SELECT l.account_id, NULL FROM risk_limits l WHERE l.limit_id = ANY (p_wide) AND l.account_id IS NOT NULL
        UNION
        SELECT (SELECT min(a.account_id::text)::uuid FROM accounts a), coalesce(l.scope_identifier, '')
          FROM risk_limits l WHERE l.limit_id = ANY (p_wide) AND l.limit_scope = 'instrument' AND desk.is_for_watch(l)
        ORDER BY 1, 2
    LOOP
        EXIT WHEN p_wide = '{}';
        BEGIN
            o := desk.draft_order(watched.account_id, watched.instrument, NULL, NULL, NULL, NULL, NULL, NULL);
            CONTINUE WHEN o.account_id IS NULL;
            FOREACH m IN ARRAY desk.measure_limits(o, true, done) LOOP
                CONTINUE WHEN NOT m.limit_id = ANY (p_wide) OR m.limit_id = ANY (done) OR (m.scope = 'instrument') <> (watched.instrument IS NOT NULL);
                done := done || m.limit_id;
                seen := seen || (m.limit_id || ':');
                IF desk.watch_one(o, m, true, coalesce(watched.instrument, m.scope), false) IS NULL AND desk.hold_watched(m.limit_id || ':') THEN
                    changed := changed + desk.watch_one(o, m, true, coalesce(watched.instrument, m.scope), true)::integer;
                END IF;
            END LOOP;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                failed := '';
            WHEN OTHERS THEN
                failed := SQLERRM;
        END;
    END LOOP;
    IF failed <> '' THEN
        changed := changed + desk.watch_failed(NULL, 'several accounts', failed);
    ELSIF failed IS NULL THEN
        DELETE FROM desk.limit_states s
         USING (SELECT g.limit_key FROM desk.limit_states g WHERE split_part(g.limit_key, ':', 2) = '' AND NOT g.limit_key = ANY (seen)
                   FOR UPDATE SKIP LOCKED) gone
         WHERE s.limit_key = gone.limit_key;
    END IF;
    RETURN changed;
END $$;

REVOKE ALL ON FUNCTION desk.limits_of_nothing(uuid, timestamptz), desk.is_for_watch(risk_limits) FROM PUBLIC;
