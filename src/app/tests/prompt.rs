//! The `:` line: what was entered is not lost, and what can follow is offered.

use rstest::rstest;

use super::Desk;
use crate::app::command::completions;
use crate::app::model::Overlay;
use crate::app::pane::Pane;
use crate::app::prompt::Prompt;
use crate::domain::session::Role;

fn prompt(desk: &Desk) -> &Prompt {
    let Overlay::Command(prompt) = &desk.model.overlay else { panic!("no line") };
    prompt
}

fn line(desk: &Desk) -> &str {
    prompt(desk).input.value()
}

fn offered(desk: &Desk) -> String {
    completions(&desk.model, prompt(desk)).join(" ")
}

#[test]
fn a_wrong_line_stays_to_be_mended() {
    let mut desk = Desk::of(Role::Trader);
    desk.press(":");
    desk.type_text("buy 10k EUR_USD @alpha");
    desk.enter();
    assert_eq!(line(&desk), "buy 10k EUR_USD @alpha");
    assert!(desk.last_notice().contains("is not a number"), "{}", desk.last_notice());
    assert_eq!(prompt(&desk).fault.as_deref(), Some(desk.last_notice()));
    desk.press("Left");
    assert_eq!(prompt(&desk).fault, None, "it is being mended");
    desk.press("Esc");
    assert!(matches!(desk.model.overlay, Overlay::None));
}

#[test]
fn lines_that_were_entered_come_back() {
    let mut desk = Desk::of(Role::Trader);
    for entered in ["pos", "risk", "risk", "  "] {
        desk.press(":");
        desk.type_text(entered);
        desk.enter();
    }
    desk.press(":");
    desk.type_text("tra");
    desk.press("Up");
    assert_eq!(line(&desk), "risk");
    desk.press("Up");
    assert_eq!(line(&desk), "pos");
    desk.press("Up");
    assert_eq!(line(&desk), "pos", "there is no older one");
    desk.press("Down Down");
    assert_eq!(line(&desk), "tra", "what was typed");
    desk.press("Up Up");
    desk.enter();
    assert_eq!(desk.model.focus, Pane::Positions);
    // Wrong ones too: after Esc they can be mended as well.
    desk.press(":");
    desk.type_text("bye");
    desk.enter();
    desk.press("Esc : Up");
    assert_eq!(line(&desk), "bye");
    desk.type_text("!");
    desk.press("Down");
    assert_eq!(line(&desk), "bye!", "an old line that is edited is a new one");
}

#[rstest]
#[case::verbs("b", "buy breakeven")]
#[case::not_of_this_role("limi", "")]
#[case::complete("buy EUR_USD", "")]
#[case::within_a_verb("halt m", "mode=")]
#[case::values("halt mode=", "mode=flatten mode=no-new-orders mode=reduce-only")]
#[case::accounts("buy EUR_USD 1k @", "@alpha @bravo")]
#[case::one_account_is_enough("buy EUR_USD 1k @alpha @", "")]
#[case::options("buy EUR_USD 1k sl=1 ", "@alpha @bravo price= tp= reason=")]
#[case::instruments_in_any_case("buy eur", "EUR_USD")]
#[case::what_is_held("close ", "EUR_USD @alpha @bravo price= reason=")]
#[case::free_text("halt reason=\"a b", "")]
#[case::nothing_known("buy EUR_USD 1", "")]
fn what_can_follow_is_offered(#[case] typed: &str, #[case] words: &str) {
    let mut desk = Desk::of(Role::Trader);
    desk.press(":");
    desk.type_text(typed);
    assert_eq!(offered(&desk), words);
}

#[test]
fn tab_takes_what_can_follow_as_far_as_it_is_one() {
    let mut desk = Desk::of(Role::Trader);
    desk.press(":");
    for (typed, completed) in [
        ("bu", "buy "),
        ("eur", "buy EUR_USD "),
        ("10k s", "buy EUR_USD 10k sl="),
        ("1.08 @al", "buy EUR_USD 10k sl=1.08 @alpha "),
        ("zz", "buy EUR_USD 10k sl=1.08 @alpha zz"),
    ] {
        desk.type_text(typed);
        desk.press("Tab");
        assert_eq!(line(&desk), completed);
    }
    // Of several, what they share.
    desk.press("Ctrl-u");
    desk.type_text("halt mode=reduce-only r");
    desk.press("Tab");
    assert_eq!(line(&desk), "halt mode=reduce-only reason=");
    desk.press("Ctrl-u");
    desk.type_text("re");
    desk.press("Tab");
    assert_eq!(line(&desk), "re");
    // In the middle of a line nothing is put at its end.
    desk.press("Home Tab");
    assert_eq!(line(&desk), "re");
}
