-- Who may do what. Only the owner writes tables; everybody else calls functions, and each function checks
-- session_user again.

-- An adopted database may have granted more. Only grants to PUBLIC are revoked; those to TMT's own writers stay.
DO $$
DECLARE
    open_to_all record;
BEGIN
    FOR open_to_all IN
        SELECT c.oid::regclass AS relation FROM pg_class c
         WHERE c.relnamespace IN ('public'::regnamespace, 'tmt'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
           AND c.relowner = 'tmt_owner'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC', open_to_all.relation);
    END LOOP;
    FOR open_to_all IN
        SELECT p.oid::regprocedure AS relation FROM pg_proc p
         WHERE p.pronamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND p.proowner = 'tmt_owner'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', open_to_all.relation);
    END LOOP;
END $$;

-- Every role reads everything but broker credentials and request keys.
GRANT USAGE ON SCHEMA desk, tmt TO tmt_viewer;
GRANT SELECT ON accounts, signals, trade_registry, trades, positions, market_data, risk_limits, risk_events, agents,
    system_events, instruments, fx_rates, signal_executions, trade_fills, performance_metrics, risk_event_actions,
    trading_halts, tmt.settings, tmt.limit_types, tmt.codes, tmt.limit_states, tmt.schema_migrations, tmt.rulebook, tmt.audit_log,
    tmt.audit_head, tmt.account_totals, tmt.portfolio_totals, tmt.trade_totals, tmt.trade_total_changes TO tmt_viewer;
GRANT EXECUTE ON FUNCTION
    desk.session(),
    desk.changes_since(text),
    desk.assess_trade(uuid, text, text, numeric, numeric, numeric, numeric, uuid),
    desk.preview_amend(uuid, numeric, numeric, numeric),
    desk.limit_state(risk_limits),
    desk.limit_impact(uuid, numeric),
    desk.period(jsonb, text, timestamptz),
    desk.performance(uuid, timestamptz, timestamptz),
    desk.swap_nights(date, date, integer),
    desk.swap_fee(numeric, numeric, numeric, integer),
    desk.audit_verify(),
    desk.audit_verify_from(bigint, bytea) TO tmt_viewer;

-- Traders and TMT's own programs.
GRANT EXECUTE ON FUNCTION
    desk.place_trade(uuid, bytea, timestamptz, uuid, text, text, numeric, numeric, numeric, numeric, uuid, text)
    TO tmt_trader, tmt_agent;

-- Risk officers close and reduce, but open nothing.
GRANT EXECUTE ON FUNCTION
    desk.close_position(uuid, bytea, timestamptz, uuid, numeric, numeric, text),
    desk.flatten(uuid, bytea, timestamptz, uuid, text),
    desk.amend_position(uuid, bytea, timestamptz, uuid, numeric, numeric, numeric, text),
    desk.halt(uuid, bytea, timestamptz, text, text, text, text),
    desk.resolve_outcome(uuid, bytea) TO tmt_trader, tmt_risk_officer, tmt_agent;
GRANT EXECUTE ON FUNCTION
    desk.acknowledge(uuid, bytea, timestamptz, uuid[], text),
    desk.unacknowledge(uuid, bytea, timestamptz, uuid, text),
    desk.create_limit(uuid, bytea, timestamptz, uuid, text, text, text, numeric, text, numeric, timestamptz, jsonb, text),
    desk.limit_preview(uuid, text, text, text, numeric, text, numeric, jsonb),
    desk.propose_limit(uuid, bytea, timestamptz, uuid, timestamptz, numeric, numeric, timestamptz, text),
    desk.retire_limit(uuid, bytea, timestamptz, uuid, timestamptz, text),
    desk.approve_limit(uuid, bytea, timestamptz, uuid, text),
    desk.reject_limit(uuid, bytea, timestamptz, uuid, text),
    desk.resume(uuid, bytea, timestamptz, uuid, text) TO tmt_risk_officer;
GRANT EXECUTE ON FUNCTION desk.reconcile(uuid, boolean) TO tmt_risk_officer, tmt_agent;

-- TMT's own programs.
GRANT INSERT, UPDATE ON signals, market_data, fx_rates, agents, system_events TO tmt_agent;
GRANT UPDATE (current_price, unrealized_pnl, daily_pnl, last_updated_at) ON positions TO tmt_agent;
GRANT EXECUTE ON FUNCTION desk.clear_event(text) TO tmt_agent;

-- Periodic work, run by a program or by an administrator.
GRANT EXECUTE ON FUNCTION
    desk.mark_to_market(),
    desk.roll_days(),
    desk.monitor_limits(),
    desk.monitor_batch(uuid),
    desk.charge(uuid, bytea, timestamptz, uuid, text, numeric, text),
    desk.raise_event(uuid, text, text, text, text, numeric, numeric, text, uuid, uuid, uuid, jsonb),
    desk.prune_changes(),
    desk.maintain(),
    create_monthly_partitions(),
    create_trade_partition(timestamptz) TO tmt_agent, tmt_admin;
