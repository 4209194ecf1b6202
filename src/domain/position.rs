//! Positions: what an account holds of an instrument now.

use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::{AccountId, InstrumentId, PositionId};
use super::trade::Side;

/// Long gains when the price rises, short when it falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Bought.
    Long,
    /// Sold.
    Short,
}

impl Direction {
    /// Reads the word of `positions.position_type`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "LONG" => Some(Self::Long),
            "SHORT" => Some(Self::Short),
            _ => None,
        }
    }

    /// Returns the word of `positions.position_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }

    /// Returns 1 for long and −1 for short.
    pub fn sign(self) -> Decimal {
        match self {
            Self::Long => Decimal::ONE,
            Self::Short => Decimal::NEGATIVE_ONE,
        }
    }

    /// Returns the side that closes it.
    pub fn closing_side(self) -> Side {
        match self {
            Self::Long => Side::Sell,
            Self::Short => Side::Buy,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A live row of `positions` (open or closing). Amounts are in the account's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Key.
    pub id: PositionId,
    /// Whose position.
    pub account: AccountId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Long or short.
    pub direction: Direction,
    /// How much, in contracts.
    pub size: Decimal,
    /// Average price paid, five decimals: for reading, not for booking.
    pub average_entry: Decimal,
    /// Exact cost of the size, Σ price · size; `None` in rows of writers that keep none.
    pub exact_cost: Option<Decimal>,
    /// Price that was last written to the row, and the P&L at it.
    pub booked_price: Option<Decimal>,
    /// Open P&L that was last written to the row.
    pub booked_pnl: Option<Decimal>,
    /// Realized so far.
    pub realized_pnl: Option<Decimal>,
    /// Stop of the position.
    pub stop_loss: Option<Decimal>,
    /// Target of the position.
    pub take_profit: Option<Decimal>,
    /// A close is under way.
    pub is_closing: bool,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Row version, for optimistic locks.
    pub last_updated_at: DateTime<Utc>,
}

impl Position {
    /// Returns what the size cost, Σ price · size: exactly where that is known, else by the average
    /// price with its five decimals.
    pub fn cost(&self) -> Option<Decimal> {
        self.exact_cost.or_else(|| self.average_entry.checked_mul(self.size))
    }

    /// Returns the size, below zero where it is short.
    pub fn signed_size(&self) -> Option<Decimal> {
        self.size.checked_mul(self.direction.sign())
    }
}
