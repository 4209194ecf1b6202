//! An order before it is booked, and one that only reduces.

use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use super::scene::{Scene, as_written, bare, side};
use crate::book::{ALPHA, Order, buy};
use crate::comparing::OTHER_SIDE;
use crate::reading::{Fields, Judged, Vector, currencies, decimal, rounded};

/// What is wrong with stop and target, wherever they are.
const LEVELS: [&str; 3] = ["STOP_DISTANCE_ZERO", "STOP_WRONG_SIDE", "TARGET_WRONG_SIDE"];

/// VAL-01 to VAL-05: the first line that stands in the way.
pub(super) async fn validation(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let order_side = side(input.get("trade_type").and_then(Value::as_str).unwrap_or("BUY"));
    let mut order = bare("EUR_USD", order_side, dec!(1000), dec!(1.1));
    if let Some(name) = input.get("instrument").and_then(Value::as_str) {
        let (base, quote) = currencies(name)?;
        order.instrument = scene.instrument(base, quote, Decimal::ONE).await?;
    }
    if let Some(price) = input.number_if_any("entry_price")? {
        order.price = price;
    }
    if let Some(size) = input.number_if_any("position_size")? {
        order.size = size;
    }
    order.stop = input.number_if_any("stop_loss")?;
    order.target = input.number_if_any("take_profit")?;
    let lines = scene.lines(&order, None, "").await?;
    let first = lines.iter().find(|line| line["severity"] == "reject");
    Ok(json!({ "error": first.map(|line| &line["code"]) }))
}

/// RSK-01 to RSK-04.
pub(super) async fn trade_risk(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (fx, base) = (as_written(input, "fx_quote_to_account"), input.number("risk_base")?);
    scene.account(ALPHA, "USD", base).await?;
    let contract = input.number_if_any("contract_size")?.unwrap_or(Decimal::ONE);
    // An instrument in a currency that is worth so much.
    let worth = input.number_or("fx_quote_to_account", Decimal::ONE)?;
    let quote = if worth == Decimal::ONE { "USD" } else { "QQQ" };
    if quote == "QQQ" {
        scene.worth(quote, "USD", worth).await?;
    }
    let instrument = scene.instrument("XXX", quote, contract).await?;
    let percent = input.number("max_risk_per_trade_fraction")? * Decimal::ONE_HUNDRED;
    scene
        .run(&format!(
            "INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by)
             VALUES ('{ALPHA}', 'max_risk_per_trade', 'account', {percent}, 'percentage', 'seed')"
        ))
        .await?;
    let order = Order {
        stop: Some(input.number("stop_loss")?),
        ..bare(
            &instrument,
            side(input.word("side")?),
            input.number("position_size")?,
            input.number("entry_price")?,
        )
    };
    scene.rate("XXX", quote, order.price).await?;
    let lines = scene.lines(&order, None, "").await?;
    let line = lines.iter().find(|line| line["code"] == "MAX_RISK_PER_TRADE");
    if line.is_none() && !lines.iter().any(|line| LEVELS.iter().any(|code| line["code"] == *code)) {
        return Err("no line MAX_RISK_PER_TRADE".to_owned());
    }
    let direction = if order.side == "BUY" { 1 } else { -1 };
    let risk = format!(
        "SELECT desk.risk_amount({direction}, {}, {}, {}, {contract}, {fx})",
        order.size,
        order.price,
        input.number("stop_loss")?
    );
    scene.own(&format!(
            "SELECT desk.book_fill(gen_random_uuid(), '{ALPHA}', '{instrument}', '{}', {}, {}, {fx}, 0, 0, {}, NULL, NULL, NULL,
                                   clock_timestamp())",
            order.side,
            order.size,
            order.price,
            input.number("stop_loss")?
        ))
        .await?;
    Ok(json!({
        "risk_amount": scene.value("SELECT t.risk_amount FROM trades t").await?,
        "risk_percentage_exact": scene.value(&format!("SELECT round(({risk}) / {base}, 10)")).await?,
        "risk_percentage_stored": scene.value("SELECT t.risk_percentage FROM trades t").await?,
        // Of a stop that is none there is no risk to judge.
        "breach": line.is_some_and(|line| line["severity"] == "reject"),
    }))
}

/// RR-01 to RR-04: a limit judges the ratio after costs, which an account pays by its own rule.
pub(super) async fn reward_to_risk(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let size = input.number_or("size", Decimal::ONE)?;
    let order = Order {
        stop: Some(input.number("stop_loss")?),
        target: Some(input.number("take_profit")?),
        ..bare("EUR_USD", side(input.word("side")?), size, input.number("entry_price")?)
    };
    let per_side = input.number_or("round_trip_cost", Decimal::ZERO)? / Decimal::TWO / size;
    scene
        .run(&format!(
            "UPDATE accounts SET metadata = metadata || '{{\"commission\": {{\"per_unit\": \"{per_side}\"}}}}'
              WHERE account_id = '{ALPHA}';
             INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by)
             VALUES ('{ALPHA}', 'min_risk_reward', 'account', 1, 'ratio', 'seed')"
        ))
        .await?;
    let lines = scene.lines(&order, None, "").await?;
    let line = |code: &str| lines.iter().find(|line| line["code"] == code);
    if let Some(fault) = LEVELS.iter().find_map(|code| line(code)) {
        // Between levels that are no levels there is no ratio.
        return Ok(
            json!({"rr_exact": null, "rr_stored": null, "meets_1_0": false, "error": fault["code"]}),
        );
    }
    let fault = line("RR_OUT_OF_RANGE");
    let after_costs = line("MIN_RISK_REWARD").ok_or("no line MIN_RISK_REWARD")?;
    // To eight decimals. Where they end in the middle of the six, they have been rounded to it.
    let exact = decimal(&after_costs["measured"])?;
    let is_between = exact * dec!(1_000_000) % Decimal::ONE == dec!(0.5);
    Ok(json!({
        "rr_exact": if is_between { json!(OTHER_SIDE) } else { rounded(Some(exact), 6) },
        "rr_stored": scene.kept("signals", "risk_reward_ratio", &format!("SELECT {exact}")).await?,
        "meets_1_0": after_costs["severity"] != "reject",
        "error": fault.map(|line| &line["code"]),
    }))
}

/// LIM-06.
pub(super) async fn collar(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let percent = input.number("collar")? * Decimal::ONE_HUNDRED;
    scene
        .run(&format!(
            "UPDATE tmt.settings SET value = '{percent}' WHERE key = 'price_collar_percent'"
        ))
        .await?;
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

/// Books an order as if it had been accepted `seconds` after the transaction began.
async fn accepted(scene: &Scene, order: &Order, at: &str) -> Result<(), String> {
    scene.own(&format!(
            "SELECT desk.book_fill(gen_random_uuid(), '{}', '{}', '{}', {}, {}, 1, 0, 0, NULL, NULL, NULL, NULL, {at})",
            order.account, order.instrument, order.side, order.size, order.price
        ))
        .await
}

/// The moment that is `seconds` after the transaction began: exactly, as no clock would have it.
fn moment(seconds: Decimal) -> String {
    format!("(now() + interval '{seconds} seconds')")
}

/// LIM-04.
pub(super) async fn rate(scene: &Scene, vector: &Vector) -> Judged {
    let most = vector.input.number("limit")?;
    scene
        .run(&format!(
            "INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by)
             VALUES ('{ALPHA}', 'max_orders_per_minute', 'account', {most}, 'count', 'seed')"
        ))
        .await?;
    let mut results = Vec::new();
    for second in vector.input.numbers("seconds")? {
        let order = bare("EUR_USD", "BUY", dec!(1000), dec!(1.1));
        let at = moment(second);
        let lines = scene.lines(&order, Some(&at), "MAX_ORDERS_PER_MINUTE").await?;
        let line = lines.first().ok_or("no line MAX_ORDERS_PER_MINUTE")?;
        let passes = line["severity"] != "reject";
        if passes {
            accepted(scene, &order, &at).await?;
        }
        results.push(passes);
    }
    Ok(json!({ "accepted": results }))
}

/// LIM-05.
pub(super) async fn duplicates(scene: &Scene, vector: &Vector) -> Judged {
    let window = vector.input.number("window_s")?;
    scene
        .run(&format!(
            "UPDATE tmt.settings SET value = '{window}' WHERE key = 'duplicate_window_seconds'"
        ))
        .await?;
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
        let mut order = bare(&instrument, side(order_side), number(size)?, number(price)?);
        let account = owners.iter().position(|known| known == owner).unwrap_or_default();
        order.account = scene.accounts(2.max(account + 1)).await?.swap_remove(account);
        let at = moment(row.number("t")?);
        let lines = scene.lines(&order, Some(&at), "DUPLICATE_ORDER").await?;
        let line = lines.first().ok_or("no line DUPLICATE_ORDER")?;
        let is_twin = line["severity"] == "confirm";
        if !is_twin {
            accepted(scene, &order, &at).await?;
        }
        results.push(if is_twin { "duplicate" } else { "ok" });
    }
    Ok(json!({ "results": results }))
}

/// LIM-03: what is opposite closes, what is not is an order; so is what closes more than there is
/// where an account may do everything. It is a trader who asks: others may more.
pub(super) async fn reduce_only(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let held = input.at("position")?;
    scene.hold(ALPHA, "EUR_USD", held.word("side")?, held.number("size")?, dec!(1.1)).await?;
    // A close is done when it is asked for: none is ever pending, and one that was asked for counts.
    let pending = input.number_or("pending_close", Decimal::ZERO)?;
    if !pending.is_zero() {
        let opposite = if side(held.word("side")?) == "BUY" { "SELL" } else { "BUY" };
        accepted(scene, &bare("EUR_USD", opposite, pending, dec!(1.1)), "now()").await?;
    }
    scene
        .run(&format!(
            "UPDATE accounts SET status = '{}' WHERE account_id = '{ALPHA}'",
            input.word("status")?
        ))
        .await?;
    let mut results = Vec::new();
    for row in input.list("orders")? {
        let (order_side, size) = (side(row.word("side")?), row.number("size")?);
        let price = if order_side == "BUY" { "1.1001" } else { "1.0999" };
        let is_flip = input.word("status")? == "active" && size > held.number("size")? - pending;
        let call = if is_flip || order_side == side(held.word("side")?) {
            let order =
                Order { stop: None, target: None, side: order_side, price: dec!(1.1), ..buy(size) };
            format!("SELECT * FROM {}", order.sql())
        } else {
            format!(
                "SELECT v.* FROM positions p, desk.close_position(gen_random_uuid(), '\\x01', now() + interval '1 minute',
                        p.position_id, {size}, {price}, NULL) v"
            )
        };
        scene.run("SAVEPOINT one").await?;
        scene.become_one("trader", "tmt_trader").await?;
        let verdict = scene
            .json(&format!("SELECT jsonb_build_object('outcome', v.outcome, 'code', v.code, 'allowed', v.allowed::text) FROM ({call}) v"))
            .await?;
        scene.run("ROLLBACK TO one").await?;
        let passes = verdict["outcome"] == "accepted";
        results.push(json!({
            "ok": passes,
            "error": if passes { Value::Null } else { verdict["code"].clone() },
            "closable": verdict["allowed"],
        }));
    }
    Ok(json!({ "results": results }))
}
