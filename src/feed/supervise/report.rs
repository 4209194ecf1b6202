//! What the supervisor tells its caller.

use std::time::Duration;

use crate::feed::down::Down;
use crate::feed::wire::BusEvent;

/// What the caller is told. Quotes are not among it: they are on the
/// [`Board`](crate::feed::board::Board).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedReport {
    /// The subscription is up. Everything is to be read again: nobody knows what was missed.
    Up {
        /// Since when nothing had been heard; `None` the first time.
        gap: Option<Duration>,
    },
    /// The subscription is lost, or still cannot be made. It is tried again for ever.
    Down(Down),
    /// The connection answers, but the publisher of prices has missed its heartbeats: no price is
    /// to be believed. Never told of a publisher that sends none.
    Stale {
        /// How long nothing was heard.
        silent: Duration,
    },
    /// Prices come again after [`FeedReport::Stale`].
    Fresh {
        /// How long nothing was heard.
        silent: Duration,
    },
    /// The numbers of the quotes jumped, or began again. Everything is to be read again.
    Jumped {
        /// Quotes that did not arrive since this was last told.
        missed: u64,
        /// Publishers that began to count again since this was last told.
        restarts: u64,
    },
    Event(Box<BusEvent>),
    /// The caller was too slow for the events: these were not delivered one by one. Everything is
    /// to be read again.
    Collapsed {
        events: u64,
        /// Those of them that are alarms, or of which a person is to be told: the newest few.
        notices: Vec<BusEvent>,
    },
}

impl FeedReport {
    /// Tells whether something may have been missed, so that everything is to be read again.
    pub fn wants_resync(&self) -> bool {
        match self {
            Self::Up { .. } | Self::Fresh { .. } | Self::Jumped { .. } | Self::Collapsed { .. } => {
                true
            }
            Self::Down(_) | Self::Stale { .. } | Self::Event(_) => false,
        }
    }
}
