//! What closed trades say about how one trades (domain rules, section 4).

use rust_decimal::Decimal;

use super::rounding::sum;

/// Figures of closed trades, not rounded. What has no value is `None`, never zero and never
/// infinite: a profit factor without a loss, an average of nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) win_rate: Option<Decimal>,
    /// Σ wins over Σ losses, above zero.
    pub(crate) profit_factor: Option<Decimal>,
    pub(crate) average_win: Option<Decimal>,
    /// Mean of the losses, below zero.
    pub(crate) average_loss: Option<Decimal>,
    pub(crate) expectancy: Option<Decimal>,
}

impl Performance {
    /// Reads the net P&L of each closed trade; `None` on overflow. A trade that ended at exactly
    /// zero is neither won nor lost, and counts among all.
    pub(crate) fn of(nets: &[Decimal]) -> Option<Self> {
        let wins: Vec<Decimal> = nets.iter().copied().filter(|n| *n > Decimal::ZERO).collect();
        let losses: Vec<Decimal> = nets.iter().copied().filter(|n| *n < Decimal::ZERO).collect();
        let (won, lost) = (sum(wins.iter().copied())?, sum(losses.iter().copied())?);
        let all = sum(nets.iter().copied())?;
        Some(Self {
            win_rate: Decimal::from(wins.len()).checked_div(Decimal::from(nets.len())),
            profit_factor: won.checked_div(lost.abs()),
            average_win: won.checked_div(Decimal::from(wins.len())),
            average_loss: lost.checked_div(Decimal::from(losses.len())),
            expectancy: all.checked_div(Decimal::from(nets.len())),
        })
    }
}
