//! The watch beside others: it waits for nobody, and nobody waits for it without end.

use futures_util::future::join;

use crate::book::{ALPHA, BRAVO, Book, text, verb};
use crate::limits::{LIMIT, long};
use crate::watching::{RAISED, losing, worth};

const STATUS: &str = "SELECT status FROM accounts WHERE account_name = 'alpha'";

#[tokio::test]
async fn a_new_day_and_the_watch_do_not_wait_for_each_other() {
    let book = Book::open().await;
    let trader = book.database.client().await;
    let sentinel = book.database.client().await;
    book.run(&format!(
        "UPDATE accounts SET metadata = metadata || '{{\"risk_rules\": {{\"daily\": {{\"clears\": true, \"base\": \"balance\"}}}}}}'
          WHERE account_id = '{ALPHA}'; SELECT desk.roll_days()"
    ))
    .await;
    worth(&book, 94_000).await;
    book.run("UPDATE performance_metrics SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day'").await;
    // A loss that is a tenth worse: the watch has something to raise.
    book.run("UPDATE accounts SET equity = 93000").await;

    // As the first trade of a day does it.
    trader.batch_execute(&format!("BEGIN; SELECT desk.lock_account('{ALPHA}')")).await.unwrap();
    let new_day = async {
        book.wait_for_waiters(1).await;
        trader
            .batch_execute(&format!("SELECT desk.roll_periods(ARRAY['{ALPHA}'::uuid]); COMMIT"))
            .await
    };
    let (watched, rolled) =
        join(sentinel.batch_execute("SELECT desk.monitor_limits()"), new_day).await;
    watched.unwrap();
    rolled.unwrap();

    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(STATUS).await, "risk_halt");
}

#[tokio::test]
async fn an_account_that_somebody_holds_has_its_turn_later_and_stops_no_other() {
    let book = Book::open().await;
    let trader = book.database.client().await;
    book.run("SELECT desk.roll_days(); UPDATE accounts SET equity = 94000").await;
    book.run("SET statement_timeout = '5s'").await;
    trader.batch_execute(&format!("BEGIN; SELECT desk.lock_account('{ALPHA}')")).await.unwrap();
    let raised = "SELECT string_agg(a.account_name, ' ' ORDER BY a.account_name) FROM risk_events e JOIN accounts a USING (account_id) WHERE e.event_source = 'sentinel'";
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(raised).await, "bravo");
    trader.batch_execute("COMMIT").await.unwrap();
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(raised).await, "alpha bravo");
}

#[tokio::test]
async fn an_account_that_is_held_for_long_is_an_event_until_it_is_free() {
    const RAISED: &str = "SELECT string_agg(format('%s: %s', severity, rtrim(event_data ->> 'message', '0123456789:Z.')), '; ')
        FROM risk_events WHERE resolution_time IS NULL AND event_type = 'limit_not_measured'";
    // As a trade holds it; and as somebody does who forgot to commit.
    for hold in ["FOR NO KEY UPDATE", "FOR UPDATE"] {
        let book = Book::open().await;
        let other = book.database.client().await;
        let second = async || book.run("SELECT desk.mark_to_market(), desk.monitor_limits()").await;
        book.run("SELECT desk.roll_days(); SET statement_timeout = '5s'").await;
        let account = format!("BEGIN; SELECT FROM accounts WHERE account_id = '{ALPHA}' {hold}");
        other.batch_execute(&account).await.unwrap();

        second().await;
        assert_eq!(book.text(RAISED).await, "-", "a second is nothing");
        // Eleven of them, one after the other.
        book.run("UPDATE tmt.locked_accounts SET since = since - interval '11 s'").await;
        second().await;
        assert_eq!(
            book.text(RAISED).await,
            "critical: Limits of alpha are not monitored: another session has locked the account since "
        );
        second().await;
        assert_eq!(book.text("SELECT sum(occurrence_count) FROM risk_events").await, "1");

        other.batch_execute("COMMIT").await.unwrap();
        second().await;
        second().await;
        assert_eq!(book.text(RAISED).await, "-", "it is free");
        assert_eq!(book.text("SELECT count(*) FROM tmt.locked_accounts").await, "0");

        // What was held an hour ago has not been held since.
        book.run(&format!(
            "INSERT INTO tmt.locked_accounts VALUES ('{ALPHA}', now() - interval '1 hour', now() - interval '1 minute')"
        ))
        .await;
        other.batch_execute(&account).await.unwrap();
        second().await;
        assert_eq!(book.text(RAISED).await, "-", "not since then");
        let held = "SELECT since > now() - interval '10 s' FROM tmt.locked_accounts";
        assert_eq!(book.text(held).await, "true");
    }
}

#[tokio::test]
async fn a_loss_that_is_gone_when_the_account_is_free_halts_nobody() {
    let book = Book::open().await;
    let trader = book.database.client().await;
    let sentinel = book.database.client().await;
    book.run("SELECT desk.roll_days()").await;
    book.run(&format!("UPDATE accounts SET equity = 95000 WHERE account_id = '{ALPHA}'")).await;
    trader
        .batch_execute(&format!(
            "BEGIN; UPDATE accounts SET equity = 100000 WHERE account_id = '{ALPHA}'"
        ))
        .await
        .unwrap();
    let (watched, ()) = join(
        sentinel.batch_execute("SELECT desk.monitor_limits()"),
        book.commit_when_awaited(&trader),
    )
    .await;
    watched.unwrap();
    book.run("SELECT desk.monitor_limits()").await;
    assert_eq!(book.text(STATUS).await, "active");
    assert_eq!(book.text("SELECT count(*) FROM trading_halts").await, "0");
}

#[tokio::test]
async fn what_was_seen_is_measured_again_once_the_account_is_held() {
    let book = losing(3000).await;
    // Somebody commits between the look and the lock.
    book.run(
        "ALTER FUNCTION desk.try_lock_account(uuid) RENAME TO take_account;
         CREATE FUNCTION desk.try_lock_account(p_account uuid) RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
             UPDATE accounts SET equity = 100000;
             RETURN desk.take_account(p_account);
         END $$",
    )
    .await;
    worth(&book, 93_000).await;
    assert_eq!(book.text(STATUS).await, "active");
    assert_eq!(book.text(RAISED).await, "-");
}

#[tokio::test]
async fn an_acknowledgement_and_the_watch_do_not_wait_for_each_other() {
    // Whichever of the two events the watch comes to first.
    for order in ["ASC", "DESC"] {
        let (book, _trader) = long().await;
        let (ann, sentinel) = (book.officer("ann").await, book.database.client().await);
        for (limit, value) in [("max_exposure", 1000), ("max_net_exposure", 1000)] {
            let values = format!("'{ALPHA}', '{limit}', 'account', NULL, {value}, 'USD', '{{}}'");
            book.limit(LIMIT, &values).await;
        }
        book.run("SELECT desk.monitor_limits()").await;
        // Both are over.
        book.run(
            "UPDATE risk_limits SET limit_value = 1000000; SELECT desk.monitor_limits();
             UPDATE tmt.limit_states SET since = since - interval '61 s'",
        )
        .await;
        let one = async |n: u32| {
            let event = format!(
                "ARRAY[(SELECT event_id FROM risk_events ORDER BY risk_measure {order} OFFSET {n} LIMIT 1)], 'mine'"
            );
            verb(&ann, "acknowledge", &event).await.accepted();
        };
        ann.batch_execute("BEGIN").await.unwrap();
        one(0).await;
        let acknowledge = async {
            book.wait_for_waiters(1).await;
            one(1).await;
            ann.batch_execute("COMMIT").await.unwrap();
        };
        let (watched, ()) =
            join(sentinel.batch_execute("SELECT desk.monitor_limits()"), acknowledge).await;
        watched.unwrap();
        book.run("SELECT desk.monitor_limits()").await;
        assert_eq!(book.text(RAISED).await, "-");
    }
}

#[tokio::test]
async fn a_step_of_the_watch_ends_with_the_first_account_that_it_takes() {
    let book = Book::open().await;
    let (sentinel, trader) = (book.database.client().await, book.database.client().await);
    book.run("SELECT desk.roll_days(), desk.monitor_limits(); UPDATE accounts SET equity = 94000")
        .await;
    let mut after = "NULL".to_owned();
    for account in [ALPHA, BRAVO] {
        sentinel.batch_execute("BEGIN").await.unwrap();
        let step =
            format!("SELECT changed > 0 AND last = '{account}' FROM desk.monitor_batch({after})");
        assert_eq!(text(&sentinel, &step).await, "true", "{account}");
        // The others are free meanwhile.
        let others =
            format!("SELECT FROM accounts WHERE account_id <> '{account}' FOR UPDATE NOWAIT");
        trader.batch_execute(&others).await.unwrap();
        sentinel.batch_execute("COMMIT").await.unwrap();
        after = format!("'{account}'");
    }
    let last = format!(
        "SELECT changed::text || coalesce(last::text, ', all') FROM desk.monitor_batch({after})"
    );
    assert_eq!(book.text(&last).await, "0, all");
    assert_eq!(book.text("SELECT count(*) FROM trading_halts").await, "2");
}
