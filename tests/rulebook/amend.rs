//! Stops and targets of open positions, and what a broker charges for them.

use rust_decimal::dec;
use uuid::Uuid;

use crate::desk::{ALPHA, Desk};
use crate::verbs::{Verb as _, amend, buy, charge, close, halt_account, limit, order};

const LEVELS: &str =
    "SELECT concat_ws(' ', coalesce(stop_loss::text, '-'), coalesce(take_profit::text, '-'),
        coalesce(trailing_stop_distance::text, '-')) FROM positions";

#[tokio::test]
async fn new_levels_apply_to_the_position_and_its_open_trades() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    buy(20_000).stop("1.09").place(&trader).await.accepted();
    let position = desk.position().await;
    close(position).size(10_000).send(&trader).await.accepted();

    let answer = amend(position).stop("1.096").target("1.12").send(&trader).await.accepted();

    assert_eq!(answer.subject, Some(position));
    assert_eq!(answer.code.as_deref(), Some("TIGHTENED"));
    assert_eq!(answer.message, "EUR_USD long: stop 1.09600, target 1.12000.");
    // Adding with a wider stop does not widen the stop of the position.
    assert_eq!(answer.detail.pointer("/before/stop").unwrap(), "1.09500");
    assert_eq!(desk.text(LEVELS).await, "1.09600 1.12000 -");
    // The closed trade keeps the stop it had.
    assert_eq!(
        desk.text("SELECT string_agg(status || ' ' || stop_loss || ' ' || take_profit, '; ' ORDER BY entry_time) FROM trades")
            .await,
        "closed 1.09500 1.11000; open 1.09600 1.12000"
    );
    let again = amend(position).stop("1.096").target("1.12").send(&trader).await.accepted();
    assert_eq!(again.code.as_deref(), Some("UNCHANGED"));
    amend(position).stop("1.096").trailing("0.002").send(&trader).await.accepted();
    assert_eq!(desk.text(LEVELS).await, "1.09600 - 0.00200");
}

#[tokio::test]
async fn a_tighter_stop_is_always_allowed_and_a_wider_one_only_where_new_risk_is() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let officer = desk.officer("officer").await;
    buy(10_000).place(&trader).await.accepted();
    let position = desk.position().await;

    halt_account(ALPHA, "reduce_only").because("enough").send(&officer).await.accepted();
    let wider = amend(position).stop("1.09").send(&trader).await.refused("TRADING_HALT");
    assert!(wider.message.ends_with("enough. Only closing is allowed."), "{}", wider.message);
    amend(position).stop("1.0951").send(&trader).await.accepted();
    for (status, code) in [("risk_halt", "ACCOUNT_RISK_HALT"), ("suspended", "ACCOUNT_SUSPENDED")] {
        desk.run("UPDATE trading_halts SET cleared_at = now()").await;
        desk.execute("UPDATE accounts SET status = $1", &[&status]).await;
        amend(position).stop("1.095").send(&trader).await.refused(code);
        amend(position).stop("1.0952").send(&trader).await.accepted();
        amend(position).stop("1.0953").send(&trader).await.accepted();
        desk.run("UPDATE positions SET stop_loss = 1.0951").await;
    }
    // A risk officer may lower the risk but not raise it.
    amend(position).stop("1.0954").send(&officer).await.accepted();
    desk.run("UPDATE accounts SET status = 'active'").await;
    amend(position).stop("1.09").send(&officer).await.refused("NOT_PERMITTED");
    amend(position).stop("1.094").send(&trader).await.accepted_as("WIDENED");
    // A stop can be tightened without a price.
    desk.run("DELETE FROM fx_rates").await;
    amend(position).stop("1.0955").send(&trader).await.accepted();
    desk.run("UPDATE accounts SET status = 'closed'").await;
    amend(position).stop("1.0956").send(&trader).await.refused("ACCOUNT_CLOSED");
}

#[tokio::test]
async fn levels_past_the_market_or_off_the_tick_are_refused() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(10_000).place(&trader).await.accepted();
    let long = desk.position().await;
    let jpy = order("USD_JPY").sell(1000).at(155).stop(156).target(150);
    jpy.place(&trader).await.accepted();
    let sql = "SELECT position_id FROM positions WHERE position_type = 'SHORT'";
    let short: Uuid = desk.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();

    for (levels, code) in [
        (amend(long).stop("1.0999"), "STOP_WRONG_SIDE"),
        (amend(long).stop("1.105"), "STOP_WRONG_SIDE"),
        (amend(short).stop("155.01"), "STOP_WRONG_SIDE"),
        (amend(long).stop("1.095").target("1.0999"), "TARGET_WRONG_SIDE"),
        (amend(short).stop("156").target("155.01"), "TARGET_WRONG_SIDE"),
        (amend(short).stop("156.0005"), "PRICE_NOT_A_TICK"),
        (amend(long).stop("1.095").target("1.110001"), "PRICE_NOT_A_TICK"),
        (amend(long).stop(0), "PRICE_OUT_OF_RANGE"),
        (amend(long).stop("1.095").target(100_000), "PRICE_OUT_OF_RANGE"),
        (amend(long), "STOP_REQUIRED"),
        (amend(Uuid::new_v4()), "POSITION_UNKNOWN"),
    ] {
        levels.send(&trader).await.refused(code);
    }
    amend(short).stop("155.011").target("155.009").send(&trader).await.accepted();
    desk.set("stop_required", "false").await;
    amend(long).send(&trader).await.accepted();
    // The market is past the stop: the target can still be moved.
    amend(long).stop("1.095").send(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.09)).await;
    amend(long).stop("1.095").target("1.1").send(&trader).await.accepted();
    close(long).send(&trader).await.accepted();
    amend(long).stop("1.08").send(&trader).await.refused("POSITION_NOT_OPEN");
    let viewer = desk.member("viewer", "tmt_viewer").await;
    assert_eq!(amend(Uuid::new_v4()).sqlstate(&viewer).await, "42501");
}

#[tokio::test]
async fn a_wider_stop_must_pass_the_limits_on_risk() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();
    let position = desk.position().await;
    for limit_type in ["max_risk_per_trade", "max_open_risk"] {
        let id = limit(limit_type, 600, "USD").of(ALPHA).insert(&desk).await;
        // 100,000 × 0.007.
        let over = amend(position).stop("1.093").send(&trader).await;
        let over = over.refused(&limit_type.to_uppercase());
        assert_eq!(
            (over.measured, over.allowed),
            (Some(dec!(700)), Some(dec!(600))),
            "{limit_type}"
        );
        amend(position).stop("1.0942").send(&trader).await.accepted();
        amend(position).stop("1.095").send(&trader).await.accepted();
        desk.deactivate(id).await;
    }
}

#[tokio::test]
async fn a_charge_changes_the_balance_and_is_split_over_the_trades_by_size() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let agent = desk.member("agent", "tmt_agent").await;
    buy(10_000).place(&trader).await.accepted();
    buy(20_000).place(&trader).await.accepted();
    let position = desk.position().await;
    let trades = "SELECT string_agg(concat_ws(' ', commission, swap_fee, coalesce(net_pnl::text, '-')), '; ' ORDER BY entry_time) FROM trades";
    let balance =
        "SELECT current_balance || ' ' || equity FROM accounts WHERE account_name = 'alpha'";

    let swap = charge(position, "swap", "1.00").because("Wednesday").send(&agent).await;
    assert_eq!(swap.accepted().message, "Charged 1.00 USD in swap on EUR_USD.");
    charge(position, "commission", "0.50").send(&agent).await.accepted();
    assert_eq!(desk.text(trades).await, "0.17 0.33 -; 0.33 0.67 -");
    assert_eq!(desk.text(balance).await, "99998.50 99995.50");

    // A credit after the close is split over all trades of the position.
    close(position).at("1.1").send(&trader).await.accepted();
    let credit = charge(position, "swap", "-0.10").send(&agent).await;
    assert_eq!(credit.accepted().message, "Credited 0.10 USD in swap on EUR_USD.");
    assert_eq!(desk.text(trades).await, "0.17 0.30 -0.47; 0.33 0.60 -0.93");
    assert_eq!(desk.text(balance).await, "99998.60 99998.60");
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");

    for (charged, code) in [
        (charge(position, "commission", -1), "CHARGE_AMOUNT_INVALID"),
        (charge(position, "swap", "0.004"), "CHARGE_AMOUNT_INVALID"),
        (charge(position, "swap", "NaN"), "CHARGE_AMOUNT_INVALID"),
        (charge(position, "tip", 1), "CHARGE_KIND_INVALID"),
        (charge(Uuid::new_v4(), "swap", 1), "POSITION_UNKNOWN"),
    ] {
        charged.send(&agent).await.refused(code);
    }
    assert_eq!(charge(Uuid::new_v4(), "swap", 1).sqlstate(&trader).await, "42501");
}

#[tokio::test]
async fn a_week_charges_seven_nights_of_swap() {
    let desk = Desk::open().await;
    // SWP-01: Monday 3 June 2024 to Friday.
    let fee = "SELECT desk.swap_fee(100000, -7.20, 100000, desk.swap_nights('2024-06-03', '2024-06-07', 3))";
    assert_eq!(desk.text(&format!("SELECT round(({fee}), 2)")).await, "43.20");
    for (from, to, triple, nights) in [
        ("2024-06-03", "2024-06-10", 3, "7"),
        ("2024-06-03", "2024-06-10", 5, "7"),
        ("2024-06-07", "2024-06-10", 3, "1"),
        ("2024-06-05", "2024-06-06", 3, "3"),
        ("2024-06-05", "2024-06-05", 3, "0"),
        ("2024-06-06", "2024-06-05", 3, "0"),
    ] {
        let sql = format!("SELECT desk.swap_nights('{from}', '{to}', {triple})");
        assert_eq!(desk.text(&sql).await, nights, "{from} {to} {triple}");
    }
    let credit = "SELECT trim_scale(desk.swap_fee(50000, 3, 100000, 2))";
    assert_eq!(desk.text(credit).await, "-3");
}

/// The ticket shows the answer while levels are typed.
#[tokio::test]
async fn a_preview_of_an_amendment_says_what_the_amendment_will() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let officer = desk.officer("officer").await;
    let viewer = desk.member("viewer", "tmt_viewer").await;
    buy(10_000).place(&trader).await.accepted();
    let position = desk.position().await;
    // A tighter stop passes, even under a halt.
    halt_account(ALPHA, "reduce_only").because("enough").send(&officer).await.accepted();
    assert_eq!(amend(position).stop("1.096").preview(&trader).await, [""; 0]);
    // The first line is the refusal, in the words of the answer.
    for levels in [
        amend(position).stop("1.09"),
        amend(position),
        amend(position).stop("1.2"),
        amend(position).stop("1.096").target("1.05"),
        amend(position).stop("1.096001"),
        amend(position).stop("1.096").trailing(-1),
    ] {
        let refused = levels.send(&trader).await;
        let code = refused.code.clone().unwrap_or_default();
        let wanted = format!("reject {code}: {}", refused.message);
        assert_eq!(levels.preview(&trader).await.first(), Some(&wanted), "{levels:?}");
    }
    let wider = amend(position).stop("1.09").preview(&officer).await.join("; ");
    assert!(wider.contains("NOT_PERMITTED"), "{wider}");
    let wrong = amend(position).stop("1.2").preview(&viewer).await.join("; ");
    assert!(wrong.starts_with("reject STOP_WRONG_SIDE"), "{wrong}");
    // A closed position has no levels to check.
    close(position).send(&trader).await.accepted();
    assert_eq!(amend(position).stop("1.2").preview(&trader).await, [""; 0]);
}
