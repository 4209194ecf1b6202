//! The triggers that bind every writer who does not go through the desk.

use futures_util::future::join_all;
use rust_decimal::dec;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::book::{
    ALPHA, BRAVO, Book, Order, assess, buy, close, find, place, sell, sqlstate, text,
};

fn trade(account: &str, side: &str, size: u32, status: &str) -> String {
    instrument_trade("EUR_USD", account, side, size, status)
}

fn instrument_trade(
    instrument: &str,
    account: &str,
    side: &str,
    size: u32,
    status: &str,
) -> String {
    format!(
        "INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time, status)
         VALUES ('{account}', '{instrument}', '{side}', {size}, 1.1, 5, 0.001, now(), '{status}')"
    )
}

async fn exposure_limit(
    book: &Book,
    account: &str,
    scope: &str,
    identifier: &str,
    value: &str,
    unit: &str,
) {
    book.limit(
        "account_id, limit_type, limit_scope, scope_identifier, limit_value, limit_unit",
        &format!("{account}, 'max_exposure', '{scope}', {identifier}, {value}, '{unit}'"),
    )
    .await;
}

/// A program of TMT that writes trades itself.
async fn writer(book: &Book) -> Client {
    let login = book.database.login("writer", "tmt_viewer").await;
    book.run(&format!("GRANT INSERT, UPDATE ON trades, positions TO {login}")).await;
    book.database.client_as(&login).await
}

#[tokio::test]
async fn the_first_trade_counts_and_so_does_every_row_of_a_statement() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    exposure_limit(&book, &format!("'{ALPHA}'"), "account", "NULL", "110000", "USD").await;

    // S14: 110,011 USD and no position yet.
    let error = writer.batch_execute(&trade(ALPHA, "BUY", 100_010, "open")).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(
        (error.code().code(), error.message()),
        ("TR005", "Trade would exceed maximum exposure limit")
    );
    let detail: serde_json::Value = serde_json::from_str(error.detail().unwrap()).unwrap();
    assert_eq!(detail.get("measured").unwrap(), 110_011.0);
    // S22: row by row, ten of them.
    let ten = trade(ALPHA, "BUY", 11_000, "open")
        .replace("VALUES (", "SELECT ")
        .replace("'open')", "'open' FROM generate_series(1, 10)");
    assert_eq!(sqlstate(&writer, &ten).await.code(), "TR005");

    writer.batch_execute(&trade(ALPHA, "BUY", 100_000, "open")).await.unwrap();
    assert_eq!(sqlstate(&writer, &trade(ALPHA, "BUY", 1, "open")).await.code(), "TR005");
    assert_eq!(sqlstate(&writer, "UPDATE trades SET position_size = 100001").await.code(), "TR005");
    // S20, S23: a close by any name, and history, are always taken.
    writer.batch_execute(&trade(ALPHA, "SELL", 40_000, "open")).await.unwrap();
    writer.batch_execute(&trade(ALPHA, "BUY", 9_000_000, "closed")).await.unwrap();
    crate::sums::check(&book).await;
    writer.batch_execute("UPDATE trades SET status = 'closed', exit_price = 1.2").await.unwrap();
    crate::sums::check(&book).await;
    assert_eq!(
        text(
            &book.admin,
            "SELECT last_trade_at IS NOT NULL FROM accounts WHERE account_name = 'alpha'"
        )
        .await,
        "true"
    );
}

#[tokio::test]
async fn limits_of_every_scope_bind_and_those_out_of_force_do_not() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    for (account, scope, identifier) in [
        ("NULL", "system", "NULL"),
        ("NULL", "portfolio", "'majors'"),
        ("NULL", "instrument", "'EURUSD'"),
        ("NULL", "account", "NULL"),
    ] {
        exposure_limit(&book, account, scope, identifier, "1000", "USD").await;
        assert_eq!(
            sqlstate(&writer, &trade(ALPHA, "BUY", 1000, "open")).await.code(),
            "TR005",
            "{scope}"
        );
        book.run("DELETE FROM risk_limits").await;
    }
    exposure_limit(&book, "NULL", "system", "NULL", "1000", "furlongs").await;
    assert_eq!(sqlstate(&writer, &trade(ALPHA, "BUY", 1000, "open")).await.code(), "TR004");
    book.run("UPDATE risk_limits SET limit_unit = 'USD', effective_from = now() - interval '2 days', effective_until = now() - interval '1 day'").await;
    writer.batch_execute(&trade(ALPHA, "BUY", 1000, "open")).await.unwrap();
    // S24: 15.5 million yen are 100,000 dollars.
    book.run("DELETE FROM risk_limits; UPDATE trades SET status = 'cancelled'").await;
    exposure_limit(&book, &format!("'{ALPHA}'"), "account", "NULL", "100000", "USD").await;
    writer
        .batch_execute(&instrument_trade("USD_JPY", ALPHA, "BUY", 100_000, "open"))
        .await
        .unwrap();
    assert_eq!(
        sqlstate(&writer, &instrument_trade("USD_JPY", ALPHA, "BUY", 1, "open")).await.code(),
        "TR005"
    );
    // S19: 50 per cent of 100,000 EUR.
    book.run("DELETE FROM risk_limits").await;
    exposure_limit(&book, &format!("'{BRAVO}'"), "account", "NULL", "50", "percentage").await;
    writer.batch_execute(&trade(BRAVO, "BUY", 50_000, "open")).await.unwrap();
    assert_eq!(sqlstate(&writer, &trade(BRAVO, "BUY", 1, "open")).await.code(), "TR005");
}

#[tokio::test]
async fn what_cannot_be_valued_is_refused_only_where_a_limit_asks() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    writer.batch_execute(&instrument_trade("EUR_TRY", ALPHA, "BUY", 1000, "open")).await.unwrap();
    exposure_limit(&book, &format!("'{ALPHA}'"), "account", "NULL", "1000000", "USD").await;

    assert_eq!(sqlstate(&writer, &trade(ALPHA, "BUY", 1, "open")).await.code(), "TR003");
    writer.batch_execute("UPDATE trades SET status = 'closed'").await.unwrap();
    writer.batch_execute(&trade(ALPHA, "BUY", 1, "open")).await.unwrap();
}

#[tokio::test]
async fn statuses_and_halts_stop_other_writers_too() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    writer.batch_execute(&trade(ALPHA, "BUY", 1000, "open")).await.unwrap();
    for status in ["risk_halt", "suspended", "closed"] {
        book.run(&format!("UPDATE accounts SET status = '{status}'")).await;
        assert_eq!(
            sqlstate(&writer, &trade(ALPHA, "BUY", 1, "open")).await.code(),
            "TR001",
            "{status}"
        );
        writer.batch_execute(&trade(ALPHA, "SELL", 10, "open")).await.unwrap();
    }
    book.run("UPDATE accounts SET status = 'active'").await;
    for halt in [
        format!("('account', '{ALPHA}', NULL"),
        "('instrument', NULL, 'EUR_USD'".to_owned(),
        "('portfolio', NULL, 'majors'".to_owned(),
        "('system', NULL, NULL".to_owned(),
    ] {
        book.run(&format!("INSERT INTO trading_halts (scope, account_id, scope_identifier, mode, reason, set_by) VALUES {halt}, 'reduce_only', 'x', 'x')")).await;
        assert_eq!(
            sqlstate(&writer, &trade(ALPHA, "BUY", 1, "open")).await.code(),
            "TR002",
            "{halt}"
        );
        writer.batch_execute(&trade(ALPHA, "SELL", 10, "open")).await.unwrap();
        book.run("UPDATE trading_halts SET cleared_at = now()").await;
    }
    writer.batch_execute(&trade(ALPHA, "BUY", 1, "open")).await.unwrap();
}

#[tokio::test]
async fn sessions_at_once_do_not_pass_a_limit_together() {
    let book = Book::open().await;
    writer(&book).await;
    let login = format!("{}_writer", book.database.name());
    exposure_limit(&book, "NULL", "system", "NULL", "110000", "USD").await;
    exposure_limit(&book, &format!("'{ALPHA}'"), "account", "NULL", "55000", "USD").await;
    let clients = join_all((0..16).map(|_| book.database.client_as(&login))).await;
    let inserts: Vec<String> = (0..16)
        .map(|i| trade(if i % 2 == 0 { ALPHA } else { BRAVO }, "BUY", 10_000, "open"))
        .collect();

    join_all(clients.iter().zip(&inserts).map(|(client, sql)| client.batch_execute(sql))).await;

    assert_eq!(text(&book.admin, "SELECT sum(position_size) FROM trades").await, "100000.00");
    let alpha =
        format!("SELECT sum(position_size) <= 50000 FROM trades WHERE account_id = '{ALPHA}'");
    assert_eq!(text(&book.admin, &alpha).await, "true");
    crate::sums::check(&book).await;
    // S26: in REPEATABLE READ the picture is from before the wait.
    let stale = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; {}; COMMIT",
        trade(ALPHA, "BUY", 1, "open")
    );
    assert_eq!(sqlstate(clients.first().unwrap(), &stale).await.code(), "TR006");
}

#[tokio::test]
async fn a_writer_on_another_account_waits_for_one_that_a_limit_of_the_system_counts() {
    let book = Book::open().await;
    let one = writer(&book).await;
    let other = book.database.client_as(&format!("{}_writer", book.database.name())).await;
    exposure_limit(&book, "NULL", "system", "NULL", "15000", "USD").await;
    let first = trade(ALPHA, "BUY", 10_000, "open");
    one.batch_execute(&format!("BEGIN; {first}")).await.unwrap();

    let second = trade(BRAVO, "BUY", 10_000, "open");
    let (answer, ()) = tokio::join!(other.batch_execute(&second), book.commit_when_awaited(&one));

    assert_eq!(answer.unwrap_err().code().unwrap().code(), "TR005");
}

/// A program that closes and does not commit.
#[tokio::test]
async fn a_close_of_another_writer_holds_up_nobody() {
    let book = Book::open().await;
    let (one, other) = (book.database.client().await, writer(&book).await);
    let trader = book.trader().await;
    exposure_limit(&book, "NULL", "system", "NULL", "1000000", "USD").await;
    for size in [100, 200, 300] {
        one.batch_execute(&trade(ALPHA, "BUY", size, "open")).await.unwrap();
    }
    let closing = |size: u32| {
        format!(
            "UPDATE trades SET status = 'closed', exit_price = 1.2 WHERE position_size = {size}"
        )
    };
    one.batch_execute(&format!("BEGIN; {}", closing(100))).await.unwrap();

    for client in [&other, &trader] {
        client.batch_execute("SET lock_timeout = '5s'").await.unwrap();
    }
    place(&trader, &buy(dec!(1000))).await.accepted();
    other.batch_execute(&trade(ALPHA, "BUY", 400, "open")).await.unwrap();
    other.batch_execute(&trade(BRAVO, "BUY", 500, "open")).await.unwrap();
    other.batch_execute(&closing(200)).await.unwrap();
    // What it writes next may be the account, which the trader has written meanwhile.
    let account =
        format!("UPDATE accounts SET equity = equity WHERE account_id = '{ALPHA}'; COMMIT");
    one.batch_execute(&account).await.unwrap();
    // Nor does it fail because somebody else closed.
    other
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM trades")
        .await
        .unwrap();
    one.batch_execute(&closing(400)).await.unwrap();
    other.batch_execute(&format!("{}; COMMIT", closing(300))).await.unwrap();

    crate::sums::check(&book).await;
    one.batch_execute(&trade(ALPHA, "BUY", 600, "open")).await.unwrap();
    assert_eq!(book.text("SELECT count(*) FROM tmt.trade_total_changes").await, "0");
    crate::sums::check(&book).await;
}

/// Its exposure is what each account paid at most.
#[tokio::test]
async fn what_nobody_quotes_is_worth_what_was_paid() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    book.run(
        "INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size)
         VALUES ('AAA_USD', 'AAA', 'USD', 0.01, 0.01)",
    )
    .await;
    exposure_limit(&book, "NULL", "portfolio", "'majors'", "2000", "USD").await;
    let paid = |account: &str, size: u32, price: &str| {
        instrument_trade("AAA_USD", account, "BUY", size, "open")
            .replace("1.1,", &format!("{price},"))
    };

    writer.batch_execute(&paid(ALPHA, 10, "100")).await.unwrap();
    writer.batch_execute(&paid(BRAVO, 1, "1000")).await.unwrap();
    assert_eq!(sqlstate(&writer, &paid(ALPHA, 1, "1")).await.code(), "TR005");
}

#[tokio::test]
async fn a_position_whose_pnl_contradicts_its_row_is_refused() {
    let book = Book::open().await;
    let writer = writer(&book).await;
    let insert = |size: &str, price: &str, pnl: &str| {
        format!(
            "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, current_price, unrealized_pnl)
             VALUES ('{ALPHA}', 'EUR_USD', 'LONG', {size}, 1.1, {price}, {pnl})"
        )
    };
    assert_eq!(sqlstate(&writer, &insert("100000", "1.11", "998.98")).await.code(), "TR010");
    assert_eq!(sqlstate(&writer, &insert("100000", "1.11", "NULL")).await.code(), "TR010");
    writer.batch_execute(&insert("100000", "1.11", "1000.99")).await.unwrap();
    let set = |change: &str| format!("UPDATE positions SET {change}");
    assert_eq!(sqlstate(&writer, &set("current_price = 1.12")).await.code(), "TR010");
    writer.batch_execute(&set("current_price = 1.12, unrealized_pnl = 2000")).await.unwrap();
    // Its stop can be moved whatever the P&L says, and a wrong row can be repaired.
    book.run("SET session_replication_role = replica; UPDATE positions SET unrealized_pnl = 5; SET session_replication_role = DEFAULT").await;
    writer.batch_execute(&set("stop_loss = 1.09")).await.unwrap();
    writer.batch_execute(&set("unrealized_pnl = 2000")).await.unwrap();
    assert_eq!(
        text(&book.admin, "SELECT calculate_unrealized_pnl(position_id) FROM positions").await,
        "2000.00"
    );
    // S28: a second closed one is history, a second live one is not possible.
    assert_eq!(sqlstate(&writer, &insert("1", "NULL", "0")).await, SqlState::UNIQUE_VIOLATION);
    writer.batch_execute(&set("status = 'closed'")).await.unwrap();
    writer.batch_execute(&insert("1", "NULL", "0")).await.unwrap();
    writer.batch_execute(&set("status = 'closed'")).await.unwrap();
}

#[tokio::test]
async fn a_position_that_another_writer_changed_is_closed_at_what_it_says() {
    let book = Book::open().await;
    let (writer, trader) = (writer(&book).await, book.trader().await);
    place(&trader, &buy(dec!(10000))).await.accepted();
    writer
        .batch_execute("UPDATE positions SET total_size = 20000, average_entry_price = 1.09, current_price = 1.1, unrealized_pnl = 200")
        .await
        .unwrap();

    let closed = close(&trader, book.position().await, None, Some(dec!(1.1))).await.accepted();

    assert_eq!(closed.detail.get("gross_pnl").unwrap(), "200.00");
    // The desk knew of one trade of 10,000; the rest was never a trade of ours.
    assert_eq!(
        text(&book.admin, "SELECT status || ' ' || closed_size FROM trades").await,
        "closed 10000.00"
    );
}

#[tokio::test]
async fn an_order_finds_no_room_that_another_program_has_taken() {
    for (account, scope, identifier) in [
        (format!("'{ALPHA}'"), "account", "NULL"),
        ("NULL".to_owned(), "portfolio", "'majors'"),
        ("NULL".to_owned(), "instrument", "'EUR_USD'"),
        ("NULL".to_owned(), "system", "NULL"),
    ] {
        let book = Book::open().await;
        let (writer, trader) = (writer(&book).await, book.trader().await);
        exposure_limit(&book, &account, scope, identifier, "110000", "USD").await;
        let used = async || {
            let lines = assess(&trader, &buy(dec!(1000))).await;
            find(&lines, "MAX_EXPOSURE").before.unwrap()
        };
        // 88,000 USD, and no position yet.
        writer.batch_execute(&trade(ALPHA, "BUY", 80_000, "open")).await.unwrap();
        assert_eq!(used().await, dec!(88000), "{scope}");
        place(&trader, &buy(dec!(21000))).await.refused("MAX_EXPOSURE");
        place(&trader, &buy(dec!(5000))).await.accepted();
        assert_eq!(used().await, dec!(93500), "{scope}");
        // What only reduces meets no limit.
        place(&trader, &sell(dec!(5000))).await.accepted();

        // It becomes a position, and counts once.
        writer
            .batch_execute(&format!(
                "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price)
                 VALUES ('{ALPHA}', 'EUR_USD', 'LONG', 80000, 1.1)"
            ))
            .await
            .unwrap();
        assert_eq!(used().await, dec!(88000), "{scope}");
        // Closed, the one after the other: nothing is there, and nothing owed.
        let closed =
            "UPDATE trades SET status = 'closed', exit_price = 1.1 WHERE position_size = 80000";
        writer.batch_execute(closed).await.unwrap();
        assert_eq!(used().await, dec!(88000), "{scope}: its position stands");
        writer.batch_execute("UPDATE positions SET status = 'closed'").await.unwrap();
        assert_eq!(used().await, dec!(0), "{scope}");
    }
}

#[tokio::test]
async fn no_order_of_the_desk_and_of_other_programs_breaks_a_limit() {
    for scope in ["account", "system"] {
        let book = Book::open().await;
        let account = if scope == "account" { format!("'{ALPHA}'") } else { "NULL".to_owned() };
        // Room for ten.
        exposure_limit(&book, &account, scope, "NULL", "110000", "USD").await;
        let (writer, trader) = (
            book.database.login("writer", "tmt_viewer").await,
            book.database.login("trader", "tmt_trader").await,
        );
        book.run(&format!("GRANT INSERT, UPDATE ON trades, positions TO {writer}")).await;
        let sessions = join_all(
            (0..16).map(|n| book.database.client_as(if n % 2 == 0 { &writer } else { &trader })),
        );
        join_all(sessions.await.iter().enumerate().map(async |(n, session)| {
            for _ in 0..3 {
                if n % 2 == 0 {
                    // Refused ones are errors there.
                    session.batch_execute(&trade(ALPHA, "BUY", 10_000, "open")).await.ok();
                } else {
                    let order = Order { reason: Some("race"), ..buy(dec!(10000)) };
                    place(session, &order).await;
                }
            }
        }))
        .await;
        let live = "SELECT sum(position_size - closed_size)::int FROM trades WHERE status IN ('open', 'partial')";
        assert_eq!(book.text(live).await, "100000", "{scope}");
        crate::sums::check(&book).await;
    }
}
