//! Fills that become positions and cash.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tmt::domain::money::round;
use tmt::domain::position::Direction;

use super::some;
use crate::reading::{Fields, Judged, Vector, are_same_but_for_rounding, is_by_entries, rounded};
use crate::reference::netting::lots::Lots;
use crate::reference::netting::{Fill, Holding, Ledger};

fn fill(value: &Value) -> Result<Fill, String> {
    Ok(Fill {
        side: value.side("side")?,
        size: value.number("size")?,
        price: value.number("price")?,
        fx: value.number_or("fx_quote_to_account", Decimal::ONE)?,
        commission: value.number_or("commission", Decimal::ZERO)?,
        swap_fee: value.number_or("swap_fee", Decimal::ZERO)?,
    })
}

fn kind(direction: Option<Direction>) -> &'static str {
    direction.map_or("FLAT", Direction::as_str)
}

/// NET-01 to NET-09.
pub(super) fn netting(vector: &Vector) -> Judged {
    let input = &vector.input;
    let is_by_entries = is_by_entries(input)?;
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    let (places, price_places) = (input.count_or("money_dp", 2)?, input.count_or("price_dp", 5)?);
    let (mut ledger, mut lots) = (Ledger::new(contract, places), Lots::default());
    let (mut steps, mut fx, mut by_entries) = (Vec::new(), Decimal::ONE, Decimal::ZERO);
    for value in input.list("fills")? {
        let fill = fill(value)?;
        fx = fill.fx;
        let booked = some(ledger.book(&fill))?;
        let mut average = ledger.held.average().unwrap_or_default();
        let (mut gross, mut net) = (booked.gross, some(ledger.net())?);
        if is_by_entries {
            let slices = some(lots.take(fill.side, fill.size, fill.price))?;
            let gain: Decimal = slices.iter().map(|slice| slice.gain).sum();
            gross = round(gain * contract * fx, places);
            by_entries += gross;
            net += by_entries - ledger.gross;
            let cost: Decimal = lots.iter().map(|lot| lot.entry * lot.size).sum();
            average = cost.checked_div(some(lots.gross_size())?).unwrap_or_default();
        }
        steps.push(json!({
            "closed_size": rounded(Some(booked.netted.closed), 2),
            "opened_size": rounded(Some(booked.netted.opened), 2),
            "flipped": booked.netted.is_flip(),
            "fill_gross_pnl": gross,
            "position_type": kind(ledger.held.direction()),
            "total_size": rounded(Some(ledger.held.size().abs()), 2),
            "average_entry_exact": rounded(Some(average), 10),
            "average_entry_stored": rounded(Some(average), price_places),
            "realized_gross_cum": if is_by_entries { by_entries } else { ledger.gross },
            "commission_cum": ledger.commission,
            "swap_cum": ledger.swap_fee,
            "realized_net_cum": net,
            "commission_close_leg": booked.closing_commission,
            "commission_open_leg": booked.opening_commission,
        }));
    }
    let mut found = json!({ "steps": steps });
    if let Some(mark) = vector.mark()? {
        let mut held = ledger.held;
        if is_by_entries {
            let direction = held.direction().ok_or("nothing is left to mark")?;
            let cost = lots.iter().map(|lot| lot.entry * lot.size).sum();
            held = some(Holding::of(direction, held.size().abs(), cost))?;
        }
        let average = round(held.average().unwrap_or_default(), price_places);
        let direction = held.direction().ok_or("nothing is left to mark")?;
        let by_average =
            some(Holding::of(direction, held.size().abs(), average * held.size().abs()))?;
        found["mark"] = json!(mark);
        found["unrealized_exact_cost"] = rounded(held.open_pnl(mark, contract, fx), places);
        found["unrealized_if_stored_average_used"] =
            rounded(by_average.open_pnl(mark, contract, fx), places);
    }
    Ok(found)
}

/// NET-10.
pub(super) fn average_and_fifo(vector: &Vector) -> Judged {
    let (mut ledger, mut lots) = (Ledger::new(Decimal::ONE, 2), Lots::default());
    let (mut realized, mut closed_entry) = (Decimal::ZERO, None);
    for value in vector.input.list("fills")? {
        let (side, size, price) =
            (value.side("side")?, value.number("size")?, value.number("price")?);
        let nothing = Decimal::ZERO;
        let fill =
            Fill { side, size, price, fx: Decimal::ONE, commission: nothing, swap_fee: nothing };
        some(ledger.book(&fill))?;
        for slice in some(lots.take(side, size, price))? {
            realized += round(slice.gain, 2);
            closed_entry = Some(slice.entry);
        }
    }
    let at = |mark: Decimal| -> Result<(Decimal, Decimal), String> {
        let held = some(ledger.held.open_pnl(mark, Decimal::ONE, Decimal::ONE))?;
        Ok((round(held, 2), round(some(lots.open_pnl(mark, mark))?, 2)))
    };
    let mark = vector.input.number("mark")?;
    let (held, open) = at(mark)?;
    let mut agree = true;
    for step in 1..200_u32 {
        let (held, open) = at(mark * Decimal::from(step) / Decimal::ONE_HUNDRED)?;
        agree &= are_same_but_for_rounding(vector, ledger.gross + held, realized + open)?;
    }
    Ok(json!({
        "average": {
            "realized": ledger.gross,
            "unrealized": held,
            "total": ledger.gross + held,
            "average_entry": rounded(ledger.held.average(), 5),
        },
        "fifo": {
            "realized": realized,
            "unrealized": open,
            "total": realized + open,
            "closed_trade_entry": rounded(closed_entry, 5),
        },
        "invariant": if agree { "average.total == fifo.total at every mark" } else { "broken" },
    }))
}

/// NET-11.
pub(super) fn hedging(vector: &Vector) -> Judged {
    let input = &vector.input;
    if input.word("mode")? != "hedging" {
        return Err("it is not hedging".to_owned());
    }
    let (bid, ask) = (input.number("mark_bid")?, input.number("mark_ask")?);
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    // As they come, which is how the answer names them.
    let mut tickets: Vec<(&str, Lots)> = Vec::new();
    let mut realized = Decimal::ZERO;
    for value in input.list("fills")? {
        let (side, size, price) =
            (value.side("side")?, value.number("size")?, value.number("price")?);
        let ticket = value.word("ticket")?;
        let at = tickets.iter().position(|(name, _)| *name == ticket).unwrap_or_else(|| {
            tickets.push((ticket, Lots::default()));
            tickets.len() - 1
        });
        for slice in some(tickets[at].1.take(side, size, price))? {
            realized += round(slice.gain * contract, 2);
        }
    }
    let (mut gross, mut net, mut rows) = (Decimal::ZERO, Decimal::ZERO, Vec::new());
    for (ticket, lots) in &tickets {
        let signed = some(lots.net_size())?;
        gross += some(lots.gross_size())?;
        net += signed;
        rows.push(json!({
            "ticket": ticket,
            "position_type": kind(lots.iter().next().map(|lot| lot.direction)),
            "size": rounded(Some(signed.abs()), 2),
            "unrealized": rounded(lots.open_pnl(bid, ask).map(|pnl| pnl * contract), 2),
        }));
    }
    Ok(json!({
        "tickets": rows,
        "gross_size": rounded(Some(gross), 2),
        "net_size": rounded(Some(net), 2),
        "realized": rounded(Some(realized), 2),
    }))
}
