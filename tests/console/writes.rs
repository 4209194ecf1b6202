//! Sent once, answered in three ways.

use std::time::Duration;

use rust_decimal::dec;
use uuid::Uuid;

use super::Console;
use super::desk::{HELD, WARNING};
use tmt::app::chord::Chord;
use tmt::app::model::Overlay;
use tmt::app::pane::{Pane, RowId};
use tmt::app::ticket::Stage;
use tmt::app::{Effect, Msg};
use tmt::domain::code::Code;
use tmt::domain::ids::ClientKey;
use tmt::domain::outcome::{Accepted, Outcome, Refusal};
use tmt::domain::session::Role;

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

fn a_close_under_way() -> (Console, ClientKey) {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("x y");
    let key = console.writes()[0].key;
    (console, key)
}

#[test]
fn a_held_send_key_sends_once() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("x");

    for _ in 0..33 {
        console.press_at_once(Chord::char('y'));
    }

    assert_eq!(console.writes().len(), 1);
    assert_eq!(console.last_notice(), "already sent; awaiting response");
}

#[test]
fn an_accepted_write_closes_its_ticket_and_is_looked_for() {
    let (mut console, key) = a_close_under_way();

    console.tell(Msg::Answered { key, outcome: accepted() });

    assert!(matches!(console.model.overlay, Overlay::None));
    assert!(console.model.writes.is_empty());
    assert_eq!(console.effects.last(), Some(&Effect::LookAgain));
    assert!(console.last_notice().starts_with("Accepted  CLOSE all of 50,000 EUR_USD"));
}

#[test]
fn a_refused_write_keeps_its_draft_and_takes_a_new_key() {
    let (mut console, key) = a_close_under_way();
    let refusal = Refusal {
        measured: Some(dec!(1)),
        ..Refusal::plain(Code::ReduceOnlyExceedsPosition, "less is open")
    };

    console.tell(Msg::Answered { key, outcome: Outcome::Refused(refusal) });
    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.problem.as_deref(), Some("REDUCE_ONLY_EXCEEDS_POSITION: less is open"));
    console.enter();
    console.press("y");

    let keys: Vec<ClientKey> = console.writes().iter().map(|request| request.key).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "the database would answer the old key with the old refusal");
}

#[test]
fn an_unknown_write_is_asked_about_and_never_sent_again() {
    let (mut console, key) = a_close_under_way();

    console.tell(Msg::Answered { key, outcome: Outcome::Unknown("cut".to_owned()) });
    assert_eq!(console.model.ticket().unwrap().stage, Stage::Unknown);
    for _ in 0..20 {
        console.rest();
    }

    assert_eq!(console.writes().len(), 1);
    let asked =
        console.effects.iter().filter(|effect| matches!(effect, Effect::Resolve(_))).count();
    assert_eq!(asked, 5, "every two seconds of ten");
    console.tell(Msg::Answered { key, outcome: accepted() });
    assert!(console.model.writes.is_empty());
}

#[test]
fn a_trade_waits_while_the_last_one_on_that_account_and_instrument_is_unknown() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    let buy = |console: &mut Console| {
        console.press("b");
        console.enter();
        let ticket = console.model.ticket().unwrap();
        let (key, question) = match console.effects.last() {
            Some(Effect::Assess { question, .. }) => (ticket.key, question.clone()),
            other => panic!("{other:?}"),
        };
        console.tell(Msg::Assessed { key, question, checks: Ok(vec![]) });
        console.press("y");
    };
    buy(&mut console);
    let key = console.writes()[0].key;
    console.tell(Msg::Answered { key, outcome: Outcome::Unknown("cut".to_owned()) });
    console.press("Esc");

    buy(&mut console);

    assert_eq!(console.writes().len(), 1);
    assert!(
        console.last_notice().starts_with("not sent: an earlier write is unconfirmed:"),
        "{}",
        console.last_notice()
    );
    console.press("Esc");
    console.press("Esc");
    console.press("x y");
    assert_eq!(console.writes().len(), 2, "a close never waits");
}

#[test]
fn a_late_answer_is_a_notice_and_nothing_else() {
    let mut console = Console::of(Role::Trader);

    console.tell(Msg::Answered { key: ClientKey(Uuid::from_u128(9)), outcome: accepted() });

    assert!(console.last_notice().starts_with("late answer"));
    assert!(console.effects.is_empty());
}

#[test]
fn an_acknowledgement_names_who_was_first() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Events, RowId::Event(WARNING));
    console.press("a");
    let key = console.writes()[0].key;
    let outcome = Outcome::Accepted(Accepted {
        subject: None,
        code: None,
        message: String::new(),
        done: vec![],
        taken: vec![(WARNING.0, "risk2".to_owned())],
        items: vec![],
    });

    console.tell(Msg::Answered { key, outcome });

    assert!(
        console.last_notice().ends_with("1 already acknowledged by risk2"),
        "{}",
        console.last_notice()
    );
}

#[test]
fn what_an_earlier_console_left_open_is_settled_and_not_sent() {
    let (ended, key) = a_close_under_way();
    let request = ended.writes()[0].clone();
    let mut console = Console::of(Role::Trader);

    console.tell(Msg::WritesLeft(vec![(request.clone(), "CLOSE all of it".to_owned())]));

    assert_eq!(console.effects, [Effect::Resolve(request)]);
    assert!(console.last_notice().starts_with("UNCONFIRMED  CLOSE all of it"));
    console.tell(Msg::Answered { key, outcome: accepted() });
    assert!(console.model.writes.is_empty());
    assert!(console.writes().is_empty(), "nothing was sent");
}

#[test]
fn a_damaged_journal_is_told() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::JournalDamaged(vec!["the journal 0.journal is damaged".to_owned()]));
    assert_eq!(console.last_notice(), "the journal 0.journal is damaged");
}

/// What others do must not hide whether a trade stands.
#[test]
fn news_do_not_hide_what_became_of_a_write() {
    let (mut console, key) = a_close_under_way();
    console.tell(Msg::Answered { key, outcome: accepted() });
    let severity = tmt::domain::event::Severity::Emergency;
    let text = "trading disabled".to_owned();
    console.tell(Msg::BusNotified { severity, text, is_alarm: true, halt: None });

    let shown =
        |console: &Console| console.model.toast().map(|notice| notice.text.clone()).unwrap();
    assert!(shown(&console).starts_with("Accepted"), "{}", shown(&console));
    assert_eq!(console.last_notice(), "trading disabled", "the log has both");
    // A key that was pressed too often must not hide it either; whoever presses one later has read it.
    console.press("Esc Enter");
    assert!(shown(&console).starts_with("Accepted"), "{}", shown(&console));
    console.wait(Duration::from_secs(2));
    console.press("Enter");
    assert!(shown(&console).starts_with("no row selected"), "{}", shown(&console));
}

#[test]
fn what_a_write_did_comes_before_what_was_asked() {
    let (mut console, key) = a_close_under_way();
    let Outcome::Accepted(mut told) = accepted() else { panic!() };
    told.code = Some(Code::Reduced);
    told.message = "Closed 50,000 EUR_USD at 1.08640: +110.00 USD.".to_owned();
    console.tell(Msg::Answered { key, outcome: Outcome::Accepted(told) });
    let wanted = "Accepted  REDUCED  alpha: Closed 50,000 EUR_USD at 1.08640: +110.00 USD.  id 00000007  │ CLOSE all of";
    assert!(console.last_notice().starts_with(wanted), "{}", console.last_notice());
}
