//! Price bars.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// A row of `market_data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Start of the bar.
    pub time: DateTime<Utc>,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Ticks or volume in it, as its source counts.
    pub volume: i64,
}
