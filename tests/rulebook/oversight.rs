//! Acknowledging, four eyes on limits, halts, and events that repeat.

use futures_util::future::join_all;
use rust_decimal::dec;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::book::{ALPHA, Book, Verdict, assess, buy, in_the_way, text, verb};

async fn event(book: &Book, severity: &str) -> Uuid {
    let sql = format!(
        "INSERT INTO risk_events (account_id, event_type, severity, event_source) VALUES ('{ALPHA}', 'drawdown', '{severity}', 'test')
         RETURNING event_id"
    );
    book.admin.query_one(&sql, &[]).await.unwrap().try_get(0).unwrap()
}

async fn acknowledge(client: &Client, events: &[Uuid], note: &str) -> Verdict {
    let list: Vec<String> = events.iter().map(Uuid::to_string).collect();
    verb(client, "acknowledge", &format!("'{{{}}}', {note}", list.join(","))).await
}

#[tokio::test]
async fn of_two_officers_at_once_one_wins_and_the_other_learns_who() {
    let book = Book::open().await;
    let mut officers = Vec::new();
    for name in ["ann", "bob", "cho", "dee", "eve", "fay", "gil", "hal"] {
        officers.push(book.officer(name).await);
    }
    let mut events = Vec::new();
    for _ in 0..20 {
        events.push(event(&book, "warning").await);
    }
    let reversed: Vec<Uuid> = events.iter().rev().copied().collect();

    let answers = join_all(officers.iter().enumerate().map(|(i, officer)| {
        // Overlapping selections in opposite orders: nobody may wait for another in a circle.
        acknowledge(officer, if i % 2 == 0 { &events } else { &reversed }, "NULL")
    }))
    .await;

    let winners: Vec<&Verdict> = answers.iter().filter(|a| a.outcome == "accepted").collect();
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
        book.text("SELECT count(*) || ' ' || count(DISTINCT actor) FROM risk_event_actions").await,
        "20 1"
    );
}

#[tokio::test]
async fn what_is_serious_needs_a_note_and_an_emergency_a_hand_of_its_own() {
    let book = Book::open().await;
    let officer = book.officer("ann").await;
    let (warning, critical) = (event(&book, "warning").await, event(&book, "critical").await);
    let (emergency, stranger) = (event(&book, "emergency").await, Uuid::new_v4());

    let some = acknowledge(&officer, &[warning, critical, stranger], "NULL").await.accepted();
    assert_eq!(some.detail.get("acknowledged").unwrap(), &serde_json::json!([warning]));
    assert_eq!(some.detail.get("needs_note").unwrap(), &serde_json::json!([critical]));
    assert_eq!(some.detail.get("unknown").unwrap(), &serde_json::json!([stranger]));
    acknowledge(&officer, &[critical], "'  '").await.refused("NOTE_REQUIRED");

    let noted = acknowledge(&officer, &[critical, emergency], "'called the desk'").await.accepted();
    assert_eq!(noted.detail.get("acknowledged").unwrap(), &serde_json::json!([critical]));
    acknowledge(&officer, &[emergency], "'called the desk'").await.accepted();
    acknowledge(&officer, &[stranger], "NULL").await.refused("EVENT_UNKNOWN");
    acknowledge(&officer, &[], "NULL").await.refused("EVENT_UNKNOWN");
}

#[tokio::test]
async fn giving_back_needs_a_note_and_is_remembered() {
    let book = Book::open().await;
    let officer = book.officer("ann").await;
    let id = event(&book, "warning").await;
    verb(&officer, "unacknowledge", &format!("'{id}', 'x'")).await.refused("NOT_ACKNOWLEDGED");
    acknowledge(&officer, &[id], "NULL").await.accepted();

    verb(&officer, "unacknowledge", &format!("'{id}', NULL")).await.refused("NOTE_REQUIRED");
    verb(&officer, "unacknowledge", &format!("'{id}', 'not mine'")).await.accepted();

    let row = "SELECT format('%s %s', acknowledged, acknowledged_by IS NULL) FROM risk_events";
    assert_eq!(book.text(row).await, "f t");
    let actions = "SELECT string_agg(action || coalesce(':' || note, ''), ' ' ORDER BY action_id) FROM risk_event_actions";
    assert_eq!(book.text(actions).await, "acknowledged unacknowledged:not mine");
    acknowledge(&officer, &[id], "NULL").await.accepted();
}

async fn raise(client: &Client, severity: &str, current: &str) -> String {
    text(
        client,
        &format!(
            "SELECT desk.raise_event('{ALPHA}', 'max_exposure', '{severity}', 'sentinel', 'exposure', {current}, 1000, 'key', NULL, NULL, NULL, NULL)"
        ),
    )
    .await
}

#[tokio::test]
async fn a_repeat_is_counted_and_comes_back_only_when_it_got_worse() {
    let book = Book::open().await;
    let (agent, officer) = (book.member("agent", "tmt_agent").await, book.officer("ann").await);
    let state = "SELECT format('%s %s x%s ack %s', severity, round(current_value), occurrence_count, acknowledged) FROM risk_events ORDER BY occurred_at DESC LIMIT 1";

    let id = raise(&agent, "warning", "850").await;
    assert_eq!(raise(&agent, "warning", "900").await, id);
    assert_eq!(book.text(state).await, "warning 900 x2 ack f");
    acknowledge(&officer, &[id.parse().unwrap()], "NULL").await.accepted();

    assert_eq!(raise(&agent, "warning", "950").await, id);
    assert_eq!(book.text(state).await, "warning 900 x3 ack t");
    raise(&agent, "critical", "1010").await;
    assert_eq!(book.text(state).await, "critical 1010 x4 ack f");
    acknowledge(&officer, &[id.parse().unwrap()], "'seen'").await.accepted();
    raise(&agent, "critical", "1100").await;
    assert_eq!(book.text(state).await, "critical 1010 x5 ack t");
    raise(&agent, "warning", "1110").await;
    assert_eq!(book.text(state).await, "critical 1110 x6 ack f");

    book.run("UPDATE risk_events SET resolution_time = now()").await;
    assert_ne!(raise(&agent, "warning", "1e30").await, id);
    assert_eq!(book.text(state).await, "warning  x1 ack f");
    let actions = "SELECT string_agg(action, ' ' ORDER BY action_id) FROM risk_event_actions";
    assert_eq!(
        book.text(actions).await,
        "raised acknowledged reraised acknowledged reraised raised"
    );
}

#[tokio::test]
async fn eight_programs_that_see_one_breach_raise_one_event() {
    let book = Book::open().await;
    let login = book.database.login("agent", "tmt_agent").await;
    let agents = join_all((0..8).map(|_| book.database.client_as(&login))).await;

    let ids = join_all(agents.iter().map(|a| raise(a, "warning", "850"))).await;

    assert!(ids.iter().all(|id| id == ids.first().unwrap()));
    assert_eq!(book.text("SELECT occurrence_count FROM risk_events").await, "8");
}

/// A limit of alpha, and the version of it that a person would have seen.
async fn limit(book: &Book, extra: &str) -> (Uuid, String) {
    let columns = "account_id, limit_type, limit_scope, limit_value, limit_unit, effective_from, effective_until";
    let values = format!(
        "'{ALPHA}', 'max_exposure', 'account', 50000, 'USD', now() - interval '1 day', {extra}"
    );
    let id = book.limit(columns, &values).await;
    (id, version(book, id).await)
}

async fn version(book: &Book, id: Uuid) -> String {
    book.text(&format!("SELECT updated_at FROM risk_limits WHERE limit_id = '{id}'")).await
}

async fn propose(client: &Client, id: Uuid, version: &str, change: &str) -> Verdict {
    verb(client, "propose_limit", &format!("'{id}', '{version}', {change}")).await
}

/// What the limits allow alpha now.
async fn allowed(book: &Book) -> String {
    let sql = "SELECT string_agg(trim_scale(limit_value)::text, ' ' ORDER BY limit_value)
        FROM desk.limits_in_force('a0000000-0000-7000-8000-000000000001', 'majors', 'EUR_USD', clock_timestamp())";
    book.text(sql).await
}

#[tokio::test]
async fn tightening_takes_effect_at_once_and_loosening_waits_for_a_second_person() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let (id, seen) = limit(&book, "NULL").await;

    // LIM-08.
    let tight = propose(&ann, id, &seen, "40000, NULL, NULL, NULL").await.accepted();
    assert_eq!(tight.code.as_deref(), Some("TIGHTENED"));
    assert_eq!(allowed(&book).await, "40000");
    assert_eq!(in_the_way(&assess(&book.admin, &buy(dec!(40000))).await), ["MAX_EXPOSURE"]);

    let id = tight.subject.unwrap();
    let seen = version(&book, id).await;
    propose(&ann, id, &seen, "60000, NULL, NULL, NULL").await.refused("REASON_REQUIRED");
    let loose = propose(&ann, id, &seen, "60000, NULL, NULL, 'quarter end'").await.accepted();
    assert_eq!(loose.code.as_deref(), Some("PENDING_APPROVAL"));
    assert_eq!(allowed(&book).await, "40000");
    let proposal = loose.subject.unwrap();
    verb(&ann, "approve_limit", &format!("'{proposal}', NULL"))
        .await
        .refused("FOUR_EYES_SAME_PERSON");

    verb(&bob, "approve_limit", &format!("'{proposal}', 'agreed'")).await.accepted();

    assert_eq!(allowed(&book).await, "60000");
    assert_eq!(in_the_way(&assess(&book.admin, &buy(dec!(40000))).await), [""; 0]);
    let history = "SELECT string_agg(format('%s %s', trim_scale(limit_value), desk.limit_state(l)), ', ' ORDER BY created_at) FROM risk_limits l";
    assert_eq!(book.text(history).await, "50000 ended, 40000 ended, 60000 active");
    verb(&bob, "approve_limit", &format!("'{proposal}', NULL")).await.refused("NOT_PENDING");
    assert_eq!(
        book.text("SELECT count(*) FROM risk_events WHERE event_type = 'limit_changed'").await,
        "2"
    );
}

#[tokio::test]
async fn a_person_is_the_same_person_in_capitals() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    let (id, seen) = limit(&book, "NULL").await;
    let proposal = propose(&ann, id, &seen, "60000, NULL, NULL, 'why'").await.subject.unwrap();
    // As an agent might have written it.
    book.run(&format!("UPDATE risk_limits SET created_by = ' ' || upper(created_by) || ' ' WHERE limit_id = '{proposal}'")).await;

    verb(&ann, "approve_limit", &format!("'{proposal}', NULL"))
        .await
        .refused("FOUR_EYES_SAME_PERSON");
    // Whoever writes the table directly meets the same rule.
    let forged = format!(
        "UPDATE risk_limits SET approved_by = lower(btrim(created_by)), is_active = true WHERE limit_id = '{proposal}'"
    );
    assert_eq!(crate::book::sqlstate(&book.admin, &forged).await.code(), "23514");
}

#[tokio::test]
async fn a_change_of_something_already_changed_is_refused() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let (id, seen) = limit(&book, "NULL").await;
    let first =
        propose(&ann, id, &seen, "60000, NULL, NULL, 'a'").await.accepted().subject.unwrap();

    // The pending one changed nothing about the old row: bob still sees the same version.
    propose(&bob, id, &seen, "30000, NULL, NULL, NULL").await.accepted();
    let stale = propose(&ann, id, &seen, "20000, NULL, NULL, NULL").await.refused("LIMIT_CHANGED");
    assert_eq!(stale.detail.get("state").unwrap(), "ended");
    verb(&bob, "approve_limit", &format!("'{first}', NULL")).await.refused("LIMIT_CHANGED");
    assert_eq!(allowed(&book).await, "30000");

    let (id, seen) = limit(&book, "NULL").await;
    for (change, code) in [
        ("0, NULL, NULL, NULL", "LIMIT_VALUE_INVALID"),
        ("-1, NULL, NULL, NULL", "LIMIT_VALUE_INVALID"),
        ("40000, 40001, NULL, NULL", "WARNING_INVALID"),
        ("40000, NULL, now() - interval '1 s', NULL", "LIMIT_UNTIL_PAST"),
        ("50000, NULL, NULL, NULL", "NOTHING_TO_CHANGE"),
        ("NULL, NULL, NULL, NULL", "NOTHING_TO_CHANGE"),
        // A warning that comes later is a loosening, if it is all that changes.
        ("50000, 45000, NULL, NULL", "REASON_REQUIRED"),
    ] {
        propose(&ann, id, &seen, change).await.refused(code);
    }
    let warned = propose(&ann, id, &seen, "50000, 30000, NULL, NULL").await.accepted();
    assert_eq!(warned.code.as_deref(), Some("TIGHTENED"));
    propose(&ann, Uuid::new_v4(), &seen, "1, NULL, NULL, NULL").await.refused("LIMIT_UNKNOWN");
}

#[tokio::test]
async fn a_temporary_limit_gives_way_to_the_old_one_without_a_gap() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let (id, seen) = limit(&book, "NULL").await;
    let raise = propose(&ann, id, &seen, "90000, NULL, now() + interval '1 hour', 'today only'")
        .await
        .accepted();
    verb(&bob, "approve_limit", &format!("'{}', NULL", raise.subject.unwrap())).await.accepted();

    let at = |when: &str| {
        format!(
            "SELECT string_agg(trim_scale(limit_value)::text, ' ') FROM desk.limits_in_force('{ALPHA}', NULL, 'EUR_USD', {when})"
        )
    };
    assert_eq!(book.text(&at("clock_timestamp()")).await, "90000");
    let end = format!(
        "(SELECT effective_until FROM risk_limits WHERE limit_id = '{}')",
        raise.subject.unwrap()
    );
    assert_eq!(book.text(&at(&format!("{end} - interval '1 microsecond'"))).await, "90000");
    assert_eq!(book.text(&at(&end)).await, "50000");
    assert_eq!(book.text(&at("now() + interval '1 year'")).await, "50000");
}

#[tokio::test]
async fn a_rejected_or_old_proposal_is_void() {
    let book = Book::open().await;
    let (ann, bob) = (book.officer("ann").await, book.officer("bob").await);
    let (id, seen) = limit(&book, "NULL").await;
    let proposed = propose(&ann, id, &seen, "60000, NULL, NULL, 'a'").await;
    let one = proposed.subject.unwrap();
    // As amounts are written everywhere.
    let said = "50,000.00 USD -> 60,000.00 USD, pending approval.";
    assert!(proposed.message.ends_with(said), "{}", proposed.message);
    let two = propose(&ann, id, &seen, "70000, NULL, NULL, 'b'").await.subject.unwrap();

    verb(&bob, "reject_limit", &format!("'{one}', NULL")).await.refused("NOTE_REQUIRED");
    let rejected = verb(&bob, "reject_limit", &format!("'{one}', 'too much'")).await.accepted();
    assert!(rejected.message.ends_with("stays at 50,000.00 USD."), "{}", rejected.message);
    book.run(&format!(
        "UPDATE risk_limits SET created_at = now() - interval '25 hours' WHERE limit_id = '{two}'"
    ))
    .await;

    for proposal in [one, two] {
        verb(&bob, "approve_limit", &format!("'{proposal}', NULL"))
            .await
            .refused("PROPOSAL_EXPIRED");
    }
    assert_eq!(allowed(&book).await, "50000");
}

#[tokio::test]
async fn a_desk_of_one_can_switch_four_eyes_off() {
    let book = Book::open().await;
    let ann = book.officer("ann").await;
    let (id, seen) = limit(&book, "NULL").await;
    book.set("four_eyes", "off").await;

    let loosened = propose(&ann, id, &seen, "60000, NULL, NULL, 'alone here'").await.accepted();

    assert_eq!(loosened.code.as_deref(), Some("LOOSENED"));
    assert_eq!(allowed(&book).await, "60000");
}

#[tokio::test]
async fn a_limit_is_not_changed_under_an_order_that_is_being_judged() {
    let book = Book::open().await;
    let (trader, ann) = (book.trader().await, book.officer("ann").await);
    let (id, seen) = limit(&book, "NULL").await;
    trader
        .batch_execute(&format!("BEGIN; SELECT * FROM {}", buy(dec!(40000)).sql()))
        .await
        .unwrap();

    let change = propose(&ann, id, &seen, "10000, NULL, NULL, NULL");
    let (changed, ()) = tokio::join!(change, book.commit_when_awaited(&trader));

    changed.accepted();
    assert_eq!(book.text("SELECT sum(total_size) FROM positions").await, "40000.00");
}

#[tokio::test]
async fn halts_are_rows_that_only_a_risk_officer_clears() {
    let book = Book::open().await;
    let (trader, officer) = (book.trader().await, book.officer("ann").await);

    verb(&trader, "halt", "'system', NULL, 'reduce_only', 'panic'").await.refused("NOT_PERMITTED");
    let own = verb(&trader, "halt", &format!("'account', '{ALPHA}', 'reduce_only', NULL"))
        .await
        .accepted();
    let halt = own.subject.unwrap();
    verb(&officer, "halt", &format!("'account', '{ALPHA}', 'reduce_only', NULL"))
        .await
        .refused("ALREADY_HALTED");
    for (arguments, code) in [
        ("'galaxy', NULL, 'reduce_only', NULL", "HALT_SCOPE_INVALID"),
        ("NULL, NULL, 'reduce_only', NULL", "HALT_SCOPE_INVALID"),
        ("'system', NULL, 'forever', NULL", "HALT_MODE_INVALID"),
        ("'account', 'alpha', 'reduce_only', NULL", "HALT_TARGET_UNKNOWN"),
        ("'instrument', 'GBP_CHF', 'reduce_only', NULL", "HALT_TARGET_UNKNOWN"),
        ("'portfolio', 'minors', 'reduce_only', NULL", "HALT_TARGET_UNKNOWN"),
    ] {
        verb(&officer, "halt", arguments).await.refused(code);
    }
    assert_eq!(
        book.text("SELECT severity FROM risk_events WHERE event_type = 'trading_halt'").await,
        "critical"
    );

    verb(&officer, "resume", &format!("'{halt}', NULL")).await.refused("REASON_REQUIRED");
    verb(&officer, "resume", &format!("'{halt}', 'checked'")).await.accepted();
    verb(&officer, "resume", &format!("'{halt}', 'checked'")).await.refused("ALREADY_RESUMED");
    verb(&officer, "resume", &format!("'{}', 'x'", Uuid::new_v4())).await.refused("HALT_UNKNOWN");
    // Resolved, and still to be acknowledged.
    let event = "SELECT format('%s %s', resolution_time IS NOT NULL, acknowledged) FROM risk_events WHERE event_type = 'trading_halt'";
    assert_eq!(book.text(event).await, "t f");
}
