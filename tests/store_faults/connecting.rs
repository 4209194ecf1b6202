//! No server, the wrong one, or one that is away: what is said, and when it is there again.

use crate::desk::Desk;
use crate::requests::refused;
use crate::{superuser, trade, until, why_not};
use std::time::Duration;
use tmt::domain::change::Kind;
use tmt::domain::code::Code;
use tmt::local::Options as Private;
use tmt::local::Postgres;
use tmt::store::options::{Host, Server};
use tmt::store::{Options, Store, StoreError, Unreachable};
use tokio::net::TcpListener;
use tokio::time::Instant;

#[tokio::test]
async fn an_address_without_a_server_is_reported() {
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
async fn an_unknown_host_is_reported() {
    let options =
        Options::parse("postgres://joe@no-such-host.invalid/desk?sslmode=disable").unwrap();
    let (reason, sentence) = why_not(options).await;
    assert!(matches!(reason, Unreachable::UnknownHost { .. }), "{reason:?}");
    assert!(sentence.contains("no-such-host.invalid"), "{sentence}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_for_the_next() {
    let desk = Desk::with_records().await;
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
async fn a_missing_database_is_reported() {
    let desk = Desk::with_records().await;
    let mut options = Options::parse(&desk.database.url()).unwrap();
    options.database = Some("dsek".to_owned());
    let (reason, sentence) = why_not(options).await;
    assert!(matches!(reason, Unreachable::NoDatabase { .. }), "{reason:?}");
    assert!(sentence.contains("\"dsek\""), "{sentence}");
}

#[tokio::test]
async fn an_unknown_or_exhausted_login_is_reported() {
    let desk = Desk::with_records().await;
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
async fn a_read_only_server_is_read_and_never_written() {
    let desk = Desk::with_records().await;
    let options = desk.options("trader", "tmt_trader").await;
    let login = options.user.clone().unwrap();
    let sql = format!("ALTER ROLE {login} SET default_transaction_read_only = on");
    desk.admin.batch_execute(&sql).await.unwrap();
    let store = Store::connect(options);

    store.read(Kind::Accounts, None).await.unwrap();
    store.changes(None).await.unwrap();
    let refusal = refused(store.perform(&trade()).await);
    assert_eq!(refusal.code, Code::NotSent);
    assert!(refusal.message.contains("takes no writes"), "{}", refusal.message);
}

#[tokio::test]
async fn passwords_are_required_checked_and_never_shown() {
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
async fn a_password_program_is_asked_again_only_after_a_change() {
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
    refused(store.perform(&trade()).await);
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
async fn a_frozen_server_and_its_return_are_noticed() {
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
