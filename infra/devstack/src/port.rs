//! Ports for the servers of this crate.
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};
use rand::Rng;

use crate::home::read_or_create;

/// Ports below those of outgoing connections (Linux: 32768 and up): a connection could take such a port while
/// a server is stopped.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Returns a random loopback port on which no process listens.
pub fn free_port() -> Result<u16> {
    let mut random = rand::rng();
    (0..1000)
        .map(|_| random.random_range(RANGE))
        .find(|port| is_free(*port))
        .context("no free loopback port found")
}

/// Returns whether a server can listen on this loopback port now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Returns the port that is stored in `file`, so that an address stays the same from start to start. Stores
/// and returns another port if that one is taken.
pub fn stored_port(file: &Path) -> Result<u16> {
    let free = free_port()?;
    let port = read_or_create(file, || free.to_string())?.parse().unwrap_or(free);
    if port == free || is_free(port) {
        return Ok(port);
    }
    std::fs::write(file, free.to_string()).with_context(|| format!("writing {}", file.display()))?;
    Ok(free)
}
