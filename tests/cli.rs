//! The program as a shell sees it: what it prints, where, and how it ends.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/shell.rs"]
mod shell;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::dec;
use serde_json::Value;
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::publish::Publisher;
use tmt::local::{Options, Postgres, Redis};
use tokio_util::sync::CancellationToken;

use desk::Desk;
use proxy::{Fault, Proxy};
use pty::Pty;
use shell::{Shell, shell};

// ---- help and usage -------------------------------------------------------------------------

#[test]
fn help_says_what_there_is() {
    let ran = Shell::new().run("--help");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!("help", ran.out);
}

#[test]
fn help_of_a_verb_has_its_own_words_and_the_flags_of_every_verb() {
    let ran = Shell::new().run("buy --help");
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("help_buy", ran.out);
    assert!(Shell::new().run("limit set --help").out.contains("--dry-run"));
}

#[test]
fn what_is_not_understood_ends_with_2_and_says_why() {
    let shell = Shell::new();
    for (line, said) in [
        ("byu EUR_USD 10k", "unrecognized subcommand 'byu'"),
        ("buy", "<INSTRUMENT>"),
        ("buy EUR_USD 1e3", "is not a number"),
        ("buy EUR_USD 10k stop=1.08", "unexpected argument '--stop'"),
        ("buy EUR_USD 10k sl=1.08 sl=1.09", "cannot be used multiple times"),
        ("buy EUR_USD 10k --yes --dry-run", "cannot be used with"),
        ("buy EUR_USD 10k --id 12", "invalid value '12'"),
        ("positions --json --csv", "cannot be used with"),
        ("demo --role boss", "invalid value 'boss'"),
        ("demo --speed 60x", "--replay"),
        ("--set colour", "write a key, an equals sign and a value"),
        ("ack", "<EVENTS>"),
        ("outcome", "<ID>"),
        ("unack 12345678", "--note"),
    ] {
        let ran = shell.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{line}: {ran:?}");
    }
}

#[test]
fn version_and_completions_need_no_configuration() {
    let broken = Shell::new().with("TMT_CONFIG", "/nowhere/console.toml");
    assert!(broken.run("--version").out.starts_with("tmt "));
    for shell in ["bash", "zsh", "fish"] {
        let ran = broken.run(&format!("completions {shell}"));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains("positions") && ran.out.contains("dry-run"), "{shell}");
    }
}

// ---- configuration --------------------------------------------------------------------------

#[test]
fn every_fault_of_the_configuration_is_a_line_and_the_code_is_1() {
    let shell = Shell::new();
    let file = shell.home.path().join("bad.toml");
    std::fs::write(&file, "[feed]\nping_evry = \"1 s\"\n[ticket]\narm_after = \"1 ms\"\n").unwrap();
    let ran = shell.run(&format!("positions --config {}", file.display()));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    assert!(lines[0].ends_with(
        "bad.toml:2: feed.ping_evry: there is no such key; did you mean feed.ping_every?"
    ));
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
fn a_missing_server_is_one_line_that_says_what_to_do() {
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
async fn a_database_without_the_schema_asks_for_migrate() {
    let database = database::empty_database().await;
    let ran = Shell::on(&database.url()).run("positions");
    assert_eq!(ran.code, 1);
    assert!(ran.complaint().contains("tmt migrate"), "{}", ran.err);
}

#[tokio::test]
async fn a_login_of_no_group_is_told_whom_to_ask_for_what() {
    let desk = Desk::open().await;
    let login = format!("{}_stranger", desk.database.name());
    desk.admin.batch_execute(&format!("CREATE ROLE {login} LOGIN")).await.unwrap();
    let ran = Shell::on(&desk.database.url_as(&login)).run("positions");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.complaint().starts_with("tmt: "), "{}", ran.err);
}

/// The console itself.
const NO_WORDS: &[&str] = &[];

#[tokio::test]
async fn the_console_does_not_start_where_only_a_person_can_help() {
    let empty = database::empty_database().await;
    let desk = Desk::open().await;
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
async fn a_console_that_never_saw_its_database_ends_with_1_and_says_why() {
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
fn without_a_terminal_the_console_says_what_to_use_instead() {
    for line in ["", "demo"] {
        let ran = Shell::new().run(line);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.complaint().contains("terminal"), "{}", ran.err);
    }
}

#[tokio::test]
async fn migrate_checks_then_brings_the_schema_and_does_nothing_twice() {
    let database = database::empty_database().await;
    let shell = Shell::on(&database.url());
    let check = shell.run("migrate --check");
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.contains("empty") && check.out.contains("0001_roles"), "{}", check.out);
    let first = shell.run("migrate");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.out.contains("applied  0001_roles"), "{}", first.out);
    let second = shell.run("migrate");
    assert_eq!(second.code, 0);
    assert!(second.out.contains("was there already"), "{}", second.out);
    assert!(shell.run("migrate --check").out.contains("nothing to do"));
    let maintained = shell.run("maintain");
    assert!(
        maintained.code == 0 && maintained.out.contains("partitions of trades"),
        "{maintained:?}"
    );
}

// ---- panes ----------------------------------------------------------------------------------

#[tokio::test]
async fn panes_are_printed_for_people_and_for_programs() {
    let desk = Desk::open().await;
    let shell = shell(&desk, "viewer", "tmt_viewer").await;

    let human = shell.run("accounts");
    assert_eq!((human.code, human.err.as_str()), (0, ""));
    let mut lines = human.out.lines();
    assert!(lines.next().unwrap().starts_with("ACCOUNT"), "{}", human.out);
    let alpha = lines.next().unwrap();
    assert!(alpha.starts_with("alpha") && alpha.contains("100,000.00"), "{alpha}");

    let json = shell.run("accounts --json").json();
    assert_eq!(json[0]["id"], "00000000-0000-0000-0000-0000000000a1");
    assert_eq!((&json[0]["account"], &json[0]["balance"]), (&"alpha".into(), &"100000".into()));
    assert_eq!(json[1]["prop firm"], Value::Null, "absent is absent");

    let csv = shell.run("limits --csv").out;
    let mut records = csv.split("\r\n");
    assert!(records.next().unwrap().starts_with("id,limit,scope,applies_to,value,"), "{csv}");
    let row = records.next().unwrap();
    assert!(
        row.starts_with("00000000-0000-0000-0000-0000000000b1,max_exposure,account,alpha,150000,")
    );

    for pane in ["positions", "trades", "signals", "events", "agents"] {
        assert_eq!(shell.run(pane).code, 0, "{pane}");
        assert!(shell.run(&format!("{pane} --json")).json().is_array(), "{pane}");
    }
}

#[tokio::test]
async fn text_that_a_spreadsheet_would_run_is_written_as_text() {
    let desk = Desk::open().await;
    let sql = "UPDATE accounts SET account_name = '=cmd|calc!A1', broker = 'a\"b,c' WHERE account_name = 'alpha'";
    desk.admin.batch_execute(sql).await.unwrap();
    let csv = shell(&desk, "viewer", "tmt_viewer").await.run("accounts --csv").out;
    assert!(csv.contains(",'=cmd|calc!A1,") && csv.contains("\"a\"\"b,c\""), "{csv}");
}

#[tokio::test]
async fn a_closed_pipe_is_quiet() {
    let desk = Desk::open().await;
    let login = desk.database.login("viewer", "tmt_viewer").await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_tmt"))
        .args(["events", "--json"])
        .env_clear()
        .env("DATABASE_URL", desk.database.url_as(&login))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_watched_pane_is_printed_again_when_it_changed() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let desk = Desk::open().await;
    let login = desk.database.login("viewer", "tmt_viewer").await;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_tmt"))
        .args(["accounts", "--json", "--watch"])
        .env_clear()
        .env("DATABASE_URL", desk.database.url_as(&login))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
    };
    assert_eq!(next().await[0]["status"], "active");
    desk.admin.batch_execute("UPDATE accounts SET status = 'suspended'").await.unwrap();
    assert_eq!(next().await[0]["status"], "suspended");
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}

// ---- writes ---------------------------------------------------------------------------------

const BUY: &str = "buy EUR_USD 10k price=1.0851 sl=1.0801 tp=1.0951 @alpha";

#[tokio::test]
async fn a_trade_shows_its_checks_and_is_entered_once() {
    let desk = Desk::open().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;

    let dry = shell.run(&format!("{BUY} --dry-run"));
    assert_eq!(dry.code, 0, "{dry:?}");
    let first = dry.out.lines().next().unwrap();
    assert_eq!(
        first,
        "BUY 10,000 EUR_USD @ 1.08510  SL 1.08010  TP 1.09510  account alpha  [PAPER]"
    );
    assert!(dry.out.contains("MAX_EXPOSURE") && dry.out.ends_with("would be sent; nothing was\n"));
    assert_eq!(desk.trades().await, 0);

    let ran = shell.run(&format!("{BUY} --yes --json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    assert_eq!((&said["outcome"], &said["announced"]), (&"accepted".into(), &false.into()));
    assert_eq!(said["id"], said["subject"], "a trade's key is that of its write");
    assert!(ran.err.contains("not announced"), "Redis is away: {}", ran.err);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn the_same_id_again_returns_the_first_outcome() {
    let desk = Desk::open().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;
    let line = format!("{BUY} --yes --json --id 0192f2c4-0000-7000-8000-000000000001");
    let (first, second) = (shell.run(&line), shell.run(&line));
    assert_eq!((first.code, second.code), (0, 0), "{second:?}");
    assert_eq!(first.json()["message"], second.json()["message"]);
    assert_eq!(desk.trades().await, 1);

    // Another trade under that id is not what was entered first.
    let other = shell.run(&line.replace("10k", "20k"));
    assert_eq!((other.code, &other.json()["code"]), (3, &"KEY_REUSED".into()), "{other:?}");
    assert_eq!(desk.trades().await, 1);
}

/// Where a shell finds the database through a proxy.
fn address(options: &tmt::store::Options) -> String {
    let server = options.servers.first().unwrap();
    let (user, database) = (options.user.as_deref(), options.database.as_deref());
    format!("postgres://{}@{server}/{}", user.unwrap(), database.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_ends_with_4_and_is_settled_by_its_id() {
    let desk = Desk::open().await;
    let (proxy, options) = Proxy::open(desk.options("trader", "tmt_trader").await).await;
    let shell = Shell::on(&address(&options));
    let id = uuid::Uuid::from_u128(0x0192_f2c4_0000_7000_8000_0000_0000_0009);
    proxy.fail(Fault::CutAfter(id.as_bytes().to_vec()));

    let lost = shell.run(&format!("{BUY} --yes --json --id {id}"));
    assert_eq!((lost.code, &lost.json()["outcome"]), (4, &"unknown".into()), "{lost:?}");
    let still = shell.run(&format!("outcome {id}"));
    assert_eq!(still.code, 4, "{still:?}");
    assert!(still.out.contains("do not send it again"), "{}", still.out);
    proxy.fail(Fault::None);

    let settled = shell.run(&format!("outcome {id} --json"));
    assert_eq!((settled.code, &settled.json()["outcome"]), (0, &"accepted".into()), "{settled:?}");
    assert_eq!(desk.trades().await, 1);
    // The next write finds what was left open, and settles it for good.
    let next = shell.run("halt @alpha reason=drill --yes");
    assert!(
        next.code == 0 && next.err.contains("an earlier write (BUY 10,000 EUR_USD"),
        "{next:?}"
    );
    assert!(!shell.run("halt @bravo reason=drill --yes").err.contains("an earlier write"));

    let stranger = shell.run(&format!("outcome {}", uuid::Uuid::nil()));
    assert_eq!(stranger.code, 2, "{stranger:?}");
}

#[tokio::test]
async fn without_a_journal_nothing_is_sent() {
    let desk = Desk::open().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;
    let file = shell.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let shell = shell.with("TMT_JOURNAL_FOLDER", file.join("journal").to_str().unwrap());
    let ran = shell.run(&format!("{BUY} --yes"));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.complaint().contains("nothing is sent without it"), "{}", ran.err);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn nothing_is_sent_without_a_yes() {
    let desk = Desk::open().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;
    let ran = shell.run_with_input(BUY, "y\n");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.complaint().contains("--yes"), "{}", ran.err);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_person_is_asked_and_only_a_plain_yes_sends() {
    let desk = Desk::open().await;
    let login = desk.database.login("trader", "tmt_trader").await;
    let environment = [("DATABASE_URL", desk.database.url_as(&login))];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let words: Vec<&str> = BUY.split(' ').collect();
    for (typed, said, code, trades) in [
        ("\r", "not sent", 3, 0),
        ("yy\r", "not sent", 3, 0),
        ("\u{3}", "not sent", 3, 0),
        ("y\r", "accepted", 0, 1),
    ] {
        let mut shell = Pty::start(env!("CARGO_BIN_EXE_tmt"), &words, &environment, (120, 40));
        shell.wait_for_text("send? [y/N]");
        shell.send(typed);
        let status = shell.wait();
        assert!(shell.screen().contains(said), "{typed:?}: {}", shell.screen());
        assert_eq!((status.exit_code(), desk.trades().await), (code, trades), "{typed:?}");
    }
}

#[tokio::test]
async fn a_refusal_has_its_code_and_its_numbers() {
    let desk = Desk::open().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let ran = trader.run("buy EUR_USD 200k price=1.0851 sl=1.0841 @alpha --yes --json");
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = ran.json();
    assert_eq!((&said["outcome"], &said["code"]), (&"refused".into(), &"MAX_EXPOSURE".into()));
    assert_eq!((&said["measured"], &said["allowed"]), (&"217020".into(), &"150000".into()));
    let human = trader.run("buy EUR_USD 200k price=1.0851 sl=1.0841 @alpha --yes");
    assert_eq!(human.code, 3);
    assert!(human.out.contains("refused   MAX_EXPOSURE: "), "{}", human.out);

    let viewer = shell(&desk, "viewer", "tmt_viewer").await.run(&format!("{BUY} --yes --json"));
    assert_eq!((viewer.code, &viewer.json()["code"]), (3, &"NOT_PERMITTED".into()), "{viewer:?}");
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn what_a_rule_forbids_is_refused_with_its_code() {
    let desk = Desk::open().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    for (words, code) in [
        ("EUR_USD 10k price=1.0851 sl=1.09", "STOP_WRONG_SIDE"),
        ("EUR_USD 10k price=1.085101 sl=1.08", "PRICE_NOT_A_TICK"),
        ("EUR_USD 10000.5 price=1.0851 sl=1.08", "SIZE_NOT_A_STEP"),
        ("EUR_USD 10 price=1.0851 sl=1.08", "SIZE_BELOW_MINIMUM"),
        ("EUR_USD 900k price=1.0851 sl=1.08", "SIZE_ABOVE_MAXIMUM"),
        ("EUR_USD 10k price=1.0851", "STOP_REQUIRED"),
        ("EUR_USD 10k price=1.2 sl=1.08", "PRICE_COLLAR"),
        ("EUR_USD 10k price=1.0851 sl=1.08 tp=1.07", "TARGET_WRONG_SIDE"),
    ] {
        let ran = trader.run(&format!("buy {words} @alpha --yes --json"));
        assert_eq!((ran.code, &ran.json()["code"]), (3, &code.into()), "{words}: {ran:?}");
    }
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn what_a_verb_lacks_is_said_in_its_own_words() {
    let desk = Desk::open().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    for (shell, line, said) in [
        (&trader, "buy EUR_USD 10k price=1.0851 sl=1.08 --yes", "@alpha or @bravo"),
        (
            &trader,
            "buy EUR_USD 10k price=1.0851 sl=1.08 @nobody --yes",
            "no account \"nobody\"; there are alpha, bravo",
        ),
        (
            &trader,
            "buy GBP_USD 10k price=1.3 @alpha --yes",
            "no instrument \"GBP_USD\"; there are EUR_USD, USD_JPY",
        ),
        (&trader, "close EUR_USD --yes", "no open position in EUR_USD"),
        (&officer, "ack 000000c2 --yes", "note="),
        (&officer, "ack ffffffff --yes", "no risk event"),
        (&officer, "limit set 000000b1 900k --yes", "reason="),
    ] {
        let ran = shell.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.complaint().contains(said), "{line}: {}", ran.err);
    }
}

#[tokio::test]
async fn officers_acknowledge_and_change_limits() {
    let desk = Desk::open().await;
    let one = shell(&desk, "one", "tmt_risk_officer").await;
    let two = shell(&desk, "two", "tmt_risk_officer").await;

    assert_eq!(one.run("ack 000000c1 --yes").code, 0);
    let late = two.run("ack 000000c1 --yes --json");
    assert_eq!((late.code, &late.json()["code"]), (3, &"ALREADY_ACKNOWLEDGED".into()));
    assert_eq!(one.run("ack 000000c2 note='data fault' --yes").code, 0);

    let tighter = one.run("limit set 000000b1 140k --yes --json");
    assert_eq!(tighter.json()["code"], "TIGHTENED", "{tighter:?}");
    let limit = tighter.json()["subject"].as_str().unwrap().to_owned();
    let looser =
        one.run(&format!("limit set {limit} 200k reason='second phase' --yes --json")).json();
    assert_eq!(looser["code"], "PENDING_APPROVAL");
    let proposal = looser["subject"].as_str().unwrap().to_owned();
    let own = one.run(&format!("limit approve {proposal} --yes --json"));
    assert_eq!(own.code, 3, "{own:?}");
    let other = two.run(&format!("limit approve {proposal} --yes --json"));
    assert_eq!(other.code, 0, "{other:?}");
}

#[tokio::test]
async fn a_halt_stops_what_opens_and_not_what_closes() {
    let desk = Desk::open().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    assert_eq!(trader.run(&format!("{BUY} --yes")).code, 0);
    assert_eq!(trader.run("halt @alpha reason='fat finger' --yes").code, 0);
    let refused = trader.run("buy USD_JPY 10k price=155.21 sl=154.9 @alpha --yes --json");
    assert_eq!((refused.code, &refused.json()["code"]), (3, &"TRADING_HALT".into()));
    let closed = trader.run("close EUR_USD price=1.0849 --yes --json");
    assert_eq!(closed.code, 0, "{closed:?}");
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    assert_eq!(officer.run("resume @alpha reason='it was a drill' --yes").code, 0);
}

// ---- prices and the bus ---------------------------------------------------------------------

/// Publishes a price of EUR/USD and a sign of life until it is dropped.
struct Market(CancellationToken);

impl Market {
    fn open(url: &str) -> Self {
        let stop = CancellationToken::new();
        let (options, until) = (tmt::feed::Options::new(url), stop.clone());
        tokio::spawn(async move {
            let mut publisher = Publisher::new(options);
            let mut rhythm = tokio::time::interval(Duration::from_millis(50));
            while until.run_until_cancelled(rhythm.tick()).await.is_some() {
                let time = tmt::runtime::clock::wall();
                let quote = Quote {
                    instrument: InstrumentId::new("EUR_USD"),
                    bid: dec!(1.0849),
                    ask: dec!(1.0851),
                    time,
                    seq: None,
                };
                publisher.quotes(&[quote]).await.unwrap();
                publisher.heartbeat(time).await.unwrap();
            }
        });
        Self(stop)
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_price_the_one_of_this_moment_is_taken_and_the_write_is_announced() {
    let desk = Arc::new(Desk::open().await);
    let redis = Redis::start(Options::in_memory()).await.unwrap();
    let shell = shell(&desk, "trader", "tmt_trader").await.with("REDIS_URL", &redis.url());
    let line = "buy EUR_USD 10k sl=1.0801 @alpha --yes --json";

    let silent = shell.run(line);
    assert_eq!(silent.code, 1, "{silent:?}");
    assert!(
        silent.complaint().contains("no price: no quote of EUR_USD")
            && silent.err.contains("price="),
        "{silent:?}"
    );

    let market = Market::open(&redis.url());
    let ran = shell.run(line);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    assert!(said["sentence"].as_str().unwrap().contains("@ 1.0851"), "a buy pays the ask: {said}");
    assert_eq!(said["announced"], true);

    let doctor = shell.run("doctor --json");
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let levels: Vec<Value> =
        doctor.json().as_array().unwrap().iter().map(|row| row["level"].clone()).collect();
    assert!(levels.iter().all(|level| level != "fail"), "{doctor:?}");
    drop(market);
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn the_doctor_fails_where_the_console_cannot_do_its_job() {
    let desk = Desk::open().await;
    let ran = shell(&desk, "viewer", "tmt_viewer").await.run("doctor");
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = |about: &str| ran.out.lines().find(|line| line.contains(about)).unwrap();
    assert!(line("PostgreSQL").starts_with("ok"), "{}", ran.out);
    assert!(line("Redis").starts_with("FAIL"), "{}", ran.out);
    assert!(line("rights").contains("viewer"), "{}", ran.out);

    let nothing = Shell::on("postgres://joe@127.0.0.1:1/desk").run("doctor --json");
    assert_eq!(nothing.code, 1);
    assert_eq!(nothing.json()[1]["level"], "fail");
}
