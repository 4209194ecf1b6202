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

-- Of one account: what the watch asks for all the time.
CREATE INDEX IF NOT EXISTS idx_limit_states_account ON desk.limit_states (split_part(limit_key, ':', 2));

-- ---- whose key it is ---------------------------------------------------------------------------

-- Keys of events that only the watch raises and ends.
CREATE OR REPLACE FUNCTION desk.is_watched(p_dedup text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(starts_with(p_dedup, 'limit:') OR starts_with(p_dedup, 'loss:'), false) $$;

-- Raises a risk event, or counts a repeat of one that is still open under the same key.
--
-- An acknowledged one comes back (reraised) when it got worse: a higher severity, or another tenth of
-- the limit beyond the value that was acknowledged. Otherwise whoever owns it is left in peace. A higher
-- severity is a line of its history in any case: how long nobody took the event counts from there.
CREATE OR REPLACE FUNCTION desk.ring(p_account uuid, p_type text, p_severity text, p_source text, p_measure text,
    p_current numeric, p_limit numeric, p_dedup text, p_trade uuid, p_position uuid, p_limit_id uuid, p_data jsonb)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    event  risk_events%ROWTYPE;
    before risk_events%ROWTYPE;
    graver boolean;
    worse  boolean;
    now_at timestamptz := clock_timestamp();
BEGIN
    IF desk.severity_rank(p_severity) IS NULL THEN
        RAISE EXCEPTION 'severity % is none of info, warning, critical, emergency', p_severity USING ERRCODE = '22023';
    END IF;
    -- Again, where the open event was resolved between the INSERT that met it and the SELECT.
    FOR attempt IN 1 .. 3 LOOP
        INSERT INTO risk_events (account_id, event_type, severity, event_source, risk_measure, current_value, limit_value,
            threshold_breached, related_trade_id, related_position_id, related_limit_id, event_data, dedup_key,
            occurred_at, last_occurred_at)
        VALUES (p_account, left(p_type, 50), p_severity, left(p_source, 50), left(p_measure, 50),
            desk.storable(p_current), desk.storable(p_limit),
            CASE WHEN p_limit IS NULL THEN NULL WHEN p_severity = 'warning' THEN 'warning' ELSE 'limit' END,
            p_trade, p_position, p_limit_id, coalesce(p_data, '{}'), left(p_dedup, 200), now_at, now_at)
        ON CONFLICT (dedup_key) WHERE dedup_key IS NOT NULL AND resolution_time IS NULL DO NOTHING
        RETURNING * INTO event;
        IF FOUND THEN
            INSERT INTO risk_event_actions (event_id, action, actor, at)
            VALUES (event.event_id, 'raised', session_user, now_at);
            RETURN event.event_id;
        END IF;
        SELECT * INTO before FROM risk_events e
         WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    IF before.event_id IS NULL THEN
        RAISE EXCEPTION 'event % is raised and resolved by others at the same time', p_dedup USING ERRCODE = '40001';
    END IF;

    graver := desk.severity_rank(p_severity) > desk.severity_rank(before.severity);
    worse := graver
        OR (p_current IS NOT NULL AND before.limit_value <> 0
            AND abs(p_current - before.limit_value) >= abs(coalesce(before.current_value, before.limit_value) - before.limit_value)
                                                       + abs(before.limit_value) / 10);
    UPDATE risk_events e
       SET occurrence_count = e.occurrence_count + 1,
           last_occurred_at = now_at,
           severity = CASE WHEN graver THEN p_severity ELSE e.severity END,
           -- While it is quietly owned, the value that was acknowledged stays the one to compare with.
           current_value = CASE WHEN e.acknowledged AND NOT worse THEN e.current_value
                                ELSE coalesce(desk.storable(p_current), e.current_value) END,
           limit_value = coalesce(desk.storable(p_limit), e.limit_value),
           related_limit_id = coalesce(p_limit_id, e.related_limit_id),
           event_data = e.event_data || coalesce(p_data, '{}'),
           acknowledged = e.acknowledged AND NOT worse
     WHERE e.event_id = before.event_id;
    IF graver OR (before.acknowledged AND worse) THEN
        INSERT INTO risk_event_actions (event_id, action, actor, note, at)
        VALUES (before.event_id, 'reraised', session_user,
            CASE WHEN before.acknowledged THEN 'worse than when it was acknowledged'
                 ELSE format('%s, and was %s', p_severity, before.severity) END, now_at);
    END IF;
    RETURN before.event_id;
END $$;

-- The same for other programs, which have keys of their own: an event that nothing of the watch rings
-- would be ended by the watch, or never.
CREATE OR REPLACE FUNCTION desk.raise_event(p_account uuid, p_type text, p_severity text, p_source text, p_measure text,
    p_current numeric, p_limit numeric, p_dedup text, p_trade uuid, p_position uuid, p_limit_id uuid, p_data jsonb)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF desk.is_watched(p_dedup) THEN
        RAISE EXCEPTION 'the key % belongs to the watch over limits: raise the event under another one', p_dedup USING ERRCODE = '22023';
    END IF;
    RETURN desk.ring(p_account, p_type, p_severity, p_source, p_measure, p_current, p_limit, p_dedup, p_trade, p_position, p_limit_id, p_data);
END $$;

-- Resolves the open event under a key, and returns it; nothing if none is open. What nobody has
-- acknowledged stays so: over is not the same as seen.
CREATE OR REPLACE FUNCTION desk.end_event(p_dedup text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    ended  uuid;
    now_at timestamptz := clock_timestamp();
BEGIN
    UPDATE risk_events e
       SET auto_resolved = true, resolution_time = now_at
     WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL
    RETURNING e.event_id INTO ended;
    IF FOUND THEN
        INSERT INTO risk_event_actions (event_id, action, actor, at)
        VALUES (ended, 'auto_resolved', session_user, now_at);
    END IF;
    RETURN ended;
END $$;

-- The same for other programs: what one of them raised, it says to be over. An event of the watch ends
-- when its condition does, one of the desk when somebody ends it.
CREATE OR REPLACE FUNCTION desk.clear_event(p_dedup text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    event risk_events%ROWTYPE;
BEGIN
    SELECT * INTO event FROM risk_events e WHERE e.dedup_key = left(p_dedup, 200) AND e.resolution_time IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF desk.is_watched(event.dedup_key) OR event.event_source = 'desk'
          OR (event.event_source IS DISTINCT FROM session_user
              AND NOT EXISTS (SELECT FROM risk_event_actions a
                               WHERE a.event_id = event.event_id AND a.action = 'raised' AND a.actor = session_user)) THEN
        RAISE EXCEPTION '% did not raise the event %: only who raised it says that it is over', session_user, p_dedup USING ERRCODE = '42501';
    END IF;
    RETURN desk.end_event(p_dedup);
END $$;

-- What others raised under such a key before can be ended by those who raised it.
UPDATE risk_events e SET dedup_key = left(e.event_source || ':' || e.dedup_key, 200)
 WHERE e.resolution_time IS NULL AND e.event_source <> 'sentinel' AND desk.is_watched(e.dedup_key);

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

-- ---- the watch --------------------------------------------------------------------------------
--
-- The watch waits for nobody. It holds many accounts' events, and who waits for them (a new day, a change
-- of a limit, an acknowledgement) may hold what it would wait for. What somebody else holds is left, and
-- has its turn in the next pass.

-- How a limit stands, in a sentence.
CREATE OR REPLACE FUNCTION desk.standing_text(m desk.limit_measure, p_name text, p_state text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE p_state WHEN 'unknown' THEN (desk.limit_fault(m, false)).message
        ELSE format('%s%s: %s of %s (%s).', coalesce(p_name || ', ', ''), replace(m.limit_type, '_', ' '),
                    desk.measured_text(m.after, m.unit), desk.measured_text(m.allowed, m.unit), p_state) END
$$;

-- Takes an account and the events of its limits; false if somebody else has one of them.
CREATE OR REPLACE FUNCTION desk.hold_account(p_account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = p_account FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND AND (SELECT count(*) FROM risk_events e
                       WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account AND desk.is_watched(e.dedup_key))
        = (SELECT count(*) FROM (SELECT FROM risk_events e
                                  WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account
                                    AND desk.is_watched(e.dedup_key)
                                    FOR NO KEY UPDATE SKIP LOCKED) mine);
END $$;

-- Takes the state and the event of what is watched over several accounts; false if somebody else has one.
CREATE OR REPLACE FUNCTION desk.hold_watched(p_watched text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM desk.limit_states s WHERE s.limit_key = p_watched FOR UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (SELECT FROM desk.limit_states s WHERE s.limit_key = p_watched) THEN
        RETURN false;
    END IF;
    PERFORM FROM risk_events e WHERE e.dedup_key = 'limit:' || p_watched AND e.resolution_time IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND OR NOT EXISTS (SELECT FROM risk_events e WHERE e.dedup_key = 'limit:' || p_watched AND e.resolution_time IS NULL);
END $$;

DROP FUNCTION IF EXISTS desk.watch_one(desk.order_draft, desk.limit_measure, boolean, text);

-- Notes how one limit stands, and raises its event. Only what changed is raised again, or what went a
-- further tenth of the limit beyond: a value that stays in breach rings once. Returns whether it changed;
-- NULL if it did, and the caller has to hold the account (or the state) first.
CREATE OR REPLACE FUNCTION desk.watch_one(o desk.order_draft, m desk.limit_measure, p_together boolean, p_name text, p_held boolean) RETURNS boolean
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
          FROM (SELECT f.limit_key FROM desk.limit_states f
                 WHERE f.limit_key = watched AND (f.measured, f.allowed) IS DISTINCT FROM (m.after, m.allowed)
                   FOR NO KEY UPDATE SKIP LOCKED) free
         WHERE s.limit_key = free.limit_key;
        RETURN false;
    ELSIF NOT p_held AND (known.limit_key IS NOT NULL OR now_is <> 'ok') THEN
        RETURN NULL;
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
    why := desk.standing_text(m, p_name, now_is);
    -- Where another rule says the same of this loss, and is used up more, the event is that one's.
    IF NOT EXISTS (SELECT FROM desk.limit_states s
                    WHERE s.event_key = rings AND s.limit_key <> watched
                      AND (s.state = 'breach' OR (s.state = 'warning' AND now_is = 'warning'))
                      AND (s.state <> now_is OR s.measured / nullif(s.allowed, 0) >= m.after / nullif(m.allowed, 0))) THEN
        PERFORM desk.ring(account, CASE now_is WHEN 'warning' THEN 'limit_warning' WHEN 'breach' THEN 'limit_breach' ELSE 'limit_not_judged' END,
            severity, 'sentinel', m.limit_type, m.after, m.allowed, rings, NULL, NULL, m.limit_id,
            jsonb_build_object('message', why, 'unit', m.unit, 'state', now_is));
    END IF;
    -- A loss that reached its limit ends new risk until a risk officer says otherwise.
    IF now_is = 'breach' AND m.is_loss AND account IS NOT NULL AND o.status IN ('active', 'risk_halt') THEN
        PERFORM desk.halt_for_loss(account, why);
    END IF;
    RETURN true;
END $$;

-- Gives an open event about a loss the figures of the rule that is used up most, where those that it has
-- are of a rule that is gone or less used up by now. Makes no noise. Returns whether there is, or was,
-- something to do.
CREATE OR REPLACE FUNCTION desk.lead_losses(p_account uuid, p_name text, p_measures desk.limit_measure[], p_held boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    led   record;
    m     desk.limit_measure;
    why   text;
    other boolean := false;
BEGIN
    FOR led IN
        SELECT DISTINCT ON (e.event_id) e.event_id, e.related_limit_id, e.limit_value, s.state, l AS rule
          FROM risk_events e
          JOIN desk.limit_states s ON s.event_key = e.dedup_key AND s.state IN ('breach', 'warning')
          JOIN unnest(p_measures) l ON s.limit_key = coalesce(l.limit_id::text, l.limit_type) || ':' || p_account
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND e.account_id = p_account AND starts_with(e.dedup_key, 'loss:')
         ORDER BY e.event_id, s.state = 'breach' DESC, l.after / nullif(l.allowed, 0) DESC NULLS LAST, l.limit_id NULLS LAST
    LOOP
        m := led.rule;
        -- A limit that is a share of something moves a little all the time.
        CONTINUE WHEN led.related_limit_id IS NOT DISTINCT FROM m.limit_id
                      AND coalesce(abs(led.limit_value - m.allowed) <= abs(m.allowed) / 100, true);
        other := true;
        CONTINUE WHEN NOT p_held;
        why := desk.standing_text(m, p_name, led.state);
        UPDATE risk_events e
           SET related_limit_id = m.limit_id, limit_value = desk.storable(m.allowed), current_value = desk.storable(m.after),
               event_data = e.event_data || jsonb_build_object('message', why, 'unit', m.unit, 'state', led.state)
         WHERE e.event_id = led.event_id;
        INSERT INTO risk_event_actions (event_id, action, actor, note) VALUES (led.event_id, 'note', session_user, why);
    END LOOP;
    RETURN other;
END $$;

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
            SELECT DISTINCT l.scope_identifier::text FROM risk_limits l JOIN desk.limit_types k USING (limit_type)
             WHERE l.is_active AND l.limit_scope = 'instrument' AND l.account_id = p_account AND k.live
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

-- Notes that the limits of an account (of none: those over several) cannot be judged at all, and raises that
-- once. It is over when they can.
CREATE OR REPLACE FUNCTION desk.watch_failed(p_account uuid, p_name text, p_why text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    watched text := 'all_limits:' || coalesce(p_account::text, '');
BEGIN
    IF EXISTS (SELECT FROM desk.limit_states s WHERE s.limit_key = watched) OR NOT desk.hold_watched(watched) THEN
        RETURN 0;
    END IF;
    INSERT INTO desk.limit_states (limit_key, state, raised_at_value, event_key, since, watched_at)
    VALUES (watched, 'unknown', 0, 'limit:' || watched, clock_timestamp(), clock_timestamp());
    PERFORM desk.ring(p_account, 'limit_not_judged', 'critical', 'sentinel', 'all_limits', NULL, NULL, 'limit:' || watched, NULL, NULL, NULL,
        jsonb_build_object('message', format('No limit of %s is watched: %s.', p_name, rtrim(p_why, '.')), 'state', 'unknown'));
    RETURN 1;
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
        SELECT (SELECT min(a.account_id::text)::uuid FROM accounts a), l.scope_identifier
          FROM risk_limits l JOIN desk.limit_types k USING (limit_type)
         WHERE l.limit_id = ANY (p_wide) AND l.limit_scope = 'instrument' AND k.live
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
    -- States before events, as everybody.
    UPDATE desk.limit_states s SET raised_at_value = NULL, event_key = NULL
      FROM (SELECT f.limit_key FROM desk.limit_states f WHERE f.raised_at_value IS NOT NULL AND f.state = 'ok' AND f.since < quiet
               FOR NO KEY UPDATE SKIP LOCKED) well
     WHERE s.limit_key = well.limit_key;
    FOR over IN
        SELECT e.dedup_key FROM risk_events e
         WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL AND desk.is_watched(e.dedup_key)
           AND NOT EXISTS (SELECT FROM desk.limit_states s
                            WHERE s.raised_at_value IS NOT NULL AND (s.state <> 'ok' OR s.since >= quiet)
                              AND (s.event_key = e.dedup_key
                                   OR (e.dedup_key = 'limit:' || s.limit_key AND (s.state = 'unknown' OR s.since >= quiet))))
           AND NOT (e.risk_measure = 'max_drawdown' AND e.severity = 'emergency'
                    AND (NOT e.acknowledged OR EXISTS (SELECT FROM trading_halts h
                                                        WHERE h.account_id = e.account_id AND h.cause IS NOT NULL AND h.cleared_at IS NULL)))
         ORDER BY e.event_id
           FOR NO KEY UPDATE OF e SKIP LOCKED
    LOOP
        PERFORM desk.end_event(over.dedup_key);
        ended := ended + 1;
    END LOOP;
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
         WHERE e.event_id IN (
            SELECT f.event_id FROM risk_events f
             WHERE f.event_source = 'sentinel' AND f.resolution_time IS NULL AND f.acknowledged
               AND f.acknowledged_at < now_at - CASE f.severity WHEN 'emergency' THEN interval '10 minutes' WHEN 'critical' THEN interval '30 minutes'
                                                                ELSE interval '4 hours' END
               AND EXISTS (SELECT FROM desk.limit_states s
                            WHERE (s.event_key = f.dedup_key AND s.state <> 'ok') OR (f.dedup_key = 'limit:' || s.limit_key AND s.state = 'unknown'))
             ORDER BY f.event_id
               FOR NO KEY UPDATE OF f SKIP LOCKED)
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

-- Measures live limits and accounts' own loss rules: of some accounts after p_after, in their order. Says how
-- many changed their standing, and which account was the last; none when all had their turn, limits over
-- several accounts too. It ends with the first account that it takes, so that none is held while others are
-- measured. One at a time: a second caller has nothing to do.
CREATE OR REPLACE FUNCTION desk.watch_some(p_after uuid, OUT changed integer, OUT last uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    watched record;
    looked  integer := 0;
    held    boolean := false;
    wide    uuid[] := ARRAY(SELECT l.limit_id FROM risk_limits l
                             WHERE l.is_active AND (l.limit_scope IN ('portfolio', 'system') OR (l.limit_scope = 'instrument' AND l.account_id IS NULL)));
BEGIN
    changed := 0;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('tmt:watch', 0)) THEN
        RETURN;
    END IF;
    FOR watched IN
        SELECT a.account_id, a.account_name FROM accounts a
         WHERE a.status <> 'closed' AND (p_after IS NULL OR a.account_id > p_after) ORDER BY a.account_id LIMIT 51
    LOOP
        looked := looked + 1;
        IF looked > 50 OR held OR changed > 0 THEN
            RETURN;
        END IF;
        last := watched.account_id;
        -- One that cannot be measured does not stop the others.
        BEGIN
            SELECT w.changed, w.held INTO changed, held FROM desk.watch_account(watched.account_id, watched.account_name, wide) w;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
                changed := 0;
            WHEN OTHERS THEN
                changed := desk.watch_failed(watched.account_id, watched.account_name, SQLERRM);
        END;
    END LOOP;
    IF held OR changed > 0 THEN
        RETURN;
    END IF;
    last := NULL;
    changed := desk.watch_wide(wide);
    DELETE FROM desk.limit_states s
     USING (SELECT g.limit_key FROM desk.limit_states g
             WHERE split_part(g.limit_key, ':', 2) <> ''
               AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_id::text = split_part(g.limit_key, ':', 2) AND a.status <> 'closed')
               FOR UPDATE OF g SKIP LOCKED) gone
     WHERE s.limit_key = gone.limit_key;
    PERFORM desk.end_watched();
    PERFORM desk.chase_events();
END $$;
GRANT EXECUTE ON FUNCTION desk.watch_some(uuid) TO tmt_agent, tmt_admin;

-- All of them, in one transaction. Says how many changed their standing.
CREATE OR REPLACE FUNCTION desk.watch_limits() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    part    record;
    after   uuid;
    changed integer := 0;
BEGIN
    LOOP
        SELECT * INTO part FROM desk.watch_some(after);
        changed := changed + part.changed;
        after := part.last;
        EXIT WHEN after IS NULL;
    END LOOP;
    RETURN changed;
END $$;

-- ---- a limit that is replaced -----------------------------------------------------------------

-- Puts a successor in the place of a limit from now on; of a successor that retires it, nothing takes its
-- place. If the successor has an end, the old value comes back there by itself: when a temporary limit
-- runs out, no gap may open.
CREATE OR REPLACE FUNCTION desk.supersede_limit(p_old risk_limits, p_new uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor risk_limits%ROWTYPE;
    gone      text[];
    proposed  risk_limits%ROWTYPE;
BEGIN
    -- What waits for a second person was proposed for the value that ends now: nobody shall look for it in vain.
    FOR proposed IN
        SELECT * FROM risk_limits l
         WHERE l.supersedes_limit_id = p_old.limit_id AND l.limit_id <> p_new AND desk.limit_state(l) = 'pending' FOR NO KEY UPDATE
    LOOP
        UPDATE risk_limits l SET change_reason = concat_ws(' | ', l.change_reason, 'void: the limit was changed meanwhile')
         WHERE l.limit_id = proposed.limit_id;
        PERFORM desk.end_event('limit_changed:' || proposed.limit_id);
        PERFORM desk.ring(p_old.account_id, 'limit_proposal_void', 'warning', 'desk', p_old.limit_type, proposed.limit_value, p_old.limit_value,
            'limit_void:' || proposed.limit_id, NULL, NULL, p_new,
            jsonb_build_object('message', format('%s: the proposal of %s, %s, is void: the limit was changed meanwhile. Propose it again.',
                desk.limit_words(p_old), proposed.created_by, desk.measured_text(proposed.limit_value, proposed.limit_unit)), 'actor', session_user));
    END LOOP;
    UPDATE risk_limits l SET is_active = NOT l.retires, effective_from = p_at WHERE l.limit_id = p_new RETURNING * INTO successor;
    UPDATE risk_limits l SET is_active = false, effective_until = greatest(p_at, l.effective_from + interval '1 microsecond')
     WHERE l.limit_id = p_old.limit_id;
    IF successor.effective_until IS NOT NULL AND NOT successor.retires
       AND (p_old.effective_until IS NULL OR p_old.effective_until > successor.effective_until) THEN
        INSERT INTO risk_limits (account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            time_window, is_active, description, created_by, approved_by, approved_at, effective_from, effective_until,
            supersedes_limit_id, change_reason, parameters)
        VALUES (p_old.account_id, p_old.limit_type, p_old.limit_scope, p_old.scope_identifier, p_old.limit_value, p_old.limit_unit,
            p_old.warning_threshold, p_old.time_window, true, p_old.description, p_old.created_by, p_old.approved_by, p_old.approved_at,
            successor.effective_until, p_old.effective_until, successor.limit_id, 'returns when the temporary limit ends', p_old.parameters);
    END IF;
    -- What rang for the old value is over; the watch looks at the new one with fresh eyes. States before
    -- events, and events in the order in which they are acknowledged.
    WITH old AS (
        DELETE FROM desk.limit_states s WHERE starts_with(s.limit_key, p_old.limit_id::text || ':') RETURNING 'limit:' || s.limit_key AS key
    )
    SELECT coalesce(array_agg(o.key), '{}') INTO gone FROM old o;
    PERFORM FROM risk_events e WHERE e.dedup_key = ANY (gone) AND e.resolution_time IS NULL ORDER BY e.event_id FOR NO KEY UPDATE;
    PERFORM desk.end_event(key) FROM unnest(gone) AS key;
    -- A successor judges by the same parameters.
    UPDATE risk_limits l SET parameters = p_old.parameters
     WHERE l.limit_id = p_new AND l.parameters = '{}' AND p_old.parameters <> '{}';
END $$;

-- ---- a new day --------------------------------------------------------------------------------

-- Ends the halt that the day's loss set, where the account's rules say that a new day clears it. A balance
-- below zero, another loss or a person still keep the account halted. The event is over in any case, also
-- where the halt was resumed by hand before: the loss of the new day is another one. The caller holds the account.
CREATE OR REPLACE FUNCTION desk.clear_daily_halts(p_account uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    rings text := 'loss:max_daily_loss:' || p_account;
BEGIN
    IF desk.losses_in_breach(p_account) <@ '{max_daily_loss}' THEN
        UPDATE trading_halts h SET cleared_by = session_user, cleared_at = p_at, clear_reason = 'a new trading day began'
         WHERE h.account_id = p_account AND h.cause = 'max_daily_loss' AND h.cleared_at IS NULL;
        IF FOUND THEN
            UPDATE accounts a SET status = 'active'
             WHERE a.account_id = p_account AND a.status = 'risk_halt' AND a.current_balance >= 0
               AND NOT EXISTS (SELECT FROM trading_halts h WHERE h.account_id = p_account AND h.cleared_at IS NULL);
        END IF;
    END IF;
    -- A floating loss can reach the new day's warning or limit as well: the watch has to meet it as something
    -- new. What nobody can judge goes on.
    UPDATE desk.limit_states s
       SET state = CASE s.state WHEN 'unknown' THEN s.state ELSE 'ok' END,
           since = CASE s.state WHEN 'unknown' THEN s.since ELSE p_at END,
           raised_at_value = CASE s.state WHEN 'unknown' THEN s.raised_at_value END,
           event_key = CASE s.state WHEN 'unknown' THEN 'limit:' || s.limit_key END
     WHERE s.event_key = rings;
    -- Whoever acknowledges it just now may hold the next account's too: then the watch ends it.
    PERFORM FROM risk_events e WHERE e.dedup_key = rings AND e.resolution_time IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
        PERFORM desk.end_event(rings);
    END IF;
END $$;

-- ---- counts of everybody ----------------------------------------------------------------------

-- Limits that ask for more than the order and the books.
CREATE OR REPLACE FUNCTION desk.measure_special(o desk.order_draft, l risk_limits, p_place text) RETURNS desk.measured
LANGUAGE plpgsql STABLE AS $$
DECLARE
    m desk.measured;
    counted record;
    names text[];
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
        -- No further than the limit: more is as much too many. Trades of other programs may have their
        -- instrument in another spelling; what has none is counted everywhere.
        IF l.limit_scope = 'instrument' THEN
            names := ARRAY(SELECT upper(n.name) FROM instruments i, unnest(i.aliases || i.instrument::text) AS n (name) WHERE i.instrument = o.instrument);
        END IF;
        IF p_place = 'instrument' THEN
            -- Over an instrument without an account: everybody's, each since that account's day began.
            SELECT count(*) INTO m.before
              FROM (SELECT FROM accounts a
                      LEFT JOIN performance_metrics d ON d.account_id = a.account_id AND d.period_type = 'daily'
                           AND d.period_start <= o.at AND d.period_end > o.at,
                           LATERAL (SELECT FROM trade_registry r
                                     WHERE r.account_id = a.account_id
                                       AND r.entry_time >= coalesce(d.period_start, (desk.trading_day(a.metadata -> 'risk_day', o.at)).starts)
                                       AND (r.instrument IS NULL OR upper(btrim(r.instrument)) = ANY (names)
                                            OR upper(replace(btrim(r.instrument), '/', '_')) = ANY (names))) r
                     LIMIT l.limit_value + 1) e;
        ELSE
            SELECT count(*) INTO m.before
              FROM (SELECT FROM trade_registry r
                     WHERE r.account_id = o.account_id AND r.entry_time >= o.day_start
                       AND (l.limit_scope <> 'instrument' OR r.instrument IS NULL OR upper(btrim(r.instrument)) = ANY (names)
                            OR upper(replace(btrim(r.instrument), '/', '_')) = ANY (names))
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
