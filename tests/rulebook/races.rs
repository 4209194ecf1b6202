//! Many sessions against one limit at the same time: never above it, no cash lost, one answer per key.

use crate::book::{Book, Order, Verdict, buy, text, verb, verdict};
use futures_util::future::join_all;
use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

const SESSIONS: usize = 16;

const ORDERS: usize = 3;

const ROUNDS: usize = 20;

/// A desk whose prices stay fresh, and the sessions that race on it.
pub(crate) struct Track {
    pub(crate) book: Book,
    pub(crate) sessions: Vec<Client>,
}

impl Track {
    pub(crate) async fn open(isolation: &str) -> Self {
        let book = Book::open().await;
        for age in ["price_max_age_seconds", "conversion_max_age_seconds"] {
            book.set(age, "86400").await;
        }
        let login = book.database.login("trader", "tmt_trader").await;
        let sessions = join_all((0..SESSIONS).map(|_| connect(&book, &login, isolation))).await;
        Self { book, sessions }
    }

    /// Makes an account with ten million USD, so that nothing but the limit stands in the way.
    pub(crate) async fn account(&self, metadata: &str) -> String {
        let id = Uuid::new_v4().to_string();
        self.book
            .run(&format!(
                "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency,
                     initial_balance, current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata)
                 VALUES ('{id}', '{id}', 'oanda', 'v20', 'demo', 'USD', 1e7, 1e7, 1e7, 1e7, 0.5, 0.5, '{metadata}')"
            ))
            .await;
        id
    }

    /// Lets every session place its orders at once; returns how many were accepted.
    pub(crate) async fn race(&self, accounts: &[String]) -> usize {
        let answers = join_all(self.sessions.iter().enumerate().map(|(n, client)| async move {
            let mut answers = Vec::new();
            for order in 0..ORDERS {
                let account = accounts.get((n + order) % accounts.len()).unwrap();
                answers.push(send(client, &order_of(account, n % 2 == 0).sql()).await);
            }
            answers
        }));
        let accepted =
            |answer: &Option<Verdict>| matches!(answer, Some(v) if v.outcome == "accepted");
        answers.await.iter().flatten().filter(|a| accepted(a)).count()
    }

    /// What nothing may have broken, whoever won.
    pub(crate) async fn check_books(&self) {
        let none = [
            ("the fills explain what is stored", "SELECT count(*) FROM desk.reconcile()"),
            ("the chain fits", "SELECT count(*) FROM desk.audit_verify()"),
            (
                "cash is what the fills made of it",
                "SELECT count(*) FROM accounts a WHERE a.current_balance <> a.initial_balance + (
                     SELECT coalesce(sum(coalesce(f.gross_pnl, 0) - f.commission - f.swap_fee), 0)
                       FROM trade_fills f WHERE f.account_id = a.account_id)",
            ),
            (
                "every key has one verdict and one line",
                "SELECT count(*) FROM tmt.requests r WHERE r.outcome IS NULL
                     OR 1 <> (SELECT count(*) FROM tmt.audit_log l WHERE l.key = r.key AND l.code IS NOT DISTINCT FROM r.code)",
            ),
        ];
        for (what, sql) in none {
            assert_eq!(self.book.text(sql).await, "0", "{what}");
        }
        crate::sums::check(&self.book).await;
    }
}

pub(crate) async fn connect(book: &Book, login: &str, isolation: &str) -> Client {
    let client = book.database.client_as(login).await;
    let sql =
        format!("SET default_transaction_isolation = '{isolation}'; SET lock_timeout = '20s'");
    client.batch_execute(&sql).await.unwrap();
    client
}

/// 10,000 of one instrument or the other: 11,000 or 10,000 USD.
pub(crate) fn order_of(account: &str, euro: bool) -> Order {
    let euros = Order { account: account.to_owned(), reason: Some("a race"), ..buy(dec!(10000)) };
    if euro {
        return euros;
    }
    let (price, stop, target) = (dec!(155), Some(dec!(154)), Some(dec!(157)));
    Order { instrument: "USD_JPY".to_owned(), price, stop, target, ..euros }
}

/// Sends a request as the store does: at most three times more, under the same key, while the server
/// proves that nothing was done and that trying again may help. Nothing: it counts as refused. That is
/// for pictures that were too old each time; a deadlock does not come four times.
pub(crate) async fn send(client: &Client, call: &str) -> Option<Verdict> {
    let mut deadlocks = 0;
    for _ in 0..4 {
        match client.query_one(&format!("SELECT * FROM {call}"), &[]).await {
            Ok(row) => return Some(verdict(&row)),
            Err(error) => {
                assert!(is_worth_another_try(&error), "{error:?}");
                let locked = error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED);
                deadlocks += usize::from(locked);
            }
        }
    }
    assert!(deadlocks < 2, "{call} met {deadlocks} deadlocks and was not done");
    None
}

pub(crate) fn is_worth_another_try(error: &tokio_postgres::Error) -> bool {
    let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| again.contains(code))
}

/// What the live positions are worth that `condition` names, from the positions themselves.
async fn exposure(book: &Book, condition: &str) -> Decimal {
    let sql = format!(
        "SELECT coalesce(sum(abs(net)), 0) FROM (
             SELECT sum(desk.signed_size(p)) * CASE p.instrument WHEN 'EUR_USD' THEN 1.1 ELSE 1 END AS net
               FROM positions p JOIN accounts a USING (account_id)
              WHERE p.status IN ('open', 'closing') AND {condition} GROUP BY p.account_id, p.instrument) held"
    );
    book.text(&sql).await.parse().unwrap()
}

// ---- one limit, one account -----------------------------------------------------------------------

pub(crate) async fn limit_exposure(track: &Track, account: &str) {
    let columns = "account_id, limit_type, limit_scope, limit_value, limit_unit";
    track
        .book
        .limit(columns, &format!("'{account}', 'max_exposure', 'account', 220000, 'USD'"))
        .await;
}

#[tokio::test]
async fn sixteen_sessions_fill_a_limit_to_the_brim_and_never_above() {
    let track = Track::open("read committed").await;
    for round in 0..ROUNDS {
        let account = track.account("{}").await;
        limit_exposure(&track, &account).await;

        let accepted = track.race(std::slice::from_ref(&account)).await;

        let exposed = exposure(&track.book, &format!("a.account_id = '{account}'")).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        // Nobody was turned away while there was room for one more.
        assert!(exposed > dec!(209000), "round {round}: {exposed} after {accepted}");
    }
    track.check_books().await;
}

#[tokio::test]
async fn with_a_frozen_picture_the_desk_and_the_backstop_hold_all_the_same() {
    let track = Track::open("repeatable read").await;
    // Whoever wrote trades before there was a desk, and still does.
    let writer = track.book.database.login("writer", "tmt_viewer").await;
    track.book.run(&format!("GRANT INSERT ON trades TO {writer}")).await;
    let writers =
        join_all((0..SESSIONS).map(|_| connect(&track.book, &writer, "repeatable read"))).await;
    let (mut accepted, mut booked) = (0, 0);
    for round in 0..ROUNDS {
        let account = track.account("{}").await;
        limit_exposure(&track, &account).await;

        accepted += track.race(std::slice::from_ref(&account)).await;
        let exposed = exposure(&track.book, &format!("a.account_id = '{account}'")).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        let account = track.account("{}").await;
        limit_exposure(&track, &account).await;
        booked +=
            join_all(writers.iter().map(|w| write_trades(w, &account))).await.iter().sum::<usize>();

        let exposed = format!(
            "SELECT sum(position_size) * 1.1 <= 220000 FROM trades WHERE account_id = '{account}'"
        );
        assert_eq!(track.book.text(&exposed).await, "true", "round {round}");
    }
    assert!(accepted.min(booked) > ROUNDS, "only {accepted} and {booked} came through");
}

/// Writes trades past the desk; returns how many the backstop let through.
async fn write_trades(client: &Client, account: &str) -> usize {
    let mut written = 0;
    for _ in 0..ORDERS {
        let sql = format!(
            "INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time)
             VALUES ('{account}', 'EUR_USD', 'BUY', 20000, 1.1, 100, 0.01, now())"
        );
        for _ in 0..4 {
            match client.batch_execute(&sql).await {
                Ok(()) => {
                    written += 1;
                    break;
                }
                Err(error) if error.code().is_some_and(|code| code.code() == "TR005") => break,
                Err(error) => assert!(is_worth_another_try(&error), "{error:?}"),
            }
        }
    }
    written
}

#[tokio::test]
async fn serializable_sessions_retry_and_stay_below() {
    let track = Track::open("serializable").await;
    for _ in 0..2 {
        let account = track.account("{}").await;
        limit_exposure(&track, &account).await;
        assert!(track.race(std::slice::from_ref(&account)).await > 0);
        let exposed = exposure(&track.book, &format!("a.account_id = '{account}'")).await;
        assert!(exposed <= dec!(220000), "{exposed}");
    }
    track.check_books().await;
}

// ---- one limit, many accounts; counts -------------------------------------------------------------

#[tokio::test]
async fn a_limit_over_a_portfolio_holds_whichever_account_is_faster() {
    let track = Track::open("read committed").await;
    for round in 0..6 {
        let mut accounts = Vec::new();
        for _ in 0..4 {
            accounts.push(track.account(&format!("{{\"portfolio\": \"p{round}\"}}")).await);
        }
        let columns = "limit_type, limit_scope, scope_identifier, limit_value, limit_unit";
        track
            .book
            .limit(columns, &format!("'max_exposure', 'portfolio', 'p{round}', 220000, 'USD'"))
            .await;

        let accepted = track.race(&accounts).await;

        let exposed =
            exposure(&track.book, &format!("a.metadata ->> 'portfolio' = 'p{round}'")).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        assert!(exposed > dec!(209000), "round {round}: {exposed} after {accepted}");
    }
    track.check_books().await;
}

#[tokio::test]
async fn counts_are_exact_under_a_race() {
    let track = Track::open("read committed").await;
    let columns = "account_id, limit_type, limit_scope, limit_value, limit_unit";
    for (kind, metadata) in [
        // One position per ticket, or there would be two at most.
        ("max_open_positions", r#"{"position_mode": "hedging"}"#),
        ("max_daily_trades", "{}"),
        ("max_orders_per_minute", "{}"),
    ] {
        for round in 0..3 {
            let account = track.account(metadata).await;
            track
                .book
                .limit(columns, &format!("'{account}', '{kind}', 'account', 23, 'count'"))
                .await;
            assert_eq!(track.race(&[account]).await, 23, "{kind}, round {round}");
        }
    }
    // The whole desk together, from many accounts.
    let system = "limit_type, limit_scope, limit_value, limit_unit";
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(track.account("{}").await);
    }
    let before: usize = track
        .book
        .text("SELECT count(*) FROM trade_fills WHERE effect = 'open'")
        .await
        .parse()
        .unwrap();
    track
        .book
        .limit(system, &format!("'max_orders_per_minute', 'system', {}, 'count'", before + 17))
        .await;
    assert_eq!(track.race(&accounts).await, 17);
    track.check_books().await;
}

/// The first limit over several accounts is made while an order is on its way that saw none.
#[tokio::test]
async fn an_order_under_way_cannot_miss_the_first_limit_over_many_accounts() {
    let track = Track::open("read committed").await;
    let portfolio = r#"{"portfolio": "new"}"#;
    let (slow, quick) = (track.account(portfolio).await, track.account(portfolio).await);
    let officer = track.book.officer("ann").await;
    watch_every_order(&track.book).await;
    let holder = track.book.database.client().await;
    let mut sessions = track.sessions.iter();
    let (first, second) = (sessions.next().unwrap(), sessions.next().unwrap());
    let order = |account: &str| Order { size: dec!(60000), ..order_of(account, true) }.sql();

    holder
        .batch_execute(&format!(
            "BEGIN; SELECT FROM accounts WHERE account_id = '{slow}' FOR UPDATE"
        ))
        .await
        .unwrap();
    let (late, early) = (order(&slow), order(&quick));
    let delayed = send(first, &late);
    let others = async {
        track.book.wait_for_waiters(1).await;
        let limit =
            "NULL, 'max_exposure', 'portfolio', 'new', 100000, 'USD', NULL, NULL, NULL, 'now'";
        let created = verb(&officer, "create_limit", limit);
        let rest = async {
            track.book.wait_for_waiters(2).await;
            // Booked and not committed: nobody else can see it yet. Or it waits for the limit.
            let early = format!("BEGIN; SELECT * FROM {early}");
            let release = async {
                track.book.wait_for_waiters(3).await;
                holder.batch_execute("COMMIT").await.unwrap();
            };
            tokio::join!(second.batch_execute(&early), release).0.ok();
            track.book.wait_for_waiters(1).await;
            second.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(created, rest).0.accepted();
    };
    let (delayed, ()) = tokio::join!(delayed, others);
    assert!(delayed.is_some(), "it was judged in the end");
    assert_eq!(
        track.book.text("SELECT string_agg(measured || ' of ' || allowed, ', ') FROM above").await,
        "-"
    );
}

/// An order that was judged waits for a row that it wants to write; meanwhile its limit is tightened.
#[tokio::test]
async fn a_limit_is_not_changed_between_the_judgement_and_the_booking() {
    let track = Track::open("read committed").await;
    let account = track.account("{}").await;
    limit_exposure(&track, &account).await;
    let officer = track.book.officer("ann").await;
    let trader = track.sessions.first().unwrap();
    send(trader, &order_of(&account, true).sql()).await.unwrap().accepted();
    watch_every_order(&track.book).await;
    let seen = "SELECT format('%L, %L', limit_id, updated_at) FROM risk_limits";
    let tighter = format!("{}, 20000, NULL, NULL, NULL", track.book.text(seen).await);
    let holder = track.book.database.client().await;
    holder.batch_execute("BEGIN; SELECT FROM positions FOR UPDATE").await.unwrap();

    let second = order_of(&account, true).sql();
    let changed = async {
        track.book.wait_for_waiters(1).await;
        verb(&officer, "propose_limit", &tighter).await
    };
    let released = async {
        track.book.wait_for_waiters(2).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (booked, changed, ()) = tokio::join!(send(trader, &second), changed, released);

    changed.accepted();
    booked.unwrap().accepted();
    assert_eq!(track.book.text("SELECT count(*) FROM above").await, "0");
    // From then on it holds.
    send(trader, &order_of(&account, true).sql()).await.unwrap().refused("MAX_EXPOSURE");
}

// ---- everything at once ---------------------------------------------------------------------------

/// Notes every accepted order that leaves more exposure than a limit in force allows. A line of the
/// audit is written last, and by one session at a time: what it sees then is what the desk has become.
pub(crate) async fn watch_every_order(book: &Book) {
    book.run(
        "CREATE TABLE above (seq bigint, measured numeric, allowed numeric);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
         BEGIN
             INSERT INTO above
             SELECT NEW.seq, sum(abs(held.net)), l.limit_value
               FROM risk_limits l, accounts mine,
                    LATERAL (SELECT sum(desk.signed_size(p)) * CASE p.instrument WHEN 'EUR_USD' THEN 1.1 ELSE 1 END AS net
                               FROM positions p JOIN accounts a USING (account_id)
                              WHERE p.status IN ('open', 'closing')
                                AND (p.account_id = l.account_id OR a.metadata ->> 'portfolio' = l.scope_identifier)
                              GROUP BY p.account_id, p.instrument) held
              WHERE mine.account_id = (NEW.payload ->> 'account_id')::uuid AND l.is_active AND l.limit_type = 'max_exposure'
                AND (l.account_id = mine.account_id OR mine.metadata ->> 'portfolio' = l.scope_identifier)
              GROUP BY l.limit_id HAVING sum(abs(held.net)) > l.limit_value;
             RETURN NULL;
         END $$;
         CREATE TRIGGER look AFTER INSERT ON tmt.audit_log FOR EACH ROW
             WHEN (NEW.verb = 'place_trade' AND NEW.outcome = 'accepted' AND NEW.code IS DISTINCT FROM 'REDUCED')
             EXECUTE FUNCTION look()",
    )
    .await;
}

// ---- acknowledging --------------------------------------------------------------------------------

#[tokio::test]
async fn of_a_thousand_events_each_has_one_winner_and_the_loser_learns_who() {
    let book = Book::open().await;
    book.run("INSERT INTO risk_events (event_type, severity, event_source) SELECT 'x', 'warning', 'test' FROM generate_series(1, 1000)")
        .await;
    let mut officers = Vec::new();
    for name in ["ann", "bob"] {
        let login = book.database.login(name, "tmt_risk_officer").await;
        for _ in 0..4 {
            officers.push(book.database.client_as(&login).await);
        }
    }
    // Everybody wants every event, in batches of 50 that are cut differently for each.
    let answers = join_all(officers.iter().enumerate().map(|(n, officer)| {
        let book = &book;
        async move {
            let order = format!("SELECT string_agg(event_id::text, ',' ORDER BY md5(event_id::text || '{n}')) FROM risk_events");
            let ids: Vec<String> = text(&book.admin, &order).await.split(',').map(str::to_owned).collect();
            let mut answers = Vec::new();
            for batch in ids.chunks(50) {
                let call = format!("desk.acknowledge('{}', '\\x01', now() + interval '1 minute', '{{{}}}', NULL)", Uuid::new_v4(), batch.join(","));
                answers.push(send(officer, &call).await.unwrap());
            }
            answers
        }
    }))
    .await;

    let won =
        |answer: &Verdict| answer.detail.get("acknowledged").unwrap().as_array().unwrap().len();
    assert_eq!(answers.iter().flatten().map(won).sum::<usize>(), 1000);
    let actions = "SELECT format('%s %s', count(*), count(DISTINCT event_id)) FROM risk_event_actions WHERE action = 'acknowledged'";
    assert_eq!(book.text(actions).await, "1000 1000");
    assert_eq!(book.text("SELECT count(*) FROM risk_events e JOIN risk_event_actions a USING (event_id) WHERE e.acknowledged_by <> a.actor").await, "0");
    // What a loser was told is what the table says.
    let mut told = 0;
    for taken in answers
        .iter()
        .flatten()
        .flat_map(|a| a.detail.get("taken").unwrap().as_array().unwrap().clone())
    {
        told += 1;
        assert!(taken.get("by").unwrap().as_str().unwrap().starts_with(book.database.name()));
    }
    assert_eq!(told, 7000);
    let wrong = "SELECT count(*) FROM tmt.audit_log l, jsonb_array_elements(l.payload -> 'detail' -> 'taken') t
        JOIN risk_events e ON e.event_id = (t ->> 'event_id')::uuid WHERE e.acknowledged_by <> t ->> 'by'";
    assert_eq!(book.text(wrong).await, "0");
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}
