//! Trades by month: keys over all of them, partitions ahead, bars beside them.

use crate::database::database;
use crate::{number, refused, text};
use tokio_postgres::error::SqlState;

const ACCOUNT: &str = "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, initial_balance,
        current_balance, available_balance, equity, max_daily_loss, max_total_drawdown)
    VALUES ('a0000000-0000-4000-8000-000000000001', 'alpha', 'oanda', 'v20', 'live', 100000, 100000, 100000, 100000, 0.05, 0.1)";

fn trade(id: u32, at: &str, platform: &str) -> String {
    format!(
        "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                             risk_percentage, entry_time, platform_trade_id)
         VALUES ('70000000-0000-4000-8000-{id:012}', 'a0000000-0000-4000-8000-000000000001', 'EUR_USD', 'BUY', 1000, 1.1, 5,
                 0.001, {at}, {platform})"
    )
}

#[tokio::test]
async fn a_trade_id_and_a_platform_id_are_unique_over_all_months() {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute(ACCOUNT).await.unwrap();
    client.batch_execute(&trade(1, "now()", "'101'")).await.unwrap();

    let elsewhere = trade(1, "now() - interval '3 months'", "NULL");
    assert_eq!(refused(&client, &elsewhere).await, SqlState::UNIQUE_VIOLATION);
    assert_eq!(refused(&client, &trade(1, "now()", "NULL")).await, SqlState::UNIQUE_VIOLATION);
    assert_eq!(
        refused(&client, &trade(2, "now() - interval '3 months'", "'101'")).await,
        SqlState::UNIQUE_VIOLATION
    );
    client.batch_execute(&trade(2, "'1999-01-01'", "NULL")).await.unwrap();
    let set = "UPDATE trades SET platform_trade_id = '101' WHERE trade_id = '70000000-0000-4000-8000-000000000002'";
    assert_eq!(refused(&client, set).await, SqlState::UNIQUE_VIOLATION);

    // A corrected entry time moves the row; the registry follows. A deleted trade can come again.
    client
        .batch_execute(
            "UPDATE trades SET entry_time = '1999-03-01', status = 'closed' WHERE trade_id = '70000000-0000-4000-8000-000000000002'",
        )
        .await
        .unwrap();
    assert_eq!(
        number(
            &client,
            "SELECT count(*) FROM trades JOIN trade_registry USING (trade_id, entry_time)"
        )
        .await,
        2
    );
    client.batch_execute("DELETE FROM trades").await.unwrap();
    assert_eq!(number(&client, "SELECT count(*) FROM trade_registry").await, 0);
    client.batch_execute(&trade(1, "now()", "'101'")).await.unwrap();
}

#[tokio::test]
async fn partitions_stand_ready_and_take_their_rows_out_of_the_default() {
    let database = database().await;
    let client = database.client().await;
    client.batch_execute(ACCOUNT).await.unwrap();
    let months = "SELECT count(*) FROM generate_series(0, 3) m
        WHERE to_regclass('trades_y' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m), 'YYYY\"m\"MM')) IS NOT NULL";
    assert_eq!(number(&client, months).await, 4);
    for (id, at) in
        [(1, "'2031-03-01 00:30+00'"), (2, "'2031-02-28 23:30+00'"), (3, "'2031-04-01 00:00+00'")]
    {
        client.batch_execute(&trade(id, at, "NULL")).await.unwrap();
    }
    assert_eq!(number(&client, "SELECT count(*) FROM trades_default").await, 3);

    client
        .batch_execute("SET timezone = 'America/New_York'; SELECT create_trade_partition('2031-03-15 12:00+00')")
        .await
        .unwrap();

    // 00:30 UTC of the 1st is still February in New York.
    assert_eq!(
        text(&client, "SELECT string_agg(right(trade_id::text, 1), '') FROM trades_y2031m03").await,
        "1"
    );
    assert_eq!(number(&client, "SELECT count(*) FROM trades_default").await, 2);
    assert_eq!(
        number(
            &client,
            "SELECT count(*) FROM trades JOIN trade_registry USING (trade_id, entry_time)"
        )
        .await,
        3
    );
    client
        .batch_execute(
            "SELECT create_trade_partition('2031-03-15 12:00+00'), create_monthly_partitions()",
        )
        .await
        .unwrap();
    assert_eq!(
        refused(&client, &trade(1, "'2031-05-01'", "NULL")).await,
        SqlState::UNIQUE_VIOLATION
    );
}

#[tokio::test]
async fn a_bar_that_jumps_from_its_own_predecessor_loses_quality() {
    let database = database().await;
    let client = database.client().await;
    let bar = |at: &str, frame: &str, close: &str| {
        format!(
            "INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             VALUES ('{at}', 'EUR_USD', {close}, {close}, {close}, {close}, '{frame}', 'oanda')"
        )
    };
    for (at, frame, close) in [
        ("2025-06-02 10:00+00", "M1", "1.0"),
        ("2025-06-02 10:01+00", "M1", "1.05"),
        // 26 % away from the first bar, 10 % away from the one before: not more.
        ("2025-06-02 10:02+00", "M1", "1.155"),
        ("2025-06-02 10:03+00", "M1", "1.3"),
        // The first of its timeframe has no predecessor.
        ("2025-06-02 10:04+00", "H1", "2"),
    ] {
        client.batch_execute(&bar(at, frame, close)).await.unwrap();
    }

    let quality = "SELECT string_agg(quality_score::text, ' ' ORDER BY time) FROM market_data";
    assert_eq!(text(&client, quality).await, "1.00 1.00 1.00 0.50 1.00");
    let typical = "SELECT typical_price FROM market_data WHERE close = 1.155";
    assert_eq!(text(&client, typical).await, "1.15500");
    assert_eq!(
        refused(&client, &bar("2025-06-02 10:03+00", "M1", "1.3")).await,
        SqlState::UNIQUE_VIOLATION
    );
}

#[tokio::test]
async fn maintaining_makes_partitions_and_keeps_what_it_was_told_to() {
    let database = database().await;
    let client = database.client().await;
    client
        .batch_execute(
            "INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
             SELECT now() - d * interval '1 day', 'EUR_USD', 1, 1, 1, 1, 'M1', 'oanda' FROM generate_series(0, 9) d;
             INSERT INTO system_events (event_type, event_category, severity, event_message, occurred_at)
             SELECT 'a', 'b', 'info', 'c', now() - d * interval '1 day' FROM generate_series(0, 9) d;
             DROP TABLE trades_y2025m01",
        )
        .await
        .unwrap();
    let rows =
        "SELECT (SELECT count(*) FROM market_data) || ' ' || (SELECT count(*) FROM system_events)";

    client.batch_execute("SELECT * FROM desk.maintain()").await.unwrap();
    assert_eq!(text(&client, rows).await, "10 10");

    client
        .batch_execute(
            "UPDATE tmt.settings SET value = '3' WHERE key = 'market_data_keep_days';
             SELECT * FROM desk.maintain()",
        )
        .await
        .unwrap();
    assert_eq!(text(&client, rows).await, "3 10");
}
