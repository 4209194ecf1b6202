//! Positions: what an account holds of an instrument now.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::ids::{AccountId, InstrumentId, PositionId};
pub use super::side::Direction;

/// What an amendment does to what a position risks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Stop and trailing distance stay as they are.
    Same,
    /// Less is risked: it passes under every halt.
    Tightens,
    Widens,
}

/// A live row of `positions` (open or closing). Amounts are in the account's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub id: PositionId,
    pub account: AccountId,
    pub instrument: InstrumentId,
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
    pub stored_pnl: Option<Decimal>,
    pub realized_pnl: Option<Decimal>,
    pub stop_loss: Option<Decimal>,
    pub take_profit: Option<Decimal>,
    /// How far behind the best price the stop follows, in prices.
    pub trailing_distance: Option<Decimal>,
    /// A close is under way.
    pub is_closing: bool,
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

    /// Returns a part of it, at the same average.
    #[must_use]
    pub fn part(&self, size: Decimal) -> Self {
        let share = |cost: Decimal| cost.checked_mul(size)?.checked_div(self.size);
        Self { size, exact_cost: self.exact_cost.and_then(share), ..self.clone() }
    }

    /// Tells whether a stop would be hit at once at price `mark`.
    pub fn is_past(&self, stop: Decimal, mark: Decimal) -> bool {
        match self.direction {
            Direction::Long => stop >= mark,
            Direction::Short => stop <= mark,
        }
    }

    /// Returns what another stop and another trailing distance would do. Where one tightens and
    /// the other widens, it widens.
    pub fn protection(&self, stop: Option<Decimal>, trailing: Option<Decimal>) -> Protection {
        let stops = match (self.stop_loss, stop) {
            (Some(old), Some(new)) if old == new => Protection::Same,
            (None, None) => Protection::Same,
            (None, Some(_)) => Protection::Tightens,
            (Some(old), Some(new)) if (new > old) == (self.direction == Direction::Long) => {
                Protection::Tightens
            }
            (Some(_), _) => Protection::Widens,
        };
        let trails = match (self.trailing_distance, trailing) {
            (Some(old), Some(new)) if old == new => Protection::Same,
            (None, None) => Protection::Same,
            (None, Some(_)) => Protection::Tightens,
            (Some(old), Some(new)) if new < old => Protection::Tightens,
            (Some(_), _) => Protection::Widens,
        };
        stops.max(trails)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::dec;
    use uuid::Uuid;

    fn held(direction: Direction) -> Position {
        Position {
            id: PositionId(Uuid::nil()),
            account: AccountId(Uuid::nil()),
            instrument: InstrumentId::new("EUR_USD"),
            direction,
            size: dec!(1000),
            average_entry: dec!(1.08),
            exact_cost: None,
            booked_price: None,
            stored_pnl: None,
            realized_pnl: None,
            stop_loss: Some(dec!(1.07)),
            take_profit: None,
            trailing_distance: Some(dec!(0.01)),
            is_closing: false,
            opened_at: DateTime::UNIX_EPOCH,
            last_updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_part_costs_its_share() {
        let whole = Position { exact_cost: Some(dec!(1080.50)), ..held(Direction::Long) };
        let half = whole.part(dec!(500));
        assert_eq!((half.size, half.cost()), (dec!(500), Some(dec!(540.25))));
        assert_eq!(held(Direction::Long).part(dec!(500)).cost(), Some(dec!(540)));
    }

    #[test]
    fn a_stop_nearer_to_the_price_tightens() {
        use Protection::{Same, Tightens, Widens};
        let (long, short) = (held(Direction::Long), held(Direction::Short));
        let trailing = Some(dec!(0.01));
        for (stop, of_long, of_short) in [
            (Some(dec!(1.07)), Same, Same),
            (Some(dec!(1.075)), Tightens, Widens),
            (Some(dec!(1.06)), Widens, Tightens),
            (None, Widens, Widens),
        ] {
            assert_eq!(long.protection(stop, trailing), of_long, "{stop:?}");
            assert_eq!(short.protection(stop, trailing), of_short, "{stop:?}");
        }
        let bare = Position { stop_loss: None, trailing_distance: None, ..long.clone() };
        assert_eq!(bare.protection(Some(dec!(1)), None), Tightens);
        assert_eq!(bare.protection(None, None), Same);
        // One loosens, the other tightens.
        assert_eq!(long.protection(Some(dec!(1.075)), None), Widens);
        assert_eq!(long.protection(Some(dec!(1.07)), Some(dec!(0.005))), Tightens);
    }
}
