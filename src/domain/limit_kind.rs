//! What can be limited.

use super::code::Code;
use super::drawdown::Edge;
use super::threshold::Bound;

open_words! {
    /// What a limit measures: `risk_limits.limit_type`. One that is not known is shown, and not
    /// measured here.
    pub enum LimitKind {
        MaxExposure = "max_exposure",
        MaxNetExposure = "max_net_exposure",
        MaxCurrencyExposure = "max_currency_exposure",
        MaxCorrelatedExposure = "max_correlated_exposure",
        MaxPositionSize = "max_position_size",
        MaxOrderSize = "max_order_size",
        MaxOrderValue = "max_order_value",
        MaxRiskPerTrade = "max_risk_per_trade",
        MaxOpenRisk = "max_open_risk",
        MaxOpenPositions = "max_open_positions",
        MaxDailyTrades = "max_daily_trades",
        MaxDailyLoss = "max_daily_loss",
        MaxWeeklyLoss = "max_weekly_loss",
        MaxMonthlyLoss = "max_monthly_loss",
        MaxDrawdown = "max_drawdown",
        MaxLossPerPosition = "max_loss_per_position",
        MaxLeverage = "max_leverage",
        MinMarginLevel = "min_margin_level",
        PriceCollar = "price_collar",
        MinStopDistance = "min_stop_distance",
        MaxStopDistance = "max_stop_distance",
        MinRiskReward = "min_risk_reward",
        MaxOrdersPerMinute = "max_orders_per_minute",
        DuplicateWindow = "duplicate_window",
        MaxConsecutiveLosses = "max_consecutive_losses",
        MaxSpread = "max_spread",
        MaxPriceAge = "max_price_age",
        TradingHours = "trading_hours",
        RestrictedInstrument = "restricted_instrument",
    }
}

impl LimitKind {
    /// Returns the code of a check that holds an order against such a limit.
    pub fn code(&self) -> Code {
        Code::read(&self.as_str().to_uppercase())
    }

    /// Returns on which side of the limit one may be (`limit_types.is_minimum`).
    pub fn bound(&self) -> Bound {
        let is_minimum =
            matches!(self, Self::MinMarginLevel | Self::MinStopDistance | Self::MinRiskReward);
        if is_minimum { Bound::AtLeast } else { Bound::AtMost }
    }

    /// Tells whether reaching the limit breaks it (`limit_types.inclusive`): losses and drawdown
    /// do, size and exposure do not (domain rules, section 9).
    pub fn edge(&self) -> Edge {
        let is_inclusive = matches!(
            self,
            Self::MaxDailyLoss
                | Self::MaxWeeklyLoss
                | Self::MaxMonthlyLoss
                | Self::MaxDrawdown
                | Self::MaxLossPerPosition
                | Self::MaxConsecutiveLosses
        );
        if is_inclusive { Edge::Inclusive } else { Edge::Exclusive }
    }
}
