//! Everything at once: orders, closes, limits and halts from many sessions, and no rule broken in between.

use crate::book::text;
use crate::dice::Dice;
use crate::races::{
    Track, connect, is_worth_another_try, limit_exposure, order_of, send, watch_every_order,
};
use futures_util::future::join_all;
use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use uuid::Uuid;

/// What one session of the mixed race does next.
async fn act(track: &Track, client: &Client, role: usize, dice: &mut Dice, accounts: &[String]) {
    let account = accounts.get(dice.below(accounts.len())).unwrap();
    match (role, dice.below(8)) {
        (0..=8, 0..=5) => trade(client, dice, account).await,
        (0..=11, 6) => drop(send(client, &request("flatten", &format!("'{account}', NULL"))).await),
        (0..=11, _) => close_some(track, client, dice).await,
        (12..=14, _) => change_some_limit(track, client, dice).await,
        // TMT's own programs go on meanwhile.
        _ => {
            let sql = "SELECT desk.mark_to_market(), desk.monitor_limits(), desk.roll_days()";
            if let Err(error) = client.batch_execute(sql).await {
                assert!(is_worth_another_try(&error), "{error:?}");
            }
        }
    }
}

/// A call with a key of its own.
fn request(verb: &str, arguments: &str) -> String {
    let key = Uuid::new_v4();
    format!("desk.{verb}('{key}', '\\x01', now() + interval '1 minute', {arguments})")
}

/// Either side, so that positions grow, shrink and flip; sometimes twice under one key.
async fn trade(client: &Client, dice: &mut Dice, account: &str) {
    let mut order = order_of(account, dice.below(2) == 0);
    order.size = Decimal::from(1000 * (1 + dice.below(60)));
    if dice.below(2) == 0 {
        order.side = "SELL";
        let euro = order.price < dec!(2);
        order.stop = Some(if euro { dec!(1.105) } else { dec!(156) });
        order.target = Some(if euro { dec!(1.09) } else { dec!(153) });
    }
    let answer = send(client, &order.sql()).await;
    if answer.is_some() && dice.below(4) == 0 {
        assert_eq!(send(client, &order.sql()).await, answer, "a second answer to the same key");
    }
}

async fn close_some(track: &Track, client: &Client, dice: &mut Dice) {
    let sql = "SELECT position_id FROM positions WHERE status = 'open' ORDER BY random() LIMIT 1";
    let position = track.book.text(sql).await;
    if position != "-" {
        let size = if dice.below(2) == 0 { "NULL" } else { "1000" };
        let arguments = format!("'{position}', {size}, NULL, NULL");
        send(client, &request("close_position", &arguments)).await;
    }
}

/// Tighter at once, looser by another person's word.
async fn change_some_limit(track: &Track, client: &Client, dice: &mut Dice) {
    let pending = "SELECT limit_id FROM risk_limits l WHERE desk.limit_state(l) = 'pending' ORDER BY random() LIMIT 1";
    let pending = track.book.text(pending).await;
    if dice.below(2) == 0 && pending != "-" {
        send(client, &request("approve_limit", &format!("'{pending}', NULL"))).await;
        return;
    }
    let seen = "SELECT format('%L, %L', limit_id, updated_at) FROM risk_limits WHERE is_active ORDER BY random() LIMIT 1";
    let (seen, value) = (track.book.text(seen).await, 50_000 + 10_000 * dice.below(12));
    send(client, &request("propose_limit", &format!("{seen}, {value}, NULL, NULL, 'race'"))).await;
}

/// Orders, closes, flattens, changes of limits and marks, in an order that nobody planned. The seed makes
/// the same requests again: `TMT_SEED=7`.
#[tokio::test]
async fn no_order_of_concurrent_writers_breaks_a_limit_or_loses_cash() {
    let mut track = Track::open("read committed").await;
    let mut logins = Vec::new();
    for name in ["ann", "bob", "cho"] {
        logins.push(track.book.database.login(name, "tmt_risk_officer").await);
    }
    logins.push(track.book.database.login("agent", "tmt_agent").await);
    for (session, login) in track.sessions.iter_mut().skip(12).zip(&logins) {
        *session = connect(&track.book, login, "read committed").await;
    }
    // A close has no limit to break, and is allowed in any isolation.
    let trader = format!("{}_trader", track.book.database.name());
    for (session, isolation) in
        track.sessions.iter_mut().skip(9).zip(["repeatable read", "serializable"])
    {
        *session = connect(&track.book, &trader, isolation).await;
    }
    watch_every_order(&track.book).await;
    let given = std::env::var("TMT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = given.map_or_else(
        || (0..4).map(|_| Uuid::new_v4().as_u64_pair().0).collect(),
        |seed| vec![seed],
    );
    for seed in seeds {
        let metadata =
            format!(r#"{{"portfolio": "{seed}", "commission": {{"per_unit": "0.00003"}}}}"#);
        let mut accounts = Vec::new();
        for _ in 0..3 {
            let account = track.account(&metadata).await;
            limit_exposure(&track, &account).await;
            accounts.push(account);
        }
        let columns = "limit_type, limit_scope, scope_identifier, limit_value, limit_unit";
        track
            .book
            .limit(columns, &format!("'max_exposure', 'portfolio', '{seed}', 300000, 'USD'"))
            .await;

        let (track, accounts) = (&track, &accounts);
        join_all(track.sessions.iter().enumerate().map(|(role, client)| async move {
            let mut dice = Dice::new(seed.wrapping_add(u64::try_from(role).unwrap()));
            for _ in 0..12 {
                act(track, client, role, &mut dice, accounts).await;
            }
        }))
        .await;

        let above = track
            .book
            .text("SELECT string_agg(measured || ' of ' || allowed, ', ') FROM above")
            .await;
        assert_eq!(above, "-", "TMT_SEED={seed}");
        track.check_books().await;
    }
    let accepted = "SELECT count(DISTINCT verb) FROM tmt.audit_log WHERE outcome = 'accepted'";
    assert_eq!(text(&track.book.admin, accepted).await, "5", "all of it happened");
}
