//! Drawdown, equity and rounding of columns.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::limits::state_after;
use super::scene::{Scene, bare};
use crate::comparing::OTHER_SIDE;
use crate::desk::ALPHA;
use crate::reading::{Fields, Judged, Vector, decimal};
use crate::rows::position;

/// The floor under an account.
async fn floor(
    scene: &Scene,
    mode: &str,
    max_loss: Decimal,
    initial: Decimal,
    peak: Decimal,
    lock: Option<Decimal>,
) -> Result<Value, String> {
    let sql = "SELECT round(desk.drawdown_floor($1, $2, $3, $4, $4, $5), 2)";
    scene.value(sql, &[&mode, &max_loss, &initial, &peak, &lock]).await
}

/// Whether an equity is below its floor, as limits decide it: by the loss and what is allowed.
async fn is_through(
    scene: &Scene,
    equity: Decimal,
    floor: Decimal,
    inclusive: bool,
) -> Result<bool, String> {
    let base = floor.max(equity) + Decimal::ONE;
    Ok(state_after(scene, "ok", base - equity, base - floor, None, inclusive).await? == "breach")
}

/// DD-01 and DD-03: by the columns of the account.
pub(super) async fn static_floor(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "static" {
        return Err("it is not static".to_owned());
    }
    let (initial, share) = (input.number("initial")?, input.number("max_total_drawdown")?);
    let equity = match input.number_if_any("equity")? {
        Some(equity) => equity,
        None => input.number("balance")? + input.number("floating")?,
    };
    scene.account(ALPHA, "USD", initial).await?;
    let sql = "UPDATE accounts SET max_total_drawdown = $1, equity = $2 WHERE account_id = $3";
    scene.execute(sql, &[&share, &equity, &ALPHA.0]).await?;
    let line =
        scene.line(&bare("EUR_USD", "BUY", Decimal::ONE, Decimal::ONE), "MAX_DRAWDOWN").await?;
    let lost = decimal(&line["before"])?;
    Ok(json!({
        "equity": scene.value("SELECT a.equity FROM accounts a WHERE a.account_id = $1", &[&ALPHA.0]).await?,
        "floor": floor(scene, "static", initial * share, initial, initial, None).await?,
        "drawdown_amount": lost,
        "drawdown_fraction": scene.value("SELECT round($1::numeric / $2::numeric, 4)", &[&lost, &initial]).await?,
        "room": decimal(&line["allowed"])? - lost,
        "breach": line["severity"] == "reject",
    }))
}

/// DD-02.
pub(super) async fn end_of_day(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let initial = input.number("initial")?;
    let most = initial * input.number("max_loss_fraction_of_initial")?;
    let (mut peak, mut floors) = (initial, Vec::new());
    for balance in std::iter::once(initial).chain(input.numbers("eod_balances")?) {
        peak = peak.max(balance);
        floors.push(floor(scene, input.word("mode")?, most, initial, peak, None).await?);
    }
    Ok(json!({ "floors": floors }))
}

/// DD-04 to DD-06.
pub(super) async fn day_floor(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let text = input.word("rule")?.replace("_at_reset", "").replace(' ', "");
    let (base, of) = if let Some(base) = text.strip_suffix("-pct*initial") {
        (base, "initial")
    } else if let Some(base) = text.strip_suffix("*(1-pct)") {
        (base, "day_start")
    } else if let Some(base) = text.strip_suffix("-amount") {
        (base, "amount")
    } else {
        return Err(format!("the rule {text}"));
    };
    let base = if base == "max(balance,equity)" { "higher" } else { base };
    let balance = input.number("balance_at_reset")?;
    let at_reset = input.number_if_any("equity_at_reset")?.unwrap_or(balance);
    let initial = input.number_if_any("initial")?.unwrap_or(balance);
    let rule = if of == "amount" {
        json!({ "base": base, "amount": input.word("amount")? })
    } else {
        json!({ "base": base, "of": of, "fraction": input.word("pct")? })
    };
    let sql = "SELECT round(desk.day_floor($1::text::jsonb, $2, $3, $4), 2)";
    let floor = scene.number(sql, &[&rule.to_string(), &initial, &balance, &at_reset]).await?;
    let closed = input.number_if_any("closed_today")?.unwrap_or_default();
    let equity = balance + closed + input.number_if_any("floating")?.unwrap_or(at_reset - balance);
    Ok(json!({
        "floor": floor,
        "equity": OTHER_SIDE,
        "permitted_loss_from_balance": balance + closed - floor,
        "possible_loss_from_equity": equity - floor,
        "breach": is_through(scene, equity, floor, true).await?,
        "shortfall": OTHER_SIDE,
    }))
}

/// DD-07.
pub(super) async fn on_the_floor(scene: &Scene, vector: &Vector) -> Judged {
    let (floor, equity) = (vector.input.number("floor")?, vector.input.number("equity")?);
    Ok(json!({
        "strict_below_rule_breach": is_through(scene, equity, floor, false).await?,
        "inclusive_rule_breach": is_through(scene, equity, floor, true).await?,
    }))
}

/// DD-08. The rule is broken by falling below.
pub(super) async fn intraday(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (initial, trail) = (input.number("initial")?, input.number("trail")?);
    let lock = input.number_if_any("lock_at")?;
    let (mut peak, mut floors, mut breach) = (initial, Vec::new(), Value::Null);
    for (at, equity) in input.numbers("equity_path")?.into_iter().enumerate() {
        peak = peak.max(equity);
        let floor = floor(scene, input.word("mode")?, trail, initial, peak, lock).await?;
        if breach.is_null() && is_through(scene, equity, decimal(&floor)?, false).await? {
            breach = json!(at);
        }
        floors.push(floor);
    }
    Ok(json!({ "floors": floors, "breach_at_index": breach }))
}

/// DD-12.
pub(super) async fn daily_loss_column(scene: &Scene, vector: &Vector) -> Judged {
    let initial = vector.input.number("initial")?;
    let mut readings = Vec::new();
    for case in vector.input.numbers("cases")? {
        readings.push(json!({
            "value": case,
            "kind": OTHER_SIDE,
            "amount": scene.value("SELECT round(desk.daily_loss_amount($1, $2), 2)", &[&case, &initial]).await?,
        }));
    }
    Ok(json!({ "interpretation": readings }))
}

/// ACC-01.
pub(super) async fn equity(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    scene.account(ALPHA, "USD", input.number("balance")?).await?;
    // One position uses all the margin and has no P&L; the others have the P&L of the vector.
    let used = input.number("margin_used")?;
    let unrealized = input.numbers("unrealized")?;
    let held = unrealized.into_iter().map(|pnl| (Decimal::ONE, 0, pnl));
    let margined = (used > Decimal::ZERO).then_some((used, 1, Decimal::ZERO));
    for (at, (size, rate, pnl)) in held.chain(margined).enumerate() {
        let instrument = scene.instrument(&format!("X{at}"), "USD", Decimal::ONE).await?;
        scene.margin_rate(&instrument, Decimal::from(rate)).await?;
        scene.become_owner().await?;
        let row = position(ALPHA).of_instrument(&instrument).long(size).at(1).marked(1, pnl);
        scene.insert(&row).await?;
        scene.reset_role().await?;
    }
    scene.book_cash().await?;
    scene.measure(&[("min_margin_level", "percentage")]).await?;
    let of = async |what: &str| {
        let sql = format!("SELECT {what} FROM accounts a WHERE a.account_id = $1");
        scene.value(&sql, &[&ALPHA.0]).await
    };
    Ok(json!({
        "equity": of("a.equity").await?,
        "free_margin": of("a.available_balance").await?,
        "margin_level_pct": scene.measured("min_margin_level", 2).await?,
    }))
}

/// RND-01 and RND-02: as columns with that many decimals round.
pub(super) async fn rounding(scene: &Scene, vector: &Vector) -> Judged {
    let places = vector.input.count("dp")?;
    let column = match places {
        5 => "entry_price",
        4 => "risk_percentage",
        _ => "position_size",
    };
    let mut kept = Vec::new();
    for value in vector.input.numbers("values")? {
        kept.push(if places == 2 || places == 5 {
            scene.kept("trades", column, value).await?
        } else {
            scene
                .value("SELECT round($1::numeric, $2::bigint::int)", &[&value, &i64::from(places)])
                .await?
        });
    }
    let mut found = json!({ "postgres": kept, "bankers_for_contrast": OTHER_SIDE });
    if vector.expected.get("overflow").is_some() {
        let mut over = Vec::new();
        for value in vector.expected.list("overflow")? {
            if scene.kept("trades", column, decimal(value)?).await?.is_null() {
                over.push(value);
            }
        }
        found["overflow"] = json!(over);
    }
    Ok(found)
}

/// RND-05. A flip splits its commission over two legs; three legs are computed by Rust.
pub(super) async fn splitting(scene: &Scene, vector: &Vector) -> Judged {
    let (mut booked, mut sum) = (Vec::new(), Decimal::ZERO);
    for fill in vector.input.numbers("fills_exact")? {
        sum += fill;
        booked.push(scene.kept("trade_fills", "gross_pnl", fill).await?);
    }
    let total: Decimal = booked.iter().map(decimal).sum::<Result<_, _>>()?;
    Ok(json!({
        "booked_fills": booked,
        "booked_total": total,
        "rounding_of_the_exact_sum": scene.kept("trade_fills", "gross_pnl", sum).await?,
        "split_parts": OTHER_SIDE,
    }))
}

/// RND-06.
pub(super) async fn typical_price(scene: &Scene, vector: &Vector) -> Judged {
    let (high, low) = (vector.input.number("high")?, vector.input.number("low")?);
    let close = vector.input.number("close")?;
    let sql =
        "INSERT INTO market_data (time, instrument, open, high, low, close, timeframe, data_source)
         VALUES (now(), 'EUR_USD', $3, $1, $2, $3, '1m', 'vector')";
    scene.execute(sql, &[&high, &low, &close]).await?;
    let sql = "SELECT m.typical_price FROM market_data m WHERE m.data_source = 'vector'";
    Ok(json!({ "typical_price": scene.value(sql, &[]).await? }))
}
