//! Typing errors, odd settings and old halts.

use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::rows::position;
use crate::verbs::{
    Answer, Verb as _, amend, buy, change, close, halt, halt_account, halt_instrument,
    halt_portfolio, limit, order, resume, version,
};

const STATUS: &str = "SELECT status FROM accounts WHERE account_name = 'alpha'";
const HALTS: &str = "SELECT string_agg(coalesce(cause, 'by hand'), ', ' ORDER BY set_at) FROM trading_halts WHERE cleared_at IS NULL";

/// Ages every quote by a minute.
async fn age_quotes(desk: &Desk) {
    desk.run("UPDATE fx_rates SET as_of = as_of - interval '1 minute'").await;
}

/// Sets equity and balance of alpha, and measures the limits.
async fn worth(desk: &Desk, amount: u32) {
    let sql = "UPDATE accounts SET equity = $2, current_balance = $2 WHERE account_id = $1";
    desk.execute(sql, &[&ALPHA.0, &Decimal::from(amount)]).await;
    desk.monitor().await;
}

/// Ends the halt set by a rule, or the one set by a person.
async fn end_halt(desk: &Desk, officer: &Client, of_a_rule: bool) -> Answer {
    let sql =
        "SELECT halt_id FROM trading_halts WHERE cleared_at IS NULL AND (cause IS NOT NULL) = $1";
    let halt = desk.text_of(sql, &[&of_a_rule]).await;
    resume(halt).because("looked into it").send(officer).await
}

#[tokio::test]
async fn a_close_far_from_the_market_or_at_a_stale_quote_needs_a_reason() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(3000).place(&trader).await.accepted();
    let position = desk.position().await;
    let confirm = |answer: Answer| answer.refused("CONFIRM_REQUIRED").detail("confirm").to_string();

    let far = close(position).size(1000).at("2.2").send(&trader).await;
    assert_eq!(confirm(far), r#"["PRICE_COLLAR"]"#);
    age_quotes(&desk).await;
    let old = close(position).size(1000).at("1.1").send(&trader).await;
    assert!(old.measured > Some(dec!(60)) && old.allowed == Some(dec!(10)), "{old:?}");
    assert_eq!(confirm(old), r#"["PRICE_STALE"]"#);
    let both = close(position).size(1000).at("2.2").send(&trader).await;
    assert_eq!(confirm(both), r#"["PRICE_COLLAR","PRICE_STALE"]"#);

    // A close at the market has no price to confirm; a reason confirms one.
    let market = close(position).size(1000).send(&trader).await.accepted();
    // In tenths of a second.
    let age: Decimal = market.detail("price_age_seconds").as_str().unwrap().parse().unwrap();
    assert!(age >= dec!(60));
    close(position)
        .size(1000)
        .at("2.2")
        .because("the broker says so")
        .send(&trader)
        .await
        .accepted();
}

#[tokio::test]
async fn nan_is_refused_and_not_read_as_missing() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(3000).place(&trader).await.accepted();
    let position = desk.position().await;
    close(position).size("NaN").send(&trader).await.refused("SIZE_NOT_A_STEP");
    close(position).size(1000).at("NaN").send(&trader).await.refused("PRICE_NOT_A_TICK");
    for levels in [
        amend(position).stop("NaN").target("1.11"),
        amend(position).stop("1.095").target("Infinity"),
        amend(position).stop("1.095").target("1.11").trailing("NaN"),
    ] {
        levels.send(&trader).await.refused("PRICE_NOT_A_TICK");
    }
    buy(1000).target("NaN").place(&trader).await.refused("PRICE_NOT_A_TICK");
    let left = "SELECT concat_ws(' ', status, total_size, stop_loss, take_profit) FROM positions";
    assert_eq!(desk.text(left).await, "open 3000.00 1.09500 1.11000");
}

#[tokio::test]
async fn a_shorter_duplicate_window_needs_a_second_person() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    let window = limit("duplicate_window", 30, "seconds").insert(&desk).await;
    let seen = version(&officer, window).await;
    let proposed = |value: u32| change(window, &seen).value(value).because("because");
    proposed(1).send(&officer).await.accepted_as("PENDING_APPROVAL");
    proposed(60).send(&officer).await.accepted_as("TIGHTENED");

    let level = limit("min_margin_level", 150, "percentage").of(ALPHA).insert(&desk).await;
    let seen = version(&officer, level).await;
    let proposed = |value: &str| change(level, &seen).value(value).because("because");
    proposed("200").warning(160).send(&officer).await.refused("WARNING_INVALID");
    proposed("NaN").send(&officer).await.refused("LIMIT_VALUE_INVALID");
    proposed("200").send(&officer).await.accepted_as("TIGHTENED");
}

#[tokio::test]
async fn an_invalid_reset_time_is_midnight() {
    let desk = Desk::open().await;
    // An endless loop would time out.
    desk.run("SET statement_timeout = '5s'").await;
    for reset in ["17:60", "1 mon", "-1 mon 30 days", "-01:00", "24:00", "99999999999:00", "noon"] {
        desk.run("DELETE FROM performance_metrics").await;
        let rule = "UPDATE accounts SET metadata = metadata
            || jsonb_build_object('risk_day', jsonb_build_object('reset_time', $1::text))";
        desk.execute(rule, &[&reset]).await;
        desk.run("SELECT desk.roll_days(), desk.mark_to_market(), desk.monitor_limits()").await;
        let midnight = "SELECT bool_and(period_start = date_trunc('day', now(), 'UTC')) FROM performance_metrics WHERE period_type = 'daily'";
        assert_eq!(desk.text(midnight).await, "true", "{reset}");
    }
}

#[tokio::test]
async fn resuming_the_last_halt_ends_a_risk_halt() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    desk.roll_days().await;
    worth(&desk, 94000).await;
    assert_eq!(desk.text(STATUS).await, "risk_halt");
    let halt = halt_account(ALPHA, "no_new_orders").because("look into this");
    halt.send(&officer).await.accepted();

    let first = end_halt(&desk, &officer, true).await.accepted();
    assert!(first.message.contains("another halt is in force"), "{first:?}");
    assert_eq!(desk.text(STATUS).await, "risk_halt");
    let last = end_halt(&desk, &officer, false).await.accepted();
    assert_eq!(last.message, "Trading resumed: alpha is active again.");
    assert_eq!(desk.text(STATUS).await, "active");
}

#[tokio::test]
async fn an_account_with_a_negative_balance_stays_in_risk_halt() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    desk.roll_days().await;
    worth(&desk, 94000).await;
    desk.run("UPDATE accounts SET current_balance = -1").await;
    let answer = end_halt(&desk, &officer, true).await.accepted();
    assert!(answer.message.contains("below zero"), "{answer:?}");
    assert_eq!(desk.text(STATUS).await, "risk_halt");
}

#[tokio::test]
async fn halts_set_by_rules_are_in_the_audit() {
    let desk = Desk::open().await;
    for account in ["alpha", "bravo"] {
        desk.metadata(account, r#"{"risk_rules": {"daily": {"clears": true}}}"#).await;
    }
    desk.roll_days().await;
    worth(&desk, 94000).await;
    desk.run(
        "UPDATE performance_metrics SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day';
         SELECT desk.roll_days()",
    )
    .await;
    assert_eq!(desk.text(STATUS).await, "active");
    let lines = "SELECT string_agg(concat_ws(' ', verb, l.payload ->> 'cause', l.payload ->> 'message'), '; ' ORDER BY seq)
        FROM tmt.audit_log l JOIN trading_halts h ON h.halt_id = l.subject";
    assert_eq!(
        desk.text(lines).await,
        "halt max_daily_loss alpha, max daily loss: 6,000.00 USD of 5,000.00 USD (breach).; \
         resume max_daily_loss a new trading day began"
    );
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn a_second_breach_makes_a_daily_halt_permanent() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    desk.roll_days().await;
    let halt = halt_account(ALPHA, "no_new_orders").because("look into this");
    halt.send(&officer).await.accepted();
    worth(&desk, 94000).await;
    // A halt set by a person does not replace that of the rule.
    assert_eq!(desk.text(HALTS).await, "by hand, max_daily_loss");
    worth(&desk, 89000).await;
    desk.execute("SELECT desk.halt_for_loss($1, 'drawdown')", &[&ALPHA.0]).await;
    assert_eq!(desk.text(HALTS).await, "by hand, loss");
}

#[tokio::test]
async fn a_halt_waits_for_orders_that_are_being_checked() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    let holder = desk.database.client().await;
    for halt in [
        halt("system", "no_new_orders"),
        halt_portfolio("majors", "no_new_orders"),
        halt_instrument("EUR_USD", "no_new_orders"),
    ] {
        let hold = "BEGIN; SELECT FROM accounts WHERE account_name = 'bravo' FOR NO KEY UPDATE";
        holder.batch_execute(hold).await.unwrap();
        let (answer, waited) = tokio::join!(halt.send(&officer), desk.commit_when_awaited(&holder));
        answer.accepted();
        assert!(waited, "{halt:?}");
    }
}

#[tokio::test]
async fn a_mark_out_of_range_does_not_stop_other_marks() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    for account in [ALPHA, BRAVO] {
        buy(1000).on(account).place(&trader).await.accepted();
    }
    desk.mark().await;
    let base = "UPDATE positions SET day_base = 99999999999 WHERE account_id = $1";
    desk.execute(base, &[&ALPHA.0]).await;
    desk.rate("EUR", "USD", dec!(1.2)).await;
    desk.mark().await;
    let marks = "SELECT string_agg(current_price::text, ' ' ORDER BY account_id) FROM positions";
    assert_eq!(desk.text(marks).await, "1.09990 1.20000");
    // Nor does an account whose equity would be out of range.
    desk.run(
        "UPDATE positions SET day_base = 0;
         UPDATE accounts SET current_balance = 9999999999999.99, equity = 1 WHERE account_name = 'alpha'",
    )
    .await;
    desk.rate("EUR", "USD", dec!(1.3)).await;
    desk.mark().await;
    assert_eq!(desk.text(marks).await, "1.30000 1.30000");
}

#[tokio::test]
async fn reducing_without_a_conversion_rate_is_refused() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    position(ALPHA).of_instrument("EUR_TRY").long(1000).at(30).insert(&desk.admin).await;
    let closing = order("EUR_TRY").sell(1000).at(31).because("the broker closed it");
    closing.place(&trader).await.refused("NO_CONVERSION_RATE");
}
