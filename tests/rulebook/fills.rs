//! Booking of fills: what a trade, a close and a mark write.

use futures_util::future::join_all;
use rust_decimal::dec;

use crate::desk::{ALPHA, BRAVO, Desk, begin, commit};
use crate::verbs::{Verb as _, buy, close, halt, limit, order, sell};

/// The figures of the account and the rows they must agree with.
const ACCOUNT: &str =
    "SELECT format('%s %s %s %s', current_balance, equity, margin_used, available_balance)
    FROM accounts WHERE account_name = 'alpha'";
const POSITIONS: &str = "SELECT string_agg(format('%s %s %s @%s pnl %s realized %s', status, position_type, total_size,
        average_entry_price, unrealized_pnl, realized_pnl), '; ' ORDER BY opened_at) FROM positions";
const TRADES: &str = "SELECT string_agg(format('%s %s of %s %s @%s -> %s gross %s', status, closed_size, position_size,
        trade_type, entry_price, coalesce(exit_price::text, '-'), coalesce(gross_pnl::text, '-')), '; ' ORDER BY entry_time)
    FROM trades";

#[tokio::test]
async fn a_trade_is_booked_in_every_table() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;

    let answer = buy(100_000).place(&trader).await.accepted();

    assert_eq!(answer.message, "Bought 100,000 EUR_USD at 1.10000.");
    assert_eq!(answer.detail.get("risk_amount").unwrap(), "500.00");
    assert_eq!(answer.detail.get("risk_percentage").unwrap(), "0.0050");
    // Marked at the bid of 1.0999; margin 3.33 % of that.
    assert_eq!(desk.text(POSITIONS).await, "open LONG 100000.00 @1.10000 pnl -10.00 realized 0.00");
    assert_eq!(desk.text(TRADES).await, "open 0.00 of 100000.00 BUY @1.10000 -> - gross -");
    assert_eq!(desk.text(ACCOUNT).await, "100000.00 99990.00 3662.67 96327.33");
    let fill = "SELECT format('%s %s %s %s fx %s', side, effect, size, price, trim_scale(fx_rate)) FROM trade_fills";
    assert_eq!(desk.text(fill).await, "BUY open 100000.00 1.10000 fx 1");
    let day = "SELECT string_agg(format('%s %s %s', period_type, start_balance, start_equity), ', ' ORDER BY period_type)
        FROM performance_metrics";
    assert_eq!(
        desk.text(day).await,
        "daily 100000.00 100000.00, monthly 100000.00 100000.00, weekly 100000.00 100000.00"
    );
    assert_eq!(desk.text("SELECT last_trade_at > now() - interval '1 minute' FROM accounts WHERE account_name = 'alpha'").await, "true");
}

#[tokio::test]
async fn a_close_realizes_at_average_cost_and_takes_trades_first_in_first_out() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let at = |size, price| buy(size).at(price).stop("1.09").without_target();
    at(dec!(100000), dec!(1.1)).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.11)).await;
    at(dec!(100000), dec!(1.12)).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.13)).await;
    let position = desk.position().await;

    let answer = close(position).size(100_000).send(&trader).await.accepted();

    // NET-10: the position realizes 2,000 at its average, the oldest trade 3,000 at its own entry.
    assert_eq!(answer.message, "Closed 100,000 EUR_USD at 1.13000: +2,000.00 USD, 100,000 left.");
    assert_eq!(
        desk.text(POSITIONS).await,
        "open LONG 100000.00 @1.11000 pnl 2000.00 realized 2000.00"
    );
    assert_eq!(
        desk.text(TRADES).await,
        "closed 100000.00 of 100000.00 BUY @1.10000 -> 1.13000 gross 3000.00; open 0.00 of 100000.00 BUY @1.12000 -> - gross -"
    );
    let rest = close(position).at("1.135").send(&trader).await.accepted();
    assert_eq!(rest.detail.get("gross_pnl").unwrap(), "2500.00");
    assert_eq!(desk.text("SELECT sum(gross_pnl) FROM trades").await, "4500.00");
    assert_eq!(desk.text("SELECT sum(gross_pnl) FROM trade_fills").await, "4500.00");
    assert_eq!(desk.text(ACCOUNT).await, "104500.00 104500.00 0.00 104500.00");
    // A closed position keeps its size, and cannot be closed again.
    assert_eq!(
        desk.text(POSITIONS).await,
        "closed LONG 100000.00 @1.11000 pnl 0.00 realized 4500.00"
    );
    close(position).send(&trader).await.refused("POSITION_NOT_OPEN");
}

#[tokio::test]
async fn a_close_is_at_least_a_step_and_at_most_the_position() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    let position = desk.position().await;

    let over = close(position)
        .size("10000.01")
        .send(&trader)
        .await
        .refused("REDUCE_ONLY_EXCEEDS_POSITION");
    assert_eq!(over.allowed, Some(dec!(10000)));
    close(position).size("0.5").send(&trader).await.refused("SIZE_NOT_A_STEP");
    let zero = close(position).size(0).send(&trader).await.refused("SIZE_NOT_A_STEP");
    assert_eq!(zero.message, "The size must be above zero.");
    close(position).size(-5).send(&trader).await.refused("SIZE_NOT_A_STEP");
    close(position).at("1.100001").send(&trader).await.refused("PRICE_NOT_A_TICK");
    close(position).at(-1).send(&trader).await.refused("PRICE_UNKNOWN");
    close(position).at(100_000).send(&trader).await.refused("PRICE_OUT_OF_RANGE");
    close(uuid::Uuid::new_v4()).send(&trader).await.refused("POSITION_UNKNOWN");
    // A price far from a live market needs a reason.
    let off = close(position).at("1.2").send(&trader).await.refused("CONFIRM_REQUIRED");
    assert!(off.message.contains("away from the market"), "{}", off.message);
    assert_eq!(desk.text(POSITIONS).await, "open LONG 10000.00 @1.10000 pnl -1.00 realized 0.00");
    let why = "broker filled it there";
    close(position).at("1.2").because(why).send(&trader).await.accepted();
}

#[tokio::test]
async fn a_flip_closes_the_position_and_opens_the_rest() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();

    let reducing = sell(30_000).bare().place(&trader).await.accepted();
    assert_eq!(reducing.code.as_deref(), Some("REDUCED"));
    assert_eq!(reducing.subject, Some(desk.position().await));
    assert_eq!(desk.text("SELECT count(*) FROM trades").await, "1");

    let flip = sell(120_000).at("1.105").stop("1.11").target("1.09");
    let flipped = flip.place(&trader).await.accepted();

    assert_eq!(flipped.code.as_deref(), Some("FLIPPED"));
    assert_eq!(flipped.subject, Some(flip.key()));
    assert_eq!(flipped.message, "Sold 120,000 EUR_USD at 1.10500, realized +350.00 USD.");
    assert_eq!(
        desk.text(POSITIONS).await,
        "closed LONG 70000.00 @1.10000 pnl 0.00 realized 350.00; open SHORT 50000.00 @1.10500 pnl 245.00 realized 0.00"
    );
    // The risk is that of the opening part alone: 50,000 × 0.005.
    assert_eq!(flipped.detail.get("risk_amount").unwrap(), "250.00");
    assert_eq!(
        desk.text(
            "SELECT string_agg(effect || size, ' ' ORDER BY recorded_at, effect) FROM trade_fills"
        )
        .await,
        "open100000.00 close30000.00 close70000.00 open50000.00"
    );
}

#[tokio::test]
async fn a_flip_is_checked_by_what_it_opens() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("max_exposure", 60_000, "USD").of(ALPHA).insert(&desk).await;
    buy(50_000).place(&trader).await.accepted();
    buy(50_000).place(&trader).await.refused("MAX_EXPOSURE");

    // EXP-03, EXP-04: a close is not limited, a flip is.
    assert_eq!(sell(50_000).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(sell(104_000).assess(&trader).await.objections(), [""; 0]);
    assert_eq!(sell(105_000).assess(&trader).await.objections(), ["MAX_EXPOSURE"]);
}

#[tokio::test]
async fn closing_is_possible_under_any_halt_status_or_limit_and_without_a_price() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let officer = desk.officer("officer").await;
    buy(90_000).place(&trader).await.accepted();
    let position = desk.position().await;

    limit("max_exposure", 1, "USD").of(ALPHA).insert(&desk).await;
    close(position).size(10_000).send(&trader).await.accepted();
    halt("system", "no_new_orders").because("test").send(&officer).await.accepted();
    close(position).size(10_000).send(&trader).await.accepted();
    for status in ["risk_halt", "suspended"] {
        desk.execute("UPDATE accounts SET status = $1", &[&status]).await;
        close(position).size(10_000).send(&trader).await.accepted();
    }
    desk.run("UPDATE fx_rates SET as_of = now() - interval '1 day'").await;
    close(position)
        .size(10_000)
        .at("1.3")
        .because("as the broker says")
        .send(&trader)
        .await
        .accepted();
    desk.run("DELETE FROM fx_rates; DELETE FROM instruments WHERE instrument = 'EUR_USD'").await;
    close(position).size(10_000).send(&trader).await.refused("PRICE_UNKNOWN");
    close(position).size(10_000).at("1.2").send(&trader).await.accepted();
    desk.run("UPDATE accounts SET status = 'closed'").await;
    close(position).size(10_000).at("1.2").send(&trader).await.refused("ACCOUNT_CLOSED");
    close(position).at("1.2").send(&officer).await.accepted();
}

#[tokio::test]
async fn a_close_with_a_stale_conversion_rate_is_booked_and_says_so() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = order("USD_JPY").buy(10_000).at(155).stop(154);
    order.place(&trader).await.accepted();
    desk.run("DELETE FROM fx_rates").await;

    let answer = close(desk.position().await).at("156.55").send(&trader).await.accepted();

    assert_eq!(answer.code.as_deref(), Some("RATE_NOT_CURRENT"));
    assert_eq!(answer.detail.get("fx_source").unwrap(), "last fill");
    assert_eq!(answer.detail.get("gross_pnl").unwrap(), "100.00");
}

#[tokio::test]
async fn a_loss_beyond_the_balance_is_booked_and_halts_the_account() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    desk.run("UPDATE accounts SET current_balance = 1000, equity = 1000, available_balance = 1000, initial_balance = 1000,
        max_daily_loss = 1, max_total_drawdown = 0.5").await;
    buy(20_000).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.044)).await;

    close(desk.position().await).send(&trader).await.accepted();

    // ACC-02: 1,000 − 1,120.
    assert_eq!(
        desk.text("SELECT current_balance || status FROM accounts WHERE account_name = 'alpha'")
            .await,
        "-120.00risk_halt"
    );
    assert_eq!(
        desk.text("SELECT severity FROM risk_events WHERE event_type = 'negative_balance'").await,
        "emergency"
    );
    buy(1000).place(&trader).await.refused("ACCOUNT_RISK_HALT");
}

#[tokio::test]
async fn longs_are_marked_at_the_bid_and_shorts_at_the_ask() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let admin = desk.member("admin", "tmt_admin").await;
    buy(100_000).place(&trader).await.accepted();
    let bravo = sell(100_000).on(BRAVO);
    bravo.place(&trader).await.accepted();
    desk.run("UPDATE fx_rates SET rate = 1.10495, bid = 1.1049, ask = 1.105, as_of = now() WHERE from_currency = 'EUR'").await;

    admin.batch_execute("SELECT desk.mark_to_market()").await.unwrap();

    // FX-08 in USD; bravo's −500 USD are −452.51 EUR at the mid.
    assert_eq!(
        desk.text("SELECT string_agg(position_type || ' ' || current_price || ' ' || unrealized_pnl, '; ' ORDER BY position_type) FROM positions").await,
        "LONG 1.10490 490.00; SHORT 1.10500 -452.51"
    );
    assert_eq!(desk.text(ACCOUNT).await, "100000.00 100490.00 3679.32 96810.68");
    assert_eq!(
        desk.text("SELECT equity FROM accounts WHERE account_name = 'bravo'").await,
        "99547.49"
    );
    // Nothing is written where nothing changed.
    let version = "SELECT string_agg(xmin::text, ',' ORDER BY position_id) FROM positions";
    let before = desk.text(version).await;
    admin.batch_execute("SELECT desk.mark_to_market()").await.unwrap();
    assert_eq!(desk.text(version).await, before);
    assert_eq!(desk.text("SELECT max(peak_equity) FROM performance_metrics").await, "100490.00");
}

#[tokio::test]
async fn marking_skips_an_account_that_is_being_traded() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();
    buy(100_000).on(BRAVO).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.2)).await;
    begin(&trader).await;
    // A refused order locks its account as well.
    sell(1000).place(&trader).await.refused("CONFIRM_REQUIRED");

    let sentinel = desk.impatient().await;
    sentinel.batch_execute("SELECT desk.mark_to_market()").await.unwrap();
    commit(&trader).await;

    let marked = "SELECT string_agg(account_name || ' ' || (p.current_price = 1.2), ', ' ORDER BY account_name)
        FROM positions p JOIN accounts USING (account_id)";
    assert_eq!(desk.text(marked).await, "alpha false, bravo true");
}

#[tokio::test]
async fn the_daily_pnl_of_a_position_starts_from_its_mark_at_midnight() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();
    // Opened yesterday, and 300 up when that day ended.
    desk.run_without_triggers(
        "UPDATE positions SET opened_at = now() - interval '1 day', day_started_at = now() - interval '2 days', unrealized_pnl = 300",
    )
    .await;
    desk.rate("EUR", "USD", dec!(1.104)).await;

    desk.mark().await;

    assert_eq!(
        desk.text("SELECT unrealized_pnl || ' ' || daily_pnl FROM positions").await,
        "400.00 100.00"
    );
}

#[tokio::test]
async fn sixteen_concurrent_orders_do_not_exceed_a_limit() {
    let desk = Desk::open().await;
    let login = desk.database.login("trader", "tmt_trader").await;
    desk.set("duplicate_window_seconds", "0").await;
    // Room for nine.
    limit("max_exposure", 100_000, "USD").of(ALPHA).insert(&desk).await;
    let clients = join_all((0..16).map(|_| desk.database.client_as(&login))).await;

    let answers =
        join_all(clients.iter().map(async |client| buy(10_000).place(client).await)).await;

    assert!(answers.iter().all(|a| matches!(a.code.as_deref(), None | Some("MAX_EXPOSURE"))));
    assert_eq!(answers.iter().filter(|a| a.outcome == "accepted").count(), 9);
    assert_eq!(desk.text("SELECT sum(total_size) FROM positions").await, "90000.00");
}

#[tokio::test]
async fn concurrent_orders_on_two_accounts_do_not_exceed_a_wide_limit() {
    let exposure = limit("max_exposure", 15_000, "USD");
    for limit in [
        exposure.clone(),
        exposure.clone().of_portfolio("majors"),
        exposure.of_instrument("EUR_USD"),
    ] {
        let desk = Desk::open().await;
        let (trader, other) = (desk.trader().await, desk.member("other", "tmt_trader").await);
        limit.insert(&desk).await;
        begin(&trader).await;
        buy(10_000).place(&trader).await.accepted();

        let second = buy(10_000).on(BRAVO);
        let (answer, waited) =
            tokio::join!(second.place(&other), desk.commit_when_awaited(&trader));

        assert!(waited, "{limit:?}");
        answer.refused("MAX_EXPOSURE");
        assert_eq!(desk.trades().await, 1, "{limit:?}");
    }
}

#[tokio::test]
async fn each_account_takes_a_signal_once() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let signal = crate::rows::signal("BUY", ["1.0999", "1.095", "1.11"]);
    let signal = signal.id("signal_id", &desk.admin).await;
    let take = |account: tmt::domain::ids::AccountId| buy(10_000).on(account).of_signal(signal);
    let state =
        "SELECT format('%s %s %s', status, execution_count, total_executed_size) FROM signals";

    assert_eq!(
        sell(10_000).of_signal(signal).assess(&trader).await.objections(),
        ["SIGNAL_MISMATCH"]
    );
    take(ALPHA).place(&trader).await.accepted();
    assert_eq!(desk.text(state).await, "pending 1 10000.00");
    take(ALPHA).place(&trader).await.refused("SIGNAL_ALREADY_EXECUTED");
    take(BRAVO).place(&trader).await.accepted();
    assert_eq!(desk.text(state).await, "executed 2 20000.00");
    assert_eq!(desk.text("SELECT slippage FROM trades LIMIT 1").await, "1.0000");
    desk.run("UPDATE signals SET status = 'pending', valid_until = now() - interval '1 s'; DELETE FROM signal_executions").await;
    take(ALPHA).place(&trader).await.refused("SIGNAL_EXPIRED");
}
