//! The store against a PostgreSQL that is away, silent, full, or breaks off in the middle. Whatever
//! happens, what the store says of a write is what the database says later.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]
#![expect(clippy::panic, reason = "a fixture that cannot be set up fails its test")]

#[path = "store_faults/connecting.rs"]
mod connecting;
#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "store_faults/encryption.rs"]
mod encryption;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "store_faults/reading.rs"]
mod reading;
#[path = "support/requests.rs"]
mod requests;

use desk::{Desk, WARNING, begin, commit};
use proxy::{Fault, Proxy};
use requests::{accepted, buy, refused, request, unknown};
use rust_decimal::dec;
use std::time::Duration;
use tmt::domain::code::Code;
use tmt::domain::outcome::Outcome;
use tmt::domain::request::{Request, Verb};
use tmt::local::Postgres;
use tmt::store::{Options, Store, StoreError, Unreachable};
use tokio::time::Instant;

/// Repeats a question until the answer is yes.
async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn trade() -> Request {
    request(Verb::Place(buy(dec!(20000))))
}

/// A desk, and a trader whose connections lead through a proxy.
async fn through_proxy() -> (Desk, Proxy, Store) {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write = Duration::from_millis(1500);
    let (proxy, options) = Proxy::open(options).await;
    (desk, proxy, Store::connect(options))
}

fn key(request: &Request) -> Vec<u8> {
    request.key.0.as_bytes().to_vec()
}

// ---- a write whose answer is lost -------------------------------------------------------------

#[tokio::test]
async fn a_write_cut_before_it_arrived_is_unknown_and_then_not_executed() {
    let (desk, proxy, store) = through_proxy().await;
    let trade = trade();
    proxy.fail(Fault::CutBefore(key(&trade)));

    unknown(store.perform(&trade).await);
    proxy.fail(Fault::None);

    assert_eq!(refused(store.resolve(&trade).await).code, Code::NotExecuted);
    assert_eq!(
        refused(store.perform(&trade).await).code,
        Code::Fenced,
        "a late copy is turned away"
    );
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_write_cut_after_it_arrived_is_unknown_and_then_accepted() {
    let (desk, proxy, store) = through_proxy().await;
    let trade = trade();
    proxy.fail(Fault::CutAfter(key(&trade)));

    unknown(store.perform(&trade).await);
    proxy.fail(Fault::None);

    assert_eq!(accepted(store.resolve(&trade).await).subject, Some(trade.key.0));
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_within_its_deadline() {
    let (desk, proxy, store) = through_proxy().await;
    let trade = trade();
    accepted(store.perform(&request(Verb::Place(buy(dec!(1000))))).await);
    proxy.fail(Fault::BlackHole(key(&trade)));

    let sent = Instant::now();
    unknown(store.perform(&trade).await);
    assert!(sent.elapsed() < Duration::from_secs(4), "{:?}", sent.elapsed());
    let still = store.resolve(&trade);
    proxy.fail(Fault::None);

    accepted(still.await);
    assert_eq!(desk.trades().await, 2);
}

/// Wherever the connection breaks, there is at most one trade, and the answer about it is true.
#[tokio::test]
async fn the_outcome_is_true_wherever_the_connection_is_cut() {
    let (desk, proxy, store) = through_proxy().await;
    let mut expected = 0;
    for cut in (0..600).step_by(29) {
        for fault in [Fault::CutRequest, Fault::CutAnswer] {
            desk.quote().await;
            let mut twin = buy(dec!(1000));
            twin.reason = Some("one of many".to_owned());
            let trade = request(Verb::Place(twin));
            proxy.fail(fault(key(&trade), cut));
            let first = store.perform(&trade).await;
            proxy.fail(Fault::None);
            let settled = store.resolve(&trade).await;

            match (&first, &settled) {
                (Outcome::Accepted(_), _) => assert_eq!(first, settled),
                (Outcome::Unknown(_), Outcome::Accepted(_)) => {}
                (Outcome::Unknown(_), Outcome::Refused(why)) => {
                    assert_eq!(why.code, Code::NotExecuted);
                }
                both => panic!("cut at {cut}: {both:?}"),
            }
            expected += i64::from(matches!(settled, Outcome::Accepted(_)));
            assert_eq!(desk.trades().await, expected, "cut at {cut}");
        }
    }
    assert!((15..42).contains(&expected), "{expected} of 42 were executed");
}

/// Locks the row that every trade of the account waits for.
async fn lock_account(desk: &Desk) -> tokio_postgres::Client {
    let holder = desk.database.client().await;
    begin(&holder).await;
    let sql = "SELECT FROM accounts WHERE account_name = 'alpha' FOR UPDATE";
    holder.execute(sql, &[]).await.unwrap();
    holder
}

#[tokio::test]
async fn a_write_whose_backend_is_terminated_is_unknown_and_then_not_executed() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let holder = lock_account(&desk).await;
    let trade = trade();
    let sent = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.perform(&trade).await }
    });
    assert!(desk.wait_for_waiters(1).await, "the trade did not wait for the account");

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    desk.admin.execute(end, &[]).await.unwrap();

    unknown(sent.await.unwrap());
    commit(&holder).await;
    assert_eq!(refused(store.resolve(&trade).await).code, Code::NotExecuted);
    accepted(store.perform(&self::trade()).await);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn resolving_waits_for_the_original_in_flight() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write = Duration::from_millis(200);
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    let store = Store::connect(options);
    let holder = lock_account(&desk).await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    let settled = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.resolve(&trade).await }
    });
    // The original waits for the account, the resolver for the original.
    assert!(desk.wait_for_waiters(2).await, "the resolver did not wait for the original");
    commit(&holder).await;

    assert_eq!(accepted(settled.await.unwrap()).subject, Some(trade.key.0));
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn resolving_past_its_deadline_is_still_unknown() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write = Duration::from_millis(200);
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    options.deadlines.resolve = Duration::from_millis(200);
    let store = Store::connect(options);
    let holder = lock_account(&desk).await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    unknown(store.resolve(&trade).await);
    commit(&holder).await;
    until(|| async { desk.trades().await == 1 }).await;
    accepted(store.resolve(&trade).await);
}

#[tokio::test]
async fn a_dropped_call_does_not_block_the_next_one() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.pools.write = 1;
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    // A connection that was given back too early would be waited for.
    options.deadlines.verify = Duration::from_secs(9);
    let store = Store::connect(options);
    let holder = lock_account(&desk).await;
    let trade = trade();
    let sent = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.perform(&trade).await }
    });
    assert!(desk.wait_for_waiters(1).await, "the trade did not wait for the account");

    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    // The only connection of the pool is not the one that still waits.
    let other = Verb::Unacknowledge { event: WARNING, note: "x".to_owned() };
    let asked = Instant::now();
    assert_eq!(refused(store.perform(&request(other)).await).code, Code::NotPermitted);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());

    commit(&holder).await;
    accepted(store.resolve(&trade).await);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn an_unreadable_answer_is_unknown() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    desk.admin
        .batch_execute(
            "CREATE OR REPLACE FUNCTION desk.place_trade(p_key uuid, p_fingerprint bytea,
                p_valid_until timestamptz, p_account uuid, p_instrument text, p_side text,
                p_size numeric, p_price numeric, p_stop numeric, p_target numeric, p_signal uuid,
                p_reason text) RETURNS desk.answer LANGUAGE sql SECURITY DEFINER AS
             $$ SELECT ROW('perhaps', NULL, NULL, NULL, NULL, NULL, NULL, NULL)::desk.answer $$",
        )
        .await
        .unwrap();

    assert!(unknown(store.perform(&trade()).await).contains("perhaps"));
}

// ---- errors that prove something ------------------------------------------------------------

#[tokio::test]
async fn a_held_lock_is_busy_and_the_connection_is_kept() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.pools.write = 1;
    options.deadlines.lock = Duration::from_millis(200);
    let store = Store::connect(options);
    let backend = "SELECT min(pid)::bigint FROM pg_stat_activity WHERE usename LIKE '%_trader'
                      AND datname = current_database()";
    let trade = trade();
    assert_eq!(refused(store.resolve(&request(trade.verb.clone())).await).code, Code::NotExecuted);

    let holder = lock_account(&desk).await;
    assert_eq!(refused(store.perform(&trade).await).code, Code::Busy);
    let pid = desk.count(backend).await;
    commit(&holder).await;

    accepted(store.perform(&trade).await);
    assert_eq!(desk.count(backend).await, pid, "the same connection");
}

#[tokio::test]
async fn a_statement_cancelled_by_the_server_is_refused() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write_on_server = Duration::from_millis(200);
    let store = Store::connect(options);
    let _holder = lock_account(&desk).await;

    assert_eq!(refused(store.perform(&trade()).await).code, Code::TooSlow);
    assert_eq!(desk.trades().await, 0);
}

/// Makes the first insertions of a key fail, as a serialization failure does.
async fn fail_first(desk: &Desk, times: u32, raise: &str) {
    desk.admin
        .batch_execute(&format!(
            "CREATE SEQUENCE public.attempts;
             CREATE FUNCTION public.sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN
                 IF nextval('public.attempts') <= {times} THEN {raise}; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER sabotage BEFORE INSERT ON tmt.requests
             FOR EACH ROW EXECUTE FUNCTION public.sabotage()"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_conflict_is_retried_with_the_same_key() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    fail_first(&desk, 3, "RAISE 'crossed' USING ERRCODE = '40001'").await;
    let trade = trade();

    assert_eq!(accepted(store.perform(&trade).await).subject, Some(trade.key.0));
    assert_eq!(desk.count("SELECT last_value FROM attempts").await, 4);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_lasting_conflict_is_refused_after_four_attempts() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    fail_first(&desk, 99, "RAISE 'crossed' USING ERRCODE = '40P01'").await;

    assert_eq!(refused(store.perform(&trade()).await).code, Code::Conflict);
    assert_eq!(desk.count("SELECT last_value FROM attempts").await, 4);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_warning_about_the_commit_makes_the_outcome_unknown() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    // What the server says when its wait for a synchronous standby is cut short.
    fail_first(&desk, 1, "RAISE WARNING 'canceling wait for synchronous replication'").await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    accepted(store.resolve(&trade).await);
    assert_eq!(desk.trades().await, 1);
}

/// Asks for anything; returns why there is no connection, and the sentence.
async fn why_not(options: Options) -> (Unreachable, String) {
    let store = Store::connect(options);
    let error = store.changes(None).await.unwrap_err();
    let sentence = error.to_string();
    let refusal = refused(store.perform(&trade()).await);
    assert_eq!(refusal.code, Code::NotSent);
    unknown(store.resolve(&trade()).await);
    let StoreError::Unavailable(reason) = error else { panic!("{error:?}") };
    (reason, sentence)
}

/// Runs SQL as the superuser of a private server.
async fn superuser(server: &Postgres, sql: &str) {
    let url = server.tcp_url("postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}
