//! The screens, and how each comes about: the same messages that the loop would send.
//!
//! A new one is a function here and a line in `each_scene!`.

use std::time::Duration;

use rust_decimal::{Decimal, dec};
use tmt::app::{Msg, Options};
use tmt::domain::code::Code;
use tmt::domain::halt::Scope;
use tmt::domain::ids::InstrumentId;
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::LimitType;
use tmt::domain::limit::Standing;
use tmt::domain::outcome::{Accepted, Finding, Impact, Item, ItemEnd, Outcome, Refusal};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;
use tmt::domain::unit::Unit;
use tmt::domain::unit::UnitChoice;

use crate::console::Console;
use crate::desk::{self, confirm, connect, of, pressed};
use crate::market::bars as market_bars;
use crate::risk::{self, checks};

/// Makes a test of each screen: its first argument, a `#[case]`, is how the screen comes about.
macro_rules! each_scene {
    ($test:item) => {
        #[rstest::rstest]
        #[case::starting($crate::scenes::starting)]
        #[case::normal($crate::scenes::normal)]
        #[case::empty($crate::scenes::empty)]
        #[case::database_down($crate::scenes::database_down)]
        #[case::redis_down($crate::scenes::redis_down)]
        #[case::gap($crate::scenes::gap)]
        #[case::ticket_editing($crate::scenes::ticket_editing)]
        #[case::ticket_review($crate::scenes::ticket_review)]
        #[case::ticket_confirm($crate::scenes::ticket_confirm)]
        #[case::ticket_reject($crate::scenes::ticket_reject)]
        #[case::ticket_refused($crate::scenes::ticket_refused)]
        #[case::ticket_sending($crate::scenes::ticket_sending)]
        #[case::ticket_unconfirmed($crate::scenes::ticket_unconfirmed)]
        #[case::close($crate::scenes::close)]
        #[case::close_trade($crate::scenes::close_trade)]
        #[case::amend($crate::scenes::amend)]
        #[case::amend_wrong_side($crate::scenes::amend_wrong_side)]
        #[case::flatten($crate::scenes::flatten)]
        #[case::flattened($crate::scenes::flattened)]
        #[case::acknowledge($crate::scenes::acknowledge)]
        #[case::limit_tighten($crate::scenes::limit_tighten)]
        #[case::limit_loosen($crate::scenes::limit_loosen)]
        #[case::limit_new($crate::scenes::limit_new)]
        #[case::limit_new_review($crate::scenes::limit_new_review)]
        #[case::limit_retire($crate::scenes::limit_retire)]
        #[case::limit_approve($crate::scenes::limit_approve)]
        #[case::halt($crate::scenes::halt)]
        #[case::halt_flatten($crate::scenes::halt_flatten)]
        #[case::resume($crate::scenes::resume)]
        #[case::filter($crate::scenes::filter)]
        #[case::command($crate::scenes::command)]
        #[case::command_error($crate::scenes::command_error)]
        #[case::key_prefix($crate::scenes::key_prefix)]
        #[case::help($crate::scenes::help)]
        #[case::log($crate::scenes::log)]
        #[case::detail($crate::scenes::detail)]
        #[case::limits($crate::scenes::limits)]
        #[case::market($crate::scenes::market)]
        #[case::agents($crate::scenes::agents)]
        #[case::zoom($crate::scenes::zoom)]
        #[case::viewer($crate::scenes::viewer)]
        #[case::read_only($crate::scenes::read_only)]
        $test
    };
}
pub(crate) use each_scene;

pub(crate) fn starting() -> Console {
    desk::starting()
}

pub(crate) fn normal() -> Console {
    pressed("jjj")
}

pub(crate) fn empty() -> Console {
    let mut console = desk::starting();
    connect(&mut console, Role::Trader);
    confirm(&mut console);
    console
}

pub(crate) fn database_down() -> Console {
    let mut console = normal();
    let reason = "connection refused (127.0.0.1:5432): is PostgreSQL running?".to_owned();
    console.tell(Msg::DatabaseLost { reason });
    console.wait(Duration::from_secs(14));
    console
}

pub(crate) fn redis_down() -> Console {
    let mut console = normal();
    console.tell(Msg::FeedDown { reason: "connection reset by peer".to_owned() });
    console.wait(Duration::from_secs(1));
    confirm(&mut console);
    console
}

pub(crate) fn gap() -> Console {
    let mut console = normal();
    console.tell(Msg::FeedDown { reason: "connection reset by peer".to_owned() });
    console.tell(Msg::FeedUp { gap: Some(Duration::from_millis(2_300)) });
    console
}

/// The buy of the specification: 30,000 `EUR_USD` for bravo.
fn ticket() -> Console {
    let mut console = desk::normal();
    let mut limits = risk::limits();
    limits.push(risk::limit(9, "max_daily_loss", Some(2), dec!(4000), "USD"));
    console.rows(Rows::Limits(limits));
    console.press("ggjjb<Ctrl-u>30k");
    console
}

pub(crate) fn ticket_editing() -> Console {
    let mut console = ticket();
    console.assessed(checks(Finding::Passes));
    console.wait(Duration::from_millis(100));
    console
}

/// The ticket under review, with this finding on `MAX_EXPOSURE`.
fn reviewed(exposure: Finding) -> Console {
    let mut console = ticket();
    console.press("<Enter>");
    console.assessed(checks(exposure));
    console.read();
    console
}

pub(crate) fn ticket_review() -> Console {
    reviewed(Finding::Passes)
}

pub(crate) fn ticket_confirm() -> Console {
    reviewed(Finding::Confirm)
}

pub(crate) fn ticket_reject() -> Console {
    reviewed(Finding::Reject)
}

pub(crate) fn ticket_sending() -> Console {
    let mut console = ticket_review();
    console.press("y");
    console
}

pub(crate) fn ticket_refused() -> Console {
    let mut console = ticket_sending();
    let mut refusal = Refusal::plain(
        Code::MaxExposure,
        "The exposure of bravo would be 184,900.00 USD, 4,900.00 above its limit.",
    );
    refusal.measured = Some(dec!(184900));
    refusal.allowed = Some(dec!(180000));
    console.answered(Outcome::Refused(refusal));
    console
}

pub(crate) fn ticket_unconfirmed() -> Console {
    let mut console = ticket_sending();
    console.answered(Outcome::Unknown("no answer within 3 s".to_owned()));
    console
}

pub(crate) fn close() -> Console {
    pressed("ggjjx<read>50%")
}

pub(crate) fn close_trade() -> Console {
    pressed("3ggjx<read>")
}

pub(crate) fn amend() -> Console {
    let mut console = pressed("ggjjm<Ctrl-u>1.0860");
    console.assessed(vec![]);
    console.press("<Enter>");
    console.assessed(vec![]);
    console.read();
    console
}

/// A stop on the far side of the market.
pub(crate) fn amend_wrong_side() -> Console {
    let figures = [None, Some(dec!(1.0880)), Some(dec!(1.08655)), None];
    let message =
        "The stop of a long must be below the market at 1.08655: it would be hit at once.";
    let check = risk::check(Code::StopWrongSide, Finding::Reject, figures, "price", message);
    let mut console = pressed("ggjjm1.0880");
    console.assessed(vec![check.clone()]);
    console.press("<Enter>");
    console.assessed(vec![check]);
    console.read();
    console
}

pub(crate) fn flatten() -> Console {
    pressed("ggjj!fbravo<Enter><read>")
}

pub(crate) fn flattened() -> Console {
    let mut console = flatten();
    console.press("y");
    let item = |number, instrument: &str, end| Item {
        position: desk::id(2, number),
        instrument: instrument.to_owned(),
        end,
    };
    let (size, price) = (Some(dec!(100000)), Some(dec!(1.08655)));
    let closed = ItemEnd::Closed { size, price, pnl: Some(dec!(145)) };
    let message = "GBP_USD has no price: it cannot be closed at the market.".to_owned();
    let kept = ItemEnd::Kept { code: Code::PriceUnknown, message };
    console.answered(Outcome::Accepted(Accepted {
        subject: Some(desk::account_id(2).0),
        code: None,
        message: "bravo: 1 of 2 closed.".to_owned(),
        done: vec![],
        taken: vec![],
        items: vec![item(1, "EUR_USD", closed), item(5, "GBP_USD", kept)],
    }));
    console
}

fn impacts() -> Vec<Impact> {
    let row = |name: &str, [measured, room]: [Decimal; 2], state| Impact {
        account: Some(name.to_owned()),
        measured: Some(measured),
        allowed: Some(measured + room),
        unit: Some(Unit::read("USD")),
        room: Some(room),
        state,
    };
    vec![
        row("alpha", [dec!(74325), dec!(55675)], Standing::Ok),
        row("bravo", [dec!(146797), dec!(-16797)], Standing::Breach),
        row("carry", [dec!(110000), dec!(20000)], Standing::Warning),
    ]
}

pub(crate) fn acknowledge() -> Console {
    pressed("5gga")
}

/// A limit of 180,000 with another value typed.
fn limit(value: &str) -> Console {
    let mut console = of(Role::RiskOfficer);
    console.press("6ggjje");
    console.press(value);
    console.previewed(impacts());
    console
}

pub(crate) fn limit_tighten() -> Console {
    let mut console = limit("160000");
    console.press("<Enter><read>");
    console
}

pub(crate) fn limit_loosen() -> Console {
    limit("220k")
}

pub(crate) fn limit_new() -> Console {
    let mut console = of(Role::RiskOfficer);
    console.press("6ggjjn");
    let exposure = LimitType {
        name: LimitKind::MaxExposure,
        description: "gross exposure after the trade".to_owned(),
        units: vec![
            UnitChoice::AnyCurrency,
            UnitChoice::read("percentage"),
            UnitChoice::read("fraction"),
        ],
        scopes: vec![Scope::Account, Scope::Instrument, Scope::System],
        is_enforced: true,
    };
    console.tell(Msg::LimitTypesRead(vec![exposure]));
    console.press("<Tab><Tab><Right><Tab><Tab>50k");
    console.previewed(impacts());
    console
}

pub(crate) fn limit_new_review() -> Console {
    let mut console = limit_new();
    console.press("<Enter><read>");
    console
}

pub(crate) fn limit_retire() -> Console {
    let mut console = of(Role::RiskOfficer);
    console.press("6ggjjDthe system limit covers it<Enter><read>");
    console
}

pub(crate) fn limit_approve() -> Console {
    let mut console = pressed("6gg+");
    console.previewed(impacts());
    console.read();
    console
}

pub(crate) fn halt() -> Console {
    pressed("j!h<read>")
}

/// Everything is closed: each position names its account, and none of its figures is cut.
pub(crate) fn halt_flatten() -> Console {
    pressed(":halt mode=flatten reason=\"fat finger\"<Enter>all accounts<Enter><read>")
}

pub(crate) fn resume() -> Console {
    pressed("!u")
}

pub(crate) fn filter() -> Console {
    pressed("3  o/eur !alpha")
}

pub(crate) fn command() -> Console {
    pressed(":buy EUR_USD 10k sl=1.08 @alpha")
}

pub(crate) fn command_error() -> Console {
    let mut console = command();
    console.press("<Ctrl-u>buy 10k EUR_USD<Enter>");
    console
}

pub(crate) fn key_prefix() -> Console {
    pressed("g")
}

pub(crate) fn help() -> Console {
    let mut console = of(Role::Trader);
    console.press("?");
    console
}

pub(crate) fn log() -> Console {
    let mut console = ticket_unconfirmed();
    console.press("<Esc>L");
    console
}

pub(crate) fn detail() -> Console {
    pressed("jjj<Enter>")
}

pub(crate) fn limits() -> Console {
    let mut console = of(Role::RiskOfficer);
    console.press("6j");
    console
}

pub(crate) fn market() -> Console {
    let mut console = pressed("7jj");
    console.tell(Msg::BarsRead {
        instrument: InstrumentId::new("EUR_USD"),
        timeframe: "M1".to_owned(),
        bars: market_bars(),
    });
    console
}

pub(crate) fn agents() -> Console {
    pressed("8j")
}

pub(crate) fn zoom() -> Console {
    pressed("4jz")
}

pub(crate) fn viewer() -> Console {
    let mut console = of(Role::Viewer);
    console.press("jb");
    console
}

pub(crate) fn read_only() -> Console {
    let mut console = desk::with(Options { is_read_only: true, ..Options::default() });
    connect(&mut console, Role::Trader);
    desk::read_all(&mut console);
    console
}
