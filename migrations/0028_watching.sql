-- The watch once more: one event for one loss, an end for every event that is over, and what an
-- acknowledgement is good for.
SET LOCAL ROLE tmt_owner;

-- ---- one event for one loss -------------------------------------------------------------------

-- The event that a limit rings, when it was raised last. Several rules may say the same of one account's
-- loss: the account's own column, a row of risk_limits, another row. They share one event, which is that
-- of the rule that is used up most.
ALTER TABLE desk.limit_states ADD COLUMN IF NOT EXISTS event_key text;

-- What a limit rings. The loss of one account is one thing, whichever rules it reaches. What cannot be
-- judged is said limit by limit: somebody has to mend just that one.
CREATE OR REPLACE FUNCTION desk.event_key(m desk.limit_measure, p_state text, p_watched text, p_account uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN m.is_loss AND p_account IS NOT NULL AND p_state <> 'unknown' THEN 'loss:' || m.limit_type || ':' || p_account
                ELSE 'limit:' || p_watched END
$$;

-- The open events of the watch: few, and asked for every second.
CREATE INDEX IF NOT EXISTS idx_risk_events_watched ON risk_events (dedup_key)
    WHERE event_source = 'sentinel' AND resolution_time IS NULL;

-- Events that were raised before, under the key that they have from now on. Of several about one loss the
-- worst stays; the others are over.
DO $$
DECLARE
    one record;
BEGIN
    UPDATE desk.limit_states s
       SET event_key = CASE WHEN k.is_loss AND split_part(s.limit_key, ':', 2) <> '' AND s.state <> 'unknown'
                            THEN 'loss:' || k.limit_type || ':' || split_part(s.limit_key, ':', 2) ELSE 'limit:' || s.limit_key END
      FROM desk.limit_types k
     WHERE s.event_key IS NULL AND s.raised_at_value IS NOT NULL
       AND k.limit_type = coalesce((SELECT l.limit_type FROM risk_limits l WHERE l.limit_id::text = split_part(s.limit_key, ':', 1)),
                                   split_part(s.limit_key, ':', 1));
    FOR one IN
        SELECT e.event_id, s.event_key, row_number() OVER (PARTITION BY s.event_key
                   ORDER BY desk.severity_rank(e.severity) DESC, e.limit_value, e.occurred_at) AS n
          FROM risk_events e JOIN desk.limit_states s ON e.dedup_key = 'limit:' || s.limit_key
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND s.event_key LIKE 'loss:%'
    LOOP
        IF one.n = 1 THEN
            UPDATE risk_events e SET dedup_key = one.event_key WHERE e.event_id = one.event_id;
        ELSE
            UPDATE risk_events e SET auto_resolved = true, resolution_time = clock_timestamp() WHERE e.event_id = one.event_id;
            INSERT INTO risk_event_actions (event_id, action, actor, note)
            VALUES (one.event_id, 'auto_resolved', session_user, 'another event says the same');
        END IF;
    END LOOP;
END $$;

-- Notes how one limit stands, and raises its event. Only what changed is raised again, or what went a
-- further tenth of the limit beyond: a value that stays in breach rings once.
CREATE OR REPLACE FUNCTION desk.watch_one(o desk.order_draft, m desk.limit_measure, p_together boolean, p_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    known    desk.limit_states%ROWTYPE;
    watched  text := coalesce(m.limit_id::text, m.limit_type) || ':' || CASE WHEN p_together THEN '' ELSE o.account_id::text END;
    account  uuid := CASE WHEN NOT p_together THEN o.account_id END;
    now_is   text;
    worse    boolean;
    rings    text;
    now_at   timestamptz := clock_timestamp();
    severity text;
    why      text;
BEGIN
    SELECT * INTO known FROM desk.limit_states s WHERE s.limit_key = watched;
    now_is := CASE WHEN m.fault IS NULL THEN desk.limit_state_after(known.state, m.after, m.allowed, m.warned, m.inclusive, m.is_minimum)
                  ELSE 'unknown' END;
    worse := now_is IN ('warning', 'breach') AND abs(m.after - m.allowed) >= abs(coalesce(known.raised_at_value, m.allowed) - m.allowed) + abs(m.allowed) / 10
             AND ((m.after > m.allowed) <> m.is_minimum) AND known.raised_at_value IS NOT NULL;
    IF now_is = known.state AND NOT worse THEN
        UPDATE desk.limit_states s SET measured = m.after, allowed = m.allowed, unit = m.unit, watched_at = now_at
         WHERE s.limit_key = watched AND (s.measured, s.allowed) IS DISTINCT FROM (m.after, m.allowed);
        RETURN false;
    END IF;

    rings := desk.event_key(m, now_is, watched, account);
    INSERT INTO desk.limit_states AS s (limit_key, state, measured, allowed, unit, raised_at_value, event_key, since, watched_at)
    VALUES (watched, now_is, m.after, m.allowed, m.unit, CASE WHEN now_is <> 'ok' THEN coalesce(m.after, 0) END,
            CASE WHEN now_is <> 'ok' THEN rings END, now_at, now_at)
    ON CONFLICT ON CONSTRAINT limit_states_pkey DO UPDATE
        SET state = EXCLUDED.state, measured = EXCLUDED.measured, allowed = EXCLUDED.allowed, unit = EXCLUDED.unit, watched_at = now_at,
            raised_at_value = coalesce(EXCLUDED.raised_at_value, s.raised_at_value),
            -- A loss that nobody can judge any more is not over.
            event_key = CASE WHEN s.event_key IS NOT NULL AND now_is IN ('ok', 'unknown') THEN s.event_key ELSE EXCLUDED.event_key END,
            since = CASE WHEN s.state = EXCLUDED.state THEN s.since ELSE now_at END;
    IF now_is = 'ok' THEN
        RETURN known.state IS NOT NULL;
    END IF;
    severity := CASE WHEN now_is = 'warning' THEN 'warning' WHEN now_is = 'breach' AND m.is_loss THEN 'emergency' ELSE 'critical' END;
    why := CASE WHEN now_is = 'unknown' THEN (desk.limit_fault(m, false)).message
                ELSE format('%s%s: %s of %s (%s).', coalesce(p_name || ', ', ''), replace(m.limit_type, '_', ' '),
                            desk.measured_text(m.after, m.unit), desk.measured_text(m.allowed, m.unit), now_is) END;
    -- Where another rule says the same of this loss, and is used up more, the event is that one's.
    IF NOT EXISTS (SELECT FROM desk.limit_states s
                    WHERE s.event_key = rings AND s.limit_key <> watched
                      AND (s.state = 'breach' OR (s.state = 'warning' AND now_is = 'warning'))
                      AND (s.state <> now_is OR s.measured / nullif(s.allowed, 0) >= m.after / nullif(m.allowed, 0))) THEN
        PERFORM desk.raise_event(account, CASE now_is WHEN 'warning' THEN 'limit_warning' WHEN 'breach' THEN 'limit_breach' ELSE 'limit_not_judged' END,
            severity, 'sentinel', m.limit_type, m.after, m.allowed, rings, NULL, NULL, m.limit_id,
            jsonb_build_object('message', why, 'unit', m.unit, 'state', now_is));
    END IF;
    -- A loss that reached its limit ends new risk until a risk officer says otherwise.
    IF now_is = 'breach' AND m.is_loss AND account IS NOT NULL AND o.status IN ('active', 'risk_halt') THEN
        PERFORM desk.halt_for_loss(account, why);
    END IF;
    RETURN true;
END $$;

-- ---- events that are over ---------------------------------------------------------------------

-- Ends the events of the watch that nothing rings any more: a limit that has been well for a minute, that
-- is not in force any more, or that can be judged again. Says how many.
--
-- A drawdown stays until somebody ended it: acknowledged, and the halt that it set resumed.
CREATE OR REPLACE FUNCTION desk.end_watched() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    over  record;
    ended integer := 0;
    quiet timestamptz := clock_timestamp() - interval '60 seconds';
BEGIN
    FOR over IN
        SELECT e.dedup_key FROM risk_events e
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND (starts_with(e.dedup_key, 'limit:') OR starts_with(e.dedup_key, 'loss:'))
           AND NOT EXISTS (SELECT FROM desk.limit_states s
                            WHERE s.raised_at_value IS NOT NULL AND (s.state <> 'ok' OR s.since >= quiet)
                              AND (s.event_key = e.dedup_key
                                   OR (e.dedup_key = 'limit:' || s.limit_key AND (s.state = 'unknown' OR s.since >= quiet))))
           AND NOT (e.risk_measure = 'max_drawdown' AND e.severity = 'emergency'
                    AND (NOT e.acknowledged OR EXISTS (SELECT FROM trading_halts h
                                                        WHERE h.account_id = e.account_id AND h.cause IS NOT NULL AND h.cleared_at IS NULL)))
    LOOP
        PERFORM desk.clear_event(over.dedup_key);
        ended := ended + 1;
    END LOOP;
    UPDATE desk.limit_states s SET raised_at_value = NULL, event_key = NULL
     WHERE s.raised_at_value IS NOT NULL AND s.state = 'ok' AND s.since < quiet;
    RETURN ended;
END $$;

-- Brings back what was acknowledged and goes on: an acknowledgement is good for 10 minutes of an emergency,
-- for half an hour of a breach, for four hours of a warning. And writes down to whom an event was passed on
-- that nobody took: after a quarter of an hour, and after half an hour. Says how many.
CREATE OR REPLACE FUNCTION desk.chase_events() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    now_at  timestamptz := clock_timestamp();
    chased  integer;
    told    integer;
BEGIN
    WITH back AS (
        UPDATE risk_events e SET acknowledged = false, acknowledged_by = NULL, acknowledged_at = NULL
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.acknowledged
           AND e.acknowledged_at < now_at - CASE e.severity WHEN 'emergency' THEN interval '10 minutes' WHEN 'critical' THEN interval '30 minutes'
                                                            ELSE interval '4 hours' END
           AND EXISTS (SELECT FROM desk.limit_states s WHERE s.event_key = e.dedup_key AND s.state <> 'ok')
        RETURNING e.event_id
    )
    INSERT INTO risk_event_actions (event_id, action, actor, note, at)
    SELECT b.event_id, 'reraised', session_user, 'acknowledged, and not over', now_at FROM back b;
    GET DIAGNOSTICS chased = ROW_COUNT;

    -- Since nobody owned it: raised, or given back.
    WITH waiting AS (
        SELECT e.event_id, now_at - (SELECT max(a.at) FROM risk_event_actions a
                                      WHERE a.event_id = e.event_id AND a.action IN ('raised', 'reraised', 'unacknowledged')) AS waits,
               (SELECT max(a.action_id) FROM risk_event_actions a
                 WHERE a.event_id = e.event_id AND a.action IN ('raised', 'reraised', 'unacknowledged')) AS begun
          FROM risk_events e
         WHERE e.resolution_time IS NULL AND NOT e.acknowledged AND e.severity IN ('critical', 'emergency')
    )
    INSERT INTO risk_event_actions (event_id, action, actor, note, at)
    SELECT w.event_id, 'escalated', session_user, step.whom, now_at
      FROM waiting w, (VALUES (interval '15 minutes', 'to the senior trader and the risk officers'),
                              (interval '30 minutes', 'to the head of risk')) AS step (after, whom)
     WHERE w.waits >= step.after
       AND NOT EXISTS (SELECT FROM risk_event_actions a
                        WHERE a.event_id = w.event_id AND a.action = 'escalated' AND a.note = step.whom AND a.action_id > w.begun);
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN chased + told;
END $$;

-- Measures every live limit and every account's own loss rules, once, and says how many changed their
-- standing. For the sentinel: one at a time, a second caller has nothing to do.
CREATE OR REPLACE FUNCTION desk.watch_limits() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    watched  record;
    o        desk.order_draft;
    m        desk.limit_measure;
    measures desk.limit_measure[];
    together uuid[] := '{}';   -- limits over several accounts: once is enough
    seen     text[] := '{}';
    changed  integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:watch', 0)) THEN
        RETURN 0;
    END IF;
    FOR watched IN
        SELECT a.account_id, NULL::text AS instrument, a.account_name FROM accounts a WHERE a.status <> 'closed'
        UNION ALL
        SELECT coalesce(l.account_id, (SELECT min(a.account_id::text)::uuid FROM accounts a)), l.scope_identifier, NULL
          FROM risk_limits l JOIN desk.limit_types k USING (limit_type)
         WHERE l.is_active AND l.limit_scope = 'instrument' AND k.live
         GROUP BY 1, 2
        ORDER BY 1, 2
    LOOP
        o := desk.draft_order(watched.account_id, watched.instrument, NULL, NULL, NULL, NULL, NULL, NULL);
        CONTINUE WHEN o.account_id IS NULL;
        measures := desk.measure_limits(o, true, together);
        IF watched.instrument IS NULL THEN
            -- What is used up most comes first: of rules that say the same it is the one that rings.
            SELECT coalesce(array_agg(r ORDER BY r.after / nullif(r.allowed, 0) DESC NULLS LAST, r.limit_id NULLS LAST), '{}') INTO measures
              FROM unnest(measures || desk.account_rules(o)) AS r;
        END IF;
        FOREACH m IN ARRAY measures LOOP
            CONTINUE WHEN (m.scope = 'instrument') <> (watched.instrument IS NOT NULL);
            IF m.scope IN ('portfolio', 'system') OR (m.scope = 'instrument' AND NOT EXISTS (
                    SELECT FROM risk_limits l WHERE l.limit_id = m.limit_id AND l.account_id IS NOT NULL)) THEN
                CONTINUE WHEN m.limit_id = ANY (together);
                together := together || m.limit_id;
                seen := seen || (m.limit_id || ':');
                changed := changed + desk.watch_one(o, m, true, coalesce(watched.instrument, m.scope))::integer;
            ELSE
                seen := seen || (coalesce(m.limit_id::text, m.limit_type) || ':' || o.account_id);
                changed := changed + desk.watch_one(o, m, false, o.account_name)::integer;
            END IF;
        END LOOP;
    END LOOP;
    -- What is not in force any more stands nowhere.
    DELETE FROM desk.limit_states s WHERE NOT EXISTS (SELECT FROM unnest(seen) AS stands (limit_key) WHERE stands.limit_key = s.limit_key);
    PERFORM desk.end_watched();
    PERFORM desk.chase_events();
    RETURN changed;
END $$;

-- ---- a new day --------------------------------------------------------------------------------

-- Ends the halt that the day's loss set, where the account's rules say that a new day clears it, and the
-- event with it: the loss of the new day is another one. A balance below zero, another loss or a person
-- still keep the account halted.
CREATE OR REPLACE FUNCTION desk.clear_daily_halts(p_account uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT desk.losses_in_breach(p_account) <@ '{max_daily_loss}' THEN
        RETURN;
    END IF;
    UPDATE trading_halts h SET cleared_by = session_user, cleared_at = p_at, clear_reason = 'a new trading day began'
     WHERE h.account_id = p_account AND h.cause = 'max_daily_loss' AND h.cleared_at IS NULL;
    IF FOUND THEN
        UPDATE accounts a SET status = 'active'
         WHERE a.account_id = p_account AND a.status = 'risk_halt' AND a.current_balance >= 0
           AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = p_account AND h.cleared_at IS NULL);
        PERFORM desk.clear_event('loss:max_daily_loss:' || p_account);
        -- A floating loss can breach the new day as well: the watch has to meet it as something new.
        UPDATE desk.limit_states s SET state = 'ok', since = p_at, raised_at_value = NULL, event_key = NULL
         WHERE s.limit_key LIKE '%:' || p_account AND s.state = 'breach'
           AND 'max_daily_loss' = coalesce((SELECT l.limit_type FROM risk_limits l WHERE l.limit_id::text = split_part(s.limit_key, ':', 1)),
                                           split_part(s.limit_key, ':', 1));
    END IF;
END $$;

-- ---- counts of everybody ----------------------------------------------------------------------

-- Limits that ask for more than the order and the books.
CREATE OR REPLACE FUNCTION desk.measure_special(o desk.order_draft, l risk_limits, p_place text) RETURNS desk.measured
LANGUAGE plpgsql STABLE AS $$
DECLARE
    m desk.measured;
    counted record;
BEGIN
    CASE l.limit_type
    WHEN 'max_currency_exposure' THEN
        SELECT * INTO counted FROM desk.currency_exposure(o, p_place, l.parameters ->> 'currency');
        m.before := counted.before;
        m.after := counted.after;
        m.hint := counted.currency;
        m.fault := CASE WHEN counted.missing IS NOT NULL THEN 'NO_CONVERSION_RATE' END;
    WHEN 'max_correlated_exposure' THEN
        SELECT * INTO counted FROM desk.group_exposure(o, p_place, coalesce(l.parameters -> 'instruments', '[]'));
        m.before := counted.before;
        m.after := counted.after;
        m.fault := CASE WHEN counted.missing IS NOT NULL THEN 'NO_CONVERSION_RATE' END;
    WHEN 'max_daily_trades' THEN
        -- No further than the limit: more is as much too many.
        IF p_place = 'instrument' THEN
            -- Over an instrument without an account: everybody's, each since that account's day began.
            SELECT count(*) INTO m.before
              FROM (SELECT FROM accounts a
                      LEFT JOIN performance_metrics d ON d.account_id = a.account_id AND d.period_type = 'daily'
                           AND d.period_start <= o.at AND d.period_end > o.at,
                           LATERAL (SELECT FROM trade_registry r
                                     WHERE r.account_id = a.account_id
                                       AND r.entry_time >= coalesce(d.period_start, (desk.trading_day(a.metadata -> 'risk_day', o.at)).starts)
                                       AND r.instrument = o.instrument) r
                     LIMIT l.limit_value + 1) e;
        ELSE
            SELECT count(*) INTO m.before
              FROM (SELECT FROM trade_registry r
                     WHERE r.account_id = o.account_id AND r.entry_time >= o.day_start
                       AND (l.limit_scope <> 'instrument' OR coalesce(r.instrument, o.instrument) = o.instrument)
                     LIMIT l.limit_value + 1) e;
        END IF;
        m.after := m.before + 1;
    WHEN 'max_orders_per_minute' THEN
        IF p_place = 'system' AND l.scope_identifier <> 'person' AND lower(btrim(l.scope_identifier)) <> lower(session_user) THEN
            m.after := 0; -- somebody else's
        ELSE
            m.before := desk.orders_in_a_minute(o, CASE WHEN p_place = 'account' THEN o.account_id END,
                CASE WHEN p_place = 'system' AND l.scope_identifier IS NOT NULL THEN session_user::text END, l.limit_value);
            m.after := m.before + 1;
        END IF;
    WHEN 'max_consecutive_losses' THEN
        m.after := desk.losing_streak(o.account_id, o.day_start);
    WHEN 'max_loss_per_position' THEN
        -- Over an instrument without an account: the worst of everybody's.
        SELECT coalesce(greatest(0, max(-p.unrealized_pnl * CASE WHEN p.account_id = o.account_id THEN 1 ELSE desk.convert(a.base_currency, o.currency) END)), 0)
          INTO m.after
          FROM positions p JOIN accounts a USING (account_id)
         WHERE p.status IN ('open', 'closing')
           AND CASE WHEN l.limit_scope = 'instrument' THEN p.instrument = desk.canonical_instrument(l.scope_identifier)
                         AND (l.account_id IS NULL OR p.account_id = l.account_id)
                    ELSE p.account_id = o.account_id END;
    END CASE;
    IF l.limit_scope IN ('portfolio', 'system', 'instrument') AND l.account_id IS NULL AND l.limit_unit IN ('percentage', 'fraction') THEN
        m.share := desk.scope_equity(o, l, p_place);
    END IF;
    RETURN m;
END $$;
