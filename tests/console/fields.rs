//! Typing into the fields of a ticket.

use rstest::rstest;
use rust_decimal::dec;

use super::Console;
use super::desk::{HELD, LIMIT};
use tmt::app::Msg;
use tmt::app::pane::{Pane, RowId};
use tmt::app::ticket::{FieldName, Stage};
use tmt::domain::session::Role;

fn a_ticket(keys: &str) -> Console {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press(keys);
    console
}

impl Console {
    fn typed_in(&self, name: FieldName) -> &str {
        self.model.ticket().unwrap().text(name).unwrap_or_default()
    }
}

/// Appended, a 5 would make 100005 of the 10000 that the preset filled in.
#[test]
fn what_is_typed_first_takes_the_place_of_what_was_filled_in() {
    let mut console = a_ticket("b");
    assert_eq!(console.typed_in(FieldName::Size), "10000");

    console.type_text("5");
    assert_eq!(console.typed_in(FieldName::Size), "5");
    console.type_text("k");
    assert_eq!(console.typed_in(FieldName::Size), "5k", "what was typed is typed on");
    console.press("Ctrl-u");
    assert_eq!(console.typed_in(FieldName::Size), "");
}

#[rstest]
#[case::the_end("Backspace", "1.08459")]
#[case::the_start("Home", "91.08455")]
fn an_editing_key_keeps_what_was_filled_in(#[case] key: &str, #[case] stop: &str) {
    let mut console = a_ticket("b Tab Tab");
    assert_eq!(console.typed_in(FieldName::Stop), "1.08455");

    console.press(key);
    console.type_text("9");

    assert_eq!(console.typed_in(FieldName::Stop), stop);
}

#[test]
fn a_field_that_was_typed_into_is_not_replaced_when_it_is_visited_again() {
    let mut console = a_ticket("b");
    console.type_text("2");
    console.press("Tab Shift-Tab");
    console.type_text("5k");
    assert_eq!(console.typed_in(FieldName::Size), "25k");
}

#[test]
fn a_paste_takes_the_place_of_what_was_filled_in() {
    let mut console = a_ticket("b");
    console.tell(Msg::Pasted("25000".to_owned()));
    assert_eq!(console.typed_in(FieldName::Size), "25000");
}

#[test]
fn the_sizing_by_risk_is_replaced_too() {
    let mut console = a_ticket("b r");
    assert_ne!(console.typed_in(FieldName::Size), "10000");
    console.type_text("7");
    assert_eq!(console.typed_in(FieldName::Size), "7");
}

#[test]
fn digits_at_the_review_of_a_close_are_one_size() {
    let mut console = a_ticket("x 2");
    console.type_text("5k");
    assert_eq!(console.typed_in(FieldName::Size), "25k");
    console.enter();
    console.press("y");
    let tmt::domain::request::Verb::Close { size, .. } = console.only_verb() else { panic!() };
    assert_eq!(*size, Some(dec!(25000)));
}

/// A key that is swallowed makes another number: 1e9 without its letter is 19.
#[rstest]
#[case::exponent("1e9")]
#[case::hexadecimal("0x10")]
#[case::points("1,1.6.x-")]
#[case::thousands("1,000")]
#[case::blank("1 000")]
#[case::sign("+-5")]
fn what_is_no_number_stands_as_it_was_typed_and_is_not_reviewed(#[case] text: &str) {
    for (keys, name) in [("b", FieldName::Size), ("b Tab Tab", FieldName::Stop)] {
        let mut console = a_ticket(keys);
        console.type_text(text);
        assert_eq!(console.typed_in(name), text);
        console.enter();
        let ticket = console.model.ticket().unwrap();
        assert_eq!(ticket.stage, Stage::Editing);
        assert_eq!(ticket.focused().unwrap().name, name);
        let problem = ticket.problem.clone().unwrap();
        assert!(problem.contains(&format!("{text:?} is not a number")), "{problem}");
        console.press("y");
        assert!(console.writes().is_empty());
    }
}

#[test]
fn a_limit_of_no_number_is_not_reviewed() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));
    console.press("e");
    console.type_text("1e9");
    console.enter();
    let ticket = console.model.ticket().unwrap();
    assert_eq!(
        (ticket.stage.clone(), ticket.text(FieldName::Value)),
        (Stage::Editing, Some("1e9"))
    );
}

/// A letter that does something in a ticket does it, wherever the cursor is in a number.
#[test]
fn the_commands_of_a_ticket_are_no_text_of_a_number() {
    let mut console = a_ticket("b");
    console.type_text("12r");
    let sized = console.typed_in(FieldName::Size).to_owned();
    assert!(sized.parse::<u32>().is_ok() && sized != "12", "{sized}");

    let mut console = a_ticket("b Tab");
    let priced = console.typed_in(FieldName::Price).to_owned();
    console.type_text("3=");
    assert_eq!(console.typed_in(FieldName::Price), priced);
    console.type_text("><>");
    assert_ne!(console.typed_in(FieldName::Price), priced);
}

#[test]
fn a_paste_that_is_no_number_stands_as_it_was_pasted() {
    let mut console = a_ticket("b");
    console.tell(Msg::Pasted("1e9".to_owned()));
    assert_eq!(console.typed_in(FieldName::Size), "1e9");
}

#[rstest]
#[case::nothing("0", "above zero")]
#[case::below_nothing("-5", "above zero")]
#[case::more_than_is_stored("99999999999999999", "below 100,000,000,000")]
fn a_limit_that_cannot_be_stored_is_named_for_what_it_is(#[case] text: &str, #[case] said: &str) {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));

    console.press("e");
    console.type_text(text);
    console.enter();

    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    let problem = ticket.problem.clone().unwrap();
    assert!(problem.contains(said), "{problem}");
}

/// What cannot be is said at once, and not as the breach of a step or a tick.
#[rstest]
#[case("b", FieldName::Size, "-5", "size must be above zero")]
#[case("b", FieldName::Size, "0", "size must be above zero")]
#[case(
    "m Tab Tab",
    FieldName::Trailing,
    "-3",
    "Trailing must be above zero; leave it empty for none"
)]
#[case("m", FieldName::Stop, "0", "Stop must be above zero; leave it empty for none")]
fn a_size_or_a_level_of_nothing_is_named(
    #[case] keys: &str,
    #[case] name: FieldName,
    #[case] text: &str,
    #[case] said: &str,
) {
    let mut console = a_ticket(keys);
    console.press("Ctrl-u");
    console.type_text(text);
    console.enter();
    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!((ticket.problem.as_deref(), ticket.focused().unwrap().name), (Some(said), name));
}
