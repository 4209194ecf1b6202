//! How much of an order the limits of an account would let pass.

use rust_decimal::Decimal;

use super::measure::{Covered, worth};
use crate::domain::code::Code;
use crate::domain::drawdown::DailyLossColumn;
use crate::domain::halt::Scope;
use crate::domain::instrument::Instrument;
use crate::domain::limit::{Limit, LimitKind, Plain, Unit};
use crate::domain::marking::Book;
use crate::domain::rounding::product;
use crate::domain::sizing::Room;
use crate::domain::trade::Side;

/// An order that has no size yet.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// Whose, with what is held.
    pub account: Covered<'a>,
    pub instrument: &'a Instrument,
    pub side: Side,
    pub price: Decimal,
    /// What a size of 1.00 loses at the stop, with commission.
    pub risk_per_unit: Decimal,
    /// What one unit of the quote currency is in the account's.
    pub fx: Decimal,
}

/// A limit that binds the order, with the accounts that it looks at and what it measures over them
/// now, in its unit.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    pub limit: &'a Limit,
    pub covered: &'a [Covered<'a>],
    pub measured: Decimal,
}

impl Intent<'_> {
    /// Returns what a size of 1.00 is worth.
    fn value_per_unit(&self) -> Option<Decimal> {
        product([self.instrument.contract_size, self.price, self.fx])
    }

    /// Returns what is held, above zero where the order adds to it and below where it closes.
    fn held(&self) -> Option<Decimal> {
        let mut held =
            self.account.held.iter().filter(|held| held.instrument == self.instrument.id);
        let size = held.next().map_or(Some(Decimal::ZERO), |held| held.size)?;
        size.checked_mul(self.side.sign())
    }

    /// Returns what of the order only closes: it takes no room, and frees as much again.
    fn closes(&self) -> Option<Decimal> {
        Decimal::ZERO.checked_sub(self.held()?.min(Decimal::ZERO))
    }

    /// Returns the rooms of the account itself: free margin, and what it may still lose today and
    /// in all (domain rules, section 7). `None` where one is not known.
    pub fn own_rooms(&self) -> Option<Vec<Room>> {
        let (account, mark) = (self.account.account, self.account.mark);
        let equity = mark.equity?;
        let margin = product([self.value_per_unit()?, self.instrument.margin_rate])?;
        let freed = self.closes()?.checked_mul(Decimal::TWO)?.checked_mul(margin)?;
        let mut rooms = vec![Room {
            code: Code::InsufficientMargin,
            free: equity.checked_sub(mark.margin?)?.checked_add(freed)?,
            per_unit: margin,
        }];
        let lost_in_all = account.initial_balance.checked_sub(equity)?;
        let today = account.day.and_then(|start| start.equity.checked_sub(equity));
        let losses = [
            (Code::MaxDailyLoss, account.daily_loss_limit().map(DailyLossColumn::amount), today),
            (Code::MaxDrawdown, account.drawdown_limit(), Some(lost_in_all)),
        ];
        for (code, allowed, lost) in losses {
            // Without a start of the day, the database counts from now.
            let (Some(allowed), lost) = (allowed, lost.unwrap_or_default()) else { continue };
            rooms.push(self.at_stop(code, allowed.checked_sub(lost)?)?);
        }
        Some(rooms)
    }

    /// A room that is used up by what is lost at the stop. What only closes risks nothing.
    fn at_stop(&self, code: Code, free: Decimal) -> Option<Room> {
        let closed = self.closes()?.checked_mul(self.risk_per_unit)?;
        Some(Room { code, free: free.checked_add(closed)?, per_unit: self.risk_per_unit })
    }

    /// Returns an amount in the unit of a limit as money of the account.
    fn money(&self, binding: &Binding<'_>, amount: Decimal, book: &Book) -> Option<Decimal> {
        let limit = binding.limit;
        let shares_of_all =
            limit.owner().is_none() && matches!(limit.scope, Scope::Portfolio | Scope::System);
        let own = [self.account];
        let of = if shares_of_all { binding.covered } else { &own[..] };
        worth(limit, amount, of, &self.account.account.base_currency, book)
    }

    /// Returns what a limit on a size allows, and how much of that one unit of the instrument
    /// takes.
    fn sized(&self, binding: &Binding<'_>, book: &Book) -> Option<(Decimal, Decimal)> {
        let limit = binding.limit;
        match &limit.unit {
            Unit::Other(Plain::Units) => Some((limit.value, Decimal::ONE)),
            Unit::Other(Plain::Lots) => Some((limit.value, self.instrument.lots_per_unit()?)),
            Unit::Other(_) => None,
            Unit::Percentage | Unit::Fraction | Unit::Money(_) => {
                Some((self.money(binding, limit.value, book)?, self.value_per_unit()?))
            }
        }
    }

    /// Returns the room that a limit leaves, or `None` where its kind takes none of a size, or where
    /// something is not known: `desk.assess_trade` then says so.
    pub fn room(&self, binding: &Binding<'_>, book: &Book) -> Option<Room> {
        let limit = binding.limit;
        let code = limit.limit_type.code();
        let (held, closes, value) = (self.held()?, self.closes()?, self.value_per_unit()?);
        let left = || self.money(binding, limit.value.checked_sub(binding.measured)?, book);
        let freed = |per_unit: Decimal| closes.checked_mul(Decimal::TWO)?.checked_mul(per_unit);
        let (free, per_unit) = match limit.limit_type {
            LimitKind::MaxExposure => (left()?.checked_add(freed(value)?)?, value),
            LimitKind::MaxLeverage => {
                let ratio = match &limit.unit {
                    Unit::Percentage => limit.value.checked_div(Decimal::ONE_HUNDRED)?,
                    Unit::Fraction | Unit::Money(_) | Unit::Other(_) => limit.value,
                };
                let allowed = self.account.mark.equity?.checked_mul(ratio)?;
                let gross = self.account.mark.exposure?;
                (allowed.checked_sub(gross)?.checked_add(freed(value)?)?, value)
            }
            LimitKind::MaxPositionSize => {
                let (allowed, per_unit) = self.sized(binding, book)?;
                (allowed.checked_sub(held.checked_mul(per_unit)?)?, per_unit)
            }
            LimitKind::MaxOrderSize | LimitKind::MaxOrderValue => {
                let (allowed, per_unit) = self.sized(binding, book)?;
                (allowed.checked_add(closes.checked_mul(per_unit)?)?, per_unit)
            }
            LimitKind::MaxRiskPerTrade => {
                return self.at_stop(code, self.money(binding, limit.value, book)?);
            }
            LimitKind::MaxOpenRisk
            | LimitKind::MaxDailyLoss
            | LimitKind::MaxWeeklyLoss
            | LimitKind::MaxMonthlyLoss
            | LimitKind::MaxDrawdown => return self.at_stop(code, left()?),
            LimitKind::MaxNetExposure
            | LimitKind::MaxCurrencyExposure
            | LimitKind::MaxCorrelatedExposure
            | LimitKind::MaxOpenPositions
            | LimitKind::MaxDailyTrades
            | LimitKind::MaxLossPerPosition
            | LimitKind::MinMarginLevel
            | LimitKind::PriceCollar
            | LimitKind::MinStopDistance
            | LimitKind::MaxStopDistance
            | LimitKind::MinRiskReward
            | LimitKind::MaxOrdersPerMinute
            | LimitKind::DuplicateWindow
            | LimitKind::MaxConsecutiveLosses
            | LimitKind::MaxSpread
            | LimitKind::MaxPriceAge
            | LimitKind::TradingHours
            | LimitKind::RestrictedInstrument
            | LimitKind::Unknown(_) => return None,
        };
        Some(Room { code, free, per_unit })
    }
}
