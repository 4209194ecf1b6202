//! How much of the market a book holds: gross, net, by currency, over equity.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::rounding::{product, sum};
use super::valuation;

/// What is held of one instrument, net.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// Currency that the size counts.
    pub base: String,
    pub quote: String,
    /// Size, below zero where it is short.
    pub size: Decimal,
    /// Base units in a size of 1.00.
    pub contract: Decimal,
    pub price: Decimal,
    /// What one unit of the quote currency is in the currency of the answer.
    pub fx: Decimal,
}

impl Leg {
    /// Returns its value, below zero where it is short.
    pub fn value(&self) -> Option<Decimal> {
        valuation::notional(self.size, self.contract, self.price, self.fx)
    }
}

/// What a book holds in all, in one currency, not rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub gross: Decimal,
    /// Σ net per instrument; below zero where the book is short.
    pub net: Decimal,
}

/// Adds up the values of instruments, each net already (domain rules, section 6).
pub fn totals(values: impl IntoIterator<Item = Decimal>) -> Option<Totals> {
    values.into_iter().try_fold(Totals::default(), |all, value| {
        Some(Totals {
            gross: all.gross.checked_add(value.abs())?,
            net: all.net.checked_add(value)?,
        })
    })
}

/// Returns what is held of each currency, in that currency: the base leg `±size · C`, the quote leg
/// `∓size · C · price` (vector EXP-02). Not rounded.
pub fn by_currency<'a>(
    legs: impl IntoIterator<Item = &'a Leg>,
) -> Option<BTreeMap<String, Decimal>> {
    let mut held: BTreeMap<String, Decimal> = BTreeMap::new();
    for leg in legs {
        let base = leg.size.checked_mul(leg.contract)?;
        let quote = product([base, leg.price, Decimal::NEGATIVE_ONE])?;
        for (currency, amount) in [(&leg.base, base), (&leg.quote, quote)] {
            let known = held.entry(currency.clone()).or_default();
            *known = sum([*known, amount])?;
        }
    }
    Some(held)
}

/// Returns gross exposure over equity; `None` without equity above zero, where no number says how
/// far the account is over its head.
pub fn leverage(gross: Decimal, equity: Decimal) -> Option<Decimal> {
    if equity <= Decimal::ZERO { None } else { gross.checked_div(equity) }
}
