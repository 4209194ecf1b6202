//! What is stored against what the fills say.

use rust_decimal::dec;
use tokio_postgres::error::SqlState;

use crate::book::{ALPHA, BRAVO, Book, Order, buy, close, place, sell, sqlstate};

const DIFFERENCES: &str = "SELECT string_agg(concat_ws(' ', kind, field, stored, '->', rebuilt), '; ' ORDER BY kind, field) FROM desk.reconcile()";

/// A book with an open and a closed position, a partly closed trade and a flip.
async fn traded() -> Book {
    let book = Book::open().await;
    let trader = book.trader().await;
    place(&trader, &buy(dec!(30000))).await.accepted();
    place(&trader, &buy(dec!(10000))).await.accepted();
    close(&trader, book.position().await, Some(dec!(35000)), Some(dec!(1.101))).await.accepted();
    place(&trader, &Order { account: BRAVO.to_owned(), ..buy(dec!(1000)) }).await.accepted();
    place(&trader, &Order { account: BRAVO.to_owned(), ..sell(dec!(3000)) }).await.accepted();
    book
}

#[tokio::test]
async fn a_figure_that_somebody_changed_is_found_and_an_administrator_can_put_it_right() {
    let book = traded().await;
    let (officer, admin) = (book.officer("officer").await, book.member("admin", "tmt_admin").await);
    assert_eq!(book.text(DIFFERENCES).await, "-");
    book.run(&format!(
        "SET session_replication_role = replica;
         UPDATE accounts SET current_balance = current_balance + 250 WHERE account_id = '{ALPHA}';
         UPDATE positions SET total_size = 6000, realized_pnl = 0 WHERE status = 'open' AND account_id = '{ALPHA}';
         UPDATE trades SET status = 'open', gross_pnl = 1, exit_price = 1.2 WHERE status = 'partial';
         SET session_replication_role = DEFAULT"
    ))
    .await;
    // The books still say 5,000, which is what the fills say, and not what the position says.
    let found = "account current_balance 100285 -> 100035; account_total EUR_USD net 5000 -> 6000; account_total EUR_USD risk 25 -> 30; \
                 position realized_pnl 0 -> 35; position total_size 6000 -> 5000; \
                 trade exit_price 1.2 -> 1.101; trade gross_pnl 1 -> 5; trade status open -> partial";
    assert_eq!(book.text(DIFFERENCES).await, found);

    let repair = "SELECT * FROM desk.reconcile(NULL, true)";
    assert_eq!(sqlstate(&officer, repair).await, SqlState::INSUFFICIENT_PRIVILEGE);
    officer.batch_execute("SELECT * FROM desk.reconcile()").await.unwrap();
    assert_eq!(book.text(DIFFERENCES).await, found);
    let repaired = admin.query(repair, &[]).await.unwrap();

    assert_eq!(repaired.len(), 8);
    assert_eq!(book.text(DIFFERENCES).await, "-");
    assert!(admin.query(repair, &[]).await.unwrap().is_empty());
    crate::sums::check(&book).await;
    let sums = "SELECT concat_ws(' ', current_balance, equity = current_balance + (SELECT sum(unrealized_pnl) FROM positions p
        WHERE p.account_id = a.account_id AND p.status = 'open')) FROM accounts a WHERE account_name = 'alpha'";
    assert_eq!(book.text(sums).await, "100035.00 t");
    // What was there is in the audit.
    let kept = "SELECT jsonb_array_length(payload -> 'differences') || ' ' || actor FROM tmt.audit_log WHERE verb = 'reconcile'";
    assert!(book.text(kept).await.starts_with("8 test_"));
    assert_eq!(book.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn one_account_is_repaired_alone() {
    let book = traded().await;
    book.run("UPDATE accounts SET current_balance = 5").await;
    let mine = format!("SELECT string_agg(field, ' ') FROM desk.reconcile('{BRAVO}', true)");
    assert_eq!(book.text(&mine).await, "current_balance");
    assert_eq!(book.text(DIFFERENCES).await, "account current_balance 5 -> 100035");
}

#[tokio::test]
async fn what_came_from_before_the_desk_is_left_alone() {
    let book = Book::open().await;
    book.set("stop_required", "false").await;
    // An account in the middle of its life, with a position, trades and a balance of its own.
    book.run(&format!(
        "UPDATE accounts SET current_balance = 91500, equity = 91500 WHERE account_id = '{ALPHA}';
         INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, current_price, unrealized_pnl,
                                realized_pnl, opened_at)
         VALUES ('{ALPHA}', 'EUR_USD', 'LONG', 30, 1.05, 1.0999, 1.50, 77, now() - interval '90 days'),
                ('{ALPHA}', 'USD_JPY', 'LONG', 10, 150, 155, 0.32, 0, now() - interval '90 days');
         INSERT INTO trades (account_id, instrument, trade_type, position_size, entry_price, risk_amount, risk_percentage, entry_time,
                             status, gross_pnl, net_pnl)
         VALUES ('{ALPHA}', 'EUR_USD', 'BUY', 30, 1.05, 1, 0.01, now() - interval '90 days', 'open', NULL, NULL),
                ('{ALPHA}', 'EUR_USD', 'BUY', 30, 1.05, 1, 0.01, now() - interval '90 days', 'closed', 10, 999)"
    ))
    .await;
    assert_eq!(book.text(DIFFERENCES).await, "-");

    // Added to by the desk, and reduced: the position is still another's, the trade is the desk's own.
    place(&book.admin, &Order { stop: None, target: None, ..buy(dec!(10)) }).await.accepted();
    let sql = "SELECT position_id FROM positions WHERE instrument = 'EUR_USD'";
    let position = book.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();
    close(&book.admin, position, Some(dec!(35)), Some(dec!(1.1))).await.accepted();
    // Reduced first and then added to by the same size: by its fills alone it holds nothing.
    let sql = "SELECT position_id FROM positions WHERE instrument = 'USD_JPY'";
    let other = book.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();
    close(&book.admin, other, Some(dec!(5)), Some(dec!(155))).await.accepted();
    let again = Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: None,
        target: None,
        ..buy(dec!(5))
    };
    place(&book.admin, &again).await.accepted();
    assert_eq!(book.text(DIFFERENCES).await, "-");
    book.run(
        "UPDATE accounts SET current_balance = current_balance - 0.01 WHERE account_name = 'alpha'",
    )
    .await;
    assert_eq!(book.text(DIFFERENCES).await, "account current_balance 91501.46 -> 91501.47");
}

/// What a restore does that fires no trigger.
#[tokio::test]
async fn books_that_were_left_behind_are_found_and_written_anew() {
    let book = traded().await;
    let admin = book.member("admin", "tmt_admin").await;
    book.run(
        "SET session_replication_role = replica;
         UPDATE tmt.account_totals SET net = 7 WHERE net > 0;
         DELETE FROM tmt.account_totals WHERE net < 0;
         UPDATE tmt.portfolio_totals SET gross = 1;
         UPDATE tmt.trade_totals SET size = 9 WHERE size > 0;
         DELETE FROM tmt.trade_totals WHERE size < 0;
         SET session_replication_role = DEFAULT",
    )
    .await;
    let kinds = "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM desk.reconcile()";
    assert_eq!(book.text(kinds).await, "account_total portfolio_total");

    admin.query("SELECT * FROM desk.reconcile(NULL, true)", &[]).await.unwrap();

    assert_eq!(book.text(DIFFERENCES).await, "-");
    crate::sums::check(&book).await;
}

/// A position that is in no book yet, and grows while the books are rebuilt.
#[tokio::test]
async fn a_rebuild_counts_what_it_waited_for() {
    let book = Book::open().await;
    let admin = book.member("admin", "tmt_admin").await;
    let position = |key: &str, size: u32| {
        format!(
            "INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price, netting_key)
             VALUES ('{ALPHA}', 'USD_JPY', 'LONG', {size}, 155, '{key}')"
        )
    };
    book.run(&format!(
        "SET session_replication_role = replica; {}; SET session_replication_role = DEFAULT",
        position("restored", 10)
    ))
    .await;
    let program = book.database.client().await;
    program.batch_execute(&format!("BEGIN; {}", position("new", 7))).await.unwrap();

    let repair = admin.batch_execute("SELECT * FROM desk.reconcile(NULL, true)");
    let (repaired, ()) = tokio::join!(repair, book.commit_when_awaited(&program));

    repaired.unwrap();
    crate::sums::check(&book).await;
    assert_eq!(book.text("SELECT net FROM tmt.account_totals").await, "17.00");
}
