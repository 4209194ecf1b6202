//! The rulebook is dropped and made again while others are connected.

use std::sync::atomic::{AtomicBool, Ordering};

use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::code::Code;
use tmt::domain::outcome::Outcome;
use tmt::domain::request::Verb;
use tmt::store::Store;
use tmt::store::migrate::{File, Mode, Schema, migrate_to};

use crate::desk::{Desk, accepted, buy, request};

/// This program's schema with a rulebook of another digest.
fn again(round: usize) -> Schema {
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
    let desk = Desk::open().await;
    let trader = desk.trader().await;
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
    let desk = Desk::open().await;
    desk.admin.batch_execute("UPDATE risk_limits SET is_active = false").await.unwrap();
    let is_over = AtomicBool::new(false);
    let (one, other) = (desk.trader().await, desk.officer("officer").await);
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
