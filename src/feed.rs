//! Redis: what rings the console's bell, and the prices that move its marks.
//!
//! Three rules. **Redis says that something changed, PostgreSQL says what is**: an event only names
//! the rows to read again. **Nothing that arrives can make the console panic, block or forget**:
//! payloads are bounded and checked, the reader never waits for the screen, quotes land in one slot
//! per instrument, and whatever is thrown away is counted. **No library call is trusted to time
//! out**: every wait for the server has a deadline here.
//!
//! * [`wire`] turns channels and payloads into values, and back.
//! * [`board`] holds the newest quote of each instrument, and every counter.
//! * [`supervise`] keeps one subscription alive for ever and says what became of it.
//! * [`publish`] announces what was written, and feeds the bus from the simulated desk.

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

/// Where Redis is and how long to wait for it. Every duration has the default of `spec/wire.md` or
/// of the measurements named beside it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS, or
    /// `redis+unix:///path[?db=0&user=…&pass=…]`. Secret, because it can hold a password.
    pub url: SecretString,
    /// File with the certificates (PEM) that may sign a TLS server's; `None` trusts those of the
    /// system.
    pub authority: Option<PathBuf>,
    pub channels: Channels,
    /// From the first packet to the last confirmed subscription. Default 1 s: on a stopped server
    /// the library's own call had not returned after 6 s.
    pub connect_within: Duration,
    /// How often the connection is pinged. Default 1 s.
    pub ping_every: Duration,
    /// How long a ping, or an announcement, may take. Default 1 s.
    pub answer_within: Duration,
    /// First wait after a lost connection. Default 100 ms.
    pub retry_from: Duration,
    /// Longest wait between two attempts, which never end. Default 1 s.
    pub retry_up_to: Duration,
    /// How often a publisher says that it lives. Default 1 s.
    pub heartbeat_every: Duration,
    /// After how many missing heartbeats the prices are stale. Default 3.
    pub heartbeats_missed: u32,
    /// Stream that gets one entry for each committed write. Default `tmt:commands`.
    pub commands: String,
    /// About how many entries it keeps. Default 100,000: some days of a busy desk, 30 MB.
    pub commands_kept: u64,
    /// What stands before `<operator>:<console>` in the key of a console's presence. Default
    /// `tmt:session:`.
    pub sessions: String,
    /// What stands before `<kind>:<row>` in the key of the consoles that look at a row. Default
    /// `tmt:looking:`.
    pub looking: String,
    /// How long both live when they are not renewed. Default 15 s; renew them every 5 s.
    pub presence_kept: Duration,
}

impl Options {
    /// Returns the defaults for the server at `url`.
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

    /// Tells whether the address can be used at all; connects to nothing.
    ///
    /// # Errors
    ///
    /// [`Down`](down::Down) says what is wrong with it.
    pub fn check(&self) -> Result<(), down::Down> {
        Address::of(&self.url).map(drop)
    }

    /// Tells whether passwords and prices cross a network unencrypted: neither TLS nor loopback nor
    /// a socket. Allowed, because the address says so; to be shown.
    pub fn is_in_clear(&self) -> bool {
        Address::of(&self.url).is_ok_and(|address| address.is_in_clear())
    }
}
