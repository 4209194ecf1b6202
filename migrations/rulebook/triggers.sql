-- Every trigger. TMT's own writers meet them too.

-- ---- trades -----------------------------------------------------------------------------------

-- Partitioned: BEFORE, so that a duplicate is refused before any other rule. Plain: AFTER, or ON CONFLICT
-- (trade_id) of TMT's writers would fail where the table's own key resolves it.
DO $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER tr_trade_registry_ins %s INSERT ON public.trades
         FOR EACH ROW EXECUTE FUNCTION sync_trade_registry()',
        CASE WHEN (SELECT relkind = 'r' FROM pg_class WHERE oid = 'public.trades'::regclass) THEN 'AFTER' ELSE 'BEFORE' END);
END $$;
CREATE TRIGGER tr_trade_registry_upd BEFORE UPDATE ON trades FOR EACH ROW
    WHEN ((OLD.trade_id, OLD.entry_time, OLD.account_id, OLD.platform_trade_id)
          IS DISTINCT FROM (NEW.trade_id, NEW.entry_time, NEW.account_id, NEW.platform_trade_id))
    EXECUTE FUNCTION sync_trade_registry();
CREATE TRIGGER tr_trade_registry_del AFTER DELETE ON trades
    FOR EACH ROW EXECUTE FUNCTION sync_trade_registry();

CREATE TRIGGER tr_risk_limit_check AFTER INSERT OR UPDATE ON trades FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION enforce_risk_limits();

CREATE TRIGGER tr_update_trade_totals_ins AFTER INSERT ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner' AND NEW.status IN ('open', 'partial')) EXECUTE FUNCTION desk.update_trade_totals();
CREATE TRIGGER tr_update_trade_totals_upd AFTER UPDATE ON trades FOR EACH ROW
    WHEN (current_user = 'tmt_owner' AND (OLD.status IN ('open', 'partial') OR NEW.status IN ('open', 'partial'))
          AND (OLD.status, OLD.trade_type, OLD.position_size, OLD.closed_size, OLD.account_id, OLD.instrument)
              IS DISTINCT FROM (NEW.status, NEW.trade_type, NEW.position_size, NEW.closed_size, NEW.account_id, NEW.instrument))
    EXECUTE FUNCTION desk.update_trade_totals();
CREATE TRIGGER tr_update_trade_totals_del AFTER DELETE ON trades FOR EACH ROW
    WHEN (OLD.status IN ('open', 'partial')) EXECUTE FUNCTION desk.update_trade_totals();

-- ---- positions --------------------------------------------------------------------------------

CREATE TRIGGER tr_position_pnl_check BEFORE INSERT OR UPDATE ON positions FOR EACH ROW
    WHEN (current_user <> 'tmt_owner') EXECUTE FUNCTION check_position_pnl();

-- Marks change no running total.
CREATE TRIGGER tr_update_totals_ends AFTER INSERT OR DELETE ON positions
    FOR EACH ROW EXECUTE FUNCTION desk.update_totals();
CREATE TRIGGER tr_update_totals AFTER UPDATE ON positions FOR EACH ROW
    WHEN ((OLD.status, OLD.position_type, OLD.total_size, OLD.average_entry_price, OLD.stop_loss, OLD.account_id, OLD.instrument)
          IS DISTINCT FROM
          (NEW.status, NEW.position_type, NEW.total_size, NEW.average_entry_price, NEW.stop_loss, NEW.account_id, NEW.instrument))
    EXECUTE FUNCTION desk.update_totals();
CREATE TRIGGER tr_move_portfolio_totals AFTER UPDATE OF metadata ON accounts FOR EACH ROW
    WHEN (OLD.metadata ->> 'portfolio' IS DISTINCT FROM NEW.metadata ->> 'portfolio')
    EXECUTE FUNCTION desk.move_portfolio_totals();

-- ---- halts, bars, periods, system events ------------------------------------------------------

CREATE CONSTRAINT TRIGGER tr_audit_automatic_halt AFTER INSERT ON trading_halts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.cause IS NOT NULL) EXECUTE FUNCTION desk.audit_automatic_halt();
CREATE CONSTRAINT TRIGGER tr_audit_automatic_resume AFTER UPDATE ON trading_halts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.cleared_at IS NULL AND NEW.clear_cause IS NOT NULL) EXECUTE FUNCTION desk.audit_automatic_halt();

CREATE TRIGGER tr_market_data_validation BEFORE INSERT ON market_data
    FOR EACH ROW EXECUTE FUNCTION validate_market_data();

CREATE TRIGGER tr_log_change AFTER INSERT OR UPDATE ON system_events
    FOR EACH ROW EXECUTE FUNCTION desk.log_system_event();
CREATE TRIGGER tr_log_new_period AFTER INSERT ON performance_metrics
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.log_new_period();

-- ---- triggers of several tables ---------------------------------------------------------------

DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['accounts', 'positions', 'trades', 'signals', 'risk_events', 'risk_limits',
                                   'trading_halts', 'agents', 'instruments'] LOOP
        EXECUTE format('CREATE TRIGGER tr_log_insert AFTER INSERT ON public.%1$I
                        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.log_%1$s()', relation);
        EXECUTE format('CREATE TRIGGER tr_log_update AFTER UPDATE ON public.%1$I
                        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION desk.log_%1$s()', relation);
        EXECUTE format('CREATE TRIGGER tr_log_delete AFTER DELETE ON public.%1$I
                        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION desk.log_%1$s()', relation);
    END LOOP;

    FOREACH relation IN ARRAY ARRAY['accounts', 'account_credentials', 'trades', 'risk_limits', 'agents', 'signal_executions'] LOOP
        EXECUTE format('CREATE TRIGGER tr_set_updated_at BEFORE UPDATE ON public.%I FOR EACH ROW
                        WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION desk.set_updated_at()', relation);
    END LOOP;

    FOREACH relation IN ARRAY ARRAY['tmt.audit_log', 'public.trade_fills', 'public.risk_event_actions'] LOOP
        EXECUTE format('CREATE TRIGGER tr_append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION desk.refuse_change()', relation);
        EXECUTE format('CREATE TRIGGER tr_append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change()', relation);
    END LOOP;
END $$;
