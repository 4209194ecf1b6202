//! Open P&L, equity and exposure at the prices of this moment.
//!
//! The database judges; these figures are what moves on the screen between two of its answers. The
//! rules are the same (`desk.rate`, `desk.mark_to_market`): long positions at the bid, short ones
//! at the ask; conversion by the pair itself, its inverse, then over USD, then over EUR.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::ids::InstrumentId;
use super::instrument::Instrument;
use super::position::{Direction, Position};
use super::quote::Quote;
use super::{conversion, valuation};

/// Last quotes and what instruments are, to value positions with.
#[derive(Debug, Clone, Default)]
pub struct Book {
    instruments: HashMap<InstrumentId, Instrument>,
    quotes: HashMap<InstrumentId, Quote>,
    /// Middle price by base, then quote currency.
    rates: HashMap<String, HashMap<String, Decimal>>,
}

impl Book {
    /// Replaces the instruments.
    pub fn set_instruments(&mut self, instruments: impl IntoIterator<Item = Instrument>) {
        self.instruments = instruments.into_iter().map(|row| (row.id.clone(), row)).collect();
        self.rates.clear();
        let quotes: Vec<Quote> = self.quotes.values().cloned().collect();
        for quote in quotes {
            self.take(quote);
        }
    }

    /// Takes the newest quote of an instrument.
    pub fn take(&mut self, quote: Quote) {
        if let (Some(row), Some(mid)) = (self.instruments.get(&quote.instrument), quote.mid()) {
            let known = self.rates.get_mut(&row.base_currency);
            if let Some(rate) = known.and_then(|rates| rates.get_mut(&row.quote_currency)) {
                *rate = mid;
            } else {
                let rates = self.rates.entry(row.base_currency.clone()).or_default();
                rates.insert(row.quote_currency.clone(), mid);
            }
        }
        self.quotes.insert(quote.instrument.clone(), quote);
    }

    /// Returns an instrument by its canonical name or by an alias, in any case.
    pub fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments.get(name).or_else(|| {
            self.instruments.values().find(|row| {
                row.id.as_str().eq_ignore_ascii_case(name)
                    || row.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
            })
        })
    }

    /// Returns every instrument, in no order.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.values()
    }

    /// Returns the newest quote.
    pub fn quote(&self, instrument: &InstrumentId) -> Option<&Quote> {
        self.quotes.get(instrument)
    }

    /// Returns what one unit of `from` is worth in `to`, or `None` if there is no way to know.
    pub fn rate(&self, from: &str, to: &str) -> Option<Decimal> {
        conversion::rate(from, to, |base, quote| self.rates.get(base)?.get(quote).copied())
    }

    /// Returns the price at which a position would be closed: the bid for a long one, the ask for a
    /// short one.
    pub fn mark(&self, instrument: &InstrumentId, direction: Direction) -> Option<Decimal> {
        let quote = self.quotes.get(instrument)?;
        Some(Quote::closing_price(quote.bid, quote.ask, direction))
    }

    /// Returns the open P&L of a position at `price`, in `currency`, not rounded.
    pub fn open_pnl(&self, held: &Position, price: Decimal, currency: &str) -> Option<Decimal> {
        let row = self.instruments.get(&held.instrument)?;
        let fx = self.rate(&row.quote_currency, currency)?;
        valuation::pnl(held.direction, held.size, held.cost()?, price, row.contract_size, fx)
    }

    /// Returns `size · contract size · price`, in `currency`, not rounded; always positive.
    pub fn notional(
        &self,
        instrument: &InstrumentId,
        size: Decimal,
        price: Decimal,
        currency: &str,
    ) -> Option<Decimal> {
        let row = self.instruments.get(instrument)?;
        let fx = self.rate(&row.quote_currency, currency)?;
        valuation::notional(size, row.contract_size, price, fx)
    }

    /// Returns how many pips `price` is from `entry`, positive where `direction` gains.
    pub fn pips(
        &self,
        instrument: &InstrumentId,
        direction: Direction,
        entry: Decimal,
        price: Decimal,
    ) -> Option<Decimal> {
        let row = self.instruments.get(instrument)?;
        valuation::pips(direction, entry, price, row.pip_size)
    }
}
