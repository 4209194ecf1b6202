//! The store against a real PostgreSQL: verbs, refusals, polls, unreadable rows.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/requests.rs"]
mod requests;

macro_rules! the {
    ($store:expr, $kind:ident) => {
        match rows($store, Kind::$kind).await {
            Rows::$kind(rows) => rows,
            other => panic!("{other:?}"),
        }
    };
}

#[path = "store/reading.rs"]
mod reading;

use desk::{ALPHA, CRITICAL, Desk, EXPOSURE, SIGNAL, WARNING};
use requests::{accepted, buy, refused, request};
use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::code::Code;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::ids::{HaltId, LimitId, PositionId};
use tmt::domain::limit::LimitState;
use tmt::domain::outcome::{Finding, Outcome};
use tmt::domain::request::{Closing, Request, Verb};
use tmt::domain::rows::Rows;
use tmt::domain::session::Role;
use tmt::domain::unit::Unit;
use tmt::store::{Options, Store, StoreError};

async fn rows(store: &Store, kind: Kind) -> Rows {
    let read = store.read(kind, None).await.unwrap();
    assert_eq!(read.unreadable, [""; 0]);
    assert!(!read.is_cut);
    read.rows
}

// ---- verbs ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_trade_is_placed_read_and_closed() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;

    let placed = request(Verb::Place(buy(dec!(20000))));
    let done = accepted(store.perform(&placed).await);
    assert_eq!(done.subject, Some(placed.key.0));

    let [trade] = the!(&store, Trades).try_into().unwrap();
    assert_eq!((trade.id.0, trade.account, trade.size), (placed.key.0, ALPHA, dec!(20000)));
    assert_eq!(trade.entry_price, dec!(1.1001));
    let [position] = the!(&store, Positions).try_into().unwrap();
    assert_eq!((position.account, position.size), (ALPHA, dec!(20000)));

    let close = Verb::Close {
        what: Closing::Position(position.id),
        size: Some(dec!(5000)),
        price: dec!(1.1011),
        reason: Some("half the risk".to_owned()),
    };
    let done = accepted(store.perform(&request(close)).await);
    assert_eq!(done.subject, Some(position.id.0));
    assert!(done.message.contains("+5.00 USD"), "{}", done.message);
    let [trade] = the!(&store, Trades).try_into().unwrap();
    assert_eq!(trade.closed_size, dec!(5000));

    let what = Closing::Position(position.id);
    let all = Verb::Close { what, size: None, price: dec!(1.1001), reason: None };
    accepted(store.perform(&request(all)).await);
    assert_eq!(the!(&store, Positions), []);
    let [trade] = the!(&store, Trades).try_into().unwrap();
    assert_eq!(trade.net_pnl, Some(dec!(5.00)));
}

#[tokio::test]
async fn assessment_and_refusal_have_the_same_figures() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let trade = buy(dec!(200000));

    let checks = store.assess(&trade).await.unwrap();
    let rejected = checks.iter().find(|check| check.finding == Finding::Reject).unwrap();
    let refusal = refused(store.perform(&request(Verb::Place(trade))).await);

    assert_eq!(refusal.code, Code::MaxExposure);
    assert_eq!(refusal.code, rejected.code);
    assert_eq!(refusal.measured, Some(dec!(220020)));
    assert_eq!(refusal.allowed, Some(dec!(150000)));
    assert_eq!(refusal.unit, Some(Unit::read("USD")));
    assert_eq!(rejected.measured, refusal.measured);
    assert_eq!(rejected.room, Some(dec!(-70020)));
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_repeated_request_is_done_once_with_one_answer() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let placed = request(Verb::Place(buy(dec!(20000))));

    let first = store.perform(&placed).await;
    let again = store.perform(&placed).await;
    let settled = store.resolve(&placed).await;

    assert_eq!(first, again);
    assert_eq!(first, settled);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn sixteen_concurrent_requests_with_one_key_make_one_trade() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.pools.write = 16;
    let store = Store::connect(options);
    let placed = request(Verb::Place(buy(dec!(20000))));

    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, placed) = (store.clone(), placed.clone());
        sent.spawn(async move { store.perform(&placed).await });
    }
    let outcomes = sent.join_all().await;

    let first = accepted(outcomes.first().unwrap().clone());
    assert!(outcomes.iter().all(|other| *other == Outcome::Accepted(first.clone())));
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_key_reused_with_other_fields_is_refused() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let placed = request(Verb::Place(buy(dec!(20000))));
    accepted(store.perform(&placed).await);

    let other = Request { key: placed.key, verb: Verb::Place(buy(dec!(30000))) };
    assert_eq!(refused(store.perform(&other).await).code, Code::KeyReused);
    let stranger = Store::connect(desk.options("stranger", "tmt_trader").await);
    assert_eq!(refused(stranger.perform(&placed).await).code, Code::KeyReused);
    assert_eq!(desk.trades().await, 1);
}

#[tokio::test]
async fn a_fenced_key_can_never_trade() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let placed = request(Verb::Place(buy(dec!(20000))));

    assert_eq!(refused(store.resolve(&placed).await).code, Code::NotExecuted);
    assert_eq!(refused(store.perform(&placed).await).code, Code::Fenced);
    assert_eq!(refused(store.resolve(&placed).await).code, Code::NotExecuted);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_request_that_arrives_too_late_is_refused() {
    let desk = Desk::with_records().await;
    let mut options = desk.options("trader", "tmt_trader").await;
    options.deadlines.write_validity = std::time::Duration::ZERO;
    let store = Store::connect(options);

    let refusal = refused(store.perform(&request(Verb::Place(buy(dec!(20000))))).await);

    assert_eq!(refusal.code, Code::ExpiredRequest);
    assert_eq!(desk.trades().await, 0);
}

#[tokio::test]
async fn a_signal_is_taken_once_per_account() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let mut trade = buy(dec!(20000));
    trade.signal = Some(SIGNAL);

    accepted(store.perform(&request(Verb::Place(trade.clone()))).await);
    desk.quote().await;
    trade.size = dec!(21000);
    let refusal = refused(store.perform(&request(Verb::Place(trade))).await);

    assert!(refusal.code.as_str().starts_with("SIGNAL_"), "{refusal:?}");
    let [signal] = the!(&store, Signals).try_into().unwrap();
    assert_eq!((signal.executions, signal.valid_until), (1, None));
}

#[tokio::test]
async fn one_officer_acknowledges_and_the_other_learns_who() {
    let desk = Desk::with_records().await;
    let (ann, joe) = (desk.officer_store("ann").await, desk.officer_store("joe").await);
    let verb = Verb::Acknowledge { events: vec![WARNING], note: None };

    let (one, other) = (request(verb.clone()), request(verb));
    let (one, other) = tokio::join!(ann.perform(&one), joe.perform(&other));

    let (won, lost, winner) = match (one, other) {
        (Outcome::Accepted(won), Outcome::Refused(lost)) => (won, lost, "_ann"),
        (Outcome::Refused(lost), Outcome::Accepted(won)) => (won, lost, "_joe"),
        both => panic!("{both:?}"),
    };
    assert_eq!(won.done, [WARNING.0]);
    assert_eq!(lost.code, Code::AlreadyAcknowledged);
    assert!(lost.message.contains(winner), "{}", lost.message);
    let events = the!(&ann, Events);
    let event = events.iter().find(|event| event.id == WARNING).unwrap();
    assert!(event.acknowledged.as_ref().unwrap().by.ends_with(winner));
    assert_eq!(event.message.as_deref(), Some("83 % used"));
}

#[tokio::test]
async fn a_batch_reports_each_event() {
    let desk = Desk::with_records().await;
    let (ann, joe) = (desk.officer_store("ann").await, desk.officer_store("joe").await);
    let ack = |events, note: &str| {
        let note = (!note.is_empty()).then(|| note.to_owned());
        request(Verb::Acknowledge { events, note })
    };
    assert_eq!(refused(ann.perform(&ack(vec![CRITICAL], "")).await).code, Code::NoteRequired);
    accepted(joe.perform(&ack(vec![WARNING], "")).await);

    let both = accepted(ann.perform(&ack(vec![WARNING, CRITICAL], "spoke to the desk")).await);

    assert_eq!(both.done, [CRITICAL.0]);
    let [(taken, by)] = both.taken.try_into().unwrap();
    assert!(taken == WARNING.0 && by.ends_with("_joe"), "{by}");

    let back = Verb::Unacknowledge { event: CRITICAL, note: "not done yet".to_owned() };
    accepted(ann.perform(&request(back)).await);
    let events = the!(&ann, Events);
    assert!(events.iter().any(|event| event.id == CRITICAL && event.wants_acknowledgement()));
}

#[tokio::test]
async fn tightening_is_immediate_and_loosening_needs_two_people() {
    let desk = Desk::with_records().await;
    let (ann, joe) = (desk.officer_store("ann").await, desk.officer_store("joe").await);
    let propose = |limit: &tmt::domain::limit::Limit, value, reason: Option<&str>| {
        request(Verb::ProposeLimit {
            until: None,
            limit: limit.id,
            base_version: limit.updated_at,
            value,
            warning: None,
            reason: reason.map(str::to_owned),
        })
    };
    let [limit] = the!(&ann, Limits).try_into().unwrap();
    assert!(limit.is_enforced && limit.state == LimitState::Active);

    let tighter = accepted(ann.perform(&propose(&limit, dec!(140000), None)).await);
    assert_eq!(tighter.code, Some(Code::Tightened));
    let stale = refused(ann.perform(&propose(&limit, dec!(130000), None)).await);
    assert_eq!(stale.code, Code::LimitChanged);
    assert_eq!(the!(&joe, Limits).len(), 1, "the old one is gone");

    let [limit] = the!(&ann, Limits).try_into().unwrap();
    assert_eq!((limit.value, limit.supersedes), (dec!(140000), Some(EXPOSURE)));
    let looser = propose(&limit, dec!(160000), Some("new mandate"));
    let looser = accepted(ann.perform(&looser).await);
    assert_eq!(looser.code, Some(Code::PendingApproval));
    let pending = LimitId(looser.subject.unwrap());
    let limits = the!(&joe, Limits);
    let waiting = limits.iter().find(|limit| limit.id == pending).unwrap();
    assert_eq!(waiting.state, LimitState::Pending);
    assert_eq!(waiting.change_reason.as_deref(), Some("new mandate"));

    let approve = || request(Verb::ApproveLimit { limit: pending, note: None });
    assert_eq!(refused(ann.perform(&approve()).await).code, Code::FourEyesSamePerson);
    accepted(joe.perform(&approve()).await);
    let [limit] = the!(&ann, Limits).try_into().unwrap();
    assert_eq!((limit.value, limit.state), (dec!(160000), LimitState::Active));

    let looser = propose(&limit, dec!(170000), Some("more"));
    let pending = LimitId(accepted(joe.perform(&looser).await).subject.unwrap());
    let reject = Verb::RejectLimit { limit: pending, note: Some("enough".to_owned()) };
    accepted(ann.perform(&request(reject)).await);
    assert_eq!(the!(&ann, Limits).len(), 1);
}

#[tokio::test]
async fn a_halt_refuses_new_risk_and_never_a_close() {
    let desk = Desk::with_records().await;
    let (trader, officer) = (desk.trader_store().await, desk.officer_store("ann").await);
    accepted(trader.perform(&request(Verb::Place(buy(dec!(20000))))).await);
    let halt = Verb::Halt {
        scope: Scope::Account,
        identifier: Some(ALPHA.to_string()),
        mode: HaltMode::ReduceOnly,
        reason: "news".to_owned(),
    };

    let halted = accepted(trader.perform(&request(halt)).await);
    let [row] = the!(&trader, Halts).try_into().unwrap();
    assert_eq!((row.id, row.account), (HaltId(halted.subject.unwrap()), Some(ALPHA)));
    let refusal = refused(trader.perform(&request(Verb::Place(buy(dec!(10000))))).await);
    assert_eq!(refusal.code, Code::TradingHalt);
    let what = Closing::Position(PositionId(desk.position().await));
    let close = Verb::Close { what, size: None, price: dec!(1.1001), reason: None };
    accepted(trader.perform(&request(close)).await);

    let resume = |reason: &str| request(Verb::Resume { halt: row.id, reason: reason.to_owned() });
    assert_eq!(refused(trader.perform(&resume("calm")).await).code, Code::NotPermitted);
    accepted(officer.perform(&resume("calm")).await);
    assert_eq!(the!(&trader, Halts), []);
}

#[tokio::test]
async fn a_viewer_reads_and_writes_nothing() {
    let desk = Desk::with_records().await;
    let viewer = Store::connect(desk.options("viewer", "tmt_viewer").await);

    assert_eq!(viewer.session().await.unwrap().role, Role::Viewer);
    assert_eq!(the!(&viewer, Accounts).len(), 2);
    let refusal = refused(viewer.perform(&request(Verb::Place(buy(dec!(20000))))).await);
    assert_eq!(refusal.code, Code::NotPermitted);
    assert_eq!(desk.trades().await, 0);
}

// ---- who and what ---------------------------------------------------------------------------

#[tokio::test]
async fn the_session_says_who_is_connected_to_what() {
    let desk = Desk::with_records().await;
    let store = desk.officer_store("ann").await;

    let probe = store.probe().await.unwrap();

    assert!(probe.session.operator.ends_with("_ann"));
    assert_eq!(probe.session.role, Role::RiskOfficer);
    assert_eq!(probe.session.environment.as_str(), "paper");
    assert_eq!(probe.session.database, desk.database.name());
    assert!(!probe.session.in_recovery);
    assert_eq!(probe.encryption, None);
}

#[tokio::test]
async fn an_empty_database_reports_the_missing_schema() {
    let database = database::empty_database().await;
    let store = Store::connect(Options::parse(&database.url()).unwrap());

    let error = store.session().await.unwrap_err();

    assert!(matches!(error, StoreError::SchemaMissing { .. }), "{error:?}");
    assert!(error.to_string().contains("tmt migrate"), "{error}");
    let error = store.read(Kind::Trades, None).await.unwrap_err();
    assert!(error.to_string().contains("tmt migrate"), "{error}");
    assert_eq!(
        refused(store.perform(&request(Verb::Place(buy(dec!(1000))))).await).code,
        Code::NotSent
    );
}

#[tokio::test]
async fn a_login_without_a_group_is_told_which_grant_it_needs() {
    let desk = Desk::with_records().await;
    let login = format!("{}_nobody", desk.database.name());
    desk.admin.batch_execute(&format!("CREATE ROLE {login} LOGIN")).await.unwrap();
    let store = Store::connect(Options::parse(&desk.database.url_as(&login)).unwrap());

    let error = store.session().await.unwrap_err();

    assert!(matches!(error, StoreError::NotPermitted(_)), "{error:?}");
    assert!(error.to_string().contains("GRANT tmt_viewer"), "{error}");
}
