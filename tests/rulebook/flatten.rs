//! Flattening an account, or the scope of a halt.

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::desk::{ALPHA, BRAVO, Desk};
use crate::verbs::{Halt, Order, Verb as _, buy, flatten, halt, order, sell};

const LIVE: &str = "SELECT coalesce(string_agg(account_name || ' ' || instrument, ', ' ORDER BY account_name, instrument), 'none')
    FROM positions JOIN accounts USING (account_id) WHERE positions.status = 'open'";

fn jpy() -> Order {
    order("USD_JPY").sell(1000).at(155).stop(156)
}

fn items<'a>(detail: &'a Value, name: &str) -> &'a Vec<Value> {
    detail.get(name).unwrap().as_array().unwrap()
}

#[tokio::test]
async fn flatten_closes_every_position_and_names_those_without_a_price() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    flatten(ALPHA).send(&trader).await.refused("NOTHING_TO_FLATTEN");
    buy(10_000).place(&trader).await.accepted();
    jpy().place(&trader).await.accepted();
    desk.run("DELETE FROM fx_rates WHERE to_currency = 'JPY'").await;

    let part = flatten(ALPHA).because("enough").send(&trader).await.accepted();

    assert_eq!(part.code.as_deref(), Some("PARTLY_FLATTENED"));
    assert_eq!(part.message, "alpha: 1 position closed, 1 still open (USD_JPY), -1.00 USD.");
    let (closed, kept) = (items(&part.detail, "closed"), items(&part.detail, "kept"));
    assert_eq!((closed.len(), kept.len()), (1, 1));
    let first = closed.first().unwrap();
    for (field, value) in [
        ("instrument", "EUR_USD"),
        ("size", "10000.00"),
        ("price", "1.0999"),
        ("gross_pnl", "-1.00"),
    ] {
        assert_eq!(first.get(field).unwrap(), value, "{field}");
    }
    assert_eq!(kept.first().unwrap().get("code").unwrap(), "PRICE_UNKNOWN");
    assert_eq!(desk.text(LIVE).await, "alpha USD_JPY");
    flatten(ALPHA).send(&trader).await.refused("PRICE_UNKNOWN");

    // No halt, status or stale price prevents it.
    desk.quote().await;
    desk.run("UPDATE fx_rates SET as_of = now() - interval '1 day'; UPDATE accounts SET status = 'risk_halt'").await;
    let rest = flatten(ALPHA).send(&trader).await.accepted();
    assert_eq!((rest.code, desk.text(LIVE).await.as_str()), (None, "none"));
    assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0");
    let reasons =
        "SELECT string_agg(DISTINCT close_reason, ', ' ORDER BY close_reason) FROM trades";
    assert_eq!(desk.text(reasons).await, "enough, flatten");
    flatten(Uuid::new_v4()).send(&trader).await.refused("ACCOUNT_UNKNOWN");
}

#[tokio::test]
async fn a_risk_officer_flattens_a_closed_account() {
    let desk = Desk::open().await;
    let (trader, officer) = (desk.trader().await, desk.officer("officer").await);
    buy(10_000).place(&trader).await.accepted();
    desk.run("UPDATE accounts SET status = 'closed'").await;
    flatten(ALPHA).send(&trader).await.refused("ACCOUNT_CLOSED");
    flatten(ALPHA).send(&officer).await.accepted();
}

#[tokio::test]
async fn a_flattening_halt_closes_the_positions_in_its_scope() {
    for (scope, identifier, left) in [
        ("account", Some(ALPHA.to_string()), "bravo EUR_USD"),
        ("instrument", Some("EURUSD".to_owned()), "alpha USD_JPY"),
        ("portfolio", Some("majors".to_owned()), "none"),
        ("system", None, "none"),
    ] {
        let desk = Desk::open().await;
        let (trader, officer) = (desk.trader().await, desk.officer("officer").await);
        for order in [buy(10_000), jpy(), buy(20_000).on(BRAVO)] {
            order.place(&trader).await.accepted();
        }

        let halt_all = || {
            let halt = halt(scope, "flatten").because("stop now");
            identifier.iter().fold(halt, Halt::of)
        };
        let halted = halt_all().send(&officer).await.accepted();

        assert_eq!(desk.text(LIVE).await, left, "{scope}");
        assert!(items(&halted.detail, "kept").is_empty(), "{halted:?}");
        assert!(halted.message.ends_with(" closed."), "{}", halted.message);
        let halts = "SELECT mode || ' ' || scope FROM trading_halts";
        assert_eq!(desk.text(halts).await, format!("flatten {scope}"));
        buy(1000).place(&trader).await.refused("TRADING_HALT");
        halt_all().send(&officer).await.refused("ALREADY_HALTED");
        assert_eq!(desk.text("SELECT count(*) FROM desk.reconcile()").await, "0", "{scope}");
    }
}

#[tokio::test]
async fn a_repeated_flattening_halt_closes_what_it_kept() {
    let desk = Desk::open().await;
    let (trader, officer) = (desk.trader().await, desk.officer("officer").await);
    jpy().place(&trader).await.accepted();
    desk.run("DELETE FROM fx_rates WHERE to_currency = 'JPY'").await;
    let flatten_all = || halt("system", "flatten").because("stop now");
    let first = flatten_all().send(&officer).await.accepted();
    assert_eq!(first.code.as_deref(), Some("PARTLY_FLATTENED"));
    desk.quote().await;
    let second = flatten_all().send(&officer).await.accepted();
    assert_eq!(second.subject, first.subject);
    assert_eq!(desk.text(LIVE).await, "none");
    assert_eq!(desk.text("SELECT count(*) FROM trading_halts").await, "1");
}

#[tokio::test]
async fn flattening_during_trading_leaves_no_position_half_booked() {
    let desk = Desk::open().await;
    let officer = desk.officer("officer").await;
    let login = desk.database.login("trader", "tmt_trader").await;
    desk.set("duplicate_window_seconds", "0").await;
    let clients = join_all((0..6).map(|_| desk.database.client_as(&login))).await;
    let trade = join_all(clients.iter().enumerate().map(|(n, client)| async move {
        for round in 0..6 {
            let order = if (n + round) % 2 == 0 { buy(1000) } else { sell(1000) };
            order.on(if n % 2 == 0 { ALPHA } else { BRAVO }).place(client).await;
        }
    }));
    let stop = async {
        for _ in 0..6 {
            flatten(ALPHA).send(&officer).await;
            flatten(BRAVO).send(&officer).await;
        }
        halt("system", "flatten").because("stop now").send(&officer).await.accepted();
    };

    tokio::join!(trade, stop);

    assert_eq!(desk.text(LIVE).await, "none");
    assert_eq!(desk.text("SELECT count(*) FROM trades WHERE status <> 'closed'").await, "0");
    let wrong = "SELECT string_agg(concat_ws(' ', kind, field, stored, rebuilt), '; ') FROM desk.reconcile()";
    assert_eq!(desk.text(wrong).await, "-");
}
