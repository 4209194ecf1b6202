//! Prices as they arrive.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use thiserror::Error;

use super::ids::InstrumentId;
use super::position::Direction;

/// The best bid and ask of an instrument at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub instrument: InstrumentId,
    /// What a seller gets. Above zero.
    pub bid: Decimal,
    /// What a buyer pays. Not below the bid.
    pub ask: Decimal,
    /// The publisher's time of the price: what its age is counted from.
    pub time: DateTime<Utc>,
    /// Rises by one per instrument and publisher, where the publisher counts.
    pub seq: Option<u64>,
}

/// A pair of numbers that is no quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAQuote {
    #[error("bid and ask must be above zero")]
    NotPositive,
    /// The bid is above the ask.
    #[error("the bid is above the ask")]
    Crossed,
}

impl Quote {
    /// Checks the two prices.
    ///
    /// # Errors
    ///
    /// [`NotAQuote`] if one is not positive or they are crossed.
    pub fn new(
        instrument: InstrumentId,
        bid: Decimal,
        ask: Decimal,
        time: DateTime<Utc>,
        seq: Option<u64>,
    ) -> Result<Self, NotAQuote> {
        if bid <= Decimal::ZERO || ask <= Decimal::ZERO {
            Err(NotAQuote::NotPositive)
        } else if bid > ask {
            Err(NotAQuote::Crossed)
        } else {
            Ok(Self { instrument, bid, ask, time, seq })
        }
    }

    /// Returns which of two prices closes a position: the bid a long one, the ask a short one.
    pub fn closing_price(bid: Decimal, ask: Decimal, direction: Direction) -> Decimal {
        match direction {
            Direction::Long => bid,
            Direction::Short => ask,
        }
    }

    /// Returns the middle of bid and ask.
    pub fn mid(&self) -> Option<Decimal> {
        self.bid.checked_add(self.ask)?.checked_div(Decimal::TWO)
    }
}
