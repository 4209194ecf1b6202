//! The size of a trade, from what it may lose.

use crate::app::form::kind::{chosen_account, chosen_instrument};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Form, Ticket};
use crate::domain::money::{exact, typed};
use crate::domain::rounding::floor_step;
use crate::domain::sizing::{self, Cap, SizingInput};
use crate::domain::utilisation::Intent;
use rust_decimal::Decimal;

/// Fills the size whose risk is the configured share of equity, or the largest that is allowed, and
/// returns a sentence that names the binding constraint.
pub(in crate::app) fn risk_size(model: &Model, ticket: &mut Ticket) -> Result<String, String> {
    let Form::Trade(trade) = &ticket.form else {
        return Err("only a new trade can be sized by risk".to_owned());
    };
    let number = |name| ticket.text(name).and_then(|text| typed(text).ok());
    let account = chosen_account(model, ticket).ok_or("choose an account first")?;
    let instrument = chosen_instrument(model, ticket).ok_or("choose an instrument first")?;
    let price = number(FieldName::Price).ok_or("enter a price first")?;
    let stop = number(FieldName::Stop).ok_or("enter a stop first: risk is the distance to it")?;
    let row = model.desk.accounts.get(&account).ok_or("the account no longer exists")?;
    let equity = model
        .marks
        .accounts
        .get(&account)
        .and_then(|mark| mark.equity)
        .ok_or("equity unknown: a price or a rate is missing")?;
    let rate =
        model.book.rate(&instrument.quote_currency, &row.base_currency).ok_or_else(|| {
            format!("no rate from {} to {}", instrument.quote_currency, row.base_currency)
        })?;
    let fraction = model.options.risk_fraction;
    let commission = row.commission.per_side(&instrument.id);
    let input = SizingInput { equity, fraction, entry: price, stop, fx: rate, commission, legs: 1 };
    let rooms =
        model.marks.valued(row).zip(input.risk_per_unit(instrument)).map(|(account, risk)| {
            let intent = Intent {
                account,
                instrument,
                side: trade.side,
                price,
                risk_per_unit: risk,
                fx: rate,
            };
            model.rooms(&intent)
        });
    let sized = sizing::size_for_risk(&input, instrument, &rooms.unwrap_or_default())
        .map_err(|why| why.to_string())?;
    ticket.fill_number(FieldName::Size, Some(sized.size));
    let share = fraction.checked_mul(Decimal::ONE_HUNDRED).unwrap_or_default().normalize();
    Ok(match &sized.cap {
        Cap::Risk => format!("Size {}: risks {share} % of equity.", exact(sized.size)),
        cap @ (Cap::MaximumSize | Cap::Room(_)) => format!(
            "Size {}: capped by {}; {share} % of equity would be {}.",
            exact(sized.size),
            cap.words(),
            exact(floor_step(sized.raw, instrument.size_step).unwrap_or(sized.raw))
        ),
    })
}
