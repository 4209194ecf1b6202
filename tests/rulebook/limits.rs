//! Every type of limit: the last order that passes, the first that does not, and what is watched
//! while no order comes.

use rust_decimal::dec;

use crate::book::{ALPHA, BRAVO, Book, Order, assess, buy, in_the_way, place, sell, verb};

pub(crate) const LIMIT: &str =
    "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, parameters";

/// A desk on which alpha is long 10,000 `EUR_USD` at 1.1, 50 pips above its stop.
pub(crate) async fn long() -> (Book, tokio_postgres::Client) {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    (book, trader)
}

pub(crate) fn sized(size: i64) -> Order {
    buy(size.into())
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_limit_lets_pass_what_reaches_it_and_refuses_the_next_step() {
    let (book, trader) = long().await;
    let target = |target| Order { target: Some(target), ..sized(1000) };
    let stop = |stop| Order { stop: Some(stop), ..sized(1000) };
    let price = |price| Order { price, ..sized(1000) };
    let alpha = format!("'{ALPHA}'");
    for (values, passes, refused, code) in [
        (
            "'max_exposure', 'account', NULL, 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_EXPOSURE",
        ),
        (
            "'max_exposure', 'instrument', 'EURUSD', 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_EXPOSURE",
        ),
        (
            "'max_exposure', 'portfolio', 'majors', 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_EXPOSURE",
        ),
        (
            "'max_exposure', 'system', NULL, 30000, 'EUR', '{}'",
            sized(20000),
            sized(20001),
            "MAX_EXPOSURE",
        ),
        // The spread has cost alpha 1.00: 33 % of 99,999, and 10 % of that with bravo's 110,000.
        (
            "'max_exposure', 'account', NULL, 33, 'percentage', '{}'",
            sized(19999),
            sized(20000),
            "MAX_EXPOSURE",
        ),
        (
            "'max_exposure', 'account', NULL, 0.33, 'fraction', '{}'",
            sized(19999),
            sized(20000),
            "MAX_EXPOSURE",
        ),
        (
            "'max_exposure', 'portfolio', 'majors', 10, 'percentage', '{}'",
            sized(9090),
            sized(9091),
            "MAX_EXPOSURE",
        ),
        (
            "'max_net_exposure', 'account', NULL, 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_NET_EXPOSURE",
        ),
        (
            "'max_net_exposure', 'system', NULL, 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_NET_EXPOSURE",
        ),
        (
            r#"'max_currency_exposure', 'account', NULL, 33000, 'USD', '{"currency": "EUR"}'"#,
            sized(20000),
            sized(20001),
            "MAX_CURRENCY_EXPOSURE",
        ),
        (
            "'max_currency_exposure', 'system', NULL, 33000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_CURRENCY_EXPOSURE",
        ),
        (
            r#"'max_correlated_exposure', 'account', NULL, 33000, 'USD', '{"instruments": ["EUR_USD", "USD_JPY"]}'"#,
            sized(20000),
            sized(20001),
            "MAX_CORRELATED_EXPOSURE",
        ),
        (
            "'max_position_size', 'account', NULL, 30000, 'units', '{}'",
            sized(20000),
            sized(20001),
            "MAX_POSITION_SIZE",
        ),
        (
            "'max_position_size', 'account', NULL, 33, 'percentage', '{}'",
            sized(19999),
            sized(20000),
            "MAX_POSITION_SIZE",
        ),
        (
            "'max_order_size', 'account', NULL, 0.2, 'lots', '{}'",
            sized(20000),
            sized(20001),
            "MAX_ORDER_SIZE",
        ),
        (
            "'max_order_value', 'system', NULL, 22000, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_ORDER_VALUE",
        ),
        (
            "'max_risk_per_trade', 'account', NULL, 100, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_RISK_PER_TRADE",
        ),
        (
            "'max_open_risk', 'account', NULL, 150, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_OPEN_RISK",
        ),
        (
            "'max_open_risk', 'portfolio', 'majors', 150, 'USD', '{}'",
            sized(20000),
            sized(20001),
            "MAX_OPEN_RISK",
        ),
        (
            "'max_leverage', 'account', NULL, 0.33, 'ratio', '{}'",
            sized(19999),
            sized(20000),
            "MAX_LEVERAGE",
        ),
        (
            "'max_leverage', 'account', NULL, 33, 'percentage', '{}'",
            sized(19999),
            sized(20000),
            "MAX_LEVERAGE",
        ),
        // 366.27 of margin is used, 999.99 may be: room for 17,300 more at 3.33 %.
        (
            "'min_margin_level', 'account', NULL, 100, 'ratio', '{}'",
            sized(17300),
            sized(17301),
            "MIN_MARGIN_LEVEL",
        ),
        (
            "'price_collar', 'instrument', 'EUR_USD', 10, 'pips', '{}'",
            price(dec!(1.101)),
            price(dec!(1.10101)),
            "PRICE_COLLAR",
        ),
        (
            "'price_collar', 'system', NULL, 0.1, 'percentage', '{}'",
            price(dec!(1.1011)),
            price(dec!(1.10111)),
            "PRICE_COLLAR",
        ),
        (
            "'min_stop_distance', 'account', NULL, 50, 'pips', '{}'",
            stop(dec!(1.095)),
            stop(dec!(1.09501)),
            "MIN_STOP_DISTANCE",
        ),
        (
            "'max_stop_distance', 'instrument', 'EUR_USD', 50, 'pips', '{}'",
            stop(dec!(1.095)),
            stop(dec!(1.09499)),
            "MAX_STOP_DISTANCE",
        ),
        (
            "'min_risk_reward', 'account', NULL, 2, 'ratio', '{}'",
            target(dec!(1.11)),
            target(dec!(1.10999)),
            "MIN_RISK_REWARD",
        ),
    ] {
        let id = book.limit(LIMIT, &format!("NULL, {values}")).await;
        assert_eq!(in_the_way(&assess(&trader, &passes).await), [""; 0], "{values} passes");
        let lines = assess(&trader, &refused).await;
        assert_eq!(in_the_way(&lines), [code], "{values} refuses");
        let line = lines.iter().find(|l| l.severity == "reject").unwrap();
        assert!(
            line.measured.is_some() && line.allowed.is_some() && line.room.is_some(),
            "{line:?}"
        );
        // The preview and the verdict are one.
        let verdict = place(&trader, &refused).await.refused(code);
        assert_eq!((&verdict.message, verdict.measured), (&line.message, line.measured));
        book.run(&format!("UPDATE risk_limits SET is_active = false WHERE limit_id = '{id}'"))
            .await;
    }
    // The same, for one account by name; bravo is free of it.
    book.limit(LIMIT, &format!("{alpha}, 'max_exposure', 'account', NULL, 33000, 'USD', '{{}}'"))
        .await;
    let bravo = Order { account: BRAVO.to_owned(), ..sized(90000) };
    assert_eq!(in_the_way(&assess(&trader, &bravo).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &sized(20001)).await), ["MAX_EXPOSURE"]);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn limits_of_time_and_place() {
    let (book, trader) = long().await;
    book.run("UPDATE fx_rates SET as_of = clock_timestamp() - interval '6 s'").await;
    for (values, code) in [
        ("'max_price_age', 'instrument', 'EUR_USD', 60, 'seconds', '{}'", ""),
        ("'max_price_age', 'system', NULL, 5, 'seconds', '{}'", "MAX_PRICE_AGE"),
        ("'max_spread', 'instrument', 'EUR_USD', 2, 'pips', '{}'", ""),
        ("'max_spread', 'system', NULL, 1.9, 'pips', '{}'", "MAX_SPREAD"),
        ("'max_orders_per_minute', 'account', NULL, 2, 'count', '{}'", ""),
        ("'max_orders_per_minute', 'account', NULL, 1, 'count', '{}'", "MAX_ORDERS_PER_MINUTE"),
        ("'max_orders_per_minute', 'system', NULL, 1, 'count', '{}'", "MAX_ORDERS_PER_MINUTE"),
        ("'max_orders_per_minute', 'system', 'person', 1, 'count', '{}'", "MAX_ORDERS_PER_MINUTE"),
        ("'max_orders_per_minute', 'system', 'somebody else', 1, 'count', '{}'", ""),
        ("'max_daily_trades', 'instrument', 'EUR_USD', 2, 'count', '{}'", ""),
        ("'max_daily_trades', 'instrument', 'EUR_USD', 1, 'count', '{}'", "MAX_DAILY_TRADES"),
        ("'max_open_positions', 'system', NULL, 1, 'count', '{}'", ""),
        (
            r#"'trading_hours', 'account', NULL, 1, 'list', '{"hours": {"open": [["mon 00:00", "sun 24:00"]]}}'"#,
            "",
        ),
        (
            r#"'trading_hours', 'instrument', 'EUR_USD', 1, 'list', '{"hours": {"tz": "Europe/Prague", "open": [["mon 00:00", "mon 00:00"]]}}'"#,
            "OUTSIDE_TRADING_HOURS",
        ),
        ("'restricted_instrument', 'instrument', 'USD_JPY', 1, 'list', '{}'", ""),
        (
            r#"'restricted_instrument', 'account', NULL, 1, 'list', '{"instruments": ["USD_JPY"]}'"#,
            "",
        ),
        (
            r#"'restricted_instrument', 'account', NULL, 1, 'list', '{"instruments": ["EUR_USD"]}'"#,
            "RESTRICTED_INSTRUMENT",
        ),
        ("'duplicate_window', 'account', NULL, 3600, 'seconds', '{}'", ""),
    ] {
        let id = book.limit(LIMIT, &format!("NULL, {values}")).await;
        let codes: Vec<&str> = if code.is_empty() { vec![] } else { vec![code] };
        assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), codes, "{values}");
        // What only reduces meets none of them.
        let close = Order { target: None, stop: None, ..sell(dec!(1000)) };
        assert_eq!(in_the_way(&assess(&trader, &close).await), [""; 0], "{values}");
        book.run(&format!("UPDATE risk_limits SET is_active = false WHERE limit_id = '{id}'"))
            .await;
    }
    // What cannot be read is no permission, and never an error.
    for parameters in
        [r#"{"inclusive": 7, "lock": "x", "trailing": []}"#, r#"{"hours": "always"}"#, "[]", "null"]
    {
        let id = book
            .limit(
                LIMIT,
                &format!("NULL, 'trading_hours', 'account', NULL, 1, 'list', '{parameters}'"),
            )
            .await;
        assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["LIMIT_PARAMETERS_INVALID"]);
        book.run(&format!("UPDATE risk_limits SET limit_type = 'max_drawdown', limit_unit = 'USD', limit_value = 50000 WHERE limit_id = '{id}'")).await;
        assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), [""; 0], "{parameters}");
        book.run(&format!("UPDATE risk_limits SET is_active = false WHERE limit_id = '{id}'"))
            .await;
    }
    book.run(r#"UPDATE accounts SET metadata = metadata || '{"commission": {"per_unit": "much"}, "risk_rules": {"drawdown": {"lock": "never", "trailing": 3}}, "risk_day": 7}'"#).await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), [""; 0]);
    // Another instrument is another position, and yen are converted.
    book.limit(LIMIT, "NULL, 'max_open_positions', 'account', NULL, 1, 'count', '{}'").await;
    let yen = Order {
        instrument: "USD_JPY".into(),
        price: dec!(155),
        stop: Some(dec!(154)),
        target: Some(dec!(157)),
        ..sized(1000)
    };
    assert_eq!(in_the_way(&assess(&trader, &yen).await), ["MAX_OPEN_POSITIONS"]);
}

#[tokio::test]
async fn a_twin_is_asked_about_for_as_long_as_the_limit_says() {
    let (book, trader) = long().await;
    // LIM-05: measured from the last accepted one, by the clock of the database.
    book.set("duplicate_window_seconds", "0").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(10000)).await), [""; 0]);
    book.limit(LIMIT, "NULL, 'duplicate_window', 'account', NULL, 3600, 'seconds', '{}'").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(10000)).await), ["DUPLICATE_ORDER"]);
    place(&trader, &sized(10000)).await.refused("CONFIRM_REQUIRED");
    place(&trader, &Order { reason: Some("meant"), ..sized(10000) }).await.accepted();
    let other_price = Order { price: dec!(1.10001), ..sized(10000) };
    assert_eq!(in_the_way(&assess(&trader, &other_price).await), [""; 0]);
}

#[tokio::test]
async fn open_risk_has_no_number_while_a_position_has_no_stop() {
    let (book, trader) = long().await;
    book.set("stop_required", "false").await;
    place(
        &trader,
        &Order {
            instrument: "USD_JPY".into(),
            price: dec!(155),
            stop: None,
            target: None,
            ..sized(100)
        },
    )
    .await
    .accepted();
    book.limit(LIMIT, "NULL, 'max_open_risk', 'account', NULL, 1000, 'USD', '{}'").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["RISK_UNBOUNDED"]);
    // A stop on it, and there is a number again.
    book.run("UPDATE positions SET stop_loss = 154 WHERE instrument = 'USD_JPY'").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), [""; 0]);
}

#[tokio::test]
async fn losses_of_weeks_months_and_of_several_accounts() {
    let (book, trader) = long().await;
    book.run("SELECT desk.roll_days(); UPDATE performance_metrics SET start_equity = 100000, start_balance = 100000").await;
    book.run("UPDATE accounts SET equity = 99000 WHERE account_name = 'alpha'").await;
    for (values, code) in [
        ("'max_weekly_loss', 'account', NULL, 1000, 'USD', '{}'", "MAX_WEEKLY_LOSS"),
        (
            "'max_weekly_loss', 'account', NULL, 1000, 'USD', '{\"inclusive\": false}'",
            "MAX_WEEKLY_LOSS",
        ),
        ("'max_monthly_loss', 'account', NULL, 1, 'percentage', '{}'", "MAX_MONTHLY_LOSS"),
        ("'max_monthly_loss', 'account', NULL, 1100, 'USD', '{}'", ""),
        ("'max_daily_loss', 'portfolio', 'majors', 1000, 'USD', '{}'", "MAX_DAILY_LOSS"),
        ("'max_daily_loss', 'system', NULL, 2000, 'USD', '{}'", ""),
        ("'max_drawdown', 'account', NULL, 1, 'percentage', '{}'", "MAX_DRAWDOWN"),
        ("'max_drawdown', 'portfolio', 'majors', 2, 'percentage', '{}'", ""),
        // The peak was 104,000: a floor that trails it is 99,500, and locked at the start 100,000 − 0.
        (
            r#"'max_drawdown', 'account', NULL, 4500, 'USD', '{"trailing": "eod_balance"}'"#,
            "MAX_DRAWDOWN",
        ),
        (r#"'max_drawdown', 'account', NULL, 5500, 'USD', '{"trailing": "eod_balance"}'"#, ""),
        (
            r#"'max_drawdown', 'account', NULL, 4500, 'USD', '{"trailing": "eod_balance", "lock": "98000"}'"#,
            "",
        ),
    ] {
        book.run("UPDATE performance_metrics SET peak_eod_balance = 104000").await;
        let id = book.limit(LIMIT, &format!("NULL, {values}")).await;
        let codes: Vec<&str> = if code.is_empty() { vec![] } else { vec![code] };
        assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), codes, "{values}");
        book.run(&format!("UPDATE risk_limits SET is_active = false WHERE limit_id = '{id}'"))
            .await;
    }
}

#[tokio::test]
async fn more_risk_finds_no_way_around_a_limit() {
    let (book, trader) = long().await;
    book.set("duplicate_window_seconds", "0").await;
    // Adding with a wider stop does not widen what is held, and the ticket says so.
    let lines = assess(&trader, &Order { stop: Some(dec!(1.05)), ..sized(1000) }).await;
    let line = lines.iter().find(|l| l.code == "POSITION_STOP").unwrap();
    assert_eq!(line.message, "A position has one stop; the tighter one applies: 1.09500.");
    place(&trader, &Order { stop: Some(dec!(1.05)), ..sized(1000) }).await.accepted();
    assert_eq!(book.text("SELECT stop_loss FROM positions").await, "1.09500");
    // A new stop is judged by what an order with it would be.
    let position = book.position().await;
    let amend = async |stop: &str| {
        verb(&trader, "amend_position", &format!("'{position}', {stop}, NULL, NULL, 'room'")).await
    };
    book.limit(LIMIT, "NULL, 'max_stop_distance', 'account', NULL, 60, 'pips', '{}'").await;
    amend("1.09").await.refused("MAX_STOP_DISTANCE");
    book.run("UPDATE risk_limits SET is_active = false").await;
    book.run("UPDATE accounts SET equity = 1000").await;
    amend("1.05").await.refused("RISK_PERCENTAGE");
    book.run("UPDATE accounts SET equity = 100000").await;
    book.set("stop_required", "false").await;
    book.limit(LIMIT, "NULL, 'max_open_risk', 'account', NULL, 5, 'percentage', '{}'").await;
    amend("NULL").await.refused("RISK_UNBOUNDED");
    book.run("UPDATE risk_limits SET is_active = false").await;
    book.set("stop_required", "true").await;

    // An account that cannot be converted makes the loss of all unknown, not smaller.
    book.run("SELECT desk.roll_days(); UPDATE accounts SET base_currency = 'TRY' WHERE account_name = 'bravo'").await;
    book.limit(LIMIT, "NULL, 'max_daily_loss', 'portfolio', 'majors', 1000, 'USD', '{}'").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["NO_CONVERSION_RATE"]);
    book.run("UPDATE risk_limits SET is_active = false").await;
    // A quote of tomorrow is not one of now, and a spread that nobody knows is not none.
    book.limit(LIMIT, "NULL, 'max_spread', 'system', NULL, 5, 'pips', '{}'").await;
    book.run("UPDATE fx_rates SET bid = NULL, ask = NULL").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["PRICE_UNKNOWN"]);
    book.run("UPDATE risk_limits SET is_active = false; UPDATE fx_rates SET as_of = now() + interval '1 day'").await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["PRICE_STALE"]);
    book.quote().await;
    // A setting that is gone is not a check that is gone.
    book.run("DELETE FROM tmt.settings WHERE key IN ('stop_required', 'max_risk_fraction')").await;
    let bare = Order { stop: None, ..sized(1000) };
    assert_eq!(in_the_way(&assess(&trader, &bare).await), ["STOP_REQUIRED"]);
}

#[tokio::test]
async fn the_trades_of_everybody_count_where_an_instrument_is_limited() {
    let (book, trader) = long().await;
    book.set("duplicate_window_seconds", "0").await;
    let of_bravo = || Order { account: BRAVO.to_owned(), ..sized(1000) };
    let other = Order {
        instrument: "USD_JPY".into(),
        price: dec!(155),
        stop: Some(dec!(154)),
        target: None,
        ..sized(1000)
    };
    let everybody = book
        .limit(LIMIT, "NULL, 'max_daily_trades', 'instrument', 'EURUSD', 2, 'count', '{}'")
        .await;
    place(&trader, &of_bravo()).await.accepted();
    let lines = assess(&trader, &of_bravo()).await;
    assert_eq!(in_the_way(&lines), ["MAX_DAILY_TRADES"]);
    let line = lines.iter().find(|line| line.code == "MAX_DAILY_TRADES").unwrap();
    assert_eq!((line.before, line.measured), (Some(dec!(2)), Some(dec!(3))));
    place(&trader, &sized(2000)).await.refused("MAX_DAILY_TRADES");
    assert_eq!(in_the_way(&assess(&trader, &other).await), [""; 0]);
    book.run(&format!(
        "UPDATE risk_limits SET account_id = '{BRAVO}' WHERE limit_id = '{everybody}'"
    ))
    .await;
    assert_eq!(in_the_way(&assess(&trader, &of_bravo()).await), [""; 0], "bravo alone has one");
    // What was entered before the account's day began is none of today.
    book.run(&format!("UPDATE risk_limits SET account_id = NULL WHERE limit_id = '{everybody}'; UPDATE trade_registry SET entry_time = entry_time - interval '2 days' WHERE account_id = '{ALPHA}'")).await;
    assert_eq!(in_the_way(&assess(&trader, &of_bravo()).await), [""; 0]);
}
