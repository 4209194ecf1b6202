//! Ways around the rules that somebody found by trying, each closed.

use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::book::{
    ALPHA, BRAVO, Book, Order, Verdict, assess, buy, call, close, find, literal, place, sell,
    sqlstate, verb,
};

/// A limit of 50,000 USD on the exposure of alpha: its id.
async fn exposure(book: &Book, officer: &Client) -> Uuid {
    let limit = format!(
        "'{ALPHA}', 'max_exposure', 'account', NULL, 50000, 'USD', 20000, NULL, NULL, NULL"
    );
    let made = verb(officer, "create_limit", &limit).await.accepted();
    assert_eq!(in_force(book, "clock_timestamp()").await, "50000");
    made.subject.unwrap()
}

/// The values in force at some time.
async fn in_force(book: &Book, at: &str) -> String {
    let sql = format!(
        "SELECT string_agg(trim_scale(limit_value)::text, ' ' ORDER BY limit_value)
           FROM desk.limits_in_force('{ALPHA}', NULL, 'EUR_USD', {at})"
    );
    book.text(&sql).await
}

/// Proposes to change or to end a limit as it is now.
async fn propose(officer: &Client, name: &str, limit: Uuid, change: &str) -> Verdict {
    let seen = format!("(SELECT updated_at FROM risk_limits WHERE limit_id = '{limit}')");
    verb(officer, name, &format!("'{limit}', {seen}, {change}")).await
}

/// Proposes to change a limit, and has it approved.
async fn change(one: &Client, other: &Client, limit: Uuid, change: &str) -> Uuid {
    let proposed = propose(one, "propose_limit", limit, change).await.accepted().subject.unwrap();
    verb(other, "approve_limit", &format!("'{proposed}', NULL")).await.accepted();
    proposed
}

#[tokio::test]
async fn marks_leave_the_positions_of_an_account_alone_while_it_is_traded_on() {
    let book = Book::open().await;
    let (trader, sentinel) = (book.trader().await, book.database.client().await);
    // The same instrument in the same currency on another account, which is free.
    book.run(&format!("UPDATE accounts SET base_currency = 'USD' WHERE account_id = '{BRAVO}'"))
        .await;
    let held = place(&trader, &buy(dec!(10000))).await.accepted();
    place(&trader, &Order { account: BRAVO.to_owned(), ..buy(dec!(1000)) }).await.accepted();
    let position = Uuid::parse_str(held.detail["position_id"].as_str().unwrap()).unwrap();
    book.rate("EUR", "USD", dec!(1.105)).await;

    trader.batch_execute("BEGIN").await.unwrap();
    close(&trader, position, Some(dec!(9000)), None).await.accepted();
    let (marked, ()) = tokio::join!(
        sentinel.batch_execute("SET statement_timeout = '5s'; SELECT desk.mark_to_market()"),
        book.commit_when_awaited(&trader)
    );
    marked.unwrap();

    // What is left of it is worth what it is worth, and not what all of it was.
    let worth = "SELECT string_agg(concat_ws(' ', total_size, unrealized_pnl), '; ' ORDER BY account_id) FROM positions";
    assert_eq!(book.text(worth).await, "1000.00 5.00; 1000.00 5.00");
}

#[tokio::test]
async fn a_mark_is_not_written_over_what_another_program_made_of_a_position() {
    let book = Book::open().await;
    let (trader, writer) = (book.trader().await, book.database.client().await);
    place(&trader, &buy(dec!(10000))).await.accepted();
    book.rate("EUR", "USD", dec!(1.105)).await;
    let sentinel = book.database.client().await;
    // It does not hold the account.
    writer
        .batch_execute("BEGIN; UPDATE positions SET total_size = 1000, cost = 1100, unrealized_pnl = 0, current_price = 1.1")
        .await
        .unwrap();
    let (marked, ()) = tokio::join!(
        sentinel.batch_execute("SELECT desk.mark_to_market()"),
        book.commit_when_awaited(&writer)
    );
    marked.unwrap();
    let worth = "SELECT unrealized_pnl FROM positions";
    assert_eq!(book.text(worth).await, "0.00");
    book.run("SELECT desk.mark_to_market()").await;
    assert_eq!(book.text(worth).await, "5.00");
}

#[tokio::test]
async fn whoever_only_looks_holds_up_nothing_with_a_lock_of_his_own() {
    let book = Book::open().await;
    let viewer = book.member("viewer", "tmt_viewer").await;
    let trader = book.trader().await;
    book.limit(
        "limit_scope, limit_type, limit_value, limit_unit",
        "'system', 'max_exposure', 1000000, 'USD'",
    )
    .await;
    for name in ["risk", "halt", "mark", "roll", "monitor", "prune"] {
        let lock = format!("SELECT pg_advisory_lock(hashtextextended('tmt:{name}', 0))");
        viewer.batch_execute(&lock).await.unwrap();
        let row = format!("SELECT FROM tmt.mutexes WHERE name = '{name}' FOR UPDATE");
        assert!(viewer.batch_execute(&row).await.is_err());
    }

    for session in [&book.admin, &trader] {
        session.batch_execute("SET statement_timeout = '5s'").await.unwrap();
    }
    place(&trader, &buy(dec!(10000))).await.accepted();
    verb(&book.admin, "halt", "'system', NULL, 'reduce_only', 'a drill'").await.accepted();
    book.rate("EUR", "USD", dec!(0.5)).await;
    book.run("SELECT desk.roll_days(), desk.mark_to_market(); SELECT desk.monitor_limits()").await;
    let alpha =
        format!("SELECT equity || ' ' || status FROM accounts WHERE account_id = '{ALPHA}'");
    assert_eq!(book.text(&alpha).await, "94000.00 risk_halt");
}

#[tokio::test]
async fn a_signal_that_only_reduces_is_taken_once_too() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let signal = Uuid::new_v4();
    book.run(&format!(
        "INSERT INTO signals (signal_id, instrument, signal_type, confidence, entry_price, stop_loss, take_profit,
                              risk_reward_ratio, timeframe, agent_id, valid_until)
         VALUES ('{signal}', 'EUR_USD', 'SELL', 0.8, 1.1, 1.105, 1.09, 2, 'H1', 'agent', now() + interval '1 hour')"
    ))
    .await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    place(&trader, &Order { account: BRAVO.to_owned(), ..buy(dec!(1000)) }).await.accepted();

    let reduce = Order { signal: Some(signal), ..sell(dec!(4000)) };
    let reduced = place(&trader, &reduce).await.accepted();
    assert_eq!(reduced.code.as_deref(), Some("REDUCED"));
    place(&trader, &Order { key: Uuid::new_v4(), size: dec!(100), ..reduce.clone() })
        .await
        .refused("SIGNAL_ALREADY_EXECUTED");
    // One that goes through zero counts as a whole.
    let flip = Order { key: Uuid::new_v4(), account: BRAVO.to_owned(), ..reduce };
    place(&trader, &flip).await.accepted();
    let taken = "SELECT string_agg(concat_ws(' ', a.account_name, e.executed_size, t.position_size), '; ' ORDER BY a.account_name)
        FROM signal_executions e JOIN accounts a USING (account_id) LEFT JOIN trades t USING (trade_id)";
    assert_eq!(book.text(taken).await, "alpha 4000.00; bravo 4000.00 3000.00");
    let state =
        "SELECT format('%s %s %s', status, execution_count, total_executed_size) FROM signals";
    assert_eq!(book.text(state).await, "executed 2 8000.00");
}

#[tokio::test]
async fn a_key_answers_for_the_verb_that_it_was_made_for_and_a_request_has_an_end() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));
    place(&trader, &order).await.accepted();
    let flatten = format!(
        "desk.flatten('{}', '{}', now() + interval '1 minute', '{ALPHA}', 'out')",
        order.key, order.fingerprint
    );
    call(&trader, &flatten).await.refused("KEY_REUSED");
    let endless = format!("desk.flatten('{}', '\\x01', NULL, '{ALPHA}', 'out')", Uuid::new_v4());
    call(&trader, &endless).await.refused("EXPIRED_REQUEST");
    assert_eq!(book.text("SELECT count(*) FROM positions WHERE status = 'open'").await, "1");
    let lines =
        "SELECT string_agg(code, ' ' ORDER BY seq) FROM tmt.audit_log WHERE verb = 'flatten'";
    assert_eq!(book.text(lines).await, "KEY_REUSED EXPIRED_REQUEST");
}

#[tokio::test]
async fn a_temporary_limit_that_is_extended_lasts_as_long_as_was_agreed() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let limit = exposure(&book, &ann).await;
    let raised = change(&ann, &bob, limit, "90000, NULL, '2100-01-01', 'today'").await;
    let longer = change(&ann, &bob, raised, "90000, NULL, '2100-01-03', 'and two days more'").await;

    for (at, values) in
        [("clock_timestamp()", "90000"), ("'2100-01-02'", "90000"), ("'2100-01-03'", "50000")]
    {
        assert_eq!(in_force(&book, at).await, values, "{at}");
    }
    // Less of it for one of the days, and the rest as it was.
    propose(&ann, "propose_limit", longer, "80000, NULL, '2100-01-02', NULL").await.accepted();
    for (at, values) in
        [("clock_timestamp()", "80000"), ("'2100-01-02'", "90000"), ("'2100-01-03'", "50000")]
    {
        assert_eq!(in_force(&book, at).await, values, "{at}");
    }
}

#[tokio::test]
async fn a_temporary_limit_that_is_ended_gives_way_to_the_one_behind_it() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let limit = exposure(&book, &ann).await;
    let lower = propose(&ann, "propose_limit", limit, "30000, NULL, '2100-01-01', NULL").await;
    let lower = lower.accepted().subject.unwrap();
    let end = propose(&ann, "retire_limit", lower, "'no need any more'").await.accepted();
    let agreed = format!("'{}', NULL", end.subject.unwrap());
    let agreed = verb(&bob, "approve_limit", &agreed).await.accepted();

    assert_eq!(in_force(&book, "clock_timestamp()").await, "50000");
    assert!(agreed.message.contains("30,000.00 USD -> 50,000.00 USD"), "{}", agreed.message);
    assert_eq!(in_force(&book, "'2100-01-02'").await, "50000");
}

#[tokio::test]
async fn what_comes_back_is_the_limit_that_gave_way() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    // Two of a kind, both changed until the same instant.
    let one = exposure(&book, &ann).await;
    let other =
        format!("'{ALPHA}', 'max_exposure', 'account', NULL, 60000, 'USD', NULL, NULL, NULL, NULL");
    let other = verb(&ann, "create_limit", &other).await.accepted().subject.unwrap();
    let one = change(&ann, &bob, one, "90000, NULL, '2100-01-01', 'today'").await;
    let other = change(&ann, &bob, other, "95000, NULL, '2100-01-01', 'today'").await;
    for (temporary, left) in [(one, "50000 95000"), (other, "50000 60000")] {
        let end = propose(&ann, "retire_limit", temporary, "'done'").await.accepted();
        let agreed = format!("'{}', NULL", end.subject.unwrap());
        verb(&bob, "approve_limit", &agreed).await.accepted();
        assert_eq!(in_force(&book, "clock_timestamp()").await, left);
    }
}

#[tokio::test]
async fn a_turn_that_is_not_there_is_said() {
    let book = Book::open().await;
    book.run("DELETE FROM tmt.mutexes").await;
    for work in ["desk.mark_to_market()", "desk.monitor_batch(NULL)", "desk.roll_days()"] {
        assert_eq!(
            sqlstate(&book.admin, &format!("SELECT {work}")).await.code(),
            "22023",
            "{work}"
        );
    }
}

#[tokio::test]
async fn a_limit_that_never_ends_is_not_waited_for() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    let limit = exposure(&book, &ann).await;
    let lower = propose(&ann, "propose_limit", limit, "30000, NULL, 'infinity', NULL").await;
    let lower = lower.accepted().subject.unwrap();
    // Nothing stands behind it that could be looked for, and changed, in vain.
    assert_eq!(book.text("SELECT count(*) FROM risk_limits WHERE is_active").await, "1");
    propose(&ann, "propose_limit", lower, "20000, NULL, '2100-01-01', NULL").await.accepted();
    assert_eq!(in_force(&book, "'2099-12-31'").await, "20000");
    assert_eq!(in_force(&book, "'2100-01-01'").await, "30000");
}

#[tokio::test]
async fn nobody_is_warned_later_because_of_a_cent_off_the_limit() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    let limit = exposure(&book, &ann).await;
    let later = async |reason: Option<&str>| {
        let values = format!("49999.99, 49999, NULL, {}", literal(reason));
        propose(&ann, "propose_limit", limit, &values).await
    };
    later(None).await.refused("REASON_REQUIRED");
    let pending = later(Some("it rings too often")).await.accepted();
    assert_eq!(pending.code.as_deref(), Some("PENDING_APPROVAL"));
    assert_eq!(in_force(&book, "clock_timestamp()").await, "50000");
    // Warned as early as before, it is a tightening like any.
    let earlier = propose(&ann, "propose_limit", limit, "40000, 20000, NULL, NULL").await;
    assert_eq!(earlier.accepted().code.as_deref(), Some("TIGHTENED"));
}

#[tokio::test]
async fn what_no_column_holds_is_refused_in_words_and_leaves_its_line() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    for (value, unit, code) in [
        ("100000000000", "USD", "LIMIT_VALUE_INVALID"),
        ("1e20", "percentage", "LIMIT_VALUE_INVALID"),
        ("1", "a unit of more than twenty characters", "LIMIT_UNIT_UNKNOWN"),
    ] {
        let limit = format!(
            "'{ALPHA}', 'max_exposure', 'account', NULL, {value}, '{unit}', NULL, NULL, NULL, NULL"
        );
        verb(&ann, "create_limit", &limit).await.refused(code);
    }
    let warned =
        format!("'{ALPHA}', 'max_exposure', 'account', NULL, 1, 'USD', 1e20, NULL, NULL, NULL");
    verb(&ann, "create_limit", &warned).await.refused("WARNING_INVALID");
    assert_eq!(book.text("SELECT count(*) FROM tmt.audit_log").await, "4");
}

#[tokio::test]
async fn the_room_above_a_minimum_is_room() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.limit(
        "limit_scope, limit_type, limit_value, limit_unit",
        "'system', 'min_stop_distance', 20, 'pips'",
    )
    .await;
    for (stop, severity, room) in
        [(dec!(1.095), "info", dec!(30)), (dec!(1.099), "reject", dec!(-10))]
    {
        let lines = assess(&trader, &Order { stop: Some(stop), ..buy(dec!(10000)) }).await;
        let line = find(&lines, "MIN_STOP_DISTANCE");
        assert_eq!((line.severity.as_str(), line.room), (severity, Some(room)));
    }
}

#[tokio::test]
async fn a_stop_is_not_widened_where_a_loss_has_reached_its_limit() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.run("SELECT desk.roll_days()").await;
    let held = place(&trader, &buy(dec!(10000))).await.accepted();
    let position = held.detail["position_id"].as_str().unwrap().to_owned();
    let amend = async |stop: Decimal, reason: Option<&str>| {
        let levels = format!("'{position}', {stop}, NULL, NULL, {}", literal(reason));
        verb(&trader, "amend_position", &levels).await
    };
    let worth = async |equity: u32| {
        book.run(&format!("UPDATE accounts SET equity = {equity} WHERE account_id = '{ALPHA}'"))
            .await;
    };
    // Reached: not yet halted by the watch.
    worth(94_990).await;
    let refused = amend(dec!(1.09), Some("room")).await.refused("MAX_DAILY_LOSS");
    assert_eq!(refused.allowed, Some(dec!(5000)));
    amend(dec!(1.096), None).await.accepted();
    // It would be at the stop: that is worth a reason.
    worth(95_050).await;
    amend(dec!(1.09), None).await.refused("CONFIRM_REQUIRED");
    amend(dec!(1.09), Some("room")).await.accepted();
    // A row of the limits, too.
    worth(98_000).await;
    let limit = format!("'{ALPHA}', 'account', 'max_daily_loss', 1000, 'USD'");
    book.limit("account_id, limit_scope, limit_type, limit_value, limit_unit", &limit).await;
    amend(dec!(1.08), Some("room")).await.refused("MAX_DAILY_LOSS");
}

#[tokio::test]
async fn what_trades_made_is_what_their_positions_made_to_the_cent() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.set("duplicate_window_seconds", "0").await;
    for (n, price) in
        [dec!(1.10001), dec!(1.10003), dec!(1.10004), dec!(1.10009)].iter().enumerate()
    {
        let size = Decimal::from(333 + n);
        place(&trader, &Order { price: *price, ..buy(size) }).await.accepted();
    }
    let position = book.position().await;
    for (size, price) in
        [(dec!(96), dec!(1.09941)), (dec!(219), dec!(1.10024)), (dec!(135), dec!(1.09971))]
    {
        close(&trader, position, Some(size), Some(price)).await.accepted();
    }
    // The rest by an order that goes through zero.
    let flip = Order { price: dec!(1.1005), ..sell(dec!(1000)) };
    place(&trader, &Order { stop: Some(dec!(1.106)), ..flip }).await.accepted();
    let made = "SELECT (SELECT sum(gross_pnl) FROM trades WHERE status = 'closed') = (SELECT sum(realized_pnl) FROM positions)
           AND (SELECT sum(net_pnl) FROM trades WHERE status = 'closed') = (SELECT current_balance - initial_balance FROM accounts WHERE account_name = 'alpha')";
    assert_eq!(book.text(made).await, "true");
    // Of which the last trade closed got what rounding kept apart, and no more than that.
    let apart = "SELECT max(abs(gross_pnl - (exit_price - entry_price) * position_size)) <= 0.03 FROM trades WHERE status = 'closed'";
    assert_eq!(book.text(apart).await, "true");
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn a_limit_whose_scope_names_nothing_is_shown_and_rings() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let one = "limit_type, limit_value, limit_unit, limit_scope, scope_identifier";
    for (scope, words) in [
        ("'instrument', NULL", "on instrument without a name"),
        ("'instrument', 'XAU_USD'", "on instrument XAU_USD"),
        ("'portfolio', 'Majors'", "on portfolio Majors"),
        ("'account', 'charlie'", "on account charlie"),
    ] {
        let limit = book.limit(one, &format!("'max_exposure', 1, 'USD', {scope}")).await;
        let lines = assess(&trader, &buy(dec!(10000))).await;
        let line = find(&lines, "LIMIT_NOT_ENFORCED");
        assert!(line.message.contains(words) && line.severity == "info", "{}", line.message);
        book.set("strict_limits", "true").await;
        place(&trader, &buy(dec!(10000))).await.refused("LIMIT_NOT_ENFORCED");
        book.set("strict_limits", "false").await;
        book.run("SELECT desk.monitor_limits()").await;
        let event = format!(
            "SELECT min(event_type || ' ' || severity) FROM risk_events WHERE related_limit_id = '{limit}' AND event_source = 'sentinel'"
        );
        assert_eq!(book.text(&event).await, "limit_not_measured critical", "{scope}");
        book.run("UPDATE risk_limits SET is_active = false").await;
    }

    // An account may be meant by its name, and then it is the one.
    book.limit(one, "'max_exposure', 1, 'USD', 'account', ' Alpha'").await;
    place(&trader, &buy(dec!(10000))).await.refused("MAX_EXPOSURE");
    place(&trader, &Order { account: BRAVO.to_owned(), ..buy(dec!(10000)) }).await.accepted();
}

#[tokio::test]
async fn a_limit_that_only_orders_meet_rings_as_well_where_nobody_can_judge_it() {
    let book = Book::open().await;
    for (limit, unit, scope) in [
        ("max_daily_trades", "count", "'system', NULL"),
        ("max_order_size", "kilos", "'account', NULL"),
        ("max_order_size", "kilos", "'instrument', 'EUR_USD'"),
        ("bananas", "USD", "'instrument', 'EUR_USD'"),
    ] {
        let one = "limit_type, limit_value, limit_unit, limit_scope, scope_identifier";
        let id = book.limit(one, &format!("'{limit}', 1, '{unit}', {scope}")).await;
        book.run("SELECT desk.monitor_limits()").await;
        let event = format!(
            "SELECT min(event_type || ' ' || severity) FROM risk_events WHERE related_limit_id = '{id}'"
        );
        assert_eq!(book.text(&event).await, "limit_not_measured critical", "{limit}");
    }
}
