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
}

impl Threshold {
    /// Puts a limit and its warning together; without one it begins at 80 % of the limit, or for a
    /// lower bound as far above it (domain rules, section 10). `None` on overflow.
    pub fn new(bound: Bound, edge: Edge, limit: Decimal, warning: Option<Decimal>) -> Option<Self> {
        let warning = match (warning, bound) {
            (Some(warning), _) => warning,
            (None, Bound::AtMost) => limit.checked_mul(DEFAULT_WARNING)?,
            (None, Bound::AtLeast) => limit.checked_div(DEFAULT_WARNING)?,
        };
        Some(Self { bound, edge, limit, warning })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaching_a_loss_breaks_it() {
        let loss = Threshold::new(Bound::AtMost, Edge::Inclusive, dec!(5000), None).unwrap();
        assert_eq!(loss.standing(dec!(5000)), Standing::Breach);
        assert_eq!(loss.standing(dec!(4999.99)), Standing::Warning);
    }
}
