//! Private servers answer, restart, and leave nothing behind.

// Looks processes up in /proc.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tmt::local::{LocalError, Options, Postgres, Redis, SUPERUSER, Servers, Shutdown};

async fn query(url: &str, sql: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
}

async fn ping(url: &str) -> String {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("PING").query_async(&mut connection).await.unwrap()
}

fn folder_of(postgres: &Postgres) -> PathBuf {
    postgres.socket_folder().parent().unwrap().to_owned()
}

/// Whether any process has its working folder in `folder`.
fn is_worked_in(folder: &Path) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    })
}

#[tokio::test]
async fn both_servers_answer_on_socket_and_loopback() {
    let servers = Servers::start(Options::ephemeral()).await.unwrap();

    let who = "SELECT session_user::text";
    assert_eq!(query(&servers.database_url(), who).await, SUPERUSER);
    assert_eq!(query(&servers.postgres().tcp_url("postgres"), who).await, SUPERUSER);
    assert_eq!(ping(&servers.redis_url()).await, "PONG");
    assert_eq!(ping(&servers.redis().socket_url()).await, "PONG");

    servers.stop().await.unwrap();
}

#[tokio::test]
async fn loopback_refuses_those_without_the_password() {
    let servers = Servers::start(Options::in_memory()).await.unwrap();

    let port = servers.postgres().port();
    let url = format!("postgresql://{SUPERUSER}:guess@127.0.0.1:{port}/postgres");
    assert!(tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err());
    let url = format!("redis://127.0.0.1:{}", servers.redis().port());
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let answer: Result<String, _> = redis::cmd("PING").query_async(&mut connection).await;
    assert!(answer.unwrap_err().to_string().contains("NOAUTH"));
}

#[tokio::test]
async fn stopping_leaves_no_process_and_no_folder() {
    let servers = Servers::start(Options::in_memory()).await.unwrap();
    let folder = folder_of(servers.postgres());
    assert!(is_worked_in(&folder));

    servers.stop().await.unwrap();

    assert!(!folder.exists());
    assert!(!is_worked_in(&folder));
}

#[tokio::test]
async fn dropping_leaves_no_process_and_no_folder_even_of_a_frozen_server() {
    let mut servers = Servers::start(Options::in_memory()).await.unwrap();
    let folder = folder_of(servers.postgres());
    servers.postgres_mut().freeze();
    servers.redis_mut().pause();

    drop(servers);

    assert!(!folder.exists());
    assert!(!is_worked_in(&folder));
}

#[tokio::test]
async fn two_instances_run_side_by_side() {
    let (one, other) =
        tokio::join!(Servers::start(Options::in_memory()), Servers::start(Options::ephemeral()));
    let (one, other) = (one.unwrap(), other.unwrap());

    let folder = "SELECT current_setting('data_directory')";
    let (first, second) =
        (query(&one.database_url(), folder).await, query(&other.database_url(), folder).await);
    assert_ne!(first, second);

    one.stop().await.unwrap();
    assert_eq!(query(&other.database_url(), folder).await, second);
    assert_eq!(ping(&other.redis_url()).await, "PONG");
}

#[tokio::test]
async fn each_server_can_be_killed_and_restarted_alone() {
    let mut servers = Servers::start(Options::in_memory()).await.unwrap();
    let (database, bus) = (servers.database_url(), servers.redis_url());

    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
        servers.postgres_mut().halt(how).await.unwrap();
        assert!(tokio_postgres::connect(&database, tokio_postgres::NoTls).await.is_err());
        assert_eq!(ping(&bus).await, "PONG");
        servers.postgres_mut().start_again().await.unwrap();
        assert_eq!(query(&database, "SELECT 'back'").await, "back");
    }

    servers.redis_mut().kill().await.unwrap();
    assert_eq!(query(&database, "SELECT 'still there'").await, "still there");
    servers.redis_mut().start_again().await.unwrap();
    assert_eq!(ping(&bus).await, "PONG");
}

#[tokio::test]
async fn a_paused_server_hangs_and_resumes() {
    let mut redis = Redis::start(Options::in_memory()).await.unwrap();
    let url = redis.url();

    redis.pause();
    let hanging = tokio::time::timeout(Duration::from_millis(200), ping(&url)).await;
    redis.resume();

    assert!(hanging.is_err());
    assert_eq!(ping(&url).await, "PONG");
}

#[tokio::test]
async fn kept_data_survives_a_killed_server_and_a_new_owner() {
    let place = tempfile::Builder::new().prefix("kept").tempdir_in("/tmp").unwrap();
    let folder = place.path().join("desk");
    open_to_all(place.path());
    let mut servers = Servers::start(Options::at(&folder)).await.unwrap();
    execute(&servers.database_url(), "CREATE TABLE kept (what text)").await;
    execute(&servers.database_url(), "INSERT INTO kept VALUES ('row')").await;
    servers.postgres_mut().halt(Shutdown::Kill).await.unwrap();
    servers.stop().await.unwrap();

    let servers = Servers::start(Options::at(&folder)).await.unwrap();
    assert_eq!(query(&servers.database_url(), "SELECT what FROM kept").await, "row");
    assert_eq!(query(&servers.postgres().tcp_url("postgres"), "SELECT 'in'").await, "in");
    servers.stop().await.unwrap();
    assert!(folder.exists());
    assert!(!is_worked_in(&folder));
}

#[tokio::test]
async fn a_start_that_fails_halfway_leaves_no_process_in_a_kept_folder() {
    let place = tempfile::Builder::new().prefix("kept").tempdir_in("/tmp").unwrap();
    open_to_all(place.path());
    let folder = place.path().join("desk");
    // Redis is up long before initdb is done and PostgreSQL refuses the setting.
    let options = Options::at(&folder).postgres_setting("shared_buffers", "lots");

    Servers::start(options).await.unwrap_err();

    assert!(!is_worked_in(&folder));
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_its_owner() {
    let place = tempfile::Builder::new().prefix("kept").tempdir_in("/tmp").unwrap();
    open_to_all(place.path());
    let folder = place.path().join("desk");
    let _servers = Servers::start(Options::at(&folder)).await.unwrap();

    let Err(LocalError::InUse { owner, .. }) = Servers::start(Options::at(&folder)).await else {
        panic!("two owners of one folder")
    };
    assert_eq!(owner, std::process::id().to_string());
}

#[tokio::test]
async fn a_foreign_folder_is_refused() {
    let place = tempfile::Builder::new().prefix("kept").tempdir_in("/tmp").unwrap();
    std::fs::write(place.path().join("letter"), "dear").unwrap();

    let refused = Servers::start(Options::at(place.path())).await.unwrap_err();

    assert!(matches!(refused, LocalError::NotOurs { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_missing_program_is_reported_with_the_command_that_installs_it() {
    let mut options = Options::in_memory();
    options.postgres_programs = Some("/nonexistent".into());

    let message = Servers::start(options).await.unwrap_err().to_string();

    assert!(message.contains("/nonexistent"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[tokio::test]
async fn a_refused_setting_is_reported_with_the_servers_message() {
    let options = Options::in_memory().postgres_setting("shared_buffers", "lots");
    let message = Postgres::start(options).await.unwrap_err().to_string();
    assert!(message.contains("shared_buffers") && message.contains("lots"), "{message}");

    let options = Options::in_memory().redis_setting("maxmemory", "lots");
    let message = Redis::start(options).await.unwrap_err().to_string();
    assert!(message.contains("maxmemory"), "{message}");
}

#[tokio::test]
async fn each_test_has_its_own_database_that_is_dropped_after_it() {
    let (one, other) = (database::database().await, database::empty_database().await);
    let login = one.login("reader", "pg_read_all_data").await;
    one.client().await.batch_execute("CREATE TABLE only_here (n int)").await.unwrap();

    one.client_as(&login).await.batch_execute("SELECT n FROM only_here").await.unwrap();
    assert!(other.client().await.batch_execute("SELECT n FROM only_here").await.is_err());

    let (name, count) = (one.name().to_owned(), "SELECT count(*)::text FROM");
    drop(one);
    let databases = format!("{count} pg_database WHERE datname = '{name}'");
    let logins = format!("{count} pg_roles WHERE rolname = '{login}'");
    assert_eq!(query(&other.url(), &databases).await, "0");
    assert_eq!(query(&other.url(), &logins).await, "0");
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// Lets the user that the servers run as under root enter the folder.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
