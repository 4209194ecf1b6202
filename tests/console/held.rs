//! What is held, and limits that come and go: amend, close one trade, flatten, new limits.

use rust_decimal::dec;
use uuid::Uuid;

use super::Console;
use super::desk::{ALPHA, HELD, LIMIT, eur_usd, held};
use super::flows::check;
use tmt::app::cell::Tone;
use tmt::app::chord::{Chord, Key};
use tmt::app::model::Overlay;
use tmt::app::pane::{Pane, RowId};
use tmt::app::ticket::{FieldName, Stage};
use tmt::app::{Effect, Msg};
use tmt::domain::code::Code;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::ids::{PositionId, TradeId};
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::LimitType;
use tmt::domain::outcome::{Accepted, Finding, Item, ItemEnd, Outcome};
use tmt::domain::position::{Direction, Position};
use tmt::domain::request::{Closing, NewLimit, Question, Verb};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;
use tmt::domain::trade::{Side, Trade, TradeStatus};
use tmt::domain::unit::Unit;
use tmt::domain::unit::UnitChoice;

const TICKET: TradeId = TradeId(Uuid::from_u128(0x7001));

fn trade(position: Option<PositionId>) -> Trade {
    Trade {
        id: TICKET,
        account: ALPHA,
        position,
        signal: None,
        instrument: eur_usd(),
        side: Side::Buy,
        size: dec!(20000),
        closed_size: dec!(5000),
        entry_price: dec!(1.08400),
        exit_price: None,
        stop_loss: None,
        take_profit: None,
        risk_amount: dec!(60),
        risk_percentage: dec!(0.001),
        net_pnl: None,
        entry_time: super::morning(),
        exit_time: None,
        status: TradeStatus::Partial,
        close_reason: None,
    }
}

impl Console {
    fn on_the_position(role: Role) -> Self {
        let mut console = Self::of(role);
        console.select(Pane::Positions, RowId::Position(HELD));
        console
    }

    fn with_a_trade(role: Role, row: Trade) -> Self {
        let mut console = Self::of(role);
        let rows = Rows::Trades(vec![row]);
        console.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
        console.select(Pane::Trades, RowId::Trade(TICKET));
        console
    }

    fn line(&mut self, text: &str) {
        self.press(":");
        self.type_text(text);
        self.enter();
    }
}

#[test]
fn a_stop_is_amended_from_what_it_is() {
    let mut console = Console::on_the_position(Role::Trader);

    console.press("m");
    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.text(FieldName::Stop), Some("1.08120"));
    console.enter();
    assert_eq!(*console.stage(), Stage::Editing, "nothing is changed yet");
    console.press("Ctrl-u");
    console.type_text("1.083");
    console.enter();
    console.press("y");
    assert!(
        console.writes().is_empty(),
        "sent before the rulebook had said what it has against it"
    );
    console.judge(vec![]);
    console.press("y");

    let (stop, target, trailing, reason) = (Some(dec!(1.083)), None, None, None);
    let amend = Verb::Amend { position: HELD, stop, target, trailing, reason };
    assert_eq!(*console.only_verb(), amend);
    let said = tmt::app::form::sentence(&console.model, &amend);
    assert_eq!(said, "AMEND EUR_USD LONG 50,000  SL 1.08120 -> 1.08300  (tightens)  account alpha");
    let wider = Verb::Amend { position: HELD, stop: None, target, trailing, reason: None };
    let said = tmt::app::form::sentence(&console.model, &wider);
    assert!(said.contains("SL 1.08120 -> none  (WIDENS)"), "{said}");
}

#[test]
fn a_stop_is_moved_to_the_entry_price() {
    let stop_to = |console: &mut Console| {
        console.judge(vec![]);
        console.press("y");
        let Verb::Amend { position: HELD, stop, .. } = console.only_verb() else { panic!() };
        stop.unwrap()
    };
    let mut console = Console::on_the_position(Role::Trader);
    console.press("e");
    assert_eq!(stop_to(&mut console), dec!(1.08420));

    // Between two ticks, on the side of a profit.
    for (direction, stop) in [(Direction::Long, dec!(1.08421)), (Direction::Short, dec!(1.08420))] {
        let mut console = Console::on_the_position(Role::Trader);
        let between = Position { average_entry: dec!(1.084204), direction, ..held() };
        console.model.desk.positions.insert(HELD, between);
        console.line("breakeven EUR_USD @alpha");
        assert_eq!(stop_to(&mut console), stop, "{direction}");
    }
}

#[test]
fn a_stop_at_the_entry_price_is_not_moved_again() {
    let mut console = Console::on_the_position(Role::Trader);
    let there = Position { stop_loss: Some(held().average_entry), ..held() };
    console.model.desk.positions.insert(HELD, there);
    console.press("e");
    assert_eq!(*console.stage(), Stage::Editing);
    let problem = console.model.ticket().unwrap().problem.as_deref();
    assert_eq!(problem, Some("the stop is already at the entry price"));
}

/// What is typed into an amendment is judged as it is typed, like an order.
#[test]
fn what_stands_against_other_levels_is_said_before_they_are_sent() {
    let mut console = Console::on_the_position(Role::Trader);
    console.press("m");
    console.type_text("1.09");
    let asked = console.effects.iter().rev().find_map(|effect| {
        if let Effect::Assess { question, .. } = effect { Some(question.clone()) } else { None }
    });
    let (stop, target, trailing) = (Some(dec!(1.09)), None, None);
    assert_eq!(asked, Some(Question::Amend { position: HELD, stop, target, trailing }));
    console.judge(vec![check(Code::StopWrongSide, Finding::Reject)]);
    console.enter();
    console.press("y");
    assert!(console.writes().is_empty());
    assert_eq!(console.last_notice(), "rejected by STOP_WRONG_SIDE");
    // It would be no stop, but a close: that is not "tightens".
    let Ok(amend) = tmt::app::review::draft(&console.model, console.model.ticket().unwrap()) else {
        panic!("no amend")
    };
    let said = tmt::app::form::sentence(&console.model, &amend);
    assert!(said.contains("1.09000  (WOULD TRIGGER NOW)"), "{said}");
}

#[test]
fn a_soft_finding_against_other_levels_needs_a_reason() {
    let mut console = Console::on_the_position(Role::Trader);
    console.press("m");
    console.type_text("1.07");
    console.enter();
    console.judge(vec![check(Code::MaxOpenRisk, Finding::Confirm)]);
    console.press("y");
    assert!(console.writes().is_empty());
    console.press("Y");
    console.type_text("news");
    console.enter();
    console.judge(vec![check(Code::MaxOpenRisk, Finding::Confirm)]);
    console.press("y");
    assert!(matches!(console.only_verb(), Verb::Amend { reason: Some(_), .. }));
}

#[test]
fn a_stop_between_two_ticks_is_not_sent() {
    let mut console = Console::on_the_position(Role::Trader);
    console.press("m Ctrl-u");
    console.type_text("1.083001");
    console.enter();
    let problem = console.model.ticket().unwrap().problem.clone().unwrap();
    assert!(problem.contains("not a multiple of the tick 0.00001"), "{problem}");
}

#[test]
fn words_amend_only_what_they_name() {
    let mut console = Console::of(Role::Trader);
    console.line("amend EUR_USD tp=1.095 trail=0.002 @alpha");
    console.judge(vec![]);
    console.press("y");
    let Verb::Amend { stop, target, trailing, .. } = console.only_verb() else {
        panic!("no amend")
    };
    assert_eq!(
        (*stop, *target, *trailing),
        (Some(dec!(1.0812)), Some(dec!(1.095)), Some(dec!(0.002)))
    );

    let mut console = Console::of(Role::Trader);
    console.line("amend EUR_USD sl=none");
    console.judge(vec![]);
    console.press("y");
    let Verb::Amend { stop, .. } = console.only_verb() else { panic!("no amend") };
    assert_eq!(*stop, None);
}

#[test]
fn one_trade_is_closed_and_not_its_position() {
    let mut console = Console::with_a_trade(Role::Trader, trade(Some(HELD)));

    console.press("x");
    let sentence =
        tmt::app::review::draft(&console.model, console.model.ticket().unwrap()).unwrap();
    let sentence = tmt::app::form::sentence(&console.model, &sentence);
    assert!(sentence.starts_with("CLOSE all of 15,000 EUR_USD LONG @ 1.08640"), "{sentence}");
    assert!(sentence.contains("trade 00007001"), "{sentence}");
    console.press("y");

    let what = Closing::Trade(TICKET);
    let close = Verb::Close { what, size: None, price: dec!(1.08640), reason: None };
    assert_eq!(*console.only_verb(), close);
}

#[test]
fn a_trade_is_named_by_the_end_of_its_key() {
    let mut console = Console::with_a_trade(Role::Trader, trade(None));
    console.line("close 7001 5k");
    console.press("y");
    let Verb::Close { what, size, .. } = console.only_verb() else { panic!("no close") };
    assert_eq!((*what, *size), (Closing::Trade(TICKET), Some(dec!(5000))));
}

#[test]
fn a_closed_trade_is_not_closed_again() {
    let closed = Trade { status: TradeStatus::Closed, closed_size: dec!(20000), ..trade(None) };
    let mut console = Console::with_a_trade(Role::Trader, closed);
    console.press("x");
    assert!(console.model.ticket().is_none());
    assert_eq!(console.last_notice(), "the trade is not open");
    console.press("m");
    assert!(console.model.ticket().is_none());
}

#[test]
fn a_flatten_needs_the_name_then_y() {
    let mut console = Console::on_the_position(Role::Trader);

    console.press("! f y");
    assert_eq!(*console.stage(), Stage::Editing);
    console.enter();
    assert_eq!(*console.stage(), Stage::Editing, "the name is not typed");
    console.press("Ctrl-u");
    console.type_text("ALPHA");
    console.enter();
    console.press("y");

    assert_eq!(*console.only_verb(), Verb::Flatten { account: ALPHA, reason: None });
}

#[test]
fn each_position_of_a_flatten_is_said() {
    let mut console = Console::of(Role::Trader);
    console.line("flatten @alpha");
    console.type_text("alpha");
    console.enter();
    console.press("y");
    let key = console.writes()[0].key;

    let closed = ItemEnd::Closed {
        size: Some(dec!(50000)),
        price: Some(dec!(1.0864)),
        pnl: Some(dec!(110)),
    };
    let kept = ItemEnd::Kept { code: Code::PriceUnknown, message: "no price".to_owned() };
    let item =
        |instrument: &str, end| Item { position: HELD.0, instrument: instrument.to_owned(), end };
    let items = vec![item("EUR_USD", closed), item("XAU_USD", kept)];
    let outcome = Outcome::Accepted(Accepted {
        subject: Some(ALPHA.0),
        code: None,
        message: "1 closed, 1 kept".to_owned(),
        done: vec![],
        taken: vec![],
        items,
    });
    console.tell(Msg::Answered { key, outcome });

    assert!(matches!(console.model.overlay, Overlay::Log(0)), "the list is on the screen");
    assert!(console.last_notice().contains("1 closed, 1 kept"), "{}", console.last_notice());
    let said: Vec<(Tone, &str)> =
        console.model.notices.iter().map(|notice| (notice.tone, notice.text.as_str())).collect();
    assert!(
        said.contains(&(
            Tone::Plain,
            "  closed  EUR_USD 50,000 @ 1.08640  P&L +110.00  id 00000010"
        )),
        "{said:?}"
    );
    assert!(
        said.contains(&(
            Tone::Critical,
            "  STILL OPEN  XAU_USD  PRICE_UNKNOWN: no price  id 00000010"
        )),
        "{said:?}"
    );
}

#[test]
fn an_account_that_holds_nothing_is_not_flattened() {
    let mut console = Console::of(Role::Trader);
    console.line("flatten @bravo");
    assert_eq!(console.last_notice(), "account bravo has no open positions");
    console.press("Esc");
    console.line("flatten");
    assert_eq!(console.last_notice(), "flatten: missing @account; e.g. flatten @alpha");
}

#[test]
fn a_halt_that_flattens_everything_is_a_risk_officers_and_is_typed() {
    let mut console = Console::of(Role::Trader);
    console.line("halt mode=flatten");
    assert!(console.last_notice().contains("risk officer"), "{}", console.last_notice());

    let mut console = Console::of(Role::RiskOfficer);
    console.line("halt mode=flatten reason=\"fat finger\"");
    console.type_text("all accounts");
    console.enter();
    console.press("y");
    let Verb::Halt { scope, mode, reason, .. } = console.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, *mode, reason.as_str()), (Scope::System, HaltMode::Flatten, "fat finger"));
}

#[test]
fn another_scope_of_a_halt_that_flattens_is_typed_again() {
    let mut console = Console::of(Role::RiskOfficer);
    console.line("halt mode=flatten @alpha");
    console.type_text("alpha");
    console.enter();
    console.press_at_once(Chord::plain(Key::Tab));
    console.rest();
    assert_eq!(*console.stage(), Stage::Editing);
    console.enter();
    console.press("y");
    assert!(console.writes().is_empty());
}

fn types() -> Vec<LimitType> {
    let exposure = LimitType {
        name: LimitKind::MaxExposure,
        description: "gross exposure after the trade".to_owned(),
        units: vec![UnitChoice::AnyCurrency, UnitChoice::read("percentage")],
        scopes: vec![Scope::Account, Scope::System],
        is_enforced: true,
    };
    let count = LimitType {
        name: LimitKind::MaxOpenPositions,
        units: vec![UnitChoice::read("count")],
        ..exposure.clone()
    };
    vec![exposure, count]
}

#[test]
fn a_new_limit_is_chosen_typed_and_sent() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));

    console.press("n");
    assert!(console.effects.contains(&Effect::ReadLimitTypes));
    console.tell(Msg::LimitTypesRead(types()));
    console.press("Right");
    assert_eq!(console.model.ticket().unwrap().text(FieldName::Unit), Some("count"));
    // From the type over account, instrument and portfolio to the value.
    console.press("Tab Tab Tab Tab");
    console.type_text("5");
    console.enter();
    console.press("y");
    assert!(console.writes().is_empty(), "sent before anybody saw whom it binds");
    console.preview_limit(vec![]);
    console.rest();
    console.press("y");

    assert_eq!(
        *console.only_verb(),
        Verb::CreateLimit(Box::new(NewLimit {
            account: Some(ALPHA),
            limit_type: LimitKind::MaxOpenPositions,
            scope: Scope::Account,
            identifier: None,
            value: dec!(5),
            unit: Unit::read("count"),
            warning: None,
            until: None,
            parameters: None,
            reason: None,
        }))
    );
}

#[test]
fn words_set_a_limit_on_an_instrument_for_two_hours() {
    let mut console = Console::of(Role::RiskOfficer);
    console.model.limit_types = types();
    console.line("limit new max_exposure 50k instrument=eurusd until=2h reason=\"news\"");
    console.preview_limit(vec![]);
    console.rest();
    console.wait(std::time::Duration::from_mins(1));
    console.press("y");

    let Verb::CreateLimit(new) = console.only_verb() else { panic!("no limit") };
    assert_eq!((new.scope, new.identifier.as_deref()), (Scope::Instrument, Some("EUR_USD")));
    assert_eq!((new.unit.as_str(), new.value), ("USD", dec!(50000)));
    // Two hours from when it was typed: the sentence does not change while it is read.
    let typed = new.until.unwrap() - super::morning();
    assert!(typed.num_seconds() <= 7201, "{typed}");
}

#[test]
fn a_limit_is_taken_away_with_a_reason() {
    let mut console = Console::of(Role::RiskOfficer);
    console.select(Pane::Limits, RowId::Limit(LIMIT));
    console.press("D");
    console.enter();
    assert_eq!(*console.stage(), Stage::Editing);
    console.type_text("covered by the system limit");
    console.enter();
    console.press("y");
    let Verb::RetireLimit { limit, base_version, .. } = console.only_verb() else { panic!("kept") };
    assert_eq!((*limit, *base_version), (LIMIT, Some(super::morning())));
}

#[test]
fn a_risk_officer_closes_and_opens_nothing() {
    let mut console = Console::on_the_position(Role::RiskOfficer);
    console.press("b");
    assert!(console.model.ticket().is_none());
    assert!(console.last_notice().contains("needs the trader role"), "{}", console.last_notice());
    console.press("x y");
    assert!(matches!(console.only_verb(), Verb::Close { .. }));

    // Somebody who belongs to both groups may do both.
    let mut console = Console::on_the_position(Role::RiskOfficer);
    console.model.session.as_mut().unwrap().opens = true;
    console.press("b");
    assert!(console.model.ticket().is_some());
}

#[test]
fn a_part_that_is_no_step_is_not_reviewed_and_the_whole_always_is() {
    let mut console = Console::of(Role::Trader);
    let mut rows: Vec<_> = console.model.book.instruments().cloned().collect();
    for row in &mut rows {
        row.size_step = dec!(1000);
    }
    console.tell(Msg::RowsRead { rows: Rows::Instruments(rows), asked: None, unreadable: vec![] });
    console.model.desk.positions.get_mut(&HELD).unwrap().size = dec!(50_500);

    console.line("close EUR_USD 500 @alpha");
    let ticket = console.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.focused().unwrap().name, FieldName::Size);
    let problem = ticket.problem.clone().unwrap();
    assert!(problem.contains("not a multiple of the size step 1,000"), "{problem}");
    console.press("Esc Esc");
    for whole in ["close EUR_USD 50500", "close EUR_USD", "close EUR_USD 2000"] {
        console.line(whole);
        assert!(matches!(console.stage(), Stage::Review { .. }), "{whole}");
        console.press("Esc Esc Esc");
    }
}
