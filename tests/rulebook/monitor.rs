//! What the monitor of limits raises, how often, and what clears it.

use rstest::rstest;
use serde_json::json;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::limits::long;
use crate::verbs::{Verb as _, acknowledge, buy, change, close, limit, resume, version};

/// Open events of the monitor, oldest first: severity, type, how often, whether it is acknowledged.
pub(crate) const RAISED: &str = "SELECT string_agg(concat_ws(' ', severity, event_type, occurrence_count, CASE WHEN acknowledged THEN 'owned' ELSE 'free' END), '; ' ORDER BY occurred_at)
    FROM risk_events WHERE event_source = 'sentinel' AND resolution_time IS NULL";

#[tokio::test]
async fn an_event_is_raised_once_per_standing_and_clears_with_hysteresis() {
    let (desk, _trader) = long().await;
    let id = limit("max_exposure", 12_500, "USD").of(ALPHA).insert(&desk).await;
    let state = "SELECT state FROM tmt.limit_states WHERE limit_id::text = $1";
    let state = async || desk.text_of(state, &[&id.to_string()]).await;
    // 11,000 of 12,500 is more than 80 %.
    desk.monitor().await;
    assert_eq!(state().await, "warning");
    assert_eq!(desk.text(RAISED).await, "warning limit_warning 1 free");
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "warning limit_warning 1 free", "nothing changed");
    desk.run("UPDATE risk_events SET acknowledged = true").await;
    // A breach is worse than the warning that was acknowledged.
    desk.rate("EUR", "USD", "1.2501").await;
    desk.monitor().await;
    assert_eq!(state().await, "breach");
    assert_eq!(desk.text(RAISED).await, "critical limit_warning 2 free");
    // A breach that ends is a warning; it clears only below 10,000 − 5 % of 12,500.
    for (mid, standing) in [("1.2500", "warning"), ("0.9376", "warning"), ("0.9374", "ok")] {
        desk.rate("EUR", "USD", mid).await;
        desk.monitor().await;
        assert_eq!(state().await, standing, "{mid}");
    }
    assert_ne!(desk.text(RAISED).await, "-", "the limit must be ok for a minute");
    a_minute_later(&desk).await;
    assert_eq!(desk.text(RAISED).await, "-");
    let resolved = "SELECT concat_ws(' ', auto_resolved::text, acknowledged::text) FROM risk_events WHERE event_source = 'sentinel'";
    assert_eq!(desk.text(resolved).await, "true false", "cleared is not acknowledged");
}

#[tokio::test]
async fn a_loss_at_its_limit_halts_the_account_and_leaves_closing_open() {
    let (desk, trader) = long().await;
    desk.run("SELECT desk.roll_days(); UPDATE performance_metrics SET start_equity = 100000").await;
    desk.run("UPDATE accounts SET equity = 95000 WHERE account_name = 'alpha'").await;
    desk.monitor().await;
    assert_eq!(
        desk.text("SELECT status FROM accounts WHERE account_name = 'alpha'").await,
        "risk_halt"
    );
    assert_eq!(
        desk.text("SELECT concat_ws(' ', scope, mode, cleared_at) FROM trading_halts").await,
        "account reduce_only"
    );
    assert_eq!(desk.text(RAISED).await, "emergency limit_breach 1 free");
    let refused = buy(1000).place(&trader).await.refused("TRADING_HALT");
    assert!(refused.message.contains("5,000.00 USD of 5,000.00 USD"), "{}", refused.message);
    close(desk.position().await).send(&trader).await.accepted();
    // Bravo may trade.
    buy(1000).on(BRAVO).place(&trader).await.accepted();
}

#[tokio::test]
async fn the_event_of_a_portfolio_names_the_portfolio() {
    let (desk, _trader) = long().await;
    limit("max_exposure", 1000, "USD").of_portfolio("majors").insert(&desk).await;
    desk.monitor().await;
    let message = desk
        .text("SELECT event_data ->> 'message' FROM risk_events WHERE event_source = 'sentinel'");
    let message = message.await;
    assert!(message.starts_with("portfolio majors, max exposure: "), "{message}");
}

#[tokio::test]
async fn limits_that_cannot_be_measured_raise_events() {
    let (desk, _trader) = long().await;
    limit("max_bananas", 5, "USD").insert(&desk).await;
    limit("max_exposure", 5, "furlongs").insert(&desk).await;
    limit("max_loss_per_position", 100, "USD").of(ALPHA).insert(&desk).await;
    limit("max_consecutive_losses", 1, "count").of(ALPHA).insert(&desk).await;
    desk.monitor().await;
    desk.monitor().await;
    assert_eq!(
        desk.text(RAISED).await,
        "critical limit_not_measured 1 free; critical limit_not_measured 1 free"
    );
    desk.run("UPDATE positions SET unrealized_pnl = -100, current_price = 1.09").await;
    desk.monitor().await;
    assert!(desk.text(RAISED).await.ends_with("critical limit_breach 1 free"));
}

#[tokio::test]
async fn replacing_a_limit_clears_its_event() {
    let (desk, _trader) = long().await;
    let ann = desk.officer("ann").await;
    desk.set("four_eyes", "off").await;
    let id = limit("max_exposure", 1000, "USD").of(ALPHA).insert(&desk).await;
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "critical limit_breach 1 free");
    let seen = version(&ann, id).await;
    change(id, &seen).value(100_000).because("room").send(&ann).await.accepted();
    assert_eq!(desk.text(RAISED).await, "-");
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "-");
}

/// Emergencies of the monitor, oldest first: severity, how often, limit, whether it is over.
pub(crate) const LOSSES: &str = "SELECT string_agg(concat_ws(' ', severity, occurrence_count, limit_value::bigint, CASE WHEN resolution_time IS NULL THEN 'open' ELSE 'over' END), '; ' ORDER BY occurred_at)
    FROM risk_events WHERE event_source = 'sentinel' AND severity = 'emergency'";

/// Lets a minute pass, and measures the limits.
pub(crate) async fn a_minute_later(desk: &Desk) {
    desk.run("UPDATE tmt.limit_states SET since = since - interval '61 s'").await;
    desk.monitor().await;
}

/// Sets the equity of alpha, and measures the limits.
pub(crate) async fn equity(desk: &Desk, amount: i64) {
    let sql = "UPDATE accounts SET equity = $1::bigint WHERE account_id = $2";
    desk.execute(sql, &[&amount, &ALPHA.0]).await;
    desk.monitor().await;
}

/// Makes the current periods of all accounts those of yesterday.
pub(crate) async fn a_day_later(desk: &Desk) {
    desk.run(
        "UPDATE performance_metrics SET period_start = period_start - interval '1 day',
            period_end = period_end - interval '1 day'",
    )
    .await;
}

/// Lets the daily loss of alpha start again each day, from the balance.
pub(crate) async fn clearing_each_day(desk: &Desk) {
    let rules = json!({"risk_rules": {"daily": {"clears": true, "base": "balance"}}});
    desk.metadata("alpha", &rules.to_string()).await;
    desk.roll_days().await;
}

/// A desk whose day began, with a daily loss limit on alpha besides the account's own 5,000.
pub(crate) async fn losing(value: u32) -> Desk {
    let desk = Desk::open().await;
    desk.roll_days().await;
    limit("max_daily_loss", value, "USD").of(ALPHA).insert(&desk).await;
    desk
}

#[rstest]
#[case::equal(5000, 5000)]
#[case::tighter(3000, 3000)]
#[case::looser(6000, 5000)]
#[tokio::test]
async fn a_loss_past_two_limits_is_one_event(#[case] value: u32, #[case] tightest: u32) {
    let desk = losing(value).await;
    equity(&desk, 93_000).await;
    assert_eq!(desk.text(LOSSES).await, format!("emergency 1 {tightest} open"));
    equity(&desk, 93_000).await;
    assert_eq!(desk.text(LOSSES).await, format!("emergency 1 {tightest} open"), "nothing changed");
    // A further tenth of the limit counts once, not once per limit.
    equity(&desk, 92_000).await;
    assert_eq!(desk.text(LOSSES).await, format!("emergency 2 {tightest} open"));
    assert_eq!(desk.text("SELECT count(*) FROM trading_halts").await, "1");
}

#[tokio::test]
async fn limits_breached_one_after_the_other_share_an_event_that_names_the_tighter() {
    let desk = losing(3000).await;
    equity(&desk, 96_900).await;
    equity(&desk, 95_000).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 2 3000 open");
}

#[tokio::test]
async fn an_event_of_two_limits_clears_when_both_are_ok() {
    let desk = losing(3000).await;
    equity(&desk, 93_000).await;
    // A loss of 3,900 is ok for the account's own limit, and in breach of the other.
    equity(&desk, 96_100).await;
    a_minute_later(&desk).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 3000 open");
    // Less than 5 % of the limit below the warning.
    equity(&desk, 97_700).await;
    a_minute_later(&desk).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 3000 open");
    equity(&desk, 99_000).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 3000 open", "it must be ok for a minute");
    a_minute_later(&desk).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 3000 over");
    // The next breach is a new event.
    equity(&desk, 93_000).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 3000 over; emergency 1 3000 open");
}

#[tokio::test]
async fn an_expired_limit_clears_its_event() {
    let (desk, _trader) = long().await;
    let ann = desk.officer("ann").await;
    let until = desk.text("SELECT now() + interval '1 hour'").await;
    let today = limit("max_exposure", 1000, "USD").of(ALPHA).until(&until).because("today");
    let made = today.send(&ann).await.accepted();
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "critical limit_breach 1 free");
    let expire = "UPDATE risk_limits SET effective_from = now() - interval '2 h',
        effective_until = now() - interval '1 s' WHERE limit_id = $1";
    desk.execute(expire, &[&made.subject()]).await;
    desk.monitor().await;
    assert_eq!(desk.text(RAISED).await, "-");
    assert_eq!(
        desk.text("SELECT count(*) FROM tmt.limit_states WHERE state = 'breach'").await,
        "0"
    );
}

#[tokio::test]
async fn a_limit_that_can_be_measured_again_clears_its_event() {
    let desk = Desk::open().await;
    let id = limit("max_daily_loss", 5, "furlongs").of(ALPHA).insert(&desk).await;
    desk.roll_days().await;
    equity(&desk, 93_000).await;
    assert_eq!(
        desk.text(RAISED).await,
        "emergency limit_breach 1 free; critical limit_not_measured 1 free"
    );
    let mend = "UPDATE risk_limits SET limit_unit = 'percentage' WHERE limit_id = $1";
    desk.execute(mend, &[&id]).await;
    desk.monitor().await;
    a_minute_later(&desk).await;
    assert_eq!(desk.text(RAISED).await, "emergency limit_breach 1 free");
}

#[rstest]
#[tokio::test]
async fn a_drawdown_event_clears_when_it_is_acknowledged_and_its_halt_resumed(
    #[values(true, false)] acknowledged_first: bool,
) {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    desk.run("UPDATE accounts SET max_daily_loss = 90000; SELECT desk.roll_days()").await;
    equity(&desk, 89_000).await;
    equity(&desk, 100_000).await;
    a_minute_later(&desk).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 10000 open", "it latches");
    let events = desk.ids("SELECT event_id FROM risk_events WHERE event_source = 'sentinel'").await;
    let halt = desk.text("SELECT halt_id FROM trading_halts").await;
    assert_eq!(events.len(), 1);
    for acknowledges in [acknowledged_first, !acknowledged_first] {
        assert_eq!(desk.text(LOSSES).await, "emergency 1 10000 open");
        if acknowledges {
            acknowledge(&events).note("spoke to the trader").send(&ann).await.accepted();
        } else {
            resume(&halt).because("looked into it").send(&ann).await.accepted();
        }
        a_minute_later(&desk).await;
    }
    assert_eq!(desk.text(LOSSES).await, "emergency 1 10000 over");
    let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(status).await, "active");
}

#[tokio::test]
async fn a_loss_on_a_new_day_is_a_new_event() {
    let desk = Desk::open().await;
    clearing_each_day(&desk).await;
    equity(&desk, 94_000).await;
    desk.run("UPDATE risk_events SET acknowledged = true").await;
    a_day_later(&desk).await;
    desk.roll_days().await;
    desk.monitor().await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 5000 over; emergency 1 5000 open");
}

#[tokio::test]
async fn unacknowledged_events_escalate_and_acknowledgements_expire() {
    let (desk, _trader) = long().await;
    limit("max_exposure", 1000, "USD").of(ALPHA).insert(&desk).await;
    desk.monitor().await;
    let actions = "SELECT string_agg(action || coalesce(': ' || note, ''), '; ' ORDER BY action_id) FROM risk_event_actions";
    let actions = async || desk.text(actions).await;
    let since_raised = async |minutes: u32| {
        let past = format!("UPDATE risk_event_actions SET at = at - interval '{minutes} minutes'");
        desk.run_without_triggers(&past).await;
        desk.monitor().await;
        actions().await
    };
    assert_eq!(since_raised(14).await, "raised");
    let first = "raised; escalated: to the senior trader and the risk officers";
    assert_eq!(since_raised(1).await, first);
    assert_eq!(since_raised(5).await, first, "once");
    let second = format!("{first}; escalated: to the head of risk");
    assert_eq!(since_raised(10).await, second);

    let ann = desk.officer("ann").await;
    let events = desk.ids("SELECT event_id FROM risk_events").await;
    acknowledge(&events).note("mine").send(&ann).await.accepted();
    let owned = format!("{second}; acknowledged: mine");
    let since_acknowledged = async |minutes: u32| {
        let past = format!(
            "UPDATE risk_events SET acknowledged_at = acknowledged_at - interval '{minutes} minutes'"
        );
        desk.run(&past).await;
        desk.monitor().await;
        actions().await
    };
    assert_eq!(since_acknowledged(29).await, owned);
    let reraised = format!("{owned}; reraised: acknowledged, but not resolved");
    assert_eq!(since_acknowledged(2).await, reraised);
    assert_eq!(desk.text(RAISED).await, "critical limit_breach 1 free");
    // An event whose cause is over is not raised again.
    acknowledge(&events).note("mine").send(&ann).await.accepted();
    desk.run("UPDATE risk_limits SET limit_value = 100000").await;
    desk.monitor().await;
    since_acknowledged(31).await;
    assert_eq!(desk.text(RAISED).await, "critical limit_breach 1 owned");
}
