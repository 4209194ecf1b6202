//! Halts and statuses of accounts: what they stop, where, and what they never stop.

use rust_decimal::dec;

use crate::book::{ALPHA, BRAVO, Book, Order, assess, buy, in_the_way, place, sell, verb};

#[tokio::test]
async fn halts_and_statuses_stop_opening_in_their_scope_and_nowhere_else() {
    let book = Book::open().await;
    let trader = book.trader().await;
    let officer = book.officer("officer").await;
    place(&trader, &buy(dec!(10000))).await.accepted();
    let eur = || buy(dec!(1000));
    let yen = || Order {
        instrument: "USD_JPY".to_owned(),
        price: dec!(155),
        stop: Some(dec!(154)),
        target: None,
        ..buy(dec!(1000))
    };
    let bravo = || Order { account: BRAVO.to_owned(), ..eur() };
    for (arguments, stopped) in [
        (format!("'account', '{ALPHA}', 'reduce_only', 'x'"), [true, true, false]),
        ("'instrument', 'EURUSD', 'no_new_orders', 'x'".to_owned(), [true, false, true]),
        ("'portfolio', 'majors', 'reduce_only', 'x'".to_owned(), [true, true, true]),
        ("'system', NULL, 'reduce_only', NULL".to_owned(), [true, true, true]),
    ] {
        let halt = verb(&officer, "halt", &arguments).await.accepted().subject.unwrap();
        for (order, is_stopped) in [eur(), yen(), bravo()].iter().zip(stopped) {
            let lines = assess(&trader, order).await;
            let expected: &[&str] = if is_stopped { &["TRADING_HALT"] } else { &[] };
            assert_eq!(in_the_way(&lines), expected, "{arguments}: {order:?}");
        }
        // Less risk is always allowed; more than that is not less.
        assert_eq!(in_the_way(&assess(&trader, &sell(dec!(10000))).await), [""; 0], "{arguments}");
        assert_eq!(
            in_the_way(&assess(&trader, &sell(dec!(11000))).await),
            ["TRADING_HALT"],
            "{arguments}"
        );
        verb(&officer, "resume", &format!("'{halt}', 'over'")).await.accepted();
    }
    for (status, code) in [("risk_halt", "ACCOUNT_RISK_HALT"), ("suspended", "ACCOUNT_SUSPENDED")] {
        book.run(&format!("UPDATE accounts SET status = '{status}'")).await;
        assert_eq!(in_the_way(&assess(&trader, &eur()).await), [code]);
        assert_eq!(in_the_way(&assess(&trader, &sell(dec!(10000))).await), [""; 0]);
    }
    book.run("UPDATE accounts SET status = 'closed'").await;
    assert_eq!(in_the_way(&assess(&trader, &sell(dec!(10000))).await), ["ACCOUNT_CLOSED"]);
}
