//! A random market: the same seed and start give the same quotes on every machine.
//!
//! Prices are whole thousandths of a tick and time is whole microseconds; there is no floating
//! point. The time and instrument of each quote depend on the seed alone, never on how often the
//! market is polled, so a slow machine sees the same prices as a fast one.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::instruments::{Motion, SPECS, Spec, find};
use super::rng::{Rng, SIGMA};
use super::sessions;
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;

/// Thousandths of a tick, the unit of middle prices.
const TICK: i64 = 1_000;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// Mean reversion: a price moves back by 1/PULL of its distance from the start each second, half of
/// it in about four hours. Without it a demo that runs for days ends at absurd prices.
const PULL: i64 = 20_000;

/// A price jumps once in this many seconds on average, per instrument.
const SECONDS_BETWEEN_JUMPS: i64 = 900;

/// Half-life of the spread's widening after a jump, in microseconds.
const WIDENING_HALF_LIFE: i64 = 4 * SECOND;

/// The smallest and largest jump, in standard deviations of one second.
const JUMP: (i64, i64) = (6, 18);

/// Random stream that picks instruments; the instruments themselves have 0, 1, 2 …
const CHOICE: u64 = 1_000;

/// A random market of the simulated desk's instruments.
#[derive(Debug, Clone)]
pub(super) struct Market {
    started: i64,
    rate: u32,
    count: u64,
    choice: Rng,
    /// Kept from quote to quote, to be filled again.
    weights: Vec<u32>,
    lines: Vec<Line>,
}

/// One instrument's price.
#[derive(Debug, Clone)]
struct Line {
    id: InstrumentId,
    rng: Rng,
    mid: i64,
    /// Where it reverts to.
    home: i64,
    /// When it last moved, and last reverted. Microseconds.
    moved_at: i64,
    pulled_at: i64,
    /// Percent by which the last jump widened the spread, and when it was.
    widened: i64,
    widened_at: i64,
    seq: u64,
    source: Source,
}

/// Where an instrument's prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Simulated,
    /// Another publisher's; here it only moves the crosses.
    Elsewhere,
}

impl Market {
    /// Opens the market at `start` with `rate` quotes per second over all instruments (at least
    /// one). `prices` holds mid prices to start from; an instrument without one starts at its first
    /// price in `config/demo/instruments.toml`. Sequence numbers start at 1.
    pub(super) fn new(
        seed: u64,
        start: DateTime<Utc>,
        rate: u32,
        prices: &[(InstrumentId, Decimal)],
    ) -> Self {
        let started = start.timestamp_micros();
        let line = |(stream, spec): (u64, &Spec)| {
            let known = prices.iter().find(|(id, _)| id.as_str() == spec.name);
            let ticks = known.and_then(|(_, price)| spec.ticks(*price));
            let mid = ticks.unwrap_or_else(|| spec.first_ticks()).max(1).saturating_mul(TICK);
            Line {
                id: InstrumentId::new(&spec.name),
                rng: Rng::new(seed, stream),
                mid,
                home: mid,
                moved_at: started,
                pulled_at: started,
                widened: 0,
                widened_at: started,
                seq: 0,
                source: Source::Simulated,
            }
        };
        let lines = (0..).zip(SPECS.iter()).map(line).collect();
        Self {
            started,
            rate: rate.max(1),
            count: 0,
            choice: Rng::new(seed, CHOICE),
            weights: Vec::new(),
            lines,
        }
    }

    /// Leaves an instrument to another publisher: no more quotes of it come from here, and
    /// [`Market::follow`] moves its price.
    pub(super) fn leave(&mut self, instrument: &InstrumentId) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == *instrument) {
            line.source = Source::Elsewhere;
        }
    }

    /// Takes an instrument back from another publisher at the price it was followed to. Sequence
    /// numbers continue after `last_seq`.
    pub(super) fn take_over(
        &mut self,
        instrument: &InstrumentId,
        last_seq: u64,
        now: DateTime<Utc>,
    ) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == *instrument) {
            line.source = Source::Simulated;
            line.seq = line.seq.max(last_seq);
            // It moved all the while, only not at random.
            line.moved_at = now.timestamp_micros();
            line.pulled_at = line.moved_at;
        }
    }

    /// Takes the mid price of an instrument that was left to another publisher, so that its crosses
    /// stay in line. Does nothing to the others.
    pub(super) fn follow(&mut self, instrument: &InstrumentId, mid: Decimal) {
        let known =
            self.lines.iter_mut().zip(SPECS.iter()).find(|(line, _)| line.id == *instrument);
        if let Some((line, spec)) = known
            && line.source == Source::Elsewhere
            && let Some(ticks) = spec.ticks(mid)
        {
            line.mid = ticks.max(1).saturating_mul(TICK);
            line.home = line.mid;
        }
    }

    /// Returns the next quote that is due at `now`. Call it until it returns `None`.
    pub(super) fn next(&mut self, now: DateTime<Utc>) -> Option<Quote> {
        let now = now.timestamp_micros();
        loop {
            let due = self.due_at(self.count)?;
            if due > now {
                return None;
            }
            self.count = self.count.saturating_add(1);
            let time = DateTime::from_timestamp_micros(due)?;
            let chosen = self.choose(time)?;
            self.advance(chosen, due, time);
            if let Some(quote) = self.quote(chosen, time) {
                return Some(quote);
            }
        }
    }

    /// Returns one quote of every instrument that is quoted here, at `now`: what a feed sends first.
    pub(super) fn snapshot(&mut self, now: DateTime<Utc>) -> Vec<Quote> {
        (0..self.lines.len()).filter_map(|chosen| self.quote(chosen, now)).collect()
    }

    /// Skips the quotes up to `now`, for a machine that was suspended. The next quote moves by as
    /// much as the pause allows. Returns how many were skipped.
    pub(super) fn skip(&mut self, now: DateTime<Utc>) -> usize {
        let before = self.count;
        let elapsed = now.timestamp_micros().saturating_sub(self.started).max(0);
        let count = i128::from(elapsed).saturating_mul(i128::from(self.rate)) / i128::from(SECOND);
        self.count = self.count.max(u64::try_from(count).unwrap_or(u64::MAX));
        usize::try_from(self.count.saturating_sub(before)).unwrap_or(usize::MAX)
    }

    /// Returns how far behind `now` the next quote is.
    pub(super) fn lag(&self, now: DateTime<Utc>) -> std::time::Duration {
        let behind = self.due_at(self.count).map(|due| now.timestamp_micros().saturating_sub(due));
        let micros = behind.and_then(|lag| u64::try_from(lag).ok()).unwrap_or(0);
        std::time::Duration::from_micros(micros)
    }

    /// Quotes are evenly spaced, `rate` a second; the instrument of each is random.
    fn due_at(&self, count: u64) -> Option<i64> {
        let micros = i128::from(count).checked_mul(i128::from(SECOND))? / i128::from(self.rate);
        self.started.checked_add(i64::try_from(micros).ok()?)
    }

    fn choose(&mut self, time: DateTime<Utc>) -> Option<usize> {
        let busy =
            |spec: &Spec| spec.weight.saturating_mul(sessions::activity(time, spec.activity));
        self.weights.clear();
        self.weights.extend(SPECS.iter().map(busy));
        self.choice.pick_by_weight(&self.weights)
    }

    fn advance(&mut self, chosen: usize, now: i64, time: DateTime<Utc>) {
        let Some(spec) = SPECS.get(chosen) else { return };
        match &spec.motion {
            Motion::Walk(deviation) => {
                let activity = sessions::activity(time, spec.activity);
                if let Some(line) = self.lines.get_mut(chosen)
                    && line.source == Source::Simulated
                {
                    line.walk(*deviation, activity, now);
                }
            }
            Motion::Product(first, second) | Motion::Quotient(first, second) => {
                let (Some(first), Some(second)) = (find(first), find(second)) else { return };
                let mid = self.cross(&spec.motion, chosen, first, second);
                let legs = [first, second].map(|leg| self.lines.get(leg));
                let widened = legs.iter().flatten().map(|leg| leg.widening(now)).max().unwrap_or(0);
                if let (Some(mid), Some(line)) = (mid, self.lines.get_mut(chosen))
                    && line.source == Source::Simulated
                {
                    line.mid = mid;
                    (line.widened, line.widened_at) = (widened, now);
                }
            }
        }
    }

    /// The mid of a cross, in thousandths of its tick, from its legs.
    fn cross(&self, motion: &Motion, at: usize, first: usize, second: usize) -> Option<i64> {
        let places = |at: usize| SPECS.get(at).map(|spec| spec.decimals);
        let (a, b) =
            (i128::from(self.lines.get(first)?.mid), i128::from(self.lines.get(second)?.mid));
        // mid = price · 10^places · TICK, for all three.
        let [one, two, own] = [first, second, at]
            .map(|at| 10_i128.checked_pow(places(at)?)?.checked_mul(TICK.into()));
        let (one, two, own) = (one?, two?, own?);
        let mid = if matches!(motion, Motion::Product(..)) {
            a.checked_mul(b)?.checked_mul(own)?.checked_div(one)?.checked_div(two)?
        } else {
            a.checked_mul(two)?.checked_mul(own)?.checked_div(one)?.checked_div(b)?
        };
        i64::try_from(mid).ok().filter(|mid| *mid >= TICK)
    }

    /// Quotes an instrument at its present price.
    fn quote(&mut self, chosen: usize, time: DateTime<Utc>) -> Option<Quote> {
        let (line, spec) = (self.lines.get_mut(chosen)?, SPECS.get(chosen)?);
        if line.source == Source::Elsewhere {
            return None;
        }
        let activity = sessions::activity(time, spec.activity);
        let percent =
            sessions::spread(time, activity).saturating_add(line.widening(time.timestamp_micros()));
        // A tenth up or down: no spread is ever exactly as wide as the last.
        let noise = line.rng.between(90, 110);
        let spread = spec.spread.saturating_mul(percent).saturating_mul(noise) / 10_000;
        let spread = spread.max(1);
        let bid = (line.mid / TICK).saturating_sub(spread / 2).max(1);
        let ask = bid.saturating_add(spread);
        line.seq = line.seq.saturating_add(1);
        let (bid, ask) = (spec.price(bid), spec.price(ask));
        Quote::new(line.id.clone(), bid, ask, time, Some(line.seq)).ok()
    }
}

impl Line {
    /// Moves the price at random; the deviation grows with the root of the time since it last moved.
    fn walk(&mut self, deviation: i64, activity: u32, now: i64) {
        let elapsed = now.saturating_sub(self.moved_at).max(0);
        let pace = elapsed.isqrt().saturating_mul(i64::from(activity.saturating_mul(100).isqrt()));
        // The root of a second in microseconds is 1,000, that of 100 % times 100 is 100.
        let step = i128::from(self.rng.normal())
            .saturating_mul(i128::from(deviation))
            .saturating_mul(i128::from(pace))
            / i128::from(SIGMA.saturating_mul(100_000));
        self.mid = self.mid.saturating_add(i64::try_from(step).unwrap_or(0));
        self.jump(deviation, elapsed, now);
        self.moved_at = now;
        // In whole seconds: at a high rate each step back would be rounded down to nothing.
        let seconds = now.saturating_sub(self.pulled_at) / SECOND;
        if seconds > 0 {
            let away = self.home.saturating_sub(self.mid);
            self.mid = self.mid.saturating_add(away.saturating_mul(seconds.min(PULL)) / PULL);
            self.pulled_at = now;
        }
        self.mid = self.mid.max(TICK);
    }

    fn jump(&mut self, deviation: i64, elapsed: i64, now: i64) {
        let share = elapsed / SECONDS_BETWEEN_JUMPS;
        if self.rng.per_million(u32::try_from(share).unwrap_or(u32::MAX)) {
            let height = self.rng.between(JUMP.0, JUMP.1).saturating_mul(deviation);
            let up = self.rng.percent(50);
            self.mid = self.mid.saturating_add(if up { height } else { height.saturating_neg() });
            (self.widened, self.widened_at) = (self.rng.between(150, 500), now);
        }
    }

    /// Percent by which the spread is wider at `now`. Computed from the jump, not from the last
    /// quote, so that it falls the same way however many quotes come.
    fn widening(&self, now: i64) -> i64 {
        let since = now.saturating_sub(self.widened_at).max(0);
        let halves = u32::try_from(since / WIDENING_HALF_LIFE).unwrap_or(u32::MAX);
        let left = self.widened.checked_shr(halves).unwrap_or(0);
        left.saturating_sub(
            left.saturating_mul(since % WIDENING_HALF_LIFE) / WIDENING_HALF_LIFE.saturating_mul(2),
        )
    }
}

#[cfg(test)]
mod tests;
