-- Who may do what. Nobody but the owner writes a table; rights on writes are rights to call functions,
-- and every function looks at session_user again.
SET LOCAL ROLE tmt_owner;

-- An adopted database may have been generous. What is taken here is only what everybody had; grants to
-- TMT's own writers stay.
DO $$
DECLARE
    open_to_all record;
BEGIN
    FOR open_to_all IN
        SELECT c.oid::regclass AS relation FROM pg_class c
         WHERE c.relnamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
           AND c.relowner = 'tmt_owner'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC', open_to_all.relation);
    END LOOP;
    FOR open_to_all IN
        SELECT p.oid::regprocedure AS relation FROM pg_proc p
         WHERE p.pronamespace IN ('public'::regnamespace, 'desk'::regnamespace) AND p.proowner = 'tmt_owner'::regrole
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', open_to_all.relation);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA desk TO tmt_viewer;

-- Everything can be read by everybody on the desk, except what unlocks a broker account, and the keys
-- under which others wait for an answer.
GRANT SELECT ON accounts, signals, trade_registry, trades, positions, market_data, risk_limits, risk_events, agents,
    system_events, instruments, fx_rates, signal_executions, trade_fills, performance_metrics, risk_event_actions,
    trading_halts TO tmt_viewer;
GRANT SELECT ON desk.settings, desk.limit_types, desk.schema_migrations, desk.audit_log, desk.audit_head TO tmt_viewer;
GRANT EXECUTE ON FUNCTION desk.session(), desk.changes_since(text), desk.audit_verify(), desk.limit_state(risk_limits),
    desk.assess_trade(uuid, text, text, numeric, numeric, numeric, numeric, uuid) TO tmt_viewer;

-- Traders.
GRANT EXECUTE ON FUNCTION
    desk.place_trade(uuid, bytea, timestamptz, uuid, text, text, numeric, numeric, numeric, numeric, uuid, text),
    desk.close_position(uuid, bytea, timestamptz, uuid, numeric, numeric, text),
    desk.halt(uuid, bytea, timestamptz, text, text, text, text),
    desk.resolve_outcome(uuid, bytea) TO tmt_trader;

-- Risk officers close what others may no longer close, but open nothing.
GRANT EXECUTE ON FUNCTION
    desk.close_position(uuid, bytea, timestamptz, uuid, numeric, numeric, text),
    desk.acknowledge(uuid, bytea, timestamptz, uuid[], text),
    desk.unacknowledge(uuid, bytea, timestamptz, uuid, text),
    desk.propose_limit(uuid, bytea, timestamptz, uuid, timestamptz, numeric, numeric, timestamptz, text),
    desk.approve_limit(uuid, bytea, timestamptz, uuid, text),
    desk.reject_limit(uuid, bytea, timestamptz, uuid, text),
    desk.halt(uuid, bytea, timestamptz, text, text, text, text),
    desk.resume(uuid, bytea, timestamptz, uuid, text),
    desk.resolve_outcome(uuid, bytea) TO tmt_risk_officer;

-- TMT's own programs: what agents have always written, and the desk for what moves money.
GRANT INSERT, UPDATE ON signals, market_data, fx_rates, agents, system_events TO tmt_agent;
GRANT UPDATE (current_price, unrealized_pnl, daily_pnl, last_updated_at) ON positions TO tmt_agent;
GRANT EXECUTE ON FUNCTION
    desk.place_trade(uuid, bytea, timestamptz, uuid, text, text, numeric, numeric, numeric, numeric, uuid, text),
    desk.close_position(uuid, bytea, timestamptz, uuid, numeric, numeric, text),
    desk.halt(uuid, bytea, timestamptz, text, text, text, text),
    desk.resolve_outcome(uuid, bytea),
    desk.raise_event(uuid, text, text, text, text, numeric, numeric, text, uuid, uuid, uuid, jsonb),
    desk.mark_to_market() TO tmt_agent;

-- Administrators maintain.
GRANT EXECUTE ON FUNCTION desk.mark_to_market(), desk.prune(), create_monthly_partitions(), create_trade_partition(timestamptz),
    desk.raise_event(uuid, text, text, text, text, numeric, numeric, text, uuid, uuid, uuid, jsonb) TO tmt_admin;
GRANT EXECUTE ON FUNCTION create_monthly_partitions(), create_trade_partition(timestamptz), desk.prune() TO tmt_agent;
