//! One-minute bars, folded from quotes.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::bar::Bar;
use crate::domain::ids::InstrumentId;
use crate::domain::money::round;
use crate::sim::tables::BarRow;

/// Decimals of a price in `market_data`.
const PRICE_PLACES: u32 = 5;

/// The bars of the running minute, one per instrument.
///
/// A bar is of the mid price, rounded as the column stores it; its volume is the number of quotes.
/// It is complete when a quote of another minute arrives or [`Bars::complete`] is called after its
/// minute: the last bar of a quiet instrument must not wait for the next quote.
#[derive(Debug, Default)]
pub(super) struct Bars(BTreeMap<InstrumentId, Bar>);

impl Bars {
    /// Adds a mid price; returns the bar of another minute that it completes.
    pub(super) fn take(
        &mut self,
        instrument: &InstrumentId,
        time: DateTime<Utc>,
        mid: Decimal,
    ) -> Option<Bar> {
        let price = round(mid, PRICE_PLACES);
        let minute = minute(time)?;
        if let Some(bar) = self.0.get_mut(instrument)
            && bar.time == minute
        {
            bar.high = bar.high.max(price);
            bar.low = bar.low.min(price);
            bar.close = price;
            bar.volume = bar.volume.saturating_add(1);
            return None;
        }
        let (open, high, low, close) = (price, price, price, price);
        let started = Bar { time: minute, open, high, low, close, volume: 1 };
        self.0.insert(instrument.clone(), started)
    }

    /// Removes and returns every bar whose minute was over at `now`.
    pub(super) fn complete(&mut self, now: DateTime<Utc>) -> Vec<(InstrumentId, Bar)> {
        let Some(running) = minute(now) else { return Vec::new() };
        let over: Vec<InstrumentId> = self
            .0
            .iter()
            .filter(|(_, bar)| bar.time < running)
            .map(|(instrument, _)| instrument.clone())
            .collect();
        over.iter().filter_map(|instrument| self.0.remove_entry(instrument)).collect()
    }

    /// Returns the bars of the running minute as they are now.
    pub(super) fn running(&self) -> Vec<(InstrumentId, Bar)> {
        self.0.iter().map(|(instrument, bar)| (instrument.clone(), bar.clone())).collect()
    }
}

/// `market_data.data_source` of simulated bars.
pub(super) const SOURCE: &str = "simulated";

pub(super) fn bar_row(instrument: &str, bar: &Bar, source: &'static str) -> BarRow {
    BarRow {
        time: bar.time,
        instrument: instrument.to_owned(),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
        tick_count: bar.volume,
        timeframe: "M1",
        data_source: source,
    }
}

/// Returns when the minute of `time` began.
fn minute(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    time.duration_trunc(TimeDelta::minutes(1)).ok()
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().expect("a time")
    }

    #[test]
    fn a_bar_holds_open_high_low_and_close_of_its_minute() {
        let (mut bars, euro) = (Bars::default(), InstrumentId::new("EUR_USD"));
        for (time, mid) in [
            ("2026-01-05T10:00:00.1Z", dec!(1.1001)),
            ("2026-01-05T10:00:20Z", dec!(1.1011)),
            ("2026-01-05T10:00:40Z", dec!(1.0991)),
            ("2026-01-05T10:00:59.999Z", dec!(1.100455)),
        ] {
            assert_eq!(bars.take(&euro, at(time), mid), None);
        }

        let done = bars.take(&euro, at("2026-01-05T10:01:00Z"), dec!(1.1006));

        let bar = Bar {
            time: at("2026-01-05T10:00:00Z"),
            open: dec!(1.10010),
            high: dec!(1.10110),
            low: dec!(1.09910),
            // Ties round away from zero, as in the column.
            close: dec!(1.10046),
            volume: 4,
        };
        assert_eq!(done, Some(bar));
    }

    #[test]
    fn the_bar_of_a_quiet_instrument_is_complete_after_its_minute() {
        let (mut bars, euro) = (Bars::default(), InstrumentId::new("EUR_USD"));
        bars.take(&euro, at("2026-01-05T10:00:30Z"), dec!(1.1));

        assert_eq!(bars.complete(at("2026-01-05T10:00:59Z")), []);
        let done = bars.complete(at("2026-01-05T10:01:00Z"));
        assert_eq!(done.len(), 1);
        assert_eq!(bars.complete(at("2026-01-05T10:02:00Z")), []);
    }
}
