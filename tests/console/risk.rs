//! Flows of a risk officer and their budgets of keys (`spec/ux.md` section 4): the row is selected
//! already.

use rstest::rstest;
use rust_decimal::{Decimal, dec};

use super::Console;
use super::desk::{ALPHA, CRITICAL, EMERGENCY, HELD, LIMIT, PROPOSAL, WARNING};
use tmt::app::chord::{Chord, Key};
use tmt::app::form::sentence;
use tmt::app::pane::{Pane, RowId};
use tmt::app::review::draft;
use tmt::app::ticket::{FieldName, Form, Stage, Ticket};
use tmt::domain::event::Acknowledged;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::request::Verb;
use tmt::domain::session::Role;
use tmt::domain::unit::Unit;

#[test]
fn a_warning_is_acknowledged_with_one_key() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Events, RowId::Event(WARNING));

    console.press("a");

    assert_eq!(*console.only_verb(), Verb::Acknowledge { events: vec![WARNING], note: None });
}

#[test]
fn a_critical_event_asks_for_a_note_and_takes_a_coded_one() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Events, RowId::Event(CRITICAL));

    console.press("a");
    assert!(console.writes().is_empty());
    console.enter();
    assert!(console.writes().is_empty(), "sent without a note");
    console.press("1");
    console.enter();

    let note = Some("confirmed, reducing".to_owned());
    assert_eq!(*console.only_verb(), Verb::Acknowledge { events: vec![CRITICAL], note });
}

/// The bar says "5, then a": no row is selected then.
#[test]
fn without_a_selection_the_event_of_the_bar_is_acknowledged_after_it_was_shown() {
    let mut console = Console::of(Role::RiskOfficer);
    for note in [None, Some(EMERGENCY), Some(CRITICAL), Some(WARNING)] {
        if let Some(done) = note {
            let by = Acknowledged { by: "bob".to_owned(), at: None };
            console.model.desk.events.get_mut(&done).unwrap().acknowledged = Some(by);
        }
        let next = match note {
            None => EMERGENCY,
            Some(EMERGENCY) => CRITICAL,
            Some(CRITICAL) => WARNING,
            Some(_) => break,
        };
        console.press("5 a");
        let Form::Acknowledge(form) = &console.model.ticket().unwrap().form else { panic!() };
        assert_eq!(form.events, [next]);
        assert!(console.writes().is_empty(), "nobody has seen yet which");
        console.press("Esc");
    }
    console.press("5 a");
    assert!(console.model.ticket().is_none());
    assert!(
        console.last_notice().contains("no unacknowledged risk events"),
        "{}",
        console.last_notice()
    );
}

#[test]
fn an_emergency_is_never_acknowledged_in_bulk() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Events, RowId::Event(WARNING));
    console.rest();

    console.press("* a");

    assert!(console.writes().is_empty());
    assert!(console.last_notice().contains("emergency"), "{}", console.last_notice());
}

#[test]
fn marked_events_are_acknowledged_together() {
    let mut console = Console::of(Role::RiskOfficer);
    for id in [WARNING, CRITICAL] {
        console.model.pane_mut(Pane::Events).marked.insert(RowId::Event(id));
    }
    console.select(Pane::Events, RowId::Event(EMERGENCY));

    console.press("a 6");
    console.enter();

    let Verb::Acknowledge { events, note } = console.only_verb() else { panic!("not an ack") };
    assert_eq!(events.len(), 2);
    assert!(!events.contains(&EMERGENCY));
    assert_eq!(note.as_deref(), Some("duplicate"));
}

#[test]
fn a_halt_of_the_selected_account_takes_three_keys() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("! h y");

    let Verb::Halt { scope, identifier, mode, .. } = console.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, *mode), (Scope::Account, HaltMode::NoNewOrders));
    assert_eq!(identifier.as_deref(), Some(ALPHA.to_string().as_str()));
}

#[test]
fn tab_widens_a_halt_and_it_must_be_read_again() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("! h");
    console.press_at_once(Chord::plain(Key::Tab));
    console.press_at_once(Chord::char('y'));
    assert!(console.writes().is_empty(), "sent before it was read");
    console.rest();
    console.press("y");

    let Verb::Halt { scope, identifier, .. } = console.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, identifier), (Scope::System, &None));
}

#[test]
fn a_trader_halts_an_account_and_is_offered_no_more() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("! h Tab y");
    let Verb::Halt { scope, identifier, .. } = console.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, identifier), (Scope::Account, &Some(ALPHA.to_string())));

    let mut console = Console::of(Role::Trader);
    console.press("! r");
    assert!(console.model.ticket().is_none());
    assert!(console.last_notice().contains("only a risk officer"), "{}", console.last_notice());
}

#[test]
fn a_limit_is_tightened_without_a_reason() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));

    console.press("e");
    console.type_text("90k");
    console.enter();
    console.press("y");
    assert!(console.writes().is_empty(), "sent before anybody saw whom it binds");
    console.preview_limit(vec![]);
    console.press_at_once(Chord::char('y'));
    assert!(console.writes().is_empty(), "sent before it could be read");
    console.rest();
    console.press("y");

    let Verb::ProposeLimit { limit, value, reason, base_version, .. } = console.only_verb() else {
        panic!("no proposal")
    };
    assert_eq!((*limit, *value, reason), (LIMIT, dec!(90000), &None));
    assert_eq!(*base_version, Some(super::morning()));
}

#[test]
fn a_limit_is_loosened_only_with_a_reason() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));

    console.press("e");
    console.type_text("200k");
    console.enter();
    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.focused().unwrap().name, FieldName::Reason);
    console.type_text("month end");
    console.enter();
    console.press("y");
    assert!(console.writes().is_empty(), "sent before anybody saw whom it binds");
    console.preview_limit(vec![]);
    console.rest();
    console.press("y");

    assert!(matches!(console.only_verb(), Verb::ProposeLimit { reason: Some(_), .. }));
}

#[test]
fn nobody_approves_their_own_proposal() {
    let mut console = Console::of(Role::RiskOfficer);
    console.model.session.as_mut().unwrap().operator = " Bob".to_owned();
    console.select(Pane::Limits, RowId::Limit(PROPOSAL));

    console.press("+");

    assert!(console.model.ticket().is_none());
    assert!(console.last_notice().contains("another person"), "{}", console.last_notice());
}

#[test]
fn a_second_person_approves_with_two_keys() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(PROPOSAL));

    console.press("+");
    console.preview_limit(vec![]);
    console.rest();
    console.press("y");

    assert_eq!(*console.only_verb(), Verb::ApproveLimit { limit: PROPOSAL, note: None });
}

/// One way to write amounts: with commas, and the unit once.
#[rstest]
#[case("USD", dec!(250000), dec!(900000), "250,000 -> 900,000 USD")]
#[case("percentage", dec!(2.5), dec!(3), "2.5% -> 3%")]
#[case("fraction", dec!(2.5), dec!(3), "250% -> 300%")]
#[case("count", dec!(5), dec!(1200), "5 -> 1,200")]
fn an_old_and_a_new_limit_read_alike(
    #[case] unit: &str,
    #[case] old: Decimal,
    #[case] new: Decimal,
    #[case] said: &str,
) {
    let mut console = Console::of(Role::RiskOfficer);
    let row = console.model.desk.limits.get_mut(&LIMIT).unwrap();
    (row.unit, row.value) = (Unit::read(unit), old);
    console.select(Pane::Limits, RowId::Limit(LIMIT));
    console.press("e");
    console.type_text(&new.to_string());
    let changed = draft(&console.model, &with_reason(console.model.ticket().unwrap())).unwrap();
    let said = format!("LIMIT max_exposure of alpha: loosen {said}");
    assert_eq!(sentence(&console.model, &changed), said);
}

fn with_reason(ticket: &Ticket) -> Ticket {
    let mut ticket = ticket.clone();
    ticket.fill(FieldName::Reason, "growth");
    ticket
}
