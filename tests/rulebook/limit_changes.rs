//! How limits come, change and go, and whom they would bind.

use crate::book::{ALPHA, Book, assess, in_the_way, text, verb};
use crate::limits::{LIMIT, long, sized};

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
            "NULL, 'max_open_positions', 'system', NULL, 2.5, 'count', NULL, NULL, NULL, NULL",
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
    let again =
        "NULL, 'max_exposure', 'portfolio', 'majors', 12000, 'USD', NULL, NULL, NULL, 'twice'";
    verb(&ann, "create_limit", again).await.refused("LIMIT_EXISTS");
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
async fn the_value_of_a_changed_limit_is_one_that_its_unit_can_have() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    let limit = "NULL, 'max_open_positions', 'system', NULL, 5, 'count', NULL, NULL, NULL, NULL";
    let id = verb(&ann, "create_limit", limit).await.accepted().subject.unwrap();
    for (value, sentence) in [
        ("2.5", "A count must be a whole number."),
        ("4.00001", "A count must be a whole number."),
        ("100000000000", "A limit must be below 100,000,000,000."),
        ("0.00001", "A limit must be above zero. To stop trading, use a halt."),
        ("-3", "A limit must be above zero. To stop trading, use a halt."),
        ("'Infinity'", "A limit must be a number."),
    ] {
        let change = format!(
            "'{id}', (SELECT updated_at FROM risk_limits WHERE limit_id = '{id}'), {value}, NULL, NULL, 'why'"
        );
        let refused = verb(&ann, "propose_limit", &change).await.refused("LIMIT_VALUE_INVALID");
        assert_eq!(refused.message, sentence, "{value}");
    }
}

#[tokio::test]
async fn a_proposal_that_lost_its_limit_says_so() {
    let (book, _) = long().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let limit =
        "NULL, 'max_exposure', 'portfolio', 'majors', 120000, 'USD', NULL, NULL, NULL, NULL";
    let id = verb(&ann, "create_limit", limit).await.accepted().subject.unwrap();
    let change = |value: u32| {
        let version = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{id}')");
        format!("'{id}', {version}, {value}, NULL, NULL, 'reason'")
    };
    let looser = verb(&ann, "propose_limit", &change(150_000)).await.accepted();
    assert_eq!(looser.code.as_deref(), Some("PENDING_APPROVAL"));
    let proposal = looser.subject.unwrap();

    verb(&bob, "propose_limit", &change(100_000)).await.accepted();

    verb(&bob, "approve_limit", &format!("'{proposal}', NULL")).await.refused("LIMIT_CHANGED");
    let told = "SELECT string_agg(event_type || ' ' || (resolution_time IS NULL), ', ' ORDER BY event_type) FROM risk_events
        WHERE dedup_key LIKE '%' || (SELECT limit_id::text FROM risk_limits WHERE limit_value = 150000)";
    assert_eq!(book.text(told).await, "limit_changed false, limit_proposal_void true");
    let message = book
        .text("SELECT event_data ->> 'message' FROM risk_events WHERE event_type = 'limit_proposal_void'")
        .await;
    assert!(message.contains("150,000.00 USD, is void"), "{message}");
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
    // What is judged only before a trade stands at what it would find.
    let limit = "NULL, 'max_open_positions', 'system', NULL, 5, 'count', '{}'";
    let count = book.limit(LIMIT, limit).await;
    assert_eq!(text(&trader, &impact(count, "0.5")).await, "system 1 0.5 count breach");
    let limit = "NULL, 'max_position_size', 'account', NULL, 50000, 'units', '{}'";
    let size = book.limit(LIMIT, limit).await;
    assert_eq!(
        text(&trader, &impact(size, "9000")).await,
        "alpha EUR_USD 10000 9000 units breach; bravo 0 9000 units ok"
    );
    // A limit that judges only orders measures nothing between them.
    let order = book.limit(LIMIT, "NULL, 'max_order_size', 'system', NULL, 5, 'lots', '{}'").await;
    assert_eq!(text(&trader, &impact(order, "1")).await, "-");
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

/// What the ticket of a new limit shows is what the limit will say when it is there; and asking leaves
/// nothing behind.
#[tokio::test]
async fn a_preview_of_a_limit_says_what_it_will_and_leaves_nothing() {
    let (book, trader) = long().await;
    let officer = book.officer("officer").await;
    let alpha = format!("'{ALPHA}'");
    let rows = "coalesce(string_agg(concat_ws(' ', account_name, trim_scale(measured), trim_scale(allowed), unit, trim_scale(room), state), '; ' ORDER BY account_name), '-')";
    let traces = "SELECT concat_ws(' ', (SELECT count(*) FROM risk_limits), (SELECT count(*) FROM tmt.change_log),
        (SELECT count(*) FROM tmt.audit_log), (SELECT count(*) FROM risk_events))";
    for (account, limit, wanted) in [
        (
            alpha.as_str(),
            "'max_exposure', 'account', NULL, 10000, 'usd', NULL",
            Some("alpha 11000 10000 USD -1000 breach"),
        ),
        (
            alpha.as_str(),
            "'max_exposure', 'account', NULL, 12000, 'USD', NULL",
            Some("alpha 11000 12000 USD 1000 warning"),
        ),
        (
            alpha.as_str(),
            "'max_exposure', 'account', NULL, 12000, 'USD', 11500",
            Some("alpha 11000 12000 USD 1000 ok"),
        ),
        (
            "NULL",
            "'max_leverage', 'account', NULL, 0.1, 'ratio', NULL",
            Some("alpha 0.11 0.1 ratio -0.01 breach; bravo 0 0.1 ratio 0.1 ok"),
        ),
        ("NULL", "'max_exposure', 'portfolio', 'majors', 12000, 'USD', NULL", None),
        ("NULL", "'max_exposure', 'instrument', 'eurusd', 5, 'percentage', NULL", None),
        ("NULL", "'max_net_exposure', 'system', NULL, 5, 'percentage', NULL", None),
        ("NULL", "'max_daily_loss', 'account', NULL, 0.5, 'fraction', NULL", None),
        (alpha.as_str(), "'max_drawdown', 'account', NULL, 1, 'percentage', NULL", None),
        ("NULL", "'min_margin_level', 'account', NULL, 5, 'ratio', NULL", None),
        ("NULL", "'max_open_risk', 'account', NULL, 10, 'USD', NULL", None),
        // It judges orders: nothing stands between them.
        ("NULL", "'max_order_size', 'system', NULL, 5, 'lots', NULL", Some("-")),
    ] {
        let before = book.text(traces).await;
        let preview = format!("SELECT {rows} FROM desk.limit_preview({account}, {limit}, NULL)");
        let said = text(&officer, &preview).await;
        assert_eq!(book.text(traces).await, before, "{limit}");
        if let Some(wanted) = wanted {
            assert_eq!(said, wanted, "{limit}");
        }
        let made = verb(&officer, "create_limit", &format!("{account}, {limit}, NULL, NULL, 'x'"))
            .await
            .accepted();
        let id = made.subject.unwrap();
        let there = format!("SELECT {rows} FROM desk.limit_impact('{id}', NULL)");
        assert_eq!(text(&officer, &there).await, said, "{limit}");
        book.run("UPDATE risk_limits SET is_active = false").await;
    }
    let refused = "SELECT FROM desk.limit_preview(NULL, 'max_exposure', 'account', NULL, 5, 'pips', NULL, NULL)";
    let error = officer.batch_execute(refused).await.unwrap_err();
    let message = error.as_db_error().unwrap().message().to_owned();
    assert!(message.starts_with("Invalid unit for max_exposure"), "{message}");
    let denied = trader.batch_execute(refused).await.unwrap_err();
    assert_eq!(denied.code().unwrap().code(), "42501");
}
