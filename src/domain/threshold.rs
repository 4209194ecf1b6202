//! Limit and warning, and how a measure that moves stands to them.

use rust_decimal::{Decimal, dec};

use super::drawdown::Edge;

open_words! {
    /// How a measured value stands against a limit.
    pub enum Standing {
        Ok = "ok",
        /// At or above the warning.
        Warning = "warning",
        Breach = "breach",
        /// The database cannot measure it: a price or a rate is missing.
        Unmeasured = "unknown",
    }
}

/// Share of the limit at which a warning begins where none is named.
pub const DEFAULT_WARNING: Decimal = dec!(0.80);

/// Share of the limit by which a measure must leave the warning before all is well again: a value
/// that trembles on the line must not ring at every step.
const HYSTERESIS: Decimal = dec!(0.05);

/// On which side of a limit one may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    AtMost,
    /// Above it: margin level, reward over risk.
    AtLeast,
}

/// A limit with its warning. All numbers in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// On which side one may be.
    pub bound: Bound,
    /// Whether reaching the limit breaks it.
    pub edge: Edge,
    pub limit: Decimal,
    /// Where a warning begins; reaching it counts.
    pub warning: Decimal,
    /// What must be passed for the warning to end.
    pub clear: Decimal,
}

impl Threshold {
    /// Puts a limit and its warning together; without one it begins at 80 % of the limit, or for a
    /// lower bound as far above it. The warning ends 5 % of the limit behind where it begins
    /// (domain rules, section 10). `None` on overflow.
    pub fn new(bound: Bound, edge: Edge, limit: Decimal, warning: Option<Decimal>) -> Option<Self> {
        let warning = match (warning, bound) {
            (Some(warning), _) => warning,
            (None, Bound::AtMost) => limit.checked_mul(DEFAULT_WARNING)?,
            (None, Bound::AtLeast) => limit.checked_div(DEFAULT_WARNING)?,
        };
        let step = limit.checked_mul(HYSTERESIS)?;
        let clear = match bound {
            Bound::AtMost => warning.checked_sub(step)?,
            Bound::AtLeast => warning.checked_add(step)?,
        };
        Some(Self { bound, edge, limit, warning, clear })
    }

    /// Returns how a measure stands, without regard to how it stood before.
    pub fn standing(&self, measured: Decimal) -> Standing {
        let is_breach = match (self.bound, self.edge) {
            (Bound::AtMost, Edge::Exclusive) => measured > self.limit,
            (Bound::AtMost, Edge::Inclusive) => measured >= self.limit,
            (Bound::AtLeast, Edge::Exclusive) => measured < self.limit,
            (Bound::AtLeast, Edge::Inclusive) => measured <= self.limit,
        };
        let is_warning = match self.bound {
            Bound::AtMost => measured >= self.warning,
            Bound::AtLeast => measured <= self.warning,
        };
        if is_breach {
            Standing::Breach
        } else if is_warning {
            Standing::Warning
        } else {
            Standing::Ok
        }
    }

    /// Returns how a measure stands after it stood at `before`: what was a warning or a breach
    /// stays a warning until the measure has passed [`Self::clear`] (vector LIM-01).
    pub fn after(&self, before: &Standing, measured: Decimal) -> Standing {
        let is_past_clear = match self.bound {
            Bound::AtMost => measured < self.clear,
            Bound::AtLeast => measured > self.clear,
        };
        match (self.standing(measured), before) {
            (Standing::Ok, Standing::Warning | Standing::Breach) if !is_past_clear => {
                Standing::Warning
            }
            (now, _) => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_bound_is_the_mirror_of_an_upper_one() {
        use Standing::{Breach, Ok, Warning};
        let level =
            Threshold::new(Bound::AtLeast, Edge::Exclusive, dec!(100), Some(dec!(150))).unwrap();
        let mut state = Standing::Ok;
        let walked: Vec<Standing> =
            [dec!(151), dec!(150), dec!(155), dec!(99.9), dec!(100), dec!(155.1)]
                .into_iter()
                .map(|value| {
                    state = level.after(&state, value);
                    state.clone()
                })
                .collect();
        assert_eq!(walked, [Ok, Warning, Warning, Breach, Warning, Ok]);
    }

    #[test]
    fn reaching_a_loss_breaks_it() {
        let loss = Threshold::new(Bound::AtMost, Edge::Inclusive, dec!(5000), None).unwrap();
        assert_eq!(loss.standing(dec!(5000)), Standing::Breach);
        assert_eq!(loss.standing(dec!(4999.99)), Standing::Warning);
    }
}
