//! A database of its own for every test, on a server that all tests of a run share.
//!
//! Starting PostgreSQL takes a second, copying a database 25 ms. nextest runs each test in a
//! process of its own, so the first one starts a server and leaves it to their common parent, the
//! runner: it ends when the runner does, however that ends. A test program that was not started
//! by cargo or nextest starts a server for itself.
//!
//! The tests for TimescaleDB have a second server: the one that `TMT_TIMESCALE_URL` names, as a
//! superuser and over TCP, or one of this system where the extension is installed. They are ignored
//! unless they are asked for: without such a server they fail.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that cannot be set up fails its test"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, test_kill_process};
use tmt::local::{Options, Postgres, SUPERUSER};
use tmt::store::migrate::{Mode, migrate};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// The database that the tests' own are copied from.
const TEMPLATE: &str = "tmt_template";

/// A database that goes with this value.
#[derive(Debug)]
pub(crate) struct Database {
    server: Config,
    name: String,
}

/// Makes a database with the console's schema in it: on the plain server, or with `TimescaleDB` where
/// `TMT_TEST_SERVER` is `timescale`.
pub(crate) async fn database() -> Database {
    if std::env::var("TMT_TEST_SERVER").is_ok_and(|name| name == "timescale") {
        let server = timescale_server().await;
        let template = timescale_template(&server).await;
        return Database::copied_from(&template, server).await;
    }
    Database::copied_from(TEMPLATE, shared_server().await).await
}

/// Makes a database with nothing in it.
pub(crate) async fn empty_database() -> Database {
    Database::copied_from("template0", shared_server().await).await
}

/// Makes a database with nothing in it on the server with `TimescaleDB`.
pub(crate) async fn empty_timescale_database() -> Database {
    Database::copied_from("template0", timescale_server().await).await
}

/// The one database of the server with `TimescaleDB` in which `pg_cron` can be installed. All tests
/// share it: who uses it takes a lock in it, and leaves it as it was.
pub(crate) async fn cron_url() -> String {
    let server = timescale_server().await;
    url(&server, server.get_dbname().unwrap(), server.get_user().unwrap())
}

impl Database {
    async fn copied_from(template: &str, server: Config) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{count}", std::process::id());
        // Copying files needs no write-ahead log of each page, and is twice as fast.
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        connect(&server, "postgres").await.batch_execute(&sql).await.unwrap();
        Self { server, name }
    }

    /// The name, which is also a prefix that no role of another test has.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the database is, as the superuser.
    pub(crate) fn url(&self) -> String {
        self.url_as(self.server.get_user().unwrap())
    }

    /// Where the database is, for a login of that name. Over a Unix socket no password is asked.
    pub(crate) fn url_as(&self, login: &str) -> String {
        url(&self.server, &self.name, login)
    }

    /// Connects as the superuser.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.server, &self.name).await
    }

    /// Connects as a login of that name.
    pub(crate) async fn client_as(&self, login: &str) -> Client {
        connect(self.server.clone().user(login), &self.name).await
    }

    /// How to connect as a login of any spelling.
    pub(crate) fn config_as(&self, login: &str) -> Config {
        let mut config = self.server.clone();
        config.user(login).dbname(&self.name);
        config
    }

    /// Makes a login that is a member of `group` and goes with the database; returns its name.
    /// Logins belong to the server, so the name begins with the database's.
    pub(crate) async fn login(&self, name: &str, group: &str) -> String {
        let login = format!("{}_{name}", self.name);
        // Over TCP it needs a password, and gets the superuser's.
        let password = self.server.get_password().unwrap_or(b"unused");
        let password = String::from_utf8_lossy(password);
        let sql = format!("CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE {group}");
        self.client().await.batch_execute(&sql).await.unwrap();
        login
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread, because drop runs within the test's own runtime.
        let done = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(forget(&server, &name));
        });
        done.join().ok();
    }
}

/// Drops a database and the logins made for it.
async fn forget(server: &Config, name: &str) {
    let client = connect(server, "postgres").await;
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    let sql = "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1)";
    for row in client.query(sql, &[&format!("{name}_")]).await.unwrap() {
        let login: &str = row.try_get(0).unwrap();
        client.batch_execute(&format!("DROP ROLE {login}")).await.unwrap();
    }
}

/// Makes the template: everything that each test's database begins with.
async fn prepare(server: &Config) {
    make_template(server, TEMPLATE, "").await;
}

async fn make_template(server: &Config, name: &str, extension: &str) {
    let client = connect(server, "postgres").await;
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    // The connection ends here: a template that somebody is connected to cannot be copied.
    let (client, connection) = server.clone().dbname(name).connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(extension).await.unwrap();
    migrate(&client, Mode::Fresh).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    // Nor by a background worker of an extension.
    let client = connect(server, "postgres").await;
    client.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await.unwrap();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    while client.query_one(sql, &[&name]).await.unwrap().try_get::<_, i64>(0).unwrap() > 0 {
        tokio::task::yield_now().await;
    }
}

/// The template on the server with `TimescaleDB`, which outlives a run: each run makes its own, and
/// removes those of runs that are over.
async fn timescale_template(server: &Config) -> String {
    static MADE: OnceCell<String> = OnceCell::const_new();
    MADE.get_or_init(async || {
        let name = format!("{TEMPLATE}_{}", owner());
        let client = connect(server, "postgres").await;
        client.batch_execute("SELECT pg_advisory_lock(7460)").await.unwrap();
        let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)";
        let prefix = format!("{TEMPLATE}_");
        let mut is_there = false;
        for row in client.query(sql, &[&prefix]).await.unwrap() {
            let found: String = row.try_get(0).unwrap();
            let runner =
                found.strip_prefix(&prefix).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            if found == name {
                is_there = true;
            } else if runner.is_none_or(|pid| test_kill_process(pid).is_err()) {
                client.batch_execute(&format!("DROP DATABASE {found} WITH (FORCE)")).await.unwrap();
            }
        }
        if !is_there {
            make_template(server, &name, "CREATE EXTENSION timescaledb").await;
        }
        client.batch_execute("SELECT pg_advisory_unlock(7460)").await.unwrap();
        name
    })
    .await
    .clone()
}

async fn connect(server: &Config, database: &str) -> Client {
    let (client, connection) = server.clone().dbname(database).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn url(server: &Config, database: &str, login: &str) -> String {
    use tokio_postgres::config::Host;
    let port = server.get_ports().first().unwrap();
    match server.get_hosts().first().unwrap() {
        Host::Unix(folder) => {
            format!("postgresql://{login}@/{database}?host={}&port={port}", folder.display())
        }
        Host::Tcp(host) => {
            let password = server.get_password().unwrap_or_default();
            let password = String::from_utf8_lossy(password);
            format!("postgresql://{login}:{password}@{host}:{port}/{database}")
        }
    }
}

/// Returns the server of this run, after starting it if this is the first test to need one.
async fn shared_server() -> Config {
    static SERVER: OnceCell<Config> = OnceCell::const_new();
    SERVER.get_or_init(|| find_or_start("plain", Options::in_memory())).await.clone()
}

async fn timescale_server() -> Config {
    static SERVER: OnceCell<Config> = OnceCell::const_new();
    SERVER.get_or_init(find_timescale).await.clone()
}

async fn find_timescale() -> Config {
    if let Ok(url) = std::env::var("TMT_TIMESCALE_URL") {
        return url.parse().unwrap();
    }
    let plain = connect(&shared_server().await, "postgres").await;
    let sql = "SELECT string_agg(name, ',' ORDER BY name DESC) FROM pg_available_extensions
        WHERE name IN ('timescaledb', 'pg_cron')";
    let libraries: Option<String> = plain.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();
    let libraries = libraries
        .filter(|names| names.contains("timescaledb"))
        .expect("TMT_TIMESCALE_URL names no server, and the extension is not installed here");
    let mut options = Options::in_memory()
        .postgres_setting("shared_preload_libraries", &libraries)
        .postgres_setting("timescaledb.telemetry_level", "off")
        .postgres_setting("timescaledb.max_background_workers", "32")
        .postgres_setting("max_worker_processes", "64");
    if libraries.contains("pg_cron") {
        options = options
            .postgres_setting("cron.database_name", "postgres")
            .postgres_setting("cron.use_background_workers", "on");
    }
    find_or_start("timescale", options).await
}

/// Finds the server of a kind that another process of this run started, or starts it.
async fn find_or_start(kind: &str, options: Options) -> Config {
    let owner = owner();
    let mut note = note(kind, owner);
    // Held until the template is ready: the other processes of the run wait here.
    note.lock().unwrap();
    let mut url = String::new();
    note.read_to_string(&mut url).unwrap();
    if let Ok(server) = url.parse::<Config>()
        && server.connect(NoTls).await.is_ok()
    {
        return server;
    }
    let postgres = Postgres::start(options).await.unwrap();
    let url = postgres.url("postgres", SUPERUSER);
    let server: Config = url.parse().unwrap();
    if kind == "plain" {
        prepare(&server).await;
    }
    postgres.leave_until_end_of(owner);
    note.set_len(0).unwrap();
    note.rewind().unwrap();
    note.write_all(url.as_bytes()).unwrap();
    server
}

/// The process whose end is the end of the server: the runner, or this process without one.
fn owner() -> i32 {
    let has_runner = std::env::var_os("CARGO").is_some();
    match rustix::process::getppid() {
        Some(runner) if has_runner => runner.as_raw_nonzero().get(),
        _ => i32::try_from(std::process::id()).unwrap(),
    }
}

/// What the name of the notes begins with; the runner's process id and the kind follow.
const NOTE: &str = "server-of-";

/// Opens the file in which the processes of a run tell each other where their server is.
fn note(kind: &str, owner: i32) -> File {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    remove_old_notes(folder);
    let path = folder.join(format!("{NOTE}{owner}-{kind}"));
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

fn remove_old_notes(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name();
        let runner = name.to_str().and_then(|name| name.strip_prefix(NOTE)?.split('-').next());
        let runner = runner.and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        if runner.is_some_and(|pid| test_kill_process(pid).is_err()) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}
