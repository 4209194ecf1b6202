//! Risk of a trade, and the size that a risk allows.

use rust_decimal::Decimal;
use thiserror::Error;

use super::code::Code;
use super::instrument::Instrument;
use super::money::exact;
use super::rounding::{floor_step, product};
use super::trade::Side;

/// Returns what is lost if the stop is hit: `max(0, (entry − stop) · side) · size · C · fx`, in the
/// account's currency, not rounded. `rate` converts the quote currency to the account's.
pub fn risk_amount(
    side: Side,
    entry: Decimal,
    stop: Decimal,
    size: Decimal,
    instrument: &Instrument,
    rate: Decimal,
) -> Option<Decimal> {
    let distance = entry.checked_sub(stop)?.checked_mul(side.sign())?.max(Decimal::ZERO);
    product([distance, size, instrument.contract_size, rate])
}

/// What a size is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingInput {
    /// Equity of the account, in its currency.
    pub equity: Decimal,
    /// Share of it that may be lost, all legs together.
    pub fraction: Decimal,
    /// Price at which the trade opens.
    pub entry: Decimal,
    /// Price at which it is given up.
    pub stop: Decimal,
    /// What one unit of the quote currency is in the account's.
    pub fx: Decimal,
    /// Commission per side and per 1.00 of size, in the account's currency; zero where there is
    /// none.
    pub commission: Decimal,
    /// Orders that the risk is shared by; at least 1.
    pub legs: u32,
}

impl SizingInput {
    /// Returns the money that may be lost, not rounded.
    pub fn budget(&self) -> Option<Decimal> {
        self.equity.checked_mul(self.fraction)
    }

    /// Returns what a size of 1.00 loses at the stop, with the commission of opening and closing.
    pub fn risk_per_unit(&self, instrument: &Instrument) -> Option<Decimal> {
        let distance = self.entry.checked_sub(self.stop)?.abs();
        product([distance, instrument.contract_size, self.fx])?
            .checked_add(self.commission.checked_mul(Decimal::TWO)?)
    }
}

/// Something other than the risk that bounds a size: a limit with room left, free margin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// What the check of it is about.
    pub code: Code,
    /// How much is left of it.
    pub free: Decimal,
    /// How much of it a size of 1.00 takes, in the same unit. One that takes none bounds nothing.
    pub per_unit: Decimal,
}

/// What decided a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cap {
    /// The risk that was asked for.
    Risk,
    /// The instrument's largest size of one order.
    MaximumSize,
    /// A room, by its code.
    Room(Code),
}

/// A size for a risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizingResult {
    /// What the risk alone would allow in each leg, before any step and cap.
    pub raw: Decimal,
    /// The size of each leg: whole steps, never more than anything allows.
    pub size: Decimal,
    pub cap: Cap,
}

/// Why there is no size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizingError {
    /// Without a distance any size would fit.
    #[error("the stop equals the entry price: no size can be computed")]
    StopDistanceZero,
    /// The smallest size is too much. It is never rounded up to.
    #[error("{} allows {}, which is below the minimum {}", cap.words(), exact(sized.size), exact(*min))]
    BelowMinimum { sized: SizingResult, cap: Cap, min: Decimal },
    /// A number is too large, or the instrument has no step.
    #[error("the size cannot be computed from these numbers")]
    NotComputable,
}

impl Cap {
    /// Returns what decided, as people call it.
    pub fn words(&self) -> String {
        match self {
            Self::Risk => "the risk".to_owned(),
            Self::MaximumSize => "the instrument's largest size".to_owned(),
            Self::Room(code) => code.words(),
        }
    }
}

/// Returns the largest size of each leg whose risk, all legs together, is at most the wished share
/// of equity: `equity · r / (|entry − stop| · C · fx + 2 · commission) / legs`, then no more than
/// the instrument and every room allow, rounded down to a step (domain rules, section 7).
///
/// A room is for all legs together; the largest size is for each order.
///
/// # Errors
///
/// [`SizingError`] with what stood in the way.
pub fn size_for_risk(
    wish: &SizingInput,
    instrument: &Instrument,
    rooms: &[Room],
) -> Result<SizingResult, SizingError> {
    if wish.entry == wish.stop {
        return Err(SizingError::StopDistanceZero);
    }
    let sized = compute(wish, instrument, rooms).ok_or(SizingError::NotComputable)?;
    if sized.size < instrument.min_size || sized.size <= Decimal::ZERO {
        let cap = sized.cap.clone();
        return Err(SizingError::BelowMinimum { sized, cap, min: instrument.min_size });
    }
    Ok(sized)
}

fn compute(wish: &SizingInput, instrument: &Instrument, rooms: &[Room]) -> Option<SizingResult> {
    let legs = Decimal::from(wish.legs.max(1));
    let step = instrument.size_step;
    let (budget, per_unit) = (wish.budget()?, wish.risk_per_unit(instrument)?);
    let raw = budget.checked_div(per_unit)?.checked_div(legs)?;
    let mut size = whole_steps(budget, per_unit.checked_mul(legs)?, raw, step)?;
    let mut cap = Cap::Risk;
    if let Some(max) = instrument.max_size
        && size > max
    {
        (size, cap) = (floor_step(max, step)?, Cap::MaximumSize);
    }
    for room in rooms.iter().filter(|room| room.per_unit > Decimal::ZERO) {
        let per_unit = room.per_unit.checked_mul(legs)?;
        let most = whole_steps(room.free, per_unit, room.free.checked_div(per_unit)?, step)?;
        if most < size {
            (size, cap) = (most, Cap::Room(room.code.clone()));
        }
    }
    Some(SizingResult { raw, size: size.max(Decimal::ZERO), cap })
}

/// Returns the most whole steps of which `per_unit` times as much is at most `free`. A quotient of
/// 28 digits may have been rounded up over a step; the product tells.
fn whole_steps(
    free: Decimal,
    per_unit: Decimal,
    quotient: Decimal,
    step: Decimal,
) -> Option<Decimal> {
    let size = floor_step(quotient, step)?;
    let is_too_much = size.checked_mul(per_unit).is_none_or(|taken| taken > free);
    if is_too_much { size.checked_sub(step) } else { Some(size) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;
    use crate::domain::ids::InstrumentId;

    fn instrument(contract_size: Decimal, size_step: Decimal) -> Instrument {
        Instrument {
            id: InstrumentId::new("EUR_USD"),
            asset_class: "fx".to_owned(),
            base_currency: "EUR".to_owned(),
            quote_currency: "USD".to_owned(),
            contract_size,
            size_step,
            min_size: size_step,
            max_size: None,
            tick_size: dec!(0.00001),
            pip_size: dec!(0.0001),
            margin_rate: dec!(0.05),
            is_tradable: true,
            aliases: Vec::new(),
        }
    }

    fn wish() -> SizingInput {
        SizingInput {
            equity: dec!(100_000),
            fraction: dec!(0.01),
            entry: dec!(1.1),
            stop: dec!(1.095),
            fx: dec!(1),
            commission: dec!(0),
            legs: 1,
        }
    }

    #[test]
    fn commission_of_both_sides_makes_a_size_smaller() {
        let terms = instrument(dec!(1), dec!(1));
        let paid = SizingInput { commission: dec!(0.00003), ..wish() };
        // 1,000 over 0.00506.
        let sized = size_for_risk(&paid, &terms, &[]).unwrap();
        assert_eq!((sized.size, sized.cap), (dec!(197628), Cap::Risk));
    }

    #[test]
    fn the_smallest_room_bounds_and_is_named() {
        let terms = Instrument { max_size: Some(dec!(150_000)), ..instrument(dec!(1), dec!(1000)) };
        let room = |code, free, per_unit| Room { code, free, per_unit };
        let rooms = [
            room(Code::MaxExposure, dec!(99_999), dec!(1.1)),
            room(Code::MaxOpenRisk, dec!(700), dec!(0.005)),
            room(Code::Unknown("NOTHING".to_owned()), dec!(0), dec!(0)),
        ];
        let sized = size_for_risk(&wish(), &terms, &rooms).unwrap();
        assert_eq!((sized.size, sized.cap), (dec!(90_000), Cap::Room(Code::MaxExposure)));
        let sized = size_for_risk(&wish(), &terms, &[]).unwrap();
        assert_eq!((sized.size, sized.cap), (dec!(150_000), Cap::MaximumSize));
        // In two legs each order has the largest size, and half the room.
        let sized = size_for_risk(&SizingInput { legs: 2, ..wish() }, &terms, &rooms[..1]).unwrap();
        assert_eq!(sized.size, dec!(45_000));
        let none = [room(Code::MaxExposure, dec!(-1), dec!(1))];
        let refused = size_for_risk(&wish(), &terms, &none).unwrap_err();
        assert!(matches!(refused, SizingError::BelowMinimum { .. }), "{refused:?}");
        assert_eq!(refused.to_string(), "max exposure allows 0, which is below the minimum 1,000");
    }

    #[test]
    fn a_stop_at_the_price_has_no_size() {
        let refused = size_for_risk(
            &SizingInput { stop: dec!(1.1), ..wish() },
            &instrument(dec!(1), dec!(1)),
            &[],
        );
        assert_eq!(refused.unwrap_err(), SizingError::StopDistanceZero);
    }

    proptest! {
        #[test]
        fn a_size_never_risks_more_than_was_wished(
            equity in 1..100_000_000_i64, fraction in 1..100_000_i64, distance in 1..10_000_000_i64,
            fx in 1..1_000_000_000_000_i64, commission in 0..1000_i64, legs in 1..9_u32, step in 1..100_000_i64,
        ) {
            let wish = SizingInput {
                equity: Decimal::new(equity, 2),
                fraction: Decimal::new(fraction, 6),
                entry: dec!(100) + Decimal::new(distance, 5),
                stop: dec!(100),
                fx: Decimal::new(fx, 9),
                commission: Decimal::new(commission, 5),
                legs,
            };
            let terms = instrument(dec!(1), Decimal::new(step, 2));
            if let Ok(sized) = size_for_risk(&wish, &terms, &[]) {
                let risk = wish.risk_per_unit(&terms).unwrap() * sized.size * Decimal::from(legs);
                prop_assert!(risk <= wish.budget().unwrap());
                prop_assert!((sized.size % terms.size_step).is_zero());
            }
        }

        #[test]
        fn no_decimal_makes_it_panic(
            parts in prop::array::uniform6((any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..=28_u32)),
        ) {
            let [equity, fraction, entry, stop, fx, commission] = parts.map(
                |(low, middle, high, is_negative, scale)| Decimal::from_parts(low, middle, high, is_negative, scale),
            );
            let wish = SizingInput { equity, fraction, entry, stop, fx, commission, legs: 3 };
            let terms = instrument(entry, dec!(0.01));
            let room = Room { code: Code::MaxExposure, free: stop, per_unit: fx };
            if let Ok(sized) = size_for_risk(&wish, &terms, &[room]) {
                prop_assert!(sized.size >= terms.min_size);
            }
            risk_amount(Side::Sell, entry, stop, fx, &terms, equity);
        }
    }
}
