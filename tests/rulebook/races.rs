//! Many sessions at one limit: it is never exceeded, no cash is lost, each key has one outcome.

use futures_util::future::join_all;
use rstest::rstest;
use rust_decimal::{Decimal, dec};
use tmt::domain::ids::AccountId;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::desk::{Desk, begin, commit};
use crate::rows::trade;
use crate::verbs::{Answer, Order, Verb, acknowledge, buy, change, limit, order, version};

const SESSIONS: usize = 16;

const ORDERS: usize = 3;

const ROUNDS: usize = 20;

/// A desk whose prices stay fresh, and the concurrent sessions on it.
pub(crate) struct Track {
    pub(crate) desk: Desk,
    pub(crate) sessions: Vec<Client>,
}

impl Track {
    pub(crate) async fn open(isolation: &str) -> Self {
        let desk = Desk::open().await;
        for age in ["price_max_age_seconds", "conversion_max_age_seconds"] {
            desk.set(age, "86400").await;
        }
        let login = desk.database.login("trader", "tmt_trader").await;
        let sessions = join_all((0..SESSIONS).map(|_| connect(&desk, &login, isolation))).await;
        Self { desk, sessions }
    }

    /// Makes an account with ten million USD, so that only the limit refuses orders.
    pub(crate) async fn account(&self, metadata: &str) -> AccountId {
        let id = AccountId(Uuid::new_v4());
        let sql = "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency,
                 initial_balance, current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata)
             VALUES ($1::uuid, ($1::uuid)::text, 'oanda', 'v20', 'demo', 'USD', 1e7, 1e7, 1e7, 1e7, 0.5, 0.5, $2::text::jsonb)";
        self.desk.execute(sql, &[&id.0, &metadata]).await;
        id
    }

    /// All sessions place their orders at once; returns how many were accepted.
    pub(crate) async fn race(&self, accounts: &[AccountId]) -> usize {
        let answers = join_all(self.sessions.iter().enumerate().map(|(n, client)| async move {
            let mut answers = Vec::new();
            for order in 0..ORDERS {
                let account = accounts.get((n + order) % accounts.len()).unwrap();
                answers.push(send(client, &order_of(*account, n % 2 == 0)).await);
            }
            answers
        }));
        let accepted =
            |answer: &Option<Answer>| matches!(answer, Some(v) if v.outcome == "accepted");
        answers.await.iter().flatten().filter(|a| accepted(a)).count()
    }

    /// Checks that the books agree, whichever session won.
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
                "every key has one answer and one line",
                "SELECT count(*) FROM tmt.requests r WHERE r.outcome IS NULL
                     OR 1 <> (SELECT count(*) FROM tmt.audit_log l WHERE l.key = r.key AND l.code IS NOT DISTINCT FROM r.code)",
            ),
        ];
        for (what, sql) in none {
            assert_eq!(self.desk.text(sql).await, "0", "{what}");
        }
        crate::running_totals::check(&self.desk).await;
    }
}

pub(crate) async fn connect(desk: &Desk, login: &str, isolation: &str) -> Client {
    let client = desk.database.client_as(login).await;
    let sql =
        format!("SET default_transaction_isolation = '{isolation}'; SET lock_timeout = '20s'");
    client.batch_execute(&sql).await.unwrap();
    client
}

/// 10,000 of one instrument or the other: 11,000 or 10,000 USD.
pub(crate) fn order_of(account: AccountId, euro: bool) -> Order {
    let order =
        if euro { buy(10_000) } else { order("USD_JPY").buy(10_000).at(155).stop(154).target(157) };
    order.on(account).because("a race")
}

/// Sends a request as the store does: with up to three retries under the same key, while the error
/// proves that nothing was done. `None` counts as refused: the snapshot was too old each time. A
/// request must not deadlock more than once.
pub(crate) async fn send(client: &Client, request: &impl Verb) -> Option<Answer> {
    let mut deadlocks = 0;
    for _ in 0..4 {
        match request.try_send(client).await {
            Ok(answer) => return Some(answer),
            Err(error) => {
                assert!(is_worth_another_try(&error), "{error:?}");
                let locked = error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED);
                deadlocks += usize::from(locked);
            }
        }
    }
    assert!(deadlocks < 2, "{:?} met {deadlocks} deadlocks and was not done", request.call());
    None
}

pub(crate) fn is_worth_another_try(error: &tokio_postgres::Error) -> bool {
    let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| again.contains(code))
}

/// The exposure of the live positions that `condition` selects by `$1`, summed from the positions.
async fn exposure(desk: &Desk, condition: &str, value: &(dyn ToSql + Sync)) -> Decimal {
    let sql = format!(
        "SELECT coalesce(sum(abs(net)), 0) FROM (
             SELECT sum(desk.signed_size(p)) * CASE p.instrument WHEN 'EUR_USD' THEN 1.1 ELSE 1 END AS net
               FROM positions p JOIN accounts a USING (account_id)
              WHERE p.status IN ('open', 'closing') AND {condition} GROUP BY p.account_id, p.instrument) held"
    );
    desk.text_of(&sql, &[value]).await.parse().unwrap()
}

async fn exposure_of(desk: &Desk, account: AccountId) -> Decimal {
    exposure(desk, "a.account_id = $1", &account.0).await
}

// ---- one limit, one account -----------------------------------------------------------------------

/// 220,000 USD of exposure: room for twenty orders.
pub(crate) async fn limit_exposure(track: &Track, account: AccountId) -> Uuid {
    limit("max_exposure", 220_000, "USD").of(account).insert(&track.desk).await
}

#[tokio::test]
async fn sixteen_sessions_use_all_of_a_limit_and_never_more() {
    let track = Track::open("read committed").await;
    for round in 0..ROUNDS {
        let account = track.account("{}").await;
        limit_exposure(&track, account).await;

        let accepted = track.race(&[account]).await;

        let exposed = exposure_of(&track.desk, account).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        // No order was refused while there was room for it.
        assert!(exposed > dec!(209000), "round {round}: {exposed} after {accepted}");
    }
    track.check_books().await;
}

#[tokio::test]
async fn repeatable_read_sessions_stay_within_a_limit() {
    let track = Track::open("repeatable read").await;
    // A program that writes trades itself.
    let writer = track.desk.database.login("writer", "tmt_viewer").await;
    track.desk.run(&format!("GRANT INSERT ON trades TO {writer}")).await;
    let writers =
        join_all((0..SESSIONS).map(|_| connect(&track.desk, &writer, "repeatable read"))).await;
    let (mut accepted, mut booked) = (0, 0);
    for round in 0..ROUNDS {
        let account = track.account("{}").await;
        limit_exposure(&track, account).await;

        accepted += track.race(&[account]).await;
        let exposed = exposure_of(&track.desk, account).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        let account = track.account("{}").await;
        limit_exposure(&track, account).await;
        booked +=
            join_all(writers.iter().map(|w| write_trades(w, account))).await.iter().sum::<usize>();

        let exposed = "SELECT sum(position_size) * 1.1 <= 220000 FROM trades WHERE account_id = $1";
        assert_eq!(track.desk.text_of(exposed, &[&account.0]).await, "true", "round {round}");
    }
    assert!(accepted.min(booked) > ROUNDS, "only {accepted} and {booked} came through");
}

/// Writes trades past the rulebook; returns how many the exposure check accepted.
async fn write_trades(client: &Client, account: AccountId) -> usize {
    let mut written = 0;
    for _ in 0..ORDERS {
        for _ in 0..4 {
            match trade(account).buy(20_000).try_insert(client).await {
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
async fn serializable_sessions_retry_and_stay_within_a_limit() {
    let track = Track::open("serializable").await;
    for _ in 0..2 {
        let account = track.account("{}").await;
        limit_exposure(&track, account).await;
        assert!(track.race(&[account]).await > 0);
        let exposed = exposure_of(&track.desk, account).await;
        assert!(exposed <= dec!(220000), "{exposed}");
    }
    track.check_books().await;
}

// ---- one limit, many accounts; counts -------------------------------------------------------------

#[tokio::test]
async fn a_portfolio_limit_holds_for_concurrent_accounts() {
    let track = Track::open("read committed").await;
    for round in 0..6 {
        let portfolio = format!("p{round}");
        let mut accounts = Vec::new();
        for _ in 0..4 {
            accounts.push(track.account(&format!(r#"{{"portfolio": "{portfolio}"}}"#)).await);
        }
        limit("max_exposure", 220_000, "USD").of_portfolio(&portfolio).insert(&track.desk).await;

        let accepted = track.race(&accounts).await;

        let exposed = exposure(&track.desk, "a.metadata ->> 'portfolio' = $1", &portfolio).await;
        assert!(exposed <= dec!(220000), "round {round}: {exposed}");
        assert!(exposed > dec!(209000), "round {round}: {exposed} after {accepted}");
    }
    track.check_books().await;
}

#[tokio::test]
async fn counts_are_exact_for_concurrent_orders() {
    let track = Track::open("read committed").await;
    for (kind, metadata) in [
        // Hedging accounts: netting accounts would have two positions at most.
        ("max_open_positions", r#"{"position_mode": "hedging"}"#),
        ("max_daily_trades", "{}"),
        ("max_orders_per_minute", "{}"),
    ] {
        for round in 0..3 {
            let account = track.account(metadata).await;
            limit(kind, 23, "count").of(account).insert(&track.desk).await;
            assert_eq!(track.race(&[account]).await, 23, "{kind}, round {round}");
        }
    }
    // Over the whole desk, from many accounts.
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(track.account("{}").await);
    }
    let before = track.desk.count("SELECT count(*) FROM trade_fills WHERE effect = 'open'").await;
    limit("max_orders_per_minute", before + 17, "count").insert(&track.desk).await;
    assert_eq!(track.race(&accounts).await, 17);
    track.check_books().await;
}

/// The first limit over several accounts is made while an order that saw none waits for its account.
/// The limit locks the accounts by their ids, so an order on another account may come before it.
#[rstest]
#[tokio::test]
async fn an_open_order_cannot_miss_the_first_wide_limit(
    #[values(true, false)] is_other_locked: bool,
) {
    let track = Track::open("read committed").await;
    let desk = &track.desk;
    let [one, two] = [
        track.account(r#"{"portfolio": "new"}"#).await,
        track.account(r#"{"portfolio": "new"}"#).await,
    ];
    let [first, last] = [one.min(two), one.max(two)];
    let (account, other) = if is_other_locked { (last, first) } else { (first, last) };
    let officer = desk.officer("ann").await;
    record_breaches(desk).await;
    let holder = desk.database.client().await;
    let [late_session, session, ..] = &track.sessions[..] else { panic!("two sessions") };
    let late = order_of(account, true).size(60_000);
    let early = order_of(other, true).size(60_000);

    begin(&holder).await;
    let lock = "SELECT FROM accounts WHERE account_id = $1 FOR UPDATE";
    holder.execute(lock, &[&account.0]).await.unwrap();
    let late = send(late_session, &late);
    let others = async {
        assert!(desk.wait_for_waiters(1).await, "the late order did not wait for its account");
        let limit = limit("max_exposure", 100_000, "USD").of_portfolio("new").because("now");
        let rest = async {
            assert!(desk.wait_for_waiters(2).await, "the limit did not wait for the late order");
            begin(session).await;
            if is_other_locked {
                let release = async {
                    let waits = desk.wait_for_waiters(3).await;
                    assert!(waits, "the early order did not wait for the limit");
                    commit(&holder).await;
                };
                let error = tokio::join!(early.sqlstate(session), release).0;
                assert_eq!(error, "40001");
            } else {
                early.send(session).await.accepted();
                commit(&holder).await;
                // The late order for the totals of their portfolio, and the limit still for the late order.
                assert!(desk.wait_for_waiters(2).await, "nothing waited for the early order");
            }
            session.batch_execute("COMMIT").await.unwrap();
        };
        tokio::join!(limit.send(&officer), rest).0.accepted();
    };
    let (late, ()) = tokio::join!(late, others);
    assert!(late.is_some(), "it has an answer");
    let above = "SELECT string_agg(measured || ' of ' || allowed, ', ') FROM above";
    assert_eq!(desk.text(above).await, "-");
}

/// A checked order waits for a row that it writes; meanwhile its limit is tightened.
#[tokio::test]
async fn a_limit_is_not_changed_between_check_and_booking() {
    let track = Track::open("read committed").await;
    let account = track.account("{}").await;
    let limit = limit_exposure(&track, account).await;
    let officer = track.desk.officer("ann").await;
    let trader = track.sessions.first().unwrap();
    send(trader, &order_of(account, true)).await.unwrap().accepted();
    record_breaches(&track.desk).await;
    let tighter = change(limit, &version(&officer, limit).await).value(20_000);
    let holder = track.desk.database.client().await;
    holder.batch_execute("BEGIN; SELECT FROM positions FOR UPDATE").await.unwrap();

    let second = order_of(account, true);
    let changed = async {
        assert!(track.desk.wait_for_waiters(1).await, "the order waits for its position");
        tighter.send(&officer).await
    };
    let released = async {
        assert!(track.desk.wait_for_waiters(2).await, "the change waits for the order");
        commit(&holder).await;
    };
    let (booked, changed, ()) = tokio::join!(send(trader, &second), changed, released);

    changed.accepted();
    booked.unwrap().accepted();
    assert_eq!(track.desk.text("SELECT count(*) FROM above").await, "0");
    // Then it applies.
    send(trader, &order_of(account, true)).await.unwrap().refused("MAX_EXPOSURE");
}

// ---- everything at once ---------------------------------------------------------------------------

/// Records every accepted order that leaves more exposure than a limit allows. The line of the audit
/// is written last and by one session at a time, so the trigger sees the desk after the order.
pub(crate) async fn record_breaches(desk: &Desk) {
    desk.run(
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
async fn a_thousand_events_are_each_acknowledged_once() {
    let desk = Desk::open().await;
    desk.run("INSERT INTO risk_events (event_type, severity, event_source) SELECT 'x', 'warning', 'test' FROM generate_series(1, 1000)")
        .await;
    let mut officers = Vec::new();
    for name in ["ann", "bob"] {
        let login = desk.database.login(name, "tmt_risk_officer").await;
        for _ in 0..4 {
            officers.push(desk.database.client_as(&login).await);
        }
    }
    // Each acknowledges every event, in different batches of 50.
    let answers = join_all(officers.iter().enumerate().map(|(n, officer)| {
        let desk = &desk;
        async move {
            let order = "SELECT event_id FROM risk_events ORDER BY md5(event_id::text || $1)";
            let rows = desk.admin.query(order, &[&n.to_string()]).await.unwrap();
            let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
            let mut answers = Vec::new();
            for batch in ids.chunks(50) {
                answers.push(send(officer, &acknowledge(batch)).await.unwrap());
            }
            answers
        }
    }))
    .await;

    let won = |answer: &Answer| answer.detail("acknowledged").as_array().unwrap().len();
    assert_eq!(answers.iter().flatten().map(won).sum::<usize>(), 1000);
    let actions = "SELECT format('%s %s', count(*), count(DISTINCT event_id)) FROM risk_event_actions WHERE action = 'acknowledged'";
    assert_eq!(desk.text(actions).await, "1000 1000");
    assert_eq!(desk.text("SELECT count(*) FROM risk_events e JOIN risk_event_actions a USING (event_id) WHERE e.acknowledged_by <> a.actor").await, "0");
    // The refusals name the winner of the table.
    let mut told = 0;
    for taken in
        answers.iter().flatten().flat_map(|answer| answer.detail("taken").as_array().unwrap())
    {
        told += 1;
        assert!(taken.get("by").unwrap().as_str().unwrap().starts_with(desk.database.name()));
    }
    assert_eq!(told, 7000);
    let wrong = "SELECT count(*) FROM tmt.audit_log l, jsonb_array_elements(l.payload -> 'detail' -> 'taken') t
        JOIN risk_events e ON e.event_id = (t ->> 'event_id')::uuid WHERE e.acknowledged_by <> t ->> 'by'";
    assert_eq!(desk.text(wrong).await, "0");
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}
