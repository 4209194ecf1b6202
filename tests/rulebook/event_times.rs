//! Events of the monitor over time: escalation, acknowledgement, new days, and who may clear them.

use rstest::rstest;

use crate::desk::{ALPHA, Desk, sqlstate};
use crate::limits::long;
use crate::monitor::{LOSSES, RAISED, a_day_later, clearing_each_day, equity, losing};
use crate::verbs::{
    Verb as _, acknowledge, buy, change, limit, raise, resume, unacknowledge, version,
};

/// The actions on events of the monitor, in order.
const ACTS: &str = "SELECT string_agg(a.action || coalesce(': ' || a.note, ''), '; ' ORDER BY a.action_id)
    FROM risk_event_actions a JOIN risk_events e USING (event_id) WHERE e.event_source = 'sentinel'";

/// Moves what happened to events some minutes back, and measures the limits.
async fn minutes_later(desk: &Desk, minutes: i32) {
    desk.run_without_triggers(&format!(
        "UPDATE risk_event_actions SET at = at - interval '{minutes} minutes'"
    ))
    .await;
    let acknowledged =
        "UPDATE risk_events SET acknowledged_at = acknowledged_at - $1::int * interval '1 minute'";
    desk.execute(acknowledged, &[&minutes]).await;
    desk.monitor().await;
}

/// Ends the day and begins the next one.
async fn a_new_day(desk: &Desk) {
    a_day_later(desk).await;
    desk.roll_days().await;
}

#[tokio::test]
async fn a_warning_that_becomes_a_breach_escalates_from_then() {
    let (desk, _trader) = long().await;
    limit("max_exposure", 12_500, "USD").of(ALPHA).insert(&desk).await;
    desk.monitor().await;
    minutes_later(&desk, 60).await;
    desk.run("UPDATE risk_limits SET limit_value = 10000").await;
    desk.monitor().await;
    let grave = "raised; reraised: critical, was warning";
    assert_eq!(desk.text(ACTS).await, grave);
    minutes_later(&desk, 14).await;
    assert_eq!(desk.text(ACTS).await, grave);
    minutes_later(&desk, 1).await;
    assert_eq!(
        desk.text(ACTS).await,
        format!("{grave}; escalated: to the senior trader and the risk officers")
    );
}

#[rstest]
#[case::emergency("emergency limit_breach", 94_000, 10)]
#[case::warning("warning limit_warning", 95_500, 240)]
#[tokio::test]
async fn the_severity_of_an_event_says_how_long_its_acknowledgement_lasts(
    #[case] raised: &str,
    #[case] amount: i64,
    #[case] minutes: i32,
) {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    desk.roll_days().await;
    equity(&desk, amount).await;
    assert_eq!(desk.text(RAISED).await, format!("{raised} 1 free"));
    let events = desk.ids("SELECT event_id FROM risk_events").await;
    acknowledge(&events).note("mine").send(&ann).await.accepted();
    minutes_later(&desk, minutes - 1).await;
    assert_eq!(desk.text(RAISED).await, format!("{raised} 1 owned"));
    minutes_later(&desk, 1).await;
    assert_eq!(desk.text(RAISED).await, format!("{raised} 1 free"));
}

#[tokio::test]
async fn an_unacknowledged_event_escalates_from_when_it_was_given_back() {
    let (desk, _trader) = long().await;
    let ann = desk.officer("ann").await;
    limit("max_exposure", 1000, "USD").of(ALPHA).insert(&desk).await;
    desk.monitor().await;
    let events = desk.ids("SELECT event_id FROM risk_events").await;
    acknowledge(&events).note("mine").send(&ann).await.accepted();
    minutes_later(&desk, 20).await;
    unacknowledge(events[0]).note("not mine").send(&ann).await.accepted();
    minutes_later(&desk, 14).await;
    let given = "raised; acknowledged: mine; unacknowledged: not mine";
    assert_eq!(desk.text(ACTS).await, given);
    minutes_later(&desk, 1).await;
    assert_eq!(
        desk.text(ACTS).await,
        format!("{given}; escalated: to the senior trader and the risk officers")
    );
}

#[tokio::test]
async fn a_limit_that_cannot_be_measured_is_raised_again_after_an_acknowledgement_expires() {
    let desk = losing(3000).await;
    let ann = desk.officer("ann").await;
    equity(&desk, 96_000).await;
    assert_eq!(desk.text(RAISED).await, "emergency limit_breach 1 free");
    desk.run("UPDATE risk_limits SET limit_unit = 'furlongs'; SELECT desk.monitor_limits()").await;
    let not_measured =
        "SELECT acknowledged FROM risk_events WHERE event_type = 'limit_not_measured'";
    let events = "SELECT event_id FROM risk_events WHERE event_type = 'limit_not_measured'";
    acknowledge(&desk.ids(events).await).note("mine").send(&ann).await.accepted();
    minutes_later(&desk, 29).await;
    assert_eq!(desk.text(not_measured).await, "true");
    minutes_later(&desk, 2).await;
    assert_eq!(desk.text(not_measured).await, "false");
}

#[tokio::test]
async fn a_breach_on_a_new_day_raises_and_halts_again() {
    let desk = Desk::open().await;
    clearing_each_day(&desk).await;
    let ann = desk.officer("ann").await;
    equity(&desk, 94_000).await;
    let halt = desk.text("SELECT halt_id FROM trading_halts").await;
    resume(halt).because("looked into it").send(&ann).await.accepted();
    a_new_day(&desk).await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 5000 over");
    desk.monitor().await;
    assert_eq!(desk.text(LOSSES).await, "emergency 1 5000 over; emergency 1 5000 open");
    let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(status).await, "risk_halt");
}

#[tokio::test]
async fn a_warning_is_raised_again_on_a_new_day() {
    let desk = Desk::open().await;
    clearing_each_day(&desk).await;
    let wider = limit("max_daily_loss", 7000, "USD").of(ALPHA);
    wider.parameters(r#"{"base": "balance"}"#).insert(&desk).await;
    equity(&desk, 94_000).await;
    a_new_day(&desk).await;
    assert_eq!(desk.text(RAISED).await, "-");
    // The limit in breach is loosened: the other one still warns.
    desk.run("UPDATE accounts SET max_daily_loss = 90000; SELECT desk.monitor_limits()").await;
    assert_eq!(desk.text(RAISED).await, "warning limit_warning 1 free");
}

#[tokio::test]
async fn an_event_has_the_figures_of_a_limit_in_force() {
    let desk = losing(3000).await;
    let ann = desk.officer("ann").await;
    desk.set("four_eyes", "off").await;
    equity(&desk, 93_000).await;
    let says = "SELECT concat_ws(', ', event_data ->> 'message', current_value::bigint, limit_value::bigint,
            (SELECT is_active FROM risk_limits l WHERE l.limit_id = related_limit_id))
        FROM risk_events WHERE event_source = 'sentinel'";
    let sentence =
        |limit: &str| format!("alpha, max daily loss: 7,000.00 USD of {limit} USD (breach).");
    assert_eq!(desk.text(says).await, format!("{}, 7000, 3000, t", sentence("3,000.00")));
    let limit = desk.ids("SELECT limit_id FROM risk_limits").await[0];
    let room = change(limit, &version(&ann, limit).await).value(50_000).because("room");
    room.send(&ann).await.accepted();
    desk.run("SELECT desk.monitor_limits(), desk.monitor_limits()").await;
    assert_eq!(desk.text(says).await, format!("{}, 7000, 5000", sentence("5,000.00")));
    assert_eq!(desk.text(LOSSES).await, "emergency 1 5000 open", "that is no news");
    assert_eq!(desk.text(ACTS).await, format!("raised; note: {}", sentence("5,000.00")));
}

#[tokio::test]
async fn closing_an_account_clears_its_events() {
    let (desk, _trader) = long().await;
    limit("max_exposure", 1000, "USD").of(ALPHA).insert(&desk).await;
    desk.roll_days().await;
    equity(&desk, 94_000).await;
    assert_eq!(
        desk.text(RAISED).await,
        "critical limit_breach 1 free; emergency limit_breach 1 free"
    );
    desk.run("UPDATE accounts SET status = 'closed' WHERE account_name = 'alpha'; SELECT desk.monitor_limits()").await;
    assert_eq!(desk.text(RAISED).await, "-");
    let left = "SELECT count(*) FROM tmt.limit_states WHERE account_id::text = $1::text";
    assert_eq!(desk.text_of(left, &[&ALPHA.to_string()]).await, "0");
}

#[tokio::test]
async fn an_account_that_cannot_be_measured_is_an_event_and_delays_no_other() {
    let (desk, _trader) = long().await;
    desk.run("SELECT desk.roll_days(); UPDATE accounts SET equity = 94000").await;
    // A fault of the rulebook that only alpha reaches.
    desk.run(
        "ALTER FUNCTION desk.account_rules(desk.order_context) RENAME TO rules;
         CREATE FUNCTION desk.account_rules(o desk.order_context) RETURNS desk.limit_measurement[] LANGUAGE plpgsql STABLE AS $$
         BEGIN
             PERFORM 1 / CASE o.account_name WHEN 'alpha' THEN 0 ELSE 1 END;
             RETURN desk.rules(o);
         END $$",
    )
    .await;
    desk.run("SELECT desk.monitor_limits(); SELECT desk.monitor_limits()").await;
    let raised = "SELECT string_agg(concat_ws(' ', a.account_name, e.event_type, e.occurrence_count), '; ' ORDER BY a.account_name)
        FROM risk_events e JOIN accounts a USING (account_id) WHERE e.event_source = 'sentinel' AND e.resolution_time IS NULL";
    assert_eq!(desk.text(raised).await, "alpha limit_not_measured 1; bravo limit_breach 1");
    let says = "SELECT string_agg(event_data ->> 'message', '; ') FROM risk_events WHERE event_type = 'limit_not_measured' AND resolution_time IS NULL";
    assert_eq!(desk.text(says).await, "Limits of alpha are not monitored: division by zero.");
    desk.run(
        "DROP FUNCTION desk.account_rules; ALTER FUNCTION desk.rules(desk.order_context) RENAME TO account_rules;
         SELECT desk.monitor_limits()",
    )
    .await;
    assert_eq!(desk.text(raised).await, "alpha limit_breach 1; bravo limit_breach 1");

    // The same over several accounts.
    limit("max_exposure", 50, "percentage").insert(&desk).await;
    desk.run(
        "ALTER FUNCTION desk.scope_equity RENAME TO hidden;
         CREATE FUNCTION desk.scope_equity(o desk.order_context, l risk_limits, p_place text) RETURNS numeric LANGUAGE plpgsql STABLE AS
             $$ BEGIN RETURN 1 / 0; END $$",
    )
    .await;
    desk.run("SELECT desk.monitor_limits(); SELECT desk.monitor_limits()").await;
    assert_eq!(desk.text(says).await, "Wide limits are not monitored: division by zero.");
    desk.run(
        "DROP FUNCTION desk.scope_equity; ALTER FUNCTION desk.hidden RENAME TO scope_equity;
         SELECT desk.monitor_limits()",
    )
    .await;
    assert_eq!(desk.text(says).await, "-");
}

#[tokio::test]
async fn other_programs_cannot_raise_or_clear_events_of_the_monitor() {
    let desk = losing(3000).await;
    let (agent, other) =
        (desk.member("agent", "tmt_agent").await, desk.member("other", "tmt_agent").await);
    let raise = |source: &str, key: &str| raise("x", "warning", source).on(ALPHA).dedup(key);
    for key in ["loss:max_daily_loss:x", "limit:x"] {
        let error = raise("sentinel", key).try_send(&agent).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22023");
    }
    // Even where the sentinel has the agent's login.
    desk.run("UPDATE accounts SET equity = 92000 WHERE account_name = 'alpha'").await;
    agent.batch_execute("SELECT desk.monitor_limits()").await.unwrap();
    raise("desk", "halt:x").send(&agent).await;
    raise("feed", "mine").send(&agent).await;
    for key in [&*format!("loss:max_daily_loss:{ALPHA}"), "halt:x"] {
        let error = agent.query("SELECT desk.clear_event($1)", &[&key]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{key}");
    }
    assert_eq!(sqlstate(&other, "SELECT desk.clear_event('mine')").await, "42501");
    agent
        .batch_execute("SELECT desk.clear_event('mine'), desk.clear_event('nothing')")
        .await
        .unwrap();
    let open = "SELECT string_agg(DISTINCT event_source, ' ') FROM risk_events WHERE resolution_time IS NULL";
    assert_eq!(desk.text(open).await, "desk sentinel");
}

#[tokio::test]
async fn trades_count_under_every_spelling_of_their_instrument() {
    let (desk, _trader) = long().await;
    let trades = limit("max_daily_trades", 10, "count").of_instrument("EUR_USD");
    for limit in [trades.clone().only(ALPHA), trades] {
        desk.run("DELETE FROM risk_limits").await;
        limit.insert(&desk).await;
        for (stored, counted) in [
            (Some("EUR_USD"), 2),
            (Some("EURUSD"), 2),
            (Some("eur/usd"), 2),
            (None, 2),
            (Some("USD_JPY"), 1),
        ] {
            desk.execute("UPDATE trade_registry SET instrument = $1", &[&stored]).await;
            let lines = buy(1000).assess(&desk.admin).await;
            let measured = lines.find("MAX_DAILY_TRADES").measured;
            assert_eq!(measured, Some(counted.into()), "{limit:?} {stored:?}");
        }
    }
}
