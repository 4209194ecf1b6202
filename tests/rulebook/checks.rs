//! The checks of an order: their lines, figures and sequence.

use rust_decimal::{Decimal, dec};

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::rows::position;
use crate::verbs::{Limit, Verb as _, buy, limit, order, sell};

#[tokio::test]
async fn an_order_within_the_rules_passes_every_check() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("max_exposure", 180_000, "USD").of(ALPHA).insert(&desk).await;

    let lines = buy(100_000).assess(&trader).await;

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
    assert_eq!(lines.objections(), [""; 0]);
    let exposure = lines.find("MAX_EXPOSURE");
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
    assert_eq!(lines.find("RISK_AMOUNT").measured, Some(dec!(500)));
}

#[tokio::test]
async fn the_assessment_and_the_answer_agree() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("max_exposure", 100_000, "USD").of(ALPHA).insert(&desk).await;
    limit("max_order_size", "0.5", "lots").of_instrument("EURUSD").insert(&desk).await;
    let order = buy(100_000);

    let lines = order.assess(&trader).await;
    let answer = order.place(&trader).await.refused("MAX_EXPOSURE");

    assert_eq!(lines.objections(), ["MAX_EXPOSURE", "MAX_ORDER_SIZE"]);
    let line = lines.find("MAX_EXPOSURE");
    assert_eq!(
        (answer.measured, answer.allowed, &answer.message),
        (line.measured, line.allowed, &line.message)
    );
    let checks = answer.detail.get("checks").unwrap().as_array().unwrap();
    assert_eq!(checks.len(), 2);
}

#[tokio::test]
async fn missing_fields_are_named_and_the_rest_is_checked() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    for (order, objections) in [
        (order("EUR_USD").without("account").without("instrument"), vec!["ACCOUNT_UNKNOWN"]),
        (order("EUR_USD").without("instrument"), vec!["INSTRUMENT_UNKNOWN"]),
        (order("EUR_GBP").buy(1).at(1), vec!["INSTRUMENT_UNKNOWN"]),
        (order("EUR_USD"), vec!["SIDE_UNKNOWN", "PRICE_MISSING", "SIZE_MISSING", "STOP_REQUIRED"]),
        (order("eur/usd").side("BUY").at("1.1").stop("1.09"), vec!["SIZE_MISSING"]),
        (order("EUR_USD").side("buy").size("NaN").at("1.1").stop("1.09"), vec!["SIZE_MISSING"]),
        (
            order("EUR_USD").buy("Infinity").at("-Infinity").stop("NaN"),
            vec!["PRICE_MISSING", "SIZE_MISSING", "STOP_REQUIRED"],
        ),
        (
            order("EUR_USD").buy(1000).at(0),
            vec!["PRICE_OUT_OF_RANGE", "STOP_REQUIRED", "PRICE_COLLAR"],
        ),
        (
            order("EUR_USD").buy(99_999_999_999_u64).at("1.1").stop("1.09"),
            vec![
                "SIZE_OUT_OF_RANGE",
                "RISK_PERCENTAGE",
                "INSUFFICIENT_MARGIN",
                "MAX_DAILY_LOSS",
                "MAX_DRAWDOWN",
            ],
        ),
    ] {
        assert_eq!(order.assess(&desk.admin).await.objections(), objections, "{order:?}");
    }
    // Each line has a message: one without could not be read.
    order("EUR_USD").assess(&trader).await;
}

#[tokio::test]
async fn stale_and_distant_prices_refuse_new_risk() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let off = buy(1000).at("1.12").stop("1.1").without_target();
    assert_eq!(off.assess(&trader).await.objections(), ["PRICE_COLLAR"]);

    desk.run("UPDATE fx_rates SET as_of = now() - interval '11 s' WHERE from_currency = 'EUR'")
        .await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["PRICE_STALE"]);
    // USD_JPY itself is fresh; for the account in EUR, its conversion is not.
    desk.run("UPDATE fx_rates SET as_of = now() - interval '61 s' WHERE from_currency = 'EUR'")
        .await;
    let yen = order("USD_JPY").buy(1000).at(155).stop(154);
    assert_eq!(yen.assess(&trader).await.objections(), [""; 0]);
    let in_euro = yen.clone().on(BRAVO);
    assert_eq!(in_euro.assess(&trader).await.objections(), ["CONVERSION_RATE_STALE"]);

    desk.run("DELETE FROM fx_rates WHERE from_currency = 'EUR'").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["PRICE_UNKNOWN"]);
    assert_eq!(in_euro.assess(&trader).await.objections(), ["NO_CONVERSION_RATE"]);
}

#[tokio::test]
async fn a_duplicate_order_needs_a_reason() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(1000).place(&trader).await.accepted();

    let twin = buy(1000);
    let asked = twin.place(&trader).await.refused("CONFIRM_REQUIRED");
    assert_eq!(asked.detail.get("confirm").unwrap(), &serde_json::json!(["DUPLICATE_ORDER"]));
    assert_eq!(buy(1001).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(sell(1000).assess(&trader).await.objections(), [""; 0]);

    // A new request has a new key; the refused one keeps its answer.
    let meant = buy(1000).because("yes, twice");
    meant.place(&trader).await.accepted();
    assert_eq!(
        desk.text("SELECT metadata ->> 'reason' FROM trades ORDER BY entry_time DESC LIMIT 1")
            .await,
        "yes, twice"
    );
    assert_eq!(
        desk.text("SELECT count(*) FROM tmt.audit_log WHERE payload::text LIKE '%yes, twice%'")
            .await,
        "1"
    );
    desk.set("duplicate_window_seconds", "0").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0]);
}

#[tokio::test]
async fn exposure_limits_apply_in_every_scope_and_unit() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    // EXP-09: alpha holds 100,000 USD, bravo 40,000 EUR.
    desk.set("max_risk_fraction", "1").await;
    buy(90_909).place(&trader).await.accepted();
    let bravo = |size: u32| buy(size).on(BRAVO);
    bravo(40_000).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.1)).await;

    for (limit, measured) in [
        // 90,909 and 40,000 units at 1.1 are 143,999.90 USD; 6,000 more are 6,600.
        (limit("max_exposure", "150599.9", "USD").of_portfolio("majors"), dec!(150601)),
        (limit("max_exposure", "150599.9", "USD"), dec!(150601)),
        (limit("max_exposure", "150599.9", "USD").of_instrument("EURUSD"), dec!(150601)),
        // In the account's own currency: 46,000 EUR of bravo alone.
        (limit("max_exposure", 46_000, "EUR").of(BRAVO), dec!(46001)),
        (limit("max_exposure", 46_000, "EUR").of_instrument("EUR_USD").only(BRAVO), dec!(46001)),
        // Without an account it applies to each account by itself.
        (limit("max_exposure", 46_000, "EUR").of_each_account(), dec!(46001)),
    ] {
        let id = limit.insert(&desk).await;
        assert_eq!(bravo(6000).assess(&trader).await.objections(), [""; 0], "{limit:?}");
        let lines = bravo(6001).assess(&trader).await;
        assert_eq!(lines.objections(), ["MAX_EXPOSURE"], "{limit:?}");
        let over = lines.find("MAX_EXPOSURE").measured.unwrap();
        assert_eq!(over.round_dp(0), measured, "{limit:?}");
        desk.delete_limit(id).await;
    }
}

#[tokio::test]
async fn percentages_and_fractions_are_of_the_equity() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    // EXP-05 to 07, LIM-07: percent of the equity, fraction of it, and a percentage that looks like a fraction.
    for (value, unit, allowed) in [
        (dec!(300), "percentage", dec!(300000)),
        (dec!(0.05), "fraction", dec!(5000)),
        (dec!(0.05), "percentage", dec!(50)),
    ] {
        let id = limit("max_exposure", value, unit).of(ALPHA).insert(&desk).await;
        let lines = buy(1000).assess(&trader).await;
        assert_eq!(lines.find("MAX_EXPOSURE").allowed, Some(allowed));
        assert_eq!(
            lines.iter().any(|l| l.code == "PERCENTAGE_LOOKS_LIKE_FRACTION"),
            (value, unit) == (dec!(0.05), "percentage")
        );
        desk.delete_limit(id).await;
    }
}

#[tokio::test]
async fn all_limits_in_force_apply_and_no_others() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    // LIM-02.
    let exposure = |value: u32| limit("max_exposure", value, "USD");
    for limit in [
        exposure(200_000).of(ALPHA),
        exposure(120_000).of_instrument("EUR_USD"),
        exposure(1_000_000),
        exposure(50_000)
            .of(ALPHA)
            .also("effective_from", "timestamptz", "2001-01-01")
            .until("2001-01-02"),
        exposure(60_000).of(ALPHA).also("is_active", "boolean", "false"),
        exposure(70_000).of(ALPHA).also("effective_from", "timestamptz", "2999-01-01"),
        exposure(1).of_instrument("USD_JPY"),
        exposure(1).of_portfolio("minors"),
    ] {
        limit.insert(&desk).await;
    }

    let lines = buy(136_364).stop("1.099").assess(&trader).await;

    let applied: Vec<Decimal> =
        lines.iter().filter(|l| l.code == "MAX_EXPOSURE").map(|l| l.allowed.unwrap()).collect();
    assert_eq!(applied, [dec!(200000), dec!(120000), dec!(1000000)]);
    assert_eq!(lines.objections(), ["MAX_EXPOSURE"]);
}

#[tokio::test]
async fn an_ignored_time_window_is_reported() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let windowed = |limit: Limit, window| limit.of(ALPHA).also("time_window", "text", window);
    for limit in [
        windowed(limit("max_exposure", 5_000_000, "USD"), "daily"),
        windowed(limit("max_daily_trades", 5_000_000, "count"), "weekly"),
        windowed(limit("max_daily_loss", 5_000_000, "USD"), " Daily"),
        limit("max_weekly_loss", 5_000_000, "USD").of(ALPHA),
    ] {
        limit.insert(&desk).await;
    }

    let lines = buy(1000).assess(&trader).await;

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
        lines.find(code);
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_measured_is_reported() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    for (limit, code, severity) in [
        (limit("bananas", 5, "USD").of_each_account(), "LIMIT_NOT_ENFORCED", "info"),
        (limit("max_leverage", 5, "ratio"), "LIMIT_NOT_ENFORCED", "info"),
        (limit("max_exposure", 5, "furlongs").of_each_account(), "LIMIT_UNIT_UNKNOWN", "reject"),
        (limit("max_exposure", 5, "GBP").of_each_account(), "NO_CONVERSION_RATE", "reject"),
    ] {
        let id = limit.insert(&desk).await;
        let lines = buy(1000).assess(&trader).await;
        let line = lines.find(code);
        assert_eq!(line.severity, severity, "{limit:?}");
        assert_eq!(line.allowed, Some(dec!(5)), "{limit:?}");
        if code == "LIMIT_NOT_ENFORCED" {
            desk.set("strict_limits", "true").await;
            assert_eq!(buy(1000).assess(&trader).await.objections(), ["LIMIT_NOT_ENFORCED"]);
            desk.set("strict_limits", "false").await;
        }
        desk.delete_limit(id).await;
    }
    // A position without a value leaves no exposure limit measurable.
    limit("max_exposure", 1_000_000, "USD").of(ALPHA).insert(&desk).await;
    position(ALPHA).of_instrument("EUR_TRY").long(100).at(50).insert(&desk.admin).await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["NO_CONVERSION_RATE"]);
}

#[tokio::test]
async fn limits_on_sizes_and_counts_apply() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    for (limit, passes, refused) in [
        (
            limit("max_position_size", 30_000, "units").of_instrument("EUR_USD"),
            Some(20_000),
            Some((20_001, "MAX_POSITION_SIZE")),
        ),
        (
            limit("max_position_size", "0.3", "lots").of_each_account(),
            Some(20_000),
            Some((20_001, "MAX_POSITION_SIZE")),
        ),
        (
            limit("max_position_size", 33_000, "USD").of_each_account(),
            Some(20_000),
            Some((20_001, "MAX_POSITION_SIZE")),
        ),
        (limit("max_order_size", 5000, "units"), Some(5000), Some((5001, "MAX_ORDER_SIZE"))),
        (
            limit("max_order_value", 5500, "USD").of_each_account(),
            Some(5000),
            Some((5001, "MAX_ORDER_VALUE")),
        ),
        (limit("max_daily_trades", 2, "count").of_each_account(), Some(5000), None),
        (
            limit("max_daily_trades", 1, "count").of_each_account(),
            None,
            Some((5000, "MAX_DAILY_TRADES")),
        ),
        // Adding to a position opens no further one.
        (limit("max_open_positions", 1, "count").of_each_account(), Some(5000), None),
    ] {
        let id = limit.insert(&desk).await;
        if let Some(size) = passes {
            assert_eq!(buy(size).assess(&trader).await.objections(), [""; 0], "{limit:?}");
        }
        if let Some((size, code)) = refused {
            assert_eq!(buy(size).assess(&trader).await.objections(), [code], "{limit:?}");
        }
        desk.delete_limit(id).await;
    }
    limit("max_open_positions", 1, "count").insert(&desk).await;
    let bravo = buy(5000).on(BRAVO);
    assert_eq!(bravo.assess(&trader).await.objections(), ["MAX_OPEN_POSITIONS"]);
}

#[tokio::test]
async fn a_loss_limit_warns_before_it_refuses() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    // alpha may lose 5,000 a day and 10,000 in all. The day began at 100,000.
    desk.run("SELECT desk.roll_periods(ARRAY(SELECT account_id FROM accounts))").await;
    for (equity, severity) in
        [(dec!(95500), "info"), (dec!(95010), "confirm"), (dec!(95000), "reject")]
    {
        desk.execute("UPDATE accounts SET equity = $1", &[&equity]).await;
        let lines = buy(10_000).assess(&trader).await;
        let objections = if severity == "info" { vec![] } else { vec!["MAX_DAILY_LOSS"] };
        assert_eq!(lines.objections(), objections, "{equity}");
        assert_eq!(lines.find("MAX_DAILY_LOSS").severity, severity, "{equity}");
    }
    desk.run(
        "UPDATE accounts SET equity = 90000; UPDATE performance_metrics SET start_equity = 90000",
    )
    .await;
    assert_eq!(buy(10_000).assess(&trader).await.objections(), ["MAX_DRAWDOWN"]);
    // A row of risk_limits applies as well, and is in breach at its value.
    desk.run(
        "UPDATE accounts SET equity = 99000; UPDATE performance_metrics SET start_equity = 100000",
    )
    .await;
    limit("max_daily_loss", 1000, "USD").of(ALPHA).insert(&desk).await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["MAX_DAILY_LOSS"]);
    // With this trade at its stop it would be in breach: that needs a reason.
    desk.run("UPDATE accounts SET equity = 99005").await;
    let asked = buy(1000).assess(&trader).await;
    let limit = asked.iter().find(|l| l.severity == "confirm").unwrap();
    assert_eq!(
        (limit.code.as_str(), limit.before, limit.measured),
        ("MAX_DAILY_LOSS", Some(dec!(995)), Some(dec!(1000)))
    );
    desk.run("UPDATE accounts SET equity = 99005.01").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), [""; 0]);
    // An invalid limit of the account refuses new risk until it is corrected.
    desk.run("UPDATE accounts SET max_daily_loss = -1").await;
    assert_eq!(buy(1000).assess(&trader).await.objections(), ["MAX_DAILY_LOSS"]);
}

#[tokio::test]
async fn margin_is_computed_with_the_order() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    desk.set("max_risk_fraction", "1").await;
    let near = |size: u32| buy(size).stop("1.0999").without_target();
    // 100,000 / (1.1 × 0.0333) = 2,730,002.73 units.
    assert_eq!(near(2_730_002).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(near(2_730_003).assess(&trader).await.objections(), ["INSUFFICIENT_MARGIN"]);
}

#[tokio::test]
async fn a_refusal_by_a_limit_is_an_event_and_three_are_a_warning() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("max_exposure", 1000, "USD").of(ALPHA).insert(&desk).await;
    let events = "SELECT string_agg(format('%s %s %s', severity, risk_measure, occurrence_count), '; ') FROM risk_events";

    buy(1000).without_stop().place(&trader).await.refused("STOP_REQUIRED");
    assert_eq!(desk.text(events).await, "-");
    for expected in [
        "info max_exposure 1",
        "info max_exposure 2",
        "warning max_exposure 3",
        "warning max_exposure 4",
    ] {
        buy(1000).place(&trader).await.refused("MAX_EXPOSURE");
        assert_eq!(desk.text(events).await, expected);
    }
}
