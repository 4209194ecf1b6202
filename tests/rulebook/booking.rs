//! Booking: what a trade, a close and a mark leave in the tables.

use futures_util::future::join_all;
use rust_decimal::dec;

use crate::book::{
    ALPHA, BRAVO, Book, Order, assess, buy, call, close, in_the_way, place, sell, verb,
};

/// What the account says, and the sums it must agree with.
const ACCOUNT: &str =
    "SELECT format('%s %s %s %s', current_balance, equity, margin_used, available_balance)
    FROM accounts WHERE account_name = 'alpha'";
const POSITIONS: &str = "SELECT string_agg(format('%s %s %s @%s pnl %s realized %s', status, position_type, total_size,
        average_entry_price, unrealized_pnl, realized_pnl), '; ' ORDER BY opened_at) FROM positions";
const TRADES: &str = "SELECT string_agg(format('%s %s of %s %s @%s -> %s gross %s', status, closed_size, position_size,
        trade_type, entry_price, coalesce(exit_price::text, '-'), coalesce(gross_pnl::text, '-')), '; ' ORDER BY entry_time)
    FROM trades";

#[tokio::test]
async fn a_trade_is_booked_in_every_table_at_once() {
    let book = Book::open().await;
    let trader = book.trader().await;

    let verdict = place(&trader, &buy(dec!(100000))).await.accepted();

    assert_eq!(verdict.message, "Bought 100,000 EUR_USD at 1.10000.");
    assert_eq!(verdict.detail.get("risk_amount").unwrap(), "500.00");
    assert_eq!(verdict.detail.get("risk_percentage").unwrap(), "0.0050");
    // Marked at the bid of 1.0999; margin 3.33 % of that.
    assert_eq!(book.text(POSITIONS).await, "open LONG 100000.00 @1.10000 pnl -10.00 realized 0.00");
    assert_eq!(book.text(TRADES).await, "open 0.00 of 100000.00 BUY @1.10000 -> - gross -");
    assert_eq!(book.text(ACCOUNT).await, "100000.00 99990.00 3662.67 96327.33");
    let fill = "SELECT format('%s %s %s %s fx %s', side, effect, size, price, trim_scale(fx_rate)) FROM trade_fills";
    assert_eq!(book.text(fill).await, "BUY open 100000.00 1.10000 fx 1");
    let day = "SELECT string_agg(format('%s %s %s', period_type, start_balance, start_equity), ', ' ORDER BY period_type)
        FROM performance_metrics";
    assert_eq!(
        book.text(day).await,
        "daily 100000.00 100000.00, monthly 100000.00 100000.00, weekly 100000.00 100000.00"
    );
    assert_eq!(book.text("SELECT last_trade_at > now() - interval '1 minute' FROM accounts WHERE account_name = 'alpha'").await, "true");
}

#[tokio::test]
async fn a_close_realizes_at_average_cost_and_takes_trades_first_in_first_out() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let at = |size, price| Order { price, stop: Some(dec!(1.09)), target: None, ..buy(size) };
    place(&trader, &at(dec!(100000), dec!(1.1))).await.accepted();
    book.rate("EUR", "USD", dec!(1.11)).await;
    place(&trader, &at(dec!(100000), dec!(1.12))).await.accepted();
    book.rate("EUR", "USD", dec!(1.13)).await;
    let position = book.position().await;

    let verdict = close(&trader, position, Some(dec!(100000)), None).await.accepted();

    // NET-10: the position realizes 2,000 at its average, the oldest trade 3,000 at its own entry.
    assert_eq!(verdict.message, "Closed 100,000 EUR_USD at 1.13000: +2,000.00 USD, 100,000 left.");
    assert_eq!(
        book.text(POSITIONS).await,
        "open LONG 100000.00 @1.11000 pnl 2000.00 realized 2000.00"
    );
    assert_eq!(
        book.text(TRADES).await,
        "closed 100000.00 of 100000.00 BUY @1.10000 -> 1.13000 gross 3000.00; open 0.00 of 100000.00 BUY @1.12000 -> - gross -"
    );
    let rest = close(&trader, position, None, Some(dec!(1.135))).await.accepted();
    assert_eq!(rest.detail.get("gross_pnl").unwrap(), "2500.00");
    assert_eq!(book.text("SELECT sum(gross_pnl) FROM trades").await, "4500.00");
    assert_eq!(book.text("SELECT sum(gross_pnl) FROM trade_fills").await, "4500.00");
    assert_eq!(book.text(ACCOUNT).await, "104500.00 104500.00 0.00 104500.00");
    // A closed position keeps its size, and cannot be closed again.
    assert_eq!(
        book.text(POSITIONS).await,
        "closed LONG 100000.00 @1.11000 pnl 0.00 realized 4500.00"
    );
    close(&trader, position, None, None).await.refused("POSITION_NOT_OPEN");
}

#[tokio::test]
async fn the_size_of_a_close_is_between_a_step_and_the_position() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    let position = book.position().await;

    let over = close(&trader, position, Some(dec!(10000.01)), None)
        .await
        .refused("REDUCE_ONLY_EXCEEDS_POSITION");
    assert_eq!(over.allowed, Some(dec!(10000)));
    close(&trader, position, Some(dec!(0.5)), None).await.refused("SIZE_NOT_A_STEP");
    close(&trader, position, Some(dec!(0)), None).await.refused("SIZE_NOT_A_STEP");
    close(&trader, position, Some(dec!(-5)), None).await.refused("SIZE_NOT_A_STEP");
    close(&trader, position, None, Some(dec!(1.100001))).await.refused("PRICE_NOT_A_TICK");
    close(&trader, position, None, Some(dec!(-1))).await.refused("PRICE_UNKNOWN");
    close(&trader, position, None, Some(dec!(100000))).await.refused("PRICE_OUT_OF_RANGE");
    close(&trader, uuid::Uuid::new_v4(), None, None).await.refused("POSITION_UNKNOWN");
    // A price far from a live market is a slip of the hand unless somebody says why.
    let off = close(&trader, position, None, Some(dec!(1.2))).await.refused("CONFIRM_REQUIRED");
    assert!(off.message.contains("away from the market"), "{}", off.message);
    assert_eq!(book.text(POSITIONS).await, "open LONG 10000.00 @1.10000 pnl -1.00 realized 0.00");
    let why = format!("'{position}', NULL, 1.2, 'broker filled it there'");
    verb(&trader, "close_position", &why).await.accepted();
}

#[tokio::test]
async fn an_opposite_order_closes_first_and_opens_the_rest_as_a_new_position() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(100000))).await.accepted();

    let reducing =
        place(&trader, &Order { stop: None, target: None, ..sell(dec!(30000)) }).await.accepted();
    assert_eq!(reducing.code.as_deref(), Some("REDUCED"));
    assert_eq!(reducing.subject, Some(book.position().await));
    assert_eq!(book.text("SELECT count(*) FROM trades").await, "1");

    let flip = Order {
        price: dec!(1.105),
        stop: Some(dec!(1.11)),
        target: Some(dec!(1.09)),
        ..sell(dec!(120000))
    };
    let flipped = place(&trader, &flip).await.accepted();

    assert_eq!(flipped.code.as_deref(), Some("FLIPPED"));
    assert_eq!(flipped.subject, Some(flip.key));
    assert_eq!(flipped.message, "Sold 120,000 EUR_USD at 1.10500, realized +350.00 USD.");
    assert_eq!(
        book.text(POSITIONS).await,
        "closed LONG 70000.00 @1.10000 pnl 0.00 realized 350.00; open SHORT 50000.00 @1.10500 pnl 245.00 realized 0.00"
    );
    // The risk is that of the opening part alone: 50,000 × 0.005.
    assert_eq!(flipped.detail.get("risk_amount").unwrap(), "250.00");
    assert_eq!(
        book.text(
            "SELECT string_agg(effect || size, ' ' ORDER BY recorded_at, effect) FROM trade_fills"
        )
        .await,
        "open100000.00 close30000.00 close70000.00 open50000.00"
    );
}

#[tokio::test]
async fn an_opposite_order_is_judged_by_what_it_opens() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.limit(
        "account_id, limit_type, limit_scope, limit_value, limit_unit",
        &format!("'{ALPHA}', 'max_exposure', 'account', 60000, 'USD'"),
    )
    .await;
    let small = |order: Order| Order { stop: Some(order.stop.unwrap()), ..order };
    place(&trader, &small(buy(dec!(50000)))).await.accepted();
    place(&trader, &buy(dec!(50000))).await.refused("MAX_EXPOSURE");

    // EXP-03, EXP-04: down to nothing there is no limit; through nothing to the other side there is.
    assert_eq!(in_the_way(&assess(&trader, &sell(dec!(50000))).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &sell(dec!(104000))).await), [""; 0]);
    assert_eq!(in_the_way(&assess(&trader, &sell(dec!(105000))).await), ["MAX_EXPOSURE"]);
}

#[tokio::test]
async fn closing_is_possible_under_every_halt_status_limit_and_without_any_price() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let officer = book.officer("officer").await;
    place(&trader, &buy(dec!(90000))).await.accepted();
    let position = book.position().await;
    let piece = Some(dec!(10000));

    book.limit(
        "account_id, limit_type, limit_scope, limit_value, limit_unit",
        &format!("'{ALPHA}', 'max_exposure', 'account', 1, 'USD'"),
    )
    .await;
    close(&trader, position, piece, None).await.accepted();
    verb(&officer, "halt", "'system', NULL, 'no_new_orders', 'test'").await.accepted();
    close(&trader, position, piece, None).await.accepted();
    for status in ["risk_halt", "suspended"] {
        book.run(&format!("UPDATE accounts SET status = '{status}'")).await;
        close(&trader, position, piece, None).await.accepted();
    }
    book.run("UPDATE fx_rates SET as_of = now() - interval '1 day'").await;
    verb(&trader, "close_position", &format!("'{position}', 10000, 1.3, 'as the broker says'"))
        .await
        .accepted();
    book.run("DELETE FROM fx_rates; DELETE FROM instruments WHERE instrument = 'EUR_USD'").await;
    close(&trader, position, piece, None).await.refused("PRICE_UNKNOWN");
    close(&trader, position, piece, Some(dec!(1.2))).await.accepted();
    book.run("UPDATE accounts SET status = 'closed'").await;
    close(&trader, position, piece, Some(dec!(1.2))).await.refused("ACCOUNT_CLOSED");
    close(&officer, position, None, Some(dec!(1.2))).await.accepted();
}

#[tokio::test]
async fn a_close_without_a_rate_of_today_takes_the_last_one_known_and_says_so() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: Some(dec!(154)),
        target: None,
        ..buy(dec!(10000))
    };
    place(&trader, &order).await.accepted();
    book.run("DELETE FROM fx_rates").await;

    let verdict = close(&trader, book.position().await, None, Some(dec!(156.55))).await.accepted();

    assert_eq!(verdict.code.as_deref(), Some("RATE_NOT_CURRENT"));
    assert_eq!(verdict.detail.get("fx_source").unwrap(), "last fill");
    assert_eq!(verdict.detail.get("gross_pnl").unwrap(), "100.00");
}

#[tokio::test]
async fn a_loss_beyond_the_balance_is_booked_and_halts_the_account() {
    let book = Book::open().await;
    let trader = book.trader().await;
    book.run("UPDATE accounts SET current_balance = 1000, equity = 1000, available_balance = 1000, initial_balance = 1000,
        max_daily_loss = 1, max_total_drawdown = 0.5").await;
    place(&trader, &buy(dec!(20000))).await.accepted();
    book.rate("EUR", "USD", dec!(1.044)).await;

    close(&trader, book.position().await, None, None).await.accepted();

    // ACC-02: 1,000 − 1,120.
    assert_eq!(
        book.text("SELECT current_balance || status FROM accounts WHERE account_name = 'alpha'")
            .await,
        "-120.00risk_halt"
    );
    assert_eq!(
        book.text("SELECT severity FROM risk_events WHERE event_type = 'negative_balance'").await,
        "emergency"
    );
    place(&trader, &buy(dec!(1000))).await.refused("ACCOUNT_RISK_HALT");
}

#[tokio::test]
async fn marks_take_longs_at_the_bid_and_shorts_at_the_ask() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let admin = book.member("admin", "tmt_admin").await;
    place(&trader, &buy(dec!(100000))).await.accepted();
    let bravo = Order { account: BRAVO.to_owned(), ..sell(dec!(100000)) };
    place(&trader, &bravo).await.accepted();
    book.run("UPDATE fx_rates SET rate = 1.10495, bid = 1.1049, ask = 1.105, as_of = now() WHERE from_currency = 'EUR'").await;

    admin.batch_execute("SELECT desk.mark_to_market()").await.unwrap();

    // FX-08 in USD; bravo's −500 USD are −452.51 EUR at the mid.
    assert_eq!(
        book.text("SELECT string_agg(position_type || ' ' || current_price || ' ' || unrealized_pnl, '; ' ORDER BY position_type) FROM positions").await,
        "LONG 1.10490 490.00; SHORT 1.10500 -452.51"
    );
    assert_eq!(book.text(ACCOUNT).await, "100000.00 100490.00 3679.32 96810.68");
    assert_eq!(
        book.text("SELECT equity FROM accounts WHERE account_name = 'bravo'").await,
        "99547.49"
    );
    // Nothing moved: nothing is written.
    let version = "SELECT string_agg(xmin::text, ',' ORDER BY position_id) FROM positions";
    let before = book.text(version).await;
    admin.batch_execute("SELECT desk.mark_to_market()").await.unwrap();
    assert_eq!(book.text(version).await, before);
    assert_eq!(book.text("SELECT max(peak_equity) FROM performance_metrics").await, "100490.00");
}

#[tokio::test]
async fn marks_do_not_wait_for_an_account_that_is_traded_on() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(100000))).await.accepted();
    place(&trader, &Order { account: BRAVO.to_owned(), ..buy(dec!(100000)) }).await.accepted();
    book.rate("EUR", "USD", dec!(1.2)).await;
    trader
        .batch_execute(&format!("BEGIN; SELECT * FROM {}", sell(dec!(1000)).sql()))
        .await
        .unwrap();

    book.run("SET statement_timeout = '5s'; SELECT desk.mark_to_market()").await;
    trader.batch_execute("COMMIT").await.unwrap();

    let marked = "SELECT string_agg(account_name || ' ' || (p.current_price = 1.2), ', ' ORDER BY account_name)
        FROM positions p JOIN accounts USING (account_id)";
    assert_eq!(book.text(marked).await, "alpha false, bravo true");
}

#[tokio::test]
async fn the_day_of_a_position_counts_from_what_it_was_worth_at_midnight() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(100000))).await.accepted();
    // Opened yesterday, and 300 up when that day ended.
    book.run(
        "SET session_replication_role = replica;
         UPDATE positions SET opened_at = now() - interval '1 day', day_started_at = now() - interval '2 days', unrealized_pnl = 300;
         SET session_replication_role = DEFAULT",
    )
    .await;
    book.rate("EUR", "USD", dec!(1.104)).await;

    book.run("SELECT desk.mark_to_market()").await;

    assert_eq!(
        book.text("SELECT unrealized_pnl || ' ' || daily_pnl FROM positions").await,
        "400.00 100.00"
    );
}

#[tokio::test]
async fn a_limit_holds_against_sixteen_orders_at_once() {
    let book = Book::open().await;
    let login = book.database.login("trader", "tmt_trader").await;
    book.set("duplicate_window_seconds", "0").await;
    // Room for nine.
    let values = format!("'{ALPHA}', 'max_exposure', 'account', 100000, 'USD'");
    book.limit("account_id, limit_type, limit_scope, limit_value, limit_unit", &values).await;
    let clients = join_all((0..16).map(|_| book.database.client_as(&login))).await;
    let orders: Vec<Order> = (0..16).map(|_| buy(dec!(10000))).collect();

    let answers =
        join_all(clients.iter().zip(&orders).map(|(client, order)| place(client, order))).await;

    assert!(answers.iter().all(|a| matches!(a.code.as_deref(), None | Some("MAX_EXPOSURE"))));
    assert_eq!(answers.iter().filter(|a| a.outcome == "accepted").count(), 9);
    assert_eq!(book.text("SELECT sum(total_size) FROM positions").await, "90000.00");
}

#[tokio::test]
async fn a_limit_over_accounts_holds_against_orders_on_two_of_them_at_once() {
    for (scope, identifier) in
        [("system", "NULL"), ("portfolio", "'majors'"), ("instrument", "'EUR_USD'")]
    {
        let book = Book::open().await;
        let (trader, other) = (book.trader().await, book.member("other", "tmt_trader").await);
        let values = format!("'{scope}', {identifier}, 'max_exposure', 15000, 'USD'");
        book.limit("limit_scope, scope_identifier, limit_type, limit_value, limit_unit", &values)
            .await;
        let first = format!("BEGIN; SELECT * FROM {}", buy(dec!(10000)).sql());
        trader.batch_execute(&first).await.unwrap();

        let second = Order { account: BRAVO.to_owned(), ..buy(dec!(10000)) };
        let (answer, ()) = tokio::join!(place(&other, &second), book.commit_when_awaited(&trader));

        answer.refused("MAX_EXPOSURE");
        assert_eq!(book.text("SELECT count(*) FROM trades").await, "1", "{scope}");
    }
}

#[tokio::test]
async fn a_signal_is_taken_once_by_each_account() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let signal = uuid::Uuid::new_v4();
    book.run(&format!(
        "INSERT INTO signals (signal_id, instrument, signal_type, confidence, entry_price, stop_loss, take_profit,
                              risk_reward_ratio, timeframe, agent_id, valid_until)
         VALUES ('{signal}', 'EUR_USD', 'BUY', 0.8, 1.0999, 1.095, 1.11, 2, 'H1', 'agent', now() + interval '1 hour')"
    ))
    .await;
    let take = |account: &str| Order {
        account: account.to_owned(),
        signal: Some(signal),
        ..buy(dec!(10000))
    };
    let state =
        "SELECT format('%s %s %s', status, execution_count, total_executed_size) FROM signals";

    assert_eq!(
        in_the_way(&assess(&trader, &Order { signal: Some(signal), ..sell(dec!(10000)) }).await),
        ["SIGNAL_MISMATCH"]
    );
    place(&trader, &take(ALPHA)).await.accepted();
    assert_eq!(book.text(state).await, "pending 1 10000.00");
    let again = place(&trader, &take(ALPHA)).await;
    assert_eq!(again.code.as_deref(), Some("SIGNAL_ALREADY_EXECUTED"));
    place(&trader, &take(BRAVO)).await.accepted();
    assert_eq!(book.text(state).await, "executed 2 20000.00");
    assert_eq!(book.text("SELECT slippage FROM trades LIMIT 1").await, "1.0000");
    book.run("UPDATE signals SET status = 'pending', valid_until = now() - interval '1 s'; DELETE FROM signal_executions").await;
    let late = call(&trader, &take(ALPHA).sql()).await;
    assert_eq!(late.code.as_deref(), Some("SIGNAL_EXPIRED"));
}
