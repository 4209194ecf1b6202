//! Price bars.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// A row of `market_data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    pub time: DateTime<Utc>,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    /// Ticks or volume in it, as its source counts.
    pub volume: i64,
}
