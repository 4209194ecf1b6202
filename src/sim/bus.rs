//! What the agents announce, in TMT's own envelope.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::trouble::Trouble;
use crate::feed;
use crate::feed::publish::Publisher;
use crate::feed::wire::Outgoing;

/// Takes events from the agents. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bus(mpsc::Sender<Outgoing>);

impl Bus {
    pub(super) fn new(sender: mpsc::Sender<Outgoing>) -> Self {
        Self(sender)
    }

    /// Announces an event, unless too many wait: an event is a doorbell, and its row is found
    /// without it.
    pub(super) fn tell(&self, event: Outgoing) {
        if let Err(error) = self.0.try_send(event) {
            tracing::debug!(%error, "simulation: an event was not announced");
        }
    }
}

/// Makes an event; `data` is a JSON object, or the event has no body.
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

/// Publishes what the agents announce until the simulation stops.
pub(super) async fn announce(
    feed: feed::Options,
    stop: CancellationToken,
    mut waiting: mpsc::Receiver<Outgoing>,
) {
    let mut publisher = Publisher::new(feed);
    let mut trouble = Trouble::of("announcing events");
    let mut events = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = waiting.recv_many(&mut events, 64) => if received == 0 { return },
        }
        trouble.take(publisher.events(&events).await);
        events.clear();
    }
}
