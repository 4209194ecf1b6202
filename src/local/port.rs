//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use super::LocalError;

/// How often a server is started, each time on another port, when somebody was faster.
const TRIES: usize = 5;

/// Asks the system for a loopback port that is free at this moment. Nothing reserves it: a server
/// that finds it taken is started again on another.
pub(super) fn free() -> Result<u16, LocalError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(LocalError::NoPort)
}

/// Starts a server, and again as long as its port was taken meanwhile.
pub(super) async fn until_free(
    mut start: impl AsyncFnMut() -> Result<(), LocalError>,
) -> Result<(), LocalError> {
    for _ in 1..TRIES {
        match start().await {
            Err(LocalError::NotStarted { said, .. }) if was_taken(&said) => {}
            other => return other,
        }
    }
    start().await
}

/// Says whether a server's last words mean that its port was taken.
fn was_taken(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("already in use") || said.contains("could not create any tcp/ip sockets")
}
