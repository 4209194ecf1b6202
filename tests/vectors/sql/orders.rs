//! Orders before they are booked, and reducing orders.

use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use super::scene::{Fill, Scene, as_written, bare, side};
use crate::comparing::OTHER_SIDE;
use crate::desk::ALPHA;
use crate::reading::{Fields, Judged, Vector, currencies, decimal, rounded};
use crate::verbs::{Verb, close, limit};

/// Faults of stop and target.
const LEVELS: [&str; 3] = ["STOP_DISTANCE_ZERO", "STOP_WRONG_SIDE", "TARGET_WRONG_SIDE"];

/// VAL-01 to VAL-05: the first check that refuses the order.
pub(super) async fn validation(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let order_side = side(input.get("trade_type").and_then(Value::as_str).unwrap_or("BUY"));
    let mut instrument = "EUR_USD".to_owned();
    if let Some(name) = input.get("instrument").and_then(Value::as_str) {
        let (base, quote) = currencies(name)?;
        instrument = scene.instrument(base, quote, Decimal::ONE).await?;
    }
    let size = input.number_if_any("position_size")?.unwrap_or(dec!(1000));
    let price = input.number_if_any("entry_price")?.unwrap_or(dec!(1.1));
    let mut order = bare(&instrument, order_side, size, price);
    if let Some(stop) = input.number_if_any("stop_loss")? {
        order = order.stop(stop);
    }
    if let Some(target) = input.number_if_any("take_profit")? {
        order = order.target(target);
    }
    let lines = scene.lines(&order, None).await?;
    let first = lines.iter().find(|line| line["severity"] == "reject");
    Ok(json!({ "error": first.map(|line| &line["code"]) }))
}

/// RSK-01 to RSK-04.
pub(super) async fn trade_risk(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (fx, base) = (as_written(input, "fx_quote_to_account"), input.number("risk_base")?);
    scene.account(ALPHA, "USD", base).await?;
    let contract = input.number_if_any("contract_size")?.unwrap_or(Decimal::ONE);
    // An instrument in a currency with this rate.
    let worth = input.number_or("fx_quote_to_account", Decimal::ONE)?;
    let quote = if worth == Decimal::ONE { "USD" } else { "QQQ" };
    if quote == "QQQ" {
        scene.worth(quote, "USD", worth).await?;
    }
    let instrument = scene.instrument("XXX", quote, contract).await?;
    let percent = input.number("max_risk_per_trade_fraction")? * Decimal::ONE_HUNDRED;
    scene.limit(limit("max_risk_per_trade", percent, "percentage").of(ALPHA)).await?;
    let (side, size) = (side(input.word("side")?), input.number("position_size")?);
    let (price, stop) = (input.number("entry_price")?, input.number("stop_loss")?);
    scene.rate("XXX", quote, price).await?;
    let lines = scene.lines(&bare(&instrument, side, size, price).stop(stop), None).await?;
    let line = lines.iter().find(|line| line["code"] == "MAX_RISK_PER_TRADE");
    if line.is_none() && !lines.iter().any(|line| LEVELS.iter().any(|code| line["code"] == *code)) {
        return Err("no line MAX_RISK_PER_TRADE".to_owned());
    }
    let direction = if side == "BUY" { 1_i32 } else { -1 };
    let share =
        "SELECT round(desk.risk_amount($1, $2, $3, $4, $5, $6::text::numeric) / $7::numeric, 10)";
    let share =
        scene.value(share, &[&direction, &size, &price, &stop, &contract, &fx, &base]).await?;
    let fill = Fill::new(&instrument, side, size, price);
    scene.book(&Fill { fx, stop: Some(stop), ..fill }).await?;
    Ok(json!({
        "risk_amount": scene.value("SELECT t.risk_amount FROM trades t", &[]).await?,
        "risk_percentage_exact": share,
        "risk_percentage_stored": scene.value("SELECT t.risk_percentage FROM trades t", &[]).await?,
        // A stop on the wrong side gives no risk to check.
        "breach": line.is_some_and(|line| line["severity"] == "reject"),
    }))
}

/// RR-01 to RR-04: a limit measures the ratio after costs, which are set for the account.
pub(super) async fn reward_to_risk(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let size = input.number_or("size", Decimal::ONE)?;
    let order = bare("EUR_USD", side(input.word("side")?), size, input.number("entry_price")?)
        .stop(input.number("stop_loss")?)
        .target(input.number("take_profit")?);
    let per_side = input.number_or("round_trip_cost", Decimal::ZERO)? / Decimal::TWO / size;
    let sql = "UPDATE accounts SET metadata = metadata || $1::text::jsonb WHERE account_id = $2";
    let commission = json!({ "commission": { "per_unit": per_side.to_string() } });
    scene.execute(sql, &[&commission.to_string(), &ALPHA.0]).await?;
    scene.limit(limit("min_risk_reward", 1, "ratio").of(ALPHA)).await?;
    let lines = scene.lines(&order, None).await?;
    let line = |code: &str| lines.iter().find(|line| line["code"] == code);
    if let Some(fault) = LEVELS.iter().find_map(|code| line(code)) {
        // Invalid levels have no ratio.
        return Ok(
            json!({"rr_exact": null, "rr_stored": null, "meets_1_0": false, "error": fault["code"]}),
        );
    }
    let fault = line("RR_OUT_OF_RANGE");
    let after_costs = line("MIN_RISK_REWARD").ok_or("no line MIN_RISK_REWARD")?;
    // It has eight decimals. One that ends exactly between two of six decimals was rounded before.
    let exact = decimal(&after_costs["measured"])?;
    let is_between = exact * dec!(1_000_000) % Decimal::ONE == dec!(0.5);
    Ok(json!({
        "rr_exact": if is_between { json!(OTHER_SIDE) } else { rounded(Some(exact), 6) },
        "rr_stored": scene.kept("signals", "risk_reward_ratio", exact).await?,
        "meets_1_0": after_costs["severity"] != "reject",
        "error": fault.map(|line| &line["code"]),
    }))
}

/// LIM-06.
pub(super) async fn collar(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let percent = input.number("collar")? * Decimal::ONE_HUNDRED;
    scene.set("price_collar_percent", percent).await?;
    scene.rate("EUR", "USD", input.number("reference")?).await?;
    let mut results = Vec::new();
    for price in input.numbers("prices")? {
        let line = scene.line(&bare("EUR_USD", "BUY", dec!(1000), price), "PRICE_COLLAR").await?;
        results.push(if line["severity"] == "reject" {
            json!("PRICE_COLLAR")
        } else {
            json!("ok")
        });
    }
    Ok(json!({ "results": results }))
}

/// LIM-04.
pub(super) async fn rate(scene: &Scene, vector: &Vector) -> Judged {
    let most = vector.input.number("limit")?;
    scene.limit(limit("max_orders_per_minute", most, "count").of(ALPHA)).await?;
    let mut results = Vec::new();
    for second in vector.input.numbers("seconds")? {
        let order =
            Fill { seconds: Some(second), ..Fill::new("EUR_USD", "BUY", dec!(1000), dec!(1.1)) };
        let line = scene.line_of(&order, "MAX_ORDERS_PER_MINUTE").await?;
        let passes = line["severity"] != "reject";
        if passes {
            scene.book(&order).await?;
        }
        results.push(passes);
    }
    Ok(json!({ "accepted": results }))
}

/// LIM-05.
pub(super) async fn duplicates(scene: &Scene, vector: &Vector) -> Judged {
    let window = vector.input.number("window_s")?;
    scene.set("duplicate_window_seconds", window).await?;
    let mut results = Vec::new();
    let mut owners: Vec<String> = Vec::new();
    for row in vector.input.list("orders")? {
        let parts: Vec<&str> = row.word("k")?.split('|').collect();
        let [owner, instrument, order_side, size, price] = parts[..] else {
            return Err(format!("the order {row}"));
        };
        if !owners.iter().any(|known| known == owner) {
            owners.push(owner.to_owned());
        }
        let number = |text: &str| text.parse::<Decimal>().map_err(|error| error.to_string());
        let (base, quote) = currencies(instrument)?;
        let instrument = scene.instrument(base, quote, Decimal::ONE).await?;
        let account = owners.iter().position(|known| known == owner).unwrap_or_default();
        let order = Fill {
            account: scene.accounts(2.max(account + 1)).await?.swap_remove(account),
            seconds: Some(row.number("t")?),
            ..Fill::new(&instrument, side(order_side), number(size)?, number(price)?)
        };
        let is_twin = scene.line_of(&order, "DUPLICATE_ORDER").await?["severity"] == "confirm";
        if !is_twin {
            scene.book(&order).await?;
        }
        results.push(if is_twin { "duplicate" } else { "ok" });
    }
    Ok(json!({ "results": results }))
}

/// The answer to a trader, who may do less than others; what he did is undone.
async fn tried(scene: &Scene, verb: &impl Verb) -> Judged {
    scene.run("SAVEPOINT one").await?;
    scene.become_one("trader", "tmt_trader").await?;
    let answer = scene.reply(verb).await?;
    scene.run("ROLLBACK TO one").await?;
    Ok(answer)
}

/// LIM-03: an order on the side of the position is placed, one on the other side closes. So is one that
/// closes more than there is, on an account without a halt.
pub(super) async fn reduce_only(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let held = input.at("position")?;
    scene.hold(ALPHA, "EUR_USD", held.word("side")?, held.number("size")?, dec!(1.1)).await?;
    // A close is booked at once, so a pending one of the vector is booked.
    let pending = input.number_or("pending_close", Decimal::ZERO)?;
    if !pending.is_zero() {
        let opposite = if side(held.word("side")?) == "BUY" { "SELL" } else { "BUY" };
        let fill = Fill::new("EUR_USD", opposite, pending, dec!(1.1));
        scene.book(&Fill { seconds: Some(Decimal::ZERO), ..fill }).await?;
    }
    let sql = "UPDATE accounts SET status = $1 WHERE account_id = $2";
    scene.execute(sql, &[&input.word("status")?, &ALPHA.0]).await?;
    let position = "SELECT position_id FROM positions LIMIT 1";
    let position = scene.text(position, &[]).await?.unwrap_or_default();
    let mut results = Vec::new();
    for row in input.list("orders")? {
        let (order_side, size) = (side(row.word("side")?), row.number("size")?);
        let price = if order_side == "BUY" { "1.1001" } else { "1.0999" };
        let is_flip = input.word("status")? == "active" && size > held.number("size")? - pending;
        let answer = if is_flip || order_side == side(held.word("side")?) {
            tried(scene, &bare("EUR_USD", order_side, size, dec!(1.1))).await?
        } else {
            tried(scene, &close(&position).size(size).at(price)).await?
        };
        let passes = answer["outcome"] == "accepted";
        results.push(json!({
            "ok": passes,
            "error": if passes { Value::Null } else { answer["code"].clone() },
            "closable": answer["allowed"],
        }));
    }
    Ok(json!({ "results": results }))
}
