//! `desk.changes_since`: it misses no change of a long transaction, and reports none that is not.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Client;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::verbs::{Verb as _, buy};

/// The new cursor, and the ids that changed by kind; `None` is the whole pane.
async fn since(
    client: &Client,
    cursor: Option<&str>,
) -> (String, BTreeMap<String, Option<Vec<String>>>) {
    let rows = client
        .query("SELECT cursor, kind, ids, server_time FROM desk.changes_since($1)", &[&cursor])
        .await
        .unwrap();
    let (first, rest) = rows.split_first().unwrap();
    assert_eq!(first.try_get::<_, Option<String>>("kind").unwrap(), None);
    let kinds = rest.iter().map(|row| (row.try_get("kind").unwrap(), row.try_get("ids").unwrap()));
    (first.try_get("cursor").unwrap(), kinds.collect())
}

const KINDS: [&str; 10] = [
    "accounts",
    "agents",
    "instruments",
    "positions",
    "risk_events",
    "risk_limits",
    "signals",
    "system_events",
    "trades",
    "trading_halts",
];

#[tokio::test]
async fn a_cursor_returns_what_changed_since_once() {
    let desk = Desk::open().await;
    let (viewer, trader) = (desk.member("viewer", "tmt_viewer").await, desk.trader().await);
    let (cursor, all) = since(&viewer, None).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), KINDS);
    assert!(all.values().all(Option::is_none));
    let (cursor, quiet) = since(&viewer, Some(&cursor)).await;
    assert!(quiet.is_empty());

    let order = buy(1000);
    order.place(&trader).await.accepted();

    let (cursor, changed) = since(&viewer, Some(&cursor)).await;
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["accounts", "positions", "trades"]);
    assert_eq!(changed.get("trades").unwrap(), &Some(vec![order.key().to_string()]));
    assert_eq!(changed.get("accounts").unwrap(), &Some(vec![ALPHA.to_string()]));
    assert!(since(&viewer, Some(&cursor)).await.1.is_empty());
}

#[tokio::test]
async fn a_new_trading_day_changes_its_account() {
    let desk = Desk::open().await;
    let (cursor, _) = since(&desk.admin, None).await;

    desk.roll_days().await;

    let (_, changed) = since(&desk.admin, Some(&cursor)).await;
    let mut accounts = changed.get("accounts").unwrap().clone().unwrap();
    accounts.sort_unstable();
    assert_eq!(accounts, [ALPHA.to_string(), BRAVO.to_string()]);
}

#[tokio::test]
async fn inserts_updates_and_deletes_of_every_kind_are_changes() {
    let desk = Desk::open().await;
    let (mut cursor, _) = since(&desk.admin, None).await;
    for (sql, kinds) in [
        (
            "INSERT INTO agents (agent_id, agent_name, agent_type, config_version, version) VALUES ('x', 'x', 'x', '1', '1')",
            vec!["agents"],
        ),
        ("UPDATE agents SET last_heartbeat = now() WHERE agent_id = 'x'", vec!["agents"]),
        (
            "INSERT INTO system_events (event_type, event_category, severity, event_message) VALUES ('a', 'b', 'info', 'c')",
            vec!["system_events"],
        ),
        ("UPDATE system_events SET processed = true", vec!["system_events"]),
        (
            "INSERT INTO risk_limits (limit_type, limit_scope, limit_value, limit_unit, created_by) VALUES ('x', 'system', 1, 'USD', 'x')",
            vec!["risk_limits"],
        ),
        ("DELETE FROM risk_limits", vec!["risk_limits"]),
        ("UPDATE instruments SET is_tradable = false", vec!["instruments"]),
        (
            "INSERT INTO trading_halts (scope, mode, reason, set_by) VALUES ('system', 'reduce_only', 'x', 'x')",
            vec!["trading_halts"],
        ),
        (
            "INSERT INTO risk_events (event_type, severity, event_source) VALUES ('x', 'info', 'x')",
            vec!["risk_events"],
        ),
        // A lock is not a change, and a quote is one of no pane.
        ("UPDATE accounts SET last_trade_at = last_trade_at", vec![]),
        ("UPDATE fx_rates SET as_of = now()", vec![]),
        ("UPDATE trades SET status = 'closed'", vec![]),
    ] {
        desk.run(sql).await;
        let (next, changed) = since(&desk.admin, Some(&cursor)).await;
        assert_eq!(changed.keys().collect::<Vec<_>>(), kinds, "{sql}");
        assert!(changed.values().all(Option::is_some), "{sql}");
        cursor = next;
    }
}

#[tokio::test]
async fn a_long_transaction_hides_no_change() {
    let desk = Desk::open().await;
    let (slow, mut cursor) = (desk.database.client().await, since(&desk.admin, None).await.0);
    slow.batch_execute(
        "BEGIN; UPDATE accounts SET risk_profile = 'aggressive' WHERE account_name = 'alpha'",
    )
    .await
    .unwrap();

    // Others commit, and the console polls after each.
    for _ in 0..20 {
        desk.run("UPDATE accounts SET equity = equity + 1 WHERE account_name = 'bravo'").await;
        let (next, changed) = since(&desk.admin, Some(&cursor)).await;
        assert_eq!(changed.get("accounts").unwrap().as_ref().unwrap().len(), 1);
        cursor = next;
    }
    slow.batch_execute("COMMIT").await.unwrap();

    let (next, changed) = since(&desk.admin, Some(&cursor)).await;
    assert_eq!(changed.get("accounts").unwrap(), &Some(vec![ALPHA.to_string()]));
    assert!(since(&desk.admin, Some(&next)).await.1.is_empty());
}

#[tokio::test]
async fn a_rolled_back_change_is_not_reported() {
    let desk = Desk::open().await;
    let (other, cursor) = (desk.database.client().await, since(&desk.admin, None).await.0);
    other.batch_execute("BEGIN; UPDATE accounts SET equity = 1; ROLLBACK").await.unwrap();

    assert!(since(&desk.admin, Some(&cursor)).await.1.is_empty());
}

#[tokio::test]
async fn more_than_500_changed_rows_mean_the_whole_pane() {
    let desk = Desk::open().await;
    let (cursor, _) = since(&desk.admin, None).await;
    let many = |n: i32| {
        format!(
            "INSERT INTO agents (agent_id, agent_name, agent_type, config_version, version)
             SELECT gen_random_uuid()::text, 'x', 'x', '1', '1' FROM generate_series(1, {n})"
        )
    };
    desk.run(&many(500)).await;
    let (next, changed) = since(&desk.admin, Some(&cursor)).await;
    assert_eq!(changed.get("agents").unwrap().as_ref().unwrap().len(), 500);
    desk.run(&many(501)).await;
    assert_eq!(since(&desk.admin, Some(&next)).await.1.get("agents").unwrap(), &None);
    assert_eq!(since(&desk.admin, Some(&cursor)).await.1.get("agents").unwrap(), &None);
}

#[tokio::test]
async fn an_invalid_or_old_cursor_reads_everything() {
    let desk = Desk::open().await;
    let (old, _) = since(&desk.admin, None).await;
    for strange in [
        "",
        "1",
        "x:y:",
        "10:1:",
        "0:0:",
        "99999999999999999999:1:",
        "18446744073709551615:18446744073709551615:",
        "5:9:12",
    ] {
        let (cursor, all) = since(&desk.admin, Some(strange)).await;
        assert_eq!(all.len(), KINDS.len(), "{strange}");
        assert!(since(&desk.admin, Some(&cursor)).await.1.is_empty());
    }

    desk.run("UPDATE accounts SET equity = 1").await;
    // A cursor newer than every logged change, in spite of transactions that other tests have open.
    let mut fresh = since(&desk.admin, None).await.0;
    let newest = "(SELECT max(xid) FROM tmt.change_log)";
    while desk.text(&format!("SELECT pg_snapshot_xmin('{fresh}') > {newest}")).await != "true" {
        fresh = since(&desk.admin, None).await.0;
    }
    desk.run("UPDATE tmt.change_log SET at = at - interval '11 minutes'").await;
    until_empty(&desk, || desk.run("SELECT desk.prune_changes()")).await;

    assert_eq!(since(&desk.admin, Some(&old)).await.1.len(), KINDS.len());
    assert!(since(&desk.admin, Some(&fresh)).await.1.is_empty());
}

#[tokio::test]
async fn polling_prunes_the_change_log_except_in_a_read_only_session() {
    let desk = Desk::open().await;
    desk.run("UPDATE tmt.change_log SET at = at - interval '11 minutes'; UPDATE tmt.change_horizon SET pruned_at = '-infinity'").await;
    let viewer = desk.member("viewer", "tmt_viewer").await;
    viewer.batch_execute("SET default_transaction_read_only = on").await.unwrap();
    since(&viewer, None).await;
    assert_ne!(desk.text("SELECT count(*) FROM tmt.change_log").await, "0");

    viewer.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    until_empty(&desk, async || {
        desk.run("UPDATE tmt.change_horizon SET pruned_at = '-infinity'").await;
        since(&viewer, None).await;
    })
    .await;
}

/// Repeats `prune` until the log is empty: it keeps what an older transaction, in any database of
/// the server, may still need.
async fn until_empty(desk: &Desk, prune: impl AsyncFn()) {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while desk.text("SELECT count(*) FROM tmt.change_log").await != "0" {
        assert!(tokio::time::Instant::now() < deadline, "nothing was pruned");
        prune().await;
    }
}

#[tokio::test]
async fn thousands_of_changes_after_one_in_the_same_session_are_fast() {
    let desk = Desk::open().await;
    desk.run(
        "INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size)
         SELECT 'X' || n, 'EUR', 'USD', 0.00001, 0.0001 FROM generate_series(1, 6000) AS n",
    )
    .await;
    desk.run("UPDATE instruments SET description = 'one' WHERE instrument = 'X1'").await;
    // Comparing each row with each other would take half a minute.
    desk.run("SET statement_timeout = '8s'").await;
    desk.run("UPDATE instruments SET description = 'all'").await;
    let note = "SELECT count(*) FROM tmt.change_log WHERE kind = 'instruments' AND id IS NULL";
    assert_eq!(desk.text(note).await, "2");
}
