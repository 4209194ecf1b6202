//! Closing everything at once: one account, or all that a halt reaches.

use futures_util::future::join_all;
use rust_decimal::dec;
use serde_json::Value;

use crate::book::{ALPHA, BRAVO, Book, Order, buy, place, sell, verb};

const LIVE: &str = "SELECT coalesce(string_agg(account_name || ' ' || instrument, ', ' ORDER BY account_name, instrument), 'none')
    FROM positions JOIN accounts USING (account_id) WHERE positions.status = 'open'";

fn jpy() -> Order {
    Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: Some(dec!(156)),
        target: None,
        ..sell(dec!(1000))
    }
}

fn on_bravo(order: Order) -> Order {
    Order { account: BRAVO.to_owned(), ..order }
}

fn items<'a>(detail: &'a Value, name: &str) -> &'a Vec<Value> {
    detail.get(name).unwrap().as_array().unwrap()
}

#[tokio::test]
async fn every_position_is_closed_and_what_has_no_price_is_named() {
    let book = Book::open().await;
    let trader = book.trader().await;
    verb(&trader, "flatten", &format!("'{ALPHA}', NULL")).await.refused("NOTHING_TO_FLATTEN");
    place(&trader, &buy(dec!(10000))).await.accepted();
    place(&trader, &jpy()).await.accepted();
    book.run("DELETE FROM fx_rates WHERE to_currency = 'JPY'").await;

    let part = verb(&trader, "flatten", &format!("'{ALPHA}', 'enough'")).await.accepted();

    assert_eq!(part.code.as_deref(), Some("PARTLY_FLATTENED"));
    assert_eq!(part.message, "alpha: 1 position closed, 1 kept (USD_JPY), -1.00 USD.");
    let (closed, kept) = (items(&part.detail, "closed"), items(&part.detail, "kept"));
    assert_eq!((closed.len(), kept.len()), (1, 1));
    let first = closed.first().unwrap();
    for (field, value) in [
        ("instrument", "EUR_USD"),
        ("size", "10000.00"),
        ("price", "1.0999"),
        ("gross_pnl", "-1.00"),
    ] {
        assert_eq!(first.get(field).unwrap(), value, "{field}");
    }
    assert_eq!(kept.first().unwrap().get("code").unwrap(), "PRICE_UNKNOWN");
    assert_eq!(book.text(LIVE).await, "alpha USD_JPY");
    verb(&trader, "flatten", &format!("'{ALPHA}', NULL")).await.refused("PRICE_UNKNOWN");

    // No halt, status or stale price stands in the way.
    book.quote().await;
    book.run("UPDATE fx_rates SET as_of = now() - interval '1 day'; UPDATE accounts SET status = 'risk_halt'").await;
    let rest = verb(&trader, "flatten", &format!("'{ALPHA}', NULL")).await.accepted();
    assert_eq!((rest.code, book.text(LIVE).await.as_str()), (None, "none"));
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
    let reasons =
        "SELECT string_agg(DISTINCT close_reason, ', ' ORDER BY close_reason) FROM trades";
    assert_eq!(book.text(reasons).await, "enough, flatten");
    verb(&trader, "flatten", "gen_random_uuid(), NULL").await.refused("ACCOUNT_UNKNOWN");
}

#[tokio::test]
async fn a_closed_account_is_flattened_by_a_risk_officer() {
    let book = Book::open().await;
    let (trader, officer) = (book.trader().await, book.officer("officer").await);
    place(&trader, &buy(dec!(10000))).await.accepted();
    book.run("UPDATE accounts SET status = 'closed'").await;
    let call = format!("'{ALPHA}', NULL");
    verb(&trader, "flatten", &call).await.refused("ACCOUNT_CLOSED");
    verb(&officer, "flatten", &call).await.accepted();
}

#[tokio::test]
async fn a_halt_that_flattens_closes_what_is_in_its_scope() {
    for (scope, identifier, left) in [
        ("account", format!("'{ALPHA}'"), "bravo EUR_USD"),
        ("instrument", "'EURUSD'".to_owned(), "alpha USD_JPY"),
        ("portfolio", "'majors'".to_owned(), "none"),
        ("system", "NULL".to_owned(), "none"),
    ] {
        let book = Book::open().await;
        let (trader, officer) = (book.trader().await, book.officer("officer").await);
        for order in [buy(dec!(10000)), jpy(), on_bravo(buy(dec!(20000)))] {
            place(&trader, &order).await.accepted();
        }

        let call = format!("'{scope}', {identifier}, 'flatten', 'stop now'");
        let halted = verb(&officer, "halt", &call).await.accepted();

        assert_eq!(book.text(LIVE).await, left, "{scope}");
        assert!(items(&halted.detail, "kept").is_empty(), "{halted:?}");
        assert!(halted.message.ends_with(" closed."), "{}", halted.message);
        assert_eq!(
            book.text("SELECT mode || ' ' || scope FROM trading_halts").await,
            format!("flatten {scope}")
        );
        place(&trader, &buy(dec!(1000))).await.refused("TRADING_HALT");
        verb(&officer, "halt", &call).await.refused("ALREADY_HALTED");
        assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0", "{scope}");
    }
}

#[tokio::test]
async fn what_a_halt_had_to_keep_is_closed_when_it_is_asked_again() {
    let book = Book::open().await;
    let (trader, officer) = (book.trader().await, book.officer("officer").await);
    place(&trader, &jpy()).await.accepted();
    book.run("DELETE FROM fx_rates WHERE to_currency = 'JPY'").await;
    let call = "'system', NULL, 'flatten', 'stop now'";
    let first = verb(&officer, "halt", call).await.accepted();
    assert_eq!(first.code.as_deref(), Some("PARTLY_FLATTENED"));
    book.quote().await;
    let second = verb(&officer, "halt", call).await.accepted();
    assert_eq!(second.subject, first.subject);
    assert_eq!(book.text(LIVE).await, "none");
    assert_eq!(book.text("SELECT count(*) FROM trading_halts").await, "1");
}

#[tokio::test]
async fn flattening_while_others_trade_leaves_no_position_half_booked() {
    let book = Book::open().await;
    let officer = book.officer("officer").await;
    let login = book.database.login("trader", "tmt_trader").await;
    book.set("duplicate_window_seconds", "0").await;
    let clients = join_all((0..6).map(|_| book.database.client_as(&login))).await;
    let trade = join_all(clients.iter().enumerate().map(|(n, client)| async move {
        for round in 0..6 {
            let order = if (n + round) % 2 == 0 { buy(dec!(1000)) } else { sell(dec!(1000)) };
            place(client, &if n % 2 == 0 { order } else { on_bravo(order) }).await;
        }
    }));
    let stop = async {
        for _ in 0..6 {
            verb(&officer, "flatten", &format!("'{ALPHA}', NULL")).await;
            verb(&officer, "flatten", &format!("'{BRAVO}', NULL")).await;
        }
        verb(&officer, "halt", "'system', NULL, 'flatten', 'stop now'").await.accepted();
    };

    tokio::join!(trade, stop);

    assert_eq!(book.text(LIVE).await, "none");
    assert_eq!(book.text("SELECT count(*) FROM trades WHERE status <> 'closed'").await, "0");
    let wrong = "SELECT string_agg(concat_ws(' ', kind, field, stored, rebuilt), '; ') FROM desk.reconcile()";
    assert_eq!(book.text(wrong).await, "-");
}
