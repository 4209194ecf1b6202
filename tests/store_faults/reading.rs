//! Reads that take too long, find no connection, or one that died.

use crate::desk::{Desk, begin, commit};
use crate::requests::{accepted, buy, request};
use crate::{trade, until};
use rust_decimal::dec;
use std::time::Duration;
use tmt::domain::change::Kind;
use tmt::domain::request::Verb;
use tmt::store::{Store, StoreError, Unreachable};

#[tokio::test]
async fn a_slow_read_times_out_and_the_next_one_works() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.read_on_server = Duration::from_millis(200);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    begin(&holder).await;
    holder.execute("LOCK TABLE agents", &[]).await.unwrap();

    let error = store.read(Kind::Agents, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    store.read(Kind::Accounts, None).await.unwrap();
    commit(&holder).await;
    store.read(Kind::Agents, None).await.unwrap();
}

#[tokio::test]
async fn a_read_that_timed_out_is_cancelled_on_the_server() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.read = Duration::from_millis(200);
    options.deadlines.read_on_server = Duration::from_mins(1);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    begin(&holder).await;
    holder.execute("LOCK TABLE agents", &[]).await.unwrap();

    let error = store.read(Kind::Agents, None).await.unwrap_err();

    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    store.read(Kind::Accounts, None).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(|| async { desk.count(waiting).await == 0 }).await;
}

#[tokio::test]
async fn a_read_without_a_free_connection_is_busy() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.wait_to_read = Duration::from_millis(50);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    begin(&holder).await;
    holder.execute("LOCK TABLE agents", &[]).await.unwrap();
    let slow = tokio::spawn({
        let store = store.clone();
        async move { store.read(Kind::Agents, None).await }
    });
    assert!(desk.wait_for_waiters(1).await, "the read did not wait for the table");

    let error = store.read(Kind::Accounts, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(Unreachable::Busy(_))), "{error:?}");
    commit(&holder).await;
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn dead_connections_of_the_pool_are_replaced() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    accepted(store.perform(&trade()).await);
    for kind in Kind::ALL {
        store.read(kind, None).await.unwrap();
    }
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND usename LIKE '%_trader'";
    assert!(desk.admin.execute(end, &[]).await.unwrap() > 1);

    store.read(Kind::Accounts, None).await.unwrap();
    desk.quote().await;
    accepted(store.perform(&request(Verb::Place(buy(dec!(21000))))).await);
}
