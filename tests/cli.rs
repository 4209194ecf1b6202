//! The program as a shell sees it: what it prints, where, and how it ends.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "cli/panes.rs"]
mod panes;
#[path = "cli/prices.rs"]
mod prices;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/shell.rs"]
mod shell;
#[path = "cli/starting.rs"]
mod starting;

use desk::Desk;
use proxy::{Fault, Proxy};
use pty::Pty;
use shell::{Shell, shell};

// ---- help and usage -------------------------------------------------------------------------

#[test]
fn help_lists_the_commands() {
    let ran = Shell::new().run("--help");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!("help", ran.out);
}

#[test]
fn help_of_a_verb_lists_its_words_and_the_common_flags() {
    let ran = Shell::new().run("buy --help");
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("help_buy", ran.out);
    assert!(Shell::new().run("limit set --help").out.contains("--dry-run"));
}

#[test]
fn a_usage_error_exits_with_2_and_says_why() {
    let shell = Shell::new();
    for (line, said) in [
        ("byu EUR_USD 10k", "unrecognized subcommand 'byu'"),
        ("buy", "<INSTRUMENT>"),
        ("buy EUR_USD 1e3", "is not a number"),
        ("buy EUR_USD 10k stop=1.095", "unexpected argument '--stop'"),
        ("buy EUR_USD 10k sl=1.095 sl=1.105", "cannot be used multiple times"),
        ("buy EUR_USD 10k --yes --dry-run", "cannot be used with"),
        ("buy EUR_USD 10k --id 12", "invalid value '12'"),
        ("positions --json --csv", "cannot be used with"),
        ("demo --role boss", "invalid value 'boss'"),
        ("demo --speed 60x", "--replay"),
        ("--set colour", "expected KEY=VALUE"),
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

// ---- writes ---------------------------------------------------------------------------------

const BUY: &str = "buy EUR_USD 10k price=1.1001 sl=1.0951 tp=1.1101 @alpha";

#[tokio::test]
async fn a_dry_run_shows_the_checks_and_yes_enters_the_trade() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;

    let dry = shell.run(&format!("{BUY} --dry-run"));
    assert_eq!(dry.code, 0, "{dry:?}");
    let first = dry.out.lines().next().unwrap();
    assert_eq!(
        first,
        "BUY 10,000 EUR_USD @ 1.10010  SL 1.09510  TP 1.11010  account alpha  [PAPER]"
    );
    let own = dry.out.lines().find(|line| line.contains("MAX_DAILY_LOSS")).unwrap();
    assert!(own.contains("  account's own  "), "{own}");
    assert!(dry.out.contains("MAX_EXPOSURE") && dry.out.ends_with("dry run: would be sent\n"));
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
async fn a_repeated_id_returns_the_first_outcome() {
    let desk = Desk::with_records().await;
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
async fn a_lost_answer_exits_with_4_and_is_settled_by_its_id() {
    let desk = Desk::with_records().await;
    let (proxy, options) = Proxy::open(desk.options("trader", "tmt_trader").await).await;
    let shell = Shell::on(&address(&options));
    let id = uuid::Uuid::from_u128(0x0192_f2c4_0000_7000_8000_0000_0000_0009);
    proxy.fail(Fault::CutAfter(id.as_bytes().to_vec()));

    let lost = shell.run(&format!("{BUY} --yes --json --id {id}"));
    assert_eq!((lost.code, &lost.json()["outcome"]), (4, &"unknown".into()), "{lost:?}");
    let still = shell.run(&format!("outcome {id}"));
    assert_eq!(still.code, 4, "{still:?}");
    assert!(still.out.contains("do not resend"), "{}", still.out);
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
    let desk = Desk::with_records().await;
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
async fn a_damaged_journal_is_reported_once_and_stops_nothing() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;
    let folder = shell.home.path().join("journal");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("0.journal"), "4a5b6c7d {\"place\":\"joe@db1\"}\n").unwrap();
    let shell = shell.with("TMT_JOURNAL_FOLDER", folder.to_str().unwrap());

    let asked = shell.run(&format!("outcome {}", uuid::Uuid::nil()));
    assert!(asked.code == 2 && asked.err.contains("0.journal is damaged"), "{asked:?}");
    let ran = shell.run(&format!("{BUY} --yes"));
    assert!(ran.code == 0 && ran.err.contains("0.journal is damaged"), "{ran:?}");
    let next = shell.run("halt @alpha reason=drill --yes");
    assert!(next.code == 0 && !next.err.contains("damaged"), "{next:?}");
}

#[tokio::test]
async fn without_a_terminal_nothing_is_sent_unless_yes_is_passed() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "trader", "tmt_trader").await;
    let ran = shell.run_with_input(BUY, "y\n");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.complaint().contains("--yes"), "{}", ran.err);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn at_the_prompt_only_a_plain_y_sends() {
    let desk = Desk::with_records().await;
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
async fn a_refusal_prints_its_code_and_figures() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let ran = trader.run("buy EUR_USD 200k price=1.1001 sl=1.0991 @alpha --yes --json");
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = ran.json();
    assert_eq!((&said["outcome"], &said["code"]), (&"refused".into(), &"MAX_EXPOSURE".into()));
    assert_eq!((&said["measured"], &said["allowed"]), (&"220020".into(), &"150000".into()));
    let human = trader.run("buy EUR_USD 200k price=1.1001 sl=1.0991 @alpha --yes");
    assert_eq!(human.code, 3);
    assert!(human.out.contains("refused   MAX_EXPOSURE: "), "{}", human.out);

    let viewer = shell(&desk, "viewer", "tmt_viewer").await.run(&format!("{BUY} --yes --json"));
    assert_eq!((viewer.code, &viewer.json()["code"]), (3, &"NOT_PERMITTED".into()), "{viewer:?}");
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn an_order_against_a_rule_is_refused_with_its_code() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    for (words, code) in [
        ("EUR_USD 10k price=1.1001 sl=1.105", "STOP_WRONG_SIDE"),
        ("EUR_USD 10k price=1.100101 sl=1.095", "PRICE_NOT_A_TICK"),
        ("EUR_USD 10000.5 price=1.1001 sl=1.095", "SIZE_NOT_A_STEP"),
        ("EUR_USD 10 price=1.1001 sl=1.095", "SIZE_BELOW_MINIMUM"),
        ("EUR_USD 900k price=1.1001 sl=1.095", "SIZE_ABOVE_MAXIMUM"),
        ("EUR_USD 10k price=1.1001", "STOP_REQUIRED"),
        ("EUR_USD 10k price=1.2 sl=1.095", "PRICE_COLLAR"),
        ("EUR_USD 10k price=1.1001 sl=1.095 tp=1.085", "TARGET_WRONG_SIDE"),
    ] {
        let ran = trader.run(&format!("buy {words} @alpha --yes --json"));
        assert_eq!((ran.code, &ran.json()["code"]), (3, &code.into()), "{words}: {ran:?}");
    }
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_missing_word_is_named_by_its_verb() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    for (shell, line, said) in [
        (&trader, "buy EUR_USD 10k price=1.1001 sl=1.095 --yes", "@alpha or @bravo"),
        (
            &trader,
            "buy EUR_USD 10k price=1.1001 sl=1.095 @nobody --yes",
            "unknown account \"nobody\"; accounts: alpha, bravo",
        ),
        (
            &trader,
            "buy GBP_USD 10k price=1.3 @alpha --yes",
            "unknown instrument \"GBP_USD\"; instruments: EUR_TRY, EUR_USD, USD_JPY",
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
    let desk = Desk::with_records().await;
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
async fn a_halt_refuses_new_orders_and_allows_closes() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    assert_eq!(trader.run(&format!("{BUY} --yes")).code, 0);
    assert_eq!(trader.run("halt @alpha reason='fat finger' --yes").code, 0);
    let refused = trader.run("buy USD_JPY 10k price=155.01 sl=154.9 @alpha --yes --json");
    assert_eq!((refused.code, &refused.json()["code"]), (3, &"TRADING_HALT".into()));
    let closed = trader.run("close EUR_USD price=1.0999 --yes --json");
    assert_eq!(closed.code, 0, "{closed:?}");
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    assert_eq!(officer.run("resume @alpha reason='it was a drill' --yes").code, 0);
}

#[tokio::test]
async fn doctor_fails_when_a_server_is_unreachable() {
    let desk = Desk::with_records().await;
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

#[tokio::test]
async fn doctor_warns_of_an_outdated_rulebook() {
    let desk = Desk::with_records().await;
    let shell = shell(&desk, "admin", "tmt_admin").await;
    let schema = || {
        let ran = shell.run("doctor");
        ran.out.lines().find(|line| line.contains(" schema ")).unwrap().to_owned()
    };
    assert!(schema().starts_with("ok"), "{}", schema());
    desk.admin.batch_execute("UPDATE tmt.rulebook SET digest = 'of another build'").await.unwrap();
    assert!(schema().starts_with("warn"), "{}", schema());
}
