//! Publishes the presence of this console every few seconds, and removes it at the end.
//!
//! It locks nothing, and nothing depends on it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::session::Session;
use crate::feed::publish::{Announcer, Presence};

/// A third of the lifetime of a record, so that a lost renewal does no harm.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Publishes until `stop` is cancelled.
pub(super) async fn keep(
    announcer: Announcer,
    session: watch::Receiver<Option<Session>>,
    console: Uuid,
    since: String,
    stop: CancellationToken,
) {
    let mut tick = interval(RENEW_EVERY);
    let mut said = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        let known = session.borrow().clone();
        if let Some(session) = known {
            let presence = presence(&session, console, &since);
            if let Err(error) = announcer.present(&presence).await {
                tracing::debug!(%error, "presence");
            }
            said = Some(presence);
        }
    }
    if let Some(presence) = said {
        // The record expires if this fails.
        announcer.left(&presence).await.ok();
    }
}

fn presence(session: &Session, console: Uuid, since: &str) -> Presence {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Presence {
        operator: session.operator.clone(),
        console: console.to_string(),
        fields: vec![
            ("host", host),
            ("role", session.role.label().to_owned()),
            ("environment", session.environment.as_str().to_owned()),
            ("since", since.to_owned()),
        ],
    }
}
