//! Stops of new trades: when one is needed, and what is said of the risk at one that cannot be.

use rust_decimal::dec;

use crate::book::{ALPHA, Book, Order, assess, buy, find, in_the_way, place, sell};

const LIMIT: &str =
    "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit";

#[tokio::test]
async fn a_trade_needs_a_stop_unless_the_desk_says_otherwise() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let bare = || Order { stop: None, target: None, ..buy(dec!(1000)) };
    // Without a spread the equity stays what it is.
    book.rate("EUR", "USD", dec!(1.1)).await;
    place(&trader, &bare()).await.refused("STOP_REQUIRED");

    book.set("stop_required", "false").await;
    place(&trader, &bare()).await.accepted();
    assert_eq!(
        book.text("SELECT risk_amount || ' ' || (metadata ->> 'risk') FROM trades").await,
        "0.00 unbounded"
    );
    // A limit on the risk cannot be judged without one.
    book.limit(
        LIMIT,
        &format!("'{ALPHA}', 'max_risk_per_trade', 'account', NULL, 1, 'percentage'"),
    )
    .await;
    assert_eq!(
        in_the_way(&assess(&trader, &Order { size: dec!(2000), ..bare() }).await),
        ["STOP_REQUIRED"]
    );
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(200000))).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &buy(dec!(200001))).await), ["MAX_RISK_PER_TRADE"]);
}

#[tokio::test]
async fn at_a_stop_on_the_wrong_side_the_risk_has_no_number() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let limit = format!("'{ALPHA}', 'max_risk_per_trade', 'account', NULL, 1, 'percentage'");
    book.limit(LIMIT, &limit).await;
    for order in [
        Order { stop: Some(dec!(1.105)), ..buy(dec!(100000)) },
        Order { stop: Some(dec!(1.095)), target: None, ..sell(dec!(100000)) },
    ] {
        let lines = assess(&trader, &order).await;
        assert!(in_the_way(&lines).contains(&"STOP_WRONG_SIDE"), "{order:?}");
        let unknown = find(&lines, "RISK_UNKNOWN");
        assert_eq!(unknown.message, "Risk undefined: the stop is at or beyond the entry price.");
        for code in ["RISK_AMOUNT", "RISK_PERCENTAGE", "MAX_RISK_PER_TRADE"] {
            assert!(lines.iter().all(|line| line.code != code), "{code}: {lines:?}");
        }
    }
}

#[tokio::test]
async fn levels_of_an_order_that_only_reduces_are_said_to_be_of_no_use() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    // Neither would do for an order that opens.
    let less = Order { stop: Some(dec!(1)), target: Some(dec!(2)), ..sell(dec!(4000)) };

    let lines = assess(&trader, &less).await;

    assert_eq!(in_the_way(&lines), [""; 0]);
    let unused = find(&lines, "POSITION_STOP");
    assert_eq!(unused.message, "The order only reduces: stop and target of the position stay.");
    place(&trader, &less).await.accepted();
    let levels = "SELECT format('%s %s %s', total_size, stop_loss, take_profit) FROM positions";
    assert_eq!(book.text(levels).await, "6000.00 1.09500 1.11000");
    // Without levels of its own there is nothing to say.
    let bare = Order { stop: None, target: None, ..sell(dec!(4000)) };
    assert!(assess(&trader, &bare).await.iter().all(|line| line.code != "POSITION_STOP"));
}
