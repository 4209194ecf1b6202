//! Reports of the supervisor.

use std::time::Duration;

use crate::feed::down::Down;
use crate::feed::wire::BusEvent;

/// A report. Quotes are not among them: they are on the [`Board`](crate::feed::board::Board).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedReport {
    /// The subscription is up. Resync: messages may have been missed.
    Up {
        /// Length of the gap; `None` the first time.
        gap: Option<Duration>,
    },
    /// The subscription is down; retrying.
    Down(Down),
    /// The connection works, but the price publisher's heartbeat is lost: prices are stale. Never
    /// reported of a publisher that sends none.
    Stale {
        /// Time since the last sign of life.
        silent: Duration,
    },
    /// The price publisher is back after [`FeedReport::Stale`].
    Fresh {
        /// Time since the last sign of life.
        silent: Duration,
    },
    /// Gaps in sequence numbers, or restarted sequences. Resync.
    Jumped {
        /// Quotes that did not arrive since the last report.
        missed: u64,
        /// Sequences restarted since the last report.
        restarts: u64,
    },
    Event(Box<BusEvent>),
    /// The caller was too slow: these events were not delivered one by one. Resync.
    Collapsed {
        events: u64,
        /// The newest of them that are alarms or have a notice.
        notices: Vec<BusEvent>,
    },
}

impl FeedReport {
    /// Whether messages may have been missed, so that a resync is needed.
    pub fn wants_resync(&self) -> bool {
        match self {
            Self::Up { .. } | Self::Fresh { .. } | Self::Jumped { .. } | Self::Collapsed { .. } => {
                true
            }
            Self::Down(_) | Self::Stale { .. } | Self::Event(_) => false,
        }
    }
}
