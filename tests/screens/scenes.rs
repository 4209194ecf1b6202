//! The screens and how each comes about: the same messages that the loop would send.

use std::time::Duration;

use rust_decimal::{Decimal, dec};
use tmt::app::{Msg, Options};
use tmt::domain::ids::InstrumentId;
use tmt::domain::limit::LimitType;
use tmt::domain::outcome::{Accepted, Finding, Impact, Item, ItemEnd, Outcome, Refusal};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;

use crate::desk::Desk;
use crate::market::bars as market_bars;
use crate::risk::checks;

/// A screen: how it comes about.
pub(crate) type Scene = (&'static str, fn() -> Desk);

/// Every screen.
pub(crate) const SCENES: &[Scene] = &[
    ("starting", Desk::starting),
    ("normal", normal),
    ("empty", empty),
    ("database_down", database_down),
    ("redis_down", redis_down),
    ("gap", gap),
    ("ticket_editing", ticket_editing),
    ("ticket_review", ticket_review),
    ("ticket_soft", ticket_soft),
    ("ticket_hard", ticket_hard),
    ("ticket_refused", ticket_refused),
    ("ticket_sending", ticket_sending),
    ("ticket_unknown", ticket_unknown),
    ("close", close),
    ("close_trade", close_trade),
    ("amend", amend),
    ("amend_hit", amend_hit),
    ("flatten", flatten),
    ("flattened", flattened),
    ("ack_note", ack_note),
    ("limit_edit", limit_edit),
    ("limit_loosen", limit_loosen),
    ("limit_new", limit_new),
    ("limit_new_review", limit_new_review),
    ("limit_retire", limit_retire),
    ("approve", approve),
    ("halt", halt),
    ("halt_flatten", halt_flatten),
    ("resume", resume),
    ("filter", filter),
    ("command", command),
    ("command_wrong", command_wrong),
    ("prefix", prefix),
    ("help", help),
    ("log", log),
    ("detail", detail),
    ("limits", limits),
    ("market", market),
    ("agents", agents),
    ("zoom", zoom),
    ("viewer", viewer),
    ("read_only", read_only),
];

fn normal() -> Desk {
    let mut desk = Desk::normal();
    desk.press("j j j");
    desk
}

fn empty() -> Desk {
    let mut desk = Desk::starting();
    desk.connect(Role::Trader);
    desk.confirm();
    desk
}

fn database_down() -> Desk {
    let mut desk = normal();
    let reason = "connection refused (127.0.0.1:5432): is PostgreSQL running?".to_owned();
    desk.tell(Msg::DatabaseLost { reason });
    desk.wait(Duration::from_secs(14));
    desk
}

fn redis_down() -> Desk {
    let mut desk = normal();
    desk.tell(Msg::FeedDown { reason: "connection reset by peer".to_owned() });
    desk.wait(Duration::from_secs(1));
    desk.confirm();
    desk
}

fn gap() -> Desk {
    let mut desk = normal();
    desk.tell(Msg::FeedDown { reason: "connection reset by peer".to_owned() });
    desk.tell(Msg::FeedUp { gap: Some(Duration::from_millis(2_300)) });
    desk
}

/// The buy of the specification: 30,000 `EUR_USD` for bravo.
fn ticket() -> Desk {
    let mut desk = Desk::normal();
    let mut limits = crate::risk::limits();
    limits.push(crate::risk::limit(9, "max_daily_loss", Some(2), dec!(4000), "USD"));
    desk.rows(Rows::Limits(limits));
    desk.press("g g j j b");
    desk.clear_field();
    desk.type_text("30k");
    desk
}

fn ticket_editing() -> Desk {
    let mut desk = ticket();
    desk.assessed(checks(Finding::Passes));
    desk.wait(Duration::from_millis(100));
    desk
}

fn ticket_review() -> Desk {
    let mut desk = ticket();
    desk.press("Enter");
    desk.assessed(checks(Finding::Passes));
    desk.read_it();
    desk
}

fn ticket_soft() -> Desk {
    let mut desk = ticket();
    desk.press("Enter");
    desk.assessed(checks(Finding::Confirm));
    desk.read_it();
    desk
}

fn ticket_hard() -> Desk {
    let mut desk = ticket();
    desk.press("Enter");
    desk.assessed(checks(Finding::Reject));
    desk.read_it();
    desk
}

fn ticket_sending() -> Desk {
    let mut desk = ticket_review();
    desk.press("y");
    desk
}

fn ticket_refused() -> Desk {
    let mut desk = ticket_sending();
    let mut refusal = Refusal::plain(
        "MAX_EXPOSURE",
        "The exposure of bravo would be 184,900.00 USD, 4,900.00 above its limit.",
    );
    refusal.measured = Some(dec!(184900));
    refusal.allowed = Some(dec!(180000));
    desk.answered(Outcome::Refused(refusal));
    desk
}

fn ticket_unknown() -> Desk {
    let mut desk = ticket_sending();
    desk.answered(Outcome::Unknown("no answer within 3 s".to_owned()));
    desk
}

fn close() -> Desk {
    let mut desk = Desk::normal();
    desk.press("g g j j x");
    desk.read_it();
    desk.type_text("50%");
    desk
}

fn close_trade() -> Desk {
    let mut desk = Desk::normal();
    desk.press("3 g g j x");
    desk.read_it();
    desk
}

fn amend() -> Desk {
    let mut desk = Desk::normal();
    desk.press("g g j j m");
    desk.clear_field();
    desk.type_text("1.0860");
    desk.assessed(vec![]);
    desk.press("Enter");
    desk.assessed(vec![]);
    desk.read_it();
    desk
}

/// A stop on the far side of the market.
fn amend_hit() -> Desk {
    let mut desk = Desk::normal();
    desk.press("g g j j m");
    desk.type_text("1.0880");
    let figures = [None, Some(dec!(1.0880)), Some(dec!(1.08655)), None];
    let message =
        "The stop of a long must be below the market at 1.08655: it would be hit at once.";
    let check = crate::risk::check("STOP_WRONG_SIDE", Finding::Reject, figures, "price", message);
    desk.assessed(vec![check.clone()]);
    desk.press("Enter");
    desk.assessed(vec![check]);
    desk.read_it();
    desk
}

fn flatten() -> Desk {
    let mut desk = Desk::normal();
    desk.press("g g j j ! f");
    desk.type_text("bravo");
    desk.press("Enter");
    desk.read_it();
    desk
}

fn flattened() -> Desk {
    let mut desk = flatten();
    desk.press("y");
    let item = |number, instrument: &str, end| Item {
        position: crate::desk::id(2, number),
        instrument: instrument.to_owned(),
        end,
    };
    let (size, price) = (Some(dec!(100000)), Some(dec!(1.08655)));
    let closed = ItemEnd::Closed { size, price, pnl: Some(dec!(145)) };
    let message = "GBP_USD has no price: it cannot be closed at the market.".to_owned();
    let kept = ItemEnd::Kept { code: "PRICE_UNKNOWN".to_owned(), message };
    desk.answered(Outcome::Accepted(Accepted {
        subject: Some(crate::desk::account_id(2).0),
        code: None,
        message: "bravo: 1 of 2 closed.".to_owned(),
        done: vec![],
        taken: vec![],
        items: vec![item(1, "EUR_USD", closed), item(5, "GBP_USD", kept)],
    }));
    desk
}

fn impacts() -> Vec<Impact> {
    let row = |name: &str, [measured, room]: [Decimal; 2], state: &str| Impact {
        account: Some(name.to_owned()),
        measured: Some(measured),
        allowed: Some(measured + room),
        unit: Some("USD".to_owned()),
        room: Some(room),
        state: state.to_owned(),
    };
    vec![
        row("alpha", [dec!(74325), dec!(55675)], "ok"),
        row("bravo", [dec!(146797), dec!(-16797)], "breach"),
        row("carry", [dec!(110000), dec!(20000)], "warning"),
    ]
}

fn ack_note() -> Desk {
    let mut desk = Desk::normal();
    desk.press("5 g g a");
    desk
}

fn limit(value: &str) -> Desk {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.press("6 g g j j e");
    desk.type_text(value);
    desk.weighed(impacts());
    desk
}

fn limit_edit() -> Desk {
    let mut desk = limit("160000");
    desk.press("Enter");
    desk.read_it();
    desk
}

fn limit_loosen() -> Desk {
    limit("220k")
}

fn limit_new() -> Desk {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.press("6 g g j j n");
    let exposure = LimitType {
        name: "max_exposure".to_owned(),
        description: "gross exposure after the trade".to_owned(),
        units: vec!["money".to_owned(), "percentage".to_owned(), "fraction".to_owned()],
        scopes: vec!["account".to_owned(), "instrument".to_owned(), "system".to_owned()],
        is_enforced: true,
    };
    desk.tell(Msg::LimitTypesRead(vec![exposure]));
    desk.press("Tab Tab Right Tab Tab");
    desk.type_text("50k");
    desk.weighed(impacts());
    desk
}

fn limit_new_review() -> Desk {
    let mut desk = limit_new();
    desk.press("Enter");
    desk.read_it();
    desk
}

fn limit_retire() -> Desk {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.press("6 g g j j D");
    desk.type_text("the system limit covers it");
    desk.press("Enter");
    desk.read_it();
    desk
}

fn approve() -> Desk {
    let mut desk = Desk::of(Role::Admin);
    desk.press("6 g g +");
    desk.weighed(impacts());
    desk.read_it();
    desk
}

fn halt() -> Desk {
    let mut desk = Desk::normal();
    desk.press("j ! h");
    desk.read_it();
    desk
}

/// Everything is closed: each position names its account, and none of its figures is cut.
fn halt_flatten() -> Desk {
    let mut desk = Desk::normal();
    desk.press(":");
    desk.type_text("halt mode=flatten reason=\"fat finger\"");
    desk.press("Enter");
    desk.type_text("everything");
    desk.press("Enter");
    desk.read_it();
    desk
}

fn resume() -> Desk {
    let mut desk = Desk::normal();
    desk.press("! u");
    desk
}

fn filter() -> Desk {
    let mut desk = Desk::normal();
    desk.press("3 Space Space o /");
    desk.type_text("eur !alpha");
    desk
}

fn command() -> Desk {
    let mut desk = Desk::normal();
    desk.press(":");
    desk.type_text("buy EUR_USD 10k sl=1.08 @alpha");
    desk
}

fn command_wrong() -> Desk {
    let mut desk = command();
    desk.press("Ctrl-u");
    desk.type_text("buy 10k EUR_USD");
    desk.press("Enter");
    desk
}

fn prefix() -> Desk {
    let mut desk = Desk::normal();
    desk.press("g");
    desk
}

fn help() -> Desk {
    let mut desk = Desk::of(Role::Trader);
    desk.press("?");
    desk
}

fn log() -> Desk {
    let mut desk = ticket_unknown();
    desk.press("Esc L");
    desk
}

fn detail() -> Desk {
    let mut desk = normal();
    desk.press("Enter");
    desk
}

fn limits() -> Desk {
    let mut desk = Desk::of(Role::RiskOfficer);
    desk.press("6 j");
    desk
}

fn market() -> Desk {
    let mut desk = Desk::normal();
    desk.press("7 j j");
    desk.tell(Msg::BarsRead {
        instrument: InstrumentId::new("EUR_USD"),
        timeframe: "M1".to_owned(),
        bars: market_bars(),
    });
    desk
}

fn agents() -> Desk {
    let mut desk = Desk::normal();
    desk.press("8 j");
    desk
}

fn zoom() -> Desk {
    let mut desk = Desk::normal();
    desk.press("4 j z");
    desk
}

fn viewer() -> Desk {
    let mut desk = Desk::of(Role::Viewer);
    desk.press("j b");
    desk
}

fn read_only() -> Desk {
    let mut desk = Desk::with(Options { is_read_only: true, ..Options::default() });
    desk.connect(Role::Trader);
    desk.read_all();
    desk
}
