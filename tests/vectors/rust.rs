//! What the Rust half of the rulebook makes of a vector.

#[path = "rust/booking.rs"]
mod booking;
#[path = "rust/floors.rs"]
mod floors;
#[path = "rust/limits.rs"]
mod limits;
#[path = "rust/orders.rs"]
mod orders;
#[path = "rust/sums.rs"]
mod sums;
#[path = "rust/values.rs"]
mod values;

use rust_decimal::{Decimal, dec};
use tmt::domain::ids::InstrumentId;
use tmt::domain::instrument::Instrument;

use crate::form::Form;
use crate::reading::{Judged, Vector};

/// Asks the Rust; `None` where only SQL computes such a thing.
pub(crate) fn judge(form: Form, vector: &Vector) -> Option<Judged> {
    Some(match form {
        Form::Netting => booking::netting(vector),
        Form::AverageAndFifo => booking::average_and_fifo(vector),
        Form::Hedging => booking::hedging(vector),
        Form::OpenProfit => values::open_profit(vector),
        Form::BothMarks => values::both_marks(vector),
        Form::RateOrNone => values::rate_or_none(vector),
        Form::Pips => values::pips(vector),
        Form::Book => values::book(vector),
        Form::ByCurrency => values::by_currency(vector),
        Form::AfterOrder => values::after_order(vector),
        Form::Margin => values::margin(vector),
        Form::PortfolioLimit => values::portfolio_limit(vector),
        Form::Equity => values::equity(vector),
        Form::Sizing => orders::sizing(vector),
        Form::Validation => orders::validation(vector),
        Form::TradeRisk => orders::trade_risk(vector),
        Form::RewardToRisk => orders::reward_to_risk(vector),
        Form::Collar => orders::collar(vector),
        Form::StaticFloor => floors::static_floor(vector),
        Form::EndOfDayFloors => floors::end_of_day(vector),
        Form::DayFloor => floors::day(vector),
        Form::OnTheFloor => floors::on_the_floor(vector),
        Form::IntradayFloors => floors::intraday(vector),
        Form::DeepestFall => floors::deepest_fall(vector),
        Form::DailyLossColumn => floors::daily_loss_column(vector),
        Form::ExposureLimit => limits::exposure_limit(vector),
        Form::LimitStates => limits::states(vector),
        Form::LimitsInForce => limits::in_force(vector),
        Form::UnitReadings => limits::unit_readings(vector),
        Form::SwapNights => sums::swap_nights(vector),
        Form::Rounding => sums::rounding(vector),
        Form::Steps => sums::steps(vector),
        Form::Floats => sums::floats(vector),
        Form::Splitting => sums::splitting(vector),
        Form::Performance => sums::performance(vector),
        Form::DayBoundaries
        | Form::ReduceOnly
        | Form::OrderRate
        | Form::Duplicates
        | Form::FourEyes
        | Form::Windows
        | Form::TypicalPrice
        | Form::GapLoss => return None,
    })
}

/// An instrument whose ticks and steps are those of the columns.
fn instrument(contract_size: Decimal) -> Instrument {
    Instrument {
        id: InstrumentId::new("EUR_USD"),
        asset_class: "fx".to_owned(),
        base_currency: "EUR".to_owned(),
        quote_currency: "USD".to_owned(),
        contract_size,
        size_step: dec!(0.01),
        min_size: dec!(0.01),
        max_size: None,
        tick_size: dec!(0.00001),
        pip_size: dec!(0.0001),
        margin_rate: dec!(0.0333),
        is_tradable: true,
        aliases: Vec::new(),
    }
}

/// A number that the domain answered, or that it overflowed.
fn some<T>(answer: Option<T>) -> Result<T, String> {
    answer.ok_or_else(|| "the domain has no number for this".to_owned())
}
