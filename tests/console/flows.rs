//! Flows and their budgets of keys (`spec/ux.md` section 4): the row is selected already.

use rstest::rstest;
use rust_decimal::dec;

use super::Console;
use super::desk::{ALPHA, HELD, LIMIT, SIGNAL, WARNING, eur_usd};
use tmt::app::chord::{Chord, Key};
use tmt::app::model::Overlay;
use tmt::app::pane::{Pane, RowId};
use tmt::app::ticket::{FieldName, Stage};
use tmt::app::{Effect, Msg};
use tmt::domain::code::Code;
use tmt::domain::outcome::{Check, Finding, Impact};
use tmt::domain::request::{Closing, NewTrade, Verb};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;
use tmt::domain::trade::Side;

pub(crate) fn check(code: Code, finding: Finding) -> Check {
    Check {
        code,
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

impl Console {
    /// The rulebook answers the newest question.
    pub(crate) fn judge(&mut self, checks: Vec<Check>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::Assess { key, question } = effect else { return None };
            Some((*key, question.clone()))
        });
        let (key, question) = asked.expect("the rulebook was asked");
        self.tell(Msg::Assessed { key, question, checks: Ok(checks) });
    }

    /// The database says whom the newest value of a limit would bind.
    pub(crate) fn preview_limit(&mut self, impacts: Vec<Impact>) {
        let asked = self.effects.iter().rev().find_map(|effect| {
            let Effect::PreviewLimit(preview) = effect else { return None };
            Some(preview.clone())
        });
        let preview = asked.expect("the database was asked");
        self.tell(Msg::LimitPreviewed { preview, impacts: Ok(impacts) });
    }

    pub(crate) fn only_verb(&self) -> &Verb {
        match self.writes().as_slice() {
            [only] => &only.verb,
            other => panic!("{} writes: {}", other.len(), self.last_notice()),
        }
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.model.ticket().expect("a ticket is open").stage
    }
}

pub(crate) fn a_buy() -> NewTrade {
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
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.enter();
    console.judge(vec![check(Code::MaxExposure, Finding::Passes)]);
    console.press("y");

    assert_eq!(*console.only_verb(), Verb::Place(a_buy()));
    assert_eq!(*console.stage(), Stage::Sending);
}

#[test]
fn a_typed_size_replaces_the_preset() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.press("Ctrl-u");
    console.type_text("25k");
    console.enter();
    console.judge(vec![]);
    console.press("y");

    assert_eq!(*console.only_verb(), Verb::Place(NewTrade { size: dec!(25000), ..a_buy() }));
}

#[test]
fn a_full_close_takes_two_keys() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("x y");

    let close = Verb::Close {
        what: Closing::Position(HELD),
        size: None,
        price: dec!(1.08640),
        reason: None,
    };
    assert_eq!(*console.only_verb(), close);
}

#[test]
fn a_digit_at_the_review_of_a_close_becomes_its_size() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("x 2");
    console.type_text("0k");
    console.enter();
    console.press("y");

    let close = Verb::Close {
        what: Closing::Position(HELD),
        size: Some(dec!(20000)),
        price: dec!(1.08640),
        reason: None,
    };
    assert_eq!(*console.only_verb(), close);
}

#[rstest]
#[case::half("50%", Some(dec!(25000)))]
#[case::all_of_it("50000", None)]
fn a_close_takes_a_share_or_a_size(
    #[case] typed: &str,
    #[case] size: Option<rust_decimal::Decimal>,
) {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("x n");
    console.press("Ctrl-u");
    console.type_text(typed);
    console.enter();
    console.press("y");

    let close =
        Verb::Close { what: Closing::Position(HELD), size, price: dec!(1.08640), reason: None };
    assert_eq!(*console.only_verb(), close);
}

#[test]
fn a_signal_opens_a_ticket_with_its_levels() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Signals, RowId::Signal(SIGNAL));

    console.press("t");

    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.text(FieldName::Stop), Some("1.08900"));
    assert_eq!(ticket.text(FieldName::Target), Some("1.08000"));
    assert_eq!(ticket.text(FieldName::Price), Some("1.08640"), "a sell gets the bid");
    assert_eq!(ticket.focused().unwrap().name, FieldName::Account, "nobody was chosen");
}

#[test]
fn risk_sizes_from_equity_and_stop() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::RowsRead { rows: Rows::Limits(vec![]), asked: None, unreadable: vec![] });
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b r");

    // Equity 100,000 + 110.00 open P&L; 1 % over a stop of 20 pips.
    assert_eq!(console.model.ticket().unwrap().text(FieldName::Size), Some("500550"));
    let said = &console.model.toast().unwrap().text;
    assert_eq!(said, "Size 500,550: risks 1 % of equity.");
}

#[test]
fn a_limit_bounds_the_size_from_risk_and_says_so() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b r");

    // Of 100,000 USD, 50,000 EUR at the middle of 1.08640 and 1.08655 are used; the rest at the ask.
    assert_eq!(console.model.ticket().unwrap().text(FieldName::Size), Some("42037"));
    let said = &console.model.toast().unwrap().text;
    assert!(said.contains("capped by max exposure; 1 % of equity would be 500,550"), "{said}");
}

#[rstest]
#[case::garbage("10-5", "not a number")]
#[case::nothing("", "enter a size")]
fn a_bad_size_stays_in_its_field(#[case] typed: &str, #[case] said: &str) {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.press("Ctrl-u");
    console.type_text(typed);
    console.enter();

    let ticket = console.model.ticket().unwrap();
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
    let mut console = Console::of(role);
    console.select(pane, row);

    console.press(keys);

    assert!(matches!(console.model.overlay, Overlay::None));
    assert!(console.writes().is_empty());
    assert!(console.last_notice().contains(" role; your role is "), "{}", console.last_notice());
}

#[test]
fn a_hard_finding_cannot_be_sent() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.enter();
    console.judge(vec![check(Code::MaxExposure, Finding::Reject)]);
    console.press("y");

    assert!(console.writes().is_empty());
    assert_eq!(console.last_notice(), "rejected by MAX_EXPOSURE");
}

#[test]
fn a_soft_finding_needs_a_reason() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.enter();
    console.judge(vec![check(Code::DuplicateOrder, Finding::Confirm)]);
    console.press("y");
    assert!(console.writes().is_empty());
    console.press("Y");
    console.type_text("twice on purpose");
    console.enter();
    console.judge(vec![check(Code::DuplicateOrder, Finding::Confirm)]);
    console.press("y");

    let reason = Some("twice on purpose".to_owned());
    assert_eq!(*console.only_verb(), Verb::Place(NewTrade { reason, ..a_buy() }));
}

#[test]
fn enter_never_sends_a_trade() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.enter();
    console.judge(vec![]);
    for _ in 0..33 {
        console.enter();
    }

    assert!(console.writes().is_empty());
}

#[test]
fn y_counts_only_after_the_sentence_was_on_the_screen_for_a_moment() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b");
    console.press_at_once(Chord::plain(Key::Enter));
    console.judge(vec![]);
    console.press_at_once(Chord::char('y'));
    assert!(console.writes().is_empty(), "no frame was shown");
    console.rest();
    console.press("y");

    assert_eq!(console.writes().len(), 1);
}

#[test]
fn a_lost_focus_disarms_the_ticket() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("x");
    console.tell(Msg::FocusChanged { has_focus: false });
    console.rest();
    console.press("y");
    assert!(console.writes().is_empty());
    console.tell(Msg::FocusChanged { has_focus: true });
    console.rest();
    console.press("y");

    assert_eq!(console.writes().len(), 1);
}

#[test]
fn leaving_an_edited_ticket_asks_first() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));

    console.press("b 5 Esc");
    assert!(console.model.ticket().is_some());
    console.press("Esc");

    assert!(console.model.ticket().is_none());
}
