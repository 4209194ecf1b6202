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

/// The highest values that an account has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peaks {
    /// Highest balance at the end of a trading day.
    pub balance: Decimal,
    /// Highest equity at any moment.
    pub equity: Decimal,
}

words! {
    /// What of the start of a day its loss is counted from.
    pub enum DayBase {
        Balance = "balance",
        Equity = "equity",
        /// The higher of the two.
        Higher = "higher",
    }
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
