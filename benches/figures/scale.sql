-- A large desk: 20 instruments, 500 accounts in five portfolios, 10,000 open positions, twenty limits of
-- every scope, and {trades} closed trades over {months} months, which write.rs fills in. Loaded with triggers
-- off; what they would have counted is inserted at the end.
SET session_replication_role = replica;

INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size)
SELECT base || '_' || quote, base, quote, CASE quote WHEN 'JPY' THEN 0.001 ELSE 0.00001 END, CASE quote WHEN 'JPY' THEN 0.01 ELSE 0.0001 END
  FROM (VALUES ('EUR', 'USD'), ('GBP', 'USD'), ('AUD', 'USD'), ('NZD', 'USD'), ('USD', 'JPY'), ('USD', 'CHF'), ('USD', 'CAD'),
               ('EUR', 'GBP'), ('EUR', 'JPY'), ('GBP', 'JPY'), ('EUR', 'CHF'), ('AUD', 'JPY'), ('CAD', 'JPY'), ('CHF', 'JPY'),
               ('EUR', 'AUD'), ('EUR', 'CAD'), ('GBP', 'CHF'), ('GBP', 'AUD'), ('AUD', 'CAD'), ('NZD', 'JPY')) AS pair (base, quote);
INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
SELECT base_currency, quote_currency, CASE quote_currency WHEN 'JPY' THEN 150 ELSE 1.1 END,
       CASE quote_currency WHEN 'JPY' THEN 149.99 ELSE 1.0999 END, CASE quote_currency WHEN 'JPY' THEN 150.01 ELSE 1.1001 END,
       clock_timestamp()
  FROM instruments;
UPDATE tmt.settings SET value = '1000000' WHERE key IN ('price_max_age_seconds', 'conversion_max_age_seconds');
INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance, current_balance,
                      available_balance, equity, max_daily_loss, max_total_drawdown, metadata)
SELECT ('a0000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'account ' || n, 'oanda', 'v20', 'demo',
       CASE n % 2 WHEN 0 THEN 'EUR' ELSE 'USD' END, 1e9, 1e9, 1e9, 1e9, 0.05, 0.1, jsonb_build_object('portfolio', 'p' || n % 5)
  FROM generate_series(1, 500) AS n;
INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, cost, current_price, stop_loss, opened_at)
SELECT a.account_id, i.instrument, 'LONG', 10000, r.rate, r.rate * 10000, r.rate, round(r.rate * 0.99, 2), now() - interval '1 day'
  FROM accounts a, instruments i
  JOIN fx_rates r ON r.from_currency = i.base_currency AND r.to_currency = i.quote_currency;

SELECT create_trade_partition(date_trunc('month', now()) - make_interval(months => n)) FROM generate_series(0, {months} - 1) AS n;
INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time,
                    exit_time, exit_price, gross_pnl, net_pnl, status, closed_size)
SELECT gen_random_uuid(), ('a0000000-0000-7000-8000-' || lpad((1 + n % 500)::text, 12, '0'))::uuid, 'EUR_USD', 'BUY', 1000, 1.1, 5, 0.001,
       now() - (random() * ({months} * 29 - 2) + 1) * interval '1 day', now(), 1.1, 0, 0, 'closed', 1000
  FROM generate_series(1, {trades}) AS n;
INSERT INTO trade_registry (trade_id, entry_time, account_id, instrument) SELECT trade_id, entry_time, account_id, instrument FROM trades;

INSERT INTO risk_limits (created_by, limit_type, limit_scope, scope_identifier, limit_value, limit_unit) VALUES
    ('seed', 'max_exposure', 'account', NULL, 1e10, 'USD'), ('seed', 'max_exposure', 'portfolio', 'p1', 1e10, 'USD'),
    ('seed', 'max_exposure', 'system', NULL, 1e10, 'USD'), ('seed', 'max_exposure', 'instrument', 'EUR_USD', 1e10, 'USD'),
    ('seed', 'max_net_exposure', 'account', NULL, 1e10, 'USD'), ('seed', 'max_open_risk', 'account', NULL, 50, 'percentage'),
    ('seed', 'max_position_size', 'account', NULL, 1e10, 'units'), ('seed', 'max_position_size', 'instrument', 'EUR_USD', 1e10, 'units'),
    ('seed', 'max_order_size', 'account', NULL, 1e9, 'units'), ('seed', 'max_order_value', 'account', NULL, 1e9, 'USD'),
    ('seed', 'max_risk_per_trade', 'account', NULL, 5, 'percentage'), ('seed', 'max_open_positions', 'account', NULL, 1e6, 'count'),
    ('seed', 'max_open_positions', 'system', NULL, 1e6, 'count'), ('seed', 'max_daily_trades', 'account', NULL, 100000, 'count'),
    ('seed', 'max_daily_loss', 'account', NULL, 50, 'percentage'), ('seed', 'max_drawdown', 'account', NULL, 50, 'percentage'),
    ('seed', 'max_leverage', 'account', NULL, 1000, 'ratio'), ('seed', 'max_orders_per_minute', 'account', NULL, 100000, 'count'),
    ('seed', 'max_stop_distance', 'account', NULL, 1000, 'pips'), ('seed', 'max_spread', 'instrument', 'EUR_USD', 100, 'pips');

INSERT INTO tmt.account_totals (account_id, instrument, net, positions, risk, unbounded)
SELECT p.account_id, p.instrument, sum(desk.signed_size(p)), count(*), sum(desk.stop_risk(p)), 0 FROM positions p GROUP BY 1, 2;
INSERT INTO tmt.portfolio_totals (portfolio, instrument, gross, net, positions, risk, unbounded)
SELECT a.metadata ->> 'portfolio', b.instrument, sum(abs(b.net)), sum(b.net), sum(b.positions), sum(b.risk), 0
  FROM tmt.account_totals b JOIN accounts a USING (account_id) GROUP BY 1, 2;
SET session_replication_role = origin;
SELECT desk.roll_days(), desk.mark_to_market();
