//! The monitor of limits and other sessions do not block each other.

use rstest::rstest;

use crate::desk::{ALPHA, BRAVO, Desk, begin, commit, text};
use crate::limits::long;
use crate::monitor::{RAISED, a_day_later, clearing_each_day, equity, losing};
use crate::verbs::{Verb as _, acknowledge, limit};

const STATUS: &str = "SELECT status FROM accounts WHERE account_name = 'alpha'";

#[tokio::test]
async fn the_monitor_does_not_wait_for_a_new_day() {
    let desk = Desk::open().await;
    let (trader, sentinel) = (desk.database.client().await, desk.impatient().await);
    clearing_each_day(&desk).await;
    equity(&desk, 94_000).await;
    a_day_later(&desk).await;
    // The loss is a tenth worse: the monitor has something to raise.
    desk.run("UPDATE accounts SET equity = 93000").await;

    // As the first trade of a day does.
    begin(&trader).await;
    trader.execute("SELECT desk.lock_account($1)", &[&ALPHA.0]).await.unwrap();
    sentinel.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    trader.execute("SELECT desk.roll_periods(ARRAY[$1::uuid])", &[&ALPHA.0]).await.unwrap();
    commit(&trader).await;

    desk.monitor().await;
    assert_eq!(desk.text(STATUS).await, "risk_halt");
}

#[tokio::test]
async fn a_locked_account_is_measured_later_and_delays_no_other() {
    let desk = Desk::open().await;
    let (trader, sentinel) = (desk.database.client().await, desk.impatient().await);
    desk.run("SELECT desk.roll_days(); UPDATE accounts SET equity = 94000").await;
    begin(&trader).await;
    trader.execute("SELECT desk.lock_account($1)", &[&ALPHA.0]).await.unwrap();
    let raised = "SELECT string_agg(a.account_name, ' ' ORDER BY a.account_name)
        FROM risk_events e JOIN accounts a USING (account_id) WHERE e.event_source = 'sentinel'";
    sentinel.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    assert_eq!(desk.text(raised).await, "bravo");
    commit(&trader).await;
    desk.monitor().await;
    assert_eq!(desk.text(raised).await, "alpha bravo");
}

#[rstest]
#[case::by_a_trade("FOR NO KEY UPDATE")]
#[case::by_a_session_that_forgot_to_commit("FOR UPDATE")]
#[tokio::test]
async fn an_account_locked_for_long_is_an_event_until_it_is_free(#[case] lock: &str) {
    const RAISED: &str = "SELECT string_agg(format('%s: %s', severity, rtrim(event_data ->> 'message', '0123456789:Z.')), '; ')
        FROM risk_events WHERE resolution_time IS NULL AND event_type = 'limit_not_measured'";
    let desk = Desk::open().await;
    let (other, sentinel) = (desk.database.client().await, desk.impatient().await);
    let second = async || {
        let work = "SELECT desk.mark_to_market(), desk.monitor_limits()";
        sentinel.batch_execute(work).await.unwrap();
    };
    desk.roll_days().await;
    let lock = async || {
        begin(&other).await;
        let sql = format!("SELECT FROM accounts WHERE account_id = $1 {lock}");
        other.execute(&sql, &[&ALPHA.0]).await.unwrap();
    };
    lock().await;

    second().await;
    assert_eq!(desk.text(RAISED).await, "-", "locked for a moment");
    desk.run("UPDATE tmt.locked_accounts SET since = since - interval '11 s'").await;
    second().await;
    assert_eq!(
        desk.text(RAISED).await,
        "critical: Limits of alpha are not monitored: another session has locked the account since "
    );
    second().await;
    assert_eq!(desk.text("SELECT sum(occurrence_count) FROM risk_events").await, "1");

    commit(&other).await;
    second().await;
    second().await;
    assert_eq!(desk.text(RAISED).await, "-", "it is free");
    assert_eq!(desk.text("SELECT count(*) FROM tmt.locked_accounts").await, "0");

    // A lock that ended a minute ago is not this one.
    let old = "INSERT INTO tmt.locked_accounts
        VALUES ($1, now() - interval '1 hour', now() - interval '1 minute')";
    desk.execute(old, &[&ALPHA.0]).await;
    lock().await;
    second().await;
    assert_eq!(desk.text(RAISED).await, "-");
    let since = "SELECT since > now() - interval '10 s' FROM tmt.locked_accounts";
    assert_eq!(desk.text(since).await, "true");
}

#[tokio::test]
async fn a_loss_that_is_gone_when_the_account_is_free_halts_nothing() {
    let desk = Desk::open().await;
    let (trader, sentinel) = (desk.database.client().await, desk.impatient().await);
    desk.roll_days().await;
    desk.execute("UPDATE accounts SET equity = 95000 WHERE account_id = $1", &[&ALPHA.0]).await;
    begin(&trader).await;
    let sql = "UPDATE accounts SET equity = 100000 WHERE account_id = $1";
    trader.execute(sql, &[&ALPHA.0]).await.unwrap();
    sentinel.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    commit(&trader).await;
    desk.monitor().await;
    assert_eq!(desk.text(STATUS).await, "active");
    assert_eq!(desk.text("SELECT count(*) FROM trading_halts").await, "0");
}

#[tokio::test]
async fn figures_are_measured_again_once_the_account_is_locked() {
    let desk = losing(3000).await;
    // Another session commits after the figures are read and before the account is locked.
    desk.run(
        "ALTER FUNCTION desk.try_lock_account(uuid) RENAME TO take_account;
         CREATE FUNCTION desk.try_lock_account(p_account uuid) RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
             UPDATE accounts SET equity = 100000;
             RETURN desk.take_account(p_account);
         END $$",
    )
    .await;
    equity(&desk, 93_000).await;
    assert_eq!(desk.text(STATUS).await, "active");
    assert_eq!(desk.text(RAISED).await, "-");
}

#[rstest]
#[tokio::test]
async fn the_monitor_does_not_wait_for_an_acknowledgement(
    #[values("ASC", "DESC")] order: &str, // in which the two events are acknowledged
) {
    let (desk, _trader) = long().await;
    let (ann, sentinel) = (desk.officer("ann").await, desk.impatient().await);
    for limit_type in ["max_exposure", "max_net_exposure"] {
        limit(limit_type, 1000, "USD").of(ALPHA).insert(&desk).await;
    }
    desk.monitor().await;
    // Both are over.
    desk.run("UPDATE risk_limits SET limit_value = 1000000").await;
    desk.monitor().await;
    desk.run("UPDATE tmt.limit_states SET since = since - interval '61 s'").await;
    let sql = format!("SELECT event_id FROM risk_events ORDER BY risk_measure {order}");
    let events = desk.ids(&sql).await;
    let one = async |event| acknowledge(&[event]).note("mine").send(&ann).await.accepted();
    let [first, second] = events.try_into().unwrap();
    begin(&ann).await;
    one(first).await;
    sentinel.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    one(second).await;
    commit(&ann).await;
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "-");
}

#[tokio::test]
async fn a_batch_of_the_monitor_ends_with_the_first_account_that_changes() {
    let desk = Desk::open().await;
    let (sentinel, trader) = (desk.database.client().await, desk.database.client().await);
    desk.run("SELECT desk.roll_days(), desk.monitor_limits(); UPDATE accounts SET equity = 94000")
        .await;
    let mut after = None;
    for account in [ALPHA.0, BRAVO.0] {
        begin(&sentinel).await;
        let batch = "SELECT changed > 0 AND last = $1 FROM desk.monitor_batch($2)";
        assert_eq!(text(&sentinel, batch, &[&account, &after]).await, "true", "{account}");
        // The other accounts are free meanwhile.
        let others = "SELECT FROM accounts WHERE account_id <> $1 FOR UPDATE NOWAIT";
        trader.execute(others, &[&account]).await.unwrap();
        commit(&sentinel).await;
        after = Some(account);
    }
    let last = "SELECT changed::text || coalesce(last::text, ', all') FROM desk.monitor_batch($1)";
    assert_eq!(desk.text_of(last, &[&after]).await, "0, all");
    assert_eq!(desk.text("SELECT count(*) FROM trading_halts").await, "2");
}
