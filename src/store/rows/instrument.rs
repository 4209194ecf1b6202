//! Rows of `instruments`.

use rust_decimal::Decimal;

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::ids::InstrumentId;
use crate::domain::instrument::Instrument;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT instrument, asset_class, base_currency, quote_currency, contract_size,
                    size_step, min_size, max_size, tick_size, pip_size, margin_rate, is_tradable,
                    aliases
               FROM instruments ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY instrument LIMIT 5000"),
    by_id: select!("WHERE instrument = ANY ($1)"),
    keys: Keys::Text,
    most: 5000,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Instrument, Bad> {
    Ok(Instrument {
        id: InstrumentId::new(&cells.text("instrument")?),
        asset_class: cells.text("asset_class")?,
        base_currency: cells.text("base_currency")?.trim().to_uppercase(),
        quote_currency: cells.text("quote_currency")?.trim().to_uppercase(),
        contract_size: above_zero(cells, "contract_size")?,
        size_step: above_zero(cells, "size_step")?,
        min_size: above_zero(cells, "min_size")?,
        max_size: cells.number_if_any("max_size")?,
        tick_size: above_zero(cells, "tick_size")?,
        pip_size: above_zero(cells, "pip_size")?,
        margin_rate: cells.number("margin_rate")?,
        is_tradable: cells.flag("is_tradable")?,
        aliases: cells.texts("aliases")?,
    })
}

/// Reads a unit of measurement. At zero or below, every size and price would be a multiple of it,
/// or none.
fn above_zero(cells: &Cells<'_>, column: &'static str) -> Result<Decimal, Bad> {
    let number = cells.number(column)?;
    if number > Decimal::ZERO {
        Ok(number)
    } else {
        Err(Bad { column, why: format!("is {number}, but must be above zero") })
    }
}
