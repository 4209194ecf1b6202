//! Fills booked as rows.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tmt::domain::money::round;
use uuid::Uuid;

use super::scene::{Fill, Scene, as_written, side};
use crate::comparing::OTHER_SIDE;
use crate::desk::ALPHA;
use crate::reading::{Fields, Judged, Vector, are_same_but_for_rounding, is_by_entries};

/// The live position of the account, or nothing.
const LIVE: &str = "FROM positions p WHERE p.status IN ('open', 'closing')";

const REALIZED: &str = "SELECT coalesce(sum(f.gross_pnl), 0) FROM trade_fills f";

/// Books a fill and returns its key, which is also that of the trade it opens.
pub(super) async fn book(
    scene: &Scene,
    instrument: &str,
    fill: &Value,
    ticket: Option<Uuid>,
) -> Result<Uuid, String> {
    let (size, price) = (fill.number("size")?, fill.number("price")?);
    let booked = Fill {
        fx: as_written(fill, "fx_quote_to_account"),
        commission: fill.number_or("commission", Decimal::ZERO)?,
        swap: fill.number_or("swap_fee", Decimal::ZERO)?,
        ticket,
        ..Fill::new(instrument, side(fill.word("side")?), size, price)
    };
    scene.book(&booked).await?;
    Ok(booked.key)
}

/// Gives columns more decimals, as an adopted database may have. Triggers and views on them must go
/// meanwhile.
async fn widen(scene: &Scene, columns: &[(&str, &str)], places: u32) -> Result<(), String> {
    for (table, column) in columns {
        scene
            .run(&format!(
                "DO $widen$ DECLARE watchers text[]; one text;
                 BEGIN
                     SELECT coalesce(array_agg(pg_get_triggerdef(t.oid)), '{{}}') INTO watchers
                       FROM pg_trigger t WHERE t.tgrelid = '{table}'::regclass AND NOT t.tgisinternal AND t.tgparentid = 0;
                     FOR one IN SELECT t.tgname FROM pg_trigger t
                                 WHERE t.tgrelid = '{table}'::regclass AND NOT t.tgisinternal AND t.tgparentid = 0 LOOP
                         EXECUTE format('DROP TRIGGER %I ON {table}', one);
                     END LOOP;
                     FOR one IN SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                                 WHERE d.refobjid = '{table}'::regclass AND d.classid = 'pg_rewrite'::regclass LOOP
                         EXECUTE format('DROP VIEW %s CASCADE', one);
                     END LOOP;
                     ALTER TABLE {table} ALTER COLUMN {column} TYPE numeric({}, {places});
                     FOREACH one IN ARRAY watchers LOOP EXECUTE one; END LOOP;
                 END $widen$",
                places + 12
            ))
            .await?;
    }
    Ok(())
}

const MONEY: &[(&str, &str)] = &[
    ("trade_fills", "gross_pnl"),
    ("trade_fills", "commission"),
    ("trade_fills", "swap_fee"),
    ("positions", "realized_pnl"),
    ("positions", "unrealized_pnl"),
    ("trades", "gross_pnl"),
    ("trades", "commission"),
    ("trades", "swap_fee"),
    ("trades", "net_pnl"),
    ("accounts", "current_balance"),
    ("accounts", "equity"),
];

const PRICES: &[(&str, &str)] =
    &[("positions", "average_entry_price"), ("positions", "current_price")];

/// Makes the instrument and the columns that the fills of a vector need; returns the instrument, its
/// quote currency and what that was last worth.
async fn prepare(scene: &Scene, input: &Value) -> Result<(String, &'static str, Decimal), String> {
    for (places, columns) in [("money_dp", MONEY), ("price_dp", PRICES)] {
        if input.get(places).is_some() {
            widen(scene, columns, input.count(places)?).await?;
        }
    }
    let rates: Vec<Decimal> = input
        .list("fills")?
        .iter()
        .map(|fill| fill.number_or("fx_quote_to_account", Decimal::ONE))
        .collect::<Result<_, _>>()?;
    // The name of the quote currency does not matter, but it must have three letters.
    let quote = if rates.iter().all(|rate| *rate == Decimal::ONE) { "USD" } else { "QQQ" };
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    let instrument = scene.instrument("XXX", quote, contract).await?;
    Ok((instrument, quote, rates.last().copied().unwrap_or(Decimal::ONE)))
}

/// NET-01 to NET-09.
pub(super) async fn netting(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    let is_by_entries = is_by_entries(input)?;
    let (instrument, quote, fx) = prepare(scene, input).await?;
    let mut steps = Vec::new();
    for fill in input.list("fills")? {
        let key = book(scene, &instrument, fill, None).await?;
        let mut step = step(scene, key).await?;
        if is_by_entries {
            tell_by_entries(scene, &mut step, input.count_or("price_dp", 5)?).await?;
        }
        steps.push(step);
    }
    if scene.text("SELECT r.field FROM desk.reconcile() r", &[]).await?.is_some() {
        return Err("the rows are not what their fills make of them".to_owned());
    }
    let mut found = json!({ "steps": steps });
    match vector.mark()? {
        Some(mark) if is_by_entries => {
            found["mark"] = json!(mark);
            found["unrealized_exact_cost"] = json!(OTHER_SIDE);
            found["unrealized_if_stored_average_used"] = json!(OTHER_SIDE);
        }
        Some(mark) => value_at(scene, input, mark, (quote, fx), &mut found).await?,
        None => {}
    }
    Ok(found)
}

/// Values the position at a price, with the rate of its quote currency.
async fn value_at(
    scene: &Scene,
    input: &Value,
    mark: Decimal,
    (quote, fx): (&str, Decimal),
    found: &mut Value,
) -> Result<(), String> {
    scene.rate("XXX", quote, mark).await?;
    if quote != "USD" {
        scene.worth(quote, "USD", fx).await?;
    }
    scene.run("SELECT desk.mark_to_market()").await?;
    let (places, contract) =
        (input.count_or("money_dp", 2)?, input.number_or("contract_size", Decimal::ONE)?);
    let by_stored = format!(
        "SELECT round(($1::numeric - p.average_entry_price) * p.total_size * $2::numeric * $3::numeric
                     * CASE p.position_type WHEN 'LONG' THEN 1 ELSE -1 END, $4::bigint::int) {LIVE}"
    );
    found["mark"] = json!(mark);
    found["unrealized_exact_cost"] =
        scene.value(&format!("SELECT p.unrealized_pnl {LIVE}"), &[]).await?;
    found["unrealized_if_stored_average_used"] =
        scene.value(&by_stored, &[&mark, &contract, &fx, &i64::from(places)]).await?;
    Ok(())
}

/// The effects of a fill, from the rows.
async fn step(scene: &Scene, key: Uuid) -> Result<Value, String> {
    let leg = async |what: &str, effect: &str| {
        let sql = format!(
            "SELECT coalesce(sum(f.{what}), 0) FROM trade_fills f WHERE f.client_key LIKE $1 || '%' AND f.effect = $2"
        );
        scene.number(&sql, &[&key.to_string(), &effect]).await
    };
    let all = async |what: &str| {
        scene.value(&format!("SELECT coalesce(sum(f.{what}), 0) FROM trade_fills f"), &[]).await
    };
    let held = async |what: &str, flat: &str| {
        scene.value(&format!("SELECT coalesce((SELECT {what} {LIVE}), {flat})"), &[]).await
    };
    let closed = leg("size", "close").await?;
    let opened = leg("size", "open").await?;
    let cash = "SELECT a.current_balance - a.initial_balance FROM accounts a WHERE a.account_name = 'alpha'";
    Ok(json!({
        "closed_size": closed,
        "opened_size": opened,
        "flipped": !closed.is_zero() && !opened.is_zero(),
        "fill_gross_pnl": leg("gross_pnl", "close").await?,
        "position_type": held("p.position_type", "'FLAT'").await?,
        "total_size": held("p.total_size", "0").await?,
        "average_entry_exact": held("round(p.cost / p.total_size, 10)", "0").await?,
        "average_entry_stored": held("p.average_entry_price", "0").await?,
        "realized_gross_cum": all("gross_pnl").await?,
        "commission_cum": all("commission").await?,
        "swap_cum": all("swap_fee").await?,
        // The change of the balance.
        "realized_net_cum": scene.value(cash, &[]).await?,
        "commission_close_leg": leg("commission", "close").await?,
        "commission_open_leg": leg("commission", "open").await?,
    }))
}

/// Replaces the figures of the position by those of its open trades. The last trade takes the rounding
/// difference, so the P&L of a fill over all trades is computed by Rust only.
async fn tell_by_entries(scene: &Scene, step: &mut Value, places: u32) -> Result<(), String> {
    let open = "SELECT coalesce(sum(t.entry_price * (t.position_size - t.closed_size))
                                / nullif(sum(t.position_size - t.closed_size), 0), 0)
                  FROM trades t WHERE t.status IN ('open', 'partial')";
    step["average_entry_exact"] = scene.value(&format!("SELECT round(({open}), 10)"), &[]).await?;
    step["average_entry_stored"] = scene
        .value(&format!("SELECT round(({open}), $1::bigint::int)"), &[&i64::from(places)])
        .await?;
    for field in ["fill_gross_pnl", "realized_gross_cum", "realized_net_cum"] {
        step[field] = json!(OTHER_SIDE);
    }
    Ok(())
}

/// The P&L of the open trades at a price, by their own entries.
const BY_ENTRIES: &str = "
    SELECT coalesce(round(sum((t.position_size - t.closed_size) * ($1::numeric - t.entry_price)
                * CASE t.trade_type WHEN 'BUY' THEN 1 ELSE -1 END), 2), 0)
       FROM trades t WHERE t.status IN ('open', 'partial')";

/// The P&L of the position at a price, and that of its trades.
async fn open_at(scene: &Scene, mark: Decimal) -> Result<(Decimal, Decimal), String> {
    scene.rate("XXX", "USD", mark).await?;
    scene.run("SELECT desk.mark_to_market()").await?;
    let held = format!("SELECT coalesce(sum(p.unrealized_pnl), 0) {LIVE}");
    Ok((scene.number(&held, &[]).await?, scene.number(BY_ENTRIES, &[&mark]).await?))
}

/// NET-10: the position by average cost, its trades first in first out.
pub(super) async fn average_and_fifo(scene: &Scene, vector: &Vector) -> Judged {
    let instrument = scene.instrument("XXX", "USD", Decimal::ONE).await?;
    for fill in vector.input.list("fills")? {
        book(scene, &instrument, fill, None).await?;
    }
    let realized = scene.number(REALIZED, &[]).await?;
    let by_trades = scene.number("SELECT coalesce(sum(t.gross_pnl), 0) FROM trades t", &[]).await?;
    let mark = vector.input.number("mark")?;
    let mut agree = true;
    for percent in [50, 90, 110, 300] {
        // A price of the position has five decimals.
        let mark = round(mark * Decimal::from(percent) / Decimal::ONE_HUNDRED, 5);
        let (held, open) = open_at(scene, mark).await?;
        agree &= are_same_but_for_rounding(vector, realized + held, by_trades + open)?;
    }
    let (held, open) = open_at(scene, mark).await?;
    let entry = "SELECT t.entry_price FROM trades t WHERE t.closed_size > 0
                  ORDER BY t.exit_time DESC, t.entry_time DESC";
    Ok(json!({
        "average": {
            "realized": realized,
            "unrealized": held,
            "total": realized + held,
            "average_entry": scene.value(&format!("SELECT p.average_entry_price {LIVE}"), &[]).await?,
        },
        "fifo": {
            "realized": by_trades,
            "unrealized": open,
            "total": by_trades + open,
            "closed_trade_entry": scene.value(entry, &[]).await?,
        },
        "invariant": if agree { "average.total == fifo.total at every mark" } else { "broken" },
    }))
}

/// NET-11.
pub(super) async fn hedging(scene: &Scene, vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "hedging" {
        return Err("it is not hedging".to_owned());
    }
    let sql = "UPDATE accounts SET metadata = metadata || '{\"position_mode\": \"hedging\"}' WHERE account_id = $1";
    scene.execute(sql, &[&ALPHA.0]).await?;
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    let instrument = scene.instrument("XXX", "USD", contract).await?;
    let mut keys: Vec<(&str, Uuid)> = Vec::new();
    for fill in input.list("fills")? {
        let ticket = fill.word("ticket")?;
        let known = keys.iter().find(|(name, _)| *name == ticket).map(|(_, key)| *key);
        let key = book(scene, &instrument, fill, known).await?;
        if known.is_none() {
            keys.push((ticket, key));
        }
    }
    let (bid, ask) = (input.number("mark_bid")?, input.number("mark_ask")?);
    scene.quote("XXX", "USD", &bid.to_string(), &ask.to_string()).await?;
    scene.run("SELECT desk.mark_to_market()").await?;
    let mut rows = Vec::new();
    for (ticket, key) in keys {
        let of = async |what: &str, flat: &str| {
            let sql =
                format!("SELECT coalesce((SELECT {what} {LIVE} AND p.netting_key = $1), {flat})");
            scene.value(&sql, &[&key.to_string()]).await
        };
        rows.push(json!({
            "ticket": ticket,
            "position_type": of("p.position_type", "'FLAT'").await?,
            "size": of("p.total_size", "0").await?,
            "unrealized": of("p.unrealized_pnl", "0").await?,
        }));
    }
    let signed = "CASE p.position_type WHEN 'LONG' THEN p.total_size ELSE -p.total_size END";
    Ok(json!({
        "tickets": rows,
        "gross_size": scene.value(&format!("SELECT coalesce(sum(p.total_size), 0) {LIVE}"), &[]).await?,
        "net_size": scene.value(&format!("SELECT coalesce(sum({signed}), 0) {LIVE}"), &[]).await?,
        "realized": scene.value(REALIZED, &[]).await?,
    }))
}
