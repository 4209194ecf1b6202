//! Instruments, prices, bars and agents.

use chrono::TimeDelta;
use rust_decimal::{Decimal, dec};
use tmt::domain::agent::{Agent, AgentStatus, SystemEvent, SystemSeverity};
use tmt::domain::bar::Bar;
use tmt::domain::ids::InstrumentId;
use tmt::domain::instrument::Instrument;
use tmt::domain::quote::Quote;

use crate::desk::{at, id, now};

pub(crate) fn instrument(name: &str, class: &str, tick: Decimal, pip: Decimal) -> Instrument {
    let (base, quote) = name.split_once('_').unwrap();
    Instrument {
        id: InstrumentId::new(name),
        asset_class: class.to_owned(),
        base_currency: base.to_owned(),
        quote_currency: quote.to_owned(),
        contract_size: dec!(1),
        size_step: dec!(1),
        min_size: dec!(1),
        max_size: Some(dec!(10000000)),
        tick_size: tick,
        pip_size: pip,
        margin_rate: dec!(0.0333),
        is_tradable: true,
        aliases: vec![name.replace('_', "")],
    }
}

pub(crate) fn instruments() -> Vec<Instrument> {
    vec![
        instrument("EUR_USD", "fx", dec!(0.00001), dec!(0.0001)),
        instrument("GBP_USD", "fx", dec!(0.00001), dec!(0.0001)),
        instrument("AUD_USD", "fx", dec!(0.00001), dec!(0.0001)),
        instrument("EUR_GBP", "fx", dec!(0.00001), dec!(0.0001)),
        instrument("USD_JPY", "fx", dec!(0.001), dec!(0.01)),
        instrument("XAU_USD", "metal", dec!(0.01), dec!(0.1)),
        instrument("US500_USD", "index", dec!(0.1), dec!(1)),
    ]
}

pub(crate) fn quotes() -> Vec<Quote> {
    let quote = |name: &str, bid, ask, age: i64| {
        let time = now() - TimeDelta::milliseconds(age);
        Quote::new(InstrumentId::new(name), bid, ask, time, None).unwrap()
    };
    vec![
        quote("EUR_USD", dec!(1.08655), dec!(1.08661), 800),
        quote("GBP_USD", dec!(1.27132), dec!(1.27140), 900),
        quote("AUD_USD", dec!(0.66418), dec!(0.66425), 400),
        quote("EUR_GBP", dec!(0.85460), dec!(0.85469), 600),
        quote("USD_JPY", dec!(154.872), dec!(154.880), 1_100),
        quote("XAU_USD", dec!(2326.15), dec!(2326.48), 14_000),
    ]
}

pub(crate) fn agents() -> Vec<Agent> {
    let agent = |name: &str, title: &str, kind: &str, status: &str, silent: i64| Agent {
        id: name.to_owned(),
        name: title.to_owned(),
        agent_type: kind.to_owned(),
        status: AgentStatus::read(status),
        last_heartbeat: Some(now() - TimeDelta::milliseconds(silent)),
        total_requests: Some(18_422),
        error_count: Some(3),
        average_response_time: Some(dec!(41.7)),
        version: "1.4.2".to_owned(),
    };
    vec![
        agent("circuit-breaker", "Circuit Breaker", "circuit_breaker", "running", 1_200),
        agent("market-analysis", "Market Analysis", "market_analysis", "running", 2_100),
        agent("risk-management", "Adaptive Risk Intelligence", "aria", "running", 95_000),
        agent("execution-engine", "Execution Engine", "execution", "error", 400_000),
        agent("learning-safety", "Learning Safety", "learning", "stopped", 7_200_000),
    ]
}

pub(crate) fn system_events() -> Vec<SystemEvent> {
    let event = |number, severity: &str, time, source: &str, message: &str| SystemEvent {
        id: id(8, number),
        event_type: "agent_status".to_owned(),
        severity: SystemSeverity::read(severity),
        source: source.to_owned(),
        message: message.to_owned(),
        occurred_at: at(time),
    };
    vec![
        event(1, "critical", "13:58:01", "execution-engine", "lost the broker connection"),
        event(2, "warning", "13:57:40", "execution-engine", "3 orders timed out in a row"),
        event(3, "info", "12:00:00", "market-analysis", "session London/New York overlap began"),
        event(4, "info", "07:00:00", "circuit-breaker", "armed for the day"),
    ]
}

pub(crate) fn bars() -> Vec<Bar> {
    let mut price = dec!(1.08400);
    let mut steps = (0_i64..120).map(|n| Decimal::from((n * 37 + n * n * 11) % 23 - 10));
    let mut bars = Vec::new();
    for minute in 0..120 {
        let step = steps.next().unwrap() * dec!(0.00002);
        let (open, close) = (price, price + step);
        bars.push(Bar {
            time: at("12:04:00") + TimeDelta::minutes(minute),
            open,
            high: open.max(close) + dec!(0.00004),
            low: open.min(close) - dec!(0.00005),
            close,
            volume: 100,
        });
        price = close + dec!(0.00002);
    }
    bars
}
