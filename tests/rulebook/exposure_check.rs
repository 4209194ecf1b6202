//! The exposure check: the triggers that hold limits against every writer but the rulebook.

use futures_util::future::join_all;
use rust_decimal::{Decimal, dec};
use tmt::domain::ids::AccountId;
use tokio_postgres::Client;

use crate::desk::{ALPHA, BRAVO, Desk, sqlstate};
use crate::rows::{Row, position, trade};
use crate::verbs::{Verb as _, buy, close, limit, sell};

/// A program of TMT that writes trades itself.
async fn writer(desk: &Desk) -> Client {
    let login = desk.database.login("writer", "tmt_viewer").await;
    desk.run(&format!("GRANT INSERT, UPDATE ON trades, positions TO {login}")).await;
    desk.database.client_as(&login).await
}

#[tokio::test]
async fn every_row_of_a_statement_counts_against_a_limit() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    limit("max_exposure", 110_000, "USD").of(ALPHA).insert(&desk).await;

    // S14: 110,011 USD and no position yet.
    let error = trade(ALPHA).buy(100_010).try_insert(&writer).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(
        (error.code().code(), error.message()),
        ("TR005", "Trade would exceed maximum exposure limit")
    );
    let detail: serde_json::Value = serde_json::from_str(error.detail().unwrap()).unwrap();
    assert_eq!(detail.get("measured").unwrap(), 110_011.0);
    // S22: row by row, ten of them.
    let ten = "INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price,
                                   risk_amount, risk_percentage, entry_time)
        SELECT account_id, 'EUR_USD', 'BUY', 11000, 1.1, 5, 0.001, now()
          FROM accounts, generate_series(1, 10) WHERE account_name = 'alpha'";
    assert_eq!(sqlstate(&writer, ten).await, "TR005");

    trade(ALPHA).buy(100_000).insert(&writer).await;
    assert_eq!(trade(ALPHA).buy(1).sqlstate(&writer).await, "TR005");
    assert_eq!(sqlstate(&writer, "UPDATE trades SET position_size = 100001").await, "TR005");
    // S20, S23: closes and closed trades are always accepted.
    trade(ALPHA).sell(40_000).insert(&writer).await;
    trade(ALPHA).buy(9_000_000).status("closed").insert(&writer).await;
    crate::running_totals::check(&desk).await;
    writer.batch_execute("UPDATE trades SET status = 'closed', exit_price = 1.2").await.unwrap();
    crate::running_totals::check(&desk).await;
    let traded = "SELECT last_trade_at IS NOT NULL FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(traded).await, "true");
}

#[tokio::test]
async fn limits_in_force_bind_in_every_scope() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    let exposure = limit("max_exposure", 1000, "USD");
    for limit in [
        exposure.clone(),
        exposure.clone().of_portfolio("majors"),
        exposure.clone().of_instrument("EURUSD"),
        exposure.of_each_account(),
    ] {
        limit.insert(&desk).await;
        assert_eq!(trade(ALPHA).buy(1000).sqlstate(&writer).await, "TR005", "{limit:?}");
        desk.run("DELETE FROM risk_limits").await;
    }
    limit("max_exposure", 1000, "furlongs").insert(&desk).await;
    assert_eq!(trade(ALPHA).buy(1000).sqlstate(&writer).await, "TR004");
    desk.run("UPDATE risk_limits SET limit_unit = 'USD', effective_from = now() - interval '2 days', effective_until = now() - interval '1 day'").await;
    trade(ALPHA).buy(1000).insert(&writer).await;
    // S24: 15.5 million yen are 100,000 dollars.
    desk.run("DELETE FROM risk_limits; UPDATE trades SET status = 'cancelled'").await;
    limit("max_exposure", 100_000, "USD").of(ALPHA).insert(&desk).await;
    trade(ALPHA).of_instrument("USD_JPY").buy(100_000).insert(&writer).await;
    assert_eq!(trade(ALPHA).of_instrument("USD_JPY").buy(1).sqlstate(&writer).await, "TR005");
    // S19: 50 per cent of 100,000 EUR.
    desk.run("DELETE FROM risk_limits").await;
    limit("max_exposure", 50, "percentage").of(BRAVO).insert(&desk).await;
    trade(BRAVO).buy(50_000).insert(&writer).await;
    assert_eq!(trade(BRAVO).buy(1).sqlstate(&writer).await, "TR005");
}

#[tokio::test]
async fn a_trade_without_a_value_is_refused_where_a_limit_needs_it() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    trade(ALPHA).of_instrument("EUR_TRY").buy(1000).insert(&writer).await;
    limit("max_exposure", 1_000_000, "USD").of(ALPHA).insert(&desk).await;

    assert_eq!(trade(ALPHA).buy(1).sqlstate(&writer).await, "TR003");
    writer.batch_execute("UPDATE trades SET status = 'closed'").await.unwrap();
    trade(ALPHA).buy(1).insert(&writer).await;
}

#[tokio::test]
async fn account_statuses_and_halts_stop_other_writers() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    trade(ALPHA).buy(1000).insert(&writer).await;
    for status in ["risk_halt", "suspended", "closed"] {
        desk.execute("UPDATE accounts SET status = $1", &[&status]).await;
        assert_eq!(trade(ALPHA).buy(1).sqlstate(&writer).await, "TR001", "{status}");
        trade(ALPHA).sell(10).insert(&writer).await;
    }
    desk.run("UPDATE accounts SET status = 'active'").await;
    let halt = |scope: &str| {
        let halt = Row::of("trading_halts").set("scope", "text", scope);
        halt.set("mode", "text", "reduce_only")
            .set("reason", "text", "x")
            .set("set_by", "text", "x")
    };
    for halt in [
        halt("account").set("account_id", "uuid", ALPHA),
        halt("instrument").set("scope_identifier", "text", "EUR_USD"),
        halt("portfolio").set("scope_identifier", "text", "majors"),
        halt("system"),
    ] {
        halt.insert(&desk.admin).await;
        assert_eq!(trade(ALPHA).buy(1).sqlstate(&writer).await, "TR002", "{halt:?}");
        trade(ALPHA).sell(10).insert(&writer).await;
        desk.run("UPDATE trading_halts SET cleared_at = now()").await;
    }
    trade(ALPHA).buy(1).insert(&writer).await;
}

#[tokio::test]
async fn concurrent_sessions_do_not_exceed_a_limit() {
    let desk = Desk::open().await;
    writer(&desk).await;
    let login = format!("{}_writer", desk.database.name());
    limit("max_exposure", 110_000, "USD").insert(&desk).await;
    limit("max_exposure", 55_000, "USD").of(ALPHA).insert(&desk).await;
    let clients = join_all((0..16).map(|_| desk.database.client_as(&login))).await;
    let trades = [trade(ALPHA).buy(10_000), trade(BRAVO).buy(10_000)];

    join_all(clients.iter().zip(trades.iter().cycle()).map(|(client, row)| row.try_insert(client)))
        .await;

    assert_eq!(desk.text("SELECT sum(position_size) FROM trades").await, "100000.00");
    let alpha = "SELECT sum(position_size) <= 50000 FROM trades WHERE account_id = $1";
    assert_eq!(desk.text_of(alpha, &[&ALPHA.0]).await, "true");
    crate::running_totals::check(&desk).await;
    // S26: in REPEATABLE READ the snapshot is from before the wait.
    let stale = clients.first().unwrap();
    stale.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    assert_eq!(trade(ALPHA).buy(1).sqlstate(stale).await, "TR006");
}

#[tokio::test]
async fn writers_on_two_accounts_of_a_wide_limit_wait_for_each_other() {
    let desk = Desk::open().await;
    let one = writer(&desk).await;
    let other = desk.database.client_as(&format!("{}_writer", desk.database.name())).await;
    limit("max_exposure", 15_000, "USD").insert(&desk).await;
    one.batch_execute("BEGIN").await.unwrap();
    trade(ALPHA).buy(10_000).insert(&one).await;

    let second = trade(BRAVO).buy(10_000);
    let (answer, waited) = tokio::join!(second.sqlstate(&other), desk.commit_when_awaited(&one));

    assert_eq!((answer.as_str(), waited), ("TR005", true));
}

/// A program closes a trade and does not commit.
#[tokio::test]
async fn an_uncommitted_close_delays_no_other_writer() {
    let desk = Desk::open().await;
    let (one, other) = (desk.database.client().await, writer(&desk).await);
    let trader = desk.trader().await;
    limit("max_exposure", 1_000_000, "USD").insert(&desk).await;
    for size in [100, 200, 300] {
        trade(ALPHA).buy(size).insert(&one).await;
    }
    let close = async |client: &Client, size: u32| {
        let sql = "UPDATE trades SET status = 'closed', exit_price = 1.2 WHERE position_size = $1";
        client.execute(sql, &[&Decimal::from(size)]).await.unwrap();
    };
    one.batch_execute("BEGIN").await.unwrap();
    close(&one, 100).await;

    for client in [&other, &trader] {
        client.batch_execute("SET lock_timeout = '5s'").await.unwrap();
    }
    buy(1000).place(&trader).await.accepted();
    trade(ALPHA).buy(400).insert(&other).await;
    trade(BRAVO).buy(500).insert(&other).await;
    close(&other, 200).await;
    // The trader has changed the account meanwhile, which is written next.
    let account = "UPDATE accounts SET equity = equity WHERE account_name = 'alpha'; COMMIT";
    one.batch_execute(account).await.unwrap();
    // Nor does it fail because another session closed.
    other
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM trades")
        .await
        .unwrap();
    close(&one, 400).await;
    close(&other, 300).await;
    other.batch_execute("COMMIT").await.unwrap();

    crate::running_totals::check(&desk).await;
    trade(ALPHA).buy(600).insert(&one).await;
    assert_eq!(desk.text("SELECT count(*) FROM tmt.trade_total_changes").await, "0");
    crate::running_totals::check(&desk).await;
}

/// It is valued at the highest price that each account paid.
#[tokio::test]
async fn a_position_without_a_quote_is_valued_at_cost() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    desk.run(
        "INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size)
         VALUES ('AAA_USD', 'AAA', 'USD', 0.01, 0.01)",
    )
    .await;
    limit("max_exposure", 2000, "USD").of_portfolio("majors").insert(&desk).await;
    let paid = |account: AccountId, size: u32, price: u32| {
        trade(account).of_instrument("AAA_USD").buy(size).at(price)
    };

    paid(ALPHA, 10, 100).insert(&writer).await;
    paid(BRAVO, 1, 1000).insert(&writer).await;
    assert_eq!(paid(ALPHA, 1, 1).sqlstate(&writer).await, "TR005");
}

#[tokio::test]
async fn a_position_with_an_inconsistent_pnl_is_refused() {
    let desk = Desk::open().await;
    let writer = writer(&desk).await;
    let long = || position(ALPHA).long(100_000);
    assert_eq!(long().marked("1.11", "998.98").sqlstate(&writer).await, "TR010");
    let unmarked = long().set("current_price", "numeric", "1.11").null("unrealized_pnl");
    assert_eq!(unmarked.sqlstate(&writer).await, "TR010");
    long().marked("1.11", "1000.99").insert(&writer).await;
    let set = |change: &str| format!("UPDATE positions SET {change}");
    assert_eq!(sqlstate(&writer, &set("current_price = 1.12")).await, "TR010");
    writer.batch_execute(&set("current_price = 1.12, unrealized_pnl = 2000")).await.unwrap();
    // Its stop can be moved regardless of the P&L, and a wrong row can be repaired.
    desk.run_without_triggers("UPDATE positions SET unrealized_pnl = 5").await;
    writer.batch_execute(&set("stop_loss = 1.09")).await.unwrap();
    writer.batch_execute(&set("unrealized_pnl = 2000")).await.unwrap();
    let pnl = "SELECT calculate_unrealized_pnl(position_id) FROM positions";
    assert_eq!(desk.text(pnl).await, "2000.00");
    // S28: a second closed position is allowed, a second live one is not.
    let another = position(ALPHA).long(1).set("unrealized_pnl", "numeric", 0);
    assert_eq!(another.sqlstate(&writer).await, "23505");
    writer.batch_execute(&set("status = 'closed'")).await.unwrap();
    another.insert(&writer).await;
    writer.batch_execute(&set("status = 'closed'")).await.unwrap();
}

#[tokio::test]
async fn a_position_changed_by_another_writer_is_closed_as_stored() {
    let desk = Desk::open().await;
    let (writer, trader) = (writer(&desk).await, desk.trader().await);
    buy(10_000).place(&trader).await.accepted();
    writer
        .batch_execute("UPDATE positions SET total_size = 20000, average_entry_price = 1.09, current_price = 1.1, unrealized_pnl = 200")
        .await
        .unwrap();

    let closed = close(desk.position().await).at("1.1").send(&trader).await.accepted();

    assert_eq!(closed.detail.get("gross_pnl").unwrap(), "200.00");
    // The rulebook booked one trade of 10,000; the rest is not one of its trades.
    let trade = "SELECT status || ' ' || closed_size FROM trades";
    assert_eq!(desk.text(trade).await, "closed 10000.00");
}

#[tokio::test]
async fn an_order_finds_no_room_taken_by_another_program() {
    let exposure = limit("max_exposure", 110_000, "USD");
    for limit in [
        exposure.clone().of(ALPHA),
        exposure.clone().of_portfolio("majors"),
        exposure.clone().of_instrument("EUR_USD"),
        exposure,
    ] {
        let desk = Desk::open().await;
        let (writer, trader) = (writer(&desk).await, desk.trader().await);
        limit.insert(&desk).await;
        let used = async || {
            let lines = buy(1000).assess(&trader).await;
            lines.find("MAX_EXPOSURE").before.unwrap()
        };
        // 88,000 USD, and no position yet.
        trade(ALPHA).buy(80_000).insert(&writer).await;
        assert_eq!(used().await, dec!(88000), "{limit:?}");
        buy(21_000).place(&trader).await.refused("MAX_EXPOSURE");
        buy(5000).place(&trader).await.accepted();
        assert_eq!(used().await, dec!(93500), "{limit:?}");
        // A reducing trade is not limited.
        sell(5000).place(&trader).await.accepted();

        // It becomes a position and counts once.
        position(ALPHA).long(80_000).insert(&writer).await;
        assert_eq!(used().await, dec!(88000), "{limit:?}");
        // The trade is closed first, then its position.
        let closed =
            "UPDATE trades SET status = 'closed', exit_price = 1.1 WHERE position_size = 80000";
        writer.batch_execute(closed).await.unwrap();
        assert_eq!(used().await, dec!(88000), "{limit:?}: its position is open");
        writer.batch_execute("UPDATE positions SET status = 'closed'").await.unwrap();
        assert_eq!(used().await, dec!(0), "{limit:?}");
    }
}

#[tokio::test]
async fn no_interleaving_of_orders_and_other_writers_breaks_a_limit() {
    // Room for ten.
    let exposure = limit("max_exposure", 110_000, "USD");
    for limit in [exposure.clone().of(ALPHA), exposure] {
        let desk = Desk::open().await;
        limit.insert(&desk).await;
        let (writer, trader) = (
            desk.database.login("writer", "tmt_viewer").await,
            desk.database.login("trader", "tmt_trader").await,
        );
        desk.run(&format!("GRANT INSERT, UPDATE ON trades, positions TO {writer}")).await;
        let sessions = join_all(
            (0..16).map(|n| desk.database.client_as(if n % 2 == 0 { &writer } else { &trader })),
        );
        join_all(sessions.await.iter().enumerate().map(async |(n, session)| {
            for _ in 0..3 {
                if n % 2 == 0 {
                    // A refusal is an error there.
                    trade(ALPHA).buy(10_000).try_insert(session).await.ok();
                } else {
                    buy(10_000).because("race").place(session).await;
                }
            }
        }))
        .await;
        let live = "SELECT sum(position_size - closed_size)::int FROM trades WHERE status IN ('open', 'partial')";
        assert_eq!(desk.text(live).await, "100000", "{limit:?}");
        crate::running_totals::check(&desk).await;
    }
}
