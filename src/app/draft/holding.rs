//! What is held: the end of it, and its stop and target.

use rust_decimal::Decimal;

use super::{Problem, note, number, price};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Ticket};
use crate::domain::code::Code;
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, exact};
use crate::domain::position::Position;
use crate::domain::request::{Closing, Verb};

/// Reads the fields of a close.
pub(super) fn close(
    model: &Model,
    ticket: &Ticket,
    what: Closing,
    held: &Position,
) -> Result<Verb, Problem> {
    let instrument = model.book.instrument(held.instrument.as_str());
    let price = match instrument {
        Some(instrument) => price(ticket, FieldName::Price, instrument)?,
        // A position in an instrument that nobody described can still be closed.
        None => number(ticket, FieldName::Price)?,
    }
    .ok_or_else(|| Problem::at(FieldName::Price, "no price is known: type the one you close at"))?;
    let size = match ticket.text(FieldName::Size) {
        None | Some("100%") => None,
        Some(text) => {
            let wanted = match text.strip_suffix('%') {
                Some(percent) => {
                    let percent = money::typed(percent)
                        .map_err(|why| Problem::at(FieldName::Size, why.to_string()))?;
                    share(held.size, percent, instrument)
                }
                None => Some(
                    money::typed(text)
                        .map_err(|why| Problem::at(FieldName::Size, why.to_string()))?,
                ),
            };
            let wanted = wanted.filter(|size| *size > Decimal::ZERO).ok_or_else(|| {
                Problem::at(FieldName::Size, "that is less than the smallest step: type a size")
                    .refused(Code::SizeNotAStep)
            })?;
            if wanted > held.size {
                let text = format!("only {} are open", exact(held.size));
                let problem = Problem::at(FieldName::Size, text);
                return Err(problem.refused(Code::ReduceOnlyExceedsPosition));
            }
            // Closing all of it is right whatever the step is now.
            if let Some(step) = instrument.map(|row| row.size_step)
                && wanted != held.size
                && wanted.checked_rem(step).is_none_or(|rest| !rest.is_zero())
            {
                let text = format!(
                    "size {} is not a multiple of {}, the step; 100% closes all of it",
                    exact(wanted),
                    exact(step)
                );
                return Err(Problem::at(FieldName::Size, text).refused(Code::SizeNotAStep));
            }
            if wanted == held.size { None } else { Some(wanted) }
        }
    };
    Ok(Verb::Close { what, size, price, reason: note(ticket, FieldName::Reason) })
}

/// Returns `percent` of a size, rounded down to a step: a part is never more than was asked.
fn share(size: Decimal, percent: Decimal, instrument: Option<&Instrument>) -> Option<Decimal> {
    let raw = size.checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
    let step = instrument.map_or(Decimal::ONE, |row| row.size_step);
    raw.checked_sub(raw.checked_rem(step)?)
}

/// Reads the fields of an amendment.
pub(super) fn amend(model: &Model, ticket: &Ticket, held: &Position) -> Result<Verb, Problem> {
    let instrument = model.book.instrument(held.instrument.as_str());
    let level = |name| match instrument {
        Some(instrument) => price(ticket, name, instrument),
        None => number(ticket, name),
    };
    for name in [FieldName::Stop, FieldName::Target, FieldName::Trailing] {
        if number(ticket, name)?.is_some_and(|level| level <= Decimal::ZERO) {
            let label = name.label();
            let text = format!("{label} must be above zero; an empty field is none");
            return Err(Problem::at(name, text).refused(Code::PriceOutOfRange));
        }
    }
    let (stop, target) = (level(FieldName::Stop)?, level(FieldName::Target)?);
    let trailing = level(FieldName::Trailing)?;
    if (stop, target, trailing) == (held.stop_loss, held.take_profit, held.trailing_distance) {
        let text = "nothing is changed yet: type a stop, a target or a trailing distance";
        return Err(Problem::at(FieldName::Stop, text));
    }
    let reason = note(ticket, FieldName::Reason);
    Ok(Verb::Amend { position: held.id, stop, target, trailing, reason })
}
