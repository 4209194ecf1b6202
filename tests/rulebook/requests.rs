//! Requests: one outcome per key, repeats, fences, expiry, and who may send what.

use futures_util::future::join_all;
use uuid::Uuid;

use crate::desk::{ALPHA, Desk, begin, sqlstate};
use crate::rows::trade;
use crate::verbs::{Verb as _, acknowledge, buy, close, halt_account, limit, resolve, sell};

#[tokio::test]
async fn a_repeated_key_returns_the_first_answer() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);

    let first = order.place(&trader).await.accepted();
    let second = order.place(&trader).await;
    desk.set("price_max_age_seconds", "0").await;
    let third = order.place(&trader).await;

    assert_eq!(first.subject, Some(order.key()));
    assert_eq!((&second, &third), (&first, &first));
    assert_eq!(desk.text("SELECT count(*) FROM trades").await, "1");

    // A refusal is kept as well.
    let late = buy(10_000);
    let refused = late.place(&trader).await.refused("PRICE_STALE");
    desk.set("price_max_age_seconds", "1000").await;
    assert_eq!(late.place(&trader).await, refused);
}

#[tokio::test]
async fn a_key_belongs_to_one_person_and_one_request() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);
    order.place(&trader).await.accepted();

    let other = order.clone().with_fingerprint("\\x02");
    other.place(&trader).await.refused("KEY_REUSED");
    let colleague = desk.member("colleague", "tmt_trader").await;
    order.place(&colleague).await.refused("KEY_REUSED");
    assert_eq!(desk.text("SELECT count(*) FROM trades").await, "1");

    // Another program wrote a trade with this id.
    let order = buy(20_000);
    let foreign = trade(ALPHA).buy(1).status("closed").set("trade_id", "uuid", order.key());
    foreign.insert(&desk.admin).await;
    order.place(&trader).await.refused("KEY_REUSED");
    assert_eq!(desk.text("SELECT sum(total_size) FROM positions").await, "10000.00");
}

#[tokio::test]
async fn sixteen_sends_of_one_key_make_one_trade_and_equal_answers() {
    let desk = Desk::open().await;
    let login = desk.database.login("trader", "tmt_trader").await;
    let order = buy(10_000);
    let clients = join_all((0..16).map(|_| desk.database.client_as(&login))).await;

    let answers = join_all(clients.iter().map(|client| order.place(client))).await;

    let first = answers.first().unwrap().clone().accepted();
    assert!(answers.iter().all(|answer| *answer == first));
    assert_eq!(desk.text("SELECT count(*) FROM trades").await, "1");
    assert_eq!(desk.text("SELECT count(*) FROM tmt.audit_log").await, "1");
}

#[tokio::test]
async fn a_fenced_key_is_never_executed() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);

    resolve(order.key()).send(&trader).await.refused("NOT_EXECUTED");
    order.place(&trader).await.refused("FENCED");
    resolve(order.key()).send(&trader).await.refused("NOT_EXECUTED");
    assert_eq!(desk.text("SELECT count(*) FROM trades").await, "0");

    let known = buy(10_000);
    let placed = known.place(&trader).await.accepted();
    assert_eq!(resolve(known.key()).send(&trader).await, placed);
    let other = resolve(known.key()).with_fingerprint("\\x02");
    other.send(&trader).await.refused("KEY_REUSED");
}

#[tokio::test]
async fn resolving_waits_for_the_original() {
    let desk = Desk::open().await;
    let login = desk.database.login("trader", "tmt_trader").await;
    let (original, resolver) =
        (desk.database.client_as(&login).await, desk.database.client_as(&login).await);
    let order = buy(10_000);
    begin(&original).await;
    order.place(&original).await.accepted();

    let resolve = resolve(order.key());
    let (answer, waited) =
        tokio::join!(resolve.send(&resolver), desk.commit_when_awaited(&original));

    assert!(waited);
    assert_eq!(answer.accepted().subject, Some(order.key()));
}

#[tokio::test]
async fn a_late_request_is_refused_by_the_clock_of_the_database() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);
    let now = desk.text("SELECT clock_timestamp()").await;

    order.clone().valid_until(Some(&now)).place(&trader).await.refused("EXPIRED_REQUEST");
    order.place(&trader).await.refused("EXPIRED_REQUEST");
    order.without("key").place(&trader).await.refused("KEY_MISSING");
}

#[tokio::test]
async fn repeatable_read_orders_are_refused_under_wide_limits() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let order = buy(10_000);
    // The row of one account cannot guard a limit over several.
    let id = limit("max_exposure", 1_000_000, "USD").insert(&desk).await;
    trader.batch_execute("SET default_transaction_isolation = 'repeatable read'").await.unwrap();
    order.place(&trader).await.refused("ISOLATION_LEVEL");
    desk.delete_limit(id).await;
    order.clone().with_key(Uuid::new_v4()).size(9000).place(&trader).await.accepted();

    trader.batch_execute("SET default_transaction_isolation = 'serializable'").await.unwrap();
    order.with_key(Uuid::new_v4()).place(&trader).await.accepted();
}

#[tokio::test]
async fn each_verb_is_permitted_to_its_roles_only() {
    let desk = Desk::open().await;
    let viewer = desk.member("viewer", "tmt_viewer").await;
    let (trader, officer) = (desk.trader().await, desk.officer("officer").await);

    for client in [&viewer, &officer] {
        assert_eq!(buy(10_000).sqlstate(client).await, "42501");
    }
    for internal in [
        "SELECT desk.begin_request(gen_random_uuid(), '\\x01', now(), 'x')",
        "SELECT desk.raise_event(NULL, 'x', 'info', 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "SELECT desk.book_cash(NULL, 1, now())",
        "SELECT * FROM tmt.requests",
        "INSERT INTO tmt.audit_log SELECT * FROM tmt.audit_log",
    ] {
        assert_eq!(sqlstate(&trader, internal).await, "42501", "{internal}");
    }
    assert_eq!(acknowledge(&[]).sqlstate(&trader).await, "42501");
    // Every login may preview.
    let lines = buy(10_000).assess(&viewer).await;
    assert_eq!(lines.objections(), ["NOT_PERMITTED"]);
}

#[tokio::test]
async fn the_actor_is_the_login_and_not_the_role() {
    let desk = Desk::open().await;
    let login = desk.database.login("ann", "tmt_trader").await;
    let ann = desk.database.client_as(&login).await;
    ann.batch_execute("SET ROLE tmt_trader; SET search_path = pg_temp").await.unwrap();
    ann.batch_execute("CREATE TEMP TABLE accounts (account_id uuid, status text)").await.unwrap();

    buy(10_000).place(&ann).await.accepted();
    sell(4000).place(&ann).await.accepted();

    let actors = "SELECT string_agg(DISTINCT actor, ',') FROM (SELECT actor FROM trade_fills UNION SELECT actor FROM tmt.audit_log) a";
    assert_eq!(desk.text(actors).await, login);
}

#[tokio::test]
async fn session_describes_login_and_database() {
    let desk = Desk::open().await;
    for (group, role) in [
        ("tmt_viewer", "viewer"),
        ("tmt_trader", "trader"),
        ("tmt_risk_officer", "risk_officer"),
        ("tmt_admin", "admin"),
    ] {
        let client = desk.member(group, group).await;
        let row = client
            .query_one(
                "SELECT role, schema_version, environment, in_recovery FROM desk.session()",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.try_get::<_, String>(0).unwrap(), role);
        assert_eq!(row.try_get::<_, i32>(1).unwrap(), tmt::store::migrate::LATEST);
        // A database without an environment counts as live.
        assert_eq!(row.try_get::<_, String>(2).unwrap(), "live");
        assert!(!row.try_get::<_, bool>(3).unwrap());
    }
}

#[tokio::test]
async fn audit_verify_finds_edits_and_a_missing_end() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let clients = join_all((0..8).map(|_| async {
        desk.database.client_as(&format!("{}_trader", desk.database.name())).await
    }))
    .await;
    let halt = async |client| halt_account("nobody", "reduce_only").send(client).await;
    join_all(clients.iter().map(halt)).await;
    for _ in 0..4 {
        close(Uuid::new_v4()).send(&trader).await;
    }
    let verify = "SELECT string_agg(bad_seq || ' ' || reason, '') FROM desk.audit_verify()";
    assert_eq!(desk.text("SELECT count(*) FROM tmt.audit_log").await, "12");
    assert_eq!(desk.text(verify).await, "-");
    for forbidden in [
        "UPDATE tmt.audit_log SET actor = 'x'",
        "DELETE FROM tmt.audit_log",
        "TRUNCATE tmt.audit_log",
    ] {
        assert_eq!(sqlstate(&desk.admin, forbidden).await, "TR020");
    }

    // An edit by a superuser without triggers is found.
    desk.run("SET session_replication_role = replica").await;
    desk.run("UPDATE tmt.audit_log SET code = 'OK' WHERE seq = 5").await;
    assert_eq!(desk.text(verify).await, "5 changed after it was written");
    desk.run("DELETE FROM tmt.audit_log WHERE seq = 3").await;
    assert_eq!(desk.text(verify).await, "4 lines before this one are missing");
    desk.run("DELETE FROM tmt.audit_log WHERE seq >= 3").await;
    assert_eq!(
        desk.text(verify).await,
        "12 the chain ends before its head: the last lines are missing"
    );
    desk.run("DELETE FROM tmt.audit_head").await;
    assert_eq!(desk.text(verify).await, "2 the head of the chain is missing");
}

#[tokio::test]
async fn using_the_key_of_another_person_is_in_the_audit() {
    let desk = Desk::open().await;
    let (trader, other) = (desk.trader().await, desk.member("other", "tmt_trader").await);
    let order = buy(10_000);
    order.place(&trader).await.accepted();
    order.place(&trader).await.accepted();
    order.place(&other).await.refused("KEY_REUSED");

    let lines = "SELECT string_agg(concat_ws(' ', verb, outcome, code), ', ' ORDER BY seq) FROM tmt.audit_log";
    assert_eq!(desk.text(lines).await, "place_trade accepted, place_trade refused KEY_REUSED");
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}
