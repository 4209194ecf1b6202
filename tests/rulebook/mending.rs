//! What a slip of the hand, an odd setting or an old halt must not do.

use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::book::{ALPHA, BRAVO, Book, Order, Verdict, buy, call, close, place, sell, verb};

const STATUS: &str = "SELECT status FROM accounts WHERE account_name = 'alpha'";
const HALTS: &str = "SELECT string_agg(coalesce(cause, 'by hand'), ', ' ORDER BY set_at) FROM trading_halts WHERE cleared_at IS NULL";

/// Ages every quote by a minute.
async fn age_quotes(book: &Book) {
    book.run("UPDATE fx_rates SET as_of = as_of - interval '1 minute'").await;
}

/// Sets what alpha is worth, and lets the limits be watched.
async fn worth(book: &Book, amount: u32) {
    book.run(&format!(
        "UPDATE accounts SET equity = {amount}, current_balance = {amount} WHERE account_id = '{ALPHA}'"
    ))
    .await;
    book.run("SELECT desk.monitor_limits()").await;
}

/// Clears the oldest halt: of a rule, or by hand.
async fn resume(book: &Book, officer: &Client, of_a_rule: bool) -> Verdict {
    let halt = book
        .text(&format!(
            "SELECT halt_id FROM trading_halts WHERE cleared_at IS NULL AND (cause IS NOT NULL) = {of_a_rule}"
        ))
        .await;
    verb(officer, "resume", &format!("'{halt}', 'looked into it'")).await
}

/// Proposes a value for a limit as it is now.
async fn propose(officer: &Client, limit: Uuid, value: &str, warning: &str) -> Verdict {
    let version = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{limit}')");
    verb(
        officer,
        "propose_limit",
        &format!("'{limit}', {version}, {value}, {warning}, NULL, 'because'"),
    )
    .await
}

#[tokio::test]
async fn a_price_given_for_a_close_is_asked_about_when_it_is_far_or_the_quote_is_old() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(3000))).await.accepted();
    let position = book.position().await;
    let part = Some(dec!(1000));
    let confirm = |answer: Verdict| {
        answer.refused("CONFIRM_REQUIRED").detail.get("confirm").unwrap().to_string()
    };

    let far = close(&trader, position, part, Some(dec!(2.2))).await;
    assert_eq!(confirm(far), r#"["PRICE_COLLAR"]"#);
    age_quotes(&book).await;
    let old = close(&trader, position, part, Some(dec!(1.1))).await;
    assert!(old.measured > Some(dec!(60)) && old.allowed == Some(dec!(10)), "{old:?}");
    assert_eq!(confirm(old), r#"["PRICE_STALE"]"#);
    let both = close(&trader, position, part, Some(dec!(2.2))).await;
    assert_eq!(confirm(both), r#"["PRICE_COLLAR", "PRICE_STALE"]"#.replace(", ", ","));

    // At the market there is nothing to slip on; and a reason is an answer.
    let market = close(&trader, position, part, None).await.accepted();
    let age: Decimal =
        market.detail.get("price_age_seconds").unwrap().as_str().unwrap().parse().unwrap();
    // Said in tenths of a second.
    assert!(age >= dec!(60));
    verb(&trader, "close_position", &format!("'{position}', 1000, 2.2, 'the broker says so'"))
        .await
        .accepted();
}

#[tokio::test]
async fn what_is_no_number_is_not_read_as_none() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(3000))).await.accepted();
    let position = book.position().await;
    for (name, arguments, code) in [
        ("close_position", "'NaN', NULL, NULL", "SIZE_NOT_A_STEP"),
        ("close_position", "1000, 'NaN', NULL", "PRICE_NOT_A_TICK"),
        ("amend_position", "'NaN', 1.11, NULL, NULL", "PRICE_NOT_A_TICK"),
        ("amend_position", "1.095, 'Infinity', NULL, NULL", "PRICE_NOT_A_TICK"),
        ("amend_position", "1.095, 1.11, 'NaN', NULL", "PRICE_NOT_A_TICK"),
    ] {
        verb(&trader, name, &format!("'{position}', {arguments}")).await.refused(code);
    }
    let order = buy(dec!(1000)).sql().replace("'1.11'", "'NaN'");
    assert!(order.contains("NaN"));
    call(&trader, &order).await.refused("PRICE_NOT_A_TICK");
    let left = "SELECT concat_ws(' ', status, total_size, stop_loss, take_profit) FROM positions";
    assert_eq!(book.text(left).await, "open 3000.00 1.09500 1.11000");
}

#[tokio::test]
async fn a_shorter_window_for_repeats_needs_a_second_person() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    let columns = "limit_type, limit_scope, limit_value, limit_unit";
    let window = book.limit(columns, "'duplicate_window', 'system', 30, 'seconds'").await;
    let shorter = propose(&officer, window, "1", "NULL").await.accepted();
    assert_eq!(shorter.code.as_deref(), Some("PENDING_APPROVAL"));
    let longer = propose(&officer, window, "60", "NULL").await.accepted();
    assert_eq!(longer.code.as_deref(), Some("TIGHTENED"));

    let level = book
        .limit(
            &format!("account_id, {columns}"),
            &format!("'{ALPHA}', 'min_margin_level', 'account', 150, 'percentage'"),
        )
        .await;
    propose(&officer, level, "200", "160").await.refused("WARNING_INVALID");
    propose(&officer, level, "'NaN'", "NULL").await.refused("LIMIT_VALUE_INVALID");
    let higher = propose(&officer, level, "200", "NULL").await.accepted();
    assert_eq!(higher.code.as_deref(), Some("TIGHTENED"));
}

#[tokio::test]
async fn a_reset_that_is_no_time_of_day_is_midnight() {
    let book = Book::open().await;
    // What would run for ever shall fail.
    book.run("SET statement_timeout = '5s'").await;
    for reset in ["17:60", "1 mon", "-1 mon 30 days", "-01:00", "24:00", "99999999999:00", "noon"] {
        book.run(&format!(
            "DELETE FROM performance_metrics;
             UPDATE accounts SET metadata = metadata || '{{\"risk_day\": {{\"reset_time\": \"{reset}\"}}}}';
             SELECT desk.roll_days(), desk.mark_to_market(), desk.monitor_limits()"
        ))
        .await;
        let midnight = "SELECT bool_and(period_start = date_trunc('day', now(), 'UTC')) FROM performance_metrics WHERE period_type = 'daily'";
        assert_eq!(book.text(midnight).await, "true", "{reset}");
    }
}

#[tokio::test]
async fn the_last_halt_of_an_account_ends_its_risk_halt() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    book.run("SELECT desk.roll_days()").await;
    worth(&book, 94000).await;
    assert_eq!(book.text(STATUS).await, "risk_halt");
    let halt = format!("'account', '{ALPHA}', 'no_new_orders', 'look into this'");
    verb(&officer, "halt", &halt).await.accepted();

    let first = resume(&book, &officer, true).await.accepted();
    assert!(first.message.contains("another halt is in force"), "{first:?}");
    assert_eq!(book.text(STATUS).await, "risk_halt");
    let last = resume(&book, &officer, false).await.accepted();
    assert_eq!(last.message, "Trading resumed: alpha is active again.");
    assert_eq!(book.text(STATUS).await, "active");
}

#[tokio::test]
async fn an_account_that_owes_money_stays_in_risk_halt() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    book.run("SELECT desk.roll_days()").await;
    worth(&book, 94000).await;
    book.run("UPDATE accounts SET current_balance = -1").await;
    let answer = resume(&book, &officer, true).await.accepted();
    assert!(answer.message.contains("below zero"), "{answer:?}");
    assert_eq!(book.text(STATUS).await, "risk_halt");
}

#[tokio::test]
async fn what_a_rule_does_to_a_halt_is_in_the_audit() {
    let book = Book::open().await;
    book.run(
        "UPDATE accounts SET metadata = metadata || '{\"risk_rules\": {\"daily\": {\"clears\": true}}}';
         SELECT desk.roll_days()",
    )
    .await;
    worth(&book, 94000).await;
    book.run(
        "UPDATE performance_metrics SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day';
         SELECT desk.roll_days()",
    )
    .await;
    assert_eq!(book.text(STATUS).await, "active");
    let lines = "SELECT string_agg(concat_ws(' ', verb, l.payload ->> 'cause', l.payload ->> 'message'), '; ' ORDER BY seq)
        FROM tmt.audit_log l JOIN trading_halts h ON h.halt_id = l.subject";
    assert_eq!(
        book.text(lines).await,
        "halt max_daily_loss alpha, max daily loss: 6,000.00 USD of 5,000.00 USD (breach).; \
         resume max_daily_loss a new trading day began"
    );
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn a_second_loss_makes_the_halt_of_the_day_one_that_lasts() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    book.run("SELECT desk.roll_days()").await;
    let halt = format!("'account', '{ALPHA}', 'no_new_orders', 'look into this'");
    verb(&officer, "halt", &halt).await.accepted();
    worth(&book, 94000).await;
    // A person's halt does not stand for that of the rule.
    assert_eq!(book.text(HALTS).await, "by hand, max_daily_loss");
    worth(&book, 89000).await;
    book.run(&format!("SELECT desk.halt_for_loss('{ALPHA}', 'drawdown')")).await;
    assert_eq!(book.text(HALTS).await, "by hand, loss");
}

#[tokio::test]
async fn a_halt_of_any_width_waits_for_the_order_that_is_being_judged() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    let holder = book.database.client().await;
    for target in ["'system', NULL", "'portfolio', 'majors'", "'instrument', 'EUR_USD'"] {
        holder
            .batch_execute(&format!(
                "BEGIN; SELECT FROM accounts WHERE account_id = '{BRAVO}' FOR NO KEY UPDATE"
            ))
            .await
            .unwrap();
        let halt = format!("{target}, 'no_new_orders', 'news'");
        let (answer, waited) = tokio::join!(verb(&officer, "halt", &halt), async {
            book.wait_for_waiters(1).await;
            let waiters = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waited = book.text(waiters).await;
            holder.batch_execute("COMMIT").await.unwrap();
            waited
        });
        answer.accepted();
        assert_eq!(waited, "1", "{target}");
    }
}

#[tokio::test]
async fn one_figure_that_no_column_holds_does_not_stop_the_marks_of_others() {
    let book = Book::open().await;
    let trader = book.trader().await;
    for account in [ALPHA, BRAVO] {
        place(&trader, &Order { account: account.to_owned(), ..buy(dec!(1000)) }).await.accepted();
    }
    book.run(&format!(
        "SELECT desk.mark_to_market(); UPDATE positions SET day_base = 99999999999 WHERE account_id = '{ALPHA}'"
    ))
    .await;
    book.rate("EUR", "USD", dec!(1.2)).await;
    book.run("SELECT desk.mark_to_market()").await;
    let marks = "SELECT string_agg(current_price::text, ' ' ORDER BY account_id) FROM positions";
    assert_eq!(book.text(marks).await, "1.09990 1.20000");
    // Nor does an account that a gain would make too rich.
    book.run(&format!(
        "UPDATE positions SET day_base = 0;
         UPDATE accounts SET current_balance = 9999999999999.99, equity = 1 WHERE account_id = '{ALPHA}'"
    ))
    .await;
    book.rate("EUR", "USD", dec!(1.3)).await;
    book.run("SELECT desk.mark_to_market()").await;
    assert_eq!(book.text(marks).await, "1.30000 1.30000");
}

#[tokio::test]
async fn reducing_what_nothing_can_convert_is_refused_in_words() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.run(&format!(
        "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price)
         VALUES ('{ALPHA}', 'EUR_TRY', 'LONG', 1000, 30)"
    ))
    .await;
    let order = Order {
        instrument: "EUR_TRY".to_owned(),
        price: dec!(31),
        stop: None,
        target: None,
        reason: Some("the broker closed it"),
        ..sell(dec!(1000))
    };
    place(&trader, &order).await.refused("NO_CONVERSION_RATE");
}
