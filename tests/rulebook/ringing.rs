//! What an event of the watch says as time goes by, who may end it, and when it comes back.

use crate::book::{ALPHA, Book, assess, find, sqlstate, verb};
use crate::limits::{LIMIT, long, sized};
use crate::watching::{LOSSES, RAISED, losing, worth};

/// What happened to events of the watch, in order.
const ACTS: &str = "SELECT string_agg(a.action || coalesce(': ' || a.note, ''), '; ' ORDER BY a.action_id)
    FROM risk_event_actions a JOIN risk_events e USING (event_id) WHERE e.event_source = 'sentinel'";

/// Lets some minutes go by for all that happened to events, and the limits be watched.
async fn minutes_later(book: &Book, minutes: u32) {
    book.run(&format!(
        "ALTER TABLE risk_event_actions DISABLE TRIGGER USER;
         UPDATE risk_event_actions SET at = at - interval '{minutes} minutes';
         ALTER TABLE risk_event_actions ENABLE TRIGGER USER;
         UPDATE risk_events SET acknowledged_at = acknowledged_at - interval '{minutes} minutes';
         SELECT desk.monitor_limits()"
    ))
    .await;
}

/// A desk on which alpha may lose 5,000 a day, counted from its balance, and a new day ends the halt.
async fn clearing() -> Book {
    let book = Book::open().await;
    book.run(&format!(
        "UPDATE accounts SET metadata = metadata || '{{\"risk_rules\": {{\"daily\": {{\"clears\": true, \"base\": \"balance\"}}}}}}'
          WHERE account_id = '{ALPHA}'; SELECT desk.roll_days()"
    ))
    .await;
    book
}

/// Lets the day end, and the next one begin.
async fn a_new_day(book: &Book) {
    book.run(
        "UPDATE performance_metrics SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day';
         SELECT desk.roll_days()",
    )
    .await;
}

#[tokio::test]
async fn a_warning_that_becomes_a_breach_is_passed_on_from_then() {
    let (book, _trader) = long().await;
    let values = format!("'{ALPHA}', 'max_exposure', 'account', NULL, 12500, 'USD', '{{}}'");
    book.limit(LIMIT, &values).await;
    book.run("SELECT desk.monitor_limits()").await;
    minutes_later(&book, 60).await;
    book.run("UPDATE risk_limits SET limit_value = 10000").await;
    book.run("SELECT desk.monitor_limits()").await;
    let grave = "raised; reraised: critical, was warning";
    assert_eq!(book.text(ACTS).await, grave);
    minutes_later(&book, 14).await;
    assert_eq!(book.text(ACTS).await, grave);
    minutes_later(&book, 1).await;
    assert_eq!(
        book.text(ACTS).await,
        format!("{grave}; escalated: to the senior trader and the risk officers")
    );
}

#[tokio::test]
async fn an_acknowledgement_of_an_emergency_is_good_for_ten_minutes_and_of_a_warning_for_four_hours()
 {
    for (equity, minutes, raised) in
        [(94_000, 10, "emergency limit_breach"), (95_500, 240, "warning limit_warning")]
    {
        let book = Book::open().await;
        let ann = book.officer("ann").await;
        book.run("SELECT desk.roll_days()").await;
        worth(&book, equity).await;
        assert_eq!(book.text(RAISED).await, format!("{raised} 1 free"));
        let arguments = "ARRAY(SELECT event_id FROM risk_events), 'mine'";
        verb(&ann, "acknowledge", arguments).await.accepted();
        minutes_later(&book, minutes - 1).await;
        assert_eq!(book.text(RAISED).await, format!("{raised} 1 owned"), "{minutes}");
        minutes_later(&book, 1).await;
        assert_eq!(book.text(RAISED).await, format!("{raised} 1 free"), "{minutes}");
    }
}

#[tokio::test]
async fn what_is_given_back_waits_from_then() {
    let (book, _trader) = long().await;
    let ann = book.officer("ann").await;
    let values = format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD', '{{}}'");
    book.limit(LIMIT, &values).await;
    book.run("SELECT desk.monitor_limits()").await;
    let arguments = "ARRAY(SELECT event_id FROM risk_events), 'mine'";
    verb(&ann, "acknowledge", arguments).await.accepted();
    minutes_later(&book, 20).await;
    let arguments = "(SELECT event_id FROM risk_events), 'not mine'";
    verb(&ann, "unacknowledge", arguments).await.accepted();
    minutes_later(&book, 14).await;
    let given = "raised; acknowledged: mine; unacknowledged: not mine";
    assert_eq!(book.text(ACTS).await, given);
    minutes_later(&book, 1).await;
    assert_eq!(
        book.text(ACTS).await,
        format!("{given}; escalated: to the senior trader and the risk officers")
    );
}

#[tokio::test]
async fn an_unjudged_limit_comes_back_where_it_was_a_loss_before() {
    let book = losing(3000).await;
    let ann = book.officer("ann").await;
    worth(&book, 96_000).await;
    assert_eq!(book.text(RAISED).await, "emergency limit_breach 1 free");
    book.run("UPDATE risk_limits SET limit_unit = 'furlongs'; SELECT desk.monitor_limits()").await;
    let not_judged = "SELECT acknowledged FROM risk_events WHERE event_type = 'limit_not_measured'";
    let arguments =
        "ARRAY(SELECT event_id FROM risk_events WHERE event_type = 'limit_not_measured'), 'mine'";
    verb(&ann, "acknowledge", arguments).await.accepted();
    minutes_later(&book, 29).await;
    assert_eq!(book.text(not_judged).await, "true");
    minutes_later(&book, 2).await;
    assert_eq!(book.text(not_judged).await, "false");
}

#[tokio::test]
async fn a_new_day_rings_and_halts_where_the_halt_of_the_day_before_was_resumed() {
    let book = clearing().await;
    let ann = book.officer("ann").await;
    worth(&book, 94_000).await;
    let halt = book.text("SELECT halt_id FROM trading_halts").await;
    verb(&ann, "resume", &format!("'{halt}', 'looked into it'")).await.accepted();
    a_new_day(&book).await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 5000 over");
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(LOSSES).await, "emergency 1 5000 over; emergency 1 5000 open");
    let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(book.text(status).await, "risk_halt");
}

#[tokio::test]
async fn a_warning_of_the_day_before_rings_again_on_the_new_one() {
    let book = clearing().await;
    let values = format!(
        "'{ALPHA}', 'max_daily_loss', 'account', NULL, 7000, 'USD', '{{\"base\": \"balance\"}}'"
    );
    book.limit(LIMIT, &values).await;
    worth(&book, 94_000).await;
    a_new_day(&book).await;
    assert_eq!(book.text(RAISED).await, "-");
    // The rule that was in breach is wider from now on: the other one still warns.
    book.run("UPDATE accounts SET max_daily_loss = 90000; SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "warning limit_warning 1 free");
}

#[tokio::test]
async fn an_event_says_the_figures_of_a_rule_that_is_in_force() {
    let book = losing(3000).await;
    let ann = book.officer("ann").await;
    book.set("four_eyes", "off").await;
    worth(&book, 93_000).await;
    let says = "SELECT concat_ws(', ', event_data ->> 'message', current_value::bigint, limit_value::bigint,
            (SELECT is_active FROM risk_limits l WHERE l.limit_id = related_limit_id))
        FROM risk_events WHERE event_source = 'sentinel'";
    let sentence =
        |limit: &str| format!("alpha, max daily loss: 7,000.00 USD of {limit} USD (breach).");
    assert_eq!(book.text(says).await, format!("{}, 7000, 3000, t", sentence("3,000.00")));
    let arguments = "(SELECT limit_id FROM risk_limits), (SELECT updated_at FROM risk_limits), 50000, NULL, NULL, 'room'";
    verb(&ann, "propose_limit", arguments).await.accepted();
    book.run("SELECT desk.monitor_limits(), desk.monitor_limits()").await;
    assert_eq!(book.text(says).await, format!("{}, 7000, 5000", sentence("5,000.00")));
    assert_eq!(book.text(LOSSES).await, "emergency 1 5000 open", "that is no news");
    assert_eq!(book.text(ACTS).await, format!("raised; note: {}", sentence("5,000.00")));
}

#[tokio::test]
async fn the_events_of_an_account_that_is_closed_are_over() {
    let (book, _trader) = long().await;
    let values = format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1000, 'USD', '{{}}'");
    book.limit(LIMIT, &values).await;
    book.run("SELECT desk.roll_days()").await;
    worth(&book, 94_000).await;
    assert_eq!(
        book.text(RAISED).await,
        "critical limit_breach 1 free; emergency limit_breach 1 free"
    );
    book.run("UPDATE accounts SET status = 'closed' WHERE account_name = 'alpha'; SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(RAISED).await, "-");
    let left = format!("SELECT count(*) FROM tmt.limit_states WHERE account_id = '{ALPHA}'");
    assert_eq!(book.text(&left).await, "0");
}

#[tokio::test]
async fn an_account_that_cannot_be_measured_is_an_event_and_stops_no_other() {
    let (book, _trader) = long().await;
    book.run("SELECT desk.roll_days(); UPDATE accounts SET equity = 94000").await;
    // A fault of the rulebook that only alpha meets.
    book.run(
        "ALTER FUNCTION desk.account_rules(desk.order_context) RENAME TO rules;
         CREATE FUNCTION desk.account_rules(o desk.order_context) RETURNS desk.limit_measurement[] LANGUAGE plpgsql STABLE AS $$
         BEGIN
             PERFORM 1 / CASE o.account_name WHEN 'alpha' THEN 0 ELSE 1 END;
             RETURN desk.rules(o);
         END $$",
    )
    .await;
    book.run("SELECT desk.monitor_limits(); SELECT desk.monitor_limits()").await;
    let raised = "SELECT string_agg(concat_ws(' ', a.account_name, e.event_type, e.occurrence_count), '; ' ORDER BY a.account_name)
        FROM risk_events e JOIN accounts a USING (account_id) WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL";
    assert_eq!(book.text(raised).await, "alpha limit_not_measured 1; bravo limit_breach 1");
    let says = "SELECT string_agg(event_data ->> 'message', '; ') FROM risk_events WHERE event_type = 'limit_not_measured' AND resolution_time IS NULL";
    assert_eq!(book.text(says).await, "Limits of alpha are not monitored: division by zero.");
    book.run(
        "DROP FUNCTION desk.account_rules; ALTER FUNCTION desk.rules(desk.order_context) RENAME TO account_rules;
         SELECT desk.monitor_limits()",
    )
    .await;
    assert_eq!(book.text(raised).await, "alpha limit_breach 1; bravo limit_breach 1");

    // The same over several accounts.
    book.limit(LIMIT, "NULL, 'max_exposure', 'system', NULL, 50, 'percentage', '{}'").await;
    book.run(
        "ALTER FUNCTION desk.scope_equity RENAME TO hidden;
         CREATE FUNCTION desk.scope_equity(o desk.order_context, l risk_limits, p_place text) RETURNS numeric LANGUAGE plpgsql STABLE AS
             $$ BEGIN RETURN 1 / 0; END $$",
    )
    .await;
    book.run("SELECT desk.monitor_limits(); SELECT desk.monitor_limits()").await;
    assert_eq!(
        book.text(says).await,
        "Limits of several accounts are not monitored: division by zero."
    );
    book.run(
        "DROP FUNCTION desk.scope_equity; ALTER FUNCTION desk.hidden RENAME TO scope_equity;
         SELECT desk.monitor_limits()",
    )
    .await;
    assert_eq!(book.text(says).await, "-");
}

#[tokio::test]
async fn another_program_raises_and_ends_no_event_of_the_watch() {
    let book = losing(3000).await;
    let (agent, other) =
        (book.member("agent", "tmt_agent").await, book.member("other", "tmt_agent").await);
    let raise = |source: &str, key: &str| {
        format!(
            "SELECT desk.raise_event('{ALPHA}', 'x', 'warning', '{source}', NULL, NULL, NULL, '{key}', NULL, NULL, NULL, NULL)"
        )
    };
    for key in ["loss:max_daily_loss:x", "limit:x"] {
        assert_eq!(sqlstate(&agent, &raise("sentinel", key)).await.code(), "22023");
    }
    // Also where the sentinel has the agent's login.
    book.run("UPDATE accounts SET equity = 92000 WHERE account_name = 'alpha'").await;
    agent.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    agent.batch_execute(&raise("desk", "halt:x")).await.unwrap();
    agent.batch_execute(&raise("feed", "mine")).await.unwrap();
    for key in [&*format!("loss:max_daily_loss:{ALPHA}"), "halt:x"] {
        let clear = format!("SELECT desk.clear_event('{key}')");
        assert_eq!(sqlstate(&agent, &clear).await.code(), "42501", "{key}");
    }
    assert_eq!(sqlstate(&other, "SELECT desk.clear_event('mine')").await.code(), "42501");
    agent
        .batch_execute("SELECT desk.clear_event('mine'), desk.clear_event('nothing')")
        .await
        .unwrap();
    let open = "SELECT string_agg(DISTINCT event_source, ' ') FROM risk_events WHERE resolution_time IS NULL";
    assert_eq!(book.text(open).await, "desk sentinel");
}

#[tokio::test]
async fn trades_are_counted_in_every_spelling_of_their_instrument() {
    let (book, _trader) = long().await;
    for account in [format!("'{ALPHA}'"), "NULL".to_owned()] {
        book.run("DELETE FROM risk_limits").await;
        book.limit(
            LIMIT,
            &format!("{account}, 'max_daily_trades', 'instrument', 'EUR_USD', 10, 'count', '{{}}'"),
        )
        .await;
        for (stored, counted) in
            [("'EUR_USD'", 2), ("'EURUSD'", 2), ("'eur/usd'", 2), ("NULL", 2), ("'USD_JPY'", 1)]
        {
            book.run(&format!("UPDATE trade_registry SET instrument = {stored}")).await;
            let lines = assess(&book.admin, &sized(1000)).await;
            assert_eq!(
                find(&lines, "MAX_DAILY_TRADES").measured,
                Some(counted.into()),
                "{account} {stored}"
            );
        }
    }
}
