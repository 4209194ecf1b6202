//! Netting: average cost for positions, first in first out for trades, with the same total.

use std::str::FromStr;

use rust_decimal::{Decimal, dec};
use tmt::domain::ids::AccountId;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::dice::Dice;
use crate::rows::{position, trade};
use crate::verbs::{Verb as _, buy, charge, close, flatten, sell};

const TRADES: &str =
    "SELECT string_agg(concat_ws(' ', status, closed_size || '/' || position_size, '@' || entry_price,
        '->' || exit_price, gross_pnl, commission, swap_fee, '=', net_pnl), '; ' ORDER BY entry_time) FROM trades";

#[tokio::test]
async fn a_hedging_account_keeps_a_position_per_trade() {
    let desk = Desk::permissive().await;
    let trader = desk.trader().await;
    desk.run("UPDATE accounts SET metadata = metadata || '{\"position_mode\": \"hedging\"}'").await;
    let long = buy(100_000).bare();
    let short = sell(40_000).at("1.105").bare();
    for order in [&long, &short] {
        let answer = order.place(&trader).await.accepted();
        assert_eq!((answer.code, answer.subject), (None, Some(order.key())));
    }
    // NET-11.
    desk.run(
        "UPDATE fx_rates SET rate = 1.10305, bid = 1.103, ask = 1.1031 WHERE from_currency = 'EUR'",
    )
    .await;
    desk.mark().await;
    let live = "SELECT string_agg(concat_ws(' ', position_type, total_size, unrealized_pnl), '; ' ORDER BY position_type)
        FROM positions WHERE status = 'open'";
    assert_eq!(desk.text(live).await, "LONG 100000.00 300.00; SHORT 40000.00 76.00");
    assert_eq!(desk.text("SELECT sum(gross_pnl) FROM trade_fills").await, "-");
    assert_eq!(desk.text("SELECT count(*) FROM positions WHERE netting_key = ''").await, "0");

    // A position is closed by its trade, at its own side of the market.
    let closed = close(short.key()).size(10_000).send(&trader).await.accepted();
    assert_eq!(closed.detail.get("gross_pnl").unwrap(), "19.00");
    close(short.key()).size(30_001).send(&trader).await.refused("REDUCE_ONLY_EXCEEDS_POSITION");
    close(short.key()).send(&trader).await.accepted();
    assert_eq!(desk.text(live).await, "LONG 100000.00 300.00");
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn a_named_trade_is_closed_before_older_ones() {
    let desk = Desk::permissive().await;
    let trader = desk.trader().await;
    let first = buy(30_000).bare();
    let second = buy(20_000).at("1.104").bare();
    first.place(&trader).await.accepted();
    second.place(&trader).await.accepted();

    let over = close(second.key())
        .size("20000.01")
        .send(&trader)
        .await
        .refused("REDUCE_ONLY_EXCEEDS_POSITION");
    assert_eq!(over.allowed, Some(dec!(20000)));
    let part = close(second.key()).size(8000).at("1.106").send(&trader).await.accepted();

    // The position realizes at its average of 1.1016, the trade at its own entry.
    assert_eq!(part.subject, Some(desk.position().await));
    assert_eq!(part.detail.get("gross_pnl").unwrap(), "35.20");
    assert_eq!(part.message, "Closed 8,000 EUR_USD at 1.10600: +35.20 USD, 42,000 left.");
    assert_eq!(
        desk.text(TRADES).await,
        "open 0.00/30000.00 @1.10000 0.00 0.00 =; partial 8000.00/20000.00 @1.10400 ->1.10600 16.00 0.00 0.00 = 16.00"
    );
    close(second.key()).at("1.106").send(&trader).await.accepted();
    let again = close(second.key()).send(&trader).await.refused("TRADE_NOT_OPEN");
    assert!(again.message.starts_with("This trade was closed at "), "{}", again.message);
    close(desk.position().await).at("1.1").send(&trader).await.accepted();
    assert_eq!(desk.text("SELECT sum(gross_pnl) FROM trades").await, "40.00");
    assert_eq!(desk.text("SELECT sum(gross_pnl) FROM trade_fills").await, "40.00");
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn the_exit_price_is_the_exact_mean_of_the_exits() {
    let desk = Desk::permissive().await;
    buy(4).bare().place(&desk.admin).await.accepted();
    let position = desk.position().await;
    for price in [dec!(1.1), dec!(1.10001), dec!(1.1)] {
        close(position).size(1).at(price).send(&desk.admin).await.accepted();
    }
    // 3.30001 / 3; with the mean of the first two rounded to 1.10001 it would be 1.10001.
    assert_eq!(desk.text("SELECT exit_price FROM trades").await, "1.10000");
    // Another program closed a part: its own exit price is used.
    desk.run("UPDATE trades SET exit_price = 1.2, closed_size = 2").await;
    close(position).at("1.1").send(&desk.admin).await.accepted();
    assert_eq!(desk.text("SELECT exit_price FROM trades").await, "1.16667");
}

#[tokio::test]
async fn equity_and_margin_include_positions_of_other_programs() {
    let desk = Desk::permissive().await;
    desk.run("UPDATE instruments SET margin_rate = 0.05").await;
    // Another program writes no margin and marks the position itself.
    let other = position(ALPHA).of_instrument("USD_JPY").long(31_000).at(150).marked(155, 1000);
    other.insert(&desk.admin).await;
    desk.run("UPDATE positions SET current_price = 150, unrealized_pnl = 0").await;
    let account = "SELECT concat_ws(' ', equity, margin_used, available_balance) FROM accounts WHERE account_name = 'alpha'";
    buy(100_000).bare().place(&desk.admin).await.accepted();
    // 31,000 × 150 / 155 × 5 % and 100,000 × 1.0999 × 5 %.
    assert_eq!(desk.text(account).await, "99990.00 6999.50 92990.50");
    // Margin that is not stored is computed.
    desk.run("UPDATE positions SET margin_used = NULL").await;
    let position = desk.position_in("EUR_USD").await;
    close(position).size(40_000).at("1.1").send(&desk.admin).await.accepted();
    assert_eq!(desk.text(account).await, "99994.00 4799.70 95194.30");
    close(position).at("1.1").send(&desk.admin).await.accepted();
    assert_eq!(desk.text(account).await, "100000.00 1500.00 98500.00");
    desk.mark().await;
    assert_eq!(desk.text(account).await, "100998.00 1549.90 99448.10");
}

#[tokio::test]
async fn a_cost_keeps_a_bounded_number_of_digits() {
    let desk = Desk::permissive().await;
    buy("99.97").bare().place(&desk.admin).await.accepted();
    let position = desk.position().await;
    for _ in 0..20 {
        close(position).size("3.01").send(&desk.admin).await.accepted();
    }
    let cost = "SELECT scale(cost) <= 18 AND round(cost / total_size, 15) = 1.1 FROM positions";
    assert_eq!(desk.text(cost).await, "true");
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn commission_is_charged_per_side_to_trade_and_balance() {
    let desk = Desk::permissive().await;
    let trader = desk.trader().await;
    desk.run(
        "UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"0.00003\"}}' WHERE account_name = 'alpha';
         UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"1\", \"by_instrument\": {\"EUR_USD\": \"0.00005\"}}}'
          WHERE account_name = 'bravo'",
    )
    .await;
    buy(10_000).bare().place(&trader).await.accepted();
    buy(20_000).bare().place(&trader).await.accepted();
    let position = desk.position().await;

    // 30,000 × 0.00003 = 0.90 over two trades; gross 30.
    let closed = close(position).at("1.101").send(&trader).await.accepted();

    assert_eq!(closed.detail.get("commission").unwrap(), "0.90");
    assert_eq!(closed.detail.get("net_pnl").unwrap(), "29.10");
    assert_eq!(
        desk.text(TRADES).await,
        "closed 10000.00/10000.00 @1.10000 ->1.10100 10.00 0.60 0.00 = 9.40; \
         closed 20000.00/20000.00 @1.10000 ->1.10100 20.00 1.20 0.00 = 18.80"
    );
    let balance =
        "SELECT current_balance || ' ' || equity FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(balance).await, "100028.20 100028.20");
    buy(100_000).bare().on(BRAVO).place(&trader).await.accepted();
    assert_eq!(
        desk.text("SELECT current_balance FROM accounts WHERE account_name = 'bravo'").await,
        "99995.00"
    );
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn a_split_commission_adds_up() {
    // RND-05: three trades, one commission.
    let desk = Desk::permissive().await;
    for _ in 0..3 {
        buy(10).bare().place(&desk.admin).await.accepted();
    }
    desk.execute("SELECT desk.book_fill(gen_random_uuid(), $1, 'EUR_USD', 'SELL', 30, 1.1, 1, 1.00, 0.50, NULL, NULL, NULL, NULL, clock_timestamp())", &[&ALPHA.0])
    .await;
    assert_eq!(
        desk.text(
            "SELECT string_agg(commission || ' ' || swap_fee, ', ' ORDER BY entry_time) FROM trades"
        )
        .await,
        "0.33 0.17, 0.33 0.17, 0.34 0.16"
    );
}

#[tokio::test]
async fn an_amount_out_of_range_is_refused_and_books_nothing() {
    let desk = Desk::permissive().await;
    desk.run("UPDATE fx_rates SET bid = 1.1, ask = 1.1 WHERE from_currency = 'EUR'").await;
    let huge = buy(9_000_000_000_u64).bare();
    huge.place(&desk.admin).await.accepted();
    let position = desk.position().await;
    let state =
        "SELECT concat_ws(' ', (SELECT count(*) FROM trade_fills), (SELECT count(*) FROM trades),
        (SELECT sum(total_size) FROM positions), (SELECT sum(current_balance) FROM accounts))";
    let before = desk.text(state).await;

    // 17,100,000,000 of profit.
    let closed = close(position).at(3).because("a slip");
    closed.send(&desk.admin).await.refused("AMOUNT_OUT_OF_RANGE");
    let more = sell(9_000_000_000_u64).at(3).because("a slip").bare();
    more.place(&desk.admin).await.refused("AMOUNT_OUT_OF_RANGE");
    // The answer is kept under its key.
    more.place(&desk.admin).await.refused("AMOUNT_OUT_OF_RANGE");
    let charged = charge(position, "swap", 100_000_000_000_u64);
    charged.send(&desk.admin).await.refused("AMOUNT_OUT_OF_RANGE");
    let all = flatten(ALPHA).send(&desk.admin).await;
    assert_eq!(all.outcome, "accepted", "{all:?}");

    assert_ne!(desk.text(state).await, before);
    assert_eq!(desk.text("SELECT count(*) FROM trade_fills").await, "2");
}

#[tokio::test]
async fn the_id_of_a_trade_of_another_program_is_not_booked_again() {
    let desk = Desk::permissive().await;
    let order = buy(1000).bare();
    let other = trade(BRAVO).buy(1).status("closed").ago("entry_time", "3 months");
    other.set("trade_id", "uuid", order.key()).insert(&desk.admin).await;
    order.place(&desk.admin).await.refused("KEY_REUSED");
    assert_eq!(desk.text("SELECT count(*) FROM positions").await, "0");
}

#[tokio::test]
async fn trades_of_another_program_are_closed_in_order() {
    let desk = Desk::permissive().await;
    // An adopted position, and its trades of different months, which do not refer to it.
    for row in [
        position(ALPHA).long(30).at("1.05").marked("1.0999", "1.50").ago("opened_at", "1 day"),
        trade(ALPHA).buy(10).at("1.04").ago("entry_time", "8 months"),
        trade(ALPHA).buy(20).at("1.055").ago("entry_time", "2 days"),
    ] {
        row.insert(&desk.admin).await;
    }
    buy(10).bare().place(&desk.admin).await.accepted();

    let closed = close(desk.position().await).size(15).at("1.1").send(&desk.admin).await.accepted();

    assert_eq!(closed.detail.pointer("/trades/0/size").unwrap(), "10.00");
    assert_eq!(
        desk.text(TRADES).await,
        "closed 10.00/10.00 @1.04000 ->1.10000 0.60 0.00 0.00 = 0.60; \
         partial 5.00/20.00 @1.05500 ->1.10000 0.23 0.00 0.00 = 0.23; open 0.00/10.00 @1.10000 0.00 0.00 ="
    );
    // Rows of another program have no fills to compare with.
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

/// Trades, closes or charges something on an account, at a price.
async fn deal(desk: &Desk, dice: &mut Dice, account: AccountId, price: Decimal) {
    let size = Decimal::from(dice.below(500_000) + 1) / dec!(100);
    let salt = dice.below(1000).to_string();
    let live = "SELECT trade_id || ' ' || position_id || ' ' || position_size - closed_size FROM trades
        WHERE account_id = $1 AND status IN ('open', 'partial') ORDER BY md5(trade_id::text || $2) LIMIT 1";
    let live = desk.text_of(live, &[&account.0, &salt]).await;
    let parts: Vec<&str> = live.split(' ').collect();
    match (dice.below(10), parts.as_slice()) {
        (7, [trade, _, open]) => {
            let part = (Decimal::from_str(open).unwrap() / dec!(3)).round_dp(2).max(dec!(0.01));
            close(trade).size(part).at(price).send(&desk.admin).await.accepted();
        }
        (8, [_, position, _]) => {
            close(position).send(&desk.admin).await.accepted();
        }
        (9, [_, position, _]) => {
            let amount = Decimal::from(dice.below(900)) / dec!(100) - dec!(3.005);
            let swap = charge(position, "swap", amount).because("a night");
            swap.send(&desk.admin).await.accepted();
        }
        (dealt, _) => {
            let side = if dealt % 2 == 0 { "BUY" } else { "SELL" };
            let order = buy(size).on(account).side(side).at(price);
            order.bare().place(&desk.admin).await.accepted();
        }
    }
}

#[tokio::test]
async fn random_trading_conserves_cash_and_agrees_with_its_fills() {
    let desk = Desk::permissive().await;
    desk.run(
        "UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"0.0037\"}}';
         UPDATE accounts SET base_currency = 'USD', metadata = metadata || '{\"position_mode\": \"hedging\"}' WHERE account_name = 'bravo'",
    )
    .await;
    let mut dice = Dice::new(20_260_722);
    let mut price = dec!(1.1);
    for step in 0..150 {
        price += Decimal::from(dice.below(400)) / dec!(100000) - dec!(0.002);
        desk.rate("EUR", "USD", price).await;
        let account = if dice.below(2) == 0 { ALPHA } else { BRAVO };
        deal(&desk, &mut dice, account, price).await;
        if step % 10 == 0 {
            // At this mark positions at average cost and trades at their own entries have the same P&L,
            // up to the cent that each fill may round.
            let apart = "SELECT max(abs(p.total - t.total) - 0.01 * (t.fills + 1))::numeric(20,4) <= 0
                FROM (SELECT account_id, sum(realized_pnl + CASE status WHEN 'open' THEN CASE position_type WHEN 'LONG' THEN 1 ELSE -1 END
                                               * ($1 * total_size - cost) ELSE 0 END) AS total
                        FROM positions GROUP BY account_id) p
                JOIN (SELECT account_id, sum(coalesce(gross_pnl, 0) + CASE trade_type WHEN 'BUY' THEN 1 ELSE -1 END
                                               * ($1 - entry_price) * (position_size - closed_size)) AS total, count(*) * 3 AS fills
                        FROM trades GROUP BY account_id) t USING (account_id)";
            assert_eq!(desk.text_of(apart, &[&price]).await, "true", "step {step}");
        }
    }
    let books = "SELECT bool_and(a.current_balance = a.initial_balance + f.cash AND a.equity = a.current_balance + p.unrealized)
        FROM accounts a,
             LATERAL (SELECT sum(coalesce(gross_pnl, 0) - commission - swap_fee) AS cash FROM trade_fills WHERE account_id = a.account_id) f,
             LATERAL (SELECT coalesce(sum(unrealized_pnl), 0) AS unrealized FROM positions
                       WHERE account_id = a.account_id AND status = 'open') p";
    assert_eq!(desk.text(books).await, "true");
    let fees =
        "SELECT (SELECT sum(commission) FROM trades) = (SELECT sum(commission) FROM trade_fills)
        AND (SELECT sum(swap_fee) FROM trades) = (SELECT sum(swap_fee) FROM trade_fills)";
    assert_eq!(desk.text(fees).await, "true");
    let wrong = "SELECT string_agg(concat_ws(' ', kind, field, stored, rebuilt), '; ') FROM desk.reconcile()";
    assert_eq!(desk.text(wrong).await, "-");
    let kinds = "SELECT string_agg(DISTINCT effect, ' ') FROM trade_fills";
    assert_eq!(desk.text(kinds).await, "close fee open");
}
