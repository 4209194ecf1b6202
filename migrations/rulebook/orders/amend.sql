-- Amending a position: stop, target, trailing distance.

-- Sets all three; NULL removes one.
CREATE FUNCTION desk.amend_position(p_key uuid, p_fingerprint bytea, p_valid_until timestamptz, p_position uuid,
    p_stop numeric, p_target numeric, p_trailing numeric, p_reason text) RETURNS desk.answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    answer   desk.answer;
    payload  jsonb := jsonb_build_object('position_id', p_position, 'stop', p_stop::text, 'target', p_target::text,
        'trailing', p_trailing::text, 'reason', p_reason);
    held     positions%ROWTYPE;
    account  accounts%ROWTYPE;
    o        desk.order_context;
    stop     numeric := desk.finite(p_stop);
    target   numeric := desk.finite(p_target);
    distance numeric := desk.finite(p_trailing);
    wider    boolean;
    tighter  boolean;
    checked  desk.check_result;
    rejected desk.check_result;
    notable  jsonb := '[]';
BEGIN
    answer := desk.begin_request(p_key, p_fingerprint, p_valid_until, 'amend_position');
    IF answer.outcome IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- The lock that orders take: halts and limits cannot change meanwhile.
    PERFORM desk.lock_account((SELECT p.account_id FROM positions p WHERE p.position_id = p_position));
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position FOR UPDATE;
    SELECT * INTO account FROM accounts a WHERE a.account_id = held.account_id;
    answer := CASE
        WHEN NOT desk.has_role('tmt_trader', 'tmt_risk_officer', 'tmt_admin', 'tmt_agent') THEN
            desk.refused('NOT_PERMITTED', format('%s is not permitted to trade.', session_user))
        WHEN held.position_id IS NULL THEN desk.refused('POSITION_UNKNOWN', 'No such position.')
        WHEN held.status = 'closed' THEN desk.refused('POSITION_NOT_OPEN', format('This position was closed %s.',
            coalesce('at ' || to_char(held.closed_at, 'HH24:MI:SS"Z"'), 'earlier')), p_subject => p_position)
        WHEN account.status = 'closed' AND NOT desk.has_role('tmt_risk_officer', 'tmt_admin') THEN
            desk.refused('ACCOUNT_CLOSED', 'The account is closed; only a risk officer can change its positions.', p_subject => p_position)
        -- NaN must not read as NULL: that would remove the stop.
        WHEN num_nonnulls(p_stop, p_target, p_trailing) > num_nonnulls(stop, target, distance) THEN
            desk.refused('PRICE_NOT_A_TICK', 'Stop, target or trailing distance is not a number.', p_subject => p_position)
    END;
    IF answer.outcome IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'amend_position', answer, payload);
    END IF;

    o := desk.load_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
        held.total_size, held.average_entry_price, stop, target, NULL);
    wider := desk.amend_widens(held, stop, distance);
    tighter := coalesce((stop - held.stop_loss) * o.direction > 0, held.stop_loss IS NULL AND stop IS NOT NULL)
            OR coalesce(distance < held.trailing_stop_distance, held.trailing_stop_distance IS NULL AND distance IS NOT NULL);
    FOR checked IN SELECT * FROM desk.check_amend(p_position, stop, target, distance) LOOP
        IF checked.severity = 'reject' AND rejected.code IS NULL THEN
            rejected := checked;
        END IF;
        notable := notable || desk.check_json(checked);
    END LOOP;
    IF rejected.code IS NOT NULL THEN
        RETURN desk.finish_request(p_key, 'amend_position', desk.refused(rejected.code, rejected.message, rejected.measured, rejected.allowed,
            rejected.unit, p_position, jsonb_build_object('checks', notable)), payload);
    ELSIF notable <> '[]' AND nullif(btrim(p_reason), '') IS NULL THEN
        RETURN desk.finish_request(p_key, 'amend_position', desk.refused('CONFIRM_REQUIRED',
            format('%s Add a reason to proceed.', notable -> 0 ->> 'message'), p_subject => p_position,
            p_detail => jsonb_build_object('checks', notable, 'confirm', jsonb_path_query_array(notable, '$[*].code'))), payload);
    END IF;

    UPDATE positions p
       SET stop_loss = stop, take_profit = target, trailing_stop_distance = distance, last_updated_at = clock_timestamp()
     WHERE p.position_id = p_position
       AND (p.stop_loss, p.take_profit, p.trailing_stop_distance) IS DISTINCT FROM (stop, target, distance);
    UPDATE trades t SET stop_loss = stop, take_profit = target
      FROM unnest(desk.open_trades(held, clock_timestamp())) live
     WHERE t.trade_id = live.trade_id AND t.entry_time = live.entry_time
       AND (t.stop_loss, t.take_profit) IS DISTINCT FROM (stop, target);
    answer := desk.accepted(p_position, format('%s %s: stop %s, target %s%s.', held.instrument, lower(held.position_type),
            coalesce(desk.price_text(stop, o.tick_size), 'none'), coalesce(desk.price_text(target, o.tick_size), 'none'),
            coalesce(', trailing distance ' || desk.price_text(distance, o.tick_size), '')),
        CASE WHEN wider THEN 'WIDENED' WHEN tighter THEN 'TIGHTENED'
             WHEN target IS NOT DISTINCT FROM held.take_profit THEN 'UNCHANGED' END,
        jsonb_build_object('stop', stop::text, 'target', target::text, 'trailing', distance::text,
            'before', jsonb_build_object('stop', held.stop_loss::text, 'target', held.take_profit::text,
                'trailing', held.trailing_stop_distance::text)) || CASE WHEN notable = '[]' THEN '{}' ELSE jsonb_build_object('checks', notable) END);
    RETURN desk.finish_request(p_key, 'amend_position', answer, payload);
END $$;

-- What desk.amend_position would reject or ask to confirm now; no row if it would accept.
CREATE FUNCTION desk.preview_amend(p_position uuid, p_stop numeric, p_target numeric, p_trailing numeric)
RETURNS TABLE (ordinal integer, code text, severity text, before numeric, measured numeric, allowed numeric,
               unit text, room numeric, limit_id uuid, message text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.ordinality::integer, a.code, a.severity, a.before, a.measured, a.allowed, a.unit, a.room, a.limit_id, a.message
      FROM desk.check_amend(p_position, desk.finite(p_stop), desk.finite(p_target), desk.finite(p_trailing)) WITH ORDINALITY AS a
     WHERE EXISTS (SELECT FROM positions p WHERE p.position_id = p_position AND p.status <> 'closed');
END $$;

-- Failed checks of new levels. A tighter stop is always allowed; a wider one, or none, is checked like new risk. A
-- level is compared with the market only if it changes: a stop that the market has passed must not block moving
-- the target.
CREATE FUNCTION desk.check_amend(p_position uuid, p_stop numeric, p_target numeric, p_trailing numeric)
RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    held   positions%ROWTYPE;
    o      desk.order_context;
    mark   numeric;
    result desk.check_result;
    wider  boolean;
BEGIN
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position;
    -- Checked like an order of the position's size.
    o := desk.load_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
        held.total_size, held.average_entry_price, p_stop, p_target, NULL);
    mark := coalesce(CASE o.direction WHEN 1 THEN o.bid ELSE o.ask END, held.current_price);
    wider := desk.amend_widens(held, p_stop, p_trailing);
    FOR result IN
        SELECT (desk.price_fault(o, w.what, w.price)).* FROM (VALUES ('stop', p_stop), ('target', p_target), ('trailing distance', p_trailing)) w (what, price)
        UNION ALL
        SELECT * FROM desk.check_result('STOP_REQUIRED', 'reject', 'A stop is required.')
         WHERE p_stop IS NULL AND held.stop_loss IS NOT NULL AND o.settings ->> 'stop_required' = 'true'
        UNION ALL
        SELECT * FROM desk.check_result('STOP_WRONG_SIDE', 'reject', format('The stop of a %s must be %s the market at %s: it would trigger immediately.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'below' ELSE 'above' END, desk.price_text(mark, o.tick_size)),
                NULL, p_stop, mark, 'price')
         WHERE p_stop IS DISTINCT FROM held.stop_loss AND (mark - p_stop) * o.direction <= 0
        UNION ALL
        SELECT * FROM desk.check_result('TARGET_WRONG_SIDE', 'reject', format('The target of a %s must be %s the market at %s: it would trigger immediately.',
                lower(held.position_type), CASE o.direction WHEN 1 THEN 'above' ELSE 'below' END, desk.price_text(mark, o.tick_size)),
                NULL, p_target, mark, 'price')
         WHERE p_target IS DISTINCT FROM held.take_profit AND (p_target - mark) * o.direction <= 0
        UNION ALL
        SELECT * FROM desk.check_result('NOT_PERMITTED', 'reject', format('%s may tighten stops, not widen them.', session_user))
         WHERE wider AND NOT desk.has_role('tmt_trader', 'tmt_admin', 'tmt_agent')
    LOOP
        IF result.code IS NOT NULL THEN
            RETURN NEXT result;
        END IF;
    END LOOP;
    IF wider THEN
        RETURN QUERY SELECT * FROM desk.check_wider_stop(p_position, p_stop) a WHERE a.severity <> 'info';
    END IF;
END $$;

-- Checks of a wider stop: those of new risk, for the whole position.
CREATE FUNCTION desk.check_wider_stop(p_position uuid, p_stop numeric) RETURNS SETOF desk.check_result
LANGUAGE plpgsql STABLE AS $$
DECLARE
    held positions%ROWTYPE;
    o desk.order_context;
    result desk.check_result;
    rule desk.limit_measurement;
    at_stop numeric;
BEGIN
    SELECT * INTO held FROM positions p WHERE p.position_id = p_position;
    o := desk.load_order(held.account_id, held.instrument, CASE held.position_type WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END,
                          held.total_size, held.average_entry_price, p_stop, NULL, NULL);
    FOREACH result IN ARRAY desk.check_status(o) LOOP
        IF result.severity = 'reject' AND result.code <> 'NOT_PERMITTED' THEN
            RETURN NEXT result;
        END IF;
    END LOOP;
    -- The totals contain the position: only the difference of its risk is added.
    o.net := 0;
    o.held := 0;
    o.opening := held.total_size;
    o.risk := desk.risk_amount(o.direction, held.total_size, held.average_entry_price, p_stop, o.contract_size, o.fx);
    IF o.risk / nullif(greatest(o.equity, 0), 0) > (o.settings ->> 'max_risk_fraction')::numeric OR (o.risk > 0 AND o.equity <= 0) THEN
        RETURN NEXT desk.check_result('RISK_PERCENTAGE', 'reject', format('The position would risk %s %% of equity; the maximum is %s %%.',
            round(o.risk / nullif(o.equity, 0) * 100, 2), desk.number_text((o.settings ->> 'max_risk_fraction')::numeric * 100)),
            NULL, o.risk / nullif(o.equity, 0), (o.settings ->> 'max_risk_fraction')::numeric, 'fraction');
    END IF;
    FOR result IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_check(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE m.limit_type IN ('max_risk_per_trade', 'min_stop_distance', 'max_stop_distance') AND (m.breach OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT result;
    END LOOP;
    o.risk := o.risk - desk.stop_risk(held) * o.contract_size * o.fx;
    FOR result IN
        SELECT (CASE WHEN m.fault IS NULL THEN desk.limit_check(m) ELSE desk.limit_fault(m, true) END).*
          FROM unnest(desk.measure_limits(o, false)) m
         WHERE (m.limit_type = 'max_open_risk' OR m.is_loss) AND (m.breach OR m.breach_at_stop OR m.fault IS NOT NULL)
    LOOP
        RETURN NEXT result;
    END LOOP;
    -- As in desk.check_risk.
    FOREACH rule IN ARRAY desk.account_rules(o) LOOP
        at_stop := rule.after + coalesce(o.risk, 0);
        IF rule.breach OR at_stop >= rule.allowed THEN
            RETURN NEXT desk.check_result(upper(rule.limit_type), CASE WHEN rule.breach THEN 'reject' ELSE 'confirm' END,
                format('%s is %s of %s %s%s', CASE rule.limit_type WHEN 'max_daily_loss' THEN 'Today''s loss' ELSE 'Drawdown' END,
                    desk.amount_text(rule.after), desk.amount_text(rule.allowed), o.currency, CASE WHEN rule.breach THEN ': the limit is reached.'
                        ELSE format('; at the stop it would be %s.', desk.amount_text(at_stop)) END),
                rule.after, at_stop, rule.allowed, o.currency);
        END IF;
    END LOOP;
END $$;

-- Whether new levels risk more than those of the position.
CREATE FUNCTION desk.amend_widens(p_held positions, p_stop numeric, p_trailing numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((p_stop - p_held.stop_loss) * CASE p_held.position_type WHEN 'LONG' THEN 1 ELSE -1 END < 0,
                    p_held.stop_loss IS NOT NULL AND p_stop IS NULL)
        OR coalesce(p_trailing > p_held.trailing_stop_distance, p_held.trailing_stop_distance IS NOT NULL AND p_trailing IS NULL)
$$;
