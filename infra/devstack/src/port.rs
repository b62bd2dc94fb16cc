//! Ports for servers that we start.
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};
use rand::Rng;

use crate::home::kept;

/// Below the range that Linux takes the ports of outgoing connections from (32768 and up): a port chosen there and
/// given back could belong to somebody's connection a moment later, above all while a server of ours is stopped.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A loopback port that nobody listens on.
pub fn free_port() -> Result<u16> {
    let mut random = rand::rng();
    (0..1000)
        .map(|_| random.random_range(RANGE))
        .find(|port| is_free(*port))
        .context("no free loopback port found")
}

/// Whether a server could listen on this loopback port now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The port noted in `file`, so that an address stays the same from start to start; a new one when it is taken.
pub fn kept_port(file: &Path) -> Result<u16> {
    let fresh = free_port()?;
    let port = kept(file, || fresh.to_string())?.parse().unwrap_or(fresh);
    if port == fresh || is_free(port) {
        return Ok(port);
    }
    std::fs::write(file, fresh.to_string()).with_context(|| format!("writing {}", file.display()))?;
    Ok(fresh)
}
