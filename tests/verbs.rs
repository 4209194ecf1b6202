//! The verbs on what is held and on limits, the audit chain, reconciling and the sentinel, as a
//! shell sees them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/rows.rs"]
mod rows;
#[path = "verbs/said.rs"]
mod said;
#[path = "verbs/sentinel.rs"]
mod sentinel;
#[path = "support/shell.rs"]
mod shell;
#[path = "support/verbs.rs"]
mod verbs;

use desk::Desk;
use serde_json::Value;
use shell::{Shell, shell};
use std::fs;
use std::time::Duration;
use verbs::limit;

/// How long something may take that usually takes a moment.
const SOON: Duration = Duration::from_secs(20);

const BUY: &str = "buy EUR_USD 20k price=1.1001 sl=1.0951 tp=1.1101 @alpha --yes --json";

async fn trader_with_a_position(desk: &Desk) -> Shell {
    let trader = shell(desk, "trader", "tmt_trader").await;
    let bought = trader.run(BUY);
    assert_eq!(bought.code, 0, "{bought:?}");
    trader
}

#[tokio::test]
async fn a_stop_is_amended_and_a_wrong_one_refused() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;

    let amended = trader.run("amend EUR_USD sl=1.0980 trail=0.0020 --yes --json");
    assert_eq!((amended.code, &amended.json()["code"]), (0, &"TIGHTENED".into()), "{amended:?}");
    let sql = "SELECT count(*) FROM positions WHERE stop_loss = 1.0980 AND take_profit = 1.1101
                  AND trailing_stop_distance = 0.0020";
    assert_eq!(desk.count(sql).await, 1);

    let entry = trader.run("breakeven EUR_USD @alpha --dry-run");
    assert!(entry.out.contains("SL 1.09800 -> 1.10010"), "{entry:?}");
    assert!(entry.code == 3 && entry.out.contains("STOP_WRONG_SIDE"), "no profit yet: {entry:?}");
    let wrong = trader.run("amend EUR_USD sl=1.1050 --yes --json");
    assert_eq!((wrong.code, &wrong.json()["code"]), (3, &"STOP_WRONG_SIDE".into()), "{wrong:?}");
    let same = trader.run("amend EUR_USD sl=1.0980 --yes");
    assert_eq!((same.code, same.complaint().contains("nothing changed")), (2, true), "{same:?}");
    let none = trader.run("amend EUR_USD trail=none tp=none --yes --json");
    assert_eq!(none.code, 0, "{none:?}");
    assert!(none.json()["sentence"].as_str().unwrap().contains("TP 1.11010 -> none"), "{none:?}");
}

#[tokio::test]
async fn a_refusal_exits_with_3_before_and_after_sending() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    let signal = async |set: &str| {
        desk.admin.batch_execute(&format!("UPDATE signals SET {set}")).await.unwrap();
    };
    for (shell, line, code) in [
        (&trader, "close EUR_USD 30k price=1.0999", "REDUCE_ONLY_EXCEEDS_POSITION"),
        (&trader, "close EUR_USD price=1.099905", "PRICE_NOT_A_TICK"),
        (&trader, "amend EUR_USD sl=1.095105", "PRICE_NOT_A_TICK"),
        (&trader, "flatten @bravo", "NOTHING_TO_FLATTEN"),
        (&officer, "limit set 000000b1 0", "LIMIT_VALUE_INVALID"),
        (&officer, "limit set 000000b1 100k until='2020-01-01 00:00'", "LIMIT_UNTIL_PAST"),
    ] {
        let ran = shell.run(&format!("{line} --yes --json"));
        assert_eq!((ran.code, &ran.json()["code"]), (3, &code.into()), "{line}: {ran:?}");
        assert_eq!(ran.json()["outcome"], "refused");
    }
    let take = "take 000000d1 10k price=1.100 @bravo --yes --json";
    signal("valid_until = now() - interval '1 s'").await;
    let late = trader.run(take);
    assert_eq!((late.code, &late.json()["code"]), (3, &"SIGNAL_EXPIRED".into()), "{late:?}");
    signal("valid_until = 'infinity', status = 'cancelled'").await;
    let gone = trader.run(take);
    assert_eq!((gone.code, &gone.json()["code"]), (3, &"SIGNAL_NOT_PENDING".into()), "{gone:?}");

    let dry = trader.run("close EUR_USD 30k price=1.0999 --dry-run");
    assert_eq!(dry.code, 3, "{dry:?}");
    assert!(dry.out.contains("dry run: would be refused  REDUCE_ONLY_EXCEEDS_POSITION"), "{dry:?}");
}

#[tokio::test]
async fn limits_of_one_type_are_told_apart_by_scope() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    for limit in [
        limit("max_exposure", 400_000, "USD").of_portfolio("majors"),
        limit("max_exposure", 900_000, "USD"),
        limit("max_exposure", 300_000, "USD").of_instrument("EUR_USD"),
    ] {
        limit.insert(&desk).await;
    }
    let buy = "buy EUR_USD 20k price=1.1001 sl=1.0951 tp=1.1101 @alpha --dry-run";
    let checks = trader.run(&format!("{buy} --json")).json()["checks"].clone();
    let of = |check: &Value| {
        let text = |name: &str| check[name].as_str().unwrap_or("-").to_owned();
        (text("code") == "MAX_EXPOSURE")
            .then(|| format!("{} {}", text("scope"), text("identifier")))
    };
    let mut scopes: Vec<String> = checks.as_array().unwrap().iter().filter_map(of).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["account alpha", "instrument EUR_USD", "portfolio majors", "system -"]);
    let rule = checks.as_array().unwrap().iter().find(|check| check["code"] == "MAX_DAILY_LOSS");
    assert_eq!(rule.unwrap()["identifier"], "alpha");
    let human = trader.run(buy).out;
    for line in [
        "MAX_EXPOSURE     account alpha ",
        "MAX_EXPOSURE     portfolio majors ",
        "MAX_EXPOSURE     system ",
    ] {
        assert!(human.contains(line), "{human}");
    }
}

#[tokio::test]
async fn one_trade_of_a_position_is_closed() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    let second = trader
        .run("buy EUR_USD 10k price=1.1001 sl=1.0951 tp=1.1101 @alpha reason=twice --yes --json");
    assert_eq!(second.code, 0, "{second:?}");
    let trade = second.json()["subject"].as_str().unwrap().to_owned();

    let closed = trader.run(&format!("close {trade} price=1.0999 --yes --json"));

    assert_eq!(closed.code, 0, "{closed:?}");
    let open = "SELECT count(*) FROM trades WHERE status = 'open' AND position_size = 20000";
    assert_eq!(desk.count(open).await, 1, "the other trade stays");
    assert_eq!(desk.count("SELECT total_size::bigint FROM positions").await, 20_000);
    let again = trader.run(&format!("close {trade} price=1.0999 --yes"));
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.complaint().contains("no open position or trade"), "{again:?}");
}

#[tokio::test]
async fn flatten_reports_each_position() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    assert_eq!(trader.run("buy USD_JPY 10k price=155.01 sl=154.9 @alpha --yes").code, 0);
    desk.admin.batch_execute("DELETE FROM fx_rates WHERE from_currency = 'EUR'").await.unwrap();

    let flattened = trader.run("flatten @alpha reason='end of day' --yes --json");

    assert_eq!(flattened.code, 0, "{flattened:?}");
    let json = flattened.json();
    assert_eq!(json["code"], "PARTLY_FLATTENED");
    let ends: Vec<(&str, &str)> = json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["instrument"].as_str().unwrap(), item["end"].as_str().unwrap()))
        .collect();
    assert_eq!(ends, [("USD_JPY", "closed"), ("EUR_USD", "kept")]);
    desk.quote().await;
    let text = trader.run("flatten @alpha --yes");
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.out.contains("closed  EUR_USD 20,000 @ 1.09990  P&L "), "{text:?}");
    let nothing = trader.run("flatten @alpha --yes");
    assert_eq!(nothing.code, 3, "{nothing:?}");
    assert!(
        nothing.out.contains("NOTHING_TO_FLATTEN: account alpha has no open positions"),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_halt_that_flattens_everything_needs_a_risk_officer() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    let refused = trader.run("halt mode=flatten --yes --json");
    assert_eq!((refused.code, &refused.json()["code"]), (3, &"NOT_PERMITTED".into()));
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    let halted = officer.run("halt mode=flatten reason='fat finger' --yes --json");
    assert_eq!(halted.code, 0, "{halted:?}");
    assert_eq!(halted.json()["items"].as_array().unwrap().len(), 1, "{halted:?}");
    assert_eq!(desk.count("SELECT count(*) FROM positions WHERE status <> 'closed'").await, 0);
}

#[tokio::test]
async fn retiring_a_limit_needs_two_people() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    assert_eq!(trader.run("limit new max_open_positions 3 @alpha --yes --json").code, 3);
    let one = shell(&desk, "one", "tmt_risk_officer").await;
    let two = shell(&desk, "two", "tmt_risk_officer").await;

    let made = one.run("limit new max_open_positions 3 @alpha reason='new desk' --yes --json");
    assert_eq!((made.code, &made.json()["code"]), (0, &"TIGHTENED".into()), "{made:?}");
    let limit = made.json()["subject"].as_str().unwrap().to_owned();
    let unknown = one.run("limit new max_vega 3 unit=USD --yes --json");
    assert_eq!((unknown.code, &unknown.json()["code"]), (3, &"LIMIT_TYPE_UNKNOWN".into()));

    // Whom it would bind, before anybody agrees.
    let asked = one.run("limit set 000000b1 20k --dry-run --json");
    let impact = asked.json()["impact"].clone();
    assert_eq!(impact[0]["account"], "alpha", "{asked:?}");
    assert_eq!(impact[0]["state"], "breach", "{asked:?}");
    let shown = one.run("limit set 000000b1 20k --dry-run");
    assert!(shown.out.contains("alpha         breach"), "{shown:?}");

    let retired = one.run(&format!("limit retire {limit} reason='not needed' --yes --json"));
    assert_eq!(retired.json()["code"], "PENDING_APPROVAL", "{retired:?}");
    let proposal = retired.json()["subject"].as_str().unwrap().to_owned();
    assert_eq!(one.run(&format!("limit approve {proposal} --yes")).code, 3);
    let approved = two.run(&format!("limit approve {proposal} --yes --json"));
    assert_eq!(approved.code, 0, "{approved:?}");
    assert!(
        approved.json()["sentence"].as_str().unwrap().contains("retirement of"),
        "{approved:?}"
    );
    let active =
        format!("SELECT count(*) FROM risk_limits WHERE limit_id = '{limit}' AND is_active");
    assert_eq!(desk.count(&active).await, 0);
}

#[tokio::test]
async fn a_limit_raised_until_a_time_returns_to_its_value() {
    let desk = Desk::with_records().await;
    let one = shell(&desk, "one", "tmt_risk_officer").await;
    let two = shell(&desk, "two", "tmt_risk_officer").await;
    let raised = one.run("limit set 000000b1 200k until=2h reason='month end' --yes --json");
    assert_eq!(raised.json()["code"], "PENDING_APPROVAL", "{raised:?}");
    let proposal = raised.json()["subject"].as_str().unwrap().to_owned();
    assert_eq!(two.run(&format!("limit approve {proposal} --yes")).code, 0);
    let sql = "SELECT count(*) FROM risk_limits WHERE is_active AND
               (limit_value, effective_until > now() + interval '119 minutes'
                         AND effective_until < now() + interval '121 minutes') = (200000, true)";
    assert_eq!(desk.count(sql).await, 1);
    let returns = "SELECT count(*) FROM risk_limits WHERE is_active AND limit_value = 150000
                      AND effective_from > now() + interval '119 minutes'";
    assert_eq!(desk.count(returns).await, 1);
}

// ---- the audit chain ------------------------------------------------------------------------

#[tokio::test]
async fn audit_verify_finds_a_cut_tail_by_the_saved_head() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    assert_eq!(trader.run("close EUR_USD price=1.0999 --yes").code, 0);

    let head = trader.run("audit head");
    assert!(head.out.starts_with("2:"), "{head:?}");
    let file = trader.home.path().join("head");
    fs::write(&file, &head.out).unwrap();
    let verified = trader.run("audit verify");
    assert_eq!(verified.code, 0, "{verified:?}");
    let hash = head.out.trim().strip_prefix("2:").unwrap();
    assert_eq!(verified.out, format!("2 lines, head seq 2 hash {hash}\nintact\n"));
    let with_head = format!("audit verify --head-file {}", file.display());
    assert_eq!(trader.run(&with_head).code, 0);

    // A superuser deletes the last line and moves the head back.
    let cut = "ALTER TABLE tmt.audit_log DISABLE TRIGGER USER;
               DELETE FROM tmt.audit_log WHERE seq = 2;
               UPDATE tmt.audit_head SET seq = 1, hash = (SELECT hash FROM tmt.audit_log);";
    desk.admin.batch_execute(cut).await.unwrap();
    assert_eq!(trader.run("audit verify").code, 0, "the shorter chain is consistent");
    let found = trader.run(&with_head);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(
        found.out.contains("BROKEN at seq 2: the chain ends before the exported head"),
        "{found:?}"
    );
    let json = trader.run(&format!("audit verify --head {} --json", head.out.trim())).json();
    assert_eq!((&json["intact"], &json["bad_seq"]), (&false.into(), &2.into()));

    let changed = "UPDATE tmt.audit_log SET actor = 'nobody' WHERE seq = 1";
    desk.admin.batch_execute(changed).await.unwrap();
    let found = trader.run("audit verify");
    assert_eq!((found.code, found.out.contains("BROKEN at seq 1")), (1, true), "{found:?}");
}

// ---- reconciling ----------------------------------------------------------------------------

#[tokio::test]
async fn reconcile_prints_differences_and_an_admin_repairs_them() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    let admin = shell(&desk, "admin", "tmt_admin").await;
    let none = officer.run("reconcile");
    assert_eq!((none.code, none.out.as_str()), (0, "no differences\n"));

    desk.admin.batch_execute("UPDATE positions SET realized_pnl = 5").await.unwrap();
    let found = officer.run("reconcile @alpha");
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.contains("realized_pnl"), "{found:?}");
    let json = officer.run("reconcile --json").json();
    assert_eq!((&json[0]["stored"], &json[0]["rebuilt"]), (&"5".into(), &"0".into()));

    assert_eq!(officer.run("reconcile --repair").code, 2, "without --yes");
    let looks = officer.run("reconcile --repair --yes");
    assert_eq!(looks.code, 1, "an officer may only look");
    assert!(looks.complaint().contains("needs a login in tmt_admin"), "{looks:?}");
    let repaired = admin.run("reconcile --repair --yes");
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert_eq!(officer.run("reconcile").code, 0);
    let trades = trader.run("reconcile");
    assert_eq!(trades.code, 1, "a trader may not");
    assert!(trades.complaint().contains("needs a login in tmt_risk_officer"), "{trades:?}");
    assert!(officer.run("reconcile zulu").complaint().contains("no account"));
}
