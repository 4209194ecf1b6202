//! The audit: one line for every write and every refusal, and a chain that shows what was done to it.

use futures_util::future::join_all;
use rust_decimal::dec;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::book::{ALPHA, BRAVO, Book, Verdict, buy, call, place, sqlstate, text, verb};

// ---- one line each --------------------------------------------------------------------------------

/// A desk with somebody of each kind.
struct Scene {
    book: Book,
    trader: Client,
    ann: Client,
    bob: Client,
    agent: Client,
    seen: Vec<String>,
}

impl Scene {
    async fn open() -> Self {
        let book = Book::open().await;
        let (trader, ann, bob) =
            (book.trader().await, book.officer("ann").await, book.officer("bob").await);
        let agent = book.member("agent", "tmt_agent").await;
        Self { book, trader, ann, bob, agent, seen: Vec::new() }
    }

    async fn head(&self) -> i64 {
        self.book.text("SELECT seq FROM tmt.audit_head").await.parse().unwrap()
    }

    /// Runs a call that leaves one line, which says what the caller was told; and once more, which
    /// answers the same and leaves none.
    async fn leaves_one(&self, client: &Client, verb: &str, arguments: &str) -> Verdict {
        let key = Uuid::new_v4();
        let sql = match verb {
            "resolve_outcome" => format!("desk.{verb}('{key}', '\\x01')"),
            _ => format!("desk.{verb}('{key}', '\\x01', now() + interval '1 minute', {arguments})"),
        };
        let before = self.head().await;
        let answer = call(client, &sql).await;
        assert_eq!(self.head().await, before + 1, "{verb} {arguments}: {answer:?}");
        let line = self.last_line().await;
        let who = text(client, "SELECT session_user").await;
        let code = answer.code.clone().unwrap_or_default();
        assert_eq!(
            line,
            format!("{who} {verb} {key} {} {code} {}", answer.outcome, answer.message)
        );

        assert_eq!(call(client, &sql).await, answer, "{verb}, again");
        assert_eq!(self.head().await, before + 1, "{verb}, again");
        answer
    }

    async fn last_line(&self) -> String {
        let sql = "SELECT format('%s %s %s %s %s %s', actor, verb, key, outcome, code, payload ->> 'message')
            FROM tmt.audit_log ORDER BY seq DESC LIMIT 1";
        self.book.text(sql).await
    }

    /// A verb that is accepted with some arguments, and refused with others.
    async fn both(&mut self, who: &str, verb: &str, good: &str, bad: &str) -> Verdict {
        self.seen.push(verb.to_owned());
        let client = match who {
            "trader" => &self.trader,
            "ann" => &self.ann,
            "bob" => &self.bob,
            _ => &self.agent,
        };
        let refused = self.leaves_one(client, verb, bad).await;
        assert_eq!(refused.outcome, "refused", "{verb} {bad}: {refused:?}");
        self.leaves_one(client, verb, good).await.accepted()
    }

    async fn version(&self, limit: Uuid) -> String {
        self.book
            .text(&format!("SELECT updated_at FROM risk_limits WHERE limit_id = '{limit}'"))
            .await
    }

    async fn trades(&mut self) {
        let fields = |size| format!("{}, NULL", buy(size).fields());
        self.both("trader", "place_trade", &fields(dec!(10000)), &fields(dec!(-1))).await;
        let position = self.book.position().await;
        let none = Uuid::nil();
        let rest = "1.096, 1.11, NULL, NULL";
        self.both(
            "trader",
            "amend_position",
            &format!("'{position}', {rest}"),
            &format!("'{none}', {rest}"),
        )
        .await;
        let kinds = (
            format!("'{position}', 'swap', 1.5, 'night'"),
            format!("'{position}', 'gift', 1.5, NULL"),
        );
        self.both("agent", "charge", &kinds.0, &kinds.1).await;
        let sizes =
            (format!("'{position}', 4000, NULL, NULL"), format!("'{position}', 99999, NULL, NULL"));
        self.both("trader", "close_position", &sizes.0, &sizes.1).await;
        self.both("trader", "flatten", &format!("'{ALPHA}', NULL"), &format!("'{BRAVO}', NULL"))
            .await;
    }

    async fn oversight(&mut self) {
        let halts = (
            format!("'account', '{ALPHA}', 'reduce_only', 'x'"),
            "'system', NULL, 'reduce_only', 'x'".to_owned(),
        );
        let halt = self.both("trader", "halt", &halts.0, &halts.1).await.subject.unwrap();
        self.both("ann", "resume", &format!("'{halt}', 'x'"), &format!("'{halt}', NULL")).await;
        let event = self.book.text("SELECT event_id FROM risk_events LIMIT 1").await;
        let some = (format!("'{{{event}}}', 'x'"), "'{}', 'x'".to_owned());
        self.both("ann", "acknowledge", &some.0, &some.1).await;
        self.both("ann", "unacknowledge", &format!("'{event}', 'x'"), &format!("'{event}', NULL"))
            .await;
    }

    async fn limits(&mut self) {
        let limit = |value| {
            format!(
                "'{ALPHA}', 'max_exposure', 'account', NULL, {value}, 'USD', NULL, NULL, NULL, NULL"
            )
        };
        let new =
            self.both("ann", "create_limit", &limit("50000"), &limit("0")).await.subject.unwrap();
        let mut proposals = Vec::new();
        for value in ["60000", "70000"] {
            let change = format!("'{new}', '{}', {value}, NULL, NULL", self.version(new).await);
            let proposed = self
                .both("ann", "propose_limit", &format!("{change}, 'x'"), &format!("{change}, NULL"))
                .await;
            proposals.push(proposed.subject.unwrap());
        }
        let (first, second) = (proposals.first().unwrap(), proposals.last().unwrap());
        self.both(
            "bob",
            "reject_limit",
            &format!("'{second}', 'no'"),
            &format!("'{second}', NULL"),
        )
        .await;
        let own = self.leaves_one(&self.ann, "approve_limit", &format!("'{first}', NULL")).await;
        own.refused("FOUR_EYES_SAME_PERSON");
        self.both(
            "bob",
            "approve_limit",
            &format!("'{first}', NULL"),
            &format!("'{second}', NULL"),
        )
        .await;
        let end = format!("'{first}', '{}'", self.version(*first).await);
        self.both("bob", "retire_limit", &format!("{end}, 'x'"), &format!("{end}, NULL")).await;
    }
}

#[tokio::test]
async fn every_write_and_every_refusal_leaves_exactly_one_line() {
    let mut scene = Scene::open().await;
    scene.trades().await;
    scene.oversight().await;
    scene.limits().await;
    scene.leaves_one(&scene.trader, "resolve_outcome", "").await.refused("NOT_EXECUTED");
    scene.seen.push("resolve_outcome".to_owned());

    scene.seen.sort();
    scene.seen.dedup();
    let verbs = "SELECT string_agg(proname, ' ' ORDER BY proname COLLATE \"C\") FROM pg_proc p
        WHERE prorettype = 'desk.answer'::regtype AND EXISTS (SELECT FROM aclexplode(proacl) a WHERE a.grantee <> p.proowner)";
    assert_eq!(scene.seen.join(" "), scene.book.text(verbs).await, "a verb that nobody tried");
    let (done, lines) = ("SELECT count(*) FROM tmt.requests", "SELECT count(*) FROM tmt.audit_log");
    assert_eq!(scene.book.text(done).await, scene.book.text(lines).await);
    assert_eq!(scene.book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn a_request_that_is_refused_for_its_key_leaves_a_line_too() {
    let scene = Scene::open().await;
    let order = buy(dec!(10000));
    place(&scene.trader, &order).await.accepted();
    let given_up = buy(dec!(10000));
    let resolve = format!("desk.resolve_outcome('{}', '\\x01')", given_up.key);
    call(&scene.trader, &resolve).await.refused("NOT_EXECUTED");
    let frozen =
        scene.book.database.client_as(&format!("{}_trader", scene.book.database.name())).await;
    frozen.batch_execute("SET default_transaction_isolation = 'repeatable read'").await.unwrap();
    scene
        .book
        .limit(
            "limit_type, limit_scope, limit_value, limit_unit",
            "'max_exposure', 'system', 1e6, 'USD'",
        )
        .await;

    let late = buy(dec!(10000)).sql().replace("now() + interval", "now() - interval");
    let keyless = order.sql().replace(&format!("'{}'", order.key), "NULL");
    let other = order.sql().replace("\\x01", "\\x02");
    for (client, sql, code) in [
        (&scene.agent, order.sql(), "KEY_REUSED"),
        (&scene.trader, other, "KEY_REUSED"),
        (&scene.agent, format!("desk.resolve_outcome('{}', '\\x01')", order.key), "KEY_REUSED"),
        (&scene.trader, given_up.sql(), "FENCED"),
        (&scene.trader, late, "EXPIRED_REQUEST"),
        (&scene.trader, keyless, "KEY_MISSING"),
        (&scene.trader, "desk.resolve_outcome(NULL, '\\x01')".to_owned(), "KEY_MISSING"),
        (&frozen, buy(dec!(10000)).sql(), "ISOLATION_LEVEL"),
    ] {
        let before = scene.head().await;
        let answer = call(client, &sql).await.refused(code);
        assert_eq!(scene.head().await, before + 1, "{sql}");
        let (line, who) = (scene.last_line().await, text(client, "SELECT session_user").await);
        assert!(
            line.starts_with(&who) && line.ends_with(&answer.message) && line.contains(code),
            "{line}"
        );
    }
    assert_eq!(scene.book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn a_repair_leaves_what_was_there_and_looking_leaves_nothing() {
    let book = Book::open().await;
    let admin = book.member("admin", "tmt_admin").await;
    place(&admin, &buy(dec!(10000))).await.accepted();
    book.run(&format!("UPDATE accounts SET current_balance = 1 WHERE account_id = '{ALPHA}'"))
        .await;

    admin.batch_execute("SELECT desk.reconcile()").await.unwrap();
    assert_eq!(book.text("SELECT count(*) FROM tmt.audit_log").await, "1");
    admin
        .batch_execute(
            "SELECT desk.reconcile(p_repair => true); SELECT desk.reconcile(p_repair => true)",
        )
        .await
        .unwrap();

    let line = "SELECT format('%s %s %s', verb, code, payload #>> '{differences,0,stored}') FROM tmt.audit_log WHERE seq = 2";
    assert_eq!(book.text(line).await, "reconcile REPAIRED 1");
    assert_eq!(book.text("SELECT count(*) FROM tmt.audit_log").await, "2");
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

// ---- the chain ------------------------------------------------------------------------------------

/// Eight people write at once: what is accepted, what is refused, what is sent twice.
async fn written_by_eight() -> Book {
    let book = Book::open().await;
    let mut people = Vec::new();
    for (n, group) in ["tmt_trader", "tmt_risk_officer", "tmt_admin", "tmt_agent"]
        .iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        people.push((n, *group, book.member(&format!("p{n}"), group).await));
    }
    join_all(people.iter().map(|(n, group, client)| async move {
        for turn in 0..5 {
            let halt = format!(
                "'account', '{}', 'reduce_only', NULL",
                if turn % 2 == 0 { BRAVO } else { "nobody" }
            );
            verb(client, "halt", &halt).await;
            if *group != "tmt_risk_officer" {
                let order = buy(dec!(1000) + rust_decimal::Decimal::from(*n) * dec!(1000));
                assert_eq!(place(client, &order).await, place(client, &order).await);
            }
        }
    }))
    .await;
    book
}

#[tokio::test]
async fn the_chain_fits_after_eight_have_written_at_once() {
    let book = written_by_eight().await;
    let lines =
        "SELECT format('%s %s %s', count(*), max(seq), count(DISTINCT actor)) FROM tmt.audit_log";
    assert_eq!(book.text(lines).await, "70 70 8");
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
    // Every line could have been exported as the head once, and still is what it was.
    let exported = "SELECT count(*) FROM tmt.audit_log l, desk.audit_verify(l.seq, l.hash)";
    assert_eq!(book.text(exported).await, "0");
    let early = "SELECT string_agg(format('%s %s after %s', seq, at, before), ', ') FROM (
        SELECT seq, at, lag(at) OVER (ORDER BY seq) AS before FROM tmt.audit_log) x WHERE at < before";
    assert_eq!(book.text(early).await, "-");
}

/// Makes the rest of the chain fit again, from a line on, and moves the head: all that somebody can do
/// who owns the database.
const REWRITE: &str = "DO $$ DECLARE l record; before bytea; BEGIN
    SELECT coalesce((SELECT hash FROM tmt.audit_log WHERE seq = 29), sha256('tmt')) INTO before;
    FOR l IN SELECT * FROM tmt.audit_log WHERE seq >= 30 ORDER BY seq LOOP
        UPDATE tmt.audit_log a SET prev_hash = before, hash = desk.audit_hash(before, a.seq, a.at, a.actor, a.verb, a.key,
            a.outcome, a.code, a.subject, a.payload) WHERE a.seq = l.seq RETURNING a.hash INTO before;
    END LOOP;
    UPDATE tmt.audit_head SET hash = before, seq = (SELECT coalesce(max(seq), 0) FROM tmt.audit_log);
END $$";

/// What is found after the lines were tampered with: in the chain itself, and against the head that was
/// exported at line 40 and kept elsewhere.
async fn found(book: &Book, tampering: &str) -> (String, String) {
    let exported =
        book.text("SELECT format('%s, %L', seq, hash) FROM tmt.audit_log WHERE seq = 40").await;
    let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {tampering}");
    book.admin.batch_execute(&sql).await.unwrap();
    let verify = |arguments: &str| {
        format!(
            "SELECT string_agg(bad_seq || ' ' || reason, '') FROM desk.audit_verify({arguments})"
        )
    };
    let answers = (book.text(&verify("")).await, book.text(&verify(&exported)).await);
    book.admin.batch_execute("ROLLBACK").await.unwrap();
    answers
}

#[tokio::test]
async fn an_edit_is_found_in_whichever_column_it_is() {
    let book = written_by_eight().await;
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
        assert_eq!(found(&book, &sql).await, (edited.clone(), edited), "{change}");
    }
    // Nothing, and an empty word.
    let bare = book.text("SELECT min(seq) FROM tmt.audit_log WHERE code IS NULL").await;
    let edited = format!("{bare} changed after it was written");
    let sql = format!("UPDATE tmt.audit_log SET code = '' WHERE seq = {bare}");
    assert_eq!(found(&book, &sql).await, (edited.clone(), edited));
    assert_eq!(found(&book, "SELECT").await, ("-".to_owned(), "-".to_owned()));
}

#[tokio::test]
async fn what_is_missing_moved_or_made_up_is_found_and_the_first_bad_line_named() {
    let book = written_by_eight().await;
    let swap = |a: u32, b: u32| {
        format!(
        "UPDATE tmt.audit_log SET seq = -{a} WHERE seq = {a}; UPDATE tmt.audit_log SET seq = {a} WHERE seq = {b};
         UPDATE tmt.audit_log SET seq = {b} WHERE seq = -{a}")
    };
    for (tampering, expected) in [
        ("DELETE FROM tmt.audit_log WHERE seq = 30".to_owned(), "31 lines before this one are missing"),
        ("DELETE FROM tmt.audit_log WHERE seq BETWEEN 10 AND 30".to_owned(), "31 lines before this one are missing"),
        ("DELETE FROM tmt.audit_log WHERE seq = 1".to_owned(), "2 lines before this one are missing"),
        // Closing the gap makes it worse.
        ("DELETE FROM tmt.audit_log WHERE seq = 30; UPDATE tmt.audit_log SET seq = 30 WHERE seq = 31".to_owned(),
         "30 does not follow the line before it"),
        (swap(30, 31), "30 does not follow the line before it"),
        (swap(12, 60), "12 does not follow the line before it"),
        ("UPDATE tmt.audit_log SET prev_hash = sha256('x') WHERE seq = 30".to_owned(), "30 does not follow the line before it"),
        // An edit with a hash that suits it: the next line tells.
        ("UPDATE tmt.audit_log SET actor = 'boss', hash = desk.audit_hash(prev_hash, seq, at, 'boss', verb, key, outcome, code, subject, payload)
           WHERE seq = 30".to_owned(), "31 does not follow the line before it"),
        ("DELETE FROM tmt.audit_log WHERE seq > 60".to_owned(), "70 the chain ends before its head: the last lines are missing"),
        ("DELETE FROM tmt.audit_log".to_owned(), "70 the chain ends before its head: the last lines are missing"),
        ("UPDATE tmt.audit_head SET seq = 69".to_owned(), "70 newer than the head of the chain"),
        ("UPDATE tmt.audit_head SET hash = sha256('x')".to_owned(), "70 differs from the head of the chain"),
    ] {
        let (inside, _) = found(&book, &tampering).await;
        assert_eq!(inside, expected, "{tampering}");
    }
}

#[tokio::test]
async fn a_chain_that_was_made_to_fit_again_is_found_against_an_exported_head() {
    let book = written_by_eight().await;
    let fits = "-".to_owned();
    let another = "40 differs from the exported head".to_owned();
    let short = "40 the chain ends before the exported head".to_owned();
    for (tampering, expected) in [
        (format!("UPDATE tmt.audit_log SET actor = 'boss' WHERE seq = 30; {REWRITE}"), &another),
        (format!("DELETE FROM tmt.audit_log WHERE seq = 30; UPDATE tmt.audit_log SET seq = 1000 + seq WHERE seq > 30;
                  UPDATE tmt.audit_log SET seq = seq - 1001 WHERE seq > 1000; {REWRITE}"), &another),
        (format!("DELETE FROM tmt.audit_log WHERE seq >= 35; {REWRITE}"), &short),
        (format!("DELETE FROM tmt.audit_log; {REWRITE}"), &short),
        // What came after the export can be cut without a trace: export often.
        (format!("DELETE FROM tmt.audit_log WHERE seq > 40; {REWRITE}"), &fits),
    ] {
        assert_eq!(found(&book, &tampering).await, (fits.clone(), expected.clone()), "{tampering}");
    }
}

#[tokio::test]
async fn what_is_kept_is_only_added_to_even_by_its_owner() {
    let book = Book::open().await;
    place(&book.trader().await, &buy(dec!(1000))).await.accepted();
    book.run("INSERT INTO risk_events (event_type, severity, event_source) VALUES ('x', 'warning', 'test')").await;
    let officer = book.officer("ann").await;
    let event = book.text("SELECT event_id FROM risk_events").await;
    verb(&officer, "acknowledge", &format!("'{{{event}}}', NULL")).await.accepted();
    book.run("SET ROLE tmt_owner").await;
    for (table, column) in
        [("tmt.audit_log", "actor"), ("trade_fills", "actor"), ("risk_event_actions", "actor")]
    {
        for sql in [
            format!("UPDATE {table} SET {column} = 'boss'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            assert_eq!(sqlstate(&book.admin, &sql).await.code(), "TR020", "{sql}");
        }
    }
}
