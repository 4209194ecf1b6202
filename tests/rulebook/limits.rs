//! Every limit type: the last order that passes, and the first that does not.

use rust_decimal::dec;
use tokio_postgres::Client;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::verbs::{Limit, Order, Verb as _, amend, buy, limit, order, sell};

/// A desk on which alpha is long 10,000 `EUR_USD` at 1.1, 50 pips above its stop.
pub(crate) async fn long() -> (Desk, Client) {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    (desk, trader)
}

/// A limit lets one order pass and refuses the other, in its assessment and in its answer.
async fn binds_between(desk: &Desk, trader: &Client, limit: Limit, orders: [Order; 2], code: &str) {
    let [passes, refused] = orders;
    let id = limit.insert(desk).await;
    assert_eq!(passes.assess(trader).await.objections(), [""; 0], "{limit:?} passes");
    let lines = refused.assess(trader).await;
    assert_eq!(lines.objections(), [code], "{limit:?} refuses");
    let line = lines.iter().find(|line| line.severity == "reject").unwrap();
    assert!(line.measured.is_some() && line.allowed.is_some() && line.room.is_some(), "{line:?}");
    let answer = refused.place(trader).await.refused(code);
    assert_eq!((&answer.message, answer.measured), (&line.message, line.measured));
    desk.deactivate(id).await;
}

#[tokio::test]
async fn each_limit_passes_the_largest_size_within_it_and_refuses_the_next() {
    let (desk, trader) = long().await;
    for (limit, size, code) in [
        (limit("max_exposure", 33_000, "USD").of_each_account(), 20_000, "MAX_EXPOSURE"),
        (limit("max_exposure", 33_000, "USD").of_instrument("EURUSD"), 20_000, "MAX_EXPOSURE"),
        (limit("max_exposure", 33_000, "USD").of_portfolio("majors"), 20_000, "MAX_EXPOSURE"),
        (limit("max_exposure", 30_000, "EUR"), 20_000, "MAX_EXPOSURE"),
        // The spread has cost alpha 1.00: 33 % of 99,999, and 10 % of that with bravo's 110,000.
        (limit("max_exposure", 33, "percentage").of_each_account(), 19_999, "MAX_EXPOSURE"),
        (limit("max_exposure", "0.33", "fraction").of_each_account(), 19_999, "MAX_EXPOSURE"),
        (limit("max_exposure", 10, "percentage").of_portfolio("majors"), 9090, "MAX_EXPOSURE"),
        (limit("max_net_exposure", 33_000, "USD").of_each_account(), 20_000, "MAX_NET_EXPOSURE"),
        (limit("max_net_exposure", 33_000, "USD"), 20_000, "MAX_NET_EXPOSURE"),
        (
            limit("max_currency_exposure", 33_000, "USD")
                .of_each_account()
                .parameters(r#"{"currency": "EUR"}"#),
            20_000,
            "MAX_CURRENCY_EXPOSURE",
        ),
        (limit("max_currency_exposure", 33_000, "USD"), 20_000, "MAX_CURRENCY_EXPOSURE"),
        (
            limit("max_correlated_exposure", 33_000, "USD")
                .of_each_account()
                .parameters(r#"{"instruments": ["EUR_USD", "USD_JPY"]}"#),
            20_000,
            "MAX_CORRELATED_EXPOSURE",
        ),
        (
            limit("max_position_size", 30_000, "units").of_each_account(),
            20_000,
            "MAX_POSITION_SIZE",
        ),
        (
            limit("max_position_size", 33, "percentage").of_each_account(),
            19_999,
            "MAX_POSITION_SIZE",
        ),
        (limit("max_order_size", "0.2", "lots").of_each_account(), 20_000, "MAX_ORDER_SIZE"),
        (limit("max_order_value", 22_000, "USD"), 20_000, "MAX_ORDER_VALUE"),
        (limit("max_risk_per_trade", 100, "USD").of_each_account(), 20_000, "MAX_RISK_PER_TRADE"),
        (limit("max_open_risk", 150, "USD").of_each_account(), 20_000, "MAX_OPEN_RISK"),
        (limit("max_open_risk", 150, "USD").of_portfolio("majors"), 20_000, "MAX_OPEN_RISK"),
        (limit("max_leverage", "0.33", "ratio").of_each_account(), 19_999, "MAX_LEVERAGE"),
        (limit("max_leverage", 33, "percentage").of_each_account(), 19_999, "MAX_LEVERAGE"),
        // 366.27 of margin is used, 999.99 may be: room for 17,300 more at 3.33 %.
        (limit("min_margin_level", 100, "ratio").of_each_account(), 17_300, "MIN_MARGIN_LEVEL"),
    ] {
        let orders = [buy(size), buy(size + 1)];
        binds_between(&desk, &trader, limit, orders, code).await;
    }
    // A limit of alpha alone does not bind bravo.
    limit("max_exposure", 33_000, "USD").of(ALPHA).insert(&desk).await;
    assert_eq!(buy(90_000).on(BRAVO).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(buy(20_001).assess(&trader).await.objections(), ["MAX_EXPOSURE"]);
}

#[tokio::test]
async fn each_limit_on_prices_passes_the_last_tick_within_it_and_refuses_the_next() {
    let (desk, trader) = long().await;
    for (limit, passes, refused, code) in [
        (
            limit("price_collar", 10, "pips").of_instrument("EUR_USD"),
            buy(1000).at("1.101"),
            buy(1000).at("1.10101"),
            "PRICE_COLLAR",
        ),
        (
            limit("price_collar", "0.1", "percentage"),
            buy(1000).at("1.1011"),
            buy(1000).at("1.10111"),
            "PRICE_COLLAR",
        ),
        (
            limit("min_stop_distance", 50, "pips").of_each_account(),
            buy(1000).stop("1.095"),
            buy(1000).stop("1.09501"),
            "MIN_STOP_DISTANCE",
        ),
        (
            limit("max_stop_distance", 50, "pips").of_instrument("EUR_USD"),
            buy(1000).stop("1.095"),
            buy(1000).stop("1.09499"),
            "MAX_STOP_DISTANCE",
        ),
        (
            limit("min_risk_reward", 2, "ratio").of_each_account(),
            buy(1000).target("1.11"),
            buy(1000).target("1.10999"),
            "MIN_RISK_REWARD",
        ),
    ] {
        binds_between(&desk, &trader, limit, [passes, refused], code).await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn limits_on_hours_instruments_and_orders_apply() {
    let (desk, trader) = long().await;
    desk.run("UPDATE fx_rates SET as_of = clock_timestamp() - interval '6 s'").await;
    for (limit, code) in [
        (limit("max_price_age", 60, "seconds").of_instrument("EUR_USD"), ""),
        (limit("max_price_age", 5, "seconds"), "MAX_PRICE_AGE"),
        (limit("max_spread", 2, "pips").of_instrument("EUR_USD"), ""),
        (limit("max_spread", "1.9", "pips"), "MAX_SPREAD"),
        (limit("max_orders_per_minute", 2, "count").of_each_account(), ""),
        (limit("max_orders_per_minute", 1, "count").of_each_account(), "MAX_ORDERS_PER_MINUTE"),
        (limit("max_orders_per_minute", 1, "count"), "MAX_ORDERS_PER_MINUTE"),
        (limit("max_orders_per_minute", 1, "count").named("person"), "MAX_ORDERS_PER_MINUTE"),
        (limit("max_orders_per_minute", 1, "count").named("somebody else"), ""),
        (limit("max_daily_trades", 2, "count").of_instrument("EUR_USD"), ""),
        (limit("max_daily_trades", 1, "count").of_instrument("EUR_USD"), "MAX_DAILY_TRADES"),
        (limit("max_open_positions", 1, "count"), ""),
        (
            limit("trading_hours", 1, "list")
                .of_each_account()
                .parameters(r#"{"hours": {"open": [["mon 00:00", "sun 24:00"]]}}"#),
            "",
        ),
        (
            limit("trading_hours", 1, "list").of_instrument("EUR_USD").parameters(
                r#"{"hours": {"tz": "Europe/Prague", "open": [["mon 00:00", "mon 00:00"]]}}"#,
            ),
            "OUTSIDE_TRADING_HOURS",
        ),
        (limit("restricted_instrument", 1, "list").of_instrument("USD_JPY"), ""),
        (
            limit("restricted_instrument", 1, "list")
                .of_each_account()
                .parameters(r#"{"instruments": ["USD_JPY"]}"#),
            "",
        ),
        (
            limit("restricted_instrument", 1, "list")
                .of_each_account()
                .parameters(r#"{"instruments": ["EUR_USD"]}"#),
            "RESTRICTED_INSTRUMENT",
        ),
        (limit("duplicate_window", 3600, "seconds").of_each_account(), ""),
    ] {
        let id = limit.insert(&desk).await;
        let codes: Vec<&str> = if code.is_empty() { vec![] } else { vec![code] };
        assert_eq!(buy(1000).assess(&trader).await.objections(), codes, "{limit:?}");
        // Reducing orders pass all of them.
        let close = sell(1000).bare();
        assert_eq!(close.assess(&trader).await.objections(), [""; 0], "{limit:?}");
        desk.deactivate(id).await;
    }
    // Unreadable parameters permit nothing and are no error.
    for parameters in
        [r#"{"inclusive": 7, "lock": "x", "trailing": []}"#, r#"{"hours": "always"}"#, "[]", "null"]
    {
        let id = limit("trading_hours", 1, "list")
            .of_each_account()
            .parameters(parameters)
            .insert(&desk)
            .await;
        assert_eq!(buy(1000).assess(&trader).await.objections(), ["LIMIT_PARAMETERS_INVALID"]);
        desk.run("UPDATE risk_limits SET limit_type = 'max_drawdown', limit_unit = 'USD', limit_value = 50000 WHERE is_active").await;
        assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0], "{parameters}");
        desk.deactivate(id).await;
    }
    let odd = r#"{"commission": {"per_unit": "much"}, "risk_rules": {"drawdown": {"lock": "never", "trailing": 3}}, "risk_day": 7}"#;
    for account in ["alpha", "bravo"] {
        desk.metadata(account, odd).await;
    }
    assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0]);
    // Another instrument is another position, and yen are converted.
    limit("max_open_positions", 1, "count").of_each_account().insert(&desk).await;
    let yen = order("USD_JPY").buy(1000).at(155).stop(154).target(157);
    assert_eq!(yen.assess(&trader).await.objections(), ["MAX_OPEN_POSITIONS"]);
}

#[tokio::test]
async fn the_limit_on_duplicates_sets_their_window() {
    let (desk, trader) = long().await;
    // LIM-05: measured from the last accepted one, by the clock of the database.
    desk.set("duplicate_window_seconds", "0").await;
    assert_eq!(buy(10_000).assess(&trader).await.objections(), [""; 0]);
    limit("duplicate_window", 3600, "seconds").of_each_account().insert(&desk).await;
    assert_eq!(buy(10_000).assess(&trader).await.objections(), ["DUPLICATE_ORDER"]);
    buy(10_000).place(&trader).await.refused("CONFIRM_REQUIRED");
    buy(10_000).because("meant").place(&trader).await.accepted();
    let other_price = buy(10_000).at("1.10001");
    assert_eq!(other_price.assess(&trader).await.objections(), [""; 0]);
}

#[tokio::test]
async fn open_risk_is_unbounded_while_a_position_has_no_stop() {
    let (desk, trader) = long().await;
    desk.set("stop_required", "false").await;
    order("USD_JPY").buy(100).at(155).place(&trader).await.accepted();
    limit("max_open_risk", 1000, "USD").of_each_account().insert(&desk).await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["RISK_UNBOUNDED"]);
    // With a stop the risk is bounded again.
    desk.run("UPDATE positions SET stop_loss = 154 WHERE instrument = 'USD_JPY'").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0]);
}

#[tokio::test]
async fn losses_add_up_over_weeks_months_and_accounts() {
    let (desk, trader) = long().await;
    desk.run("SELECT desk.roll_days(); UPDATE performance_metrics SET start_equity = 100000, start_balance = 100000").await;
    desk.run("UPDATE accounts SET equity = 99000 WHERE account_name = 'alpha'").await;
    for (limit, code) in [
        (limit("max_weekly_loss", 1000, "USD").of_each_account(), "MAX_WEEKLY_LOSS"),
        (
            limit("max_weekly_loss", 1000, "USD")
                .of_each_account()
                .parameters(r#"{"inclusive": false}"#),
            "MAX_WEEKLY_LOSS",
        ),
        (limit("max_monthly_loss", 1, "percentage").of_each_account(), "MAX_MONTHLY_LOSS"),
        (limit("max_monthly_loss", 1100, "USD").of_each_account(), ""),
        (limit("max_daily_loss", 1000, "USD").of_portfolio("majors"), "MAX_DAILY_LOSS"),
        (limit("max_daily_loss", 2000, "USD"), ""),
        (limit("max_drawdown", 1, "percentage").of_each_account(), "MAX_DRAWDOWN"),
        (limit("max_drawdown", 2, "percentage").of_portfolio("majors"), ""),
        // The peak was 104,000: a floor that trails it is 99,500, and locked at the start 100,000 − 0.
        (
            limit("max_drawdown", 4500, "USD")
                .of_each_account()
                .parameters(r#"{"trailing": "eod_balance"}"#),
            "MAX_DRAWDOWN",
        ),
        (
            limit("max_drawdown", 5500, "USD")
                .of_each_account()
                .parameters(r#"{"trailing": "eod_balance"}"#),
            "",
        ),
        (
            limit("max_drawdown", 4500, "USD")
                .of_each_account()
                .parameters(r#"{"trailing": "eod_balance", "lock": "98000"}"#),
            "",
        ),
    ] {
        desk.run("UPDATE performance_metrics SET peak_eod_balance = 104000").await;
        let id = limit.insert(&desk).await;
        let codes: Vec<&str> = if code.is_empty() { vec![] } else { vec![code] };
        assert_eq!(buy(1000).assess(&trader).await.objections(), codes, "{limit:?}");
        desk.deactivate(id).await;
    }
}

#[tokio::test]
async fn no_order_adds_risk_past_a_limit() {
    let (desk, trader) = long().await;
    desk.set("duplicate_window_seconds", "0").await;
    // Adding with a wider stop does not widen that of the position; the ticket says so.
    let lines = buy(1000).stop("1.05").assess(&trader).await;
    let line = lines.find("POSITION_STOP");
    assert_eq!(line.message, "A position has one stop; the tighter one applies: 1.09500.");
    buy(1000).stop("1.05").place(&trader).await.accepted();
    assert_eq!(desk.text("SELECT stop_loss FROM positions").await, "1.09500");
    // A new stop is checked like that of an order.
    let position = desk.position().await;
    let amended = || amend(position).because("room");
    limit("max_stop_distance", 60, "pips").of_each_account().insert(&desk).await;
    amended().stop("1.09").send(&trader).await.refused("MAX_STOP_DISTANCE");
    desk.run("UPDATE risk_limits SET is_active = false").await;
    desk.run("UPDATE accounts SET equity = 1000").await;
    amended().stop("1.05").send(&trader).await.refused("RISK_PERCENTAGE");
    desk.run("UPDATE accounts SET equity = 100000").await;
    desk.set("stop_required", "false").await;
    limit("max_open_risk", 5, "percentage").of_each_account().insert(&desk).await;
    amended().send(&trader).await.refused("RISK_UNBOUNDED");
    desk.run("UPDATE risk_limits SET is_active = false").await;
    desk.set("stop_required", "true").await;

    // An account that cannot be converted makes the total loss unknown, not smaller.
    desk.run("SELECT desk.roll_days(); UPDATE accounts SET base_currency = 'TRY' WHERE account_name = 'bravo'").await;
    limit("max_daily_loss", 1000, "USD").of_portfolio("majors").insert(&desk).await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["NO_CONVERSION_RATE"]);
    desk.run("UPDATE risk_limits SET is_active = false").await;
    // A quote from the future is stale, and an unknown spread is not zero.
    limit("max_spread", 5, "pips").insert(&desk).await;
    desk.run("UPDATE fx_rates SET bid = NULL, ask = NULL").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["PRICE_UNKNOWN"]);
    desk.run("UPDATE risk_limits SET is_active = false; UPDATE fx_rates SET as_of = now() + interval '1 day'").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["PRICE_STALE"]);
    desk.quote().await;
    // Without its setting a check goes on.
    desk.run("DELETE FROM tmt.settings WHERE key IN ('stop_required', 'max_risk_fraction')").await;
    let bare = buy(1000).without_stop();
    assert_eq!(bare.assess(&trader).await.objections(), ["STOP_REQUIRED"]);
}

#[tokio::test]
async fn a_limit_on_an_instrument_counts_the_trades_of_all_accounts() {
    let (desk, trader) = long().await;
    desk.set("duplicate_window_seconds", "0").await;
    let of_bravo = || buy(1000).on(BRAVO);
    let other = order("USD_JPY").buy(1000).at(155).stop(154);
    limit("max_daily_trades", 2, "count").of_instrument("EURUSD").insert(&desk).await;
    of_bravo().place(&trader).await.accepted();
    let lines = of_bravo().assess(&trader).await;
    assert_eq!(lines.objections(), ["MAX_DAILY_TRADES"]);
    let line = lines.find("MAX_DAILY_TRADES");
    assert_eq!((line.before, line.measured), (Some(dec!(2)), Some(dec!(3))));
    buy(2000).place(&trader).await.refused("MAX_DAILY_TRADES");
    assert_eq!(other.assess(&trader).await.objections(), [""; 0]);
    desk.execute("UPDATE risk_limits SET account_id = $1", &[&BRAVO.0]).await;
    assert_eq!(of_bravo().assess(&trader).await.objections(), [""; 0], "bravo alone has one");
    // A trade of the day before does not count.
    desk.run("UPDATE risk_limits SET account_id = NULL").await;
    let earlier = "UPDATE trade_registry SET entry_time = entry_time - interval '2 days' WHERE account_id = $1";
    desk.execute(earlier, &[&ALPHA.0]).await;
    assert_eq!(of_bravo().assess(&trader).await.objections(), [""; 0]);
}
