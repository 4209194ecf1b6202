//! Floors under equity: of the day, and of the whole life of an account; and how equity compares with
//! them. Amounts are in the account's currency, not rounded.

use rust_decimal::Decimal;
use tmt::domain::drawdown::{DayBase, Edge, Peaks};

/// How the floor under an account moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trail {
    Static,
    /// With the highest balance at the end of a day, never down.
    EndOfDayBalance,
    /// With the highest equity at any moment, never down, and never above `lock`.
    IntradayEquity {
        /// Where it stops rising; `None` is nowhere.
        lock: Option<Decimal>,
    },
}

/// Returns the equity below which an account has lost `max_loss` too much. No peak is below the
/// initial balance.
pub(crate) fn floor(
    trail: Trail,
    max_loss: Decimal,
    initial: Decimal,
    peaks: Peaks,
) -> Option<Decimal> {
    match trail {
        Trail::Static => initial.checked_sub(max_loss),
        Trail::EndOfDayBalance => initial.max(peaks.balance).checked_sub(max_loss),
        Trail::IntradayEquity { lock } => {
            let trailing = initial.max(peaks.equity).checked_sub(max_loss)?;
            Some(lock.map_or(trailing, |lock| trailing.min(lock)))
        }
    }
}

/// How much may be lost in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayLoss {
    Amount(Decimal),
    /// A share of the initial balance.
    OfInitial(Decimal),
    /// A share of what the day is counted from.
    OfDayStart(Decimal),
}

/// Returns the equity below which a day has lost too much.
pub(crate) fn day_floor(
    base: DayBase,
    loss: DayLoss,
    initial: Decimal,
    balance: Decimal,
    equity: Decimal,
) -> Option<Decimal> {
    let start = match base {
        DayBase::Balance => balance,
        DayBase::Equity => equity,
        DayBase::Higher => balance.max(equity),
    };
    let allowed = match loss {
        DayLoss::Amount(amount) => amount,
        DayLoss::OfInitial(share) => initial.checked_mul(share)?,
        DayLoss::OfDayStart(share) => start.checked_mul(share)?,
    };
    start.checked_sub(allowed)
}

/// How an equity stands to its floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What may still be lost; below zero where it is lost already.
    pub(crate) room: Decimal,
    /// How far equity is below the floor; never below zero.
    pub(crate) shortfall: Decimal,
    /// Whether the rule is broken.
    pub(crate) is_breach: bool,
}

/// Compares an equity with a floor.
pub(crate) fn standing(equity: Decimal, floor: Decimal, edge: Edge) -> Option<Standing> {
    let room = equity.checked_sub(floor)?;
    Some(Standing {
        room,
        shortfall: floor.checked_sub(equity)?.max(Decimal::ZERO),
        is_breach: match edge {
            Edge::Inclusive => room <= Decimal::ZERO,
            Edge::Exclusive => room < Decimal::ZERO,
        },
    })
}

/// The deepest fall of an equity from a peak before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fall {
    pub(crate) peak: Decimal,
    pub(crate) trough: Decimal,
    /// `(peak − trough) / peak`.
    pub(crate) share: Decimal,
}

/// Returns the deepest fall of a series, in its order; `None` for an empty one, or where a peak is
/// not above zero and no share of it means anything.
pub(crate) fn deepest_fall(series: impl IntoIterator<Item = Decimal>) -> Option<Fall> {
    let mut series = series.into_iter();
    let mut peak = series.next()?;
    let mut deepest = Fall { peak, trough: peak, share: Decimal::ZERO };
    for value in series {
        peak = peak.max(value);
        if peak <= Decimal::ZERO {
            return None;
        }
        let share = peak.checked_sub(value)?.checked_div(peak)?;
        if share > deepest.share {
            deepest = Fall { peak, trough: value, share };
        }
    }
    Some(deepest)
}
