-- Previews: which accounts a limit affects.

-- The standing of every account that a new limit would affect. Inserts the limit, calls desk.limit_impact, and rolls back:
-- no other session sees the row. A limit that would be refused raises its refusal as an error.
CREATE FUNCTION desk.limit_preview(p_account uuid, p_type text, p_scope text, p_identifier text, p_value numeric, p_unit text,
    p_warning numeric, p_parameters jsonb)
RETURNS TABLE (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    validated  record;
    draft      risk_limits%ROWTYPE;
    preview_id uuid := gen_random_uuid();
    found      jsonb;
BEGIN
    SELECT * INTO validated FROM desk.validate_limit(p_account, p_type, p_scope, p_identifier, p_value, p_unit, p_warning, NULL, p_parameters);
    draft := validated.draft;
    IF (validated.answer).outcome IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TR030', MESSAGE = (validated.answer).message, DETAIL = (validated.answer).code;
    END IF;
    BEGIN
        INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, warning_threshold,
            is_active, created_by, effective_from, parameters)
        VALUES (preview_id, draft.account_id, draft.limit_type, draft.limit_scope, draft.scope_identifier, draft.limit_value, draft.limit_unit,
            draft.warning_threshold, true, session_user, clock_timestamp(), draft.parameters);
        SELECT coalesce(jsonb_agg(to_jsonb(i)), '[]') INTO found FROM desk.limit_impact(preview_id, NULL) i;
        RAISE triggered_action_exception USING MESSAGE = 'rolled back';
    EXCEPTION WHEN triggered_action_exception THEN
        NULL;
    END;
    RETURN QUERY
    SELECT r.account_id, r.account_name, r.measured, r.allowed, r.unit, r.room, r.state
      FROM jsonb_to_recordset(found) AS r (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text);
END $$;

-- The accounts that a limit affects, and their standing under p_value, or under its own value. A proposal is taken as its
-- value on the limit that it would replace. Limits checked only before trades (counts, sizes) show what is open now.
-- Limits that depend only on the order return no row.
CREATE FUNCTION desk.limit_impact(p_limit uuid, p_value numeric)
RETURNS TABLE (account_id uuid, account_name text, measured numeric, allowed numeric, unit text, room numeric, state text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    limited risk_limits%ROWTYPE;
    wanted  numeric := p_value;
    o       desk.order_context;
    m       desk.limit_measurement;
    factor  numeric;
    wide    boolean;
    is_live boolean;
    sized   boolean;
    one     record;
    current numeric;
BEGIN
    SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = p_limit;
    IF limited.limit_id IS NULL THEN
        RETURN;
    END IF;
    IF NOT limited.is_active AND limited.supersedes_limit_id IS NOT NULL THEN
        wanted := coalesce(wanted, limited.limit_value);
        SELECT * INTO limited FROM risk_limits l WHERE l.limit_id = limited.supersedes_limit_id;
    END IF;
    is_live := coalesce((SELECT k.live FROM tmt.limit_types k WHERE k.limit_type = limited.limit_type), false);
    -- Position size is per account and instrument in every scope.
    sized := limited.limit_type = 'max_position_size';
    wide := limited.limit_scope <> 'account' AND limited.account_id IS NULL AND NOT sized;
    factor := coalesce(wanted, limited.limit_value) / limited.limit_value;
    FOR one IN
        SELECT a.account_id, h.instrument
          FROM accounts a
          LEFT JOIN tmt.account_totals h ON sized AND h.account_id = a.account_id AND h.net <> 0
                AND (limited.limit_scope <> 'instrument' OR h.instrument = limited.scope_identifier)
         WHERE a.account_id = ANY (desk.accounts_in_scope(limited.limit_scope,
                   coalesce(limited.account_id, (SELECT n.account_id FROM accounts n WHERE limited.limit_scope = 'account' AND n.account_id::text = lower(btrim(limited.scope_identifier)))),
                   limited.scope_identifier, NULL))
            OR (limited.limit_scope = 'account' AND limited.account_id IS NULL AND limited.scope_identifier IS NULL)
         ORDER BY a.account_name, h.instrument
    LOOP
        o := desk.load_order(one.account_id, coalesce(one.instrument, CASE WHEN limited.limit_scope = 'instrument' THEN limited.scope_identifier END),
                              NULL, NULL, NULL, NULL, NULL, NULL);
        FOREACH m IN ARRAY desk.measure_limits(o, is_live) LOOP
            current := CASE WHEN is_live THEN m.after ELSE m.before END;
            CONTINUE WHEN m.limit_id <> limited.limit_id OR (NOT is_live AND current IS NULL);
            account_id := CASE WHEN wide THEN NULL ELSE o.account_id END;
            account_name := CASE WHEN wide THEN coalesce(limited.scope_identifier, limited.limit_scope)
                                 ELSE concat_ws(' ', o.account_name, CASE WHEN sized THEN one.instrument END) END;
            measured := round(current, 4);
            allowed := round(m.allowed * factor, 4);
            unit := m.unit;
            room := CASE WHEN m.is_minimum THEN measured - allowed ELSE allowed - measured END;
            state := desk.next_standing('ok', current, m.allowed * factor, m.warning * factor, m.inclusive, m.is_minimum);
            RETURN NEXT;
        END LOOP;
        EXIT WHEN wide;
    END LOOP;
END $$;
