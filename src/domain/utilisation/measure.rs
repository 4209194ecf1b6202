//! What a limit measures, in its own unit.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{AccountMark, Held};
use crate::domain::account::{Account, Start};
use crate::domain::drawdown::DayBase;
use crate::domain::exposure::{Leg, by_currency, leverage};
use crate::domain::halt::Scope;
use crate::domain::limit::{Limit, LimitKind, Lock, Plain, Trailing, Unit};
use crate::domain::margin;
use crate::domain::marking::Book;
use crate::domain::rounding::sum;
use crate::domain::threshold::Bound;

/// An account that a limit looks at, with what it is worth and holds now.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    pub account: &'a Account,
    pub mark: &'a AccountMark,
    /// What it holds, by instrument.
    pub held: &'a [Held],
}

/// What a limit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// So much, in the limit's unit.
    Number(Decimal),
    /// More than any number: a position without a stop is part of it.
    Unbounded,
    /// The console does not compute it, or a price or a rate is missing.
    Unknown,
}

impl Measured {
    /// Returns the number, where there is one.
    pub fn number(self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(number),
            Self::Unbounded | Self::Unknown => None,
        }
    }
}

impl From<Option<Decimal>> for Measured {
    fn from(number: Option<Decimal>) -> Self {
        number.map_or(Self::Unknown, Self::Number)
    }
}

/// Measures what a limit limits, over the accounts that it covers.
///
/// A limit of scope `account` that names none holds for each account by itself, and so does one on
/// the size of a position: then it is the account that uses most of it that is measured.
pub fn measure(limit: &Limit, covered: &[Covered<'_>], book: &Book) -> Measured {
    let is_each =
        matches!(limit.limit_type, LimitKind::MaxPositionSize | LimitKind::MaxLossPerPosition)
            || (limit.scope == Scope::Account && limit.owner().is_none());
    if !is_each {
        return Together { limit, covered, book }.measure();
    }
    let each = covered.iter().map(|one| {
        let covered = std::slice::from_ref(one);
        Together { limit, covered, book }.measure()
    });
    each.reduce(|one, other| worse(limit.bound(), one, other)).unwrap_or(Measured::Unknown)
}

/// Returns an amount in the unit of a limit as money of `currency`; shares are of the equity of the
/// accounts that are given. `None` where the unit is no money.
pub(super) fn worth(
    limit: &Limit,
    amount: Decimal,
    covered: &[Covered<'_>],
    currency: &str,
    book: &Book,
) -> Option<Decimal> {
    let equity = covered.iter().try_fold(Decimal::ZERO, |total, one| {
        let rate = book.rate(&one.account.base_currency, currency)?;
        total.checked_add(one.mark.equity?.checked_mul(rate)?)
    })?;
    match &limit.unit {
        Unit::Money(unit) => amount.checked_mul(book.rate(unit, currency)?),
        share @ (Unit::Percentage | Unit::Fraction) => share.amount(amount, equity),
        Unit::Other(_) => None,
    }
}

/// Returns the one of two that is nearer to breaking a limit. What is not known might be.
fn worse(bound: Bound, one: Measured, other: Measured) -> Measured {
    match (one, other) {
        (Measured::Unbounded, _) | (_, Measured::Unbounded) => Measured::Unbounded,
        (Measured::Number(one), Measured::Number(other)) => Measured::Number(match bound {
            Bound::AtMost => one.max(other),
            Bound::AtLeast => one.min(other),
        }),
        (Measured::Unknown, _) | (_, Measured::Unknown) => Measured::Unknown,
    }
}

/// Accounts that a limit looks at together.
#[derive(Clone, Copy)]
struct Together<'a> {
    limit: &'a Limit,
    covered: &'a [Covered<'a>],
    book: &'a Book,
}

impl Together<'_> {
    fn measure(&self) -> Measured {
        match self.limit.limit_type {
            LimitKind::MaxExposure => self.money(|one| self.exposure(one)),
            LimitKind::MaxNetExposure => self.money(|one| one.mark.net).map(|net| net.abs()),
            LimitKind::MaxCurrencyExposure => self.currency_exposure(),
            LimitKind::MaxOpenRisk if self.held().any(|held| held.unbounded > 0) => {
                return Measured::Unbounded;
            }
            LimitKind::MaxOpenRisk => self.money(|one| sum_of(one.held, |held| held.stop_risk)),
            LimitKind::MaxLossPerPosition => {
                self.money(|one| self.worst(one, |held| held.worst_loss))
            }
            LimitKind::MaxPositionSize => self.position_size(),
            LimitKind::MaxOpenPositions => {
                let count: u64 = self.held().map(|held| u64::from(held.positions)).sum();
                Some(Decimal::from(count))
            }
            LimitKind::MaxLeverage => {
                self.ratio(|one| leverage(one.mark.exposure?, one.mark.equity?))
            }
            LimitKind::MinMarginLevel => {
                self.ratio(|one| margin::level(one.mark.equity?, one.mark.margin?))
            }
            LimitKind::MaxDailyLoss => self.period_loss(|account| account.day),
            LimitKind::MaxWeeklyLoss => self.period_loss(|account| account.week),
            LimitKind::MaxMonthlyLoss => self.period_loss(|account| account.month),
            LimitKind::MaxDrawdown => self.drawdown(),
            LimitKind::MaxCorrelatedExposure
            | LimitKind::MaxOrderSize
            | LimitKind::MaxOrderValue
            | LimitKind::MaxRiskPerTrade
            | LimitKind::MaxDailyTrades
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
            | LimitKind::Unknown(_) => None,
        }
        .into()
    }

    /// What the limit looks at: everything, or what is held of one instrument.
    fn looks_at(&self, held: &Held) -> bool {
        self.limit.scope != Scope::Instrument
            || self.limit.identifier.as_deref() == Some(held.instrument.as_str())
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.covered.iter().flat_map(|one| one.held).filter(|held| self.looks_at(held))
    }

    /// The currency in which amounts are added up: that of the limit, or one that cancels.
    fn currency(&self) -> Option<&str> {
        match &self.limit.unit {
            Unit::Money(currency) => Some(currency),
            Unit::Percentage | Unit::Fraction | Unit::Other(_) => {
                Some(self.covered.first()?.account.base_currency.as_str())
            }
        }
    }

    /// Σ of an amount in the currency of each account.
    fn sum(&self, amount: impl Fn(&Covered<'_>) -> Option<Decimal>) -> Option<Decimal> {
        let currency = self.currency()?;
        self.covered.iter().try_fold(Decimal::ZERO, |total, one| {
            let rate = self.book.rate(&one.account.base_currency, currency)?;
            total.checked_add(amount(one)?.checked_mul(rate)?)
        })
    }

    /// Σ of an amount, in the unit of the limit; shares are of the equity.
    fn money(&self, amount: impl Fn(&Covered<'_>) -> Option<Decimal>) -> Option<Decimal> {
        let total = self.sum(amount)?;
        self.in_unit(total, || self.equity())
    }

    /// An amount in the unit of the limit; shares are of `whole`.
    fn in_unit(&self, amount: Decimal, whole: impl Fn() -> Option<Decimal>) -> Option<Decimal> {
        match &self.limit.unit {
            Unit::Money(_) => Some(amount),
            unit @ (Unit::Percentage | Unit::Fraction) => unit.of_amount(amount, whole()?),
            Unit::Other(_) => None,
        }
    }

    /// What percentages are of: the equity of all that the limit looks at.
    fn equity(&self) -> Option<Decimal> {
        self.sum(|one| one.mark.equity)
    }

    /// A ratio of one account.
    fn ratio(&self, of: impl Fn(&Covered<'_>) -> Option<Decimal>) -> Option<Decimal> {
        let [one] = self.covered else { return None };
        let ratio = of(one)?;
        match &self.limit.unit {
            Unit::Percentage => ratio.checked_mul(Decimal::ONE_HUNDRED),
            Unit::Other(Plain::Ratio) => Some(ratio),
            Unit::Fraction | Unit::Money(_) | Unit::Other(_) => None,
        }
    }

    fn exposure(&self, one: &Covered<'_>) -> Option<Decimal> {
        if self.limit.scope != Scope::Instrument {
            return one.mark.exposure;
        }
        let looked_at = one.held.iter().filter(|held| self.looks_at(held));
        looked_at
            .map(Held::value)
            .try_fold(Decimal::ZERO, |total, value| total.checked_add(value?.abs()))
    }

    /// The largest figure over instruments; zero where nothing is held.
    fn worst(
        &self,
        one: &Covered<'_>,
        figure: impl Fn(&Held) -> Option<Decimal>,
    ) -> Option<Decimal> {
        let looked_at = one.held.iter().filter(|held| self.looks_at(held));
        looked_at.map(figure).try_fold(Decimal::ZERO, |worst, figure| Some(worst.max(figure?)))
    }

    fn position_size(&self) -> Option<Decimal> {
        let [one] = self.covered else { return None };
        match &self.limit.unit {
            Unit::Other(Plain::Units) => self.worst(one, |held| held.size.map(|size| size.abs())),
            Unit::Other(Plain::Lots) => self.worst(one, Held::lots),
            Unit::Other(_) => None,
            Unit::Percentage | Unit::Fraction | Unit::Money(_) => {
                self.money(|one| self.worst(one, |held| held.value().map(|value| value.abs())))
            }
        }
    }

    /// The currency of which there is most, on whichever side.
    fn currency_exposure(&self) -> Option<Decimal> {
        let currency = self.currency()?;
        let legs: Option<Vec<Leg>> = self.held().map(Held::leg).collect();
        let amounts: BTreeMap<String, Decimal> = by_currency(&legs?)?;
        let named = self.limit.parameters.currency.as_deref();
        let most = amounts
            .iter()
            .filter(|(held, _)| named.is_none_or(|named| named == *held))
            .try_fold(Decimal::ZERO, |most, (held, amount)| {
                let worth = amount.abs().checked_mul(self.book.rate(held, currency)?)?;
                Some(most.max(worth))
            })?;
        self.in_unit(most, || self.equity())
    }

    /// What was lost since a period began; nothing where it gained.
    fn period_loss(&self, start: impl Fn(&Account) -> Option<Start>) -> Option<Decimal> {
        let parameters = &self.limit.parameters;
        let balance = self.sum(|one| Some(start(one.account)?.balance));
        let equity = self.sum(|one| Some(start(one.account)?.equity));
        let base = match parameters.base {
            Some(DayBase::Balance) => balance,
            Some(DayBase::Higher) => balance.zip(equity).map(|(one, other)| one.max(other)),
            Some(DayBase::Equity) | None => equity,
        }?;
        let lost = base.checked_sub(self.sum(|one| one.mark.equity)?)?.max(Decimal::ZERO);
        self.in_unit(lost, || if parameters.is_of_initial { self.initial() } else { Some(base) })
    }

    fn initial(&self) -> Option<Decimal> {
        self.sum(|one| Some(one.account.initial_balance))
    }

    /// What was lost since the start, or since the peak that the floor follows.
    fn drawdown(&self) -> Option<Decimal> {
        let initial = self.initial()?;
        let peak = match self.limit.parameters.trailing {
            None => initial,
            Some(Trailing::EndOfDayBalance) => self.peak(|peaks| peaks.balance, initial)?,
            // The peak of this moment is not in the database yet.
            Some(Trailing::IntradayEquity) => {
                self.peak(|peaks| peaks.equity, initial)?.max(self.sum(|one| one.mark.equity)?)
            }
        };
        let from = match self.limit.parameters.lock {
            None => peak,
            Some(lock) => {
                let lock = match lock {
                    Lock::Initial => initial,
                    Lock::At(amount) => amount,
                };
                // The floor stops at the lock, so what may be lost is counted from above it.
                let allowed = self.limit.unit.amount(self.limit.value, initial)?;
                peak.min(lock.checked_add(allowed)?)
            }
        };
        let lost = from.checked_sub(self.sum(|one| one.mark.equity)?)?.max(Decimal::ZERO);
        self.in_unit(lost, || Some(initial))
    }

    fn peak(
        &self,
        of: impl Fn(&crate::domain::drawdown::Peaks) -> Decimal,
        initial: Decimal,
    ) -> Option<Decimal> {
        Some(self.sum(|one| one.account.peaks.as_ref().map(&of))?.max(initial))
    }
}

fn sum_of(held: &[Held], figure: impl Fn(&Held) -> Option<Decimal>) -> Option<Decimal> {
    let figures: Option<Vec<Decimal>> = held.iter().map(figure).collect();
    sum(figures?)
}
