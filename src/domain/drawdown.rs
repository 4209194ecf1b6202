//! Floors under equity: of the day, and of the whole life of an account.
//!
//! Which rule an account has is data (prop firms differ and change theirs); here are the forms that
//! rules take (domain rules, section 9). Amounts are in the account's currency, not rounded.

use rust_decimal::Decimal;

/// Whether reaching a limit exactly already breaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Reaching it breaks it: the default for losses.
    Inclusive,
    /// Only going beyond it does: the default for sizes and exposure.
    Exclusive,
}

/// How the floor under an account moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trail {
    Static,
    /// With the highest balance at the end of a day, never down.
    EndOfDayBalance,
    /// With the highest equity at any moment, never down, and never above `lock`.
    IntradayEquity {
        /// Where it stops rising; `None` is nowhere.
        lock: Option<Decimal>,
    },
}

/// The highest values that an account has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peaks {
    /// Highest balance at the end of a trading day.
    pub balance: Decimal,
    /// Highest equity at any moment.
    pub equity: Decimal,
}

/// Returns the equity below which an account has lost `max_loss` too much. No peak is below the
/// initial balance.
pub fn floor(trail: Trail, max_loss: Decimal, initial: Decimal, peaks: Peaks) -> Option<Decimal> {
    match trail {
        Trail::Static => initial.checked_sub(max_loss),
        Trail::EndOfDayBalance => initial.max(peaks.balance).checked_sub(max_loss),
        Trail::IntradayEquity { lock } => {
            let trailing = initial.max(peaks.equity).checked_sub(max_loss)?;
            Some(lock.map_or(trailing, |lock| trailing.min(lock)))
        }
    }
}

/// What of the start of a day its loss is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayBase {
    Balance,
    Equity,
    /// The higher of the two.
    Higher,
}

/// How much may be lost in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayLoss {
    Amount(Decimal),
    /// A share of the initial balance.
    OfInitial(Decimal),
    /// A share of what the day is counted from.
    OfDayStart(Decimal),
}

/// Returns the equity below which a day has lost too much.
pub fn day_floor(
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
pub struct Standing {
    /// What may still be lost; below zero where it is lost already.
    pub room: Decimal,
    /// How far equity is below the floor; never below zero.
    pub shortfall: Decimal,
    /// Whether the rule is broken.
    pub is_breach: bool,
}

/// Compares an equity with a floor.
pub fn standing(equity: Decimal, floor: Decimal, edge: Edge) -> Option<Standing> {
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
pub struct Fall {
    pub peak: Decimal,
    pub trough: Decimal,
    /// `(peak − trough) / peak`.
    pub share: Decimal,
}

/// Returns the deepest fall of a series, in its order; `None` for an empty one, or where a peak is
/// not above zero and no share of it means anything.
pub fn deepest_fall(series: impl IntoIterator<Item = Decimal>) -> Option<Fall> {
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

/// How the column `max_daily_loss` is read: it has no unit (vector DD-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DailyLossColumn {
    /// At most 1: a share of the initial balance.
    Fraction {
        /// That share, as an amount.
        amount: Decimal,
    },
    /// Above 1: an amount in the base currency.
    Amount(Decimal),
}

impl DailyLossColumn {
    /// Reads the column; `None` where it is not above zero, which is no limit and is refused.
    pub fn read(column: Decimal, initial: Decimal) -> Option<Self> {
        if column <= Decimal::ZERO {
            None
        } else if column <= Decimal::ONE {
            Some(Self::Fraction { amount: initial.checked_mul(column)? })
        } else {
            Some(Self::Amount(column))
        }
    }

    /// Returns what may be lost in a day.
    pub fn amount(self) -> Decimal {
        match self {
            Self::Fraction { amount } | Self::Amount(amount) => amount,
        }
    }
}
