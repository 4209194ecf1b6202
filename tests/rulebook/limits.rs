//! Every type of limit: the last order that passes, the first that does not, and what is watched
//! while no order comes.

use rust_decimal::dec;

use crate::book::{ALPHA, BRAVO, Book, Order, assess, buy, in_the_way, place, sell, text, verb};

const LIMIT: &str =
    "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit, parameters";

/// A desk on which alpha is long 10,000 `EUR_USD` at 1.1, 50 pips above its stop.
async fn long() -> (Book, tokio_postgres::Client) {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    (book, trader)
}

fn sized(size: i64) -> Order {
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

/// What the watch has raised: severity, type and how often, by age.
const RAISED: &str = "SELECT string_agg(concat_ws(' ', severity, event_type, occurrence_count, CASE WHEN acknowledged THEN 'owned' ELSE 'free' END), '; ' ORDER BY occurred_at)
    FROM risk_events WHERE event_source = 'sentinel' AND resolution_time IS NULL";

#[tokio::test]
async fn the_watch_rings_once_per_step_and_ends_what_is_over() {
    let (book, _trader) = long().await;
    let id = book
        .limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 12500, 'USD', '{{}}'"))
        .await;
    let watch = async || book.text("SELECT desk.watch_limits()").await;
    let state = format!("SELECT state FROM desk.limit_states WHERE limit_key LIKE '{id}:%'");
    let price = async |mid: &str| {
        book.run(&format!(
            "UPDATE fx_rates SET rate = {mid}, bid = {mid}, ask = {mid} WHERE from_currency = 'EUR'"
        ))
        .await;
    };
    // 11,000 of 12,500 is past 80 %.
    watch().await;
    assert_eq!(
        (book.text(&state).await, book.text(RAISED).await),
        ("warning".into(), "warning limit_warning 1 free".into())
    );
    watch().await;
    assert_eq!(book.text(RAISED).await, "warning limit_warning 1 free", "nothing moved");
    book.run("UPDATE risk_events SET acknowledged = true").await;
    // In breach it is worse than what was acknowledged.
    price("1.2501").await;
    watch().await;
    assert_eq!(
        (book.text(&state).await, book.text(RAISED).await),
        ("breach".into(), "critical limit_warning 2 free".into())
    );
    // A breach that ends is a warning; it clears only below 10,000 − 5 % of 12,500.
    for (mid, standing) in [("1.2500", "warning"), ("0.9376", "warning"), ("0.9374", "ok")] {
        price(mid).await;
        watch().await;
        assert_eq!(book.text(&state).await, standing, "{mid}");
    }
    assert_ne!(book.text(RAISED).await, "-", "not before it was clear for a minute");
    book.run("UPDATE desk.limit_states SET since = since - interval '61 s'").await;
    watch().await;
    assert_eq!(book.text(RAISED).await, "-");
    let resolved = "SELECT concat_ws(' ', auto_resolved::text, acknowledged::text) FROM risk_events WHERE event_source = 'sentinel'";
    assert_eq!(book.text(resolved).await, "true false", "over is not the same as seen");
}

#[tokio::test]
async fn a_loss_that_reaches_its_limit_halts_the_account_and_a_close_still_goes_through() {
    let (book, trader) = long().await;
    book.run("SELECT desk.roll_days(); UPDATE performance_metrics SET start_equity = 100000").await;
    book.run("UPDATE accounts SET equity = 95000 WHERE account_name = 'alpha'").await;
    book.run("SELECT desk.watch_limits()").await;
    assert_eq!(
        book.text("SELECT status FROM accounts WHERE account_name = 'alpha'").await,
        "risk_halt"
    );
    assert_eq!(
        book.text("SELECT concat_ws(' ', scope, mode, cleared_at) FROM trading_halts").await,
        "account reduce_only"
    );
    assert_eq!(book.text(RAISED).await, "emergency limit_breach 1 free");
    let refused = place(&trader, &sized(1000)).await.refused("TRADING_HALT");
    assert!(refused.message.contains("5,000.00 USD of 5,000.00 USD"), "{}", refused.message);
    let position = book.position().await;
    crate::book::close(&trader, position, None, None).await.accepted();
    // Bravo goes on.
    place(&trader, &Order { account: BRAVO.to_owned(), ..sized(1000) }).await.accepted();
}

#[tokio::test]
async fn what_nobody_can_judge_is_an_event() {
    let (book, _trader) = long().await;
    book.limit(LIMIT, "NULL, 'max_bananas', 'system', NULL, 5, 'USD', '{}'").await;
    book.limit(LIMIT, "NULL, 'max_exposure', 'system', NULL, 5, 'furlongs', '{}'").await;
    book.limit(
        LIMIT,
        &format!("'{ALPHA}', 'max_loss_per_position', 'account', NULL, 100, 'USD', '{{}}'"),
    )
    .await;
    book.limit(
        LIMIT,
        &format!("'{ALPHA}', 'max_consecutive_losses', 'account', NULL, 1, 'count', '{{}}'"),
    )
    .await;
    book.run("SELECT desk.watch_limits(); SELECT desk.watch_limits()").await;
    assert_eq!(
        book.text(RAISED).await,
        "critical limit_not_judged 1 free; critical limit_not_judged 1 free"
    );
    book.run("UPDATE positions SET unrealized_pnl = -100, current_price = 1.09").await;
    book.run("SELECT desk.watch_limits()").await;
    assert!(book.text(RAISED).await.ends_with("critical limit_breach 1 free"));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn limits_come_at_once_and_go_with_two_people() {
    let (book, trader) = long().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let refused = |arguments: &'static str, code: &'static str| (arguments, code);
    for (arguments, code) in [
        refused(
            "NULL, 'max_bananas', 'system', NULL, 1, 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_TYPE_UNKNOWN",
        ),
        refused(
            "NULL, 'max_leverage', 'system', NULL, 1, 'ratio', NULL, NULL, NULL, NULL",
            "LIMIT_SCOPE_INVALID",
        ),
        refused(
            "NULL, 'max_exposure', 'system', NULL, 1, 'furlongs!', NULL, NULL, NULL, NULL",
            "LIMIT_UNIT_UNKNOWN",
        ),
        refused(
            "NULL, 'max_exposure', 'system', NULL, 0, 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_VALUE_INVALID",
        ),
        refused(
            "NULL, 'max_exposure', 'system', NULL, 'NaN', 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_VALUE_INVALID",
        ),
        refused(
            "NULL, 'max_exposure', 'portfolio', 'minors', 1, 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_TARGET_UNKNOWN",
        ),
        refused(
            "gen_random_uuid(), 'max_exposure', 'account', NULL, 1, 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_TARGET_UNKNOWN",
        ),
        refused(
            "NULL, 'max_exposure', 'system', NULL, 1, 'USD', 2, NULL, NULL, NULL",
            "WARNING_INVALID",
        ),
        refused(
            "NULL, 'min_margin_level', 'account', NULL, 1, 'ratio', 0.5, NULL, NULL, NULL",
            "WARNING_INVALID",
        ),
        refused(
            "NULL, 'max_exposure', 'system', NULL, 1, 'USD', NULL, '2001-01-01', NULL, NULL",
            "LIMIT_UNTIL_PAST",
        ),
        refused(
            "NULL, 'trading_hours', 'account', NULL, 1, 'list', NULL, NULL, '{\"hours\": {\"open\": 1}}', NULL",
            "LIMIT_PARAMETERS_INVALID",
        ),
    ] {
        verb(&ann, "create_limit", arguments).await.refused(code);
    }
    let made = verb(
        &ann,
        "create_limit",
        "NULL, 'max_exposure', 'portfolio', 'majors', 12000, 'usd', NULL, NULL, NULL, 'mandate'",
    )
    .await
    .accepted();
    let id = made.subject.unwrap();
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["MAX_EXPOSURE"]);

    let version = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{id}')");
    verb(&ann, "retire_limit", &format!("'{id}', {version}, ' '")).await.refused("REASON_REQUIRED");
    verb(&ann, "retire_limit", &format!("'{id}', now(), 'x'")).await.refused("LIMIT_CHANGED");
    let asked =
        verb(&ann, "retire_limit", &format!("'{id}', {version}, 'mandate ended'")).await.accepted();
    assert_eq!(asked.code.as_deref(), Some("PENDING_APPROVAL"));
    let proposal = asked.subject.unwrap();
    assert_eq!(
        in_the_way(&assess(&trader, &sized(1000)).await),
        ["MAX_EXPOSURE"],
        "it stands until then"
    );
    verb(&ann, "approve_limit", &format!("'{proposal}', NULL"))
        .await
        .refused("FOUR_EYES_SAME_PERSON");
    let approved = verb(&bob, "approve_limit", &format!("'{proposal}', NULL")).await.accepted();
    assert!(approved.message.contains("no limit"), "{}", approved.message);
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), [""; 0]);
    assert_eq!(book.text("SELECT count(*) FROM risk_limits WHERE is_active").await, "0");
}

#[tokio::test]
async fn whoever_would_be_in_breach_under_another_value_is_named() {
    let (book, trader) = long().await;
    let every = book.limit(LIMIT, "NULL, 'max_leverage', 'account', NULL, 3, 'ratio', '{}'").await;
    let impact = |id, value: &str| {
        format!("SELECT string_agg(concat_ws(' ', account_name, trim_scale(measured), trim_scale(allowed), unit, state), '; ' ORDER BY account_name)
                   FROM desk.limit_impact('{id}', {value})")
    };
    assert_eq!(
        text(&trader, &impact(every, "NULL")).await,
        "alpha 0.11 3 ratio ok; bravo 0 3 ratio ok"
    );
    assert_eq!(
        text(&trader, &impact(every, "0.1")).await,
        "alpha 0.11 0.1 ratio breach; bravo 0 0.1 ratio ok"
    );
    let both =
        book.limit(LIMIT, "NULL, 'max_exposure', 'portfolio', 'majors', 20000, 'USD', '{}'").await;
    assert_eq!(text(&trader, &impact(both, "12000")).await, "majors 11000 12000 USD warning");
    // A limit that judges only orders measures nothing between them.
    let order = book.limit(LIMIT, "NULL, 'max_order_size', 'system', NULL, 5, 'lots', '{}'").await;
    assert_eq!(text(&trader, &impact(order, "1")).await, "-");
}

#[tokio::test]
async fn more_risk_finds_no_way_around_a_limit() {
    let (book, trader) = long().await;
    book.set("duplicate_window_seconds", "0").await;
    // Adding with a wider stop does not widen what is held, and the ticket says so.
    let lines = assess(&trader, &Order { stop: Some(dec!(1.05)), ..sized(1000) }).await;
    let line = lines.iter().find(|l| l.code == "POSITION_STOP").unwrap();
    assert_eq!(line.message, "The whole position has one stop, the tighter one: 1.09500.");
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
    book.run("DELETE FROM desk.settings WHERE key IN ('stop_required', 'max_risk_fraction')").await;
    let bare = Order { stop: None, ..sized(1000) };
    assert_eq!(in_the_way(&assess(&trader, &bare).await), ["STOP_REQUIRED"]);
}

#[tokio::test]
async fn a_limit_that_could_never_bind_is_not_taken() {
    let (book, trader) = long().await;
    let ann = book.officer("ann").await;
    let new = async |arguments: &str| verb(&ann, "create_limit", arguments).await;
    for (arguments, code) in [
        (
            "NULL, 'max_exposure', 'system', NULL, 50, 'percent', NULL, NULL, NULL, NULL",
            "LIMIT_UNIT_UNKNOWN",
        ),
        (
            "NULL, 'max_daily_loss', 'account', NULL, 50, 'pips', NULL, NULL, NULL, NULL",
            "LIMIT_UNIT_UNKNOWN",
        ),
        (
            "NULL, 'max_exposure', repeat('x', 99), NULL, 50, 'USD', NULL, NULL, NULL, NULL",
            "LIMIT_SCOPE_INVALID",
        ),
        (
            r#"NULL, 'restricted_instrument', 'account', NULL, 1, 'list', NULL, NULL, '{"instruments": ["EURO"]}', NULL"#,
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            r#"NULL, 'max_correlated_exposure', 'account', NULL, 1, 'USD', NULL, NULL, '{"instruments": []}', NULL"#,
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            r#"NULL, 'max_currency_exposure', 'account', NULL, 1, 'USD', NULL, NULL, '{"currency": "gold"}', NULL"#,
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            r#"NULL, 'trading_hours', 'account', NULL, 1, 'list', NULL, NULL, '{"hours": {"tz": "Europe/Londn", "open": [["mon 09:00", "fri 17:00"]]}}', NULL"#,
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            r#"NULL, 'trading_hours', 'account', NULL, 1, 'list', NULL, NULL, '{"hours": {"open": [["monday 09:00", "fri 17:00"]]}}', NULL"#,
            "LIMIT_PARAMETERS_INVALID",
        ),
        (
            "NULL, 'max_exposure', 'system', NULL, 1, 'USD', NULL, NULL, '[1]', NULL",
            "LIMIT_PARAMETERS_INVALID",
        ),
    ] {
        new(arguments).await.refused(code);
    }
    // Any spelling of an instrument is that instrument.
    let made = new(r#"NULL, 'restricted_instrument', 'account', NULL, 1, 'list', NULL, NULL, '{"instruments": ["eur/usd"]}', NULL"#)
        .await
        .accepted();
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["RESTRICTED_INSTRUMENT"]);
    let id = made.subject.unwrap();
    book.run(&format!(r#"UPDATE risk_limits SET parameters = '{{"instruments": ["EURUSD"]}}' WHERE limit_id = '{id}'"#)).await;
    assert_eq!(in_the_way(&assess(&trader, &sized(1000)).await), ["RESTRICTED_INSTRUMENT"]);
    assert_eq!(
        book.text("SELECT count(*) FROM desk.limit_impact(gen_random_uuid(), 5)").await,
        "0"
    );
}

#[tokio::test]
async fn what_rang_for_a_limit_that_was_replaced_is_over() {
    let (book, _trader) = long().await;
    let ann = book.officer("ann").await;
    book.set("four_eyes", "off").await;
    let id = book
        .limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD', '{{}}'"))
        .await;
    book.run("SELECT desk.watch_limits()").await;
    assert_eq!(book.text(RAISED).await, "critical limit_breach 1 free");
    let version = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{id}')");
    verb(&ann, "propose_limit", &format!("'{id}', {version}, 100000, NULL, NULL, 'room'"))
        .await
        .accepted();
    assert_eq!(book.text(RAISED).await, "-");
    book.run("SELECT desk.watch_limits()").await;
    assert_eq!(book.text(RAISED).await, "-");
}
