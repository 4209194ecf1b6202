//! Who somebody is to the desk: the login, and nothing that a name, a key or a group can pretend.

use crate::book::{ALPHA, buy, call, place, sqlstate, text, verb};
use crate::forging::{Cast, GROUPS, outcome, owned};
use rust_decimal::dec;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

// ---- being somebody else --------------------------------------------------------------------------

#[tokio::test]
async fn nobody_becomes_another_person_or_another_group() {
    let cast = Cast::open().await;
    let name = cast.book.database.name();
    let superuser = cast.book.text("SELECT session_user").await;
    let mut attempts = owned(&[
        "SET ROLE tmt_owner",
        "SET SESSION AUTHORIZATION tmt_owner",
        "SELECT set_config('role', 'tmt_owner', false)",
        "CREATE ROLE another SUPERUSER",
        "GRANT tmt_owner TO session_user",
        "ALTER ROLE session_user SUPERUSER",
        "ALTER ROLE tmt_owner LOGIN",
        "ALTER DATABASE postgres OWNER TO session_user",
        "REASSIGN OWNED BY tmt_owner TO session_user",
    ]);
    attempts.push(format!("SET ROLE {superuser}"));
    attempts.push(format!("SET SESSION AUTHORIZATION {superuser}"));
    attempts.push(format!("SELECT set_config('session_authorization', '{superuser}', false)"));
    for (group, client) in &cast.people {
        let mut of_this = attempts.clone();
        for other in GROUPS {
            let theirs = format!("SET ROLE {name}_{other}");
            if other == *group {
                assert_eq!(outcome(client, &theirs).await, "done", "one's own name");
                continue;
            }
            of_this.push(theirs);
            of_this.push(format!("SET SESSION AUTHORIZATION {name}_{other}"));
        }
        for sql in of_this {
            assert_eq!(outcome(client, &sql).await, "42501", "{group}: {sql}");
        }
        // Of groups, only those that one is in.
        for other in GROUPS {
            let may = matches!((*group, other), (a, b) if a == b || b == "tmt_viewer")
                || (*group == "tmt_admin" && other != "tmt_agent");
            let got = outcome(client, &format!("SET ROLE {other}")).await;
            assert_eq!(got, if may { "done" } else { "42501" }, "{group} as {other}");
            let granted = outcome(client, &format!("GRANT {other} TO session_user")).await;
            assert_ne!(granted, "done", "{group} grants {other}");
        }
    }
}

#[tokio::test]
async fn a_name_that_somebody_sets_is_a_label_and_never_an_actor() {
    let cast = Cast::open().await;
    cast.book
        .run("INSERT INTO risk_events (event_type, severity, event_source) VALUES ('x', 'warning', 'test')")
        .await;
    let event = cast.book.text("SELECT event_id FROM risk_events").await;
    let labels =
        "SELECT set_config('tmt.operator', 'boss', false), set_config('desk.actor', 'boss', false),
        set_config('application_name', 'boss', false), set_config('session.user', 'boss', false)";
    let names = cast.book.database.name();
    for (group, client) in &cast.people {
        client.batch_execute(labels).await.unwrap();
        client.batch_execute("SET ROLE tmt_viewer; SET ROLE NONE").await.unwrap();
        let who = text(client, "SELECT login FROM desk.session()").await;
        assert_eq!(who, format!("{names}_{group}"));
    }
    // With the rights of a trader, through the group's role: still the person.
    let admin = cast.of("tmt_admin");
    admin.batch_execute("SET ROLE tmt_trader").await.unwrap();
    place(admin, &buy(dec!(1000))).await.accepted();
    admin.batch_execute("SET ROLE tmt_risk_officer").await.unwrap();
    verb(admin, "acknowledge", &format!("'{{{event}}}', 'boss'")).await.accepted();
    verb(cast.of("tmt_trader"), "halt", &format!("'account', '{ALPHA}', 'reduce_only', 'boss'"))
        .await
        .accepted();

    let actors = "SELECT string_agg(DISTINCT who, ' ' ORDER BY who) FROM (
        SELECT actor AS who FROM tmt.audit_log UNION SELECT actor FROM trade_fills UNION SELECT acknowledged_by FROM risk_events
        UNION SELECT actor FROM risk_event_actions UNION SELECT set_by FROM trading_halts UNION SELECT actor FROM tmt.requests) x";
    assert_eq!(cast.book.text(actors).await, format!("{names}_tmt_admin {names}_tmt_trader"));
}

#[tokio::test]
async fn the_key_of_another_person_answers_nothing_and_is_noted() {
    let cast = Cast::open().await;
    let (trader, admin) = (cast.of("tmt_trader"), cast.of("tmt_admin"));
    let order = buy(dec!(10000));
    let placed = place(trader, &order).await.accepted();

    let stolen = place(admin, &order).await.refused("KEY_REUSED");
    assert_eq!((stolen.subject, stolen.detail), (None, serde_json::json!({})));
    for thief in ["tmt_admin", "tmt_risk_officer", "tmt_agent"] {
        let resolve = format!("desk.resolve_outcome('{}', '\\x01')", order.key);
        call(cast.of(thief), &resolve).await.refused("KEY_REUSED");
    }
    let own = |key: Uuid| {
        format!(
            "desk.halt('{key}', '\\x01', now() + interval '1 minute', 'account', '{ALPHA}', 'reduce_only', NULL)"
        )
    };
    call(cast.of("tmt_risk_officer"), &own(order.key)).await.refused("KEY_REUSED");

    assert_eq!(place(trader, &order).await, placed);
    assert_eq!(cast.book.text("SELECT count(*) FROM trades").await, "1");
    assert_eq!(cast.book.text("SELECT count(*) FROM trading_halts").await, "0");
    let noted = "SELECT string_agg(substr(actor, length(current_database()) + 6) || ' ' || verb, ', ' ORDER BY seq)
        FROM tmt.audit_log WHERE code = 'KEY_REUSED'";
    assert_eq!(
        cast.book.text(noted).await,
        "admin place_trade, admin resolve_outcome, risk_officer resolve_outcome, agent resolve_outcome, risk_officer halt"
    );
}

// ---- four eyes ------------------------------------------------------------------------------------

#[tokio::test]
async fn one_person_is_one_pair_of_eyes_however_the_name_is_spelled() {
    let cast = Cast::open().await;
    let name = cast.book.database.name().to_owned();
    let columns = "account_id, limit_type, limit_scope, limit_value, limit_unit";
    let limit = cast
        .book
        .limit(columns, &format!("'{ALPHA}', 'max_exposure', 'account', 50000, 'USD'"))
        .await;
    let seen = cast
        .book
        .text(&format!("SELECT updated_at FROM risk_limits WHERE limit_id = '{limit}'"))
        .await;
    let ann = cast.book.officer("ann").await;
    let loosen = format!("'{limit}', '{seen}', 60000, NULL, NULL, 'why'");
    let proposal = verb(&ann, "propose_limit", &loosen).await.accepted().subject.unwrap();
    let approve = format!("'{proposal}', 'agreed'");

    let spellings =
        [format!("{}_ANN", name.to_uppercase()), format!("{name}_ann "), format!(" {name}_Ann")];
    for spelling in &spellings {
        let config = cast.book.database.config_as(spelling);
        let password = String::from_utf8_lossy(config.get_password().unwrap_or(b"unused"));
        cast.book
            .run(&format!(
                "CREATE ROLE \"{spelling}\" LOGIN PASSWORD '{password}' IN ROLE tmt_admin"
            ))
            .await;
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        verb(&client, "approve_limit", &approve).await.refused("FOUR_EYES_SAME_PERSON");
        drop(client);
        connection.await.unwrap().unwrap();
        cast.book.run(&format!("DROP ROLE \"{spelling}\"")).await;
    }
    ann.batch_execute("SET ROLE tmt_risk_officer").await.unwrap();
    verb(&ann, "approve_limit", &approve).await.refused("FOUR_EYES_SAME_PERSON");
    for group in ["tmt_viewer", "tmt_trader", "tmt_agent"] {
        for call in [
            format!("approve_limit(gen_random_uuid(), '\\x01', now(), {approve})"),
            format!("propose_limit(gen_random_uuid(), '\\x01', now(), {loosen})"),
        ] {
            let got = sqlstate(cast.of(group), &format!("SELECT desk.{call}")).await;
            assert_eq!(got, SqlState::INSUFFICIENT_PRIVILEGE, "{group}: {call}");
        }
    }
    let stands =
        format!("SELECT limit_value FROM risk_limits WHERE limit_id = '{limit}' AND is_active");
    assert_eq!(cast.book.text(&stands).await, "50000.0000");

    verb(cast.of("tmt_admin"), "approve_limit", &approve).await.accepted();
    // An admin is both, and still one person.
    let admin = cast.of("tmt_admin");
    let seen = cast
        .book
        .text(&format!("SELECT updated_at FROM risk_limits WHERE limit_id = '{proposal}'"))
        .await;
    let again = format!("'{proposal}', '{seen}', 70000, NULL, NULL, 'why'");
    let own = verb(admin, "propose_limit", &again).await.accepted().subject.unwrap();
    verb(admin, "approve_limit", &format!("'{own}', NULL")).await.refused("FOUR_EYES_SAME_PERSON");
}
