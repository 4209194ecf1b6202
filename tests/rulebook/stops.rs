//! Stops of orders: when one is required, and what the checks say of one that is wrong or unused.

use crate::desk::{ALPHA, Desk};
use crate::verbs::{buy, limit, sell};

#[tokio::test]
async fn an_order_needs_a_stop_unless_the_desk_allows_none() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let bare = || buy(1000).bare();
    // Without a spread the equity does not change.
    desk.rate("EUR", "USD", "1.1").await;
    bare().place(&trader).await.refused("STOP_REQUIRED");

    desk.set("stop_required", "false").await;
    bare().place(&trader).await.accepted();
    assert_eq!(
        desk.text("SELECT risk_amount || ' ' || (metadata ->> 'risk') FROM trades").await,
        "0.00 unbounded"
    );
    // A limit on the risk cannot be measured without one.
    limit("max_risk_per_trade", 1, "percentage").of(ALPHA).insert(&desk).await;
    assert_eq!(bare().size(2000).assess(&trader).await.objections(), ["STOP_REQUIRED"]);
    assert_eq!(buy(200_000).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(buy(200_001).assess(&trader).await.objections(), ["MAX_RISK_PER_TRADE"]);
}

#[tokio::test]
async fn a_stop_on_the_wrong_side_makes_the_risk_undefined() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("max_risk_per_trade", 1, "percentage").of(ALPHA).insert(&desk).await;
    for order in [buy(100_000).stop("1.105"), sell(100_000).stop("1.095").without_target()] {
        let lines = order.assess(&trader).await;
        assert!(lines.objections().contains(&"STOP_WRONG_SIDE"), "{order:?}");
        let unknown = lines.find("RISK_UNKNOWN");
        assert_eq!(unknown.message, "Risk undefined: the stop is at or beyond the entry price.");
        for code in ["RISK_AMOUNT", "RISK_PERCENTAGE", "MAX_RISK_PER_TRADE"] {
            assert!(lines.iter().all(|line| line.code != code), "{code}: {lines:?}");
        }
    }
}

#[tokio::test]
async fn levels_of_a_reducing_order_are_reported_as_unused() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    // An order that opens a position could have neither.
    let less = sell(4000).stop(1).target(2);

    let lines = less.assess(&trader).await;

    assert_eq!(lines.objections(), [""; 0]);
    let unused = lines.find("POSITION_STOP");
    assert_eq!(
        unused.message,
        "The order only reduces: stop and target of the position are unchanged."
    );
    less.place(&trader).await.accepted();
    let levels = "SELECT format('%s %s %s', total_size, stop_loss, take_profit) FROM positions";
    assert_eq!(desk.text(levels).await, "6000.00 1.09500 1.11000");
    // An order without levels has no such line.
    let bare = sell(4000).bare();
    assert!(bare.assess(&trader).await.iter().all(|line| line.code != "POSITION_STOP"));
}
