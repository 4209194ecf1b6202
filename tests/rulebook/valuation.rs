//! Valuation beyond the golden vectors.

use crate::desk::Desk;
use crate::verbs::{Verb as _, buy, close};

#[tokio::test]
async fn pnl_is_computed_from_the_exact_cost() {
    // The end of NET-03: by the stored average of 1.10002 there would be none.
    let desk = Desk::permissive().await;
    for price in ["1.10001", "1.10002", "1.10002"] {
        buy(100_000).at(price).bare().place(&desk.admin).await.accepted();
    }
    let position = desk.position().await;

    let third = close(position).size(100_000).at("1.10002").send(&desk.admin).await.accepted();
    let rest = close(position).at("1.10002").send(&desk.admin).await.accepted();

    assert_eq!(
        (third.detail("gross_pnl"), rest.detail("gross_pnl")),
        (&"0.33".into(), &"0.67".into())
    );
}

#[tokio::test]
async fn without_a_conversion_path_there_is_no_rate() {
    let desk = Desk::open().await;
    assert_eq!(desk.text("SELECT desk.conversion_rate('TRY', 'USD')").await, "-");
    assert_eq!(desk.text("SELECT trim_scale(desk.conversion_rate('EUR', 'JPY'))").await, "170.5");
    assert_eq!(desk.text("SELECT desk.conversion_rate(' usd ', 'USD')").await, "1");
}

#[tokio::test]
async fn an_unreadable_trading_day_is_in_utc() {
    let desk = Desk::open().await;
    for (zone, reset) in [("Nowhere/Land", "00:00"), ("UTC", "soon"), ("UTC", "99999999:00")] {
        let day = "SELECT desk.timestamp_text(starts) || ' ' || extract(epoch FROM ends - starts)::int / 3600
            FROM desk.trading_day(jsonb_build_object('tz', $1::text, 'reset_time', $2::text), '2025-06-04 10:00+00')";
        assert_eq!(desk.text_of(day, &[&zone, &reset]).await, "2025-06-04T00:00:00.000000Z 24");
    }
}

#[tokio::test]
async fn a_zero_daily_loss_is_no_limit() {
    let desk = Desk::open().await;
    assert_eq!(desk.text("SELECT desk.daily_loss_amount(0, 1)").await, "-");
}
