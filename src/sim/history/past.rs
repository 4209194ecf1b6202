//! The market of the last hours: bars, and the last quotes.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::bar::Bar;
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::sim::bars::{Bars, SOURCE, bar_row};
use crate::sim::instruments::SPECS;
use crate::sim::market::Market;
use crate::sim::tables::BarRow;

/// Length of the history.
const HOURS: i64 = 3;

/// Quotes per second, enough for a bar in nearly every minute of the quietest instrument.
const RATE: u32 = 4;

/// The market of the last hours.
pub(super) struct Past {
    pub(super) started: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    /// Per instrument, its bars by minutes since the start.
    series: Vec<BTreeMap<i64, Bar>>,
    pub(super) last: BTreeMap<InstrumentId, Quote>,
}

impl Past {
    /// Runs the market up to `now`.
    pub(super) fn play(seed: u64, now: DateTime<Utc>, prices: &[(InstrumentId, Decimal)]) -> Self {
        // On a full minute, so that bars and minutes have the same numbers.
        let started = now - TimeDelta::hours(HOURS);
        let started = started.duration_trunc(TimeDelta::minutes(1)).unwrap_or(started);
        let mut market = Market::new(seed, started, RATE, prices);
        let mut past = Self {
            started,
            now,
            series: SPECS.iter().map(|_| BTreeMap::new()).collect(),
            last: BTreeMap::new(),
        };
        let mut bars = Bars::default();
        while let Some(quote) = market.next(now) {
            if let Some(mid) = quote.mid()
                && let Some(bar) = bars.take(&quote.instrument, quote.time, mid)
            {
                past.keep(&quote.instrument, bar);
            }
            past.last.insert(quote.instrument.clone(), quote);
        }
        for (instrument, bar) in bars.complete(now) {
            past.keep(&instrument, bar);
        }
        past
    }

    fn keep(&mut self, instrument: &InstrumentId, bar: Bar) {
        let minute = (bar.time - self.started).num_minutes();
        let at = SPECS.iter().position(|spec| spec.name == instrument.as_str());
        if let Some(series) = at.and_then(|at| self.series.get_mut(at)) {
            series.insert(minute, bar);
        }
    }

    pub(super) fn minutes(&self) -> i64 {
        (self.now - self.started).num_minutes()
    }

    pub(super) fn time(&self, minute: i64) -> DateTime<Utc> {
        self.started + TimeDelta::minutes(minute)
    }

    /// The mid price at the end of a minute, in ticks.
    pub(super) fn mid(&self, index: usize, minute: i64) -> Option<i64> {
        let (_, bar) = self.series.get(index)?.range(..=minute).next_back()?;
        SPECS.get(index)?.ticks(bar.close)
    }

    /// Lowest and highest mid price after minute `from` up to minute `to`, in ticks.
    pub(super) fn range(&self, index: usize, from: i64, to: i64) -> Option<(i64, i64)> {
        let spec = SPECS.get(index)?;
        let bars = self.series.get(index)?.range(from.saturating_add(1)..=to);
        bars.fold(None, |seen: Option<(i64, i64)>, (_, bar)| {
            let (low, high) = (spec.ticks(bar.low)?, spec.ticks(bar.high)?);
            Some(seen.map_or((low, high), |(a, b)| (a.min(low), b.max(high))))
        })
    }

    pub(super) fn bars(&self) -> Vec<BarRow> {
        let named = SPECS.iter().zip(&self.series);
        named
            .flat_map(|(spec, bars)| bars.values().map(|bar| bar_row(&spec.name, bar, SOURCE)))
            .collect()
    }
}
