//! Halts in force: what the screen says of them, and how they end.

use std::time::Duration;

use uuid::Uuid;

use super::desk::{ALPHA, BRAVO, EMERGENCY, HELD};
use super::{Console, morning};
use tmt::app::cell::Cell;
use tmt::app::columns;
use tmt::app::msg::Msg;
use tmt::app::pane::{Pane, RowId};
use tmt::app::ticket::{self, FieldName, Form, HaltScope, Resume};
use tmt::domain::change::Kind;
use tmt::domain::event::{RiskEvent, Severity};
use tmt::domain::halt::{Halt, HaltMode, Scope};
use tmt::domain::ids::{AccountId, HaltId, InstrumentId};
use tmt::domain::request::Verb;
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;

fn halt(number: u128, account: Option<AccountId>, mode: HaltMode) -> Halt {
    Halt {
        id: HaltId(Uuid::from_u128(number)),
        scope: if account.is_some() { Scope::Account } else { Scope::System },
        account,
        identifier: None,
        mode,
        reason: "fat finger".to_owned(),
        set_by: "bob".to_owned(),
        set_at: morning() + Duration::from_secs(u64::try_from(number).unwrap()),
    }
}

impl Console {
    fn halted(&mut self, rows: Vec<Halt>) {
        self.tell(Msg::RowsRead { rows: Rows::Halts(rows), asked: None, unreadable: vec![] });
    }

    fn confirmed(&mut self, asked_at: Duration) {
        let round_trip = Duration::from_millis(3);
        self.tell(Msg::Confirmed { kinds: Kind::ALL.to_vec(), asked_at, round_trip });
    }

    fn status(&self, account: AccountId) -> String {
        let heads = columns::heads(Pane::Accounts);
        let at = heads.iter().position(|head| head.title == "STATUS").unwrap();
        match columns::cell(&self.model, Pane::Accounts, &RowId::Account(account), at) {
            Some(Cell::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn alarmed(&mut self, halt: Option<HaltId>) {
        let text = format!("trading disabled: scope account, scope identifier {ALPHA}");
        self.tell(Msg::BusNotified { severity: Severity::Emergency, text, is_alarm: true, halt });
    }
}

#[test]
fn a_halt_shows_in_the_status_of_every_account_that_it_covers() {
    let mut console = Console::of(Role::Trader);
    assert_eq!(console.status(ALPHA), "active");

    console.halted(vec![halt(1, Some(ALPHA), HaltMode::ReduceOnly)]);
    assert_eq!((console.status(ALPHA), console.status(BRAVO)), ("REDUCE".into(), "active".into()));

    let wide = halt(2, None, HaltMode::NoNewOrders);
    console.halted(vec![halt(1, Some(ALPHA), HaltMode::ReduceOnly), wide]);
    assert_eq!(console.status(ALPHA), "HALTED", "the strictest counts");
    assert_eq!(console.status(BRAVO), "HALTED");
}

#[test]
fn a_halt_of_a_portfolio_shows_in_its_accounts_alone() {
    let mut console = Console::of(Role::Trader);
    console.model.desk.accounts.get_mut(&BRAVO).unwrap().portfolio = Some("majors".to_owned());
    let of_majors = Halt {
        scope: Scope::Portfolio,
        identifier: Some("majors".to_owned()),
        ..halt(1, None, HaltMode::Flatten)
    };
    console.halted(vec![of_majors]);
    assert_eq!((console.status(ALPHA), console.status(BRAVO)), ("active".into(), "FLATTEN".into()));
}

#[test]
fn an_alarm_names_the_account_and_ends_with_its_halt() {
    let mut console = Console::of(Role::RiskOfficer);
    let row = halt(1, Some(ALPHA), HaltMode::NoNewOrders);

    console.alarmed(Some(row.id));
    let text = console.model.alarm().unwrap().text.clone();
    assert_eq!(text, "trading disabled: scope account, scope identifier alpha");
    console.halted(vec![]);
    assert!(console.model.alarm().is_some(), "rows from before the halt end nothing");
    console.halted(vec![row]);
    console.wait(Duration::from_hours(1));
    assert!(console.model.alarm().is_some());
    console.halted(vec![]);
    assert_eq!(console.model.alarm(), None);
}

/// The bus may lose the word that trading goes on, and the halt may be over before its row was read.
#[test]
fn an_alarm_ends_when_the_rows_read_after_it_hold_no_such_halt() {
    let mut console = Console::of(Role::RiskOfficer);
    let row = halt(1, Some(ALPHA), HaltMode::NoNewOrders);
    let before = console.model.elapsed;
    console.wait(Duration::from_secs(1));
    console.alarmed(Some(row.id));
    console.confirmed(before);
    assert!(console.model.alarm().is_some(), "asked before it was raised");
    console.wait(Duration::from_secs(1));
    console.confirmed(console.model.elapsed);
    assert_eq!(console.model.alarm(), None);

    console.alarmed(Some(row.id));
    console.wait(Duration::from_secs(1));
    console.halted(vec![row]);
    console.confirmed(console.model.elapsed);
    assert!(console.model.alarm().is_some(), "it is in force");
    console.alarmed(None);
    console.wait(Duration::from_secs(1));
    console.confirmed(console.model.elapsed);
    assert!(console.model.alarm().is_some(), "it is about no row");
}

#[test]
fn the_emergency_of_a_halt_is_urgent_while_the_halt_is_in_force() {
    let mut console = Console::of(Role::RiskOfficer);
    let mut event = console.model.desk.events[&EMERGENCY].clone();
    assert_eq!(console.model.urgent().map(|row| row.id), Some(EMERGENCY));
    event.account = None;
    event.event_type = "trading_halt".to_owned();
    let read = |console: &mut Console, event: &RiskEvent| {
        let rows = Rows::Events(vec![event.clone()]);
        console.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
    };
    read(&mut console, &event);
    console.halted(vec![halt(1, None, HaltMode::NoNewOrders)]);
    assert_eq!(console.model.urgent().map(|row| row.id), Some(EMERGENCY));

    console.halted(vec![halt(2, Some(ALPHA), HaltMode::NoNewOrders)]);
    assert_eq!(console.model.urgent(), None, "another halt is none of it");
    assert!(console.model.desk.events[&EMERGENCY].wants_acknowledgement(), "it stays in the list");
    console.halted(vec![halt(3, None, HaltMode::NoNewOrders)]);
    event.resolved_at = Some(morning());
    read(&mut console, &event);
    assert_eq!(console.model.urgent(), None, "a later halt does not bring it back");
}

#[test]
fn an_alarm_ends_when_the_bus_says_that_trading_goes_on() {
    let mut console = Console::of(Role::Viewer);
    let (one, other) = (HaltId(Uuid::from_u128(1)), HaltId(Uuid::from_u128(2)));
    console.alarmed(Some(one));
    console.tell(Msg::AlarmEnded { halt: Some(other) });
    assert!(console.model.alarm().is_some(), "another halt ended");
    console.tell(Msg::AlarmEnded { halt: Some(one) });
    assert_eq!(console.model.alarm(), None);
    console.alarmed(None);
    console.tell(Msg::AlarmEnded { halt: Some(other) });
    assert!(console.model.alarm().is_some(), "the end of one halt ends no stop of everything");
    console.tell(Msg::AlarmEnded { halt: None });
    assert_eq!(console.model.alarm(), None);
}

/// What nobody acknowledged is not lost under a later alarm that ends by itself.
#[test]
fn an_alarm_waits_below_a_later_one() {
    let mut console = Console::of(Role::Viewer);
    let one = HaltId(Uuid::from_u128(1));
    let stop = |console: &mut Console| {
        let text = "emergency stop: reason smoke".to_owned();
        let severity = Severity::Emergency;
        console.tell(Msg::BusNotified { severity, text, is_alarm: true, halt: None });
    };
    stop(&mut console);
    stop(&mut console);
    console.alarmed(Some(one));
    assert_eq!(console.model.alarms.len(), 2, "the same again is one");
    console.tell(Msg::AlarmEnded { halt: Some(one) });
    assert_eq!(console.model.alarm().unwrap().text, "emergency stop: reason smoke");

    // The database is asked after it, and holds no halt: that is said, and the alarm stays.
    assert!(!console.model.alarm().unwrap().is_unfounded);
    console.wait(Duration::from_secs(1));
    console.confirmed(console.model.elapsed);
    assert!(console.model.alarm().unwrap().is_unfounded);
    console.halted(vec![halt(2, None, HaltMode::NoNewOrders)]);
    console.confirmed(console.model.elapsed);
    assert!(!console.model.alarm().unwrap().is_unfounded);
    console.press("! a");
    assert_eq!(console.model.alarm(), None);
}

#[test]
fn the_end_of_a_halt_is_that_of_the_selected_rows_account() {
    let mut console = Console::of(Role::RiskOfficer);
    let of_alpha = halt(1, Some(ALPHA), HaltMode::NoNewOrders);
    let newer = halt(2, Some(BRAVO), HaltMode::NoNewOrders);
    console.halted(vec![of_alpha.clone(), newer.clone()]);

    console.press("! u");
    assert_eq!(console.model.ticket().unwrap().form, Form::Resume(Resume { halt: newer.id }));
    console.press("Esc");
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("! u");
    assert_eq!(console.model.ticket().unwrap().form, Form::Resume(Resume { halt: of_alpha.id }));
    let shown = console.model.ticket().unwrap().text(FieldName::Halt).unwrap();
    assert!(shown.starts_with("alpha "), "{shown}");
}

#[test]
fn another_halt_can_be_chosen_in_the_ticket() {
    let mut console = Console::of(Role::RiskOfficer);
    let older = halt(1, None, HaltMode::NoNewOrders);
    console.halted(vec![older.clone(), halt(2, Some(BRAVO), HaltMode::NoNewOrders)]);

    console.press("! u Shift-Tab Right Tab");
    console.type_text("all clear");
    console.enter();
    console.press("y");

    let reason = "all clear".to_owned();
    assert_eq!(*console.only_verb(), Verb::Resume { halt: older.id, reason });
}

/// The narrowest of what is selected is offered; everything only where nothing is.
#[test]
fn a_halt_is_offered_of_what_is_selected() {
    let scope = |console: &Console| {
        let Form::Halt(ticket::Halt { scope, .. }) = &console.model.ticket().unwrap().form else {
            panic!()
        };
        scope.clone()
    };
    let mut console = Console::of(Role::RiskOfficer);
    let eur_usd = InstrumentId::new("EUR_USD");
    console.select(Pane::Market, RowId::Instrument(eur_usd.clone()));
    console.press("! h");
    assert_eq!(scope(&console), HaltScope::Instrument(eur_usd.clone()));
    console.press("Tab");
    assert_eq!(scope(&console), HaltScope::System);
    console.press("Tab");
    assert_eq!(scope(&console), HaltScope::Instrument(eur_usd));

    // An instrument is not a trader's to halt.
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Market, RowId::Instrument(InstrumentId::new("EUR_USD")));
    console.press("! h");
    assert!(console.model.ticket().is_none());
}
