//! Trades by their own entries: first in, first out, or kept apart as tickets.

use std::collections::VecDeque;

use rust_decimal::Decimal;

use tmt::domain::quote::Quote;
use tmt::domain::side::{Direction, Side};
use tmt::domain::valuation;

use crate::reference::rounding::sum;

/// What is open of one trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lot {
    pub(crate) direction: Direction,
    /// How much is still open, in contracts.
    pub(crate) size: Decimal,
    pub(crate) entry: Decimal,
}

impl Lot {
    /// Returns the P&L of closing `size` of it at `price`, in the quote currency for a contract of
    /// one unit.
    fn gain(&self, size: Decimal, price: Decimal) -> Option<Decimal> {
        let cost = self.entry.checked_mul(size)?;
        valuation::pnl(self.direction, size, cost, price, Decimal::ONE, Decimal::ONE)
    }

    /// Returns the open P&L at the price at which it would be closed: the bid for a long one, the
    /// ask for a short one. In the quote currency for a contract of one unit.
    pub(crate) fn open_pnl(&self, bid: Decimal, ask: Decimal) -> Option<Decimal> {
        self.gain(self.size, Quote::closing_price(bid, ask, self.direction))
    }
}

/// The part of a trade that an order closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) entry: Decimal,
    /// How much of it was closed.
    pub(crate) size: Decimal,
    /// P&L in the quote currency for a contract of one unit, not rounded.
    pub(crate) gain: Decimal,
}

/// The open trades of one account in one instrument, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lots(VecDeque<Lot>);

impl Lots {
    /// Opens a trade beside all others, as hedging accounts do: nothing is closed.
    pub(crate) fn open(&mut self, side: Side, size: Decimal, price: Decimal) {
        self.0.push_back(Lot { direction: side.direction(), size, entry: price });
    }

    /// Nets an order as accounts that do not hedge do: it closes trades of the other side, the
    /// oldest first, and what is left of it opens one. `None` on overflow, and then nothing has
    /// changed.
    pub(crate) fn take(&mut self, side: Side, size: Decimal, price: Decimal) -> Option<Vec<Slice>> {
        let mut next = self.0.clone();
        let (mut rest, mut closed) = (size, Vec::new());
        while let Some(oldest) = next.front_mut()
            && oldest.direction != side.direction()
            && rest > Decimal::ZERO
        {
            let part = rest.min(oldest.size);
            closed.push(Slice { entry: oldest.entry, size: part, gain: oldest.gain(part, price)? });
            rest = rest.checked_sub(part)?;
            oldest.size = oldest.size.checked_sub(part)?;
            if oldest.size.is_zero() {
                next.pop_front();
            }
        }
        self.0 = next;
        if rest > Decimal::ZERO {
            self.open(side, rest, price);
        }
        Some(closed)
    }

    /// Returns the open trades, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.0.iter()
    }

    /// Returns Σ open P&L, in the quote currency for a contract of one unit.
    pub(crate) fn open_pnl(&self, bid: Decimal, ask: Decimal) -> Option<Decimal> {
        self.0
            .iter()
            .try_fold(Decimal::ZERO, |total, lot| total.checked_add(lot.open_pnl(bid, ask)?))
    }

    /// Returns Σ size, whatever the side.
    pub(crate) fn gross_size(&self) -> Option<Decimal> {
        sum(self.0.iter().map(|lot| lot.size))
    }

    /// Returns Σ size, short ones below zero.
    pub(crate) fn net_size(&self) -> Option<Decimal> {
        self.0.iter().try_fold(Decimal::ZERO, |total, lot| {
            total.checked_add(lot.size.checked_mul(lot.direction.sign())?)
        })
    }
}
