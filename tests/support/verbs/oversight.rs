//! Halts, risk events, and what became of a request.

use std::fmt::Display;

use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::{Call, Verb, verb};

verb! {
    /// Stops trading in a scope.
    Halt = halt(scope: "text", mode: "text");
    of sets "identifier": "text",
    because sets "reason": "text",
}

/// A halt of a scope: `account`, `instrument`, `portfolio`, `system`.
pub(crate) fn halt(scope: &str, mode: &str) -> Halt {
    Halt::new(scope, mode)
}

pub(crate) fn halt_account(account: impl Display, mode: &str) -> Halt {
    halt("account", mode).of(account)
}

pub(crate) fn halt_instrument(instrument: &str, mode: &str) -> Halt {
    halt("instrument", mode).of(instrument)
}

pub(crate) fn halt_portfolio(portfolio: &str, mode: &str) -> Halt {
    halt("portfolio", mode).of(portfolio)
}

verb! {
    /// Ends a halt.
    Resume = resume(halt: "uuid");
    because sets "reason": "text",
}

pub(crate) fn resume(halt: impl Display) -> Resume {
    Resume::new(halt)
}

verb! {
    /// Takes ownership of risk events.
    Acknowledge = acknowledge(events: "uuid[]");
    note sets "note": "text",
}

pub(crate) fn acknowledge(events: &[Uuid]) -> Acknowledge {
    let ids: Vec<String> = events.iter().map(Uuid::to_string).collect();
    Acknowledge::new(format!("{{{}}}", ids.join(",")))
}

verb! {
    /// Gives a risk event back.
    Unacknowledge = unacknowledge(event: "uuid");
    note sets "note": "text",
}

pub(crate) fn unacknowledge(event: impl Display) -> Unacknowledge {
    Unacknowledge::new(event)
}

/// Asks what became of a request.
#[derive(Debug, Clone)]
pub(crate) struct Resolve(Call);

/// Asks what became of the request with this key, by its fingerprint.
pub(crate) fn resolve(key: Uuid) -> Resolve {
    let mut call = Call::new("resolve_outcome", &[("p_key", "uuid"), ("p_fingerprint", "bytea")]);
    call.set("p_key", Some(key.to_string()));
    call.set("p_fingerprint", Some("\\x01".to_owned()));
    Resolve(call)
}

impl Verb for Resolve {
    fn call(&self) -> &Call {
        &self.0
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.0
    }
}

/// A risk event as an agent raises it.
pub(crate) struct Raise(Call);

/// An event of a type and a severity, raised by `source`.
pub(crate) fn raise(event_type: &str, severity: &str, source: &str) -> Raise {
    let mut call = Call::new(
        "raise_event",
        &[
            ("p_account", "uuid"),
            ("p_type", "text"),
            ("p_severity", "text"),
            ("p_source", "text"),
            ("p_measure", "text"),
            ("p_current", "numeric"),
            ("p_limit", "numeric"),
            ("p_dedup", "text"),
            ("p_trade", "uuid"),
            ("p_position", "uuid"),
            ("p_limit_id", "uuid"),
            ("p_data", "jsonb"),
        ],
    );
    for (name, value) in [("p_type", event_type), ("p_severity", severity), ("p_source", source)] {
        call.set(name, Some(value.to_owned()));
    }
    Raise(call)
}

impl Raise {
    pub(crate) fn on(mut self, account: impl Display) -> Self {
        self.0.set("p_account", Some(account.to_string()));
        self
    }

    /// The figure and its limit.
    pub(crate) fn figures(
        mut self,
        measure: &str,
        current: impl Display,
        limit: impl Display,
    ) -> Self {
        self.0.set("p_measure", Some(measure.to_owned()));
        self.0.set("p_current", Some(current.to_string()));
        self.0.set("p_limit", Some(limit.to_string()));
        self
    }

    /// Events with one key are one event.
    pub(crate) fn dedup(mut self, key: impl Display) -> Self {
        self.0.set("p_dedup", Some(key.to_string()));
        self
    }

    pub(crate) async fn try_send(&self, client: &Client) -> Result<Uuid, Error> {
        self.0.select("*", client).await?.first().unwrap().try_get(0)
    }

    pub(crate) async fn send(&self, client: &Client) -> Uuid {
        self.try_send(client).await.unwrap()
    }
}
