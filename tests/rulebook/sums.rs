//! The books that limits read are the sums over live positions and trades, whoever writes them.

use futures_util::future::join_all;
use rust_decimal::{Decimal, dec};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::book::{ALPHA, BRAVO, Book, buy, call, place, sell, sqlstate, text};
use crate::dice::Dice;

/// A third account, which keeps a position per ticket.
const CHARLIE: &str = "a0000000-0000-7000-8000-000000000003";

/// What differs between the books and the positions, from the positions themselves.
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

/// Checks that the books are the sums.
pub(crate) async fn check(book: &Book) {
    assert_eq!(difference(book).await, "-");
}

async fn difference(book: &Book) -> String {
    // 5.0 and 5.00 are one number and two texts.
    let same_scale = DIFFERENCE
        .replace(" AS net", "::numeric(30,5) AS net")
        .replace(" AS gross", "::numeric(30,5) AS gross")
        .replace(" AS risk", "::numeric(30,5) AS risk")
        .replace("b.gross, b.net, b.positions, b.unbounded, b.risk FROM", "b.gross::numeric(30,5), b.net::numeric(30,5), b.positions, b.unbounded, b.risk::numeric(30,5) FROM")
        .replace("b.instrument, b.net, b.positions, b.unbounded, b.risk FROM", "b.instrument, b.net::numeric(30,5), b.positions, b.unbounded, b.risk::numeric(30,5) FROM");
    book.text(&same_scale).await
}

async fn desk_of_three() -> Book {
    let book = Book::open().await;
    for age in ["price_max_age_seconds", "conversion_max_age_seconds"] {
        book.set(age, "86400").await;
    }
    book.run(&format!(
        "INSERT INTO accounts SELECT (jsonb_populate_record(a, jsonb_build_object('account_id', '{CHARLIE}', 'account_name', 'charlie',
             'metadata', '{{\"position_mode\": \"hedging\"}}'::jsonb))).* FROM accounts a WHERE account_id = '{ALPHA}';
         UPDATE accounts SET initial_balance = 1e7, current_balance = 1e7, equity = 1e7, available_balance = 1e7;
         UPDATE tmt.settings SET value = 'false' WHERE key = 'stop_required'"
    ))
    .await;
    book
}

/// Who writes: a person by the desk, the owner of the tables, and a program that the backstop judges.
struct Writers {
    trader: Client,
    other: Client,
    program: Client,
}

/// One of the first `kinds` things that they may do to positions and trades.
async fn step(writers: &Writers, dice: &mut Dice, kinds: usize) {
    let Writers { trader, other, program } = writers;
    let account = [ALPHA, BRAVO, CHARLIE].get(dice.below(3)).copied().unwrap();
    let live = "SELECT position_id FROM positions WHERE status = 'open' ORDER BY random() LIMIT 1";
    let some = text(trader, live).await;
    let head = format!("'{}', '\\x01', now() + interval '1 minute'", Uuid::new_v4());
    let which = dice.below(kinds);
    let sql = match which {
        0..=3 => {
            let size = Decimal::from(500 * (1 + dice.below(40)));
            let mut order = if dice.below(2) == 0 { buy(size) } else { sell(size) };
            account.clone_into(&mut order.account);
            order.reason = Some("more or less");
            if dice.below(3) == 0 {
                order.stop = None;
            }
            place(trader, &order).await;
            return;
        }
        _ if some == "-" => return,
        4 | 5 => {
            let size = if dice.below(2) == 0 { "NULL" } else { "500" };
            call(trader, &format!("desk.close_position({head}, '{some}', {size}, NULL, NULL)")).await;
            return;
        }
        6 => {
            // A longer way to the stop is a reason to be asked for one.
            let stop = if dice.below(2) == 0 { "1.08" } else { "1.12" };
            call(trader, &format!("desk.amend_position({head}, '{some}', {stop}, NULL, NULL, 'moved')")).await;
            return;
        }
        7 => format!(
            "UPDATE accounts SET metadata = metadata || '{{\"portfolio\": \"p{}\"}}' WHERE account_id = '{account}'",
            dice.below(3)
        ),
        8 => format!("UPDATE accounts SET metadata = metadata - 'portfolio' WHERE account_id = '{account}'"),
        9 => format!(
            "UPDATE positions SET total_size = total_size + {}, stop_loss = CASE WHEN random() < 0.5 THEN 1.09 END,
                 position_type = CASE WHEN random() < 0.5 THEN 'LONG' ELSE 'SHORT' END WHERE position_id = '{some}'",
            dice.below(5) * 100
        ),
        10 => format!(
            "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, netting_key, stop_loss)
             VALUES ('{account}', 'USD_JPY', 'SHORT', {}, 155, gen_random_uuid()::text, 156.5)",
            1 + dice.below(9)
        ),
        11 => {
            let sql = "UPDATE positions SET status = 'closed', closed_at = now() WHERE position_id = '{some}'";
            let sql = if dice.below(2) == 0 { sql } else { "DELETE FROM positions p WHERE position_id = '{some}'
                AND NOT EXISTS (SELECT FROM trade_fills f WHERE f.position_id = p.position_id)" };
            sql.replace("{some}", &some)
        }
        number => past_the_desk(number, account, dice),
    };
    let writer = if which < 12 || dice.below(2) == 0 { other } else { program };
    if let Err(error) = writer.batch_execute(&sql).await {
        // A position that the desk books on in the same moment cannot be deleted. And an insert holds the
        // key of an account that another session locks whole, to move it to another portfolio.
        let expected = [SqlState::FOREIGN_KEY_VIOLATION, SqlState::T_R_DEADLOCK_DETECTED];
        assert!(error.code().is_some_and(|code| expected.contains(code)), "{sql}: {error:?}");
    }
}

/// What another program does to trades that the desk knows nothing of.
fn past_the_desk(number: usize, account: &str, dice: &mut Dice) -> String {
    match number {
        12 => format!(
            "INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time, status)
             VALUES ('{account}', 'USD_JPY', 'SELL', {}, 155, 5, 0.001, now(), 'open')",
            1 + dice.below(9)
        ),
        13 => "UPDATE trades SET closed_size = position_size / 3, status = CASE WHEN random() < 0.5 THEN 'partial' ELSE 'cancelled' END
                WHERE trade_id = (SELECT trade_id FROM trades WHERE position_id IS NULL ORDER BY random() LIMIT 1)".to_owned(),
        // Several rows of several accounts: at the same time as others that would be a deadlock.
        _ => format!(
            "UPDATE trades SET account_id = '{account}', trade_type = 'BUY' WHERE position_id IS NULL AND random() < 0.5;
             DELETE FROM trades WHERE position_id IS NULL AND random() < 0.3"
        ),
    }
}

async fn owner(book: &Book) -> Client {
    let client = book.database.client().await;
    client.batch_execute("SET ROLE tmt_owner; SET lock_timeout = '20s'").await.unwrap();
    client
}

#[tokio::test]
async fn the_books_are_the_sums_after_whatever_happens() {
    let book = desk_of_three().await;
    let writers = Writers {
        trader: book.trader().await,
        other: owner(&book).await,
        program: book.database.client().await,
    };
    let given = std::env::var("TMT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    let mut dice = Dice::new(seed);
    for number in 0..250 {
        step(&writers, &mut dice, 15).await;
        assert_eq!(difference(&book).await, "-", "TMT_SEED={seed}, step {number}");
    }
    for kind in ["LONG", "SHORT"] {
        let sql = format!(
            "SELECT count(*) > 0 FROM positions WHERE status = 'closed' AND position_type = '{kind}'"
        );
        assert_eq!(book.text(&sql).await, "true");
    }
}

#[tokio::test]
async fn the_books_are_the_sums_whoever_writes_at_the_same_time() {
    let book = desk_of_three().await;
    let login = book.database.login("trader", "tmt_trader").await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(Writers {
            trader: book.database.client_as(&login).await,
            other: owner(&book).await,
            program: book.database.client().await,
        });
    }
    let seed = Uuid::new_v4().as_u64_pair().0;
    join_all(all.iter().enumerate().map(|(n, writers)| async move {
        let mut dice = Dice::new(seed.wrapping_add(u64::try_from(n).unwrap()));
        for _ in 0..40 {
            step(writers, &mut dice, 14).await;
        }
    }))
    .await;
    assert_eq!(difference(&book).await, "-", "TMT_SEED={seed}");
}

/// A position that another program opens while its account changes the portfolio.
#[tokio::test]
async fn an_account_takes_along_what_is_written_while_it_moves() {
    for (first, second) in [(MOVE, OPEN), (OPEN, MOVE), (MOVE, GROW), (GROW, MOVE)] {
        let book = desk_of_three().await;
        book.run(&format!(
            "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, netting_key)
             VALUES ('{ALPHA}', 'USD_JPY', 'LONG', 10, 155, 'old')"
        ))
        .await;
        let (one, two) = (owner(&book).await, owner(&book).await);
        one.batch_execute(&format!("BEGIN; {first}")).await.unwrap();
        let waits = two.batch_execute(second);
        let (waited, ()) = tokio::join!(waits, book.commit_when_awaited(&one));
        waited.unwrap();
        assert_eq!(difference(&book).await, "-", "{first}, meanwhile {second}");
    }
}

const MOVE: &str =
    "UPDATE accounts SET metadata = '{\"portfolio\": \"elsewhere\"}' WHERE account_name = 'alpha'";
const OPEN: &str = "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, netting_key)
    SELECT account_id, 'EUR_USD', 'SHORT', 7, 1.1, 'new' FROM accounts WHERE account_name = 'alpha'";
const GROW: &str = "UPDATE positions SET total_size = total_size + 5 WHERE netting_key = 'old'";

#[tokio::test]
async fn a_trade_that_comes_into_its_month_is_counted_once() {
    let book = desk_of_three().await;
    book.run(&format!(
        "INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time, status)
         VALUES ('{ALPHA}', 'EUR_USD', 'BUY', 1000, 1.1, 5, 0.001, '2031-03-15 12:00+00', 'open');
         SELECT create_trade_partition('2031-03-15 12:00+00')"
    ))
    .await;
    assert_eq!(book.text("SELECT count(*) FROM trades_y2031m03").await, "1");
    assert_eq!(difference(&book).await, "-");
}

#[tokio::test]
async fn a_position_stays_in_its_account_and_its_instrument() {
    let book = desk_of_three().await;
    place(&book.trader().await, &buy(dec!(1000))).await.accepted();
    for change in [format!("account_id = '{BRAVO}'"), "instrument = 'USD_JPY'".to_owned()] {
        let sql = format!("UPDATE positions SET {change}");
        assert_eq!(sqlstate(&owner(&book).await, &sql).await.code(), "TR010");
    }
    assert_eq!(difference(&book).await, "-");
}
