-- Rows of a database that TMT has been writing for a while.
INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance,
                      current_balance, available_balance, equity, max_daily_loss, max_total_drawdown) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'alpha', 'oanda', 'v20', 'live', 'USD', 100000, 99000, 99000, 99000, 0.05, 0.10),
    ('a0000000-0000-4000-8000-000000000002', 'bravo', 'oanda', 'v20', 'paper', 'EUR', 50000, 50000, 50000, 50000, 2500, 0.10);
INSERT INTO account_credentials (account_id, credential_type, encrypted_data, encryption_key_id) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'api_key', '\xdeadbeef', 'k1');
INSERT INTO signals (signal_id, instrument, signal_type, confidence, entry_price, stop_loss, take_profit,
                     risk_reward_ratio, timeframe, agent_id) VALUES
    ('50000000-0000-4000-8000-000000000001', 'EUR_USD', 'BUY', 0.8, 1.1, 1.095, 1.11, 2, 'H1', 'market-analysis');
-- An open one, one closed long ago, and one of last month under the broker's own number.
INSERT INTO trades (trade_id, account_id, signal_id, instrument, trade_type, position_size, entry_price, exit_price,
                    risk_amount, risk_percentage, entry_time, exit_time, status, platform_trade_id) VALUES
    ('70000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000001',
     'EUR_USD', 'BUY', 10000, 1.1, NULL, 50, 0.005, now(), NULL, 'open', '101'),
    ('70000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', NULL,
     'USD_JPY', 'SELL', 10000, 155.1, 154.9, 50, 0.005, '2024-03-04 10:00+00', '2024-03-05 10:00+00', 'closed', '102'),
    ('70000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000002', NULL,
     'EUR_USD', 'SELL', 5000, 1.12, 1.1, 20, 0.004, now() - interval '1 month', now() - interval '20 days', 'closed', '101');
INSERT INTO positions (position_id, account_id, instrument, position_type, total_size, average_entry_price, current_price,
                       unrealized_pnl) VALUES
    ('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'LONG', 10000, 1.1, 1.1, 0);
INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source) VALUES
    ('2025-06-02 10:00+00', 'EUR_USD', 1.1, 1.1, 1.1, 1.1, 'M1', 'oanda'),
    ('2025-06-02 10:01+00', 'EUR_USD', 1.1, 1.101, 1.1, 1.101, 'M1', 'oanda'),
    ('2025-06-02 10:01+00', 'USD_JPY', 155, 155, 155, 155, 'M1', 'oanda');
INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope, limit_value, limit_unit, created_by) VALUES
    ('10000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'max_exposure', 'account', 150000, 'USD', 'ops');
INSERT INTO risk_events (account_id, event_type, severity, event_source, related_trade_id) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'drawdown', 'warning', 'risk-agent', '70000000-0000-4000-8000-000000000001');
INSERT INTO agents (agent_id, agent_name, agent_type, config_version, version) VALUES
    ('market-analysis', 'Market analysis', 'analysis', '1', '1.4');
INSERT INTO system_events (event_id, event_type, event_category, severity, source_agent, event_message, parent_event_id) VALUES
    ('e0000000-0000-4000-8000-000000000001', 'start', 'lifecycle', 'info', 'market-analysis', 'started', NULL),
    ('e0000000-0000-4000-8000-000000000002', 'ready', 'lifecycle', 'info', 'market-analysis', 'ready', 'e0000000-0000-4000-8000-000000000001');
