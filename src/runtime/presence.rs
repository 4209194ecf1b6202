//! Who is at work: said on the bus every few seconds, taken back at the end.
//!
//! A courtesy for the others on the desk. It locks nothing, and nothing here depends on it: a bus
//! that is away costs this console its name on a list.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::session::Session;
use crate::feed::publish::{Announcer, Presence};

/// A third of how long an entry lives, so that one that is lost does no harm.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Says it until `stop` is cancelled.
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
        // The entry ends by itself if this does not arrive.
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
            ("role", session.role.as_str().to_owned()),
            ("environment", session.environment.as_str().to_owned()),
            ("since", since.to_owned()),
        ],
    }
}
