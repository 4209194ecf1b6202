//! Performance, swap and losses beyond the balance.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::booking::book;
use super::scene::Scene;
use crate::desk::ALPHA;
use crate::reading::{Fields, Judged, Vector};

/// Opens and closes a trade with a P&L: one unit of money for each unit of size.
async fn win_or_lose(scene: &Scene, instrument: &str, net: Decimal) -> Result<(), String> {
    let (size, sold) = match net {
        net if net.is_zero() => (Decimal::ONE, "2"),
        net if net.is_sign_negative() => (net.abs(), "1"),
        net => (net, "3"),
    };
    for (side, price) in [("BUY", "2"), ("SELL", sold)] {
        let fill = json!({"side": side, "size": size.to_string(), "price": price});
        book(scene, instrument, &fill, None).await?;
    }
    Ok(())
}

/// ACC-02: a loss beyond the balance is booked and ends trading.
pub(super) async fn gap_loss(scene: &Scene, vector: &Vector) -> Judged {
    let net = vector.input.number("close_net")?;
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    scene.account(ALPHA, "USD", vector.input.number("balance")?).await?;
    win_or_lose(scene, &instrument, net).await?;
    let of = async |what: &str| {
        let sql = format!("SELECT a.{what} FROM accounts a WHERE a.account_id = $1");
        scene.value(&sql, &[&ALPHA.0]).await
    };
    Ok(json!({
        "balance_after": of("current_balance").await?,
        "relaxed_check": "accepted",
        "status_after": of("status").await?,
    }))
}

/// SWP-01.
pub(super) async fn swap_nights(scene: &Scene, vector: &Vector) -> Judged {
    const WEEK: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let input = &vector.input;
    let day = |word: &str| {
        WEEK.iter()
            .position(|day| *day == word)
            .and_then(|at| i32::try_from(at + 1).ok())
            .ok_or_else(|| format!("the day {word}"))
    };
    let triple = match input.get("triple_day") {
        None | Some(Value::Null) => None,
        Some(_) => Some(day(input.word("triple_day")?)?),
    };
    let mut count = 0;
    for night in input.list("nights")? {
        let night = day(night.as_str().unwrap_or_default())?;
        // The first of September 2025 was a Monday.
        let sql =
            "SELECT desk.swap_nights(DATE '2025-08-31' + $1::int, DATE '2025-09-01' + $1::int, $2)";
        let charged = scene.number(sql, &[&night, &triple]).await?;
        count += i32::try_from(charged).map_err(|error| error.to_string())?;
    }
    let (size, swap) = (input.number("size")?, input.number("swap_per_lot_per_night")?);
    let (lot, fee) = (input.number("lot")?, "desk.swap_fee($1, $2, $3, $4)");
    let fee = scene.kept_of("trade_fills", "swap_fee", fee, &[&size, &swap, &lot, &count]).await?;
    Ok(json!({
        "nights_charged": count,
        "swap_fee": fee,
    }))
}

/// ACC-03: of trades with the P&L of the vector.
pub(super) async fn performance(scene: &Scene, vector: &Vector) -> Judged {
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    for net in vector.input.numbers("net_pnls")? {
        win_or_lose(scene, &instrument, net).await?;
    }
    let of = async |figure: &str, places: i32| {
        let sql = format!(
            "SELECT round(p.{figure}, $2) FROM desk.performance($1, '-infinity', 'infinity') p"
        );
        scene.value(&sql, &[&ALPHA.0, &places]).await
    };
    Ok(json!({
        "win_rate": of("win_rate", 4).await?,
        "profit_factor": of("profit_factor", 2).await?,
        "average_win": of("average_win", 2).await?,
        "average_loss": of("average_loss", 2).await?,
        "expectancy": of("expectancy", 2).await?,
    }))
}
