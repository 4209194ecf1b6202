//! What a verb prints before and after it writes: the environment, refusals, and rounded figures.

use crate::desk::{BRAVO, Desk};
use crate::shell::shell;
use crate::trader_with_a_position;
use crate::verbs::limit;

#[tokio::test]
async fn the_badge_is_that_of_the_account() {
    let desk = Desk::with_records().await;
    let live = "UPDATE accounts SET account_type = 'live' WHERE account_name = 'alpha'";
    desk.admin.batch_execute(live).await.unwrap();
    let admin = shell(&desk, "admin", "tmt_admin").await;
    for (line, badge) in [
        ("buy EUR_USD 10k price=1.1001 sl=1.0951 @alpha", "[LIVE]"),
        ("buy EUR_USD 10k price=1.1001 sl=1.0951 @bravo", "[DEMO]"),
        ("halt @bravo", "[DEMO]"),
        ("halt @alpha", "[LIVE]"),
        ("limit new max_open_positions 3 @bravo", "[DEMO]"),
        ("limit set 000000b1 20k", "[LIVE]"),
        // Over several accounts the most serious one counts.
        ("limit new max_open_positions 3", "[LIVE]"),
        ("halt", "[LIVE]"),
    ] {
        let ran = admin.run(&format!("{line} --dry-run"));
        let first = ran.out.lines().next().unwrap_or_default();
        assert!(first.ends_with(badge), "{line}: {ran:?}");
    }
}

#[tokio::test]
async fn an_invalid_limit_is_refused_before_it_is_sent() {
    let desk = Desk::with_records().await;
    let officer = shell(&desk, "officer", "tmt_risk_officer").await;
    for (line, code, said) in [
        ("foo 5 @alpha unit=USD", "LIMIT_TYPE_UNKNOWN", "Unknown limit type: foo."),
        (
            "max_exposure 1000 unit=bananas @alpha",
            "LIMIT_UNIT_UNKNOWN",
            "Invalid unit for max_exposure",
        ),
        (
            "max_drawdown 3 instrument=EUR_USD",
            "LIMIT_SCOPE_INVALID",
            "Invalid scope for max_drawdown",
        ),
        (
            "max_open_positions 2.5 @alpha unit=count",
            "LIMIT_VALUE_INVALID",
            "must be a whole number",
        ),
    ] {
        let dry = officer.run(&format!("limit new {line} --dry-run"));
        assert_eq!((dry.code, dry.err.as_str()), (3, ""), "{line}: {dry:?}");
        assert!(
            dry.out.contains(&format!("dry run: would be refused  {code}: ")),
            "{line}: {dry:?}"
        );
        assert!(dry.out.contains(said), "{line}: {dry:?}");
        let sent = officer.run(&format!("limit new {line} --yes --json"));
        assert_eq!((sent.code, &sent.json()["code"]), (3, &code.into()), "{line}: {sent:?}");
    }
    let asked = "SELECT count(*) FROM tmt.requests";
    assert_eq!(desk.count(asked).await, 0, "nothing was sent");
}

#[tokio::test]
async fn outcome_reports_what_was_done_under_the_id() {
    let desk = Desk::with_records().await;
    let trader = shell(&desk, "trader", "tmt_trader").await;
    let buy = "buy EUR_USD 10k price=1.1001 sl=1.0951 tp=1.1101 @alpha --yes --json";
    // Journals are found in no particular order: with four ids one would be wrong.
    for number in 0..4 {
        let id = format!("0192f2c4-0000-7000-8000-00000000000{number}");
        let entered = trader.run(&format!(
            "{} --id {id}",
            buy.replace("10k", &format!("{}k", 10 + number)).replace("--yes", "reason=more --yes")
        ));
        assert_eq!(entered.code, 0, "{entered:?}");
        let other = trader.run(&format!("{} --id {id}", buy.replace("10k", "2k")));
        assert_eq!((other.code, &other.json()["code"]), (3, &"KEY_REUSED".into()), "{other:?}");

        let settled = trader.run(&format!("outcome {id} --json"));

        assert_eq!(settled.code, 0, "{settled:?}");
        let size = format!("BUY {},000 EUR_USD", 10 + number);
        assert!(settled.json()["sentence"].as_str().unwrap().starts_with(&size), "{settled:?}");
        let said = settled.complaint();
        assert!(said.contains("another write with this id was refused: BUY 2,000"), "{said}");
    }
}

#[tokio::test]
async fn refusals_show_rounded_figures_where_there_is_a_maximum() {
    let desk = Desk::with_records().await;
    let trader = trader_with_a_position(&desk).await;
    desk.run(
        "UPDATE accounts SET current_balance = 70000, equity = 70000 WHERE account_name = 'bravo'",
    )
    .await;
    limit("max_leverage", "0.04", "ratio").of(BRAVO).insert(&desk).await;
    let share = trader.run("buy EUR_USD 3333 price=1.10013 sl=1.0951 @bravo --yes");
    let bracket = share.out.rsplit_once(" (").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let digits = bracket.split(' ').next().and_then(|n| n.split_once('.')).map_or(0, |n| n.1.len());
    assert!((1..=4).contains(&digits) && bracket.contains("of 0.04 ratio)"), "{share:?}");

    let step = trader.run("buy EUR_USD 10000.5 price=1.1001 sl=1.095 @alpha --yes");
    let last = step.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("refused   SIZE_NOT_A_STEP") && !last.ends_with(')'), "{step:?}");

    let twin = trader.run("buy EUR_USD 20k price=1.1001 sl=1.0951 tp=1.1101 @alpha --dry-run");
    assert_eq!(twin.code, 3, "{twin:?}");
    assert!(!twin.out.contains(".;"), "{twin:?}");
}

#[test]
fn hints_name_words_that_work() {
    let shell = crate::shell::Shell::new();
    for (line, said) in [
        ("buy EUR_USD -5 sl=1.095", "size must be above zero"),
        ("close EUR_USD -5k", "size must be above zero"),
        ("halt EUR_USD", "instrument=EUR_USD"),
        ("reduce-only EUR_USD", "instrument=EUR_USD"),
    ] {
        let ran = shell.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.contains(said) && !ran.err.contains("'-- "), "{line}: {ran:?}");
    }
    for (verb, said) in [
        ("halt", "all accounts by default"),
        ("reduce-only", "all accounts by default"),
        ("resume", "the newest"),
    ] {
        let help = shell.run(&format!("{verb} --help")).out;
        assert!(help.lines().next().unwrap().contains(said), "{help}");
    }
}
