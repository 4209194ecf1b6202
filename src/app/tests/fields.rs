//! Typing into the fields of a ticket.

use rstest::rstest;
use rust_decimal::dec;

use super::Desk;
use super::desk::HELD;
use crate::app::Msg;
use crate::app::pane::{Pane, RowId};
use crate::app::ticket::FieldName;
use crate::domain::session::Role;

fn a_ticket(keys: &str) -> Desk {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));
    desk.press(keys);
    desk
}

impl Desk {
    fn typed_in(&self, name: FieldName) -> &str {
        self.model.ticket().unwrap().text(name).unwrap_or_default()
    }
}

/// Appended, a 5 would make 100005 of the 10000 that the preset filled in.
#[test]
fn what_is_typed_first_takes_the_place_of_what_was_filled_in() {
    let mut desk = a_ticket("b");
    assert_eq!(desk.typed_in(FieldName::Size), "10000");

    desk.type_text("5");
    assert_eq!(desk.typed_in(FieldName::Size), "5");
    desk.type_text("k");
    assert_eq!(desk.typed_in(FieldName::Size), "5k", "what was typed is typed on");
    desk.press("Ctrl-u");
    assert_eq!(desk.typed_in(FieldName::Size), "");
}

#[rstest]
#[case::the_end("Backspace", "1.08459")]
#[case::the_start("Home", "91.08455")]
fn an_editing_key_keeps_what_was_filled_in(#[case] key: &str, #[case] stop: &str) {
    let mut desk = a_ticket("b Tab Tab");
    assert_eq!(desk.typed_in(FieldName::Stop), "1.08455");

    desk.press(key);
    desk.type_text("9");

    assert_eq!(desk.typed_in(FieldName::Stop), stop);
}

#[test]
fn a_field_that_was_typed_into_is_not_replaced_when_it_is_visited_again() {
    let mut desk = a_ticket("b");
    desk.type_text("2");
    desk.press("Tab Shift-Tab");
    desk.type_text("5k");
    assert_eq!(desk.typed_in(FieldName::Size), "25k");
}

#[test]
fn a_paste_takes_the_place_of_what_was_filled_in() {
    let mut desk = a_ticket("b");
    desk.tell(Msg::Pasted("25000".to_owned()));
    assert_eq!(desk.typed_in(FieldName::Size), "25000");
}

#[test]
fn the_sizing_by_risk_is_replaced_too() {
    let mut desk = a_ticket("b r");
    assert_ne!(desk.typed_in(FieldName::Size), "10000");
    desk.type_text("7");
    assert_eq!(desk.typed_in(FieldName::Size), "7");
}

#[test]
fn digits_at_the_review_of_a_close_are_one_size() {
    let mut desk = a_ticket("x 2");
    desk.type_text("5k");
    assert_eq!(desk.typed_in(FieldName::Size), "25k");
    desk.enter();
    desk.press("y");
    let crate::domain::request::Verb::Close { size, .. } = desk.only_verb() else { panic!() };
    assert_eq!(*size, Some(dec!(25000)));
}
