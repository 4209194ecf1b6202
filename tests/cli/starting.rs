//! Configuration, servers that are away or not ready, and the console without a terminal.

use crate::database;
use crate::desk::Desk;
use crate::pty::Pty;
use crate::shell::{Shell, shell};
use tmt::local::{Options, Postgres};

// ---- configuration --------------------------------------------------------------------------

#[test]
fn each_fault_of_the_configuration_is_one_line() {
    let shell = Shell::new();
    let file = shell.home.path().join("bad.toml");
    std::fs::write(&file, "[feed]\nping_evry = \"1 s\"\n[ticket]\narm_after = \"1 ms\"\n").unwrap();
    let ran = shell.run(&format!("positions --config {}", file.display()));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    assert!(
        lines[0]
            .ends_with("bad.toml:2: feed.ping_evry: unknown key; did you mean feed.ping_every?")
    );
    assert!(lines[1].contains("bad.toml:4: ticket.arm_after: is \"1 ms\""), "{}", lines[1]);
}

#[test]
fn the_effective_configuration_names_origins_and_no_secret() {
    let shell = Shell::on("postgres://joe:canary@db1/desk").with("PGPASSWORD", "canary");
    let ran = shell.run("config --set screen.colour=never");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.out.contains("canary"));
    let has = |line: &str| {
        ran.out.lines().any(|known| known.split_whitespace().eq(line.split_whitespace()))
    };
    assert!(has("url = \"postgres://joe:***@db1/desk\" # $DATABASE_URL"), "{}", ran.out);
    assert!(has("colour = \"never\" # command line"), "{}", ran.out);
    assert!(has("lock = \"1 s\" # default"), "{}", ran.out);

    let json = shell.run("config --json").json();
    let of =
        |key: &str| json.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(of("feed.url")["origin"], "$REDIS_URL");
}

#[test]
fn a_password_is_refused_on_the_command_line() {
    let ran = Shell::new().run("positions --database postgres://joe:canary@db1/desk");
    assert_eq!(ran.code, 1);
    assert!(ran.complaint().contains("PGPASSWORD") && !ran.err.contains("canary"), "{}", ran.err);
}

// ---- servers that are away, wrong or not ready ----------------------------------------------

#[test]
fn an_unreachable_server_is_one_line_that_says_what_to_do() {
    let ran = Shell::on("postgres://joe@127.0.0.1:1/desk").run("positions");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let said = ran.complaint();
    assert!(said.starts_with("tmt: no PostgreSQL server at 127.0.0.1:1"), "{said}");
    assert!(said.contains("DATABASE_URL") && said.contains("tmt demo"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_one_line_that_names_the_login() {
    let server = Postgres::start(Options::in_memory()).await.unwrap();
    let right = server.tcp_url("postgres");
    let (before, after) = right.split_once('@').unwrap();
    let (login, _) = before.rsplit_once(':').unwrap();
    let ran = Shell::on(&format!("{login}:canary@{after}")).run("positions");
    assert_eq!(ran.code, 1);
    assert!(ran.complaint().contains("password") && ran.err.contains("tmt_local"), "{}", ran.err);
    let none = Shell::on(&format!("{login}@{after}")).run("positions");
    assert!(none.complaint().contains("PGPASSWORD"), "{}", none.err);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_empty_database_says_to_run_migrate() {
    let database = database::empty_database().await;
    let ran = Shell::on(&database.url()).run("positions");
    assert_eq!(ran.code, 1);
    assert!(ran.complaint().contains("tmt migrate"), "{}", ran.err);
}

#[tokio::test]
async fn a_login_without_a_group_is_refused_in_one_line() {
    let desk = Desk::with_records().await;
    let login = format!("{}_stranger", desk.database.name());
    desk.admin.batch_execute(&format!("CREATE ROLE {login} LOGIN")).await.unwrap();
    let ran = Shell::on(&desk.database.url_as(&login)).run("positions");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.complaint().starts_with("tmt: "), "{}", ran.err);
}

#[tokio::test]
async fn simulate_and_replay_need_a_login_in_tmt_agent() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "viewer", "tmt_viewer").await;
    let file = shell.home.path().join("EUR_USD.csv");
    std::fs::write(&file, "time,bid,ask\n2026-03-02T14:00:00Z,1.0999,1.1001\n").unwrap();
    let replay = format!("replay {} --speed max", file.display());
    for (line, what) in [("simulate", "simulating"), (replay.as_str(), "replaying")] {
        let ran = shell.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}: {ran:?}");
        let said = format!(
            "tmt: permission denied: {what} needs a login in tmt_agent; `tmt doctor` shows the role \
             of this login"
        );
        assert_eq!(ran.complaint(), said);
    }
}

/// The console itself.
const NO_WORDS: &[&str] = &[];

#[tokio::test]
async fn the_console_does_not_start_without_schema_group_or_database() {
    let empty = database::empty_database().await;
    let desk = Desk::with_records().await;
    let login = format!("{}_stranger", desk.database.name());
    desk.admin.batch_execute(&format!("CREATE ROLE {login} LOGIN")).await.unwrap();
    let nowhere = desk.database.url().replace(desk.database.name(), "nowhere");
    for (url, said) in [
        (empty.url(), "tmt migrate"),
        (desk.database.url_as(&login), "tmt: "),
        (nowhere, "has no database \"nowhere\""),
    ] {
        let mut console = Pty::start(
            env!("CARGO_BIN_EXE_tmt"),
            NO_WORDS,
            &[("DATABASE_URL", url.as_str())],
            (120, 40),
        );
        let status = console.wait();
        let screen = console.screen();
        assert_eq!(status.exit_code(), 1, "{screen}");
        assert!(screen.contains(said), "{screen}");
        console.assert_restored();
        assert!(!console.bytes().windows(8).any(|bytes| bytes == b"\x1b[?1049h"), "{screen}");
    }
}

#[tokio::test]
async fn a_console_that_never_reached_its_database_exits_with_1() {
    let nobody =
        [("DATABASE_URL", "postgres://joe@127.0.0.1:1/desk"), ("REDIS_URL", "redis://127.0.0.1:1")];
    let mut console = Pty::start(env!("CARGO_BIN_EXE_tmt"), NO_WORDS, &nobody, (120, 40));
    console.wait_for_text("no PostgreSQL server at 127.0.0.1:1");
    console.send(":q\r");
    let status = console.wait();
    let screen = console.screen();
    assert_eq!(status.exit_code(), 1, "{screen}");
    assert!(screen.contains("tmt: no PostgreSQL server at 127.0.0.1:1"), "{screen}");
    console.assert_restored();
}

#[test]
fn without_a_terminal_the_console_says_what_to_run_instead() {
    for line in ["", "demo"] {
        let ran = Shell::new().run(line);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.complaint().contains("terminal"), "{}", ran.err);
    }
}

#[tokio::test]
async fn migrate_is_idempotent_and_check_changes_nothing() {
    let database = database::empty_database().await;
    let shell = Shell::on(&database.url());
    let check = shell.run("migrate --check");
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.contains("empty") && check.out.contains("0001_baseline"), "{}", check.out);
    let first = shell.run("migrate");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("applied  0001_baseline"), "{}", first.out);
    let second = shell.run("migrate");
    assert_eq!(second.code, 0);
    assert!(second.out.contains("up to date"), "{}", second.out);
    assert!(shell.run("migrate --check").out.contains("nothing to do"));
    let maintained = shell.run("maintain");
    assert!(
        maintained.code == 0 && maintained.out.contains("partitions of trades"),
        "{maintained:?}"
    );
}
