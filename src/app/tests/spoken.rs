//! What is written behind `:`.

use rstest::rstest;
use rust_decimal::dec;

use super::Desk;
use super::flows::{a_buy, check};
use crate::app::ticket::Stage;
use crate::domain::outcome::Finding;
use crate::domain::request::{NewTrade, Verb};
use crate::domain::session::Role;

#[rstest]
#[case::buy("buy EUR_USD 10k sl=1.0840 tp=1.0900 @alpha")]
#[case::alias("buy eurusd 10000 sl=1.0840 tp=1.0900 account=Alpha")]
fn a_spoken_buy_stands_at_review_and_is_not_sent(#[case] line: &str) {
    let mut desk = Desk::of(Role::Trader);

    desk.press(":");
    desk.type_text(line);
    desk.enter();

    assert!(matches!(desk.stage(), Stage::Review { .. }), "{:?}", desk.model.ticket());
    assert!(desk.writes().is_empty());
    desk.judge(vec![]);
    desk.press("y");
    let trade = NewTrade { stop: Some(dec!(1.0840)), target: Some(dec!(1.0900)), ..a_buy() };
    assert_eq!(*desk.only_verb(), Verb::Place(trade));
}

#[rstest]
#[case::unknown_verb("bye EUR_USD 10k", "unrecognized subcommand")]
#[case::no_account("buy EUR_USD 10k @zulu", "no account \"zulu\"; there are alpha, bravo")]
#[case::no_instrument("buy EUR_XXX 10k @alpha", "no instrument \"EUR_XXX\"")]
#[case::exponent("buy EUR_USD 1e4 @alpha", "1e4")]
#[case::open_quote("filter \"eur", "quote")]
#[case::viewer_word("frobnicate", "unrecognized subcommand")]
fn a_wrong_line_says_what_is_wrong(#[case] line: &str, #[case] said: &str) {
    let mut desk = Desk::of(Role::Trader);

    desk.press(":");
    desk.type_text(line);
    desk.enter();

    assert!(desk.last_notice().contains(said), "{}", desk.last_notice());
    assert!(desk.model.ticket().is_none());
}

/// Ticks, steps and sides are judged where trades are: in the database, for every client alike.
#[test]
fn what_the_rules_forbid_is_for_the_rulebook_to_say() {
    let mut desk = Desk::of(Role::Trader);
    desk.press(":");
    desk.type_text("buy EUR_USD 10.5 price=1.086551 sl=1.09 @alpha");
    desk.enter();
    desk.judge(vec![check("STOP_WRONG_SIDE", Finding::Reject)]);
    desk.press("y");
    assert!(desk.writes().is_empty());
    assert_eq!(desk.last_notice(), "STOP_WRONG_SIDE forbids it");
}
