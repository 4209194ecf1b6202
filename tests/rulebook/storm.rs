//! Orders, closes, limits and halts from many sessions at once, which break no rule.

use futures_util::future::join_all;
use tmt::domain::ids::AccountId;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::dice::Dice;
use crate::races::{
    Track, connect, is_worth_another_try, limit_exposure, order_of, record_breaches, send,
};
use crate::verbs::{approve, change, close, flatten, limit};

/// What a session does next.
async fn act(track: &Track, client: &Client, role: usize, dice: &mut Dice, accounts: &[AccountId]) {
    let account = *accounts.get(dice.below(accounts.len())).unwrap();
    match (role, dice.below(8)) {
        (0..=8, 0..=5) => trade(client, dice, account).await,
        (0..=11, 6) => drop(send(client, &flatten(account)).await),
        (0..=11, _) => close_some(track, client, dice).await,
        (12..=14, _) => change_some_limit(track, client, dice).await,
        // The sentinel and other programs of TMT work meanwhile.
        _ => {
            let sql = "SELECT desk.mark_to_market(), desk.monitor_limits(), desk.roll_days()";
            if let Err(error) = client.batch_execute(sql).await {
                assert!(is_worth_another_try(&error), "{error:?}");
            }
        }
    }
}

/// Orders of both sides, so that positions grow, shrink and flip; some are sent twice.
async fn trade(client: &Client, dice: &mut Dice, account: AccountId) {
    let euro = dice.below(2) == 0;
    let mut order = order_of(account, euro).size(1000 * (1 + dice.below(60)));
    if dice.below(2) == 0 {
        let (stop, target) = if euro { ("1.105", "1.09") } else { ("156", "153") };
        order = order.side("SELL").stop(stop).target(target);
    }
    let answer = send(client, &order).await;
    if answer.is_some() && dice.below(4) == 0 {
        assert_eq!(send(client, &order).await, answer, "a second answer to the same key");
    }
}

async fn close_some(track: &Track, client: &Client, dice: &mut Dice) {
    let sql = "SELECT position_id FROM positions WHERE status = 'open' ORDER BY random() LIMIT 1";
    let position = track.desk.text(sql).await;
    if position != "-" {
        let all = close(position);
        send(client, &if dice.below(2) == 0 { all } else { all.size(1000) }).await;
    }
}

/// Tightens a limit, or loosens it with the approval of another officer.
async fn change_some_limit(track: &Track, client: &Client, dice: &mut Dice) {
    let pending = "SELECT limit_id FROM risk_limits l WHERE desk.limit_state(l) = 'pending' ORDER BY random() LIMIT 1";
    let pending = track.desk.text(pending).await;
    if dice.below(2) == 0 && pending != "-" {
        send(client, &approve(pending)).await;
        return;
    }
    let seen = "SELECT limit_id, updated_at::text FROM risk_limits WHERE is_active ORDER BY random() LIMIT 1";
    let row = track.desk.admin.query_one(seen, &[]).await.unwrap();
    let (limit, version) = (row.try_get(0).unwrap(), row.try_get(1).unwrap());
    let value = 50_000 + 10_000 * dice.below(12);
    send(client, &change(limit, version).value(value).because("race")).await;
}

/// Orders, closes, flattens, changes of limits and marks at random. `TMT_SEED=7` repeats a run.
#[tokio::test]
async fn concurrent_writers_break_no_limit_and_lose_no_cash() {
    let mut track = Track::open("read committed").await;
    let mut logins = Vec::new();
    for name in ["ann", "bob", "cho"] {
        logins.push(track.desk.database.login(name, "tmt_risk_officer").await);
    }
    logins.push(track.desk.database.login("agent", "tmt_agent").await);
    for (session, login) in track.sessions.iter_mut().skip(12).zip(&logins) {
        *session = connect(&track.desk, login, "read committed").await;
    }
    // A close is not limited and is allowed in any isolation level.
    let trader = format!("{}_trader", track.desk.database.name());
    for (session, isolation) in
        track.sessions.iter_mut().skip(9).zip(["repeatable read", "serializable"])
    {
        *session = connect(&track.desk, &trader, isolation).await;
    }
    record_breaches(&track.desk).await;
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
            limit_exposure(&track, account).await;
            accounts.push(account);
        }
        let portfolio = limit("max_exposure", 300_000, "USD").of_portfolio(&seed.to_string());
        portfolio.insert(&track.desk).await;

        let (track, accounts) = (&track, &accounts);
        join_all(track.sessions.iter().enumerate().map(|(role, client)| async move {
            let mut dice = Dice::new(seed.wrapping_add(u64::try_from(role).unwrap()));
            for _ in 0..12 {
                act(track, client, role, &mut dice, accounts).await;
            }
        }))
        .await;

        let above = track
            .desk
            .text("SELECT string_agg(measured || ' of ' || allowed, ', ') FROM above")
            .await;
        assert_eq!(above, "-", "TMT_SEED={seed}");
        track.check_books().await;
    }
    let accepted = "SELECT count(DISTINCT verb) FROM tmt.audit_log WHERE outcome = 'accepted'";
    assert_eq!(track.desk.text(accepted).await, "5", "all of it happened");
}
