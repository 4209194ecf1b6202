//! A position by average cost: adding, closing in part, flipping.
//!
//! The database books (`desk.book_fill`); this is the same arithmetic, and both are held to the same
//! vectors. Trades keep their own entries instead: [`lots`].

pub(crate) mod lots;

use rust_decimal::Decimal;

use tmt::domain::money::round;
use tmt::domain::side::{Direction, Side};
use tmt::domain::valuation;

use super::rounding::{product, share, sum, whole};

/// What was bought or sold, at which price, and what that cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) side: Side,
    /// How much, in contracts; above zero.
    pub(crate) size: Decimal,
    pub(crate) price: Decimal,
    /// What one unit of the quote currency is in the account's at that moment.
    pub(crate) fx: Decimal,
    /// Commission of the whole fill, in the account's currency; a cost, not negative.
    pub(crate) commission: Decimal,
    /// Financing booked with it, in the account's currency: above zero a charge, below a credit.
    pub(crate) swap_fee: Decimal,
}

/// What is held of one instrument, by its exact cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Size, below zero where it is short.
    size: Decimal,
    /// Σ price · size of what is still held; never below zero for positive prices.
    cost: Decimal,
}

/// What an order does to what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Netted {
    /// Size that closes what was held.
    pub(crate) closed: Decimal,
    /// Size that opens, or adds to, a position: new risk.
    pub(crate) opened: Decimal,
    /// Cost of the part that was closed.
    pub(crate) closed_cost: Decimal,
}

impl Netted {
    /// Tells whether the order closed all that was held and opened the other side.
    pub(crate) fn is_flip(&self) -> bool {
        !self.closed.is_zero() && !self.opened.is_zero()
    }

    /// Tells whether nothing of the order is new risk.
    pub(crate) fn reduces_only(&self) -> bool {
        self.opened.is_zero()
    }
}

impl Holding {
    /// What a stored position is: its size and its exact cost.
    pub(crate) fn of(direction: Direction, size: Decimal, cost: Decimal) -> Option<Self> {
        Some(Self { size: size.checked_mul(direction.sign())?, cost })
    }

    /// Returns the size, below zero where it is short.
    pub(crate) fn size(&self) -> Decimal {
        self.size
    }

    /// Returns long or short, or `None` when nothing is held.
    pub(crate) fn direction(&self) -> Option<Direction> {
        if self.size.is_zero() {
            None
        } else if self.size.is_sign_positive() {
            Some(Direction::Long)
        } else {
            Some(Direction::Short)
        }
    }

    /// Returns the average price paid, not rounded, or `None` when nothing is held.
    pub(crate) fn average(&self) -> Option<Decimal> {
        self.cost.checked_div(self.size.abs())
    }

    /// Returns the P&L of closing all of it at `price`; zero when nothing is held.
    pub(crate) fn open_pnl(
        &self,
        price: Decimal,
        contract: Decimal,
        fx: Decimal,
    ) -> Option<Decimal> {
        let Some(direction) = self.direction() else { return Some(Decimal::ZERO) };
        valuation::pnl(direction, self.size.abs(), self.cost, price, contract, fx)
    }

    /// Adds an order (domain rules, section 4): on the same side the average moves, on the other it
    /// stays until nothing is left; what then remains opens the other side at `price`. `None` on
    /// overflow or without a size, and then nothing has changed.
    pub(crate) fn take(&mut self, side: Side, size: Decimal, price: Decimal) -> Option<Netted> {
        if size <= Decimal::ZERO {
            return None;
        }
        let held = self.size.abs();
        let is_opposite = self.direction().is_some_and(|held| held != side.direction());
        let closed = if is_opposite { size.min(held) } else { Decimal::ZERO };
        let opened = size.checked_sub(closed)?;
        let closed_cost =
            if closed.is_zero() { Decimal::ZERO } else { whole(share(self.cost, closed, held)?) };
        let new_size = self.size.checked_add(size.checked_mul(side.sign())?)?;
        let left = whole(self.cost.checked_sub(closed_cost)?);
        let new_cost = left.checked_add(price.checked_mul(opened)?)?;
        *self = Self { size: new_size, cost: new_cost };
        Some(Netted { closed, opened, closed_cost })
    }
}

/// A holding with the cash that its fills moved. Each fill is a cash movement: rounded by itself,
/// and a total is the sum of what was booked (domain rules, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    contract: Decimal,
    places: u32,
    pub(crate) held: Holding,
    pub(crate) gross: Decimal,
    pub(crate) commission: Decimal,
    pub(crate) swap_fee: Decimal,
}

/// What one fill booked, in the account's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) netted: Netted,
    /// P&L of the closing leg.
    pub(crate) gross: Decimal,
    /// Commission of the closing leg.
    pub(crate) closing_commission: Decimal,
    /// Commission of the opening leg.
    pub(crate) opening_commission: Decimal,
}

impl Ledger {
    /// Begins flat: contracts of `contract` base units, money with `places` decimals.
    pub(crate) fn new(contract: Decimal, places: u32) -> Self {
        Self {
            contract,
            places,
            held: Holding::default(),
            gross: Decimal::ZERO,
            commission: Decimal::ZERO,
            swap_fee: Decimal::ZERO,
        }
    }

    /// Returns gross less commission less financing.
    pub(crate) fn net(&self) -> Option<Decimal> {
        self.gross.checked_sub(self.commission)?.checked_sub(self.swap_fee)
    }

    /// Books a fill. On a flip the commission is split by size, the closing leg rounded, once, and
    /// the rest of what is booked to the opening one. `None` on overflow or without a size, and then nothing has changed.
    pub(crate) fn book(&mut self, fill: &Fill) -> Option<Booked> {
        let mut next = *self;
        let was = next.held.direction();
        let netted = next.held.take(fill.side, fill.size, fill.price)?;
        let gross = match was {
            Some(direction) if !netted.closed.is_zero() => valuation::pnl(
                direction,
                netted.closed,
                netted.closed_cost,
                fill.price,
                self.contract,
                fill.fx,
            )?,
            _ => Decimal::ZERO,
        };
        let gross = round(gross, self.places);
        let commission = round(fill.commission, self.places);
        let closing = share(fill.commission, netted.closed, fill.size)?;
        let closing_commission = round(closing, self.places);
        let opening_commission = commission.checked_sub(closing_commission)?;
        next.gross = sum([next.gross, gross])?;
        next.commission = sum([next.commission, commission])?;
        next.swap_fee = sum([next.swap_fee, round(fill.swap_fee, self.places)])?;
        *self = next;
        Some(Booked { netted, gross, closing_commission, opening_commission })
    }
}

/// Returns the value of what an order leaves of a holding, `|q + d| · C · price · fx`, not rounded.
pub(crate) fn value_after(
    held: Decimal,
    order: Decimal,
    contract: Decimal,
    price: Decimal,
    fx: Decimal,
) -> Option<Decimal> {
    product([held.checked_add(order)?.abs(), contract, price, fx])
}

#[cfg(test)]
mod tests;
