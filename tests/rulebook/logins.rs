//! A person is a login: no name, key or group makes them another person.

use crate::desk::{ALPHA, text};
use crate::privileges::{Cast, GROUPS, outcome, owned};
use crate::rows::event;
use crate::verbs::{
    Verb as _, acknowledge, approve, buy, change, halt_account, limit, resolve, version,
};

// ---- becoming another person ----------------------------------------------------------------------

#[tokio::test]
async fn a_login_cannot_become_another_login_or_group() {
    let cast = Cast::open().await;
    let name = cast.desk.database.name();
    let superuser = cast.desk.text("SELECT session_user").await;
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
        // A login can take the role of its own groups only.
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
async fn a_session_name_is_a_label_and_not_the_actor() {
    let cast = Cast::open().await;
    let event = event("warning").id("event_id", &cast.desk.admin).await;
    let labels =
        "SELECT set_config('tmt.operator', 'boss', false), set_config('desk.actor', 'boss', false),
        set_config('application_name', 'boss', false), set_config('session.user', 'boss', false)";
    let names = cast.desk.database.name();
    for (group, client) in &cast.people {
        client.batch_execute(labels).await.unwrap();
        client.batch_execute("SET ROLE tmt_viewer; SET ROLE NONE").await.unwrap();
        let who = text(client, "SELECT login FROM desk.session()", &[]).await;
        assert_eq!(who, format!("{names}_{group}"));
    }
    // In the role of the traders' group the actor is still the login.
    let admin = cast.of("tmt_admin");
    admin.batch_execute("SET ROLE tmt_trader").await.unwrap();
    buy(1000).place(admin).await.accepted();
    admin.batch_execute("SET ROLE tmt_risk_officer").await.unwrap();
    acknowledge(&[event]).note("boss").send(admin).await.accepted();
    halt_account(ALPHA, "reduce_only").because("boss").send(cast.of("tmt_trader")).await.accepted();

    let actors = "SELECT string_agg(DISTINCT who, ' ' ORDER BY who) FROM (
        SELECT actor AS who FROM tmt.audit_log UNION SELECT actor FROM trade_fills UNION SELECT acknowledged_by FROM risk_events
        UNION SELECT actor FROM risk_event_actions UNION SELECT set_by FROM trading_halts UNION SELECT actor FROM tmt.requests) x";
    assert_eq!(cast.desk.text(actors).await, format!("{names}_tmt_admin {names}_tmt_trader"));
}

#[tokio::test]
async fn the_key_of_another_person_returns_nothing_and_is_in_the_audit() {
    let cast = Cast::open().await;
    let (trader, admin) = (cast.of("tmt_trader"), cast.of("tmt_admin"));
    let order = buy(10_000);
    let placed = order.place(trader).await.accepted();

    let stolen = order.place(admin).await.refused("KEY_REUSED");
    assert_eq!((stolen.subject, stolen.detail), (None, serde_json::json!({})));
    for thief in ["tmt_admin", "tmt_risk_officer", "tmt_agent"] {
        resolve(order.key()).send(cast.of(thief)).await.refused("KEY_REUSED");
    }
    let halt = halt_account(ALPHA, "reduce_only").with_key(order.key());
    halt.send(cast.of("tmt_risk_officer")).await.refused("KEY_REUSED");

    assert_eq!(order.place(trader).await, placed);
    assert_eq!(cast.desk.text("SELECT count(*) FROM trades").await, "1");
    assert_eq!(cast.desk.text("SELECT count(*) FROM trading_halts").await, "0");
    let noted = "SELECT string_agg(substr(actor, length(current_database()) + 6) || ' ' || verb, ', ' ORDER BY seq)
        FROM tmt.audit_log WHERE code = 'KEY_REUSED'";
    assert_eq!(
        cast.desk.text(noted).await,
        "admin place_trade, admin resolve_outcome, risk_officer resolve_outcome, agent resolve_outcome, risk_officer halt"
    );
}

// ---- four eyes ------------------------------------------------------------------------------------

#[tokio::test]
async fn one_person_cannot_be_two_whatever_the_spelling_of_the_login() {
    let cast = Cast::open().await;
    let (desk, name) = (&cast.desk, cast.desk.database.name());
    let limit = limit("max_exposure", 50_000, "USD").of(ALPHA).insert(desk).await;
    let ann = desk.officer("ann").await;
    let seen = version(&ann, limit).await;
    let loosen = change(limit, &seen).value(60_000).because("why");
    let proposal = loosen.send(&ann).await.accepted().subject();
    let agreed = || approve(proposal).note("agreed");

    let spellings =
        [format!("{}_ANN", name.to_uppercase()), format!("{name}_ann "), format!(" {name}_Ann")];
    for spelling in &spellings {
        let config = desk.database.config_as(spelling);
        let password = String::from_utf8_lossy(config.get_password().unwrap_or(b"unused"));
        desk.run(&format!(
            "CREATE ROLE \"{spelling}\" LOGIN PASSWORD '{password}' IN ROLE tmt_admin"
        ))
        .await;
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        agreed().send(&client).await.refused("FOUR_EYES_SAME_PERSON");
        drop(client);
        connection.await.unwrap().unwrap();
        desk.run(&format!("DROP ROLE \"{spelling}\"")).await;
    }
    ann.batch_execute("SET ROLE tmt_risk_officer").await.unwrap();
    agreed().send(&ann).await.refused("FOUR_EYES_SAME_PERSON");
    for group in ["tmt_viewer", "tmt_trader", "tmt_agent"] {
        let client = cast.of(group);
        assert_eq!(agreed().sqlstate(client).await, "42501", "{group}");
        assert_eq!(loosen.sqlstate(client).await, "42501", "{group}");
    }
    let value = "SELECT limit_value FROM risk_limits WHERE limit_id = $1 AND is_active";
    assert_eq!(desk.text_of(value, &[&limit]).await, "50000.0000");

    agreed().send(cast.of("tmt_admin")).await.accepted();
    // An admin has both roles and is one person.
    let admin = cast.of("tmt_admin");
    let again = change(proposal, &version(admin, proposal).await).value(70_000).because("why");
    let own = again.send(admin).await.accepted().subject();
    approve(own).send(admin).await.refused("FOUR_EYES_SAME_PERSON");
}
