//! What can be traded, and in which units.

use rust_decimal::Decimal;

use super::ids::InstrumentId;

/// Base units of one standard lot of a currency pair.
const LOT: Decimal = rust_decimal::dec!(100_000);

/// A row of `instruments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    pub id: InstrumentId,
    /// `fx`, `metal`, `index` …
    pub asset_class: String,
    /// Currency (or metal, index) that a size counts.
    pub base_currency: String,
    /// Currency in which the price is.
    pub quote_currency: String,
    /// Base units in a size of 1.00.
    pub contract_size: Decimal,
    /// Smallest difference between two sizes.
    pub size_step: Decimal,
    pub min_size: Decimal,
    /// Largest size of one order; `None` is no maximum.
    pub max_size: Option<Decimal>,
    /// Smallest difference between two prices.
    pub tick_size: Decimal,
    /// What traders count price moves in; ten ticks for most currency pairs.
    pub pip_size: Decimal,
    /// Share of the notional that is held as margin.
    pub margin_rate: Decimal,
    /// False where the desk may not open anything.
    pub is_tradable: bool,
    /// Other spellings of the name.
    pub aliases: Vec<String>,
}

impl Instrument {
    /// Returns how many standard lots a size of 1.00 is: 100,000 base units of a currency pair are
    /// one; anything else is counted in contracts.
    pub fn lots_per_unit(&self) -> Option<Decimal> {
        if self.asset_class == "fx" {
            self.contract_size.checked_div(LOT)
        } else {
            Some(Decimal::ONE)
        }
    }

    /// Returns how many decimals a price has: those of the tick.
    pub fn price_places(&self) -> u32 {
        self.tick_size.normalize().scale()
    }
}
