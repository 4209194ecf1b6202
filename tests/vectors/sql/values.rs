//! Valuation of positions.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::scene::{Fill, Scene, bare};
use crate::comparing::OTHER_SIDE;
use crate::desk::{ALPHA, BRAVO};
use crate::reading::{Fields, Judged, Vector, currencies, decimal};

/// Stores the steps of a conversion as the market quotes them: a factor as it is, a divisor as its
/// inverse.
async fn know_steps(scene: &Scene, from: &str, to: &str, steps: &[Value]) -> Result<(), String> {
    let hub = if from == "USD" || to == "USD" { "EUR" } else { "USD" };
    let route: Vec<&str> = match steps.len() {
        0 => vec![],
        1 => vec![from, to],
        2 => vec![from, hub, to],
        many => return Err(format!("a conversion in {many} steps")),
    };
    for (step, leg) in steps.iter().zip(route.windows(2)) {
        let rate = step.number("rate")?;
        match step.word("op")? {
            "*" => scene.rate(leg[0], leg[1], rate).await?,
            "/" => scene.rate(leg[1], leg[0], rate).await?,
            other => return Err(format!("the operation {other}")),
        }
    }
    Ok(())
}

/// FX-01 to FX-07.
pub(super) async fn open_profit(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (quote, account) = (input.word("quote_currency")?, input.word("account_currency")?);
    scene.run("DELETE FROM fx_rates").await?;
    know_steps(scene, quote, account, &input.steps("conversion")?).await?;
    scene.account(ALPHA, account, Decimal::ONE_HUNDRED).await?;
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    let instrument = scene.instrument("XXX", quote, contract).await?;
    let (size, entry) = (input.number("size")?, input.number("entry_price")?);
    scene.hold(ALPHA, &instrument, input.word("side")?, size, entry).await?;
    scene.rate("XXX", quote, input.number("mark_price")?).await?;
    scene.run("SELECT desk.mark_to_market()").await?;
    let fx = "SELECT round(desk.conversion_rate($1, $2), 12)";
    Ok(json!({
        // The database stores no P&L in the quote currency.
        "pnl_quote": OTHER_SIDE,
        "fx_quote_to_account": scene.value(fx, &[&quote, &account]).await?,
        "pnl_account": scene.value("SELECT p.unrealized_pnl FROM positions p", &[]).await?,
    }))
}

/// FX-08.
pub(super) async fn both_marks(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (size, entry) = (input.number("size")?, input.number("entry")?);
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    scene.account(BRAVO, "USD", Decimal::ONE_HUNDRED).await?;
    scene.hold(ALPHA, &instrument, "LONG", size, entry).await?;
    scene.hold(BRAVO, &instrument, "SHORT", size, entry).await?;
    scene.quote("XXX", "USD", input.word("bid")?, input.word("ask")?).await?;
    scene.run("SELECT desk.mark_to_market()").await?;
    let of = async |kind: &str| {
        let sql = "SELECT p.unrealized_pnl FROM positions p WHERE p.position_type = $1";
        scene.value(sql, &[&kind]).await
    };
    Ok(json!({
        "long_unrealized": of("LONG").await?,
        "short_unrealized": of("SHORT").await?,
        "long_plus_short": scene.value("SELECT sum(p.unrealized_pnl) FROM positions p", &[]).await?,
    }))
}

/// FX-09: without a conversion rate new risk is refused and closing is allowed.
pub(super) async fn rate_or_none(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let (quote, account) = (input.word("quote_currency")?, input.word("account_currency")?);
    scene.run("DELETE FROM fx_rates").await?;
    for (pair, rate) in input.object("rates")? {
        let (base, quote) = currencies(pair)?;
        scene.rate(base, quote, decimal(rate)?).await?;
    }
    scene.account(ALPHA, account, Decimal::from(100_000)).await?;
    let instrument = scene.instrument("XXX", quote, Decimal::ONE).await?;
    scene.rate("XXX", quote, 1).await?;
    let order = bare(&instrument, "BUY", Decimal::from(1000), Decimal::ONE);
    let lines = scene.lines(&order, None).await?;
    let code = "NO_CONVERSION_RATE";
    let refuses = lines.iter().any(|line| line["code"] == code && line["severity"] == "reject");
    let open = lines.iter().all(|line| line["severity"] != "reject");
    // Bought while there was a rate, which the fill keeps.
    let fill = Fill::new(&instrument, "BUY", Decimal::from(1000), Decimal::ONE);
    scene.book(&Fill { fx: "0.03".to_owned(), ..fill }).await?;
    let close = "SELECT (desk.close_position(gen_random_uuid(), '\\x01', now() + interval '1 minute', p.position_id, NULL, 1, NULL)).outcome
                   FROM positions p";
    let fx = "SELECT round(desk.conversion_rate($1, $2), 12)";
    Ok(json!({
        "error": if refuses { Some(code) } else { None },
        "fx_quote_to_account": scene.value(fx, &[&quote, &account]).await?,
        "new_risk_allowed": open,
        "close_allowed": scene.text(close, &[]).await?.as_deref() == Some("accepted"),
    }))
}
