//! What is held, and limits that come and go: amend, close one trade, flatten, new limits.

use rust_decimal::dec;
use uuid::Uuid;

use super::Desk;
use super::desk::{ALPHA, HELD, LIMIT, eur_usd, held};
use super::flows::check;
use crate::app::cell::Tone;
use crate::app::chord::{Chord, Key};
use crate::app::model::Overlay;
use crate::app::pane::{Pane, RowId};
use crate::app::ticket::{FieldName, Stage};
use crate::app::{Effect, Msg};
use crate::domain::code::Code;
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{PositionId, TradeId};
use crate::domain::limit::LimitKind;
use crate::domain::limit::LimitType;
use crate::domain::outcome::{Accepted, Finding, Item, ItemEnd, Outcome};
use crate::domain::position::{Direction, Position};
use crate::domain::request::{Closing, NewLimit, Question, Verb};
use crate::domain::rows::Rows;
use crate::domain::session::Role;
use crate::domain::trade::{Side, Trade, TradeStatus};

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

impl Desk {
    fn on_the_position(role: Role) -> Self {
        let mut desk = Self::of(role);
        desk.select(Pane::Positions, RowId::Position(HELD));
        desk
    }

    fn with_a_trade(role: Role, row: Trade) -> Self {
        let mut desk = Self::of(role);
        let rows = Rows::Trades(vec![row]);
        desk.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
        desk.select(Pane::Trades, RowId::Trade(TICKET));
        desk
    }

    fn line(&mut self, text: &str) {
        self.press(":");
        self.type_text(text);
        self.enter();
    }
}

#[test]
fn a_stop_is_amended_from_what_it_is() {
    let mut desk = Desk::on_the_position(Role::Trader);

    desk.press("m");
    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.text(FieldName::Stop), Some("1.08120"));
    desk.enter();
    assert_eq!(*desk.stage(), Stage::Editing, "nothing is changed yet");
    desk.press("Ctrl-u");
    desk.type_text("1.083");
    desk.enter();
    desk.press("y");
    assert!(desk.writes().is_empty(), "sent before the rulebook had said what it has against it");
    desk.judge(vec![]);
    desk.press("y");

    let (stop, target, trailing, reason) = (Some(dec!(1.083)), None, None, None);
    let amend = Verb::Amend { position: HELD, stop, target, trailing, reason };
    assert_eq!(*desk.only_verb(), amend);
    let said = crate::app::form::sentence(&desk.model, &amend);
    assert_eq!(said, "AMEND EUR_USD LONG 50,000  SL 1.08120 -> 1.08300  (tightens)  account alpha");
    let wider = Verb::Amend { position: HELD, stop: None, target, trailing, reason: None };
    let said = crate::app::form::sentence(&desk.model, &wider);
    assert!(said.contains("SL 1.08120 -> none  (WIDENS)"), "{said}");
}

#[test]
fn a_stop_is_moved_to_the_entry_price() {
    let stop_to = |desk: &mut Desk| {
        desk.judge(vec![]);
        desk.press("y");
        let Verb::Amend { position: HELD, stop, .. } = desk.only_verb() else { panic!() };
        stop.unwrap()
    };
    let mut desk = Desk::on_the_position(Role::Trader);
    desk.press("e");
    assert_eq!(stop_to(&mut desk), dec!(1.08420));

    // Between two ticks, on the side of a profit.
    for (direction, stop) in [(Direction::Long, dec!(1.08421)), (Direction::Short, dec!(1.08420))] {
        let mut desk = Desk::on_the_position(Role::Trader);
        let between = Position { average_entry: dec!(1.084204), direction, ..held() };
        desk.model.desk.positions.insert(HELD, between);
        desk.line("breakeven EUR_USD @alpha");
        assert_eq!(stop_to(&mut desk), stop, "{direction}");
    }
}

#[test]
fn a_stop_at_the_entry_price_is_not_moved_again() {
    let mut desk = Desk::on_the_position(Role::Trader);
    let there = Position { stop_loss: Some(held().average_entry), ..held() };
    desk.model.desk.positions.insert(HELD, there);
    desk.press("e");
    assert_eq!(*desk.stage(), Stage::Editing);
    let problem = desk.model.ticket().unwrap().problem.as_deref();
    assert_eq!(problem, Some("the stop is at the entry price already"));
}

/// What is typed into an amendment is judged as it is typed, like an order.
#[test]
fn what_stands_against_other_levels_is_said_before_they_are_sent() {
    let mut desk = Desk::on_the_position(Role::Trader);
    desk.press("m");
    desk.type_text("1.09");
    let asked = desk.effects.iter().rev().find_map(|effect| {
        if let Effect::Assess { question, .. } = effect { Some(question.clone()) } else { None }
    });
    let (stop, target, trailing) = (Some(dec!(1.09)), None, None);
    assert_eq!(asked, Some(Question::Amend { position: HELD, stop, target, trailing }));
    desk.judge(vec![check(Code::StopWrongSide, Finding::Reject)]);
    desk.enter();
    desk.press("y");
    assert!(desk.writes().is_empty());
    assert_eq!(desk.last_notice(), "STOP_WRONG_SIDE forbids it");
    // It would be no stop, but a close: that is not "tightens".
    let Ok(amend) = crate::app::review::draft(&desk.model, desk.model.ticket().unwrap()) else {
        panic!("no amend")
    };
    let said = crate::app::form::sentence(&desk.model, &amend);
    assert!(said.contains("1.09000  (WOULD BE HIT AT ONCE)"), "{said}");
}

#[test]
fn a_soft_finding_against_other_levels_needs_a_reason() {
    let mut desk = Desk::on_the_position(Role::Trader);
    desk.press("m");
    desk.type_text("1.07");
    desk.enter();
    desk.judge(vec![check(Code::MaxOpenRisk, Finding::Confirm)]);
    desk.press("y");
    assert!(desk.writes().is_empty());
    desk.press("Y");
    desk.type_text("news");
    desk.enter();
    desk.judge(vec![check(Code::MaxOpenRisk, Finding::Confirm)]);
    desk.press("y");
    assert!(matches!(desk.only_verb(), Verb::Amend { reason: Some(_), .. }));
}

#[test]
fn a_stop_between_two_ticks_is_not_sent() {
    let mut desk = Desk::on_the_position(Role::Trader);
    desk.press("m Ctrl-u");
    desk.type_text("1.083001");
    desk.enter();
    let problem = desk.model.ticket().unwrap().problem.clone().unwrap();
    assert!(problem.contains("not a multiple of the tick 0.00001"), "{problem}");
}

#[test]
fn words_amend_only_what_they_name() {
    let mut desk = Desk::of(Role::Trader);
    desk.line("amend EUR_USD tp=1.095 trail=0.002 @alpha");
    desk.judge(vec![]);
    desk.press("y");
    let Verb::Amend { stop, target, trailing, .. } = desk.only_verb() else { panic!("no amend") };
    assert_eq!(
        (*stop, *target, *trailing),
        (Some(dec!(1.0812)), Some(dec!(1.095)), Some(dec!(0.002)))
    );

    let mut desk = Desk::of(Role::Trader);
    desk.line("amend EUR_USD sl=none");
    desk.judge(vec![]);
    desk.press("y");
    let Verb::Amend { stop, .. } = desk.only_verb() else { panic!("no amend") };
    assert_eq!(*stop, None);
}

#[test]
fn one_trade_is_closed_and_not_its_position() {
    let mut desk = Desk::with_a_trade(Role::Trader, trade(Some(HELD)));

    desk.press("x");
    let sentence = crate::app::review::draft(&desk.model, desk.model.ticket().unwrap()).unwrap();
    let sentence = crate::app::form::sentence(&desk.model, &sentence);
    assert!(sentence.starts_with("CLOSE all of 15,000 EUR_USD LONG @ 1.08640"), "{sentence}");
    assert!(sentence.contains("trade 00007001"), "{sentence}");
    desk.press("y");

    let what = Closing::Trade(TICKET);
    let close = Verb::Close { what, size: None, price: dec!(1.08640), reason: None };
    assert_eq!(*desk.only_verb(), close);
}

#[test]
fn a_trade_is_named_by_the_end_of_its_key() {
    let mut desk = Desk::with_a_trade(Role::Trader, trade(None));
    desk.line("close 7001 5k");
    desk.press("y");
    let Verb::Close { what, size, .. } = desk.only_verb() else { panic!("no close") };
    assert_eq!((*what, *size), (Closing::Trade(TICKET), Some(dec!(5000))));
}

#[test]
fn a_closed_trade_is_not_closed_again() {
    let closed = Trade { status: TradeStatus::Closed, closed_size: dec!(20000), ..trade(None) };
    let mut desk = Desk::with_a_trade(Role::Trader, closed);
    desk.press("x");
    assert!(desk.model.ticket().is_none());
    assert_eq!(desk.last_notice(), "nothing of this trade is open");
    desk.press("m");
    assert!(desk.model.ticket().is_none());
}

#[test]
fn a_flatten_needs_the_name_then_y() {
    let mut desk = Desk::on_the_position(Role::Trader);

    desk.press("! f y");
    assert_eq!(*desk.stage(), Stage::Editing);
    desk.enter();
    assert_eq!(*desk.stage(), Stage::Editing, "the name is not typed");
    desk.press("Ctrl-u");
    desk.type_text("ALPHA");
    desk.enter();
    desk.press("y");

    assert_eq!(*desk.only_verb(), Verb::Flatten { account: ALPHA, reason: None });
}

#[test]
fn each_position_of_a_flatten_is_said() {
    let mut desk = Desk::of(Role::Trader);
    desk.line("flatten @alpha");
    desk.type_text("alpha");
    desk.enter();
    desk.press("y");
    let key = desk.writes()[0].key;

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
    desk.tell(Msg::Answered { key, outcome });

    assert!(matches!(desk.model.overlay, Overlay::Log(0)), "the list is on the screen");
    assert!(desk.last_notice().contains("1 closed, 1 kept"), "{}", desk.last_notice());
    let said: Vec<(Tone, &str)> =
        desk.model.notices.iter().map(|notice| (notice.tone, notice.text.as_str())).collect();
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
    let mut desk = Desk::of(Role::Trader);
    desk.line("flatten @bravo");
    assert_eq!(desk.last_notice(), "account bravo holds nothing");
    desk.press("Esc");
    desk.line("flatten");
    assert_eq!(desk.last_notice(), "flatten lacks @account; write flatten @alpha");
}

#[test]
fn a_halt_that_flattens_everything_is_a_risk_officers_and_is_typed() {
    let mut desk = Desk::of(Role::Trader);
    desk.line("halt mode=flatten");
    assert!(desk.last_notice().contains("risk officer"), "{}", desk.last_notice());

    let mut desk = Desk::of(Role::RiskOfficer);
    desk.line("halt mode=flatten reason=\"fat finger\"");
    desk.type_text("everything");
    desk.enter();
    desk.press("y");
    let Verb::Halt { scope, mode, reason, .. } = desk.only_verb() else { panic!("no halt") };
    assert_eq!((*scope, *mode, reason.as_str()), (Scope::System, HaltMode::Flatten, "fat finger"));
}

#[test]
fn another_scope_of_a_halt_that_flattens_is_typed_again() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.line("halt mode=flatten @alpha");
    desk.type_text("alpha");
    desk.enter();
    desk.press_at_once(Chord::plain(Key::Tab));
    desk.rest();
    assert_eq!(*desk.stage(), Stage::Editing);
    desk.enter();
    desk.press("y");
    assert!(desk.writes().is_empty());
}

fn types() -> Vec<LimitType> {
    let exposure = LimitType {
        name: LimitKind::MaxExposure,
        description: "gross exposure after the trade".to_owned(),
        units: vec!["money".to_owned(), "percentage".to_owned()],
        scopes: vec!["account".to_owned(), "system".to_owned()],
        is_enforced: true,
    };
    let count = LimitType {
        name: LimitKind::MaxOpenPositions,
        units: vec!["count".to_owned()],
        ..exposure.clone()
    };
    vec![exposure, count]
}

#[test]
fn a_new_limit_is_chosen_typed_and_sent() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Limits, RowId::Limit(LIMIT));

    desk.press("n");
    assert!(desk.effects.contains(&Effect::ReadLimitTypes));
    desk.tell(Msg::LimitTypesRead(types()));
    desk.press("Right");
    assert_eq!(desk.model.ticket().unwrap().text(FieldName::Unit), Some("count"));
    // From the type over account, instrument and portfolio to the value.
    desk.press("Tab Tab Tab Tab");
    desk.type_text("5");
    desk.enter();
    desk.press("y");
    assert!(desk.writes().is_empty(), "sent before anybody saw whom it binds");
    desk.preview_limit(vec![]);
    desk.rest();
    desk.press("y");

    assert_eq!(
        *desk.only_verb(),
        Verb::CreateLimit(Box::new(NewLimit {
            account: Some(ALPHA),
            limit_type: LimitKind::MaxOpenPositions,
            scope: Scope::Account,
            identifier: None,
            value: dec!(5),
            unit: "count".to_owned(),
            warning: None,
            until: None,
            parameters: None,
            reason: None,
        }))
    );
}

#[test]
fn words_set_a_limit_on_an_instrument_for_two_hours() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.model.limit_types = types();
    desk.line("limit new max_exposure 50k instrument=eurusd until=2h reason=\"news\"");
    desk.preview_limit(vec![]);
    desk.rest();
    desk.wait(std::time::Duration::from_mins(1));
    desk.press("y");

    let Verb::CreateLimit(new) = desk.only_verb() else { panic!("no limit") };
    assert_eq!((new.scope, new.identifier.as_deref()), (Scope::Instrument, Some("EUR_USD")));
    assert_eq!((new.unit.as_str(), new.value), ("USD", dec!(50000)));
    // Two hours from when it was typed: the sentence does not change while it is read.
    let typed = new.until.unwrap() - super::morning();
    assert!(typed.num_seconds() <= 7201, "{typed}");
}

#[test]
fn a_limit_is_taken_away_with_a_reason() {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.select(Pane::Limits, RowId::Limit(LIMIT));
    desk.press("D");
    desk.enter();
    assert_eq!(*desk.stage(), Stage::Editing);
    desk.type_text("covered by the system limit");
    desk.enter();
    desk.press("y");
    let Verb::RetireLimit { limit, base_version, .. } = desk.only_verb() else { panic!("kept") };
    assert_eq!((*limit, *base_version), (LIMIT, Some(super::morning())));
}

#[test]
fn a_risk_officer_closes_and_opens_nothing() {
    let mut desk = Desk::on_the_position(Role::RiskOfficer);
    desk.press("b");
    assert!(desk.model.ticket().is_none());
    assert!(desk.last_notice().contains("needs the role of a trader"), "{}", desk.last_notice());
    desk.press("x y");
    assert!(matches!(desk.only_verb(), Verb::Close { .. }));

    // Somebody who belongs to both groups may do both.
    let mut desk = Desk::on_the_position(Role::RiskOfficer);
    desk.model.session.as_mut().unwrap().opens = true;
    desk.press("b");
    assert!(desk.model.ticket().is_some());
}

#[test]
fn a_part_that_is_no_step_is_not_reviewed_and_the_whole_always_is() {
    let mut desk = Desk::of(Role::Trader);
    let mut rows: Vec<_> = desk.model.book.instruments().cloned().collect();
    for row in &mut rows {
        row.size_step = dec!(1000);
    }
    desk.tell(Msg::RowsRead { rows: Rows::Instruments(rows), asked: None, unreadable: vec![] });
    desk.model.desk.positions.get_mut(&HELD).unwrap().size = dec!(50_500);

    desk.line("close EUR_USD 500 @alpha");
    let ticket = desk.model.ticket().unwrap();
    assert_eq!(ticket.stage, Stage::Editing);
    assert_eq!(ticket.focused().unwrap().name, FieldName::Size);
    let problem = ticket.problem.clone().unwrap();
    assert!(problem.contains("not a multiple of 1,000"), "{problem}");
    desk.press("Esc Esc");
    for whole in ["close EUR_USD 50500", "close EUR_USD", "close EUR_USD 2000"] {
        desk.line(whole);
        assert!(matches!(desk.stage(), Stage::Review { .. }), "{whole}");
        desk.press("Esc Esc Esc");
    }
}
