//! Ways around the rules that were found and closed.

use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::desk::{ALPHA, BRAVO, Desk, begin, commit, sqlstate};
use crate::rows::signal;
use crate::verbs::{
    Answer, Verb as _, amend, approve, buy, change, close, flatten, halt, limit, retire, sell,
    version,
};

/// A limit of 50,000 USD on the exposure of alpha, made by a risk officer.
async fn exposure(desk: &Desk, officer: &Client) -> Uuid {
    let made = limit("max_exposure", 50_000, "USD").of(ALPHA).warning(20_000).send(officer).await;
    assert_eq!(in_force(desk, "now").await, "50000");
    made.accepted().subject()
}

/// The values in force at a time.
async fn in_force(desk: &Desk, at: &str) -> String {
    let sql = "SELECT string_agg(trim_scale(limit_value)::text, ' ' ORDER BY limit_value)
        FROM desk.limits_in_force($1, NULL, 'EUR_USD', $2::text::timestamptz)";
    desk.text_of(sql, &[&ALPHA.0, &at]).await
}

/// Raises a limit until a day: one officer proposes, another approves.
async fn raise(officers: [&Client; 2], limit: Uuid, value: u32, until: &str) -> Uuid {
    let [one, other] = officers;
    let change = change(limit, &version(one, limit).await).value(value).until(until);
    let proposal = change.because("month end").send(one).await.accepted().subject();
    approve(proposal).send(other).await.accepted();
    proposal
}

/// Retires a limit: one officer proposes, another approves; returns the answer to the approval.
async fn end(officers: [&Client; 2], limit: Uuid) -> Answer {
    let [one, other] = officers;
    let retired = retire(limit, &version(one, limit).await).because("no longer needed");
    let proposal = retired.send(one).await.accepted().subject();
    approve(proposal).send(other).await.accepted()
}

#[tokio::test]
async fn positions_of_an_account_are_not_marked_while_it_is_being_traded() {
    let desk = Desk::open().await;
    let (trader, sentinel) = (desk.trader().await, desk.impatient().await);
    // The same instrument in the same currency on another account, which is free.
    desk.execute("UPDATE accounts SET base_currency = 'USD' WHERE account_id = $1", &[&BRAVO.0])
        .await;
    let held = buy(10_000).place(&trader).await.accepted();
    buy(1000).on(BRAVO).place(&trader).await.accepted();
    let position = held.detail("position_id").as_str().unwrap().to_owned();
    desk.rate("EUR", "USD", dec!(1.105)).await;

    begin(&trader).await;
    close(position).size(9000).send(&trader).await.accepted();
    sentinel.batch_execute("SELECT desk.mark_to_market()").await.unwrap();
    commit(&trader).await;

    // The P&L is that of the remaining size.
    let worth = "SELECT string_agg(concat_ws(' ', total_size, unrealized_pnl), '; ' ORDER BY account_id) FROM positions";
    assert_eq!(desk.text(worth).await, "1000.00 5.00; 1000.00 5.00");
}

#[tokio::test]
async fn a_mark_does_not_overwrite_a_change_by_another_program() {
    let desk = Desk::open().await;
    let (trader, writer) = (desk.trader().await, desk.database.client().await);
    buy(10_000).place(&trader).await.accepted();
    desk.rate("EUR", "USD", dec!(1.105)).await;
    let sentinel = desk.database.client().await;
    // It does not lock the account.
    writer
        .batch_execute("BEGIN; UPDATE positions SET total_size = 1000, cost = 1100, unrealized_pnl = 0, current_price = 1.1")
        .await
        .unwrap();
    let (marked, waited) = tokio::join!(
        sentinel.batch_execute("SELECT desk.mark_to_market()"),
        desk.commit_when_awaited(&writer)
    );
    marked.unwrap();
    assert!(waited);
    let worth = "SELECT unrealized_pnl FROM positions";
    assert_eq!(desk.text(worth).await, "0.00");
    desk.mark().await;
    assert_eq!(desk.text(worth).await, "5.00");
}

#[tokio::test]
async fn viewer_locks_do_not_block_trading() {
    let desk = Desk::open().await;
    let viewer = desk.member("viewer", "tmt_viewer").await;
    let trader = desk.trader().await;
    limit("max_exposure", 1_000_000, "USD").insert(&desk).await;
    for name in ["risk", "halt", "mark", "roll", "monitor", "prune"] {
        let lock = "SELECT pg_advisory_lock(hashtextextended('tmt:' || $1, 0))";
        viewer.query(lock, &[&name]).await.unwrap();
        let row = "SELECT FROM tmt.mutexes WHERE name = $1 FOR UPDATE";
        assert!(viewer.query(row, &[&name]).await.is_err());
    }

    for session in [&desk.admin, &trader] {
        session.batch_execute("SET statement_timeout = '5s'").await.unwrap();
    }
    buy(10_000).place(&trader).await.accepted();
    halt("system", "reduce_only").because("a drill").send(&desk.admin).await.accepted();
    desk.rate("EUR", "USD", dec!(0.5)).await;
    desk.run("SELECT desk.roll_days(), desk.mark_to_market(); SELECT desk.monitor_limits()").await;
    let alpha = "SELECT equity || ' ' || status FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(alpha).await, "94000.00 risk_halt");
}

#[tokio::test]
async fn a_signal_that_only_reduces_is_taken_once() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let signal = signal("SELL", ["1.1", "1.105", "1.09"]).id("signal_id", &desk.admin).await;
    buy(10_000).place(&trader).await.accepted();
    buy(1000).on(BRAVO).place(&trader).await.accepted();

    let reduce = sell(4000).of_signal(signal);
    reduce.place(&trader).await.accepted_as("REDUCED");
    reduce
        .clone()
        .with_key(Uuid::new_v4())
        .size(100)
        .place(&trader)
        .await
        .refused("SIGNAL_ALREADY_EXECUTED");
    // A flip counts as a whole.
    let flip = reduce.with_key(Uuid::new_v4()).on(BRAVO);
    flip.place(&trader).await.accepted();
    let taken = "SELECT string_agg(concat_ws(' ', a.account_name, e.executed_size, t.position_size), '; ' ORDER BY a.account_name)
        FROM signal_executions e JOIN accounts a USING (account_id) LEFT JOIN trades t USING (trade_id)";
    assert_eq!(desk.text(taken).await, "alpha 4000.00; bravo 4000.00 3000.00");
    let state =
        "SELECT format('%s %s %s', status, execution_count, total_executed_size) FROM signals";
    assert_eq!(desk.text(state).await, "executed 2 8000.00");
}

#[tokio::test]
async fn a_request_key_belongs_to_one_verb_and_expires() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);
    order.place(&trader).await.accepted();
    flatten(ALPHA).with_key(order.key()).send(&trader).await.refused("KEY_REUSED");
    flatten(ALPHA).valid_until(None).send(&trader).await.refused("EXPIRED_REQUEST");
    assert_eq!(desk.text("SELECT count(*) FROM positions WHERE status = 'open'").await, "1");
    let lines =
        "SELECT string_agg(code, ' ' ORDER BY seq) FROM tmt.audit_log WHERE verb = 'flatten'";
    assert_eq!(desk.text(lines).await, "KEY_REUSED EXPIRED_REQUEST");
}

#[tokio::test]
async fn an_extended_temporary_limit_lasts_until_the_new_end() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let limit = exposure(&desk, &ann).await;
    let raised = raise([&ann, &bob], limit, 90_000, "2100-01-01").await;
    let longer = raise([&ann, &bob], raised, 90_000, "2100-01-03").await;

    for (at, values) in [("now", "90000"), ("2100-01-02", "90000"), ("2100-01-03", "50000")] {
        assert_eq!(in_force(&desk, at).await, values, "{at}");
    }
    // Tightened for one of the days, and unchanged for the rest.
    let less = change(longer, &version(&ann, longer).await).value(80_000).until("2100-01-02");
    less.send(&ann).await.accepted();
    for (at, values) in [("now", "80000"), ("2100-01-02", "90000"), ("2100-01-03", "50000")] {
        assert_eq!(in_force(&desk, at).await, values, "{at}");
    }
}

#[tokio::test]
async fn a_retired_temporary_limit_gives_way_to_the_permanent_one() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let limit = exposure(&desk, &ann).await;
    let lower = change(limit, &version(&ann, limit).await).value(30_000).until("2100-01-01");
    let lower = lower.send(&ann).await.accepted().subject();
    let agreed = end([&ann, &bob], lower).await;

    assert_eq!(in_force(&desk, "now").await, "50000");
    assert!(agreed.message.contains("30,000.00 USD -> 50,000.00 USD"), "{}", agreed.message);
    assert_eq!(in_force(&desk, "2100-01-02").await, "50000");
}

#[tokio::test]
async fn retiring_a_temporary_limit_restores_the_one_it_replaced() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    // Two limits of a type, both changed until the same moment.
    let one = exposure(&desk, &ann).await;
    let other =
        limit("max_exposure", 60_000, "USD").of(ALPHA).send(&ann).await.accepted().subject();
    let one = raise([&ann, &bob], one, 90_000, "2100-01-01").await;
    let other = raise([&ann, &bob], other, 95_000, "2100-01-01").await;
    for (temporary, left) in [(one, "50000 95000"), (other, "50000 60000")] {
        end([&ann, &bob], temporary).await;
        assert_eq!(in_force(&desk, "now").await, left);
    }
}

#[tokio::test]
async fn a_missing_mutex_row_is_an_error() {
    let desk = Desk::open().await;
    desk.run("DELETE FROM tmt.mutexes").await;
    for work in ["desk.mark_to_market()", "desk.monitor_batch(NULL)", "desk.roll_days()"] {
        assert_eq!(sqlstate(&desk.admin, &format!("SELECT {work}")).await, "22023", "{work}");
    }
}

#[tokio::test]
async fn a_limit_until_infinity_is_permanent() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let limit = exposure(&desk, &ann).await;
    let lower = change(limit, &version(&ann, limit).await).value(30_000).until("infinity");
    let lower = lower.send(&ann).await.accepted().subject();
    // No limit is kept to follow it.
    assert_eq!(desk.text("SELECT count(*) FROM risk_limits WHERE is_active").await, "1");
    let lowest = change(lower, &version(&ann, lower).await).value(20_000).until("2100-01-01");
    lowest.send(&ann).await.accepted();
    assert_eq!(in_force(&desk, "2099-12-31").await, "20000");
    assert_eq!(in_force(&desk, "2100-01-01").await, "30000");
}

#[tokio::test]
async fn a_later_warning_is_a_loosening() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let limit = exposure(&desk, &ann).await;
    let seen = version(&ann, limit).await;
    let later = || change(limit, &seen).value("49999.99").warning(49_999);
    later().send(&ann).await.refused("REASON_REQUIRED");
    later().because("too many warnings").send(&ann).await.accepted_as("PENDING_APPROVAL");
    assert_eq!(in_force(&desk, "now").await, "50000");
    // With a warning as early as before it is a tightening.
    let earlier = change(limit, &seen).value(40_000).warning(20_000);
    earlier.send(&ann).await.accepted_as("TIGHTENED");
}

#[tokio::test]
async fn limits_out_of_range_are_refused_and_in_the_audit() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let long = "a unit of more than twenty characters";
    for (limit, code) in [
        (limit("max_exposure", 100_000_000_000_u64, "USD"), "LIMIT_VALUE_INVALID"),
        (limit("max_exposure", "1e20", "percentage"), "LIMIT_VALUE_INVALID"),
        (limit("max_exposure", 1, long), "LIMIT_UNIT_UNKNOWN"),
        (limit("max_exposure", 1, "USD").warning("1e20"), "WARNING_INVALID"),
    ] {
        limit.of(ALPHA).send(&ann).await.refused(code);
    }
    assert_eq!(desk.text("SELECT count(*) FROM tmt.audit_log").await, "4");
}

#[tokio::test]
async fn the_room_of_a_minimum_is_the_figure_above_it() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    limit("min_stop_distance", 20, "pips").insert(&desk).await;
    for (stop, severity, room) in
        [(dec!(1.095), "info", dec!(30)), (dec!(1.099), "reject", dec!(-10))]
    {
        let lines = buy(10_000).stop(stop).assess(&trader).await;
        let line = lines.find("MIN_STOP_DISTANCE");
        assert_eq!((line.severity.as_str(), line.room), (severity, Some(room)));
    }
}

#[tokio::test]
async fn a_stop_cannot_be_widened_past_a_loss_limit() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    desk.roll_days().await;
    let held = buy(10_000).place(&trader).await.accepted();
    let position = held.detail("position_id").as_str().unwrap();
    let stop = |price: &str| amend(position).stop(price);
    let worth = async |equity: Decimal| {
        let sql = "UPDATE accounts SET equity = $2 WHERE account_id = $1";
        desk.execute(sql, &[&ALPHA.0, &equity]).await;
    };
    // In breach, but not yet halted by the monitor.
    worth(dec!(94990)).await;
    let refused = stop("1.09").because("room").send(&trader).await.refused("MAX_DAILY_LOSS");
    assert_eq!(refused.allowed, Some(dec!(5000)));
    stop("1.096").send(&trader).await.accepted();
    // At the stop it would be in breach: that needs a reason.
    worth(dec!(95050)).await;
    stop("1.09").send(&trader).await.refused("CONFIRM_REQUIRED");
    stop("1.09").because("room").send(&trader).await.accepted();
    // The same applies to a limit.
    worth(dec!(98000)).await;
    limit("max_daily_loss", 1000, "USD").of(ALPHA).insert(&desk).await;
    stop("1.08").because("room").send(&trader).await.refused("MAX_DAILY_LOSS");
}

#[tokio::test]
async fn trades_and_positions_realize_the_same_to_the_cent() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    desk.set("duplicate_window_seconds", "0").await;
    for (n, price) in
        [dec!(1.10001), dec!(1.10003), dec!(1.10004), dec!(1.10009)].iter().enumerate()
    {
        let size = Decimal::from(333 + n);
        buy(size).at(*price).place(&trader).await.accepted();
    }
    let position = desk.position().await;
    for (size, price) in
        [(dec!(96), dec!(1.09941)), (dec!(219), dec!(1.10024)), (dec!(135), dec!(1.09971))]
    {
        close(position).size(size).at(price).send(&trader).await.accepted();
    }
    // The rest is closed by a flip.
    sell(1000).at("1.1005").stop("1.106").place(&trader).await.accepted();
    let made = "SELECT (SELECT sum(gross_pnl) FROM trades WHERE status = 'closed') = (SELECT sum(realized_pnl) FROM positions)
           AND (SELECT sum(net_pnl) FROM trades WHERE status = 'closed') = (SELECT current_balance - initial_balance FROM accounts WHERE account_name = 'alpha')";
    assert_eq!(desk.text(made).await, "true");
    // The last trade closed takes the rounding difference, and no more.
    let apart = "SELECT max(abs(gross_pnl - (exit_price - entry_price) * position_size)) <= 0.03 FROM trades WHERE status = 'closed'";
    assert_eq!(desk.text(apart).await, "true");
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
}

#[tokio::test]
async fn a_limit_with_an_unknown_scope_is_reported() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let exposure = || limit("max_exposure", 1, "USD");
    for (limit, words) in [
        (exposure().scope("instrument"), "on instrument without a name"),
        (exposure().of_instrument("XAU_USD"), "on instrument XAU_USD"),
        (exposure().of_portfolio("Majors"), "on portfolio Majors"),
        (exposure().of_each_account().named("charlie"), "on account charlie"),
    ] {
        let id = limit.insert(&desk).await;
        let lines = buy(10_000).assess(&trader).await;
        let line = lines.find("LIMIT_NOT_ENFORCED");
        assert!(line.message.contains(words) && line.severity == "info", "{}", line.message);
        desk.set("strict_limits", "true").await;
        buy(10_000).place(&trader).await.refused("LIMIT_NOT_ENFORCED");
        desk.set("strict_limits", "false").await;
        desk.monitor().await;
        let event = "SELECT min(event_type || ' ' || severity) FROM risk_events
            WHERE related_limit_id = $1 AND event_source = 'sentinel'";
        assert_eq!(desk.text_of(event, &[&id]).await, "limit_not_measured critical", "{limit:?}");
        desk.run("UPDATE risk_limits SET is_active = false").await;
    }

    // An account may be named.
    limit("max_exposure", 1, "USD").of_each_account().named(" Alpha").insert(&desk).await;
    buy(10_000).place(&trader).await.refused("MAX_EXPOSURE");
    buy(10_000).on(BRAVO).place(&trader).await.accepted();
}

#[tokio::test]
async fn a_limit_on_orders_that_cannot_be_measured_raises_an_event() {
    let desk = Desk::open().await;
    for limit in [
        limit("max_daily_trades", 1, "count"),
        limit("max_order_size", 1, "kilos").of_each_account(),
        limit("max_order_size", 1, "kilos").of_instrument("EUR_USD"),
        limit("bananas", 1, "USD").of_instrument("EUR_USD"),
    ] {
        let id = limit.insert(&desk).await;
        desk.monitor().await;
        let event = "SELECT min(event_type || ' ' || severity) FROM risk_events WHERE related_limit_id = $1";
        assert_eq!(desk.text_of(event, &[&id]).await, "limit_not_measured critical", "{limit:?}");
    }
}
