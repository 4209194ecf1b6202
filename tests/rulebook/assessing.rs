//! Assessing an order: which line says what, and in which order.

use rust_decimal::{Decimal, dec};

use crate::book::{ALPHA, BRAVO, Book, Order, assess, buy, find, in_the_way, place, sell};

const LIMIT: &str =
    "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit";

#[tokio::test]
async fn a_clean_order_shows_every_check_and_that_it_passes() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 180000, 'USD'")).await;

    let lines = assess(&trader, &buy(dec!(100000))).await;

    let codes: Vec<&str> = lines.iter().map(|l| l.code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "TRADING_HALT",
            "ACCOUNT_STATUS",
            "RISK_REWARD",
            "PRICE_AGE",
            "PRICE_COLLAR",
            "DUPLICATE_ORDER",
            "RISK_AMOUNT",
            "RISK_PERCENTAGE",
            "MAX_EXPOSURE",
            "MARGIN",
            "MAX_DAILY_LOSS",
            "MAX_DRAWDOWN"
        ]
    );
    assert_eq!(in_the_way(&lines), [""; 0]);
    let exposure = find(&lines, "MAX_EXPOSURE");
    assert_eq!(
        (
            exposure.before,
            exposure.measured,
            exposure.allowed,
            exposure.room,
            exposure.unit.as_deref()
        ),
        (Some(dec!(0)), Some(dec!(110000)), Some(dec!(180000)), Some(dec!(70000)), Some("USD"))
    );
    assert_eq!(find(&lines, "RISK_AMOUNT").measured, Some(dec!(500)));
}

#[tokio::test]
async fn the_preview_and_the_verdict_are_the_same() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 100000, 'USD'")).await;
    book.limit(LIMIT, "NULL, 'max_order_size', 'instrument', 'EURUSD', 0.5, 'lots'").await;
    let order = buy(dec!(100000));

    let lines = assess(&trader, &order).await;
    let verdict = place(&trader, &order).await.refused("MAX_EXPOSURE");

    assert_eq!(in_the_way(&lines), ["MAX_EXPOSURE", "MAX_ORDER_SIZE"]);
    let line = find(&lines, "MAX_EXPOSURE");
    assert_eq!(
        (verdict.measured, verdict.allowed, &verdict.message),
        (line.measured, line.allowed, &line.message)
    );
    let checks = verdict.detail.get("checks").unwrap().as_array().unwrap();
    assert_eq!(checks.len(), 2);
}

#[tokio::test]
async fn what_is_not_typed_yet_is_said_and_the_rest_is_still_checked() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let sql = |account: &str, instrument: &str, rest: &str| {
        format!(
            "SELECT string_agg(code, ' ' ORDER BY ordinal) FROM desk.assess_trade({account}, {instrument}, {rest}) WHERE severity <> 'info'"
        )
    };
    let alpha = format!("'{ALPHA}'");
    for (account, instrument, rest, codes) in [
        ("NULL", "NULL", "NULL, NULL, NULL, NULL, NULL, NULL", "ACCOUNT_UNKNOWN"),
        (alpha.as_str(), "NULL", "NULL, NULL, NULL, NULL, NULL, NULL", "INSTRUMENT_UNKNOWN"),
        (&alpha, "'EUR_GBP'", "'BUY', 1, 1, NULL, NULL, NULL", "INSTRUMENT_UNKNOWN"),
        (
            &alpha,
            "'EUR_USD'",
            "NULL, NULL, NULL, NULL, NULL, NULL",
            "SIDE_UNKNOWN PRICE_MISSING SIZE_MISSING STOP_REQUIRED",
        ),
        (&alpha, "'eur/usd'", "'BUY', NULL, 1.1, 1.09, NULL, NULL", "SIZE_MISSING"),
        (&alpha, "'EUR_USD'", "'buy', 'NaN', 1.1, 1.09, NULL, NULL", "SIZE_MISSING"),
        (
            &alpha,
            "'EUR_USD'",
            "'BUY', 'Infinity', '-Infinity', 'NaN', NULL, NULL",
            "PRICE_MISSING SIZE_MISSING STOP_REQUIRED",
        ),
        (
            &alpha,
            "'EUR_USD'",
            "'BUY', 1000, 0, NULL, NULL, NULL",
            "PRICE_OUT_OF_RANGE STOP_REQUIRED PRICE_COLLAR",
        ),
        (
            &alpha,
            "'EUR_USD'",
            "'BUY', 99999999999, 1.1, 1.09, NULL, NULL",
            "SIZE_OUT_OF_RANGE RISK_PERCENTAGE INSUFFICIENT_MARGIN MAX_DAILY_LOSS MAX_DRAWDOWN",
        ),
    ] {
        assert_eq!(book.text(&sql(account, instrument, rest)).await, codes, "{instrument}, {rest}");
    }
    // No message is ever empty, whatever is missing.
    let silent = format!(
        "SELECT count(*) FROM desk.assess_trade('{ALPHA}', 'EUR_USD', NULL, NULL, NULL, NULL, NULL, NULL) WHERE message IS NULL"
    );
    assert_eq!(crate::book::text(&trader, &silent).await, "0");
}

#[tokio::test]
async fn old_and_strange_prices_refuse_new_risk() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let off = Order { price: dec!(1.12), stop: Some(dec!(1.1)), target: None, ..buy(dec!(1000)) };
    assert_eq!(in_the_way(&assess(&trader, &off).await), ["PRICE_COLLAR"]);

    book.run("UPDATE fx_rates SET as_of = now() - interval '11 s' WHERE from_currency = 'EUR'")
        .await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), ["PRICE_STALE"]);
    // USD_JPY itself is fresh; for the account in EUR, its conversion is not.
    book.run("UPDATE fx_rates SET as_of = now() - interval '61 s' WHERE from_currency = 'EUR'")
        .await;
    let yen = Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: Some(dec!(154)),
        target: None,
        ..buy(dec!(1000))
    };
    assert_eq!(in_the_way(&assess(&trader, &yen).await), [""; 0]);
    let in_euro = Order { account: BRAVO.to_owned(), ..yen.clone() };
    assert_eq!(in_the_way(&assess(&trader, &in_euro).await), ["CONVERSION_RATE_STALE"]);

    book.run("DELETE FROM fx_rates WHERE from_currency = 'EUR'").await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), ["PRICE_UNKNOWN"]);
    assert_eq!(in_the_way(&assess(&trader, &in_euro).await), ["NO_CONVERSION_RATE"]);
}

#[tokio::test]
async fn a_twin_asks_for_a_reason_and_gets_through_with_one() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(1000))).await.accepted();

    let twin = buy(dec!(1000));
    let asked = place(&trader, &twin).await.refused("CONFIRM_REQUIRED");
    assert_eq!(asked.detail.get("confirm").unwrap(), &serde_json::json!(["DUPLICATE_ORDER"]));
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1001))).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &sell(dec!(1000))).await), [""; 0]);

    // A new ticket, a new key: the refused one keeps its answer.
    let meant = Order { reason: Some("yes, twice"), ..buy(dec!(1000)) };
    place(&trader, &meant).await.accepted();
    assert_eq!(
        book.text("SELECT metadata ->> 'reason' FROM trades ORDER BY entry_time DESC LIMIT 1")
            .await,
        "yes, twice"
    );
    assert_eq!(
        book.text("SELECT count(*) FROM tmt.audit_log WHERE payload::text LIKE '%yes, twice%'")
            .await,
        "1"
    );
    book.set("duplicate_window_seconds", "0").await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), [""; 0]);
}

#[tokio::test]
async fn exposure_limits_hold_in_every_scope_and_unit() {
    let book = Book::open().await;
    let trader = book.trader().await;
    // EXP-09: alpha holds 100,000 USD, bravo 40,000 EUR.
    book.set("max_risk_fraction", "1").await;
    place(&trader, &Order { size: dec!(90909), ..buy(dec!(1)) }).await.accepted();
    let bravo = |size| Order { account: BRAVO.to_owned(), ..buy(size) };
    place(&trader, &bravo(dec!(40000))).await.accepted();
    book.rate("EUR", "USD", dec!(1.1)).await;

    for (values, last, first, measured) in [
        // 90,909 and 40,000 units at 1.1 are 143,999.90 USD; 6,000 more are 6,600.
        (
            "NULL, 'max_exposure', 'portfolio', 'majors', 150599.9, 'USD'",
            dec!(6000),
            dec!(6001),
            dec!(150601),
        ),
        (
            "NULL, 'max_exposure', 'system', NULL, 150599.9, 'USD'",
            dec!(6000),
            dec!(6001),
            dec!(150601),
        ),
        (
            "NULL, 'max_exposure', 'instrument', 'EURUSD', 150599.9, 'USD'",
            dec!(6000),
            dec!(6001),
            dec!(150601),
        ),
        // In the account's own currency: 46,000 EUR of bravo alone.
        (
            "'a0000000-0000-7000-8000-000000000002', 'max_exposure', 'account', NULL, 46000, 'EUR'",
            dec!(6000),
            dec!(6001),
            dec!(46001),
        ),
        (
            "'a0000000-0000-7000-8000-000000000002', 'max_exposure', 'instrument', 'EUR_USD', 46000, 'EUR'",
            dec!(6000),
            dec!(6001),
            dec!(46001),
        ),
        // Without an account it holds for each by itself.
        (
            "NULL, 'max_exposure', 'account', NULL, 46000, 'EUR'",
            dec!(6000),
            dec!(6001),
            dec!(46001),
        ),
    ] {
        let id = book.limit(LIMIT, values).await;
        assert_eq!(in_the_way(&assess(&trader, &bravo(last)).await), [""; 0], "{values}");
        let lines = assess(&trader, &bravo(first)).await;
        assert_eq!(in_the_way(&lines), ["MAX_EXPOSURE"], "{values}");
        assert_eq!(
            find(&lines, "MAX_EXPOSURE").measured.unwrap().round_dp(0),
            measured,
            "{values}"
        );
        book.run(&format!("DELETE FROM risk_limits WHERE limit_id = '{id}'")).await;
    }
}

#[tokio::test]
async fn percentages_and_fractions_are_of_the_equity() {
    let book = Book::open().await;
    let trader = book.trader().await;
    // EXP-05 to 07, LIM-07: percent of the equity, fraction of it, and a percentage that looks like one.
    for (value, unit, allowed) in [
        (dec!(300), "percentage", dec!(300000)),
        (dec!(0.05), "fraction", dec!(5000)),
        (dec!(0.05), "percentage", dec!(50)),
    ] {
        let id = book
            .limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, {value}, '{unit}'"))
            .await;
        let lines = assess(&trader, &buy(dec!(1000))).await;
        assert_eq!(find(&lines, "MAX_EXPOSURE").allowed, Some(allowed));
        assert_eq!(
            lines.iter().any(|l| l.code == "PERCENTAGE_LOOKS_LIKE_FRACTION"),
            (value, unit) == (dec!(0.05), "percentage")
        );
        book.run(&format!("DELETE FROM risk_limits WHERE limit_id = '{id}'")).await;
    }
}

#[tokio::test]
async fn all_limits_in_force_must_pass_and_no_others() {
    let book = Book::open().await;
    let trader = book.trader().await;
    // LIM-02.
    for (rest, scope, identifier, value) in [
        ("now(), NULL, true", "account", "NULL", 200_000),
        ("now(), NULL, true", "instrument", "'EUR_USD'", 120_000),
        ("now(), NULL, true", "system", "NULL", 1_000_000),
        ("now() - interval '2 days', now() - interval '1 day', true", "account", "NULL", 50_000),
        ("now(), NULL, false", "account", "NULL", 60_000),
        ("now() + interval '1 day', NULL, true", "account", "NULL", 70_000),
        ("now(), NULL, true", "instrument", "'USD_JPY'", 1),
        ("now(), NULL, true", "portfolio", "'minors'", 1),
    ] {
        let account = if scope == "account" { format!("'{ALPHA}'") } else { "NULL".to_owned() };
        book.limit(
            "effective_from, effective_until, is_active, account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit",
            &format!("{rest}, {account}, 'max_exposure', '{scope}', {identifier}, {value}, 'USD'"),
        )
        .await;
    }

    let lines = assess(&trader, &Order { stop: Some(dec!(1.099)), ..buy(dec!(136364)) }).await;

    let applied: Vec<Decimal> =
        lines.iter().filter(|l| l.code == "MAX_EXPOSURE").map(|l| l.allowed.unwrap()).collect();
    assert_eq!(applied, [dec!(200000), dec!(120000), dec!(1000000)]);
    assert_eq!(in_the_way(&lines), ["MAX_EXPOSURE"]);
}

#[tokio::test]
async fn a_window_that_a_limit_does_not_have_is_said() {
    let book = Book::open().await;
    let trader = book.trader().await;
    for (limit_type, unit, window) in [
        ("max_exposure", "USD", "'daily'"),
        ("max_daily_trades", "count", "'weekly'"),
        ("max_daily_loss", "USD", "' Daily'"),
        ("max_weekly_loss", "USD", "NULL"),
    ] {
        book.limit(
            "account_id, limit_type, limit_scope, limit_value, limit_unit, time_window",
            &format!("'{ALPHA}', '{limit_type}', 'account', 5000000, '{unit}', {window}"),
        )
        .await;
    }

    let lines = assess(&trader, &buy(dec!(1000))).await;

    let said: Vec<&str> = lines
        .iter()
        .filter(|line| line.code == "LIMIT_WINDOW_UNUSED")
        .map(|line| line.message.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "The limit max_daily_trades ignores its time window, weekly: it is measured per day.",
            "The limit max_exposure ignores its time window, daily: it is measured continuously.",
        ]
    );
    // All of them are enforced.
    for code in ["MAX_EXPOSURE", "MAX_DAILY_TRADES", "MAX_WEEKLY_LOSS"] {
        find(&lines, code);
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_judged_is_never_silent() {
    let book = Book::open().await;
    let trader = book.trader().await;
    for (values, code, severity) in [
        ("'bananas', 'account', NULL, 5, 'USD'", "LIMIT_NOT_ENFORCED", "info"),
        ("'max_leverage', 'system', NULL, 5, 'ratio'", "LIMIT_NOT_ENFORCED", "info"),
        ("'max_exposure', 'account', NULL, 5, 'furlongs'", "LIMIT_UNIT_UNKNOWN", "reject"),
        ("'max_exposure', 'account', NULL, 5, 'GBP'", "NO_CONVERSION_RATE", "reject"),
    ] {
        let id = book
            .limit(
                "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit",
                &format!("NULL, {values}"),
            )
            .await;
        let lines = assess(&trader, &buy(dec!(1000))).await;
        let line = find(&lines, code);
        assert_eq!(line.severity, severity, "{values}");
        assert_eq!(line.allowed, Some(dec!(5)), "{values}");
        if code == "LIMIT_NOT_ENFORCED" {
            book.set("strict_limits", "true").await;
            assert_eq!(
                in_the_way(&assess(&trader, &buy(dec!(1000))).await),
                ["LIMIT_NOT_ENFORCED"]
            );
            book.set("strict_limits", "false").await;
        }
        book.run(&format!("DELETE FROM risk_limits WHERE limit_id = '{id}'")).await;
    }
    // A position that cannot be valued leaves every exposure limit without a number.
    book.limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000000, 'USD'")).await;
    book.run(&format!(
        "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price)
         VALUES ('{ALPHA}', 'EUR_TRY', 'LONG', 100, 50)"
    ))
    .await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), ["NO_CONVERSION_RATE"]);
}

#[tokio::test]
async fn limits_on_sizes_and_counts() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    for (values, code, good, bad) in [
        (
            "'max_position_size', 'instrument', 'EUR_USD', 30000, 'units'",
            "MAX_POSITION_SIZE",
            dec!(20000),
            dec!(20001),
        ),
        (
            "'max_position_size', 'account', NULL, 0.3, 'lots'",
            "MAX_POSITION_SIZE",
            dec!(20000),
            dec!(20001),
        ),
        (
            "'max_position_size', 'account', NULL, 33000, 'USD'",
            "MAX_POSITION_SIZE",
            dec!(20000),
            dec!(20001),
        ),
        (
            "'max_order_size', 'system', NULL, 5000, 'units'",
            "MAX_ORDER_SIZE",
            dec!(5000),
            dec!(5001),
        ),
        (
            "'max_order_value', 'account', NULL, 5500, 'USD'",
            "MAX_ORDER_VALUE",
            dec!(5000),
            dec!(5001),
        ),
        ("'max_daily_trades', 'account', NULL, 2, 'count'", "", dec!(5000), dec!(0)),
        (
            "'max_daily_trades', 'account', NULL, 1, 'count'",
            "MAX_DAILY_TRADES",
            dec!(0),
            dec!(5000),
        ),
        // Adding to what is there opens no further position.
        ("'max_open_positions', 'account', NULL, 1, 'count'", "", dec!(5000), dec!(0)),
    ] {
        let id = book.limit(LIMIT, &format!("NULL, {values}")).await;
        if good > dec!(0) {
            assert_eq!(in_the_way(&assess(&trader, &buy(good)).await), [""; 0], "{values}");
        }
        if bad > dec!(0) {
            assert_eq!(in_the_way(&assess(&trader, &buy(bad)).await), [code], "{values}");
        }
        book.run(&format!("DELETE FROM risk_limits WHERE limit_id = '{id}'")).await;
    }
    book.limit(LIMIT, "NULL, 'max_open_positions', 'system', NULL, 1, 'count'").await;
    let bravo = Order { account: BRAVO.to_owned(), ..buy(dec!(5000)) };
    assert_eq!(in_the_way(&assess(&trader, &bravo).await), ["MAX_OPEN_POSITIONS"]);
}

#[tokio::test]
async fn a_loss_limit_refuses_when_reached_and_asks_before() {
    let book = Book::open().await;
    let trader = book.trader().await;
    // alpha may lose 5,000 a day and 10,000 in all. The day began at 100,000.
    book.run("SELECT desk.roll_periods(ARRAY(SELECT account_id FROM accounts))").await;
    for (equity, lines) in [
        (dec!(95500), vec![]),
        (dec!(95010), vec!["MAX_DAILY_LOSS"]),
        (dec!(95000), vec!["MAX_DAILY_LOSS"]),
    ] {
        book.run(&format!("UPDATE accounts SET equity = {equity}")).await;
        let order = buy(dec!(10000));
        let found = assess(&trader, &order).await;
        assert_eq!(in_the_way(&found), lines, "{equity}");
        let severity = &find(&found, "MAX_DAILY_LOSS").severity;
        assert_eq!(
            severity,
            match equity.to_string().as_str() {
                "95500" => "info",
                "95010" => "confirm",
                _ => "reject",
            }
        );
    }
    book.run(
        "UPDATE accounts SET equity = 90000; UPDATE performance_metrics SET start_equity = 90000",
    )
    .await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(10000))).await), ["MAX_DRAWDOWN"]);
    // A row of risk_limits counts as well, reached at its value.
    book.run(
        "UPDATE accounts SET equity = 99000; UPDATE performance_metrics SET start_equity = 100000",
    )
    .await;
    book.limit(LIMIT, &format!("'{ALPHA}', 'max_daily_loss', 'account', NULL, 1000, 'USD'")).await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), ["MAX_DAILY_LOSS"]);
    // Not reached yet, but with this trade at its stop it would be: worth a reason.
    book.run("UPDATE accounts SET equity = 99005").await;
    let asked = assess(&trader, &buy(dec!(1000))).await;
    let limit = asked.iter().find(|l| l.severity == "confirm").unwrap();
    assert_eq!(
        (limit.code.as_str(), limit.before, limit.measured),
        ("MAX_DAILY_LOSS", Some(dec!(995)), Some(dec!(1000)))
    );
    book.run("UPDATE accounts SET equity = 99005.01").await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), [""; 0]);
    // A limit of the account that is no limit stops new risk until somebody corrects it.
    book.run("UPDATE accounts SET max_daily_loss = -1").await;
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(1000))).await), ["MAX_DAILY_LOSS"]);
}

#[tokio::test]
async fn margin_is_that_of_the_book_with_the_order() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.set("max_risk_fraction", "1").await;
    let near = |size| Order { stop: Some(dec!(1.0999)), target: None, ..buy(size) };
    // 100,000 / (1.1 × 0.0333) = 2,730,002.73 units.
    assert_eq!(in_the_way(&assess(&trader, &near(dec!(2730002))).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &near(dec!(2730003))).await), ["INSUFFICIENT_MARGIN"]);
}

#[tokio::test]
async fn a_refusal_by_a_limit_is_an_event_and_three_are_a_warning() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD'")).await;
    let events = "SELECT string_agg(format('%s %s %s', severity, risk_measure, occurrence_count), '; ') FROM risk_events";

    place(&trader, &Order { stop: None, ..buy(dec!(1000)) }).await.refused("STOP_REQUIRED");
    assert_eq!(book.text(events).await, "-");
    for expected in [
        "info max_exposure 1",
        "info max_exposure 2",
        "warning max_exposure 3",
        "warning max_exposure 4",
    ] {
        place(&trader, &buy(dec!(1000))).await.refused("MAX_EXPOSURE");
        assert_eq!(book.text(events).await, expected);
    }
}
