//! What is written behind `:`.

use rstest::rstest;
use rust_decimal::dec;

use super::Console;
use super::desk::PROPOSAL;
use super::flows::{a_buy, check};
use tmt::app::ticket::{FieldName, Stage};
use tmt::app::{Effect, Msg};
use tmt::domain::code::Code;
use tmt::domain::halt::Scope;
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::LimitType;
use tmt::domain::outcome::{Finding, PreviewError, Refusal};
use tmt::domain::request::{NewTrade, Verb};
use tmt::domain::session::Role;
use tmt::domain::unit::UnitChoice;

#[rstest]
#[case::buy("buy EUR_USD 10k sl=1.0840 tp=1.0900 @alpha")]
#[case::alias("buy eurusd 10000 sl=1.0840 tp=1.0900 account=Alpha")]
fn a_spoken_buy_stands_at_review_and_is_not_sent(#[case] line: &str) {
    let mut console = Console::of(Role::Trader);

    console.press(":");
    console.type_text(line);
    console.enter();

    assert!(matches!(console.stage(), Stage::Review { .. }), "{:?}", console.model.ticket());
    assert!(console.writes().is_empty());
    console.judge(vec![]);
    console.press("y");
    let trade = NewTrade { stop: Some(dec!(1.0840)), target: Some(dec!(1.0900)), ..a_buy() };
    assert_eq!(*console.only_verb(), Verb::Place(trade));
}

#[rstest]
#[case::unknown_verb("bye EUR_USD 10k", "unknown command \"bye\"; e.g. buy EUR_USD")]
#[case::no_account("buy EUR_USD 10k @zulu", "unknown account \"zulu\"; accounts: alpha, bravo")]
#[case::no_instrument("buy EUR_XXX 10k @alpha", "unknown instrument \"EUR_XXX\"")]
#[case::exponent("buy EUR_USD 1e4 @alpha", "size: \"1e4\"")]
#[case::unknown_key("buy EUR_USD 1000 px=1.08", "buy: unknown option px=")]
#[case::near_key(
    "buy EUR_USD 1000 pric=1.08",
    "buy: unknown option pric= (did you mean price=?); e.g. buy EUR_USD"
)]
#[case::empty_value("buy EUR_USD 1000 sl=", "sl= needs a value; e.g. buy EUR_USD")]
#[case::twice("buy EUR_USD 1000 sl=1 sl=2", "sl= is given twice; e.g. buy EUR_USD")]
#[case::lacking("buy EUR_USD", "buy: missing size; e.g. buy EUR_USD 10k")]
#[case::two_lacking("buy", "buy: missing instrument and size; e.g. buy")]
#[case::too_much(
    "halt all",
    "halt: unexpected \"all\"; e.g. halt @alpha reason=\"fat finger\"; halt alone halts all accounts"
)]
#[case::no_choice(
    "halt mode=slow",
    "mode=\"slow\" is not valid: use no-new-orders, reduce-only, flatten; e.g. halt"
)]
#[case::excluded("halt @alpha instrument=EUR_USD", "cannot be combined; e.g. halt")]
#[case::not_complete("limit", "limit: incomplete; e.g. limit set 41c2 90000")]
#[case::lacking_in_a_part("limit set 41c2", "limit: missing value; e.g. limit set")]
#[case::no_reason("resume", "resume: missing reason=; e.g. resume @alpha reason=")]
#[case::open_quote("filter \"eur", "quote")]
#[case::no_limit(
    "limit new max_exposure -5",
    "a limit must be above zero; to stop trading use a halt"
)]
#[case::no_limit_either(
    "limit set 41c2 -5",
    "a limit must be above zero; to stop trading use a halt"
)]
#[case::no_size("buy EUR_USD -5", "size must be above zero; e.g. buy")]
#[case::viewer_word("frobnicate", "unknown command \"frobnicate\"")]
#[case::near_several("flaten", "did you mean amend or filter or flatten?")]
fn a_wrong_line_says_what_is_wrong(#[case] line: &str, #[case] said: &str) {
    let mut console = Console::of(Role::Admin);

    console.press(":");
    console.type_text(line);
    console.enter();

    assert!(console.last_notice().contains(said), "{}", console.last_notice());
    assert!(console.model.ticket().is_none());
}

/// Ticks, steps and sides are judged where trades are: in the database, for every client alike.
#[test]
fn what_the_rules_forbid_is_for_the_rulebook_to_say() {
    let mut console = Console::of(Role::Trader);
    console.press(":");
    console.type_text("buy EUR_USD 10.5 price=1.086551 sl=1.09 @alpha");
    console.enter();
    console.judge(vec![check(Code::StopWrongSide, Finding::Reject)]);
    console.press("y");
    assert!(console.writes().is_empty());
    assert_eq!(console.last_notice(), "rejected by STOP_WRONG_SIDE");
}

/// Whoever may not at all need not learn first how it is written.
#[rstest]
#[case(Role::Trader, "resume", "resume: needs the risk officer role; your role is trader")]
#[case(Role::Trader, "limit set", "limit: needs the risk officer role")]
#[case(Role::RiskOfficer, "buy EUR_USD", "buy: needs the trader role")]
#[case(Role::Viewer, "halt all", "halt: needs the trader role")]
fn a_missing_role_is_said_before_what_is_missing_in_the_line(
    #[case] role: Role,
    #[case] line: &str,
    #[case] said: &str,
) {
    let mut console = Console::of(role);
    console.press(":");
    console.type_text(line);
    console.enter();
    assert!(console.last_notice().starts_with(said), "{}", console.last_notice());
}

fn types() -> Vec<LimitType> {
    let row = |name, unit: &str| LimitType {
        name,
        description: "open positions after the trade".to_owned(),
        units: vec![UnitChoice::read(unit)],
        scopes: vec![Scope::Account, Scope::System],
        is_enforced: true,
    };
    vec![row(LimitKind::MaxOpenPositions, "count"), row(LimitKind::MaxExposure, "money")]
}

/// The types are read when the first ticket asks for them: by then it is open already.
#[test]
fn a_spoken_limit_needs_no_unit_where_its_type_has_one() {
    for knows_types in [true, false] {
        let mut console = Console::of(Role::RiskOfficer);
        if knows_types {
            console.tell(Msg::LimitTypesRead(types()));
        }
        console.press(":");
        console.type_text("limit new max_open_positions 1 @alpha");
        console.enter();
        if !knows_types {
            assert!(console.effects.contains(&Effect::ReadLimitTypes));
            console.tell(Msg::LimitTypesRead(types()));
        }
        let ticket = console.model.ticket().unwrap();
        assert_eq!(ticket.text(FieldName::Unit), Some("count"), "{knows_types}");
        assert!(matches!(console.stage(), Stage::Review { .. }), "{:?}", ticket.problem);
        assert!(console.effects.iter().any(|effect| matches!(effect, Effect::PreviewLimit(_))));
    }
}

/// What is wrong with the number is said before what is missing.
#[test]
fn a_new_limit_of_less_than_nothing_says_so_first() {
    let mut console = Console::of(Role::RiskOfficer);
    console.press("6 n");
    console.tell(Msg::LimitTypesRead(types()));
    console.model.limit_types.clear();
    console.press("Right Tab Tab Tab Tab");
    console.type_text("-5");
    console.enter();
    let problem = console.model.ticket().unwrap().problem.clone().unwrap();
    assert_eq!(problem, "a limit must be above zero; to stop trading use a halt (!h)");
}

/// Whoever confirms need not learn after `y` that the desk refuses it.
#[test]
fn a_limit_that_would_be_refused_is_not_sent() {
    let mut console = Console::of(Role::RiskOfficer);
    console.tell(Msg::LimitTypesRead(types()));
    console.press(":");
    console.type_text("limit new max_open_positions 2.5 @alpha");
    console.enter();
    let asked = console.effects.iter().rev().find_map(|effect| {
        if let Effect::PreviewLimit(preview) = effect { Some(preview.clone()) } else { None }
    });
    let refusal = Refusal::plain(Code::LimitValueInvalid, "A count must be a whole number.");
    let impacts = Err(PreviewError::Refused(refusal));
    console.tell(Msg::LimitPreviewed { preview: asked.unwrap(), impacts });
    console.rest();
    console.press("y");
    assert!(console.writes().is_empty());
    assert_eq!(console.last_notice(), "rejected by LIMIT_VALUE_INVALID");
}

#[test]
fn a_limit_on_nothing_known_is_named() {
    let mut console = Console::of(Role::RiskOfficer);
    console.tell(Msg::LimitTypesRead(types()));
    console.press(":");
    console.type_text("limit new max_bananas 1 @alpha");
    console.enter();
    let problem = console.model.ticket().unwrap().problem.clone().unwrap();
    assert_eq!(problem, "unknown limit type max_bananas: choose one with Left and Right");
}

/// Two pairs of eyes, also where the proposal is named by its key.
#[test]
fn a_spoken_approval_of_ones_own_proposal_is_not_sent() {
    let mut console = Console::of(Role::RiskOfficer);
    let own = console.model.session.as_ref().unwrap().operator.to_uppercase();
    console.model.desk.limits.get_mut(&PROPOSAL).unwrap().created_by = own;
    console.press(":");
    console.type_text("limit approve 0042");
    console.enter();
    console.tell(Msg::LimitPreviewed {
        preview: console.model.ticket().unwrap().impacts.preview().unwrap().clone(),
        impacts: Ok(vec![]),
    });
    console.rest();
    console.press("y");
    assert!(console.writes().is_empty());
    assert_eq!(console.last_notice(), "you made this proposal: another person must approve it");
}
