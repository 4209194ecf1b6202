//! The rulebook is dropped and made again while others are connected.

use std::sync::atomic::{AtomicBool, Ordering};

use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::code::Code;
use tmt::domain::outcome::Outcome;
use tmt::domain::request::Verb;
use tmt::store::Store;
use tmt::store::migrate::{File, Mode, Schema, migrate_to};
use tokio_postgres::error::SqlState;

use crate::desk::{ALPHA, Desk};
use crate::requests::{accepted, buy, request};
use crate::until;

/// This program's schema with a rulebook of another digest.
pub(crate) fn again(round: usize) -> Schema {
    let mut schema = Schema::of_this_program();
    let sql = format!("-- Round {round}.").into();
    schema.rulebook.push(File { name: "rulebook/again.sql".into(), sql });
    schema
}

/// Everything that a console asks for.
async fn look(store: &Store) {
    store.session().await.unwrap();
    let changes = store.changes(None).await.unwrap();
    store.changes(Some(&changes.cursor)).await.unwrap();
    for kind in Kind::ALL {
        store.read(kind, None).await.unwrap();
    }
    store.limit_types().await.unwrap();
    store.assess(&buy(dec!(1000))).await.unwrap();
}

#[tokio::test]
async fn an_open_console_goes_on_after_the_rulebook_was_made_again() {
    let desk = Desk::with_records().await;
    let trader = desk.trader_store().await;
    look(&trader).await;
    accepted(trader.perform(&request(Verb::Place(buy(dec!(1000))))).await);
    let before = desk.database.client().await;

    for round in 0..2 {
        let report = migrate_to(&again(round), &before, Mode::Fresh).await.unwrap();
        assert!(report.rebuilt && report.applied.is_empty());

        look(&trader).await;
        let size = dec!(2000) + dec!(1000) * rust_decimal::Decimal::from(round);
        accepted(trader.perform(&request(Verb::Place(buy(size)))).await);
    }
    assert_eq!(desk.trades().await, 3);
}

#[tokio::test]
async fn orders_under_way_are_booked_or_refused_while_the_rulebook_is_made_again() {
    let desk = Desk::with_records().await;
    desk.admin.batch_execute("UPDATE risk_limits SET is_active = false").await.unwrap();
    let is_over = AtomicBool::new(false);
    let (one, other) = (desk.trader_store().await, desk.officer_store("officer").await);
    let placing = async {
        let mut booked = 0;
        while !is_over.load(Ordering::Relaxed) {
            desk.quote().await;
            let mut trade = buy(dec!(1000));
            trade.reason = Some("the same again".to_owned());
            match one.perform(&request(Verb::Place(trade))).await {
                Outcome::Accepted(_) => booked += 1,
                Outcome::Refused(refusal) => assert_eq!(refusal.code, Code::Busy, "{refusal:?}"),
                Outcome::Unknown(why) => panic!("{why}"),
            }
        }
        booked
    };
    let reading = async {
        while !is_over.load(Ordering::Relaxed) {
            look(&other).await;
        }
    };
    let migrating = async {
        let client = desk.database.client().await;
        for round in 0..8 {
            migrate_to(&again(round), &client, Mode::Fresh).await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    };

    let (booked, (), ()) = tokio::join!(placing, reading, migrating);

    assert_eq!(desk.trades().await, booked);
}

/// Two sessions wait: the migration at its last step, and an order for the migration.
#[tokio::test]
async fn an_order_that_waited_for_a_rebuild_is_booked_by_the_new_rulebook_alone() {
    let desk = Desk::with_records().await;
    let (holder, client) = (desk.database.client().await, desk.database.client().await);
    let trader = desk.trader_store().await;
    let raw = desk.database.client_as(&desk.database.login("raw", "tmt_trader").await).await;
    holder.batch_execute("BEGIN; SELECT FROM tmt.rulebook FOR UPDATE").await.unwrap();
    let migrating = tokio::spawn(async move { migrate_to(&again(1), &client, Mode::Fresh).await });
    until(&desk.admin, WAITING, 1).await;

    let order = request(Verb::Place(buy(dec!(1000))));
    let placing = tokio::spawn(async move { trader.perform(&order).await });
    let placing_raw = tokio::spawn(async move { raw.batch_execute(&raw_order()).await });
    until(&desk.admin, WAITING, 3).await;
    holder.batch_execute("ROLLBACK").await.unwrap();

    assert!(migrating.await.unwrap().unwrap().rebuilt);
    placing_raw.await.unwrap().unwrap_err();
    accepted(placing.await.unwrap());
    assert_eq!(desk.count("SELECT sum(position_size)::bigint FROM trades").await, 1000);
    assert_eq!(desk.count("SELECT count(*) FROM tmt.requests").await, 1);
}

/// The rulebook is another one by the time that an order has its account.
#[tokio::test]
async fn an_order_that_began_under_another_rulebook_is_not_booked_but_sent_again() {
    let desk = Desk::with_records().await;
    let rebuilding = desk.database.client().await;
    let trader = desk.trader_store().await;
    let raw = desk.database.client_as(&desk.database.login("raw", "tmt_trader").await).await;
    rebuilding.batch_execute("BEGIN; LOCK TABLE accounts").await.unwrap();

    let order = request(Verb::Place(buy(dec!(1000))));
    let placing = tokio::spawn(async move { trader.perform(&order).await });
    let placing_raw = tokio::spawn(async move { raw.batch_execute(&raw_order()).await });
    until(&desk.admin, WAITING, 2).await;
    let rebuilt = "UPDATE tmt.rulebook SET revision = revision + 1; COMMIT";
    rebuilding.batch_execute(rebuilt).await.unwrap();

    let error = placing_raw.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE), "{error}");
    accepted(placing.await.unwrap());
    assert_eq!(desk.count("SELECT sum(position_size)::bigint FROM trades").await, 1000);
    assert_eq!(desk.count("SELECT count(*) FROM tmt.requests").await, 1);
}

/// An order of 2,000 without the store around it.
fn raw_order() -> String {
    format!(
        "SELECT desk.place_trade(gen_random_uuid(), '\\x01', now() + interval '1 minute', '{}',
                                 'EUR_USD', 'BUY', 2000, 1.0851, 1.0801, NULL, NULL, NULL)",
        ALPHA.0
    )
}

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";
