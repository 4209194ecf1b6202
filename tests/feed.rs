//! The feed on a real Redis: reconnecting, gaps, invalid messages, slow readers, announcements.
//!
//! Every server is private to its test. Nothing here waits for a time to pass; everything waits for
//! a condition, and fails when it does not come true.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures fail the test that uses them"
)]

#[path = "feed/announcing.rs"]
mod announcing;
#[path = "feed/events.rs"]
mod events;
#[path = "feed/fixture.rs"]
mod fixture;
#[path = "feed/outages.rs"]
mod outages;
#[path = "feed/quotes.rs"]
mod quotes;
#[path = "feed/rights.rs"]
mod rights;
#[path = "feed/tls.rs"]
mod tls;
