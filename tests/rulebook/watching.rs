//! The watch over what is open: what it raises, once, and what ends it.

use crate::book::{ALPHA, BRAVO, Book, Order, place, verb};
use crate::limits::{LIMIT, long, sized};

/// What the watch has raised: severity, type and how often, by age.
pub(crate) const RAISED: &str = "SELECT string_agg(concat_ws(' ', severity, event_type, occurrence_count, CASE WHEN acknowledged THEN 'owned' ELSE 'free' END), '; ' ORDER BY occurred_at)
    FROM risk_events WHERE event_source = 'sentinel' AND resolution_time IS NULL";

#[tokio::test]
async fn the_watch_rings_once_per_step_and_ends_what_is_over() {
    let (book, _trader) = long().await;
    let id = book
        .limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 12500, 'USD', '{{}}'"))
        .await;
    let watch = async || book.text("SELECT desk.monitor_limits()").await;
    let state = format!("SELECT state FROM tmt.limit_states WHERE limit_id = '{id}'");
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
    book.run("UPDATE tmt.limit_states SET since = since - interval '61 s'").await;
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
    book.run("SELECT desk.monitor_limits()").await;
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
    book.run("SELECT desk.monitor_limits(); SELECT desk.monitor_limits()").await;
    assert_eq!(
        book.text(RAISED).await,
        "critical limit_not_measured 1 free; critical limit_not_measured 1 free"
    );
    book.run("UPDATE positions SET unrealized_pnl = -100, current_price = 1.09").await;
    book.run("SELECT desk.monitor_limits()").await;
    assert!(book.text(RAISED).await.ends_with("critical limit_breach 1 free"));
}

#[tokio::test]
async fn what_rang_for_a_limit_that_was_replaced_is_over() {
    let (book, _trader) = long().await;
    let ann = book.officer("ann").await;
    book.set("four_eyes", "off").await;
    let id = book
        .limit(LIMIT, &format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD', '{{}}'"))
        .await;
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "critical limit_breach 1 free");
    let version = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{id}')");
    verb(&ann, "propose_limit", &format!("'{id}', {version}, 100000, NULL, NULL, 'room'"))
        .await
        .accepted();
    assert_eq!(book.text(RAISED).await, "-");
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "-");
}

/// Emergencies that the watch raised, open or not: severity, how often, limit, whether it is over.
pub(crate) const LOSSES: &str = "SELECT string_agg(concat_ws(' ', severity, occurrence_count, limit_value::bigint, CASE WHEN resolution_time IS NULL THEN 'open' ELSE 'over' END), '; ' ORDER BY occurred_at)
    FROM risk_events WHERE event_source = 'sentinel' AND severity = 'emergency'";

/// Lets a minute and a bit go by, and the limits be watched.
pub(crate) async fn a_minute_later(book: &Book) {
    book.run("UPDATE tmt.limit_states SET since = since - interval '61 s'").await;
    book.run("SELECT desk.monitor_limits()").await;
}

/// Sets what alpha is worth, and lets the limits be watched.
pub(crate) async fn worth(book: &Book, amount: u32) {
    book.run(&format!("UPDATE accounts SET equity = {amount} WHERE account_id = '{ALPHA}'")).await;
    book.run("SELECT desk.monitor_limits()").await;
}

/// A desk whose day began, with a limit on alpha's loss beside the account's own 5,000.
pub(crate) async fn losing(limit: u32) -> Book {
    let book = Book::open().await;
    book.run("SELECT desk.roll_days()").await;
    let values = format!("'{ALPHA}', 'max_daily_loss', 'account', NULL, {limit}, 'USD', '{{}}'");
    book.limit(LIMIT, &values).await;
    book
}

#[tokio::test]
async fn one_loss_is_one_event_whichever_rules_it_reaches() {
    // The same figure twice, and a row that is tighter or wider than the account's own column.
    for (limit, tighter) in [(5000, 5000), (3000, 3000), (6000, 5000)] {
        let book = losing(limit).await;
        worth(&book, 93_000).await;
        assert_eq!(book.text(LOSSES).await, format!("emergency 1 {tighter} open"));
        worth(&book, 93_000).await;
        assert_eq!(book.text(LOSSES).await, format!("emergency 1 {tighter} open"), "nothing moved");
        // A further tenth of the limit rings once, not once per rule.
        worth(&book, 92_000).await;
        assert_eq!(book.text(LOSSES).await, format!("emergency 2 {tighter} open"));
        assert_eq!(book.text("SELECT count(*) FROM trading_halts").await, "1");
    }
    // Reached one after the other it is the same event, and the tighter limit stays in it.
    let book = losing(3000).await;
    worth(&book, 96_900).await;
    worth(&book, 95_000).await;
    assert_eq!(book.text(LOSSES).await, "emergency 2 3000 open");
}

#[tokio::test]
async fn an_event_of_several_rules_is_over_when_all_of_them_are_well() {
    let book = losing(3000).await;
    worth(&book, 93_000).await;
    // 3,900 is nothing to the account's own rule any more, and past the row.
    worth(&book, 96_100).await;
    a_minute_later(&book).await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 3000 open");
    // Within 5 % of the warning of the row.
    worth(&book, 97_700).await;
    a_minute_later(&book).await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 3000 open");
    worth(&book, 99_000).await;
    assert_eq!(
        book.text(LOSSES).await,
        "emergency 1 3000 open",
        "not before it was clear for a minute"
    );
    a_minute_later(&book).await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 3000 over");
    // Again is a new incident.
    worth(&book, 93_000).await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 3000 over; emergency 1 3000 open");
}

#[tokio::test]
async fn an_event_ends_with_the_limit_that_ran_out() {
    let (book, _trader) = long().await;
    let ann = book.officer("ann").await;
    let values = format!(
        "'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD', NULL, now() + interval '1 hour', NULL, 'today'"
    );
    let made = verb(&ann, "create_limit", &values).await.accepted();
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "critical limit_breach 1 free");
    book.run(&format!(
        "UPDATE risk_limits SET effective_from = now() - interval '2 h', effective_until = now() - interval '1 s' WHERE limit_id = '{}'",
        made.subject.unwrap()
    ))
    .await;
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "-");
    assert_eq!(
        book.text("SELECT count(*) FROM tmt.limit_states WHERE state = 'breach'").await,
        "0"
    );
}

#[tokio::test]
async fn what_can_be_judged_again_is_no_event_any_more() {
    let book = Book::open().await;
    let id = book
        .limit(
            LIMIT,
            &format!("'{ALPHA}', 'max_daily_loss', 'account', NULL, 5, 'furlongs', '{{}}'"),
        )
        .await;
    book.run("SELECT desk.roll_days()").await;
    worth(&book, 93_000).await;
    assert_eq!(
        book.text(RAISED).await,
        "emergency limit_breach 1 free; critical limit_not_measured 1 free"
    );
    book.run(&format!("UPDATE risk_limits SET limit_unit = 'percentage' WHERE limit_id = '{id}'"))
        .await;
    book.run("SELECT desk.monitor_limits()").await;
    a_minute_later(&book).await;
    assert_eq!(book.text(RAISED).await, "emergency limit_breach 1 free");
}

#[tokio::test]
async fn a_drawdown_stays_until_it_was_acknowledged_and_its_halt_resumed() {
    for acknowledged_first in [true, false] {
        let book = Book::open().await;
        let ann = book.officer("ann").await;
        book.run("UPDATE accounts SET max_daily_loss = 90000; SELECT desk.roll_days()").await;
        worth(&book, 89_000).await;
        worth(&book, 100_000).await;
        a_minute_later(&book).await;
        assert_eq!(book.text(LOSSES).await, "emergency 1 10000 open", "it latches");
        let (event, halt) = (
            book.text("SELECT event_id FROM risk_events WHERE event_source = 'sentinel'").await,
            book.text("SELECT halt_id FROM trading_halts").await,
        );
        let acknowledge = async || {
            let arguments = format!("ARRAY['{event}'::uuid], 'spoke to the trader'");
            verb(&ann, "acknowledge", &arguments).await.accepted();
        };
        let resume = async || {
            verb(&ann, "resume", &format!("'{halt}', 'looked into it'")).await.accepted();
        };
        if acknowledged_first {
            acknowledge().await;
        } else {
            resume().await;
        }
        a_minute_later(&book).await;
        assert_eq!(book.text(LOSSES).await, "emergency 1 10000 open");
        if acknowledged_first {
            resume().await;
        } else {
            acknowledge().await;
        }
        a_minute_later(&book).await;
        assert_eq!(book.text(LOSSES).await, "emergency 1 10000 over");
        let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
        assert_eq!(book.text(status).await, "active");
    }
}

#[tokio::test]
async fn the_loss_of_a_new_day_is_another_event() {
    let book = Book::open().await;
    book.run(&format!(
        "UPDATE accounts SET metadata = metadata || '{{\"risk_rules\": {{\"daily\": {{\"clears\": true, \"base\": \"balance\"}}}}}}'
          WHERE account_id = '{ALPHA}'; SELECT desk.roll_days()"
    ))
    .await;
    worth(&book, 94_000).await;
    book.run("UPDATE risk_events SET acknowledged = true").await;
    book.run("UPDATE performance_metrics SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day'").await;
    book.run("SELECT desk.roll_days(); SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 5000 over; emergency 1 5000 open");
}

#[tokio::test]
async fn an_acknowledgement_is_good_for_a_time_and_what_nobody_takes_is_passed_on() {
    let (book, _trader) = long().await;
    let limit =
        |value| format!("'{ALPHA}', 'max_exposure', 'account', NULL, {value}, 'USD', '{{}}'");
    book.limit(LIMIT, &limit(1000)).await;
    book.run("SELECT desk.monitor_limits()").await;
    let acts = "SELECT string_agg(action || coalesce(': ' || note, ''), '; ' ORDER BY action_id) FROM risk_event_actions";
    let age = async |what: &str, minutes: u32| {
        book.run(&format!("ALTER TABLE risk_event_actions DISABLE TRIGGER USER; {what} - interval '{minutes} minutes'; ALTER TABLE risk_event_actions ENABLE TRIGGER USER; SELECT desk.monitor_limits()")).await;
        book.text(acts).await
    };
    let waits = "UPDATE risk_event_actions SET at = at";
    assert_eq!(age(waits, 14).await, "raised");
    let first = "raised; escalated: to the senior trader and the risk officers";
    assert_eq!(age(waits, 1).await, first);
    assert_eq!(age(waits, 5).await, first, "once");
    let second = format!("{first}; escalated: to the head of risk");
    assert_eq!(age(waits, 10).await, second);

    let ann = book.officer("ann").await;
    let arguments = "ARRAY(SELECT event_id FROM risk_events), 'mine'";
    verb(&ann, "acknowledge", arguments).await.accepted();
    let owned = format!("{second}; acknowledged: mine");
    let given = "UPDATE risk_events SET acknowledged_at = acknowledged_at";
    assert_eq!(age(given, 29).await, owned);
    assert_eq!(age(given, 2).await, format!("{owned}; reraised: acknowledged, but not resolved"));
    assert_eq!(book.text(RAISED).await, "critical limit_breach 1 free");
    // What is over is nobody's to take again.
    verb(&ann, "acknowledge", arguments).await.accepted();
    book.run("UPDATE risk_limits SET limit_value = 100000").await;
    book.run("SELECT desk.monitor_limits()").await;
    age(given, 31).await;
    assert_eq!(book.text(RAISED).await, "critical limit_breach 1 owned");
}
