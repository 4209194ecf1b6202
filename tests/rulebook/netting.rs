//! Netting: average cost for positions, first in first out for trades, and the same total.

use std::str::FromStr;

use rust_decimal::{Decimal, dec};
use uuid::Uuid;

use crate::book::{ALPHA, BRAVO, Book, Order, buy, close, place, sell, verb};

const TRADES: &str =
    "SELECT string_agg(concat_ws(' ', status, closed_size || '/' || position_size, '@' || entry_price,
        '->' || exit_price, gross_pnl, commission, swap_fee, '=', net_pnl), '; ' ORDER BY entry_time) FROM trades";

/// A desk on which any price and any size is good, for what is about the arithmetic.
async fn permissive() -> Book {
    let book = Book::open().await;
    for (key, value) in [
        ("stop_required", "false"),
        ("price_collar_percent", "1000000"),
        ("duplicate_window_seconds", "0"),
    ] {
        book.set(key, value).await;
    }
    book.run(
        "UPDATE instruments SET size_step = 0.01, min_size = 0.01, margin_rate = 0;
         UPDATE accounts SET max_daily_loss = 1, max_total_drawdown = 0.5",
    )
    .await;
    book
}

fn bare(order: Order) -> Order {
    Order { stop: None, target: None, ..order }
}

#[tokio::test]
async fn a_hedging_account_keeps_its_tickets_apart() {
    let book = permissive().await;
    let trader = book.trader().await;
    book.run("UPDATE accounts SET metadata = metadata || '{\"position_mode\": \"hedging\"}'").await;
    let long = bare(buy(dec!(100000)));
    let short = bare(Order { price: dec!(1.105), ..sell(dec!(40000)) });
    for order in [&long, &short] {
        let verdict = place(&trader, order).await.accepted();
        assert_eq!((verdict.code, verdict.subject), (None, Some(order.key)));
    }
    // NET-11.
    book.run(
        "UPDATE fx_rates SET rate = 1.10305, bid = 1.103, ask = 1.1031 WHERE from_currency = 'EUR'",
    )
    .await;
    book.run("SELECT desk.mark_to_market()").await;
    let live = "SELECT string_agg(concat_ws(' ', position_type, total_size, unrealized_pnl), '; ' ORDER BY position_type)
        FROM positions WHERE status = 'open'";
    assert_eq!(book.text(live).await, "LONG 100000.00 300.00; SHORT 40000.00 76.00");
    assert_eq!(book.text("SELECT sum(gross_pnl) FROM trade_fills").await, "-");
    assert_eq!(book.text("SELECT count(*) FROM positions WHERE netting_key = ''").await, "0");

    // A ticket is closed by its trade, at the side of the market that is its own.
    let closed = close(&trader, short.key, Some(dec!(10000)), None).await.accepted();
    assert_eq!(closed.detail.get("gross_pnl").unwrap(), "19.00");
    close(&trader, short.key, Some(dec!(30001)), None)
        .await
        .refused("REDUCE_ONLY_EXCEEDS_POSITION");
    close(&trader, short.key, None, None).await.accepted();
    assert_eq!(book.text(live).await, "LONG 100000.00 300.00");
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn one_trade_is_closed_out_of_turn_when_it_is_named() {
    let book = permissive().await;
    let trader = book.trader().await;
    let first = bare(buy(dec!(30000)));
    let second = bare(Order { price: dec!(1.104), ..buy(dec!(20000)) });
    place(&trader, &first).await.accepted();
    place(&trader, &second).await.accepted();

    let over = close(&trader, second.key, Some(dec!(20000.01)), None)
        .await
        .refused("REDUCE_ONLY_EXCEEDS_POSITION");
    assert_eq!(over.allowed, Some(dec!(20000)));
    let part = close(&trader, second.key, Some(dec!(8000)), Some(dec!(1.106))).await.accepted();

    // The position at its average of 1.1016, the trade at its own entry.
    assert_eq!(part.subject, Some(book.position().await));
    assert_eq!(part.detail.get("gross_pnl").unwrap(), "35.20");
    assert_eq!(part.message, "Closed 8,000 EUR_USD at 1.10600: +35.20 USD, 42,000 left.");
    assert_eq!(
        book.text(TRADES).await,
        "open 0.00/30000.00 @1.10000 0.00 0.00 =; partial 8000.00/20000.00 @1.10400 ->1.10600 16.00 0.00 0.00 = 16.00"
    );
    close(&trader, second.key, None, Some(dec!(1.106))).await.accepted();
    let again = close(&trader, second.key, None, None).await.refused("TRADE_NOT_OPEN");
    assert!(again.message.starts_with("This trade was closed at "), "{}", again.message);
    close(&trader, book.position().await, None, Some(dec!(1.1))).await.accepted();
    assert_eq!(book.text("SELECT sum(gross_pnl) FROM trades").await, "40.00");
    assert_eq!(book.text("SELECT sum(gross_pnl) FROM trade_fills").await, "40.00");
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn the_exit_price_is_the_mean_of_the_exits_and_not_of_rounded_means() {
    let book = permissive().await;
    place(&book.admin, &bare(buy(dec!(4)))).await.accepted();
    let position = book.position().await;
    for price in [dec!(1.1), dec!(1.10001), dec!(1.1)] {
        close(&book.admin, position, Some(dec!(1)), Some(price)).await.accepted();
    }
    // 3.30001 / 3; with the mean of the first two rounded to 1.10001, it would come to that again.
    assert_eq!(book.text("SELECT exit_price FROM trades").await, "1.10000");
    // Another program closed a part: what it noted is all there is to go by.
    book.run("UPDATE trades SET exit_price = 1.2, closed_size = 2").await;
    close(&book.admin, position, None, Some(dec!(1.1))).await.accepted();
    assert_eq!(book.text("SELECT exit_price FROM trades").await, "1.16667");
}

#[tokio::test]
async fn an_account_is_the_sum_of_its_positions_whoever_wrote_them() {
    let book = permissive().await;
    book.run("UPDATE instruments SET margin_rate = 0.05").await;
    // Another program's: it knows no margin, and its price moves by its own hand.
    book.run(&format!(
        "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, current_price, unrealized_pnl)
         VALUES ('{ALPHA}', 'USD_JPY', 'LONG', 31000, 150, 155, 1000);
         UPDATE positions SET current_price = 150, unrealized_pnl = 0"
    ))
    .await;
    let account = "SELECT concat_ws(' ', equity, margin_used, available_balance) FROM accounts WHERE account_name = 'alpha'";
    place(&book.admin, &bare(buy(dec!(100000)))).await.accepted();
    // 31,000 × 150 / 155 × 5 % and 100,000 × 1.0999 × 5 %.
    assert_eq!(book.text(account).await, "99990.00 6999.50 92990.50");
    // What nobody noted is computed.
    book.run("UPDATE positions SET margin_used = NULL").await;
    let position = "SELECT position_id FROM positions WHERE instrument = 'EUR_USD'";
    let position = book.admin.query_one(position, &[]).await.unwrap().try_get(0).unwrap();
    close(&book.admin, position, Some(dec!(40000)), Some(dec!(1.1))).await.accepted();
    assert_eq!(book.text(account).await, "99994.00 4799.70 95194.30");
    close(&book.admin, position, None, Some(dec!(1.1))).await.accepted();
    assert_eq!(book.text(account).await, "100000.00 1500.00 98500.00");
    book.run("SELECT desk.mark_to_market()").await;
    assert_eq!(book.text(account).await, "100998.00 1549.90 99448.10");
}

#[tokio::test]
async fn a_cost_stays_a_number_of_bearable_length() {
    let book = permissive().await;
    place(&book.admin, &bare(buy(dec!(99.97)))).await.accepted();
    let position = book.position().await;
    for _ in 0..20 {
        close(&book.admin, position, Some(dec!(3.01)), None).await.accepted();
    }
    let cost = "SELECT scale(cost) <= 18 AND round(cost / total_size, 15) = 1.1 FROM positions";
    assert_eq!(book.text(cost).await, "true");
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn commission_is_what_the_account_pays_per_side_and_goes_to_trades_and_balance() {
    let book = permissive().await;
    let trader = book.trader().await;
    book.run(
        "UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"0.00003\"}}' WHERE account_name = 'alpha';
         UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"1\", \"by_instrument\": {\"EUR_USD\": \"0.00005\"}}}'
          WHERE account_name = 'bravo'",
    )
    .await;
    place(&trader, &bare(buy(dec!(10000)))).await.accepted();
    place(&trader, &bare(buy(dec!(20000)))).await.accepted();
    let position = book.position().await;

    // 30,000 × 0.00003 = 0.90 over two trades; gross 30.
    let closed = close(&trader, position, None, Some(dec!(1.101))).await.accepted();

    assert_eq!(closed.detail.get("commission").unwrap(), "0.90");
    assert_eq!(closed.detail.get("net_pnl").unwrap(), "29.10");
    assert_eq!(
        book.text(TRADES).await,
        "closed 10000.00/10000.00 @1.10000 ->1.10100 10.00 0.60 0.00 = 9.40; \
         closed 20000.00/20000.00 @1.10000 ->1.10100 20.00 1.20 0.00 = 18.80"
    );
    let balance =
        "SELECT current_balance || ' ' || equity FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(book.text(balance).await, "100028.20 100028.20");
    place(&trader, &Order { account: BRAVO.to_owned(), ..bare(buy(dec!(100000))) })
        .await
        .accepted();
    assert_eq!(
        book.text("SELECT current_balance FROM accounts WHERE account_name = 'bravo'").await,
        "99995.00"
    );
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn a_commission_that_is_split_adds_up() {
    // RND-05: three trades, one commission.
    let book = permissive().await;
    for _ in 0..3 {
        place(&book.admin, &bare(buy(dec!(10)))).await.accepted();
    }
    book.run(&format!(
        "SELECT desk.book_fill(gen_random_uuid(), '{ALPHA}', 'EUR_USD', 'SELL', 30, 1.1, 1, 1.00, 0.50, NULL, NULL, NULL, NULL, clock_timestamp())"
    ))
    .await;
    assert_eq!(
        book.text(
            "SELECT string_agg(commission || ' ' || swap_fee, ', ' ORDER BY entry_time) FROM trades"
        )
        .await,
        "0.33 0.17, 0.33 0.17, 0.34 0.16"
    );
}

#[tokio::test]
async fn an_amount_that_no_column_holds_is_an_answer_and_books_nothing() {
    let book = permissive().await;
    book.run("UPDATE fx_rates SET bid = 1.1, ask = 1.1 WHERE from_currency = 'EUR'").await;
    let huge = bare(buy(dec!(9000000000)));
    place(&book.admin, &huge).await.accepted();
    let position = book.position().await;
    let state =
        "SELECT concat_ws(' ', (SELECT count(*) FROM trade_fills), (SELECT count(*) FROM trades),
        (SELECT sum(total_size) FROM positions), (SELECT sum(current_balance) FROM accounts))";
    let before = book.text(state).await;

    // 17,100,000,000 of profit.
    let why = format!("'{position}', NULL, 3, 'a slip'");
    verb(&book.admin, "close_position", &why).await.refused("AMOUNT_OUT_OF_RANGE");
    let more = bare(Order { price: dec!(3), reason: Some("a slip"), ..sell(dec!(9000000000)) });
    place(&book.admin, &more).await.refused("AMOUNT_OUT_OF_RANGE");
    // The answer is kept, as every answer.
    place(&book.admin, &more).await.refused("AMOUNT_OUT_OF_RANGE");
    let charge = format!("'{position}', 'swap', 100000000000, NULL");
    verb(&book.admin, "charge", &charge).await.refused("AMOUNT_OUT_OF_RANGE");
    let all = verb(&book.admin, "flatten", &format!("'{ALPHA}', NULL")).await;
    assert_eq!(all.outcome, "accepted", "{all:?}");

    assert_ne!(book.text(state).await, before);
    assert_eq!(book.text("SELECT count(*) FROM trade_fills").await, "2");
}

#[tokio::test]
async fn the_id_of_a_trade_that_another_program_booked_is_not_booked_again() {
    let book = permissive().await;
    let order = bare(buy(dec!(1000)));
    book.run(&format!(
        "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                             risk_percentage, entry_time, status)
         VALUES ('{}', '{BRAVO}', 'EUR_USD', 'BUY', 1, 1, 1, 0.01, now() - interval '3 months', 'closed')",
        order.key
    ))
    .await;
    place(&book.admin, &order).await.refused("KEY_REUSED");
    assert_eq!(book.text("SELECT count(*) FROM positions").await, "0");
}

#[tokio::test]
async fn trades_of_another_program_are_closed_in_their_turn() {
    let book = permissive().await;
    // An adopted book: a position and its trades, which know nothing of each other, in different months.
    book.run(&format!(
        "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, current_price, unrealized_pnl, opened_at)
         VALUES ('{ALPHA}', 'EUR_USD', 'LONG', 30, 1.05, 1.0999, 1.50, now() - interval '1 day');
         INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time)
         VALUES ('{ALPHA}', 'EUR_USD', 'BUY', 10, 1.04, 1, 0.01, now() - interval '8 months'),
                ('{ALPHA}', 'EUR_USD', 'BUY', 20, 1.055, 1, 0.01, now() - interval '2 days')"
    ))
    .await;
    place(&book.admin, &bare(buy(dec!(10)))).await.accepted();

    let closed =
        close(&book.admin, book.position().await, Some(dec!(15)), Some(dec!(1.1))).await.accepted();

    assert_eq!(closed.detail.pointer("/trades/0/size").unwrap(), "10.00");
    assert_eq!(
        book.text(TRADES).await,
        "closed 10.00/10.00 @1.04000 ->1.10000 0.60 0.00 0.00 = 0.60; \
         partial 5.00/20.00 @1.05500 ->1.10000 0.23 0.00 0.00 = 0.23; open 0.00/10.00 @1.10000 0.00 0.00 ="
    );
    // What came from elsewhere is not judged by fills that it does not have.
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

/// A generator that gives the same book on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Trades, closes or charges something on an account, at a price.
async fn deal(book: &Book, dice: &mut Dice, account: &str, price: Decimal) {
    let size = Decimal::from(dice.roll(500_000) + 1) / dec!(100);
    let salt = dice.roll(1000);
    let live = format!(
        "SELECT trade_id || ' ' || position_id || ' ' || position_size - closed_size FROM trades
          WHERE account_id = '{account}' AND status IN ('open', 'partial') ORDER BY md5(trade_id::text || {salt}) LIMIT 1"
    );
    let live = book.text(&live).await;
    let parts: Vec<&str> = live.split(' ').collect();
    match (dice.roll(10), parts.as_slice()) {
        (7, [trade, _, open]) => {
            let part = (Decimal::from_str(open).unwrap() / dec!(3)).round_dp(2).max(dec!(0.01));
            let ticket = Uuid::from_str(trade).unwrap();
            close(&book.admin, ticket, Some(part), Some(price)).await.accepted();
        }
        (8, [_, position, _]) => {
            let ticket = Uuid::from_str(position).unwrap();
            close(&book.admin, ticket, None, None).await.accepted();
        }
        (9, [_, position, _]) => {
            let amount = Decimal::from(dice.roll(900)) / dec!(100) - dec!(3.005);
            let charge = format!("'{position}', 'swap', {amount}, 'a night'");
            verb(&book.admin, "charge", &charge).await.accepted();
        }
        (dealt, _) => {
            let side = if dealt % 2 == 0 { "BUY" } else { "SELL" };
            let order = Order { account: account.to_owned(), side, price, ..buy(size) };
            place(&book.admin, &bare(order)).await.accepted();
        }
    }
}

#[tokio::test]
async fn random_books_conserve_cash_and_agree_with_their_fills() {
    let book = permissive().await;
    book.run(
        "UPDATE accounts SET metadata = metadata || '{\"commission\": {\"per_unit\": \"0.0037\"}}';
         UPDATE accounts SET base_currency = 'USD', metadata = metadata || '{\"position_mode\": \"hedging\"}' WHERE account_name = 'bravo'",
    )
    .await;
    let mut dice = Dice(20_260_722);
    let mut price = dec!(1.1);
    for step in 0..150 {
        price += Decimal::from(dice.roll(400)) / dec!(100000) - dec!(0.002);
        book.rate("EUR", "USD", price).await;
        let account = if dice.roll(2) == 0 { ALPHA } else { BRAVO };
        deal(&book, &mut dice, account, price).await;
        if step % 10 == 0 {
            // At this mark: what positions made by average cost and what trades made by their own
            // entries, apart by the cent that each fill may round.
            let apart = format!(
                "SELECT max(abs(p.total - t.total) - 0.01 * (t.fills + 1))::numeric(20,4) <= 0
                   FROM (SELECT account_id, sum(realized_pnl + CASE status WHEN 'open' THEN CASE position_type WHEN 'LONG' THEN 1 ELSE -1 END
                                                  * ({price} * total_size - cost) ELSE 0 END) AS total
                           FROM positions GROUP BY account_id) p
                   JOIN (SELECT account_id, sum(coalesce(gross_pnl, 0) + CASE trade_type WHEN 'BUY' THEN 1 ELSE -1 END
                                                  * ({price} - entry_price) * (position_size - closed_size)) AS total, count(*) * 3 AS fills
                           FROM trades GROUP BY account_id) t USING (account_id)"
            );
            assert_eq!(book.text(&apart).await, "true", "step {step}");
        }
    }
    let books = "SELECT bool_and(a.current_balance = a.initial_balance + f.cash AND a.equity = a.current_balance + p.unrealized)
        FROM accounts a,
             LATERAL (SELECT sum(coalesce(gross_pnl, 0) - commission - swap_fee) AS cash FROM trade_fills WHERE account_id = a.account_id) f,
             LATERAL (SELECT coalesce(sum(unrealized_pnl), 0) AS unrealized FROM positions
                       WHERE account_id = a.account_id AND status = 'open') p";
    assert_eq!(book.text(books).await, "true");
    let fees =
        "SELECT (SELECT sum(commission) FROM trades) = (SELECT sum(commission) FROM trade_fills)
        AND (SELECT sum(swap_fee) FROM trades) = (SELECT sum(swap_fee) FROM trade_fills)";
    assert_eq!(book.text(fees).await, "true");
    let wrong = "SELECT string_agg(concat_ws(' ', kind, field, stored, rebuilt), '; ') FROM desk.reconcile()";
    assert_eq!(book.text(wrong).await, "-");
    let kinds = "SELECT string_agg(DISTINCT effect, ' ') FROM trade_fills";
    assert_eq!(book.text(kinds).await, "close fee open");
}
