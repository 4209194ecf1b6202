//! Stored figures compared with the fills, and repaired.

use crate::desk::{ALPHA, BRAVO, Desk, begin, sqlstate};
use crate::rows::{position, trade};
use crate::verbs::{Verb as _, buy, close, order, sell};

const DIFFERENCES: &str = "SELECT string_agg(concat_ws(' ', kind, field, stored, '->', rebuilt), '; ' ORDER BY kind, field) FROM desk.reconcile()";

/// A desk with an open and a closed position, a partly closed trade and a flip.
async fn traded() -> Desk {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(30_000).place(&trader).await.accepted();
    buy(10_000).place(&trader).await.accepted();
    close(desk.position().await).size(35_000).at("1.101").send(&trader).await.accepted();
    buy(1000).on(BRAVO).place(&trader).await.accepted();
    sell(3000).on(BRAVO).place(&trader).await.accepted();
    desk
}

#[tokio::test]
async fn a_changed_figure_is_found_and_an_admin_repairs_it() {
    let desk = traded().await;
    let (officer, admin) = (desk.officer("officer").await, desk.member("admin", "tmt_admin").await);
    assert_eq!(desk.text(DIFFERENCES).await, "-");
    desk.run_without_triggers(
        "UPDATE accounts SET current_balance = current_balance + 250 WHERE account_name = 'alpha';
         UPDATE positions SET total_size = 6000, realized_pnl = 0 WHERE status = 'open' AND position_type = 'LONG';
         UPDATE trades SET status = 'open', gross_pnl = 1, exit_price = 1.2 WHERE status = 'partial'",
    )
    .await;
    // The running totals are still 5,000, like the fills and unlike the position.
    let found = "account current_balance 100285 -> 100035; account_total EUR_USD net 5000 -> 6000; account_total EUR_USD risk 25 -> 30; \
                 position realized_pnl 0 -> 35; position total_size 6000 -> 5000; \
                 trade exit_price 1.2 -> 1.101; trade gross_pnl 1 -> 5; trade status open -> partial";
    assert_eq!(desk.text(DIFFERENCES).await, found);

    let repair = "SELECT * FROM desk.reconcile(NULL, true)";
    assert_eq!(sqlstate(&officer, repair).await, "42501");
    officer.batch_execute("SELECT * FROM desk.reconcile()").await.unwrap();
    assert_eq!(desk.text(DIFFERENCES).await, found);
    let repaired = admin.query(repair, &[]).await.unwrap();

    assert_eq!(repaired.len(), 8);
    assert_eq!(desk.text(DIFFERENCES).await, "-");
    assert!(admin.query(repair, &[]).await.unwrap().is_empty());
    crate::running_totals::check(&desk).await;
    let sums = "SELECT concat_ws(' ', current_balance, equity = current_balance + (SELECT sum(unrealized_pnl) FROM positions p
        WHERE p.account_id = a.account_id AND p.status = 'open')) FROM accounts a WHERE account_name = 'alpha'";
    assert_eq!(desk.text(sums).await, "100035.00 t");
    // The old figures are in the audit.
    let kept = "SELECT jsonb_array_length(payload -> 'differences') || ' ' || actor FROM tmt.audit_log WHERE verb = 'reconcile'";
    assert!(desk.text(kept).await.starts_with("8 test_"));
    assert_eq!(desk.text("SELECT count(*) FROM desk.audit_verify()").await, "0");
}

#[tokio::test]
async fn an_account_can_be_repaired_alone() {
    let desk = traded().await;
    desk.run("UPDATE accounts SET current_balance = 5").await;
    let mine = "SELECT string_agg(field, ' ') FROM desk.reconcile($1, true)";
    assert_eq!(desk.text_of(mine, &[&BRAVO.0]).await, "current_balance");
    assert_eq!(desk.text(DIFFERENCES).await, "account current_balance 5 -> 100035");
}

#[tokio::test]
async fn rows_from_before_the_rulebook_are_left_alone() {
    let desk = Desk::open().await;
    desk.set("stop_required", "false").await;
    // An account with a position, trades and a balance from before.
    desk.run(
        "UPDATE accounts SET current_balance = 91500, equity = 91500 WHERE account_name = 'alpha'",
    )
    .await;
    let held = || position(ALPHA).ago("opened_at", "90 days");
    let traded = || trade(ALPHA).buy(30).at("1.05").ago("entry_time", "90 days");
    for row in [
        held().long(30).at("1.05").marked("1.0999", "1.50").set("realized_pnl", "numeric", 77),
        held().of_instrument("USD_JPY").long(10).at(150).marked(155, "0.32"),
        traded(),
        traded().status("closed").set("gross_pnl", "numeric", 10).set("net_pnl", "numeric", 999),
    ] {
        row.insert(&desk.admin).await;
    }
    assert_eq!(desk.text(DIFFERENCES).await, "-");

    // The rulebook adds to it and reduces it; the position is still that of the other program.
    buy(10).bare().place(&desk.admin).await.accepted();
    let position = desk.position_in("EUR_USD").await;
    close(position).size(35).at("1.1").send(&desk.admin).await.accepted();
    // Reduced and then increased by the same size: by its fills alone it is flat.
    let other = desk.position_in("USD_JPY").await;
    close(other).size(5).at(155).send(&desk.admin).await.accepted();
    let again = order("USD_JPY").buy(5).at(155);
    again.place(&desk.admin).await.accepted();
    assert_eq!(desk.text(DIFFERENCES).await, "-");
    desk.run(
        "UPDATE accounts SET current_balance = current_balance - 0.01 WHERE account_name = 'alpha'",
    )
    .await;
    assert_eq!(desk.text(DIFFERENCES).await, "account current_balance 91501.46 -> 91501.47");
}

/// As after a restore, which fires no trigger.
#[tokio::test]
async fn wrong_running_totals_are_found_and_rebuilt() {
    let desk = traded().await;
    let admin = desk.member("admin", "tmt_admin").await;
    desk.run_without_triggers(
        "UPDATE tmt.account_totals SET net = 7 WHERE net > 0;
         DELETE FROM tmt.account_totals WHERE net < 0;
         UPDATE tmt.portfolio_totals SET gross = 1;
         UPDATE tmt.trade_totals SET size = 9 WHERE size > 0;
         DELETE FROM tmt.trade_totals WHERE size < 0",
    )
    .await;
    let kinds = "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM desk.reconcile()";
    assert_eq!(desk.text(kinds).await, "account_total portfolio_total");

    admin.query("SELECT * FROM desk.reconcile(NULL, true)", &[]).await.unwrap();

    assert_eq!(desk.text(DIFFERENCES).await, "-");
    crate::running_totals::check(&desk).await;
}

/// A position is not in the running totals yet, and another is written while they are rebuilt.
#[tokio::test]
async fn a_repair_includes_what_it_waited_for() {
    let desk = Desk::open().await;
    let admin = desk.member("admin", "tmt_admin").await;
    let yen = |key: &str| {
        position(ALPHA).of_instrument("USD_JPY").at(155).set("netting_key", "text", key)
    };
    desk.run("SET session_replication_role = replica").await;
    yen("restored").long(10).insert(&desk.admin).await;
    desk.run("SET session_replication_role = DEFAULT").await;
    let program = desk.database.client().await;
    begin(&program).await;
    yen("new").long(7).insert(&program).await;

    let repair = admin.batch_execute("SELECT * FROM desk.reconcile(NULL, true)");
    let (repaired, waited) = tokio::join!(repair, desk.commit_when_awaited(&program));

    repaired.unwrap();
    assert!(waited);
    crate::running_totals::check(&desk).await;
    assert_eq!(desk.text("SELECT net FROM tmt.account_totals").await, "17.00");
}
