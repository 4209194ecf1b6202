//! What limits say on the screen, between two answers of the database.

use chrono::TimeDelta;
use rust_decimal::dec;

use super::Console;
use super::desk::{HELD, LIMIT, held, quote};
use tmt::app::{Model, Msg};
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::{Limit, Standing};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;
use tmt::domain::utilisation::Measured;

fn limit(model: &Model) -> Limit {
    model.desk.limits.get(&LIMIT).unwrap().clone()
}

#[test]
fn what_is_used_of_a_limit_moves_with_every_quote() {
    let mut console = Console::of(Role::Trader);
    let exposure = limit(&console.model);
    // 50,000 EUR at the middle of 1.08640 and 1.08655.
    assert_eq!(console.model.measured(&exposure), Measured::Number(dec!(54323.750000)));
    assert_eq!(exposure.standing(dec!(54323.75)), Some(Standing::Ok));
    let held_in_all = console.model.marks.accounts.get(&exposure.account.unwrap()).unwrap();
    let margin = held_in_all.margin.unwrap();

    let jump = quote(dec!(1.7), dec!(1.8), TimeDelta::seconds(1));
    console.tell(Msg::QuotesArrived(vec![jump]));

    assert_eq!(console.model.measured(&exposure).number(), Some(dec!(87500)));
    assert_eq!(exposure.standing(dec!(87500)), Some(Standing::Warning));
    let held_in_all = console.model.marks.accounts.get(&exposure.account.unwrap()).unwrap();
    assert!(held_in_all.margin.unwrap() > margin);
    // 50,000 bought at 1.08420 would be closed at the bid.
    assert_eq!(held_in_all.open_pnl, Some(dec!(30790)));
}

#[test]
fn risk_without_a_stop_is_unbounded_and_a_limit_that_nobody_measures_here_is_absent() {
    let mut console = Console::of(Role::Trader);
    let measured = |console: &mut Console, limit_type| {
        let limit = Limit { limit_type, ..limit(&console.model) };
        let rows = Rows::Limits(vec![limit.clone()]);
        console.tell(Msg::RowsRead {
            rows,
            asked: Some(vec![LIMIT.to_string()]),
            unreadable: vec![],
        });
        console.model.measured(&limit)
    };
    // From the entry of 1.08420 to the stop of 1.08120.
    assert_eq!(measured(&mut console, LimitKind::MaxOpenRisk).number(), Some(dec!(150)));

    let bare = tmt::domain::position::Position { stop_loss: None, ..held() };
    let rows = Rows::Positions(vec![bare]);
    console.tell(Msg::RowsRead { rows, asked: Some(vec![HELD.to_string()]), unreadable: vec![] });

    assert_eq!(measured(&mut console, LimitKind::MaxOpenRisk), Measured::Unbounded);
    assert_eq!(measured(&mut console, LimitKind::MaxOrdersPerMinute), Measured::Unknown);
}
