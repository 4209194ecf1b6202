//! Signals of the analysis agents (`config/demo/signals.toml`).

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::data::embedded;
use super::instruments::{SPECS, Spec};
use super::rng::Rng;
use crate::domain::money::round;
use crate::domain::trade::Side;
use crate::sim::tables::SignalRow;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    buy_phases: Vec<String>,
    sell_phases: Vec<String>,
    makers: Vec<Maker>,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Maker {
    agent: String,
    model: String,
}

/// A time frame. Ranges include both ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    name: String,
    minutes: (i64, i64),
    stop: (i64, i64),
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    embedded("signals.toml", toml::from_str(include_str!("../../config/demo/signals.toml")))
});

#[cfg(test)]
pub(super) fn makers() -> impl Iterator<Item = &'static str> {
    WORDS.makers.iter().map(|maker| maker.agent.as_str())
}

/// Makes a signal on the instrument at `index`, whose mid price is `mid` ticks. `None` if there is no
/// such instrument or the price leaves no room for a stop.
pub(super) fn compose(
    rng: &mut Rng,
    index: usize,
    side: Side,
    mid: i64,
    now: DateTime<Utc>,
) -> Option<SignalRow> {
    let spec = SPECS.get(index)?;
    let Frame { name: timeframe, minutes: valid, stop: distance } = rng.pick(&WORDS.frames)?;
    let maker = rng.pick(&WORDS.makers)?;
    let phases = if side == Side::Buy { &WORDS.buy_phases } else { &WORDS.sell_phases };
    let stop_distance = spec.spread.saturating_mul(rng.between(distance.0, distance.1));
    // Reward to risk in hundredths. The database refuses a signal below one.
    let reward = rng.between(110, 320);
    let target_distance = stop_distance.saturating_mul(reward) / 100;
    let (stop, target) = levels(side, mid, stop_distance, target_distance);
    if stop <= 0 || target <= 0 {
        return None;
    }
    let confirmed = rng.percent(60);
    let broken = rng.percent(40);
    let bonus = i64::from(confirmed).saturating_add(i64::from(broken)).saturating_mul(60);
    let confidence = rng.between(520, 830).saturating_add(bonus);
    let ratio = Decimal::from(target_distance).checked_div(Decimal::from(stop_distance))?;
    Some(SignalRow {
        signal_id: key(rng, now),
        instrument: spec.name.clone(),
        signal_type: side.as_str(),
        confidence: Decimal::new(confidence, 3),
        entry_price: spec.price(mid),
        stop_loss: spec.price(stop),
        take_profit: spec.price(target),
        // Truncated: 0.996 must not read as 1.00.
        risk_reward_ratio: ratio.trunc_with_scale(2).max(Decimal::ONE),
        timeframe,
        wyckoff_phase: rng.pick(phases)?,
        volume_confirmation: confirmed,
        market_structure_break: broken,
        agent_id: &maker.agent,
        model_version: &maker.model,
        analysis_data: json!({
            "simulated": true,
            "range_low": spec.price(stop.min(target)),
            "range_high": spec.price(stop.max(target)),
            "effort_vs_result": rng.between(40, 180),
        }),
        generated_at: now,
        valid_until: now + TimeDelta::minutes(rng.between(valid.0, valid.1)),
        status: "pending",
        execution_count: 0,
        total_executed_size: Decimal::ZERO,
    })
}

/// Returns stop and target, in ticks.
pub(super) fn levels(side: Side, entry: i64, stop: i64, target: i64) -> (i64, i64) {
    match side {
        Side::Buy => (entry.saturating_sub(stop), entry.saturating_add(target)),
        Side::Sell => (entry.saturating_add(stop), entry.saturating_sub(target)),
    }
}

/// Returns the fill price, in ticks, at a mid price of `mid` ticks and the normal spread.
pub(super) fn fill(spec: &Spec, side: Side, mid: i64) -> i64 {
    let half = spec.spread / 2;
    match side {
        Side::Buy => mid.saturating_add(half),
        Side::Sell => mid.saturating_sub(half),
    }
}

/// Makes a UUID that sorts by time.
pub(super) fn key(rng: &mut Rng, time: DateTime<Utc>) -> Uuid {
    let mut chance = [0; 10];
    for byte in &mut chance {
        *byte = u8::try_from(rng.below(256)).unwrap_or(0);
    }
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid()
}

/// Rounds an amount as the database stores it.
pub(super) fn money(amount: Decimal) -> Decimal {
    round(amount, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_stop_and_target_on_the_right_sides_and_reward_covers_risk() {
        let mut rng = Rng::new(11, 0);
        let now = "2026-01-05T13:00:00Z".parse().expect("a time");
        for round in 0..2_000 {
            let side = if rng.percent(50) { Side::Buy } else { Side::Sell };
            let index = round % SPECS.len();
            let mid = SPECS[index].first_ticks();
            let made = compose(&mut rng, index, side, mid, now).expect("a signal");
            let sign = side.sign();
            assert!((made.entry_price - made.stop_loss) * sign > Decimal::ZERO, "{made:?}");
            assert!((made.take_profit - made.entry_price) * sign > Decimal::ZERO, "{made:?}");
            assert!(made.risk_reward_ratio >= Decimal::ONE, "{made:?}");
            assert!(made.confidence <= Decimal::ONE, "{made:?}");
            assert!(made.wyckoff_phase.len() <= 50);
            assert!(made.valid_until > now);
        }
    }
}
