//! The answers of the rulebook to the vectors, on real PostgreSQL.
//!
//! Each vector has a transaction of its own, which is rolled back: all start with the same desk.

#[path = "sql/account.rs"]
mod account;
#[path = "sql/booking.rs"]
mod booking;
#[path = "sql/days.rs"]
mod days;
#[path = "sql/exposure.rs"]
mod exposure;
#[path = "sql/limits.rs"]
mod limits;
#[path = "sql/orders.rs"]
mod orders;
#[path = "sql/scene.rs"]
mod scene;
#[path = "sql/sums.rs"]
mod sums;
#[path = "sql/values.rs"]
mod values;

use crate::form::Form;
use crate::reading::{Judged, Vector};

pub(crate) use scene::Desk;
use scene::Scene;

impl Desk {
    /// Returns the answer of the SQL; `None` where only Rust computes the vector.
    pub(crate) async fn judge(&self, form: Form, vector: &Vector) -> Option<Judged> {
        let scene = self.begin().await;
        let answer = scene.answer(form, vector).await;
        scene.rollback().await;
        answer
    }
}

impl Scene {
    #[expect(clippy::cognitive_complexity, reason = "one line for each form, and nothing else")]
    async fn answer(&self, form: Form, vector: &Vector) -> Option<Judged> {
        Some(match form {
            Form::Netting => booking::netting(self, vector).await,
            Form::AverageAndFifo => booking::average_and_fifo(self, vector).await,
            Form::Hedging => booking::hedging(self, vector).await,
            Form::GapLoss => sums::gap_loss(self, vector).await,
            Form::SwapNights => sums::swap_nights(self, vector).await,
            Form::OpenProfit => values::open_profit(self, vector).await,
            Form::BothMarks => values::both_marks(self, vector).await,
            Form::RateOrNone => values::rate_or_none(self, vector).await,
            Form::Book => exposure::book(self, vector).await,
            Form::AfterOrder => exposure::after_order(self, vector).await,
            Form::Margin => exposure::margin(self, vector).await,
            Form::PortfolioLimit => exposure::portfolio_limit(self, vector).await,
            Form::ByCurrency => exposure::by_currency(self, vector).await,
            Form::Validation => orders::validation(self, vector).await,
            Form::TradeRisk => orders::trade_risk(self, vector).await,
            Form::RewardToRisk => orders::reward_to_risk(self, vector).await,
            Form::Collar => orders::collar(self, vector).await,
            Form::OrderRate => orders::rate(self, vector).await,
            Form::Duplicates => orders::duplicates(self, vector).await,
            Form::ReduceOnly => orders::reduce_only(self, vector).await,
            Form::StaticFloor => account::static_floor(self, vector).await,
            Form::EndOfDayFloors => account::end_of_day(self, vector).await,
            Form::DayFloor => account::day_floor(self, vector).await,
            Form::OnTheFloor => account::on_the_floor(self, vector).await,
            Form::IntradayFloors => account::intraday(self, vector).await,
            Form::DailyLossColumn => account::daily_loss_column(self, vector).await,
            Form::Equity => account::equity(self, vector).await,
            Form::Performance => sums::performance(self, vector).await,
            Form::DayBoundaries => days::boundaries(self, vector).await,
            Form::Windows => days::windows(self, vector).await,
            Form::ExposureLimit => limits::exposure_limit(self, vector).await,
            Form::LimitStates => limits::states(self, vector).await,
            Form::LimitsInForce => limits::in_force(self, vector).await,
            Form::UnitReadings => limits::unit_readings(self, vector).await,
            Form::FourEyes => limits::four_eyes(self, vector).await,
            Form::Rounding => account::rounding(self, vector).await,
            Form::Splitting => account::splitting(self, vector).await,
            Form::TypicalPrice => account::typical_price(self, vector).await,
            Form::Pips | Form::Sizing | Form::DeepestFall | Form::Steps | Form::Floats => {
                return None;
            }
        })
    }
}
