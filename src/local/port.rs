//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use super::LocalError;

/// Attempts to start a server, each on another port.
const TRIES: usize = 5;

/// Returns a free loopback port. It is not reserved: a server that finds it taken is restarted on
/// another.
pub(super) fn free() -> Result<u16, LocalError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(LocalError::NoPort)
}

/// Starts a server, again if its port was taken meanwhile.
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

/// Whether a server's error means that its port was taken.
fn was_taken(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("already in use") || said.contains("could not create any tcp/ip sockets")
}
