//! Redis: events that tell the console what to read again, and quotes that move its marks.
//!
//! Three rules. **Redis says that something changed, PostgreSQL says what**: an event only names the
//! rows to read again. **No message can make the console panic, block or grow**: payloads are bounded
//! and checked, the reader never waits for the screen, each instrument has one slot for its newest
//! quote, and every dropped message is counted. **No library call is trusted to time out**: every
//! wait for the server has a deadline here.
//!
//! * [`wire`] turns channels and payloads into values, and back.
//! * [`board`] holds the newest quote of each instrument, and every counter.
//! * [`supervise`] keeps a subscription alive and reports its state.
//! * [`publish`] announces committed writes, and publishes the quotes of the simulation.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub mod board;
mod connect;
pub mod down;
pub mod publish;
mod seen;
pub mod supervise;
pub mod wire;

use connect::Address;
use wire::Channels;

/// Address and deadlines of Redis.
#[derive(Debug, Clone)]
pub struct Options {
    /// `redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS, or
    /// `redis+unix:///path[?db=0&user=…&pass=…]`. Secret, because it can hold a password.
    pub url: SecretString,
    /// File with the CA certificates (PEM) for TLS; `None` trusts those of the system.
    pub authority: Option<PathBuf>,
    pub channels: Channels,
    /// From the first packet to the last confirmed subscription. Default 1 s; with a suspended server
    /// the library's own call had not returned after 6 s.
    pub connect_within: Duration,
    /// How often the connection is pinged. Default 1 s.
    pub ping_every: Duration,
    /// Deadline of a ping or an announcement. Default 1 s.
    pub answer_within: Duration,
    /// First wait after a lost connection. Default 100 ms.
    pub retry_from: Duration,
    /// Longest wait between two attempts, which never end. Default 1 s.
    pub retry_up_to: Duration,
    /// Interval of a publisher's heartbeats. Default 1 s.
    pub heartbeat_every: Duration,
    /// Prices are stale after this many missed heartbeats. Default 3.
    pub heartbeats_missed: u32,
    /// Stream with one entry per committed write. Default `tmt:commands`.
    pub commands: String,
    /// Entries that it keeps, about. Default 100,000: some days of a busy desk, 30 MB.
    pub commands_kept: u64,
    /// Prefix of the key of a console's presence, before `<operator>:<console>`. Default
    /// `tmt:session:`.
    pub sessions: String,
    /// Prefix of the key of consoles that have a row open, before `<kind>:<row>`. Default
    /// `tmt:looking:`.
    pub looking: String,
    /// When both expire. Default 15 s; renewed every 5 s.
    pub presence_kept: Duration,
}

impl Options {
    /// Default options for the server at `url`.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            authority: None,
            channels: Channels::default(),
            connect_within: Duration::from_secs(1),
            ping_every: Duration::from_secs(1),
            answer_within: Duration::from_secs(1),
            retry_from: Duration::from_millis(100),
            retry_up_to: Duration::from_secs(1),
            heartbeat_every: Duration::from_secs(1),
            heartbeats_missed: 3,
            commands: "tmt:commands".to_owned(),
            commands_kept: 100_000,
            sessions: "tmt:session:".to_owned(),
            looking: "tmt:looking:".to_owned(),
            presence_kept: Duration::from_secs(15),
        }
    }

    /// Checks the address without connecting.
    ///
    /// # Errors
    ///
    /// [`Down`](down::Down) says what is wrong with it.
    pub fn check(&self) -> Result<(), down::Down> {
        Address::of(&self.url).map(drop)
    }

    /// Whether passwords and prices cross a network unencrypted: neither TLS, loopback nor a socket.
    pub fn is_in_clear(&self) -> bool {
        Address::of(&self.url).is_ok_and(|address| address.is_in_clear())
    }
}
