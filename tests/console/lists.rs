//! Selection, filter, paste, leaving.

use rust_decimal::dec;
use uuid::Uuid;

use super::Console;
use super::desk::{HELD, LIMIT, held};
use tmt::app::chord::Chord;
use tmt::app::model::Overlay;
use tmt::app::pane::{Pane, RowId};
use tmt::app::{Effect, Msg};
use tmt::domain::ids::{LimitId, PositionId};
use tmt::domain::limit::Limit;
use tmt::domain::position::Position;
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;

fn positions(rows: Vec<Position>, asked: Option<Vec<String>>) -> Msg {
    Msg::RowsRead { rows: Rows::Positions(rows), asked, unreadable: vec![] }
}

fn another(number: u128) -> Position {
    Position { id: PositionId(Uuid::from_u128(number)), ..held() }
}

#[test]
fn a_selection_stays_on_its_row_when_others_come_and_go() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.tell(positions(vec![another(1), another(2), held()], None));

    assert_eq!(console.model.selected(), Some(&RowId::Position(HELD)));
    assert_eq!(console.model.visible(Pane::Positions).len(), 3);
}

#[test]
fn a_row_that_vanishes_leaves_nothing_selected() {
    let mut console = Console::of(Role::Trader);
    console.tell(positions(vec![another(1), held()], None));
    console.select(Pane::Positions, RowId::Position(HELD));

    console.tell(positions(vec![], Some(vec![HELD.to_string()])));

    assert_eq!(console.model.selected(), None);
    console.press("x");
    assert!(console.model.ticket().is_none(), "acted on its neighbour");
}

#[test]
fn a_filter_is_typed_shown_at_once_and_taken_back() {
    let mut console = Console::of(Role::Trader);
    let small = Position { size: dec!(100), ..another(1) };
    console.tell(positions(vec![small, held()], None));
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("/");
    console.type_text("size<1000");
    assert_eq!(console.model.visible(Pane::Positions).len(), 1);
    console.press("Esc");

    assert_eq!(console.model.visible(Pane::Positions).len(), 2);
}

#[test]
fn words_of_a_filter_must_all_match() {
    let mut console = Console::of(Role::Trader);
    let mut count = |filter: &str| {
        console.model.pane_mut(Pane::Positions).filter = filter.to_owned();
        console.model.visible(Pane::Positions).len()
    };
    assert_eq!(count("eur alpha"), 1);
    assert_eq!(count("eur bravo"), 0);
    assert_eq!(count("!bravo"), 1);
    assert_eq!(count("account:alp"), 1);
    assert_eq!(count("upnl>100"), 1);
    assert_eq!(count("upnl>200"), 0);
}

#[test]
fn a_paste_sends_nothing_and_reaches_only_a_text_field() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.tell(Msg::Pasted("xy\ny\ny".to_owned()));
    assert!(matches!(console.model.overlay, Overlay::None));
    console.press(":");
    console.tell(Msg::Pasted("buy EUR_USD 10k @alpha\ny\n".to_owned()));

    assert!(matches!(&console.model.overlay,
        Overlay::Command(prompt) if prompt.input.value() == "buy EUR_USD 10k @alpha"));
    assert!(console.writes().is_empty());
}

#[test]
fn q_leaves_only_when_it_is_pressed_twice() {
    let mut console = Console::of(Role::Trader);

    console.press("q j q");
    assert!(!console.effects.contains(&Effect::Quit));
    console.press("q");

    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn escape_never_leaves() {
    let mut console = Console::of(Role::Trader);
    for _ in 0..10 {
        console.press("Esc");
    }
    assert!(!console.effects.contains(&Effect::Quit));
}

#[test]
fn control_c_closes_what_is_open_and_asks_before_it_leaves() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("x Ctrl-c");
    assert!(console.model.ticket().is_none());
    console.press("Ctrl-c");
    assert!(!console.effects.contains(&Effect::Quit));
    console.press("Ctrl-c");

    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn a_key_that_means_nothing_changes_nothing() {
    let mut console = Console::of(Role::Trader);
    let before = format!("{:?}", console.model.overlay);
    console.press_at_once(Chord::char('ß'));
    assert_eq!(format!("{:?}", console.model.overlay), before);
    assert!(console.effects.is_empty());
}

fn limits(rows: Vec<Limit>, asked: Option<Vec<String>>) -> Msg {
    Msg::RowsRead { rows: Rows::Limits(rows), asked, unreadable: vec![] }
}

/// A limit that is tightened is another row: the hand stays on the limit.
#[test]
fn a_selection_goes_with_a_limit_to_its_successor() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));
    let old = console.model.desk.limits[&LIMIT].clone();
    let next = LimitId(Uuid::from_u128(0x43));
    let successor = Limit { id: next, supersedes: Some(LIMIT), ..old.clone() };

    let asked = Some(vec![LIMIT.to_string(), next.to_string()]);
    console.tell(limits(vec![successor.clone()], asked));
    assert_eq!(console.model.selected(), Some(&RowId::Limit(next)));

    // Changed twice between two looks.
    let last = LimitId(Uuid::from_u128(0x45));
    let later = Limit {
        id: last,
        supersedes: Some(LimitId(Uuid::from_u128(0x44))),
        effective_from: Some(console.model.now),
        ..old.clone()
    };
    console.tell(limits(vec![later], Some(vec![next.to_string(), last.to_string()])));
    assert_eq!(console.model.selected(), Some(&RowId::Limit(last)));
}

#[test]
fn a_limit_that_was_taken_away_leaves_nothing_selected() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));
    let twin =
        Limit { id: LimitId(Uuid::from_u128(0x46)), ..console.model.desk.limits[&LIMIT].clone() };
    console.tell(limits(vec![twin], Some(vec![LIMIT.to_string()])));
    assert_eq!(console.model.selected(), None, "one of the same kind is not the same");
}

/// `y` at a ticket that is gone is the beginning of `yy`: the next key must still count.
#[test]
fn a_stray_beginning_does_not_swallow_the_key_behind_it() {
    let mut console = Console::of(Role::Trader);
    console.press("y 1");
    assert_eq!(console.model.focus, Pane::Accounts);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("y x");
    assert!(console.model.ticket().is_none(), "only what is harmless");
}
