//! The agent that raises risk events: one of each severity in the first minutes, then at random, and
//! for wide spreads that it observes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::pace;
use crate::domain::event::Severity;
use crate::domain::ids::InstrumentId;
use crate::domain::money::round;
use crate::sim::bus::event;
use crate::sim::context::Context;
use crate::sim::demo::DEMO;
use crate::sim::events::{About, EVENTS, Incident};
use crate::sim::failures::FailureLog;
use crate::sim::instruments::SPECS;
use crate::sim::rng::Rng;
use crate::sim::tables::Alarm;
use crate::sim::tally::add;
use crate::store::StoreError;

/// The agent's name in `agents`.
const AGENT: &str = "risk-monitor";

/// How often it polls.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A spread this many times its normal width raises an event; below `USUAL` times it is cleared.
const WIDE: i64 = 6;
const USUAL: i64 = 4;

/// An event that is to be cleared.
struct Pending {
    dedup: String,
    at: DateTime<Utc>,
}

struct Monitor {
    context: Context,
    rng: Rng,
    failures: FailureLog,
    pending: Vec<Pending>,
    /// Instruments whose spread is wide.
    wide: Vec<InstrumentId>,
}

/// Raises and clears events until the simulation stops.
pub(super) async fn work(context: Context) {
    let rng = pace::rng(&context, pace::MONITOR);
    let failures = FailureLog::of("raising risk events");
    let mut opening = EVENTS.opening.iter().peekable();
    let started = context.now();
    let mut monitor = Monitor { context, rng, failures, pending: Vec::new(), wide: Vec::new() };
    let mut next = monitor.later(started, 0);
    while pace::wait(&monitor.context, monitor.context.agent_period(POLL_EVERY)).await.is_some() {
        let now = monitor.context.now();
        if let Some(first) = opening.next_if(|first| monitor.later(started, first.after) <= now) {
            monitor.raise_incident(first.severity, now).await;
            let pause = monitor.rng.between(20, 60);
            next = monitor.later(now, pause);
        } else if opening.peek().is_none() && next <= now {
            let severity = match monitor.rng.below(100) {
                0..45 => Severity::Info,
                45..84 => Severity::Warning,
                84..97 => Severity::Critical,
                _ => Severity::Emergency,
            };
            monitor.raise_incident(severity, now).await;
            let pause = monitor.rng.between(20, 60);
            next = monitor.later(now, pause);
        }
        monitor.watch_spreads().await;
        monitor.clear_what_is_over(now).await;
    }
}

impl Monitor {
    /// Adds seconds of normal agent speed to a time.
    fn later(&self, from: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
        let pause = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        from + chrono::TimeDelta::from_std(self.context.agent_period(pause)).unwrap_or_default()
    }

    /// Raises a random event of a severity.
    async fn raise_incident(&mut self, severity: Severity, now: DateTime<Utc>) {
        let fitting: Vec<&'static Incident> =
            EVENTS.incidents.iter().filter(|incident| incident.severity == severity).collect();
        let Some(incident) = self.rng.pick(&fitting) else { return };
        let Incident { event_type, unit, limit, most_above, .. } = *incident;
        let limit = *limit;
        let (account, name) = self.subject(incident.about);
        let percent = Decimal::new(self.rng.between(100, most_above.saturating_add(100)), 2);
        let current = limit.checked_mul(percent).map(|value| round(value, 2));
        let message = incident.message.replace("{}", name);
        let alarm = Alarm {
            account,
            event_type,
            severity,
            source: AGENT,
            current,
            limit: Some(limit),
            dedup: format!("{event_type}:{name}"),
            data: json!({"message": message, "unit": unit, "simulated": true}),
        };
        // Percent that clear by themselves: an emergency always waits for a person.
        let clears = match severity {
            Severity::Info => 100,
            Severity::Warning => 65,
            Severity::Critical => 40,
            Severity::Emergency => 0,
        };
        if self.raise(alarm.clone()).await && self.rng.percent(clears) {
            let seconds = self.rng.between(25, 110);
            self.pending.push(Pending { dedup: alarm.dedup, at: self.later(now, seconds) });
        }
    }

    fn subject(&mut self, about: About) -> (Option<uuid::Uuid>, &'static str) {
        match about {
            About::Account => {
                let account = self.rng.pick(&DEMO.accounts);
                (account.map(|plan| plan.id), account.map_or("the desk", |plan| &plan.name))
            }
            About::Instrument => {
                (None, self.rng.pick(&SPECS).map_or("the feed", |spec| &spec.name))
            }
        }
    }

    /// Raises an event for a wide spread, and clears it when the spread is normal again.
    async fn watch_spreads(&mut self) {
        for quote in self.context.prices.all() {
            let known = SPECS.iter().find(|spec| spec.name == quote.instrument.as_str());
            let Some(spec) = known else { continue };
            let spread = quote.ask.checked_sub(quote.bid);
            let Some(ticks) = spread.and_then(|spread| spec.ticks(spread)) else { continue };
            let dedup = format!("max_spread:{}", spec.name);
            let was_wide = self.wide.contains(&quote.instrument);
            if !was_wide && ticks >= spec.spread.saturating_mul(WIDE) {
                let pips =
                    |ticks: i64| Decimal::from(ticks).checked_div(Decimal::from(spec.pip_ticks));
                let message = format!("{}: spread far wider than normal", spec.name);
                let alarm = Alarm {
                    account: None,
                    event_type: "max_spread",
                    severity: Severity::Warning,
                    source: AGENT,
                    current: pips(ticks),
                    limit: pips(spec.spread.saturating_mul(WIDE)),
                    dedup,
                    data: json!({"message": message, "unit": "pips", "simulated": true}),
                };
                if self.raise(alarm).await {
                    self.wide.push(quote.instrument);
                }
            } else if was_wide
                && ticks <= spec.spread.saturating_mul(USUAL)
                && self.clear(&dedup).await
            {
                self.wide.retain(|wide| *wide != quote.instrument);
            }
        }
    }

    async fn clear_what_is_over(&mut self, now: DateTime<Utc>) {
        while let Some(at) = self.pending.iter().position(|pending| pending.at <= now) {
            let over = self.pending.swap_remove(at);
            if !self.clear(&over.dedup).await {
                self.pending.push(over);
                return;
            }
        }
    }

    /// Raises an event and publishes it; returns whether the database accepted it.
    async fn raise(&mut self, alarm: Alarm) -> bool {
        let raised = self.context.store.raise(&alarm).await;
        let Some(id) = self.failures.check(raised).flatten() else { return false };
        add(&self.context.counters.raised, 1);
        let message = alarm.data.get("message");
        let (kind, data) = match alarm.severity {
            Severity::Info => ("risk_event.raised", json!({"event_ids": [id], "reason": message})),
            Severity::Warning => (
                "performance_alert",
                json!({"metric": alarm.event_type, "value": alarm.current, "threshold": alarm.limit,
                       "account_id": alarm.account, "event_ids": [id]}),
            ),
            Severity::Critical | Severity::Emergency => (
                "circuit_breaker_triggered",
                json!({"breaker_type": alarm.event_type, "account_id": alarm.account,
                       "reason": message, "event_ids": [id]}),
            ),
        };
        // A repeat of an open event is published again under another id.
        let now = self.context.now();
        let name = format!("risk_{id}_{}", now.timestamp_millis());
        self.context.bus.send(event(name, kind, AGENT, now, data));
        true
    }

    /// Clears an event and publishes that; returns whether it is settled. An event that another
    /// monitor raised under the same key is left for it to clear.
    async fn clear(&mut self, dedup: &str) -> bool {
        let cleared = match self.context.store.clear(dedup).await {
            Err(StoreError::NotPermitted(_)) => Ok(None),
            cleared => cleared,
        };
        let Some(cleared) = self.failures.check(cleared) else { return false };
        if let Some(id) = cleared {
            let data = json!({"event_ids": [id], "by": AGENT});
            let now = self.context.now();
            let name = format!("risk_resolved_{id}");
            self.context.bus.send(event(name, "risk_event.resolved", AGENT, now, data));
        }
        true
    }
}
