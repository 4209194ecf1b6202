//! The agents that generate signals.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::pace;
use crate::domain::ids::InstrumentId;
use crate::domain::trade::Side;
use crate::sim::bus::event;
use crate::sim::context::Context;
use crate::sim::failures::FailureLog;
use crate::sim::instruments::SPECS;
use crate::sim::rng::Rng;
use crate::sim::signals::compose;
use crate::sim::tables::SignalRow;
use crate::sim::tally::add;

/// Generates signals at intervals, withdraws a few, and expires those whose time ran out.
pub(super) async fn work(context: Context) {
    let mut rng = pace::rng(&context, pace::ANALYST);
    let mut failures = FailureLog::of("generating signals");
    let mut last: Option<SignalRow> = None;
    // The first comes soon: a demo is watched from its first second.
    let mut pause = context.agent_period(Duration::from_secs(2));
    while pace::wait(&context, pause).await.is_some() {
        pause = pace::pause(&context, &mut rng, 9, 26);
        if let Some(expired) = failures.check(context.store.expire_signals().await) {
            for signal in expired {
                let id = format!("signal_expired_{signal}");
                let data = json!({"signal_id": signal, "status": "expired"});
                context.bus.send(event(id, "signal.processed", SOURCE, context.now(), data));
            }
        }
        if rng.percent(6)
            && let Some(withdrawn) = last.take()
        {
            withdraw(&context, &mut failures, &withdrawn).await;
        }
        if let Some(signal) = make(&context, &mut rng)
            && failures
                .check(context.store.add_signals(std::slice::from_ref(&signal)).await)
                .is_some()
        {
            add(&context.counters.signals, 1);
            announce(&context, &signal);
            last = Some(signal);
        }
    }
}

/// Source of events that concern all analysis agents.
const SOURCE: &str = "market-analysis";

fn make(context: &Context, rng: &mut Rng) -> Option<SignalRow> {
    let index = rng.index(SPECS.len());
    let spec = SPECS.get(index)?;
    let quote = context.prices.get(&InstrumentId::new(&spec.name))?;
    let side = if rng.percent(50) { Side::Buy } else { Side::Sell };
    let now = context.now();
    let mut signal = compose(rng, index, side, spec.ticks(quote.mid()?)?, now)?;
    let valid = context.agent_period((signal.valid_until - now).to_std().ok()?);
    signal.valid_until = now + TimeDelta::from_std(valid).ok()?;
    Some(signal)
}

async fn withdraw(context: &Context, failures: &mut FailureLog, signal: &SignalRow) {
    let id = signal.signal_id;
    if failures.check(context.store.withdraw_signal(id).await) == Some(true) {
        let data = json!({"signal_id": id, "status": "cancelled"});
        let event_id = format!("signal_cancelled_{id}");
        context.bus.send(event(event_id, "signal.processed", signal.agent_id, context.now(), data));
    }
}

fn announce(context: &Context, signal: &SignalRow) {
    let data = json!({
        "signal_id": signal.signal_id,
        "agent_id": signal.agent_id,
        "signal_data": {
            "instrument": signal.instrument,
            "signal_type": signal.signal_type,
            "confidence": signal.confidence,
            "entry_price": signal.entry_price,
            "stop_loss": signal.stop_loss,
            "take_profit": signal.take_profit,
            "timeframe": signal.timeframe,
            "wyckoff_phase": signal.wyckoff_phase,
        },
    });
    let id = format!("signal_{}", signal.signal_id);
    context.bus.send(event(id, "signal_generated", signal.agent_id, signal.generated_at, data));
}
