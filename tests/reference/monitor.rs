//! How the monitor lets a limit that was in breach, or near it, become well again.

use rust_decimal::{Decimal, dec};
use tmt::domain::limit::Standing;
use tmt::domain::threshold::{Bound, Threshold};

/// Share of the limit by which a measure must leave the warning before the limit is well again: a
/// value that moves to and fro over the line must not ring at every step.
const HYSTERESIS: Decimal = dec!(0.05);

/// Returns what must be passed for the warning to end: 5 % of the limit behind where it begins
/// (domain rules, section 10). `None` on overflow.
pub(crate) fn clear(level: &Threshold) -> Option<Decimal> {
    let step = level.limit.checked_mul(HYSTERESIS)?;
    match level.bound {
        Bound::AtMost => level.warning.checked_sub(step),
        Bound::AtLeast => level.warning.checked_add(step),
    }
}

/// Returns how a measure stands after it stood at `before`: what was a warning or a breach stays a
/// warning until the measure has passed [`clear`] (vector LIM-01). `None` on overflow.
pub(crate) fn after(level: &Threshold, before: &Standing, measured: Decimal) -> Option<Standing> {
    let clear = clear(level)?;
    let is_past_clear = match level.bound {
        Bound::AtMost => measured < clear,
        Bound::AtLeast => measured > clear,
    };
    let is_unwell = matches!(before, Standing::Warning | Standing::Breach);
    Some(match level.standing(measured) {
        Standing::Ok if is_unwell && !is_past_clear => Standing::Warning,
        now => now,
    })
}

#[cfg(test)]
mod tests {
    use tmt::domain::drawdown::Edge;

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
                    state = after(&level, &state, value).unwrap();
                    state.clone()
                })
                .collect();
        assert_eq!(walked, [Ok, Warning, Warning, Breach, Warning, Ok]);
    }
}
