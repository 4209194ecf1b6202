//! The audit: one line for every write and every refusal, and a chain that shows tampering.

use futures_util::future::join_all;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::desk::{ALPHA, BRAVO, Desk, sqlstate, text};
use crate::verbs::{
    Answer, Verb, acknowledge, amend, approve, buy, change, charge, close, flatten, halt,
    halt_account, limit, reject, resolve, resume, retire, unacknowledge, version,
};

// ---- one line each --------------------------------------------------------------------------------

/// A desk with a login of each role.
struct Scene {
    desk: Desk,
    trader: Client,
    ann: Client,
    bob: Client,
    agent: Client,
}

impl Scene {
    async fn open() -> Self {
        let desk = Desk::open().await;
        let (trader, ann, bob) =
            (desk.trader().await, desk.officer("ann").await, desk.officer("bob").await);
        let agent = desk.member("agent", "tmt_agent").await;
        Self { desk, trader, ann, bob, agent }
    }

    async fn head(&self) -> i64 {
        self.desk.count("SELECT seq FROM tmt.audit_head").await
    }

    async fn last_line(&self) -> String {
        let sql = "SELECT format('%s %s %s %s %s %s', actor, verb, key, outcome, code, payload ->> 'message')
            FROM tmt.audit_log ORDER BY seq DESC LIMIT 1";
        self.desk.text(sql).await
    }

    /// Sends a request, which leaves one line with the answer; and once more, which returns the same
    /// answer and leaves none.
    async fn leaves_one(&self, client: &Client, request: &impl Verb) -> Answer {
        let (call, key) = (request.call(), request.key());
        let before = self.head().await;
        let answer = request.send(client).await;
        assert_eq!(self.head().await, before + 1, "{call:?}: {answer:?}");
        let who = text(client, "SELECT session_user", &[]).await;
        let Answer { outcome, message, .. } = &answer;
        let code = answer.code.as_deref().unwrap_or_default();
        let line = format!("{who} {} {key} {outcome} {code} {message}", call.function);
        assert_eq!(self.last_line().await, line);

        assert_eq!(request.send(client).await, answer, "{call:?}, again");
        assert_eq!(self.head().await, before + 1, "{call:?}, again");
        answer
    }

    /// Sends a request that is refused, and one that is accepted.
    async fn both<V: Verb>(&self, client: &Client, refused: V, accepted: V) -> Answer {
        let answer = self.leaves_one(client, &refused).await;
        assert_eq!(answer.outcome, "refused", "{:?}: {answer:?}", refused.call());
        self.leaves_one(client, &accepted).await.accepted()
    }

    async fn trades(&self) {
        let Self { trader, agent, .. } = self;
        self.both(trader, buy(-1), buy(10_000)).await;
        let position = self.desk.position().await;
        let levels = |position: Uuid| amend(position).stop("1.096").target("1.11");
        self.both(trader, levels(Uuid::nil()), levels(position)).await;
        let charged = |kind| charge(position, kind, "1.5");
        self.both(agent, charged("gift"), charged("swap").because("night")).await;
        self.both(trader, close(position).size(99_999), close(position).size(4000)).await;
        self.both(trader, flatten(BRAVO), flatten(ALPHA)).await;
    }

    async fn oversight(&self) {
        let Self { trader, ann, .. } = self;
        let (wide, own) = (halt("system", "reduce_only"), halt_account(ALPHA, "reduce_only"));
        let halted = self.both(trader, wide.because("x"), own.because("x")).await.subject();
        self.both(ann, resume(halted), resume(halted).because("x")).await;
        let event = self.desk.text("SELECT event_id FROM risk_events LIMIT 1").await;
        let event = event.parse().unwrap();
        self.both(ann, acknowledge(&[]).note("x"), acknowledge(&[event]).note("x")).await;
        self.both(ann, unacknowledge(event), unacknowledge(event).note("x")).await;
    }

    async fn limits(&self) {
        let Self { desk, ann, bob, .. } = self;
        let exposure = |value: u32| limit("max_exposure", value, "USD").of(ALPHA);
        let new = self.both(ann, exposure(0), exposure(50_000)).await.subject();
        let mut proposals = Vec::new();
        for value in [60_000, 70_000] {
            let looser = change(new, &version(&desk.admin, new).await).value(value);
            let proposed = self.both(ann, looser.clone(), other_key(looser).because("x")).await;
            proposals.push(proposed.subject());
        }
        let [first, second] = proposals[..] else { unreachable!() };
        self.both(bob, reject(second), reject(second).note("no")).await;
        self.leaves_one(ann, &approve(first)).await.refused("FOUR_EYES_SAME_PERSON");
        self.both(bob, approve(second), approve(first)).await;
        let end = || async { retire(first, &version(&desk.admin, first).await) };
        self.both(bob, end().await, end().await.because("x")).await;
    }
}

fn other_key<V: Verb>(request: V) -> V {
    request.with_key(Uuid::new_v4())
}

#[tokio::test]
async fn every_write_and_every_refusal_is_one_line_of_the_audit() {
    let scene = Scene::open().await;
    scene.trades().await;
    scene.oversight().await;
    scene.limits().await;
    scene.leaves_one(&scene.trader, &resolve(Uuid::new_v4())).await.refused("NOT_EXECUTED");

    let seen = "SELECT string_agg(verb, ' ' ORDER BY verb COLLATE \"C\") FROM (
        SELECT verb FROM tmt.audit_log GROUP BY verb HAVING count(DISTINCT outcome) = 2 OR verb = 'resolve_outcome') v";
    let verbs = "SELECT string_agg(proname, ' ' ORDER BY proname COLLATE \"C\") FROM pg_proc p
        WHERE prorettype = 'desk.answer'::regtype AND EXISTS (SELECT FROM aclexplode(proacl) a WHERE a.grantee <> p.proowner)";
    let (seen, verbs) = (scene.desk.text(seen).await, scene.desk.text(verbs).await);
    assert_eq!(seen, verbs, "a verb that is not tested here");
    let (done, lines) = ("SELECT count(*) FROM tmt.requests", "SELECT count(*) FROM tmt.audit_log");
    assert_eq!(scene.desk.count(done).await, scene.desk.count(lines).await);
    assert_eq!(scene.desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn a_request_refused_for_its_key_is_in_the_audit() {
    let scene = Scene::open().await;
    let order = buy(10_000);
    order.place(&scene.trader).await.accepted();
    let given_up = buy(10_000);
    resolve(given_up.key()).send(&scene.trader).await.refused("NOT_EXECUTED");
    let frozen =
        scene.desk.database.client_as(&format!("{}_trader", scene.desk.database.name())).await;
    frozen.batch_execute("SET default_transaction_isolation = 'repeatable read'").await.unwrap();
    limit("max_exposure", 1_000_000, "USD").insert(&scene.desk).await;

    let (trader, agent) = (&scene.trader, &scene.agent);
    scene.leaves_a_line(agent, &order, "KEY_REUSED").await;
    let other = order.clone().with_fingerprint("\\x02");
    scene.leaves_a_line(trader, &other, "KEY_REUSED").await;
    scene.leaves_a_line(agent, &resolve(order.key()), "KEY_REUSED").await;
    scene.leaves_a_line(trader, &given_up, "FENCED").await;
    let late = buy(10_000).valid_until(Some("2001-01-01"));
    scene.leaves_a_line(trader, &late, "EXPIRED_REQUEST").await;
    scene.leaves_a_line(trader, &order.without("key"), "KEY_MISSING").await;
    let nothing = resolve(Uuid::nil()).without("key");
    scene.leaves_a_line(trader, &nothing, "KEY_MISSING").await;
    scene.leaves_a_line(&frozen, &buy(10_000), "ISOLATION_LEVEL").await;
    assert_eq!(scene.desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

impl Scene {
    /// Sends a request that is refused with a code, and leaves a line with it.
    async fn leaves_a_line(&self, client: &Client, request: &impl Verb, code: &str) {
        let before = self.head().await;
        let answer = request.send(client).await.refused(code);
        assert_eq!(self.head().await, before + 1, "{:?}", request.call());
        let who = text(client, "SELECT session_user", &[]).await;
        let line = self.last_line().await;
        assert!(line.starts_with(&who) && line.ends_with(&answer.message), "{line}");
        assert!(line.contains(code), "{line}");
    }
}

#[tokio::test]
async fn a_repair_is_in_the_audit_and_a_comparison_is_not() {
    let desk = Desk::open().await;
    let admin = desk.member("admin", "tmt_admin").await;
    buy(10_000).place(&admin).await.accepted();
    desk.run("UPDATE accounts SET current_balance = 1 WHERE account_name = 'alpha'").await;

    admin.batch_execute("SELECT desk.reconcile()").await.unwrap();
    assert_eq!(desk.text("SELECT count(*) FROM tmt.audit_log").await, "1");
    admin
        .batch_execute(
            "SELECT desk.reconcile(p_repair => true); SELECT desk.reconcile(p_repair => true)",
        )
        .await
        .unwrap();

    let line = "SELECT format('%s %s %s', verb, code, payload #>> '{differences,0,stored}') FROM tmt.audit_log WHERE seq = 2";
    assert_eq!(desk.text(line).await, "reconcile REPAIRED 1");
    assert_eq!(desk.text("SELECT count(*) FROM tmt.audit_log").await, "2");
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

// ---- the chain ------------------------------------------------------------------------------------

/// Eight people write at once: accepted, refused and repeated requests.
async fn written_by_eight() -> Desk {
    let desk = Desk::open().await;
    let mut people = Vec::new();
    for (n, group) in ["tmt_trader", "tmt_risk_officer", "tmt_admin", "tmt_agent"]
        .iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        people.push((n, *group, desk.member(&format!("p{n}"), group).await));
    }
    join_all(people.iter().map(|(n, group, client)| async move {
        for turn in 0..5 {
            let account = if turn % 2 == 0 { BRAVO.to_string() } else { "nobody".to_owned() };
            halt_account(account, "reduce_only").send(client).await;
            if *group != "tmt_risk_officer" {
                let order = buy(1000 * (n + 1));
                assert_eq!(order.place(client).await, order.place(client).await);
            }
        }
    }))
    .await;
    desk
}

#[tokio::test]
async fn the_chain_is_intact_after_concurrent_writes() {
    let desk = written_by_eight().await;
    let lines =
        "SELECT format('%s %s %s', count(*), max(seq), count(DISTINCT actor)) FROM tmt.audit_log";
    assert_eq!(desk.text(lines).await, "70 70 8");
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
    // Each line was the head once: exported then, it is still intact.
    let exported = "SELECT count(*) FROM tmt.audit_log l, desk.audit_verify_from(l.seq, l.hash)";
    assert_eq!(desk.text(exported).await, "0");
    let early = "SELECT string_agg(format('%s %s after %s', seq, at, before), ', ') FROM (
        SELECT seq, at, lag(at) OVER (ORDER BY seq) AS before FROM tmt.audit_log) x WHERE at < before";
    assert_eq!(desk.text(early).await, "-");
}

/// Recomputes the hashes from a line on and moves the head, which the owner of the database can do.
const REWRITE: &str = "DO $$ DECLARE l record; before bytea; BEGIN
    SELECT coalesce((SELECT hash FROM tmt.audit_log WHERE seq = 29), sha256('tmt')) INTO before;
    FOR l IN SELECT * FROM tmt.audit_log WHERE seq >= 30 ORDER BY seq LOOP
        UPDATE tmt.audit_log a SET prev_hash = before, hash = desk.audit_hash(before, a.seq, a.at, a.actor, a.verb, a.key,
            a.outcome, a.code, a.subject, a.payload) WHERE a.seq = l.seq RETURNING a.hash INTO before;
    END LOOP;
    UPDATE tmt.audit_head SET hash = before, seq = (SELECT coalesce(max(seq), 0) FROM tmt.audit_log);
END $$";

/// What is found after an edit: in the chain itself, and against the head exported at line 40.
async fn found(desk: &Desk, tampering: &str) -> (String, String) {
    let exported = desk
        .text("SELECT format('_from(%s, %L)', seq, hash) FROM tmt.audit_log WHERE seq = 40")
        .await;
    let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {tampering}");
    desk.admin.batch_execute(&sql).await.unwrap();
    let verify = |call: &str| {
        format!("SELECT string_agg(bad_seq || ' ' || reason, '') FROM desk.audit_verify{call}")
    };
    let answers = (desk.text(&verify("()")).await, desk.text(&verify(&exported)).await);
    desk.admin.batch_execute("ROLLBACK").await.unwrap();
    answers
}

#[tokio::test]
async fn an_edit_of_any_column_is_found() {
    let desk = written_by_eight().await;
    for change in [
        "at = at + interval '1 microsecond'",
        "actor = 'boss'",
        "verb = 'resume'",
        "key = gen_random_uuid()",
        "key = NULL",
        "outcome = CASE outcome WHEN 'accepted' THEN 'refused' ELSE 'accepted' END",
        "code = 'OK'",
        "subject = gen_random_uuid()",
        "payload = payload || '{\"reason\": \"another\"}'",
        "payload = payload - 'message'",
        "hash = sha256('x')",
    ] {
        let sql = format!("UPDATE tmt.audit_log SET {change} WHERE seq = 30");
        let edited = "30 changed after it was written".to_owned();
        assert_eq!(found(&desk, &sql).await, (edited.clone(), edited), "{change}");
    }
    // NULL is not an empty text.
    let bare = desk.text("SELECT min(seq) FROM tmt.audit_log WHERE code IS NULL").await;
    let edited = format!("{bare} changed after it was written");
    let sql = format!("UPDATE tmt.audit_log SET code = '' WHERE seq = {bare}");
    assert_eq!(found(&desk, &sql).await, (edited.clone(), edited));
    assert_eq!(found(&desk, "SELECT").await, ("-".to_owned(), "-".to_owned()));
}

#[tokio::test]
async fn missing_moved_and_forged_lines_are_found_and_the_first_is_named() {
    let desk = written_by_eight().await;
    let swap = |a: u32, b: u32| {
        format!(
        "UPDATE tmt.audit_log SET seq = -{a} WHERE seq = {a}; UPDATE tmt.audit_log SET seq = {a} WHERE seq = {b};
         UPDATE tmt.audit_log SET seq = {b} WHERE seq = -{a}")
    };
    for (tampering, expected) in [
        ("DELETE FROM tmt.audit_log WHERE seq = 30".to_owned(), "31 lines before this one are missing"),
        ("DELETE FROM tmt.audit_log WHERE seq BETWEEN 10 AND 30".to_owned(), "31 lines before this one are missing"),
        ("DELETE FROM tmt.audit_log WHERE seq = 1".to_owned(), "2 lines before this one are missing"),
        // Closing the gap breaks the next line.
        ("DELETE FROM tmt.audit_log WHERE seq = 30; UPDATE tmt.audit_log SET seq = 30 WHERE seq = 31".to_owned(),
         "30 does not follow the line before it"),
        (swap(30, 31), "30 does not follow the line before it"),
        (swap(12, 60), "12 does not follow the line before it"),
        ("UPDATE tmt.audit_log SET prev_hash = sha256('x') WHERE seq = 30".to_owned(), "30 does not follow the line before it"),
        // An edit with a recomputed hash breaks the next line.
        ("UPDATE tmt.audit_log SET actor = 'boss', hash = desk.audit_hash(prev_hash, seq, at, 'boss', verb, key, outcome, code, subject, payload)
           WHERE seq = 30".to_owned(), "31 does not follow the line before it"),
        ("DELETE FROM tmt.audit_log WHERE seq > 60".to_owned(), "70 the chain ends before its head: the last lines are missing"),
        ("DELETE FROM tmt.audit_log".to_owned(), "70 the chain ends before its head: the last lines are missing"),
        ("UPDATE tmt.audit_head SET seq = 69".to_owned(), "70 newer than the head of the chain"),
        ("UPDATE tmt.audit_head SET hash = sha256('x')".to_owned(), "70 differs from the head of the chain"),
    ] {
        let (inside, _) = found(&desk, &tampering).await;
        assert_eq!(inside, expected, "{tampering}");
    }
}

#[tokio::test]
async fn a_rewritten_chain_is_found_by_an_exported_head() {
    let desk = written_by_eight().await;
    let fits = "-".to_owned();
    let another = "40 differs from the exported head".to_owned();
    let short = "40 the chain ends before the exported head".to_owned();
    for (tampering, expected) in [
        (format!("UPDATE tmt.audit_log SET actor = 'boss' WHERE seq = 30; {REWRITE}"), &another),
        (format!("DELETE FROM tmt.audit_log WHERE seq = 30; UPDATE tmt.audit_log SET seq = 1000 + seq WHERE seq > 30;
                  UPDATE tmt.audit_log SET seq = seq - 1001 WHERE seq > 1000; {REWRITE}"), &another),
        (format!("DELETE FROM tmt.audit_log WHERE seq >= 35; {REWRITE}"), &short),
        (format!("DELETE FROM tmt.audit_log; {REWRITE}"), &short),
        // Lines after the exported head can be cut without a trace: export often.
        (format!("DELETE FROM tmt.audit_log WHERE seq > 40; {REWRITE}"), &fits),
    ] {
        assert_eq!(found(&desk, &tampering).await, (fits.clone(), expected.clone()), "{tampering}");
    }
}

#[tokio::test]
async fn even_the_owner_only_appends_to_the_audit() {
    let desk = Desk::open().await;
    buy(1000).place(&desk.trader().await).await.accepted();
    desk.run("INSERT INTO risk_events (event_type, severity, event_source) VALUES ('x', 'warning', 'test')").await;
    let officer = desk.officer("ann").await;
    let event = desk.text("SELECT event_id FROM risk_events").await.parse().unwrap();
    acknowledge(&[event]).send(&officer).await.accepted();
    desk.run("SET ROLE tmt_owner").await;
    for (table, column) in
        [("tmt.audit_log", "actor"), ("trade_fills", "actor"), ("risk_event_actions", "actor")]
    {
        for sql in [
            format!("UPDATE {table} SET {column} = 'boss'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            assert_eq!(sqlstate(&desk.admin, &sql).await, "TR020", "{sql}");
        }
    }
}
