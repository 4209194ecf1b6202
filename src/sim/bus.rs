//! Events that the agents publish on the bus, in TMT's envelope.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::failures::FailureLog;
use crate::feed;
use crate::feed::publish::Publisher;
use crate::feed::wire::Outgoing;

/// Queues the agents' events for publishing. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bus(mpsc::Sender<Outgoing>);

impl Bus {
    pub(super) fn new(sender: mpsc::Sender<Outgoing>) -> Self {
        Self(sender)
    }

    /// Queues an event, or drops it when the queue is full: consoles find the row by their poll.
    pub(super) fn send(&self, event: Outgoing) {
        if let Err(error) = self.0.try_send(event) {
            tracing::debug!(%error, "simulation: event dropped");
        }
    }
}

/// Builds an event. `data` is a JSON object; anything else becomes an empty body.
pub(super) fn event(
    id: String,
    event_type: &str,
    source: &str,
    at: DateTime<Utc>,
    data: Value,
) -> Outgoing {
    let data = if let Value::Object(data) = data { data } else { Map::new() };
    Outgoing {
        event_id: id,
        event_type: event_type.to_owned(),
        timestamp: at,
        source: source.to_owned(),
        data,
        correlation_id: None,
    }
}

/// Publishes queued events until the simulation stops.
pub(super) async fn announce(
    feed: feed::Options,
    stop: CancellationToken,
    mut waiting: mpsc::Receiver<Outgoing>,
) {
    let mut publisher = Publisher::new(feed);
    let mut failures = FailureLog::of("publishing events");
    let mut events = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = waiting.recv_many(&mut events, 64) => if received == 0 { return },
        }
        failures.check(publisher.events(&events).await);
        events.clear();
    }
}
