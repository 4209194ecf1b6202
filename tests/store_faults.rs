//! The store against a PostgreSQL that is away, silent, full, or breaks off in the middle. Whatever
//! happens, what the store says of a write is what the database says later.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]
#![expect(clippy::panic, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/proxy.rs"]
mod proxy;

use std::path::PathBuf;
use std::time::Duration;

use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::outcome::Outcome;
use tmt::domain::request::{Request, Verb};
use tmt::local::{Options as Private, Postgres};
use tmt::store::options::{Host, Server, Tls};
use tmt::store::{Options, Store, StoreError, Unreachable};
use tokio::net::TcpListener;
use tokio::time::Instant;

use desk::{Desk, WARNING, accepted, buy, refused, request, unknown};
use proxy::{Fault, Proxy};

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
    let desk = Desk::open().await;
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
async fn cut_before_it_arrived_it_is_unknown_then_never_executed() {
    let (desk, proxy, store) = through_proxy().await;
    let trade = trade();
    proxy.fail(Fault::CutBefore(key(&trade)));

    unknown(store.perform(&trade).await);
    proxy.fail(Fault::None);

    assert_eq!(refused(store.resolve(&trade).await).code, "NOT_EXECUTED");
    assert_eq!(refused(store.perform(&trade).await).code, "FENCED", "a late copy is turned away");
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn cut_after_it_arrived_it_is_unknown_then_executed() {
    let (desk, proxy, store) = through_proxy().await;
    let trade = trade();
    proxy.fail(Fault::CutAfter(key(&trade)));

    unknown(store.perform(&trade).await);
    proxy.fail(Fault::None);

    assert_eq!(accepted(store.resolve(&trade).await).subject, Some(trade.key.0));
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn swallowed_by_a_black_hole_it_is_unknown_in_time() {
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
async fn cut_at_any_byte_the_answer_is_true() {
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
                    assert_eq!(why.code, "NOT_EXECUTED");
                }
                both => panic!("cut at {cut}: {both:?}"),
            }
            expected += i64::from(matches!(settled, Outcome::Accepted(_)));
            assert_eq!(desk.trades().await, expected, "cut at {cut}");
        }
    }
    assert!((15..42).contains(&expected), "{expected} of 42 were executed");
}

/// Holds the row that every trade of the account waits for.
async fn hold_account(desk: &Desk) -> tokio_postgres::Client {
    let holder = desk.database.client().await;
    let sql = "BEGIN; SELECT FROM accounts WHERE account_name = 'alpha' FOR UPDATE";
    holder.batch_execute(sql).await.unwrap();
    holder
}

/// Waits until a login's statement waits for a lock.
async fn until_it_waits(desk: &Desk) {
    let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(|| async { desk.count(sql).await > 0 }).await;
}

#[tokio::test]
async fn a_backend_that_is_ended_in_flight_leaves_it_unknown_then_not_executed() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
    let holder = hold_account(&desk).await;
    let trade = trade();
    let sent = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.perform(&trade).await }
    });
    until_it_waits(&desk).await;

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    desk.admin.execute(end, &[]).await.unwrap();

    unknown(sent.await.unwrap());
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(refused(store.resolve(&trade).await).code, "NOT_EXECUTED");
    accepted(store.perform(&self::trade()).await);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn the_resolver_waits_for_an_original_that_is_still_under_way() {
    let desk = Desk::open().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write = Duration::from_millis(200);
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    let store = Store::connect(options);
    let holder = hold_account(&desk).await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    let settled = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.resolve(&trade).await }
    });
    // The original waits for the account, the resolver for the original.
    let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(|| async { desk.count(sql).await == 2 }).await;
    holder.batch_execute("COMMIT").await.unwrap();

    assert_eq!(accepted(settled.await.unwrap()).subject, Some(trade.key.0));
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_resolver_that_waits_too_long_says_still_unknown() {
    let desk = Desk::open().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write = Duration::from_millis(200);
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    options.deadlines.resolve = Duration::from_millis(200);
    let store = Store::connect(options);
    let holder = hold_account(&desk).await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    unknown(store.resolve(&trade).await);
    holder.batch_execute("COMMIT").await.unwrap();
    until(|| async { desk.trades().await == 1 }).await;
    accepted(store.resolve(&trade).await);
}

#[tokio::test]
async fn a_call_that_is_dropped_harms_nobody_who_comes_later() {
    let desk = Desk::open().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.pools.write = 1;
    options.deadlines.lock = Duration::from_secs(9);
    options.deadlines.write_on_server = Duration::from_secs(9);
    // A connection that was given back too early would be waited for.
    options.deadlines.verify = Duration::from_secs(9);
    let store = Store::connect(options);
    let holder = hold_account(&desk).await;
    let trade = trade();
    let sent = tokio::spawn({
        let (store, trade) = (store.clone(), trade.clone());
        async move { store.perform(&trade).await }
    });
    until_it_waits(&desk).await;

    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    // The only connection of the pool is not the one that still waits.
    let other = Verb::Unacknowledge { event: WARNING, note: "x".to_owned() };
    let asked = Instant::now();
    assert_eq!(refused(store.perform(&request(other)).await).code, "NOT_PERMITTED");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());

    holder.batch_execute("COMMIT").await.unwrap();
    accepted(store.resolve(&trade).await);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_is_unknown() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
    desk.admin
        .batch_execute(
            "CREATE OR REPLACE FUNCTION desk.place_trade(p_key uuid, p_fingerprint bytea,
                p_valid_until timestamptz, p_account uuid, p_instrument text, p_side text,
                p_size numeric, p_price numeric, p_stop numeric, p_target numeric, p_signal uuid,
                p_reason text) RETURNS desk.verdict LANGUAGE sql SECURITY DEFINER AS
             $$ SELECT ROW('perhaps', NULL, NULL, NULL, NULL, NULL, NULL, NULL)::desk.verdict $$",
        )
        .await
        .unwrap();

    assert!(unknown(store.perform(&trade()).await).contains("perhaps"));
}

// ---- errors that prove something ------------------------------------------------------------

#[tokio::test]
async fn a_lock_that_is_held_is_busy_and_the_connection_lives() {
    let desk = Desk::open().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.pools.write = 1;
    options.deadlines.lock = Duration::from_millis(200);
    let store = Store::connect(options);
    let backend = "SELECT min(pid)::bigint FROM pg_stat_activity WHERE usename LIKE '%_trader'
                      AND datname = current_database()";
    let trade = trade();
    assert_eq!(refused(store.resolve(&request(trade.verb.clone())).await).code, "NOT_EXECUTED");

    let holder = hold_account(&desk).await;
    assert_eq!(refused(store.perform(&trade).await).code, "BUSY");
    let pid = desk.count(backend).await;
    holder.batch_execute("COMMIT").await.unwrap();

    accepted(store.perform(&trade).await);
    assert_eq!(desk.count(backend).await, pid, "the same connection");
}

#[tokio::test]
async fn a_statement_that_the_server_stops_is_refused() {
    let desk = Desk::open().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write_on_server = Duration::from_millis(200);
    let store = Store::connect(options);
    let _holder = hold_account(&desk).await;

    assert_eq!(refused(store.perform(&trade()).await).code, "TOO_SLOW");
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
             CREATE TRIGGER sabotage BEFORE INSERT ON desk.requests
             FOR EACH ROW EXECUTE FUNCTION public.sabotage()"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_conflict_is_tried_again_with_the_same_key() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
    fail_first(&desk, 3, "RAISE 'crossed' USING ERRCODE = '40001'").await;
    let trade = trade();

    assert_eq!(accepted(store.perform(&trade).await).subject, Some(trade.key.0));
    assert_eq!(desk.count("SELECT last_value FROM attempts").await, 4);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_conflict_that_stays_is_refused_after_four_attempts() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
    fail_first(&desk, 99, "RAISE 'crossed' USING ERRCODE = '40P01'").await;

    assert_eq!(refused(store.perform(&trade()).await).code, "CONFLICT");
    assert_eq!(desk.count("SELECT last_value FROM attempts").await, 4);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_warning_about_the_commit_makes_it_unknown() {
    let desk = Desk::open().await;
    let store = desk.trader().await;
    // What the server says when its wait for a synchronous standby is cut short.
    fail_first(&desk, 1, "RAISE WARNING 'canceling wait for synchronous replication'").await;
    let trade = trade();

    unknown(store.perform(&trade).await);
    accepted(store.resolve(&trade).await);
    assert_eq!(desk.trades().await, 1);
}

// ---- reads ----------------------------------------------------------------------------------

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

// ---- no connection --------------------------------------------------------------------------

/// Asks for anything; returns why there is no connection, and the sentence.
async fn why_not(options: Options) -> (Unreachable, String) {
    let store = Store::connect(options);
    let error = store.changes(None).await.unwrap_err();
    let sentence = error.to_string();
    let refusal = refused(store.perform(&trade()).await);
    assert_eq!(refusal.code, "NOT_SENT");
    unknown(store.resolve(&trade()).await);
    let StoreError::Unavailable(reason) = error else { panic!("{error:?}") };
    (reason, sentence)
}

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("postgres://joe:hunter2@127.0.0.1:{free}/desk");
    let (reason, sentence) = why_not(Options::parse(&url).unwrap()).await;
    assert!(matches!(reason, Unreachable::NoServer { .. }), "{reason:?}");
    assert!(
        sentence.contains(&free.to_string()) && sentence.contains("DATABASE_URL"),
        "{sentence}"
    );

    let folder = tempfile::tempdir().unwrap();
    let text = format!("host={} dbname=desk user=joe", folder.path().display());
    let (reason, _) = why_not(Options::parse(&text).unwrap()).await;
    assert!(matches!(reason, Unreachable::NoServer { .. }), "{reason:?}");
}

#[tokio::test]
async fn a_name_that_nobody_knows() {
    let options =
        Options::parse("postgres://joe@no-such-host.invalid/desk?sslmode=disable").unwrap();
    let (reason, sentence) = why_not(options).await;
    assert!(matches!(reason, Unreachable::UnknownHost { .. }), "{reason:?}");
    assert!(sentence.contains("no-such-host.invalid"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_and_the_next_is_asked() {
    let desk = Desk::open().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = desk.options("viewer", "tmt_viewer").await;
    options.deadlines.handshake = Duration::from_secs(1);
    let healthy = options.servers.first().unwrap().clone();
    let host = Host::Tcp { name: "127.0.0.1".to_owned(), address: None };
    let port = silent.local_addr().unwrap().port();
    options.servers = vec![Server { host, port }];
    let (reason, _) = why_not(options.clone()).await;
    assert!(matches!(reason, Unreachable::Silent { .. }), "{reason:?}");

    options.servers.push(healthy);
    let asked = Instant::now();
    Store::connect(options).read(Kind::Accounts, None).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_database_that_does_not_exist() {
    let desk = Desk::open().await;
    let mut options = Options::parse(&desk.database.url()).unwrap();
    options.database = Some("dsek".to_owned());
    let (reason, sentence) = why_not(options).await;
    assert!(matches!(reason, Unreachable::NoDatabase { .. }), "{reason:?}");
    assert!(sentence.contains("\"dsek\""), "{sentence}");
}

#[tokio::test]
async fn a_login_that_does_not_exist_or_has_no_connection_left() {
    let desk = Desk::open().await;
    let mut options = desk.options("viewer", "tmt_viewer").await;
    let login = options.user.clone().unwrap();
    let limit = format!("ALTER ROLE {login} CONNECTION LIMIT 0");
    desk.admin.batch_execute(&limit).await.unwrap();
    let (reason, _) = why_not(options.clone()).await;
    assert!(matches!(reason, Unreachable::Full { .. }), "{reason:?}");

    options.user = Some("nobody_here".to_owned());
    let (reason, sentence) = why_not(options).await;
    assert!(matches!(reason, Unreachable::NoEntry { .. }), "{reason:?}");
    assert!(sentence.contains("nobody_here"), "{sentence}");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_read_and_never_written() {
    let desk = Desk::open().await;
    let options = desk.options("trader", "tmt_trader").await;
    let login = options.user.clone().unwrap();
    let sql = format!("ALTER ROLE {login} SET default_transaction_read_only = on");
    desk.admin.batch_execute(&sql).await.unwrap();
    let store = Store::connect(options);

    store.read(Kind::Accounts, None).await.unwrap();
    store.changes(None).await.unwrap();
    let error = store.check_writing().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(Unreachable::ReadOnly { .. })), "{error:?}");
    let refusal = refused(store.perform(&trade()).await);
    assert_eq!(refusal.code, "NOT_SENT");
    assert!(refusal.message.contains("takes no writes"), "{}", refusal.message);
}

// ---- a server of its own ----------------------------------------------------------------------

/// Runs SQL as the superuser of a private server.
async fn superuser(server: &Postgres, sql: &str) {
    let url = server.tcp_url("postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_password_is_asked_for_checked_and_never_shown() {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    superuser(&server, "CREATE ROLE joe LOGIN PASSWORD 'canary-right'").await;
    let url = |login: &str| format!("postgres://{login}@127.0.0.1:{}/postgres", server.port());

    let wrong = Options::parse(&url("joe:canary-wrong")).unwrap();
    assert!(!format!("{wrong:?} {:?}", Store::connect(wrong.clone())).contains("canary"));
    let (reason, sentence) = why_not(wrong).await;
    assert!(matches!(reason, Unreachable::WrongPassword { .. }), "{reason:?}");
    assert!(sentence.contains("joe") && !sentence.contains("canary"), "{sentence}");

    let (reason, sentence) = why_not(Options::parse(&url("joe")).unwrap()).await;
    assert!(matches!(reason, Unreachable::NoPassword { .. }), "{reason:?}");
    assert!(sentence.contains("PGPASSWORD"), "{sentence}");

    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("pgpass");
    std::fs::write(&passfile, "127.0.0.1:*:postgres:joe:canary-right\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&passfile, private).unwrap();
    let mut options = Options::parse(&url("joe")).unwrap();
    options.password.file = Some(passfile);
    let error = Store::connect(options).session().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaMissing { .. }), "connected: {error:?}");
}

#[tokio::test]
async fn a_password_program_is_asked_once_and_again_when_the_password_changed() {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    superuser(&server, "CREATE ROLE joe LOGIN PASSWORD 'first'").await;
    let folder = tempfile::tempdir().unwrap();
    let (secret, calls) = (folder.path().join("secret"), folder.path().join("calls"));
    std::fs::write(&secret, "first\n").unwrap();
    let url = format!("postgres://joe@127.0.0.1:{}/postgres", server.port());
    let mut options = Options::parse(&url).unwrap();
    let program = format!("echo >> {}; cat {}", calls.display(), secret.display());
    options.password.command = vec!["sh".to_owned(), "-c".to_owned(), program];
    let store = Store::connect(options);
    let asked = || std::fs::read_to_string(&calls).unwrap().lines().count();

    until_it_answers(&store).await;
    store.check_writing().await.unwrap();
    assert_eq!(asked(), 1, "by both pools");

    std::fs::write(&secret, "second\n").unwrap();
    let end = "ALTER ROLE joe PASSWORD 'second';
               SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'joe'";
    superuser(&server, end).await;
    let error = store.session().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(Unreachable::WrongPassword { .. })),
        "{error:?}"
    );
    until_it_answers(&store).await;
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn a_stopped_postmaster_is_noticed_and_its_return_too() {
    let mut server = Postgres::start(Private::in_memory()).await.unwrap();
    let mut options = Options::parse(&server.tcp_url("postgres")).unwrap();
    options.deadlines.handshake = Duration::from_millis(300);
    let store = Store::connect(options);
    server.pause();

    let asked = Instant::now();
    let error = store.session().await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(matches!(error, StoreError::Unavailable(Unreachable::Silent { .. })), "{error:?}");

    server.resume();
    until_it_answers(&store).await;

    // Now every process: an open connection goes silent.
    server.freeze();
    let asked = Instant::now();
    let error = store.session().await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Timeout { .. }), "{error:?}");
    server.resume();
    until_it_answers(&store).await;
}

/// An empty database answers that it lacks the schema.
async fn until_it_answers(store: &Store) {
    until(|| async {
        let error = store.session().await.unwrap_err();
        matches!(error, StoreError::SchemaMissing { .. })
    })
    .await;
}

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A server that offers encryption under the name `localhost`.
async fn encrypting_server() -> Postgres {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    for file in ["server.pem", "server.key"] {
        let text = std::fs::read_to_string(certificate(file)).unwrap();
        // Through the server, so that the file is its own and nobody else's.
        let sql = format!(
            "COPY (SELECT regexp_split_to_table($pem${}$pem$, E'\\n'))
               TO PROGRAM 'umask 077; cat > {file}'",
            text.trim_end()
        );
        superuser(&server, &sql).await;
    }
    superuser(&server, "ALTER SYSTEM SET ssl_cert_file = 'server.pem'").await;
    superuser(&server, "ALTER SYSTEM SET ssl_key_file = 'server.key'").await;
    superuser(&server, "ALTER SYSTEM SET ssl = on").await;
    superuser(&server, "SELECT pg_reload_conf()").await;
    let url = server.tcp_url("postgres");
    until(|| async {
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one("SHOW ssl", &[]).await.unwrap().try_get::<_, &str>(0).unwrap() == "on"
    })
    .await;
    server
}

#[tokio::test]
async fn encryption_trusts_only_the_right_root_and_name() {
    let server = encrypting_server().await;
    let options = |name: &str, root: &str| {
        let mut options = Options::parse(&server.tcp_url("postgres")).unwrap();
        let address = Some("127.0.0.1".parse().unwrap());
        let host = Host::Tcp { name: name.to_owned(), address };
        options.servers = vec![Server { host, port: server.port() }];
        options.tls = Some(Tls::Verified);
        options.root_certificates = Some(certificate(root));
        options
    };

    let store = Store::connect(options("localhost", "root.pem"));
    let error = store.session().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaMissing { .. }), "connected: {error:?}");

    for (name, root) in [("localhost", "stranger.pem"), ("db.example", "root.pem")] {
        let (reason, sentence) = why_not(options(name, root)).await;
        assert!(matches!(reason, Unreachable::Tls { .. }), "{name} {root}: {reason:?}");
        assert!(sentence.contains("sslrootcert"), "{sentence}");
    }
    let (reason, sentence) = why_not(options("localhost", "no-such-file.pem")).await;
    assert!(matches!(reason, Unreachable::Tls { .. }), "{reason:?}");
    assert!(sentence.contains("no-such-file.pem"), "{sentence}");
}

#[tokio::test]
async fn encryption_that_is_not_offered_is_never_done_without() {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    let mut options = Options::parse(&server.tcp_url("postgres")).unwrap();
    options.tls = Some(Tls::Verified);
    options.root_certificates = Some(certificate("root.pem"));

    let (reason, sentence) = why_not(options).await;

    assert!(matches!(reason, Unreachable::Tls { .. }), "{reason:?}");
    assert!(sentence.contains("sslmode=disable"), "{sentence}");
}
