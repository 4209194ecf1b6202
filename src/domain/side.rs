//! The two sides of a market: of an order, and of what it opens.

use rust_decimal::Decimal;

words! {
    /// `trades.trade_type`
    pub enum Side {
        Buy = "BUY",
        Sell = "SELL",
    }
}

impl Side {
    /// Returns 1 for a buy and −1 for a sell.
    pub fn sign(self) -> Decimal {
        match self {
            Self::Buy => Decimal::ONE,
            Self::Sell => Decimal::NEGATIVE_ONE,
        }
    }

    /// Returns the position that this side opens.
    pub fn direction(self) -> Direction {
        match self {
            Self::Buy => Direction::Long,
            Self::Sell => Direction::Short,
        }
    }
}

words! {
    /// `positions.position_type`. Long gains when the price rises, short when it falls.
    pub enum Direction {
        Long = "LONG",
        Short = "SHORT",
    }
}

impl Direction {
    /// Returns 1 for long and −1 for short.
    pub fn sign(self) -> Decimal {
        match self {
            Self::Long => Decimal::ONE,
            Self::Short => Decimal::NEGATIVE_ONE,
        }
    }
}
