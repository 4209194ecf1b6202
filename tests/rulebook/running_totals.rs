//! The running totals that limits read are the sums over live positions and trades, whichever program writes.

use futures_util::future::join_all;
use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::json;
use tmt::domain::ids::AccountId;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::desk::{ALPHA, BRAVO, Desk, begin, sqlstate};
use crate::dice::Dice;
use crate::rows::{position, trade};
use crate::verbs::{Verb as _, amend, buy, close, sell};

/// A hedging account.
const CHARLIE: AccountId = AccountId(Uuid::from_u128(0xa3));

/// What differs between the running totals and the rows that they sum.
const DIFFERENCE: &str = "
    WITH summed AS (
        SELECT p.account_id, p.instrument, sum(CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END) AS net,
               count(*) AS positions, count(*) FILTER (WHERE p.stop_loss IS NULL) AS unbounded,
               coalesce(sum(greatest(0, CASE p.position_type WHEN 'LONG' THEN p.average_entry_price - p.stop_loss
                                                             ELSE p.stop_loss - p.average_entry_price END) * p.total_size), 0) AS risk
          FROM positions p WHERE p.status IN ('open', 'closing') GROUP BY 1, 2
    ), together AS (
        SELECT coalesce(a.metadata ->> 'portfolio', '') AS portfolio, s.instrument, sum(abs(s.net)) AS gross, sum(s.net) AS net,
               sum(s.positions) AS positions, sum(s.unbounded) AS unbounded, sum(s.risk) AS risk
          FROM summed s JOIN accounts a USING (account_id) GROUP BY 1, 2
    ), kept AS (
        SELECT b.account_id, b.instrument, b.net, b.positions, b.unbounded, b.risk FROM tmt.account_totals b
         WHERE (b.net, b.positions, b.unbounded, b.risk) IS DISTINCT FROM (0, 0, 0, 0)
    ), kept_together AS (
        SELECT b.portfolio, b.instrument, b.gross, b.net, b.positions, b.unbounded, b.risk FROM tmt.portfolio_totals b
         WHERE (b.gross, b.net, b.positions, b.unbounded, b.risk) IS DISTINCT FROM (0, 0, 0, 0, 0)
    ), traded AS (
        SELECT t.account_id, t.instrument::text, sum(CASE t.trade_type WHEN 'BUY' THEN 1 ELSE -1 END * (t.position_size - t.closed_size)) AS net
          FROM trades t WHERE t.status IN ('open', 'partial') GROUP BY 1, 2
    ), kept_traded AS (
        SELECT n.account_id, n.instrument, sum(n.size)::numeric(30,5)
          FROM (SELECT * FROM tmt.trade_totals UNION ALL SELECT * FROM tmt.trade_total_changes) n GROUP BY 1, 2 HAVING sum(n.size) <> 0
    )
    SELECT string_agg(d, ' ') FROM (
        (SELECT '~' || t::text FROM traded t WHERE t.net <> 0 EXCEPT ALL SELECT '~' || k::text FROM kept_traded k) UNION ALL
        (SELECT '!' || k::text FROM kept_traded k EXCEPT ALL SELECT '!' || t::text FROM traded t WHERE t.net <> 0) UNION ALL
        (SELECT '-' || s::text FROM summed s EXCEPT ALL SELECT '-' || k::text FROM kept k) UNION ALL
        (SELECT '+' || k::text FROM kept k EXCEPT ALL SELECT '+' || s::text FROM summed s) UNION ALL
        (SELECT '-' || t::text FROM together t EXCEPT ALL SELECT '-' || k::text FROM kept_together k) UNION ALL
        (SELECT '+' || k::text FROM kept_together k EXCEPT ALL SELECT '+' || t::text FROM together t)) AS x (d)";

/// Checks that the running totals are the sums.
pub(crate) async fn check(desk: &Desk) {
    assert_eq!(difference(desk).await, "-");
}

async fn difference(desk: &Desk) -> String {
    // 5.0 and 5.00 are one number and two texts.
    let same_scale = DIFFERENCE
        .replace(" AS net", "::numeric(30,5) AS net")
        .replace(" AS gross", "::numeric(30,5) AS gross")
        .replace(" AS risk", "::numeric(30,5) AS risk")
        .replace("b.gross, b.net, b.positions, b.unbounded, b.risk FROM", "b.gross::numeric(30,5), b.net::numeric(30,5), b.positions, b.unbounded, b.risk::numeric(30,5) FROM")
        .replace("b.instrument, b.net, b.positions, b.unbounded, b.risk FROM", "b.instrument, b.net::numeric(30,5), b.positions, b.unbounded, b.risk::numeric(30,5) FROM");
    desk.text(&same_scale).await
}

async fn desk_of_three() -> Desk {
    let desk = Desk::open().await;
    for age in ["price_max_age_seconds", "conversion_max_age_seconds"] {
        desk.set(age, "86400").await;
    }
    desk.set("stop_required", "false").await;
    let charlie = json!({
        "account_id": CHARLIE.to_string(),
        "account_name": "charlie",
        "metadata": {"position_mode": "hedging"},
    });
    let copy = "INSERT INTO accounts SELECT (jsonb_populate_record(a, $2::text::jsonb)).*
        FROM accounts a WHERE account_id = $1";
    desk.execute(copy, &[&ALPHA.0, &charlie.to_string()]).await;
    desk.run(
        "UPDATE accounts SET initial_balance = 1e7, current_balance = 1e7, equity = 1e7,
            available_balance = 1e7",
    )
    .await;
    desk
}

/// A trader, the owner of the tables, and a program that the exposure check holds to the limits.
struct Writers {
    trader: Client,
    owner: Client,
    program: Client,
}

impl Writers {
    async fn of(desk: &Desk, trader: Client) -> Self {
        Self { trader, owner: owner(desk).await, program: desk.database.client().await }
    }
}

/// Places an order, closes a position or moves a stop.
async fn trade_by_the_rules(
    kind: usize,
    trader: &Client,
    account: AccountId,
    live: Uuid,
    dice: &mut Dice,
) {
    match kind {
        0..4 => {
            let size = 500 * (1 + dice.below(40));
            let order = if dice.below(2) == 0 { buy(size) } else { sell(size) };
            let order = if dice.below(3) == 0 { order.without_stop() } else { order };
            order.on(account).because("more or less").place(trader).await;
        }
        4 | 5 => {
            let all = close(live);
            let close = if dice.below(2) == 0 { all } else { all.size(500) };
            close.send(trader).await;
        }
        _ => {
            let stop = if dice.below(2) == 0 { "1.08" } else { "1.12" };
            // A stop that is farther away needs a reason.
            amend(live).stop(stop).because("moved").send(trader).await;
        }
    }
}

/// Does one of the first `kinds` things to positions and trades.
async fn step(writers: &Writers, dice: &mut Dice, kinds: usize) {
    let Writers { trader, owner, program } = writers;
    let account = [ALPHA, BRAVO, CHARLIE].get(dice.below(3)).copied().unwrap();
    let live = "SELECT position_id FROM positions WHERE status = 'open' ORDER BY random() LIMIT 1";
    let live = trader.query_opt(live, &[]).await.unwrap().map(|row| row.try_get(0).unwrap());
    let kind = dice.below(if live.is_some() { kinds } else { 4 });
    let live = live.unwrap_or_default();
    if kind < 7 {
        return trade_by_the_rules(kind, trader, account, live, dice).await;
    }
    let writer = if kind < 12 || dice.below(2) == 0 { owner } else { program };
    let written = if kind < 12 {
        write_position(kind, writer, account, live, dice).await
    } else {
        write_trade(kind, writer, account, dice).await
    };
    // A position on which the rulebook books at this moment cannot be deleted. And an insert locks
    // the key of an account that another session has locked, to change its portfolio.
    let expected = [SqlState::FOREIGN_KEY_VIOLATION, SqlState::T_R_DEADLOCK_DETECTED];
    if let Err(error) = written {
        let code = error.code();
        assert!(code.is_some_and(|code| expected.contains(code)), "{kind}: {error:?}");
    }
}

/// Changes positions and the portfolios of accounts past the rulebook.
async fn write_position(
    kind: usize,
    writer: &Client,
    account: AccountId,
    live: Uuid,
    dice: &mut Dice,
) -> Result<(), Error> {
    match kind {
        7 => {
            let portfolio = format!("p{}", dice.below(3));
            let sql = "UPDATE accounts SET metadata = metadata || jsonb_build_object('portfolio', $1::text)
                WHERE account_id = $2";
            writer.execute(sql, &[&portfolio, &account.0]).await?;
        }
        8 => {
            let sql = "UPDATE accounts SET metadata = metadata - 'portfolio' WHERE account_id = $1";
            writer.execute(sql, &[&account.0]).await?;
        }
        9 => {
            let sql = "UPDATE positions SET total_size = total_size + $1,
                    stop_loss = CASE WHEN random() < 0.5 THEN 1.09 END,
                    position_type = CASE WHEN random() < 0.5 THEN 'LONG' ELSE 'SHORT' END
                WHERE position_id = $2";
            writer.execute(sql, &[&Decimal::from(dice.below(5) * 100), &live]).await?;
        }
        10 => {
            let short = position(account).of_instrument("USD_JPY").short(1 + dice.below(9)).at(155);
            let key = Uuid::new_v4();
            short
                .set("netting_key", "text", key)
                .set("stop_loss", "numeric", "156.5")
                .try_insert(writer)
                .await?;
        }
        _ if dice.below(2) == 0 => {
            let sql =
                "UPDATE positions SET status = 'closed', closed_at = now() WHERE position_id = $1";
            writer.execute(sql, &[&live]).await?;
        }
        _ => {
            let sql = "DELETE FROM positions p WHERE position_id = $1
                AND NOT EXISTS (SELECT FROM trade_fills f WHERE f.position_id = p.position_id)";
            writer.execute(sql, &[&live]).await?;
        }
    }
    Ok(())
}

/// Changes trades that the rulebook did not write.
async fn write_trade(
    kind: usize,
    writer: &Client,
    account: AccountId,
    dice: &mut Dice,
) -> Result<(), Error> {
    match kind {
        12 => trade(account).of_instrument("USD_JPY").sell(1 + dice.below(9)).at(155).try_insert(writer).await,
        13 => writer.batch_execute(
            "UPDATE trades SET closed_size = position_size / 3, status = CASE WHEN random() < 0.5 THEN 'partial' ELSE 'cancelled' END
              WHERE trade_id = (SELECT trade_id FROM trades WHERE position_id IS NULL ORDER BY random() LIMIT 1)",
        )
        .await,
        // Several rows of several accounts: at the same time as others that would be a deadlock.
        _ => writer.batch_execute(&format!(
            "UPDATE trades SET account_id = '{account}', trade_type = 'BUY' WHERE position_id IS NULL AND random() < 0.5;
             DELETE FROM trades WHERE position_id IS NULL AND random() < 0.3"
        ))
        .await,
    }
}

async fn owner(desk: &Desk) -> Client {
    let client = desk.database.client().await;
    client.batch_execute("SET ROLE tmt_owner; SET lock_timeout = '20s'").await.unwrap();
    client
}

#[tokio::test]
async fn running_totals_are_the_sums_after_any_write() {
    let desk = desk_of_three().await;
    let writers = Writers::of(&desk, desk.trader().await).await;
    let given = std::env::var("TMT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    let mut dice = Dice::new(seed);
    for number in 0..250 {
        step(&writers, &mut dice, 15).await;
        assert_eq!(difference(&desk).await, "-", "TMT_SEED={seed}, step {number}");
    }
    for kind in ["LONG", "SHORT"] {
        let sql =
            "SELECT count(*) > 0 FROM positions WHERE status = 'closed' AND position_type = $1";
        assert_eq!(desk.text_of(sql, &[&kind]).await, "true");
    }
}

#[tokio::test]
async fn running_totals_are_the_sums_after_concurrent_writes() {
    let desk = desk_of_three().await;
    let login = desk.database.login("trader", "tmt_trader").await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(Writers::of(&desk, desk.database.client_as(&login).await).await);
    }
    let seed = Uuid::new_v4().as_u64_pair().0;
    join_all(all.iter().enumerate().map(|(n, writers)| async move {
        let mut dice = Dice::new(seed.wrapping_add(u64::try_from(n).unwrap()));
        for _ in 0..40 {
            step(writers, &mut dice, 14).await;
        }
    }))
    .await;
    assert_eq!(difference(&desk).await, "-", "TMT_SEED={seed}");
}

/// Another program changes the portfolio of an account, opens a position, or adds to one.
const MOVE: &str =
    "UPDATE accounts SET metadata = '{\"portfolio\": \"elsewhere\"}' WHERE account_name = 'alpha'";
const OPEN: &str = "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, netting_key)
    SELECT account_id, 'EUR_USD', 'SHORT', 7, 1.1, 'new' FROM accounts WHERE account_name = 'alpha'";
const GROW: &str = "UPDATE positions SET total_size = total_size + 5 WHERE netting_key = 'old'";

#[rstest]
#[case::move_then_open(MOVE, OPEN)]
#[case::open_then_move(OPEN, MOVE)]
#[case::move_then_grow(MOVE, GROW)]
#[case::grow_then_move(GROW, MOVE)]
#[tokio::test]
async fn a_position_written_while_its_account_changes_portfolio_is_counted_in_the_new_one(
    #[case] first: &str,
    #[case] second: &str,
) {
    let desk = desk_of_three().await;
    let old = position(ALPHA).of_instrument("USD_JPY").long(10).at(155);
    old.set("netting_key", "text", "old").insert(&desk.admin).await;
    let (one, two) = (owner(&desk).await, owner(&desk).await);
    begin(&one).await;
    one.batch_execute(first).await.unwrap();
    let (written, waited) = tokio::join!(two.batch_execute(second), desk.commit_when_awaited(&one));
    written.unwrap();
    assert!(waited, "the second did not wait");
    assert_eq!(difference(&desk).await, "-");
}

#[tokio::test]
async fn a_trade_moved_into_the_partition_of_its_month_is_counted_once() {
    let desk = desk_of_three().await;
    let future = "2031-03-15 12:00+00";
    trade(ALPHA).buy(1000).set("entry_time", "timestamptz", future).insert(&desk.admin).await;
    desk.run(&format!("SELECT create_trade_partition('{future}')")).await;
    assert_eq!(desk.text("SELECT count(*) FROM trades_y2031m03").await, "1");
    assert_eq!(difference(&desk).await, "-");
}

#[tokio::test]
async fn a_position_cannot_change_its_account_or_instrument() {
    let desk = desk_of_three().await;
    buy(1000).place(&desk.trader().await).await.accepted();
    for change in [format!("account_id = '{BRAVO}'"), "instrument = 'USD_JPY'".to_owned()] {
        let sql = format!("UPDATE positions SET {change}");
        assert_eq!(sqlstate(&owner(&desk).await, &sql).await, "TR010");
    }
    assert_eq!(difference(&desk).await, "-");
}
