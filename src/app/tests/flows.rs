//! Flows and their budgets of keys (`spec/ux.md` section 4): the row is selected already.

use rstest::rstest;
use rust_decimal::dec;

use super::Desk;
use super::desk::{ALPHA, CRITICAL, EMERGENCY, HELD, LIMIT, PROPOSAL, SIGNAL, WARNING, eur_usd};
use crate::app::chord::{Chord, Key};
use crate::app::model::Overlay;
use crate::app::pane::{Pane, RowId};
use crate::app::ticket::{FieldName, Stage};
use crate::app::{Effect, Msg};
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::outcome::{Check, Finding, Impact};
use crate::domain::request::{Closing, NewTrade, Verb};
use crate::domain::rows::Rows;
use crate::domain::session::Role;
use crate::domain::trade::Side;

fn check(code: &str, finding: Finding) -> Check {
    Check {
        code: code.to_owned(),
        finding,
        before: None,
        measured: Some(dec!(2)),
        allowed: Some(dec!(1)),
        unit: None,
        room: None,
        limit: None,
        message: Some("too much".to_owned()),
    }
}

impl Desk {
    /// The rulebook answers the newest question.
    fn judge(&mut self, checks: Vec<Check>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::Assess { key, trade } = effect else { return None };
            Some((*key, trade.clone()))
        });
        let (key, trade) = asked.expect("the rulebook was asked");
        self.tell(Msg::Assessed { key, trade, checks: Ok(checks) });
    }

    /// The database says whom the newest value of a limit would bind.
    pub(super) fn weigh(&mut self, impacts: Vec<Impact>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::Weigh { limit, value } = effect else { return None };
            Some((*limit, *value))
        });
        let (limit, value) = asked.expect("the database was asked");
        self.tell(Msg::Weighed { limit, value, impacts: Ok(impacts) });
    }

    pub(super) fn only_verb(&self) -> &Verb {
        match self.writes().as_slice() {
            [only] => &only.verb,
            other => panic!("{} writes: {}", other.len(), self.last_notice()),
        }
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.model.ticket().expect("a ticket is open").stage
    }
}

fn a_buy() -> NewTrade {
    NewTrade {
        account: ALPHA,
        instrument: eur_usd(),
        side: Side::Buy,
        size: dec!(10000),
        price: dec!(1.08655),
        stop: Some(dec!(1.08455)),
        target: Some(dec!(1.09055)),
        signal: None,
        reason: None,
    }
}

#[test]
fn a_buy_from_the_preset_takes_three_keys() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.enter();
    desk.judge(vec![check("MAX_EXPOSURE", Finding::Passes)]);
    desk.press("y");

    assert_eq!(*desk.only_verb(), Verb::Place(a_buy()));
    assert_eq!(*desk.stage(), Stage::Sending);
}

#[test]
fn a_typed_size_replaces_the_preset() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.press("Ctrl-u");
    desk.type_text("25k");
    desk.enter();
    desk.judge(vec![]);
    desk.press("y");

    assert_eq!(*desk.only_verb(), Verb::Place(NewTrade { size: dec!(25000), ..a_buy() }));
}

#[test]
fn a_full_close_takes_two_keys() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("x y");

    let close = Verb::Close {
        what: Closing::Position(HELD),
        size: None,
        price: dec!(1.08640),
        reason: None,
    };
    assert_eq!(*desk.only_verb(), close);
}

#[test]
fn a_digit_at_the_review_of_a_close_becomes_its_size() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("x 2");
    desk.type_text("0k");
    desk.enter();
    desk.press("y");

    let close = Verb::Close {
        what: Closing::Position(HELD),
        size: Some(dec!(20000)),
        price: dec!(1.08640),
        reason: None,
    };
    assert_eq!(*desk.only_verb(), close);
}

#[rstest]
#[case::half("50%", Some(dec!(25000)))]
#[case::all_of_it("50000", None)]
fn a_close_takes_a_share_or_a_size(
    #[case] typed: &str,
    #[case] size: Option<rust_decimal::Decimal>,
) {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("x n");
    desk.press("Ctrl-u");
    desk.type_text(typed);
    desk.enter();
    desk.press("y");

    let close =
        Verb::Close { what: Closing::Position(HELD), size, price: dec!(1.08640), reason: None };
    assert_eq!(*desk.only_verb(), close);
}

#[test]
fn a_warning_is_acknowledged_with_one_key() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Events, RowId::Event(WARNING));

    desk.press("a");

    assert_eq!(*desk.only_verb(), Verb::Acknowledge { events: vec![WARNING], note: None });
}

#[test]
fn a_critical_event_asks_for_a_note_and_takes_a_coded_one() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Events, RowId::Event(CRITICAL));

    desk.press("a");
    assert!(desk.writes().is_empty());
    desk.enter();
    assert!(desk.writes().is_empty(), "sent without a note");
    desk.press("1");
    desk.enter();

    let note = Some("true, reducing".to_owned());
    assert_eq!(*desk.only_verb(), Verb::Acknowledge { events: vec![CRITICAL], note });
}

#[test]
fn an_emergency_is_never_acknowledged_in_bulk() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Events, RowId::Event(WARNING));
    desk.rest();

    desk.press("* a");

    assert!(desk.writes().is_empty());
    assert!(desk.last_notice().contains("emergency"), "{}", desk.last_notice());
}

#[test]
fn marked_events_are_acknowledged_together() {
    let mut desk = Desk::of(Role::RiskOfficer);
    for id in [WARNING, CRITICAL] {
        desk.model.pane_mut(Pane::Events).marked.insert(RowId::Event(id));
    }
    desk.select(Pane::Events, RowId::Event(EMERGENCY));

    desk.press("a 6");
    desk.enter();

    let Verb::Acknowledge { events, note } = desk.only_verb() else { panic!("not an ack") };
    assert_eq!(events.len(), 2);
    assert!(!events.contains(&EMERGENCY));
    assert_eq!(note.as_deref(), Some("duplicate"));
}

#[test]
fn a_halt_of_the_selected_account_takes_three_keys() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("! h y");

    let Verb::Halt { scope, identifier, mode, .. } = desk.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, *mode), (Scope::Account, HaltMode::NoNewOrders));
    assert_eq!(identifier.as_deref(), Some(ALPHA.to_string().as_str()));
}

#[test]
fn tab_widens_a_halt_and_it_must_be_read_again() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("! h");
    desk.press_at_once(Chord::plain(Key::Tab));
    desk.press_at_once(Chord::char('y'));
    assert!(desk.writes().is_empty(), "sent before it was read");
    desk.rest();
    desk.press("y");

    let Verb::Halt { scope, identifier, .. } = desk.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, identifier), (Scope::System, &None));
}

#[test]
fn a_trader_halts_an_account_and_is_offered_no_more() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("! h Tab y");
    let Verb::Halt { scope, identifier, .. } = desk.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, identifier), (Scope::Account, &Some(ALPHA.to_string())));

    let mut desk = Desk::of(Role::Trader);
    desk.press("! r");
    assert!(desk.model.ticket().is_none());
    assert!(desk.last_notice().contains("only a risk officer"), "{}", desk.last_notice());
}

#[test]
fn a_limit_is_tightened_without_a_reason() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Limits, RowId::Limit(LIMIT));

    desk.press("e");
    desk.type_text("90k");
    desk.enter();
    desk.press("y");

    let Verb::ProposeLimit { limit, value, reason, base_version, .. } = desk.only_verb() else {
        panic!("no proposal")
    };
    assert_eq!((*limit, *value, reason), (LIMIT, dec!(90000), &None));
    assert_eq!(*base_version, Some(super::morning()));
}

#[test]
fn a_limit_is_loosened_only_with_a_reason() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Limits, RowId::Limit(LIMIT));

    desk.press("e");
    desk.type_text("200k");
    desk.enter();
    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.focused().unwrap().name, FieldName::Reason);
    desk.type_text("month end");
    desk.enter();
    desk.press("y");
    assert!(desk.writes().is_empty(), "sent before anybody saw whom it binds");
    desk.weigh(vec![]);
    desk.press("y");

    assert!(matches!(desk.only_verb(), Verb::ProposeLimit { reason: Some(_), .. }));
}

#[test]
fn nobody_approves_their_own_proposal() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.model.session.as_mut().unwrap().operator = " Bob".to_owned();
    desk.select(Pane::Limits, RowId::Limit(PROPOSAL));

    desk.press("+");

    assert!(desk.model.ticket().is_none());
    assert!(desk.last_notice().contains("another person"), "{}", desk.last_notice());
}

#[test]
fn a_second_person_approves_with_two_keys() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Limits, RowId::Limit(PROPOSAL));

    desk.press("+");
    desk.weigh(vec![]);
    desk.press("y");

    assert_eq!(*desk.only_verb(), Verb::ApproveLimit { limit: PROPOSAL, note: None });
}

#[test]
fn a_signal_opens_a_ticket_with_its_levels() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Signals, RowId::Signal(SIGNAL));

    desk.press("t");

    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.text(FieldName::Stop), Some("1.08900"));
    assert_eq!(ticket.text(FieldName::Target), Some("1.08000"));
    assert_eq!(ticket.text(FieldName::Price), Some("1.08640"), "a sell gets the bid");
    assert_eq!(ticket.focused().unwrap().name, FieldName::Account, "nobody was chosen");
}

#[test]
fn risk_sizes_from_equity_and_stop() {
    let mut desk = Desk::of(Role::Trader);
    desk.tell(Msg::RowsRead { rows: Rows::Limits(vec![]), asked: None, unreadable: vec![] });
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b r");

    // Equity 100,000 + 110.00 open P&L; 1 % over a stop of 20 pips.
    assert_eq!(desk.model.ticket().unwrap().text(FieldName::Size), Some("500550"));
    let said = &desk.model.toast().unwrap().text;
    assert_eq!(said, "Size 500,550: 1 % of equity is at risk.");
}

#[test]
fn a_limit_bounds_the_size_from_risk_and_says_so() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b r");

    // Of 100,000 USD, 50,000 EUR at the middle of 1.08640 and 1.08655 are used; the rest at the ask.
    assert_eq!(desk.model.ticket().unwrap().text(FieldName::Size), Some("42037"));
    let said = &desk.model.toast().unwrap().text;
    assert!(said.contains("max exposure allows no more; 1 % of equity would be 500,550"), "{said}");
}

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

#[rstest]
#[case::garbage("10-5", "not a number")]
#[case::nothing("", "type a size")]
fn a_bad_size_stays_in_its_field(#[case] typed: &str, #[case] said: &str) {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.press("Ctrl-u");
    desk.type_text(typed);
    desk.enter();

    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.focused().unwrap().name, FieldName::Size);
    assert!(ticket.problem.as_ref().unwrap().contains(said), "{:?}", ticket.problem);
}

#[rstest]
#[case(Role::Viewer, Pane::Positions, RowId::Position(HELD), "b")]
#[case(Role::Viewer, Pane::Positions, RowId::Position(HELD), "x")]
#[case(Role::Viewer, Pane::Positions, RowId::Position(HELD), "! h")]
#[case(Role::Trader, Pane::Events, RowId::Event(WARNING), "a")]
#[case(Role::Trader, Pane::Limits, RowId::Limit(LIMIT), "e")]
fn a_missing_role_opens_nothing_and_says_so(
    #[case] role: Role,
    #[case] pane: Pane,
    #[case] row: RowId,
    #[case] keys: &str,
) {
    let mut desk = Desk::of(role);
    desk.select(pane, row);

    desk.press(keys);

    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(desk.writes().is_empty());
    assert!(desk.last_notice().contains("needs the role"), "{}", desk.last_notice());
}

#[test]
fn a_hard_finding_cannot_be_sent() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.enter();
    desk.judge(vec![check("MAX_EXPOSURE", Finding::Reject)]);
    desk.press("y");

    assert!(desk.writes().is_empty());
    assert_eq!(desk.last_notice(), "MAX_EXPOSURE forbids it");
}

#[test]
fn a_soft_finding_needs_a_reason() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.enter();
    desk.judge(vec![check("DUPLICATE_ORDER", Finding::Confirm)]);
    desk.press("y");
    assert!(desk.writes().is_empty());
    desk.press("Y");
    desk.type_text("twice on purpose");
    desk.enter();
    desk.judge(vec![check("DUPLICATE_ORDER", Finding::Confirm)]);
    desk.press("y");

    let reason = Some("twice on purpose".to_owned());
    assert_eq!(*desk.only_verb(), Verb::Place(NewTrade { reason, ..a_buy() }));
}

#[test]
fn enter_never_sends_a_trade() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.enter();
    desk.judge(vec![]);
    for _ in 0..33 {
        desk.enter();
    }

    assert!(desk.writes().is_empty());
}

#[test]
fn y_counts_only_after_the_sentence_was_on_the_screen_for_a_moment() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b");
    desk.press_at_once(Chord::plain(Key::Enter));
    desk.judge(vec![]);
    desk.press_at_once(Chord::char('y'));
    assert!(desk.writes().is_empty(), "no frame was shown");
    desk.rest();
    desk.press("y");

    assert_eq!(desk.writes().len(), 1);
}

#[test]
fn a_lost_focus_disarms_the_ticket() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("x");
    desk.tell(Msg::FocusChanged { has_focus: false });
    desk.rest();
    desk.press("y");
    assert!(desk.writes().is_empty());
    desk.tell(Msg::FocusChanged { has_focus: true });
    desk.rest();
    desk.press("y");

    assert_eq!(desk.writes().len(), 1);
}

#[test]
fn leaving_an_edited_ticket_asks_first() {
    let mut desk = Desk::of(Role::Trader);
    desk.select(Pane::Positions, RowId::Position(HELD));

    desk.press("b 5 Esc");
    assert!(desk.model.ticket().is_some());
    desk.press("Esc");

    assert!(desk.model.ticket().is_none());
}
