//! Sent once, answered in three ways.

use std::time::Duration;

use rust_decimal::dec;
use uuid::Uuid;

use super::Desk;
use super::desk::{HELD, WARNING};
use crate::app::chord::Chord;
use crate::app::model::Overlay;
use crate::app::pane::{Pane, RowId};
use crate::app::ticket::Stage;
use crate::app::{Effect, Msg};
use crate::domain::code::Code;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::{Accepted, Outcome, Refusal};
use crate::domain::session::Role;

fn accepted() -> Outcome {
    Outcome::Accepted(Accepted {
        subject: Some(Uuid::from_u128(7)),
        code: None,
        message: String::new(),
        done: vec![],
        taken: vec![],
        items: vec![],
    })
}

fn a_close_under_way() -> (Desk, ClientKey) {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));
    desk.press("x y");
    let key = desk.writes()[0].key;
    (desk, key)
}

#[test]
fn a_held_send_key_sends_once() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));
    desk.press("x");

    for _ in 0..33 {
        desk.press_at_once(Chord::char('y'));
    }

    assert_eq!(desk.writes().len(), 1);
    assert_eq!(desk.last_notice(), "already sent: wait for the answer");
}

#[test]
fn an_accepted_write_closes_its_ticket_and_is_looked_for() {
    let (mut desk, key) = a_close_under_way();

    desk.tell(Msg::Answered { key, outcome: accepted() });

    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(desk.model.writes.is_empty());
    assert_eq!(desk.effects.last(), Some(&Effect::LookAgain));
    assert!(desk.last_notice().starts_with("Accepted  CLOSE all of 50,000 EUR_USD"));
}

#[test]
fn a_refused_write_keeps_its_draft_and_takes_a_new_key() {
    let (mut desk, key) = a_close_under_way();
    let refusal = Refusal {
        measured: Some(dec!(1)),
        ..Refusal::plain(Code::ReduceOnlyExceedsPosition, "less is open")
    };

    desk.tell(Msg::Answered { key, outcome: Outcome::Refused(refusal) });
    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.problem.as_deref(), Some("REDUCE_ONLY_EXCEEDS_POSITION: less is open"));
    desk.enter();
    desk.press("y");

    let keys: Vec<ClientKey> = desk.writes().iter().map(|request| request.key).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "the database would answer the old key with the old refusal");
}

#[test]
fn an_unknown_write_is_asked_about_and_never_sent_again() {
    let (mut desk, key) = a_close_under_way();

    desk.tell(Msg::Answered { key, outcome: Outcome::Unknown("cut".to_owned()) });
    assert_eq!(desk.model.ticket().unwrap().stage, Stage::Unknown);
    for _ in 0..20 {
        desk.rest();
    }

    assert_eq!(desk.writes().len(), 1);
    let asked = desk.effects.iter().filter(|effect| matches!(effect, Effect::Resolve(_))).count();
    assert_eq!(asked, 5, "every two seconds of ten");
    desk.tell(Msg::Answered { key, outcome: accepted() });
    assert!(desk.model.writes.is_empty());
}

#[test]
fn a_trade_waits_while_the_last_one_on_that_account_and_instrument_is_unknown() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));
    let buy = |desk: &mut Desk| {
        desk.press("b");
        desk.enter();
        let ticket = desk.model.ticket().unwrap();
        let (key, question) = match desk.effects.last() {
            Some(Effect::Assess { question, .. }) => (ticket.key, question.clone()),
            other => panic!("{other:?}"),
        };
        desk.tell(Msg::Assessed { key, question, checks: Ok(vec![]) });
        desk.press("y");
    };
    buy(&mut desk);
    let key = desk.writes()[0].key;
    desk.tell(Msg::Answered { key, outcome: Outcome::Unknown("cut".to_owned()) });
    desk.press("Esc");

    buy(&mut desk);

    assert_eq!(desk.writes().len(), 1);
    assert!(desk.last_notice().starts_with("waits:"), "{}", desk.last_notice());
    desk.press("Esc");
    desk.press("Esc");
    desk.press("x y");
    assert_eq!(desk.writes().len(), 2, "a close never waits");
}

#[test]
fn a_late_answer_is_a_notice_and_nothing_else() {
    let mut desk = Desk::of(Role::Trader);

    desk.tell(Msg::Answered { key: ClientKey(Uuid::from_u128(9)), outcome: accepted() });

    assert!(desk.last_notice().starts_with("late answer"));
    assert!(desk.effects.is_empty());
}

#[test]
fn an_acknowledgement_names_who_was_first() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Events, RowId::Event(WARNING));
    desk.press("a");
    let key = desk.writes()[0].key;
    let outcome = Outcome::Accepted(Accepted {
        subject: None,
        code: None,
        message: String::new(),
        done: vec![],
        taken: vec![(WARNING.0, "risk2".to_owned())],
        items: vec![],
    });

    desk.tell(Msg::Answered { key, outcome });

    assert!(desk.last_notice().ends_with("1 already taken by risk2"), "{}", desk.last_notice());
}

#[test]
fn what_an_earlier_console_left_open_is_settled_and_not_sent() {
    let (ended, key) = a_close_under_way();
    let request = ended.writes()[0].clone();
    let mut desk = Desk::of(Role::Trader);

    desk.tell(Msg::WritesLeft(vec![(request.clone(), "CLOSE all of it".to_owned())]));

    assert_eq!(desk.effects, [Effect::Resolve(request)]);
    assert!(desk.last_notice().starts_with("UNKNOWN  CLOSE all of it"));
    desk.tell(Msg::Answered { key, outcome: accepted() });
    assert!(desk.model.writes.is_empty());
    assert!(desk.writes().is_empty(), "nothing was sent");
}

#[test]
fn a_damaged_journal_is_told() {
    let mut desk = Desk::of(Role::Trader);
    desk.tell(Msg::JournalDamaged(vec!["the journal 0.journal is damaged".to_owned()]));
    assert_eq!(desk.last_notice(), "the journal 0.journal is damaged");
}

/// What others do must not hide whether a trade stands.
#[test]
fn news_do_not_hide_what_became_of_a_write() {
    let (mut desk, key) = a_close_under_way();
    desk.tell(Msg::Answered { key, outcome: accepted() });
    let severity = crate::domain::event::Severity::Emergency;
    let text = "trading disabled".to_owned();
    desk.tell(Msg::BusSpoke { severity, text, is_alarm: true, halt: None });

    let shown = |desk: &Desk| desk.model.toast().map(|notice| notice.text.clone()).unwrap();
    assert!(shown(&desk).starts_with("Accepted"), "{}", shown(&desk));
    assert_eq!(desk.last_notice(), "trading disabled", "the log has both");
    // A key that was pressed too often must not hide it either; whoever presses one later has read it.
    desk.press("Esc Enter");
    assert!(shown(&desk).starts_with("Accepted"), "{}", shown(&desk));
    desk.wait(Duration::from_secs(2));
    desk.press("Enter");
    assert!(shown(&desk).starts_with("nothing is selected"), "{}", shown(&desk));
}

#[test]
fn what_a_write_did_comes_before_what_was_asked() {
    let (mut desk, key) = a_close_under_way();
    let Outcome::Accepted(mut told) = accepted() else { panic!() };
    told.code = Some(Code::Reduced);
    told.message = "Closed 50,000 EUR_USD at 1.08640: +110.00 USD.".to_owned();
    desk.tell(Msg::Answered { key, outcome: Outcome::Accepted(told) });
    let wanted = "Accepted  REDUCED  alpha: Closed 50,000 EUR_USD at 1.08640: +110.00 USD.  id 00000007  │ CLOSE all of";
    assert!(desk.last_notice().starts_with(wanted), "{}", desk.last_notice());
}
