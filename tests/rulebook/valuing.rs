//! What things are worth, where no golden vector says it.

use rust_decimal::dec;
use serde_json::Value;

use crate::book::{Book, Order, Verdict, buy, close, place};

#[tokio::test]
async fn profit_is_taken_from_the_exact_cost() {
    // The end of NET-03: by the stored average of 1.10002 there would be none.
    let book = Book::open().await;
    for (key, value) in [
        ("stop_required", "false"),
        ("duplicate_window_seconds", "0"),
        ("max_risk_fraction", "1000"),
    ] {
        book.set(key, value).await;
    }
    book.run("UPDATE instruments SET margin_rate = 0; UPDATE accounts SET max_daily_loss = 1")
        .await;
    for price in [dec!(1.10001), dec!(1.10002), dec!(1.10002)] {
        place(&book.admin, &Order { price, stop: None, target: None, ..buy(dec!(100000)) })
            .await
            .accepted();
    }
    let position = book.position().await;

    let third =
        close(&book.admin, position, Some(dec!(100000)), Some(dec!(1.10002))).await.accepted();
    let rest = close(&book.admin, position, None, Some(dec!(1.10002))).await.accepted();

    let gross = |verdict: &Verdict| {
        verdict.detail.pointer("/gross_pnl").and_then(Value::as_str).unwrap().to_owned()
    };
    assert_eq!((gross(&third), gross(&rest)), ("0.33".to_owned(), "0.67".to_owned()));
}

#[tokio::test]
async fn without_a_conversion_path_there_is_no_number() {
    let book = Book::open().await;
    assert_eq!(book.text("SELECT desk.conversion_rate('TRY', 'USD')").await, "-");
    assert_eq!(book.text("SELECT trim_scale(desk.conversion_rate('EUR', 'JPY'))").await, "170.5");
    assert_eq!(book.text("SELECT desk.conversion_rate(' usd ', 'USD')").await, "1");
}

#[tokio::test]
async fn a_trading_day_that_nobody_can_read_is_a_day_of_utc() {
    let book = Book::open().await;
    for (zone, reset) in [("Nowhere/Land", "00:00"), ("UTC", "soon"), ("UTC", "99999999:00")] {
        let day = format!(
            "SELECT desk.timestamp_text(starts) || ' ' || extract(epoch FROM ends - starts)::int / 3600
               FROM desk.trading_day('{{\"tz\": \"{zone}\", \"reset_time\": \"{reset}\"}}', '2025-06-04 10:00+00')"
        );
        assert_eq!(book.text(&day).await, "2025-06-04T00:00:00.000000Z 24");
    }
}

#[tokio::test]
async fn a_daily_loss_of_nothing_is_no_limit() {
    let book = Book::open().await;
    assert_eq!(book.text("SELECT desk.daily_loss_amount(0, 1)").await, "-");
}
