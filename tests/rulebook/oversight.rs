//! Acknowledgements, four eyes on limits, halts, and repeated events.

use futures_util::future::join_all;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::desk::{ALPHA, Desk, begin};
use crate::verbs::{
    Answer, Verb as _, acknowledge, approve, buy, change, halt, halt_account, halt_instrument,
    halt_portfolio, limit, reject, resume, unacknowledge, version,
};
use crate::{rows, verbs};

async fn event(desk: &Desk, severity: &str) -> Uuid {
    rows::event(severity).set("account_id", "uuid", ALPHA).id("event_id", &desk.admin).await
}

#[tokio::test]
async fn concurrent_acknowledgements_have_one_winner() {
    let desk = Desk::open().await;
    let mut officers = Vec::new();
    for name in ["ann", "bob", "cho", "dee", "eve", "fay", "gil", "hal"] {
        officers.push(desk.officer(name).await);
    }
    let mut events = Vec::new();
    for _ in 0..20 {
        events.push(event(&desk, "warning").await);
    }
    let reversed: Vec<Uuid> = events.iter().rev().copied().collect();

    // In opposite orders, which must not deadlock.
    let all: Vec<_> = (0..officers.len())
        .map(|number| acknowledge(if number % 2 == 0 { &events } else { &reversed }))
        .collect();
    let answers = join_all(all.iter().zip(&officers).map(|(all, officer)| all.send(officer))).await;

    let winners: Vec<&Answer> = answers.iter().filter(|a| a.outcome == "accepted").collect();
    assert_eq!(winners.len(), 1);
    for loser in answers.iter().filter(|a| a.outcome == "refused") {
        loser.clone().refused("ALREADY_ACKNOWLEDGED");
        let taken = loser.detail.get("taken").unwrap().as_array().unwrap();
        assert_eq!(taken.len(), 20);
        assert!(
            loser.message.contains(taken.first().unwrap().get("by").unwrap().as_str().unwrap())
        );
    }
    assert_eq!(
        desk.text("SELECT count(*) || ' ' || count(DISTINCT actor) FROM risk_event_actions").await,
        "20 1"
    );
}

#[tokio::test]
async fn critical_events_need_a_note_and_emergencies_are_acknowledged_alone() {
    let desk = Desk::open().await;
    let officer = desk.officer("ann").await;
    let (warning, critical) = (event(&desk, "warning").await, event(&desk, "critical").await);
    let (emergency, stranger) = (event(&desk, "emergency").await, Uuid::new_v4());

    let some = acknowledge(&[warning, critical, stranger]).send(&officer).await.accepted();
    assert_eq!(some.detail.get("acknowledged").unwrap(), &serde_json::json!([warning]));
    assert_eq!(some.detail.get("needs_note").unwrap(), &serde_json::json!([critical]));
    assert_eq!(some.detail.get("unknown").unwrap(), &serde_json::json!([stranger]));
    acknowledge(&[critical]).note("  ").send(&officer).await.refused("NOTE_REQUIRED");

    let noted =
        acknowledge(&[critical, emergency]).note("called the desk").send(&officer).await.accepted();
    assert_eq!(noted.detail.get("acknowledged").unwrap(), &serde_json::json!([critical]));
    acknowledge(&[emergency]).note("called the desk").send(&officer).await.accepted();
    acknowledge(&[stranger]).send(&officer).await.refused("EVENT_UNKNOWN");
    acknowledge(&[]).send(&officer).await.refused("EVENT_UNKNOWN");
}

#[tokio::test]
async fn unacknowledging_needs_a_note_and_is_recorded() {
    let desk = Desk::open().await;
    let officer = desk.officer("ann").await;
    let id = event(&desk, "warning").await;
    unacknowledge(id).note("x").send(&officer).await.refused("NOT_ACKNOWLEDGED");
    acknowledge(&[id]).send(&officer).await.accepted();

    unacknowledge(id).send(&officer).await.refused("NOTE_REQUIRED");
    unacknowledge(id).note("not mine").send(&officer).await.accepted();

    let row = "SELECT format('%s %s', acknowledged, acknowledged_by IS NULL) FROM risk_events";
    assert_eq!(desk.text(row).await, "f t");
    let actions = "SELECT string_agg(action || coalesce(':' || note, ''), ' ' ORDER BY action_id) FROM risk_event_actions";
    assert_eq!(desk.text(actions).await, "acknowledged unacknowledged:not mine");
    acknowledge(&[id]).send(&officer).await.accepted();
}

/// The exposure of alpha, as an agent raises it.
async fn raise(client: &Client, severity: &str, current: &str) -> Uuid {
    let event = verbs::raise("max_exposure", severity, "sentinel").on(ALPHA);
    event.figures("exposure", current, 1000).dedup("key").send(client).await
}

#[tokio::test]
async fn a_repeated_event_is_counted_and_returns_only_when_worse() {
    let desk = Desk::open().await;
    let (agent, officer) = (desk.member("agent", "tmt_agent").await, desk.officer("ann").await);
    let state = "SELECT format('%s %s x%s ack %s', severity, round(current_value), occurrence_count, acknowledged) FROM risk_events ORDER BY occurred_at DESC LIMIT 1";

    let id = raise(&agent, "warning", "850").await;
    assert_eq!(raise(&agent, "warning", "900").await, id);
    assert_eq!(desk.text(state).await, "warning 900 x2 ack f");
    acknowledge(&[id]).send(&officer).await.accepted();

    assert_eq!(raise(&agent, "warning", "950").await, id);
    assert_eq!(desk.text(state).await, "warning 900 x3 ack t");
    raise(&agent, "critical", "1010").await;
    assert_eq!(desk.text(state).await, "critical 1010 x4 ack f");
    acknowledge(&[id]).note("seen").send(&officer).await.accepted();
    raise(&agent, "critical", "1100").await;
    assert_eq!(desk.text(state).await, "critical 1010 x5 ack t");
    raise(&agent, "warning", "1110").await;
    assert_eq!(desk.text(state).await, "critical 1110 x6 ack f");

    desk.run("UPDATE risk_events SET resolution_time = now()").await;
    assert_ne!(raise(&agent, "warning", "1e30").await, id);
    assert_eq!(desk.text(state).await, "warning  x1 ack f");
    let actions = "SELECT string_agg(action, ' ' ORDER BY action_id) FROM risk_event_actions";
    assert_eq!(
        desk.text(actions).await,
        "raised acknowledged reraised acknowledged reraised raised"
    );
}

#[tokio::test]
async fn eight_programs_raise_one_event_for_one_breach() {
    let desk = Desk::open().await;
    let login = desk.database.login("agent", "tmt_agent").await;
    let agents = join_all((0..8).map(|_| desk.database.client_as(&login))).await;

    let ids = join_all(agents.iter().map(|a| raise(a, "warning", "850"))).await;

    assert!(ids.iter().all(|id| id == ids.first().unwrap()));
    assert_eq!(desk.text("SELECT occurrence_count FROM risk_events").await, "8");
}

/// A limit of 50,000 USD on the exposure of alpha, and its version.
async fn exposure(desk: &Desk) -> (Uuid, String) {
    let limit = limit("max_exposure", 50_000, "USD").of(ALPHA);
    let id = limit.also("effective_from", "timestamptz", "yesterday").insert(desk).await;
    (id, version(&desk.admin, id).await)
}

/// The exposure that limits allow alpha now.
async fn allowed(desk: &Desk) -> String {
    let sql = "SELECT string_agg(trim_scale(limit_value)::text, ' ' ORDER BY limit_value)
        FROM desk.limits_in_force($1, 'majors', 'EUR_USD', clock_timestamp())";
    desk.text_of(sql, &[&ALPHA.0]).await
}

#[tokio::test]
async fn tightening_is_immediate_and_loosening_needs_a_second_person() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let (id, seen) = exposure(&desk).await;

    // LIM-08.
    let tight = change(id, &seen).value(40_000).send(&ann).await.accepted_as("TIGHTENED");
    assert_eq!(allowed(&desk).await, "40000");
    assert_eq!(buy(40_000).assess(&desk.admin).await.objections(), ["MAX_EXPOSURE"]);

    let id = tight.subject();
    let seen = version(&ann, id).await;
    change(id, &seen).value(60_000).send(&ann).await.refused("REASON_REQUIRED");
    let loose = change(id, &seen).value(60_000).because("quarter end").send(&ann).await;
    assert_eq!(allowed(&desk).await, "40000");
    let proposal = loose.accepted_as("PENDING_APPROVAL").subject();
    approve(proposal).send(&ann).await.refused("FOUR_EYES_SAME_PERSON");

    approve(proposal).note("agreed").send(&bob).await.accepted();

    assert_eq!(allowed(&desk).await, "60000");
    assert_eq!(buy(40_000).assess(&desk.admin).await.objections(), [""; 0]);
    let history = "SELECT string_agg(format('%s %s', trim_scale(limit_value), desk.limit_state(l)), ', ' ORDER BY created_at) FROM risk_limits l";
    assert_eq!(desk.text(history).await, "50000 ended, 40000 ended, 60000 active");
    approve(proposal).send(&bob).await.refused("NOT_PENDING");
    assert_eq!(
        desk.text("SELECT count(*) FROM risk_events WHERE event_type = 'limit_changed'").await,
        "2"
    );
}

#[tokio::test]
async fn four_eyes_ignores_the_case_of_a_login() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let (id, seen) = exposure(&desk).await;
    let proposal = change(id, &seen).value(60_000).because("why").send(&ann).await.subject.unwrap();
    // As an agent may have written it.
    let capitals =
        "UPDATE risk_limits SET created_by = ' ' || upper(created_by) || ' ' WHERE limit_id = $1";
    desk.execute(capitals, &[&proposal]).await;

    approve(proposal).send(&ann).await.refused("FOUR_EYES_SAME_PERSON");
    // The same rule applies to a program that writes the table.
    let forged = "UPDATE risk_limits SET approved_by = lower(btrim(created_by)), is_active = true WHERE limit_id = $1";
    let error = desk.admin.execute(forged, &[&proposal]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23514");
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let (id, seen) = exposure(&desk).await;
    let first =
        change(id, &seen).value(60_000).because("a").send(&ann).await.accepted().subject.unwrap();

    // A pending proposal does not change the version of the old row.
    change(id, &seen).value(30_000).send(&bob).await.accepted();
    let stale = change(id, &seen).value(20_000).send(&ann).await.refused("LIMIT_CHANGED");
    assert_eq!(stale.detail.get("state").unwrap(), "ended");
    approve(first).send(&bob).await.refused("LIMIT_CHANGED");
    assert_eq!(allowed(&desk).await, "30000");

    let (id, seen) = exposure(&desk).await;
    let seen = &seen;
    let past = desk.text("SELECT now() - interval '1 s'").await;
    for (change, code) in [
        (change(id, seen).value(0), "LIMIT_VALUE_INVALID"),
        (change(id, seen).value(-1), "LIMIT_VALUE_INVALID"),
        (change(id, seen).value(40_000).warning(40_001), "WARNING_INVALID"),
        (change(id, seen).value(40_000).until(&past), "LIMIT_UNTIL_PAST"),
        (change(id, seen).value(50_000), "NOTHING_TO_CHANGE"),
        (change(id, seen), "NOTHING_TO_CHANGE"),
        // A later warning alone is a loosening.
        (change(id, seen).value(50_000).warning(45_000), "REASON_REQUIRED"),
    ] {
        change.send(&ann).await.refused(code);
    }
    change(id, seen).value(50_000).warning(30_000).send(&ann).await.accepted_as("TIGHTENED");
    change(Uuid::new_v4(), seen).value(1).send(&ann).await.refused("LIMIT_UNKNOWN");
}

#[tokio::test]
async fn a_temporary_limit_is_followed_by_the_old_one_without_a_gap() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let (id, seen) = exposure(&desk).await;
    let raise = change(id, &seen).value(90_000).until("2100-01-01 00:00:00+00");
    let raise = raise.because("this year only").send(&ann).await.accepted();
    approve(raise.subject()).send(&bob).await.accepted();

    let at = async |moment: &str| {
        let sql = "SELECT string_agg(trim_scale(limit_value)::text, ' ')
            FROM desk.limits_in_force($1, NULL, 'EUR_USD', $2::text::timestamptz)";
        desk.text_of(sql, &[&ALPHA.0, &moment]).await
    };
    assert_eq!(at("now").await, "90000");
    assert_eq!(at("2099-12-31 23:59:59.999999+00").await, "90000");
    assert_eq!(at("2100-01-01 00:00:00+00").await, "50000");
    assert_eq!(at("2101-01-01 00:00:00+00").await, "50000");
}

#[tokio::test]
async fn a_rejected_or_old_proposal_is_void() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.officer("ann").await, desk.officer("bob").await);
    let (id, seen) = exposure(&desk).await;
    let proposed = change(id, &seen).value(60_000).because("a").send(&ann).await;
    let one = proposed.subject.unwrap();
    // Amounts are formatted as everywhere.
    let said = "50,000.00 USD -> 60,000.00 USD, pending approval.";
    assert!(proposed.message.ends_with(said), "{}", proposed.message);
    let two = change(id, &seen).value(70_000).because("b").send(&ann).await.subject.unwrap();

    reject(one).send(&bob).await.refused("NOTE_REQUIRED");
    let rejected = reject(one).note("too much").send(&bob).await.accepted();
    assert!(rejected.message.ends_with("stays at 50,000.00 USD."), "{}", rejected.message);
    let aged =
        "UPDATE risk_limits SET created_at = now() - interval '25 hours' WHERE limit_id = $1";
    desk.execute(aged, &[&two]).await;

    for proposal in [one, two] {
        approve(proposal).send(&bob).await.refused("PROPOSAL_EXPIRED");
    }
    assert_eq!(allowed(&desk).await, "50000");
}

#[tokio::test]
async fn a_single_operator_desk_can_switch_four_eyes_off() {
    let desk = Desk::open().await;
    let ann = desk.officer("ann").await;
    let (id, seen) = exposure(&desk).await;
    desk.set("four_eyes", "off").await;

    let loosened = change(id, &seen).value(60_000).because("alone here").send(&ann).await;

    loosened.accepted_as("LOOSENED");
    assert_eq!(allowed(&desk).await, "60000");
}

#[tokio::test]
async fn a_limit_change_waits_for_an_order_that_is_being_checked() {
    let desk = Desk::open().await;
    let (trader, ann) = (desk.trader().await, desk.officer("ann").await);
    let (id, seen) = exposure(&desk).await;
    begin(&trader).await;
    buy(40_000).place(&trader).await.accepted();

    let change = change(id, &seen).value(10_000);
    let (changed, waited) = tokio::join!(change.send(&ann), desk.commit_when_awaited(&trader));

    assert!(waited);
    changed.accepted();
    assert_eq!(desk.text("SELECT sum(total_size) FROM positions").await, "40000.00");
}

#[tokio::test]
async fn only_a_risk_officer_ends_a_halt() {
    let desk = Desk::open().await;
    let (trader, officer) = (desk.trader().await, desk.officer("ann").await);

    halt("system", "reduce_only").because("panic").send(&trader).await.refused("NOT_PERMITTED");
    let own = halt_account(ALPHA, "reduce_only").send(&trader).await.accepted();
    let halted = own.subject();
    halt_account(ALPHA, "reduce_only").send(&officer).await.refused("ALREADY_HALTED");
    for (halt, code) in [
        (halt("galaxy", "reduce_only"), "HALT_SCOPE_INVALID"),
        (halt("system", "reduce_only").without("scope"), "HALT_SCOPE_INVALID"),
        (halt("system", "forever"), "HALT_MODE_INVALID"),
        (halt_account("alpha", "reduce_only"), "HALT_TARGET_UNKNOWN"),
        (halt_instrument("GBP_CHF", "reduce_only"), "HALT_TARGET_UNKNOWN"),
        (halt_portfolio("minors", "reduce_only"), "HALT_TARGET_UNKNOWN"),
    ] {
        halt.send(&officer).await.refused(code);
    }
    assert_eq!(
        desk.text("SELECT severity FROM risk_events WHERE event_type = 'trading_halt'").await,
        "critical"
    );

    resume(halted).send(&officer).await.refused("REASON_REQUIRED");
    resume(halted).because("checked").send(&officer).await.accepted();
    resume(halted).because("checked").send(&officer).await.refused("ALREADY_RESUMED");
    resume(Uuid::new_v4()).because("x").send(&officer).await.refused("HALT_UNKNOWN");
    // Resolved, but not acknowledged.
    let event = "SELECT format('%s %s', resolution_time IS NOT NULL, acknowledged) FROM risk_events WHERE event_type = 'trading_halt'";
    assert_eq!(desk.text(event).await, "t f");
}
