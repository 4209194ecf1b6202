//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use super::LocalError;

/// How often a server is started again on another port when somebody was faster.
pub(super) const TRIES: usize = 5;

/// Asks the system for a loopback port that is free at this moment. Nothing reserves it: a server
/// that finds it taken is started again on another.
pub(super) fn free() -> Result<u16, LocalError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(LocalError::NoPort)
}

/// Says whether a server's last words mean that its port was taken.
pub(super) fn was_taken(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("already in use") || said.contains("could not create any tcp/ip sockets")
}
