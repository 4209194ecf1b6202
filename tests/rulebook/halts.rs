//! Halts and statuses of accounts: what they stop, where, and what they allow.

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::verbs::{
    Verb as _, buy, halt, halt_account, halt_instrument, halt_portfolio, order, resume, sell,
};

#[tokio::test]
async fn halts_and_account_statuses_stop_opening_in_their_scope_only() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    let officer = desk.officer("officer").await;
    buy(10_000).place(&trader).await.accepted();
    let eur = || buy(1000);
    let yen = || order("USD_JPY").buy(1000).at(155).stop(154);
    let bravo = || eur().on(BRAVO);
    for (halt, stopped) in [
        (halt_account(ALPHA, "reduce_only").because("x"), [true, true, false]),
        (halt_instrument("EURUSD", "no_new_orders").because("x"), [true, false, true]),
        (halt_portfolio("majors", "reduce_only").because("x"), [true, true, true]),
        (halt("system", "reduce_only"), [true, true, true]),
    ] {
        let halted = halt.send(&officer).await.accepted().subject();
        for (order, is_stopped) in [eur(), yen(), bravo()].iter().zip(stopped) {
            let lines = order.assess(&trader).await;
            let expected: &[&str] = if is_stopped { &["TRADING_HALT"] } else { &[] };
            assert_eq!(lines.objections(), expected, "{halt:?}: {order:?}");
        }
        // Reducing is always allowed; a flip is not reducing.
        assert_eq!(sell(10_000).assess(&trader).await.objections(), [""; 0], "{halt:?}");
        let flip = sell(11_000).assess(&trader).await;
        assert_eq!(flip.objections(), ["TRADING_HALT"], "{halt:?}");
        resume(halted).because("over").send(&officer).await.accepted();
    }
    for (status, code) in [("risk_halt", "ACCOUNT_RISK_HALT"), ("suspended", "ACCOUNT_SUSPENDED")] {
        desk.execute("UPDATE accounts SET status = $1", &[&status]).await;
        assert_eq!(eur().assess(&trader).await.objections(), [code]);
        assert_eq!(sell(10_000).assess(&trader).await.objections(), [""; 0]);
    }
    desk.run("UPDATE accounts SET status = 'closed'").await;
    assert_eq!(sell(10_000).assess(&trader).await.objections(), ["ACCOUNT_CLOSED"]);
}
