//! Reads that take too long, find no connection, or one that died.

use crate::desk::{Desk, accepted, buy, request};
use crate::{trade, until, until_it_waits};
use rust_decimal::dec;
use std::time::Duration;
use tmt::domain::change::Kind;
use tmt::domain::request::Verb;
use tmt::store::{Store, StoreError, Unreachable};

#[tokio::test]
async fn a_read_that_takes_too_long_ends_and_the_next_one_works() {
    let desk = Desk::open().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.read_on_server = Duration::from_millis(200);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE agents").await.unwrap();

    let error = store.read(Kind::Agents, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    store.read(Kind::Accounts, None).await.unwrap();
    holder.batch_execute("COMMIT").await.unwrap();
    store.read(Kind::Agents, None).await.unwrap();
}

#[tokio::test]
async fn a_read_without_an_answer_is_stopped_on_the_server_too() {
    let desk = Desk::open().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.read = Duration::from_millis(200);
    options.deadlines.read_on_server = Duration::from_mins(1);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE agents").await.unwrap();

    let error = store.read(Kind::Agents, None).await.unwrap_err();

    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    store.read(Kind::Accounts, None).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(|| async { desk.count(waiting).await == 0 }).await;
}

#[tokio::test]
async fn reads_that_find_no_free_connection_skip_their_turn() {
    let desk = Desk::open().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.pools.read = 1;
    options.deadlines.wait_to_read = Duration::from_millis(50);
    let store = Store::connect(options);
    let holder = desk.database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE agents").await.unwrap();
    let slow = tokio::spawn({
        let store = store.clone();
        async move { store.read(Kind::Agents, None).await }
    });
    until_it_waits(&desk).await;

    let error = store.read(Kind::Accounts, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(Unreachable::Busy(_))), "{error:?}");
    holder.batch_execute("COMMIT").await.unwrap();
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_that_died_in_the_pool_are_replaced_unseen() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
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
