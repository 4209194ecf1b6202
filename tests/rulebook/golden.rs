//! The golden vectors, as far as SQL computes them. The same file is the judge of the Rust.

use std::str::FromStr;

use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::book::{ALPHA, Book, Order, Verdict, assess, buy, close, find, literal, place, text};

/// The vectors of a group.
fn vectors(group: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../golden-vectors.json")).unwrap();
    let all = file.get("vectors").unwrap().as_array().unwrap().clone();
    let chosen: Vec<Value> = all.into_iter().filter(|v| v.get("group").unwrap() == group).collect();
    assert!(!chosen.is_empty(), "{group}");
    chosen
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or_else(|| panic!("{path} in {value}"))
}

fn word<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_else(|| panic!("{path} in {value}"))
}

fn number(value: &Value, path: &str) -> Decimal {
    Decimal::from_str(word(value, path)).unwrap()
}

fn number_if_any(value: &Value, path: &str) -> Option<Decimal> {
    value.pointer(path).and_then(Value::as_str).map(|text| Decimal::from_str(text).unwrap())
}

/// A desk on which any price and any size is good, for vectors that are about the arithmetic.
async fn permissive() -> Book {
    let book = Book::open().await;
    for (key, value) in [
        ("stop_required", "false"),
        ("price_collar_percent", "1000000"),
        ("duplicate_window_seconds", "0"),
        ("max_risk_fraction", "1000"),
    ] {
        book.set(key, value).await;
    }
    book.run(
        "UPDATE instruments SET size_step = 0.01, min_size = 0.01, margin_rate = 0, tick_size = 0.00001;
         UPDATE accounts SET max_daily_loss = 1, max_total_drawdown = 0.5",
    )
    .await;
    book
}

#[tokio::test]
async fn netting() {
    for vector in vectors("netting") {
        let id = word(&vector, "/id");
        // NET-09 keeps eight decimals, NET-10 and NET-11 are tests of their own.
        if matches!(id, "NET-09" | "NET-10" | "NET-11") {
            continue;
        }
        let book = permissive().await;
        let fills = at(&vector, "/input/fills").as_array().unwrap();
        let steps = at(&vector, "/expected/steps").as_array().unwrap();
        let mut realized = Decimal::ZERO;
        for (fill, step) in fills.iter().zip(steps) {
            let side = if word(fill, "/side") == "BUY" { "BUY" } else { "SELL" };
            let order = Order {
                side,
                price: number(fill, "/price"),
                stop: None,
                target: None,
                ..buy(number(fill, "/size"))
            };
            book.rate("EUR", "USD", order.price).await;

            let verdict = place(&book.admin, &order).await.accepted();

            let gross = number_if_any(&verdict.detail, "/gross_pnl").unwrap_or_default();
            realized += gross;
            assert_eq!(gross, number(step, "/fill_gross_pnl"), "{id}");
            assert_eq!(realized, number(step, "/realized_gross_cum"), "{id}");
            let size = |name: &str| number_if_any(&verdict.detail, name).unwrap_or_default();
            assert_eq!(size("/closed_size"), number(step, "/closed_size"), "{id}");
            assert_eq!(size("/opened_size"), number(step, "/opened_size"), "{id}");
            assert_eq!(
                verdict.code.as_deref() == Some("FLIPPED"),
                at(step, "/flipped").as_bool().unwrap(),
                "{id}"
            );
            let live = "SELECT concat_ws(' ', position_type, total_size, average_entry_price, trim_scale(round(cost / total_size, 10)))
                FROM positions WHERE status = 'open'";
            let expected = match word(step, "/position_type") {
                "FLAT" => "-".to_owned(),
                kind => format!(
                    "{kind} {} {} {}",
                    word(step, "/total_size"),
                    word(step, "/average_entry_stored"),
                    word(step, "/average_entry_exact")
                ),
            };
            let found =
                text(&book.admin, &format!("SELECT max(line) FROM ({live}) l (line)")).await;
            assert_eq!(found, expected, "{id}");
        }
        let booked = "SELECT trim_scale(current_balance - initial_balance) FROM accounts WHERE account_name = 'alpha'";
        assert_eq!(Decimal::from_str(&book.text(booked).await).unwrap(), realized, "{id}");
    }
}

#[tokio::test]
async fn profit_is_taken_from_the_exact_cost() {
    // The end of NET-03: by the stored average of 1.10002 there would be none.
    let book = permissive().await;
    for price in [dec!(1.10001), dec!(1.10002), dec!(1.10002)] {
        place(&book.admin, &Order { price, stop: None, target: None, ..buy(dec!(100000)) })
            .await
            .accepted();
    }
    let position = book.position().await;

    let third =
        close(&book.admin, position, Some(dec!(100000)), Some(dec!(1.10002))).await.accepted();
    let rest = close(&book.admin, position, None, Some(dec!(1.10002))).await.accepted();

    let gross = |verdict: &Verdict| number(&verdict.detail, "/gross_pnl");
    assert_eq!((gross(&third), gross(&rest)), (dec!(0.33), dec!(0.67)));
}

#[tokio::test]
async fn unrealized_profit_in_the_currency_of_the_account() {
    for vector in vectors("fx_pnl") {
        let id = word(&vector, "/id");
        if matches!(id, "FX-08" | "FX-09") {
            continue; // marks at bid and ask, and no rate at all: tests of their own
        }
        let book = permissive().await;
        let (quoted, account) =
            (word(&vector, "/input/quote_currency"), word(&vector, "/input/account_currency"));
        let conversion = at(&vector, "/input/conversion/0");
        // An instrument that no rate of the vector is about, but whose quote currency it has.
        book.run(&format!(
            "DELETE FROM fx_rates;
             UPDATE accounts SET base_currency = '{account}';
             INSERT INTO instruments (instrument, base_currency, quote_currency, contract_size, size_step, tick_size, pip_size, margin_rate)
             VALUES ('XXX_{quoted}', 'XXX', '{quoted}', {}, 1, 0.00001, 0.0001, 0)",
            number(&vector, "/input/contract_size")
        ))
        .await;
        let rate = number(conversion, "/rate");
        // Multiplied as it stands, or divided by: stored the way round that the market quotes it.
        if word(conversion, "/op") == "*" {
            book.rate(quoted, account, rate).await;
        } else {
            book.rate(account, quoted, rate).await;
        }
        book.rate("XXX", quoted, number(&vector, "/input/entry_price")).await;
        let side = if word(&vector, "/input/side") == "LONG" { "BUY" } else { "SELL" };
        let order = Order {
            instrument: format!("XXX_{quoted}"),
            side,
            price: number(&vector, "/input/entry_price"),
            stop: None,
            target: None,
            ..buy(number(&vector, "/input/size"))
        };
        place(&book.admin, &order).await.accepted();
        book.rate("XXX", quoted, number(&vector, "/input/mark_price")).await;

        book.run("SELECT desk.mark_to_market()").await;

        assert_eq!(
            book.text("SELECT unrealized_pnl FROM positions").await,
            word(&vector, "/expected/pnl_account"),
            "{id}"
        );
        let converted =
            format!("SELECT trim_scale(round(desk.convert('{quoted}', '{account}'), 12))");
        assert_eq!(
            book.text(&converted).await,
            word(&vector, "/expected/fx_quote_to_account"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn without_a_conversion_path_there_is_no_number() {
    let book = Book::open().await;
    // FX-09.
    assert_eq!(book.text("SELECT desk.convert('TRY', 'USD')").await, "-");
    assert_eq!(book.text("SELECT trim_scale(desk.convert('EUR', 'JPY'))").await, "170.5");
    assert_eq!(book.text("SELECT desk.convert(' usd ', 'USD')").await, "1");
}

#[tokio::test]
async fn validation() {
    let book = Book::open().await;
    book.run("UPDATE instruments SET size_step = 0.01, min_size = 0.01").await;
    for vector in vectors("validation") {
        let input = |name: &str| number_if_any(&vector, &format!("/input/{name}"));
        let price = input("entry_price").unwrap_or(dec!(1.1));
        let order = Order {
            size: input("position_size").unwrap_or(dec!(1000)),
            price,
            stop: input("stop_loss").or(Some(dec!(1.095))),
            target: input("take_profit"),
            ..buy(dec!(1))
        };

        let lines = assess(&book.admin, &order).await;

        let first = lines.iter().find(|l| l.severity == "reject").unwrap();
        assert_eq!(first.code, word(&vector, "/expected/error"), "{}", word(&vector, "/id"));
    }
}

#[tokio::test]
async fn risk_of_a_trade() {
    for vector in vectors("risk") {
        let (id, book) = (word(&vector, "/id"), permissive().await);
        let input = |name: &str| number(&vector, &format!("/input/{name}"));
        let side = if word(&vector, "/input/side") == "BUY" { "BUY" } else { "SELL" };
        book.run(&format!("UPDATE accounts SET equity = {}", input("risk_base"))).await;
        let percent = input("max_risk_per_trade_fraction") * dec!(100);
        let limit = format!("'{ALPHA}', 'max_risk_per_trade', 'account', {percent}, 'percentage'");
        book.limit("account_id, limit_type, limit_scope, limit_value, limit_unit", &limit).await;
        let fx = text(
            &book.admin,
            &format!("SELECT trim_scale({}::numeric)", word(&vector, "/input/fx_quote_to_account")),
        )
        .await;
        let risk = format!(
            "SELECT desk.risk_amount({}, {}, {}, {}, 1, {fx})",
            if side == "BUY" { 1 } else { -1 },
            input("position_size"),
            input("entry_price"),
            input("stop_loss")
        );
        assert_eq!(
            book.text(&format!("SELECT round(({risk}), 2)")).await,
            word(&vector, "/expected/risk_amount"),
            "{id}"
        );
        let base = input("risk_base");
        let exact = format!("SELECT trim_scale(round(({risk}) / {base}, 10))");
        assert_eq!(
            book.text(&exact).await,
            word(&vector, "/expected/risk_percentage_exact"),
            "{id}"
        );
        if fx != "1" {
            continue; // the rest is about an account in the quote currency
        }
        let order = Order {
            side,
            price: input("entry_price"),
            stop: Some(input("stop_loss")),
            target: None,
            ..buy(input("position_size"))
        };
        let line = find(&assess(&book.admin, &order).await, "MAX_RISK_PER_TRADE").clone();
        assert_eq!(
            line.severity == "reject",
            at(&vector, "/expected/breach").as_bool().unwrap(),
            "{id}"
        );
        place(&book.admin, &order).await.accepted();
        assert_eq!(
            book.text("SELECT risk_percentage FROM trades").await,
            word(&vector, "/expected/risk_percentage_stored"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn reward_over_risk() {
    let book = permissive().await;
    for vector in vectors("rr") {
        let input = |name: &str| number(&vector, &format!("/input/{name}"));
        let side = if word(&vector, "/input/side") == "BUY" { "BUY" } else { "SELL" };
        let order = Order {
            side,
            price: input("entry_price"),
            stop: Some(input("stop_loss")),
            target: Some(input("take_profit")),
            ..buy(dec!(1))
        };
        let code =
            vector.pointer("/expected/error").and_then(Value::as_str).unwrap_or("RISK_REWARD");
        let line = find(&assess(&book.admin, &order).await, code).clone();
        assert_eq!(
            line.measured,
            Some(number(&vector, "/expected/rr_exact")),
            "{}",
            word(&vector, "/id")
        );
    }
}

#[tokio::test]
async fn exposure_of_a_book() {
    for vector in vectors("exposure") {
        let id = word(&vector, "/id");
        if id != "EXP-01" {
            continue; // the others are in `assessing`, or computed per tick in Rust
        }
        let book = permissive().await;
        for position in at(&vector, "/input/positions").as_array().unwrap() {
            let instrument = word(position, "/instrument");
            book.run(&format!(
                "INSERT INTO instruments (instrument, base_currency, quote_currency, tick_size, pip_size)
                 VALUES ('{instrument}', left('{instrument}', 3), right('{instrument}', 3), 0.00001, 0.0001) ON CONFLICT DO NOTHING;
                 INSERT INTO positions (account_id, instrument, position_type, total_size, average_entry_price)
                 VALUES ('{ALPHA}', '{instrument}', '{}', {}, {})",
                word(position, "/side"),
                number(position, "/size"),
                number(position, "/price")
            ))
            .await;
        }
        book.rate("EUR", "GBP", dec!(0.85)).await;
        book.rate("GBP", "USD", dec!(1.27)).await;
        let sql = format!(
            "SELECT round(t.gross, 2) FROM desk.book_totals(
                 desk.draft_order('{ALPHA}', NULL, NULL, NULL, NULL, NULL, NULL, NULL), false) t"
        );
        assert_eq!(book.text(&sql).await, word(&vector, "/expected/gross"), "{id}");
    }
}

#[tokio::test]
async fn trading_days() {
    let book = Book::open().await;
    let day = |zone: &str, reset: &str, when: &str| {
        format!("SELECT desk.stamp(starts) || ' ' || extract(epoch FROM ends - starts)::int / 3600
                   FROM desk.trading_day('{{\"tz\": \"{zone}\", \"reset_time\": \"{reset}\"}}', '{when}')")
    };
    for vector in vectors("drawdown") {
        let (zone, reset) = (vector.pointer("/input/timezone"), vector.pointer("/input/reset"));
        let (Some(zone), Some(reset)) =
            (zone.and_then(Value::as_str), reset.and_then(Value::as_str))
        else {
            continue;
        };
        // Whatever zone the session is in, the day is the account's.
        book.run("SET timezone = 'Pacific/Kiritimati'").await;
        if let Some(days) = vector.pointer("/expected/days").and_then(Value::as_object) {
            for (_, expected) in days {
                let start = word(expected, "/start_utc");
                let hours = at(expected, "/hours").as_i64().unwrap();
                let found = book.text(&day(zone, reset, start)).await;
                assert_eq!(found, format!("{}.000000Z {hours}", start.trim_end_matches('Z')));
                let last =
                    format!("{start}'::timestamptz + interval '{hours} hours' - interval '1 s");
                assert_eq!(book.text(&day(zone, reset, &last)).await, found);
            }
        }
        if let Some(rolls) = vector.pointer("/expected/roll_utc").and_then(Value::as_object) {
            for roll in rolls.values() {
                let start = roll.as_str().unwrap();
                let found = book.text(&day(zone, reset, start)).await;
                assert!(found.starts_with(start.trim_end_matches('Z')), "{found}");
            }
        }
    }
    // What nobody can read is a day of UTC.
    for (zone, reset) in [("Nowhere/Land", "00:00"), ("UTC", "soon"), ("UTC", "99999999:00")] {
        assert_eq!(
            book.text(&day(zone, reset, "2025-06-04 10:00+00")).await,
            "2025-06-04T00:00:00.000000Z 24"
        );
    }
}

#[tokio::test]
async fn the_account_column_of_the_daily_loss() {
    let book = Book::open().await;
    let vector = vectors("drawdown").into_iter().find(|v| word(v, "/id") == "DD-12").unwrap();
    for case in at(&vector, "/expected/interpretation").as_array().unwrap() {
        let sql = format!(
            "SELECT round(desk.daily_loss_amount({}, {}), 2)",
            word(case, "/value"),
            number(&vector, "/input/initial")
        );
        assert_eq!(book.text(&sql).await, word(case, "/amount"));
    }
    assert_eq!(book.text("SELECT desk.daily_loss_amount(0, 1)").await, "-");
}

#[tokio::test]
async fn rounding_is_half_away_from_zero() {
    let book = Book::open().await;
    for vector in vectors("rounding") {
        let (Some(values), Some(rounded)) =
            (vector.pointer("/input/values"), vector.pointer("/expected/postgres"))
        else {
            continue;
        };
        let places = at(&vector, "/input/dp");
        for (value, expected) in values.as_array().unwrap().iter().zip(rounded.as_array().unwrap())
        {
            let sql = format!("SELECT round({}, {places})", value.as_str().unwrap());
            assert_eq!(book.text(&sql).await, expected.as_str().unwrap());
        }
    }
    assert_eq!(literal::<Decimal>(None), "NULL");
}
