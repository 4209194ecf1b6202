//! One key, one answer: repeats, races, fences, expiry; and who may call what.

use futures_util::future::join_all;
use rust_decimal::dec;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::book::{Book, Order, Verdict, buy, call, place, sell, sqlstate, verb};

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_again() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));

    let first = place(&trader, &order).await.accepted();
    let second = place(&trader, &order).await;
    book.set("price_max_age_seconds", "0").await;
    let third = place(&trader, &order).await;

    assert_eq!(first.subject, Some(order.key));
    assert_eq!((&second, &third), (&first, &first));
    assert_eq!(book.text("SELECT count(*) FROM trades").await, "1");

    // A refusal is an answer too.
    let late = buy(dec!(10000));
    let refused = place(&trader, &late).await.refused("PRICE_STALE");
    book.set("price_max_age_seconds", "1000").await;
    assert_eq!(place(&trader, &late).await, refused);
}

#[tokio::test]
async fn a_key_belongs_to_one_person_and_one_request() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));
    place(&trader, &order).await.accepted();

    let mut other = order.clone();
    other.fingerprint = "\\x02";
    place(&trader, &other).await.refused("KEY_REUSED");
    let colleague = book.member("colleague", "tmt_trader").await;
    place(&colleague, &order).await.refused("KEY_REUSED");
    assert_eq!(book.text("SELECT count(*) FROM trades").await, "1");

    // A trade that somebody else wrote under this id.
    let mut foreign = buy(dec!(10000));
    book.run(&format!(
        "INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price, risk_amount,
                             risk_percentage, entry_time, status)
         VALUES ('{}', '{}', 'EUR_USD', 'BUY', 1, 1, 1, 0.01, now(), 'closed')",
        foreign.key, foreign.account
    ))
    .await;
    foreign.size = dec!(20000);
    place(&trader, &foreign).await.refused("KEY_REUSED");
    assert_eq!(book.text("SELECT sum(total_size) FROM positions").await, "10000.00");
}

#[tokio::test]
async fn sixteen_sends_of_one_key_make_one_trade_and_sixteen_equal_answers() {
    let book = Book::open().await;
    let login = book.database.login("trader", "tmt_trader").await;
    let order = buy(dec!(10000));
    let clients = join_all((0..16).map(|_| book.database.client_as(&login))).await;

    let answers: Vec<Verdict> = join_all(clients.iter().map(|c| place(c, &order))).await;

    assert!(answers.iter().all(|a| a == answers.first().unwrap()));
    answers.first().unwrap().clone().accepted();
    assert_eq!(book.text("SELECT count(*) FROM trades").await, "1");
    assert_eq!(book.text("SELECT count(*) FROM tmt.audit_log").await, "1");
}

#[tokio::test]
async fn a_key_given_up_is_fenced_and_can_never_be_executed() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));

    let resolve = format!("desk.resolve_outcome('{}', '\\x01')", order.key);
    call(&trader, &resolve).await.refused("NOT_EXECUTED");
    place(&trader, &order).await.refused("FENCED");
    call(&trader, &resolve).await.refused("NOT_EXECUTED");
    assert_eq!(book.text("SELECT count(*) FROM trades").await, "0");

    let known = buy(dec!(10000));
    let placed = place(&trader, &known).await.accepted();
    assert_eq!(
        call(&trader, &format!("desk.resolve_outcome('{}', '\\x01')", known.key)).await,
        placed
    );
    call(&trader, &format!("desk.resolve_outcome('{}', '\\x02')", known.key))
        .await
        .refused("KEY_REUSED");
}

#[tokio::test]
async fn resolving_waits_for_the_original_that_is_under_way() {
    let book = Book::open().await;
    let login = book.database.login("trader", "tmt_trader").await;
    let (original, resolver) =
        (book.database.client_as(&login).await, book.database.client_as(&login).await);
    let order = buy(dec!(10000));
    original.batch_execute(&format!("BEGIN; SELECT * FROM {}", order.sql())).await.unwrap();

    let resolve = format!("desk.resolve_outcome('{}', '\\x01')", order.key);
    let answer = call(&resolver, &resolve);
    let (answer, ()) = tokio::join!(answer, book.commit_when_awaited(&original));

    assert_eq!(answer.accepted().subject, Some(order.key));
}

#[tokio::test]
async fn a_request_that_comes_too_late_is_refused_by_the_clock_of_the_database() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));
    let late =
        order.sql().replace("now() + interval '1 minute'", "clock_timestamp() - interval '1 ms'");

    call(&trader, &late).await.refused("EXPIRED_REQUEST");
    place(&trader, &order).await.refused("EXPIRED_REQUEST");
    let keyless = order.sql().replace(&format!("'{}'", order.key), "NULL");
    call(&trader, &keyless).await.refused("KEY_MISSING");
}

#[tokio::test]
async fn an_order_in_a_session_with_a_frozen_picture_is_refused_under_wide_limits() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let order = buy(dec!(10000));
    // The row of one account cannot guard a limit over several.
    let wide = "account_id, limit_type, limit_scope, limit_value, limit_unit";
    let id = book.limit(wide, "NULL, 'max_exposure', 'system', 1000000, 'USD'").await;
    trader.batch_execute("SET default_transaction_isolation = 'repeatable read'").await.unwrap();
    place(&trader, &order).await.refused("ISOLATION_LEVEL");
    book.run(&format!("DELETE FROM risk_limits WHERE limit_id = '{id}'")).await;
    place(&trader, &Order { key: Uuid::new_v4(), size: dec!(9000), ..order.clone() })
        .await
        .accepted();

    trader.batch_execute("SET default_transaction_isolation = 'serializable'").await.unwrap();
    place(&trader, &Order { key: Uuid::new_v4(), ..order }).await.accepted();
}

#[tokio::test]
async fn verbs_are_for_those_who_may() {
    let book = Book::open().await;
    let viewer = book.member("viewer", "tmt_viewer").await;
    let (trader, officer) = (book.trader().await, book.officer("officer").await);
    let place_sql = format!("SELECT {}", buy(dec!(10000)).sql());

    for client in [&viewer, &officer] {
        assert_eq!(sqlstate(client, &place_sql).await, SqlState::INSUFFICIENT_PRIVILEGE);
    }
    for internal in [
        "SELECT desk.begin_request(gen_random_uuid(), '\\x01', now(), 'x')",
        "SELECT desk.raise_event(NULL, 'x', 'info', 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "SELECT desk.book_cash(NULL, 1, now())",
        "SELECT * FROM tmt.requests",
        "INSERT INTO tmt.audit_log SELECT * FROM tmt.audit_log",
    ] {
        assert_eq!(
            sqlstate(&trader, internal).await,
            SqlState::INSUFFICIENT_PRIVILEGE,
            "{internal}"
        );
    }
    assert_eq!(
        sqlstate(&trader, "SELECT desk.acknowledge(gen_random_uuid(), '\\x01', now(), '{}', NULL)")
            .await,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    // The preview is for everybody, and says so.
    let lines = crate::book::assess(&viewer, &buy(dec!(10000))).await;
    assert_eq!(crate::book::in_the_way(&lines), ["NOT_PERMITTED"]);
}

#[tokio::test]
async fn the_actor_is_the_login_whatever_role_is_set() {
    let book = Book::open().await;
    let login = book.database.login("ann", "tmt_trader").await;
    let ann = book.database.client_as(&login).await;
    ann.batch_execute("SET ROLE tmt_trader; SET search_path = pg_temp").await.unwrap();
    ann.batch_execute("CREATE TEMP TABLE accounts (account_id uuid, status text)").await.unwrap();

    place(&ann, &buy(dec!(10000))).await.accepted();
    place(&ann, &sell(dec!(4000))).await.accepted();

    let actors = "SELECT string_agg(DISTINCT actor, ',') FROM (SELECT actor FROM trade_fills UNION SELECT actor FROM tmt.audit_log) a";
    assert_eq!(book.text(actors).await, login);
}

#[tokio::test]
async fn session_tells_who_is_connected_to_what() {
    let book = Book::open().await;
    for (group, role) in [
        ("tmt_viewer", "viewer"),
        ("tmt_trader", "trader"),
        ("tmt_risk_officer", "risk_officer"),
        ("tmt_admin", "admin"),
    ] {
        let client = book.member(group, group).await;
        let row = client
            .query_one(
                "SELECT role, schema_version, environment, in_recovery FROM desk.session()",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.try_get::<_, String>(0).unwrap(), role);
        assert_eq!(row.try_get::<_, i32>(1).unwrap(), tmt::store::migrate::LATEST);
        // Nobody labelled this database: it is taken for the most serious.
        assert_eq!(row.try_get::<_, String>(2).unwrap(), "live");
        assert!(!row.try_get::<_, bool>(3).unwrap());
    }
}

#[tokio::test]
async fn the_audit_chain_shows_every_edit_and_its_own_missing_end() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let clients = join_all((0..8).map(|_| async {
        book.database.client_as(&format!("{}_trader", book.database.name())).await
    }))
    .await;
    join_all(clients.iter().map(|c| verb(c, "halt", "'account', 'nobody', 'reduce_only', NULL")))
        .await;
    for _ in 0..4 {
        verb(&trader, "close_position", &format!("'{}', NULL, NULL, NULL", Uuid::new_v4())).await;
    }
    let verify = "SELECT string_agg(bad_seq || ' ' || reason, '') FROM desk.audit_verify()";
    assert_eq!(book.text("SELECT count(*) FROM tmt.audit_log").await, "12");
    assert_eq!(book.text(verify).await, "-");
    for forbidden in [
        "UPDATE tmt.audit_log SET actor = 'x'",
        "DELETE FROM tmt.audit_log",
        "TRUNCATE tmt.audit_log",
    ] {
        assert_eq!(sqlstate(&book.admin, forbidden).await.code(), "TR020");
    }

    // Whoever can switch triggers off can edit; it shows.
    book.run("SET session_replication_role = replica; UPDATE tmt.audit_log SET code = 'OK' WHERE seq = 5").await;
    assert_eq!(book.text(verify).await, "5 changed after it was written");
    book.run("DELETE FROM tmt.audit_log WHERE seq = 3").await;
    assert_eq!(book.text(verify).await, "4 lines before this one are missing");
    book.run("DELETE FROM tmt.audit_log WHERE seq >= 3").await;
    assert_eq!(
        book.text(verify).await,
        "12 the chain ends before its head: the last lines are missing"
    );
    book.run("DELETE FROM tmt.audit_head").await;
    assert_eq!(book.text(verify).await, "2 the head of the chain is missing");
}

#[tokio::test]
async fn a_key_that_belongs_to_another_leaves_a_line_in_the_audit() {
    let book = Book::open().await;
    let (trader, other) = (book.trader().await, book.member("other", "tmt_trader").await);
    let order = buy(dec!(10000));
    place(&trader, &order).await.accepted();
    place(&trader, &order).await.accepted();
    place(&other, &order).await.refused("KEY_REUSED");

    let lines = "SELECT string_agg(concat_ws(' ', verb, outcome, code), ', ' ORDER BY seq) FROM tmt.audit_log";
    assert_eq!(book.text(lines).await, "place_trade accepted, place_trade refused KEY_REUSED");
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}
