//! What is read, whole and by key, and how a change of others is seen.

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::requests::{accepted, buy, request};
use crate::rows;
use rust_decimal::dec;
use tmt::domain::change::Kind;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::ids::{AccountId, InstrumentId};
use tmt::domain::request::Verb;
use tmt::domain::rows::Rows;
use uuid::Uuid;

// ---- what changed ---------------------------------------------------------------------------

#[tokio::test]
async fn a_poll_returns_what_another_console_wrote() {
    let desk = Desk::with_records().await;
    let (trader, officer) = (desk.trader_store().await, desk.officer_store("ann").await);
    let start = officer.changes(None).await.unwrap();
    assert_eq!(start.changed.len(), Kind::ALL.len());
    assert!(start.changed.iter().all(|(_, ids)| ids.is_none()), "everything is to be read");
    let quiet = officer.changes(Some(&start.cursor)).await.unwrap();
    assert_eq!(quiet.changed, []);

    let placed = request(Verb::Place(buy(dec!(20000))));
    accepted(trader.perform(&placed).await);

    let loud = officer.changes(Some(&quiet.cursor)).await.unwrap();
    let changed = |kind| loud.changed.iter().find(|(changed, _)| *changed == kind);
    let (_, ids) = changed(Kind::Trades).unwrap();
    assert_eq!(ids.as_deref(), Some([placed.key.0.to_string()].as_slice()));
    assert!(changed(Kind::Positions).is_some() && changed(Kind::Accounts).is_some());
    assert!(changed(Kind::Limits).is_none() && changed(Kind::Instruments).is_none());

    let read = officer.read(Kind::Trades, ids.as_deref()).await.unwrap();
    let Rows::Trades(trades) = read.rows else { panic!("not trades") };
    assert_eq!(trades.iter().map(|trade| trade.id.0).collect::<Vec<_>>(), [placed.key.0]);
    assert!(loud.server_time >= quiet.server_time);
}

#[tokio::test]
async fn a_long_transaction_is_seen_once_when_it_commits() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let slow = desk.database.client().await;
    slow.batch_execute("BEGIN; UPDATE accounts SET broker = 'slow' WHERE account_name = 'alpha'")
        .await
        .unwrap();
    let before = store.changes(None).await.unwrap();

    // Others begin later, commit earlier, and are polled in between.
    let bravo = "UPDATE accounts SET broker = 'quick' WHERE account_name = 'bravo'";
    desk.admin.batch_execute(bravo).await.unwrap();
    let first = store.changes(Some(&before.cursor)).await.unwrap();
    let second = store.changes(Some(&first.cursor)).await.unwrap();
    slow.batch_execute("COMMIT").await.unwrap();
    let third = store.changes(Some(&second.cursor)).await.unwrap();
    let fourth = store.changes(Some(&third.cursor)).await.unwrap();

    let accounts = |id: AccountId| vec![(Kind::Accounts, Some(vec![id.to_string()]))];
    assert_eq!(first.changed, accounts(BRAVO));
    assert_eq!(second.changed, []);
    assert_eq!(third.changed, accounts(ALPHA));
    assert_eq!(fourth.changed, [], "and told once");
}

#[tokio::test]
async fn an_invalid_cursor_reads_everything() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    for cursor in ["", "x", "1:2", "99999999:99999999:", "-1:0:"] {
        let changes = store.changes(Some(cursor)).await.unwrap();
        assert_eq!(changes.changed.len(), Kind::ALL.len(), "{cursor:?}");
    }
}

// ---- rows -----------------------------------------------------------------------------------

#[tokio::test]
async fn every_kind_is_read_whole_and_by_id() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let beat = "INSERT INTO system_events (event_type, event_category, severity, source_agent, event_message)
                VALUES ('start', 'lifecycle', 'info', 'console', 'ready')";
    desk.admin.batch_execute(beat).await.unwrap();
    accepted(store.perform(&request(Verb::Place(buy(dec!(20000))))).await);
    accepted(
        store
            .perform(&request(Verb::Halt {
                scope: Scope::Account,
                identifier: Some(ALPHA.to_string()),
                mode: HaltMode::NoNewOrders,
                reason: "end of day".to_owned(),
            }))
            .await,
    );

    for kind in Kind::ALL {
        let whole = rows(&store, kind).await;
        assert_eq!(whole.kind(), kind);
        assert!(!whole.is_empty(), "{kind:?}");
        let unknown = [Uuid::new_v4().to_string(), "no key at all".to_owned()];
        let none = store.read(kind, Some(&unknown)).await.unwrap();
        assert!(none.rows.is_empty(), "{kind:?}");
        assert!(store.read(kind, Some(&[])).await.unwrap().rows.is_empty(), "{kind:?}");
    }
    let name = ["EUR_USD".to_owned()];
    let one = store.read(Kind::Instruments, Some(&name)).await.unwrap();
    assert_eq!(one.rows.len(), 1);
}

#[tokio::test]
async fn an_unreadable_row_is_left_out_and_named() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    desk.admin
        .batch_execute(
            "ALTER TABLE accounts DROP CONSTRAINT accounts_status_check;
             UPDATE accounts SET status = E'zo\\x1b[2Jmbie' WHERE account_name = 'bravo'",
        )
        .await
        .unwrap();

    let read = store.read(Kind::Accounts, None).await.unwrap();

    assert_eq!(read.rows.len(), 1, "the other is shown");
    let [why] = read.unreadable.try_into().unwrap();
    assert!(
        why.contains("00000000a2") && why.contains("status") && why.contains("zo␛[2Jmbie"),
        "{why}"
    );
}

#[tokio::test]
async fn rows_with_invalid_numbers_or_times_are_left_out() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let broken = [
        "UPDATE accounts SET equity = 'NaN' WHERE account_name = 'alpha'",
        // A column that somebody widened: the driver's own reader panics on this one.
        "ALTER TABLE accounts ALTER equity TYPE numeric;
         UPDATE accounts SET equity = 1e32 WHERE account_name = 'alpha'",
        "UPDATE accounts SET equity = 'Infinity' WHERE account_name = 'alpha'",
        "UPDATE accounts SET equity = 5, updated_at = 'infinity' WHERE account_name = 'alpha'",
    ];
    // Row versions would replace the time.
    desk.admin
        .batch_execute("ALTER TABLE accounts DISABLE TRIGGER tr_set_updated_at")
        .await
        .unwrap();
    for sql in broken {
        desk.admin.batch_execute(sql).await.unwrap();
        let read = store.read(Kind::Accounts, None).await.unwrap();
        assert_eq!((read.rows.len(), read.unreadable.len()), (1, 1), "{sql}: {read:?}");
    }
    let last = "UPDATE accounts SET updated_at = now() WHERE account_name = 'alpha'";
    desk.admin.batch_execute(last).await.unwrap();
    assert_eq!(the!(&store, Accounts).len(), 2, "and shown again when they are mended");
}

#[tokio::test]
async fn control_characters_are_made_visible() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    let evil = "\u{1b}]0;owned\u{7}\u{202e}1.5\nSELL";
    let set = "UPDATE accounts SET account_name = $1::text,
                                   metadata = jsonb_build_object('portfolio', $1::text)";
    desk.admin.execute(set, &[&evil]).await.unwrap();
    let set = "UPDATE risk_events SET event_data = jsonb_build_object('message', $1::text)";
    desk.admin.execute(set, &[&evil]).await.unwrap();

    let shown = format!("{:?}", (the!(&store, Accounts), the!(&store, Events)));

    assert!(shown.contains("␛]0;owned") && shown.contains("␤SELL"), "{shown}");
    assert!(!shown.contains("u{1b}") && !shown.contains("u{202e}") && !shown.contains("\\n"));
}

#[tokio::test]
async fn a_column_that_changes_its_type_is_still_read() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    // Every connection of the pool has the statement prepared.
    for _ in 0..8 {
        the!(&store, Agents);
    }
    let widen = "ALTER TABLE agents ALTER total_requests TYPE numeric(20,0);
                 ALTER TABLE agents ALTER total_requests TYPE integer;
                 ALTER TABLE agents ALTER error_count TYPE integer";
    desk.admin.batch_execute(widen).await.unwrap();
    for _ in 0..8 {
        assert_eq!(the!(&store, Agents).len(), 1);
    }
}

#[tokio::test]
async fn bars_come_oldest_first_and_from_the_best_source() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    desk.admin
        .batch_execute(
            "INSERT INTO market_data (time, instrument, open, high, low, close, volume, timeframe, data_source, quality_score)
             SELECT timestamptz '2026-01-05 10:00Z' + n * interval '1 minute', 'EUR_USD', 1.08, 1.09, 1.07, 1.08 + n * 0.0001,
                    n, 'M1', source, quality
               FROM generate_series(1, 30) n, (VALUES ('poor', 0.5), ('good', 1.0)) s (source, quality);
             UPDATE market_data SET close = 1.085 WHERE data_source = 'poor'",
        )
        .await
        .unwrap();

    let bars = store.bars(&InstrumentId::new("EUR_USD"), "M1", 10).await.unwrap();

    assert_eq!(bars.len(), 10);
    assert!(bars.is_sorted_by_key(|bar| bar.time));
    assert_eq!(bars.last().unwrap().close, dec!(1.083));
    assert_eq!(store.bars(&InstrumentId::new("USD_JPY"), "M1", 10).await.unwrap(), []);
}

#[tokio::test]
async fn longer_bars_are_aggregated_from_the_longest_stored_ones() {
    let desk = Desk::with_records().await;
    let store = desk.trader_store().await;
    // Minutes from 10:02 on, each a pip above the last; one of them twice, and worse.
    desk.admin
        .batch_execute(
            "INSERT INTO market_data (time, instrument, open, high, low, close, volume, timeframe, data_source, quality_score)
             SELECT timestamptz '2026-01-05 10:00Z' + n * interval '1 minute', 'EUR_USD', 1.08 + n * 0.0001, 1.0804 + n * 0.0001,
                    1.0797 + n * 0.0001, 1.0801 + n * 0.0001, 10, 'M1', 'good', 1.0
               FROM generate_series(2, 21) n;
             INSERT INTO market_data (time, instrument, open, high, low, close, volume, timeframe, data_source, quality_score)
             VALUES ('2026-01-05 10:06Z', 'EUR_USD', 1.08, 2, 1, 1.08, 1000, 'M1', 'poor', 0.5)",
        )
        .await
        .unwrap();
    let eur_usd = InstrumentId::new("EUR_USD");
    let shown = async |timeframe, most| {
        let bars = store.bars(&eur_usd, timeframe, most).await.unwrap();
        let text = bars.iter().map(|b| {
            format!(
                "{} {} {} {} {} {}",
                b.time.format("%H:%M"),
                b.open,
                b.high,
                b.low,
                b.close,
                b.volume
            )
        });
        text.collect::<Vec<_>>()
    };

    assert_eq!(
        shown("M5", 10).await,
        [
            "10:00 1.08020 1.08080 1.07990 1.08050 30",
            "10:05 1.08050 1.08130 1.08020 1.08100 50",
            "10:10 1.08100 1.08180 1.08070 1.08150 50",
            "10:15 1.08150 1.08230 1.08120 1.08200 50",
            "10:20 1.08200 1.08250 1.08170 1.08220 20",
        ]
    );
    assert_eq!(shown("M5", 2).await.len(), 2);
    assert_eq!(shown("H1", 10).await, ["10:00 1.08020 1.08250 1.07990 1.08220 200"]);

    // What somebody stores counts before what can be put together.
    desk.admin
        .batch_execute(
            "INSERT INTO market_data (time, instrument, open, high, low, close, volume, timeframe, data_source)
             VALUES ('2026-01-05 10:00Z', 'EUR_USD', 1.5, 1.6, 1.4, 1.55, 7, 'M15', 'tape')",
        )
        .await
        .unwrap();
    assert_eq!(shown("H1", 1).await, ["10:00 1.50000 1.60000 1.40000 1.55000 7"]);
    assert_eq!(shown("M5", 10).await.len(), 5);
}
