//! What an account holds of one instrument, over all its tickets.

use rust_decimal::Decimal;

use crate::domain::exposure::Leg;
use crate::domain::ids::InstrumentId;
use crate::domain::margin;
use crate::domain::marking::Book;
use crate::domain::position::{Direction, Position};
use crate::domain::quote::Quote;
use crate::domain::rounding::product;
use crate::domain::valuation;

/// The value of a position now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Price at which it would be closed.
    pub price: Decimal,
    /// Open P&L in the account's currency, not rounded; `None` where a rate is missing.
    pub pnl: Option<Decimal>,
}

/// What an account holds of one instrument, net. Amounts are in the account's currency, not
/// rounded; `None` where something is needed that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub instrument: InstrumentId,
    /// Σ size, below zero where it is short.
    pub size: Option<Decimal>,
    pub positions: u32,
    /// Σ open P&L; where no price arrived yet, what the database wrote last.
    pub pnl: Option<Decimal>,
    /// The largest loss of one position; zero where none loses.
    pub worst_loss: Option<Decimal>,
    /// Σ of what is lost if the stops are hit, counted from the entries.
    pub stop_risk: Option<Decimal>,
    /// Positions that have no stop: what they risk has no number.
    pub unbounded: u32,
    pub margin: Option<Decimal>,
    terms: Option<Terms>,
    bid_ask: Option<(Decimal, Decimal)>,
    mid: Option<Decimal>,
}

/// What is known of an instrument, once for all positions in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    base: String,
    quote: String,
    contract: Decimal,
    margin_rate: Decimal,
    lots_per_unit: Option<Decimal>,
    /// Quote to account currency.
    fx: Option<Decimal>,
}

impl Held {
    /// Begins with nothing held.
    pub(super) fn of(instrument: &InstrumentId, currency: &str, book: &Book) -> Self {
        let quote = book.quote(instrument);
        let zero = Some(Decimal::ZERO);
        Self {
            instrument: instrument.clone(),
            size: zero,
            positions: 0,
            pnl: zero,
            worst_loss: zero,
            stop_risk: zero,
            unbounded: 0,
            margin: zero,
            terms: book.instrument(instrument.as_str()).map(|row| Terms {
                base: row.base_currency.clone(),
                quote: row.quote_currency.clone(),
                contract: row.contract_size,
                margin_rate: row.margin_rate,
                lots_per_unit: row.lots_per_unit(),
                fx: book.rate(&row.quote_currency, currency),
            }),
            bid_ask: quote.map(|quote| (quote.bid, quote.ask)),
            mid: quote.and_then(Quote::mid),
        }
    }

    /// Adds a position and returns its value, where a price arrived.
    pub(super) fn take(&mut self, position: &Position) -> Option<Mark> {
        let price =
            self.bid_ask.map(|(bid, ask)| Quote::closing_price(bid, ask, position.direction));
        let pnl = price.and_then(|price| self.pnl_of(position, price));
        // Where no price arrived yet, what the database wrote last is better than nothing, and the
        // position's own line says that it is old.
        let known_pnl = pnl.or(position.stored_pnl);
        let last = price.or(position.booked_price).unwrap_or(position.average_entry);
        self.mid = self.mid.or(Some(last));
        self.positions = self.positions.saturating_add(1);
        self.size = add(self.size, position.signed_size());
        self.pnl = add(self.pnl, known_pnl);
        let loss = known_pnl.and_then(|pnl| Decimal::ZERO.checked_sub(pnl));
        self.worst_loss = self.worst_loss.zip(loss).map(|(worst, loss)| worst.max(loss));
        self.margin = add(self.margin, self.margin_of(position, last));
        match position.stop_loss {
            Some(stop) => self.stop_risk = add(self.stop_risk, self.risk_of(position, stop)),
            None => self.unbounded = self.unbounded.saturating_add(1),
        }
        price.map(|price| Mark { price, pnl })
    }

    fn pnl_of(&self, position: &Position, price: Decimal) -> Option<Decimal> {
        let terms = self.terms.as_ref()?;
        let (direction, size) = (position.direction, position.size);
        valuation::pnl(direction, size, position.cost()?, price, terms.contract, terms.fx?)
    }

    fn margin_of(&self, position: &Position, price: Decimal) -> Option<Decimal> {
        let terms = self.terms.as_ref()?;
        let notional = valuation::notional(position.size, terms.contract, price, terms.fx?)?;
        margin::by_rate(notional, terms.margin_rate)
    }

    fn risk_of(&self, position: &Position, stop: Decimal) -> Option<Decimal> {
        let terms = self.terms.as_ref()?;
        let distance = match position.direction {
            Direction::Long => position.average_entry.checked_sub(stop)?,
            Direction::Short => stop.checked_sub(position.average_entry)?,
        };
        product([distance.max(Decimal::ZERO), position.size, terms.contract, terms.fx?])
    }

    /// Returns its value at the middle price, below zero where it is short; `None` where there is
    /// no price or no rate.
    pub fn value(&self) -> Option<Decimal> {
        let terms = self.terms.as_ref()?;
        valuation::notional(self.size?, terms.contract, self.mid?, terms.fx?)
    }

    /// Returns |size| in standard lots; what is no currency pair is counted in contracts.
    pub fn lots(&self) -> Option<Decimal> {
        self.size?.abs().checked_mul(self.terms.as_ref()?.lots_per_unit?)
    }

    /// Returns what it adds to the exposure by currency.
    pub fn leg(&self) -> Option<Leg> {
        let terms = self.terms.as_ref()?;
        Some(Leg {
            base: terms.base.clone(),
            quote: terms.quote.clone(),
            size: self.size?,
            contract: terms.contract,
            price: self.mid?,
            fx: terms.fx.unwrap_or_default(),
        })
    }
}

fn add(sum: Option<Decimal>, more: Option<Decimal>) -> Option<Decimal> {
    sum?.checked_add(more?)
}
