//! Stops and targets of open positions, and what a broker charges for them.

use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::book::{ALPHA, Book, Order, Verdict, buy, close, literal, place, sell, verb};

const LEVELS: &str =
    "SELECT concat_ws(' ', coalesce(stop_loss::text, '-'), coalesce(take_profit::text, '-'),
        coalesce(trailing_stop_distance::text, '-')) FROM positions";

async fn amend(
    client: &Client,
    position: Uuid,
    stop: Option<Decimal>,
    target: Option<Decimal>,
) -> Verdict {
    let (stop, target) = (literal(stop), literal(target));
    verb(client, "amend_position", &format!("'{position}', {stop}, {target}, NULL, NULL")).await
}

#[tokio::test]
async fn a_new_stop_and_target_go_to_the_position_and_its_live_trades() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    place(&trader, &Order { stop: Some(dec!(1.09)), ..buy(dec!(20000)) }).await.accepted();
    let position = book.position().await;
    close(&trader, position, Some(dec!(10000)), None).await.accepted();

    let verdict = amend(&trader, position, Some(dec!(1.096)), Some(dec!(1.12))).await.accepted();

    assert_eq!(verdict.subject, Some(position));
    assert_eq!(verdict.code.as_deref(), Some("TIGHTENED"));
    assert_eq!(verdict.message, "EUR_USD long: stop 1.09600, target 1.12000.");
    // Adding with a wider stop did not widen that of what was held.
    assert_eq!(verdict.detail.pointer("/before/stop").unwrap(), "1.09500");
    assert_eq!(book.text(LEVELS).await, "1.09600 1.12000 -");
    // The closed trade keeps the stop it had.
    assert_eq!(
        book.text("SELECT string_agg(status || ' ' || stop_loss || ' ' || take_profit, '; ' ORDER BY entry_time) FROM trades")
            .await,
        "closed 1.09500 1.11000; open 1.09600 1.12000"
    );
    let again = amend(&trader, position, Some(dec!(1.096)), Some(dec!(1.12))).await.accepted();
    assert_eq!(again.code.as_deref(), Some("UNCHANGED"));
    let trailing = format!("'{position}', 1.096, NULL, 0.002, NULL");
    verb(&trader, "amend_position", &trailing).await.accepted();
    assert_eq!(book.text(LEVELS).await, "1.09600 - 0.00200");
}

#[tokio::test]
async fn a_tighter_stop_is_always_possible_and_a_wider_one_only_where_new_risk_is() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let officer = book.officer("officer").await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    let position = book.position().await;

    verb(&officer, "halt", &format!("'account', '{ALPHA}', 'reduce_only', 'enough'"))
        .await
        .accepted();
    let wider = amend(&trader, position, Some(dec!(1.09)), None).await.refused("TRADING_HALT");
    assert!(wider.message.ends_with("enough. Only closing is allowed."), "{}", wider.message);
    amend(&trader, position, Some(dec!(1.0951)), None).await.accepted();
    for (status, code) in [("risk_halt", "ACCOUNT_RISK_HALT"), ("suspended", "ACCOUNT_SUSPENDED")] {
        book.run(&format!(
            "UPDATE trading_halts SET cleared_at = now(); UPDATE accounts SET status = '{status}'"
        ))
        .await;
        amend(&trader, position, Some(dec!(1.095)), None).await.refused(code);
        amend(&trader, position, Some(dec!(1.0952)), None).await.accepted();
        amend(&trader, position, Some(dec!(1.0953)), None).await.accepted();
        book.run("UPDATE positions SET stop_loss = 1.0951").await;
    }
    // Whoever only watches over risk may take some away.
    amend(&officer, position, Some(dec!(1.0954)), None).await.accepted();
    book.run("UPDATE accounts SET status = 'active'").await;
    amend(&officer, position, Some(dec!(1.09)), None).await.refused("NOT_PERMITTED");
    let widened = amend(&trader, position, Some(dec!(1.094)), None).await.accepted();
    assert_eq!(widened.code.as_deref(), Some("WIDENED"));
    // Without a price a stop can be tightened, too.
    book.run("DELETE FROM fx_rates").await;
    amend(&trader, position, Some(dec!(1.0955)), None).await.accepted();
    book.run("UPDATE accounts SET status = 'closed'").await;
    amend(&trader, position, Some(dec!(1.0956)), None).await.refused("ACCOUNT_CLOSED");
}

#[tokio::test]
async fn a_level_that_the_market_would_hit_at_once_or_that_is_no_price_is_refused() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    let long = book.position().await;
    let jpy = Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: Some(dec!(156)),
        target: Some(dec!(150)),
        ..sell(dec!(1000))
    };
    place(&trader, &jpy).await.accepted();
    let sql = "SELECT position_id FROM positions WHERE position_type = 'SHORT'";
    let short: Uuid = book.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();

    for (position, stop, target, code) in [
        (long, Some(dec!(1.0999)), None, "STOP_WRONG_SIDE"),
        (long, Some(dec!(1.105)), None, "STOP_WRONG_SIDE"),
        (short, Some(dec!(155.01)), None, "STOP_WRONG_SIDE"),
        (long, Some(dec!(1.095)), Some(dec!(1.0999)), "TARGET_WRONG_SIDE"),
        (short, Some(dec!(156)), Some(dec!(155.01)), "TARGET_WRONG_SIDE"),
        (short, Some(dec!(156.0005)), None, "PRICE_NOT_A_TICK"),
        (long, Some(dec!(1.095)), Some(dec!(1.110001)), "PRICE_NOT_A_TICK"),
        (long, Some(dec!(0)), None, "PRICE_OUT_OF_RANGE"),
        (long, Some(dec!(1.095)), Some(dec!(100000)), "PRICE_OUT_OF_RANGE"),
        (long, None, None, "STOP_REQUIRED"),
        (Uuid::new_v4(), None, None, "POSITION_UNKNOWN"),
    ] {
        amend(&trader, position, stop, target).await.refused(code);
    }
    amend(&trader, short, Some(dec!(155.011)), Some(dec!(155.009))).await.accepted();
    book.set("stop_required", "false").await;
    amend(&trader, long, None, None).await.accepted();
    // A stop that the market has passed is old news: the target can still be moved.
    amend(&trader, long, Some(dec!(1.095)), None).await.accepted();
    book.rate("EUR", "USD", dec!(1.09)).await;
    amend(&trader, long, Some(dec!(1.095)), Some(dec!(1.1))).await.accepted();
    close(&trader, long, None, None).await.accepted();
    amend(&trader, long, Some(dec!(1.08)), None).await.refused("POSITION_NOT_OPEN");
    let viewer = book.member("viewer", "tmt_viewer").await;
    let sql = "SELECT * FROM desk.amend_position(gen_random_uuid(), '', now(), gen_random_uuid(), NULL, NULL, NULL, NULL)";
    assert_eq!(
        crate::book::sqlstate(&viewer, sql).await,
        tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE
    );
}

#[tokio::test]
async fn a_wider_stop_has_to_pass_the_limits_on_risk() {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(100000))).await.accepted();
    let position = book.position().await;
    for limit in ["max_risk_per_trade", "max_open_risk"] {
        let values = format!("'{ALPHA}', '{limit}', 'account', 600, 'USD'");
        let id = book
            .limit("account_id, limit_type, limit_scope, limit_value, limit_unit", &values)
            .await;
        // 100,000 × 0.007.
        let over = amend(&trader, position, Some(dec!(1.093)), None).await;
        let over = over.refused(&limit.to_uppercase());
        assert_eq!((over.measured, over.allowed), (Some(dec!(700)), Some(dec!(600))), "{limit}");
        amend(&trader, position, Some(dec!(1.0942)), None).await.accepted();
        amend(&trader, position, Some(dec!(1.095)), None).await.accepted();
        book.run(&format!("UPDATE risk_limits SET is_active = false WHERE limit_id = '{id}'"))
            .await;
    }
}

#[tokio::test]
async fn a_charge_moves_the_balance_and_goes_to_the_trades_by_size() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let agent = book.member("agent", "tmt_agent").await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    place(&trader, &buy(dec!(20000))).await.accepted();
    let position = book.position().await;
    let trades = "SELECT string_agg(concat_ws(' ', commission, swap_fee, coalesce(net_pnl::text, '-')), '; ' ORDER BY entry_time) FROM trades";
    let balance =
        "SELECT current_balance || ' ' || equity FROM accounts WHERE account_name = 'alpha'";

    let swap = verb(&agent, "charge", &format!("'{position}', 'swap', 1.00, 'Wednesday'")).await;
    assert_eq!(swap.accepted().message, "Charged 1.00 USD of swap on EUR_USD.");
    verb(&agent, "charge", &format!("'{position}', 'commission', 0.50, NULL")).await.accepted();
    assert_eq!(book.text(trades).await, "0.17 0.33 -; 0.33 0.67 -");
    assert_eq!(book.text(balance).await, "99998.50 99995.50");

    // A credit that comes after the close belongs to all that was held.
    close(&trader, position, None, Some(dec!(1.1))).await.accepted();
    let credit = verb(&agent, "charge", &format!("'{position}', 'swap', -0.10, NULL")).await;
    assert_eq!(credit.accepted().message, "Credited 0.10 USD of swap on EUR_USD.");
    assert_eq!(book.text(trades).await, "0.17 0.30 -0.47; 0.33 0.60 -0.93");
    assert_eq!(book.text(balance).await, "99998.60 99998.60");
    assert_eq!(book.text("SELECT count(*) FROM desk.reconcile()").await, "0");

    for (arguments, code) in [
        (format!("'{position}', 'commission', -1, NULL"), "CHARGE_AMOUNT_INVALID"),
        (format!("'{position}', 'swap', 0.004, NULL"), "CHARGE_AMOUNT_INVALID"),
        (format!("'{position}', 'swap', 'NaN', NULL"), "CHARGE_AMOUNT_INVALID"),
        (format!("'{position}', 'tip', 1, NULL"), "CHARGE_KIND_INVALID"),
        (format!("'{}', 'swap', 1, NULL", Uuid::new_v4()), "POSITION_UNKNOWN"),
    ] {
        verb(&agent, "charge", &arguments).await.refused(code);
    }
    let sql = "SELECT * FROM desk.charge(gen_random_uuid(), '', now(), gen_random_uuid(), 'swap', 1, NULL)";
    assert_eq!(
        crate::book::sqlstate(&trader, sql).await,
        tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE
    );
}

#[tokio::test]
async fn a_week_of_nights_is_seven_nights_of_swap() {
    let book = Book::open().await;
    // SWP-01: Monday 3 June 2024 to Friday.
    let fee = "SELECT desk.swap_fee(100000, -7.20, 100000, desk.swap_nights('2024-06-03', '2024-06-07', 3))";
    assert_eq!(book.text(&format!("SELECT round(({fee}), 2)")).await, "43.20");
    for (from, to, triple, nights) in [
        ("2024-06-03", "2024-06-10", 3, "7"),
        ("2024-06-03", "2024-06-10", 5, "7"),
        ("2024-06-07", "2024-06-10", 3, "1"),
        ("2024-06-05", "2024-06-06", 3, "3"),
        ("2024-06-05", "2024-06-05", 3, "0"),
        ("2024-06-06", "2024-06-05", 3, "0"),
    ] {
        let sql = format!("SELECT desk.swap_nights('{from}', '{to}', {triple})");
        assert_eq!(book.text(&sql).await, nights, "{from} {to} {triple}");
    }
    let credit = "SELECT trim_scale(desk.swap_fee(50000, 3, 100000, 2))";
    assert_eq!(book.text(credit).await, "-3");
}

/// What the ticket shows while levels are typed is what decides when they are sent.
#[tokio::test]
async fn a_preview_of_levels_says_what_their_amendment_will() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let officer = book.officer("officer").await;
    let viewer = book.member("viewer", "tmt_viewer").await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    let position = book.position().await;
    let preview = async |client: &Client, levels: &str| {
        let asked = format!(
            "SELECT coalesce(string_agg(severity || ' ' || code || ': ' || message, '; ' ORDER BY ordinal), '-')
               FROM desk.preview_amend('{position}', {levels})"
        );
        crate::book::text(client, &asked).await
    };
    // Tighter passes, also under a halt.
    verb(&officer, "halt", &format!("'account', '{ALPHA}', 'reduce_only', 'enough'"))
        .await
        .accepted();
    assert_eq!(preview(&trader, "1.096, NULL, NULL").await, "-");
    // What does not pass: in the words and the order of the verdict.
    for levels in [
        "1.09, NULL, NULL",
        "NULL, NULL, NULL",
        "1.2, NULL, NULL",
        "1.096, 1.05, NULL",
        "1.096001, NULL, NULL",
        "1.096, NULL, -1",
    ] {
        let refused =
            verb(&trader, "amend_position", &format!("'{position}', {levels}, NULL")).await;
        let code = refused.code.clone().unwrap_or_default();
        let wanted = format!("reject {code}: {}", refused.message);
        let said = preview(&trader, levels).await;
        assert!(said.starts_with(&wanted), "{levels}: {said}, not {wanted}");
    }
    assert!(preview(&officer, "1.09, NULL, NULL").await.contains("NOT_PERMITTED"));
    assert!(preview(&viewer, "1.2, NULL, NULL").await.starts_with("reject STOP_WRONG_SIDE"));
    // A position that is not there, or not any more, has nothing in its way but that.
    close(&trader, position, None, None).await.accepted();
    assert_eq!(preview(&trader, "1.2, NULL, NULL").await, "-");
}
