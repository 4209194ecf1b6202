//! What a ticket says before it is sent.

use std::time::Duration;

use rstest::rstest;
use rust_decimal::{Decimal, dec};
use tmt::app::Msg;
use tmt::domain::account::Environment;
use tmt::domain::code::Code;
use tmt::domain::outcome::Finding;
use tmt::domain::rows::Rows;

use crate::console::Console;
use crate::desk::pressed;
use crate::frame::{LARGE, MEDIUM, SMALL, Size, draw, press_and_draw};
use crate::{desk, risk, rows, scenes};

// ---- the review -----------------------------------------------------------------------------

#[test]
fn a_review_says_that_y_is_off_until_it_was_read() {
    let mut console = pressed("ggx");
    assert!(draw(&mut console, MEDIUM).text().contains("y is disabled: wait a moment"));
    console.read();
    assert!(!draw(&mut console, MEDIUM).text().contains("y is disabled"));
}

/// A halt of everything stops live accounts, whichever row was selected.
#[test]
fn a_wide_halt_carries_the_badge_of_the_most_serious_account() {
    let mut console = desk::normal();
    let mut accounts = rows::accounts();
    accounts[0].environment = Environment::Paper;
    console.rows(Rows::Accounts(accounts));
    for (keys, badge) in [("1gg!h", "[ PAPER ]"), ("<Tab>", "[ LIVE ]")] {
        console.press(keys);
        let title = draw(&mut console, MEDIUM).line_with("┏ HALT");
        assert!(title.contains(badge), "{title}");
    }
}

/// The account's own rules are among them.
#[rstest]
fn a_resume_names_the_limits_still_in_breach(
    #[values(SMALL, MEDIUM)] size: Size,
    #[values(
        "max_daily_loss of carry: 1,002.50 of 1,000.00 USD",
        "max_daily_loss of carry (account's own): 1,002.50 of 500.00 USD"
    )]
    wanted: &str,
) {
    let mut console = desk::normal();
    let mut accounts = rows::accounts();
    accounts[2].max_daily_loss = dec!(0.02);
    console.rows(Rows::Accounts(accounts));
    console.press("!u");
    let sheet = draw(&mut console, size).sheet();
    assert!(sheet.contains(wanted), "{sheet}");
}

// ---- checks ---------------------------------------------------------------------------------

/// A tick and a step are no maximum: a share of them says nothing.
#[test]
fn only_a_check_with_a_maximum_shows_a_share() {
    let mut console = pressed("ggjjb");
    let line = |code: Code, measured: Decimal, allowed: Decimal, unit: &str| {
        let figures = [None, Some(measured), Some(allowed), None];
        risk::check(code, Finding::Reject, figures, unit, "not a multiple")
    };
    console.assessed(vec![
        line(Code::PriceNotATick, dec!(1.086551), dec!(0.00001), "price"),
        line(Code::SizeNotAStep, dec!(10000.5), dec!(1), "units"),
        line(Code::StopWrongSide, dec!(1.09), dec!(1.08655), "price"),
        line(Code::DuplicateOrder, dec!(3), dec!(5), "seconds"),
        line(Code::MaxExposure, dec!(150), dec!(100), "USD"),
    ]);
    let text = draw(&mut console, MEDIUM).text();
    for line in text.lines().filter(|line| line.contains("HARD ")) {
        let has_share = line.contains('%');
        assert_eq!(has_share, line.contains("MAX EXPOSURE"), "{line}");
    }
    assert!(text.contains("Tightest: MAX_EXPOSURE at 150.0%"), "{text}");
}

/// A limit and the account's own column can be about the same loss.
#[rstest]
#[case::narrow(SMALL, ["own daily loss", "acc daily loss", "sys exposure"])]
#[case::wide(MEDIUM, ["own rule  daily loss", "account   daily loss", "system    exposure"])]
#[case::wider(LARGE, ["own rule  daily loss", "account   daily loss", "system    exposure"])]
fn each_check_of_a_limit_says_whose_it_is(#[case] size: Size, #[case] wanted: [&str; 3]) {
    let mut console = scenes::ticket_editing();
    let mut seen = draw(&mut console, size).text();
    console.press("<PgDn><PgDn>");
    seen.push_str(&draw(&mut console, size).text());
    for wanted in wanted {
        assert!(seen.contains(wanted), "{wanted}:\n{seen}");
    }
}

#[test]
fn a_rule_of_the_account_itself_is_named_as_such() {
    let mut console = scenes::ticket_editing();
    console.wait(Duration::from_secs(1));
    console.assessed(vec![risk::check(
        Code::MaxDrawdown,
        Finding::Reject,
        [None, Some(dec!(120)), Some(dec!(100)), Some(dec!(-20))],
        "USD",
        "Drawdown is 120.00 of 100.00 USD: the limit is reached.",
    )]);
    let text = draw(&mut console, MEDIUM).text();
    assert!(text.contains("HARD MAX_DRAWDOWN (account's own): Drawdown is 120.00"), "{text}");
    assert!(text.contains("Tightest: MAX_DRAWDOWN (account's own) at 120.0%"), "{text}");
}

/// A sentence about what passes goes on below; the keys of the ticket are never cut.
#[rstest]
fn no_sentence_of_a_ticket_is_cut(#[values(SMALL, MEDIUM)] size: Size) {
    let text = "This account is halted, reduce only: this trade reduces.";
    let mut console = pressed("ggjjb");
    console.assessed(vec![risk::check(Code::TradingHalt, Finding::Passes, [None; 4], "", text)]);
    let drawn = draw(&mut console, size);
    assert!(drawn.sheet().contains(text), "{}", drawn.text());
    let text = drawn.text();
    assert!(text.contains("Esc cancel ") && !text.contains("Esc cancel …"), "{text}");
}

/// A low screen ends the table of checks with a sign, not with the frame; what binds first stays.
#[test]
fn checks_that_do_not_fit_are_scrolled_and_say_so() {
    let mut console = scenes::ticket_reject();
    console.tell(Msg::Resized(SMALL.0, SMALL.1));
    let mut scrolled = |keys: &str| {
        let text = press_and_draw(&mut console, keys, SMALL).text();
        for always in ["Tightest: MAX_EXPOSURE", "0 soft, 1 hard, 10 passed", "CHECK", "REVIEW"] {
            assert!(text.contains(always), "{always}:\n{text}");
        }
        text
    };
    let top = scrolled("<PgUp>");
    assert!(
        top.contains("more: PgDn") && top.contains("HARD") && !top.contains("trades/day"),
        "{top}"
    );
    let end = scrolled("<PgDn><PgDn><PgDn>");
    assert!(end.contains("above: PgUp") && end.contains("trades/day"), "{end}");
    assert_eq!(scrolled("<PgUp><PgUp><PgUp>"), top);
}

// ---- figures --------------------------------------------------------------------------------

/// With stop and target on the wrong side there is no risk and no reward that could be named.
#[rstest]
fn a_level_on_the_wrong_side_has_no_figure(
    #[values(SMALL, MEDIUM, LARGE)] size: Size,
    #[values("┃  Risk  ", "┃  Reward  ")] name: &str,
) {
    let mut console = pressed("ggjjb<Tab><Tab><Ctrl-u>1.2<Tab><Ctrl-u>1.0");
    let line = draw(&mut console, size).line_with(name);
    assert!(line.contains("— USD  "), "{line}");
}

/// Of an amount that leaves no room, what stands behind it is left out rather than cut.
#[rstest]
fn a_huge_size_cuts_no_figure(
    #[values("┃  Notional  ", "┃  Risk  ", "┃  Reward  ")] name: &str
) {
    let mut console = pressed("ggjjb<Ctrl-u>99999999999");
    let line = draw(&mut console, SMALL).line_with(name);
    assert!(!line.split('│').next().unwrap().contains('…'), "{line}");
}

// ---- limits ---------------------------------------------------------------------------------

#[rstest]
#[case::tighten(scenes::limit_tighten)]
#[case::new(scenes::limit_new_review)]
#[case::approve(scenes::limit_approve)]
fn the_review_of_a_limit_names_who_is_in_breach_at_once(
    #[case] scene: fn() -> Console,
    #[values(SMALL, MEDIUM, LARGE)] size: Size,
) {
    let drawn = draw(&mut scene(), size);
    let wanted = "IMMEDIATE BREACH: bravo (146,797.00 of 130,000.00 USD)";
    assert!(drawn.words().contains(wanted), "{}", drawn.text());
}

/// The bar of a limit gives way to where its warning begins.
#[rstest]
#[case::tighten(scenes::limit_tighten)]
#[case::retire(scenes::limit_retire)]
#[case::approve(scenes::limit_approve)]
fn the_warning_of_a_limit_is_visible_at_every_size(
    #[case] scene: fn() -> Console,
    #[values(SMALL, MEDIUM, LARGE)] size: Size,
) {
    let text = draw(&mut scene(), size).text();
    assert!(text.contains("warns at 80%"), "{text}");
}

/// What is refused by its sign is no change: nothing else is said of it.
#[rstest]
fn a_limit_that_is_not_above_zero_says_only_that(
    #[values("-5", "0")] value: &str,
    #[values(SMALL, MEDIUM, LARGE)] size: Size,
) {
    let mut console = scenes::limit_tighten();
    console.press("<Esc><Ctrl-u>");
    console.press(value);
    let text = draw(&mut console, size).text();
    assert!(text.contains("must be above zero"), "{text}");
    for contradiction in ["Tightens", "In breach", "Then", "Change  ", "Loosens"] {
        assert!(!text.contains(contradiction), "{contradiction}\n{text}");
    }
}
