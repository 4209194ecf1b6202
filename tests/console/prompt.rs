//! The `:` line: what was entered is not lost, and what can follow is offered.

use rstest::rstest;

use super::Console;
use tmt::app::command::completions;
use tmt::app::model::Overlay;
use tmt::app::pane::Pane;
use tmt::app::prompt::Prompt;
use tmt::domain::session::Role;

fn prompt(console: &Console) -> &Prompt {
    let Overlay::Command(prompt) = &console.model.overlay else { panic!("no line") };
    prompt
}

fn line(console: &Console) -> &str {
    prompt(console).input.value()
}

fn offered(console: &Console) -> String {
    completions(&console.model, prompt(console)).join(" ")
}

#[test]
fn a_wrong_line_stays_to_be_mended() {
    let mut console = Console::of(Role::Trader);
    console.press(":");
    console.type_text("buy 10k EUR_USD @alpha");
    console.enter();
    assert_eq!(line(&console), "buy 10k EUR_USD @alpha");
    assert!(console.last_notice().contains("is not a number"), "{}", console.last_notice());
    assert_eq!(prompt(&console).fault.as_deref(), Some(console.last_notice()));
    console.press("Left");
    assert_eq!(prompt(&console).fault, None, "it is being mended");
    console.press("Esc");
    assert!(matches!(console.model.overlay, Overlay::None));
}

#[test]
fn lines_that_were_entered_come_back() {
    let mut console = Console::of(Role::Trader);
    for entered in ["pos", "risk", "risk", "  "] {
        console.press(":");
        console.type_text(entered);
        console.enter();
    }
    console.press(":");
    console.type_text("tra");
    console.press("Up");
    assert_eq!(line(&console), "risk");
    console.press("Up");
    assert_eq!(line(&console), "pos");
    console.press("Up");
    assert_eq!(line(&console), "pos", "there is no older one");
    console.press("Down Down");
    assert_eq!(line(&console), "tra", "what was typed");
    console.press("Up Up");
    console.enter();
    assert_eq!(console.model.focus, Pane::Positions);
    // Wrong ones too: after Esc they can be mended as well.
    console.press(":");
    console.type_text("bye");
    console.enter();
    console.press("Esc : Up");
    assert_eq!(line(&console), "bye");
    console.type_text("!");
    console.press("Down");
    assert_eq!(line(&console), "bye!", "an old line that is edited is a new one");
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
    let mut console = Console::of(Role::Trader);
    console.press(":");
    console.type_text(typed);
    assert_eq!(offered(&console), words);
}

#[test]
fn tab_takes_what_can_follow_as_far_as_it_is_one() {
    let mut console = Console::of(Role::Trader);
    console.press(":");
    for (typed, completed) in [
        ("bu", "buy "),
        ("eur", "buy EUR_USD "),
        ("10k s", "buy EUR_USD 10k sl="),
        ("1.08 @al", "buy EUR_USD 10k sl=1.08 @alpha "),
        ("zz", "buy EUR_USD 10k sl=1.08 @alpha zz"),
    ] {
        console.type_text(typed);
        console.press("Tab");
        assert_eq!(line(&console), completed);
    }
    // Of several, what they share.
    console.press("Ctrl-u");
    console.type_text("halt mode=reduce-only r");
    console.press("Tab");
    assert_eq!(line(&console), "halt mode=reduce-only reason=");
    console.press("Ctrl-u");
    console.type_text("re");
    console.press("Tab");
    assert_eq!(line(&console), "re");
    // In the middle of a line nothing is put at its end.
    console.press("Home Tab");
    assert_eq!(line(&console), "re");
}
