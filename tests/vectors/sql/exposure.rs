//! Exposure of positions, before and after an order.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, json};
use tmt::domain::ids::AccountId;

use super::scene::{Scene, bare, side};
use crate::comparing::OTHER_SIDE;
use crate::desk::ALPHA;
use crate::form::is_pair;
use crate::reading::{Fields, Judged, Vector, currencies, decimal, rounded};
use crate::verbs;

/// Opens the positions of a vector, and stores their prices and conversion rates.
async fn hold_all(scene: &Scene, vector: &Vector) -> Result<(), String> {
    let account = vector.input.word("account_currency")?;
    scene.run("DELETE FROM fx_rates").await?;
    scene.account(ALPHA, account, Decimal::from(100_000)).await?;
    let positions = vector.input.list("positions")?;
    // A pair that is held is converted at its own price, other currencies at their rate.
    let mut pairs = Vec::new();
    for position in positions {
        let (base, quote) = currencies(position.word("instrument")?)?;
        scene.rate(base, quote, position.number("price")?).await?;
        pairs.push((base, quote));
    }
    for position in positions {
        let (base, quote) = currencies(position.word("instrument")?)?;
        let known = quote == account
            || pairs.contains(&(account, quote))
            || pairs.contains(&(quote, account));
        if !known {
            let worth = position.number_or("fx_quote_to_account", Decimal::ONE)?;
            scene.worth(quote, account, worth).await?;
        }
        let contract = position.number_if_any("contract_size")?.unwrap_or(Decimal::ONE);
        let instrument = scene.instrument(base, quote, contract).await?;
        let (size, price) = (position.number("size")?, position.number("price")?);
        scene.hold(ALPHA, &instrument, position.word("side")?, size, price).await?;
    }
    Ok(())
}

/// Opens the positions of a vector, each instrument in a currency of its own at the rate of the vector,
/// independent of the others. Returns the instruments; nothing where one has two prices.
async fn hold_each(scene: &Scene, vector: &Vector) -> Result<Option<Vec<String>>, String> {
    let account = vector.input.word("account_currency")?;
    scene.account(ALPHA, account, Decimal::from(100_000)).await?;
    let mut known: Vec<(&str, [Decimal; 3])> = Vec::new();
    let mut held = Vec::new();
    for position in vector.input.list("positions")? {
        let terms = [
            position.number("price")?,
            position.number_or("fx_quote_to_account", Decimal::ONE)?,
            position.number_or("contract_size", Decimal::ONE)?,
        ];
        let name = position.word("instrument")?;
        let at = known.iter().position(|(other, _)| *other == name).unwrap_or(known.len());
        if at == known.len() {
            known.push((name, terms));
        }
        if known[at].1 != terms {
            return Ok(None);
        }
        let (base, quote) = (format!("B{at}"), format!("Q{at}"));
        let [price, worth, contract] = terms;
        let instrument = scene.instrument(&base, &quote, contract).await?;
        scene.rate(&base, &quote, price).await?;
        scene.worth(&quote, account, worth).await?;
        let (side, size) = (position.word("side")?, position.number("size")?);
        scene.hold(ALPHA, &instrument, side, size, price).await?;
        held.push(instrument);
    }
    Ok(Some(held))
}

/// EXP-01: what limits measure before an order.
pub(super) async fn book(scene: &Scene, vector: &Vector) -> Judged {
    let account = vector.input.word("account_currency")?;
    let equity = vector.input.number("equity")?;
    let Some(held) = hold_each(scene, vector).await? else { return Ok(json!(OTHER_SIDE)) };
    let sql = "UPDATE accounts SET equity = $1 WHERE account_id = $2";
    scene.execute(sql, &[&equity, &ALPHA.0]).await?;
    let limits =
        [("max_exposure", account), ("max_net_exposure", account), ("max_leverage", "ratio")];
    scene.measure(&limits).await?;
    let mut each = Vec::new();
    let worth = "desk.signed_size(p) * i.contract_size * q.mid * desk.conversion_rate(i.quote_currency, $1)";
    let from = "FROM positions p JOIN instruments i USING (instrument), desk.quote(p.instrument) q";
    let is_short = scene.is(&format!("SELECT sum({worth}) < 0 {from}"), &[&account]).await?;
    for (position, name) in vector.input.list("positions")?.iter().zip(held) {
        let value = format!(
            "SELECT round({worth}, 2) {from}
              WHERE p.instrument = $2 AND p.total_size = $3 AND p.position_type = $4"
        );
        let (size, side) = (position.number("size")?, position.word("side")?);
        each.push(scene.value(&value, &[&account, &name, &size, &side]).await?);
    }
    // A limit measures the net exposure without its sign.
    let net = decimal(&scene.measured("max_net_exposure", 2).await?)?;
    Ok(json!({
        "per_position": each,
        "gross": scene.measured("max_exposure", 2).await?,
        "net": if is_short { -net } else { net },
        "leverage_exact": scene.measured("max_leverage", 10).await?,
        "leverage": scene.measured("max_leverage", 2).await?,
    }))
}

/// EXP-02: the amount of each currency. A limit measures its value without the sign, which Rust
/// computes.
pub(super) async fn by_currency(scene: &Scene, vector: &Vector) -> Judged {
    let account = vector.input.word("account_currency")?;
    hold_all(scene, vector).await?;
    let mut found = Map::new();
    for (currency, expected) in vector.expected.object("currencies")? {
        // The amount does not depend on the rate, but a limit needs one.
        let known = "SELECT desk.conversion_rate($1, $2) IS NOT NULL";
        if !scene.is(known, &[currency, &account]).await? {
            scene.rate(currency, account, 1).await?;
        }
        let amount = "SELECT round(e.before / desk.conversion_rate($1, $2), 2)
               FROM desk.currency_exposure(desk.load_order($3, NULL, NULL, NULL, NULL, NULL, NULL, NULL), 'account', $1) e";
        let amount = scene.number(amount, &[currency, &account, &ALPHA.0]).await?;
        let is_short = decimal(expected)?.is_sign_negative();
        found.insert(currency.clone(), json!(if is_short { -amount } else { amount }));
    }
    Ok(json!({ "currencies": found }))
}

/// EXP-03 and EXP-04.
pub(super) async fn after_order(scene: &Scene, vector: &Vector) -> Judged {
    let (position, order) = (vector.input.at("position")?, vector.input.at("order")?);
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    let (size, price) = (order.number("size")?, order.number("price")?);
    let (held, entry) = (position.number("size")?, position.number("price")?);
    scene.hold(ALPHA, &instrument, position.word("side")?, held, entry).await?;
    scene.rate("XXX", "USD", price).await?;
    let order = bare(&instrument, side(order.word("side")?), size, price).question("load_order");
    let exposed = "SELECT to_jsonb(round(m.after, 2)::text)
        FROM unnest(desk.measure_limits(load_order, false)) m";
    scene.measure(&[("max_exposure", "USD")]).await?;
    let opening = decimal(&scene.asked(&order, "to_jsonb(opening::text)", &[]).await?)?;
    Ok(json!({
        "exposure_after": scene.asked(&order, exposed, &[]).await?,
        "reduces_only": opening.is_zero(),
        "risk_increasing_size": opening,
    }))
}

/// EXP-08. Instruments have a rate and no leverage.
pub(super) async fn margin(scene: &Scene, vector: &Vector) -> Judged {
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    let rate = vector.input.number("margin_rate")?;
    scene.margin_rate(&instrument, rate).await?;
    let notional = vector.input.number("notional")?;
    if !notional.is_zero() {
        scene.hold(ALPHA, &instrument, "LONG", notional, Decimal::ONE).await?;
    }
    scene.book_cash().await?;
    let used = "SELECT a.margin_used FROM accounts a WHERE a.account_id = $1";
    Ok(json!({ "by_leverage": OTHER_SIDE, "by_rate": scene.value(used, &[&ALPHA.0]).await? }))
}

/// EXP-09.
pub(super) async fn portfolio_limit(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    scene.run("DELETE FROM fx_rates").await?;
    for (name, rate) in input.as_object().into_iter().flatten().filter(|(name, _)| is_pair(name)) {
        let (base, quote) = currencies(name)?;
        scene.rate(base, quote, decimal(rate)?).await?;
    }
    // An instrument at a price of 1 in the currency of the account makes size and exposure equal.
    let mut owners: BTreeMap<&str, (AccountId, String)> = BTreeMap::new();
    let rows = input.list("accounts")?;
    for (row, account) in rows.iter().zip(scene.accounts(rows.len()).await?) {
        let currency = row.word("currency")?;
        scene.account(account, currency, Decimal::from(1_000_000)).await?;
        let instrument = scene.instrument("XXX", currency, Decimal::ONE).await?;
        scene.rate("XXX", currency, 1).await?;
        scene.hold(account, &instrument, "LONG", row.number("exposure")?, Decimal::ONE).await?;
        owners.insert(row.word("id")?, (account, instrument));
    }
    let (limit, order) = (input.at("limit")?, input.at("order")?);
    let (unit, value) = (limit.word("unit")?, limit.number("value")?);
    let limit = verbs::limit("max_exposure", value, unit).scope(limit.word("scope")?);
    scene.limit(limit.named("majors")).await?;
    let (owner, instrument) =
        owners.get(order.word("account")?).ok_or("the account of the order")?;
    let notional = input.object("order")?.iter().find(|(name, _)| name.starts_with("notional_"));
    let (_, notional) = notional.ok_or("the order has no notional")?;
    let order = bare(instrument, "BUY", decimal(notional)?, Decimal::ONE).on(owner);
    let line = scene.line(&order, "MAX_EXPOSURE").await?;
    let state = match line["severity"].as_str() {
        Some("reject") => "breach",
        _ if line["message"].as_str().is_some_and(|text| text.contains("warning")) => "warning",
        _ => "ok",
    };
    Ok(json!({
        "before": rounded(Some(decimal(&line["before"])?), 2),
        "after": rounded(Some(decimal(&line["measured"])?), 2),
        "state": state,
    }))
}
